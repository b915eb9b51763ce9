#include "config_service/service/truststores.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "config_service/service/errors.h"
#include "config_service/service/filter.h"
#include "config_service/service/mask.h"
#include "config_service/service/references.h"
#include "config_service/service/resources.h"
#include "pki/x509/certificate.h"

namespace sallyport::service {

using domain::Reason;
using domain::Truststore;
using domain::TruststoreName;
using domain::TruststoreVersion;
using domain::TruststoreVersionName;
using domain::Violations;

namespace {

constexpr absl::Duration kExpiringSoon = absl::Hours(24 * 30);
// Records that one reading of the store gives to FindDueSources(), and when it
// tries again after a reading that failed.
constexpr size_t kPollPageSize = 500;
constexpr absl::Duration kPollRetry = absl::Seconds(5);

constexpr MaskField<Truststore> kFields[] = {
    kDescriptionField<Truststore>,
    kLabelsField<Truststore>,
    {"source.uri", [](const Truststore& from,
                      Truststore& to) { to.source.uri = from.source.uri; }},
    {"source.object_version",
     [](const Truststore& from, Truststore& to) {
       to.source.object_version = from.source.object_version;
     }},
    {"source.watch",
     [](const Truststore& from, Truststore& to) {
       to.source.watch = from.source.watch;
     }},
    {"source.poll_interval",
     [](const Truststore& from, Truststore& to) {
       to.source.poll_interval = from.source.poll_interval;
     }},
    {"shadow_version",
     [](const Truststore& from, Truststore& to) {
       to.shadow_version = from.shadow_version;
     }},
    {"chain_policy",
     [](const Truststore& from, Truststore& to) {
       to.chain_policy = from.chain_policy;
     }},
    {"extended_key_usage",
     [](const Truststore& from, Truststore& to) {
       to.extended_key_usage = from.extended_key_usage;
     }},
    {"pin_leaf", [](const Truststore& from,
                    Truststore& to) { to.pin_leaf = from.pin_leaf; }},
    {"revocation_lists",
     [](const Truststore& from, Truststore& to) {
       to.revocation_lists = from.revocation_lists;
     }},
    {"revocation_rule",
     [](const Truststore& from, Truststore& to) {
       to.revocation_rule = from.revocation_rule;
     }},
    {"revocation_scope",
     [](const Truststore& from, Truststore& to) {
       to.revocation_scope = from.revocation_scope;
     }},
    {"limits.max_bytes", [](const Truststore& from,
                            Truststore& to) { to.max_bytes = from.max_bytes; }},
    {"limits.max_certificates",
     [](const Truststore& from, Truststore& to) {
       to.max_certificates = from.max_certificates;
     }},
};

constexpr absl::string_view kOutputOnly[] = {
    "name",        "etag",          "revision",
    "create_time", "update_time",   "active_version",
    "warnings",    "warning_count", "previous_version",
    "conditions",
};

constexpr FilterField kTruststoreFilter[] = {
    {"name"},
    {"description"},
    {"labels.*"},
    {"active_version"},
    {"source.uri"},
    {"create_time", FilterField::Type::kTime},
    {"update_time", FilterField::Type::kTime},
};

constexpr FilterField kVersionFilter[] = {
    {"state"},
    {"create_time", FilterField::Type::kTime},
    {"sha256"},
};

constexpr FilterField kCertificateFilter[] = {
    {"subject"},
    {"issuer"},
    {"certificate_sha256"},
    {"not_after", FilterField::Type::kTime},
};

FilterValue ValueOf(const Truststore& truststore, absl::string_view field) {
  if (field == "active_version") {
    return TruststoreVersionName(truststore.name, truststore.active_version)
        .ToString();
  }
  if (field == "source.uri") return truststore.source.uri;
  return MetadataValue(truststore, field);
}

absl::string_view StateName(TruststoreVersion::State state) {
  switch (state) {
    case TruststoreVersion::State::kCandidate:
      return "CANDIDATE";
    case TruststoreVersion::State::kActive:
      return "ACTIVE";
    case TruststoreVersion::State::kSuperseded:
      return "SUPERSEDED";
  }
  return "";
}

std::vector<domain::Warning> FirstWarnings(const Appraisal& appraisal) {
  std::vector<domain::Warning> out;
  const size_t n = std::min(appraisal.warnings.size(), kMaxListedWarnings);
  out.reserve(n);
  for (size_t i = 0; i < n; ++i) {
    out.push_back(domain::FromPki(appraisal.warnings[i]));
  }
  return out;
}

TruststoreVersion NewVersion(TruststoreVersionName name, absl::Time now,
                             absl::string_view pem,
                             const pki::Truststore& bundle) {
  TruststoreVersion version;
  version.name = std::move(name);
  version.create_time = now;
  version.sha256 = bundle.digest();
  version.size_bytes = pem.size();
  version.certificate_count = static_cast<uint32_t>(bundle.num_certificates());
  return version;
}

// What does not depend on the stored state.
void CheckLimits(const Caller& caller, const Truststore& truststore,
                 Violations& violations) {
  if (truststore.LimitsNeedAdmin() && caller.role < Role::kAdmin) {
    violations.Add("limits", Reason::kLimitsNeedAdmin,
                   "are more than the default; only an admin may raise them");
  }
}

}  // namespace

absl::Status Truststores::CheckTrust(Transaction& transaction,
                                     const pki::Truststore& bundle,
                                     const Truststore& truststore,
                                     Force force) {
  absl::Status trust =
      domain::CheckGivesTrust(bundle, truststore, transaction.now());
  if (trust.ok() || force == Force::kNo) return trust;
  transaction.Override("force");
  return absl::OkStatus();
}

absl::Status Truststores::CheckReferences(Transaction& transaction,
                                          const Truststore& truststore) {
  Violations violations;
  for (size_t i = 0; i < truststore.revocation_lists.size(); ++i) {
    SALLYPORT_RETURN_IF_ERROR(transaction.CheckReference(
        domain::Element("truststore.revocation_lists", i),
        truststore.revocation_lists[i], violations));
  }
  if (truststore.shadow_version != 0) {
    SALLYPORT_RETURN_IF_ERROR(transaction.CheckReference(
        "truststore.shadow_version",
        TruststoreVersionName(truststore.name, truststore.shadow_version),
        violations));
  }
  return violations.ToStatus();
}

absl::StatusOr<TruststoreView> Truststores::Create(
    const Caller& caller, const Write& write, const CreateRequest& request) {
  Violations violations;
  CheckNewId<TruststoreName>("truststore_id", request.id, violations);
  Truststore wanted = request.truststore;
  wanted.name = TruststoreName(request.id);
  wanted.active_version = 0;
  wanted.previous_version = 0;
  wanted.next_version = 1;
  Violations fields;
  domain::Validate(wanted, fields);
  CheckLimits(caller, wanted, fields);
  if (wanted.shadow_version != 0) {
    fields.Add("shadow_version", Reason::kReferenceNotFound,
               "a new truststore has no versions yet; set it afterwards");
  }
  violations.AddAll("truststore", fields);
  std::shared_ptr<const pki::Truststore> bundle;
  Content content;
  content.pem = request.pem;
  if (!request.pem.empty()) {
    bundle =
        domain::ReadBundle("pem", request.pem, wanted.Limits(), violations);
  } else if (violations.empty() && !wanted.source.uri.empty()) {
    SALLYPORT_ASSIGN_OR_RETURN(content,
                               ReadSource(wanted.source, wanted.Limits(), ""));
    bundle = domain::ReadBundle("truststore.source.uri", content.pem,
                                wanted.Limits(), violations);
  }
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  store::BlobDigest blob;
  if (bundle != nullptr && !write.validate_only) {
    SALLYPORT_ASSIGN_OR_RETURN(blob, StoreBlob(*context_.store, content.pem));
  }
  absl::StatusOr<Truststore> created = Mutate<Truststore>(
      context_, caller, write,
      [&](Transaction& transaction) -> absl::StatusOr<Truststore> {
        Truststore truststore = wanted;
        truststore.metadata.create_time = transaction.now();
        truststore.metadata.update_time = transaction.now();
        SALLYPORT_RETURN_IF_ERROR(transaction.CheckAbsent(truststore.name));
        SALLYPORT_RETURN_IF_ERROR(CheckReferences(transaction, truststore));
        if (bundle != nullptr) {
          SALLYPORT_RETURN_IF_ERROR(
              CheckTrust(transaction, *bundle, truststore, request.force));
          TruststoreVersion version =
              NewVersion(TruststoreVersionName(truststore.name, 1),
                         transaction.now(), content.pem, *bundle);
          version.source_uri = content.uri;
          version.source_object_version = content.object_version;
          version.source_etag = content.etag;
          version.was_active = true;
          truststore.active_version = 1;
          truststore.next_version = 2;
          transaction.Create(truststore);
          transaction.Create(version, {blob});
        } else {
          transaction.Create(truststore);
        }
        transaction.SetReferences(truststore.name.ToString(), {},
                                  ReferencesOf(truststore));
        return truststore;
      },
      [&](int64_t revision) {
        return ReadResource(*context_.store, wanted.name, revision);
      });
  if (!created.ok()) return created.status();
  if (write.validate_only && bundle != nullptr) {
    // Nothing is stored to look at.
    TruststoreView view;
    const auto appraisal =
        bundles_.Appraise(bundle, *created, context_.clock->Now());
    view.truststore = *std::move(created);
    view.warnings = FirstWarnings(*appraisal);
    view.num_warnings = appraisal->warnings.size();
    return view;
  }
  return View(*std::move(created));
}

absl::StatusOr<TruststoreView> Truststores::View(Truststore truststore) {
  TruststoreView view;
  const absl::Time now = context_.clock->Now();
  if (sources_ != nullptr &&
      truststore.source.watch != domain::TruststoreSource::Watch::kOff) {
    auto state = sources_->Get(truststore.name.ToString());
    if (state.condition.has_value() && state.uri == truststore.source.uri) {
      domain::SetCondition(*std::move(state.condition), now,
                           truststore.conditions);
    }
  }
  domain::Condition trust;
  trust.type = "GivesTrust";
  trust.observed_revision = truststore.metadata.revision;
  trust.status = domain::Condition::Status::kFalse;
  if (truststore.active_version == 0) {
    trust.reason = "NO_ACTIVE_VERSION";
    trust.message = "no version is active; nobody is trusted";
    domain::SetCondition(std::move(trust), now, truststore.conditions);
    view.truststore = std::move(truststore);
    return view;
  }
  // A version is never changed, so the newest is as good as that of the
  // truststore's revision; it is gone when the truststore was deleted since.
  absl::StatusOr<TruststoreVersion> version = ReadResource(
      *context_.store,
      TruststoreVersionName(truststore.name, truststore.active_version),
      truststore.metadata.revision);
  if (!version.ok()) return version.status();
  SALLYPORT_ASSIGN_OR_RETURN(auto bundle, bundles_.Get(*version));
  const auto appraisal = bundles_.Appraise(bundle, truststore, now);
  view.warnings = FirstWarnings(*appraisal);
  view.num_warnings = appraisal->warnings.size();
  if (appraisal->gives_trust) {
    trust.status = domain::Condition::Status::kTrue;
    trust.reason = "TRUSTED_CERTIFICATES";
    trust.message = "the active version has certificates that give trust";
  } else {
    trust.reason = "TRUSTSTORE_GIVES_NO_TRUST";
    trust.message = "nothing in the active version gives trust";
  }
  domain::SetCondition(std::move(trust), now, truststore.conditions);
  domain::Condition expiring;
  expiring.type = "Expiring";
  expiring.observed_revision = truststore.metadata.revision;
  expiring.status = domain::Condition::Status::kFalse;
  expiring.reason = "NOT_SOON";
  if (appraisal->first_expiry - now < kExpiringSoon) {
    expiring.status = domain::Condition::Status::kTrue;
    expiring.reason = "EXPIRES_SOON";
    expiring.message =
        absl::StrCat("the first certificate that gives trust expires at ",
                     TimeText(appraisal->first_expiry));
  }
  domain::SetCondition(std::move(expiring), now, truststore.conditions);
  // Found out just now: when it became so is not known.
  for (domain::Condition& condition : truststore.conditions) {
    condition.transition_time = absl::InfinitePast();
  }
  view.truststore = std::move(truststore);
  return view;
}

absl::StatusOr<TruststoreVersionView> Truststores::View(
    TruststoreVersion version, const Truststore& truststore) {
  TruststoreVersionView view;
  view.state = domain::StateOf(version, truststore);
  SALLYPORT_ASSIGN_OR_RETURN(auto bundle, bundles_.Get(version));
  const auto appraisal =
      bundles_.Appraise(bundle, truststore, context_.clock->Now());
  view.gives_trust = appraisal->gives_trust;
  view.warnings = FirstWarnings(*appraisal);
  view.num_warnings = appraisal->warnings.size();
  view.first_expiry = appraisal->first_expiry;
  view.version = std::move(version);
  return view;
}

absl::StatusOr<TruststoreView> Truststores::Get(const TruststoreName& name) {
  SALLYPORT_ASSIGN_OR_RETURN(Truststore truststore,
                             ReadResource(*context_.store, name));
  return View(std::move(truststore));
}

absl::StatusOr<Page<TruststoreView>> Truststores::List(
    const PageRequest& request) {
  SALLYPORT_ASSIGN_OR_RETURN(const Filter filter,
                             Filter::Parse(request.filter, kTruststoreFilter));
  Page<TruststoreView> out;
  absl::StatusOr<RecordPage> page = ListRecords(
      *context_.store, request, "truststores",
      store::CollectionPrefix<TruststoreName>(),
      [&](const store::Record& record,
          store::Revision) -> absl::StatusOr<bool> {
        SALLYPORT_ASSIGN_OR_RETURN(
            Truststore truststore,
            store::Decode(TruststoreName(store::IdOfKey(record.key)), record));
        if (!filter.Matches([&](absl::string_view field) {
              return ValueOf(truststore, field);
            })) {
          return false;
        }
        SALLYPORT_ASSIGN_OR_RETURN(TruststoreView view,
                                   View(std::move(truststore)));
        out.items.push_back(std::move(view));
        return true;
      });
  if (!page.ok()) return page.status();
  out.next_page_token = std::move(page->next_page_token);
  out.revision = page->revision.value();
  return out;
}

absl::StatusOr<TruststoreView> Truststores::Update(
    const Caller& caller, const Write& write, const UpdateRequest& request) {
  absl::StatusOr<Truststore> updated = UpdateResource<Truststore>(
      context_, caller, write, {"truststore", kFields, kOutputOnly},
      request.truststore, request.mask,
      [&](Transaction&, const Truststore& before, const Truststore& after,
          Violations& fields) {
        if (after.max_bytes != before.max_bytes ||
            after.max_certificates != before.max_certificates) {
          CheckLimits(caller, after, fields);
        }
        return absl::OkStatus();
      },
      [&](Transaction& transaction, const Truststore& before,
          Truststore& after) -> absl::Status {
        SALLYPORT_RETURN_IF_ERROR(CheckReferences(transaction, after));
        if (after.active_version != 0 &&
            (after.chain_policy != before.chain_policy ||
             after.pin_leaf != before.pin_leaf)) {
          SALLYPORT_ASSIGN_OR_RETURN(const TruststoreVersion active,
                                     transaction.Load(TruststoreVersionName(
                                         after.name, after.active_version)));
          SALLYPORT_ASSIGN_OR_RETURN(auto bundle, bundles_.Get(active));
          SALLYPORT_RETURN_IF_ERROR(
              CheckTrust(transaction, *bundle, after, request.force));
        }
        transaction.SetReferences(after.name.ToString(), ReferencesOf(before),
                                  ReferencesOf(after));
        return absl::OkStatus();
      });
  if (!updated.ok()) return updated.status();
  return View(*std::move(updated));
}

absl::Status Truststores::Delete(const Caller& caller, const Write& write,
                                 const TruststoreName& name,
                                 const domain::Etag& etag) {
  return DeleteResource(
      context_, caller, write, name, etag,
      [&](Transaction& transaction,
          const Truststore& truststore) -> absl::Status {
        SALLYPORT_RETURN_IF_ERROR(transaction.CheckUnused(name.ToString()));
        SALLYPORT_RETURN_IF_ERROR(DeleteVersions<TruststoreVersionName>(
            transaction, *context_.store, name, kMaxVersionsOfTruststore));
        transaction.SetReferences(name.ToString(), ReferencesOf(truststore),
                                  {});
        return absl::OkStatus();
      });
}

absl::StatusOr<pki::TruststoreLimits> Truststores::Limits(
    const TruststoreName& name) {
  SALLYPORT_ASSIGN_OR_RETURN(const Truststore truststore,
                             ReadResource(*context_.store, name));
  return truststore.Limits();
}

absl::StatusOr<Truststores::Content> Truststores::ReadSource(
    const domain::TruststoreSource& source, const pki::TruststoreLimits& limits,
    absl::string_view known_etag) {
  if (objects_ == nullptr) {
    return domain::MakeError(
        Reason::kNotSupported,
        "this installation cannot read sources; give the content as pem",
        {{"missing", "sources"}});
  }
  objects::ReadRequest read;
  read.uri = source.uri;
  read.version = source.object_version;
  read.known_etag = std::string(known_etag);
  read.max_bytes = limits.max_bytes;
  absl::StatusOr<objects::Object> object = objects_->Read(read);
  if (!object.ok()) {
    const absl::Status& status = object.status();
    Reason reason = Reason::kSourceUnreadable;
    if (absl::IsPermissionDenied(status)) reason = Reason::kSourceNotAllowed;
    if (absl::IsInvalidArgument(status)) reason = Reason::kSourceUriInvalid;
    if (absl::IsResourceExhausted(status)) reason = Reason::kTruststoreTooLarge;
    return domain::MakeError(
        reason, absl::StrCat("source \"", Printable(source.uri, 300),
                             "\": ", status.message()));
  }
  Content content;
  content.pem = std::move(object->content);
  content.uri = source.uri;
  content.object_version = std::move(object->version);
  content.etag = std::move(object->etag);
  content.unchanged = object->unchanged;
  return content;
}

absl::StatusOr<TruststoreVersionView> Truststores::CreateVersion(
    const Caller& caller, const Write& write,
    const CreateVersionRequest& request) {
  Content content;
  content.pem = request.pem;
  if (content.pem.empty()) {
    SALLYPORT_ASSIGN_OR_RETURN(const Truststore parent,
                               ReadResource(*context_.store, request.parent));
    domain::TruststoreSource source = parent.source;
    if (!request.source.empty()) {
      Truststore other = parent;
      other.source = source = request.source;
      Violations violations;
      domain::Validate(other, violations);
      SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
    }
    if (source.uri.empty()) {
      return domain::MakeError(
          Reason::kSourceMissing,
          "the truststore has no source, and the request no content; set pem");
    }
    SALLYPORT_ASSIGN_OR_RETURN(content,
                               ReadSource(source, parent.Limits(), ""));
  }
  return CreateVersionFrom(caller, write, request, content);
}

absl::StatusOr<TruststoreVersionView> Truststores::CreateVersionFrom(
    const Caller& caller, const Write& write,
    const CreateVersionRequest& request, const Content& content) {
  // The limits are read again, with the truststore that the commit relies on.
  SALLYPORT_ASSIGN_OR_RETURN(const Truststore parent,
                             ReadResource(*context_.store, request.parent));
  const absl::string_view field = content.uri.empty() ? "pem" : "source.uri";
  Violations violations;
  domain::CheckText("truststore_version.description", request.description,
                    domain::kMaxDescriptionLength, violations);
  const auto bundle =
      domain::ReadBundle(field, content.pem, parent.Limits(), violations);
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  store::BlobDigest blob;
  if (!write.validate_only) {
    SALLYPORT_ASSIGN_OR_RETURN(blob, StoreBlob(*context_.store, content.pem));
  }
  Truststore truststore = parent;
  absl::StatusOr<TruststoreVersion> created = Mutate<TruststoreVersion>(
      context_, caller, write,
      [&](Transaction& transaction) -> absl::StatusOr<TruststoreVersion> {
        SALLYPORT_ASSIGN_OR_RETURN(const Truststore before,
                                   transaction.Load(request.parent));
        SALLYPORT_RETURN_IF_ERROR(domain::CheckEtag(request.truststore_etag,
                                                    before.metadata.etag,
                                                    request.parent.ToString()));
        const pki::TruststoreLimits limits = before.Limits();
        if (content.pem.size() > limits.max_bytes ||
            bundle->num_certificates() > limits.max_certificates) {
          Violations again;
          domain::ReadBundle(field, content.pem, limits, again);
          return again.ToStatus();
        }
        store::ListRequest list;
        list.prefix =
            store::ChildrenPrefix<TruststoreVersionName>(request.parent);
        list.limit = kMaxVersionsOfTruststore;
        list.what = store::ListRequest::What::kKeysOnly;
        absl::StatusOr<store::ListPage> page = context_.store->List(list);
        if (!page.ok()) return FromStore(page.status());
        if (page->records.size() >= kMaxVersionsOfTruststore) {
          return domain::MakeError(
              Reason::kQuotaExceeded,
              absl::StrCat("the truststore has ", kMaxVersionsOfTruststore,
                           " versions; delete some that are not in use"),
              {{"limit", absl::StrCat(kMaxVersionsOfTruststore)}});
        }
        SALLYPORT_RETURN_IF_ERROR(
            CheckTrust(transaction, *bundle, before, request.force));
        truststore = before;
        truststore.metadata.update_time = transaction.now();
        TruststoreVersion version = NewVersion(
            TruststoreVersionName(request.parent, before.next_version),
            transaction.now(), content.pem, *bundle);
        version.source_uri = content.uri;
        version.source_object_version = content.object_version;
        version.source_etag = content.etag;
        version.description = request.description;
        truststore.next_version = before.next_version + 1;
        if (request.activate == Activate::kYes) {
          version.was_active = true;
          truststore.previous_version = before.active_version;
          truststore.active_version = version.name.number();
        }
        transaction.Create(version, {blob});
        transaction.Update(before, truststore);
        return version;
      },
      [&](int64_t revision) -> absl::StatusOr<TruststoreVersion> {
        SALLYPORT_ASSIGN_OR_RETURN(
            truststore,
            ReadResource(*context_.store, request.parent, revision));
        // The truststore counted on with the version.
        return ReadResource(
            *context_.store,
            TruststoreVersionName(request.parent, truststore.next_version - 1),
            revision);
      });
  if (!created.ok()) return created.status();
  if (write.validate_only) {
    TruststoreVersionView view;
    const auto appraisal =
        bundles_.Appraise(bundle, truststore, context_.clock->Now());
    view.state = domain::StateOf(*created, truststore);
    view.version = *std::move(created);
    view.gives_trust = appraisal->gives_trust;
    view.warnings = FirstWarnings(*appraisal);
    view.num_warnings = appraisal->warnings.size();
    view.first_expiry = appraisal->first_expiry;
    return view;
  }
  return View(*std::move(created), truststore);
}

namespace {

bool IsWatched(const domain::TruststoreSource& source) {
  return !source.uri.empty() &&
         source.watch != domain::TruststoreSource::Watch::kOff;
}

// What is known of the source; of another one, nothing.
SourceStates::State StateOf(const SourceStates& sources,
                            const std::string& truststore,
                            const domain::TruststoreSource& source) {
  SourceStates::State state = sources.Get(truststore);
  if (state.uri == source.uri) return state;
  state = SourceStates::State();
  state.uri = source.uri;
  return state;
}

}  // namespace

domain::Condition Truststores::PollSource(const Truststore& truststore,
                                          std::string& etag) {
  domain::Condition condition;
  condition.type = "SourceReachable";
  condition.status = domain::Condition::Status::kFalse;
  condition.observed_revision = truststore.metadata.revision;
  const auto failed = [&](const absl::Status& status) {
    const auto error = domain::ErrorOf(status);
    condition.reason = "INTERNAL";
    condition.message = "the service could not; its log says why";
    if (!error.has_value()) return condition;
    condition.reason = std::string(domain::ReasonName(error->reason));
    condition.message = error->message;
    if (!error->violations.empty()) {
      // The text is bad, or too much: the first thing says enough.
      const domain::FieldViolation& first = error->violations.front();
      condition.reason = std::string(domain::ReasonName(first.reason));
      condition.message = first.description;
    }
    return condition;
  };
  absl::StatusOr<Content> content =
      ReadSource(truststore.source, truststore.Limits(), etag);
  if (!content.ok()) return failed(content.status());
  condition.status = domain::Condition::Status::kTrue;
  condition.reason = "READ";
  condition.message = "the source was read";
  if (content->unchanged) return condition;
  const int64_t newest = truststore.next_version - 1;
  if (newest > 0) {
    const auto version = ReadResource(
        *context_.store, TruststoreVersionName(truststore.name, newest));
    if (version.ok() && version->sha256 == pki::Sha256(content->pem)) {
      etag = content->etag;
      return condition;
    }
  }
  const Caller caller{"system:sources", "", Role::kOperator};
  Write write;
  write.method = "system:sources/Poll";
  CreateVersionRequest create;
  create.parent = truststore.name;
  create.description = "read from the watched source";
  // A candidate lets nobody in; whether it may be active is asked next.
  create.force = Force::kYes;
  const auto created = CreateVersionFrom(caller, write, create, *content);
  if (!created.ok()) {
    // What is wrong with the content stays wrong until there is another.
    if (absl::IsInvalidArgument(created.status())) etag = content->etag;
    condition.status = domain::Condition::Status::kTrue;
    failed(created.status());
    return condition;
  }
  etag = content->etag;
  if (truststore.source.watch != domain::TruststoreSource::Watch::kActivate) {
    return condition;
  }
  ActivateRequest activate;
  activate.name = created->version.name;
  const auto active = ActivateVersion(caller, write, activate);
  if (!active.ok()) failed(active.status());
  return condition;
}

Truststores::WatchedSources Truststores::FindDueSources() {
  WatchedSources out;
  if (objects_ == nullptr || sources_ == nullptr) return out;
  absl::flat_hash_set<std::string> watched;
  store::ListRequest list;
  list.prefix = store::CollectionPrefix<TruststoreName>();
  list.limit = kPollPageSize;
  const absl::Time now = context_.clock->Now();
  while (true) {
    const absl::StatusOr<store::ListPage> page = context_.store->List(list);
    if (!page.ok()) {
      out.next = std::min(out.next, now + kPollRetry);
      return out;
    }
    for (const store::Record& record : page->records) {
      const absl::StatusOr<Truststore> truststore = store::Decode(
          TruststoreName(std::string(store::IdOfKey(record.key))), record);
      if (!truststore.ok() || !IsWatched(truststore->source)) continue;
      const std::string name = truststore->name.ToString();
      watched.insert(name);
      SourceStates::State state = StateOf(*sources_, name, truststore->source);
      const bool failing =
          state.condition.has_value() &&
          state.condition->status == domain::Condition::Status::kFalse;
      const absl::Time soon = now + truststore->source.poll_interval;
      const absl::Time next = std::min(state.next_look, soon);
      if (soon < state.next_look) {
        // The interval has become shorter.
        state.next_look = soon;
        sources_->Set(name, std::move(state));
      }
      if (now < next) {
        out.next = std::min(out.next, next);
        continue;
      }
      out.due.push_back({truststore->name, truststore->source.uri, failing});
    }
    if (!page->more) break;
    list.Continue(*page);
  }
  sources_->Keep(watched);
  return out;
}

void Truststores::LookAtSource(const TruststoreName& name) {
  const auto truststore = ReadResource(*context_.store, name);
  if (!truststore.ok() || !IsWatched(truststore->source)) return;
  SourceStates::State state =
      StateOf(*sources_, name.ToString(), truststore->source);
  domain::Condition condition = PollSource(*truststore, state.etag);
  std::vector<domain::Condition> one;
  if (state.condition.has_value()) one.push_back(*state.condition);
  const absl::Time now = context_.clock->Now();
  domain::SetCondition(std::move(condition), now, one);
  state.condition = std::move(one.front());
  state.next_look = now + truststore->source.poll_interval;
  sources_->Set(name.ToString(), std::move(state));
}

absl::StatusOr<TruststoreVersionView> Truststores::GetVersion(
    const TruststoreVersionName& name) {
  SALLYPORT_ASSIGN_OR_RETURN(const Truststore truststore,
                             ReadResource(*context_.store, name.parent()));
  SALLYPORT_ASSIGN_OR_RETURN(TruststoreVersion version,
                             ReadResource(*context_.store, name));
  return View(std::move(version), truststore);
}

absl::StatusOr<Page<TruststoreVersionView>> Truststores::ListVersions(
    const TruststoreName& parent, const PageRequest& request) {
  SALLYPORT_ASSIGN_OR_RETURN(const Filter filter,
                             Filter::Parse(request.filter, kVersionFilter));
  SALLYPORT_ASSIGN_OR_RETURN(const Truststore truststore,
                             ReadResource(*context_.store, parent));
  Page<TruststoreVersionView> out;
  absl::StatusOr<RecordPage> page = ListRecords(
      *context_.store, request, absl::StrCat(parent.ToString(), "/versions"),
      store::ChildrenPrefix<TruststoreVersionName>(parent),
      [&](const store::Record& record,
          store::Revision) -> absl::StatusOr<bool> {
        SALLYPORT_ASSIGN_OR_RETURN(
            TruststoreVersion version,
            store::Decode(
                TruststoreVersionName(parent, store::VersionOfKey(record.key)),
                record));
        const auto value = [&](absl::string_view field) -> FilterValue {
          if (field == "state") {
            return std::string(StateName(domain::StateOf(version, truststore)));
          }
          if (field == "sha256") {
            return HexLower(pki::AsBytes(version.sha256));
          }
          return version.create_time;
        };
        if (!filter.Matches(value)) return false;
        SALLYPORT_ASSIGN_OR_RETURN(TruststoreVersionView view,
                                   View(std::move(version), truststore));
        out.items.push_back(std::move(view));
        return true;
      });
  if (!page.ok()) return page.status();
  out.next_page_token = std::move(page->next_page_token);
  out.revision = page->revision.value();
  return out;
}

absl::Status Truststores::DeleteVersion(const Caller& caller,
                                        const Write& write,
                                        const TruststoreVersionName& name,
                                        const domain::Etag& etag) {
  return Mutate<Deleted>(
             context_, caller, write,
             [&](Transaction& transaction) -> absl::StatusOr<Deleted> {
               SALLYPORT_ASSIGN_OR_RETURN(const Truststore truststore,
                                          transaction.Load(name.parent()));
               SALLYPORT_ASSIGN_OR_RETURN(const TruststoreVersion version,
                                          transaction.Load(name));
               SALLYPORT_RETURN_IF_ERROR(
                   domain::CheckEtag(etag, version.etag, name.ToString()));
               absl::string_view use;
               if (name.number() == truststore.active_version) {
                 use = "the active version";
               } else if (name.number() == truststore.previous_version) {
                 use = "the version that a rollback returns to";
               } else if (name.number() == truststore.shadow_version) {
                 use = "the shadow version";
               }
               if (!use.empty()) {
                 return domain::MakeError(
                     Reason::kResourceInUse,
                     absl::StrCat("\"", name.ToString(), "\" is ", use,
                                  " of its truststore"),
                     {{"resource", name.ToString()},
                      {"used_by", name.parent().ToString()},
                      {"uses", "1"}});
               }
               SALLYPORT_RETURN_IF_ERROR(
                   transaction.CheckUnused(name.ToString()));
               transaction.Delete(version);
               return Deleted();
             },
             [](int64_t) -> absl::StatusOr<Deleted> { return Deleted(); })
      .status();
}

absl::StatusOr<std::unique_ptr<store::BlobReader>> Truststores::ReadVersion(
    const TruststoreVersionName& name) {
  SALLYPORT_ASSIGN_OR_RETURN(const TruststoreVersion version,
                             ReadResource(*context_.store, name));
  auto reader = context_.store->OpenBlob(store::BlobOf(version));
  if (!reader.ok()) return FromStore(reader.status());
  return reader;
}

absl::StatusOr<Page<TruststoreCertificate>> Truststores::ListCertificates(
    const TruststoreVersionName& parent, const PageRequest& request) {
  SALLYPORT_ASSIGN_OR_RETURN(const Filter filter,
                             Filter::Parse(request.filter, kCertificateFilter));
  SALLYPORT_ASSIGN_OR_RETURN(const Truststore truststore,
                             ReadResource(*context_.store, parent.parent()));
  SALLYPORT_ASSIGN_OR_RETURN(const TruststoreVersion version,
                             ReadResource(*context_.store, parent));
  SALLYPORT_ASSIGN_OR_RETURN(auto bundle, bundles_.Get(version));
  const auto appraisal =
      bundles_.Appraise(bundle, truststore, context_.clock->Now());
  std::vector<const pki::Truststore::Entry*> entries;
  for (const pki::Truststore::Entry& entry : bundle->entries()) {
    const auto value = [&](absl::string_view field) -> FilterValue {
      const pki::Certificate& certificate = *entry.certificate();
      if (field == "subject") return certificate.Subject();
      if (field == "issuer") return certificate.Issuer();
      if (field == "not_after") return certificate.not_after();
      return HexLower(pki::AsBytes(certificate.fingerprint()));
    };
    if (filter.empty() || filter.Matches(value)) entries.push_back(&entry);
  }
  SALLYPORT_ASSIGN_OR_RETURN(
      Slice slice, SliceOf(request, entries.size(), context_.store->lineage(),
                           absl::StrCat(parent.ToString(), "/certificates")));
  Page<TruststoreCertificate> out;
  for (size_t i = slice.begin; i < slice.end; ++i) {
    TruststoreCertificate item;
    item.index = entries[i]->index();
    item.line = entries[i]->line();
    item.certificate = entries[i]->certificate();
    // Warnings are by block.
    auto warning = std::lower_bound(
        appraisal->warnings.begin(), appraisal->warnings.end(), item.index,
        [](const pki::Warning& w, size_t index) { return w.index < index; });
    for (; warning != appraisal->warnings.end() && warning->index == item.index;
         ++warning) {
      item.warnings.push_back(domain::FromPki(*warning));
    }
    out.items.push_back(std::move(item));
  }
  out.next_page_token = std::move(slice.next_page_token);
  return out;
}

absl::Status Truststores::Switch(Transaction& transaction,
                                 const Truststore& before, int64_t number,
                                 Force force, Truststore& truststore) {
  const TruststoreVersionName name(before.name, number);
  SALLYPORT_ASSIGN_OR_RETURN(const TruststoreVersion version,
                             transaction.Load(name));
  truststore = before;
  if (before.active_version == number) return absl::OkStatus();
  SALLYPORT_ASSIGN_OR_RETURN(auto bundle, bundles_.Get(version));
  SALLYPORT_RETURN_IF_ERROR(CheckTrust(transaction, *bundle, before, force));
  truststore.previous_version = before.active_version;
  truststore.active_version = number;
  truststore.metadata.update_time = transaction.now();
  transaction.Update(before, truststore);
  if (!version.was_active) {
    TruststoreVersion after = version;
    after.was_active = true;
    transaction.Update(version, after, {store::BlobOf(version)});
  }
  return absl::OkStatus();
}

absl::StatusOr<TruststoreView> Truststores::ActivateVersion(
    const Caller& caller, const Write& write, const ActivateRequest& request) {
  const TruststoreName& parent = request.name.parent();
  absl::StatusOr<Truststore> activated = Mutate<Truststore>(
      context_, caller, write,
      [&](Transaction& transaction) -> absl::StatusOr<Truststore> {
        SALLYPORT_ASSIGN_OR_RETURN(const Truststore before,
                                   transaction.Load(parent));
        SALLYPORT_RETURN_IF_ERROR(domain::CheckEtag(
            request.etag, before.metadata.etag, parent.ToString()));
        Truststore after;
        SALLYPORT_RETURN_IF_ERROR(Switch(
            transaction, before, request.name.number(), request.force, after));
        return after;
      },
      [&](int64_t revision) {
        return ReadResource(*context_.store, parent, revision);
      });
  if (!activated.ok()) return activated.status();
  return View(*std::move(activated));
}

absl::StatusOr<TruststoreView> Truststores::Rollback(
    const Caller& caller, const Write& write, const RollbackRequest& request) {
  if (!request.version.empty() && request.version.parent() != request.name) {
    Violations violations;
    violations.Add("version", Reason::kFieldsConflict,
                   "is a version of another truststore than name");
    return violations.ToStatus();
  }
  absl::StatusOr<Truststore> rolled_back = Mutate<Truststore>(
      context_, caller, write,
      [&](Transaction& transaction) -> absl::StatusOr<Truststore> {
        SALLYPORT_ASSIGN_OR_RETURN(const Truststore before,
                                   transaction.Load(request.name));
        SALLYPORT_RETURN_IF_ERROR(domain::CheckEtag(
            request.etag, before.metadata.etag, request.name.ToString()));
        int64_t number = before.previous_version;
        if (!request.version.empty()) {
          SALLYPORT_ASSIGN_OR_RETURN(const TruststoreVersion version,
                                     transaction.Load(request.version));
          number = version.was_active ? version.name.number() : 0;
        }
        if (number == 0) {
          return domain::MakeError(
              Reason::kNoEarlierVersion,
              request.version.empty()
                  ? "no version was active before; activate one by its name"
                  : "the version was never active; activate it instead");
        }
        Truststore after;
        SALLYPORT_RETURN_IF_ERROR(
            Switch(transaction, before, number, request.force, after));
        return after;
      },
      [&](int64_t revision) {
        return ReadResource(*context_.store, request.name, revision);
      });
  if (!rolled_back.ok()) return rolled_back.status();
  return View(*std::move(rolled_back));
}

absl::StatusOr<TruststoreDiffPage> Truststores::Diff(
    const TruststoreVersionName& from, const TruststoreVersionName& to,
    const PageRequest& request) {
  SALLYPORT_ASSIGN_OR_RETURN(const TruststoreVersion from_version,
                             ReadResource(*context_.store, from));
  SALLYPORT_ASSIGN_OR_RETURN(const TruststoreVersion to_version,
                             ReadResource(*context_.store, to));
  SALLYPORT_ASSIGN_OR_RETURN(auto from_bundle, bundles_.Get(from_version));
  SALLYPORT_ASSIGN_OR_RETURN(auto to_bundle, bundles_.Get(to_version));
  const domain::TruststoreDiff all = domain::Diff(*from_bundle, *to_bundle);
  TruststoreDiffPage out;
  out.num_added = all.added.size();
  out.num_removed = all.removed.size();
  out.num_changed = all.changed.size();
  SALLYPORT_ASSIGN_OR_RETURN(
      Slice slice,
      SliceOf(request, out.num_added + out.num_removed + out.num_changed,
              context_.store->lineage(),
              absl::StrCat("diff ", from.ToString(), " ", to.ToString())));
  for (size_t i = slice.begin; i < slice.end; ++i) {
    if (i < out.num_added) {
      out.diff.added.push_back(all.added[i]);
    } else if (i < out.num_added + out.num_removed) {
      out.diff.removed.push_back(all.removed[i - out.num_added]);
    } else {
      out.diff.changed.push_back(
          all.changed[i - out.num_added - out.num_removed]);
    }
  }
  out.next_page_token = std::move(slice.next_page_token);
  return out;
}

}  // namespace sallyport::service
