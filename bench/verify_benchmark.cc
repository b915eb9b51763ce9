// What the trust rules cost without Envoy: Truststore::Parse and VerifyChain by
// truststore size, beside the bare signature checks they cannot do without.
//
//   bazel run //bench:verify_benchmark

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "pki/chain/verify.h"
#include "pki/testing/make_certificate.h"
#include "pki/truststore/truststore.h"
#include "pki/x509/certificate.h"

namespace sallyport::bench {
namespace {

using pki::Certificate;
using pki::ChainPolicy;
using pki::MakeTestCertificate;
using pki::TestCertificate;
using pki::TestCertificateSpec;
using pki::TestKey;
using pki::TestNow;
using pki::Truststore;
using pki::Verdict;
using pki::VerifyPolicy;

TestCertificate MakeRoot(int number) {
  TestCertificateSpec spec;
  spec.ca = true;
  spec.key_usage = "critical,keyCertSign,cRLSign";
  const uint32_t mixed = static_cast<uint32_t>(number) * 2654435761u;
  spec.subject = {{"C", "DE"},
                  {"O", absl::StrFormat("%08X Company%s", mixed,
                                        std::string(mixed >> 27, 'y'))},
                  {"CN", absl::StrFormat("Partner %06d Root CA", number)}};
  return MakeTestCertificate(spec, TestKey::P256(), nullptr);
}

struct Chains {
  TestCertificate root = MakeRoot(0);
  TestCertificate intermediate;
  TestCertificate leaf;
  TestCertificate direct;    // under the root itself
  TestCertificate stranger;  // under a root that no truststore has

