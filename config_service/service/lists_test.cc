#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/clock.h"
#include "base/limits.h"
#include "config_service/domain/limits.h"
#include "config_service/domain/violations.h"
#include "config_service/service/audit_log.h"
#include "config_service/service/bundles.h"
#include "config_service/service/certificate_lists.h"
#include "config_service/service/limits.h"
#include "config_service/service/revocation_lists.h"
#include "config_service/service/testing/use_case_test.h"
#include "config_service/store/keys.h"
#include "config_service/store/list_records.h"
#include "gtest/gtest.h"
#include "pki/testing/make_certificate.h"

namespace sallyport::service {
namespace {

using domain::CertificateList;
using domain::CertificateListEntry;
using domain::CertificateListName;
using domain::Reason;
using domain::RevocationListName;

constexpr char kUuid[] = "123e4567-e89b-12d3-a456-426614174000";

Reason ReasonOf(const absl::Status& status) {
  const auto error = domain::ErrorOf(status);
  EXPECT_TRUE(error.has_value()) << status;
  return error.has_value() ? error->reason : Reason::kInternal;
}

std::vector<std::string> FieldsOf(const absl::Status& status) {
  std::vector<std::string> out;
  const auto error = domain::ErrorOf(status);
  if (!error.has_value()) return out;
  for (const auto& violation : error->violations) {
    out.push_back(violation.field);
  }
  return out;
}

std::string Crl(const std::string& issuer,
                absl::Time next_update = pki::TestNow() + absl::Hours(24)) {
  const pki::TestCertificate ca = pki::MakeTestCertificate(
      pki::TestCaSpec(issuer), pki::TestKey::P256(), nullptr);
  pki::TestRevocationListSpec spec;
  spec.next_update = next_update;
  pki::TestRevocationListSpec::Entry entry;
  entry.serial = pki::TestSerial(7);
  spec.entries.push_back(entry);
  return pki::MakeTestRevocationList(spec, ca).pem;
}

CertificateListEntry Sha256(uint64_t n, const std::string& comment = "") {
  CertificateListEntry entry;
  entry.sha256 = absl::StrFormat("%064x", n);
  entry.comment = comment;
  return entry;
}

std::vector<CertificateListEntry> Sha256s(uint64_t from, uint64_t n) {
  std::vector<CertificateListEntry> out;
  for (uint64_t i = 0; i < n; ++i) out.push_back(Sha256(from + i));
  return out;
}

class ListsTest : public UseCaseTest {
 protected:
  ListsTest() : revocation_(context_), lists_(context_), audit_(store_.get()) {}

  absl::StatusOr<RevocationListView> Upload(const std::string& id,
                                            std::string content) {
    RevocationLists::CreateRequest request;
    request.id = id;
    request.content = std::move(content);
    return revocation_.Create(caller_, write_, request);
  }
  absl::StatusOr<CertificateList> Create(
      const std::string& id, CertificateList::Kind kind,
      std::vector<CertificateListEntry> entries = {}) {
    CertificateLists::CreateRequest request;
    request.id = id;
    request.list.kind = kind;
    request.entries = std::move(entries);
    return lists_.Create(caller_, write_, request);
  }
  absl::StatusOr<CertificateList> Deny(
      const std::string& id, std::vector<CertificateListEntry> entries = {}) {
    return Create(id, CertificateList::Kind::kDeny, std::move(entries));
  }
  absl::StatusOr<CertificateList> Modify(
      const std::string& id, std::vector<CertificateListEntry> add,
      std::vector<CertificateListEntry> remove, domain::Etag etag = {}) {
    return lists_.Modify(caller_, write_,
                         {CertificateListName(id), std::move(etag),
                          std::move(add), std::move(remove)});
  }
  // All entries, page by page.
  std::vector<CertificateListEntry> Entries(const std::string& id) {
    std::vector<CertificateListEntry> out;
    PageRequest request;
    request.page_size = kMaxPageSize;
    do {
      auto page = lists_.ListEntries(CertificateListName(id), request);
      EXPECT_TRUE(page.ok()) << page.status();
      if (!page.ok()) break;
      for (auto& entry : page->items) out.push_back(std::move(entry));
      request.page_token = page->next_page_token;
    } while (!request.page_token.empty());
    return out;
  }
  size_t NumRecords(const std::string& prefix) {
    store::ListRequest request;
    request.prefix = prefix;
    size_t n = 0;
    while (true) {
      const auto page = store_->List(request);
      EXPECT_TRUE(page.ok());
      n += page->records.size();
      if (!page->more) return n;
      request.Continue(*page);
    }
  }
  void Refer(const std::string& target, const std::string& by) {
    store::Commit commit;
    commit.puts.push_back({store::ReferenceKey(target, by), "", {}});
    ASSERT_TRUE(store_->Apply(commit).ok());
  }
  int64_t StoreRevision() { return store_->Get("x")->revision.value(); }

