#include "config_service/aws/acm.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/secret.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "config_service/aws/errors.h"
#include "config_service/aws/limits.h"
#include "config_service/aws/request_id.h"
#include "config_service/domain/server_certificate.h"
#include "config_service/domain/violations.h"
#include "config_service/service/resources.h"
#include "config_service/store/store.h"

namespace sallyport::aws {
namespace {

using domain::Reason;
using domain::ServerCertificate;
using domain::ServerCertificateName;
using domain::Violations;
using service::ServerCertificates;
using service::ServerCertificateView;
using KeyKind = pki::PrivateKey::Kind;

constexpr int kBadRequest = 400;
constexpr size_t kMaxInUseBy = 100;

struct Algorithm {
  absl::string_view name;
  KeyKind kind;
};
constexpr Algorithm kAlgorithms[] = {
    {"RSA_2048", KeyKind::kRsa2048},
    {"RSA_3072", KeyKind::kRsa3072},
    {"EC_prime256v1", KeyKind::kEcP256},
    {"EC_secp384r1", KeyKind::kEcP384},
};

std::string KeyAlgorithm(const pki::PublicKeyInfo& key) {
  switch (key.type) {
    case pki::KeyType::kRsa:
      return absl::StrCat("RSA_", key.bits);
    case pki::KeyType::kEcP256:
      return "EC_prime256v1";
    case pki::KeyType::kEcP384:
      return "EC_secp384r1";
    default:
      return "unknown";
  }
}

// "SHA256WITHRSA", as Amazon writes it, of "sha256WithRSAEncryption".
std::string SignatureAlgorithm(const pki::Certificate& certificate) {
  std::string name =
      absl::AsciiStrToUpper(certificate.SignatureAlgorithmName());
  for (absl::string_view hash : {"SHA256", "SHA384", "SHA512"}) {
    if (!absl::StrContains(name, hash)) continue;
    return absl::StrCat(hash, "WITH",
                        absl::StrContains(name, "ECDSA") ? "ECDSA" : "RSA");
  }
  return name;
}

// "0a:1b", of "0A1B".
std::string SerialText(const std::string& hex) {
  const std::string lower = absl::AsciiStrToLower(hex);
  std::string out;
  for (size_t i = 0; i < lower.size(); ++i) {
    if (i > 0 && (lower.size() - i) % 2 == 0) out += ':';
    out += lower[i];
  }
  return out;
}

std::string FirstName(const pki::Certificate& leaf) {
  const std::vector<std::string> names = domain::DnsNames(leaf);
  return names.empty() ? Printable(leaf.CommonName()) : names.front();
}

const char* TypeOf(const ServerCertificate& certificate) {
  return certificate.origin == ServerCertificate::Origin::kImported ? "IMPORTED"
                                                                    : "PRIVATE";
}

// Base64 of a blob in a request.
std::string Blob(Fields& fields, const std::string& name,
                 Violations& violations) {
  const std::optional<std::string> text = fields.String(name);
  std::string out;
  if (text.has_value() && !absl::Base64Unescape(*text, &out)) {
    violations.Add(name, Reason::kFieldMalformed, "is not base64");
    out.clear();
  }
  return out;
}

// [{"Key": "k", "Value": "v"}].
domain::Labels ReadTags(Fields& fields, Violations& violations) {
  domain::Labels out;
  const Json* list = fields.Get("Tags");
  if (list == nullptr) return out;
  if (!list->is_array()) {
    violations.Add("Tags", Reason::kFieldMalformed, "is not a list");
    return out;
  }
  for (size_t i = 0; i < list->size(); ++i) {
    Fields tag((*list)[i], domain::Element("Tags", i), violations);
    const std::string key = tag.Required("Key");
    const std::string value = tag.String("Value").value_or("");
    tag.Finish();
    if (!key.empty() && !out.emplace(key, value).second) {
      violations.Add(domain::Element("Tags", i), Reason::kDuplicateEntry,
                     "has a key that is there already");
    }
  }
  return out;
}

std::string LeafPem(const ServerCertificateView& view) {
  return view.chain.front()->Pem();
}
std::string RestPem(const ServerCertificateView& view) {
  std::string out;
  for (size_t i = 1; i < view.chain.size(); ++i) {
    absl::StrAppend(&out, view.chain[i]->Pem());
  }
  return out;
}

bool IsExpired(const ServerCertificateView& view, absl::Time now) {
  return view.chain.front()->not_after() < now;
}

}  // namespace

void Acm::AddTo(Handlers& handlers) {
  const auto add = [&](absl::string_view name,
                       absl::StatusOr<Json> (Acm::*run)(const Call&)) {
    handlers[{Service::kAcm, name}] = [this, run](const Call& call) {
      return (this->*run)(call);
    };
  };
  add("AddTagsToCertificate", &Acm::AddTags);
  add("DeleteCertificate", &Acm::Delete);
  add("DescribeCertificate", &Acm::Describe);
  add("GetCertificate", &Acm::Get);
  add("ImportCertificate", &Acm::Import);
  add("ListCertificates", &Acm::List);
  add("ListTagsForCertificate", &Acm::ListTags);
  add("RemoveTagsFromCertificate", &Acm::RemoveTags);
  add("RenewCertificate", &Acm::Renew);
  add("RequestCertificate", &Acm::Request);
}

absl::StatusOr<ServerCertificateName> Acm::NameIn(Fields& fields,
                                                  Violations& violations) {
  const std::string arn = fields.Required("CertificateArn");
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  absl::StatusOr<ServerCertificateName> name =
      ReadCertificateArn(installation_, arn);
  if (name.ok()) return name;
  return MakeError(kBadRequest, "InvalidArnException",
                   absl::StrCat("CertificateArn ", name.status().message()));
}

absl::StatusOr<Json> Acm::InUseBy(const ServerCertificateName& name) {
  SALLYPORT_ASSIGN_OR_RETURN(
      const std::vector<std::string> referrers,
      service::ReferrersOf(*context_.store, name.ToString(), kMaxInUseBy));
  Json out = Json::array();
  for (const std::string& referrer : referrers) {
    const auto domain_name = domain::DomainNameName::Parse(referrer);
    out.push_back(domain_name.ok()
                      ? ArnOf(installation_, *domain_name)
                      : absl::StrCat("arn:aws:apigateway:",
                                     installation_.region, "::/", referrer));
  }
  return out;
}

absl::StatusOr<Json> Acm::Import(const Call& call) {
  Violations violations;
  Fields fields(call.body, "", violations);
  ServerCertificates::Material material;
  material.certificate_chain_pem = Blob(fields, "Certificate", violations);
  material.private_key_pem = Secret(Blob(fields, "PrivateKey", violations));
  const std::string chain = Blob(fields, "CertificateChain", violations);
  const std::optional<std::string> arn = fields.String("CertificateArn");
  const domain::Labels tags = ReadTags(fields, violations);
  fields.Finish();
  for (const char* name : {"Certificate", "PrivateKey"}) {
    if (!fields.Has(name)) {
      violations.Add(name, Reason::kFieldRequired, "is missing");
    }
  }
  if (arn.has_value() && !tags.empty()) {
    violations.Add("Tags", Reason::kFieldsConflict,
                   "cannot be given when a certificate is imported again; use "
                   "AddTagsToCertificate");
  }
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  if (!chain.empty()) {
    absl::StrAppend(&material.certificate_chain_pem, "\n", chain);
  }
  absl::StatusOr<ServerCertificateView> view;
  if (arn.has_value()) {
    SALLYPORT_ASSIGN_OR_RETURN(const ServerCertificateName name,
                               NameIn(fields, violations));
    ServerCertificates::ImportRequest request;
    request.name = name;
    request.material = std::move(material);
    view = certificates_.Import(call.caller, call.write, request);
  } else {
    ServerCertificates::CreateRequest request;
    request.id = NewUuid();
    request.certificate.metadata.labels = tags;
    request.material = std::move(material);
    view = certificates_.Create(call.caller, call.write, request);
  }
  if (!view.ok()) return view.status();
  return Json{{"CertificateArn", ArnOf(installation_, view->certificate.name)}};
}

absl::StatusOr<Json> Acm::Request(const Call& call) {
  Violations violations;
  Fields fields(call.body, "", violations);
  domain::Issuance issuance;
  const std::string first = fields.Required("DomainName");
  issuance.dns_names.push_back(absl::AsciiStrToLower(first));
  for (const std::string& name : fields.Strings("SubjectAlternativeNames")) {
    const std::string lower = absl::AsciiStrToLower(name);
    // Amazon's answers repeat the first name there, and requests may.
    if (std::find(issuance.dns_names.begin(), issuance.dns_names.end(),
                  lower) == issuance.dns_names.end()) {
      issuance.dns_names.push_back(lower);
    }
  }
  issuance.key_kind = KeyKind::kRsa2048;
  if (const auto wanted = fields.String("KeyAlgorithm")) {
    const auto* found =
        std::find_if(std::begin(kAlgorithms), std::end(kAlgorithms),
                     [&](const Algorithm& a) { return a.name == *wanted; });
    if (found != std::end(kAlgorithms)) {
      issuance.key_kind = found->kind;
    } else {
      violations.Add("KeyAlgorithm", Reason::kNotSupported,
                     "is not supported: must be one of RSA_2048, RSA_3072, "
                     "EC_prime256v1, EC_secp384r1");
    }
  }
  fields.RefuseUnless("ValidationMethod", "DNS",
                      "the issuer decides by the names that it may issue, at "
                      "once; nothing is to be done for it");
  fields.Refuse("DomainValidationOptions", "nothing is validated by e-mail");
  fields.Refuse("CertificateAuthorityArn",
                "the issuer is the one that the service was started with");
  fields.Refuse("ManagedBy", "certificates are managed by their owner");
  fields.Refuse("Options", "there are no transparency logs, and no exports");
  const domain::Labels tags = ReadTags(fields, violations);
  const std::string token = fields.String("IdempotencyToken").value_or("");
  fields.Finish();
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());

