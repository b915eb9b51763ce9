#include "config_service/store/records.h"

#include <string>

#include "absl/strings/match.h"
#include "config_service/domain/limits.h"
#include "config_service/domain/violations.h"
#include "config_service/store/keys.h"
#include "gtest/gtest.h"

namespace sallyport::store {
namespace {

Record RecordOf(std::string key, std::string value) {
  Record record;
  record.key = std::move(key);
  record.value = std::move(value);
  record.mod_revision = Revision(7);
  return record;
}

domain::Truststore MakeTruststore() {
  domain::Truststore truststore;
  truststore.name = domain::TruststoreName("partners");
  truststore.metadata.description = "all of them";
  truststore.metadata.labels = {{"team", "edge"}, {"a", "b"}};
  truststore.metadata.create_time = absl::FromUnixSeconds(1000);
  truststore.metadata.update_time = absl::FromUnixNanos(2000000000001);
  truststore.source.uri = "s3://bucket/key";
  truststore.source.watch = domain::TruststoreSource::Watch::kActivate;
  truststore.source.poll_interval = absl::Seconds(90);
  truststore.active_version = 3;
  truststore.previous_version = 2;
  truststore.shadow_version = 4;
  truststore.next_version = 5;
  truststore.chain_policy = pki::ChainPolicy::kAnyAnchor;
  truststore.extended_key_usage = pki::ExtendedKeyUsageRule::kWarn;
  truststore.pin_leaf = true;
  truststore.revocation_lists = {domain::RevocationListName("one"),
                                 domain::RevocationListName("two")};
  truststore.revocation_rule = pki::RevocationRule::kHardFail;
  truststore.revocation_scope = pki::RevocationScope::kLeaf;
  truststore.max_bytes = 1000000;
  truststore.max_certificates = 500;
  return truststore;
}

TEST(Records, KeepEveryFieldOfATruststore) {
  const domain::Truststore truststore = MakeTruststore();
  const std::string value = Encode(truststore);
  const auto read =
      Decode(truststore.name, RecordOf(KeyOf(truststore.name), value));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(Encode(*read), value);
  EXPECT_EQ(read->name, truststore.name);
  EXPECT_EQ(read->metadata.description, "all of them");
  EXPECT_EQ(read->metadata.labels, truststore.metadata.labels);
  EXPECT_EQ(read->metadata.create_time, truststore.metadata.create_time);
  EXPECT_EQ(read->metadata.update_time, truststore.metadata.update_time);
  EXPECT_EQ(read->metadata.revision, 7);
  EXPECT_EQ(read->metadata.etag, domain::Etag::Of(value));
  EXPECT_EQ(read->source.uri, "s3://bucket/key");
  EXPECT_EQ(read->source.watch, domain::TruststoreSource::Watch::kActivate);
  EXPECT_EQ(read->source.poll_interval, absl::Seconds(90));
  EXPECT_EQ(read->active_version, 3);
  EXPECT_EQ(read->previous_version, 2);
  EXPECT_EQ(read->shadow_version, 4);
  EXPECT_EQ(read->next_version, 5);
  EXPECT_EQ(read->chain_policy, pki::ChainPolicy::kAnyAnchor);
  EXPECT_EQ(read->extended_key_usage, pki::ExtendedKeyUsageRule::kWarn);
  EXPECT_TRUE(read->pin_leaf);
  EXPECT_EQ(read->revocation_lists, truststore.revocation_lists);
  EXPECT_EQ(read->revocation_rule, pki::RevocationRule::kHardFail);
  EXPECT_EQ(read->revocation_scope, pki::RevocationScope::kLeaf);
  EXPECT_EQ(read->max_bytes, 1000000u);
  EXPECT_EQ(read->max_certificates, 500u);
}

TEST(Records, RefuseWhatTheyDoNotUnderstandWhole) {
  const domain::TruststoreName name("partners");
  std::string value = Encode(MakeTruststore());
  // Field 200, a number: from a newer version.
  const std::string newer = value + "\xC0\x0C\x01";
  // The same inside the source (field 2), which is merged into the first.
  const std::string newer_inside = value + "\x12\x03\xC0\x0C\x01";
  // A chain policy that has no name.
  const std::string unknown_rule = value + "\x38\x63";
  const std::string cut = value.substr(0, value.size() - 1);
  for (const std::string& bad : {newer, newer_inside, unknown_rule, cut}) {
    const auto read = Decode(name, RecordOf(KeyOf(name), bad));
    ASSERT_FALSE(read.ok());
    const auto error = domain::ErrorOf(read.status());
    ASSERT_TRUE(error.has_value());
    EXPECT_EQ(error->reason, domain::Reason::kRecordDamaged);
    EXPECT_TRUE(absl::StrContains(error->message, "truststores/partners"));
  }
}

TEST(Keys, SortTheNewestVersionFirst) {
  const domain::TruststoreName parent("p");
  const std::string second = KeyOf(domain::TruststoreVersionName(parent, 2));
  const std::string tenth = KeyOf(domain::TruststoreVersionName(parent, 10));
  EXPECT_LT(tenth, second);
  EXPECT_EQ(VersionOfKey(second), 2);
  EXPECT_EQ(VersionOfKey(tenth), 10);
  EXPECT_EQ(VersionOfKey(KeyOf(domain::TruststoreVersionName(
                parent, domain::kMaxVersionNumber))),
            domain::kMaxVersionNumber);
  EXPECT_TRUE(absl::StartsWith(
      second, ChildrenPrefix<domain::TruststoreVersionName>(parent)));
  EXPECT_FALSE(
      absl::StartsWith(second, CollectionPrefix<domain::TruststoreName>()));
}

TEST(Keys, FindWhoNamesAResource) {
  const std::string key =
      ReferenceKey("truststores/p/versions/3", "domainNames/by.example.com");
  EXPECT_TRUE(absl::StartsWith(key, ReferencesPrefix("truststores/p")));
  EXPECT_TRUE(
      absl::StartsWith(key, ReferencesPrefix("truststores/p/versions/3")));
  EXPECT_FALSE(
      absl::StartsWith(key, ReferencesPrefix("truststores/p/versions/30")));
  EXPECT_FALSE(absl::StartsWith(key, ReferencesPrefix("truststores/")));
  EXPECT_EQ(ReferrerOfKey(key), "domainNames/by.example.com");
  EXPECT_EQ(ReferrerOfKey(ReferenceKey("apis/by/stages/by", "apis/by")),
            "apis/by");
  EXPECT_EQ(ReferrerOfKey(ReferenceKey("apis/by", "a/by/c/by")), "a/by/c/by");
  EXPECT_EQ(ReferrerOfKey("refs/apis/by"), "");
}

TEST(Keys, FindTheParentOfAResource) {
  const std::string key =
      KeyOf(domain::StageName(domain::ApiName("orders"), "prod"));
  EXPECT_EQ(ParentIdOfKey(key), "orders");
  EXPECT_EQ(IdOfKey(key), "prod");
  EXPECT_TRUE(
      absl::StartsWith(key, ChildCollectionPrefix<domain::StageName>()));
  EXPECT_EQ(ParentIdOfKey("none"), "");
}

TEST(Keys, SortTheNewestAuditEntryFirst) {
  const absl::Time now = absl::FromUnixSeconds(1790000000);
  EXPECT_LT(AuditKey(now + absl::Nanoseconds(1), "b"), AuditKey(now, "a"));
  EXPECT_NE(AuditKey(now, "a"), AuditKey(now, "b"));
}

TEST(Keys, KeepOnePrincipalsRequestsFromAnothers) {
  EXPECT_NE(RequestKey("a", "1"), RequestKey("b", "1"));
  EXPECT_NE(RequestKey("a", "b1"), RequestKey("ab", "1"));
  EXPECT_EQ(RequestKey("a", "1"), RequestKey("a", "1"));
}

}  // namespace
}  // namespace sallyport::store
