// What the files that turn resources into records and back have in common. For
// them alone.

#ifndef SALLYPORT_CONFIG_SERVICE_STORE_RECORD_IO_H_
#define SALLYPORT_CONFIG_SERVICE_STORE_RECORD_IO_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "config_service/domain/common.h"
#include "config_service/store/store.h"
#include "google/protobuf/message.h"
#include "proto/sallyport/store/v1/records.pb.h"

namespace sallyport::store::internal {

// The binary form of `message`, the same bytes for the same message.
std::string Bytes(const google::protobuf::Message& message);

// RECORD_DAMAGED: "the stored record of RESOURCE WHY".
absl::Status Damaged(absl::string_view resource, absl::string_view why);

// Damaged() when `bytes` are no such message, or one with a field that this
// version does not know.
absl::Status ParseWhole(absl::string_view resource, absl::string_view bytes,
                        google::protobuf::Message& message);

template <typename T>
absl::StatusOr<T> ParseRecord(absl::string_view resource,
                              absl::string_view bytes) {
  T message;
  absl::Status status = ParseWhole(resource, bytes, message);
  if (!status.ok()) return status;
  return message;
}

// Nanoseconds since 1970; 0 for `none`.
int64_t ToNanos(absl::Time time, absl::Time none = absl::InfinitePast());
absl::Time FromNanos(int64_t nanos, absl::Time none = absl::InfinitePast());

void WriteMetadata(const domain::Metadata& from, v1::Metadata& to);
// With the etag and revision of `record`.
domain::Metadata ReadMetadata(const v1::Metadata& from, const Record& record);

// Reads a name that may be empty.
template <typename Name>
absl::Status ReadName(absl::string_view resource, absl::string_view text,
                      Name& name) {
  name = Name();
  if (text.empty()) return absl::OkStatus();
  absl::StatusOr<Name> parsed = Name::Parse(text);
  if (!parsed.ok()) return Damaged(resource, "names what is no resource");
  name = *std::move(parsed);
  return absl::OkStatus();
}

}  // namespace sallyport::store::internal

#endif  // SALLYPORT_CONFIG_SERVICE_STORE_RECORD_IO_H_
