#include "filters/mtls_tcp/proxy_header.h"

#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gtest/gtest.h"

namespace sallyport::mtls_tcp {
namespace {

std::string Hex(absl::string_view bytes) {
  return absl::BytesToHexString(bytes);
}

SslInfo Trusted() {
  SslInfo info;
  info.has_certificate = true;
  info.trusted = true;
  info.tls_version = "TLSv1.3";
  info.common_name = "db-client";
  return info;
}

constexpr char kSignatureHex[] = "0d0a0d0a000d0a515549540a";

TEST(EncodeSsl, TellsATrustedClientsNameAndTlsVersion) {
  const EncodedSsl encoded = EncodeSsl(Trusted());
  EXPECT_EQ(Hex(encoded.value),
            "07"        // SSL, CERT_CONN, CERT_SESS
            "00000000"  // verified
            "210007"    // PP2_SUBTYPE_SSL_VERSION
            "544c5376312e33"
            "220009"  // PP2_SUBTYPE_SSL_CN
            "64622d636c69656e74");
  EXPECT_FALSE(encoded.truncated);
}

TEST(EncodeSsl, SaysNotVerifiedOfAClientWithoutACertificate) {
  SslInfo info;
  info.trusted = true;  // as an optional one is let in
  info.tls_version = "TLSv1.2";
  // Neither of these can be the client's.
  info.common_name = "somebody";
  info.certificate = "x";
  EXPECT_EQ(Hex(EncodeSsl(info).value),
            "01"
            "00000001"
            "210007544c5376312e32");
}

TEST(EncodeSsl, SaysNotVerifiedOfACertificateThatIsNotTrusted) {
  SslInfo info = Trusted();
  info.trusted = false;
  EXPECT_TRUE(absl::StartsWith(Hex(EncodeSsl(info).value), "0700000001"));
}

TEST(EncodeSsl, CarriesTheCertificateWhenAskedTo) {
  SslInfo info = Trusted();
  info.common_name = "";
  info.tls_version = "";
  info.certificate = absl::string_view("\x30\x03\x02\x01\x00", 5);
  EXPECT_EQ(Hex(EncodeSsl(info).value),
            "0700000000"
            "280005"
            "3003020100");
}

TEST(EncodeSsl, LeavesOutWhatDoesNotFit) {
  SslInfo info = Trusted();
  const std::string fits(kMaxProxyHeaderCertificate, 'c');
  info.certificate = fits;
  const std::string name(kMaxProxyHeaderText, 'n');
  info.common_name = name;
  EncodedSsl encoded = EncodeSsl(info);
  EXPECT_FALSE(encoded.truncated);
  EXPECT_EQ(encoded.value.size(),
            5u + 3 + 7 + 3 + name.size() + 3 + kMaxProxyHeaderCertificate);
  const std::string authority(kMaxProxyHeaderText, 'a');
  const std::string header = EncodeProxyHeader(
      {"2001:db8::1", 1}, {"2001:db8::2", 2}, authority, encoded.value);
  EXPECT_LE(header.size(), kMaxProxyHeader);
  EXPECT_EQ(Hex(header.substr(14, 2)),
            Hex(std::string{static_cast<char>((header.size() - 16) >> 8),
                            static_cast<char>(header.size() - 16)}));

  const std::string too_large(kMaxProxyHeaderCertificate + 1, 'c');
  info.certificate = too_large;
  const std::string long_name(kMaxProxyHeaderText + 1, 'n');
  info.common_name = long_name;
  encoded = EncodeSsl(info);
  EXPECT_TRUE(encoded.truncated);
  EXPECT_EQ(encoded.value.size(), 5u + 3 + 7);
}

TEST(EncodeSsl, LeavesOutNamesThatWouldDeceive) {
  for (const absl::string_view name :
       {absl::string_view("a\nb"), absl::string_view("a\0b", 3),
        absl::string_view("a\x7f"), absl::string_view("\x1b[0m")}) {
    SslInfo info = Trusted();
    info.common_name = name;
    EXPECT_EQ(EncodeSsl(info).value.size(), 5u + 3 + 7) << Hex(name);
  }
  SslInfo info = Trusted();
  info.common_name = "J\xc3\xb6rg, \"the\" O=Boss";
  EXPECT_TRUE(absl::StrContains(EncodeSsl(info).value, info.common_name));
}

TEST(EncodeProxyHeader, WritesIpv4) {
  EXPECT_EQ(Hex(EncodeProxyHeader({"192.0.2.7", 40000}, {"198.51.100.1", 5432},
                                  "db.example.com", "\x01")),
            absl::StrCat(kSignatureHex,
                         "21"    // version 2, PROXY
                         "11"    // TCP over IPv4
                         "0021"  // 12 + 17 + 4
                         "c0000207"
                         "c6336401"
                         "9c40"
                         "1538"
                         "02000e"
                         "64622e6578616d706c652e636f6d"
                         "20000101"));
}

TEST(EncodeProxyHeader, WritesIpv6) {
  EXPECT_EQ(Hex(EncodeProxyHeader({"2001:db8::7", 1}, {"2001:db8::1", 65535},
                                  "", "\x01")),
            absl::StrCat(kSignatureHex,
                         "21"
                         "21"    // TCP over IPv6
                         "0028"  // 36 + 4
                         "20010db8000000000000000000000007"
                         "20010db8000000000000000000000001"
                         "0001"
                         "ffff"
                         "20000101"));
}

TEST(EncodeProxyHeader, WritesMixedAddressesAsIpv6) {
  const std::string header =
      EncodeProxyHeader({"192.0.2.7", 1}, {"2001:db8::1", 2}, "", "\x01");
  EXPECT_TRUE(absl::StrContains(Hex(header),
                                "00000000000000000000ffffc0000207"
                                "20010db8000000000000000000000001"));
}

TEST(EncodeProxyHeader, DropsAZone) {
  EXPECT_EQ(
      EncodeProxyHeader({"fe80::1%eth0", 1}, {"fe80::2%eth0", 2}, "", "x"),
      EncodeProxyHeader({"fe80::1", 1}, {"fe80::2", 2}, "", "x"));
}

TEST(EncodeProxyHeader, SaysUnspecifiedOfAddressesThatAreNotIp) {
  for (const char* address : {"", "/run/envoy.sock", "1.2.3", "1.2.3.4:5"}) {
    EXPECT_EQ(
        Hex(EncodeProxyHeader({address, 1}, {"192.0.2.1", 2}, "", "\x01")),
        absl::StrCat(kSignatureHex, "21", "00", "0004", "20000101"))
        << address;
  }
}

TEST(EncodeProxyHeader, LeavesOutAnAuthorityThatWouldDeceive) {
  const std::string plain =
      EncodeProxyHeader({"192.0.2.7", 1}, {"192.0.2.1", 2}, "", "x");
  EXPECT_EQ(
      EncodeProxyHeader({"192.0.2.7", 1}, {"192.0.2.1", 2}, "a\r\nb", "x"),
      plain);
}

}  // namespace
}  // namespace sallyport::mtls_tcp
