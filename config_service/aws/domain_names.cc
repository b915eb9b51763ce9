#include "config_service/aws/domain_names.h"

#include <algorithm>
#include <utility>

#include "absl/hash/hash.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "config_service/aws/errors.h"
#include "config_service/aws/limits.h"
#include "config_service/domain/violations.h"
#include "config_service/service/resources.h"
#include "pki/x509/certificate.h"

namespace sallyport::aws {
namespace {

using domain::DomainNameName;
using domain::EndpointType;
using domain::Reason;
using domain::SecurityPolicy;
using domain::TruststoreBinding;
using domain::TruststoreName;
using domain::TruststoreVersionName;
using domain::Violations;
using service::DomainNameView;
using service::Truststores;

constexpr absl::string_view kTrustField = "mutualTlsAuthentication";
// A truststore that is there already.
constexpr absl::string_view kNamedTruststore = "truststores/";
constexpr size_t kReadableIdLength = 48;
constexpr size_t kDigestLength = 8;

struct PolicyName {
  absl::string_view name;
  SecurityPolicy policy;
};
constexpr PolicyName kPolicies[] = {
    {"TLS_1_0", SecurityPolicy::kTls10},
    {"TLS_1_2", SecurityPolicy::kTls12},
    {"SecurityPolicy_TLS13_1_3_2025_09", SecurityPolicy::kTls13},
};

struct EndpointName {
  absl::string_view name;
  EndpointType type;
};
constexpr EndpointName kEndpoints[] = {
    {"REGIONAL", EndpointType::kRegional},
    {"EDGE", EndpointType::kEdge},
    {"PRIVATE", EndpointType::kPrivate},
};

absl::string_view NameOf(SecurityPolicy policy) {
  for (const PolicyName& row : kPolicies) {
    if (row.policy == policy) return row.name;
  }
  return "TLS_1_2";
}

absl::string_view NameOf(EndpointType type) {
  for (const EndpointName& row : kEndpoints) {
    if (row.type == type) return row.name;
  }
  return "REGIONAL";
}

SecurityPolicy ReadPolicy(absl::string_view field, absl::string_view text,
                          Violations& violations) {
  for (const PolicyName& row : kPolicies) {
    if (row.name == text) return row.policy;
  }
  violations.Add(field, Reason::kNotSupported,
                 "is not supported: must be one of TLS_1_0, TLS_1_2, "
                 "SecurityPolicy_TLS13_1_3_2025_09");
  return SecurityPolicy::kTls12;
}

EndpointType ReadEndpoint(absl::string_view field, absl::string_view text,
                          Violations& violations) {
  for (const EndpointName& row : kEndpoints) {
    if (row.name == text) return row.type;
  }
  violations.Add(field, Reason::kFieldMalformed,
                 "is not REGIONAL, EDGE or PRIVATE");
  return EndpointType::kRegional;
}

DomainNameName NameIn(absl::string_view text, Violations& violations) {
  // Amazon's API takes any case.
  const std::string lower = absl::AsciiStrToLower(text);
  const absl::Status status = domain::CheckId(DomainNameName::kIdRule, lower);
  if (!status.ok()) {
    violations.Add("domainName", Reason::kDomainNameInvalid, status.message());
    return DomainNameName();
  }
  return DomainNameName(lower);
}

std::string WarningText(const domain::Warning& warning) {
  return Printable(
      warning.subject.empty()
          ? warning.message
          : absl::StrCat("Certificate ", warning.index, " (line ", warning.line,
                         "), subject ", warning.subject, ": ", warning.message),
      2048);
}

}  // namespace

TruststoreName OwnTruststore(const DomainNameName& domain_name) {
  const std::string digest =
      HexLower(pki::AsBytes(pki::Sha256(domain_name.id())));
  const std::string readable =
      absl::StrReplaceAll(domain_name.id(), {{"*.", "wildcard-"}, {".", "-"}});
  return TruststoreName(absl::StrCat(readable.substr(0, kReadableIdLength), "-",
                                     digest.substr(0, kDigestLength)));
}

// What a PATCH makes of a domain.
struct DomainNames::Changes {
  domain::DomainName after;
  std::vector<std::string> mask;
  std::optional<std::string> uri;
  std::optional<std::string> version;
};

void DomainNames::AddTo(Handlers& handlers) {
  const auto add = [&](absl::string_view name,
                       absl::StatusOr<Json> (DomainNames::*run)(const Call&)) {
    handlers[{Service::kApiGateway, name}] = [this, run](const Call& call) {
      return (this->*run)(call);
    };
  };
  add("CreateDomainName", &DomainNames::Create);
  add("DeleteDomainName", &DomainNames::Delete);
  add("GetDomainName", &DomainNames::Get);
  add("GetDomainNames", &DomainNames::List);
  add("UpdateDomainName", &DomainNames::Update);
}

absl::StatusOr<DomainNames::Trust> DomainNames::TrustOf(
    const DomainNameName& name, const TruststoreBinding& binding) {
  Trust out;
  if (binding.truststore == OwnTruststore(name) && !binding.version.empty()) {
    SALLYPORT_ASSIGN_OR_RETURN(const service::TruststoreVersionView view,
                               truststores_.GetVersion(binding.version));
    if (!view.version.source_uri.empty()) {
      out.uri = view.version.source_uri;
      out.version = view.version.source_object_version;
      return out;
    }
  }
  out.uri = binding.truststore.ToString();
  if (!binding.version.empty()) {
    out.version = absl::StrCat(binding.version.number());
  }
  return out;
}

absl::StatusOr<Json> DomainNames::ToJson(const DomainNameView& view) {
  const domain::DomainName& domain_name = view.domain_name;
  // Of the first of its fleets that has one.
  std::string suffix;
  for (const domain::FleetName& name : domain_name.Fleets()) {
    const absl::StatusOr<domain::Fleet> fleet =
        service::ReadResource(*context_.store, name);
    if (absl::IsNotFound(fleet.status())) continue;
    if (!fleet.ok()) return fleet.status();
    suffix = fleet->default_endpoint_suffix;
    if (!suffix.empty()) break;
  }
  const std::string host =
      RegionalDomainName(installation_, suffix, domain_name.name);
  const bool edge = domain_name.endpoint_type == EndpointType::kEdge;
  Json out = {
      {"domainName", domain_name.domain()},
      {"domainNameArn", ArnOf(installation_, domain_name.name)},
      {edge ? "distributionDomainName" : "regionalDomainName", host},
      {edge ? "distributionHostedZoneId" : "regionalHostedZoneId",
       installation_.hosted_zone},
      {"endpointConfiguration",
       {{"types",
         Json::array({std::string(NameOf(domain_name.endpoint_type))})},
        {"ipAddressType", "ipv4"}}},
      {"domainNameStatus", std::string(domain::StatusName(domain_name.status))},
      {"securityPolicy", std::string(NameOf(domain_name.security_policy))},
      {"endpointAccessMode", "BASIC"},
      {"routingMode", "BASE_PATH_MAPPING_ONLY"},
      {"tags", TagsJson(domain_name.metadata.labels)},
  };
  if (!domain_name.status_message.empty()) {
    out["domainNameStatusMessage"] =
        Printable(domain_name.status_message, 1024);
  }
  if (!domain_name.server_certificate.empty()) {
    out[edge ? "certificateArn" : "regionalCertificateArn"] =
        ArnOf(installation_, domain_name.server_certificate);
  }
  if (!domain_name.ownership_verification_certificate.empty()) {
    out["ownershipVerificationCertificateArn"] =
        ArnOf(installation_, domain_name.ownership_verification_certificate);
  }
  if (!view.served_version.empty()) {
    const auto version = certificates_.GetVersion(view.served_version);
    if (version.ok()) {
      out["certificateUploadDate"] = TimeJson(version->version.create_time);
    } else if (!absl::IsNotFound(version.status())) {
      return version.status();
    }
  }
  if (!domain_name.mutual_tls.has_value() ||
      domain_name.mutual_tls->truststores.empty()) {
    return out;
  }
  const auto& bindings = domain_name.mutual_tls->truststores;
  SALLYPORT_ASSIGN_OR_RETURN(const Trust trust,
                             TrustOf(domain_name.name, bindings.front()));
  Json mutual = {{"truststoreUri", trust.uri}};
  if (!trust.version.empty()) mutual["truststoreVersion"] = trust.version;
  Json warnings = Json::array();
  for (const domain::Warning& warning : view.warnings) {
    warnings.push_back(WarningText(warning));
  }
  if (view.num_warnings > view.warnings.size()) {
    warnings.push_back(absl::StrCat(
        "and ", view.num_warnings - view.warnings.size(), " more warnings"));
  }
  if (bindings.size() > 1) {
    warnings.push_back(absl::StrCat(
        "The domain trusts ", bindings.size(),
        " truststores, of which this is the first; the gRPC API has all"));
  }
  if (!warnings.empty()) mutual["truststoreWarnings"] = std::move(warnings);
  out[std::string(kTrustField)] = std::move(mutual);
  return out;
}

// ------------------------------------------------------------------ the trust

absl::StatusOr<DomainNames::NewBinding> DomainNames::Bind(
    const Call& call, const DomainNameName& name, const Trust& trust) {
  NewBinding out;
  if (absl::StartsWith(trust.uri, kNamedTruststore)) {
    Violations violations;
    const auto named = TruststoreName::Parse(trust.uri);
    if (!named.ok()) {
      violations.Add(domain::Field(kTrustField, "truststoreUri"),
                     Reason::kSourceUriInvalid, named.status().message());
      return violations.ToStatus();
    }
    out.binding.truststore = *named;
    int64_t number = 0;
    if (trust.version.empty()) return out;
    if (!absl::SimpleAtoi(trust.version, &number) || number < 1 ||
        number > domain::kMaxVersionNumber) {
      violations.Add(domain::Field(kTrustField, "truststoreVersion"),
                     Reason::kFieldMalformed,
                     "is not the number of a version, as a truststore of the "
                     "service has them");
      return violations.ToStatus();
    }
    out.binding.version = TruststoreVersionName(*named, number);
    return out;
  }
  const TruststoreName own = OwnTruststore(name);
  out.binding.truststore = own;
  domain::TruststoreSource source;
  source.uri = trust.uri;
  source.object_version = trust.version;
  const auto existing = truststores_.Get(own);
  if (existing.ok()) {
    Truststores::CreateVersionRequest request;
    request.parent = own;
    request.source = std::move(source);
    request.force = Truststores::Force::kYes;
    SALLYPORT_ASSIGN_OR_RETURN(
        const service::TruststoreVersionView made,
        truststores_.CreateVersion(call.caller, call.write, request));
    out.binding.version = made.version.name;
    out.made_version = true;
    return out;
  }
  if (!absl::IsNotFound(existing.status())) return existing.status();
  Truststores::CreateRequest request;
  request.id = own.id();
  request.truststore.metadata.description =
      absl::StrCat("What ", name.id(), " trusts; made by the AWS API.");
  request.truststore.source = std::move(source);
  request.force = Truststores::Force::kYes;
  SALLYPORT_ASSIGN_OR_RETURN(
      const service::TruststoreView made,
      truststores_.Create(call.caller, call.write, request));
  out.binding.version =
      TruststoreVersionName(own, made.truststore.active_version);
  out.made_truststore = true;
  return out;
}

// What cannot be undone stays for the next change; it harms nobody.
void DomainNames::Undo(const Call& call, const NewBinding& made) {
  if (made.made_truststore) {
    truststores_
        .Delete(call.caller, call.write, made.binding.truststore,
                domain::Etag())
        .IgnoreError();
  } else if (made.made_version) {
    truststores_
        .DeleteVersion(call.caller, call.write, made.binding.version,
                       domain::Etag())
        .IgnoreError();
  }
}

void DomainNames::Settle(const Call& call, const NewBinding& made) {
  if (!made.made_version) return;
  const TruststoreName& own = made.binding.truststore;
  Truststores::ActivateRequest request;
  request.name = made.binding.version;
  request.force = Truststores::Force::kYes;
  truststores_.ActivateVersion(call.caller, call.write, request)
      .status()
      .IgnoreError();
  const int64_t old = made.binding.version.number() - kKeptTruststoreVersions;
  if (old < 1) return;
  truststores_
      .DeleteVersion(call.caller, call.write, TruststoreVersionName(own, old),
                     domain::Etag())
      .IgnoreError();
}

absl::Mutex& DomainNames::LockOf(const DomainNameName& name) {
  return locks_[absl::HashOf(name.id()) % kLocks];
}

// ----------------------------------------------------------------- operations

absl::StatusOr<Json> DomainNames::Create(const Call& call) {
  Violations violations;
  RefuseQuery(call.query, {}, violations);
  Fields fields(call.body, "", violations);
  service::DomainNames::CreateRequest request;
  domain::DomainName& wanted = request.domain_name;
  const std::string text = fields.Required("domainName");
  DomainNameName name;
  if (!text.empty()) name = NameIn(text, violations);
  request.id = name.id();
  const auto arn = [&](const char* field) {
    const std::optional<std::string> value = fields.String(field);
    return value.has_value()
               ? ReadCertificateArn(installation_, field, *value, violations)
               : domain::ServerCertificateName();
  };
  const auto regional = arn("regionalCertificateArn");
  const auto edge = arn("certificateArn");
  wanted.ownership_verification_certificate =
      arn("ownershipVerificationCertificateArn");
  // Without a word about it, what the certificate is given for decides.
  wanted.endpoint_type =
      fields.Has("certificateArn") && !fields.Has("regionalCertificateArn")
          ? EndpointType::kEdge
          : EndpointType::kRegional;
  if (const Json* endpoint = fields.Get("endpointConfiguration")) {
    Fields inner(*endpoint, "endpointConfiguration", violations);
    const std::vector<std::string> types = inner.Strings("types");
    if (types.size() > 1) {
      violations.Add("endpointConfiguration.types", Reason::kTooManyEntries,
                     "has several entries; give one");
    } else if (!types.empty()) {
      wanted.endpoint_type = ReadEndpoint("endpointConfiguration.types",
                                          types.front(), violations);
    }
    inner.RefuseUnless("ipAddressType", "ipv4",
                       "what the nodes listen on is set for their fleet");
    inner.Refuse("vpcEndpointIds", "there are no VPC endpoints");
    inner.Finish();
  }
  const bool is_edge = wanted.endpoint_type == EndpointType::kEdge;
  wanted.server_certificate = is_edge ? edge : regional;
  const char* other = is_edge ? "regionalCertificateArn" : "certificateArn";
  if (fields.Has(other)) {
    violations.Add(other, Reason::kFieldsConflict,
                   absl::StrCat("is for another endpoint type than ",
                                NameOf(wanted.endpoint_type)));
  }
  if (const auto policy = fields.String("securityPolicy")) {
    wanted.security_policy = ReadPolicy("securityPolicy", *policy, violations);
  }
  for (auto& [key, value] : fields.StringMap("tags")) {
    wanted.metadata.labels[key] = value;
  }
  Trust trust;
  if (const Json* mutual = fields.Get(std::string(kTrustField))) {
    Fields inner(*mutual, kTrustField, violations);
    trust.uri = inner.String("truststoreUri").value_or("");
    trust.version = inner.String("truststoreVersion").value_or("");
    inner.Finish();
    if (trust.uri.empty() && !trust.version.empty()) {
      violations.Add(inner.Path("truststoreUri"), Reason::kFieldRequired,
                     "is missing");
    }
  }
  for (const char* field :
       {"certificateBody", "certificatePrivateKey", "certificateChain",
        "certificateName", "regionalCertificateName"}) {
    fields.Refuse(field, "import the certificate into ACM, and give its ARN");
  }
  fields.Refuse("policy", "there are no private domains");
  fields.RefuseUnless("endpointAccessMode", "BASIC",
                      "there is one way to the endpoints");
  fields.RefuseUnless("routingMode", "BASE_PATH_MAPPING_ONLY",
                      "requests are routed by base path mappings");
  fields.Finish();
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());

