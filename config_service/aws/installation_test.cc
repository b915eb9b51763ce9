#include "config_service/aws/installation.h"

#include <string>

#include "config_service/aws/request_id.h"
#include "config_service/domain/violations.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sallyport::aws {
namespace {

using domain::DomainNameName;
using domain::ServerCertificateName;
using ::testing::MatchesRegex;

Installation Here() {
  Installation out;
  out.account = "000000000042";
  out.region = "eu-central-1";
  return out;
}

TEST(Arn, OfACertificateIsReadAgain) {
  const ServerCertificateName name("0b5c8a2e-1111-4222-8333-444455556666");
  const std::string arn = ArnOf(Here(), name);
  EXPECT_EQ(arn,
            "arn:aws:acm:eu-central-1:000000000042:certificate/"
            "0b5c8a2e-1111-4222-8333-444455556666");
  EXPECT_EQ(*ReadCertificateArn(Here(), arn), name);
}

TEST(Arn, OfADomainIsAmazons) {
  EXPECT_EQ(ArnOf(Here(), DomainNameName("api.example.com")),
            "arn:aws:apigateway:eu-central-1::/domainnames/api.example.com");
}

TEST(ReadCertificateArn, RefusesWhatIsNoneOfThisInstallation) {
  for (const char* arn :
       {"", "web", "arn:aws:acm:eu-central-1:000000000042:certificate",
        "arn:aws:acm:eu-central-1:000000000042:certificate/",
        "arn:aws:acm:eu-central-1:000000000042:certificate/a/b",
        "arn:aws:acm:eu-central-1:000000000042:certificate/A",
        "arn:aws:acm:eu-central-1:000000000042:other/a",
        "arn:aws:acm:eu-west-1:000000000042:certificate/a",
        "arn:aws:acm:eu-central-1:000000000043:certificate/a",
        "arn:aws-cn:acm:eu-central-1:000000000042:certificate/a",
        "arn:aws:iam:eu-central-1:000000000042:certificate/a",
        "arn:aws:acm:eu-central-1:000000000042:certificate/a:b"}) {
    EXPECT_FALSE(ReadCertificateArn(Here(), arn).ok()) << arn;
  }
  domain::Violations violations;
  EXPECT_TRUE(ReadCertificateArn(Here(), "field", "web", violations).empty());
  EXPECT_TRUE(violations.Has("field"));
}

TEST(RegionalDomainName, IsTheSameForTheSameDomain) {
  const DomainNameName name("api.example.com");
  const std::string host = RegionalDomainName(Here(), "", name);
  EXPECT_THAT(host, MatchesRegex("d-[a-z2-7]{10}\\.execute-api\\.eu-central-1"
                                 "\\.sallyport\\.internal"));
  EXPECT_EQ(RegionalDomainName(Here(), "", name), host);
  EXPECT_NE(RegionalDomainName(Here(), "", DomainNameName("b.example.com")),
            host);
}

TEST(RegionalDomainName, IsUnderTheSuffixOfTheFleetThenOfTheInstallation) {
  Installation installation = Here();
  installation.domain_suffix = "gw.example.net";
  const DomainNameName name("api.example.com");
  EXPECT_THAT(RegionalDomainName(installation, "", name),
              MatchesRegex("d-[a-z2-7]{10}\\.gw\\.example\\.net"));
  EXPECT_THAT(RegionalDomainName(installation, "apis.example.org", name),
              MatchesRegex("d-[a-z2-7]{10}\\.apis\\.example\\.org"));
}

TEST(Installation, IsChecked) {
  EXPECT_TRUE(CheckAccount(kDefaultAccount).ok());
  for (const char* bad : {"", "12345678901", "1234567890123", "12345678901a"}) {
    EXPECT_FALSE(CheckAccount(bad).ok()) << bad;
  }
  EXPECT_TRUE(CheckRegion(kDefaultRegion).ok());
  EXPECT_TRUE(CheckRegion("local").ok());
  for (const std::string bad :
       {"", "-a", "a-", "EU", "a:b", "a/b", std::string(33, 'a').c_str()}) {
    EXPECT_FALSE(CheckRegion(bad).ok()) << bad;
  }
  EXPECT_TRUE(CheckDomainSuffix("gw.example.net").ok());
  for (const char* bad : {"", "*.example.net", "localhost", "a..b"}) {
    EXPECT_FALSE(CheckDomainSuffix(bad).ok()) << bad;
  }
  EXPECT_TRUE(CheckHostedZone(kDefaultHostedZone).ok());
  for (const char* bad : {"", "z1", "Z 1"}) {
    EXPECT_FALSE(CheckHostedZone(bad).ok()) << bad;
  }
}

TEST(Uuid, HasTheFormOfOne) {
  EXPECT_THAT(NewUuid(), MatchesRegex("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-"
                                      "[89ab][0-9a-f]{3}-[0-9a-f]{12}"));
  EXPECT_NE(NewUuid(), NewUuid());
  EXPECT_EQ(UuidOf("a"), UuidOf("a"));
  EXPECT_NE(UuidOf("a"), UuidOf("b"));
  EXPECT_THAT(UuidOf("a"), MatchesRegex("[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-"
                                        "[89ab][0-9a-f]{3}-[0-9a-f]{12}"));
}

}  // namespace
}  // namespace sallyport::aws
