// Stream: the filter of one HTTP stream in Envoy.

#ifndef SALLYPORT_FILTERS_MTLS_HTTP_STREAM_H_
#define SALLYPORT_FILTERS_MTLS_HTTP_STREAM_H_

#include <cstdint>
#include <memory>
#include <utility>

#include "absl/time/time.h"
#include "filters/abi/abi.h"
#include "filters/cert_validator/trust_watch.h"
#include "filters/mtls_http/filter.h"
#include "filters/mtls_http/resumed.h"

namespace sallyport::mtls_http {

// On the stream's worker only. Each method may end the stream, and with it this
// object, before it returns: the caller does not touch it afterwards.
class Stream {
 public:
  // Holds the configuration, so that neither order of their ends matters.
  explicit Stream(std::shared_ptr<const Filter> filter)
      : filter_(std::move(filter)) {}
  ~Stream();
  Stream(const Stream&) = delete;

  abi::HeadersStatus OnRequestHeaders(abi::HttpFilter* stream, absl::Time now);
  bool OnRequestTrailers(abi::HttpFilter* stream) const {
    return filter_->OnRequestTrailers(stream);
  }
  // The trust of the domain, or the time, has moved on.
  void OnScheduled(abi::HttpFilter* stream, absl::Time now);
  // No event is wanted any more.
  void OnComplete() { watch_.reset(); }

 private:
  // Asks for OnScheduled() as soon as the domain's trust is another than at
  // `seen` changes(), at `at` at the latest.
  void Watch(abi::HttpFilter* stream, uint64_t seen, absl::Time at);

  const std::shared_ptr<const Filter> filter_;
  std::shared_ptr<const ResumedChain> resumed_;
  std::unique_ptr<const Filter::Rules> rules_;  // null: none
  // Since when the client is not trusted; InfiniteFuture: it is.
  absl::Time lost_at_ = absl::InfiniteFuture();
  abi::HttpFilterScheduler* scheduler_ = nullptr;
  std::unique_ptr<cert_validator::TrustWatch> watch_;
};

}  // namespace sallyport::mtls_http

#endif  // SALLYPORT_FILTERS_MTLS_HTTP_STREAM_H_
