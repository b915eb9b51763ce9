#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/file.h"
#include "filters/forwarding/forwarding.h"
#include "filters/forwarding/known_headers.h"
#include "gtest/gtest.h"

namespace sallyport::forwarding {
namespace {

using ::sallyport::filter::v1::Forwarding;

TEST(KnownHeaders, AreTheOnesThatWereReviewed) {
  std::string table;
  for (const KnownHeader& known : kKnownHeaders) {
    absl::StrAppend(&table, known.pattern, "\t", known.origin, "\n");
  }
  table += "\n";
  for (const KnownHeader& known : kHostHeaders) {
    absl::StrAppend(&table, known.pattern, "\t", known.origin, "\n");
  }
  const auto golden = ReadFile(
      "filters/forwarding/testdata/known_headers.golden", size_t{1} << 20);
  ASSERT_TRUE(golden.ok()) << golden.status();
  EXPECT_EQ(table, *golden)
      << "Review the change and write the new table to the golden file.";
}

TEST(HeaderFilter, RemovesEveryNameOfTheDocumentedDialects) {
  const HeaderFilter filter({});
  for (const char* name : {
           // Envoy, Istio.
           "x-forwarded-client-cert",
           // RFC 9440.
           "client-cert",
           "client-cert-chain",
           // AWS ALB.
           "x-amzn-mtls-clientcert",
           "x-amzn-mtls-clientcert-serial-number",
           "x-amzn-mtls-clientcert-issuer",
           "x-amzn-mtls-clientcert-subject",
           "x-amzn-mtls-clientcert-validity",
           "x-amzn-mtls-clientcert-leaf",
           // CloudFront.
           "cloudfront-viewer-cert-serial-number",
           "cloudfront-viewer-cert-issuer",
           "cloudfront-viewer-cert-subject",
           "cloudfront-viewer-cert-present",
           "cloudfront-viewer-cert-sha256",
           "cloudfront-viewer-cert-validity",
           "cloudfront-viewer-cert-pem",
           // ingress-nginx; Apache.
           "ssl-client-cert",
           "ssl-client-verify",
           "ssl-client-subject-dn",
           "ssl-client-issuer-dn",
           "ssl-client-s-dn",
           "ssl-client-i-dn",
           // Traefik.
           "x-forwarded-tls-client-cert",
           "x-forwarded-tls-client-cert-info",
           "x-forwarded-ssl-client-cert",
           "x-forwarded-ssl-client-cert-infos",
           // Cloudflare.
           "cf-client-cert-der-base64",
           "cf-client-cert-sha256",
           "cf-cert-verified",
           "cf-cert-presented",
           "cf-cert-revoked",
           "cf-cert-subject-dn-rfc2253",
           "cf-cert-serial",
           // Google Cloud: the variables, and the names its guide gives them.
           "client_cert_present",
           "client_cert_chain_verified",
           "client_cert_error",
           "client_cert_sha256_fingerprint",
           "client_cert_serial_number",
           "client_cert_spiffe_id",
           "client_cert_uri_sans",
           "client_cert_dnsname_sans",
           "client_cert_valid_not_before",
           "client_cert_valid_not_after",
           "client_cert_issuer_dn",
           "client_cert_subject_dn",
           "client_cert_leaf",
           "client_cert_chain",
           "x-client-cert-present",
           "x-client-cert-spiffe",
           "x-client-cert",
           // Azure.
           "x-arr-clientcert",
           "client-certificate",
           "x-client-certificate-subject",
           // HAProxy, OpenShift, nginx, Apache, Pound, Puppet.
           "x-ssl",
           "x-ssl-client-verify",
           "x-ssl-client-sha1",
           "x-ssl-client-dn",
           "x-ssl-client-cn",
           "x-ssl-client-cert",
           "x-ssl-client-der",
           "x-ssl-client-notbefore",
           "x-ssl-client-notafter",
           "x-ssl-issuer",
           "x-ssl-subject",
           "x-ssl-serial",
           "x-ssl-certificate",
           "x-ssl-notbefore",
           "x-client-dn",
           "x-client-verify",
           "x-client-cn",
           "x-ssl-clientcert-subject",
           "x-tls-client-cert",
           "x-clientcert",
           // Application servers.
           "wl-proxy-client-cert",
           "$wscc",
           "cert-chain",
           "cert_chain_0",
           "x-wso2-client-certificate",
           "x-wso2-mutual-auth-cert",
           "proxy-auth-cert",
           // Alibaba Cloud.
           "x-forwarded-clientcert",
           "x-forwarded-clientcert-subjectdn",
           "x-forwarded-clientcert-issuerdn",
           "x-forwarded-clientcert-fingerprint",
           "x-forwarded-clientcert-clientverify",
           // Vault; Curity; applications.
           "x-forwarded-for-client-cert",
           "x-client-ssl-cert",
           "x-client-ssl-cn",
           "x-ssl-user-dn",
           "x-ssl-authenticated",
           "x-cert",
           "x-cert-subject",
           "x-mtls-client",
           "x-mtls-clientcert",
           "x-mtls-client-cert",
           "x-mtls-client-subject",
           // Ours.
           "x-sallyport-truststore",
           "x-sallyport-forwarding",
           "x-sallyport-anything",
       }) {
    EXPECT_TRUE(filter.Matches(name)) << name;
  }
}

TEST(HeaderFilter, RemovesEveryPatternInEveryCaseAndWithEverySeparator) {
  const HeaderFilter filter({});
  for (const KnownHeader& known : kKnownHeaders) {
    const std::string name =
        absl::StrReplaceAll(known.pattern, {{"*", "some-more"}});
    EXPECT_TRUE(filter.Matches(name)) << name;
    EXPECT_TRUE(filter.Matches(absl::AsciiStrToUpper(name))) << name;
    const std::string underscores = absl::StrReplaceAll(name, {{"-", "_"}});
    EXPECT_TRUE(filter.Matches(underscores)) << underscores;
    EXPECT_TRUE(filter.Matches(absl::AsciiStrToUpper(underscores)));
    // CGI turns these into the same variable.
    const std::string dots = absl::StrReplaceAll(name, {{"-", "."}});
    EXPECT_TRUE(filter.Matches(dots)) << dots;
  }
  EXPECT_TRUE(filter.Matches("Client_cErt-ChAin"));
}

TEST(HeaderFilter, KnowsHeadersThatNameAHost) {
  const HeaderFilter filter({}), listed({"X-Host"});
  for (const KnownHeader& known : kHostHeaders) {
    EXPECT_EQ(filter.ClaimOf(known.pattern), Claim::kHost) << known.pattern;
    const std::string variable =
        absl::StrReplaceAll(absl::AsciiStrToUpper(known.pattern), {{"-", "_"}});
    EXPECT_EQ(filter.ClaimOf(variable), Claim::kHost) << variable;
    EXPECT_EQ(filter.ClaimOf(absl::StrCat(known.pattern, "-s")), Claim::kNone);
  }
  EXPECT_EQ(filter.ClaimOf("x-forwarded-client-cert"), Claim::kIdentity);
  EXPECT_EQ(filter.ClaimOf("host"), Claim::kNone);
  EXPECT_EQ(filter.ClaimOf(":authority"), Claim::kNone);
  EXPECT_EQ(listed.ClaimOf("x_host"), Claim::kIdentity);
  EXPECT_EQ(listed.ClaimOf("x-forwarded-host"), Claim::kHost);
}

TEST(HeaderFilter, LeavesNamesThatOnlyLookAlike) {
  const HeaderFilter filter({});
  for (const char* name : {
           "",
           "x",
           "x-",
           "-",
           "host",
           ":path",
           ":authority",
           "accept",
           "x-sslip",
           "x-ssl-cipher",
           "x-ssl-protocol",
           "x-sslx-client-cert",
           "client-certainty",
           "client-cer",
           "client-ce-rt",
           "clientcert",
           "my-client-cert",
           "xx-client-cert",
           "client",
           "client-cert-",
           "x-forwarded-for",
           "x-forwarded-proto",
           "x-forwarded-client",
           "x-forwarded-client-certs",
           "x-forwarded-tls-version",
           "x-amzn-mtls",
           "x-amzn-trace-id",
           "x-amzn-errortype",
           "cloudfront-viewer-country",
           "cloudfront-viewer-certify",
           "ssl-clients",
           "cf-connecting-ip",
           "cf-ray",
           "cf-certs",
           "x-client-id",
           "x-client-certs",
           "x-clientcerts",
           "x-sallyport",
           "x-sallyportal",
           "wscc",
           "cert-chains",
           "x-tls-version",
           "x-certs",
           "x-certificate-transparency",
           "x-mtls",
           "x-mtlsx-client",
           "x-ssl-user",
           "x-ssl-user-dns",
           "x-client-ssl",
           "x-wso2-client",
           "proxy-auth",
           "proxy-auth-certs",
           "proxy-authorization",
           "x-forwarded-for-client",
           "x-forwarded-clientcerts",
       }) {
    EXPECT_FALSE(filter.Matches(name)) << name;
  }
}

TEST(HeaderFilter, RemovesTheOperatorsNamesToo) {
  const HeaderFilter filter({"X-Partner_Cert", "ab", "q"});
  EXPECT_TRUE(filter.Matches("x-partner-cert"));
  EXPECT_TRUE(filter.Matches("X_PARTNER_CERT"));
  EXPECT_TRUE(filter.Matches("AB"));
  EXPECT_TRUE(filter.Matches("Q"));
  // A pseudo-header is not a name with another first character.
  EXPECT_FALSE(HeaderFilter({"-path"}).Matches(":path"));
  EXPECT_FALSE(filter.Matches("x-partner-cert-2"));
  EXPECT_FALSE(filter.Matches("x-partner"));
  EXPECT_FALSE(filter.Matches("abc"));
  EXPECT_FALSE(HeaderFilter({}).Matches("x-partner-cert"));
}

TEST(HeaderFilter, RemovesWhatTheEncodersWrite) {
  const HeaderFilter filter({});
  EXPECT_TRUE(filter.Matches(kNoteHeader));
  EXPECT_TRUE(filter.Matches(kTruststoreHeader));
}

absl::Status ValidateNames(const std::vector<std::string>& names) {
  Forwarding config;
  for (const std::string& name : names) config.add_remove_headers(name);
  return ValidateForwarding(config);
}

TEST(ValidateForwarding, AcceptsTheDefaultsAndOrdinaryNames) {
  EXPECT_TRUE(ValidateForwarding({}).ok());
  EXPECT_TRUE(
      ValidateNames({"x-partner-cert", "X_Partner", "a", "!#$%&'+-.^_`|~",
                     "authorization", "x-forwarded-client-cert", "hosts"})
          .ok());
}

TEST(ValidateForwarding, SaysWhichNameIsBadAndWhy) {
  const absl::Status status = ValidateNames({"fine", "also-fine", "not fine"});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(),
            "forwarding.remove_headers[2] is not a header name (RFC 9110, "
            "5.1)");
}

TEST(ValidateForwarding, RefusesNamesThatAreNoHeaderNames) {
  const std::string nul("a\0b", 3);
  for (const std::string& name :
       {std::string(), std::string(":path"), std::string(":authority"),
        std::string("a b"), std::string("a:b"), std::string("a\r\nb"), nul,
        std::string("caf\xc3\xa9"), std::string("a,b"), std::string("\"a\""),
        std::string("a/b"), std::string("x-partner-*"), std::string("*")}) {
    const absl::Status status = ValidateNames({"fine", name});
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << name;
    EXPECT_TRUE(
        absl::StartsWith(status.message(), "forwarding.remove_headers[1] "))
        << status;
    // Nothing of the name is echoed.
    EXPECT_FALSE(absl::StrContains(status.message(), "\r")) << status;
  }
}

TEST(ValidateForwarding, RefusesHeadersThatRequestsCannotDoWithout) {
  for (const char* name :
       {"host", "Host", "content-length", "Content_Length", "content.length",
        "transfer-encoding", "TRANSFER_ENCODING", "te", "TE", "connection",
        "keep-alive", "proxy-connection", "upgrade", "trailer", "expect",
        "http2-settings", "content-type", "content-encoding",
        "proxy-authorization"}) {
    const absl::Status status = ValidateNames({name});
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << name;
  }
}

TEST(ValidateForwarding, RefusesAnUnknownModeAndABudgetTooSmallForTheNote) {
  Forwarding config;
  config.mutable_alb()->set_mode(static_cast<Forwarding::Alb::Mode>(7));
  EXPECT_EQ(ValidateForwarding(config).message(),
            "forwarding.alb.mode is unknown");

  config.Clear();
  config.set_chain_source(static_cast<Forwarding::ChainSource>(9));
  EXPECT_EQ(ValidateForwarding(config).message(),
            "forwarding.chain_source is unknown");

  config.Clear();
  config.set_max_header_bytes(kMinMaxHeaderBytes - 1);
  EXPECT_EQ(ValidateForwarding(config).code(),
            absl::StatusCode::kInvalidArgument);
  config.set_max_header_bytes(kMinMaxHeaderBytes);
  EXPECT_TRUE(ValidateForwarding(config).ok());
  EXPECT_LE(kNoteHeader.size() + kNoteTruncated.size(), kMinMaxHeaderBytes);
}

TEST(ValidateForwarding, RefusesATraefikDialectThatSaysNothing) {
  Forwarding config;
  config.mutable_traefik();
  EXPECT_EQ(ValidateForwarding(config).code(),
            absl::StatusCode::kInvalidArgument);
  config.mutable_traefik()->set_info(true);
  EXPECT_TRUE(ValidateForwarding(config).ok());
}

TEST(ValidateForwarding, RefusesATrustedProxyWithoutXfcc) {
  Forwarding config;
  config.mutable_trusted_proxy();
  EXPECT_EQ(ValidateForwarding(config).code(),
            absl::StatusCode::kInvalidArgument);
  config.mutable_xfcc();
  EXPECT_TRUE(ValidateForwarding(config).ok());
}

}  // namespace
}  // namespace sallyport::forwarding