  absl::MutexLock lock(&LockOf(name));
  // Before anything is read for it: it may have a truststore of its own.
  const absl::Status there = domain_names_.Get(name).status();
  if (there.ok()) {
    constexpr int kConflict = 409;
    return MakeError(kConflict, "ConflictException",
                     absl::StrCat("The domain name you provided already "
                                  "exists: ",
                                  name.id()));
  }
  if (!absl::IsNotFound(there)) return there;
  NewBinding made;
  if (!trust.uri.empty()) {
    SALLYPORT_ASSIGN_OR_RETURN(made, Bind(call, name, trust));
    wanted.mutual_tls.emplace();
    wanted.mutual_tls->truststores = {made.binding};
  }
  // As Amazon's documents say: with its warnings, it counts.
  request.exceptions.force = true;
  const auto view = domain_names_.Create(call.caller, call.write, request);
  if (!view.ok()) {
    Undo(call, made);
    return view.status();
  }
  Settle(call, made);
  return ToJson(*view);
}

absl::StatusOr<Json> DomainNames::Get(const Call& call) {
  Violations violations;
  RefuseQuery(call.query, {}, violations);
  const DomainNameName name = NameIn(call.path.at("domain_name"), violations);
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  SALLYPORT_ASSIGN_OR_RETURN(const DomainNameView view,
                             domain_names_.Get(name));
  return ToJson(view);
}

