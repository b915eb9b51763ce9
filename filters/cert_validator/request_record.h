// RequestRecord: what `sallyport.mtls` leaves in the filter state of a request
// that it lets go on, for filters of the module that come after it. Its
// presence proves that the filter was there.
//
// The bytes never leave the process. The format: "SPR1" | reason u8 | length of
// domain u8 | domain | DER of the client's own certificate.

#ifndef SALLYPORT_FILTERS_CERT_VALIDATOR_REQUEST_RECORD_H_
#define SALLYPORT_FILTERS_CERT_VALIDATOR_REQUEST_RECORD_H_

#include <string>

#include "absl/strings/string_view.h"
#include "pki/chain/verify.h"

namespace sallyport::cert_validator {

// The key in the request's filter state.
inline constexpr absl::string_view kRequestKey = "sallyport.request";

struct RequestRecord {
  // The verdict for this request: kTrusted; kNoCertificate where none is
  // needed; or, in the rejection style PASS, why the client is not trusted.
  pki::Reason reason = pki::Reason::kConfigurationMissing;
  // The domain of the filter.
  absl::string_view domain;
  // The client's own certificate, DER; empty: it sent none, or one that cannot
  // be read.
  absl::string_view leaf;
};

// EncodeRequestRecord: the bytes; `domain` has at most 255.
std::string EncodeRequestRecord(const RequestRecord& record);

// DecodeRequestRecord: views into `bytes`. False, with `out` in an unspecified
// state, for anything that EncodeRequestRecord() did not make.
bool DecodeRequestRecord(absl::string_view bytes, RequestRecord& out);

// RequestRecordReader: while one lives, in any configuration of the process,
// records are written. Thread-safe.
class RequestRecordReader {
 public:
  RequestRecordReader();
  ~RequestRecordReader();
  RequestRecordReader(const RequestRecordReader&) = delete;
  RequestRecordReader& operator=(const RequestRecordReader&) = delete;

  // Whether there is any.
  static bool Any();
};

}  // namespace sallyport::cert_validator

#endif  // SALLYPORT_FILTERS_CERT_VALIDATOR_REQUEST_RECORD_H_
