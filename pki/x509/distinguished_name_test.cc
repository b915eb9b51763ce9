#include "pki/x509/distinguished_name.h"

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "pki/testing/make_certificate.h"
#include "pki/x509/certificate.h"
#include "third_party_boringssl/pki/parsed_certificate.h"

namespace sallyport::pki {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string Hex(const absl::StatusOr<std::string>& der) {
  EXPECT_TRUE(der.ok()) << der.status();
  return der.ok() ? absl::BytesToHexString(*der) : "";
}

TEST(ParseDistinguishedName, WritesTheLastRdnFirst) {
  EXPECT_EQ(Hex(ParseDistinguishedName("CN=a,O=b")),
            "3018"
            "310a300806035504"
            "0a0c0162"
            "310a300806035504"
            "030c0161");
}

TEST(ParseDistinguishedName, SortsTheAttributesOfAnRdn) {
  EXPECT_EQ(Hex(ParseDistinguishedName("O=b+CN=a")),
            Hex(ParseDistinguishedName("CN=a + O=b")));
}

TEST(ParseDistinguishedName, ReadsEscapes) {
  const std::string plain = Hex(ParseDistinguishedName("CN=#040178"));
  EXPECT_THAT(plain, HasSubstr("040178"));
  const auto value = [](absl::string_view text) {
    const auto der = ParseDistinguishedName(text);
    EXPECT_TRUE(der.ok()) << der.status();
    const auto attributes = ReadDnAttributes(der.ok() ? *der : "");
    return attributes.has_value() && attributes->size() == 1
               ? attributes->front().text.value_or("(none)")
               : "(other)";
  };
  EXPECT_EQ(value("CN=  a b  "), "a b");
  EXPECT_EQ(value("CN=\\ a\\ "), " a ");
  EXPECT_EQ(value("CN=a\\20  "), "a ");
  EXPECT_EQ(value("CN=a=b"), "a=b");
  EXPECT_EQ(value("CN=\\#a\\,\\+\\\"\\\\\\<\\>\\;"), "#a,+\"\\<>;");
  EXPECT_EQ(value("CN=caf\\C3\\A9"), "caf\xc3\xa9");
  EXPECT_EQ(value("CN="), "");
  EXPECT_EQ(value("CN=a\\00b"), std::string("a\0b", 3));
}

TEST(ParseDistinguishedName, ReadsWhatCertificatesPrint) {
  TestCertificateSpec spec;
  spec.subject = {{"C", "DE"},
                  {"street", "#1 <a>; \"b\"\\ + c, d "},
                  {"SN", "x"},
                  {"title", "  "},
                  {"1.2.3.4.5", "caf\xc3\xa9"},
                  {"CN", "caf\xc3\xa9\n\x7f"}};
  const auto certificate = Certificate::Parse(
      MakeTestCertificate(spec, TestKey::P256(), nullptr).der);
  ASSERT_TRUE(certificate.ok());
  const std::string printed = (*certificate)->Subject();
  const auto der = ParseDistinguishedName(printed);
  ASSERT_TRUE(der.ok()) << der.status() << printed;
  const bssl::der::Input expected =
      (*certificate)->parsed()->normalized_subject();
  EXPECT_EQ(NormalizeName(*der),
            std::string(reinterpret_cast<const char*>(expected.data()),
                        expected.size()))
      << printed;
}

TEST(ParseDistinguishedName, SaysWhichAttributeIsWrong) {
  const auto error = [](absl::string_view text) {
    return std::string(ParseDistinguishedName(text).status().message());
  };
  EXPECT_THAT(error(""), StartsWith("the name is empty"));
  EXPECT_THAT(error("/C=DE/CN=a"), HasSubstr("slashes"));
  EXPECT_THAT(error("CN=a,secret"), StartsWith("attribute 2 does not begin"));
  EXPECT_THAT(error("CN=a,secret=b"), StartsWith("attribute 2 has an unknown"));
  EXPECT_THAT(error("CN=\"secret\""),
              StartsWith("attribute 1 has a character"));
  EXPECT_THAT(error("CN=\xff"), StartsWith("attribute 1 is not UTF-8"));
  for (const absl::string_view text : {"CN=a,secret=b", "CN=\"secret\""}) {
    EXPECT_THAT(error(text), testing::Not(HasSubstr("secret")));
  }
}

TEST(AttributeTypeOid, KnowsNamesInAnyCaseAndIdentifiers) {
  EXPECT_EQ(AttributeTypeOid("CN"), "\x55\x04\x03");
  EXPECT_EQ(AttributeTypeOid("cn"), "\x55\x04\x03");
  EXPECT_EQ(AttributeTypeOid("2.5.4.3"), "\x55\x04\x03");
  EXPECT_EQ(AttributeTypeOid("serialnumber"), "\x55\x04\x05");
  EXPECT_EQ(AttributeTypeOid("SN"), "\x55\x04\x04");
  EXPECT_EQ(AttributeTypeOid("DC"), "\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19");
  for (const absl::string_view type : {"", "X", "commonName ", "2", "2.5.", ".",
                                       "2.5.4.x", "9.9.9", "OID.2.5.4.3"}) {
    EXPECT_EQ(AttributeTypeOid(type), std::nullopt) << type;
  }
}

TEST(NormalizeName, IsNothingForWhatIsNoName) {
  EXPECT_EQ(NormalizeName(""), std::nullopt);
  EXPECT_EQ(NormalizeName(std::string("\x30\x00\x00", 3)), std::nullopt);
  EXPECT_EQ(NormalizeName("\x31\x01x"), std::nullopt);
  // A PrintableString with '@'.
  EXPECT_EQ(NormalizeName(*ParseDistinguishedName("CN=#130140")), std::nullopt);
  EXPECT_EQ(NormalizeName(std::string("\x30\x00", 2)), "");
}

TEST(ReadDnAttributes, KeepsWhatIsNoText) {
  const auto der = ParseDistinguishedName(
      "CN=#020107,O=#14016a,OU=#1e01ff,L=#0c01ff,ST=#1e02d800,C=#120137");
  ASSERT_TRUE(der.ok()) << der.status();
  const auto attributes = ReadDnAttributes(*der);
  ASSERT_TRUE(attributes.has_value());
  std::vector<std::string> seen;
  for (const DnAttribute& attribute : *attributes) {
    seen.push_back(absl::StrCat(attribute.text.value_or("(none)"),
                                attribute.normalizes ? " n" : ""));
  }
  EXPECT_THAT(seen, testing::ElementsAre("7", "(none) n", "(none) n",
                                         "(none) n", "j", "(none)"));
  EXPECT_EQ(ReadDnAttributes("\x31\x01x"), std::nullopt);
}

TEST(IsUtf8, RefusesWhatHasNoCharacter) {
  EXPECT_TRUE(IsUtf8(""));
  EXPECT_TRUE(IsUtf8("caf\xc3\xa9 \xf0\x9f\x98\x80"));
  for (const absl::string_view text :
       {"\xff", "\xc3", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80",
        "\xf4\x90\x80\x80"}) {
    EXPECT_FALSE(IsUtf8(text));
  }
}

}  // namespace
}  // namespace sallyport::pki