  ServerCertificates::CreateRequest request;
  request.certificate.metadata.labels = tags;
  request.certificate.issuance = issuance;
  service::Write write = call.write;
  if (!token.empty()) {
    // The same request within an hour has the same answer.
    write.request_id = UuidOf(absl::StrCat("acm-token:", token));
    write.request = store::BlobDigest::Of(call.body.dump(
        -1, ' ', /*ensure_ascii=*/true, Json::error_handler_t::replace));
    request.id = UuidOf(
        absl::StrCat("acm-certificate:", call.caller.principal, "/", token));
    const auto view = certificates_.Create(call.caller, write, request);
    if (view.ok()) {
      return Json{
          {"CertificateArn", ArnOf(installation_, view->certificate.name)}};
    }
    // The token was used longer ago, and means another one by now.
    if (!absl::IsAlreadyExists(view.status())) return view.status();
    write = call.write;
  }
  request.id = NewUuid();
  SALLYPORT_ASSIGN_OR_RETURN(const ServerCertificateView view,
                             certificates_.Create(call.caller, write, request));
  return Json{{"CertificateArn", ArnOf(installation_, view.certificate.name)}};
}

absl::StatusOr<Json> Acm::Describe(const Call& call) {
  Violations violations;
  Fields fields(call.body, "", violations);
  fields.Get("CertificateArn");
  fields.Finish();
  SALLYPORT_ASSIGN_OR_RETURN(const ServerCertificateName name,
                             NameIn(fields, violations));
  SALLYPORT_ASSIGN_OR_RETURN(const ServerCertificateView view,
                             certificates_.Get(name));
  const pki::Certificate& leaf = *view.chain.front();
  const bool issued =
      view.certificate.origin == ServerCertificate::Origin::kIssued;
  Json out = {
      {"CertificateArn", ArnOf(installation_, name)},
      {"DomainName", FirstName(leaf)},
      {"SubjectAlternativeNames", domain::DnsNames(leaf)},
      {"Serial", SerialText(leaf.SerialHex())},
      {"Subject", Printable(leaf.Subject(), 1024)},
      {"Issuer", Printable(leaf.Issuer(), 1024)},
      {"CreatedAt", TimeJson(view.certificate.metadata.create_time)},
      {issued ? "IssuedAt" : "ImportedAt", TimeJson(view.active.create_time)},
      {"Status", IsExpired(view, context_.clock->Now()) ? "EXPIRED" : "ISSUED"},
      {"NotBefore", TimeJson(leaf.not_before())},
      {"NotAfter", TimeJson(leaf.not_after())},
      {"KeyAlgorithm", KeyAlgorithm(leaf.public_key())},
      {"SignatureAlgorithm", SignatureAlgorithm(leaf)},
      {"Type", TypeOf(view.certificate)},
      {"RenewalEligibility", issued ? "ELIGIBLE" : "INELIGIBLE"},
  };
  SALLYPORT_ASSIGN_OR_RETURN(out["InUseBy"], InUseBy(name));
  if (issued) {
    Json options = Json::array();
    for (const std::string& dns_name : domain::DnsNames(leaf)) {
      options.push_back(
          {{"DomainName", dns_name}, {"ValidationStatus", "SUCCESS"}});
    }
    out["DomainValidationOptions"] = options;
    const domain::Condition* condition = domain::FindCondition(
        view.certificate.conditions, service::kIssuedCondition);
    if (condition != nullptr &&
        condition->status == domain::Condition::Status::kFalse) {
      out["RenewalSummary"] = {
          {"RenewalStatus", "FAILED"},
          {"RenewalStatusReason", "OTHER"},
          {"DomainValidationOptions", options},
          {"UpdatedAt", TimeJson(condition->transition_time)}};
    } else if (view.active.name.number() > 1) {
      out["RenewalSummary"] = {
          {"RenewalStatus", "SUCCESS"},
          {"DomainValidationOptions", options},
          {"UpdatedAt", TimeJson(view.active.create_time)}};
    }
  }
  return Json{{"Certificate", std::move(out)}};
}