  RevocationLists revocation_;
  CertificateLists lists_;
  AuditLog audit_;
};

using RevocationListsTest = ListsTest;

TEST_F(RevocationListsTest, KeepsTheContentAndSaysWhatIsInIt) {
  const std::string content = Crl("Issuer A") + Crl("Issuer B");
  const auto made = Upload("crl", content);
  ASSERT_TRUE(made.ok()) << made.status();
  const auto read = revocation_.Get(RevocationListName("crl"));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->list.list_count, 2u);
  EXPECT_EQ(read->list.entry_count, 2u);
  ASSERT_EQ(read->list.lists.size(), 2u);
  EXPECT_EQ(read->list.lists[0].issuer, "CN=Issuer A");
  EXPECT_EQ(read->list.size_bytes, content.size());
  const auto blob = ReadBlob(*store_, store::BlobOf(read->list));
  ASSERT_TRUE(blob.ok()) << blob.status();
  EXPECT_EQ(*blob, content);
}

TEST_F(RevocationListsTest, RefusesWhatIsNoList) {
  EXPECT_EQ(ReasonOf(Upload("crl", "hello").status()),
            Reason::kRevocationListInvalid);
  EXPECT_EQ(FieldsOf(Upload("crl", "").status()),
            std::vector<std::string>{"revocation_list.content"});
  EXPECT_EQ(StoreRevision(), 0);
}

TEST_F(RevocationListsTest, ReplacesTheContentAndNothingElse) {
  ASSERT_TRUE(Upload("crl", Crl("Issuer A")).ok());
  RevocationLists::UpdateRequest request;
  request.list.name = RevocationListName("crl");
  request.list.metadata.description = "left out";
  request.mask = {"content"};
  request.content = Crl("Issuer B");
  const auto updated = revocation_.Update(caller_, write_, request);
  ASSERT_TRUE(updated.ok()) << updated.status();
  EXPECT_EQ(updated->list.lists[0].issuer, "CN=Issuer B");
  EXPECT_EQ(updated->list.metadata.description, "");
  request.content = "hello";
  EXPECT_EQ(ReasonOf(revocation_.Update(caller_, write_, request).status()),
            Reason::kRevocationListInvalid);
  // The content stays without being named.
  request.mask = {"description"};
  const auto described = revocation_.Update(caller_, write_, request);
  ASSERT_TRUE(described.ok()) << described.status();
  EXPECT_EQ(described->list.lists[0].issuer, "CN=Issuer B");
  EXPECT_EQ(described->list.metadata.description, "left out");
  ASSERT_TRUE(ReadBlob(*store_, store::BlobOf(described->list)).ok());
}

TEST_F(RevocationListsTest, SaysWhenAListIsStale) {
  ASSERT_TRUE(Upload("crl", Crl("Issuer A")).ok());
  auto view = revocation_.Get(RevocationListName("crl"));
  EXPECT_EQ(domain::FindCondition(view->list.conditions, "UpToDate")->status,
            domain::Condition::Status::kTrue);
  EXPECT_TRUE(view->warnings.empty());
  clock_.Advance(absl::Hours(25));
  view = revocation_.Get(RevocationListName("crl"));
  EXPECT_EQ(domain::FindCondition(view->list.conditions, "UpToDate")->status,
            domain::Condition::Status::kFalse);
  ASSERT_EQ(view->warnings.size(), 1u);
  EXPECT_EQ(view->warnings[0].reason, "STALE");
  EXPECT_EQ(view->warnings[0].subject, "CN=Issuer A");
}

TEST_F(RevocationListsTest, IsNotDeletedWhileATruststoreNamesIt) {
  ASSERT_TRUE(Upload("crl", Crl("Issuer A")).ok());
  Refer("revocationLists/crl", "truststores/partners");
  const RevocationListName name("crl");
  EXPECT_EQ(ReasonOf(revocation_.Delete(caller_, write_, name, {})),
            Reason::kResourceInUse);
}

using CertificateListsTest = ListsTest;

TEST_F(CertificateListsTest, BringsEntriesIntoOneForm) {
  CertificateListEntry colons = Sha256(1);
  colons.sha256 = "";
  for (int i = 0; i < 32; ++i) {
    absl::StrAppend(&colons.sha256, i > 0 ? ":" : "", "AB");
  }
  CertificateListEntry serial;
  serial.kind = CertificateListEntry::Kind::kIssuerAndSerial;
  serial.issuer = "CN=Root A";
  serial.serial = "00:0A";
  const auto made = Deny("blocked", {colons, serial});
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->entry_count, 2u);
  const auto entries = Entries("blocked");
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].sha256.substr(0, 4), "abab");
  EXPECT_EQ(entries[1].serial, "a");
}

