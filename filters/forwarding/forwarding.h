// Telling the backend who the client is, and keeping the client from telling
// it: which headers are removed from every request, and how the client's
// certificate is written in the dialects of Envoy, RFC 9440, AWS, nginx,
// Traefik and Cloudflare.
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

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "pki/chain/verify.h"
#include "pki/x509/certificate.h"
#include "proto/sallyport/filter/v1/config.pb.h"
#include "settings/header_name.h"

namespace sallyport::forwarding {

// The certificates that a client sent, its own first. None is null.
using Chain = absl::Span<const std::shared_ptr<const pki::Certificate>>;

// One header to add. `name` is in lower case.
struct Header {
  std::string name;
  std::string value;
};

// Client: what is known about the caller of a request. Views; nothing is kept.
struct Client {
  // Empty when it sent no certificate, or its own cannot be read.
  Chain sent;
  // The verified path, its own certificate first, the anchor last. Not looked
  // at unless trusted.
  Chain path;
  // NAME or NAME@VERSION of the truststore that vouched. Not looked at unless
  // trusted.
  absl::string_view truststore;
  // kNoCertificate: it sent none, and needs none.
  pki::Reason verdict = pki::Reason::kConfigurationMissing;
  // The rejection style is PASS: the backend is always told the verdict.
  bool passed_on = false;

  bool trusted() const { return verdict == pki::Reason::kTrusted; }
};

// Our own headers.
constexpr absl::string_view kNoteHeader = "x-sallyport-forwarding";
constexpr absl::string_view kNoteTruncated = "truncated";
constexpr absl::string_view kTruststoreHeader = "x-sallyport-truststore";
constexpr absl::string_view kVerdictHeader = "x-sallyport-verdict";
constexpr absl::string_view kClientCertJsonHeader = "x-sallyport-client-cert";

// Forwarding.max_header_bytes.
using settings::kDefaultMaxHeaderBytes;
using settings::kMinMaxHeaderBytes;

// What a header would make a backend believe.
enum class Claim {
  kNone,
  // Who the client is (kKnownHeaders), or what the operator lists.
  kIdentity,
  // Which Host the request came in for (kHostHeaders).
  kHost,
};

// HeaderFilter: which request headers a client must not send. The names are
// those of known_headers.h and the operator's own.
//
// Names are compared the way the most lenient backends read them: in any
// case, and with every character that is neither a letter nor a digit taken
// for '-' (CGI and its descendants write both `Client-Cert` and `client_cert`
// as HTTP_CLIENT_CERT; some do so for `.` and others too).
class HeaderFilter {
 public:
  // `extra_names`: Forwarding.remove_headers, checked by ValidateForwarding.
  explicit HeaderFilter(const std::vector<std::string>& extra_names);

  // What a header of that name, in a request or its trailers, claims.
  // Allocates nothing. Pseudo-headers (":path") claim nothing.
  Claim ClaimOf(absl::string_view name) const;
  // Whether it claims anything.
  bool Matches(absl::string_view name) const {
    return ClaimOf(name) != Claim::kNone;
  }

