#include "config_service/server/options.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "config_service/server/log.h"
#include "config_service/store/store.h"
#include "gtest/gtest.h"

namespace sallyport::server {
namespace {

class OptionsTest : public testing::Test {
 protected:
  std::string File(const std::string& name, const std::string& content) {
    const std::string path = absl::StrCat(testing::TempDir(), "/", name);
    std::ofstream(path) << content;
    return path;
  }
  std::string Credentials() {
    return File("credentials",
                absl::StrCat("token a admin ",
                             store::BlobDigest::Of("secret").ToHex(), "\n"));
  }
  // What is wrong; empty: nothing.
  std::string Problem() {
    const auto settings = Load(options_);
    return settings.ok() ? "" : std::string(settings.status().message());
  }
  Options options_;
};

TEST_F(OptionsTest, NeedSomebodyWhoMayDoSomething) {
  options_.data_dir = "/tmp/x";
  EXPECT_TRUE(absl::StrContains(Problem(), "--admin-credentials"));
  options_.allow_loopback_without_credentials = true;
  EXPECT_EQ(Problem(), "");
  options_.allow_loopback_without_credentials = false;
  options_.admin_credentials = Credentials();
  EXPECT_EQ(Problem(), "");
  // A file in which there is nobody is no credentials.
  options_.admin_credentials = File("nobody", "# nobody\n");
  EXPECT_TRUE(absl::StrContains(Problem(), "--admin-credentials"));
}

TEST_F(OptionsTest, GiveBrowsersTheConsoleUnderTheNamesThatAreToldAlone) {
  options_.data_dir = "/tmp/x";
  options_.admin_credentials = Credentials();
  options_.console_origins = "https://console.example.com";
  ASSERT_EQ(Problem(), "");
  const Settings settings = *Load(options_);
  EXPECT_TRUE(settings.console_origins.Find("console.example.com").has_value());
  EXPECT_TRUE(settings.console_origins.Find("localhost:1").has_value());
  EXPECT_FALSE(settings.console_origins.Find("example.com").has_value());
  // A proxy is on loopback too.
  options_.allow_loopback_without_credentials = true;
  EXPECT_TRUE(absl::StrContains(Problem(), "--console-origins: is not taken"));
  options_.console_origins = "http://console.example.com";
  EXPECT_TRUE(absl::StrContains(Problem(), "is not https://NAME"));
  options_.console_origins = "";
  options_.console = "yes";
  EXPECT_TRUE(absl::StrContains(Problem(), "--console: is neither on nor off"));
}

TEST_F(OptionsTest, LimitWhatOnePrincipalHasUnderWay) {
  options_.data_dir = "/tmp/x";
  options_.allow_loopback_without_credentials = true;
  options_.principal_calls = api::kMaxCalls;
  options_.principal_streams = 1;
  options_.client_timeout = "1s";
  EXPECT_EQ(Problem(), "");
  EXPECT_EQ(Load(options_)->open_calls.of_principal,
            (std::array<int, api::kNumCallKinds>{api::kMaxCalls, 1,
                                                 api::kPrincipalUploads}));
  options_.principal_calls = api::kMaxCalls + 1;
  options_.principal_streams = 0;
  options_.principal_uploads = -1;
  options_.principal_calls_per_second = 0;
  options_.node_streams = 0;
  options_.client_timeout = "999ms";
  const std::string problem = Problem();
  for (const char* option :
       {"--principal-calls: is not between 1 and 256", "--principal-streams",
        "--principal-uploads", "--principal-calls-per-second",
        "--node-streams: is not between 1 and 1000",
        "--client-timeout: is not between 1s and 1h"}) {
    EXPECT_TRUE(absl::StrContains(problem, option)) << option;
  }
}

TEST_F(OptionsTest, KnowTwoWaysToVerifyOwnership) {
  options_.data_dir = "/tmp/x";
  options_.allow_loopback_without_credentials = true;
  options_.ownership_verification = "required";
  EXPECT_EQ(Problem(), "");
  options_.ownership_verification = "yes";
  EXPECT_TRUE(absl::StrContains(Problem(), "--ownership-verification"));
}

TEST_F(OptionsTest, SayWhichBackendsThereMayBe) {
  options_.data_dir = "/tmp/x";
  options_.allow_loopback_without_credentials = true;
  EXPECT_FALSE(Load(options_)->backends.loopback);
  options_.backend_addresses = "loopback";
  EXPECT_TRUE(Load(options_)->backends.loopback);
  EXPECT_FALSE(Load(options_)->backends.link_local);
  options_.backend_addresses = "private";
  EXPECT_TRUE(absl::StrContains(Problem(), "--backend-addresses"));
}

TEST_F(OptionsTest, SayForWhomAnIssuerMayMakeCertificates) {
  options_.data_dir = "/tmp/x";
  options_.allow_loopback_without_credentials = true;
  options_.issuer = "internal";
  EXPECT_TRUE(absl::StrContains(Problem(), "--issuer-domains: is empty"));
  options_.issuer_domains = "example.com,*";
  EXPECT_TRUE(absl::StrContains(Problem(), "--issuer-domains: has *"));
  options_.issuer_domains = "example.com, corp";
  EXPECT_EQ(Problem(), "");
  const auto settings = Load(options_);
  EXPECT_EQ(settings->issuer.names.domains(),
            (std::vector<std::string>{"example.com", "corp"}));
  EXPECT_EQ(settings->issuer.validity, absl::Hours(2160));
  EXPECT_EQ(settings->issuer_from_files, nullptr);
  options_.issuer.clear();
  EXPECT_TRUE(absl::StrContains(Problem(), "--issuer-domains: needs --issuer"));
}

TEST_F(OptionsTest, BoundWhatAnIssuerMakes) {
  options_.data_dir = "/tmp/x";
  options_.allow_loopback_without_credentials = true;
  options_.issuer = "internal";
  options_.issuer_domains = "*";
  for (const char* good : {"1m", "19800h", "36h30m"}) {
    options_.issuer_validity = good;
    EXPECT_EQ(Problem(), "") << good;
  }
  for (const char* bad : {"59s", "19801h", "90d", "", "-1h", "inf"}) {
    options_.issuer_validity = bad;
    EXPECT_TRUE(absl::StrContains(Problem(), "--issuer-validity")) << bad;
  }
  options_.issuer_validity = "1h";
  for (const int bad : {4, 96, -1}) {
    options_.issuer_renew_percent = bad;
    EXPECT_TRUE(absl::StrContains(Problem(), "--issuer-renew-percent")) << bad;
  }
  options_.issuer_renew_percent = 95;
  EXPECT_EQ(Problem(), "");
}

TEST_F(OptionsTest, WantAnIssuersCaAndItsKey) {
  options_.data_dir = "/tmp/x";
  options_.allow_loopback_without_credentials = true;
  options_.issuer = "internal";
  options_.issuer_domains = "*";
  options_.issuer_ca_key = File("ca.key", "no key");
  EXPECT_TRUE(absl::StrContains(Problem(), "need each other"));
  options_.issuer_ca_certificate = File("ca.pem", "no certificate");
  const std::string problem = Problem();
  EXPECT_TRUE(absl::StrContains(problem, "--issuer-ca-certificate: "));
  EXPECT_TRUE(absl::StrContains(problem, "--issuer-ca-key: "));
  EXPECT_FALSE(absl::StrContains(problem, "no key"));
}

TEST_F(OptionsTest, RefuseToListenBeyondLoopbackWithoutCredentialsAndTls) {
  options_.data_dir = "/tmp/x";
  for (const char* address :
       {"0.0.0.0:9440", "192.0.2.1:9440", "[::]:9440", "example.org:9440",
        "127.0.0.1.example.org:9440", "127.1:9440", "[::ffff:1.2.3.4]:1"}) {
    options_ = Options();
    options_.data_dir = "/tmp/x";
    options_.admin_address = address;
    options_.allow_loopback_without_credentials = true;
    const std::string problem = Problem();
    EXPECT_TRUE(absl::StrContains(problem, "it needs --admin-credentials"))
        << address << problem;
    EXPECT_TRUE(absl::StrContains(problem, "it needs --admin-tls-certificate"))
        << address << problem;
    EXPECT_TRUE(absl::StrContains(problem,
                                  "--allow-loopback-without-credentials: only"))
        << address << problem;
    options_.allow_loopback_without_credentials = false;
    options_.admin_credentials = Credentials();
    EXPECT_TRUE(
        absl::StrContains(Problem(), "it needs --admin-tls-certificate"));
    options_.admin_tls_certificate = File("certificate", "PEM");
    EXPECT_TRUE(absl::StrContains(Problem(), "need each other"));
    options_.admin_tls_key = File("key", "PEM");
    EXPECT_EQ(Problem(), "");
  }
  options_.http_address = "0.0.0.0:9442";
  EXPECT_TRUE(absl::StrContains(Problem(), "--http-address"));
}

TEST_F(OptionsTest, SayEverythingThatIsWrongAtOnce) {
  options_.admin_address = "9440";
  options_.http_address = "127.0.0.1:70000";
  options_.admin_credentials = "/does/not/exist";
  options_.admin_client_ca = File("ca", "PEM");
  const std::string problem = Problem();
  for (const char* option : {"--data-dir", "--admin-address", "--http-address",
                             "--admin-credentials", "--admin-client-ca"}) {
    EXPECT_TRUE(absl::StrContains(problem, option)) << problem;
  }
}

TEST(Address, IsAHostAndAPort) {
  for (const char* good :
       {"127.0.0.1:0", "127.255.0.9:65535", "[::1]:9440", "localhost:9440"}) {
    const auto address = ParseAddress(good);
    ASSERT_TRUE(address.ok()) << good;
    EXPECT_TRUE(address->loopback) << good;
    EXPECT_EQ(address->ToString(), good);
  }
  for (const char* bad :
       {"", ":", ":9440", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x",
        "127.0.0.1:-1", "127.0.0.1:65536", "::1:9440", "127.0.0.1:+5"}) {
    EXPECT_FALSE(ParseAddress(bad).ok()) << bad;
  }
}

TEST(LogLine, StaysOneLineWhateverIsInIt) {
  const std::string line =
      LogLine(absl::FromUnixMicros(1790000000000001), "info", "a\nb",
              {{"key", "\"\x1b[0m\xff\r\n"}});
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
  EXPECT_EQ(line.find('\x1b'), std::string::npos);
  EXPECT_TRUE(absl::StartsWith(
      line, "{\"time\":\"2026-09-21T14:13:20.000001Z\",\"level\":\"info\""))
      << line;
}

}  // namespace
}  // namespace sallyport::server