  Chains() {
    TestCertificateSpec ca;
    ca.ca = true;
    ca.key_usage = "critical,keyCertSign,cRLSign";
    ca.subject = {{"O", "Example Partner"}, {"CN", "Partner Issuing CA"}};
    intermediate = MakeTestCertificate(ca, TestKey::P256(), &root);
    TestCertificateSpec client;
    client.key_usage = "critical,digitalSignature";
    client.extended_key_usage = "clientAuth";
    client.alt_names = "DNS:client.example.com";
    client.subject = {{"O", "Example Partner"}, {"CN", "client"}};
    leaf = MakeTestCertificate(client, TestKey::P256(), &intermediate);
    direct = MakeTestCertificate(client, TestKey::P256(), &root);
    const TestCertificate other = MakeRoot(999999);
    stranger = MakeTestCertificate(client, TestKey::P256(), &other);
  }
};

const Chains& TheChains() {
  static const auto& chains = *new Chains;
  return chains;
}

// `size` roots, the client's in the middle; or, with the intermediate, one
// more certificate.
std::string Bundle(int64_t size, bool with_intermediate) {
  static auto& others = *new std::vector<std::string>;
  while (others.size() + 1 < static_cast<size_t>(size)) {
    others.push_back(MakeRoot(static_cast<int>(others.size()) + 1).pem);
  }
  std::string pem;
  const int64_t middle = size / 2;
  for (int64_t i = 0; i < size; ++i) {
    pem += i == middle ? TheChains().root.pem
                       : others[static_cast<size_t>(i < middle ? i : i - 1)];
  }
  if (with_intermediate) pem += TheChains().intermediate.pem;
  return pem;
}

const Truststore& TruststoreOf(int64_t size, bool with_intermediate) {
  static auto& cache = *new std::map<std::pair<int64_t, bool>,
                                     std::shared_ptr<const Truststore>>;
  auto& slot = cache[{size, with_intermediate}];
  if (slot == nullptr) {
    slot = Truststore::Parse(Bundle(size, with_intermediate)).truststore;
  }
  return *slot;
}

void BM_TruststoreParse(benchmark::State& state) {
  const std::string pem = Bundle(state.range(0), false);
  for (auto _ : state) {
    auto result = Truststore::Parse(pem);
    if (result.truststore == nullptr) state.SkipWithError("refused");
    benchmark::DoNotOptimize(result);
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

// What is computed at start-up for the log, once for a truststore.
void BM_TruststoreWarnings(benchmark::State& state) {
  const Truststore& truststore = TruststoreOf(state.range(0), false);
  for (auto _ : state) {
    auto warnings = truststore.Warnings(ChainPolicy::kAnyAnchor, TestNow());
    if (!warnings.empty()) state.SkipWithError("warnings");
    benchmark::DoNotOptimize(warnings);
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void Verify(benchmark::State& state, const Truststore& truststore,
            const std::vector<absl::string_view>& chain, ChainPolicy policy,
            pki::Reason expected) {
  VerifyPolicy rules;
  rules.chain_policy = policy;
  size_t checks = 0;
  for (auto _ : state) {
    const Verdict verdict =
        pki::VerifyChain(truststore, chain, rules, TestNow());
    if (verdict.reason != expected) {
      state.SkipWithError(verdict.detail.c_str());
      break;
    }
    checks = verdict.signature_checks;
  }
  state.counters["signature_checks"] = static_cast<double>(checks);
}

void BM_VerifyIntermediateSentAnyAnchor(benchmark::State& state) {
  const Chains& chains = TheChains();
  Verify(state, TruststoreOf(state.range(0), false),
         {chains.leaf.der, chains.intermediate.der}, ChainPolicy::kAnyAnchor,
         pki::Reason::kTrusted);
}

// A worker that has served clients of this intermediate before: the next one's
// leaf is new to it.
void BM_VerifyNewLeafWithMemory(benchmark::State& state) {
  constexpr size_t kLeaves = 64;  // more than VerifyMemory keeps unasked
  static const auto& leaves = *[] {
    auto* out = new std::vector<std::string>;
    for (size_t i = 0; i < kLeaves; ++i) {
      TestCertificateSpec client;
      client.key_usage = "critical,digitalSignature";
      client.extended_key_usage = "clientAuth";
      client.alt_names = "DNS:client.example.com";
      client.subject = {{"O", "Example Partner"},
                        {"CN", absl::StrFormat("client %d", i)}};
      out->push_back(MakeTestCertificate(client, TestKey::P256(),
                                         &TheChains().intermediate)
                         .der);
    }
    return out;
  }();
  const Truststore& truststore = TruststoreOf(state.range(0), false);
  VerifyPolicy rules;
  rules.chain_policy = ChainPolicy::kAnyAnchor;
  pki::VerifyMemory memory;
  size_t checks = 0;
  size_t next = 0;
  for (auto _ : state) {
    const std::vector<absl::string_view> chain = {leaves[next++ % kLeaves],
                                                  TheChains().intermediate.der};
    const Verdict verdict =
        pki::VerifyChain(truststore, chain, rules, TestNow(), &memory);
    if (!verdict.trusted()) state.SkipWithError(verdict.detail.c_str());
    checks = verdict.signature_checks;
  }
  state.counters["signature_checks"] = static_cast<double>(checks);
}

void BM_VerifyIntermediateHeldCompleteChain(benchmark::State& state) {
  const Chains& chains = TheChains();
  Verify(state, TruststoreOf(state.range(0), true),
         {chains.leaf.der, chains.intermediate.der},
         ChainPolicy::kCompleteChain, pki::Reason::kTrusted);
}

void BM_VerifyDirect(benchmark::State& state) {
  Verify(state, TruststoreOf(state.range(0), false), {TheChains().direct.der},
         ChainPolicy::kCompleteChain, pki::Reason::kTrusted);
}

void BM_VerifyStranger(benchmark::State& state) {
  Verify(state, TruststoreOf(state.range(0), false), {TheChains().stranger.der},
         ChainPolicy::kCompleteChain, pki::Reason::kUntrustedIssuer);
}

void BM_CertificateParse(benchmark::State& state) {
  const std::string& der = TheChains().leaf.der;
  for (auto _ : state) {
    auto certificate = Certificate::Parse(der);
    if (!certificate.ok()) state.SkipWithError("refused");
    benchmark::DoNotOptimize(certificate);
  }
}

// The floor under one link of a chain: read the issuer's key, hash, verify.
void BM_OneSignatureCheck(benchmark::State& state) {
  const auto leaf = *Certificate::Parse(TheChains().leaf.der);
  const auto issuer = *Certificate::Parse(TheChains().intermediate.der);
  for (auto _ : state) {
    if (!pki::SignedBy(*leaf, *issuer)) state.SkipWithError("bad signature");
  }
}

BENCHMARK(BM_OneSignatureCheck);
BENCHMARK(BM_CertificateParse);
BENCHMARK(BM_VerifyDirect)->RangeMultiplier(100)->Range(1, 10000);
BENCHMARK(BM_VerifyIntermediateSentAnyAnchor)
    ->RangeMultiplier(10)
    ->Range(1, 100000);
BENCHMARK(BM_VerifyNewLeafWithMemory)->Arg(100);
BENCHMARK(BM_VerifyIntermediateHeldCompleteChain)
    ->RangeMultiplier(10)
    ->Range(1, 100000);
BENCHMARK(BM_VerifyStranger)->RangeMultiplier(10)->Range(1, 100000);
BENCHMARK(BM_TruststoreParse)
    ->RangeMultiplier(10)
    ->Range(1, 100000)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK(BM_TruststoreWarnings)
    ->RangeMultiplier(10)
    ->Range(1, 10000)
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace sallyport::bench

BENCHMARK_MAIN();
