#include "config_service/store/node_record.h"

#include <cstddef>

#include "base/status_macros.h"
#include "config_service/store/record_io.h"
#include "proto/sallyport/store/v1/node.pb.h"

namespace sallyport::store {
namespace {

constexpr size_t kSha256Bytes = 32;

}  // namespace

std::string Encode(const RevokedNode& node) {
  v1::Node out;
  out.set_revoke_time(internal::ToNanos(node.revoke_time));
  for (const std::string& sha256 : node.issued_since) {
    out.add_issued_since(sha256);
  }
  return internal::Bytes(out);
}

absl::StatusOr<RevokedNode> DecodeRevokedNode(absl::string_view resource,
                                              const std::string& value) {
  SALLYPORT_ASSIGN_OR_RETURN(const v1::Node in,
                             internal::ParseRecord<v1::Node>(resource, value));
  RevokedNode out;
  out.revoke_time = internal::FromNanos(in.revoke_time());
  for (const std::string& sha256 : in.issued_since()) {
    if (sha256.size() != kSha256Bytes) {
      return internal::Damaged(resource, "has a digest that is none");
    }
    out.issued_since.push_back(sha256);
  }
  return out;
}

}  // namespace sallyport::store
