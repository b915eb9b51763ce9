#include "config_service/service/truststores.h"

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "config_service/domain/violations.h"
#include "config_service/service/audit_log.h"
#include "config_service/service/limits.h"
#include "config_service/service/testing/use_case_test.h"
#include "config_service/store/keys.h"
#include "gtest/gtest.h"
#include "pki/testing/make_certificate.h"

namespace sallyport::service {
namespace {

using domain::Reason;
using domain::TruststoreName;
using domain::TruststoreVersion;
using domain::TruststoreVersionName;

Reason ReasonOf(const absl::Status& status) {
  const auto error = domain::ErrorOf(status);
  EXPECT_TRUE(error.has_value()) << status;
  return error.has_value() ? error->reason : Reason::kInternal;
}

std::string Root(const std::string& name,
                 absl::Time not_after = pki::TestNow() +
                                        absl::Hours(24 * 365)) {
  pki::TestCertificateSpec spec = pki::TestCaSpec(name);
  spec.not_after = not_after;
  return pki::MakeTestCertificate(spec, pki::TestKey::P256(), nullptr).pem;
}

constexpr char kUuid[] = "123e4567-e89b-12d3-a456-426614174000";

class TruststoresTest : public UseCaseTest {
 protected:
  TruststoresTest() : truststores_(context_), audit_(store_.get()) {}

  absl::StatusOr<TruststoreView> Create(const std::string& id,
                                        std::string pem) {
    Truststores::CreateRequest request;
    request.id = id;
    request.pem = std::move(pem);
    return truststores_.Create(caller_, write_, request);
  }
  absl::StatusOr<TruststoreVersionView> AddVersion(const std::string& id,
                                                   std::string pem) {
    Truststores::CreateVersionRequest request;
    request.parent = TruststoreName(id);
    request.pem = std::move(pem);
    return truststores_.CreateVersion(caller_, write_, request);
  }
  absl::StatusOr<TruststoreView> Activate(const std::string& id, int64_t n) {
    Truststores::ActivateRequest request;
    request.name = TruststoreVersionName(TruststoreName(id), n);
    return truststores_.ActivateVersion(caller_, write_, request);
  }
  absl::StatusOr<TruststoreView> Rollback(const std::string& id,
                                          int64_t n = 0) {
    Truststores::RollbackRequest request;
    request.name = TruststoreName(id);
    if (n != 0) request.version = TruststoreVersionName(request.name, n);
    return truststores_.Rollback(caller_, write_, request);
  }
  std::vector<domain::AuditEntry> Audit() {
    const auto page = audit_.List({});
    EXPECT_TRUE(page.ok()) << page.status();
    return page.ok() ? page->items : std::vector<domain::AuditEntry>();
  }
  int64_t StoreRevision() { return store_->Get("x")->revision.value(); }

  Truststores truststores_;
  AuditLog audit_;
};

TEST_F(TruststoresTest, CreatesOneWithItsFirstVersion) {
  const auto created = Create("partners", Root("Root A"));
  ASSERT_TRUE(created.ok()) << created.status();
  EXPECT_EQ(created->truststore.active_version, 1);
  EXPECT_EQ(created->truststore.metadata.create_time, pki::TestNow());
  EXPECT_EQ(created->truststore.metadata.revision, StoreRevision());
  const auto read = truststores_.Get(TruststoreName("partners"));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->truststore.metadata.etag, created->truststore.metadata.etag);
  EXPECT_EQ(read->truststore.metadata.revision,
            created->truststore.metadata.revision);
  const auto version = truststores_.GetVersion(
      TruststoreVersionName(TruststoreName("partners"), 1));
  ASSERT_TRUE(version.ok()) << version.status();
  EXPECT_EQ(version->state, TruststoreVersion::State::kActive);
  EXPECT_TRUE(version->gives_trust);
  EXPECT_EQ(version->version.certificate_count, 1u);

