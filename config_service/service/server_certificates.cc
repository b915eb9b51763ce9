#include "config_service/service/server_certificates.h"

#include <algorithm>
#include <optional>
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

using domain::Condition;
using domain::Issuance;
using domain::Reason;
using domain::ServerCertificate;
using domain::ServerCertificateName;
using domain::ServerCertificateVersion;
using domain::ServerCertificateVersionName;
using domain::Violations;

namespace {

// A field of the issuance; a request that names one leaves the others out.
template <auto kMember>
void CopyIssuance(const ServerCertificate& from, ServerCertificate& to) {
  if (!to.issuance.has_value()) {
    if (!from.issuance.has_value()) return;
    to.issuance.emplace();
  }
  static const Issuance kDefault;
  const Issuance& given = from.issuance.has_value() ? *from.issuance : kDefault;
  (*to.issuance).*kMember = given.*kMember;
}

constexpr MaskField<ServerCertificate> kFields[] = {
    kDescriptionField<ServerCertificate>,
    kLabelsField<ServerCertificate>,
    // Looked at only to say that it cannot be changed.
    {"issuance", [](const ServerCertificate& from,
                    ServerCertificate& to) { to.issuance = from.issuance; }},
    {"issuance.issuer", CopyIssuance<&Issuance::issuer>},
    {"issuance.dns_names", CopyIssuance<&Issuance::dns_names>},
    {"issuance.key_type", CopyIssuance<&Issuance::key_kind>},
    {"issuance.validity", CopyIssuance<&Issuance::validity>},
};

constexpr absl::string_view kOutputOnly[] = {
    "name",           "etag",       "revision",  "create_time",
    "update_time",    "origin",     "issued_by", "certificates",
    "active_version", "not_after",  "warnings",  "certificate_chain_pem",
    "conditions",     "renew_time",
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
  wanted.issuance = request.certificate.issuance;
  Violations fields;
  domain::Validate(wanted, fields);
  CertificateIssuer* issuer = nullptr;
  if (wanted.issuance.has_value()) {
    issuer = FindIssuer(wanted.issuance->issuer.id());
    Violations asked;
    if (issuer != nullptr) {
      issuer->Check(*wanted.issuance, asked);
      wanted.origin = ServerCertificate::Origin::kIssued;
      wanted.issued_by = issuer->info().id;
    } else {
      asked.Add("issuer", Reason::kIssuerNotConfigured,
                issuing_.issuers.empty()
                    ? "is none that the installation has: it has no issuer "
                      "(--issuer)"
                    : "is none that the installation has");
    }
    fields.AddAll("issuance", asked);
  }
  violations.AddAll("server_certificate", fields);
  std::optional<NewMaterial> material;
  if (!wanted.issuance.has_value()) {
    domain::CheckedMaterial checked =
        Check(request.material, context_.clock->Now(), violations);
    if (!checked.chain.empty()) {
      material = {checked.chain.front(), std::move(checked.chain_pem),
                  std::move(checked.private_key_pem)};
    }
  } else if (!request.material.certificate_chain_pem.empty() ||
             !request.material.private_key_pem.empty()) {
    violations.Add("material", Reason::kFieldsConflict,
                   "is given beside server_certificate.issuance; a certificate "
                   "is imported or issued");
  }
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  ServerCertificateVersion version;
  absl::StatusOr<ServerCertificate> created = Mutate<ServerCertificate>(
      context_, caller, write,
      [&](Transaction& transaction) -> absl::StatusOr<ServerCertificate> {
        ServerCertificate certificate = wanted;
        certificate.metadata.create_time = transaction.now();
        certificate.metadata.update_time = transaction.now();
        SALLYPORT_RETURN_IF_ERROR(transaction.CheckAbsent(certificate.name));
        if (!material.has_value()) {
          // Nothing is signed for a question.
          if (write.validate_only) return certificate;
          SALLYPORT_ASSIGN_OR_RETURN(
              material, Issue(*issuer, *wanted.issuance, Hurry::kAsked));
        }
        certificate.active_version = 1;
        certificate.next_version = 2;
        version = ServerCertificateVersion();
        version.name = ServerCertificateVersionName(certificate.name, 1);
        version.create_time = transaction.now();
        version.certificate_chain_pem = material->chain_pem;
        SALLYPORT_ASSIGN_OR_RETURN(
            std::string value, store::Encode(version, material->private_key_pem,
                                             *context_.sealer));
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
  if (active != nullptr && active->certificate_chain_pem.empty()) {
    view.certificate = std::move(certificate);
    return view;
  }
  SALLYPORT_ASSIGN_OR_RETURN(view.chain, ChainOf(view.active));
  const absl::Time now = context_.clock->Now();
  SALLYPORT_RETURN_IF_ERROR(AddStatus(
      *context_.store, certificate.name.ToString(), certificate.conditions));
  if (certificate.issuance.has_value()) {
    view.renew_time = domain::RenewalTime(view.active.create_time,
                                          domain::FirstExpiry(view.chain),
                                          issuing_.renew_percent);
    if (domain::FindCondition(certificate.conditions, kIssuedCondition) ==
        nullptr) {
      Condition issued;
      issued.type = std::string(kIssuedCondition);
      issued.status = Condition::Status::kTrue;
      issued.reason = "IN_FORCE";
      issued.observed_revision = certificate.metadata.revision;
      domain::SetCondition(std::move(issued), absl::InfinitePast(),
                           certificate.conditions);
    }
  }
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
      request.certificate, request.mask,
      [](Transaction&, const ServerCertificate& before,
         const ServerCertificate& after, Violations& violations) {
        if (after.issuance != before.issuance) {
          violations.Add("issuance", Reason::kFieldImmutable,
                         "cannot be changed; make another certificate, and "
                         "have the domains name that");
        }
        return absl::OkStatus();
      },
      NothingElse());
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
        // What was found out about it goes with it.
        transaction.DeletePart(store::StatusKey(name.ToString()));
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

absl::StatusOr<ServerCertificate> ServerCertificates::AddVersion(
    Transaction& transaction, const ServerCertificate& before,
    const NewMaterial& material, IssuerConflict issuer_conflict,
    ServerCertificateVersion& version) {
  SALLYPORT_RETURN_IF_ERROR(MakeRoom(transaction, before));
  ServerCertificate after = before;
  after.active_version = before.next_version;
  after.next_version = before.next_version + 1;
  after.metadata.update_time = transaction.now();
  version = ServerCertificateVersion();
  version.name =
      ServerCertificateVersionName(before.name, after.active_version);
  version.create_time = transaction.now();
  version.certificate_chain_pem = material.chain_pem;
  SALLYPORT_ASSIGN_OR_RETURN(
      std::string value,
      store::Encode(version, material.private_key_pem, *context_.sealer));
  SALLYPORT_ASSIGN_OR_RETURN(
      const bool shown,
      HoldVersions(transaction, *context_.store,
                   {&before, material.leaf.get(), ownership_required_}));
  if (shown && served_ != nullptr) {
    absl::Status conflict =
        served_->CheckIssuer(transaction, *material.leaf, before.name);
    if (!conflict.ok() &&
        (issuer_conflict == IssuerConflict::kRefuse ||
         domain::ErrorOf(conflict).value_or(domain::Error()).reason !=
             Reason::kCertificateIssuerConflict)) {
      return conflict;
    }
    if (!conflict.ok()) transaction.Override("override_issuer_conflict");
  }
  transaction.Update(before, after);
  transaction.CreateEncoded(version, std::move(value));
  return after;
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
        // What is called issued is what an issuer made.
        if (before.origin == ServerCertificate::Origin::kIssued) {
          return domain::MakeError(
              Reason::kCertificateIsIssued,
              absl::StrCat("\"", request.name.ToString(),
                           "\" is made by the "
                           "issuer \"",
                           before.issued_by,
                           "\"; import this one as another certificate"),
              {{"resource", request.name.ToString()}});
        }
        SALLYPORT_ASSIGN_OR_RETURN(
            version, transaction.Load(ServerCertificateVersionName(
                         request.name, before.active_version)));
        if (version.certificate_chain_pem == material.chain_pem) {
          // Its key may have been left out of an import of the state.
          SALLYPORT_ASSIGN_OR_RETURN(const store::Record record,
                                     ReadRecord(*context_.store, version.name));
          const auto key =
              store::OpenPrivateKey(version.name, record, *context_.sealer);
          if (key.ok()) return before;
          const auto error = domain::ErrorOf(key.status());
          if (!error.has_value() ||
              error->reason != Reason::kPrivateKeyMissing) {
            return key.status();
          }
        }
        SALLYPORT_ASSIGN_OR_RETURN(const auto chain, ChainOf(version));
        SALLYPORT_RETURN_IF_ERROR(
            domain::CheckSameIssuer(*chain.front(), *material.chain.front()));
        return AddVersion(transaction, before,
                          {material.chain.front(), material.chain_pem,
                           material.private_key_pem.Clone()},
                          request.issuer_conflict, version);
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
