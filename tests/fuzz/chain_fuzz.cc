// Input: a small program that puts certificates of pool.pem, whole or with a
// byte changed, into a truststore and into what a client sends.
//
//   byte 0     bit 0: any-anchor; bits 1, 2: extended key usage rule; bit 3:
//              pin_leaf; bits 4 to 7: longest chain
//   bytes 1-5  the time, seconds since 1970, big-endian
//   then       0 N N          certificate N into the truststore
//              1 N N          certificate N onto the chain
//              2 N N O O X    as 0, with the byte at O changed by X
//              3 N N O O X    as 1, with the byte at O changed by X
//
// Every number is taken modulo what there is, so that every input is a
// program. Of every verdict the invariants of tests/pki_cases hold; and the
// answer does not depend on order, on what does not count, or on being
// stricter.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/limits.h"
#include "pki/chain/verify.h"
#include "pki/truststore/truststore.h"
#include "pki/x509/pem.h"
#include "tests/fuzz/fuzz_check.h"
#include "tests/pki_cases/invariants.h"

// pool.pem, by a rule in BUILD.bazel.
extern const char kPoolPem[];

namespace sallyport::fuzz {
namespace {

using pki::Truststore;
using pki::Verdict;
using pki::VerifyPolicy;

constexpr size_t kMaxTruststore = 24;
constexpr size_t kMaxChain = 12;

const std::vector<std::string>& Pool() {
  static const auto* const kPool = [] {
    auto* pool = new std::vector<std::string>();
    const pki::PemError error =
        pki::ReadPem(kPoolPem, limits::kMaxCertificateBytes,
                     [pool](const pki::PemBlock& block) {
                       pool->emplace_back(block.data);
                       return true;
                     });
    Require(error.ok() && !pool->empty(), "the pool can be read");
    return pool;
  }();
  return *kPool;
}

class Program {
 public:
  Program(const uint8_t* data, size_t size) : data_(data), size_(size) {}
  bool empty() const { return size_ == 0; }
  // 0 when there is nothing left.
  uint64_t Take(size_t bytes) {
    uint64_t out = 0;
    for (; bytes > 0; --bytes) {
      out <<= 8;
      if (size_ == 0) continue;
      out |= *data_++;
      --size_;
    }
    return out;
  }

