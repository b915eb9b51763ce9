// Limits of the console.

#ifndef SALLYPORT_CONFIG_SERVICE_CONSOLE_LIMITS_H_
#define SALLYPORT_CONFIG_SERVICE_CONSOLE_LIMITS_H_

#include <cstddef>

#include "absl/time/time.h"

namespace sallyport::console {

// Sessions of all, and of one principal: one more ends that principal's oldest.
constexpr size_t kMaxSessions = 1000;
constexpr size_t kMaxSessionsOfPrincipal = 16;
// A session ends when nothing has been asked for so long, and in any case.
// Looking for news is no question.
constexpr absl::Duration kIdleTime = absl::Minutes(30);
constexpr absl::Duration kSessionTime = absl::Hours(8);

// Of a token that somebody signs in with.
constexpr size_t kMaxTokenBytes = 512;
// Of a request's body: a truststore of 1 MiB in base64, and some.
constexpr size_t kMaxBodyBytes = size_t{2} << 20;
// Of an answer of the API.
constexpr int kMaxAnswerBytes = 16 << 20;

// A call; sending a test request to a slow backend takes a while.
constexpr absl::Duration kCallTimeout = absl::Seconds(60);

// Requests that wait for events, of all and of one principal. More get 429, and
// look again later.
constexpr int kMaxWaits = 8;
constexpr int kMaxWaitsOfPrincipal = 3;
// How long they wait for the first event, how long for more, and for how many.
constexpr absl::Duration kWaitTime = absl::Seconds(20);
constexpr absl::Duration kGatherTime = absl::Milliseconds(100);
constexpr int kMaxEvents = 100;

}  // namespace sallyport::console

#endif  // SALLYPORT_CONFIG_SERVICE_CONSOLE_LIMITS_H_
