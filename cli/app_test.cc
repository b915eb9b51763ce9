// The commands from their arguments to their answers, in this process.
// sallyportctl_test.sh covers what only a process has: signals, descriptors,
// limits of memory.

#include "cli/app.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/clock.h"
#include "cli/batch.h"
#include "cli/rfc3339.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "pki/x509/pem.h"

namespace sallyport::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string TestData(const std::string& name) {
  return absl::StrCat("cli/testdata/", name, ".pem");
}

std::string Read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

std::string Pem(const std::string& name) { return Read(TestData(name)); }

// A file of its own with `contents`.
std::string Write(const std::string& contents) {
  static int number = 0;
  std::string path =
      absl::StrCat(testing::TempDir(), "/file", ++number, ".pem");
  std::ofstream(path, std::ios::binary) << contents;
  return path;
}

struct Output {
  int exit_code;
  std::string out;
  std::string err;

  Json json() const { return Json::parse(out); }
};

Output RunCommand(const std::vector<std::string>& args,
                  const std::string& standard_input = "") {
  std::istringstream in(standard_input);
  std::ostringstream out, err;
  const FakeClock clock(*ParseRfc3339("2030-01-01T00:00:00.5Z"));
  Context context{in, out, err, clock};
  const ExitCode code = Run(args, context);
  return {static_cast<int>(code), out.str(), err.str()};
}

std::vector<std::string> Keys(const Json& json) {
  std::vector<std::string> keys;
  for (const auto& item : json.items()) keys.push_back(item.key());
  return keys;
}

using Strings = std::vector<std::string>;

int LineFeeds(const std::string& text) {
  return static_cast<int>(std::count(text.begin(), text.end(), '\n'));
}

bool IsPrintable(const std::string& text) {
  for (const char c : text) {
    if (c != '\n' && !absl::ascii_isprint(c)) return false;
  }
  return true;
}

// --- The command line itself.

TEST(Usage, MistakesEndInTwoAndSayHowToGetHelp) {
  const std::string root = TestData("root");
  const std::string client = TestData("client");
  struct Case {
    Strings args;
    const char* message;
    const char* help;
  };
  const Case cases[] = {
      {{}, "a command is missing", "'sallyportctl --help'"},
      {{"verfy"}, "'verfy' is not known here", "'sallyportctl --help'"},
      {{"--bogus"}, "'--bogus' is not known here", "'sallyportctl --help'"},
      {{"truststore"}, "a command is missing", "truststore --help'"},
      {{"truststore", "chekc"}, "'chekc' is not known", "truststore --help'"},
      {{"truststore", "check"}, "FILE is required", "truststore check --help'"},
      {{"truststore", "check", root, client}, "not expected", "check --help'"},
      {{"truststore", "check", root, "--bogus"}, "--bogus", "check --help'"},
      {{"truststore", "check", root, "--policy", "x"},
       "'x' is not one of complete-chain|any-anchor",
       "check --help'"},
      {{"truststore", "check", root, "--policy"}, "--policy", "check --help'"},
      {{"truststore", "check", root, "--time", "tomorrow"},
       "'tomorrow' is not an RFC 3339",
       "check --help'"},
      {{"truststore", "check", root, "--max-bytes", "0"},
       "'0' is not a number from 1",
       "check --help'"},
      {{"truststore", "check", root, "--max-certificates", "1e3"},
       "'1e3' is not a number",
       "check --help'"},
      {{"verify"}, "--truststore: is missing", "verify --help'"},
      {{"verify", "--truststore", root},
       "--chain: is missing",
       "verify --help'"},
      {{"verify", "--chain", client}, "--truststore: is missing", "verify"},
      {{"verify", "--truststore", "-", "--chain", "-"}, "not both", "verify"},
      {{"verify", "--batch", "-", "--chain", client}, "--batch", "verify"},
      {{"verify", "--batch", "-", "--truststore", root}, "--batch", "verify"},
      {{"verify", "--truststore", root, "--truststore", root, "--chain",
        client},
       "--truststore",
       "verify"},
      {{"verify", "--truststore", root, "--chain", client, "--eku", "no"},
       "'no' is not one of require|warn|ignore",
       "verify"},
      {{"verify", "--truststore", root, "--chain", client, "--max-chain-length",
        "11"},
       "'11' is not a number from 1 to 10",
       "verify"},
      {{"verify", "--truststore", root, "--chain", client, "--max-chain-length",
        "-1"},
       "'-1' is not a number",
       "verify"},
      {{"explain"}, "--truststore: is missing", "explain --help'"},
      {{"version", "x"}, "not expected", "version --help'"},
      {{"completion"}, "SHELL is required", "completion --help'"},
      {{"completion", "tcsh"}, "'tcsh' is not one of", "completion --help'"},
  };
  for (const Case& c : cases) {
    const Output output = RunCommand(c.args);
    EXPECT_EQ(output.exit_code, 2) << output.err;
    EXPECT_EQ(output.out, "");
    EXPECT_TRUE(absl::StartsWith(output.err, "sallyportctl: ")) << output.err;
    EXPECT_TRUE(absl::StrContains(output.err, c.message)) << output.err;
    EXPECT_TRUE(absl::StrContains(output.err, c.help)) << output.err;
  }
}