absl::StatusOr<Json> Acm::Get(const Call& call) {
  Violations violations;
  Fields fields(call.body, "", violations);
  fields.Get("CertificateArn");
  fields.Finish();
  SALLYPORT_ASSIGN_OR_RETURN(const ServerCertificateName name,
                             NameIn(fields, violations));
  SALLYPORT_ASSIGN_OR_RETURN(const ServerCertificateView view,
                             certificates_.Get(name));
  Json out = {{"Certificate", LeafPem(view)}};
  const std::string rest = RestPem(view);
  if (!rest.empty()) out["CertificateChain"] = rest;
  return out;
}

absl::StatusOr<Json> Acm::List(const Call& call) {
  Violations violations;
  Fields fields(call.body, "", violations);
  const std::vector<std::string> statuses =
      fields.Strings("CertificateStatuses");
  std::vector<std::string> key_types;
  if (const Json* includes = fields.Get("Includes")) {
    Fields filter(*includes, "Includes", violations);
    key_types = filter.Strings("keyTypes");
    for (const char* name :
         {"extendedKeyUsage", "keyUsage", "exportOption", "managedBy"}) {
      filter.Refuse(name, "certificates are only told apart by keyTypes");
    }
    filter.Finish();
  }
  fields.Refuse("SortBy", "the order is that of the ids");
  fields.Refuse("SortOrder", "the order is that of the ids");
  service::PageRequest request;
  request.page_token = fields.String("NextToken").value_or("");
  const int64_t max = fields.Integer("MaxItems").value_or(kMaxItems);
  if (max < 1 || max > kMaxItems) {
    violations.Add("MaxItems", Reason::kFieldOutOfRange,
                   absl::StrCat("is not 1 to ", kMaxItems));
  }
  fields.Finish();
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  request.page_size = static_cast<int>(max);
  SALLYPORT_ASSIGN_OR_RETURN(const service::Page<ServerCertificateView> page,
                             certificates_.List(request));
  const auto wanted = [](const std::vector<std::string>& list,
                         const std::string& value) {
    return list.empty() ||
           std::find(list.begin(), list.end(), value) != list.end();
  };
  Json items = Json::array();
  for (const ServerCertificateView& view : page.items) {
    const pki::Certificate& leaf = *view.chain.front();
    const std::string status =
        IsExpired(view, context_.clock->Now()) ? "EXPIRED" : "ISSUED";
    const std::string algorithm = KeyAlgorithm(leaf.public_key());
    if (!wanted(statuses, status) || !wanted(key_types, algorithm)) continue;
    const bool issued =
        view.certificate.origin == ServerCertificate::Origin::kIssued;
    SALLYPORT_ASSIGN_OR_RETURN(const Json in_use,
                               InUseBy(view.certificate.name));
    items.push_back({
        {"CertificateArn", ArnOf(installation_, view.certificate.name)},
        {"DomainName", FirstName(leaf)},
        {"SubjectAlternativeNameSummaries", domain::DnsNames(leaf)},
        {"HasAdditionalSubjectAlternativeNames", false},
        {"Status", status},
        {"Type", TypeOf(view.certificate)},
        {"KeyAlgorithm", algorithm},
        {"InUse", !in_use.empty()},
        {"Exported", false},
        {"RenewalEligibility", issued ? "ELIGIBLE" : "INELIGIBLE"},
        {"NotBefore", TimeJson(leaf.not_before())},
        {"NotAfter", TimeJson(leaf.not_after())},
        {"CreatedAt", TimeJson(view.certificate.metadata.create_time)},
        {issued ? "IssuedAt" : "ImportedAt", TimeJson(view.active.create_time)},
    });
  }
  Json out = {{"CertificateSummaryList", std::move(items)}};
  if (!page.next_page_token.empty()) out["NextToken"] = page.next_page_token;
  return out;
}

