#include "config_service/service/client_certificates.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "config_service/domain/limits.h"
#include "config_service/service/errors.h"
#include "config_service/service/expiry.h"
#include "config_service/service/filter.h"
#include "config_service/service/limits.h"
#include "config_service/service/mask.h"
#include "config_service/service/resources.h"
#include "pki/crypto/crypto.h"
#include "pki/keys/issue.h"
#include "pki/x509/pem.h"

namespace sallyport::service {

using domain::ClientCertificate;
using domain::ClientCertificateName;
using domain::Reason;
using domain::Violations;

namespace {

constexpr size_t kGeneratedIdLength = 10;
// Backends whose clocks are late take a new certificate too.
constexpr absl::Duration kClockSkew = absl::Minutes(5);

constexpr MaskField<ClientCertificate> kFields[] = {
    kDescriptionField<ClientCertificate>,
    kLabelsField<ClientCertificate>,
};

constexpr absl::string_view kOutputOnly[] = {
    "name",         "etag",        "revision",   "create_time",
    "origin",       "update_time", "not_after",  "stages",
    "certificates", "warnings",    "conditions", "certificate_chain_pem",
};

constexpr FilterField kFilter[] = {
    {"name"},
    {"description"},
    {"labels.*"},
    {"origin"},
    {"not_after", FilterField::Type::kTime},
};

FilterValue ValueOf(const ClientCertificateView& view,
                    absl::string_view field) {
  if (field == "origin") {
    return std::string(view.certificate.origin ==
                               ClientCertificate::Origin::kImported
                           ? "IMPORTED"
                           : "GENERATED");
  }
  if (field == "not_after") return domain::FirstExpiry(view.chain);
  return MetadataValue(view.certificate, field);
}

// What a new one is called, and what the caller says of it.
ClientCertificate Wanted(const std::string& id,
                         const ClientCertificate& certificate,
                         Violations& violations) {
  ClientCertificate wanted;
  if (id.empty()) {
    wanted.name = ClientCertificateName(domain::GenerateId(
        pki::RandomBytes(kGeneratedIdLength), kGeneratedIdLength));
  } else {
    CheckNewId<ClientCertificateName>("client_certificate_id", id, violations);
    wanted.name = ClientCertificateName(id);
  }
  wanted.metadata.description = certificate.metadata.description;
  wanted.metadata.labels = certificate.metadata.labels;
  Violations fields;
  domain::Validate(wanted, fields);
  violations.AddAll("client_certificate", fields);
  return wanted;
}

}  // namespace

absl::StatusOr<ClientCertificateView> ClientCertificates::Create(
    const Caller& caller, const Write& write, const ClientCertificate& wanted,
    const Secret& private_key_pem) {
  absl::StatusOr<ClientCertificate> created = Mutate<ClientCertificate>(
      context_, caller, write,
      [&](Transaction& transaction) -> absl::StatusOr<ClientCertificate> {
        ClientCertificate certificate = wanted;
        certificate.metadata.create_time = transaction.now();
        certificate.metadata.update_time = transaction.now();
        SALLYPORT_RETURN_IF_ERROR(transaction.CheckAbsent(certificate.name));
        SALLYPORT_ASSIGN_OR_RETURN(
            std::string value,
            store::Encode(certificate, private_key_pem, *context_.sealer));
        transaction.CreateEncoded(certificate, std::move(value));
        return certificate;
      },
      [&](const Replay& replay) -> absl::StatusOr<ClientCertificate> {
        // Its name may have been made then.
        SALLYPORT_ASSIGN_OR_RETURN(
            const ClientCertificateName name,
            ClientCertificateName::Parse(replay.resource));
        return ReadResource(*context_.store, name, replay.revision);
      });
  if (!created.ok()) return created.status();
  return View(*std::move(created));
}

absl::StatusOr<ClientCertificateView> ClientCertificates::Generate(
    const Caller& caller, const Write& write, const GenerateRequest& request) {
  Violations violations;
  ClientCertificate wanted =
      Wanted(request.id, request.certificate, violations);
  wanted.origin = ClientCertificate::Origin::kGenerated;
  domain::CheckText("common_name", request.common_name,
                    domain::kMaxCommonNameLength, violations);
  if (std::any_of(request.common_name.begin(), request.common_name.end(),
                  [](unsigned char c) { return c < ' ' || c == 0x7f; })) {
    violations.Add("common_name", Reason::kFieldMalformed,
                   "has control characters; leave them out");
  }
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  const auto key = pki::PrivateKey::Generate(request.key_kind);
  const absl::Time now =
      absl::FromUnixSeconds(absl::ToUnixSeconds(context_.clock->Now()));
  pki::NewCertificate contents;
  contents.subject = {
      {"CN", request.common_name.empty()
                 // The id alone may fill what a common name may have.
                 ? absl::StrCat("sallyport-", wanted.name.id())
                       .substr(0, domain::kMaxCommonNameLength)
                 : request.common_name}};
  contents.not_before = now - kClockSkew;
  contents.not_after = now + domain::kGeneratedValidity;
  contents.client_auth = true;
  SALLYPORT_ASSIGN_OR_RETURN(
      const std::string der,
      pki::Issue(contents, key->spki_der(), *key, /*issuer=*/nullptr));
  SALLYPORT_ASSIGN_OR_RETURN(const auto certificate,
                             pki::Certificate::Parse(der));
  wanted.certificate_chain_pem = certificate->Pem();
  return Create(caller, write, wanted, key->Pem());
}

absl::StatusOr<ClientCertificateView> ClientCertificates::Import(
    const Caller& caller, const Write& write, const ImportRequest& request) {
  Violations violations;
  ClientCertificate wanted =
      Wanted(request.id, request.certificate, violations);
  wanted.origin = ClientCertificate::Origin::kImported;
  const domain::CheckedMaterial material = domain::CheckMaterial(
      "certificate_chain_pem", request.certificate_chain_pem, "private_key_pem",
      request.private_key_pem, domain::CertificatePurpose::kClient,
      context_.clock->Now(), violations);
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  wanted.certificate_chain_pem = material.chain_pem;
  return Create(caller, write, wanted, material.private_key_pem);
}

absl::StatusOr<ClientCertificateView> ClientCertificates::View(
    ClientCertificate certificate) {
  ClientCertificateView view;
  const std::string name = certificate.name.ToString();
  auto chain = domain::ReadStoredChain(certificate.certificate_chain_pem);
  if (!chain.ok() || chain->empty()) {
    return domain::MakeError(
        Reason::kRecordDamaged,
        absl::StrCat("the chain of ", name, " cannot be read"),
        {{"resource", name}});
  }
  view.chain = *std::move(chain);
  SALLYPORT_ASSIGN_OR_RETURN(
      view.stages, ReferrersOf(*context_.store, name, kMaxListedStages));
  const absl::Time now = context_.clock->Now();
  SALLYPORT_RETURN_IF_ERROR(
      AddStatus(*context_.store, name, certificate.conditions));
  AddExpiryConditions(view.chain, now, certificate.metadata.revision,
                      certificate.conditions);
  domain::Condition in_use;
  in_use.type = "InUse";
  in_use.observed_revision = certificate.metadata.revision;
  if (!view.stages.empty()) {
    in_use.status = domain::Condition::Status::kTrue;
    in_use.reason = "NAMED_BY_STAGE";
    in_use.message =
        absl::StrCat(view.stages.front(),
                     view.stages.size() > 1 ? " and others" : "", " names it");
  } else {
    std::vector<domain::NodeName> nodes;
    if (context_.rollouts != nullptr) {
      nodes = context_.rollouts->NodesWith(certificate.name);
    }
    in_use.status = nodes.empty() ? domain::Condition::Status::kFalse
                                  : domain::Condition::Status::kTrue;
    in_use.reason = nodes.empty() ? "NOT_NAMED" : "STILL_ON_NODES";
    in_use.message = nodes.empty()
                         ? "no stage names it"
                         : absl::StrCat(nodes.front().ToString(),
                                        nodes.size() > 1 ? " and others" : "",
                                        " may still present it");
  }
  domain::SetCondition(std::move(in_use), absl::InfinitePast(),
                       certificate.conditions);
  view.warnings = ExpiryWarnings(view.chain, now);
  view.certificate = std::move(certificate);
  return view;
}

absl::StatusOr<ClientCertificateView> ClientCertificates::Get(
    const ClientCertificateName& name) {
  SALLYPORT_ASSIGN_OR_RETURN(ClientCertificate certificate,
                             ReadResource(*context_.store, name));
  return View(std::move(certificate));
}

absl::StatusOr<Page<ClientCertificateView>> ClientCertificates::List(
    const PageRequest& request) {
  return ListResources<ClientCertificateView>(
      *context_.store, request, "clientCertificates",
      store::CollectionPrefix<ClientCertificateName>(), kFilter,
      [&](const store::Record& record)
          -> absl::StatusOr<ClientCertificateView> {
        SALLYPORT_ASSIGN_OR_RETURN(
            ClientCertificate certificate,
            store::Decode(ClientCertificateName(store::IdOfKey(record.key)),
                          record));
        return View(std::move(certificate));
      },
      ValueOf);
}

absl::StatusOr<ClientCertificateView> ClientCertificates::Update(
    const Caller& caller, const Write& write, const UpdateRequest& request) {
  const ClientCertificateName& name = request.certificate.name;
  absl::StatusOr<ClientCertificate> updated = Mutate<ClientCertificate>(
      context_, caller, write,
      [&](Transaction& transaction) -> absl::StatusOr<ClientCertificate> {
        SALLYPORT_ASSIGN_OR_RETURN(const std::optional<store::Record> record,
                                   transaction.Read(store::KeyOf(name)));
        if (!record.has_value()) {
          return NotFound(ClientCertificateName::kType, name.ToString());
        }
        SALLYPORT_ASSIGN_OR_RETURN(const ClientCertificate before,
                                   store::Decode(name, *record));
        SALLYPORT_RETURN_IF_ERROR(
            domain::CheckEtag(request.certificate.metadata.etag,
                              before.metadata.etag, name.ToString()));
        ClientCertificate after = before;
        Violations violations;
        ApplyMask<ClientCertificate>(kFields, kOutputOnly, request.mask,
                                     request.certificate, after, violations);
        Violations fields;
        domain::Validate(after, fields);
        violations.AddAll("client_certificate", fields);
        SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
        if (after.metadata.description == before.metadata.description &&
            after.metadata.labels == before.metadata.labels) {
          return before;
        }
        after.metadata.update_time = transaction.now();
        SALLYPORT_ASSIGN_OR_RETURN(
            const Secret key,
            store::OpenPrivateKey(name, *record, *context_.sealer));
        SALLYPORT_ASSIGN_OR_RETURN(std::string value,
                                   store::Encode(after, key, *context_.sealer));
        transaction.UpdateEncoded(before, after, std::move(value));
        return after;
      },
      [&](int64_t revision) {
        return ReadResource(*context_.store, name, revision);
      });
  if (!updated.ok()) return updated.status();
  return View(*std::move(updated));
}

absl::Status ClientCertificates::Delete(const Caller& caller,
                                        const Write& write,
                                        const ClientCertificateName& name,
                                        const domain::Etag& etag) {
  return DeleteResource(
      context_, caller, write, name, etag,
      [&](Transaction& transaction, const ClientCertificate&) -> absl::Status {
        SALLYPORT_RETURN_IF_ERROR(transaction.CheckUnused(name.ToString()));
        if (context_.rollouts == nullptr) return absl::OkStatus();
        const std::vector<domain::NodeName> nodes =
            context_.rollouts->NodesWith(name);
        if (nodes.empty()) return absl::OkStatus();
        return domain::MakeError(
            Reason::kClientCertificateInForce,
            absl::StrCat("\"", name.ToString(), "\" may still be presented by ",
                         nodes.front().ToString(),
                         nodes.size() > 1 ? " and others" : "",
                         "; wait for the rollout"),
            {{"resource", name.ToString()},
             {"node", nodes.front().ToString()}});
      });
}

}  // namespace sallyport::service
