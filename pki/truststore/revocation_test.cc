#include "pki/truststore/revocation.h"

#include <atomic>
#include <cstdio>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/limits.h"
#include "gtest/gtest.h"
#include "pki/testing/make_certificate.h"
#include "pki/truststore/truststore.h"
#include "pki/x509/certificate.h"
#include "pki/x509/pem.h"

namespace sallyport::pki {
namespace {

using Kind = RevocationLists::Answer::Kind;
using Entry = TestRevocationListSpec::Entry;

constexpr char kReasonCode[] = "2.5.29.21";
constexpr char kCertificateIssuer[] = "2.5.29.29";
constexpr char kDistributionPoint[] = "2.5.29.28";
constexpr char kDelta[] = "2.5.29.27";
constexpr char kNumber[] = "2.5.29.20";
constexpr char kAuthorityKeyId[] = "2.5.29.35";
constexpr char kUnknown[] = "1.3.6.1.4.1.55555.1.1";

TestExtension Reason(char code) {
  return {kReasonCode, TestDer(0x0a, std::string(1, code)), false};
}

// An issuing distribution point made of these elements.
TestExtension Idp(const std::string& elements) {
  return {kDistributionPoint, TestDer(0x30, elements), true};
}
std::string FullName(const std::string& uri) {
  return TestDer(0xa0, TestDer(0xa0, TestDer(0x86, uri)));
}
const char kUsersOnly[] = "\x81\x01\xff";
const char kCasOnly[] = "\x82\x01\xff";

Entry Revoked(uint64_t serial) {
  Entry entry;
  entry.serial = TestSerial(serial);
  return entry;
}

TestRevocationListSpec Naming(const std::vector<uint64_t>& serials) {
  TestRevocationListSpec spec;
  for (const uint64_t serial : serials) spec.entries.push_back(Revoked(serial));
  return spec;
}

class RevocationTest : public ::testing::Test {
 protected:
  TestCertificate Issue(TestCertificateSpec spec, uint64_t serial,
                        const TestCertificate* issuer = nullptr) const {
    spec.serial = serial;
    return MakeTestCertificate(spec, TestKey::P256(),
                               issuer == nullptr ? &ca_ : issuer);
  }
  static std::shared_ptr<const Certificate> Parsed(
      const TestCertificate& certificate) {
    return *Certificate::Parse(certificate.der);
  }
  static std::shared_ptr<const RevocationLists> Read(
      const std::vector<std::string>& sources,
      const RevocationLimits& limits = {}) {
    const std::vector<absl::string_view> views(sources.begin(), sources.end());
    auto result = RevocationLists::Parse(views, limits);
    EXPECT_TRUE(result.error.ok()) << result.error.ToString();
    EXPECT_NE(result.lists, nullptr);
    return result.lists;
  }
  static RevocationError Error(const std::vector<std::string>& sources,
                               const RevocationLimits& limits = {}) {
    const std::vector<absl::string_view> views(sources.begin(), sources.end());
    const auto result = RevocationLists::Parse(views, limits);
    EXPECT_EQ(result.lists, nullptr);
    EXPECT_FALSE(result.error.ok());
    return result.error;
  }
  RevocationLists::Answer Ask(const RevocationLists& lists,
                              const TestCertificate& certificate,
                              absl::Time now = TestNow(),
                              const TestCertificate* issuer = nullptr) const {
    size_t checks = 100;
    const auto above = Parsed(issuer == nullptr ? ca_ : *issuer);
    return lists.Check(*Parsed(certificate), {above.get()}, now, &checks);
  }
  Kind AskOf(const TestRevocationListSpec& spec,
             const TestCertificate& certificate) const {
    return Ask(*Read({MakeTestRevocationList(spec, ca_).der}), certificate)
        .kind;
  }
  static std::vector<std::string> Reasons(
      const std::vector<RevocationWarning>& warnings) {
    std::vector<std::string> out;
    for (const RevocationWarning& warning : warnings) {
      EXPECT_NE(warning.message, "");
      out.push_back(absl::StrCat(warning.source, ".", warning.block, " ",
                                 ReasonName(warning.reason)));
    }
    return out;
  }