TEST_F(CertificateListsTest, SaysEverythingThatIsWrongAtOnce) {
  CertificateListEntry bad = Sha256(1);
  bad.sha256 = "xyz";
  EXPECT_EQ(FieldsOf(Deny("No", {Sha256(1), bad, Sha256(1)}).status()),
            (std::vector<std::string>{"certificate_list_id",
                                      "entries[1].certificate_sha256",
                                      "entries[2]"}));
  CertificateListEntry serial;
  serial.kind = CertificateListEntry::Kind::kIssuerAndSerial;
  serial.issuer = "CN=Root A";
  serial.serial = "0a";
  EXPECT_EQ(
      ReasonOf(Create("a", CertificateList::Kind::kAllow, {serial}).status()),
      Reason::kCertificateListKind);
  EXPECT_EQ(StoreRevision(), 0);
}

TEST_F(CertificateListsTest, AddsAndRemovesAtOnce) {
  ASSERT_TRUE(Deny("blocked", Sha256s(1, 3)).ok());
  const auto modified = Modify("blocked", {Sha256(3, "again"), Sha256(4)},
                               {Sha256(1), Sha256(9)});
  ASSERT_TRUE(modified.ok()) << modified.status();
  EXPECT_EQ(modified->entry_count, 3u);
  const auto entries = Entries("blocked");
  ASSERT_EQ(entries.size(), 3u);
  EXPECT_EQ(entries[0].sha256, Sha256(2).sha256);
  EXPECT_EQ(entries[1].comment, "again");
  EXPECT_EQ(entries[2].sha256, Sha256(4).sha256);
  // What is so already changes nothing.
  const int64_t before = StoreRevision();
  ASSERT_TRUE(Modify("blocked", {Sha256(4)}, {Sha256(1)}).ok());
  EXPECT_EQ(StoreRevision(), before);
  EXPECT_EQ(ReasonOf(Modify("blocked", {Sha256(5)}, {Sha256(5)}).status()),
            Reason::kFieldsConflict);
}