  const auto again = Create("partners", Root("Root A"));
  EXPECT_EQ(ReasonOf(again.status()), Reason::kResourceAlreadyExists);
}

TEST_F(TruststoresTest, SaysEverythingThatIsWrongAtOnce) {
  Truststores::CreateRequest request;
  request.id = "Not-An-Id";
  request.pem = "no certificate";
  request.truststore.metadata.description = std::string(2000, 'x');
  request.truststore.source.object_version = "3";
  request.truststore.max_certificates = 5000;
  const int64_t before = StoreRevision();
  const auto refused = truststores_.Create(caller_, write_, request);
  ASSERT_FALSE(refused.ok());
  const auto error = domain::ErrorOf(refused.status());
  ASSERT_TRUE(error.has_value());
  std::vector<std::string> fields;
  for (const auto& violation : error->violations) {
    fields.push_back(violation.field);
  }
  EXPECT_EQ(fields,
            (std::vector<std::string>{"truststore_id", "truststore.description",
                                      "truststore.source.object_version",
                                      "truststore.limits", "pem"}));
  EXPECT_EQ(StoreRevision(), before);
  EXPECT_TRUE(Audit().empty());
}

TEST_F(TruststoresTest, LetsOnlyAnAdminRaiseLimits) {
  Truststores::CreateRequest request;
  request.id = "large";
  request.truststore.max_certificates = 5000;
  const auto refused = truststores_.Create(caller_, write_, request);
  EXPECT_EQ(ReasonOf(refused.status()), Reason::kLimitsNeedAdmin);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kPermissionDenied);
  caller_.role = Role::kAdmin;
  const auto created = truststores_.Create(caller_, write_, request);
  ASSERT_TRUE(created.ok()) << created.status();
  // An operator may change the rest of it.
  caller_.role = Role::kOperator;
  Truststores::UpdateRequest update;
  update.truststore = created->truststore;
  update.truststore.metadata.description = "new";
  update.mask = {"description"};
  EXPECT_TRUE(truststores_.Update(caller_, write_, update).ok());
  update.truststore.metadata.etag = domain::Etag();
  update.truststore.max_certificates = 6000;
  update.mask = {"limits"};
  EXPECT_EQ(ReasonOf(truststores_.Update(caller_, write_, update).status()),
            Reason::kLimitsNeedAdmin);
}

TEST_F(TruststoresTest, RefusesContentThatTrustsNobodyUnlessForced) {
  const std::string expired = Root("Old", pki::TestNow() - absl::Hours(1));
  EXPECT_EQ(ReasonOf(Create("old", expired).status()),
            Reason::kTruststoreGivesNoTrust);
  Truststores::CreateRequest request;
  request.id = "old";
  request.pem = expired;
  request.force = Truststores::Force::kYes;
  const auto created = truststores_.Create(caller_, write_, request);
  ASSERT_TRUE(created.ok()) << created.status();
  ASSERT_EQ(created->warnings.size(), 1u);
  EXPECT_EQ(created->warnings[0].reason, "EXPIRED");
  ASSERT_EQ(Audit().size(), 1u);
  EXPECT_EQ(Audit()[0].overrides, std::vector<std::string>{"force"});
}

TEST_F(TruststoresTest, ActivatesRollsBackAndKeepsWhatWasActive) {
  ASSERT_TRUE(Create("p", Root("Root A")).ok());
  const auto second = AddVersion("p", Root("Root B"));
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->state, TruststoreVersion::State::kCandidate);
  EXPECT_EQ(ReasonOf(Rollback("p").status()), Reason::kNoEarlierVersion);
  EXPECT_EQ(ReasonOf(Rollback("p", 2).status()), Reason::kNoEarlierVersion);

  auto active = Activate("p", 2);
  ASSERT_TRUE(active.ok()) << active.status();
  EXPECT_EQ(active->truststore.active_version, 2);
  EXPECT_EQ(active->truststore.previous_version, 1);
  active = Rollback("p");
  ASSERT_TRUE(active.ok()) << active.status();
  EXPECT_EQ(active->truststore.active_version, 1);
  EXPECT_EQ(active->truststore.previous_version, 2);
  active = Rollback("p", 2);
  ASSERT_TRUE(active.ok()) << active.status();
  EXPECT_EQ(active->truststore.active_version, 2);

  // Nothing changes: no new revision, no audit entry.
  const int64_t revision = StoreRevision();
  const size_t entries = Audit().size();
  active = Activate("p", 2);
  ASSERT_TRUE(active.ok()) << active.status();
  EXPECT_EQ(StoreRevision(), revision);
  EXPECT_EQ(Audit().size(), entries);

  EXPECT_EQ(ReasonOf(Activate("p", 3).status()), Reason::kResourceNotFound);
  EXPECT_EQ(ReasonOf(Activate("q", 1).status()), Reason::kResourceNotFound);
}