TEST(Usage, EscapesWhatItEchoes) {
  for (const Strings& args :
       {Strings{"\x1b[31m"}, Strings{"truststore", "check", "/no\nsuch\x9b"},
        Strings{"truststore", "check", "f", "--time", "\x1b]0;x\a"},
        Strings{"verify", "--batch", "/no\nsuch"},
        Strings{"verify", "--truststore", TestData("root"), "--chain",
                "/\xff\n"}}) {
    const Output output = RunCommand(args);
    EXPECT_EQ(output.exit_code, 2);
    EXPECT_TRUE(IsPrintable(output.err)) << output.err;
    EXPECT_LE(LineFeeds(output.err), 2) << output.err;
  }
}

TEST(Help, OfEachCommandHasOptionsExamplesAndExitCodes) {
  for (const Strings& command :
       {Strings{}, Strings{"truststore", "check"}, Strings{"verify"},
        Strings{"explain"}, Strings{"completion"}}) {
    for (const char* flag : {"-h", "--help"}) {
      Strings args = command;
      args.push_back(flag);
      const Output output = RunCommand(args);
      EXPECT_EQ(output.exit_code, 0);
      EXPECT_EQ(output.err, "");
      for (const char* part :
           {"Usage: sallyportctl", "--help", "Examples:", "Exit codes:"}) {
        EXPECT_TRUE(absl::StrContains(output.out, part)) << output.out;
      }
    }
  }
}

TEST(Version, IsPrintedByCommandAndFlag) {
  const Output command = RunCommand({"version"});
  EXPECT_EQ(command.exit_code, 0);
  EXPECT_TRUE(absl::StartsWith(command.out, "sallyportctl "));
  EXPECT_EQ(RunCommand({"--version"}).out, command.out);
}

TEST(Completion, KnowsEveryCommandAndOption) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const Output output = RunCommand({"completion", shell});
    EXPECT_EQ(output.exit_code, 0);
    for (const char* word :
         {"truststore", "check", "verify", "explain", "version", "completion",
          "policy", "complete-chain", "any-anchor", "max-certificates",
          "pin-leaf", "batch", "bash", "zsh", "fish"}) {
      EXPECT_TRUE(absl::StrContains(output.out, word)) << shell << " " << word;
    }
  }
}

// --- truststore check.

TEST(TruststoreCheck, AcceptsAndPrintsForPeople) {
  const Output output = RunCommand({"truststore", "check", TestData("root")});
  EXPECT_EQ(output.exit_code, 0);
  EXPECT_EQ(output.err, "");
  EXPECT_EQ(output.out,
            "cli/testdata/root.pem: accepted: 1 certificate, 0 warnings\n"
            "checked at 2030-01-01T00:00:00Z, policy complete-chain\n");
}

TEST(TruststoreCheck, JsonHasExactlyTheDocumentedShape) {
  const std::string bundle = Pem("root") + Pem("short_root");
  const Output output =
      RunCommand({"truststore", "check", "-", "--json"}, bundle);
  EXPECT_EQ(output.exit_code, 0);
  EXPECT_EQ(output.out.find('\n'), output.out.size() - 1);
  const Json json = output.json();
  EXPECT_EQ(Keys(json),
            Strings({"accepted", "certificates", "warnings", "error"}));
  EXPECT_EQ(json["accepted"], true);
  EXPECT_EQ(json["certificates"], 2);
  EXPECT_TRUE(json["error"].is_null());
  ASSERT_EQ(json["warnings"].size(), 1);
  const Json& warning = json["warnings"][0];
  EXPECT_EQ(Keys(warning),
            Strings({"index", "line", "subject", "reason", "message"}));
  EXPECT_EQ(warning["index"], 2);
  EXPECT_EQ(warning["line"], 1 + LineFeeds(Pem("root")));
  EXPECT_EQ(warning["subject"], "CN=Short-lived Root,O=Example");
  EXPECT_EQ(warning["reason"], "EXPIRED");
  EXPECT_NE(warning["message"], "");
}

