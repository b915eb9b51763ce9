#include "config_service/service/revocation_lists.h"

#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "config_service/service/errors.h"
#include "config_service/service/filter.h"
#include "config_service/service/mask.h"
#include "config_service/service/resources.h"

namespace sallyport::service {

using domain::Reason;
using domain::RevocationList;
using domain::RevocationListName;
using domain::Violations;

namespace {

constexpr absl::string_view kContent = "content";

constexpr MaskField<RevocationList> kFields[] = {
    kDescriptionField<RevocationList>,
    kLabelsField<RevocationList>,
    // Comes beside the resource.
    {kContent, [](const RevocationList&, RevocationList&) {}},
};

constexpr absl::string_view kOutputOnly[] = {
    "name",        "etag",       "revision",    "create_time", "update_time",
    "lists",       "list_count", "entry_count", "sha256",      "size_bytes",
    "next_update", "warnings",   "conditions",
};

constexpr FilterField kFilter[] = {
    {"name"},
    {"description"},
    {"labels.*"},
    {"next_update", FilterField::Type::kTime},
};

}  // namespace

absl::StatusOr<RevocationListView> RevocationLists::Create(
    const Caller& caller, const Write& write, const CreateRequest& request) {
  Violations violations;
  CheckNewId<RevocationListName>("revocation_list_id", request.id, violations);
  RevocationList wanted;
  wanted.name = RevocationListName(request.id);
  wanted.metadata.description = request.list.metadata.description;
  wanted.metadata.labels = request.list.metadata.labels;
  Violations fields;
  domain::Validate(wanted, fields);
  if (request.content.empty()) {
    fields.Add(kContent, Reason::kFieldRequired,
               "is empty; give the revocation lists in PEM, or one in DER");
  } else {
    domain::ReadRevocationList(kContent, request.content, wanted, fields);
  }
  violations.AddAll("revocation_list", fields);
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  if (!write.validate_only) {
    SALLYPORT_RETURN_IF_ERROR(
        StoreBlob(*context_.store, request.content).status());
  }
  absl::StatusOr<RevocationList> created = Mutate<RevocationList>(
      context_, caller, write,
      [&](Transaction& transaction) -> absl::StatusOr<RevocationList> {
        RevocationList list = wanted;
        list.metadata.create_time = transaction.now();
        list.metadata.update_time = transaction.now();
        SALLYPORT_RETURN_IF_ERROR(transaction.CheckAbsent(list.name));
        transaction.Create(list, {store::BlobOf(list)});
        return list;
      },
      [&](int64_t revision) {
        return ReadResource(*context_.store, wanted.name, revision);
      });
  if (!created.ok()) return created.status();
  return View(*std::move(created));
}

absl::StatusOr<RevocationListView> RevocationLists::View(RevocationList list) {
  RevocationListView view;
  const absl::Time now = context_.clock->Now();
  const std::string name = list.name.ToString();
  SALLYPORT_RETURN_IF_ERROR(AddStatus(*context_.store, name, list.conditions));
  domain::Condition up_to_date;
  up_to_date.type = "UpToDate";
  up_to_date.observed_revision = list.metadata.revision;
  up_to_date.status = domain::Condition::Status::kTrue;
  up_to_date.reason = "BEFORE_NEXT_UPDATE";
  if (list.next_update < now) {
    up_to_date.status = domain::Condition::Status::kFalse;
    up_to_date.reason = "STALE";
    up_to_date.message =
        absl::StrCat("a list should have been replaced by ",
                     TimeText(list.next_update), "; upload the new one");
  }
  domain::SetCondition(std::move(up_to_date), absl::InfinitePast(),
                       list.conditions);
  for (size_t i = 0; i < list.lists.size(); ++i) {
    const RevocationList::Summary& summary = list.lists[i];
    domain::Warning warning;
    if (summary.next_update < now) {
      warning.reason = "STALE";
      warning.message = absl::StrCat("the list should have been replaced by ",
                                     TimeText(summary.next_update));
    } else if (summary.this_update > now) {
      warning.reason = "NOT_YET_VALID";
      warning.message = absl::StrCat("the list is valid only from ",
                                     TimeText(summary.this_update), " on");
    } else {
      continue;
    }
    warning.subject = summary.issuer;
    warning.index = i + 1;
    warning.field = domain::Element("lists", i);
    view.warnings.push_back(std::move(warning));
  }
  view.list = std::move(list);
  return view;
}

absl::StatusOr<RevocationListView> RevocationLists::Get(
    const RevocationListName& name) {
  SALLYPORT_ASSIGN_OR_RETURN(RevocationList list,
                             ReadResource(*context_.store, name));
  return View(std::move(list));
}

absl::StatusOr<Page<RevocationListView>> RevocationLists::List(
    const PageRequest& request) {
  return ListResources<RevocationListView>(
      *context_.store, request, "revocationLists",
      store::CollectionPrefix<RevocationListName>(), kFilter,
      [&](const store::Record& record) -> absl::StatusOr<RevocationListView> {
        SALLYPORT_ASSIGN_OR_RETURN(
            RevocationList list,
            store::Decode(RevocationListName(store::IdOfKey(record.key)),
                          record));
        return View(std::move(list));
      },
      [](const RevocationListView& view,
         absl::string_view field) -> FilterValue {
        if (field == "next_update") return view.list.next_update;
        return MetadataValue(view.list, field);
      });
}

absl::StatusOr<RevocationListView> RevocationLists::Update(
    const Caller& caller, const Write& write, const UpdateRequest& request) {
  const RevocationListName& name = request.list.name;
  SALLYPORT_RETURN_IF_ERROR(ReadRecord(*context_.store, name).status());
  const bool has_content =
      absl::c_linear_search(request.mask, kContent) ||
      (absl::c_linear_search(request.mask, "*") && !request.content.empty());
  // What the content is, apart from everything else.
  RevocationList content;
  Violations content_violations;
  if (has_content && request.content.empty()) {
    content_violations.Add(
        kContent, Reason::kFieldRequired,
        "is empty, though the mask names it; give the revocation lists in PEM, "
        "or one in DER");
  } else if (has_content) {
    domain::ReadRevocationList(kContent, request.content, content,
                               content_violations);
    if (content_violations.empty() && !write.validate_only) {
      SALLYPORT_RETURN_IF_ERROR(
          StoreBlob(*context_.store, request.content).status());
    }
  }
  absl::StatusOr<RevocationList> updated = Mutate<RevocationList>(
      context_, caller, write,
      [&](Transaction& transaction) -> absl::StatusOr<RevocationList> {
        SALLYPORT_ASSIGN_OR_RETURN(const RevocationList before,
                                   transaction.Load(name));
        SALLYPORT_RETURN_IF_ERROR(domain::CheckEtag(
            request.list.metadata.etag, before.metadata.etag, name.ToString()));
        RevocationList after = before;
        if (has_content) {
          after = content;
          after.name = before.name;
          after.metadata = before.metadata;
        }
        Violations violations;
        ApplyMask<RevocationList>(kFields, kOutputOnly, request.mask,
                                  request.list, after, violations);
        Violations fields;
        domain::Validate(after, fields);
        violations.AddAll("revocation_list", fields);
        violations.AddAll("revocation_list", content_violations);
        SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
        if (store::Encode(after) == store::Encode(before)) return before;
        after.metadata.update_time = transaction.now();
        transaction.Update(before, after, {store::BlobOf(after)});
        return after;
      },
      [&](int64_t revision) {
        return ReadResource(*context_.store, name, revision);
      });
  if (!updated.ok()) return updated.status();
  return View(*std::move(updated));
}

absl::Status RevocationLists::Delete(const Caller& caller, const Write& write,
                                     const RevocationListName& name,
                                     const domain::Etag& etag) {
  return DeleteResource(context_, caller, write, name, etag,
                        [&](Transaction& transaction, const RevocationList&) {
                          return transaction.CheckUnused(name.ToString());
                        });
}

}  // namespace sallyport::service
