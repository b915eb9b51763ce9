// Reading PEM (RFC 7468, read leniently): blocks in any order, text between
// them, CRLF or LF or CR, a byte order mark, trailing blanks.

#ifndef SALLYPORT_PKI_X509_PEM_H_
#define SALLYPORT_PKI_X509_PEM_H_

#include <cstddef>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/strings/string_view.h"

namespace sallyport::pki {

// Where and why PEM could not be read. `message` never holds contents of the
// input other than a block's label made printable.
struct PemError {
  enum class Reason {
    kNone,
    kTruncated,   // BEGIN without END
    kUnmatched,   // END without BEGIN, another label, or BEGIN in a block
    kBadBase64,   // not base64, or wrong padding
    kEmptyBlock,  // nothing between BEGIN and END
    kEncrypted,   // RFC 1421 headers
    kTooLarge,    // one block over its limit
    kStopped,     // the callback said stop
  };
  Reason reason = Reason::kNone;
  size_t index = 0;  // number of the block, from 1
  size_t line = 0;   // line of the block's BEGIN (or of the stray END), from 1
  std::string message;

  bool ok() const { return reason == Reason::kNone; }
};

struct PemBlock {
  absl::string_view label;  // "CERTIFICATE"
  size_t index;             // from 1
  size_t line;              // of the BEGIN line, from 1
  absl::string_view data;   // decoded; valid during the callback only
};

// Calls `on_block` for each block in order until it returns false or an error
// is met. Time is linear in pem.size(); memory is one block. Lines that only
// look like a BEGIN ("-----BEGIN" with no closing dashes) are errors, not
// text, so that a damaged bundle never loses a certificate silently.
PemError ReadPem(absl::string_view pem, size_t max_block_bytes,
                 absl::FunctionRef<bool(const PemBlock&)> on_block);

// One block: label, 64 columns, LF, final newline.
std::string WritePem(absl::string_view label, absl::string_view der);

}  // namespace sallyport::pki

#endif  // SALLYPORT_PKI_X509_PEM_H_