TEST(TruststoreCheck, RefusalNamesBlockLineAndReasonButNoContents) {
  const std::string bundle =
      Pem("root") + pki::WritePem("PRIVATE KEY", "secret key");
  const Output json_output =
      RunCommand({"truststore", "check", "--json", Write(bundle)});
  EXPECT_EQ(json_output.exit_code, 1);
  const Json json = json_output.json();
  EXPECT_EQ(Keys(json),
            Strings({"accepted", "certificates", "warnings", "error"}));
  EXPECT_EQ(json["accepted"], false);
  EXPECT_EQ(json["warnings"], Json::array());
  EXPECT_EQ(Keys(json["error"]),
            Strings({"index", "line", "reason", "message"}));
  EXPECT_EQ(json["error"]["index"], 2);
  EXPECT_EQ(json["error"]["reason"], "NOT_A_CERTIFICATE_BLOCK");

  const Output text_output = RunCommand({"truststore", "check", Write(bundle)});
  EXPECT_EQ(text_output.exit_code, 1);
  EXPECT_TRUE(absl::StrContains(
      text_output.out,
      absl::StrCat("block 2, line ", json["error"]["line"].get<int>())))
      << text_output.out;
  for (const Output& output : {json_output, text_output}) {
    for (const char* secret : {"secret", "c2VjcmV0"}) {
      EXPECT_FALSE(absl::StrContains(output.out + output.err, secret));
    }
  }
}

TEST(TruststoreCheck, RefusesWhatIsNotABundle) {
  struct Case {
    std::string bundle;
    const char* reason;
  };
  const Case cases[] = {
      {"", "NO_CERTIFICATE"},
      {"hello", "NO_CERTIFICATE"},
      {std::string(1000, '\0'), "NO_CERTIFICATE"},
      {Pem("root").substr(0, 300), "MALFORMED_PEM"},
      {Pem("root") + "-----BEGIN CERTIFICATE-----\n\xff\xfe\n"
                     "-----END CERTIFICATE-----\n",
       "MALFORMED_PEM"},
      {pki::WritePem("CERTIFICATE", "not a certificate"),
       "MALFORMED_CERTIFICATE"},
  };
  for (const Case& c : cases) {
    const Output output =
        RunCommand({"truststore", "check", "--json", "-"}, c.bundle);
    EXPECT_EQ(output.exit_code, 1);
    EXPECT_EQ(output.json()["error"]["reason"], c.reason) << output.out;
    EXPECT_EQ(
        RunCommand({"truststore", "check", "--force", "-"}, c.bundle).exit_code,
        1);
  }
}

TEST(TruststoreCheck, ForceAcceptsABundleThatGivesNoTrust) {
  const std::string file = TestData("short_root");
  const Output refused = RunCommand({"truststore", "check", "--json", file});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_EQ(refused.json()["error"]["reason"], "GIVES_NO_TRUST");
  EXPECT_EQ(refused.json()["certificates"], 1);
  EXPECT_EQ(refused.json()["warnings"][0]["reason"], "EXPIRED");

  const Output forced =
      RunCommand({"truststore", "check", "--json", "--force", file});
  EXPECT_EQ(forced.exit_code, 0);
  EXPECT_EQ(forced.json()["accepted"], true);
  EXPECT_TRUE(forced.json()["error"].is_null());
  EXPECT_EQ(forced.json()["warnings"], refused.json()["warnings"]);
}

TEST(TruststoreCheck, GoesByTheGivenTimeAndPolicy) {
  EXPECT_EQ(RunCommand({"truststore", "check", TestData("short_root"), "--time",
                        "2026-11-22T23:00:00Z"})
                .exit_code,
            0);
  // An intermediate without its root.
  const std::string file = TestData("intermediate");
  EXPECT_EQ(RunCommand({"truststore", "check", file}).exit_code, 1);
  // In the module's spelling too.
  for (const char* policy : {"any-anchor", "ANY_ANCHOR"}) {
    EXPECT_EQ(
        RunCommand({"truststore", "check", file, "--policy", policy}).exit_code,
        0);
  }
}

TEST(TruststoreCheck, LimitsAreRefusalsAndCanBeSet) {
  const std::string bundle = Pem("root") + Pem("intermediate");
  for (const std::string& file : {Write(bundle), std::string("-")}) {
    const std::string size = absl::StrCat(bundle.size());
    const std::string less = absl::StrCat(bundle.size() - 1);
    EXPECT_EQ(
        RunCommand({"truststore", "check", file, "--max-bytes", size}, bundle)
            .exit_code,
        0);
    const Output too_large = RunCommand(
        {"truststore", "check", file, "--json", "--max-bytes", less}, bundle);
    EXPECT_EQ(too_large.exit_code, 1);
    EXPECT_EQ(too_large.json()["error"]["reason"], "TOO_LARGE");
    const Output too_many = RunCommand(
        {"truststore", "check", file, "--json", "--max-certificates", "1"},
        bundle);
    EXPECT_EQ(too_many.exit_code, 1);
    EXPECT_EQ(too_many.json()["error"]["reason"], "TOO_MANY_CERTIFICATES");
  }
}

