#include "config_service/service/domain_names.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "config_service/domain/api_mapping.h"
#include "config_service/domain/fleet.h"
#include "config_service/domain/truststore.h"
#include "config_service/service/api_mappings.h"
#include "config_service/service/default_endpoints.h"
#include "config_service/service/errors.h"
#include "config_service/service/expiry.h"
#include "config_service/service/limits.h"
#include "config_service/service/mask.h"
#include "config_service/service/references.h"
#include "config_service/service/resources.h"
#include "config_service/service/roles.h"

namespace sallyport::service {

using domain::Condition;
using domain::DomainName;
using domain::DomainNameName;
using domain::MutualTls;
using domain::Reason;
using domain::ServerCertificate;
using domain::ServerCertificateName;
using domain::ServerCertificateVersionName;
using domain::Violations;

namespace {

// A field of mutual_tls. The domain must not lose its mutual TLS because a
// request that names one field of it leaves the message out.
template <auto kMember>
void CopyMutualTls(const DomainName& from, DomainName& to) {
  if (!to.mutual_tls.has_value()) {
    if (!from.mutual_tls.has_value()) return;
    to.mutual_tls.emplace();
  }
  static const MutualTls kDefault;
  const MutualTls& given =
      from.mutual_tls.has_value() ? *from.mutual_tls : kDefault;
  (*to.mutual_tls).*kMember = given.*kMember;
}

constexpr MaskField<DomainName> kFields[] = {
    kDescriptionField<DomainName>,
    kLabelsField<DomainName>,
    {"fleets",
     [](const DomainName& from, DomainName& to) { to.fleets = from.fleets; }},
    {"endpoint_type",
     [](const DomainName& from, DomainName& to) {
       to.endpoint_type = from.endpoint_type;
     }},
    {"security_policy",
     [](const DomainName& from, DomainName& to) {
       to.security_policy = from.security_policy;
     }},
    {"server_certificate",
     [](const DomainName& from, DomainName& to) {
       to.server_certificate = from.server_certificate;
     }},
    {"ownership_verification_certificate",
     [](const DomainName& from, DomainName& to) {
       to.ownership_verification_certificate =
           from.ownership_verification_certificate;
     }},
    // All of it, or that there is none; then its fields, which change nothing
    // any more.
    {"mutual_tls", [](const DomainName& from,
                      DomainName& to) { to.mutual_tls = from.mutual_tls; }},
    {"mutual_tls.truststores", CopyMutualTls<&MutualTls::truststores>},
    {"mutual_tls.deny_lists", CopyMutualTls<&MutualTls::deny_lists>},
    {"mutual_tls.client_certificate",
     CopyMutualTls<&MutualTls::client_certificate>},
    {"mutual_tls.rejection", CopyMutualTls<&MutualTls::rejection>},
    {"mutual_tls.bad_request", CopyMutualTls<&MutualTls::bad_request>},
    {"mutual_tls.allow", CopyMutualTls<&MutualTls::allow>},
    {"mutual_tls.allow_lists", CopyMutualTls<&MutualTls::allow_lists>},
    {"mutual_tls.paths", CopyMutualTls<&MutualTls::paths>},
    {"mutual_tls.end_streams_after",
     CopyMutualTls<&MutualTls::end_streams_after>},
    {"mutual_tls.strict_handshake",
     CopyMutualTls<&MutualTls::strict_handshake>},
    {"mutual_tls.limits", CopyMutualTls<&MutualTls::limits>},
    {"forwarding", [](const DomainName& from,
                      DomainName& to) { to.forwarding = from.forwarding; }},
};

constexpr absl::string_view kOutputOnly[] = {
    "name",           "etag",
    "revision",       "create_time",
    "update_time",    "status",
    "status_message", "served_certificate_version",
    "warnings",       "warning_count",
    "conditions",
};

constexpr FilterField kFilter[] = {
    {"name"},
    {"description"},
    {"labels.*"},
    {"status"},
    {"server_certificate"},
    {"truststore"},
    {"fleet"},
    {"create_time", FilterField::Type::kTime},
    {"update_time", FilterField::Type::kTime},
};

FilterValue ValueOf(const DomainNameView& view, absl::string_view field) {
  const DomainName& domain_name = view.domain_name;
  if (field == "status") {
    return std::string(domain::StatusName(domain_name.status));
  }
  if (field == "server_certificate") {
    return domain_name.server_certificate.ToString();
  }
  std::vector<std::string> names;
  if (field == "truststore") {
    if (domain_name.mutual_tls.has_value()) {
      for (const auto& binding : domain_name.mutual_tls->truststores) {
        names.push_back(binding.truststore.ToString());
      }
    }
    return names;
  }
  if (field == "fleet") {
    for (const domain::FleetName& fleet : domain_name.Fleets()) {
      names.push_back(fleet.ToString());
    }
    return names;
  }
  return MetadataValue(domain_name, field);
}

const domain::TruststoreBinding* BindingOf(const DomainName* domain_name,
                                           const domain::TruststoreName& name) {
  if (domain_name == nullptr || !domain_name->mutual_tls.has_value()) {
    return nullptr;
  }
  for (const auto& binding : domain_name->mutual_tls->truststores) {
    if (binding.truststore == name) return &binding;
  }
  return nullptr;
}

int64_t VersionInForce(const domain::TruststoreBinding& binding,
                       const domain::Truststore& truststore) {
  return binding.version.empty() ? truststore.active_version
                                 : binding.version.number();
}

absl::Status CheckMayOverride(const Caller& caller,
                              const DomainNames::Exceptions& exceptions) {
  if (!exceptions.override_issuer_conflict || caller.role >= Role::kAdmin) {
    return absl::OkStatus();
  }
  return domain::MakeError(
      Reason::kRoleMissing,
      "only an admin may override an issuer conflict; ask one, or leave "
      "override_issuer_conflict out",
      {{"required_role", "admin"}});
}

// Whether `status` is that of the reason.
bool HasReason(const absl::Status& status, Reason reason) {
  const auto error = domain::ErrorOf(status);
  return error.has_value() && error->reason == reason;
}

Condition MakeCondition(absl::string_view type, bool value,
                        absl::string_view reason, std::string message,
                        int64_t revision) {
  Condition condition;
  condition.type = std::string(type);
  condition.status =
      value ? Condition::Status::kTrue : Condition::Status::kFalse;
  condition.reason = std::string(reason);
  condition.message = std::move(message);
  condition.observed_revision = revision;
  return condition;
}

}  // namespace

// What a domain is to be, beside everything that it names. Violations have
// paths from the domain on.
class DomainNames::Checker {
 public:
  // `before` is null for a new domain.
  Checker(DomainNames* owner, Transaction* transaction,
          const DomainName* before, const DomainName* after,
          const Exceptions& exceptions)
      : owner_(*owner),
        transaction_(*transaction),
        before_(before),
        after_(*after),
        exceptions_(exceptions) {}

