#include "filters/mtls_http/stream.h"

#include <algorithm>

namespace sallyport::mtls_http {

Stream::~Stream() {
  // First: it posts to the scheduler.
  watch_.reset();
  if (scheduler_ != nullptr) {
    envoy_dynamic_module_callback_http_filter_scheduler_delete(scheduler_);
  }
}

abi::HeadersStatus Stream::OnRequestHeaders(abi::HttpFilter* stream,
                                            absl::Time now) {
  // An answer may end this object.
  const std::shared_ptr<const Filter> filter = filter_;
  const uint64_t seen = filter->trust()->changes();
  Filter::Result result = filter->OnRequestHeaders(stream, now);
  if (result.status != abi::HeadersStatus::kContinue) return result.status;
  if (result.trusted && filter->end_streams_after().has_value()) {
    resumed_ = std::move(result.identity.resumed);
    rules_ = std::move(result.rules);
    Watch(stream, seen, result.identity.decision.recheck_at);
  }
  return result.status;
}

void Stream::OnScheduled(abi::HttpFilter* stream, absl::Time now) {
  if (watch_ == nullptr) return;
  const uint64_t seen = filter_->trust()->changes();
  const cert_validator::Decision decision =
      filter_->DecideAgain(stream, resumed_.get(), rules_.get(), now);
  if (decision.trusted()) {
    lost_at_ = absl::InfiniteFuture();
    Watch(stream, seen, decision.recheck_at);
    return;
  }
  lost_at_ = std::min(lost_at_, now);
  const absl::Time end_at = lost_at_ + *filter_->end_streams_after();
  if (now < end_at) {
    // The trust may come back until then.
    Watch(stream, seen, std::min(end_at, decision.recheck_at));
    return;
  }
  watch_.reset();
  const std::shared_ptr<const Filter> filter = filter_;
  filter->EndStream(stream, decision);
}

void Stream::Watch(abi::HttpFilter* stream, uint64_t seen, absl::Time at) {
  if (scheduler_ == nullptr) {
    scheduler_ =
        envoy_dynamic_module_callback_http_filter_scheduler_new(stream);
  }
  watch_ = std::make_unique<cert_validator::TrustWatch>(
      filter_->trust(), seen, at, [scheduler = scheduler_] {
        envoy_dynamic_module_callback_http_filter_scheduler_commit(scheduler,
                                                                   0);
      });
}

}  // namespace sallyport::mtls_http