TEST(TruststoreCheck, UnreadableFilesEndInTwo) {
  const Output missing = RunCommand({"truststore", "check", "/no/such/file"});
  EXPECT_EQ(missing.exit_code, 2);
  EXPECT_EQ(missing.out, "");
  EXPECT_EQ(missing.err,
            "sallyportctl: cannot read the truststore: /no/such/file: No such "
            "file or directory; check the path\n");
  EXPECT_EQ(RunCommand({"truststore", "check", "--json", "/"}).exit_code, 2);
  EXPECT_EQ(RunCommand({"truststore", "check", ""}).exit_code, 2);
}

// --- verify.

class Verify : public testing::Test {
 protected:
  const std::string truststore_ = Write(Pem("root") + Pem("intermediate"));

  Output VerifyChain(const std::string& chain, Strings more = {}) {
    Strings args = {"verify", "--truststore", truststore_, "--chain", "-"};
    args.insert(args.end(), more.begin(), more.end());
    return RunCommand(args, chain);
  }
};

TEST_F(Verify, TrustsAClientOfTheTruststore) {
  const Output text = VerifyChain(Pem("client"));
  EXPECT_EQ(text.exit_code, 0) << text.out;
  EXPECT_EQ(text.err, "");
  EXPECT_TRUE(absl::StartsWith(text.out, "trusted")) << text.out;
  EXPECT_TRUE(absl::StrContains(text.out, "0. CN=client.example,O=Example"));

  const Json json = VerifyChain(Pem("client"), {"--json"}).json();
  EXPECT_EQ(Keys(json),
            Strings({"verdict", "reason", "detail", "depth", "policy", "time",
                     "recheck_at", "extended_key_usage_warning", "path"}));
  EXPECT_EQ(json["verdict"], "trusted");
  EXPECT_EQ(json["reason"], "TRUSTED");
  EXPECT_EQ(json["policy"], "complete-chain");
  EXPECT_EQ(json["time"], "2030-01-01T00:00:00.5Z");
  ASSERT_EQ(json["path"].size(), 3);
  EXPECT_EQ(Keys(json["path"][0]),
            Strings({"subject", "issuer", "serial", "not_before", "not_after",
                     "sha256"}));
  EXPECT_EQ(json["path"][2]["subject"], "CN=Example Root,O=Example");
}

TEST_F(Verify, RefusesAndSaysWhy) {
  const Output text = VerifyChain(Pem("server"));
  EXPECT_EQ(text.exit_code, 1);
  EXPECT_TRUE(absl::StartsWith(text.out, "untrusted: NOT_FOR_CLIENT_AUTH: "))
      << text.out;
  const Json json = VerifyChain(Pem("server"), {"--json"}).json();
  EXPECT_EQ(json["verdict"], "untrusted");
  EXPECT_EQ(json["reason"], "NOT_FOR_CLIENT_AUTH");
  EXPECT_EQ(json["depth"], 0);
  EXPECT_NE(json["detail"], "");
}

TEST_F(Verify, ObeysEveryOption) {
  EXPECT_EQ(VerifyChain(Pem("server"), {"--eku", "ignore"}).exit_code, 0);
  EXPECT_EQ(VerifyChain(Pem("server"), {"--eku", "EKU_IGNORE"}).exit_code, 0);
  EXPECT_EQ(VerifyChain(Pem("server"), {"--eku", "EKU_REQUIRE"}).exit_code, 1);
  EXPECT_EQ(VerifyChain(Pem("server"), {"--eku", "IGNORE"}).exit_code, 2);
  const Output warned = VerifyChain(Pem("server"), {"--eku", "warn", "--json"});
  EXPECT_EQ(warned.exit_code, 0);
  EXPECT_EQ(warned.json()["extended_key_usage_warning"], true);
  EXPECT_TRUE(absl::StrContains(
      VerifyChain(Pem("server"), {"--eku", "warn"}).out, "warning: "));
  EXPECT_EQ(VerifyChain(Pem("server"), {"--eku", "require"}).exit_code, 1);

  EXPECT_EQ(VerifyChain(Pem("client"), {"--max-chain-length", "3"}).exit_code,
            0);
  EXPECT_EQ(VerifyChain(Pem("client"), {"--max-chain-length", "2", "--json"})
                .json()["reason"],
            "CHAIN_TOO_LONG");

  EXPECT_EQ(
      VerifyChain(Pem("client"), {"--time", "2127-01-01T00:00:00Z", "--json"})
          .json()["reason"],
      "EXPIRED");
  EXPECT_EQ(
      VerifyChain(Pem("client"), {"--time", "2020-01-01T00:00:00Z", "--json"})
          .json()["reason"],
      "NOT_YET_VALID");
}