TEST_F(CertificateListsTest, SaysWhichEntriesWereNotThereToBeRemoved) {
  ASSERT_TRUE(Deny("blocked", {Sha256(1), Sha256(2)}).ok());
  write_.validate_only = true;
  EXPECT_EQ(Modify("blocked", {}, {Sha256(3)})->warnings.front().reason,
            "ENTRY_NOT_FOUND");
  write_.validate_only = false;
  const auto modified =
      Modify("blocked", {}, {Sha256(3), Sha256(1), Sha256(4)});
  ASSERT_TRUE(modified.ok()) << modified.status();
  EXPECT_EQ(modified->entry_count, 1u);
  ASSERT_EQ(modified->warnings.size(), 3u);
  EXPECT_EQ(modified->warnings[0].reason, "ENTRY_NOT_FOUND");
  EXPECT_EQ(modified->warnings[0].field, "remove[0]");
  EXPECT_EQ(modified->warnings[1].field, "remove[2]");
  EXPECT_EQ(modified->warnings[2].reason, "NOT_IN_USE");
  EXPECT_TRUE(lists_.Get(CertificateListName("blocked"))->warnings.empty());
}

TEST_F(CertificateListsTest, SaysThatADenyListRefusesNobody) {
  const auto in_use = [&](const std::string& id) {
    const auto list = lists_.Get(CertificateListName(id));
    EXPECT_TRUE(list.ok()) << list.status();
    const domain::Condition* const condition =
        domain::FindCondition(list->conditions, "InUse");
    return condition != nullptr &&
           condition->status == domain::Condition::Status::kTrue;
  };
  ASSERT_TRUE(Deny("blocked", {Sha256(1)}).ok());
  EXPECT_FALSE(in_use("blocked"));
  auto modified = Modify("blocked", {Sha256(2)}, {});
  ASSERT_TRUE(modified.ok()) << modified.status();
  ASSERT_EQ(modified->warnings.size(), 1u);
  EXPECT_EQ(modified->warnings[0].reason, "NOT_IN_USE");
  CertificateLists::UpdateRequest update;
  update.list.name = CertificateListName("blocked");
  update.list.everywhere = true;
  update.mask = {"everywhere"};
  ASSERT_TRUE(lists_.Update(caller_, write_, update).ok());
  EXPECT_TRUE(in_use("blocked"));
  modified = Modify("blocked", {Sha256(3)}, {});
  ASSERT_TRUE(modified.ok()) << modified.status();
  EXPECT_TRUE(modified->warnings.empty());
}

TEST_F(CertificateListsTest, TakesAsManyEntriesInARequestAsItSays) {
  ASSERT_TRUE(Deny("blocked").ok());
  const auto modified =
      Modify("blocked", Sha256s(1, domain::kMaxEntriesOfRequest), {});
  ASSERT_TRUE(modified.ok()) << modified.status();
  EXPECT_EQ(modified->entry_count, domain::kMaxEntriesOfRequest);
  EXPECT_EQ(Entries("blocked").size(), domain::kMaxEntriesOfRequest);
  EXPECT_EQ(ReasonOf(Modify("blocked",
                            Sha256s(1, domain::kMaxEntriesOfRequest + 1), {})
                         .status()),
            Reason::kTooManyEntries);
  EXPECT_EQ(
      ReasonOf(Modify("blocked", Sha256s(1, domain::kMaxEntriesOfRequest / 2),
                      Sha256s(20000, domain::kMaxEntriesOfRequest / 2 + 1))
                   .status()),
      Reason::kTooManyEntries);
}