  const TestCertificate ca_ =
      MakeTestCertificate(TestCaSpec("issuer"), TestKey::P256(), nullptr);
  const TestCertificate leaf_ = Issue(TestLeafSpec("leaf"), 7);
  const TestCertificate other_ = Issue(TestLeafSpec("other"), 8);
};

TEST_F(RevocationTest, SaysWhatAListNames) {
  TestRevocationListSpec spec = Naming({6, 7, 7});
  spec.entries[1].extensions = {Reason(1)};
  spec.entries[1].revoked_at = TestNow() - absl::Hours(5);
  spec.extensions = {{kNumber, TestDer(0x02, TestSerial(0xfe12)), false},
                     {kAuthorityKeyId, TestDer(0x30, ""), true}};
  const TestRevocationList made = MakeTestRevocationList(spec, ca_);
  for (const std::string& source :
       {made.der, made.pem, "0 comes first\n" + made.pem}) {
    const auto lists = Read({source});
    ASSERT_EQ(lists->lists().size(), 1u);
    const RevocationLists::List& list = *lists->lists()[0];
    EXPECT_EQ(list.Issuer(), "CN=issuer");
    EXPECT_EQ(list.this_update(), spec.this_update);
    EXPECT_EQ(list.next_update(), spec.next_update);
    EXPECT_EQ(list.num_entries(), 2u);
    EXPECT_EQ(list.NumberHex(), "FE12");
    EXPECT_EQ(list.Scope(), "");
    EXPECT_EQ(lists->num_entries(), 2u);

    const auto answer = Ask(*lists, leaf_);
    EXPECT_EQ(answer.kind, Kind::kRevoked);
    EXPECT_EQ(answer.list, &list);
    EXPECT_EQ(answer.revoked_at, TestNow() - absl::Hours(5));
    EXPECT_EQ(RevocationReasonText(answer.reason_code), "keyCompromise");
    EXPECT_EQ(Ask(*lists, other_).kind, Kind::kGood);
    EXPECT_EQ(Ask(*lists, other_).good_until, spec.next_update);
  }
}

TEST_F(RevocationTest, CoversNobodyWithoutAList) {
  const auto lists = Read({});
  EXPECT_EQ(lists->lists().size(), 0u);
  EXPECT_EQ(Ask(*lists, leaf_).kind, Kind::kMissing);
  EXPECT_EQ(Ask(*lists, leaf_).list, nullptr);
}

TEST_F(RevocationTest, CountsHoldAndRemovalInACompleteListAsRevoked) {
  for (const char code : {6, 8, 0, 10, 99}) {
    TestRevocationListSpec spec = Naming({7});
    spec.entries[0].extensions = {Reason(code)};
    EXPECT_EQ(AskOf(spec, leaf_), Kind::kRevoked) << int{code};
  }
}

TEST_F(RevocationTest, FindsSerialNumbersOfEverySize) {
  // Up to what a certificate may hold, and those that differ in one byte.
  for (const size_t size : {1, 20, 21, 64, 127, 128, 300, 5000}) {
    TestRevocationListSpec spec;
    for (char c = 1; c < 100; ++c) {
      Entry entry;
      entry.serial = std::string(size, 'x');
      entry.serial.back() = c;
      spec.entries.push_back(entry);
    }
    const auto lists = Read({MakeTestRevocationList(spec, ca_).der});
    EXPECT_EQ(lists->num_entries(), 99u);
  }
  TestRevocationListSpec negative;
  for (const std::string& serial :
       {std::string("\xff"), std::string(1, '\0'), std::string("\x80")}) {
    Entry entry;
    entry.serial = serial;
    negative.entries.push_back(entry);
  }
  EXPECT_EQ(Read({MakeTestRevocationList(negative, ca_).der})->num_entries(),
            3u);
  const TestCertificate zero = Issue(TestLeafSpec("zero"), 0);
  EXPECT_EQ(AskOf(negative, zero), Kind::kRevoked);
  const uint64_t big = 0xfedcba9876543210;
  EXPECT_EQ(AskOf(Naming({big}), Issue(TestLeafSpec("big"), big)),
            Kind::kRevoked);
}

TEST_F(RevocationTest, CountsFromThisUpdateToTheSecondBeforeNextUpdate) {
  TestRevocationListSpec spec = Naming({7});
  spec.this_update = TestNow();
  spec.next_update = TestNow() + absl::Seconds(100);
  const auto lists = Read({MakeTestRevocationList(spec, ca_).der});
  const struct {
    int at;
    Kind named;
    Kind unnamed;
    bool begins;
  } cases[] = {
      {-1, Kind::kNotYet, Kind::kNotYet, true},
      {0, Kind::kRevoked, Kind::kGood, false},
      {99, Kind::kRevoked, Kind::kGood, false},
      {100, Kind::kRevoked, Kind::kOutOfDate, false},
      {101, Kind::kRevoked, Kind::kOutOfDate, false},
  };
  for (const auto& c : cases) {
    const absl::Time now = TestNow() + absl::Seconds(c.at);
    EXPECT_EQ(Ask(*lists, leaf_, now).kind, c.named) << c.at;
    const auto answer = Ask(*lists, other_, now);
    EXPECT_EQ(answer.kind, c.unnamed) << c.at;
    EXPECT_EQ(answer.next_list_at,
              c.begins ? TestNow() : absl::InfiniteFuture());
    if (answer.kind == Kind::kGood) {
      EXPECT_EQ(answer.good_until, spec.next_update);
    }
  }
  spec.next_update = absl::InfiniteFuture();
  const auto endless = Ask(*Read({MakeTestRevocationList(spec, ca_).der}),
                           other_, TestNow() + absl::Hours(24 * 365 * 50));
  EXPECT_EQ(endless.kind, Kind::kGood);
  EXPECT_EQ(endless.good_until, absl::InfiniteFuture());
}

TEST_F(RevocationTest, LetsTheNewestListDecide) {
  TestRevocationListSpec old_spec = Naming({7});
  TestRevocationListSpec new_spec = Naming({8});
  old_spec.this_update = TestNow() - absl::Hours(10);
  new_spec.this_update = TestNow() - absl::Hours(5);
  const std::string old_list = MakeTestRevocationList(old_spec, ca_).der;
  const std::string new_list = MakeTestRevocationList(new_spec, ca_).der;
  const auto lists = Read({old_list, new_list});
  EXPECT_EQ(Ask(*lists, leaf_).kind, Kind::kGood);
  EXPECT_EQ(Ask(*lists, other_).kind, Kind::kRevoked);
  // Before it came, the old one did.
  const absl::Time before = new_spec.this_update - absl::Seconds(1);
  EXPECT_EQ(Ask(*lists, leaf_, before).kind, Kind::kRevoked);
  EXPECT_EQ(Ask(*lists, leaf_, before).next_list_at, new_spec.this_update);
  EXPECT_EQ(Ask(*lists, other_, before).kind, Kind::kGood);
  // It decides also when it is out of date and the old one is not.
  new_spec.next_update = TestNow() - absl::Hours(1);
  const auto stale =
      Read({old_list, MakeTestRevocationList(new_spec, ca_).der});
  EXPECT_EQ(Ask(*stale, leaf_).kind, Kind::kOutOfDate);
  EXPECT_EQ(Ask(*stale, other_).kind, Kind::kRevoked);
  // Of two of the same second both do.
  new_spec.this_update = old_spec.this_update;
  const auto twins =
      Read({old_list, MakeTestRevocationList(new_spec, ca_).der});
  EXPECT_EQ(Ask(*twins, leaf_).kind, Kind::kRevoked);
  EXPECT_EQ(Ask(*twins, other_).kind, Kind::kRevoked);
}

TEST_F(RevocationTest, LetsNoListCountThatAnotherKeySigned) {
  const TestCertificate namesake =
      MakeTestCertificate(TestCaSpec("issuer"), TestKey::P256(), nullptr);
  const auto forged = Read({MakeTestRevocationList(Naming({7}), namesake).der});
  EXPECT_EQ(Ask(*forged, leaf_).kind, Kind::kNotSigned);
  EXPECT_EQ(Ask(*forged, leaf_).list, forged->lists()[0].get());
  EXPECT_EQ(Ask(*forged, Issue(TestLeafSpec("leaf"), 7, &namesake), TestNow(),
                &namesake)
                .kind,
            Kind::kRevoked);
  // A newer list of the namesake does not outdo the issuer's own.
  TestRevocationListSpec newer = Naming({});
  newer.this_update = TestNow() - absl::Seconds(1);
  const auto both = Read({MakeTestRevocationList(newer, namesake).der,
                          MakeTestRevocationList(Naming({7}), ca_).der});
  EXPECT_EQ(Ask(*both, leaf_).kind, Kind::kRevoked);
  EXPECT_EQ(Ask(*both, other_).kind, Kind::kGood);
  // A byte of it changed.
  std::string broken = MakeTestRevocationList(Naming({7}), ca_).der;
  broken[broken.size() - 3] ^= 1;
  EXPECT_EQ(Ask(*Read({broken}), leaf_).kind, Kind::kNotSigned);
}

TEST_F(RevocationTest, LetsNoListCountWithAWeakSignature) {
  TestRevocationListSpec spec = Naming({7});
  spec.digest = TestDigest::kSha1;
  const auto weak = Read({MakeTestRevocationList(spec, ca_).der});
  EXPECT_EQ(Ask(*weak, leaf_).kind, Kind::kWeak);
  // Nor does it outdo an older, strong one.
  const auto both = Read({MakeTestRevocationList(spec, ca_).der,
                          MakeTestRevocationList(
                              [] {
                                TestRevocationListSpec older = Naming({8});
                                older.this_update = TestNow() - absl::Hours(9);
                                return older;
                              }(),
                              ca_)
                              .der});
  EXPECT_EQ(Ask(*both, leaf_).kind, Kind::kGood);
  EXPECT_EQ(Ask(*both, other_).kind, Kind::kRevoked);
  spec.digest = TestDigest::kSha384;
  EXPECT_EQ(AskOf(spec, leaf_), Kind::kRevoked);
  for (const int bits : {2048, 3072}) {
    const TestCertificate rsa =
        MakeTestCertificate(TestCaSpec("rsa"), TestKey::Rsa(bits), nullptr);
    const TestCertificate client = Issue(TestLeafSpec("client"), 7, &rsa);
    for (const TestDigest digest : {TestDigest::kSha256, TestDigest::kSha384}) {
      spec.digest = digest;
      EXPECT_EQ(Ask(*Read({MakeTestRevocationList(spec, rsa).der}), client,
                    TestNow(), &rsa)
                    .kind,
                Kind::kRevoked);
    }
  }
}

TEST_F(RevocationTest, LetsAListOfACaThatMayNotSignListsVouchForNobody) {
  TestCertificateSpec spec = TestCaSpec("issuer");
  for (const auto& [usage, kind] : std::vector<std::pair<std::string, Kind>>{
           {"critical,keyCertSign", Kind::kNotSigned},
           {"critical,keyCertSign,cRLSign", Kind::kGood}}) {
    spec.key_usage = usage;
    const TestCertificate ca =
        MakeTestCertificate(spec, TestKey::P256(), nullptr);
    const auto lists = Read({MakeTestRevocationList(Naming({7}), ca).der});
    EXPECT_EQ(
        Ask(*lists, Issue(TestLeafSpec("leaf"), 8, &ca), TestNow(), &ca).kind,
        kind);
    // Whom it names is revoked all the same.
    EXPECT_EQ(
        Ask(*lists, Issue(TestLeafSpec("leaf"), 7, &ca), TestNow(), &ca).kind,
        Kind::kRevoked);
  }
}

TEST_F(RevocationTest, TakesTheKeyOfEitherNamesakeOnThePath) {
  // A CA that rolled its key: both certificates are on the path.
  const TestCertificate new_key = Issue(TestCaSpec("issuer"), 3);
  const TestCertificate leaf = Issue(TestLeafSpec("leaf"), 7, &new_key);
  size_t checks = 100;
  const auto lists = Read({MakeTestRevocationList(Naming({7}), ca_).der});
  const auto below = Parsed(new_key);
  const auto above = Parsed(ca_);
  EXPECT_EQ(lists->Check(*Parsed(leaf), {below.get()}, TestNow(), &checks).kind,
            Kind::kNotSigned);
  EXPECT_EQ(
      lists
          ->Check(*Parsed(leaf), {below.get(), above.get()}, TestNow(), &checks)
          .kind,
      Kind::kRevoked);
}

TEST_F(RevocationTest, KeepsToTheScopeOfAList) {
  TestRevocationListSpec users = Naming({7});
  users.extensions = {Idp(kUsersOnly)};
  TestRevocationListSpec cas = Naming({7});
  cas.extensions = {Idp(kCasOnly)};
  const TestCertificate sub_ca = Issue(TestCaSpec("sub"), 7);
  TestCertificateSpec v1_spec = TestLeafSpec("v1");
  v1_spec.version = 1;
  const TestCertificate v1 = Issue(v1_spec, 7);
  const TestRevocationListSpec named_users = users;
  const TestRevocationListSpec named_cas = cas;
  users.entries.clear();
  cas.entries.clear();
  EXPECT_EQ(AskOf(users, leaf_), Kind::kGood);
  EXPECT_EQ(AskOf(users, sub_ca), Kind::kMissing);
  EXPECT_EQ(AskOf(users, v1), Kind::kMissing);
  EXPECT_EQ(AskOf(cas, leaf_), Kind::kMissing);
  EXPECT_EQ(AskOf(cas, v1), Kind::kMissing);
  EXPECT_EQ(AskOf(cas, sub_ca), Kind::kGood);
  // Whom a list names is revoked, whatever its scope.
  for (const TestRevocationListSpec& named : {named_users, named_cas}) {
    for (const TestCertificate& certificate : {leaf_, sub_ca, v1}) {
      EXPECT_EQ(AskOf(named, certificate), Kind::kRevoked);
    }
    // But by a list that counts,
    const TestCertificate other = Issue(TestCaSpec("ca"), 9);
    EXPECT_EQ(Ask(*Read({MakeTestRevocationList(named, other).der}), v1).kind,
              Kind::kMissing);
    // and not when a newer one of its scope names it no more.
    TestRevocationListSpec newer = named;
    newer.entries.clear();
    newer.this_update += absl::Seconds(1);
    EXPECT_EQ(Ask(*Read({MakeTestRevocationList(named, ca_).der,
                         MakeTestRevocationList(newer, ca_).der}),
                  v1)
                  .kind,
              Kind::kMissing);
  }
  EXPECT_EQ(Read({MakeTestRevocationList(users, ca_).der})->lists()[0]->Scope(),
            "only end-entity certificates");
  // A newer list with another scope does not outdo one that names it.
  cas.entries.clear();
  cas.this_update = TestNow() - absl::Seconds(1);
  TestRevocationListSpec all = Naming({7});
  const auto both = Read({MakeTestRevocationList(cas, ca_).der,
                          MakeTestRevocationList(all, ca_).der});
  EXPECT_EQ(Ask(*both, sub_ca).kind, Kind::kRevoked);
}

TEST_F(RevocationTest, KeepsToTheDistributionPointOfAList) {
  TestRevocationListSpec part = Naming({7});
  part.extensions = {Idp(FullName("http://crl.example/1"))};
  TestCertificateSpec spec = TestLeafSpec("leaf");
  const auto with_point = [&](const std::string& value) {
    spec.extensions = {{"crlDistributionPoints", value}};
    return Issue(spec, 7);
  };
  EXPECT_EQ(AskOf(part, with_point("URI:http://crl.example/1")),
            Kind::kRevoked);
  EXPECT_EQ(AskOf(part, with_point("URI:http://crl.example/2,"
                                   "URI:http://crl.example/1")),
            Kind::kRevoked);
  EXPECT_EQ(AskOf(part, with_point("URI:http://crl.example/2")),
            Kind::kRevoked);
  EXPECT_EQ(AskOf(part, leaf_), Kind::kRevoked);
  // It vouches for its own only.
  part.entries.clear();
  EXPECT_EQ(AskOf(part, with_point("URI:http://crl.example/1")), Kind::kGood);
  EXPECT_EQ(AskOf(part, with_point("URI:http://crl.example/2")),
            Kind::kMissing);
  EXPECT_EQ(AskOf(part, leaf_), Kind::kMissing);
  part = Naming({7});
  // One at the issuer's name is for those that give no other.
  part.extensions = {Idp(TestDer(
      0xa0,
      TestDer(0xa0, TestDer(0xa4, std::string(Parsed(ca_)->subject_der())))))};
  EXPECT_EQ(AskOf(part, leaf_), Kind::kRevoked);
}

TEST_F(RevocationTest, RefusesListsThatItCannotHonour) {
  const auto refused = [&](const TestRevocationListSpec& spec) {
    const RevocationError error =
        Error({MakeTestRevocationList(spec, ca_).pem});
    EXPECT_EQ(error.source, 1u);
    EXPECT_EQ(error.block, 1u);
    EXPECT_EQ(error.line, 1u);
    return absl::StrCat(ReasonName(error.reason), " ", error.message);
  };
  TestRevocationListSpec spec;
  const auto with = [&spec](const TestExtension& extension) {
    spec.extensions = {extension};
    return spec;
  };
  EXPECT_TRUE(absl::StartsWith(
      refused(with({kDelta, TestDer(0x02, TestSerial(1)), true})),
      "UNSUPPORTED_LIST a delta list"));
  EXPECT_TRUE(absl::StartsWith(refused(with(Idp("\x84\x01\xff"))),
                               "UNSUPPORTED_LIST an indirect list"));
  EXPECT_TRUE(absl::StartsWith(refused(with(Idp("\x85\x01\xff"))),
                               "UNSUPPORTED_LIST a list of attribute"));
  EXPECT_TRUE(absl::StartsWith(
      refused(with(Idp(TestDer(0x83, std::string("\x06\x40"))))),
      "UNSUPPORTED_LIST a list for some"));
  EXPECT_TRUE(
      absl::StartsWith(refused(with(Idp(TestDer(0xa0, TestDer(0xa1, ""))))),
                       "UNSUPPORTED_LIST its issuing distribution point"));
  EXPECT_EQ(
      refused(with({kUnknown, "\x05", true})),
      absl::StrCat("UNSUPPORTED_LIST it has the unknown critical extension ",
                   kUnknown));
  EXPECT_EQ(AskOf(with({kUnknown, "\x05", false}), leaf_), Kind::kGood);
  EXPECT_TRUE(
      absl::StartsWith(refused(with({kNumber, "x", false})), "MALFORMED_LIST"));

  spec = Naming({1, 2});
  spec.entries[1].extensions = {{kUnknown, "\x05", true}};
  EXPECT_EQ(refused(spec),
            absl::StrCat(
                "UNSUPPORTED_LIST entry 2 has the unknown critical extension ",
                kUnknown));
  spec.entries[1].extensions = {{kUnknown, "\x05", false}};
  EXPECT_EQ(AskOf(spec, leaf_), Kind::kGood);
  spec.entries[1].extensions = {{kCertificateIssuer, "\x05", true}};
  EXPECT_TRUE(absl::StartsWith(refused(spec),
                               "UNSUPPORTED_LIST entry 2 names another"));
  spec.entries[1].extensions = {Reason(1), Reason(1)};
  EXPECT_TRUE(absl::StartsWith(refused(spec), "MALFORMED_LIST"));
  // Version 1 has no extensions.
  spec = Naming({1});
  spec.version = 1;
  EXPECT_EQ(AskOf(spec, leaf_), Kind::kGood);
  spec.entries[0].extensions = {Reason(1)};
  EXPECT_TRUE(absl::StartsWith(refused(spec), "MALFORMED_LIST"));
  // Not DER: a padded number, an empty one.
  for (const std::string& serial :
       {std::string("\0\x01", 2), std::string("\xff\x80"), std::string()}) {
    spec = Naming({1});
    spec.entries[0].serial = serial;
    EXPECT_TRUE(absl::StartsWith(refused(spec), "MALFORMED_LIST"));
  }
}

TEST_F(RevocationTest, SaysWhereWhatIsWrong) {
  const std::string good = MakeTestRevocationList(Naming({7}), ca_).pem;
  const std::string secret = TestKey::P256().Pem();
  const RevocationError key = Error({good, "text\n" + good + secret});
  EXPECT_EQ(key.reason, RevocationErrorReason::kNotAListBlock);
  EXPECT_EQ(key.source, 2u);
  EXPECT_EQ(key.block, 2u);
  EXPECT_GT(key.line, 5u);
  EXPECT_TRUE(absl::StartsWith(
      key.ToString(),
      absl::StrCat("source 2, block 2, line ", key.line, ": a private key")));
  EXPECT_FALSE(absl::StrContains(key.ToString(), secret.substr(40, 16)));
  EXPECT_EQ(Error({ca_.pem}).reason, RevocationErrorReason::kNotAListBlock);
  EXPECT_TRUE(absl::EndsWith(Error({ca_.der}).message, "it is a certificate"));
  EXPECT_EQ(Error({""}).reason, RevocationErrorReason::kNoList);
  EXPECT_EQ(Error({"some text"}).reason, RevocationErrorReason::kNoList);
  EXPECT_EQ(Error({good.substr(0, good.size() - 30)}).reason,
            RevocationErrorReason::kMalformedPem);
  const std::string der = MakeTestRevocationList(Naming({7}), ca_).der;
  EXPECT_EQ(Error({der.substr(0, der.size() - 1)}).reason,
            RevocationErrorReason::kMalformedList);
  EXPECT_EQ(Error({der + "x"}).reason, RevocationErrorReason::kMalformedList);
  EXPECT_EQ(Error({WritePem("X509 CRL", der + "x")}).reason,
            RevocationErrorReason::kMalformedList);
}

TEST_F(RevocationTest, HoldsItsLimitsAtTheirEdges) {
  const std::string two = MakeTestRevocationList(Naming({1, 2}), ca_).der;
  const std::string one = MakeTestRevocationList(Naming({3}), ca_).der;
  RevocationLimits limits;
  limits.max_entries = 3;
  limits.max_bytes = one.size() + two.size();
  limits.max_lists = 2;
  Read({one, two}, limits);
  limits.max_entries = 2;
  EXPECT_EQ(Error({one, two}, limits).reason,
            RevocationErrorReason::kTooManyEntries);
  limits.max_entries = 3;
  --limits.max_bytes;
  EXPECT_EQ(Error({one, two}, limits).reason, RevocationErrorReason::kTooLarge);
  ++limits.max_bytes;
  limits.max_lists = 1;
  EXPECT_EQ(Error({one, two}, limits).reason,
            RevocationErrorReason::kTooManyLists);

  // One issuer's lists.
  std::vector<std::string> many;
  TestRevocationListSpec spec;
  for (size_t i = 0; i <= limits::kMaxRevocationListsOfOneIssuer; ++i) {
    spec.this_update = TestNow() - absl::Seconds(1 + i);
    many.push_back(MakeTestRevocationList(spec, ca_).der);
  }
  EXPECT_EQ(Error(many).reason, RevocationErrorReason::kTooManyLists);
  many.pop_back();
  EXPECT_EQ(Ask(*Read(many), leaf_).kind, Kind::kGood);
}

TEST_F(RevocationTest, HasADigestOfItsListsNotOfHowTheyWereGiven) {
  const TestRevocationList one = MakeTestRevocationList(Naming({1}), ca_);
  const TestRevocationList two = MakeTestRevocationList(Naming({2}), ca_);
  const Sha256Digest digest = Read({one.der, two.der})->digest();
  EXPECT_EQ(Read({two.pem + "text\n" + one.pem})->digest(), digest);
  EXPECT_EQ(Read({two.pem, one.der, two.der})->digest(), digest);
  EXPECT_NE(Read({one.der})->digest(), digest);
  EXPECT_NE(Read({})->digest(), digest);
}

TEST_F(RevocationTest, WarnsOfListsThatMayNotDoWhatTheyAreFor) {
  TestCertificateSpec no_lists = TestCaSpec("no lists");
  no_lists.key_usage = "critical,keyCertSign";
  const TestCertificate may_not =
      MakeTestCertificate(no_lists, TestKey::P256(), nullptr);
  const TestCertificate namesake =
      MakeTestCertificate(TestCaSpec("issuer"), TestKey::P256(), nullptr);
  const TestCertificate stranger =
      MakeTestCertificate(TestCaSpec("stranger"), TestKey::P256(), nullptr);
  const auto truststore = Truststore::Parse(ca_.pem + may_not.pem).truststore;
  TestRevocationListSpec good;
  TestRevocationListSpec old_spec;
  old_spec.next_update = TestNow();
  TestRevocationListSpec early;
  early.this_update = TestNow() + absl::Seconds(1);
  TestRevocationListSpec endless;
  endless.next_update = absl::InfiniteFuture();
  TestRevocationListSpec weak;
  weak.digest = TestDigest::kSha1;
  const TestRevocationList fine = MakeTestRevocationList(good, ca_);
  const auto lists =
      Read({fine.pem + MakeTestRevocationList(old_spec, ca_).pem,
            MakeTestRevocationList(early, ca_).der,
            MakeTestRevocationList(endless, ca_).der,
            MakeTestRevocationList(weak, ca_).der,
            MakeTestRevocationList(good, namesake).der,
            MakeTestRevocationList(good, stranger).der,
            MakeTestRevocationList(good, may_not).der, fine.der});
  EXPECT_EQ(absl::StrJoin(Reasons(lists->Warnings(truststore.get(), TestNow())),
                          "\n"),
            "1.2 OUT_OF_DATE\n"
            "2.0 NOT_YET_VALID\n"
            "3.0 NO_NEXT_UPDATE\n"
            "4.0 WEAK_SIGNATURE\n"
            "5.0 UNTRUSTED_SIGNATURE\n"
            "6.0 UNKNOWN_ISSUER\n"
            "7.0 MAY_NOT_SIGN\n"
            "8.0 DUPLICATE");
  EXPECT_EQ(absl::StrJoin(Reasons(lists->Warnings(nullptr, TestNow())), "\n"),
            "1.2 OUT_OF_DATE\n"
            "2.0 NOT_YET_VALID\n"
            "3.0 NO_NEXT_UPDATE\n"
            "4.0 WEAK_SIGNATURE\n"
            "8.0 DUPLICATE");
}

TEST_F(RevocationTest, WarnsOfACaWhoseNamesakeAloneHasAList) {
  const TestCertificate namesake =
      MakeTestCertificate(TestCaSpec("issuer"), TestKey::P256(), nullptr);
  const TestCertificate other =
      MakeTestCertificate(TestCaSpec("other"), TestKey::P256(), nullptr);
  const auto truststore =
      Truststore::Parse(ca_.pem + namesake.pem + other.pem).truststore;
  const TestRevocationListSpec spec;
  const TestRevocationList of_ca = MakeTestRevocationList(spec, ca_);
  const auto one = Read({of_ca.der});
  const auto warnings = one->Warnings(truststore.get(), TestNow());
  EXPECT_EQ(absl::StrJoin(Reasons(warnings), "\n"), "1.0 OTHER_KEY");
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_TRUE(absl::StrContains(warnings[0].message, "certificate 2 "));
  // Each has one: nothing to say.
  const auto both =
      Read({of_ca.der, MakeTestRevocationList(spec, namesake).der});
  EXPECT_EQ(
      absl::StrJoin(Reasons(both->Warnings(truststore.get(), TestNow())), "\n"),
      "");
  // A certificate of that name that is no CA issues nothing.
  const TestCertificate leaf =
      MakeTestCertificate(TestLeafSpec("issuer"), TestKey::P256(), nullptr);
  const auto with_leaf = Truststore::Parse(ca_.pem + leaf.pem).truststore;
  EXPECT_EQ(
      absl::StrJoin(Reasons(one->Warnings(with_leaf.get(), TestNow())), "\n"),
      "");
}

TEST_F(RevocationTest, ChecksASignatureOnceForEachKey) {
  const auto lists = Read({MakeTestRevocationList(Naming({7}), ca_).der});
  const auto leaf = Parsed(leaf_);
  const auto ca = Parsed(ca_);
  const auto kind_of = [&](const Certificate& issuer, size_t& left) {
    return lists->Check(*leaf, {&issuer}, TestNow(), &left).kind;
  };
  size_t left = 0;
  EXPECT_EQ(kind_of(*ca, left), Kind::kLimit);
  left = 1;
  EXPECT_EQ(kind_of(*ca, left), Kind::kRevoked);
  EXPECT_EQ(left, 0u);
  EXPECT_EQ(kind_of(*ca, left), Kind::kRevoked);
  // Wrong keys are remembered too, up to a limit.
  std::vector<std::shared_ptr<const Certificate>> namesakes;
  for (size_t i = 0; i < limits::kMaxRevocationSigners; ++i) {
    namesakes.push_back(Parsed(
        MakeTestCertificate(TestCaSpec("issuer"), TestKey::P256(), nullptr)));
    left = 1;
    EXPECT_EQ(kind_of(*namesakes.back(), left), Kind::kNotSigned);
    EXPECT_EQ(left, 0u);
  }
  left = 0;
  for (size_t i = 0; i + 1 < namesakes.size(); ++i) {
    EXPECT_EQ(kind_of(*namesakes[i], left), Kind::kNotSigned) << i;
  }
  EXPECT_EQ(kind_of(*namesakes.back(), left), Kind::kLimit);
  EXPECT_EQ(kind_of(*ca, left), Kind::kRevoked);
}

TEST_F(RevocationTest, AnswersManyThreadsAtOnce) {
  std::vector<TestCertificate> namesakes;
  for (int i = 0; i < 20; ++i) {
    namesakes.push_back(
        MakeTestCertificate(TestCaSpec("issuer"), TestKey::P256(), nullptr));
  }
  const auto lists = Read({MakeTestRevocationList(Naming({7}), ca_).der});
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (const TestCertificate& namesake : namesakes) {
        if (Ask(*lists, leaf_, TestNow(), &namesake).kind != Kind::kNotSigned ||
            Ask(*lists, leaf_).kind != Kind::kRevoked) {
          ++wrong;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(RevocationTest, HoldsHalfAMillionEntriesInTensOfMebibytes) {
  // 16-byte serial numbers with a reason each, as large CAs write them.
  TestRevocationListSpec spec;
  spec.entries.resize(limits::kMaxRevocationEntries);
  for (size_t i = 0; i < spec.entries.size(); ++i) {
    spec.entries[i].serial = std::string(16, '\x5a');
    for (size_t j = 0; j < 4; ++j) {
      spec.entries[i].serial[12 - j] = static_cast<char>(i >> (8 * j));
    }
    spec.entries[i].extensions = {Reason(4)};
  }
  spec.entries.back().serial = TestSerial(7);
  const std::string pem = MakeTestRevocationList(spec, ca_).pem;
  spec.entries.clear();
  spec.entries.shrink_to_fit();
  const absl::Time start = absl::Now();
  const auto lists = Read({pem});
  const absl::Duration took = absl::Now() - start;
  EXPECT_EQ(lists->num_entries(), limits::kMaxRevocationEntries);
  EXPECT_LT(lists->ApproximateBytes(), size_t{48} << 20);
  EXPECT_GT(lists->ApproximateBytes(), pem.size() / 2);
  EXPECT_EQ(Ask(*lists, leaf_).kind, Kind::kRevoked);
  EXPECT_EQ(Ask(*lists, other_).kind, Kind::kGood);
  const auto leaf = Parsed(other_);
  const auto ca = Parsed(ca_);
  const absl::Time asked = absl::Now();
  size_t checks = 0;
  for (int i = 0; i < 10000; ++i) {
    EXPECT_EQ(lists->Check(*leaf, {ca.get()}, TestNow(), &checks).kind,
              Kind::kGood);
  }
  std::printf(
      "%zu entries, %zu bytes of PEM: read in %s, %zu bytes held, "
      "asked in %s\n",
      lists->num_entries(), pem.size(), absl::FormatDuration(took).c_str(),
      lists->ApproximateBytes(),
      absl::FormatDuration((absl::Now() - asked) / 10000).c_str());
}

}  // namespace
}  // namespace sallyport::pki