 private:
  const uint8_t* data_;
  size_t size_;
};

std::string ToPem(const std::vector<std::string>& ders) {
  std::string pem;
  for (const std::string& der : ders) pem += pki::WritePem("CERTIFICATE", der);
  return pem;
}

std::vector<absl::string_view> Views(const std::vector<std::string>& ders) {
  return {ders.begin(), ders.end()};
}

std::string Describe(const Verdict& verdict) {
  return absl::StrCat(pki::ReasonName(verdict.reason), " ", verdict.depth, " ",
                      verdict.detail, " ", absl::FormatTime(verdict.recheck_at),
                      " ", verdict.path.size(), " ", verdict.signature_checks,
                      " ", verdict.path_iterations);
}

// Both were decided, rather than given up.
bool Decided(const Verdict& a, const Verdict& b) {
  return a.reason != pki::Reason::kLimitExceeded &&
         b.reason != pki::Reason::kLimitExceeded;
}

void Test(Program program) {
  const auto flags = static_cast<uint8_t>(program.Take(1));
  VerifyPolicy policy;
  policy.chain_policy = (flags & 1) != 0 ? pki::ChainPolicy::kAnyAnchor
                                         : pki::ChainPolicy::kCompleteChain;
  policy.extended_key_usage =
      static_cast<pki::ExtendedKeyUsageRule>((flags >> 1 & 3) % 3);
  policy.pin_leaf = (flags & 8) != 0;
  policy.max_chain_length = 1 + (flags >> 4) % 10;
  if (flags >> 4 != 0 && flags >> 4 <= 10) policy.max_chain_length = flags >> 4;
  // Up to the year 9999.
  const absl::Time now = absl::FromUnixSeconds(
      static_cast<int64_t>(program.Take(5) % 253402300800));

  std::vector<std::string> bundle;
  std::vector<std::string> chain;
  while (!program.empty() && bundle.size() < kMaxTruststore &&
         chain.size() < kMaxChain) {
    const uint64_t op = program.Take(1) % 4;
    std::string der = Pool()[program.Take(2) % Pool().size()];
    if (op >= 2) {
      const size_t at = program.Take(2) % der.size();
      der[at] = static_cast<char>(der[at] ^ static_cast<char>(program.Take(1)));
    }
    (op % 2 == 0 ? bundle : chain).push_back(std::move(der));
  }
  const auto parsed = Truststore::Parse(ToPem(bundle));
  if (parsed.truststore == nullptr) return;
  const Truststore& truststore = *parsed.truststore;

  const std::vector<absl::string_view> views = Views(chain);
  const Verdict verdict = pki::VerifyChain(truststore, views, policy, now);
  for (const std::string& violation :
       pki_cases::Violations(truststore, views, policy, now, verdict)) {
    Require(false, absl::StrCat(violation, "\n", Describe(verdict)));
  }
  if (verdict.trusted()) {
    Require(verdict.path.size() <= policy.max_chain_length, "chain length");
  }
  Require(Describe(pki::VerifyChain(truststore, views, policy, now)) ==
              Describe(verdict),
          "the same question has the same answer");
  const pki::Explanation explanation =
      pki::ExplainChain(truststore, views, policy, now);
  Require(Describe(explanation.verdict) == Describe(verdict),
          "an explanation is of the same verdict");
  Require(explanation.advice.empty() == verdict.trusted(),
          "advice is for the refused");

  const auto require_same = [&](const Verdict& other, const char* what) {
    Require(!Decided(verdict, other) || verdict.trusted() == other.trusted(),
            absl::StrCat(what, "\n", Describe(verdict), "\n", Describe(other)));
  };
  // What trusts under a stricter rule trusts under a laxer one.
  const auto require_no_stricter = [&](const Verdict& laxer, const char* what) {
    Require(!Decided(verdict, laxer) || !verdict.trusted() || laxer.trusted(),
            absl::StrCat(what, "\n", Describe(verdict), "\n", Describe(laxer)));
  };

  // Nothing changes before recheck_at.
  if (verdict.recheck_at < absl::FromUnixSeconds(253402300800)) {
    const absl::Time just_before = verdict.recheck_at - absl::Seconds(1);
    for (const absl::Time then : {just_before, now + (just_before - now) / 2}) {
      if (then > now) {
        require_same(pki::VerifyChain(truststore, views, policy, then),
                     "nothing changes before recheck_at");
      }
    }
  }
  // The order of a bundle, and of what follows the client's certificate.
  std::vector<std::string> reversed = bundle;
  std::reverse(reversed.begin(), reversed.end());
  const auto parsed_reversed = Truststore::Parse(ToPem(reversed));
  Require(parsed_reversed.truststore != nullptr, "a reversed bundle parses");
  std::vector<absl::string_view> reversed_chain = views;
  if (!views.empty()) {
    std::reverse(reversed_chain.begin() + 1, reversed_chain.end());
  }
  require_same(pki::VerifyChain(*parsed_reversed.truststore, reversed_chain,
                                policy, now),
               "the order does not matter");
  // Under COMPLETE_CHAIN nothing that the client sends beside its own
  // certificate adds trust.
  if (policy.chain_policy == pki::ChainPolicy::kCompleteChain &&
      !views.empty()) {
    require_same(
        pki::VerifyChain(truststore, {views[0]}, policy, now),
        "complete-chain does not look at what the client sends besides");
  }
  VerifyPolicy laxer = policy;
  laxer.chain_policy = pki::ChainPolicy::kAnyAnchor;
  require_no_stricter(pki::VerifyChain(truststore, views, laxer, now),
                      "any-anchor trusts what complete-chain does");
  laxer = policy;
  laxer.extended_key_usage = pki::ExtendedKeyUsageRule::kIgnore;
  require_no_stricter(pki::VerifyChain(truststore, views, laxer, now),
                      "ignoring the extended key usage trusts no less");
  laxer = policy;
  laxer.pin_leaf = true;
  require_no_stricter(pki::VerifyChain(truststore, views, laxer, now),
                      "pinning leaves trusts no less");
  laxer = policy;
  laxer.max_chain_length = limits::kMaxConfigurableChainLength;
  require_no_stricter(pki::VerifyChain(truststore, views, laxer, now),
                      "longer chains trust no less");
}

}  // namespace
}  // namespace sallyport::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sallyport::fuzz::Test(sallyport::fuzz::Program(data, size));
  return 0;
}