absl::StatusOr<Json> DomainNames::List(const Call& call) {
  Violations violations;
  const service::PageRequest request =
      PageOf(call, {"resourceOwner"}, violations);
  for (const auto& [name, value] : call.query) {
    if (name == "resourceOwner" && value != "SELF") {
      violations.Add("resourceOwner", Reason::kNotSupported,
                     "is not supported with other values than SELF");
    }
  }
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  SALLYPORT_ASSIGN_OR_RETURN(const service::Page<DomainNameView> page,
                             domain_names_.List(request));
  Json items = Json::array();
  for (const DomainNameView& view : page.items) {
    SALLYPORT_ASSIGN_OR_RETURN(Json item, ToJson(view));
    items.push_back(std::move(item));
  }
  return ListJson(std::move(items), page.next_page_token);
}

void DomainNames::Apply(const PatchOperation& operation,
                        const domain::DomainName& before, Changes& changes,
                        Violations& violations) {
  using Kind = PatchOperation::Kind;
  const std::string value_field = domain::Field(operation.field, "value");
  const bool removes = operation.kind == Kind::kRemove;
  const std::string& path = operation.path;
  const std::string& value = operation.value;
  if (path == "/mutualTlsAuthentication/truststoreUri") {
    changes.uri = value;
    return;
  }
  if (path == "/mutualTlsAuthentication/truststoreVersion") {
    changes.version = value;
    return;
  }
  if (path == "/mutualTlsAuthentication" && removes) {
    changes.uri = "";
    return;
  }
  const bool edge = before.endpoint_type == EndpointType::kEdge;
  if (path == "/regionalCertificateArn" || path == "/certificateArn") {
    if (removes || edge != (path == "/certificateArn")) {
      RefusePath(operation, violations);
      return;
    }
    changes.after.server_certificate =
        ReadCertificateArn(installation_, value_field, value, violations);
    changes.mask.emplace_back("server_certificate");
    return;
  }
  if (path == "/ownershipVerificationCertificateArn") {
    changes.after.ownership_verification_certificate =
        value.empty()
            ? domain::ServerCertificateName()
            : ReadCertificateArn(installation_, value_field, value, violations);
    changes.mask.emplace_back("ownership_verification_certificate");
    return;
  }
  if (path == "/securityPolicy" && !removes) {
    changes.after.security_policy = ReadPolicy(value_field, value, violations);
    changes.mask.emplace_back("security_policy");
    return;
  }
  const std::vector<std::string> parts = PathParts(path);
  const bool of_types = parts.size() >= 2 &&
                        parts[0] == "endpointConfiguration" &&
                        parts[1] == "types";
  if (of_types && parts.size() <= 3 && !removes) {
    // ".../types/EDGE" and ".../types/0" name what is replaced.
    if (parts.size() == 3 && parts[2] != "0" &&
        parts[2] != NameOf(before.endpoint_type)) {
      violations.Add(domain::Field(operation.field, "path"),
                     Reason::kFieldMalformed,
                     absl::StrCat("names an endpoint type that the domain does "
                                  "not have; it has ",
                                  NameOf(before.endpoint_type)));
      return;
    }
    changes.after.endpoint_type = ReadEndpoint(value_field, value, violations);
    changes.mask.emplace_back("endpoint_type");
    return;
  }
  // What cannot be another way may be asked for as it is.
  if (!removes &&
      ((path == "/routingMode" && value == "BASE_PATH_MAPPING_ONLY") ||
       (path == "/endpointAccessMode" && value == "BASIC") ||
       (path == "/endpointConfiguration/ipAddressType" && value == "ipv4"))) {
    return;
  }
  RefusePath(operation, violations);
}

