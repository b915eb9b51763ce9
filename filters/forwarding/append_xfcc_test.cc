#include "filters/forwarding/append_xfcc.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "filters/forwarding/forwarding.h"
#include "filters/forwarding/xfcc_reader.h"
#include "gtest/gtest.h"

namespace sallyport::forwarding {
namespace {

constexpr char kOurs[] = "Hash=ff;Subject=\"CN=proxy\";URI=";

Forwarded Ours() {
  Forwarded ours;
  ours.headers = {{"x-forwarded-client-cert", kOurs}, {"client-cert", ":x:"}};
  for (const Header& header : ours.headers) {
    ours.bytes += header.name.size() + header.value.size();
  }
  return ours;
}

// What it becomes, or why it does not.
std::string Appended(absl::string_view inbound) {
  std::string value = "(unchanged)";
  switch (AppendXfcc(inbound, Ours(), 16384, &value)) {
    case InboundXfcc::kNone:
      EXPECT_EQ(value, "(unchanged)");
      return "(none)";
    case InboundXfcc::kMalformed:
      EXPECT_EQ(value, "(unchanged)");
      return "(malformed)";
    case InboundXfcc::kTooLarge:
      EXPECT_EQ(value, "(unchanged)");
      return "(too large)";
    case InboundXfcc::kKept:
      break;
  }
  return value;
}

// The elements as both kinds of readers must agree; ours is the last.
std::vector<XfccElement> Read(absl::string_view value) {
  std::vector<XfccElement> a, b, ours;
  EXPECT_TRUE(ReadXfcc(value, XfccReading::kQuoteAfterBackslash, &a,
                       XfccEquals::kAllowed))
      << value;
  EXPECT_TRUE(
      ReadXfcc(value, XfccReading::kBackslashPairs, &b, XfccEquals::kAllowed))
      << value;
  EXPECT_EQ(a, b) << value;
  EXPECT_TRUE(ReadXfcc(kOurs, XfccReading::kBackslashPairs, &ours));
  EXPECT_EQ(a.back(), ours[0]) << value;
  return a;
}

TEST(AppendXfcc, PutsOursLast) {
  EXPECT_EQ(Appended("Hash=aa;Subject=\"CN=client\""),
            absl::StrCat("Hash=aa;Subject=\"CN=client\",", kOurs));
  EXPECT_EQ(Read(Appended("Hash=aa,Hash=bb;DNS=x, By=spiffe://a;URI=")).size(),
            4u);
}

TEST(AppendXfcc, KeepsEveryFormThatEveryReaderReadsTheSame) {
  for (const char* inbound : {
           "By=spiffe://a;Hash=aa;Cert=\"-----BEGIN%20\";Subject=\"\";URI=",
           "Subject=\"CN=a\\, b\\\"c\\\\d\"",
           "URI=https://a/?b=c",
           "Subject=\"/C=US/CN=x\" , Hash=aa",
           "Hash=aa; DNS=b",
           "Subject=\"a,b;c=d\"",
           "Subject=\"a\\\\\\\"b\"",
           "DNS=",
       }) {
    const std::string value = Appended(inbound);
    EXPECT_EQ(value, absl::StrCat(inbound, ",", kOurs));
    std::vector<XfccElement> a, b;
    EXPECT_TRUE(ReadXfcc(kOurs, XfccReading::kBackslashPairs, &a));
  }
  EXPECT_EQ(Read(Appended("Subject=\"a\\\\\\\"b,Hash=1\"")).size(), 2u);
  EXPECT_EQ(Read(Appended("URI=https://a/?b=c")).size(), 2u);
}

TEST(AppendXfcc, LeavesOutWhatCouldSwallowOurElement) {
  for (const char* inbound : {
           "\"",
           "Subject=\"",
           "Subject=\"CN=a",
           "Hash=aa;Subject=\"CN=a\\\"",
           "Subject=\"CN=a\\\\\"",  // pairs: closed; others: open
           "Subject=\"a\\\\\\\\\"",
           "Hash=a\"",
           "Hash=\"a\"b",
           "Hash=\"a\"\"",
           "Hash=a\\",
           "DNS=a\\,Hash=b",
           "Hash= \"a\"",
           "Hash=a;",
           "Hash=a,",
           ",Hash=a",
           "Hash=a,,Hash=b",
           "Hash",
           "Hash;Subject=\"x\"",
           "=a",
           "Ha\"sh=a",
           "-",
           " ",
           "[{\"hash\":\"aa\"}]",
           "Hash=a\r\nx: y",
           "Hash=a\tb",
           "Hash=\x7f",
           "Hash=\xc3\xa9",
       }) {
    EXPECT_EQ(Appended(inbound), "(malformed)") << inbound;
  }
  EXPECT_EQ(Appended(absl::string_view("Hash=a\0", 7)), "(malformed)");
}

TEST(AppendXfcc, HasNothingToDoWithoutAnInboundValue) {
  EXPECT_EQ(Appended(""), "(none)");
}

TEST(AppendXfcc, CountsBothInTheBudget) {
  const Forwarded ours = Ours();
  const std::string inbound = "Hash=aa";
  const size_t whole = ours.bytes + inbound.size() + 1;
  std::string value;
  EXPECT_EQ(AppendXfcc(inbound, ours, whole, &value), InboundXfcc::kKept);
  EXPECT_EQ(AppendXfcc(inbound, ours, whole - 1, &value),
            InboundXfcc::kTooLarge);
  // Not read at all.
  EXPECT_EQ(AppendXfcc(std::string(100000, '"'), ours, 16384, &value),
            InboundXfcc::kTooLarge);
}

TEST(AppendXfcc, KeepsNothingWhenOurElementDidNotFit) {
  Forwarded ours;
  std::string value;
  EXPECT_EQ(AppendXfcc("Hash=aa", ours, 16384, &value), InboundXfcc::kTooLarge);
  ours.headers = {{"client-cert", ":x:"}};
  EXPECT_EQ(AppendXfcc("Hash=aa", ours, 16384, &value), InboundXfcc::kTooLarge);
}

TEST(AppendXfcc, LeavesRoomForTheNoteWhereAProxyIsTrusted) {
  // Whatever becomes of the inbound value, headers and note fit.
  filter::v1::Forwarding config;
  config.mutable_xfcc();
  config.set_max_header_bytes(128);
  config.mutable_trusted_proxy();
  Client nobody;
  nobody.verdict = pki::Reason::kNoCertificate;
  EXPECT_LE(Encode(config, nobody).bytes + 31, 128u);
}

}  // namespace
}  // namespace sallyport::forwarding