TEST_F(Verify, ObeysThePolicy) {
  const Strings args = {"verify", "--truststore", TestData("root"), "--chain",
                        "-",      "--policy"};
  const std::string chain = Pem("client") + Pem("intermediate");
  Strings complete = args, any = args;
  complete.push_back("complete-chain");
  any.push_back("any-anchor");
  EXPECT_EQ(RunCommand(complete, chain).exit_code, 1);
  EXPECT_EQ(RunCommand(any, chain).exit_code, 0);
}

TEST_F(Verify, PinsALeafOnlyWhenAsked) {
  const Strings args = {"verify", "--truststore", TestData("client"), "--chain",
                        TestData("client")};
  EXPECT_EQ(RunCommand(args).exit_code, 1);
  Strings pinned = args;
  pinned.push_back("--pin-leaf");
  EXPECT_EQ(RunCommand(pinned).exit_code, 0);
}

TEST_F(Verify, PassesOverAKeyInTheChainFileAndNeverShowsIt) {
  const Output output =
      VerifyChain(pki::WritePem("PRIVATE KEY", "secret key") + Pem("client"));
  EXPECT_EQ(output.exit_code, 0);
  EXPECT_EQ(output.err,
            "sallyportctl: note: standard input, line 1: block 'PRIVATE KEY' "
            "passed over; only certificates are read\n");
  EXPECT_FALSE(absl::StrContains(output.out, "c2VjcmV0"));
}

TEST_F(Verify, DamagedCertificatesAreAVerdict) {
  for (const std::string& chain :
       {pki::WritePem("CERTIFICATE", "not a certificate"),
        Pem("client").substr(0, 300),
        std::string("-----BEGIN CERTIFICATE-----\n%%\n"
                    "-----END CERTIFICATE-----\n"),
        Pem("client") + pki::WritePem("CERTIFICATE", "junk").substr(0, 40)}) {
    const Output output = VerifyChain(chain, {"--json"});
    EXPECT_EQ(output.exit_code, 1);
    EXPECT_EQ(output.json()["reason"], "MALFORMED") << output.out;
  }
}

TEST_F(Verify, TooManyCertificatesAreAVerdict) {
  std::string chain;
  for (int i = 0; i < 1000; ++i) chain += Pem("client");
  const Output output = VerifyChain(chain, {"--json"});
  EXPECT_EQ(output.exit_code, 1);
  EXPECT_EQ(output.json()["reason"], "LIMIT_EXCEEDED");
}

TEST_F(Verify, OneHugeCertificateIsAVerdict) {
  const Output output = VerifyChain(
      pki::WritePem("CERTIFICATE", std::string(1 << 20, 'x')), {"--json"});
  EXPECT_EQ(output.exit_code, 1);
  EXPECT_EQ(output.json()["reason"], "LIMIT_EXCEEDED");
}

TEST_F(Verify, AChainFileWithoutCertificatesEndsInTwo) {
  for (const std::string& chain :
       {std::string(), std::string("hello\n"), std::string("\0\0\0", 3),
        std::string("0\x82\x01\x0a"), pki::WritePem("PRIVATE KEY", "secret")}) {
    const Output output = VerifyChain(chain, {"--json"});
    EXPECT_EQ(output.exit_code, 2);
    EXPECT_EQ(output.out, "");
    EXPECT_TRUE(absl::StrContains(output.err, "holds no certificate"))
        << output.err;
  }
  const Output huge = VerifyChain(std::string((16 << 20) + 1, 'x'));
  EXPECT_EQ(huge.exit_code, 2);
  EXPECT_TRUE(absl::StrContains(huge.err, "larger than the limit")) << huge.err;
}

TEST_F(Verify, ARefusedTruststoreEndsInTwoAndIsNamed) {
  const Output output = RunCommand(
      {"verify", "--truststore", "-", "--chain", TestData("client"), "--json"},
      pki::WritePem("PRIVATE KEY", "secret"));
  EXPECT_EQ(output.exit_code, 2);
  EXPECT_TRUE(absl::StrContains(output.err, "NOT_A_CERTIFICATE_BLOCK"));
  EXPECT_TRUE(absl::StrContains(output.err, "truststore check"));
  EXPECT_EQ(output.json()["verdict"], "error");
  EXPECT_EQ(output.json()["reason"], "NOT_A_CERTIFICATE_BLOCK");
  EXPECT_EQ(Keys(output.json()), Strings({"verdict", "reason", "detail"}));
}