  absl::Status Run(Violations& violations) {
    SALLYPORT_RETURN_IF_ERROR(CheckFleets(violations));
    SALLYPORT_RETURN_IF_ERROR(CheckCertificates(violations));
    if (after_.mutual_tls.has_value()) {
      SALLYPORT_RETURN_IF_ERROR(CheckTruststores(violations));
      SALLYPORT_RETURN_IF_ERROR(CheckCertificateLists(
          transaction_, store(), "mutual_tls.deny_lists",
          after_.mutual_tls->deny_lists, domain::CertificateList::Kind::kDeny,
          violations));
      SALLYPORT_RETURN_IF_ERROR(CheckCertificateLists(
          transaction_, store(), "mutual_tls.allow_lists",
          after_.mutual_tls->allow_lists, domain::CertificateList::Kind::kAllow,
          violations));
    }
    return CheckMappings(violations);
  }

  // To be called last, when there are no violations.
  absl::Status CheckIssuerConflict() {
    if (!after_.mutual_tls.has_value() || server_leaf_ == nullptr) {
      return absl::OkStatus();
    }
    if (!ChangesCertificate() && !ChangesMutualTls()) return absl::OkStatus();
    absl::Status status =
        owner_.served_->CheckIssuer(transaction_, *server_leaf_, after_.name);
    if (status.ok() || !exceptions_.override_issuer_conflict ||
        !HasReason(status, Reason::kCertificateIssuerConflict)) {
      return status;
    }
    transaction_.Override("override_issuer_conflict");
    return absl::OkStatus();
  }