TEST_F(TruststoresTest, UpdatesOnlyWhatTheMaskNames) {
  const auto created = Create("p", Root("Root A"));
  ASSERT_TRUE(created.ok());
  Truststores::UpdateRequest update;
  update.truststore = created->truststore;
  update.truststore.metadata.description = "new";
  update.truststore.pin_leaf = true;
  update.truststore.active_version = 77;
  update.mask = {"description", "active_version", "warnings"};
  const auto updated = truststores_.Update(caller_, write_, update);
  ASSERT_TRUE(updated.ok()) << updated.status();
  EXPECT_EQ(updated->truststore.metadata.description, "new");
  EXPECT_FALSE(updated->truststore.pin_leaf);
  EXPECT_EQ(updated->truststore.active_version, 1);
  EXPECT_NE(updated->truststore.metadata.etag,
            created->truststore.metadata.etag);

  // The etag is an old one now.
  const auto stale = truststores_.Update(caller_, write_, update);
  EXPECT_EQ(ReasonOf(stale.status()), Reason::kEtagMismatch);
  EXPECT_EQ(stale.status().code(), absl::StatusCode::kAborted);

  // The same again changes nothing.
  update.truststore.metadata.etag = updated->truststore.metadata.etag;
  const int64_t revision = StoreRevision();
  const auto same = truststores_.Update(caller_, write_, update);
  ASSERT_TRUE(same.ok()) << same.status();
  EXPECT_EQ(same->truststore.metadata.etag, updated->truststore.metadata.etag);
  EXPECT_EQ(StoreRevision(), revision);

  update.mask = {"description", "no_field", "source.ur"};
  const auto unknown = truststores_.Update(caller_, write_, update);
  EXPECT_EQ(ReasonOf(unknown.status()), Reason::kFieldUnknown);
  EXPECT_EQ(domain::ErrorOf(unknown.status())->num_violations, 2u);
}

TEST_F(TruststoresTest, ChecksWhatItRefersTo) {
  ASSERT_TRUE(Create("p", Root("Root A")).ok());
  Truststores::UpdateRequest update;
  update.truststore.name = TruststoreName("p");
  update.truststore.shadow_version = 9;
  update.truststore.revocation_lists = {domain::RevocationListName("none")};
  update.mask = {"*"};
  const auto refused = truststores_.Update(caller_, write_, update);
  EXPECT_EQ(ReasonOf(refused.status()), Reason::kReferenceNotFound);
  const auto error = domain::ErrorOf(refused.status());
  ASSERT_EQ(error->violations.size(), 2u);
  EXPECT_EQ(error->violations[0].field, "truststore.revocation_lists[0]");
  EXPECT_EQ(error->violations[1].field, "truststore.shadow_version");
}

