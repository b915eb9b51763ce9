#include "config_service/store/access_key_record.h"

#include "base/status_macros.h"
#include "config_service/store/keys.h"
#include "config_service/store/record_io.h"
#include "proto/sallyport/store/v1/access_key.pb.h"

namespace sallyport::store {
namespace {

namespace proto = sallyport::store::v1;

}  // namespace

absl::StatusOr<std::string> Encode(const domain::AccessKey& key,
                                   const Secret& secret, const Sealer& sealer) {
  proto::AccessKey out;
  out.set_create_time(internal::ToNanos(key.metadata.create_time));
  out.set_owner(key.owner);
  out.set_role(key.role);
  SALLYPORT_ASSIGN_OR_RETURN(*out.mutable_sealed_secret(),
                             sealer.Seal(secret, KeyOf(key.name)));
  return internal::Bytes(out);
}

absl::StatusOr<domain::AccessKey> Decode(const domain::AccessKeyName& name,
                                         const Record& record) {
  SALLYPORT_ASSIGN_OR_RETURN(
      const proto::AccessKey in,
      internal::ParseRecord<proto::AccessKey>(name.ToString(), record.value));
  domain::AccessKey out;
  out.name = name;
  out.metadata.create_time = internal::FromNanos(in.create_time());
  out.metadata.update_time = out.metadata.create_time;
  out.metadata.etag = domain::Etag::Of(record.value);
  out.metadata.revision = record.mod_revision.value();
  out.owner = in.owner();
  out.role = in.role();
  return out;
}

absl::StatusOr<Secret> OpenSecret(const domain::AccessKeyName& name,
                                  const Record& record, const Sealer& sealer) {
  SALLYPORT_ASSIGN_OR_RETURN(
      const proto::AccessKey in,
      internal::ParseRecord<proto::AccessKey>(name.ToString(), record.value));
  return sealer.Open(in.sealed_secret(), KeyOf(name));
}

}  // namespace sallyport::store
