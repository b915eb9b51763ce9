#include "pki/x509/name.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "pki/testing/make_certificate.h"
#include "pki/x509/certificate.h"

namespace sallyport::pki {
namespace {

std::vector<std::string> Listed(absl::string_view der) {
  std::vector<std::string> out;
  for (const NameAttribute& attribute : NameAttributes(der)) {
    out.push_back(absl::StrCat(attribute.type, "=", attribute.value));
  }
  return out;
}

TEST(NameAttributes, KeepTheOrderOfTheCertificate) {
  TestCertificateSpec spec;
  spec.subject = {{"DC", "org"}, {"C", "FR"}, {"O", "Example, \"Inc\""},
                  {"CN", "a"},   {"CN", "b"}, {"emailAddress", "a@b"}};
  const auto certificate = Certificate::Parse(
      MakeTestCertificate(spec, TestKey::P256(), nullptr).der);
  ASSERT_TRUE(certificate.ok());
  EXPECT_EQ(
      Listed((*certificate)->subject_der()),
      (std::vector<std::string>{"0.9.2342.19200300.100.1.25=org", "2.5.4.6=FR",
                                "2.5.4.10=Example, \"Inc\"", "2.5.4.3=a",
                                "2.5.4.3=b", "1.2.840.113549.1.9.1=a@b"}));
}

TEST(NameAttributes, AreUtf8FromEveryStringType) {
  // O as BMPString "\u00e9", and CN as UTF8String with a NUL in it.
  const std::string der(
      "\x30\x1c"
      "\x31\x0b\x30\x09\x06\x03\x55\x04\x0a\x1e\x02\x00\xe9"
      "\x31\x0d\x30\x0b\x06\x03\x55\x04\x03\x0c\x04"
      "a\0\xc3\xa9",
      30);
  EXPECT_EQ(Listed(der),
            (std::vector<std::string>{"2.5.4.10=\xc3\xa9",
                                      std::string("2.5.4.3=a\0\xc3\xa9", 12)}));
}

TEST(NameAttributes, LeaveOutWhatIsNoText) {
  // serialNumber as an INTEGER, then C=US.
  const std::string der(
      "\x30\x19"
      "\x31\x0a\x30\x08\x06\x03\x55\x04\x05\x02\x01\x07"
      "\x31\x0b\x30\x09\x06\x03\x55\x04\x06\x13\x02US",
      27);
  EXPECT_EQ(Listed(der), (std::vector<std::string>{"2.5.4.6=US"}));
}

TEST(NameAttributes, AreNoneForWhatIsNoName) {
  EXPECT_TRUE(NameAttributes("").empty());
  EXPECT_TRUE(NameAttributes(std::string("\x30\x00", 2)).empty());
  EXPECT_TRUE(NameAttributes(std::string("\x30\x00\x00", 3)).empty());
  EXPECT_TRUE(NameAttributes("\x04\x01x").empty());
}

}  // namespace
}  // namespace sallyport::pki
