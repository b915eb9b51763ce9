// Input: revocation lists, PEM or DER. They are lists or an error, never both;
// warnings and lists name blocks that exist, in order; reading them again, or
// twice, gives the same digest; and a certificate is revoked or covered only by
// a list in force that the issuer's key signed.

#include <cstddef>
#include <cstdint>
#include <string>
#include <tuple>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/limits.h"
#include "pki/truststore/revocation.h"
#include "pki/truststore/truststore.h"
#include "tests/fuzz/fuzz_check.h"

// revocation_pool.pem, by a rule in BUILD.bazel: a CA, a client of it, and a
// namesake of the CA with another key.
extern const char kRevocationPoolPem[];

namespace sallyport::fuzz {
namespace {

using pki::RevocationLists;
using Kind = RevocationLists::Answer::Kind;

const pki::Truststore& Pool() {
  static const auto* const kPool = [] {
    auto parsed = pki::Truststore::Parse(kRevocationPoolPem);
    Require(parsed.truststore != nullptr, "the pool can be read");
    Require(parsed.truststore->entries().size() == 3, "the pool has three");
    return new std::shared_ptr<const pki::Truststore>(parsed.truststore);
  }();
  return **kPool;
}

void TestIssuer(const RevocationLists& lists, const pki::Certificate& client,
                const pki::Certificate& issuer, absl::Time now) {
  size_t checks = limits::kMaxSignatureChecks;
  const auto answer = lists.Check(client, {&issuer}, now, &checks);
  Require(answer.next_list_at > now && answer.good_until > now,
          "what changes is in the future");
  if (answer.kind == Kind::kRevoked || answer.kind == Kind::kGood) {
    Require(answer.list != nullptr && answer.list->this_update() <= now,
            "the list that decides is in force");
    Require(answer.kind == Kind::kRevoked || answer.list->next_update() > now,
            "and covers until its next update");
    Require(answer.list->Issuer() == client.Issuer(), "is of the issuer");
    size_t none = 0;
    Require(answer.list->SignedBy(issuer, &none) ==
                RevocationLists::List::Signed::kYes,
            "and is signed by it, which is remembered");
  }
  size_t none = 0;
  Require(lists.Check(client, {&issuer}, now, &none).kind == answer.kind,
          "an answer that was given once costs nothing");
}

void TestAt(const RevocationLists& lists, absl::Time now) {
  size_t last_block = 0;
  for (const pki::RevocationWarning& warning : lists.Warnings(&Pool(), now)) {
    Require(warning.source == 1, "a warning's source");
    Require(warning.block >= last_block, "warnings are in order");
    last_block = warning.block;
    Require((warning.block == 0) == (warning.line == 0),
            "a warning has a block and a line, or neither");
    RequirePrintable(warning.issuer, "a warning's issuer");
    RequirePrintable(warning.message, "a warning's message");
    Require(!warning.message.empty(), "a warning says why");
  }
  const pki::Certificate& ca = *Pool().entries()[0].certificate();
  const pki::Certificate& client = *Pool().entries()[1].certificate();
  const pki::Certificate& namesake = *Pool().entries()[2].certificate();
  for (const pki::Certificate* issuer : {&ca, &namesake}) {
    TestIssuer(lists, client, *issuer, now);
  }
  size_t checks = limits::kMaxSignatureChecks;
  const Kind alone = lists.Check(client, {}, now, &checks).kind;
  Require(alone != Kind::kRevoked && alone != Kind::kGood,
          "a list that nobody on the path signed does not count");
}

void Test(absl::string_view input) {
  pki::RevocationLimits limits;
  limits.max_bytes = 65536;
  limits.max_entries = 1000;
  limits.max_lists = 16;
  const auto parsed = RevocationLists::Parse({input}, limits);
  Require((parsed.lists != nullptr) == parsed.error.ok(), "lists or an error");
  if (parsed.lists == nullptr) {
    RequirePrintable(parsed.error.ToString(), "an error");
    Require(!parsed.error.message.empty(), "an error says why");
    Require((parsed.error.block == 0) == (parsed.error.line == 0),
            "an error has a block and a line, or neither");
    return;
  }
  const RevocationLists& lists = *parsed.lists;
  Require(!lists.lists().empty() && lists.lists().size() <= limits.max_lists,
          "number of lists");
  size_t entries = 0;
  for (const auto& list : lists.lists()) {
    Require(list->source() == 1, "source");
    Require((list->block() == 0) == (list->line() == 0), "block and line");
    RequirePrintable(list->Issuer(), "an issuer");
    RequirePrintable(list->SignatureAlgorithmName(), "an algorithm");
    entries += list->num_entries();
  }
  Require(entries == lists.num_entries() && entries <= limits.max_entries,
          "number of entries");
  limits.max_bytes *= 2;
  const auto twice = RevocationLists::Parse({input, input}, limits);
  if (twice.lists != nullptr) {
    Require(twice.lists->digest() == lists.digest() &&
                twice.lists->lists().size() == lists.lists().size(),
            "what is given twice is kept once");
  }
  // Before, during and after the lists of the corpus.
  for (const int64_t seconds :
       {int64_t{1717200000}, int64_t{1906502400}, int64_t{2853792000}}) {
    TestAt(lists, absl::FromUnixSeconds(seconds));
  }
}

}  // namespace
}  // namespace sallyport::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sallyport::fuzz::Test(
      absl::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
