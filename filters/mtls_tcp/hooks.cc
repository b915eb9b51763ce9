// The hooks of the network filter `sallyport.mtls_tcp`.

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "filters/abi/abi.h"
#include "filters/mtls_tcp/filter.h"
#include "filters/shim/barrier.h"
#include "filters/shim/buffers.h"
#include "filters/shim/clock.h"
#include "filters/shim/config.h"
#include "filters/shim/log.h"
#include "proto/sallyport/filter/v1/config.pb.h"

namespace sallyport::mtls_tcp {
namespace {

constexpr absl::string_view kName = "sallyport.mtls_tcp";

// What Envoy holds for a configuration.
using Handle = std::shared_ptr<const Filter>;

const Handle* ConfigOf(const void* handle) {
  return static_cast<const Handle*>(handle);
}

// What Envoy holds for a connection. Only its worker has it.
Connection* ConnectionOf(const void* handle) {
  return static_cast<Connection*>(const_cast<void*>(handle));
}

shim::HookSite config_new_site("network_filter_config_new");
shim::HookSite config_destroy_site("network_filter_config_destroy");
shim::HookSite new_site("network_filter_new");
shim::HookSite new_connection_site("network_filter_new_connection");
shim::HookSite read_site("network_filter_read");
shim::HookSite write_site("network_filter_write");
shim::HookSite event_site("network_filter_event");
shim::HookSite scheduled_site("network_filter_scheduled");
shim::HookSite destroy_site("network_filter_destroy");
shim::HookSite close_site("network_filter (closing)");

absl::StatusOr<Handle> Load(abi::NetworkFilterConfig* envoy_config,
                            absl::string_view name, absl::string_view bytes) {
  filter::v1::MutualTlsTcp config;
  SALLYPORT_RETURN_IF_ERROR(
      shim::ReadNamedConfig("filter_name", name, kName, bytes, config));
  return Filter::Create(config, envoy_config);
}

const void* ConfigNew(abi::NetworkFilterConfig* envoy_config,
                      absl::string_view name, absl::string_view bytes) {
  absl::StatusOr<Handle> filter = Load(envoy_config, name, bytes);
  if (!filter.ok()) {
    shim::LogRefused(absl::StrCat(kName, ": configuration"), filter.status());
    return nullptr;
  }
  return new Handle(*std::move(filter));
}

// Ends what cannot be judged.
void Abandon(abi::NetworkFilter* envoy_filter, const void* filter) noexcept {
  shim::GuardedVoid(close_site, [&] {
    if (filter != nullptr) {
      ConnectionOf(filter)->Fail();
    } else if (envoy_filter != nullptr) {
      Close(envoy_filter, "sallyport_denied{INTERNAL_ERROR}");
    }
  });
}

// Runs `body` with the connection. When that throws, or there is no
// connection, Envoy's connection is closed and nothing goes on.
template <typename Body>
abi::NetworkStatus ForConnection(shim::HookSite& site,
                                 abi::NetworkFilter* envoy_filter,
                                 const void* filter, Body&& body) noexcept {
  // A value that no answer has marks the failure.
  constexpr auto kFailed = static_cast<abi::NetworkStatus>(~uint32_t{0});
  const abi::NetworkStatus status = shim::Guarded(site, kFailed, [&] {
    if (envoy_filter == nullptr || filter == nullptr) return kFailed;
    return body(*ConnectionOf(filter));
  });
  if (status != kFailed) return status;
  Abandon(envoy_filter, filter);
  return abi::NetworkStatus::kStopIteration;
}

}  // namespace
}  // namespace sallyport::mtls_tcp

namespace sp = sallyport::mtls_tcp;
namespace shim = sallyport::shim;
namespace sabi = sallyport::abi;

extern "C" {

const void* envoy_dynamic_module_on_network_filter_config_new(
    sabi::NetworkFilterConfig* envoy_config, sabi::EnvoyBuffer name,
    sabi::EnvoyBuffer config) {
  return shim::Guarded<const void*>(sp::config_new_site, nullptr, [&] {
    return sp::ConfigNew(envoy_config, shim::View(name), shim::View(config));
  });
}

void envoy_dynamic_module_on_network_filter_config_destroy(const void* config) {
  shim::GuardedVoid(sp::config_destroy_site,
                    [&] { delete sp::ConfigOf(config); });
}

const void* envoy_dynamic_module_on_network_filter_new(
    const void* config, sabi::NetworkFilter* envoy_filter) {
  return shim::Guarded<const void*>(
      sp::new_site, nullptr, [&]() -> const void* {
        if (config == nullptr || envoy_filter == nullptr) return nullptr;
        return new sp::Connection(*sp::ConfigOf(config), envoy_filter);
      });
}

void envoy_dynamic_module_on_network_filter_destroy(const void* filter) {
  shim::GuardedVoid(sp::destroy_site, [&] { delete sp::ConnectionOf(filter); });
}

sabi::NetworkStatus envoy_dynamic_module_on_network_filter_new_connection(
    sabi::NetworkFilter* envoy_filter, const void* filter) {
  return sp::ForConnection(
      sp::new_connection_site, envoy_filter, filter,
      [](sp::Connection& c) { return c.OnNewConnection(); });
}

sabi::NetworkStatus envoy_dynamic_module_on_network_filter_read(
    sabi::NetworkFilter* envoy_filter, const void* filter,
    size_t /*data_length*/, bool /*end_of_stream*/) {
  return sp::ForConnection(
      sp::read_site, envoy_filter, filter,
      [](sp::Connection& c) { return c.OnRead(shim::ModuleClock().Now()); });
}

sabi::NetworkStatus envoy_dynamic_module_on_network_filter_write(
    sabi::NetworkFilter* envoy_filter, const void* filter,
    size_t /*data_length*/, bool /*end_of_stream*/) {
  return sp::ForConnection(sp::write_site, envoy_filter, filter,
                           [](sp::Connection& c) { return c.OnWrite(); });
}

void envoy_dynamic_module_on_network_filter_event(
    sabi::NetworkFilter* envoy_filter, const void* filter,
    sabi::ConnectionEvent event) {
  sp::ForConnection(sp::event_site, envoy_filter, filter,
                    [event](sp::Connection& c) {
                      c.OnEvent(event, shim::ModuleClock().Now());
                      return sabi::NetworkStatus::kContinue;
                    });
}

void envoy_dynamic_module_on_network_filter_scheduled(
    sabi::NetworkFilter* envoy_filter, const void* filter,
    uint64_t /*event_id*/) {
  sp::ForConnection(sp::scheduled_site, envoy_filter, filter,
                    [](sp::Connection& c) {
                      c.OnScheduled(shim::ModuleClock().Now());
                      return sabi::NetworkStatus::kContinue;
                    });
}

}  // extern "C"
