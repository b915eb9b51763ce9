// The largest values that settings may have. Defaults are in base/limits.h.

#ifndef SALLYPORT_SETTINGS_LIMITS_H_
#define SALLYPORT_SETTINGS_LIMITS_H_

#include <cstddef>

#include "absl/time/time.h"

namespace sallyport::settings {

// Truststores of one domain.
constexpr size_t kMaxTruststores = 32;

// VerifyLimits. max_chain_length: limits::kMaxConfigurableChainLength.
constexpr size_t kMaxConfigurableClientCertificates = 100;
constexpr size_t kMaxConfigurableClientChainBytes = size_t{1} << 20;
constexpr size_t kMaxConfigurableSignatureChecks = 10000;
constexpr size_t kMaxConfigurablePathIterations = 100000;
constexpr size_t kMaxConfigurableVerifiedPaths = 10000;
constexpr size_t kMaxConfigurableSentNameChecks = 1000000;

// MutualTls.end_streams_after, MutualTlsTcp.end_after.
constexpr absl::Duration kMaxEndAfter = absl::Hours(24);

}  // namespace sallyport::settings

#endif  // SALLYPORT_SETTINGS_LIMITS_H_