TEST_F(Verify, ATruststoreThatGivesNoTrustIsAVerdictWithANote) {
  const Output output =
      RunCommand({"verify", "--truststore", TestData("short_root"), "--chain",
                  TestData("client")});
  EXPECT_EQ(output.exit_code, 1);
  EXPECT_TRUE(absl::StrContains(output.err, "gives trust")) << output.err;
}

TEST_F(Verify, EscapesNames) {
  for (const char* command : {"verify", "explain"}) {
    for (const Strings& more : {Strings{}, Strings{"--json"}}) {
      Strings args = {command, "--truststore", truststore_, "--chain",
                      TestData("deceiver")};
      args.insert(args.end(), more.begin(), more.end());
      const Output output = RunCommand(args);
      EXPECT_EQ(output.exit_code, 0);
      EXPECT_TRUE(IsPrintable(output.out)) << output.out;
      EXPECT_FALSE(absl::StrContains(output.out, "\ntrusted,O=")) << output.out;
    }
  }
}

// --- explain.

TEST(Explain, ShowsThePathsTheFailureAndTheRemedy) {
  const Strings args = {"explain", "--truststore", TestData("stranger_root"),
                        "--chain", TestData("client")};
  const Output text = RunCommand(args);
  EXPECT_EQ(text.exit_code, 1);
  for (const char* part : {"untrusted: UNTRUSTED_ISSUER: ", "path 1 of ",
                           "from the client", "failed: ", "to mend it: "}) {
    EXPECT_TRUE(absl::StrContains(text.out, part)) << text.out;
  }
  Strings json_args = args;
  json_args.push_back("--json");
  const Json json = RunCommand(json_args).json();
  EXPECT_EQ(Keys(json),
            Strings({"verdict", "reason", "detail", "depth", "policy", "time",
                     "recheck_at", "extended_key_usage_warning", "path",
                     "paths", "passed_over", "advice"}));
  ASSERT_GE(json["paths"].size(), 1);
  EXPECT_EQ(Keys(json["paths"][0]),
            Strings({"reason", "certificates", "failures"}));
  const Json& leaf = json["paths"][0]["certificates"][0];
  EXPECT_EQ(Keys(leaf),
            Strings({"subject", "issuer", "serial", "not_before", "not_after",
                     "sha256", "source", "truststore_index", "failures"}));
  EXPECT_EQ(leaf["source"], "client");
  EXPECT_TRUE(leaf["truststore_index"].is_null());
  EXPECT_NE(json["advice"], "");
}

TEST(Explain, NamesTheBlockOfTheTruststore) {
  const std::string truststore =
      Write(Pem("stranger_root") + Pem("root") + Pem("intermediate"));
  const Output text = RunCommand(
      {"explain", "--truststore", truststore, "--chain", TestData("client")});
  EXPECT_EQ(text.exit_code, 0);
  EXPECT_TRUE(absl::StartsWith(text.out, "trusted"));
  EXPECT_TRUE(absl::StrContains(text.out, "from the truststore, block 3"))
      << text.out;
  EXPECT_FALSE(absl::StrContains(text.out, "to mend it")) << text.out;
  EXPECT_TRUE(absl::EndsWith(text.out,
                             "not looked at: client rules, paths, the Host, "
                             "other truststores of the domain\n"))
      << text.out;
}

TEST(Explain, SaysWhatToDoAboutADamagedChain) {
  const Output output =
      RunCommand({"explain", "--truststore", TestData("root"), "--chain", "-"},
                 "-----BEGIN CERTIFICATE-----\nAAAA\n");
  EXPECT_EQ(output.exit_code, 1);
  EXPECT_TRUE(absl::StartsWith(output.out, "untrusted: MALFORMED: "));
  EXPECT_TRUE(absl::StrContains(output.out, "to mend it: ")) << output.out;
}

// --- verify --batch.

class Batch : public testing::Test {
 protected:
  const std::string truststore_ = Pem("root") + Pem("intermediate");

  Json Case(const Json& id, const Json& chain) {
    return Json{
        {"id", id}, {"truststore_pem", truststore_}, {"chain_pem", chain}};
  }

