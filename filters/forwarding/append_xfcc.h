// AppendXfcc: our element of x-forwarded-client-cert after those of a trusted
// proxy (Forwarding.trusted_proxy).
//
// Envoy replaces the header before any filter sees it; its connection manager
// saves what came in under kInboundXfccHeader (docs/headers.md has the
// configuration).
//
// A pure function; thread-safe.

#ifndef SALLYPORT_FILTERS_FORWARDING_APPEND_XFCC_H_
#define SALLYPORT_FILTERS_FORWARDING_APPEND_XFCC_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"
#include "filters/forwarding/forwarding.h"

namespace sallyport::forwarding {

// Where the connection manager saves x-forwarded-client-cert. Removed from
// every request like the rest of x-sallyport-*.
inline constexpr absl::string_view kInboundXfccHeader =
    "x-sallyport-inbound-xfcc";

// What became of the inbound value.
enum class InboundXfcc {
  kNone,  // it is empty: nothing to do
  kKept,
  kMalformed,  // left out
  kTooLarge,   // left out: over the budget with ours
};

// AppendXfcc: with kKept, `value` is what to send in place of our
// x-forwarded-client-cert of `ours` (Encode()'s for this connection); else it
// is not changed. With kMalformed and kTooLarge send
// `x-sallyport-forwarding: truncated` beside ours, since a backend would
// otherwise take the proxy for the first in the line.
//
// An inbound value is kept if it is one or more elements of one or more
// KEY=VALUE, in printable ASCII, in which every way to read quotes and
// backslashes ends each value at the same place, so that ours is read as an
// element of its own, the last, whatever came before it: a quoted value has no
// backslash pair before a quote, and one without quotes has neither quotes nor
// backslashes. Blanks around elements are allowed.
//
// The budget counts `ours` and the inbound value. Our element is never left
// out for it; when Encode() had to leave it out whole, the inbound value is
// too.
//
// `inbound`: the values of kInboundXfccHeader, joined by ','. Cost: linear in
// it, and nothing over max_header_bytes is read.
InboundXfcc AppendXfcc(absl::string_view inbound, const Forwarded& ours,
                       size_t max_header_bytes, std::string* value);

}  // namespace sallyport::forwarding

#endif  // SALLYPORT_FILTERS_FORWARDING_APPEND_XFCC_H_
