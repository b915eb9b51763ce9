// Input: a bundle. It is a truststore or an error, never both; warnings name
// blocks that exist, in order; GivesTrust() agrees with the warnings; printing
// the certificates and reading them again changes nothing.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "pki/truststore/truststore.h"
#include "tests/fuzz/fuzz_check.h"

namespace sallyport::fuzz {
namespace {

using pki::Truststore;

void TestAt(const Truststore& truststore, const Truststore& again,
            pki::ChainPolicy policy, absl::Time now) {
  const auto warnings = truststore.Warnings(policy, now);
  // Blocks that a warning takes the trust away from.
  std::set<size_t> without_trust;
  std::tuple<size_t, pki::WarningReason> last(0, pki::WarningReason{});
  for (const pki::Warning& warning : warnings) {
    Require(
        warning.index >= 1 && warning.index <= truststore.num_certificates(),
        "a warning's block");
    Require(warning.line >= 1, "a warning's line");
    RequirePrintable(warning.subject, "a warning's subject");
    RequirePrintable(warning.message, "a warning's message");
    Require(!warning.message.empty(), "a warning says why");
    const std::tuple<size_t, pki::WarningReason> at(warning.index,
                                                    warning.reason);
    Require(last <= at, "warnings are in order");
    last = at;
    if (pki::RemovesTrust(warning.reason)) without_trust.insert(warning.index);
  }
  bool some = false;
  for (const Truststore::Entry& entry : truststore.entries()) {
    if (without_trust.count(entry.index()) == 0) some = true;
  }
  Require(truststore.GivesTrust(policy, now) == some,
          absl::StrCat("GivesTrust() and Warnings() under ",
                       pki::ChainPolicyName(policy)));
  Require(again.GivesTrust(policy, now) == some,
          "printing and reading changes no trust");
}

void Test(absl::string_view pem) {
  pki::TruststoreLimits limits;
  limits.max_bytes = 32768;
  limits.max_certificates = 16;
  const auto parsed = Truststore::Parse(pem, limits);
  Require((parsed.truststore != nullptr) == parsed.error.ok(),
          "a truststore or an error");
  if (parsed.truststore == nullptr) {
    RequirePrintable(parsed.error.ToString(), "an error");
    Require(!parsed.error.message.empty(), "an error says why");
    Require((parsed.error.index == 0) == (parsed.error.line == 0),
            "an error has a block and a line, or neither");
    return;
  }
  const Truststore& truststore = *parsed.truststore;
  Require(truststore.num_certificates() >= truststore.entries().size() &&
              !truststore.entries().empty() &&
              truststore.num_certificates() <= limits.max_certificates,
          "number of certificates");
  Require(truststore.digest() == pki::Sha256(pem), "digest");
  std::string printed;
  size_t index = 0;
  size_t line = 0;
  for (const Truststore::Entry& entry : truststore.entries()) {
    Require(entry.index() > index && entry.line() > line, "entries in order");
    index = entry.index();
    line = entry.line();
    const pki::Certificate& certificate = *entry.certificate();
    printed += certificate.Pem();
    Require(truststore.FindExact(certificate.fingerprint()) == &entry,
            "every entry is found");
  }
  const auto again = Truststore::Parse(printed, limits);
  Require(again.truststore != nullptr, "what was printed can be read");
  Require(again.truststore->entries().size() == truststore.entries().size(),
          "and is as many certificates");
  for (const auto policy :
       {pki::ChainPolicy::kCompleteChain, pki::ChainPolicy::kAnyAnchor}) {
    // 2024, 2030, 2060.
    for (const int64_t seconds :
         {int64_t{1717200000}, int64_t{1906502400}, int64_t{2853792000}}) {
      TestAt(truststore, *again.truststore, policy,
             absl::FromUnixSeconds(seconds));
    }
  }
}

}  // namespace
}  // namespace sallyport::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sallyport::fuzz::Test(
      absl::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
