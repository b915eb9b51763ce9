#include "config_service/service/access_keys.h"

#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "config_service/domain/violations.h"
#include "config_service/service/errors.h"
#include "config_service/service/resources.h"
#include "config_service/store/access_key_record.h"
#include "config_service/store/keys.h"
#include "nlohmann/json.hpp"
#include "pki/crypto/crypto.h"

namespace sallyport::service {

using domain::AccessKey;
using domain::AccessKeyName;
using domain::Reason;

namespace {

// Base64 makes 40 characters of them, as Amazon's have.
constexpr size_t kSecretBytes = 30;

constexpr FilterField kFilter[] = {
    {"name"},
    {"owner"},
    {"role"},
    {"create_time", FilterField::Type::kTime},
};

// As the audit log has it.
std::string Json(const AccessKey& key) {
  return nlohmann::json{{"name", key.name.ToString()},
                        {"owner", key.owner},
                        {"role", key.role},
                        {"create_time", TimeText(key.metadata.create_time)}}
      .dump();
}

}  // namespace

absl::StatusOr<AccessKeys::Issued> AccessKeys::Issue(const Caller& caller,
                                                     const Write& write,
                                                     const AccessKey& wanted) {
  domain::Violations fields;
  domain::Validate(wanted, fields);
  if (!RoleFromName(wanted.role).has_value()) {
    fields.Add(
        "role",
        wanted.role.empty() ? Reason::kFieldRequired : Reason::kFieldMalformed,
        "is not viewer, operator or admin");
  }
  domain::Violations violations;
  violations.AddAll("access_key", fields);
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());
  Issued out;
  // Wiped by Secret; the random bytes are not, and go nowhere.
  out.secret = Secret(absl::Base64Escape(pki::RandomBytes(kSecretBytes)));
  absl::StatusOr<AccessKey> issued = Mutate<AccessKey>(
      context_, caller, write,
      [&](Transaction& transaction) -> absl::StatusOr<AccessKey> {
        SALLYPORT_ASSIGN_OR_RETURN(
            const std::vector<store::Record> all,
            transaction.List(store::CollectionPrefix<AccessKeyName>(),
                             store::ListRequest::What::kKeysOnly));
        if (all.size() >= domain::kMaxAccessKeys) {
          return domain::MakeError(
              Reason::kQuotaExceeded,
              absl::StrCat("there are ", domain::kMaxAccessKeys,
                           " access keys; delete some that are not in use"),
              {{"limit", absl::StrCat(domain::kMaxAccessKeys)}});
        }
        AccessKey key;
        key.name = AccessKeyName(domain::AccessKeyId(
            pki::RandomBytes(domain::kAccessKeyIdRandomBytes)));
        key.owner = wanted.owner;
        key.role = wanted.role;
        key.metadata.create_time = transaction.now();
        key.metadata.update_time = transaction.now();
        SALLYPORT_RETURN_IF_ERROR(transaction.CheckAbsent(key.name));
        SALLYPORT_ASSIGN_OR_RETURN(
            std::string value,
            store::Encode(key, out.secret, *context_.sealer));
        key.metadata.etag = domain::Etag::Of(value);
        transaction.PutPart(store::KeyOf(key.name), std::move(value),
                            key.name.ToString(), "", Json(key));
        return key;
      },
      [&](const Replay& replay) -> absl::StatusOr<AccessKey> {
        SALLYPORT_ASSIGN_OR_RETURN(const AccessKeyName name,
                                   AccessKeyName::Parse(replay.resource));
        return Get(name);
      });
  if (!issued.ok()) return issued.status();
  out.key = *std::move(issued);
  return out;
}

absl::StatusOr<AccessKey> AccessKeys::Get(const AccessKeyName& name) {
  SALLYPORT_ASSIGN_OR_RETURN(const store::Record record,
                             ReadRecord(*context_.store, name));
  return store::Decode(name, record);
}

absl::StatusOr<Page<AccessKey>> AccessKeys::List(const PageRequest& request) {
  return ListResources<AccessKey>(
      *context_.store, request, "accessKeys",
      store::CollectionPrefix<AccessKeyName>(), kFilter,
      [](const store::Record& record) -> absl::StatusOr<AccessKey> {
        return store::Decode(AccessKeyName(store::IdOfKey(record.key)), record);
      },
      [](const AccessKey& key, absl::string_view field) -> FilterValue {
        if (field == "owner") return key.owner;
        if (field == "role") return key.role;
        if (field == "create_time") return key.metadata.create_time;
        return key.name.ToString();
      });
}

absl::Status AccessKeys::Delete(const Caller& caller, const Write& write,
                                const AccessKeyName& name,
                                const domain::Etag& etag) {
  return Mutate<Deleted>(
             context_, caller, write,
             [&](Transaction& transaction) -> absl::StatusOr<Deleted> {
               SALLYPORT_ASSIGN_OR_RETURN(
                   const std::optional<store::Record> record,
                   transaction.Read(store::KeyOf(name)));
               if (!record.has_value()) {
                 return NotFound(AccessKeyName::kType, name.ToString());
               }
               SALLYPORT_ASSIGN_OR_RETURN(const AccessKey key,
                                          store::Decode(name, *record));
               SALLYPORT_RETURN_IF_ERROR(
                   domain::CheckEtag(etag, key.metadata.etag, name.ToString()));
               transaction.DeletePart(store::KeyOf(name), name.ToString(),
                                      Json(key));
               return Deleted();
             },
             [](const Replay&) -> absl::StatusOr<Deleted> { return Deleted(); })
      .status();
}

absl::StatusOr<std::optional<AccessKeys::Known>> AccessKeys::Find(
    absl::string_view id) {
  if (!domain::CheckId(AccessKeyName::kIdRule, id).ok()) return std::nullopt;
  const AccessKeyName name(id);
  const absl::StatusOr<store::Record> record =
      ReadRecord(*context_.store, name);
  if (absl::IsNotFound(record.status())) return std::nullopt;
  if (!record.ok()) return record.status();
  SALLYPORT_ASSIGN_OR_RETURN(const AccessKey key, store::Decode(name, *record));
  const std::optional<Role> role = RoleFromName(key.role);
  if (!role.has_value()) return std::nullopt;
  Known out;
  out.principal = absl::StrCat("access-key:", key.owner);
  out.role = *role;
  SALLYPORT_ASSIGN_OR_RETURN(
      out.secret, store::OpenSecret(name, *record, *context_.sealer));
  return out;
}

}  // namespace sallyport::service
