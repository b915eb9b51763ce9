// The PROXY protocol header, version 2, that tells a TCP backend who calls.
//
// Source: "The PROXY protocol", versions 1 & 2, haproxy.org
// (doc/proxy-protocol.txt), sections 2.2 and 2.2.6. The certificate in
// PP2_SUBTYPE_SSL_CLIENT_CERT is an addition of HAProxy 3 and others.
//
// What is in it:
//   signature, version 2, command PROXY; addresses and ports of client and
//   listener (AF_INET, AF_INET6, or AF_UNSPEC when one is no IP address);
//   PP2_TYPE_AUTHORITY (0x02): the SNI, when known;
//   PP2_TYPE_SSL (0x20): SslInfo, below.

#ifndef SALLYPORT_FILTERS_MTLS_TCP_PROXY_HEADER_H_
#define SALLYPORT_FILTERS_MTLS_TCP_PROXY_HEADER_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace sallyport::mtls_tcp {

// Bytes of a header at most: its length field has 16 bits, and 16 bytes come
// before what that counts.
inline constexpr size_t kMaxProxyHeader = 16 + 65535;
// Bytes of each text in it (SNI, TLS version, common name). A longer one is
// left out.
inline constexpr size_t kMaxProxyHeaderText = 1024;
// Bytes of a certificate in it. A larger one is left out, and truncated is set.
inline constexpr size_t kMaxProxyHeaderCertificate = 60000;

// What PP2_TYPE_SSL says. Views live as long as the call.
struct SslInfo {
  // The client presented a certificate in this connection's full handshake:
  // PP2_CLIENT_CERT_CONN and PP2_CLIENT_CERT_SESS.
  bool has_certificate = false;
  // The certificate is trusted and allowed. Without it, or without a
  // certificate, `verify` is 1; with both it is 0.
  bool trusted = false;
  absl::string_view tls_version;  // "TLSv1.3"; "" when not known
  // The certificate's common name, UTF-8. Left out when it is empty, too long,
  // or holds a control character.
  absl::string_view common_name;
  // DER; "" leaves it out.
  absl::string_view certificate;
};

struct EncodedSsl {
  // The value of the PP2_TYPE_SSL vector: without its type and length.
  std::string value;
  // Something that was asked for did not fit.
  bool truncated = false;
};

EncodedSsl EncodeSsl(const SslInfo& info);

struct Endpoint {
  absl::string_view address;  // "192.0.2.1", "2001:db8::1", "fe80::1%eth0"
  uint32_t port = 0;
};

// EncodeProxyHeader: the whole header. `authority`: "" leaves it out.
// `ssl_value`: of EncodeSsl(). An IPv4 address beside an IPv6 one is written
// as ::ffff:192.0.2.1.
std::string EncodeProxyHeader(const Endpoint& client, const Endpoint& listener,
                              absl::string_view authority,
                              absl::string_view ssl_value);

}  // namespace sallyport::mtls_tcp

#endif  // SALLYPORT_FILTERS_MTLS_TCP_PROXY_HEADER_H_
