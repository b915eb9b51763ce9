// Puts every chain of //tests/pki_cases to `openssl verify` too. The two must
// agree on trusted or not, except where differences.json says why they do not;
// a difference that is not listed fails, and so does a listed one that is gone.

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "pki/chain/verify.h"
#include "pki/truststore/truststore.h"
#include "pki/x509/pem.h"
#include "tests/pki_cases/case_file.h"

extern char** environ;

namespace sallyport::openssl_comparison {
namespace {

using pki_cases::VerifyCheck;

struct Difference {
  // The answers: "trusted" or "untrusted".
  std::string sallyport;
  std::string openssl;
  std::string why;
};

// By "case/check". Ends the process when the file is wrong.
const std::map<std::string, Difference>& Differences() {
  static const auto* const kDifferences = [] {
    auto* out = new std::map<std::string, Difference>();
    std::ifstream stream("tests/openssl_comparison/differences.json");
    const auto groups = nlohmann::json::parse(stream);
    for (const auto& group : groups) {
      Difference difference;
      difference.sallyport = group.at("sallyport").get<std::string>();
      difference.openssl = group.at("openssl").get<std::string>();
      difference.why = group.at("why").get<std::string>();
      for (const auto& id : group.at("checks")) {
        if (!out->emplace(id.get<std::string>(), difference).second) {
          std::fprintf(stderr, "differences.json: %s is listed twice\n",
                       id.get<std::string>().c_str());
          std::exit(1);
        }
      }
    }
    return out;
  }();
  return *kDifferences;
}

std::string ReadWhole(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(stream),
                     std::istreambuf_iterator<char>());
}

// Runs `argv` with its output in `output_path`; the exit status, or -1.
int Run(const std::vector<std::string>& argv, const std::string& output_path) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output_path.c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null",
                                   O_RDONLY, 0);
  std::vector<char*> args;
  args.reserve(argv.size() + 1);
  for (const std::string& arg : argv) {
    args.push_back(const_cast<char*>(arg.c_str()));
  }
  args.push_back(nullptr);
  pid_t pid = 0;
  const int error =
      posix_spawnp(&pid, args[0], &actions, nullptr, args.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return -1;
  int status = 0;
  if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) return -1;
  return WEXITSTATUS(status);
}

class Folder {
 public:
  Folder() {
    const char* base = std::getenv("TEST_TMPDIR");
    path_ = absl::StrCat(base != nullptr ? base : "/tmp", "/openssl.",
                         static_cast<int>(getpid()));
    EXPECT_EQ(::system(absl::StrCat("mkdir -p '", path_, "'").c_str()), 0);
  }
  std::string Write(const std::string& name, const std::string& content) const {
    std::string path = Path(name);
    std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
    return path;
  }
  std::string Path(const std::string& name) const {
    return absl::StrCat(path_, "/", name);
  }

 private:
  std::string path_;
};

struct OpensslAnswer {
  bool trusted = false;
  std::string text;
};