TEST_F(CertificateListsTest, HoldsTheEntriesOfALongListInOrder) {
  ASSERT_TRUE(Deny("blocked").ok());
  // The last of each request first.
  for (uint64_t i = 5; i-- > 0;) {
    ASSERT_TRUE(Modify("blocked", Sha256s(1 + i * 10000, 10000), {}).ok());
  }
  EXPECT_EQ(lists_.Get(CertificateListName("blocked"))->entry_count, 50000u);
  const auto entries = Entries("blocked");
  ASSERT_EQ(entries.size(), 50000u);
  for (size_t i = 0; i < entries.size(); ++i) {
    ASSERT_EQ(entries[i].sha256, Sha256(i + 1).sha256);
  }
  ASSERT_TRUE(
      lists_.Delete(caller_, write_, CertificateListName("blocked"), {}).ok());
  EXPECT_EQ(NumRecords("certificateLists"), 0u);
}

TEST_F(CertificateListsTest, EndsAtItsLimit) {
  ASSERT_TRUE(Deny("blocked", {Sha256(1)}).ok());
  // As if it held the rest.
  const CertificateListName name("blocked");
  auto record = *store_->Get(store::KeyOf(name))->record;
  auto list = store::Decode(name, record);
  list->entry_count = limits::kMaxDenyListEntries - 1;
  store::Commit commit;
  commit.puts.push_back({record.key, store::Encode(*list), {}});
  ASSERT_TRUE(store_->Apply(commit).ok());
  EXPECT_EQ(ReasonOf(Modify("blocked", {Sha256(2), Sha256(3)}, {}).status()),
            Reason::kQuotaExceeded);
  EXPECT_TRUE(Modify("blocked", {Sha256(2)}, {}).ok());
  EXPECT_TRUE(Modify("blocked", {Sha256(2, "there")}, {}).ok());
  EXPECT_EQ(ReasonOf(Modify("blocked", {Sha256(3)}, {}).status()),
            Reason::kQuotaExceeded);
}

TEST_F(CertificateListsTest, ModifiesOnlyTheListThatWasRead) {
  const auto made = Deny("blocked");
  ASSERT_TRUE(
      Modify("blocked", Sha256s(1, 1000), {}, made->metadata.etag).ok());
  EXPECT_EQ(
      ReasonOf(
          Modify("blocked", {Sha256(2000)}, {}, made->metadata.etag).status()),
      Reason::kEtagMismatch);
}

TEST_F(CertificateListsTest, CarriesOutARepeatedRequestOnce) {
  ASSERT_TRUE(Deny("blocked").ok());
  write_.request_id = kUuid;
  const auto first = Modify("blocked", Sha256s(1, 1000), {});
  ASSERT_TRUE(first.ok()) << first.status();
  write_.request_id = "";
  ASSERT_TRUE(Modify("blocked", {}, {Sha256(1)}).ok());
  write_.request_id = kUuid;
  const auto again = Modify("blocked", Sha256s(1, 1000), {});
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->entry_count, 1000u);
  EXPECT_EQ(lists_.Get(CertificateListName("blocked"))->entry_count, 999u);
}

TEST_F(CertificateListsTest, ChangesNothingWhenItOnlyValidates) {
  write_.validate_only = true;
  const auto checked = Deny("blocked", Sha256s(1, 1000));
  ASSERT_TRUE(checked.ok()) << checked.status();
  EXPECT_EQ(checked->entry_count, 1000u);
  EXPECT_EQ(StoreRevision(), 0);
  write_.validate_only = false;
  ASSERT_TRUE(Deny("blocked").ok());
  write_.validate_only = true;
  const auto modified = Modify("blocked", Sha256s(1, 1000), {});
  ASSERT_TRUE(modified.ok()) << modified.status();
  EXPECT_EQ(modified->entry_count, 1000u);
  EXPECT_EQ(NumRecords("certificateLists.entries/"), 0u);
}

