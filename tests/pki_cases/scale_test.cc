// What no pile of certificates may do: make a check slow, or a truststore
// unloadable. Work is judged by counts; times are printed, not asserted (an
// input that took quadratic time would run into the test's time-out).

#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/limits.h"
#include "gtest/gtest.h"
#include "pki/chain/verify.h"
#include "pki/truststore/truststore.h"
#include "pki/x509/pem.h"
#include "tests/pki_cases/certificate_factory.h"
#include "tests/pki_cases/invariants.h"

namespace sallyport::pki_cases {
namespace {

using pki::ChainPolicy;
using pki::Truststore;
using pki::VerifyPolicy;

const absl::Time kNow = absl::FromUnixSeconds(1906502400);  // 2030-06-01

// A name with a key.
struct Ca {
  explicit Ca(std::string ca_name) : name(std::move(ca_name)), key(NewKey()) {}

  std::string name;
  bssl::UniquePtr<EVP_PKEY> key;
};

std::string Issue(const Ca& issuer, const Ca& subject, bool is_ca,
                  bool key_identifiers, uint64_t serial = 1) {
  CertificateSpec spec;
  spec.subject = subject.name;
  spec.issuer = issuer.name;
  spec.subject_key = subject.key.get();
  spec.issuer_key = issuer.key.get();
  spec.is_ca = is_ca;
  spec.key_identifiers = key_identifiers;
  spec.serial = serial;
  return MakeCertificate(spec);
}

std::shared_ptr<const Truststore> Load(const std::vector<std::string>& ders) {
  std::string pem;
  for (const std::string& der : ders) pem += pki::WritePem("CERTIFICATE", der);
  auto parsed = Truststore::Parse(pem);
  EXPECT_TRUE(parsed.truststore != nullptr) << parsed.error.ToString();
  return parsed.truststore;
}

// The verdict, after a look at what must hold of every verdict.
pki::Verdict Verify(const Truststore& truststore,
                    const std::vector<std::string>& chain,
                    const VerifyPolicy& policy) {
  const std::vector<absl::string_view> views(chain.begin(), chain.end());
  pki::Verdict verdict = VerifyChain(truststore, views, policy, kNow);
  EXPECT_EQ(
      absl::StrJoin(Violations(truststore, views, policy, kNow, verdict), "\n"),
      "");
  return verdict;
}

class BothPolicies : public ::testing::TestWithParam<ChainPolicy> {
 protected:
  VerifyPolicy Policy() const {
    VerifyPolicy policy;
    policy.chain_policy = GetParam();
    return policy;
  }
};

INSTANTIATE_TEST_SUITE_P(Scale, BothPolicies,
                         ::testing::Values(ChainPolicy::kCompleteChain,
                                           ChainPolicy::kAnyAnchor),
                         [](const auto& instance) {
                           return std::string(instance.param ==
                                                      ChainPolicy::kAnyAnchor
                                                  ? "AnyAnchor"
                                                  : "CompleteChain");
                         });

constexpr size_t kSameNames = 1000;

std::vector<Ca> Namesakes(size_t number) {
  std::vector<Ca> cas;
  cas.reserve(number);
  for (size_t i = 0; i < number; ++i) cas.emplace_back("One of a Thousand");
  return cas;
}

// Mesh 0, Mesh 1, ...
std::vector<Ca> MeshMembers(size_t number) {
  std::vector<Ca> cas;
  cas.reserve(number);
  for (size_t i = 0; i < number; ++i) {
    cas.emplace_back(absl::StrCat("Mesh ", i));
  }
  return cas;
}

std::shared_ptr<const Truststore> LoadRoots(const std::vector<Ca>& cas,
                                            bool key_identifiers) {
  std::vector<std::string> ders;
  ders.reserve(cas.size());
  for (const Ca& ca : cas) {
    ders.push_back(Issue(ca, ca, true, key_identifiers));
  }
  return Load(ders);
}

TEST_P(BothPolicies, AThousandCasOfOneNameAreToldApartByKeyIdentifier) {
  const std::vector<Ca> cas = Namesakes(kSameNames);
  const auto truststore = LoadRoots(cas, true);
  const Ca client("client");
  for (const size_t i : {size_t{0}, size_t{500}, size_t{999}}) {
    const pki::Verdict verdict =
        Verify(*truststore, {Issue(cas[i], client, false, true)}, Policy());
    EXPECT_TRUE(verdict.trusted()) << verdict.detail;
    EXPECT_LE(verdict.signature_checks, 2u);
    EXPECT_LE(verdict.path_iterations, 3u);
  }
}

TEST_P(BothPolicies, AThousandCasOfOneNameWithoutKeyIdentifiersMeetTheLimit) {
  const std::vector<Ca> cas = Namesakes(kSameNames);
  const auto truststore = LoadRoots(cas, false);
  const Ca client("client");

  const pki::Verdict early =
      Verify(*truststore, {Issue(cas[5], client, false, false)}, Policy());
  EXPECT_TRUE(early.trusted()) << early.detail;

  const std::string late = Issue(cas[900], client, false, false);
  const pki::Verdict refused = Verify(*truststore, {late}, Policy());
  EXPECT_EQ(pki::ReasonName(refused.reason), "LIMIT_EXCEEDED");
  EXPECT_LE(refused.signature_checks, limits::kMaxSignatureChecks);

  VerifyPolicy generous = Policy();
  generous.max_signature_checks = 2 * kSameNames;
  const pki::Verdict found = Verify(*truststore, {late}, generous);
  EXPECT_TRUE(found.trusted()) << found.detail;
}

// Nine certificates of the client's that all have the name of all CAs.
TEST_P(BothPolicies, AThousandCasOfOneNameAndAClientThatSendsMoreOfThem) {
  const std::vector<Ca> cas = Namesakes(kSameNames);
  const auto truststore = LoadRoots(cas, false);
  const std::vector<Ca> own = Namesakes(9);
  const Ca client("client");
  std::vector<std::string> chain = {Issue(own[0], client, false, false)};
  for (size_t i = 0; i < 9; ++i) {
    chain.push_back(Issue(own[(i + 1) % 9], own[i], true, false));
  }
  const pki::Verdict verdict = Verify(*truststore, chain, Policy());
  EXPECT_FALSE(verdict.trusted());
}

// Every CA signed every other one: the number of paths is exponential.
TEST_P(BothPolicies, CasThatAllSignedEachOtherMeetTheLimit) {
  const std::vector<Ca> cas = MeshMembers(24);
  std::vector<std::string> ders;
  for (const Ca& issuer : cas) {
    for (const Ca& subject : cas) {
      if (&issuer != &subject) {
        ders.push_back(Issue(issuer, subject, true, true));
      }
    }
  }
  const Ca stranger("Stranger");
  ders.push_back(Issue(stranger, stranger, true, true));
  const auto truststore = Load(ders);
  const Ca client("client");
  VerifyPolicy policy = Policy();
  for (const size_t length : {4, 10}) {
    policy.max_chain_length = length;
    const pki::Verdict verdict =
        Verify(*truststore, {Issue(cas[3], client, false, true)}, policy);
    // Under ANY_ANCHOR the first CA ends the path; without a root there is
    // nothing to find under COMPLETE_CHAIN.
    EXPECT_EQ(verdict.trusted(), GetParam() == ChainPolicy::kAnyAnchor)
        << verdict.detail;
  }
}

TEST(Scale, AMeshSentByTheClientMeetsTheLimit) {
  // Three CAs, each signed by each (and by itself): nine certificates.
  const std::vector<Ca> cas = MeshMembers(3);
  const Ca client("client");
  std::vector<std::string> chain = {Issue(cas[0], client, false, true)};
  for (const Ca& issuer : cas) {
    for (const Ca& subject : cas) {
      chain.push_back(Issue(issuer, subject, true, true));
    }
  }
  // The truststore knows the names but none of the keys, so that names lead
  // everywhere.
  const auto truststore = LoadRoots(MeshMembers(cas.size()), false);
  VerifyPolicy policy;
  policy.chain_policy = ChainPolicy::kAnyAnchor;
  policy.max_chain_length = limits::kMaxConfigurableChainLength;
  const pki::Verdict verdict = Verify(*truststore, chain, policy);
  EXPECT_FALSE(verdict.trusted());
  std::printf("mesh of a client: %s, %zu signature checks, %zu iterations\n",
              std::string(pki::ReasonName(verdict.reason)).c_str(),
              verdict.signature_checks, verdict.path_iterations);
}

TEST(Scale, AHundredThousandCasLoad) {
  constexpr size_t kCas = limits::kMaxTruststoreCertificates;
  // One key for all: names and serial numbers differ.
  Ca ca("");
  std::string pem;
  for (size_t i = 0; i < kCas; ++i) {
    ca.name = absl::StrCat("Partner CA ", i);
    pem += pki::WritePem("CERTIFICATE", Issue(ca, ca, true, true, i + 1));
  }
  const Ca client("client");
  ca.name = absl::StrCat("Partner CA ", kCas - 1);
  const std::string last = Issue(ca, client, false, true);

  absl::Time start = absl::Now();
  const auto parsed = Truststore::Parse(pem);
  ASSERT_TRUE(parsed.truststore != nullptr) << parsed.error.ToString();
  const absl::Duration load_time = absl::Now() - start;
  EXPECT_EQ(parsed.truststore->entries().size(), kCas);
  for (const ChainPolicy chain_policy :
       {ChainPolicy::kCompleteChain, ChainPolicy::kAnyAnchor}) {
    VerifyPolicy policy;
    policy.chain_policy = chain_policy;
    const pki::Verdict verdict = VerifyChain(
        *parsed.truststore, std::vector<absl::string_view>{last}, policy, kNow);
    EXPECT_TRUE(verdict.trusted()) << verdict.detail;
    EXPECT_LE(verdict.signature_checks, 2u);
    EXPECT_LE(verdict.path_iterations, 3u);
  }
  start = absl::Now();
  const size_t num_warnings =
      parsed.truststore->Warnings(ChainPolicy::kCompleteChain, kNow).size();
  const absl::Duration warnings_time = absl::Now() - start;
  EXPECT_EQ(num_warnings, 0u);
  std::printf(
      "%zu CAs, %zu bytes of PEM: loaded in %s, %zu bytes held; warnings in "
      "%s\n",
      kCas, pem.size(), absl::FormatDuration(load_time).c_str(),
      parsed.truststore->ApproximateBytes(),
      absl::FormatDuration(warnings_time).c_str());

  // One more is refused, and said to be the one too many.
  ca.name = "One too many";
  pem += pki::WritePem("CERTIFICATE", Issue(ca, ca, true, true));
  const auto refused = Truststore::Parse(pem);
  EXPECT_EQ(refused.truststore, nullptr);
  EXPECT_EQ(pki::ReasonName(refused.error.reason), "TOO_MANY_CERTIFICATES");
  EXPECT_EQ(refused.error.index, kCas + 1);
}

TEST(Scale, ACertificateOverItsLimitIsRefusedAndOneAtItIsNot) {
  const Ca ca("Large CA");
  CertificateSpec spec;
  spec.subject = spec.issuer = ca.name;
  spec.subject_key = spec.issuer_key = ca.key.get();
  // The signature's length varies by a byte or two.
  std::string at_limit;
  spec.padding = limits::kMaxCertificateBytes - 500;
  while (at_limit.size() != limits::kMaxCertificateBytes) {
    at_limit = MakeCertificate(spec);
    spec.padding += limits::kMaxCertificateBytes - at_limit.size();
  }
  EXPECT_NE(Load({at_limit}), nullptr);
  std::string over = at_limit;
  while (over.size() <= limits::kMaxCertificateBytes) {
    ++spec.padding;
    over = MakeCertificate(spec);
  }
  const auto refused =
      Truststore::Parse(pki::WritePem("CERTIFICATE", at_limit) + "\n" +
                        pki::WritePem("CERTIFICATE", over));
  EXPECT_EQ(refused.truststore, nullptr);
  EXPECT_EQ(pki::ReasonName(refused.error.reason), "CERTIFICATE_TOO_LARGE");
  EXPECT_EQ(refused.error.index, 2u);
}

// Inputs that make careless readers look at the rest of the file once for each
// line, block or byte. Each is 32 MiB.
TEST(Scale, PemThatInvitesQuadraticTimeIsReadOrRefused) {
  constexpr size_t kBytes = size_t{32} << 20;
  const auto repeat = [](absl::string_view piece) {
    std::string out;
    out.reserve(kBytes + piece.size());
    while (out.size() < kBytes) out.append(piece.data(), piece.size());
    return out;
  };
  const Ca ca("Some CA");
  const std::string block =
      pki::WritePem("CERTIFICATE", Issue(ca, ca, true, true));
  const struct {
    const char* what;
    std::string pem;
    bool accepted;
  } kInputs[] = {
      {"blank lines", repeat("\n") + block, true},
      {"one line of text", repeat("x") + "\n" + block, true},
      {"carriage returns", repeat("\r") + block, true},
      {"NUL bytes", repeat(absl::string_view("\0\n", 2)) + block, true},
      {"dashes", repeat("----") + "\n" + block, true},
      {"lines of dashes", repeat("-----\n") + block, true},
      {"BEGIN in every line", repeat("-----BEGIN CERTIFICATE-----\n"), false},
      {"BEGIN without an end of line", repeat("-----BEGIN CERTIFICATE"), false},
      {"END in every line", repeat("-----END CERTIFICATE-----\n"), false},
      {"a block of blank lines",
       "-----BEGIN CERTIFICATE-----\n" + repeat("\n") +
           "-----END CERTIFICATE-----\n",
       false},
      {"a block that never ends",
       "-----BEGIN CERTIFICATE-----\n" + repeat("AAAAAAAA\n"), false},
      {"one block over and over", repeat(block), true},
  };
  for (const auto& input : kInputs) {
    const absl::Time start = absl::Now();
    const auto parsed = Truststore::Parse(input.pem);
    EXPECT_EQ(parsed.truststore != nullptr, input.accepted)
        << input.what << ": " << parsed.error.ToString();
    std::printf("%s: %s\n", input.what,
                absl::FormatDuration(absl::Now() - start).c_str());
  }
}

}  // namespace
}  // namespace sallyport::pki_cases
