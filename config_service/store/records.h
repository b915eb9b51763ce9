// Records: resources as the store has them, the value under the keys of keys.h.
// Encode() gives the same bytes for the same resource, so that the etag, which
// is a digest of them, moves with the content alone.
//
// Decode functions take the record and the name that its key stands for. Errors
// carry a domain::Error: RECORD_DAMAGED when the value cannot be read whole,
// also when it has a field that this version does not know.

#ifndef SALLYPORT_CONFIG_SERVICE_STORE_RECORDS_H_
#define SALLYPORT_CONFIG_SERVICE_STORE_RECORDS_H_

#include <array>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "config_service/domain/audit.h"
#include "config_service/domain/name.h"
#include "config_service/domain/truststore.h"
#include "config_service/store/store.h"

namespace sallyport::store {

// Etag and revision of what is decoded are those of the record. Conditions are
// not part of it: they are in the record under StatusKey().
std::string Encode(const domain::Truststore& truststore);
absl::StatusOr<domain::Truststore> Decode(const domain::TruststoreName& name,
                                          const Record& record);

// The put of a version names its blob: BlobOf().
std::string Encode(const domain::TruststoreVersion& version);
absl::StatusOr<domain::TruststoreVersion> Decode(
    const domain::TruststoreVersionName& name, const Record& record);
BlobDigest BlobOf(const domain::TruststoreVersion& version);

// The revision is that of the record, or, of an imported entry, its own.
std::string Encode(const domain::AuditEntry& entry);
absl::StatusOr<domain::AuditEntry> DecodeAuditEntry(const Record& record);

// The answer to a request_id.
struct RememberedRequest {
  BlobDigest request;
  std::string method;
  std::string resource;  // its name
  // 0: the revision of the commit that remembers.
  int64_t revision = 0;
  absl::Time expire_time;
};
std::string Encode(const RememberedRequest& request);
absl::StatusOr<RememberedRequest> DecodeRememberedRequest(const Record& record);

}  // namespace sallyport::store

#endif  // SALLYPORT_CONFIG_SERVICE_STORE_RECORDS_H_
