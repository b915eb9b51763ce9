// The HTTP filters of the module, behind Envoy's one set of hooks. Envoy names
// the filter (`filter_name`, `per_route_config_name`) and hands back pointers;
// here they are objects of the filter that was named.

#ifndef SALLYPORT_FILTERS_SHIM_HTTP_FILTER_H_
#define SALLYPORT_FILTERS_SHIM_HTTP_FILTER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "filters/abi/abi.h"

namespace sallyport::shim {

enum class EndOfStream { kNo, kYes };

// What came of a callout. Views, for as long as the hook runs.
struct CalloutEnd {
  uint64_t id = 0;
  abi::CalloutResult result = abi::CalloutResult::kReset;
  absl::Span<const abi::EnvoyHeader> headers;
  absl::Span<const abi::EnvoyBuffer> body;
};

// HttpStream: one filter of one stream, on the stream's worker only. A method
// may end the stream, and with it this object, before it returns. What throws
// ends in Refuse(), or in OnRequestTrailers() holding the trailers back.
class HttpStream {
 public:
  virtual ~HttpStream() = default;

  virtual abi::HeadersStatus OnRequestHeaders(abi::HttpFilter* stream,
                                              EndOfStream end) = 0;
  virtual abi::BodyStatus OnRequestBody(abi::HttpFilter* /*stream*/,
                                        EndOfStream /*end*/) {
    return abi::BodyStatus::kContinue;
  }
  virtual abi::TrailersStatus OnRequestTrailers(abi::HttpFilter* /*stream*/) {
    return abi::TrailersStatus::kContinue;
  }
  virtual void OnScheduled(abi::HttpFilter* /*stream*/) {}
  virtual void OnCalloutDone(abi::HttpFilter* /*stream*/,
                             const CalloutEnd& /*end*/) {}
  virtual void OnComplete() {}

  // Answers a request about which a hook failed, so that it does not go on.
  virtual void Refuse(abi::HttpFilter* stream) const = 0;
  // The details of the reset of a stream that OnScheduled() failed for.
  virtual absl::string_view ResetDetails() const = 0;
};

// HttpConfig: a filter's configuration. Thread-safe. Destroyed by the thread
// that drops the last use.
class HttpConfig {
 public:
  virtual ~HttpConfig() = default;
  // Never null.
  virtual std::unique_ptr<HttpStream> NewStream() const = 0;
  // Main thread; what was committed to a scheduler of the configuration.
  virtual void OnScheduled() const {}
};

// HttpRouteConfig: a route's. Immutable; thread-safe.
class HttpRouteConfig {
 public:
  virtual ~HttpRouteConfig() = default;
  // The name of the filter that it is for: the same pointer for the same
  // filter.
  virtual const char* filter_name() const = 0;
};

// HttpFilterType: how a filter's configurations are made. `name` lives on.
// Errors begin with the field.
struct HttpFilterType {
  const char* name;
  absl::StatusOr<std::unique_ptr<HttpConfig>> (*load)(
      abi::HttpFilterConfig* envoy_config, absl::string_view bytes);
  absl::StatusOr<std::unique_ptr<HttpRouteConfig>> (*load_route)(
      absl::string_view bytes);
};

// RegisterHttpFilter: makes the hooks know `type`. Before main(), or when the
// module is loaded; see below.
bool RegisterHttpFilter(const HttpFilterType& type);

// RouteConfigOf: the configuration of the request's route; null: none. Throws
// when the route's is that of another filter, so that nothing that was meant to
// be asked of a client is passed over.
const HttpRouteConfig* RouteConfigOf(abi::HttpFilter* stream,
                                     const char* filter_name);

// DefineCounter: Internal: Envoy did not define it.
absl::Status DefineCounter(abi::HttpFilterConfig* config,
                           absl::string_view name,
                           absl::Span<const absl::string_view> labels,
                           size_t& id);

}  // namespace sallyport::shim

#endif  // SALLYPORT_FILTERS_SHIM_HTTP_FILTER_H_