  // The answers to `lines`; every line must be answered.
  std::vector<Json> Answers(const std::string& lines, Strings more = {}) {
    Strings args = {"verify", "--batch", "-"};
    args.insert(args.end(), more.begin(), more.end());
    const Output output = RunCommand(args, lines);
    EXPECT_EQ(output.exit_code, 0) << output.err;
    EXPECT_EQ(output.err, "");
    std::vector<Json> answers;
    for (const auto line :
         absl::StrSplit(output.out, '\n', absl::SkipEmpty())) {
      answers.push_back(Json::parse(line.begin(), line.end()));
    }
    return answers;
  }
};

TEST_F(Batch, AnswersEachLineInOrderWithExactlyTheDocumentedMembers) {
  const std::vector<Json> answers = Answers(absl::StrCat(
      Case("one", Pem("client")).dump(), "\n", Case(2, Pem("server")).dump(),
      "\r\n\n  \n", "oops\n", Case("four", Pem("client")).dump()));
  ASSERT_EQ(answers.size(), 4);
  for (const Json& answer : answers) {
    EXPECT_EQ(Keys(answer), Strings({"id", "verdict", "reason", "detail"}));
  }
  EXPECT_EQ(answers[0]["id"], "one");
  EXPECT_EQ(answers[0]["verdict"], "trusted");
  EXPECT_EQ(answers[0]["reason"], "TRUSTED");
  EXPECT_EQ(answers[1]["id"], 2);
  EXPECT_EQ(answers[1]["verdict"], "untrusted");
  EXPECT_EQ(answers[1]["reason"], "NOT_FOR_CLIENT_AUTH");
  EXPECT_TRUE(answers[2]["id"].is_null());
  EXPECT_EQ(answers[2]["verdict"], "error");
  EXPECT_EQ(answers[2]["reason"], "BAD_LINE");
  EXPECT_EQ(answers[3]["verdict"], "trusted");
}

TEST_F(Batch, GivesTheReasonForEveryKindOfChain) {
  struct {
    Json chain;
    const char* reason;
  } const cases[] = {
      {nullptr, "NO_CERTIFICATE"},
      {"", "NO_CERTIFICATE"},
      {" \n", "NO_CERTIFICATE"},
      {pki::WritePem("PRIVATE KEY", "secret"), "NO_CERTIFICATE"},
      {"hello", "MALFORMED"},
      {"-----BEGIN CERTIFICATE-----\n", "MALFORMED"},
      {pki::WritePem("CERTIFICATE", "junk"), "MALFORMED"},
      {pki::WritePem("PRIVATE KEY", "secret") + Pem("client"), "TRUSTED"},
      {Pem("stranger_root"), "UNTRUSTED_ISSUER"},
  };
  for (const auto& c : cases) {
    const std::vector<Json> answers = Answers(Case("x", c.chain).dump());
    ASSERT_EQ(answers.size(), 1);
    EXPECT_EQ(answers[0]["reason"], c.reason) << answers[0];
    EXPECT_EQ(answers[0]["verdict"],
              c.reason == std::string("TRUSTED") ? "trusted" : "untrusted");
  }
  Json absent = Case("x", "");
  absent.erase("chain_pem");
  EXPECT_EQ(Answers(absent.dump())[0]["reason"], "NO_CERTIFICATE");
}

TEST_F(Batch, ARefusedTruststoreIsAnErrorWithItsReason) {
  struct {
    std::string truststore;
    const char* reason;
  } const cases[] = {
      {"", "NO_CERTIFICATE"},
      {"hello", "NO_CERTIFICATE"},
      {pki::WritePem("PRIVATE KEY", "secret"), "NOT_A_CERTIFICATE_BLOCK"},
      {Pem("root").substr(0, 300), "MALFORMED_PEM"},
      {pki::WritePem("CERTIFICATE", "junk"), "MALFORMED_CERTIFICATE"},
  };
  for (const auto& c : cases) {
    Json line = Case("x", Pem("client"));
    line["truststore_pem"] = c.truststore;
    // Twice, for the truststore that is kept.
    const std::vector<Json> answers =
        Answers(line.dump() + "\n" + line.dump() + "\n");
    ASSERT_EQ(answers.size(), 2);
    EXPECT_EQ(answers[0]["id"], "x");
    EXPECT_EQ(answers[0]["verdict"], "error");
    EXPECT_EQ(answers[0]["reason"], c.reason);
    EXPECT_EQ(answers[0], answers[1]);
  }
}

TEST_F(Batch, KeepsATruststoreOnlyForTheSameText) {
  Json other = Case("other", Pem("client"));
  other["truststore_pem"] = Pem("stranger_root");
  const Json same = Case("same", Pem("client"));
  const std::vector<Json> answers =
      Answers(absl::StrCat(same.dump(), "\n", same.dump(), "\n", other.dump(),
                           "\n", other.dump(), "\n", same.dump(), "\n"));
  ASSERT_EQ(answers.size(), 5);
  const char* verdicts[] = {"trusted", "trusted", "untrusted", "untrusted",
                            "trusted"};
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(answers[i]["verdict"], verdicts[i]) << i;
  }
}

