#include "filters/mtls_http/resumed.h"

#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "filters/cert_validator/connection_record.h"
#include "filters/cert_validator/recent_map.h"
#include "filters/mtls_http/stream_access.h"
#include "filters/shim/buffers.h"

namespace sallyport::mtls_http {
namespace {

constexpr absl::string_view kXfcc = "x-forwarded-client-cert";

// The digest of the header's value and of the connection's own digest.
struct Key {
  pki::Sha256Digest digest;
  bool operator==(const Key& other) const { return digest == other.digest; }
  template <typename H>
  friend H AbslHashValue(H h, const Key& key) {
    uint64_t head;
    std::memcpy(&head, key.digest.data(), sizeof(head));
    return H::combine(std::move(h), head);
  }
};

}  // namespace

absl::StatusOr<std::shared_ptr<const ResumedChain>> ReadResumed(
    abi::HttpFilter* stream) {
  abi::EnvoyBuffer buffer{nullptr, 0};
  if (!envoy_dynamic_module_callback_http_filter_get_attribute_string(
          stream, abi::Attribute::kConnectionSha256PeerCertificate, &buffer) ||
      buffer.length == 0) {
    return absl::FailedPreconditionError(
        "the connection does not say which certificate its client has");
  }
  const std::string peer(shim::View(buffer));
  size_t count = 0;
  const absl::string_view value = GetHeader(stream, kXfcc, 0, &count);
  if (count != 1) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the request has ", count,
        " x-forwarded-client-cert headers in place of Envoy's own; the "
        "connection manager needs forward_client_cert_details: SANITIZE_SET "
        "and set_current_client_cert_details with cert and chain"));
  }
  static thread_local cert_validator::RecentMap<Key, ResumedChain> memory(
      kMaxRememberedResumed, kMaxRememberedResumedBytes);
  const Key key{pki::Sha256(absl::StrCat(peer, ";", value))};
  if (auto found = memory.Find(key)) return found;
  absl::StatusOr<forwarding::XfccChain> chain =
      forwarding::ReadXfccChain(value, peer);
  if (!chain.ok()) return chain.status();
  const pki::Sha256Digest digest =
      cert_validator::ChainDigest(chain->certificates());
  auto resumed = std::make_shared<const ResumedChain>(
      ResumedChain{*std::move(chain), digest});
  memory.Put(key, resumed, 512 + value.size());
  return std::shared_ptr<const ResumedChain>(std::move(resumed));
}

}  // namespace sallyport::mtls_http
