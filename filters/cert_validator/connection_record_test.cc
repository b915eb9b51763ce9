#include "filters/cert_validator/connection_record.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace sallyport::cert_validator {
namespace {

ConnectionRecord Sample() {
  ConnectionRecord record;
  record.reason = pki::Reason::kExpired;
  record.depth = 2;
  record.state_id = 0x0102030405060708;
  record.verified_at = absl::FromUnixNanos(1790000000123456789);
  record.recheck_at = absl::InfiniteFuture();
  record.domain = "api.example.com";
  record.detail = "expired on Monday";
  record.chain = {absl::string_view("leaf\0der", 8), "", "issuer"};
  record.chain_digest = ChainDigest(record.chain);
  return record;
}

TEST(ConnectionRecord, ComesBackAsItWas) {
  const ConnectionRecord in = Sample();
  const std::string bytes = EncodeRecord(in);
  ConnectionRecord out;
  ASSERT_TRUE(DecodeRecord(bytes, out));
  EXPECT_EQ(out.reason, in.reason);
  EXPECT_EQ(out.depth, 2);
  EXPECT_FALSE(out.cut_short);
  EXPECT_EQ(out.state_id, in.state_id);
  EXPECT_EQ(out.verified_at, in.verified_at);
  EXPECT_EQ(out.recheck_at, absl::InfiniteFuture());
  EXPECT_EQ(out.chain_digest, in.chain_digest);
  EXPECT_EQ(out.domain, "api.example.com");
  EXPECT_EQ(out.detail, "expired on Monday");
  EXPECT_EQ(out.chain, in.chain);
}

TEST(ConnectionRecord, IsRefusedWhenAnyPartIsMissing) {
  const std::string bytes = EncodeRecord(Sample());
  ConnectionRecord out;
  for (size_t n = 0; n < bytes.size(); ++n) {
    EXPECT_FALSE(DecodeRecord(absl::string_view(bytes).substr(0, n), out)) << n;
  }
}

TEST(ConnectionRecord, IsRefusedWithSomethingLeftOver) {
  ConnectionRecord out;
  EXPECT_FALSE(DecodeRecord(EncodeRecord(Sample()) + "x", out));
}

TEST(ConnectionRecord, IsRefusedInAnotherVersionOrWithAnUnknownReason) {
  const std::string bytes = EncodeRecord(Sample());
  ConnectionRecord out;
  std::string other = bytes;
  other[3] = '1';
  EXPECT_FALSE(DecodeRecord(other, out));
  other = bytes;
  other[4] = static_cast<char>(pki::kNumReasons);
  EXPECT_FALSE(DecodeRecord(other, out));
}

TEST(ConnectionRecord, HasAHeadThatIsReadWithoutTheChain) {
  const ConnectionRecord in = Sample();
  const std::string bytes = EncodeRecord(in);
  RecordHead head;
  ASSERT_TRUE(DecodeHead(bytes, head));
  EXPECT_EQ(head.reason, in.reason);
  EXPECT_EQ(head.state_id, in.state_id);
  EXPECT_EQ(head.lineage, in.lineage);
  EXPECT_EQ(head.verified_at, in.verified_at);
  EXPECT_EQ(head.recheck_at, in.recheck_at);
  EXPECT_EQ(head.chain_digest, in.chain_digest);
  EXPECT_EQ(head.domain, in.domain);
  EXPECT_EQ(head.detail, in.detail);
  EXPECT_FALSE(DecodeHead(bytes.substr(0, 40), head));
}

TEST(ConnectionRecord, SaysThatItsChainIsCutShortAndThatThereIsNoDepth) {
  ConnectionRecord record = Sample();
  record.depth = -1;
  record.cut_short = true;
  ConnectionRecord out;
  ASSERT_TRUE(DecodeRecord(EncodeRecord(record), out));
  EXPECT_EQ(out.depth, -1);
  EXPECT_TRUE(out.cut_short);
  EXPECT_EQ(out.chain_digest, record.chain_digest);
}

TEST(ConnectionRecord, IsRefusedWithoutAChainOrAState) {
  ConnectionRecord record = Sample();
  ConnectionRecord out;
  record.chain.clear();
  EXPECT_FALSE(DecodeRecord(EncodeRecord(record), out));
  record = Sample();
  record.state_id = 0;
  EXPECT_FALSE(DecodeRecord(EncodeRecord(record), out));
  // There was no trust to give a verdict.
  record.reason = pki::Reason::kConfigurationMissing;
  EXPECT_TRUE(DecodeRecord(EncodeRecord(record), out));
}

TEST(ConnectionRecord, CannotHoldMoreCertificatesThanItCounts) {
  ConnectionRecord record = Sample();
  record.chain.assign(255, "x");
  ConnectionRecord out;
  EXPECT_TRUE(DecodeRecord(EncodeRecord(record), out));
  record.chain.assign(256, "x");
  EXPECT_EQ(EncodeRecord(record), "");
}

TEST(ConnectionRecord, CutsTextThatIsTooLong) {
  ConnectionRecord record = Sample();
  const std::string text(70000, 'x');
  record.detail = text;
  const std::string bytes = EncodeRecord(record);
  ConnectionRecord out;
  ASSERT_TRUE(DecodeRecord(bytes, out));
  EXPECT_EQ(out.detail.size(), 65535u);
}

TEST(ChainDigest, TellsChainsApartThatConcatenateAlike) {
  const std::vector<absl::string_view> one = {"ab", "c"};
  const std::vector<absl::string_view> two = {"a", "bc"};
  const std::vector<absl::string_view> three = {"abc"};
  EXPECT_NE(ChainDigest(one), ChainDigest(two));
  EXPECT_NE(ChainDigest(one), ChainDigest(three));
  EXPECT_EQ(ChainDigest(one), ChainDigest(one));
}

}  // namespace
}  // namespace sallyport::cert_validator
