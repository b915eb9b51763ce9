// Resource: one xDS resource in the form in which it is sent, made once and
// shared by every stream that sends it.
//
// This room knows resources as (type, name, version, bytes) only. What is in
// them is the business of xds/translate.

#ifndef SALLYPORT_CONFIG_SERVICE_XDS_CACHE_RESOURCE_H_
#define SALLYPORT_CONFIG_SERVICE_XDS_CACHE_RESOURCE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/numeric/int128.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sallyport::xds {

// The types that are served, in the order in which a stream sends additions
// and changes: what is referred to comes before what refers to it. Removals go
// in reverse. Values are array indices.
enum class ResourceType : uint8_t {
  kRuntime,
  kCluster,
  kEndpoints,
  kSecret,
  kExtensionConfig,
  kFilterChain,
  kListener,
  kRouteConfiguration,
};
constexpr size_t kNumResourceTypes = 8;

// TypeUrl: "type.googleapis.com/envoy.config.cluster.v3.Cluster" and so on.
absl::string_view TypeUrl(ResourceType type);

// TypeName: the last word of the type URL, "Cluster", for people and metrics.
absl::string_view TypeName(ResourceType type);

// FindResourceType: nothing when the URL is none of the above.
std::optional<ResourceType> FindResourceType(absl::string_view type_url);

// Bytes of a resource, kept alive by whoever still has to send them.
using SharedBytes = std::shared_ptr<const std::string>;

// Wrapper: what a transport keeps with a resource, so that it need not wrap
// the same bytes for each stream anew (a gRPC slice, say).
class Wrapper {
 public:
  virtual ~Wrapper() = default;
};

// Resource: immutable and thread-safe.
//
// Its version is a function of type, name and content alone, so it is the same
// after a restart and in every replica: a proxy that comes back and names the
// versions it has is sent nothing that it has already.
class Resource {
 public:
  // `message` is the serialised resource, a message of the type's own kind; it
  // must be serialised deterministically, or versions move without reason.
  // Fails with InvalidArgument when `name` is empty, longer than
  // kMaxResourceNameBytes, not UTF-8 or "*", and when the whole is larger than
  // kMaxResourceBytes (limits.h).
  static absl::StatusOr<std::shared_ptr<const Resource>> Make(
      ResourceType type, absl::string_view name, absl::string_view message);

  Resource(const Resource&) = delete;
  Resource& operator=(const Resource&) = delete;
  ~Resource();

  ResourceType type() const { return type_; }
  const std::string& name() const { return name_; }
  // 22 characters of base64url: 128 bits of a SHA-256.
  const std::string& version() const { return version_; }

  // The same as a number.
  absl::uint128 version_number() const { return version_number_; }

  // A `resources` entry of a DeltaDiscoveryResponse, tag and length included:
  // append it to a response as it is.
  const SharedBytes& wire() const { return wire_; }
  // Where in wire() the same resource stands as a `resources` entry of a
  // DiscoveryResponse, tag and length included.
  size_t any_offset() const { return any_offset_; }
  size_t any_size() const { return any_size_; }

  // The serialised message itself, for tools and tests; lives as long as this.
  absl::string_view message() const;

  // The transport's wrapper of wire(): null until it is set. SetWrapper keeps
  // the first one that is set and returns that.
  const Wrapper* wrapper() const {
    return wrapper_.load(std::memory_order_acquire);
  }
  const Wrapper* SetWrapper(std::unique_ptr<const Wrapper> wrapper) const;

 private:
  Resource() = default;

  ResourceType type_ = ResourceType::kCluster;
  std::string name_;
  std::string version_;
  absl::uint128 version_number_ = 0;
  SharedBytes wire_;
  size_t any_offset_ = 0;
  size_t any_size_ = 0;
  size_t message_offset_ = 0;
  size_t message_size_ = 0;
  mutable std::atomic<const Wrapper*> wrapper_{nullptr};
};

using ResourcePtr = std::shared_ptr<const Resource>;

// VersionText: 22 characters of base64url.
std::string VersionText(absl::uint128 version);

// IsResourceName: what Resource::Make takes as a name.
bool IsResourceName(absl::string_view name);

}  // namespace sallyport::xds

#endif  // SALLYPORT_CONFIG_SERVICE_XDS_CACHE_RESOURCE_H_
