#include "config_service/service/access_keys.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "base/clock.h"
#include "config_service/domain/violations.h"
#include "config_service/service/audit_log.h"
#include "config_service/service/testing/plain_audit_format.h"
#include "config_service/store/keys.h"
#include "config_service/store/memory.h"
#include "gtest/gtest.h"

namespace sallyport::service {
namespace {

using domain::AccessKey;
using domain::AccessKeyName;
using domain::Reason;

Reason ReasonOf(const absl::Status& status) {
  const auto error = domain::ErrorOf(status);
  EXPECT_TRUE(error.has_value()) << status;
  return error.has_value() ? error->reason : Reason::kInternal;
}

class AccessKeysTest : public testing::Test {
 protected:
  AccessKeysTest()
      : clock_(absl::FromUnixSeconds(1'800'000'000)),
        store_(store::NewMemoryStore()),
        sealer_([] {
          std::vector<Secret> keys;
          keys.emplace_back(std::string(store::kSealingKeyBytes, 'k'));
          return store::Sealer::FromKeys(std::move(keys)).value();
        }()),
        context_{store_.get(), &clock_, &format_, sealer_.get()},
        keys_(context_),
        audit_(store_.get()) {}

  absl::StatusOr<AccessKeys::Issued> Issue(const std::string& owner,
                                           const std::string& role) {
    AccessKey wanted;
    wanted.owner = owner;
    wanted.role = role;
    return keys_.Issue(caller_, write_, wanted);
  }

  FakeClock clock_;
  PlainAuditFormat format_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<store::Sealer> sealer_;
  Context context_;
  AccessKeys keys_;
  AuditLog audit_;
  const Caller caller_{"token:alice", "192.0.2.1", Role::kAdmin};
  const Write write_{"IssueAccessKey", false, "", {}};
};

TEST_F(AccessKeysTest, IssuesAKeyThatIsFoundByItsId) {
  const auto issued = Issue("ci", "operator");
  ASSERT_TRUE(issued.ok()) << issued.status();
  const std::string& id = issued->key.name.id();
  EXPECT_EQ(id.size(), 20u);
  EXPECT_TRUE(absl::StartsWith(id, "AKIA"));
  EXPECT_EQ(issued->secret.Reveal().size(), 40u);
  const auto found = keys_.Find(id);
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_TRUE(found->has_value());
  EXPECT_EQ((*found)->principal, "access-key:ci");
  EXPECT_EQ((*found)->role, Role::kOperator);
  EXPECT_EQ((*found)->secret.Reveal(), issued->secret.Reveal());
  EXPECT_EQ(keys_.Get(issued->key.name)->owner, "ci");
}

TEST_F(AccessKeysTest, HasItsSecretNowhereInTheClear) {
  const auto issued = Issue("ci", "viewer");
  ASSERT_TRUE(issued.ok());
  const std::string secret(issued->secret.Reveal());
  store::ListRequest everything;
  everything.limit = 100;
  const auto page = store_->List(everything);
  ASSERT_TRUE(page.ok());
  size_t records = 0;
  for (const store::Record& record : page->records) {
    ++records;
    EXPECT_FALSE(absl::StrContains(record.value, secret)) << record.key;
  }
  EXPECT_GE(records, 2u);
}

TEST_F(AccessKeysTest, FindsNothingForWhatIsNoId) {
  ASSERT_TRUE(Issue("ci", "admin").ok());
  for (absl::string_view id :
       {"", "AKIA", "AKIAAAAAAAAAAAAAAAAA", "../x", "a/b", "\x01"}) {
    const auto found = keys_.Find(id);
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_FALSE(found->has_value()) << id;
  }
}

TEST_F(AccessKeysTest, RefusesOwnersAndRolesThatAreNone) {
  EXPECT_EQ(ReasonOf(Issue("", "admin").status()), Reason::kFieldRequired);
  EXPECT_EQ(ReasonOf(Issue("a b", "admin").status()), Reason::kFieldMalformed);
  EXPECT_EQ(ReasonOf(Issue("ci", "").status()), Reason::kFieldRequired);
  EXPECT_EQ(ReasonOf(Issue("ci", "root").status()), Reason::kFieldMalformed);
  EXPECT_TRUE(keys_.List({})->items.empty());
}

TEST_F(AccessKeysTest, NoLongerFindsWhatIsDeleted) {
  const auto issued = Issue("ci", "admin");
  ASSERT_TRUE(issued.ok());
  EXPECT_EQ(ReasonOf(keys_.Delete(caller_, write_, issued->key.name,
                                  domain::Etag("\"other\""))),
            Reason::kEtagMismatch);
  ASSERT_TRUE(
      keys_.Delete(caller_, write_, issued->key.name, issued->key.metadata.etag)
          .ok());
  EXPECT_FALSE(keys_.Find(issued->key.name.id())->has_value());
  EXPECT_EQ(ReasonOf(keys_.Delete(caller_, write_, issued->key.name, {})),
            Reason::kResourceNotFound);
}

TEST_F(AccessKeysTest, ListsThemByOwner) {
  ASSERT_TRUE(Issue("ci", "admin").ok());
  ASSERT_TRUE(Issue("ci", "viewer").ok());
  ASSERT_TRUE(Issue("desk", "viewer").ok());
  PageRequest request;
  EXPECT_EQ(keys_.List(request)->items.size(), 3u);
  request.filter = "owner = \"ci\"";
  EXPECT_EQ(keys_.List(request)->items.size(), 2u);
}

TEST_F(AccessKeysTest, AreInTheAuditLogWithoutTheirSecret) {
  const auto issued = Issue("ci", "admin");
  ASSERT_TRUE(issued.ok());
  const auto entries = audit_.List({});
  ASSERT_TRUE(entries.ok()) << entries.status();
  ASSERT_EQ(entries->items.size(), 1u);
  const auto& change = entries->items[0].changes.at(0);
  EXPECT_EQ(change.resource, issued->key.name.ToString());
  EXPECT_TRUE(absl::StrContains(change.after_json, "\"owner\":\"ci\""));
  EXPECT_FALSE(absl::StrContains(change.after_json,
                                 std::string(issued->secret.Reveal())));
}

TEST_F(AccessKeysTest, HaveALimit) {
  for (size_t i = 0; i < domain::kMaxAccessKeys; ++i) {
    ASSERT_TRUE(Issue("ci", "viewer").ok());
  }
  EXPECT_EQ(ReasonOf(Issue("ci", "viewer").status()), Reason::kQuotaExceeded);
}

}  // namespace
}  // namespace sallyport::service