absl::StatusOr<Json> Acm::Delete(const Call& call) {
  Violations violations;
  Fields fields(call.body, "", violations);
  fields.Get("CertificateArn");
  fields.Finish();
  SALLYPORT_ASSIGN_OR_RETURN(const ServerCertificateName name,
                             NameIn(fields, violations));
  SALLYPORT_RETURN_IF_ERROR(
      certificates_.Delete(call.caller, call.write, name, domain::Etag()));
  return Json::object();
}

absl::StatusOr<Json> Acm::Renew(const Call& call) {
  Violations violations;
  Fields fields(call.body, "", violations);
  fields.Get("CertificateArn");
  fields.Finish();
  SALLYPORT_ASSIGN_OR_RETURN(const ServerCertificateName name,
                             NameIn(fields, violations));
  SALLYPORT_RETURN_IF_ERROR(
      certificates_.Renew(call.caller, call.write, name, domain::Etag())
          .status());
  return Json::object();
}

absl::StatusOr<Json> Acm::SetTags(const Call& call,
                                  const ServerCertificateView& view,
                                  domain::Labels labels) {
  ServerCertificates::UpdateRequest request;
  request.certificate = view.certificate;
  request.certificate.metadata.labels = std::move(labels);
  request.mask = {"labels"};
  SALLYPORT_RETURN_IF_ERROR(
      certificates_.Update(call.caller, call.write, request).status());
  return Json::object();
}

