#include "config_service/service/server_certificates.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "config_service/service/errors.h"
#include "config_service/service/expiry.h"
#include "config_service/service/filter.h"
#include "config_service/service/limits.h"
#include "config_service/service/mask.h"
#include "config_service/service/resources.h"

namespace sallyport::service {

using domain::Reason;
using domain::ServerCertificate;
using domain::ServerCertificateName;
using domain::ServerCertificateVersion;
using domain::ServerCertificateVersionName;
using domain::Violations;

namespace {

constexpr MaskField<ServerCertificate> kFields[] = {
    {"description",
     [](const ServerCertificate& from, ServerCertificate& to) {
       to.metadata.description = from.metadata.description;
     }},
    {"labels",
     [](const ServerCertificate& from, ServerCertificate& to) {
       to.metadata.labels = from.metadata.labels;
     }},
};

constexpr absl::string_view kOutputOnly[] = {
    "name",           "etag",      "revision",  "create_time",
    "update_time",    "origin",    "issued_by", "certificates",
    "active_version", "not_after", "warnings",  "certificate_chain_pem",
    "conditions",
};

constexpr FilterField kFilter[] = {
    {"name"},
    {"description"},
    {"labels.*"},
    {"origin"},
    {"not_after", FilterField::Type::kTime},
};

FilterValue ValueOf(const ServerCertificateView& view,
                    absl::string_view field) {
  if (field == "origin") {
    return std::string(view.certificate.origin ==
                               ServerCertificate::Origin::kIssued
                           ? "ISSUED"
                           : "IMPORTED");
  }
  if (field == "not_after") return domain::FirstExpiry(view.chain);
  return MetadataValue(view.certificate, field);
}

absl::StatusOr<std::vector<domain::CertificatePtr>> ChainOf(
    const ServerCertificateVersion& version) {
  auto chain = domain::ReadStoredChain(version.certificate_chain_pem);
  if (!chain.ok() || chain->empty()) {
    return domain::MakeError(
        Reason::kRecordDamaged,
        absl::StrCat("the chain of ", version.name.ToString(),
                     " cannot be read"),
        {{"resource", version.name.ToString()}});
  }
  return chain;
}

domain::CheckedMaterial Check(const ServerCertificates::Material& material,
                              absl::Time now, Violations& violations) {
  return domain::CheckMaterial(
      "material.certificate_chain_pem", material.certificate_chain_pem,
      "material.private_key_pem", material.private_key_pem,
      domain::CertificatePurpose::kServer, now, violations);
}

}  // namespace

absl::StatusOr<ServerCertificateView> ServerCertificates::Create(
    const Caller& caller, const Write& write, const CreateRequest& request) {
  Violations violations;
  CheckNewId<ServerCertificateName>("server_certificate_id", request.id,
                                    violations);
  ServerCertificate wanted;
  wanted.name = ServerCertificateName(request.id);
  wanted.metadata.description = request.certificate.metadata.description;
  wanted.metadata.labels = request.certificate.metadata.labels;
  Violations fields;
  domain::Validate(wanted, fields);
  violations.AddAll("server_certificate", fields);
  const domain::CheckedMaterial material =
      Check(request.material, context_.clock->Now(), violations);
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  ServerCertificateVersion version;
  absl::StatusOr<ServerCertificate> created = Mutate<ServerCertificate>(
      context_, caller, write,
      [&](Transaction& transaction) -> absl::StatusOr<ServerCertificate> {
        ServerCertificate certificate = wanted;
        certificate.metadata.create_time = transaction.now();
        certificate.metadata.update_time = transaction.now();
        certificate.active_version = 1;
        certificate.next_version = 2;
        SALLYPORT_RETURN_IF_ERROR(transaction.CheckAbsent(certificate.name));
        version = ServerCertificateVersion();
        version.name = ServerCertificateVersionName(certificate.name, 1);
        version.create_time = transaction.now();
        version.certificate_chain_pem = material.chain_pem;
        SALLYPORT_ASSIGN_OR_RETURN(
            std::string value,
            store::Encode(version, material.private_key_pem, *context_.sealer));
        transaction.Create(certificate);
        transaction.CreateEncoded(version, std::move(value));
        return certificate;
      },
      [&](int64_t revision) {
        return ReadResource(*context_.store, wanted.name, revision);
      });
  if (!created.ok()) return created.status();
  return View(*std::move(created), write.validate_only ? &version : nullptr);
}

absl::StatusOr<ServerCertificateView> ServerCertificates::View(
    ServerCertificate certificate, const ServerCertificateVersion* active) {
  ServerCertificateView view;
  if (active != nullptr) {
    view.active = *active;
  } else {
    SALLYPORT_ASSIGN_OR_RETURN(
        view.active,
        ReadResource(*context_.store,
                     ServerCertificateVersionName(certificate.name,
                                                  certificate.active_version),
                     certificate.metadata.revision));
  }
  SALLYPORT_ASSIGN_OR_RETURN(view.chain, ChainOf(view.active));
  const absl::Time now = context_.clock->Now();
  SALLYPORT_RETURN_IF_ERROR(AddStatus(
      *context_.store, certificate.name.ToString(), certificate.conditions));
  AddExpiryConditions(view.chain, now, certificate.metadata.revision,
                      certificate.conditions);
  view.warnings = ExpiryWarnings(view.chain, now);
  view.certificate = std::move(certificate);
  return view;
}

absl::StatusOr<ServerCertificateView> ServerCertificates::Get(
    const ServerCertificateName& name) {
  SALLYPORT_ASSIGN_OR_RETURN(ServerCertificate certificate,
                             ReadResource(*context_.store, name));
  return View(std::move(certificate));
}

absl::StatusOr<Page<ServerCertificateView>> ServerCertificates::List(
    const PageRequest& request) {
  return ListResources<ServerCertificateView>(
      *context_.store, request, "serverCertificates",
      store::CollectionPrefix<ServerCertificateName>(), kFilter,
      [&](const store::Record& record)
          -> absl::StatusOr<ServerCertificateView> {
        SALLYPORT_ASSIGN_OR_RETURN(
            ServerCertificate certificate,
            store::Decode(ServerCertificateName(store::IdOfKey(record.key)),
                          record));
        return View(std::move(certificate));
      },
      ValueOf);
}

absl::StatusOr<ServerCertificateView> ServerCertificates::Update(
    const Caller& caller, const Write& write, const UpdateRequest& request) {
  absl::StatusOr<ServerCertificate> updated = UpdateResource<ServerCertificate>(
      context_, caller, write, {"server_certificate", kFields, kOutputOnly},
      request.certificate, request.mask, NothingElse(), NothingElse());
  if (!updated.ok()) return updated.status();
  return View(*std::move(updated));
}

absl::Status ServerCertificates::Delete(const Caller& caller,
                                        const Write& write,
                                        const ServerCertificateName& name,
                                        const domain::Etag& etag) {
  return DeleteResource(
      context_, caller, write, name, etag,
      [&](Transaction& transaction, const ServerCertificate&) -> absl::Status {
        SALLYPORT_RETURN_IF_ERROR(transaction.CheckUnused(name.ToString()));
        return DeleteVersions<ServerCertificateVersionName>(
            transaction, *context_.store, name,
            kMaxVersionsOfServerCertificate);
      });
}

absl::Status ServerCertificates::MakeRoom(Transaction& transaction,
                                          const ServerCertificate& before) {
  store::ListRequest list;
  list.prefix =
      store::ChildrenPrefix<ServerCertificateVersionName>(before.name);
  list.limit = kMaxVersionsOfServerCertificate;
  list.what = store::ListRequest::What::kKeysOnly;
  absl::StatusOr<store::ListPage> page = context_.store->List(list);
  if (!page.ok()) return FromStore(page.status());
  if (page->records.size() < kMaxVersionsOfServerCertificate) {
    return absl::OkStatus();
  }
  // The newest come first.
  for (auto it = page->records.rbegin(); it != page->records.rend(); ++it) {
    const ServerCertificateVersionName name(before.name,
                                            store::VersionOfKey(it->key));
    if (name.number() == before.active_version) continue;
    SALLYPORT_ASSIGN_OR_RETURN(
        const std::vector<std::string> users,
        ReferrersOf(*context_.store, name.ToString(), 1));
    if (!users.empty()) continue;
    SALLYPORT_RETURN_IF_ERROR(transaction.CheckUnused(name.ToString()));
    SALLYPORT_ASSIGN_OR_RETURN(const ServerCertificateVersion version,
                               transaction.Load(name));
    transaction.Delete(version);
    return absl::OkStatus();
  }
  return domain::MakeError(
      Reason::kQuotaExceeded,
      absl::StrCat("the certificate has ", kMaxVersionsOfServerCertificate,
                   " versions, and domains show all of them; import one that "
                   "covers those domains"),
      {{"limit", absl::StrCat(kMaxVersionsOfServerCertificate)}});
}

absl::StatusOr<ServerCertificateView> ServerCertificates::Import(
    const Caller& caller, const Write& write, const ImportRequest& request) {
  if (request.issuer_conflict == IssuerConflict::kOverride &&
      caller.role < Role::kAdmin) {
    return domain::MakeError(
        Reason::kRoleMissing,
        "only an admin may override an issuer conflict; ask one, or leave "
        "override_issuer_conflict out",
        {{"required_role", "admin"}});
  }
  // Whether there is such a certificate comes first: what is wrong with the
  // material does not matter otherwise.
  SALLYPORT_RETURN_IF_ERROR(ReadRecord(*context_.store, request.name).status());
  Violations violations;
  const domain::CheckedMaterial material =
      Check(request.material, context_.clock->Now(), violations);
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  ServerCertificateVersion version;
  absl::StatusOr<ServerCertificate> imported = Mutate<ServerCertificate>(
      context_, caller, write,
      [&](Transaction& transaction) -> absl::StatusOr<ServerCertificate> {
        SALLYPORT_ASSIGN_OR_RETURN(const ServerCertificate before,
                                   transaction.Load(request.name));
        SALLYPORT_RETURN_IF_ERROR(domain::CheckEtag(
            request.etag, before.metadata.etag, request.name.ToString()));
        SALLYPORT_ASSIGN_OR_RETURN(
            version, transaction.Load(ServerCertificateVersionName(
                         request.name, before.active_version)));
        if (version.certificate_chain_pem == material.chain_pem) return before;
        SALLYPORT_ASSIGN_OR_RETURN(const auto chain, ChainOf(version));
        SALLYPORT_RETURN_IF_ERROR(
            domain::CheckSameIssuer(*chain.front(), *material.chain.front()));
        SALLYPORT_RETURN_IF_ERROR(MakeRoom(transaction, before));
        ServerCertificate after = before;
        after.active_version = before.next_version;
        after.next_version = before.next_version + 1;
        after.metadata.update_time = transaction.now();
        version = ServerCertificateVersion();
        version.name =
            ServerCertificateVersionName(request.name, after.active_version);
        version.create_time = transaction.now();
        version.certificate_chain_pem = material.chain_pem;
        SALLYPORT_ASSIGN_OR_RETURN(
            std::string value,
            store::Encode(version, material.private_key_pem, *context_.sealer));
        SALLYPORT_ASSIGN_OR_RETURN(
            const bool shown,
            HoldVersions(
                transaction, *context_.store,
                {&before, material.chain.front().get(), ownership_required_}));
        if (shown && served_ != nullptr) {
          absl::Status conflict = served_->CheckIssuer(
              transaction, *material.chain.front(), request.name);
          if (!conflict.ok() &&
              (request.issuer_conflict == IssuerConflict::kRefuse ||
               domain::ErrorOf(conflict).value_or(domain::Error()).reason !=
                   Reason::kCertificateIssuerConflict)) {
            return conflict;
          }
          if (!conflict.ok()) transaction.Override("override_issuer_conflict");
        }
        transaction.Update(before, after);
        transaction.CreateEncoded(version, std::move(value));
        return after;
      },
      [&](int64_t revision) {
        return ReadResource(*context_.store, request.name, revision);
      });
  if (!imported.ok()) return imported.status();
  return View(*std::move(imported), write.validate_only ? &version : nullptr);
}

absl::StatusOr<ServerCertificateVersionView> ServerCertificates::GetVersion(
    const ServerCertificateVersionName& name) {
  SALLYPORT_ASSIGN_OR_RETURN(const ServerCertificate certificate,
                             ReadResource(*context_.store, name.parent()));
  ServerCertificateVersionView view;
  SALLYPORT_ASSIGN_OR_RETURN(view.version, ReadResource(*context_.store, name));
  SALLYPORT_ASSIGN_OR_RETURN(view.chain, ChainOf(view.version));
  view.active = name.number() == certificate.active_version;
  return view;
}

absl::StatusOr<Page<ServerCertificateVersionView>>
ServerCertificates::ListVersions(const ServerCertificateName& parent,
                                 const PageRequest& request) {
  SALLYPORT_ASSIGN_OR_RETURN(const ServerCertificate certificate,
                             ReadResource(*context_.store, parent));
  return ListResources<ServerCertificateVersionView>(
      *context_.store, request, absl::StrCat(parent.ToString(), "/versions"),
      store::ChildrenPrefix<ServerCertificateVersionName>(parent), {},
      [&](const store::Record& record)
          -> absl::StatusOr<ServerCertificateVersionView> {
        ServerCertificateVersionView view;
        SALLYPORT_ASSIGN_OR_RETURN(
            view.version,
            store::Decode(ServerCertificateVersionName(
                              parent, store::VersionOfKey(record.key)),
                          record));
        SALLYPORT_ASSIGN_OR_RETURN(view.chain, ChainOf(view.version));
        view.active = view.version.name.number() == certificate.active_version;
        return view;
      },
      [](const ServerCertificateVersionView&,
         absl::string_view) -> FilterValue { return std::string(); });
}

}  // namespace sallyport::service
