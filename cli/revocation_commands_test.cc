// crl check, and verify and explain with revocation lists and deny lists, from
// arguments to answers.

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/text.h"
#include "cli/app.h"
#include "cli/revocation_input.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "pki/testing/make_certificate.h"
#include "pki/x509/certificate.h"

namespace sallyport::cli {
namespace {

using Json = nlohmann::ordered_json;
using Strings = std::vector<std::string>;

std::string Write(const std::string& contents) {
  static int number = 0;
  std::string path =
      absl::StrCat(testing::TempDir(), "/revocation", ++number, ".pem");
  std::ofstream(path, std::ios::binary) << contents;
  return path;
}

struct Output {
  int exit_code;
  std::string out;
  std::string err;

  Json json() const { return Json::parse(out); }
};

Output RunCommand(const Strings& args, const std::string& standard_input = "") {
  std::istringstream in(standard_input);
  std::ostringstream out, err;
  const FakeClock clock(pki::TestNow());
  Context context{in, out, err, clock};
  const ExitCode code = Run(args, context);
  return {static_cast<int>(code), out.str(), err.str()};
}

class RevocationCommands : public ::testing::Test {
 protected:
  static pki::TestCertificate Leaf(const std::string& name, uint64_t serial,
                                   const pki::TestCertificate& issuer) {
    pki::TestCertificateSpec spec = pki::TestLeafSpec(name);
    spec.serial = serial;
    return pki::MakeTestCertificate(spec, pki::TestKey::P256(), &issuer);
  }
  pki::TestRevocationList List(const std::vector<uint64_t>& serials,
                               const pki::TestCertificate* signer = nullptr) {
    pki::TestRevocationListSpec spec;
    for (const uint64_t serial : serials) {
      spec.entries.push_back(
          {pki::TestSerial(serial), pki::TestNow() - absl::Hours(3), {}});
    }
    return pki::MakeTestRevocationList(spec,
                                       signer == nullptr ? root_ : *signer);
  }
  Output Verify(const pki::TestCertificate& client, Strings more,
                const std::string& command = "verify") const {
    Strings args = {command, "--truststore", truststore_, "--chain",
                    Write(client.pem)};
    args.insert(args.end(), more.begin(), more.end());
    return RunCommand(args);
  }