TEST_F(TruststoresTest, ValidatesWithoutChangingAnything) {
  write_.validate_only = true;
  const int64_t before = StoreRevision();
  const auto created = Create("p", Root("Root A"));
  ASSERT_TRUE(created.ok()) << created.status();
  EXPECT_EQ(created->truststore.active_version, 1);
  EXPECT_EQ(StoreRevision(), before);
  EXPECT_EQ(store_->Stats()->blobs, 0);
  EXPECT_EQ(ReasonOf(truststores_.Get(TruststoreName("p")).status()),
            Reason::kResourceNotFound);
  write_.validate_only = false;
  ASSERT_TRUE(Create("p", Root("Root A")).ok());
  write_.validate_only = true;
  EXPECT_EQ(ReasonOf(Create("p", Root("Root A")).status()),
            Reason::kResourceAlreadyExists);
  const auto version = AddVersion("p", Root("Root B"));
  ASSERT_TRUE(version.ok()) << version.status();
  EXPECT_EQ(version->version.name.number(), 2);
  EXPECT_EQ(ReasonOf(truststores_.GetVersion(version->version.name).status()),
            Reason::kResourceNotFound);
}

TEST_F(TruststoresTest, AnswersARepeatedRequestAsTheFirst) {
  write_.request_id = kUuid;
  write_.request = store::BlobDigest::Of("create p");
  const std::string pem = Root("Root A");
  const auto first = Create("p", pem);
  ASSERT_TRUE(first.ok()) << first.status();
  const int64_t revision = StoreRevision();
  const auto second = Create("p", pem);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->truststore.metadata.etag, first->truststore.metadata.etag);
  EXPECT_EQ(second->truststore.metadata.revision,
            first->truststore.metadata.revision);
  EXPECT_EQ(StoreRevision(), revision);

  // Another request with that id.
  write_.request = store::BlobDigest::Of("create q");
  EXPECT_EQ(ReasonOf(Create("q", pem).status()), Reason::kRequestIdReused);
  // Another principal's id is another id.
  caller_.principal = "token:bob";
  EXPECT_TRUE(Create("q", pem).ok());
  // An hour later it is forgotten.
  caller_.principal = "token:alice";
  write_.request = store::BlobDigest::Of("create r");
  clock_.Advance(kRequestMemory - absl::Nanoseconds(1));
  EXPECT_EQ(ReasonOf(Create("r", pem).status()), Reason::kRequestIdReused);
  clock_.Advance(absl::Nanoseconds(1));
  EXPECT_TRUE(Create("r", pem).ok());

  write_.request_id = "not a uuid";
  EXPECT_EQ(ReasonOf(Create("s", pem).status()), Reason::kFieldMalformed);
}

TEST_F(TruststoresTest, ForgetsRequestsAfterAnHour) {
  write_.request_id = kUuid;
  ASSERT_TRUE(Create("p", Root("Root A")).ok());
  EXPECT_EQ(*ForgetRequests(*store_, clock_.Now()), 0);
  EXPECT_EQ(*ForgetRequests(*store_, clock_.Now() + kRequestMemory), 1);
  EXPECT_EQ(*ForgetRequests(*store_, clock_.Now() + kRequestMemory), 0);
}

TEST_F(TruststoresTest, RepeatsTheVersionOfARepeatedRequest) {
  ASSERT_TRUE(Create("p", Root("Root A")).ok());
  write_.request_id = kUuid;
  const std::string pem = Root("Root B");
  const auto first = AddVersion("p", pem);
  ASSERT_TRUE(first.ok()) << first.status();
  write_.request_id = "";
  ASSERT_TRUE(AddVersion("p", pem).ok());
  write_.request_id = kUuid;
  const auto repeated = AddVersion("p", pem);
  ASSERT_TRUE(repeated.ok()) << repeated.status();
  EXPECT_EQ(repeated->version.name, first->version.name);
}

