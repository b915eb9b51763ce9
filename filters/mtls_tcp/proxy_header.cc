#include "filters/mtls_tcp/proxy_header.h"

#include <arpa/inet.h>

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace sallyport::mtls_tcp {
namespace {

constexpr absl::string_view kSignature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr char kVersion2Proxy = 0x21;
constexpr char kUnspecified = 0x00;
constexpr char kTcpOverIpv4 = 0x11;
constexpr char kTcpOverIpv6 = 0x21;

constexpr char kTypeAuthority = 0x02;
constexpr char kTypeSsl = 0x20;
constexpr char kSubtypeSslVersion = 0x21;
constexpr char kSubtypeSslCommonName = 0x22;
constexpr char kSubtypeSslClientCertificate = 0x28;

constexpr char kClientSsl = 0x01;
constexpr char kClientCertificateConnection = 0x02;
constexpr char kClientCertificateSession = 0x04;

void AppendU16(std::string& out, size_t value) {
  out.push_back(static_cast<char>(value >> 8));
  out.push_back(static_cast<char>(value));
}

void AppendVector(std::string& out, char type, absl::string_view value) {
  out.push_back(type);
  AppendU16(out, value.size());
  out.append(value.data(), value.size());
}

// A text that a backend can use as it is. C1 control characters are two bytes
// in UTF-8, U+2028 and the like are for the backend to mind.
bool IsPlainText(absl::string_view text) {
  return !text.empty() && text.size() <= kMaxProxyHeaderText &&
         std::none_of(text.begin(), text.end(), [](char c) {
           const auto byte = static_cast<unsigned char>(c);
           return byte < 0x20 || byte == 0x7f;
         });
}

// The address in network byte order: 4 bytes, 16, or none.
std::string AddressBytes(absl::string_view text) {
  // A zone ("%eth0") means something on this machine only.
  const std::string address(text.substr(0, text.find('%')));
  in_addr v4{};
  if (inet_pton(AF_INET, address.c_str(), &v4) == 1) {
    return std::string(reinterpret_cast<const char*>(&v4), sizeof(v4));
  }
  in6_addr v6{};
  if (inet_pton(AF_INET6, address.c_str(), &v6) == 1) {
    return std::string(reinterpret_cast<const char*>(&v6), sizeof(v6));
  }
  return "";
}

std::string AsIpv6(const std::string& bytes) {
  if (bytes.size() != 4) return bytes;
  return absl::StrCat(std::string(10, '\0'), "\xff\xff", bytes);
}

}  // namespace

EncodedSsl EncodeSsl(const SslInfo& info) {
  EncodedSsl encoded;
  std::string& out = encoded.value;
  char client = kClientSsl;
  if (info.has_certificate) {
    client |= kClientCertificateConnection | kClientCertificateSession;
  }
  out.push_back(client);
  const bool verified = info.has_certificate && info.trusted;
  out.append({'\0', '\0', '\0', verified ? '\0' : '\1'});
  if (IsPlainText(info.tls_version)) {
    AppendVector(out, kSubtypeSslVersion, info.tls_version);
  }
  if (!info.has_certificate) return encoded;
  if (IsPlainText(info.common_name)) {
    AppendVector(out, kSubtypeSslCommonName, info.common_name);
  }
  if (info.certificate.size() > kMaxProxyHeaderCertificate) {
    encoded.truncated = true;
  } else if (!info.certificate.empty()) {
    AppendVector(out, kSubtypeSslClientCertificate, info.certificate);
  }
  return encoded;
}

std::string EncodeProxyHeader(const Endpoint& client, const Endpoint& listener,
                              absl::string_view authority,
                              absl::string_view ssl_value) {
  std::string source = AddressBytes(client.address);
  std::string destination = AddressBytes(listener.address);
  std::string rest;
  char family = kUnspecified;
  if (!source.empty() && !destination.empty()) {
    if (source.size() != destination.size()) {
      source = AsIpv6(source);
      destination = AsIpv6(destination);
    }
    family = source.size() == 4 ? kTcpOverIpv4 : kTcpOverIpv6;
    absl::StrAppend(&rest, source, destination);
    AppendU16(rest, client.port);
    AppendU16(rest, listener.port);
  }
  if (IsPlainText(authority)) AppendVector(rest, kTypeAuthority, authority);
  AppendVector(rest, kTypeSsl, ssl_value);

  std::string out(kSignature);
  out.push_back(kVersion2Proxy);
  out.push_back(family);
  AppendU16(out, rest.size());
  out += rest;
  return out;
}

}  // namespace sallyport::mtls_tcp
