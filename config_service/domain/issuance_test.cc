#include "config_service/domain/issuance.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "config_service/domain/limits.h"
#include "gtest/gtest.h"

namespace sallyport::domain {
namespace {

Issuance For(std::vector<std::string> names) {
  Issuance out;
  out.dns_names = std::move(names);
  return out;
}

Violations Check(const Issuance& issuance) {
  Violations out;
  Validate(issuance, out);
  return out;
}

TEST(Issuance, IsForNamesThatCanBeServed) {
  EXPECT_TRUE(Check(For({"api.example.com", "*.example.com"})).empty());
  EXPECT_TRUE(Check(For({})).Has("dns_names", Reason::kFieldRequired));
  const Violations bad =
      Check(For({"API.example.com", "*.*.example.com", "a*.example.com",
                 "localhost", "192.0.2.1", "api.example.com", "",
                 "api.example.com", "a_b.example.com", "a.example.com."}));
  EXPECT_EQ(bad.size(), 9u);
  EXPECT_FALSE(bad.Has("dns_names[5]"));
  EXPECT_TRUE(bad.Has("dns_names[7]", Reason::kDuplicateEntry));
  EXPECT_TRUE(bad.Has("dns_names[1]", Reason::kDomainNameInvalid));
}

TEST(Issuance, HasAsManyNamesAsItMay) {
  std::vector<std::string> names;
  for (size_t i = 0; i < kMaxIssuedNames; ++i) {
    names.push_back(absl::StrCat("n", i, ".example.com"));
  }
  EXPECT_TRUE(Check(For(names)).empty());
  names.push_back("one.example.com");
  EXPECT_TRUE(Check(For(names)).Has("dns_names", Reason::kTooManyEntries));
}

TEST(Issuance, IsValidForATimeWithinBounds) {
  Issuance issuance = For({"api.example.com"});
  for (const absl::Duration good :
       {absl::ZeroDuration(), kMinIssuedValidity, kMaxIssuedValidity}) {
    issuance.validity = good;
    EXPECT_TRUE(Check(issuance).empty()) << good;
  }
  for (const absl::Duration bad :
       {kMinIssuedValidity - absl::Nanoseconds(1),
        kMaxIssuedValidity + absl::Nanoseconds(1), -absl::Hours(1)}) {
    issuance.validity = bad;
    EXPECT_TRUE(Check(issuance).Has("validity", Reason::kFieldOutOfRange))
        << bad;
  }
}

TEST(AllowedNames, StandForWhatIsBelowThem) {
  const auto names = AllowedNames::Parse("example.com, corp");
  ASSERT_TRUE(names.ok()) << names.status();
  for (const char* good : {"example.com", "*.example.com", "a.example.com",
                           "*.a.example.com", "api.corp", "*.corp"}) {
    EXPECT_TRUE(names->Allow(good)) << good;
  }
  for (const char* bad : {"com", "*.com", "badexample.com", "example.com.evil",
                          "*.badexample.com", "example.org", "acorp"}) {
    EXPECT_FALSE(names->Allow(bad)) << bad;
  }
  EXPECT_FALSE(AllowedNames().Allow("example.com"));
  const auto every = AllowedNames::Parse("*");
  ASSERT_TRUE(every.ok()) << every.status();
  EXPECT_TRUE(every->Allow("anything.example"));
  Violations violations;
  names->Check(For({"a.example.com", "a.example.org"}), violations);
  EXPECT_EQ(violations.size(), 1u);
  EXPECT_TRUE(violations.Has("dns_names[1]", Reason::kIssuerRefusesName));
}

TEST(AllowedNames, AreRefusedWhenTheyAreNone) {
  for (const char* bad :
       {"", " , ", "*.example.com", "*example.com", "Example.com",
        "example.com,*", "example..com", ".example.com", "a b"}) {
    EXPECT_FALSE(AllowedNames::Parse(bad).ok()) << bad;
  }
  std::vector<std::string> many(kMaxIssuerDomains, "example.com");
  EXPECT_TRUE(AllowedNames::Parse(absl::StrJoin(many, ",")).ok());
  many.push_back("example.com");
  EXPECT_FALSE(AllowedNames::Parse(absl::StrJoin(many, ",")).ok());
}

TEST(RenewalTime, IsWhenAPartOfTheTimeIsLeft) {
  const absl::Time made = absl::FromUnixSeconds(1000);
  EXPECT_EQ(RenewalTime(made, made + absl::Seconds(100), 33),
            made + absl::Seconds(67));
  EXPECT_EQ(RenewalTime(made, made + absl::Hours(24 * 825), 50),
            made + absl::Hours(12 * 825));
  // What has ended already is due.
  EXPECT_LE(RenewalTime(made, made - absl::Seconds(1), 33), made);
}

}  // namespace
}  // namespace sallyport::domain