 private:
  // Folded; usually none. The known names are shared by the whole process.
  std::vector<std::string> extra_;
};

// Forwarded: what to add to a request.
struct Forwarded {
  // At most one of each name. When something was left out for its size, the
  // last is `x-sallyport-forwarding: truncated`.
  std::vector<Header> headers;
  // Names and values of `headers` together.
  size_t bytes = 0;
  // Something was left out because of Forwarding.max_header_bytes.
  bool truncated = false;
  // What was left out, in that order: "client-cert-chain", or header and key
  // as "x-forwarded-client-cert/Chain". One of a small fixed set of names, so
  // that they can label a counter. Never from the certificate.
  std::vector<std::string> dropped;
};

// ForwardsAnything: whether Encode() could have something to say about a
// trusted client whose request is not passed on for PASS. (About others it
// always has.)
bool ForwardsAnything(const sallyport::filter::v1::Forwarding& config);

// Forwarding.max_header_bytes, or its default.
size_t MaxHeaderBytes(const sallyport::filter::v1::Forwarding& config);

// Encode: what `config` tells the backend about `client`.
//
// A trusted client: every dialect of `config`. x-sallyport-verdict only if
// `config` or PASS asks for it.
//
// One that sent no certificate and needs none: `ssl-client-verify: NONE` if
// ingress_nginx is set, and `x-sallyport-verdict: NO_CERTIFICATE` always.
//
// An untrusted one (PASS): x-sallyport-verdict always, and the dialects that
// can say "not verified":
//   * ingress_nginx: `ssl-client-verify: FAILED:REASON` beside the names and
//     the certificate, as nginx itself does with optional_no_ca;
//   * alb in PASSTHROUGH mode, which AWS documents as unverified.
// In x-forwarded-client-cert, client-cert, the other x-amzn-mtls headers,
// Traefik's, Cloudflare's and x-sallyport-client-cert a backend reads a
// certificate as a verified one, so they are not sent.
//
// Chains are by Forwarding.chain_source what was sent or the verified path,
// without a root: a self-issued certificate at the end is left out, unless it
// is the client's own.
//
// When names and values together exceed max_header_bytes, these are left out
// one after the other until the rest fits, the note's 31 bytes included (which
// are kept free when trusted_proxy is set):
//   chains:       x-forwarded-client-cert/Chain, client-cert-chain,
//                 x-amzn-mtls-clientcert/Chain (its leaf stays),
//                 x-forwarded-tls-client-cert/Chain (its leaf stays)
//   certificates: x-forwarded-client-cert/Cert, x-amzn-mtls-clientcert-leaf,
//                 x-amzn-mtls-clientcert, ssl-client-cert,
//                 x-forwarded-tls-client-cert, cf-client-cert-der-base64,
//                 x-sallyport-client-cert, client-cert
//   SANs:         x-forwarded-client-cert/DNS, x-forwarded-client-cert/URI,
//                 x-forwarded-tls-client-cert-info/SAN
//                 (all of a kind: a list is whole or not there)
//   names:        x-amzn-mtls-clientcert-issuer,
//                 x-amzn-mtls-clientcert-subject,
//                 ssl-client-issuer-dn, ssl-client-subject-dn,
//                 x-forwarded-tls-client-cert-info/Issuer and /Subject,
//                 x-forwarded-client-cert/Subject
//   the rest:     x-amzn-mtls-clientcert-validity,
//                 x-amzn-mtls-clientcert-serial-number,
//                 x-forwarded-tls-client-cert-info/SerialNumber (with NB, NA),
//                 cf-client-cert-sha256, x-sallyport-truststore,
//                 x-forwarded-client-cert/Hash
// Never left out: ssl-client-verify, x-sallyport-verdict.
//
// `config` is one that ValidateForwarding accepts. Cost: linear in the size
// of the chain.
Forwarded Encode(const sallyport::filter::v1::Forwarding& config,
                 const Client& client);

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

// The headers of ingress-nginx (its annotations auth-tls-*): ssl-client-verify
// SUCCESS, NONE or FAILED: and the reason's name; ssl-client-subject-dn and
// ssl-client-issuer-dn (RFC 2253, left out when empty, as nginx does; a final
// blank as \20); with `cert` ssl-client-cert, $ssl_client_escaped_cert: PEM
// with everything but letters, digits and "-_.~" percent-encoded.
//
// `leaf` is null when there is none.
std::vector<Header> EncodeIngressNginx(
    const sallyport::filter::v1::Forwarding::IngressNginx& config,
    pki::Reason verdict, const pki::Certificate* leaf);

// The headers of Traefik's PassTLSClientCert with every field on.
//   * `pem`: x-forwarded-tls-client-cert, base64 of the DER of each
//     certificate, joined by ','.
//   * `info`: x-forwarded-tls-client-cert-info, as Go's url.QueryEscape writes
//     Subject="...";Issuer="...";SerialNumber="...";NB="...";NA="...";SAN="..."
//     where a name has DC, C, ST, L, O, OU (not of the issuer), SN, CN in this
//     order, of the last two the certificate's last only; the serial is
//     decimal (left out over 256 octets); NB and NA are Unix seconds; SANs are
//     DNS, e-mail, IP, URI. A field without a value is left out.
// Two things differ. Traefik puts no escapes into values, so that a name with
// a quote is a second field and one with a comma a second attribute: here
// '"' ',' ';' '=' '\' '%' and controls are percent-encoded in the value,
// before it is query-escaped as a whole. And Traefik has the fields of every
// certificate that was sent, the client's own only by being the first: here
// they are those of the client's own.
//
// `sent` is not empty.
std::vector<Header> EncodeTraefik(
    const sallyport::filter::v1::Forwarding::Traefik& config, Chain sent);

// Cloudflare's client_certificate_forwarding: cf-client-cert-der-base64 and
// cf-client-cert-sha256 (upper-case hex, as in Cloudflare's fields).
// Cloudflare sends them with a connection's first request and documents no
// limit of their size; here they come with every request, within
// max_header_bytes.
std::vector<Header> EncodeCloudflare(const pki::Certificate& leaf);

// ClientCertJson: the `clientCert` object of API Gateway's events
// (requestContext.identity in REST, requestContext.authentication in HTTP API
// 2.0), without blanks, its members in the order of AWS's samples:
// clientCertPem, subjectDN and issuerDN (RFC 2253), serialNumber (hex pairs
// in lower case, joined by ':'), validity with notBefore and notAfter
// ("Aug  5 09:36:04 2021 GMT"). ASCII. x-sallyport-client-cert is base64 of
// it.
std::string ClientCertJson(const pki::Certificate& leaf);

// InvalidArgument, naming the field and the index, for: a name in
// remove_headers that is no header name (RFC 9110, 5.1), is a pseudo-header,
// has a '*' (names are whole; there are no patterns), or would remove, by the
// comparison of HeaderFilter, a header that frames or routes the message or
// belongs to the connection; an unknown mode or chain_source; `traefik` with
// neither field; trusted_proxy without xfcc; a max_header_bytes other than 0
// under kMinMaxHeaderBytes. The rule of trusted_proxy is not looked at.
absl::Status ValidateForwarding(
    const sallyport::filter::v1::Forwarding& config);

}  // namespace sallyport::forwarding

#endif  // SALLYPORT_FILTERS_FORWARDING_FORWARDING_H_