TEST_F(Batch, GoesByTheTimeAndPolicyOfTheLineThenOfTheCommand) {
  Json line = Case("x", Pem("client") + Pem("intermediate"));
  EXPECT_EQ(
      Answers(line.dump(), {"--time", "2127-01-01T00:00:00Z"})[0]["reason"],
      "EXPIRED");
  line["time"] = "2031-01-01T00:00:00+01:00";
  EXPECT_EQ(
      Answers(line.dump(), {"--time", "2127-01-01T00:00:00Z"})[0]["reason"],
      "TRUSTED");
  line["truststore_pem"] = Pem("root");
  EXPECT_EQ(Answers(line.dump())[0]["verdict"], "untrusted");
  EXPECT_EQ(Answers(line.dump(), {"--policy", "any-anchor"})[0]["verdict"],
            "trusted");
  line["policy"] = "any-anchor";
  EXPECT_EQ(Answers(line.dump())[0]["verdict"], "trusted");
  line["policy"] = "complete-chain";
  EXPECT_EQ(Answers(line.dump(), {"--policy", "any-anchor"})[0]["verdict"],
            "untrusted");
}

TEST_F(Batch, SurvivesBytesThatAreNotUtf8) {
  std::string line = Case("x", Pem("client")).dump();
  line.insert(line.find("BEGIN"), "\xff\xfe");
  const std::vector<Json> answers =
      Answers(line + "\n" + std::string("\0\n", 2) + R"({"id":"\ud800"})");
  ASSERT_EQ(answers.size(), 3);
  for (const Json& answer : answers) {
    EXPECT_EQ(answer["verdict"], "error");
    EXPECT_EQ(answer["reason"], "BAD_LINE");
  }
}

TEST_F(Batch, GoesOnAfterALineOverTheLimit) {
  std::istringstream in(std::string(5000, 'x') + "\n" +
                        Case("x", Pem("client")).dump() + "\n");
  std::ostringstream out, err;
  const FakeClock clock(*ParseRfc3339("2030-01-01T00:00:00Z"));
  Context context{in, out, err, clock};
  BatchOptions options;
  options.max_line_bytes = 4000;
  EXPECT_EQ(RunBatch(options, in, context), ExitCode::kOk);
  const std::vector<std::string> lines =
      absl::StrSplit(out.str(), '\n', absl::SkipEmpty());
  ASSERT_EQ(lines.size(), 2);
  EXPECT_EQ(Json::parse(lines[0])["reason"], "LINE_TOO_LONG");
  EXPECT_TRUE(Json::parse(lines[0])["id"].is_null());
  EXPECT_EQ(Json::parse(lines[1])["verdict"], "trusted");
}

TEST_F(Batch, ReadsAFileAndEndsInTwoWithoutOne) {
  const std::string file = Write(Case("x", Pem("client")).dump() + "\n");
  const Output output = RunCommand({"verify", "--batch", file});
  EXPECT_EQ(output.exit_code, 0);
  EXPECT_EQ(output.json()["verdict"], "trusted");
  EXPECT_EQ(RunCommand({"verify", "--batch", "/no/such/file"}).exit_code, 2);
  EXPECT_EQ(RunCommand({"verify", "--batch", "/"}).exit_code, 2);
  const Output empty = RunCommand({"verify", "--batch", "-"});
  EXPECT_EQ(empty.exit_code, 0);
  EXPECT_EQ(empty.out, "");
}

TEST_F(Batch, ExplainAddsToEachAnswer) {
  const Output output =
      RunCommand({"explain", "--batch", "-"}, Case("x", Pem("server")).dump());
  EXPECT_EQ(output.exit_code, 0);
  EXPECT_EQ(Keys(output.json()), Strings({"id", "verdict", "reason", "detail",
                                          "paths", "passed_over", "advice"}));
}

TEST_F(Batch, StopsWhenItsAnswersCannotBeWritten) {
  std::istringstream in(Case("x", Pem("client")).dump() + "\n");
  std::ostringstream out, err;
  out.setstate(std::ios::badbit);
  const FakeClock clock(*ParseRfc3339("2030-01-01T00:00:00Z"));
  Context context{in, out, err, clock};
  EXPECT_EQ(cli::Run({"verify", "--batch", "-"}, context), ExitCode::kError);
  EXPECT_TRUE(absl::StrContains(err.str(), "cannot write")) << err.str();
}

}  // namespace
}  // namespace sallyport::cli