absl::StatusOr<Json> Acm::AddTags(const Call& call) {
  Violations violations;
  Fields fields(call.body, "", violations);
  const domain::Labels tags = ReadTags(fields, violations);
  fields.Get("CertificateArn");
  fields.Finish();
  SALLYPORT_ASSIGN_OR_RETURN(const ServerCertificateName name,
                             NameIn(fields, violations));
  SALLYPORT_ASSIGN_OR_RETURN(const ServerCertificateView view,
                             certificates_.Get(name));
  domain::Labels labels = view.certificate.metadata.labels;
  for (const auto& [key, value] : tags) labels[key] = value;
  return SetTags(call, view, std::move(labels));
}

absl::StatusOr<Json> Acm::RemoveTags(const Call& call) {
  Violations violations;
  Fields fields(call.body, "", violations);
  const domain::Labels tags = ReadTags(fields, violations);
  fields.Get("CertificateArn");
  fields.Finish();
  SALLYPORT_ASSIGN_OR_RETURN(const ServerCertificateName name,
                             NameIn(fields, violations));
  SALLYPORT_ASSIGN_OR_RETURN(const ServerCertificateView view,
                             certificates_.Get(name));
  domain::Labels labels = view.certificate.metadata.labels;
  for (const auto& [key, value] : tags) {
    const auto found = labels.find(key);
    // With a value, only that one.
    if (found != labels.end() && (value.empty() || found->second == value)) {
      labels.erase(found);
    }
  }
  return SetTags(call, view, std::move(labels));
}

absl::StatusOr<Json> Acm::ListTags(const Call& call) {
  Violations violations;
  Fields fields(call.body, "", violations);
  fields.Get("CertificateArn");
  fields.Finish();
  SALLYPORT_ASSIGN_OR_RETURN(const ServerCertificateName name,
                             NameIn(fields, violations));
  SALLYPORT_ASSIGN_OR_RETURN(const ServerCertificateView view,
                             certificates_.Get(name));
  Json tags = Json::array();
  for (const auto& [key, value] : view.certificate.metadata.labels) {
    tags.push_back({{"Key", key}, {"Value", value}});
  }
  return Json{{"Tags", std::move(tags)}};
}

}  // namespace sallyport::aws
