#include "config_service/xds/cache/resource.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "config_service/xds/cache/limits.h"
#include "config_service/xds/cache/wire.h"
#include "pki/x509/certificate.h"
#include "pki/x509/distinguished_name.h"

namespace sallyport::xds {
namespace {

// Field numbers of envoy.service.discovery.v3.Resource and
// google.protobuf.Any. `resources` is field 2 of both kinds of response, and
// the resource itself is field 2 of Resource, so that the entry of the one
// contains the entry of the other.
constexpr int kResponseResources = 2;
constexpr int kResourceVersion = 1;
constexpr int kResourceResource = 2;
constexpr int kResourceName = 3;
constexpr int kAnyTypeUrl = 1;
constexpr int kAnyValue = 2;
static_assert(kResponseResources == kResourceResource);

constexpr absl::string_view kTypeUrls[kNumResourceTypes] = {
    "type.googleapis.com/envoy.service.runtime.v3.Runtime",
    "type.googleapis.com/envoy.config.cluster.v3.Cluster",
    "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
    "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret",
    "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
    "type.googleapis.com/envoy.config.listener.v3.FilterChain",
    "type.googleapis.com/envoy.config.listener.v3.Listener",
    "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
};

absl::uint128 Version(ResourceType type, absl::string_view name,
                      absl::string_view message) {
  // The inner digest keeps a large message from being copied, and the lengths
  // apart.
  const pki::Sha256Digest content = pki::Sha256(message);
  const pki::Sha256Digest digest = pki::Sha256(absl::StrCat(
      TypeUrl(type), absl::string_view("\0", 1), pki::AsBytes(content), name));
  absl::uint128 version = 0;
  for (int i = 0; i < 16; ++i) version = (version << 8) | digest[i];
  return version;
}

}  // namespace

absl::string_view TypeUrl(ResourceType type) {
  return kTypeUrls[static_cast<size_t>(type)];
}

absl::string_view TypeName(ResourceType type) {
  const absl::string_view url = TypeUrl(type);
  return url.substr(url.rfind('.') + 1);
}

std::optional<ResourceType> FindResourceType(absl::string_view type_url) {
  for (size_t i = 0; i < kNumResourceTypes; ++i) {
    if (kTypeUrls[i] == type_url) return static_cast<ResourceType>(i);
  }
  return std::nullopt;
}

std::string VersionText(absl::uint128 version) {
  char bytes[16];
  for (int i = 15; i >= 0; --i, version >>= 8) {
    bytes[i] = static_cast<char>(absl::Uint128Low64(version) & 0xff);
  }
  return absl::WebSafeBase64Escape(absl::string_view(bytes, sizeof(bytes)));
}

bool IsResourceName(absl::string_view name) {
  return !name.empty() && name.size() <= kMaxResourceNameBytes && name != "*" &&
         pki::IsUtf8(name);
}

absl::StatusOr<ResourcePtr> Resource::Make(ResourceType type,
                                           absl::string_view name,
                                           absl::string_view message) {
  if (!IsResourceName(name)) {
    return absl::InvalidArgumentError(
        absl::StrCat(TypeName(type), " \"", Printable(name, 100),
                     "\": a resource's name is 1 to ", kMaxResourceNameBytes,
                     " bytes of UTF-8, and not \"*\"."));
  }
  if (message.size() > kMaxResourceBytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        TypeName(type), " \"", Printable(name, 100), "\" has ", message.size(),
        " bytes; at most ", kMaxResourceBytes, " can be sent."));
  }

  std::shared_ptr<Resource> made(new Resource());
  made->type_ = type;
  made->name_ = std::string(name);
  made->version_number_ = Version(type, name, message);
  made->version_ = VersionText(made->version_number_);

  const absl::string_view type_url = TypeUrl(type);
  const size_t any_size = BytesFieldSize(kAnyTypeUrl, type_url.size()) +
                          BytesFieldSize(kAnyValue, message.size());
  const size_t resource_size =
      BytesFieldSize(kResourceVersion, made->version_.size()) +
      BytesFieldSize(kResourceResource, any_size) +
      BytesFieldSize(kResourceName, name.size());

  std::string wire;
  wire.reserve(BytesFieldSize(kResponseResources, resource_size));
  AppendLength(kResponseResources, resource_size, &wire);
  AppendBytes(kResourceVersion, made->version_, &wire);
  made->any_offset_ = wire.size();
  AppendLength(kResourceResource, any_size, &wire);
  AppendBytes(kAnyTypeUrl, type_url, &wire);
  AppendLength(kAnyValue, message.size(), &wire);
  made->message_offset_ = wire.size();
  made->message_size_ = message.size();
  wire.append(message.data(), message.size());
  made->any_size_ = wire.size() - made->any_offset_;
  AppendBytes(kResourceName, name, &wire);
  made->wire_ = std::make_shared<const std::string>(std::move(wire));
  return ResourcePtr(std::move(made));
}

Resource::~Resource() { delete wrapper_.load(std::memory_order_acquire); }

absl::string_view Resource::message() const {
  return absl::string_view(*wire_).substr(message_offset_, message_size_);
}

const Wrapper* Resource::SetWrapper(
    std::unique_ptr<const Wrapper> wrapper) const {
  const Wrapper* expected = nullptr;
  const Wrapper* given = wrapper.get();
  if (wrapper_.compare_exchange_strong(expected, given,
                                       std::memory_order_acq_rel)) {
    return wrapper.release();
  }
  return expected;
}

}  // namespace sallyport::xds
