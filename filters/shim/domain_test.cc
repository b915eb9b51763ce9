#include "filters/shim/domain.h"

#include <string>

#include "gtest/gtest.h"

namespace sallyport::shim {
namespace {

TEST(ReadDomain, TakesHostNamesAndLowersThem) {
  EXPECT_EQ(*ReadDomain("API.Example.com"), "api.example.com");
  EXPECT_EQ(*ReadDomain("localhost"), "localhost");
  EXPECT_EQ(*ReadDomain("*.Example.com"), "*.example.com");
  EXPECT_EQ(*ReadDomain("xn--bcher-kva.example"), "xn--bcher-kva.example");
}

TEST(ReadDomain, RefusesWhatIsNoHostName) {
  for (const char* bad : {"", ".", "a..b", "a.b.", "*", "*.", "a.*.b", "*.*.b",
                          "a b", "a:443", "https://a", "a\nb", "[::1]"}) {
    EXPECT_FALSE(ReadDomain(bad).ok()) << bad;
  }
  EXPECT_FALSE(ReadDomain(std::string(64, 'a') + ".com").ok());
  EXPECT_FALSE(ReadDomain(std::string(254, 'a')).ok());
}

TEST(ReadDomain, SaysWhereTheBadCharacterIsAndShowsNothing) {
  const std::string message(
      ReadDomain("api.MIGHAgEAMBMG+yqGSM49").status().message());
  EXPECT_NE(message.find("character 17 "), std::string::npos) << message;
  EXPECT_EQ(message.find("MIGH"), std::string::npos) << message;
}

TEST(DomainCovers, ComparesWithoutPortDotAndCase) {
  for (const char* host :
       {"api.example.com", "API.EXAMPLE.COM", "api.example.com.",
        "api.example.com:443", "api.example.com.:8443", "api.example.com:"}) {
    EXPECT_TRUE(DomainCovers("api.example.com", host)) << host;
  }
}

TEST(DomainCovers, RefusesEveryOtherHost) {
  for (const char* host :
       {"", ".", ":443", "example.com", "x.api.example.com",
        "api.example.com.evil.org", "api.example.com..", "api.example.com:80x",
        "api.example.com:443:443", "user@api.example.com",
        "api.example.com@evil.org", "[::1]", "[::1]:443", "api.example.com/",
        " api.example.com"}) {
    EXPECT_FALSE(DomainCovers("api.example.com", host)) << host;
  }
}

TEST(DomainCovers, LetsAWildcardCoverExactlyOneLabel) {
  EXPECT_TRUE(DomainCovers("*.example.com", "a.example.com"));
  EXPECT_TRUE(DomainCovers("*.example.com", "A.Example.com.:443"));
  for (const char* host : {"example.com", "a.b.example.com", ".example.com",
                           "*", "a.example.com.evil.org", "aexample.com"}) {
    EXPECT_FALSE(DomainCovers("*.example.com", host)) << host;
  }
}

TEST(DomainCovers, LetsAWildcardCoverNothingButALabel) {
  for (const char* host :
       {"evil@a.example.com", "a,b.example.com", "%2f.example.com",
        "a=b.example.com", "(a).example.com", "a b.example.com"}) {
    EXPECT_FALSE(DomainCovers("*.example.com", host)) << host;
  }
}

TEST(HostOf, IsWhatDomainsAreComparedBy) {
  EXPECT_EQ(HostOf("API.Example.com.:443"), "api.example.com");
  EXPECT_EQ(HostOf("api.example.com"), "api.example.com");
  EXPECT_EQ(HostOf(""), "");
}

TEST(DomainCovers, CoversNothingWithoutADomain) {
  EXPECT_FALSE(DomainCovers("", ""));
  EXPECT_FALSE(DomainCovers("", "a"));
}

}  // namespace
}  // namespace sallyport::shim
