// Telling the backend who the client is, and keeping the client from telling
// it: which headers are removed from every request, and how the client's
// certificate is written in the dialects of Envoy, RFC 9440 and AWS.
//
// Pure functions of their arguments: no I/O, no globals, no clock, no Envoy.
// Everything here is thread-safe.
//
// What every encoder keeps to, whatever bytes a certificate holds: a value is
// printable ASCII (0x20 to 0x7e), neither begins nor ends with a blank, and a
// backend that reads it by the dialect's own rules finds exactly one client
// and exactly the fields that were put in.

#ifndef SALLYPORT_FILTERS_FORWARDING_FORWARDING_H_
#define SALLYPORT_FILTERS_FORWARDING_FORWARDING_H_

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "pki/x509/certificate.h"
#include "proto/sallyport/filter/v1/config.pb.h"

namespace sallyport::forwarding {

// The certificates that a client sent, its own first. None is null.
using Chain = absl::Span<const std::shared_ptr<const pki::Certificate>>;

// One header to add. `name` is in lower case.
struct Header {
  std::string name;
  std::string value;
};

// Our own headers.
constexpr absl::string_view kNoteHeader = "x-sallyport-forwarding";
constexpr absl::string_view kNoteTruncated = "truncated";
constexpr absl::string_view kTruststoreHeader = "x-sallyport-truststore";

// Forwarding.max_header_bytes: its default, and the least that is accepted
// (the note alone takes 31).
constexpr size_t kDefaultMaxHeaderBytes = 16384;
constexpr size_t kMinMaxHeaderBytes = 64;

// HeaderFilter: which request headers a client must not send. The names are
// those of kKnownHeaders (known_headers.h) and the operator's own.
//
// Names are compared the way the most lenient backends read them: in any
// case, and with every character that is neither a letter nor a digit taken
// for '-' (CGI and its descendants write both `Client-Cert` and `client_cert`
// as HTTP_CLIENT_CERT; some do so for `.` and others too).
class HeaderFilter {
 public:
  // `extra_names`: Forwarding.remove_headers, checked by ValidateForwarding.
  explicit HeaderFilter(const std::vector<std::string>& extra_names);

  // Whether a header of that name, in a request or its trailers, is to be
  // removed. Allocates nothing. Pseudo-headers (":path") never match.
  bool Matches(absl::string_view name) const;

 private:
  struct Pattern {
    std::string text;  // folded
    bool prefix;       // whatever begins with `text`, and is longer
  };