TEST_F(CertificateListsTest, StaysOfItsKind) {
  ASSERT_TRUE(Create("let-in", CertificateList::Kind::kAllow).ok());
  CertificateLists::UpdateRequest request;
  request.list.name = CertificateListName("let-in");
  request.list.metadata.description = "new";
  request.mask = {"*"};
  const auto updated = lists_.Update(caller_, write_, request);
  ASSERT_TRUE(updated.ok()) << updated.status();
  EXPECT_EQ(updated->kind, CertificateList::Kind::kAllow);
  request.kind = CertificateLists::Kind::kSet;
  EXPECT_EQ(ReasonOf(lists_.Update(caller_, write_, request).status()),
            Reason::kFieldImmutable);
  request.kind = CertificateLists::Kind::kUnset;
  request.list.everywhere = true;
  EXPECT_EQ(ReasonOf(lists_.Update(caller_, write_, request).status()),
            Reason::kFieldsConflict);
}

TEST_F(CertificateListsTest, IsNotDeletedWhileADomainNamesIt) {
  ASSERT_TRUE(Deny("blocked", Sha256s(1, 3)).ok());
  Refer("certificateLists/blocked", "domainNames/api.example.com");
  EXPECT_EQ(ReasonOf(lists_.Delete(caller_, write_,
                                   CertificateListName("blocked"), {})),
            Reason::kResourceInUse);
  EXPECT_EQ(Entries("blocked").size(), 3u);
}

TEST_F(CertificateListsTest, GivesANewListNothingOfADeletedOne) {
  // What a deletion that was cut off leaves behind.
  const CertificateListName name("blocked");
  store::Commit commit;
  for (const CertificateListEntry& entry : Sha256s(1, 500)) {
    commit.puts.push_back(
        {store::EntryKey(name, entry), store::Encode(entry), {}});
  }
  ASSERT_TRUE(store_->Apply(commit).ok());
  const auto made = Deny("blocked", {Sha256(1000)});
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->entry_count, 1u);
  EXPECT_EQ(Entries("blocked").size(), 1u);
}

TEST_F(CertificateListsTest, RemovesWhatADeletionLeftBehind) {
  ASSERT_TRUE(Deny("a", Sha256s(1, 3)).ok());
  ASSERT_TRUE(Deny("a-c", Sha256s(1, 3)).ok());
  ASSERT_TRUE(Deny("b", Sha256s(1, 3)).ok());
  store::Commit commit;
  for (const char* id : {"a0", "0", "z"}) {
    for (const CertificateListEntry& entry : Sha256s(1, 100)) {
      commit.puts.push_back({store::EntryKey(CertificateListName(id), entry),
                             store::Encode(entry),
                             {}});
    }
  }
  ASSERT_TRUE(store_->Apply(commit).ok());
  const auto removed = RemoveOrphanedEntries(*store_);
  ASSERT_TRUE(removed.ok()) << removed.status();
  EXPECT_EQ(*removed, 300);
  EXPECT_EQ(NumRecords("certificateLists.entries/"), 9u);
}

TEST_F(CertificateListsTest, SaysInTheAuditLogWhichEntriesCameAndWent) {
  ASSERT_TRUE(Deny("blocked", {Sha256(1)}).ok());
  ASSERT_TRUE(Modify("blocked", {Sha256(2)}, {Sha256(1)}).ok());
  const auto page = audit_.List({});
  ASSERT_TRUE(page.ok()) << page.status();
  std::vector<std::string> changes;
  for (const auto& entry : page->items) {
    if (entry.changes.size() < 3) continue;
    for (const auto& change : entry.changes) {
      changes.push_back(absl::StrCat(change.resource,
                                     change.before_json.empty() ? " came" : "",
                                     change.after_json.empty() ? " went" : ""));
    }
  }
  const std::string prefix = "certificateLists/blocked/entries/certificate/";
  EXPECT_EQ(changes, (std::vector<std::string>{
                         absl::StrCat(prefix, Sha256(2).sha256, " came"),
                         absl::StrCat(prefix, Sha256(1).sha256, " went"),
                         "certificateLists/blocked"}));
}

}  // namespace
}  // namespace sallyport::service