 private:
  store::Store& store() { return *owner_.context_.store; }
  bool ChangesCertificate() const {
    return before_ == nullptr ||
           before_->server_certificate != after_.server_certificate;
  }
  bool ChangesOwnership() const {
    return before_ == nullptr || before_->ownership_verification_certificate !=
                                     after_.ownership_verification_certificate;
  }
  bool ChangesMutualTls() const {
    return before_ == nullptr ||
           before_->mutual_tls.has_value() != after_.mutual_tls.has_value();
  }

  absl::Status CheckFleets(Violations& violations) {
    for (size_t i = 0; i < after_.fleets.size(); ++i) {
      // The default one is there without a record.
      if (after_.fleets[i] == domain::DefaultFleet()) continue;
      SALLYPORT_RETURN_IF_ERROR(transaction_.CheckReference(
          domain::Element("fleets", i), after_.fleets[i], violations));
    }
    const std::vector<domain::FleetName> fleets = after_.Fleets();
    for (size_t i = 0; i < fleets.size(); ++i) {
      SALLYPORT_ASSIGN_OR_RETURN(const std::optional<store::Record> record,
                                 transaction_.Read(store::KeyOf(fleets[i])));
      if (!record.has_value()) continue;
      SALLYPORT_ASSIGN_OR_RETURN(const domain::Fleet fleet,
                                 store::Decode(fleets[i], *record));
      const std::string& suffix = fleet.default_endpoint_suffix;
      if (!IsDefaultEndpoint(after_.name.id(), suffix)) continue;
      violations.Add(
          after_.fleets.empty() ? "fleets" : domain::Element("fleets", i),
          Reason::kFieldsConflict,
          absl::StrCat("\"", fleet.name.ToString(),
                       "\" has default endpoints of APIs at *.", suffix, ", \"",
                       after_.name.id(),
                       "\" among them; take another domain, or fleets without "
                       "that default_endpoint_suffix"));
    }
    return absl::OkStatus();
  }

  // The certificate, which the commit relies on; nothing, and a violation, when
  // there is none.
  absl::StatusOr<std::optional<Certificate>> LoadCertificate(
      absl::string_view field, const ServerCertificateName& name,
      Violations& violations) {
    if (name.empty()) return std::nullopt;
    SALLYPORT_ASSIGN_OR_RETURN(const std::optional<store::Record> record,
                               transaction_.Read(store::KeyOf(name)));
    std::optional<Certificate> certificate;
    if (record.has_value()) {
      SALLYPORT_ASSIGN_OR_RETURN(certificate, owner_.ReadCertificate(name));
    }
    if (!certificate.has_value()) {
      violations.Add(field, Reason::kReferenceNotFound,
                     absl::StrCat("there is no server certificate \"",
                                  name.ToString(), "\"; make it first"));
    }
    return certificate;
  }

  absl::Status CheckCertificates(Violations& violations) {
    SALLYPORT_ASSIGN_OR_RETURN(
        const std::optional<Certificate> server,
        LoadCertificate("server_certificate", after_.server_certificate,
                        violations));
    std::optional<Certificate> ownership;
    if (after_.ownership_verification_certificate !=
        after_.server_certificate) {
      SALLYPORT_ASSIGN_OR_RETURN(
          ownership, LoadCertificate("ownership_verification_certificate",
                                     after_.ownership_verification_certificate,
                                     violations));
    }
    SALLYPORT_RETURN_IF_ERROR(CheckLocked());
    if (!server.has_value()) return absl::OkStatus();
    server_leaf_ = server->leaf;
    if (ChangesCertificate() &&
        !domain::CoversDomain(*server->leaf, after_.domain())) {
      const std::vector<std::string> names = domain::DnsNames(*server->leaf);
      violations.Add("server_certificate",
                     Reason::kCertificateDoesNotCoverDomain,
                     absl::StrCat("does not cover the domain; it is for ",
                                  Printable(absl::StrJoin(names, ", "), 200)));
    }
    if (after_.mutual_tls.has_value() &&
        (ChangesCertificate() || ChangesMutualTls())) {
      SALLYPORT_ASSIGN_OR_RETURN(
          const std::string proven,
          owner_.served_->ProofOf(transaction_, after_.server_certificate,
                                  after_.name));
      if (!proven.empty()) {
        violations.Add(
            "server_certificate", Reason::kOwnershipCertificateInUse,
            absl::StrCat("is the ownership verification certificate of ",
                         proven, ", and must not be shown by another domain"));
      }
    }
    if (!ChangesCertificate() && !ChangesOwnership() && !ChangesMutualTls()) {
      return absl::OkStatus();
    }
    domain::OwnershipInputs inputs;
    inputs.domain_name = &after_;
    inputs.server_leaf = server->leaf.get();
    inputs.server_origin = server->certificate.origin;
    inputs.required = owner_.settings_.ownership_required;
    if (ownership.has_value()) {
      inputs.ownership_leaf = ownership->leaf.get();
      inputs.ownership_origin = ownership->certificate.origin;
      SALLYPORT_ASSIGN_OR_RETURN(
          inputs.ownership_used_by,
          owner_.served_->ShownBy(transaction_, ownership->certificate.name,
                                  after_.name));
    } else if (!after_.ownership_verification_certificate.empty()) {
      // It has been complained of.
      return absl::OkStatus();
    }
    domain::CheckOwnership(inputs, transaction_.now(), violations);
    return absl::OkStatus();
  }

