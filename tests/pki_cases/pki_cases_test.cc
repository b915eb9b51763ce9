// Runs every case of cases/: one test for each check.

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"
#include "pki/chain/verify.h"
#include "pki/truststore/truststore.h"
#include "tests/pki_cases/case_file.h"
#include "tests/pki_cases/invariants.h"

namespace sallyport::pki_cases {
namespace {

std::string TimeText(absl::Time time) {
  if (time == absl::InfiniteFuture()) return "never";
  return absl::FormatTime(absl::RFC3339_full, time, absl::UTCTimeZone());
}

// --- chains --------------------------------------------------------------

std::string Describe(const pki::Verdict& verdict) {
  std::string out = absl::StrCat(
      pki::ReasonName(verdict.reason), " at depth ", verdict.depth, ": ",
      verdict.detail, "\n  recheck at ", TimeText(verdict.recheck_at), ", ",
      verdict.path_iterations, " iterations, path of ", verdict.path.size());
  for (const auto& certificate : verdict.path) {
    absl::StrAppend(&out, "\n    ", certificate->Subject());
  }
  return out;
}

class VerifyCases : public ::testing::TestWithParam<VerifyCheck> {
 protected:
  void SetUp() override {
    auto parsed = pki::Truststore::Parse(GetParam().material->truststore_pem);
    ASSERT_TRUE(parsed.truststore != nullptr) << parsed.error.ToString();
    truststore_ = parsed.truststore;
  }

  pki::Verdict VerifyAt(absl::Time now) const {
    const pki::RevocationInputs revocation = GetParam().Revocation();
    return pki::VerifyChain(*truststore_, GetParam().material->Chain(),
                            GetParam().policy, now, nullptr, &revocation);
  }

  // Seconds after `now` at which a certificate or a revocation list of the case
  // begins or ends.
  std::set<absl::Time> DatesAfter(absl::Time now) const {
    std::set<absl::Time> dates;
    const auto add = [&](const pki::Certificate& certificate) {
      for (const absl::Time date :
           {certificate.not_before(),
            certificate.not_after() + absl::Seconds(1)}) {
        if (date > now && date < absl::InfiniteFuture()) dates.insert(date);
      }
    };
    for (const auto& entry : truststore_->entries()) add(*entry.certificate());
    for (const absl::string_view der : GetParam().material->Chain()) {
      const auto certificate = pki::Certificate::Parse(der);
      if (certificate.ok()) add(**certificate);
    }
    if (GetParam().uses_lists) {
      for (const auto& list : GetParam().material->lists->lists()) {
        for (const absl::Time date :
             {list->this_update(), list->next_update()}) {
          if (date > now && date < absl::InfiniteFuture()) dates.insert(date);
        }
      }
    }
    return dates;
  }