TEST_F(TruststoresTest, DeletesWithItsVersionsUnlessSomebodyNamesIt) {
  ASSERT_TRUE(Create("p", Root("Root A")).ok());
  ASSERT_TRUE(AddVersion("p", Root("Root B")).ok());
  // A domain that pins a version.
  store::Commit commit;
  const std::string key = store::ReferenceKey("truststores/p/versions/2",
                                              "domainNames/a.example.com");
  commit.puts.push_back({key, "", {}});
  ASSERT_TRUE(store_->Apply(commit).ok());
  const absl::Status in_use =
      truststores_.Delete(caller_, write_, TruststoreName("p"), {});
  EXPECT_EQ(ReasonOf(in_use), Reason::kResourceInUse);
  EXPECT_EQ(domain::ErrorOf(in_use)->metadata[1].second,
            "domainNames/a.example.com");
  EXPECT_EQ(
      ReasonOf(truststores_.DeleteVersion(
          caller_, write_, TruststoreVersionName(TruststoreName("p"), 2), {})),
      Reason::kResourceInUse);
  commit = {};
  commit.deletes = {key};
  ASSERT_TRUE(store_->Apply(commit).ok());
  EXPECT_EQ(ReasonOf(truststores_.Delete(caller_, write_, TruststoreName("p"),
                                         domain::Etag("\"other\""))),
            Reason::kEtagMismatch);
  ASSERT_TRUE(
      truststores_.Delete(caller_, write_, TruststoreName("p"), {}).ok());
  EXPECT_EQ(ReasonOf(truststores_.Get(TruststoreName("p")).status()),
            Reason::kResourceNotFound);
  EXPECT_EQ(
      ReasonOf(
          truststores_.GetVersion(TruststoreVersionName(TruststoreName("p"), 1))
              .status()),
      Reason::kResourceNotFound);
}

// A store into which somebody writes just before each commit.
class RacedStore : public store::Store {
 public:
  RacedStore(store::Store* store, std::function<void(store::Store&)> race)
      : store_(store), race_(std::move(race)) {}
  const store::Lineage& lineage() const override { return store_->lineage(); }
  absl::StatusOr<store::Revision> Apply(const store::Commit& commit) override {
    if (auto race = std::exchange(race_, nullptr)) race(*store_);
    return store_->Apply(commit);
  }
  absl::StatusOr<store::Revision> Replace(
      const store::Replacement& replacement) override {
    return store_->Replace(replacement);
  }
  absl::StatusOr<store::GetResult> Get(absl::string_view key) override {
    return store_->Get(key);
  }
  absl::StatusOr<store::GetResult> Get(absl::string_view key,
                                       store::Revision at) override {
    return store_->Get(key, at);
  }
  absl::StatusOr<store::ListPage> List(
      const store::ListRequest& request) override {
    return store_->List(request);
  }
  absl::StatusOr<std::unique_ptr<store::Watcher>> Watch(
      absl::string_view prefix, store::Revision after) override {
    return store_->Watch(prefix, after);
  }
  absl::StatusOr<std::unique_ptr<store::BlobWriter>> NewBlob() override {
    return store_->NewBlob();
  }
  absl::StatusOr<std::unique_ptr<store::BlobReader>> OpenBlob(
      const store::BlobDigest& digest) override {
    return store_->OpenBlob(digest);
  }
  absl::StatusOr<int64_t> CollectGarbage() override {
    return store_->CollectGarbage();
  }
  absl::StatusOr<store::StoreStats> Stats() override { return store_->Stats(); }
  absl::Status Health() override { return store_->Health(); }

 private:
  store::Store* store_;
  std::function<void(store::Store&)> race_;
};

TEST_F(TruststoresTest, DoesNotDeleteWhatADomainNamesInBetween) {
  ASSERT_TRUE(Create("p", Root("Root A")).ok());
  RacedStore raced(store_.get(), [](store::Store& store) {
    store::Commit commit;
    commit.preconditions.push_back(
        store::Precondition::Exists(store::KeyOf(TruststoreName("p"))));
    commit.puts.push_back(
        {store::ReferenceKey("truststores/p", "domainNames/a.example.com"),
         "",
         {}});
    ASSERT_TRUE(store.Apply(commit).ok());
  });
  Truststores truststores({&raced, &clock_, &format_});
  EXPECT_EQ(
      ReasonOf(truststores.Delete(caller_, write_, TruststoreName("p"), {})),
      Reason::kResourceInUse);
  EXPECT_TRUE(truststores_.Get(TruststoreName("p")).ok());
}

