#include "pki/x509/purpose.h"

#include <string>

#include "gtest/gtest.h"
#include "pki/testing/make_certificate.h"

namespace sallyport::pki {
namespace {

std::shared_ptr<const Certificate> WithUsage(const std::string& usage) {
  TestCertificateSpec spec = TestLeafSpec("leaf");
  spec.extended_key_usage = usage;
  return *Certificate::Parse(
      MakeTestCertificate(spec, TestKey::P256(), nullptr).der);
}

TEST(AllowsPurpose, AllowsAllWithoutAnExtendedKeyUsage) {
  EXPECT_TRUE(AllowsPurpose(*WithUsage(""), Purpose::kServerAuth));
  EXPECT_TRUE(AllowsPurpose(*WithUsage(""), Purpose::kClientAuth));
}

TEST(AllowsPurpose, AllowsWhatIsNamed) {
  EXPECT_TRUE(AllowsPurpose(*WithUsage("serverAuth"), Purpose::kServerAuth));
  EXPECT_FALSE(AllowsPurpose(*WithUsage("serverAuth"), Purpose::kClientAuth));
  EXPECT_TRUE(AllowsPurpose(*WithUsage("clientAuth"), Purpose::kClientAuth));
  EXPECT_FALSE(AllowsPurpose(*WithUsage("clientAuth"), Purpose::kServerAuth));
  EXPECT_TRUE(AllowsPurpose(*WithUsage("codeSigning,serverAuth"),
                            Purpose::kServerAuth));
  EXPECT_FALSE(AllowsPurpose(*WithUsage("codeSigning"), Purpose::kServerAuth));
}

TEST(AllowsPurpose, AllowsAllWithAnyExtendedKeyUsage) {
  EXPECT_TRUE(
      AllowsPurpose(*WithUsage("anyExtendedKeyUsage"), Purpose::kServerAuth));
}

}  // namespace
}  // namespace sallyport::pki
