#include "config_service/api/credentials.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "config_service/store/store.h"
#include "gtest/gtest.h"

namespace sallyport::api {
namespace {

using service::Role;

std::string HashOf(absl::string_view token) {
  return store::BlobDigest::Of(token).ToHex();
}

TEST(Credentials, KnowTokensAndCertificates) {
  const auto credentials = Credentials::Parse(
      absl::StrCat("# people\r\n\n  token  alice\tadmin ", HashOf("secret-a"),
                   "\ntoken bob viewer ", HashOf("secret-b"),
                   "\ncertificate spiffe://example.org/deploy operator\n"));
  ASSERT_TRUE(credentials.ok()) << credentials.status();
  EXPECT_FALSE(credentials->empty());
  ASSERT_TRUE(credentials->FindToken("secret-a").has_value());
  EXPECT_EQ(credentials->FindToken("secret-a")->principal, "token:alice");
  EXPECT_EQ(credentials->FindToken("secret-a")->role, Role::kAdmin);
  EXPECT_EQ(credentials->FindToken("secret-b")->role, Role::kViewer);
  // Not the hash, not a part, not the name.
  for (const std::string& wrong : {HashOf("secret-a"), std::string("secret-"),
                                   std::string("alice"), std::string()}) {
    EXPECT_FALSE(credentials->FindToken(wrong).has_value()) << wrong;
  }
  const auto certificate = credentials->FindCertificate(
      {"spiffe://example.org/other", "spiffe://example.org/deploy"});
  ASSERT_TRUE(certificate.has_value());
  EXPECT_EQ(certificate->principal, "certificate:spiffe://example.org/deploy");
  EXPECT_EQ(certificate->role, Role::kOperator);
  EXPECT_FALSE(credentials->FindCertificate({}).has_value());
  EXPECT_FALSE(credentials->FindCertificate({"spiffe://example.org/deploy/x"})
                   .has_value());
}

TEST(Credentials, MayExpire) {
  const auto credentials = Credentials::Parse(
      absl::StrCat("token a admin ", HashOf("a"), " 2027-01-31T12:00:00Z\n",
                   "token b admin ", HashOf("b")));
  ASSERT_TRUE(credentials.ok()) << credentials.status();
  EXPECT_EQ(credentials->FindToken("a")->expire_time,
            absl::FromCivil(absl::CivilSecond(2027, 1, 31, 12, 0, 0),
                            absl::UTCTimeZone()));
  EXPECT_EQ(credentials->FindToken("b")->expire_time, absl::InfiniteFuture());
}

TEST(Credentials, SayWhichLineIsWrongAndNeverADigest) {
  const std::string hash = HashOf("secret");
  const std::string bad[] = {
      "token alice admin",
      absl::StrCat("token alice root ", hash),
      absl::StrCat("token al/ice admin ", hash),
      "token alice admin abc",
      absl::StrCat("token alice admin ", HashOf("")),
      absl::StrCat("password alice admin ", hash),
      absl::StrCat("token a admin ", hash, "\ntoken a viewer ", HashOf("2")),
      absl::StrCat("token a admin ", hash, "\ntoken b viewer ", hash),
      absl::StrCat("token a admin ", hash, " tomorrow"),
      absl::StrCat("token a admin ", hash, " 2027-01-31T12:00:00Z more"),
      "certificate spiffe://a/b admin 2027-01-31T12:00:00Z",
      "certificate nothing admin",
      "certificate spiffe://a/b",
      "certificate spiffe://a/b admin\ncertificate spiffe://a/b viewer",
  };
  for (const std::string& text : bad) {
    const auto credentials = Credentials::Parse("\n" + text);
    ASSERT_FALSE(credentials.ok()) << text;
    EXPECT_EQ(credentials.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_TRUE(absl::StartsWith(
        credentials.status().message(),
        absl::StrContains(text, "\n") ? "line 3: " : "line 2: "))
        << credentials.status();
    EXPECT_FALSE(absl::StrContains(credentials.status().message(), hash));
  }
  EXPECT_TRUE(Credentials::Parse("# nobody\n")->empty());
}

}  // namespace
}  // namespace sallyport::api