TEST_F(TruststoresTest, SeesTheEtagOfAChangeInBetween) {
  const auto created = Create("p", Root("Root A"));
  ASSERT_TRUE(created.ok());
  RacedStore raced(store_.get(), [&](store::Store&) {
    ASSERT_TRUE(AddVersion("p", Root("Root B")).ok());
  });
  Truststores truststores({&raced, &clock_, &format_});
  Truststores::UpdateRequest update;
  update.truststore = created->truststore;
  update.truststore.metadata.description = "new";
  update.mask = {"description"};
  EXPECT_EQ(ReasonOf(truststores.Update(caller_, write_, update).status()),
            Reason::kEtagMismatch);
}

TEST_F(TruststoresTest, LosesNothingWhenManyChangeItAtOnce) {
  ASSERT_TRUE(Create("p", Root("Root A")).ok());
  constexpr int kThreads = 4;
  constexpr int kEach = 5;
  const std::string pem = Root("Root B");
  std::atomic<int> made{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kEach;) {
        const auto version = AddVersion("p", pem);
        if (version.ok()) {
          ++made;
          ++i;
        } else if (version.status().code() != absl::StatusCode::kAborted) {
          ADD_FAILURE() << version.status();
          return;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(made, kThreads * kEach);
  PageRequest request;
  request.page_size = 1000;
  const auto versions = truststores_.ListVersions(TruststoreName("p"), request);
  ASSERT_TRUE(versions.ok()) << versions.status();
  ASSERT_EQ(versions->items.size(), 1u + kThreads * kEach);
  // The newest first, none twice.
  for (size_t i = 0; i < versions->items.size(); ++i) {
    EXPECT_EQ(versions->items[i].version.name.number(),
              static_cast<int64_t>(versions->items.size() - i));
  }
}

TEST_F(TruststoresTest, WritesWhoChangedWhat) {
  ASSERT_TRUE(Create("p", Root("Root A")).ok());
  clock_.Advance(absl::Seconds(1));
  caller_.principal = "certificate:spiffe://ops/bob";
  ASSERT_TRUE(AddVersion("p", Root("Root B")).ok());
  clock_.Advance(absl::Seconds(1));
  ASSERT_TRUE(Activate("p", 2).ok());
  const auto entries = Audit();
  ASSERT_EQ(entries.size(), 3u);
  EXPECT_EQ(entries[2].principal, "token:alice");
  EXPECT_EQ(entries[2].peer, "192.0.2.1");
  EXPECT_EQ(entries[2].method, "Test/Test");
  EXPECT_EQ(entries[2].changes[0].resource, "truststores/p");
  EXPECT_EQ(entries[2].changes[0].before_json, "");
  EXPECT_EQ(entries[0].principal, "certificate:spiffe://ops/bob");
  EXPECT_EQ(entries[0].time, clock_.Now());
  EXPECT_EQ(entries[0].changes[0].changed_fields,
            std::vector<std::string>{"active_version"});
  for (const auto& entry : entries) {
    const auto found = audit_.Get(entry.revision);
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_EQ(found->time, entry.time);
  }
  EXPECT_EQ(ReasonOf(audit_.Get(999).status()), Reason::kResourceNotFound);
  PageRequest request;
  request.filter = "principal : alice AND resource : truststores/p";
  EXPECT_EQ(audit_.List(request)->items.size(), 1u);
}

TEST_F(TruststoresTest, WarnsAsTimePasses) {
  const auto created =
      Create("p", Root("Soon", pki::TestNow() + absl::Hours(24 * 40)));
  ASSERT_TRUE(created.ok()) << created.status();
  EXPECT_TRUE(created->warnings.empty());
  const auto reason = [&]() -> std::string {
    const auto view = truststores_.Get(TruststoreName("p"));
    EXPECT_TRUE(view.ok()) << view.status();
    return view->warnings.empty() ? "" : view->warnings[0].reason;
  };
  const auto condition = [&](absl::string_view type) {
    const auto view = truststores_.Get(TruststoreName("p"));
    const domain::Condition* found =
        domain::FindCondition(view->truststore.conditions, type);
    return found != nullptr &&
           found->status == domain::Condition::Status::kTrue;
  };
  EXPECT_FALSE(condition("Expiring"));
  clock_.Advance(absl::Hours(24 * 11));
  EXPECT_EQ(reason(), "EXPIRES_SOON");
  EXPECT_TRUE(condition("Expiring"));
  EXPECT_TRUE(condition("GivesTrust"));
  clock_.Advance(absl::Hours(24 * 30));
  EXPECT_EQ(reason(), "EXPIRED");
  EXPECT_FALSE(condition("GivesTrust"));
  // It can still be named, but not made active again without force.
  ASSERT_TRUE(
      AddVersion("p", Root("New", clock_.Now() + absl::Hours(24 * 365))).ok());
  ASSERT_TRUE(Activate("p", 2).ok());
  EXPECT_EQ(ReasonOf(Rollback("p").status()), Reason::kTruststoreGivesNoTrust);
}

TEST_F(TruststoresTest, ShowsWhatDiffersBetweenVersions) {
  const std::string a = Root("Root A");
  const std::string b = Root("Root B");
  const std::string c = Root("Root C");
  ASSERT_TRUE(Create("p", a + b).ok());
  ASSERT_TRUE(AddVersion("p", b + c + Root("Root D")).ok());
  const TruststoreVersionName first(TruststoreName("p"), 1);
  const TruststoreVersionName second(TruststoreName("p"), 2);
  PageRequest request;
  request.page_size = 2;
  auto diff = truststores_.Diff(first, second, request);
  ASSERT_TRUE(diff.ok()) << diff.status();
  EXPECT_EQ(diff->num_added, 2u);
  EXPECT_EQ(diff->num_removed, 1u);
  EXPECT_EQ(diff->num_changed, 0u);
  EXPECT_EQ(diff->diff.added.size(), 2u);
  EXPECT_TRUE(diff->diff.removed.empty());
  request.page_token = diff->next_page_token;
  diff = truststores_.Diff(first, second, request);
  ASSERT_TRUE(diff.ok()) << diff.status();
  ASSERT_EQ(diff->diff.removed.size(), 1u);
  EXPECT_EQ(diff->diff.removed[0]->Subject(), "CN=Root A");
  EXPECT_EQ(diff->next_page_token, "");
  // The token is not one of the other direction.
  EXPECT_EQ(ReasonOf(truststores_.Diff(second, first, request).status()),
            Reason::kPageTokenInvalid);

  PageRequest certificates;
  certificates.filter = "subject = \"CN=Root C\"";
  const auto page = truststores_.ListCertificates(second, certificates);
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->items.size(), 1u);
  EXPECT_EQ(page->items[0].index, 2u);
}

TEST_F(TruststoresTest, GivesBackTheTextAsItCame) {
  const std::string pem = "# partners\r\n" + Root("Root A");
  ASSERT_TRUE(Create("p", pem).ok());
  const auto reader =
      truststores_.ReadVersion(TruststoreVersionName(TruststoreName("p"), 1));
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ(*(*reader)->Read(), pem);
}

TEST_F(TruststoresTest, HasNoMoreVersionsThanItsDeletionCanTake) {
  ASSERT_TRUE(Create("p", Root("Root A")).ok());
  const std::string pem = Root("Root B");
  for (size_t i = 1; i < kMaxVersionsOfTruststore; ++i) {
    ASSERT_TRUE(AddVersion("p", pem).ok()) << i;
  }
  EXPECT_EQ(ReasonOf(AddVersion("p", pem).status()), Reason::kQuotaExceeded);
  EXPECT_TRUE(
      truststores_.Delete(caller_, write_, TruststoreName("p"), {}).ok());
  store::ListRequest list;
  list.prefix = "truststores";
  EXPECT_TRUE(store_->List(list)->records.empty());
}

}  // namespace
}  // namespace sallyport::service