  // By the first and third character of the name, which every prefix has.
  std::array<std::vector<Pattern>, 64> buckets_;
};

// Forwarded: what to add to a request.
struct Forwarded {
  // At most one of each name. When something was left out for its size, the
  // last is `x-sallyport-forwarding: truncated`.
  std::vector<Header> headers;
  // Something was left out because of Forwarding.max_header_bytes.
  bool truncated = false;
  // What was left out, in that order: "client-cert-chain", or header and key
  // as "x-forwarded-client-cert/Chain". One of a small fixed set of names, so
  // that they can label a counter. Never from the certificate.
  std::vector<std::string> dropped;
};

// Encode: the client's certificate in every dialect of `config`. `sent` is
// what the client sent; nothing is forwarded when it is empty. `path` is the
// verified path; no dialect uses it yet.
//
// Chains are forwarded as sent, without a root: a self-issued certificate at
// the end is left out, unless it is the client's own.
//
// When names and values together exceed max_header_bytes, these are left out
// one after the other until the rest fits, the note's 31 bytes included:
//   chains:       x-forwarded-client-cert/Chain, client-cert-chain,
//                 x-amzn-mtls-clientcert/Chain (its leaf stays)
//   certificates: x-forwarded-client-cert/Cert, x-amzn-mtls-clientcert-leaf,
//                 x-amzn-mtls-clientcert, client-cert
//   SANs:         x-forwarded-client-cert/DNS, x-forwarded-client-cert/URI
//                 (all of a kind: a list is whole or not there)
//   names:        x-amzn-mtls-clientcert-issuer,
//                 x-amzn-mtls-clientcert-subject,
//                 x-forwarded-client-cert/Subject
//   the rest:     x-amzn-mtls-clientcert-validity,
//                 x-amzn-mtls-clientcert-serial-number,
//                 x-forwarded-client-cert/Hash
//
// `config` is one that ValidateForwarding accepts. Cost: linear in the size
// of `sent`.
Forwarded Encode(const sallyport::filter::v1::Forwarding& config, Chain sent,
                 Chain path);

// The value of x-forwarded-client-cert, as Envoy 1.40.0 writes it with
// SANITIZE_SET (mutateXfccRequestHeader in
// source/common/http/conn_manager_utility.cc; testdata/ holds values that it
// wrote): `Hash=`, `Cert="`, `Chain="`, `Subject="`, every `URI=`, every
// `DNS=`, joined by ';'. No `By`: the server's certificate is not known here.
//   * Cert and Chain: PEM with everything but letters, digits and "-_.~"
//     percent-encoded; Chain begins with the leaf.
//   * Subject: RFC 4514 text between quotes as it is; its own escapes are what
//     makes every inner quote \". A backslash that would stand before the
//     closing quote is written \5C.
//   * URI: once and empty when the certificate has none.
// Where Envoy is not safe, it is not followed: it writes a URI or DNS name as
// it is, and `DNS=x,Hash=...` is then a second element. Here a name that
// contains ',' ';' '=' or '"' or begins or ends with a blank is quoted, its
// quotes are \", and controls, bytes beyond ASCII and backslashes (none of
// which such a name can have by its RFC) are percent-encoded.
//
// `sent` is not empty.
std::string EncodeXfcc(const sallyport::filter::v1::Forwarding::Xfcc& config,
                       Chain sent);

// `Subject="..."` of it. `name` is RFC 4514 text; should a quote in it not be
// escaped, it and every backslash get a backslash here.
std::string XfccSubject(absl::string_view name);

// One `URI=` or `DNS=` of it. `name` may hold any bytes.
std::string XfccName(absl::string_view key, absl::string_view name);

// RFC 9440, section 2: client-cert, and with `chain` client-cert-chain, left
// out when the client sent nothing but its own certificate (an empty list
// has no header: RFC 8941, 3.1). Byte sequences of RFC 8941, 3.3.5.
//
// `sent` is not empty.
std::vector<Header> EncodeRfc9440(
    const sallyport::filter::v1::Forwarding::Rfc9440& config, Chain sent);

// The headers of an AWS Application Load Balancer ("Mutual authentication
// with TLS", HTTP headers and mutual TLS). PEM is percent-encoded but for
// "+=/". VERIFY: -serial-number (upper-case hex), -issuer and -subject (RFC
// 2253; empty for an empty name; a final blank as \20, since HTTP trims
// values), -validity, -leaf. PASSTHROUGH: x-amzn-mtls-clientcert with the
// chain, leaf first.
//
// `sent` is not empty.
std::vector<Header> EncodeAlb(
    const sallyport::filter::v1::Forwarding::Alb& config, Chain sent);

// InvalidArgument, naming the field and the index, for: a name in
// remove_headers that is no header name (RFC 9110, 5.1), is a pseudo-header,
// has a '*' (names are whole; there are no patterns), or would remove, by the
// comparison of HeaderFilter, a header that frames or routes the message or
// belongs to the connection; an unknown mode; a max_header_bytes other than 0
// under kMinMaxHeaderBytes.
absl::Status ValidateForwarding(
    const sallyport::filter::v1::Forwarding& config);

}  // namespace sallyport::forwarding

#endif  // SALLYPORT_FILTERS_FORWARDING_FORWARDING_H_