OpensslAnswer AskOpenssl(const VerifyCheck& check) {
  static const Folder* const kFolder = new Folder();
  const pki::VerifyPolicy& policy = check.policy;
  const auto& chain = check.material->chain_der;
  std::vector<std::string> argv = {
      "openssl",
      "verify",
      "-no-CApath",
      "-no-CAstore",
      "-CAfile",
      kFolder->Write("truststore.pem", check.material->truststore_pem),
      "-attime",
      absl::StrCat(absl::ToUnixSeconds(check.time)),
      // 112 bits of security: RSA 2048, SHA-256.
      "-auth_level",
      "2",
      // OpenSSL counts the certificates between the client's and the root.
      "-verify_depth",
      absl::StrCat(policy.max_chain_length < 2 ? 0
                                               : policy.max_chain_length - 2),
      "-purpose",
      policy.extended_key_usage == pki::ExtendedKeyUsageRule::kRequire
          ? "sslclient"
          : "any",
  };
  if (policy.chain_policy == pki::ChainPolicy::kAnyAnchor) {
    argv.push_back("-partial_chain");
    std::string sent;
    for (size_t i = 1; i < chain.size(); ++i) {
      sent += pki::WritePem("CERTIFICATE", chain[i]);
    }
    if (!sent.empty()) {
      argv.push_back("-untrusted");
      argv.push_back(kFolder->Write("sent.pem", sent));
    }
  }
  if (check.uses_lists) {
    argv.push_back(check.scope == pki::RevocationScope::kLeaf
                       ? "-crl_check"
                       : "-crl_check_all");
    argv.push_back("-CRLfile");
    argv.push_back(kFolder->Write("lists.pem", check.material->lists_pem));
  }
  argv.push_back(
      kFolder->Write("client.pem", pki::WritePem("CERTIFICATE", chain[0])));
  const std::string output = kFolder->Path("output");
  const int status = Run(argv, output);
  OpensslAnswer answer;
  answer.text = ReadWhole(output);
  EXPECT_GE(status, 0) << "openssl cannot be run";
  EXPECT_NE(status, 127) << "openssl is not installed";
  answer.trusted = status == 0;
  return answer;
}

// OpenSSL has no deny list, and refuses when a list is missing: of the checks
// with revocation lists only those with hard-fail can be compared.
std::vector<VerifyCheck> ChecksWithAChain() {
  std::vector<VerifyCheck> out;
  for (const VerifyCheck& check : pki_cases::AllCases().verify) {
    if (check.material->chain_der.empty() || check.material->deny != nullptr ||
        (check.uses_lists && check.rule != pki::RevocationRule::kHardFail)) {
      continue;
    }
    out.push_back(check);
  }
  return out;
}

std::string Word(bool trusted) { return trusted ? "trusted" : "untrusted"; }

class Comparison : public ::testing::TestWithParam<VerifyCheck> {};

TEST_P(Comparison, AgreesOrSaysWhyNot) {
  const VerifyCheck& check = GetParam();
  const auto parsed = pki::Truststore::Parse(check.material->truststore_pem);
  ASSERT_TRUE(parsed.truststore != nullptr) << parsed.error.ToString();
  const pki::RevocationInputs revocation = check.Revocation();
  const pki::Verdict verdict =
      pki::VerifyChain(*parsed.truststore, check.material->Chain(),
                       check.policy, check.time, nullptr, &revocation);
  const OpensslAnswer openssl = AskOpenssl(check);
  const std::string answers =
      absl::StrCat("sallyport: ", Word(verdict.trusted()), " (",
                   pki::ReasonName(verdict.reason), ": ", verdict.detail,
                   ")\nopenssl: ", Word(openssl.trusted), "\n", openssl.text);
  const auto listed = Differences().find(check.Id());
  if (listed == Differences().end()) {
    EXPECT_EQ(Word(verdict.trusted()), Word(openssl.trusted))
        << "a difference that differences.json does not list\n"
        << answers;
    return;
  }
  EXPECT_EQ(Word(verdict.trusted()), listed->second.sallyport) << answers;
  EXPECT_EQ(Word(openssl.trusted), listed->second.openssl) << answers;
}

INSTANTIATE_TEST_SUITE_P(Case, Comparison,
                         ::testing::ValuesIn(ChecksWithAChain()),
                         [](const auto& instance) {
                           return pki_cases::TestName(instance.param.Id());
                         });

TEST(Differences, AreOfChecksThatExistAndHaveAReason) {
  std::set<std::string> ids;
  for (const VerifyCheck& check : ChecksWithAChain()) ids.insert(check.Id());
  for (const auto& [id, difference] : Differences()) {
    EXPECT_EQ(ids.count(id), 1u) << id;
    EXPECT_NE(difference.why, "") << id;
    EXPECT_NE(difference.sallyport, difference.openssl) << id;
  }
}

}  // namespace
}  // namespace sallyport::openssl_comparison
