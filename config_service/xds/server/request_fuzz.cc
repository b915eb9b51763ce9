// What both parsers make of any bytes is what the generated messages make of
// them, where those take them at all.

#include <cstdlib>
#include <string>

#include "config_service/xds/server/request.h"
#include "envoy/service/discovery/v3/discovery.pb.h"

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

template <typename Strings>
bool Same(const std::vector<absl::string_view>& views, const Strings& strings) {
  if (static_cast<int>(views.size()) != strings.size()) return false;
  for (size_t i = 0; i < views.size(); ++i) {
    if (views[i] != strings[static_cast<int>(i)]) return false;
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);

  envoy::service::discovery::v3::DeltaDiscoveryRequest delta;
  if (delta.ParseFromArray(data, static_cast<int>(size))) {
    const auto request = sallyport::xds::ParseDeltaRequest(bytes);
    Require(request.ok());
    Require(request->type_url == delta.type_url());
    Require(request->nonce == delta.response_nonce());
    Require(request->refused == delta.has_error_detail());
    Require(Same(request->subscribe, delta.resource_names_subscribe()));
    Require(Same(request->unsubscribe, delta.resource_names_unsubscribe()));
    Require(request->has_node == delta.has_node());
    Require(request->node.id == delta.node().id());
    Require(request->node.cluster == delta.node().cluster());
    // Of a key that comes twice, the last value counts, as it does where the
    // versions are taken over.
    for (const auto& [name, version] : request->versions) {
      Require(delta.initial_resource_versions().count(std::string(name)) == 1);
    }
  } else {
    // It may be stricter (UTF-8, depth), never crash.
    (void)sallyport::xds::ParseDeltaRequest(bytes);
  }

  envoy::service::discovery::v3::DiscoveryRequest sotw;
  if (sotw.ParseFromArray(data, static_cast<int>(size))) {
    const auto request = sallyport::xds::ParseSotwRequest(bytes);
    Require(request.ok());
    Require(request->type_url == sotw.type_url());
    Require(request->nonce == sotw.response_nonce());
    Require(request->version_info == sotw.version_info());
    Require(request->refused == sotw.has_error_detail());
    Require(Same(request->names, sotw.resource_names()));
    Require(request->node.id == sotw.node().id());
  } else {
    (void)sallyport::xds::ParseSotwRequest(bytes);
  }
  return 0;
}
