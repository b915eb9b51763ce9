#include "config_service/domain/name.h"

#include <string>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "config_service/domain/limits.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sallyport::domain {
namespace {

using ::testing::HasSubstr;

template <typename Name>
void ExpectRoundTrip(absl::string_view text) {
  const absl::StatusOr<Name> name = Name::Parse(text);
  ASSERT_TRUE(name.ok()) << text << ": " << name.status();
  EXPECT_EQ(name->ToString(), text);
  EXPECT_FALSE(name->empty());
}

TEST(Name, IsReadAndWrittenAlike) {
  ExpectRoundTrip<TruststoreName>("truststores/partners");
  ExpectRoundTrip<TruststoreName>("truststores/0");
  ExpectRoundTrip<TruststoreVersionName>("truststores/partners/versions/17");
  ExpectRoundTrip<RevocationListName>("revocationLists/a");
  ExpectRoundTrip<CertificateListName>("certificateLists/a");
  ExpectRoundTrip<ServerCertificateName>("serverCertificates/a-b");
  ExpectRoundTrip<ServerCertificateVersionName>(
      "serverCertificates/a/versions/1");
  ExpectRoundTrip<DomainNameName>("domainNames/api.example.com");
  ExpectRoundTrip<DomainNameName>("domainNames/*.example.com");
  ExpectRoundTrip<ApiMappingName>("domainNames/*.example.com/apiMappings/c360");
  ExpectRoundTrip<ApiName>("apis/a1b2c3d4e5");
  ExpectRoundTrip<RouteName>("apis/a/routes/b");
  ExpectRoundTrip<StageName>("apis/a/stages/DEV_1");
  ExpectRoundTrip<DeploymentName>("apis/a/deployments/x7");
  ExpectRoundTrip<ClientCertificateName>("clientCertificates/a");
  ExpectRoundTrip<FleetName>("fleets/default");
  ExpectRoundTrip<NodeName>("fleets/edge/nodes/node-1.example.com");
}

TEST(Name, HasItsParts) {
  const auto version =
      *TruststoreVersionName::Parse("truststores/partners/versions/17");
  EXPECT_EQ(version.parent(), TruststoreName("partners"));
  EXPECT_EQ(version.number(), 17);
  const auto mapping =
      *ApiMappingName::Parse("domainNames/a.example.com/apiMappings/m");
  EXPECT_EQ(mapping.parent().id(), "a.example.com");
  EXPECT_EQ(mapping.id(), "m");
}

template <typename Name>
void ExpectRefused(absl::string_view text) {
  const absl::StatusOr<Name> name = Name::Parse(text);
  EXPECT_FALSE(name.ok()) << text;
  EXPECT_EQ(name.status().code(), absl::StatusCode::kInvalidArgument) << text;
  EXPECT_THAT(std::string(name.status().message()),
              HasSubstr(std::string(Name::kForm)))
      << text;
}

TEST(Name, OfAnotherFormIsRefused) {
  for (const char* text :
       {"", "/", "truststores", "truststores/", "/truststores/a",
        "truststores/a/", "truststores//a", "truststores/a/b", "Truststores/a",
        "truststores/A", "truststores/a b", "truststores/-a", "truststores/a-",
        "truststores/a_b", "apis/a", "truststores/a/versions/1",
        " truststores/a", "truststores/a\n"}) {
    ExpectRefused<TruststoreName>(text);
  }
  for (const char* text :
       {"truststores/a/versions/", "truststores/a/versions/0",
        "truststores/a/versions/01", "truststores/a/versions/-1",
        "truststores/a/versions/+1", "truststores/a/versions/ 1",
        "truststores/a/versions/1x", "truststores/a/versions/1000000001",
        "truststores/a/versions/99999999999999999999", "versions/1",
        "/versions/1", "truststores/a/version/1",
        "serverCertificates/a/versions/1", "truststores/a/b/versions/1"}) {
    EXPECT_FALSE(TruststoreVersionName::Parse(text).ok()) << text;
  }
  EXPECT_TRUE(
      TruststoreVersionName::Parse("truststores/a/versions/1000000000").ok());
  for (const char* text :
       {"fleets/a/nodes/.", "fleets/a/nodes/..", "fleets/a/nodes/a b",
        "fleets/a/nodes/", "fleets/A/nodes/a", "nodes/a", "fleets/a/nodes"}) {
    EXPECT_FALSE(NodeName::Parse(text).ok()) << text;
  }
  EXPECT_FALSE(DomainNameName::Parse("domainNames/Example.com").ok());
  EXPECT_FALSE(DomainNameName::Parse("domainNames/-").ok());
  EXPECT_FALSE(StageName::Parse("apis/a/stages/a.b").ok());
}

TEST(Name, DoesNotEchoWhatItCannotRead) {
  const auto name = TruststoreName::Parse("truststores/S3CR3T KEY");
  EXPECT_FALSE(absl::StrContains(name.status().message(), "S3CR3T"));
}

TEST(CheckId, HasALengthLimit) {
  EXPECT_TRUE(CheckId(IdRule::kPlain, std::string(kMaxIdLength, 'a')).ok());
  EXPECT_FALSE(
      CheckId(IdRule::kPlain, std::string(kMaxIdLength + 1, 'a')).ok());
  for (const IdRule rule : {IdRule::kStage, IdRule::kNode}) {
    EXPECT_TRUE(CheckId(rule, std::string(kMaxLongIdLength, 'a')).ok());
    EXPECT_FALSE(CheckId(rule, std::string(kMaxLongIdLength + 1, 'a')).ok());
    EXPECT_FALSE(CheckId(rule, "").ok());
  }
}

TEST(Name, IsAValue) {
  EXPECT_TRUE(TruststoreName().empty());
  EXPECT_EQ(TruststoreName().ToString(), "");
  EXPECT_EQ(TruststoreVersionName().ToString(), "");
  EXPECT_EQ(StageName().ToString(), "");
  EXPECT_LT(TruststoreName("a"), TruststoreName("b"));
  // By number, not by text.
  EXPECT_LT(TruststoreVersionName(TruststoreName("a"), 9),
            TruststoreVersionName(TruststoreName("a"), 10));
  EXPECT_LT(StageName(ApiName("a"), "z"), StageName(ApiName("b"), "a"));
  EXPECT_NE(StageName(ApiName("a"), "z"), StageName(ApiName("b"), "z"));
  const absl::flat_hash_set<StageName> set = {StageName(ApiName("a"), "z"),
                                              StageName(ApiName("a"), "z")};
  EXPECT_EQ(set.size(), 1u);
}

TEST(GenerateId, MakesIdsThatPass) {
  std::string random;
  for (int i = 0; i < 256; ++i) random.push_back(static_cast<char>(i));
  for (size_t start = 0; start + 10 <= random.size(); ++start) {
    const std::string id =
        GenerateId(absl::string_view(random).substr(start), 10);
    EXPECT_EQ(id.size(), 10u);
    EXPECT_TRUE(CheckId(IdRule::kPlain, id).ok()) << id;
    // The first label of a host name that is no number.
    EXPECT_TRUE(id[0] >= 'a' && id[0] <= 'z') << id;
  }
}

}  // namespace
}  // namespace sallyport::domain