absl::StatusOr<Json> DomainNames::Update(const Call& call) {
  Violations violations;
  RefuseQuery(call.query, {}, violations);
  const DomainNameName name = NameIn(call.path.at("domain_name"), violations);
  const std::vector<PatchOperation> operations =
      ReadPatch(call.body, violations);
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());

  absl::MutexLock lock(&LockOf(name));
  SALLYPORT_ASSIGN_OR_RETURN(const DomainNameView before,
                             domain_names_.Get(name));
  Changes changes;
  changes.after = before.domain_name;
  for (const PatchOperation& operation : operations) {
    Apply(operation, before.domain_name, changes, violations);
  }
  const auto& mutual = before.domain_name.mutual_tls;
  const bool has_trust = mutual.has_value() && !mutual->truststores.empty();
  const bool changes_trust =
      changes.uri.has_value() || changes.version.has_value();
  if (changes_trust && has_trust && mutual->truststores.size() > 1 &&
      changes.uri != "") {
    violations.Add(kTrustField, Reason::kNotSupported,
                   "has several truststores, of which one would replace all; "
                   "change them by the gRPC API");
  }
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());

  NewBinding made;
  if (changes_trust) {
    Trust trust;
    if (has_trust) {
      SALLYPORT_ASSIGN_OR_RETURN(trust,
                                 TrustOf(name, mutual->truststores.front()));
    }
    if (changes.uri.has_value()) {
      // Versions are those of one object.
      if (*changes.uri != trust.uri) trust.version.clear();
      trust.uri = *changes.uri;
    }
    if (changes.version.has_value()) trust.version = *changes.version;
    if (trust.uri.empty()) {
      if (changes.version.value_or("") != "") {
        violations.Add(domain::Field(kTrustField, "truststoreUri"),
                       Reason::kFieldRequired,
                       "is missing: the domain has no truststore of which this "
                       "could be a version");
        return violations.ToStatus();
      }
      changes.after.mutual_tls.reset();
      changes.mask.emplace_back("mutual_tls");
    } else {
      SALLYPORT_ASSIGN_OR_RETURN(made, Bind(call, name, trust));
      if (!changes.after.mutual_tls.has_value()) {
        changes.after.mutual_tls.emplace();
      }
      changes.after.mutual_tls->truststores = {made.binding};
      changes.mask.emplace_back("mutual_tls.truststores");
    }
  }
  if (changes.mask.empty()) return ToJson(before);
  service::DomainNames::UpdateRequest request;
  request.domain_name = std::move(changes.after);
  request.mask = std::move(changes.mask);
  request.exceptions.force = true;
  const auto view = domain_names_.Update(call.caller, call.write, request);
  if (!view.ok()) {
    Undo(call, made);
    return view.status();
  }
  Settle(call, made);
  return ToJson(*view);
}

absl::StatusOr<Json> DomainNames::Delete(const Call& call) {
  Violations violations;
  RefuseQuery(call.query, {}, violations);
  const DomainNameName name = NameIn(call.path.at("domain_name"), violations);
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  absl::MutexLock lock(&LockOf(name));
  // Amazon's goes with its mappings.
  SALLYPORT_RETURN_IF_ERROR(
      domain_names_.Delete(call.caller, call.write, name, domain::Etag(),
                           service::DomainNames::Mappings::kDelete));
  truststores_
      .Delete(call.caller, call.write, OwnTruststore(name), domain::Etag())
      .IgnoreError();
  return Json();
}

}  // namespace sallyport::aws
