// ConnectionRecord: what the validator leaves in a connection's filter state
// under kConnectionKey, for the HTTP filter of the same connection.
//
// The bytes never leave the process. The format (numbers big-endian):
//   "SPC3" | reason u8 | shadow u8 (255: none) | depth u8 (255: -1) | state id
//   u64 | lineage u64 | verified at i64 | recheck at i64 | chain digest 32 |
//   domain, detail (each u16 length and bytes) | cut short u8 (0, 1) | number
//   of certificates u8 | each: u32 length and DER.
// Times are nanoseconds since 1970; INT64_MAX is never.

#ifndef SALLYPORT_FILTERS_CERT_VALIDATOR_CONNECTION_RECORD_H_
#define SALLYPORT_FILTERS_CERT_VALIDATOR_CONNECTION_RECORD_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "pki/chain/verify.h"
#include "pki/x509/certificate.h"

namespace sallyport::cert_validator {

// Keys of the connection's filter state. The record:
inline constexpr absl::string_view kConnectionKey = "sallyport.connection";
// Texts for access logs, %FILTER_STATE(sallyport.reason:PLAIN)%: the verdict of
// the handshake and the names of the client's certificate. Printable ASCII.
inline constexpr absl::string_view kReasonKey = "sallyport.reason";
inline constexpr absl::string_view kDetailKey = "sallyport.detail";
inline constexpr absl::string_view kSubjectKey = "sallyport.subject";
inline constexpr absl::string_view kIssuerKey = "sallyport.issuer";
inline constexpr absl::string_view kSerialKey = "sallyport.serial";
inline constexpr absl::string_view kFingerprintKey = "sallyport.fingerprint";
inline constexpr absl::string_view kTruststoreKey = "sallyport.truststore";

// What a request needs as long as nothing changes. The views point into the
// bytes that were decoded, or, for Encode(), to wherever the caller has the
// text.
struct RecordHead {
  pki::Reason reason = pki::Reason::kConfigurationMissing;
  // What the shadow would have said; absent without one.
  absl::optional<pki::Reason> shadow;
  // Verdict::depth: of the certificate that the reason is about, or -1.
  int depth = -1;
  // TrustState::id() and lineage() of the state that gave the verdict. The id
  // is 0 when the domain had no trust (CONFIGURATION_MISSING).
  uint64_t state_id = 0;
  uint64_t lineage = 0;
  // When the verdict was given, and when it must be given again.
  absl::Time verified_at = absl::UnixEpoch();
  absl::Time recheck_at = absl::UnixEpoch();
  // ChainDigest() of the chain.
  pki::Sha256Digest chain_digest{};
  absl::string_view domain;
  absl::string_view detail;
};

struct ConnectionRecord : RecordHead {
  // DER, as the client sent them.
  std::vector<absl::string_view> chain;
  // `chain` is not all that the client sent, since that was over the limits:
  // nothing is to be verified with it. `chain_digest` is of all of it.
  bool cut_short = false;
};

// ChainDigest: SHA-256 over the certificates with their lengths, so that two
// chains have one digest only when they are equal one by one.
pki::Sha256Digest ChainDigest(absl::Span<const absl::string_view> chain);

// EncodeRecord: the bytes. Texts are cut to 65535 bytes. A chain of more than
// 255 certificates cannot be encoded: the result is empty then.
std::string EncodeRecord(const ConnectionRecord& record);

// DecodeRecord: false, with `out` in an unspecified state, for anything that
// EncodeRecord() did not make: another version, an unknown reason, a length
// that does not fit, bytes left over, a record without a chain.
bool DecodeRecord(absl::string_view bytes, ConnectionRecord& out);

// DecodeHead: the same without the chain, which is not looked at; allocates
// nothing.
bool DecodeHead(absl::string_view bytes, RecordHead& out);

}  // namespace sallyport::cert_validator

#endif  // SALLYPORT_FILTERS_CERT_VALIDATOR_CONNECTION_RECORD_H_