  absl::Status CheckLocked() {
    if (before_ == nullptr) return absl::OkStatus();
    SALLYPORT_ASSIGN_OR_RETURN(
        const std::optional<Certificate> server,
        owner_.ReadCertificate(before_->server_certificate));
    SALLYPORT_ASSIGN_OR_RETURN(
        const std::optional<Certificate> ownership,
        owner_.ReadCertificate(before_->ownership_verification_certificate));
    domain::OwnershipInputs inputs;
    inputs.domain_name = before_;
    inputs.required = owner_.settings_.ownership_required;
    if (server.has_value()) {
      inputs.server_leaf = server->leaf.get();
      inputs.server_origin = server->certificate.origin;
    }
    if (ownership.has_value()) {
      inputs.ownership_leaf = ownership->leaf.get();
      inputs.ownership_origin = ownership->certificate.origin;
    }
    return domain::CheckLocked(inputs, after_, transaction_.now());
  }

  absl::Status CheckTruststores(Violations& violations) {
    bool forced = false;
    const auto& bindings = after_.mutual_tls->truststores;
    for (size_t i = 0; i < bindings.size(); ++i) {
      const domain::TruststoreBinding& binding = bindings[i];
      const std::string element = domain::Element("mutual_tls.truststores", i);
      const size_t num_before = violations.size();
      SALLYPORT_RETURN_IF_ERROR(
          transaction_.CheckReference(domain::Field(element, "truststore"),
                                      binding.truststore, violations));
      if (violations.size() != num_before) continue;
      if (!binding.version.empty()) {
        SALLYPORT_RETURN_IF_ERROR(transaction_.CheckReference(
            domain::Field(element, "version"), binding.version, violations));
        if (violations.size() != num_before) continue;
      }
      // What the domain has already may have expired meanwhile; that must not
      // stand in the way of other changes.
      const domain::TruststoreBinding* old =
          BindingOf(before_, binding.truststore);
      if (old != nullptr && old->version == binding.version) continue;
      SALLYPORT_ASSIGN_OR_RETURN(const std::string why, TrustsNobody(binding));
      if (why.empty()) continue;
      if (exceptions_.force) {
        forced = true;
        continue;
      }
      violations.Add(element, Reason::kTruststoreGivesNoTrust,
                     absl::StrCat(why, "; set force to name it all the same"));
    }
    if (forced) transaction_.Override("force");
    return absl::OkStatus();
  }

  // Why nobody would be trusted; empty: somebody is.
  absl::StatusOr<std::string> TrustsNobody(
      const domain::TruststoreBinding& binding) {
    SALLYPORT_ASSIGN_OR_RETURN(const domain::Truststore truststore,
                               ReadResource(store(), binding.truststore));
    const int64_t number = VersionInForce(binding, truststore);
    if (number == 0) return std::string("has no active version");
    SALLYPORT_ASSIGN_OR_RETURN(
        const domain::TruststoreVersion version,
        ReadResource(store(), domain::TruststoreVersionName(binding.truststore,
                                                            number)));
    SALLYPORT_ASSIGN_OR_RETURN(const auto bundle,
                               owner_.bundles_->Get(version));
    const absl::Status trust =
        domain::CheckGivesTrust(*bundle, truststore, transaction_.now());
    return trust.ok() ? std::string() : std::string(trust.message());
  }