  std::shared_ptr<const pki::Truststore> truststore_;
};

TEST_P(VerifyCases, GiveTheExpectedVerdict) {
  const VerifyCheck& check = GetParam();
  const pki::Verdict verdict = VerifyAt(check.time);
  SCOPED_TRACE(Describe(verdict));
  EXPECT_EQ(pki::ReasonName(verdict.reason), check.reason);
  if (check.depth.has_value()) {
    EXPECT_EQ(verdict.depth, *check.depth);
  }
  if (check.path_length.has_value()) {
    EXPECT_EQ(verdict.path.size(), *check.path_length);
  }
  if (check.recheck_at.has_value()) {
    EXPECT_EQ(TimeText(verdict.recheck_at), TimeText(*check.recheck_at));
  }
  if (check.extended_key_usage_warning.has_value()) {
    EXPECT_EQ(verdict.extended_key_usage_warning,
              *check.extended_key_usage_warning);
  }
  if (check.signature_checks_at_most.has_value()) {
    EXPECT_LE(verdict.signature_checks, *check.signature_checks_at_most);
  }
  if (check.path_iterations_at_most.has_value()) {
    EXPECT_LE(verdict.path_iterations, *check.path_iterations_at_most);
  }
}

TEST_P(VerifyCases, KeepTheInvariants) {
  const VerifyCheck& check = GetParam();
  const pki::Verdict verdict = VerifyAt(check.time);
  EXPECT_EQ(absl::StrJoin(Violations(*truststore_, check.material->Chain(),
                                     check.policy, check.time, verdict),
                          "\n"),
            "")
      << Describe(verdict);
}

TEST_P(VerifyCases, AreExplainedByTheSameVerdict) {
  const VerifyCheck& check = GetParam();
  const pki::Verdict verdict = VerifyAt(check.time);
  const pki::RevocationInputs revocation = check.Revocation();
  const pki::Explanation explanation =
      pki::ExplainChain(*truststore_, check.material->Chain(), check.policy,
                        check.time, &revocation);
  EXPECT_EQ(Describe(explanation.verdict), Describe(verdict));
  EXPECT_EQ(explanation.advice.empty(), verdict.trusted())
      << explanation.advice;
}

// recheck_at promises that nothing changes before it: every date of every
// certificate of the case is tried.
TEST_P(VerifyCases, ChangeNothingBeforeRecheckAt) {
  absl::Time asked_at = GetParam().time;
  pki::Verdict verdict = VerifyAt(asked_at);
  for (const absl::Time date : DatesAfter(asked_at)) {
    const pki::Verdict then = VerifyAt(date);
    if (date < verdict.recheck_at) {
      EXPECT_EQ(then.trusted(), verdict.trusted())
          << "asked at " << TimeText(asked_at) << ": " << Describe(verdict)
          << "\nat " << TimeText(date) << ": " << Describe(then);
    }
    const pki::Verdict before = VerifyAt(date - absl::Nanoseconds(1));
    if (date - absl::Nanoseconds(1) < verdict.recheck_at) {
      EXPECT_EQ(before.trusted(), verdict.trusted())
          << "just before " << TimeText(date);
    }
    asked_at = date;
    verdict = then;
    EXPECT_EQ(
        absl::StrJoin(Violations(*truststore_, GetParam().material->Chain(),
                                 GetParam().policy, date, verdict),
                      "\n"),
        "")
        << "at " << TimeText(date) << ": " << Describe(verdict);
  }
}

INSTANTIATE_TEST_SUITE_P(Case, VerifyCases,
                         ::testing::ValuesIn(AllCases().verify),
                         [](const auto& instance) {
                           return TestName(instance.param.Id());
                         });

// --- truststores ---------------------------------------------------------

class TruststoreCases : public ::testing::TestWithParam<TruststoreCheck> {};

std::string Line(size_t index, size_t line, absl::string_view subject,
                 absl::string_view reason) {
  return absl::StrCat("block ", index, ", line ", line, ": ", reason, " ",
                      subject);
}

TEST_P(TruststoreCases, GiveTheExpectedAnswer) {
  const TruststoreCheck& check = GetParam();
  const auto parsed =
      pki::Truststore::Parse(check.material->truststore_pem, check.limits);
  if (!check.error_reason.empty()) {
    ASSERT_EQ(parsed.truststore, nullptr);
    EXPECT_EQ(Line(parsed.error.index, parsed.error.line, "",
                   pki::ReasonName(parsed.error.reason)),
              Line(check.error_index, check.error_line, "", check.error_reason))
        << parsed.error.ToString();
    return;
  }
  ASSERT_TRUE(parsed.truststore != nullptr) << parsed.error.ToString();
  EXPECT_TRUE(parsed.error.ok());
  const pki::Truststore& truststore = *parsed.truststore;
  EXPECT_EQ(truststore.num_certificates(), check.certificates);
  EXPECT_EQ(truststore.GivesTrust(check.policy, check.time), check.gives_trust);

  std::vector<std::string> expected;
  for (const ExpectedWarning& warning : check.warnings) {
    expected.push_back(
        Line(warning.index, warning.line, warning.subject, warning.reason));
  }
  std::vector<std::string> actual;
  for (const pki::Warning& warning :
       truststore.Warnings(check.policy, check.time)) {
    actual.push_back(Line(warning.index, warning.line, warning.subject,
                          pki::ReasonName(warning.reason)));
    EXPECT_NE(warning.message, "");
  }
  EXPECT_EQ(absl::StrJoin(actual, "\n"), absl::StrJoin(expected, "\n"));
}

TEST_P(TruststoreCases, EchoNoContents) {
  const std::string& pem = GetParam().material->truststore_pem;
  const auto parsed = pki::Truststore::Parse(pem, GetParam().limits);
  if (parsed.truststore != nullptr) return;
  const std::string message = parsed.error.ToString();
  EXPECT_NE(message, "");
  for (const unsigned char c : message) {
    EXPECT_TRUE(c >= 0x20 && c <= 0x7e) << message;
  }
  constexpr size_t kPiece = 16;
  for (const absl::string_view line : absl::StrSplit(pem, '\n')) {
    if (absl::StrContains(line, "-----")) continue;
    for (size_t i = 0; i + kPiece <= line.size(); ++i) {
      EXPECT_FALSE(absl::StrContains(message, line.substr(i, kPiece)))
          << message;
    }
  }
}

// Printing what was read and reading it again gives the same truststore.
TEST_P(TruststoreCases, SurvivePrinting) {
  const TruststoreCheck& check = GetParam();
  const auto first =
      pki::Truststore::Parse(check.material->truststore_pem, check.limits);
  if (first.truststore == nullptr) return;
  std::string printed;
  for (const auto& entry : first.truststore->entries()) {
    printed += entry.certificate()->Pem();
  }
  const auto second = pki::Truststore::Parse(printed);
  ASSERT_TRUE(second.truststore != nullptr) << second.error.ToString();
  ASSERT_EQ(second.truststore->entries().size(),
            first.truststore->entries().size());
  for (size_t i = 0; i < first.truststore->entries().size(); ++i) {
    EXPECT_EQ(second.truststore->entries()[i].certificate()->der(),
              first.truststore->entries()[i].certificate()->der());
  }
  EXPECT_EQ(second.truststore->GivesTrust(check.policy, check.time),
            first.truststore->GivesTrust(check.policy, check.time));
}

INSTANTIATE_TEST_SUITE_P(Case, TruststoreCases,
                         ::testing::ValuesIn(AllCases().truststore),
                         [](const auto& instance) {
                           return TestName(instance.param.Id());
                         });

// --- the ends of time ------------------------------------------------------

TEST(Time, AtTheEndsOfTimeIsAnsweredAndNobodyIsTrusted) {
  for (const VerifyCheck& check : AllCases().verify) {
    const auto parsed = pki::Truststore::Parse(check.material->truststore_pem);
    ASSERT_TRUE(parsed.truststore != nullptr);
    for (const absl::Time time :
         {absl::InfinitePast(), absl::FromUnixSeconds(-70000000000),
          absl::FromUnixSeconds(253402300800), absl::InfiniteFuture()}) {
      const pki::RevocationInputs revocation = check.Revocation();
      const pki::Verdict verdict =
          pki::VerifyChain(*parsed.truststore, check.material->Chain(),
                           check.policy, time, nullptr, &revocation);
      EXPECT_FALSE(verdict.trusted()) << check.Id() << " " << TimeText(time);
      EXPECT_GE(verdict.recheck_at, time) << check.Id();
    }
  }
}

// --- the suite as a whole ------------------------------------------------

TEST(CaseSuite, HasEveryReasonFromTwoCausesAndBothPolicies) {
  std::map<std::string, std::set<std::string>> folders;
  std::map<pki::ChainPolicy, size_t> policies;
  for (const VerifyCheck& check : AllCases().verify) {
    folders[check.reason].insert(check.material->case_name);
    ++policies[check.policy.chain_policy];
  }
  for (int i = 0; i < pki::kNumReasons; ++i) {
    const auto reason = static_cast<pki::Reason>(i);
    if (reason == pki::Reason::kNotAllowed ||
        reason == pki::Reason::kConfigurationMissing) {
      continue;  // Not VerifyChain's to give.
    }
    EXPECT_GE(folders[std::string(pki::ReasonName(reason))].size(), 2u)
        << pki::ReasonName(reason);
  }
  EXPECT_GE(policies[pki::ChainPolicy::kCompleteChain], 50u);
  EXPECT_GE(policies[pki::ChainPolicy::kAnyAnchor], 50u);
  EXPECT_GE(AllCases().num_folders, 120u);
}

TEST(CaseSuite, HasEveryWarningAndEveryError) {
  std::set<std::string> warnings;
  std::set<std::string> errors;
  for (const TruststoreCheck& check : AllCases().truststore) {
    errors.insert(check.error_reason);
    for (const auto& warning : check.warnings) warnings.insert(warning.reason);
  }
  for (int i = 0; i <= static_cast<int>(pki::WarningReason::kWeakRootSignature);
       ++i) {
    const auto reason = static_cast<pki::WarningReason>(i);
    EXPECT_EQ(warnings.count(std::string(pki::ReasonName(reason))), 1u)
        << pki::ReasonName(reason);
  }
  for (int i = 1; i < static_cast<int>(pki::BundleErrorReason::kGivesNoTrust);
       ++i) {
    const auto reason = static_cast<pki::BundleErrorReason>(i);
    // A certificate over its own size limit is made in scale_test.cc.
    if (reason == pki::BundleErrorReason::kCertificateTooLarge) continue;
    EXPECT_EQ(errors.count(std::string(pki::ReasonName(reason))), 1u)
        << pki::ReasonName(reason);
  }
}

}  // namespace
}  // namespace sallyport::pki_cases
