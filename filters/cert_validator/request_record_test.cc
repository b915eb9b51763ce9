#include "filters/cert_validator/request_record.h"

#include <string>

#include "gtest/gtest.h"

namespace sallyport::cert_validator {
namespace {

TEST(RequestRecord, ComesBackAsItWasWritten) {
  RequestRecord record;
  record.reason = pki::Reason::kTrusted;
  record.domain = "api.example.com";
  record.leaf = absl::string_view("\x30\x00\x01", 3);
  const std::string bytes = EncodeRequestRecord(record);
  RequestRecord read;
  ASSERT_TRUE(DecodeRequestRecord(bytes, read));
  EXPECT_EQ(read.reason, record.reason);
  EXPECT_EQ(read.domain, record.domain);
  EXPECT_EQ(read.leaf, record.leaf);
}

TEST(RequestRecord, TrustsNobodyWithoutACertificate) {
  RequestRecord record;
  record.reason = pki::Reason::kTrusted;
  record.domain = "api.example.com";
  RequestRecord read;
  EXPECT_FALSE(DecodeRequestRecord(EncodeRequestRecord(record), read));
  record.reason = pki::Reason::kNoCertificate;
  EXPECT_TRUE(DecodeRequestRecord(EncodeRequestRecord(record), read));
}

TEST(RequestRecord, RefusesWhatItDidNotWrite) {
  RequestRecord record;
  record.reason = pki::Reason::kNoCertificate;
  record.domain = "api.example.com";
  const std::string bytes = EncodeRequestRecord(record);
  RequestRecord read;
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(DecodeRequestRecord(bytes.substr(0, size), read)) << size;
  }
  std::string unknown = bytes;
  unknown[4] = static_cast<char>(pki::kNumReasons);
  EXPECT_FALSE(DecodeRequestRecord(unknown, read));
}

TEST(RequestRecord, IsWrittenWhileSomebodyReadsIt) {
  EXPECT_FALSE(RequestRecordReader::Any());
  {
    const RequestRecordReader reader;
    EXPECT_TRUE(RequestRecordReader::Any());
  }
  EXPECT_FALSE(RequestRecordReader::Any());
}

}  // namespace
}  // namespace sallyport::cert_validator