  const pki::TestCertificate root_ = pki::MakeTestCertificate(
      pki::TestCaSpec("root"), pki::TestKey::P256(), nullptr);
  const pki::TestCertificate revoked_ = Leaf("revoked", 7, root_);
  const pki::TestCertificate good_ = Leaf("good", 8, root_);
  const std::string truststore_ = Write(root_.pem);
};

TEST_F(RevocationCommands, VerifyRefusesWhatAListNames) {
  const Strings in_pem = {"--crl", Write(List({7}).pem)};
  const Strings in_der = {"--crl", Write(List({7}).der)};
  for (const Strings& crl : {in_pem, in_der}) {
    const Output text = Verify(revoked_, crl);
    EXPECT_EQ(text.exit_code, 1);
    EXPECT_TRUE(absl::StartsWith(text.out, "untrusted: REVOKED: ")) << text.out;
    EXPECT_EQ(Verify(good_, crl).exit_code, 0);
  }
  Strings json = in_pem;
  json.push_back("--json");
  EXPECT_EQ(Verify(revoked_, json).json()["reason"], "REVOKED");
  const Output explained = Verify(revoked_, in_pem, "explain");
  EXPECT_EQ(explained.exit_code, 1);
  EXPECT_TRUE(
      absl::StrContains(explained.out, "failed: is revoked: by the list of"))
      << explained.out;
  EXPECT_TRUE(absl::StrContains(explained.out, "to mend it: "));
}

TEST_F(RevocationCommands, VerifyTakesSeveralListsAndTheRule) {
  const pki::TestCertificate other = pki::MakeTestCertificate(
      pki::TestCaSpec("other"), pki::TestKey::P256(), nullptr);
  const std::string others = Write(List({}, &other).pem);
  const std::string ours = Write(List({}).pem);
  EXPECT_EQ(Verify(good_, {"--crl", others}).exit_code, 0);
  const Output missing =
      Verify(good_, {"--crl", others, "--crl-rule", "hard-fail"});
  EXPECT_EQ(missing.exit_code, 1);
  EXPECT_TRUE(absl::StrContains(missing.out, "no usable revocation list"))
      << missing.out;
  for (const char* scope : {"chain", "leaf"}) {
    EXPECT_EQ(Verify(good_, {"--crl", others, "--crl", ours, "--crl-rule",
                             "hard-fail", "--crl-scope", scope})
                  .exit_code,
              0);
  }
  const Output later =
      Verify(good_, {"--crl", ours, "--crl-rule", "hard-fail", "--time",
                     TimeText(pki::TestNow() + absl::Hours(24))});
  EXPECT_EQ(later.exit_code, 1);
  EXPECT_TRUE(absl::StrContains(later.out, "is past its nextUpdate"));
}

TEST_F(RevocationCommands, VerifyRefusesWhatTheDenyListNames) {
  const auto parsed = *pki::Certificate::Parse(revoked_.der);
  const Json by_certificate = {
      {"certificate_sha256", {HexLower(pki::AsBytes(parsed->fingerprint()))}}};
  const Json by_key = {
      {"spkiSha256",
       {HexUpper(pki::AsBytes(pki::Sha256(parsed->spki_der())))}}};
  const Json by_serial = {
      {"issuer_and_serial",
       {{{"issuer", parsed->Issuer()}, {"serial", "0:7"}}}}};
  for (const Json& json : {by_certificate, by_key, by_serial}) {
    const std::string file = Write(json.dump());
    const Output output = Verify(revoked_, {"--deny", file});
    EXPECT_EQ(output.exit_code, 1) << json << output.err;
    EXPECT_TRUE(absl::StrContains(output.out, "is on the deny list"));
    EXPECT_EQ(Verify(good_, {"--deny", file}).exit_code, 0);
  }
}

TEST_F(RevocationCommands, ABatchIsJudgedByThemToo) {
  const Json line = {
      {"id", "1"}, {"truststore_pem", root_.pem}, {"chain_pem", revoked_.pem}};
  const Output output =
      RunCommand({"verify", "--batch", "-", "--crl", Write(List({7}).pem)},
                 line.dump() + "\n");
  EXPECT_EQ(output.exit_code, 0) << output.err;
  EXPECT_EQ(output.json()["reason"], "REVOKED");
}

TEST_F(RevocationCommands, WhatCannotBeReadGivesNoAnswer) {
  const auto error = [&](const Strings& more) {
    const Output output = Verify(good_, more);
    EXPECT_EQ(output.exit_code, 2) << output.out;
    EXPECT_EQ(output.out, "");
    return output.err;
  };
  EXPECT_TRUE(absl::StrContains(error({"--crl", "/does/not/exist"}),
                                "cannot read the revocation lists: "));
  const std::string wrong = Write("x\n" + root_.pem);
  EXPECT_TRUE(absl::StrContains(
      error({"--crl", Write(List({}).pem), "--crl", wrong}),
      absl::StrCat("the revocation lists in ", wrong,
                   " are refused: NOT_A_LIST_BLOCK: block 1, line 2: ")));
  EXPECT_TRUE(absl::StrContains(error({"--crl-rule", "hard-fail"}),
                                "counts only with --crl"));
  EXPECT_TRUE(absl::StrContains(error({"--crl-scope", "leaf"}),
                                "counts only with --crl"));
  EXPECT_TRUE(
      absl::StrContains(error({"--crl", "-"}), "cannot be standard input"));
  EXPECT_TRUE(
      absl::StrContains(error({"--deny", "-"}), "cannot be standard input"));
  EXPECT_TRUE(absl::StrContains(error({"--deny", "/does/not/exist"}),
                                "cannot read the deny list: "));
  for (const char* json :
       {"", "[]", "{\"x\":[]}", "{\"certificate_sha256\":\"aa\"}",
        "{\"certificate_sha256\":[1]}", "{\"certificate_sha256\":[\"aa\"]}",
        "{\"file\":\"/x\"}", "{\"issuer_and_serial\":[\"x\"]}",
        "{\"issuer_and_serial\":[{\"issuer\":\"CN=a\"}]}",
        "{\"issuer_and_serial\":[{\"issuer\":\"CN=a\",\"x\":\"1\"}]}"}) {
    EXPECT_TRUE(
        absl::StrContains(error({"--deny", Write(json)}), "the deny list "))
        << json;
    EXPECT_FALSE(ReadDenyList(json).ok()) << json;
  }
  EXPECT_EQ(Verify(good_, {"--deny", Write("{}")}).exit_code, 0);
}

TEST_F(RevocationCommands, CrlCheckTellsWhatIsInAFile) {
  const std::string file = Write("first\n" + List({7, 8}).pem);
  const Output text = RunCommand({"crl", "check", file});
  EXPECT_EQ(text.exit_code, 0) << text.err;
  EXPECT_EQ(text.out,
            absl::StrCat(file,
                         ": accepted: 1 list, 2 revoked certificates, 0 "
                         "warnings\n  block 1, line 2: CN=root\n    this "
                         "update 2026-09-21T13:13:20Z, next update "
                         "2026-09-22T14:13:20Z; 2 revoked certificates\n"
                         "checked at 2026-09-21T14:13:20Z\n"));
  const Output json =
      RunCommand({"crl", "check", file, "--truststore", truststore_, "--json"});
  EXPECT_EQ(json.exit_code, 0);
  const Json answer = json.json();
  EXPECT_EQ(answer["accepted"], true);
  EXPECT_EQ(answer["entries"], 2);
  EXPECT_EQ(answer["lists"].size(), 1u);
  EXPECT_EQ(answer["lists"][0]["issuer"], "CN=root");
  EXPECT_EQ(answer["lists"][0]["entries"], 2);
  EXPECT_EQ(answer["lists"][0]["signature_algorithm"], "ecdsa-with-SHA256");
  EXPECT_EQ(answer["warnings"], Json::array());
  EXPECT_EQ(answer["error"], nullptr);
  // From standard input, as DER, a day later.
  const Output stale = RunCommand(
      {"crl", "check", "-", "--time", "2026-09-22T14:13:20Z", "--json"},
      List({7}).der);
  EXPECT_EQ(stale.exit_code, 0);
  EXPECT_EQ(stale.json()["warnings"][0]["reason"], "OUT_OF_DATE");
}

TEST_F(RevocationCommands, CrlCheckSaysWhoDidNotSign) {
  const pki::TestCertificate namesake = pki::MakeTestCertificate(
      pki::TestCaSpec("root"), pki::TestKey::P256(), nullptr);
  const std::string file = Write(List({7}, &namesake).pem);
  EXPECT_EQ(RunCommand({"crl", "check", file, "--json"}).json()["warnings"],
            Json::array());
  const Output output =
      RunCommand({"crl", "check", file, "--truststore", truststore_});
  EXPECT_EQ(output.exit_code, 0);
  EXPECT_TRUE(absl::StrContains(
      output.out, "block 1, line 1: UNTRUSTED_SIGNATURE: CN=root: "))
      << output.out;
}

TEST_F(RevocationCommands, CrlCheckRefusesWithAReason) {
  const Output refused =
      RunCommand({"crl", "check", Write(root_.pem), "--json"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_EQ(refused.json()["accepted"], false);
  EXPECT_EQ(refused.json()["error"]["reason"], "NOT_A_LIST_BLOCK");
  EXPECT_EQ(refused.json()["error"]["index"], 1);
  const std::string file = Write(List({7, 8}).pem);
  EXPECT_EQ(RunCommand({"crl", "check", file, "--max-entries", "2"}).exit_code,
            0);
  const Output many = RunCommand({"crl", "check", file, "--max-entries", "1"});
  EXPECT_EQ(many.exit_code, 1);
  EXPECT_TRUE(absl::StrContains(many.out, ": refused: TOO_MANY_ENTRIES: "));
  const Output large = RunCommand({"crl", "check", file, "--max-bytes", "9"});
  EXPECT_EQ(large.exit_code, 1);
  EXPECT_TRUE(absl::StrContains(large.out, ": refused: TOO_LARGE: "));
  EXPECT_EQ(RunCommand({"crl", "check", "/does/not/exist"}).exit_code, 2);
  EXPECT_EQ(RunCommand({"crl", "check", file, "--truststore", file}).exit_code,
            2);
  EXPECT_EQ(RunCommand({"crl", "check", "-", "--truststore", "-"}).exit_code,
            2);
  EXPECT_EQ(RunCommand({"crl"}).exit_code, 2);
}

}  // namespace
}  // namespace sallyport::cli