  // Whether what is mapped to the domain goes with its having mutual TLS or
  // not.
  absl::Status CheckMappings(Violations& violations) {
    if (before_ == nullptr || !ChangesMutualTls()) return absl::OkStatus();
    SALLYPORT_ASSIGN_OR_RETURN(
        const std::vector<store::Record> records,
        transaction_.List(
            store::ChildrenPrefix<domain::ApiMappingName>(after_.name)));
    for (const store::Record& record : records) {
      const domain::ApiMappingName name(after_.name,
                                        store::IdOfKey(record.key));
      SALLYPORT_ASSIGN_OR_RETURN(const domain::ApiMapping mapping,
                                 store::Decode(name, record));
      SALLYPORT_ASSIGN_OR_RETURN(const domain::Api api,
                                 transaction_.Load(mapping.stage.parent()));
      Violations found;
      domain::ValidateOn(mapping, after_, api, found);
      for (const domain::FieldViolation& violation : found.list()) {
        violations.Add("mutual_tls", violation.reason,
                       absl::StrCat(name.ToString(), ": `", violation.field,
                                    "` ", violation.description));
      }
    }
    return absl::OkStatus();
  }

  DomainNames& owner_;
  Transaction& transaction_;
  const DomainName* const before_;
  const DomainName& after_;
  const Exceptions& exceptions_;
  domain::CertificatePtr server_leaf_;
};

absl::StatusOr<std::optional<DomainNames::Certificate>>
DomainNames::ReadCertificate(const ServerCertificateName& name) {
  if (name.empty()) return std::nullopt;
  Certificate out;
  const absl::StatusOr<ServerCertificate> certificate =
      ReadResource(*context_.store, name);
  if (absl::IsNotFound(certificate.status())) return std::nullopt;
  if (!certificate.ok()) return certificate.status();
  const auto version = ReadResource(
      *context_.store,
      ServerCertificateVersionName(name, certificate->active_version));
  if (absl::IsNotFound(version.status())) return std::nullopt;
  if (!version.ok()) return version.status();
  SALLYPORT_ASSIGN_OR_RETURN(
      const auto chain,
      domain::ReadStoredChain(version->certificate_chain_pem));
  out.certificate = *certificate;
  out.leaf = chain.front();
  return out;
}

// ------------------------------------------------------------------- views

absl::StatusOr<std::string> DomainNames::AddTruststores(DomainNameView& view) {
  const absl::Time now = context_.clock->Now();
  DomainName& domain_name = view.domain_name;
  std::string not_ready;
  for (const auto& binding : domain_name.mutual_tls->truststores) {
    const absl::StatusOr<domain::Truststore> truststore =
        ReadResource(*context_.store, binding.truststore);
    const int64_t number =
        truststore.ok() ? VersionInForce(binding, *truststore) : 0;
    if (!truststore.ok() && !absl::IsNotFound(truststore.status())) {
      return truststore.status();
    }
    if (number == 0) {
      if (not_ready.empty()) {
        not_ready = absl::StrCat(binding.truststore.ToString(),
                                 " has no active version; activate one");
      }
      continue;
    }
    const absl::StatusOr<domain::TruststoreVersion> version =
        ReadResource(*context_.store,
                     domain::TruststoreVersionName(binding.truststore, number));
    if (absl::IsNotFound(version.status())) continue;
    if (!version.ok()) return version.status();
    SALLYPORT_ASSIGN_OR_RETURN(const auto bundle, bundles_->Get(*version));
    const auto appraisal = bundles_->Appraise(bundle, *truststore, now);
    if (!appraisal->gives_trust && not_ready.empty()) {
      not_ready = absl::StrCat("nothing in ", version->name.ToString(),
                               " gives trust; activate a version that does");
    }
    view.num_warnings += appraisal->warnings.size();
    for (const pki::Warning& warning : appraisal->warnings) {
      if (view.warnings.size() == kMaxListedWarnings) break;
      view.warnings.push_back(domain::FromPki(warning));
      view.warnings.back().field = version->name.ToString();
    }
  }
  domain::SetCondition(
      MakeCondition(
          "TruststoresReady", not_ready.empty(),
          not_ready.empty() ? "ALL_GIVE_TRUST" : "TRUSTSTORE_GIVES_NO_TRUST",
          not_ready, domain_name.metadata.revision),
      absl::InfinitePast(), domain_name.conditions);
  return not_ready;
}

absl::Status DomainNames::AddRollout(DomainName& domain_name) {
  using Status = DomainName::Status;
  const int64_t revision = domain_name.metadata.revision;
  const absl::StatusOr<store::GetResult> got =
      context_.store->Get(store::StatusKey(domain_name.name.ToString()));
  if (!got.ok()) return FromStore(got.status());
  if (got->record.has_value()) {
    SALLYPORT_ASSIGN_OR_RETURN(
        const store::ResourceStatus status,
        store::DecodeStatus(domain_name.name.ToString(), *got->record));
    for (const Condition& condition : status.conditions) {
      domain::SetCondition(condition, condition.transition_time,
                           domain_name.conditions);
    }
    domain_name.status = status.domain_status;
    domain_name.status_message = status.message;
  }
  Condition programmed;
  programmed.type = "Programmed";
  programmed.observed_revision = revision;
  if (context_.rollouts == nullptr) {
    if (got->record.has_value()) return absl::OkStatus();
    domain_name.status = Status::kPending;
    domain_name.status_message = "no node is connected";
    programmed.reason = "NO_NODES";
    programmed.message = domain_name.status_message;
    domain::SetCondition(std::move(programmed), absl::InfinitePast(),
                         domain_name.conditions);
    return absl::OkStatus();
  }
  // A resource that could not be translated has its own word in the record.
  if (got->record.has_value() && domain_name.status == Status::kFailed) {
    return absl::OkStatus();
  }
  bool complete = true;
  size_t num_connected = 0;
  std::string refused;
  for (const domain::FleetName& fleet : domain_name.Fleets()) {
    const RolloutView rollout = context_.rollouts->Get(revision, fleet);
    num_connected += rollout.num_connected;
    complete = complete && rollout.complete;
    for (const RolloutView::NodeRefusal& one : rollout.refusals) {
      if (!refused.empty() ||
          one.refusal.cause != domain_name.name.ToString()) {
        continue;
      }
      refused = absl::StrCat(one.node.ToString(),
                             " refused it: ", one.refusal.reason);
    }
  }
  if (!refused.empty()) {
    domain_name.status = Status::kFailed;
    domain_name.status_message = refused;
    programmed.status = Condition::Status::kFalse;
    programmed.reason = "REFUSED";
  } else if (num_connected == 0) {
    domain_name.status = Status::kPending;
    domain_name.status_message = "no node of its fleets is connected";
    programmed.reason = "NO_NODES";
  } else if (!complete) {
    domain_name.status = Status::kUpdating;
    domain_name.status_message = "on its way to the nodes";
    programmed.reason = "ON_THE_WAY";
  } else {
    domain_name.status = Status::kAvailable;
    domain_name.status_message.clear();
    programmed.status = Condition::Status::kTrue;
    programmed.reason = "ACKNOWLEDGED";
  }
  programmed.message = domain_name.status_message;
  domain::SetCondition(std::move(programmed), absl::InfinitePast(),
                       domain_name.conditions);
  return absl::OkStatus();
}

absl::StatusOr<DomainNameView> DomainNames::View(DomainName given) {
  const absl::Time now = context_.clock->Now();
  DomainNameView view;
  view.domain_name = std::move(given);
  DomainName& domain_name = view.domain_name;
  const int64_t revision = domain_name.metadata.revision;
  view.warnings = domain::Warnings(domain_name);
  view.num_warnings = view.warnings.size();
  SALLYPORT_RETURN_IF_ERROR(AddRollout(domain_name));

  SALLYPORT_ASSIGN_OR_RETURN(const std::optional<Certificate> server,
                             ReadCertificate(domain_name.server_certificate));
  SALLYPORT_ASSIGN_OR_RETURN(
      const std::optional<Certificate> ownership,
      ReadCertificate(domain_name.ownership_verification_certificate));
  if (server.has_value()) {
    view.served_version =
        ServerCertificateVersionName(domain_name.server_certificate,
                                     domain_name.held_certificate_version != 0
                                         ? domain_name.held_certificate_version
                                         : server->certificate.active_version);
    const bool covers =
        domain::CoversDomain(*server->leaf, domain_name.domain());
    const bool in_time =
        now >= server->leaf->not_before() && now <= server->leaf->not_after();
    domain::SetCondition(
        MakeCondition(
            "CertificateValid", covers && in_time,
            !in_time ? "NOT_VALID_NOW"
                     : (covers ? "VALID" : "DOES_NOT_COVER_DOMAIN"),
            !in_time ? absl::StrCat("valid from ",
                                    TimeText(server->leaf->not_before()),
                                    " to ", TimeText(server->leaf->not_after()))
                     : (covers ? std::string()
                               : std::string("the server certificate does not "
                                             "cover the domain")),
            revision),
        absl::InfinitePast(), domain_name.conditions);
  }
  domain::OwnershipInputs inputs;
  inputs.domain_name = &domain_name;
  inputs.required = settings_.ownership_required;
  if (server.has_value()) {
    inputs.server_leaf = server->leaf.get();
    inputs.server_origin = server->certificate.origin;
  }
  if (ownership.has_value()) {
    inputs.ownership_leaf = ownership->leaf.get();
    inputs.ownership_origin = ownership->certificate.origin;
  }
  domain::CertificateStatus certificates =
      domain::StatusFromCertificates(inputs, now);
  if (domain::NeedsOwnership(inputs)) {
    const bool verified = certificates.status == DomainName::Status::kAvailable;
    domain::SetCondition(MakeCondition("OwnershipVerified", verified,
                                       verified ? "VERIFIED" : "NOT_VERIFIED",
                                       certificates.message, revision),
                         absl::InfinitePast(), domain_name.conditions);
  }
  std::string not_ready;
  if (domain_name.mutual_tls.has_value()) {
    SALLYPORT_ASSIGN_OR_RETURN(not_ready, AddTruststores(view));
  }
  if (certificates.status != DomainName::Status::kAvailable) {
    domain_name.status = certificates.status;
    domain_name.status_message = std::move(certificates.message);
  } else if (!not_ready.empty() &&
             domain_name.status != DomainName::Status::kFailed) {
    domain_name.status = DomainName::Status::kPending;
    domain_name.status_message = not_ready;
  }
  return view;
}

absl::StatusOr<DomainNameView> DomainNames::Get(const DomainNameName& name) {
  SALLYPORT_ASSIGN_OR_RETURN(DomainName domain_name,
                             ReadResource(*context_.store, name));
  return View(std::move(domain_name));
}

absl::StatusOr<Page<DomainNameView>> DomainNames::List(
    const PageRequest& request) {
  return ListResources<DomainNameView>(
      *context_.store, request, "domainNames",
      store::CollectionPrefix<DomainNameName>(), kFilter,
      [&](const store::Record& record) -> absl::StatusOr<DomainNameView> {
        SALLYPORT_ASSIGN_OR_RETURN(
            DomainName domain_name,
            store::Decode(DomainNameName(store::IdOfKey(record.key)), record));
        return View(std::move(domain_name));
      },
      ValueOf);
}

// ----------------------------------------------------------------- changes

absl::StatusOr<DomainNameView> DomainNames::Create(
    const Caller& caller, const Write& write, const CreateRequest& request) {
  SALLYPORT_RETURN_IF_ERROR(CheckMayOverride(caller, request.exceptions));
  Violations violations;
  DomainName wanted = request.domain_name;
  wanted.name = DomainNameName(request.id);
  wanted.held_certificate_version = 0;
  Violations fields;
  if (request.id.empty()) {
    violations.Add("domain_name_id", Reason::kFieldRequired,
                   "is empty; give the domain itself");
    // The rest is checked with one that is good.
    wanted.name = DomainNameName("domain.invalid");
  }
  domain::Validate(wanted, fields);
  for (const domain::FieldViolation& violation : fields.list()) {
    // The id is what names it.
    violations.Add(violation.field == "name"
                       ? "domain_name_id"
                       : domain::Field("domain_name", violation.field),
                   violation.reason, violation.description);
  }
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  absl::StatusOr<DomainName> created = [&] {
    absl::MutexLock lock(&one_change_);
    return Mutate<DomainName>(
        context_, caller, write,
        [&](Transaction& transaction) -> absl::StatusOr<DomainName> {
          DomainName after = wanted;
          after.metadata.create_time = transaction.now();
          after.metadata.update_time = transaction.now();
          SALLYPORT_RETURN_IF_ERROR(transaction.CheckAbsent(after.name));
          Checker checker(this, &transaction, nullptr, &after,
                          request.exceptions);
          Violations found;
          SALLYPORT_RETURN_IF_ERROR(checker.Run(found));
          Violations all;
          all.AddAll("domain_name", found);
          SALLYPORT_RETURN_IF_ERROR(all.ToStatus());
          SALLYPORT_RETURN_IF_ERROR(checker.CheckIssuerConflict());
          transaction.Create(after);
          transaction.SetReferences(after.name.ToString(), {},
                                    ReferencesOf(after));
          return after;
        },
        [&](const Replay& replay) {
          return ReadResource(*context_.store, wanted.name, replay.revision);
        });
  }();
  if (!created.ok()) return created.status();
  return View(*std::move(created));
}

absl::StatusOr<DomainNameView> DomainNames::Update(
    const Caller& caller, const Write& write, const UpdateRequest& request) {
  SALLYPORT_RETURN_IF_ERROR(CheckMayOverride(caller, request.exceptions));
  const DomainNameName& name = request.domain_name.name;
  absl::StatusOr<DomainName> updated = [&] {
    absl::MutexLock lock(&one_change_);
    return Mutate<DomainName>(
        context_, caller, write,
        [&](Transaction& transaction) -> absl::StatusOr<DomainName> {
          SALLYPORT_ASSIGN_OR_RETURN(const DomainName before,
                                     transaction.Load(name));
          SALLYPORT_RETURN_IF_ERROR(
              domain::CheckEtag(request.domain_name.metadata.etag,
                                before.metadata.etag, name.ToString()));
          DomainName after = before;
          Violations violations;
          ApplyMask<DomainName>(kFields, kOutputOnly, request.mask,
                                request.domain_name, after, violations);
          if (after.server_certificate != before.server_certificate) {
            after.held_certificate_version = 0;
          }
          Violations fields;
          domain::Validate(after, fields);
          Checker checker(this, &transaction, &before, &after,
                          request.exceptions);
          const bool changes = store::Encode(after) != store::Encode(before);
          // What is missing or has no name of its own cannot be looked up.
          if (changes && violations.empty() && fields.empty()) {
            SALLYPORT_RETURN_IF_ERROR(checker.Run(fields));
          }
          violations.AddAll("domain_name", fields);
          SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
          if (!changes) return before;
          SALLYPORT_RETURN_IF_ERROR(checker.CheckIssuerConflict());
          after.metadata.update_time = transaction.now();
          transaction.Update(before, after);
          transaction.SetReferences(name.ToString(), ReferencesOf(before),
                                    ReferencesOf(after));
          return after;
        },
        [&](const Replay& replay) {
          return ReadResource(*context_.store, name, replay.revision);
        });
  }();
  if (!updated.ok()) return updated.status();
  return View(*std::move(updated));
}

absl::Status DomainNames::Delete(const Caller& caller, const Write& write,
                                 const DomainNameName& name,
                                 const domain::Etag& etag, Mappings mappings) {
  return DeleteResource(
      context_, caller, write, name, etag,
      [&](Transaction& transaction,
          const DomainName& domain_name) -> absl::Status {
        SALLYPORT_RETURN_IF_ERROR(transaction.CheckUnused(name.ToString()));
        SALLYPORT_ASSIGN_OR_RETURN(
            const std::vector<store::Record> records,
            transaction.List(
                store::ChildrenPrefix<domain::ApiMappingName>(name)));
        if (!records.empty() && mappings == Mappings::kKeep) {
          const domain::ApiMappingName first(
              name, store::IdOfKey(records.front().key));
          return domain::MakeError(
              Reason::kResourceInUse,
              absl::StrCat("\"", name.ToString(), "\" has ", records.size(),
                           " API mapping", records.size() == 1 ? "" : "s",
                           " (\"", first.ToString(),
                           "\"); delete them first, or set force"),
              {{"resource", name.ToString()},
               {"used_by", first.ToString()},
               {"uses", absl::StrCat(records.size())}});
        }
        if (!records.empty()) transaction.Override("force");
        for (const store::Record& record : records) {
          const domain::ApiMappingName mapping_name(name,
                                                    store::IdOfKey(record.key));
          SALLYPORT_ASSIGN_OR_RETURN(const domain::ApiMapping mapping,
                                     store::Decode(mapping_name, record));
          transaction.Delete(mapping);
          transaction.SetReferences(mapping_name.ToString(),
                                    service::ReferencesOf(mapping), {});
        }
        transaction.SetReferences(name.ToString(), ReferencesOf(domain_name),
                                  {});
        return absl::OkStatus();
      });
}

}  // namespace sallyport::service
