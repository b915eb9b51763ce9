// UploadPace: how long an upload is waited for as a whole. Each of its messages
// has the client's time-out; who sends a byte now and then would hold a place
// (and the only one of ImportState) for as long as it likes.

#ifndef SALLYPORT_CONFIG_SERVICE_API_UPLOAD_PACE_H_
#define SALLYPORT_CONFIG_SERVICE_API_UPLOAD_PACE_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "config_service/api/open_calls.h"

namespace sallyport::api {

// What a client must send on average, beside the time-out for one message that
// it has once more for all of them.
constexpr double kMinUploadBytesPerSecond = 16 << 10;

// client_timeout of the call of this thread (open_calls.cc); without a call,
// kClientTimeout.
absl::Duration ClientTimeoutOfCall();

// Only waiting counts, not what the service does with what arrives.
// Thread-compatible.
class UploadPace {
 public:
  explicit UploadPace(absl::Duration allowance = ClientTimeoutOfCall())
      : allowance_(allowance) {}

  // Reads the next message. False: there is none, or status() says why it does
  // not count any more.
  template <typename Reader, typename Message>
  bool Read(Reader& reader, Message* message) {
    const absl::Time began = absl::Now();
    const bool read = ReadInTime(reader, message);
    return Took(absl::Now() - began, read ? message->ByteSizeLong() : 0) &&
           read;
  }

  // UPLOAD_INVALID: it comes too slowly.
  absl::Status status() const;

  // A message of that size was waited for. False: it comes too slowly.
  bool Took(absl::Duration waited, size_t bytes);

 private:
  const absl::Duration allowance_;
  absl::Duration waited_ = absl::ZeroDuration();
  uint64_t received_ = 0;
};

}  // namespace sallyport::api

#endif  // SALLYPORT_CONFIG_SERVICE_API_UPLOAD_PACE_H_
