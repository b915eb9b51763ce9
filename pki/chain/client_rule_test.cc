#include "pki/chain/client_rule.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/text.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "pki/testing/make_certificate.h"
#include "pki/truststore/deny_list.h"
#include "pki/x509/certificate.h"

namespace sallyport::pki {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using Kind = ClientRuleSpec::Kind;
using Views = std::vector<absl::string_view>;
using Names = std::vector<TestAltName>;

constexpr RuleMatch kNo = RuleMatch::kNo;
constexpr RuleMatch kYes = RuleMatch::kYes;
constexpr RuleMatch kUnclear = RuleMatch::kUnclear;

// Rules.

ClientRuleSpec Values(Kind kind, Views values) {
  ClientRuleSpec spec;
  spec.kind = kind;
  spec.values = std::move(values);
  return spec;
}
ClientRuleSpec Dns(Views patterns) {
  return Values(Kind::kSanDns, std::move(patterns));
}
ClientRuleSpec Uri(Views exact) {
  return Values(Kind::kSanUri, std::move(exact));
}
ClientRuleSpec Spiffe(Views patterns) {
  ClientRuleSpec spec;
  spec.kind = Kind::kSanUri;
  spec.spiffe = std::move(patterns);
  return spec;
}
ClientRuleSpec Email(Views patterns) {
  return Values(Kind::kSanEmail, std::move(patterns));
}
ClientRuleSpec Ip(Views ranges) {
  return Values(Kind::kSanIp, std::move(ranges));
}
ClientRuleSpec Subject(Views exact) {
  return Values(Kind::kSubject, std::move(exact));
}
ClientRuleSpec SubjectWith(std::vector<ClientRuleSpec::Attribute> attributes) {
  ClientRuleSpec spec;
  spec.kind = Kind::kSubject;
  spec.attributes = std::move(attributes);
  return spec;
}
ClientRuleSpec::Attribute Exactly(absl::string_view type, Views exact) {
  ClientRuleSpec::Attribute out;
  out.type = type;
  out.exact = std::move(exact);
  return out;
}
ClientRuleSpec Combine(Kind kind, std::vector<ClientRuleSpec> rules) {
  ClientRuleSpec spec;
  spec.kind = kind;
  spec.rules = std::move(rules);
  return spec;
}
ClientRuleSpec All(std::vector<ClientRuleSpec> rules) {
  return Combine(Kind::kAll, std::move(rules));
}
ClientRuleSpec Any(std::vector<ClientRuleSpec> rules) {
  return Combine(Kind::kAny, std::move(rules));
}
ClientRuleSpec None(std::vector<ClientRuleSpec> rules) {
  return Combine(Kind::kNone, std::move(rules));
}

std::shared_ptr<const ClientRule> Compiled(const ClientRuleSpec& spec) {
  auto rule = ClientRule::Compile(spec, "allow");
  EXPECT_TRUE(rule.ok()) << rule.status();
  return rule.ok() ? *rule : nullptr;
}

std::string ErrorOf(const ClientRuleSpec& spec) {
  const auto rule = ClientRule::Compile(spec, "allow");
  EXPECT_FALSE(rule.ok());
  return std::string(rule.status().message());
}

// Certificates.

const TestKey& Key() {
  static const auto* const kKey = new TestKey(TestKey::P256());
  return *kKey;
}

std::shared_ptr<const Certificate> Make(
    const TestCertificateSpec& spec, const TestCertificate* issuer = nullptr) {
  auto certificate =
      Certificate::Parse(MakeTestCertificate(spec, Key(), issuer).der);
  EXPECT_TRUE(certificate.ok()) << certificate.status();
  EXPECT_EQ((*certificate)->problem(), "");
  return *certificate;
}

std::shared_ptr<const Certificate> WithNames(const Names& names) {
  TestCertificateSpec spec = TestLeafSpec("client");
  spec.alt_names = TestAltNames(names);
  return Make(spec);
}

std::shared_ptr<const Certificate> WithDns(const std::string& name) {
  return WithNames({{TestAltName::kDns, name}});
}
std::shared_ptr<const Certificate> WithUri(const std::string& uri) {
  return WithNames({{TestAltName::kUri, uri}});
}

RuleMatch Judge(const ClientRuleSpec& spec, const Certificate& leaf,
                absl::string_view truststore = "partners") {
  const auto rule = Compiled(spec);
  if (rule == nullptr) return kUnclear;
  const RuleMatch match = rule->Judge(leaf, truststore);
  EXPECT_EQ(rule->Matches(leaf, truststore), match == kYes);
  return match;
}

// One attribute in an RDN of its own.
std::string Rdn(const std::string& oid, uint8_t tag, const std::string& value) {
  return TestDer(0x31, TestDer(0x30, TestDer(0x06, oid) + TestDer(tag, value)));
}
const char kCn[] = "\x55\x04\x03";
const char kO[] = "\x55\x04\x0a";
constexpr uint8_t kUtf8 = 0x0c;
constexpr uint8_t kPrintable = 0x13;
constexpr uint8_t kT61 = 0x14;
constexpr uint8_t kIa5 = 0x16;
constexpr uint8_t kVisible = 0x1a;
constexpr uint8_t kUniversal = 0x1c;
constexpr uint8_t kBmp = 0x1e;

std::shared_ptr<const Certificate> WithSubject(const std::string& rdns) {
  TestCertificateSpec spec;
  spec.subject_der = TestDer(0x30, rdns);
  return Make(spec);
}

// Host names.

TEST(SanDns, MatchesAnyOfItsPatternsWithoutCase) {
  const auto leaf = WithDns("API.Example.com");
  EXPECT_EQ(Judge(Dns({"api.example.com"}), *leaf), kYes);
  EXPECT_EQ(Judge(Dns({"x.test", "api.EXAMPLE.com"}), *leaf), kYes);
  EXPECT_EQ(Judge(Dns({"example.com"}), *leaf), kNo);
  EXPECT_EQ(Judge(Dns({"x.api.example.com"}), *leaf), kNo);
  EXPECT_EQ(Judge(Dns({"pi.example.com"}), *leaf), kNo);
}

TEST(SanDns, MatchesAnyNameOfTheCertificate) {
  const auto leaf =
      WithNames({{TestAltName::kDns, "a.test"}, {TestAltName::kDns, "b.test"}});
  EXPECT_EQ(Judge(Dns({"b.test"}), *leaf), kYes);
  EXPECT_EQ(Judge(Dns({"c.test"}), *leaf), kNo);
}

TEST(SanDns, TakesAStarForExactlyOneLabel) {
  const auto leaf = WithDns("a.b.example.com");
  EXPECT_EQ(Judge(Dns({"*.b.example.com"}), *leaf), kYes);
  EXPECT_EQ(Judge(Dns({"a.*.example.com"}), *leaf), kYes);
  EXPECT_EQ(Judge(Dns({"*.*.example.com"}), *leaf), kYes);
  EXPECT_EQ(Judge(Dns({"a.b.example.*"}), *leaf), kYes);
  EXPECT_EQ(Judge(Dns({"*.example.com"}), *leaf), kNo);
  EXPECT_EQ(Judge(Dns({"*.a.b.example.com"}), *leaf), kNo);
  EXPECT_EQ(Judge(Dns({"x.*.example.com", "*.c.example.com"}), *leaf), kNo);
}

TEST(SanDns, MatchesACertificatesOwnStarOnlyByAStar) {
  const auto leaf = WithDns("*.example.com");
  EXPECT_EQ(Judge(Dns({"*.example.com"}), *leaf), kYes);
  EXPECT_EQ(Judge(Dns({"*.*.com"}), *leaf), kYes);
  // It speaks for a.example.com among others: it is not let in as that one, and
  // not let past a rule against that one.
  EXPECT_EQ(Judge(Dns({"a.example.com"}), *leaf), kUnclear);
  EXPECT_EQ(Judge(None({Dns({"a.example.com"})}), *leaf), kUnclear);
  EXPECT_EQ(Judge(Dns({"a.example.org"}), *leaf), kNo);
  EXPECT_EQ(Judge(Dns({"example.com"}), *leaf), kNo);
  EXPECT_EQ(Judge(Dns({"a.b.example.com"}), *leaf), kNo);
}

TEST(SanDns, MatchesNoNameThatIsNoHostName) {
  const std::string nul("a.example.com\0.evil.test", 24);
  for (const std::string& name :
       {std::string("a.example.com\0", 14), nul, std::string("\0", 1),
        std::string(""), std::string("a.example.com."),
        std::string(".example.com"), std::string("a..example.com"),
        std::string("a b.example.com"), std::string("a\n.example.com"),
        std::string("x*.example.com"), std::string("a.*.example.com"),
        std::string("a.example.com/"), std::string("a.example.com:443"),
        std::string(64, 'a') + ".example.com",
        std::string(250, 'a') + ".example.com"}) {
    SCOPED_TRACE(Printable(name));
    const auto leaf = WithDns(name);
    EXPECT_EQ(Judge(Dns({"*.example.com", "*.*.example.com", "a.example.com",
                         "evil.test", "*.evil.test", "*.*.evil.test"}),
                    *leaf),
              kUnclear);
    EXPECT_EQ(Judge(None({Dns({"bad.test"})}), *leaf), kUnclear);
  }
}

TEST(SanDns, FindsAGoodNameBesideABrokenOne) {
  const auto leaf =
      WithNames({{TestAltName::kDns, "a b"}, {TestAltName::kDns, "a.test"}});
  EXPECT_EQ(Judge(Dns({"a.test"}), *leaf), kYes);
  EXPECT_EQ(Judge(Dns({"b.test"}), *leaf), kUnclear);
}

TEST(SanDns, IgnoresTheCommonNameAndOtherKindsOfNames) {
  EXPECT_EQ(Judge(Dns({"a.test"}), *Make(TestLeafSpec("a.test"))), kNo);
  const auto leaf = WithNames({{TestAltName::kUri, "a.test"},
                               {TestAltName::kEmail, "a.test"},
                               {TestAltName::kIp, "\x01\x02\x03\x04"},
                               {TestAltName::kRegisteredId, "\x2a\x03"}});
  EXPECT_EQ(Judge(Dns({"a.test"}), *leaf), kNo);
}

TEST(SanDns, RefusesPatternsThatCannotMatchOrMatchEverything) {
  for (const absl::string_view pattern :
       {"a.example.com.", "a..b", ".a", "a*.example.com", "*a.b", "*", "*.*",
        "\xc3\xa9.example.com", "a b.c", "https://a.b", "a.b:443", "**.b"}) {
    SCOPED_TRACE(pattern);
    EXPECT_THAT(ErrorOf(Dns({"ok.test", pattern})),
                StartsWith("allow.san_dns.patterns[1]: "));
  }
  EXPECT_THAT(ErrorOf(Dns({std::string(64, 'a')})), HasSubstr("is no host"));
  const std::string longest =
      absl::StrCat(std::string(63, 'a'), ".", std::string(63, 'b'), ".",
                   std::string(63, 'c'), ".", std::string(61, 'd'));
  EXPECT_NE(Compiled(Dns({longest})), nullptr);
  EXPECT_THAT(ErrorOf(Dns({absl::StrCat(longest, "d")})),
              HasSubstr("longer than"));
}

// URIs.

TEST(SanUri, MatchesByteForByte) {
  const auto leaf = WithUri("https://a.test/x");
  EXPECT_EQ(Judge(Uri({"https://b.test", "https://a.test/x"}), *leaf), kYes);
  for (const absl::string_view other :
       {"https://a.test/X", "https://A.test/x", "https://a.test/x/",
        "https://a.test/", "https://a.test/%78"}) {
    EXPECT_EQ(Judge(Uri({other}), *leaf), kNo) << other;
  }
  EXPECT_EQ(Judge(Uri({"https://a.test/x"}),
                  *WithUri(std::string("https://a.test/x\0", 17))),
            kNo);
}

TEST(SanUri, RefusesValuesThatNoUriIs) {
  EXPECT_THAT(ErrorOf(Uri({"https://a b"})),
              StartsWith("allow.san_uri.exact[0]: "));
  EXPECT_THAT(ErrorOf(Uri({"https://\xc3\xa9"})), HasSubstr("percent-encode"));
}

TEST(Spiffe, MatchesATrustDomainAPathOrAFolder) {
  const auto leaf = WithUri("spiffe://example.com/ns/a/sa/b");
  for (const absl::string_view pattern :
       {"spiffe://example.com", "spiffe://example.com/ns/a/sa/b",
        "spiffe://example.com/*", "spiffe://example.com/ns/*",
        "spiffe://example.com/ns/a/sa/*"}) {
    EXPECT_EQ(Judge(Spiffe({"spiffe://x", pattern}), *leaf), kYes) << pattern;
  }
  for (const absl::string_view pattern :
       {"spiffe://example.co", "spiffe://xample.com", "spiffe://example.com.x",
        "spiffe://example.com/ns", "spiffe://example.com/ns/a/sa",
        "spiffe://example.com/ns/a/sa/b/*", "spiffe://example.com/ns/a/sa/bb",
        "spiffe://example.com/n/*", "spiffe://example.com/NS/*"}) {
    EXPECT_EQ(Judge(Spiffe({pattern}), *leaf), kNo) << pattern;
  }
}

TEST(Spiffe, TakesNoIdAgainstTheStandard) {
  for (const absl::string_view uri :
       {"SPIFFE://example.com/a", "spiffe://Example.com/a",
        "spiffe://example.com/a/", "spiffe://example.com//a",
        "spiffe://example.com/./a", "spiffe://example.com/../a",
        "spiffe://example.com/%61", "spiffe://example.com/a?q",
        "spiffe://example.com/a#f", "spiffe://example.com:1/a",
        "spiffe://u@example.com/a", "spiffe:///a", "spiffe://",
        "spiffe:example.com/a", "spiffe://example.com/a b",
        "spiffe://example.com", "spiffe://example.com/"}) {
    SCOPED_TRACE(uri);
    const auto leaf = WithUri(std::string(uri));
    EXPECT_EQ(Judge(Spiffe({"spiffe://example.com", "spiffe://example.com/*",
                            "spiffe://example.com/a"}),
                    *leaf),
              kUnclear);
    EXPECT_EQ(Judge(None({Spiffe({"spiffe://evil"})}), *leaf), kUnclear);
  }
  const auto leaf = WithUri(std::string("spiffe://example.com/a\0b", 24));
  EXPECT_EQ(Judge(Spiffe({"spiffe://example.com"}), *leaf), kUnclear);
  EXPECT_EQ(Judge(Spiffe({"spiffe://example.com"}),
                  *WithUri("https://example.com/a")),
            kNo);
}

TEST(Spiffe, KeepsToTheLengthsOfTheStandard) {
  const std::string domain = absl::StrCat("spiffe://", std::string(255, 'd'));
  EXPECT_EQ(Judge(Spiffe({domain}), *WithUri(absl::StrCat(domain, "/a"))),
            kYes);
  EXPECT_THAT(ErrorOf(Spiffe({absl::StrCat(domain, "d")})),
              StartsWith("allow.san_uri.spiffe[0]: is no SPIFFE ID"));
  const std::string prefix = "spiffe://example.com/";
  const std::string longest =
      absl::StrCat(prefix, std::string(2048 - prefix.size(), 'a'));
  EXPECT_EQ(Judge(Spiffe({longest}), *WithUri(longest)), kYes);
  EXPECT_EQ(Judge(Spiffe({"spiffe://example.com"}),
                  *WithUri(absl::StrCat(longest, "a"))),
            kUnclear);
}

TEST(Spiffe, TakesNoCertificateWithSeveralUris) {
  const auto leaf = WithNames({{TestAltName::kUri, "spiffe://example.com/a"},
                               {TestAltName::kUri, "spiffe://evil.test/a"}});
  EXPECT_EQ(Judge(Spiffe({"spiffe://example.com"}), *leaf), kUnclear);
  EXPECT_EQ(Judge(None({Spiffe({"spiffe://evil.test"})}), *leaf), kUnclear);
  const auto with_https = WithNames({{TestAltName::kUri, "https://a.test"},
                                     {TestAltName::kUri, "spiffe://a/b"}});
  EXPECT_EQ(Judge(Spiffe({"spiffe://a"}), *with_https), kUnclear);
  // `exact` does not ask for an SVID.
  EXPECT_EQ(Judge(Uri({"spiffe://a/b"}), *with_https), kYes);
  // Other kinds of names do not matter.
  EXPECT_EQ(Judge(Spiffe({"spiffe://a"}),
                  *WithNames({{TestAltName::kDns, "a.test"},
                              {TestAltName::kUri, "spiffe://a/b"}})),
            kYes);
}

TEST(Spiffe, TakesNoSigningCertificate) {
  TestCertificateSpec spec = TestLeafSpec("client");
  spec.alt_names = "URI:spiffe://a/b";
  EXPECT_EQ(Judge(Spiffe({"spiffe://a"}), *Make(spec)), kYes);
  spec.key_usage = "critical,digitalSignature";
  EXPECT_EQ(Judge(Spiffe({"spiffe://a"}), *Make(spec)), kYes);
  spec.key_usage = "critical,digitalSignature,cRLSign";
  EXPECT_EQ(Judge(Spiffe({"spiffe://a"}), *Make(spec)), kUnclear);
  spec.key_usage = "";
  spec.ca = true;
  EXPECT_EQ(Judge(Spiffe({"spiffe://a"}), *Make(spec)), kUnclear);
}

TEST(Spiffe, RefusesPatternsAgainstTheStandard) {
  for (const absl::string_view pattern :
       {"spiffe://Example.com", "SPIFFE://example.com", "example.com",
        "spiffe://", "spiffe://*", "spiffe://*.example.com", "spiffe://a/",
        "spiffe://a//*", "spiffe://a/b*", "spiffe://a/*/b", "spiffe://a/../b",
        "spiffe://a/%62", "spiffe://a:1/b", "spiffe://a?b",
        "spiffe://a/b/**"}) {
    EXPECT_THAT(ErrorOf(Spiffe({pattern})),
                StartsWith("allow.san_uri.spiffe[0]: is no SPIFFE ID"))
        << pattern;
  }
}

// E-mail.

TEST(SanEmail, ComparesTheHostWithoutCaseAndTheUserAsItIs) {
  const auto leaf = WithNames({{TestAltName::kEmail, "Jo.Do+x@Mail.Test"}});
  EXPECT_EQ(Judge(Email({"Jo.Do+x@mail.TEST"}), *leaf), kYes);
  EXPECT_EQ(Judge(Email({"jo.do+x@mail.test"}), *leaf), kNo);
  EXPECT_EQ(Judge(Email({"a@b.test", "@mail.test"}), *leaf), kYes);
  EXPECT_EQ(Judge(Email({"@test"}), *leaf), kNo);
  EXPECT_EQ(Judge(Email({"@x.mail.test"}), *leaf), kNo);
  EXPECT_EQ(Judge(Email({"x@mail.test"}), *leaf), kNo);
}

TEST(SanEmail, MatchesNothingThatIsNoPlainMailbox) {
  for (const std::string& name :
       {std::string("a@evil.test@mail.test"), std::string("@mail.test"),
        std::string("a@"), std::string("mail.test"), std::string(""),
        std::string("\"a\"@mail.test"), std::string("a b@mail.test"),
        std::string("a@mail.test\0", 12), std::string("a\0@mail.test", 12),
        std::string("a@mail.test."), std::string("<a@mail.test>"),
        std::string("a@[192.0.2.1]"),
        std::string("a@evil.test\0@mail.test", 22), std::string("a@*.test")}) {
    SCOPED_TRACE(Printable(name));
    const auto leaf = WithNames({{TestAltName::kEmail, name}});
    EXPECT_EQ(Judge(Email({"@mail.test", "a@mail.test", "@evil.test"}), *leaf),
              kUnclear);
    EXPECT_EQ(Judge(None({Email({"@bad.test"})}), *leaf), kUnclear);
  }
}

TEST(SanEmail, IgnoresTheSubject) {
  TestCertificateSpec spec;
  spec.subject = {{"CN", "a@mail.test"}, {"emailAddress", "a@mail.test"}};
  EXPECT_EQ(Judge(Email({"@mail.test"}), *Make(spec)), kNo);
}

TEST(SanEmail, RefusesWhatIsNoMailbox) {
  for (const absl::string_view pattern :
       {"mail.test", "a@", "@", "a b@c.test", "a@b@c.test", "a@*.test",
        "*@b.test@", "@c.test.", "a@b_\xc3\xa9"}) {
    EXPECT_THAT(ErrorOf(Email({pattern})),
                StartsWith("allow.san_email.patterns[0]: is no mailbox"))
        << pattern;
  }
}

// IP addresses.

std::shared_ptr<const Certificate> WithIp(const std::string& bytes) {
  return WithNames({{TestAltName::kIp, bytes}});
}
std::string Ipv6(const std::string& head, const std::string& tail) {
  return head + std::string(16 - head.size() - tail.size(), '\0') + tail;
}

TEST(SanIp, MatchesAddressesAndRanges) {
  const auto leaf = WithIp(std::string("\xc0\x00\x02\x81", 4));  // 192.0.2.129
  for (const absl::string_view range :
       {"192.0.2.129", "192.0.2.129/32", "192.0.2.128/25", "192.0.2.0/24",
        "192.0.0.0/8", "0.0.0.0/0"}) {
    EXPECT_EQ(Judge(Ip({"2001:db8::/32", "10.0.0.0/8", range}), *leaf), kYes)
        << range;
  }
  for (const absl::string_view range :
       {"192.0.2.128", "192.0.2.0/25", "192.0.3.0/24", "::/0"}) {
    EXPECT_EQ(Judge(Ip({range}), *leaf), kNo) << range;
  }
}

TEST(SanIp, MatchesIpv6) {
  const auto leaf =
      WithIp(Ipv6(std::string("\x20\x01\x0d\xb8\x00\x01", 6), "\x7f"));
  for (const absl::string_view range :
       {"2001:db8:1::7f", "2001:DB8:1:0::/64", "2001:db8::/32", "::/0",
        "2000::/3", "2001:db8:1::7e/127"}) {
    EXPECT_EQ(Judge(Ip({range}), *leaf), kYes) << range;
  }
  for (const absl::string_view range :
       {"2001:db8:1::80", "2001:db8:2::/48", "0.0.0.0/0", "fe80::/10"}) {
    EXPECT_EQ(Judge(Ip({range}), *leaf), kNo) << range;
  }
}

TEST(SanIp, JoinsRangesThatTouchOrOverlap) {
  const ClientRuleSpec rule = Ip({"10.0.1.0/24", "10.0.0.0/24", "10.0.0.128/25",
                                  "10.0.3.7", "255.255.255.255", "10.0.3.8"});
  const auto at = [&](uint8_t c, uint8_t d) {
    return Judge(rule, *WithIp(std::string("\x0a\x00", 2) +
                               static_cast<char>(c) + static_cast<char>(d)));
  };
  EXPECT_EQ(at(0, 0), kYes);
  EXPECT_EQ(at(0, 255), kYes);
  EXPECT_EQ(at(1, 0), kYes);
  EXPECT_EQ(at(1, 255), kYes);
  EXPECT_EQ(at(2, 0), kNo);
  EXPECT_EQ(at(3, 6), kNo);
  EXPECT_EQ(at(3, 7), kYes);
  EXPECT_EQ(at(3, 8), kYes);
  EXPECT_EQ(at(3, 9), kNo);
  EXPECT_EQ(Judge(rule, *WithIp("\xff\xff\xff\xff")), kYes);
  EXPECT_EQ(Judge(rule, *WithIp("\xff\xff\xff\xfe")), kNo);
}

TEST(SanIp, LeavesIpv4MappedAddressesUnclear) {
  const auto leaf =
      WithIp(Ipv6("", std::string("\xff\xff\xc0\x00\x02\x01", 6)));
  EXPECT_EQ(Judge(Ip({"192.0.2.0/24"}), *leaf), kUnclear);
  EXPECT_EQ(Judge(Ip({"::/0"}), *leaf), kUnclear);
  EXPECT_EQ(Judge(None({Ip({"192.0.2.1"})}), *leaf), kUnclear);
  EXPECT_EQ(Judge(Ip({"198.51.100.0/24", "2001:db8::/32"}), *leaf), kNo);
  EXPECT_THAT(ErrorOf(Ip({"::ffff:192.0.2.1"})), HasSubstr("as IPv4"));
  EXPECT_THAT(ErrorOf(Ip({"::ffff:0:0/96"})), HasSubstr("as IPv4"));
}

TEST(SanIp, IgnoresAddressesWrittenAsHostNames) {
  EXPECT_EQ(Judge(Ip({"192.0.2.1"}), *WithDns("192.0.2.1")), kNo);
}

TEST(SanIp, RefusesWhatIsNoRange) {
  for (const absl::string_view range :
       {"192.0.2", "192.0.2.256", "192.0.2.01", "192.0.2.0/33", "192.0.2.0/",
        "192.0.2.0/-1", "192.0.2.0/+24", "192.0.2.0/ 24", "/24", "::/129",
        "fe80::1%eth0", "a.test", "192.0.2.0/255.255.255.0", "[::1]",
        "192.0.2.0-192.0.2.9", "192.0.2.*"}) {
    EXPECT_THAT(ErrorOf(Ip({range})),
                StartsWith("allow.san_ip.ranges[0]: is no IP address"))
        << range;
  }
  EXPECT_THAT(ErrorOf(Ip({absl::string_view("192.0.2.1\0", 10)})),
              HasSubstr("is no IP address"));
  EXPECT_THAT(ErrorOf(Ip({"192.0.2.1/24"})), HasSubstr("beyond its prefix"));
  EXPECT_THAT(ErrorOf(Ip({"2001:db8::1/64"})), HasSubstr("beyond its prefix"));
}

// Names.

TEST(Subject, MatchesAWholeName) {
  TestCertificateSpec spec;
  spec.subject = {{"C", "US"}, {"O", "Example, Inc"}, {"CN", "Partner 1"}};
  const auto leaf = Make(spec);
  for (const absl::string_view name :
       {"CN=Partner 1,O=Example\\, Inc,C=US",
        "cn=partner  1, o = EXAMPLE\\2c inc , 2.5.4.6=us",
        "CN=#0c09506172746e65722031,O=Example\\, Inc,C=#13025553"}) {
    EXPECT_EQ(Judge(Subject({"CN=x", name}), *leaf), kYes) << name;
  }
  for (const absl::string_view name :
       {"C=US,O=Example\\, Inc,CN=Partner 1", "CN=Partner 1",
        "CN=Partner 1,C=US", "CN=Partner 1+O=Example\\, Inc,C=US",
        "CN=Partner1,O=Example\\, Inc,C=US",
        "CN=Partner 1,O=Example\\, Inc,C=US,C=US"}) {
    EXPECT_EQ(Judge(Subject({name}), *leaf), kNo) << name;
  }
}

TEST(Subject, MatchesWhatTheCertificatePrints) {
  TestCertificateSpec spec;
  spec.subject = {{"DC", "test"},
                  {"street", " 1, Main; \"St\" <x> + y\\z="},
                  {"O", "#caf\xc3\xa9\n"},
                  {"emailAddress", "a@b"},
                  {"serialNumber", "7"},
                  {"1.2.3.4", "odd"},
                  {"UID", "u"}};
  const auto leaf = Make(spec);
  const std::string printed = leaf->Subject();
  EXPECT_EQ(Judge(Subject({printed}), *leaf), kYes) << printed;
}

TEST(Subject, MatchesAMultiValuedRdnInAnyOrder) {
  const std::string rdn =
      TestDer(0x31, TestDer(0x30, TestDer(0x06, kCn) + TestDer(kUtf8, "a")) +
                        TestDer(0x30, TestDer(0x06, kO) + TestDer(kUtf8, "b")));
  const auto leaf = WithSubject(rdn);
  EXPECT_EQ(Judge(Subject({"O=b+CN=a"}), *leaf), kYes);
  EXPECT_EQ(Judge(Subject({"CN=A+O=B"}), *leaf), kYes);
  EXPECT_EQ(Judge(Subject({"CN=a,O=b"}), *leaf), kNo);
  EXPECT_EQ(
      Judge(SubjectWith({Exactly("O", {"b"}), Exactly("CN", {"a"})}), *leaf),
      kYes);
}

TEST(Subject, ComparesStringTypesInUtf8) {
  const std::string utf8 = "J\xc3\xbcrgen";
  const std::string bmp("\0J\0\xfc\0r\0g\0e\0n", 12);
  const std::string universal("\0\0\0J\0\0\0\xfc\0\0\0r\0\0\0g\0\0\0e\0\0\0n",
                              24);
  for (const auto& [tag, value] : {std::pair<uint8_t, std::string>{kUtf8, utf8},
                                   {kBmp, bmp},
                                   {kUniversal, universal}}) {
    const auto leaf = WithSubject(Rdn(kCn, tag, value));
    EXPECT_EQ(Judge(Subject({"CN=J\xc3\xbcrgen"}), *leaf), kYes) << int{tag};
    EXPECT_EQ(Judge(Subject({"CN=J\\C3\\BCrgen"}), *leaf), kYes);
    EXPECT_EQ(Judge(SubjectWith({Exactly("CN", {utf8})}), *leaf), kYes);
    EXPECT_EQ(Judge(SubjectWith({Exactly("CN", {"Jurgen"})}), *leaf), kNo);
  }
  for (const uint8_t tag : {kPrintable, kIa5, kUtf8}) {
    const auto leaf = WithSubject(Rdn(kCn, tag, "x 1"));
    EXPECT_EQ(Judge(Subject({"CN=x 1"}), *leaf), kYes) << int{tag};
    EXPECT_EQ(Judge(SubjectWith({Exactly("CN", {"x 1"})}), *leaf), kYes);
  }
}

TEST(Subject, ReadsT61AsLatin1ForAttributesAndByteForByteInWholeNames) {
  const auto leaf = WithSubject(Rdn(kCn, kT61, "J\xfcrgen"));
  EXPECT_EQ(Judge(SubjectWith({Exactly("CN", {"J\xc3\xbcrgen"})}), *leaf),
            kYes);
  EXPECT_EQ(Judge(Subject({"CN=J\xc3\xbcrgen"}), *leaf), kUnclear);
  EXPECT_EQ(Judge(Subject({"CN=other"}), *leaf), kUnclear);
  EXPECT_EQ(Judge(None({Subject({"CN=J\xc3\xbcrgen"})}), *leaf), kUnclear);
  EXPECT_EQ(Judge(Subject({"CN=#14064afc7267656e"}), *leaf), kYes);
  const auto visible = WithSubject(Rdn(kCn, kVisible, "abc"));
  EXPECT_EQ(Judge(SubjectWith({Exactly("CN", {"abc"})}), *visible), kYes);
}

TEST(Subject, LeavesValuesThatAreNoTextUnclear) {
  const auto number = WithSubject(Rdn(kO, 0x02, "\x07") + Rdn(kCn, kUtf8, "x"));
  EXPECT_EQ(Judge(SubjectWith({Exactly("O", {"a"})}), *number), kUnclear);
  EXPECT_EQ(Judge(None({SubjectWith({Exactly("O", {"a"})})}), *number),
            kUnclear);
  EXPECT_EQ(Judge(SubjectWith({Exactly("CN", {"x"})}), *number), kYes);
  // An invalid one beside a good one.
  const auto leaf = WithSubject(Rdn(kO, 0x02, "\x07") + Rdn(kO, kUtf8, "a"));
  EXPECT_EQ(Judge(SubjectWith({Exactly("O", {"a"})}), *leaf), kYes);
  EXPECT_EQ(Judge(SubjectWith({Exactly("O", {"b"})}), *leaf), kUnclear);
}

TEST(Subject, MatchesNoValueWithANulByItsBeginning) {
  const auto leaf =
      WithSubject(Rdn(kCn, kUtf8, std::string("admin\0.evil", 11)));
  EXPECT_EQ(Judge(SubjectWith({Exactly("CN", {"admin"})}), *leaf), kNo);
  EXPECT_EQ(Judge(Subject({"CN=admin"}), *leaf), kNo);
}

TEST(Subject, MatchesOneOfSeveralValuesOfAnAttribute) {
  TestCertificateSpec spec;
  spec.subject = {{"OU", "payments"}, {"OU", "eu"}, {"CN", "svc-7.test"}};
  const auto leaf = Make(spec);
  EXPECT_EQ(Judge(SubjectWith({Exactly("OU", {"eu"})}), *leaf), kYes);
  EXPECT_EQ(Judge(SubjectWith({Exactly("OU", {"eu"}),
                               Exactly("ou", {"x", "payments"})}),
                  *leaf),
            kYes);
  EXPECT_EQ(
      Judge(SubjectWith({Exactly("OU", {"eu"}), Exactly("OU", {"us"})}), *leaf),
      kNo);
  EXPECT_EQ(Judge(SubjectWith({Exactly("O", {"eu"})}), *leaf), kNo);
  EXPECT_EQ(Judge(SubjectWith({Exactly("2.5.4.11", {"eu"})}), *leaf), kYes);
}

TEST(Subject, MatchesBeginningsAndEnds) {
  TestCertificateSpec spec = TestLeafSpec("svc-7.Test");
  const auto leaf = Make(spec);
  ClientRuleSpec::Attribute attribute;
  attribute.type = "CN";
  attribute.prefix = {"x", "svc-"};
  EXPECT_EQ(Judge(SubjectWith({attribute}), *leaf), kYes);
  attribute.prefix = {"vc-", "svc-7.Test1", "SVC-"};
  EXPECT_EQ(Judge(SubjectWith({attribute}), *leaf), kNo);
  attribute.ignore_case = true;
  EXPECT_EQ(Judge(SubjectWith({attribute}), *leaf), kYes);
  attribute.prefix.clear();
  attribute.suffix = {"longer than the value", ".TEST"};
  EXPECT_EQ(Judge(SubjectWith({attribute}), *leaf), kYes);
  attribute.ignore_case = false;
  EXPECT_EQ(Judge(SubjectWith({attribute}), *leaf), kNo);
  attribute.suffix = {"svc-7.Test"};
  EXPECT_EQ(Judge(SubjectWith({attribute}), *leaf), kYes);
  attribute.suffix.clear();
  attribute.exact = {"SVC-7.TEST"};
  attribute.ignore_case = true;
  EXPECT_EQ(Judge(SubjectWith({attribute}), *leaf), kYes);
}

TEST(Subject, AsksForBothAWholeNameAndItsAttributes) {
  const auto leaf = Make(TestLeafSpec("a"));
  ClientRuleSpec both = SubjectWith({Exactly("CN", {"a"})});
  both.values = {"CN=a"};
  EXPECT_EQ(Judge(both, *leaf), kYes);
  both.values = {"CN=b"};
  EXPECT_EQ(Judge(both, *leaf), kNo);
  both.values = {"CN=a"};
  both.attributes = {Exactly("CN", {"b"})};
  EXPECT_EQ(Judge(both, *leaf), kNo);
}

TEST(Subject, MatchesNothingInAnEmptyName) {
  TestCertificateSpec spec;
  spec.alt_names = "critical,DNS:a.test";
  const auto leaf = Make(spec);
  EXPECT_EQ(Judge(SubjectWith({Exactly("CN", {"a"})}), *leaf), kNo);
  EXPECT_EQ(Judge(Subject({"CN=a"}), *leaf), kNo);
}

TEST(Subject, RefusesNamesThatCannotBeRead) {
  for (const absl::string_view name :
       {" ",         "/CN=a/O=b", "CN",           "CN=a,",
        "CN=a,,O=b", "=a",        "XX=a",         "CN=a;O=b",
        "CN=\"a\"",  "CN=a\\",    "CN=a\\x",      "CN=#0",
        "CN=#",      "CN=#0c",    "CN=#0c0161zz", "CN=#0c016100",
        "CN=\\ff",   "1.=a",      "CN=a<b",       "CN=a+",
        "CN=#130140"}) {
    EXPECT_THAT(ErrorOf(Subject({"CN=ok", name})),
                StartsWith("allow.subject.exact[1]: "))
        << name;
  }
  EXPECT_THAT(ErrorOf(SubjectWith({Exactly("common name", {"a"})})),
              StartsWith("allow.subject.attributes[0].type: "));
  EXPECT_THAT(ErrorOf(SubjectWith({Exactly("", {"a"})})),
              StartsWith("allow.subject.attributes[0].type: "));
  EXPECT_THAT(ErrorOf(SubjectWith({Exactly("CN", {"a", "\xff"})})),
              StartsWith("allow.subject.attributes[0].exact[1]: "));
  EXPECT_THAT(ErrorOf(SubjectWith({Exactly("CN", {})})),
              StartsWith("allow.subject.attributes[0]: has no value"));
  EXPECT_THAT(ErrorOf(SubjectWith({})), StartsWith("allow.subject: is empty"));
}

TEST(Issuer, IsTheNameOfWhoSigned) {
  const TestCertificate ca =
      MakeTestCertificate(TestCaSpec("The CA"), Key(), nullptr);
  const auto leaf = Make(TestLeafSpec("client"), &ca);
  EXPECT_EQ(Judge(Values(Kind::kIssuer, {"CN=the ca"}), *leaf), kYes);
  EXPECT_EQ(Judge(Values(Kind::kIssuer, {"CN=client"}), *leaf), kNo);
  EXPECT_EQ(Judge(Subject({"CN=The CA"}), *leaf), kNo);
  ClientRuleSpec attributes = SubjectWith({Exactly("CN", {"The CA"})});
  attributes.kind = Kind::kIssuer;
  EXPECT_EQ(Judge(attributes, *leaf), kYes);
}

// Fingerprints, serial numbers, truststores.

std::string WithColons(const std::string& hex) {
  std::string out;
  for (size_t i = 0; i < hex.size(); i += 2) {
    absl::StrAppend(&out, i == 0 ? "" : ":", hex.substr(i, 2));
  }
  return out;
}

TEST(Fingerprints, MatchInAnySpelling) {
  const auto leaf = Make(TestLeafSpec("client"));
  const std::string certificate = HexLower(AsBytes(leaf->fingerprint()));
  const std::string key = HexLower(AsBytes(Sha256(leaf->spki_der())));
  const std::string other(64, '0');
  for (const auto& [kind, own, foreign] :
       {std::make_tuple(Kind::kCertificateSha256, certificate, key),
        std::make_tuple(Kind::kSpkiSha256, key, certificate)}) {
    const std::string upper = absl::AsciiStrToUpper(own);
    const std::string colons = WithColons(upper);
    EXPECT_EQ(Judge(Values(kind, {other, own}), *leaf), kYes);
    EXPECT_EQ(Judge(Values(kind, {upper}), *leaf), kYes);
    EXPECT_EQ(Judge(Values(kind, {colons}), *leaf), kYes);
    EXPECT_EQ(Judge(Values(kind, {other, foreign}), *leaf), kNo);
    std::string wrong = own;
    wrong.back() = wrong.back() == '0' ? '1' : '0';
    EXPECT_EQ(Judge(Values(kind, {wrong}), *leaf), kNo);
  }
}

TEST(Fingerprints, MatchACertificateInWhateverFormItsHolderGivesIt) {
  const TestCertificate ca =
      MakeTestCertificate(TestCaSpec("ca"), TestKey::P256(), nullptr);
  const TestCertificate leaf =
      MakeTestCertificate(TestLeafSpec("leaf"), TestKey::P256(), &ca);
  const Sha256Digest fingerprint = Sha256(leaf.der);
  const std::string hex = HexLower(AsBytes(fingerprint));
  const ClientRuleSpec listed = Values(Kind::kCertificateSha256, {hex});
  for (const std::string& der :
       {leaf.der, FlipEcdsaSignature(leaf.der, ca.key)}) {
    EXPECT_EQ(Judge(listed, **Certificate::Parse(der)), kYes);
    EXPECT_EQ(Judge(None({listed}), **Certificate::Parse(der)), kNo);
  }
}

TEST(Fingerprints, RefuseWhatIsNoSha256) {
  const std::string good(64, 'a');
  for (const std::string& bad :
       {std::string(63, 'a'), std::string(65, 'a'), std::string(63, 'a') + "g",
        std::string(40, 'a'), "sha256:" + good, " " + good}) {
    EXPECT_THAT(ErrorOf(Values(Kind::kSpkiSha256, {good, bad})),
                StartsWith("allow.spki_sha256.sha256[1]: is no SHA-256"));
  }
}

TEST(Serial, ComparesNumbers) {
  TestCertificateSpec spec = TestLeafSpec("client");
  const auto judge = [&](const char* serial, absl::string_view hex) {
    spec.serial_hex = serial;
    return Judge(Values(Kind::kSerial, {"77", hex}), *Make(spec));
  };
  EXPECT_EQ(judge("3A5B1", "03A5B1"), kYes);
  EXPECT_EQ(judge("3A5B1", "3a5b1"), kYes);
  EXPECT_EQ(judge("3A5B1", "00:00:03:a5:b1"), kYes);
  EXPECT_EQ(judge("3A5B1", "A5B1"), kNo);
  EXPECT_EQ(judge("3A5B1", "-3A5B1"), kNo);
  // DER adds a zero byte before these.
  EXPECT_EQ(judge("FF", "ff"), kYes);
  EXPECT_EQ(judge("FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
                  "ffffffffffffffffffffffffffffffffffffff"),
            kYes);
}

TEST(Serial, MatchesWhatTheCertificatePrints) {
  TestCertificateSpec spec = TestLeafSpec("client");
  for (const char* serial : {"1", "7F", "80", "8000", "-1", "-80", "-FF00"}) {
    spec.serial_hex = serial;
    auto leaf =
        Certificate::Parse(MakeTestCertificate(spec, Key(), nullptr).der);
    ASSERT_TRUE(leaf.ok());
    if ((*leaf)->parsed() == nullptr) continue;  // negative ones may be refused
    const std::string printed = (*leaf)->SerialHex();
    EXPECT_EQ(Judge(Values(Kind::kSerial, {printed}), **leaf), kYes) << serial;
  }
}

TEST(Serial, RefusesWhatIsNoHexadecimal) {
  for (const absl::string_view hex :
       {"0x12", "12 34", "xyz", ":", "-", "1-2"}) {
    EXPECT_THAT(ErrorOf(Values(Kind::kSerial, {hex})),
                StartsWith("allow.serial.hex[0]: is no serial number"))
        << hex;
  }
}

TEST(Truststore, IsTheNameThatVouched) {
  const auto leaf = Make(TestLeafSpec("client"));
  const ClientRuleSpec rule = Values(Kind::kTruststore, {"a", "partners/eu"});
  EXPECT_EQ(Judge(rule, *leaf, "a"), kYes);
  EXPECT_EQ(Judge(rule, *leaf, "partners/eu"), kYes);
  EXPECT_EQ(Judge(rule, *leaf, "A"), kNo);
  EXPECT_EQ(Judge(rule, *leaf, "partners"), kNo);
  EXPECT_EQ(Judge(rule, *leaf, ""), kNo);
  EXPECT_THAT(ErrorOf(Values(Kind::kTruststore, {"a@1"})),
              StartsWith("allow.truststore.names[0]: is no name"));
}

TEST(CertificateList, NamesTheCertificateOrItsKey) {
  const auto leaf = Make(TestLeafSpec("client"));
  DenyList::Entries by_certificate, by_key, nobody;
  by_certificate.certificate_sha256 = {HexLower(AsBytes(leaf->fingerprint()))};
  by_key.spki_sha256 = {HexLower(AsBytes(Sha256(leaf->spki_der())))};
  NamedDenyLists lists;
  lists["by-certificate"] = *DenyList::Create(by_certificate);
  lists["by-key"] = *DenyList::Create(by_key);
  lists["nobody"] = *DenyList::Create(nobody);
  const auto judge = [&](std::vector<absl::string_view> names) {
    return Compiled(Values(Kind::kCertificateList, std::move(names)))
        ->Judge(*leaf, "", &lists);
  };
  EXPECT_EQ(judge({"by-certificate"}), kYes);
  EXPECT_EQ(judge({"by-key"}), kYes);
  EXPECT_EQ(judge({"nobody"}), kNo);
  EXPECT_EQ(judge({"nobody", "by-key"}), kYes);
  // Whoever is in a list that is here is in, whatever is missing.
  EXPECT_EQ(judge({"absent", "by-key"}), kYes);
  EXPECT_EQ(judge({"absent", "nobody"}), kUnclear);
  EXPECT_EQ(Judge(Values(Kind::kCertificateList, {"by-key"}), *leaf), kUnclear);
  EXPECT_EQ(Judge(None({Values(Kind::kCertificateList, {"absent"})}), *leaf),
            kUnclear);
  EXPECT_THAT(ErrorOf(Values(Kind::kCertificateList, {"a b"})),
              StartsWith("allow.certificate_list.names[0]: is no name"));
}

// Combinations.

TEST(Combinations, FollowKleenesLogic) {
  const auto leaf = WithDns("a b");  // unclear for san_dns
  const ClientRuleSpec yes = SubjectWith({Exactly("CN", {"client"})});
  const ClientRuleSpec no = SubjectWith({Exactly("CN", {"other"})});
  const ClientRuleSpec unclear = Dns({"x.test"});
  const std::pair<ClientRuleSpec, RuleMatch> kAnswers[] = {
      {yes, kYes}, {no, kNo}, {unclear, kUnclear}};
  for (const auto& [a, value_a] : kAnswers) {
    ASSERT_EQ(Judge(a, *leaf), value_a);
    EXPECT_EQ(Judge(All({a}), *leaf), value_a);
    EXPECT_EQ(Judge(Any({a}), *leaf), value_a);
    for (const auto& [b, value_b] : kAnswers) {
      const RuleMatch all = value_a == kNo || value_b == kNo     ? kNo
                            : value_a == kYes && value_b == kYes ? kYes
                                                                 : kUnclear;
      const RuleMatch any = value_a == kYes || value_b == kYes ? kYes
                            : value_a == kNo && value_b == kNo ? kNo
                                                               : kUnclear;
      const RuleMatch none = any == kYes ? kNo : any == kNo ? kYes : kUnclear;
      EXPECT_EQ(Judge(All({a, b}), *leaf), all);
      EXPECT_EQ(Judge(Any({a, b}), *leaf), any);
      EXPECT_EQ(Judge(None({a, b}), *leaf), none);
      EXPECT_EQ(Judge(None({None({a, b})}), *leaf), any);
    }
  }
}

TEST(Combinations, AreNeverEmpty) {
  EXPECT_THAT(ErrorOf(All({})), StartsWith("allow.all.rules: is empty"));
  EXPECT_THAT(ErrorOf(Any({})), StartsWith("allow.any.rules: is empty"));
  EXPECT_THAT(ErrorOf(None({})), StartsWith("allow.none.rules: is empty"));
  for (const Kind kind :
       {Kind::kSanDns, Kind::kSanUri, Kind::kSanEmail, Kind::kSanIp,
        Kind::kSubject, Kind::kIssuer, Kind::kCertificateSha256,
        Kind::kSpkiSha256, Kind::kSerial, Kind::kTruststore,
        Kind::kCertificateList}) {
    EXPECT_THAT(ErrorOf(Values(kind, {})), HasSubstr(": is empty; give"));
    EXPECT_THAT(ErrorOf(Values(kind, {""})), HasSubstr("[0]: is empty; leave"));
  }
}

TEST(Combinations, NameTheFieldOfAnError) {
  EXPECT_THAT(
      ErrorOf(
          Any({Dns({"a.test"}), All({Dns({"b.test"}), Dns({"c.test", "!"})})})),
      StartsWith("allow.any.rules[1].all.rules[1].san_dns.patterns[1]: "));
}

TEST(ClientRule, TakesNoCertificateThatCannotBeRead) {
  // The same extension twice.
  TestCertificateSpec spec = TestLeafSpec("client");
  spec.alt_names = "DNS:a.test";
  spec.extensions = {{"subjectAltName", "DNS:b.test"}};
  const auto leaf =
      Certificate::Parse(MakeTestCertificate(spec, Key(), nullptr).der);
  ASSERT_TRUE(leaf.ok());
  ASSERT_EQ((*leaf)->parsed(), nullptr);
  EXPECT_EQ(Judge(Dns({"a.test"}), **leaf), kUnclear);
  EXPECT_EQ(Judge(None({Dns({"c.test"})}), **leaf), kUnclear);
  EXPECT_EQ(Judge(Values(Kind::kTruststore, {"partners"}), **leaf), kUnclear);
}

// Limits.

ClientRuleSpec Nested(size_t depth) {
  ClientRuleSpec rule = Dns({"a.test"});
  for (size_t i = 1; i < depth; ++i) rule = Any({std::move(rule)});
  return rule;
}

TEST(Limits, HoldForDepth) {
  EXPECT_NE(Compiled(Nested(limits::kMaxClientRuleDepth)), nullptr);
  const auto deeper =
      ClientRule::Compile(Nested(limits::kMaxClientRuleDepth + 1), "allow");
  EXPECT_EQ(deeper.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(deeper.status().message()), HasSubstr("nested"));
}

TEST(Limits, HoldForMatchers) {
  std::vector<ClientRuleSpec> rules(limits::kMaxClientRuleMatchers - 1,
                                    Dns({"a.test"}));
  EXPECT_NE(Compiled(Any(rules)), nullptr);
  rules.push_back(Dns({"a.test"}));
  EXPECT_THAT(ErrorOf(Any(rules)), HasSubstr("matchers"));
  std::vector<ClientRuleSpec::Attribute> attributes(
      limits::kMaxClientRuleMatchers - 1, Exactly("CN", {"a"}));
  EXPECT_NE(Compiled(SubjectWith(attributes)), nullptr);
  attributes.push_back(Exactly("CN", {"a"}));
  EXPECT_THAT(ErrorOf(SubjectWith(attributes)), HasSubstr("matchers"));
}

TEST(Limits, HoldForValues) {
  const Views half(limits::kMaxClientRuleValues / 2, "01");
  Views more = half;
  EXPECT_NE(
      Compiled(Any({Values(Kind::kSerial, half), Values(Kind::kSerial, half)})),
      nullptr);
  more.push_back("01");
  EXPECT_THAT(
      ErrorOf(Any({Values(Kind::kSerial, half), Values(Kind::kSerial, more)})),
      HasSubstr("values"));
  const std::string longest(limits::kMaxClientRuleValueBytes, 'a');
  EXPECT_NE(Compiled(Uri({longest})), nullptr);
  EXPECT_THAT(ErrorOf(Uri({longest + "a"})), HasSubstr("longer than"));
}

TEST(Limits, EndTheWorkForCertificatesWithManyNames) {
  // Some 30 KiB of names, as many as a client can send.
  Names names(4000, {TestAltName::kDns, "n.t"});
  const auto leaf = WithNames(names);
  EXPECT_EQ(Judge(Dns({"a.test"}), *leaf), kNo);
  const ClientRuleSpec many =
      Any(std::vector<ClientRuleSpec>(100, Dns({"a.test", "*.x"})));
  EXPECT_EQ(Judge(many, *leaf), kUnclear);
  EXPECT_EQ(Judge(None({many}), *leaf), kUnclear);
}

// Counts allocations of this thread while it lives.
thread_local size_t allocations = 0;

TEST(ClientRule, FindsOneOfAHundredThousandFingerprintsWithoutAllocation) {
  const auto leaf = Make(TestLeafSpec("client"));
  std::vector<std::string> values;
  values.reserve(100000);
  for (int i = 0; i < 99999; ++i) {
    values.push_back(HexLower(AsBytes(Sha256(absl::StrCat("c", i)))));
  }
  values.push_back(HexLower(AsBytes(leaf->fingerprint())));
  const auto rule = Compiled(All(
      {Values(Kind::kCertificateSha256, Views(values.begin(), values.end())),
       None({Values(Kind::kSpkiSha256,
                    Views(values.begin(), values.begin() + 1000))}),
       Values(Kind::kSerial, {"1", "2"}),
       Values(Kind::kTruststore, {"partners"})}));
  const size_t before = allocations;
  const bool matches = rule->Matches(*leaf, "partners");
  EXPECT_EQ(allocations, before);
  EXPECT_TRUE(matches);
  EXPECT_FALSE(rule->Matches(*leaf, "others"));
  const auto other = Make(TestLeafSpec("other"));
  EXPECT_FALSE(rule->Matches(*other, "partners"));
  // The counter counts.
  const size_t start = allocations;
  EXPECT_EQ(std::string(100, 'x').size(), 100u);
  EXPECT_GT(allocations, start);
}

// Descriptions and digests.

TEST(Describe, IsShortAndPrintable) {
  EXPECT_EQ(
      Compiled(Any({Dns({"a.test", "b.test", "c.test", "d.test", "e.test"}),
                    None({Spiffe({"spiffe://evil"})})}))
          ->Describe(),
      "any(san_dns(\"a.test\", \"b.test\", \"c.test\" and 2 more), "
      "none(san_uri(spiffe \"spiffe://evil\")))");
  ClientRuleSpec::Attribute attribute = Exactly("O", {"caf\xc3\xa9\n"});
  attribute.prefix = {"x"};
  attribute.ignore_case = true;
  EXPECT_EQ(Compiled(SubjectWith({attribute}))->Describe(),
            "subject(O~\"caf\\xc3\\xa9\\x0a\", prefix \"x\")");
  const auto long_rule =
      Compiled(Any(std::vector<ClientRuleSpec>(1000, Dns({"a.test"}))));
  EXPECT_EQ(long_rule->Describe().size(),
            limits::kMaxClientRuleDescriptionBytes);
  EXPECT_THAT(long_rule->Describe(), ::testing::EndsWith("..."));
}

TEST(Refusal, SaysWhichRuleAndWhy) {
  const auto rule = ClientRule::Compile(Dns({"a.test"}), "paths[3].allow");
  ASSERT_TRUE(rule.ok());
  EXPECT_EQ((*rule)->field(), "paths[3].allow");
  EXPECT_EQ((*rule)->Refusal(kNo),
            "the client is trusted, but paths[3].allow does not match: "
            "san_dns(\"a.test\")");
  EXPECT_EQ(
      (*rule)->Refusal(kUnclear),
      "the client is trusted, but paths[3].allow cannot be judged by what "
      "its certificate holds: san_dns(\"a.test\")");
  EXPECT_EQ((*rule)->digest(), Compiled(Dns({"a.test"}))->digest());
}

TEST(Digest, IsOfTheMeaningNotOfTheSpelling) {
  const auto digest = [](const ClientRuleSpec& spec) {
    return Compiled(spec)->digest();
  };
  EXPECT_EQ(digest(Dns({"A.test", "b.test"})),
            digest(Dns({"b.test", "a.test", "a.test"})));
  const std::string hex(64, 'a');
  const std::string colons = WithColons(absl::AsciiStrToUpper(hex));
  EXPECT_EQ(digest(Values(Kind::kSpkiSha256, {hex})),
            digest(Values(Kind::kSpkiSha256, {colons})));
  EXPECT_EQ(digest(Values(Kind::kSerial, {"0:1"})),
            digest(Values(Kind::kSerial, {"01"})));
  EXPECT_EQ(digest(Ip({"10.0.0.0/25", "10.0.0.128/25"})),
            digest(Ip({"10.0.0.0/24"})));
  EXPECT_EQ(digest(Subject({"CN=A,O=b"})), digest(Subject({"cn=a, o=B"})));
  EXPECT_EQ(digest(Any({Dns({"a.test"}), Email({"@a.test"})})),
            digest(Any({Email({"@a.test"}), Dns({"a.test"})})));
}

TEST(Digest, TellsRulesApart) {
  std::vector<ClientRuleSpec> rules = {
      Dns({"a.test"}),
      Dns({"b.test"}),
      Dns({"a.test", "b.test"}),
      Dns({"*.test"}),
      Uri({"spiffe://a/b"}),
      Spiffe({"spiffe://a/b"}),
      Spiffe({"spiffe://a/b/*"}),
      Email({"@a.test"}),
      Email({"a@a.test"}),
      Ip({"10.0.0.0/8"}),
      Ip({"::a00:0/104"}),
      Subject({"CN=a"}),
      Values(Kind::kIssuer, {"CN=a"}),
      SubjectWith({Exactly("CN", {"a"})}),
      SubjectWith({Exactly("O", {"a"})}),
      SubjectWith({Exactly("CN", {"a"}), Exactly("CN", {"b"})}),
      SubjectWith({Exactly("CN", {"a", "b"})}),
      Values(Kind::kSerial, {"a"}),
      Values(Kind::kSerial, {"-a"}),
      Values(Kind::kTruststore, {"a"}),
      All({Dns({"a.test"})}),
      Any({Dns({"a.test"})}),
      None({Dns({"a.test"})}),
      None({None({Dns({"a.test"})})}),
  };
  ClientRuleSpec::Attribute attribute = Exactly("CN", {"a"});
  attribute.ignore_case = true;
  rules.push_back(SubjectWith({attribute}));
  std::swap(attribute.exact, attribute.prefix);
  rules.push_back(SubjectWith({attribute}));
  std::swap(attribute.prefix, attribute.suffix);
  rules.push_back(SubjectWith({attribute}));
  std::vector<std::string> digests;
  digests.reserve(rules.size());
  for (const ClientRuleSpec& rule : rules) {
    digests.emplace_back(AsBytes(Compiled(rule)->digest()));
  }
  for (size_t i = 0; i < digests.size(); ++i) {
    for (size_t j = 0; j < i; ++j) EXPECT_NE(digests[i], digests[j]) << i << j;
  }
}

}  // namespace
}  // namespace sallyport::pki

// What `new` takes, counted.
void* operator new(size_t size) {
  ++sallyport::pki::allocations;
  void* const memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) std::abort();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t /*size*/) noexcept {
  std::free(memory);
}
