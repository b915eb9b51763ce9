#include "config_service/store/testing/conformance.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace sallyport::store {

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(StoreConformance);

Store& StoreConformance::store(const EngineOptions& options) {
  if (engine_ == nullptr) engine_ = GetParam()(options);
  return engine_->store();
}

Revision StoreConformance::MustApply(const Commit& commit) {
  const absl::StatusOr<Revision> revision = store().Apply(commit);
  EXPECT_TRUE(revision.ok()) << revision.status();
  return revision.value_or(Revision());
}

Revision StoreConformance::MustPut(const std::string& key,
                                   const std::string& value) {
  Commit commit;
  commit.puts.push_back({key, value, {}});
  return MustApply(commit);
}

Revision StoreConformance::MustDelete(const std::string& key) {
  Commit commit;
  commit.deletes.push_back(key);
  return MustApply(commit);
}

std::string StoreConformance::ValueOf(const std::string& key) {
  const absl::StatusOr<GetResult> got = store().Get(key);
  EXPECT_TRUE(got.ok()) << got.status();
  return got.ok() && got->record ? got->record->value : "(none)";
}

std::string StoreConformance::ValueAt(const std::string& key, Revision at) {
  const absl::StatusOr<GetResult> got = store().Get(key, at);
  if (!got.ok()) return got.status().ToString();
  EXPECT_EQ(got->revision, at);
  return got->record ? got->record->value : "(none)";
}

std::string StoreConformance::Listed(const std::string& prefix, size_t limit) {
  std::vector<std::string> texts;
  ListRequest request;
  request.prefix = prefix;
  request.limit = limit;
  while (true) {
    const absl::StatusOr<ListPage> page = store().List(request);
    if (!page.ok()) return page.status().ToString();
    EXPECT_LE(page->records.size(), limit);
    for (const Record& record : page->records) {
      texts.push_back(absl::StrCat(record.key, "=", record.value));
    }
    if (!page->more) return absl::StrJoin(texts, " ");
    if (page->records.empty()) return "an empty page, and more to come";
    request.Continue(*page);
  }
}

BlobDigest StoreConformance::MustUpload(absl::string_view content) {
  auto writer = store().NewBlob();
  EXPECT_TRUE(writer.ok()) << writer.status();
  const absl::Status appended = (*writer)->Append(content);
  EXPECT_TRUE(appended.ok()) << appended;
  const absl::StatusOr<BlobDigest> digest = (*writer)->Finish();
  EXPECT_TRUE(digest.ok()) << digest.status();
  return digest.value_or(BlobDigest());
}

std::string StoreConformance::BlobText(const BlobDigest& digest) {
  auto reader = store().OpenBlob(digest);
  if (!reader.ok()) return reader.status().ToString();
  std::string text;
  while (true) {
    const absl::StatusOr<std::string> piece = (*reader)->Read();
    if (!piece.ok()) return piece.status().ToString();
    EXPECT_LE(piece->size(), kBlobPieceBytes);
    if (piece->empty()) break;
    text += *piece;
  }
  EXPECT_EQ(text.size(), (*reader)->size());
  return text;
}

namespace {

Commit PutAll(const std::vector<std::string>& keys, const std::string& value) {
  Commit commit;
  for (const std::string& key : keys) commit.puts.push_back({key, value, {}});
  return commit;
}

Commit WithPrecondition(Precondition precondition) {
  Commit commit;
  commit.preconditions.push_back(std::move(precondition));
  commit.puts.push_back({"written", "yes", {}});
  return commit;
}

// "revision+key=value" and "revision-key".
std::string Text(const Change& change) {
  if (change.kind == Change::Kind::kDelete) {
    EXPECT_EQ(change.record.value, "");
    EXPECT_EQ(change.record.version, 0);
    return absl::StrCat(change.record.mod_revision.value(), "-",
                        change.record.key);
  }
  return absl::StrCat(change.record.mod_revision.value(), "+",
                      change.record.key, "=", change.record.value);
}

std::string Text(const absl::StatusOr<WatchBatch>& batch) {
  if (!batch.ok()) return batch.status().ToString();
  std::vector<std::string> texts;
  for (const Change& change : batch->changes) texts.push_back(Text(change));
  return absl::StrCat(absl::StrJoin(texts, " "), "@", batch->revision.value());
}

constexpr absl::Duration kLong = absl::Seconds(30);

// ---------------------------------------------------------------- commits

TEST_P(StoreConformance, StartsEmptyAtRevisionZero) {
  EXPECT_EQ(store().lineage().id().size(), 32u);
  const auto got = store().Get("a");
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->revision, Revision());
  EXPECT_FALSE(got->record.has_value());
  EXPECT_EQ(Listed(""), "");
  const auto stats = store().Stats();
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_EQ(stats->revision, Revision());
  EXPECT_EQ(stats->records, 0);
  EXPECT_TRUE(store().Health().ok());
}

TEST_P(StoreConformance, HasALineageOfItsOwn) {
  const auto other = GetParam()({});
  EXPECT_NE(store().lineage(), other->store().lineage());
}

TEST_P(StoreConformance, GivesEachCommitTheNextRevision) {
  EXPECT_EQ(MustPut("a", "1"), Revision(1));
  EXPECT_EQ(MustApply(PutAll({"a", "b"}, "2")), Revision(2));
  EXPECT_EQ(MustDelete("a"), Revision(3));
  EXPECT_EQ(store().Get("b")->revision, Revision(3));
}

TEST_P(StoreConformance, CountsTheVersionsOfARecord) {
  MustPut("other", "");
  MustPut("a", "first");
  MustPut("a", "second");
  auto got = store().Get("a");
  ASSERT_TRUE(got.ok() && got->record);
  EXPECT_EQ(got->record->key, "a");
  EXPECT_EQ(got->record->value, "second");
  EXPECT_EQ(got->record->create_revision, Revision(2));
  EXPECT_EQ(got->record->mod_revision, Revision(3));
  EXPECT_EQ(got->record->version, 2);

  MustDelete("a");
  EXPECT_EQ(ValueOf("a"), "(none)");
  MustPut("a", "third");
  got = store().Get("a");
  ASSERT_TRUE(got.ok() && got->record);
  EXPECT_EQ(got->record->create_revision, Revision(5));
  EXPECT_EQ(got->record->version, 1);
}

TEST_P(StoreConformance, TakesNoRevisionWhenNothingChanges) {
  MustPut("a", "1");
  EXPECT_EQ(MustApply(Commit()), Revision(1));
  EXPECT_EQ(MustDelete("never there"), Revision(1));
  Commit only_a_question;
  only_a_question.preconditions.push_back(Precondition::Exists("a"));
  EXPECT_EQ(MustApply(only_a_question), Revision(1));
  EXPECT_EQ(MustDelete("a"), Revision(2));
  EXPECT_EQ(MustDelete("a"), Revision(2));
}

TEST_P(StoreConformance, CountsAPutOfTheSameValue) {
  MustPut("a", "1");
  EXPECT_EQ(MustPut("a", "1"), Revision(2));
  EXPECT_EQ(store().Get("a")->record->mod_revision, Revision(2));
}

TEST_P(StoreConformance, KeepsAnyBytes) {
  std::string all;
  for (int c = 0; c < 256; ++c) all.push_back(static_cast<char>(c));
  MustPut(all, all);
  EXPECT_EQ(ValueOf(all), all);
  EXPECT_EQ(Listed(all.substr(0, 3)), absl::StrCat(all, "=", all));
  MustPut("empty", "");
  EXPECT_EQ(ValueOf("empty"), "");
}

// ----------------------------------------------------------- preconditions

TEST_P(StoreConformance, AppliesWhenThePreconditionsHold) {
  MustPut("a", "1");
  MustPut("b/1", "1");
  const Record a = *store().Get("a")->record;
  const Revision now(2);
  for (const Precondition& holds :
       {Precondition::Unchanged(a), Precondition::ModRevision("a", Revision(1)),
        Precondition::Exists("a"), Precondition::Absent("none"),
        Precondition::PrefixEmpty("c/"),
        Precondition::PrefixNotPutAfter("b/", now),
        Precondition::PrefixNotPutAfter("a", Revision(1)),
        Precondition::PrefixNotPutAfter("c/", Revision())}) {
    const auto applied = store().Apply(WithPrecondition(holds));
    EXPECT_TRUE(applied.ok()) << applied.status();
  }
}

TEST_P(StoreConformance, AbortsAsAWholeAndNamesTheKeyOtherwise) {
  MustPut("a", "1");
  MustPut("b/1", "1");
  MustPut("a", "2");
  const struct {
    Precondition precondition;
    const char* names;
  } cases[] = {
      {Precondition::ModRevision("a", Revision(1)), "\"a\""},
      {Precondition::ModRevision("none", Revision(1)), "\"none\""},
      {Precondition::Absent("a"), "\"a\""},
      {Precondition::Exists("none"), "\"none\""},
      {Precondition::PrefixEmpty("b/"), "\"b/1\""},
      {Precondition::PrefixEmpty(""), "\"a\""},
      {Precondition::PrefixNotPutAfter("b", Revision(1)), "\"b/1\""},
      {Precondition::PrefixNotPutAfter("", Revision(2)), "\"a\""},
  };
  for (const auto& c : cases) {
    Commit commit = WithPrecondition(c.precondition);
    commit.preconditions.insert(commit.preconditions.begin(),
                                Precondition::Exists("a"));
    commit.deletes.push_back("a");
    const auto applied = store().Apply(commit);
    EXPECT_EQ(CodeOf(applied), absl::StatusCode::kAborted);
    EXPECT_TRUE(absl::StrContains(applied.status().message(), c.names))
        << applied.status();
  }
  EXPECT_EQ(Listed(""), "a=2 b/1=1");
  EXPECT_EQ(store().Stats()->revision, Revision(3));
}

TEST_P(StoreConformance, SeesNoPutWhereThereWereOnlyDeletions) {
  MustPut("b/1", "1");
  MustPut("b/2", "1");
  MustDelete("b/1");
  EXPECT_TRUE(store()
                  .Apply(WithPrecondition(
                      Precondition::PrefixNotPutAfter("b/", Revision(2))))
                  .ok());
  MustDelete("b/2");
  EXPECT_TRUE(
      store().Apply(WithPrecondition(Precondition::PrefixEmpty("b/"))).ok());
}

TEST_P(StoreConformance, RefusesAPreconditionOnARevisionThatCannotBeRead) {
  MustPut("a", "1");
  EXPECT_EQ(CodeOf(store().Apply(WithPrecondition(
                Precondition::PrefixNotPutAfter("b/", Revision(2))))),
            absl::StatusCode::kOutOfRange);
  EXPECT_EQ(CodeOf(store().Apply(WithPrecondition(
                Precondition::PrefixNotPutAfter("b/", Revision(-1))))),
            absl::StatusCode::kInvalidArgument);
}

TEST_P(StoreConformance, HoldsPreconditionsAgainstTheStateBeforeTheCommit) {
  MustPut("a", "1");
  Commit commit;
  commit.preconditions.push_back(Precondition::ModRevision("a", Revision(1)));
  commit.preconditions.push_back(Precondition::Absent("b"));
  commit.puts.push_back({"b", "moved", {}});
  commit.deletes.push_back("a");
  EXPECT_EQ(MustApply(commit), Revision(2));
  EXPECT_EQ(Listed(""), "b=moved");
}

// ------------------------------------------------------------------ limits

TEST_P(StoreConformance, TakesKeysOfUpToTheLimit) {
  const std::string longest(kMaxKeyBytes, 'k');
  MustPut("k", "shortest");
  MustPut(longest, "longest");
  EXPECT_EQ(ValueOf(longest), "longest");
  for (const std::string& bad : {std::string(), longest + "k"}) {
    EXPECT_EQ(CodeOf(store().Apply(PutAll({bad}, "v"))),
              absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(CodeOf(store().Get(bad)), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(CodeOf(store().Get(bad, Revision(1))),
              absl::StatusCode::kInvalidArgument);
    Commit deletion;
    deletion.deletes.push_back(bad);
    EXPECT_EQ(CodeOf(store().Apply(deletion)),
              absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(
        CodeOf(store().Apply(WithPrecondition(Precondition::Exists(bad)))),
        absl::StatusCode::kInvalidArgument);
  }
  ListRequest request;
  request.prefix = longest;
  EXPECT_TRUE(store().List(request).ok());
  EXPECT_TRUE(store().Watch(longest, Revision()).ok());
  request.prefix += "k";
  EXPECT_EQ(CodeOf(store().List(request)), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(store().Watch(request.prefix, Revision())),
            absl::StatusCode::kInvalidArgument);
}

TEST_P(StoreConformance, TakesValuesOfUpToTheLimit) {
  const std::string largest(kMaxValueBytes, 'v');
  MustPut("a", largest);
  EXPECT_EQ(ValueOf("a"), largest);
  EXPECT_EQ(CodeOf(store().Apply(PutAll({"a"}, largest + "v"))),
            absl::StatusCode::kInvalidArgument);
}

TEST_P(StoreConformance, TakesCommitsOfUpToTheLimit) {
  Commit commit;
  for (size_t i = 0; i + 2 < kMaxCommitOperations; ++i) {
    commit.puts.push_back({absl::StrCat("k", i), "v", {}});
  }
  commit.preconditions.push_back(Precondition::Absent("k0"));
  commit.deletes.push_back("none");
  EXPECT_EQ(MustApply(commit), Revision(1));
  commit.preconditions.clear();
  commit.puts.push_back({"one", "v", {}});
  EXPECT_EQ(MustApply(commit), Revision(2));
  commit.puts.push_back({"more", "v", {}});
  EXPECT_EQ(CodeOf(store().Apply(commit)), absl::StatusCode::kInvalidArgument);

  // Bytes: eight values, their one-byte keys counted.
  Commit large;
  for (char c = 'a'; c < 'i'; ++c) {
    large.puts.push_back(
        {std::string(1, c), std::string(kMaxCommitBytes / 8 - 1, c), {}});
  }
  EXPECT_EQ(MustApply(large), Revision(3));
  large.puts.back().value.push_back('!');
  EXPECT_EQ(CodeOf(store().Apply(large)), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(store().Stats()->revision, Revision(3));
}

TEST_P(StoreConformance, SaysEverythingThatIsWrongWithACommit) {
  Commit commit;
  commit.puts.push_back({"", "v", {}});
  commit.puts.push_back({"twice", "v", {}});
  commit.puts.push_back({"large", std::string(kMaxValueBytes + 1, 'v'), {}});
  commit.deletes.push_back("twice");
  commit.preconditions.push_back(Precondition::ModRevision("a", Revision(-1)));
  const auto applied = store().Apply(commit);
  ASSERT_EQ(CodeOf(applied), absl::StatusCode::kInvalidArgument);
  for (const char* words :
       {"empty key", "\"twice\" twice", "\"large\"", "negative revision"}) {
    EXPECT_TRUE(absl::StrContains(applied.status().message(), words))
        << words << ": " << applied.status();
  }
}

// ----------------------------------------------------------- replacements

Replacement ReplaceBy(std::optional<Revision> expected,
                      const std::vector<std::string>& keys,
                      const std::string& value) {
  Replacement replacement;
  replacement.expected = expected;
  for (const std::string& key : keys) {
    replacement.puts.push_back({key, value, {}});
  }
  return replacement;
}

TEST_P(StoreConformance, ReplacesEverythingInOneRevision) {
  MustApply(PutAll({"a/1", "a/2", "b/1", "c/1", "d"}, "old"));
  MustPut("b/1", "newer");
  const Revision before = MustDelete("c/1");
  // More than one commit takes.
  std::vector<std::string> keys = {"a/1", "b/2"};
  for (size_t i = 0; i < kMaxCommitOperations; ++i) {
    keys.push_back(absl::StrFormat("z/%05d", i));
  }
  Replacement replacement = ReplaceBy(before, keys, "new");
  // The second is within the first.
  replacement.kept_prefixes = {"b/", "b/1", "e"};
  replacement.puts.push_back({"b/3", "put among the kept", {}});
  const absl::StatusOr<Revision> revision = store().Replace(replacement);
  ASSERT_TRUE(revision.ok()) << revision.status();
  EXPECT_EQ(revision->value(), before.value() + 1);
  EXPECT_EQ(Listed("a"), "a/1=new");
  EXPECT_EQ(Listed("b"), "b/1=newer b/2=new b/3=put among the kept");
  EXPECT_EQ(Listed("c"), "");
  EXPECT_EQ(Listed("d"), "");
  EXPECT_EQ(ValueOf(keys.back()), "new");
  const auto got = store().Get("a/1");
  EXPECT_EQ(got->record->create_revision, *revision);
  EXPECT_EQ(got->record->version, 1);
  const auto stats = store().Stats();
  EXPECT_EQ(stats->records, static_cast<int64_t>(keys.size()) + 2);
  EXPECT_EQ(stats->history_entries, 0);
  // And it goes on from there, also after a restart.
  Reopen();
  EXPECT_EQ(store().Stats()->revision, *revision);
  EXPECT_EQ(Listed("b"), "b/1=newer b/2=new b/3=put among the kept");
  EXPECT_EQ(MustPut("b/2", "then").value(), revision->value() + 1);
  EXPECT_EQ(ValueAt("b/2", *revision), "new");
}

TEST_P(StoreConformance, ReplacesWhateverThereIs) {
  const Revision before = MustPut("a", "1");
  const absl::StatusOr<Revision> revision =
      store().Replace(ReplaceBy(std::nullopt, {"b"}, "2"));
  ASSERT_TRUE(revision.ok()) << revision.status();
  EXPECT_EQ(revision->value(), before.value() + 1);
  EXPECT_EQ(Listed(""), "b=2");
}

TEST_P(StoreConformance, BeginsItsHistoryAnewWithAReplacement) {
  const Revision first = MustPut("a", "1");
  const auto watcher = store().Watch("", first);
  ASSERT_TRUE(watcher.ok());
  const Revision before = MustPut("a", "2");
  const absl::StatusOr<Revision> revision =
      store().Replace(ReplaceBy(before, {"b"}, "3"));
  ASSERT_TRUE(revision.ok()) << revision.status();
  EXPECT_EQ(CodeOf((*watcher)->Next(kLong)), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(CodeOf(store().Get("a", before)), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(CodeOf(store().Watch("", before)), absl::StatusCode::kOutOfRange);
  ListRequest list;
  list.at = before;
  EXPECT_EQ(CodeOf(store().List(list)), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(ValueAt("b", *revision), "3");
  const auto next = store().Watch("", *revision);
  ASSERT_TRUE(next.ok()) << next.status();
  MustPut("c", "4");
  EXPECT_EQ(Text((*next)->Next(kLong)), "4+c=4@4");
}

TEST_P(StoreConformance, ReplacesNothingThatCannotBeReplaced) {
  const Revision first = MustPut("a", "1");
  MustPut("a", "2");
  EXPECT_EQ(CodeOf(store().Replace(ReplaceBy(first, {"b"}, "3"))),
            absl::StatusCode::kAborted);
  const Revision now = store().Stats()->revision;
  Replacement replacement = ReplaceBy(std::nullopt, {"b"}, "3");
  replacement.puts[0].blobs.push_back(BlobDigest::Of("nothing"));
  EXPECT_EQ(CodeOf(store().Replace(replacement)),
            absl::StatusCode::kFailedPrecondition);
  for (const Replacement& bad :
       {ReplaceBy(now, {"b", "b"}, "3"), ReplaceBy(now, {""}, "3"),
        ReplaceBy(now, {std::string(kMaxKeyBytes + 1, 'k')}, "3"),
        ReplaceBy(now, {"b"}, std::string(kMaxValueBytes + 1, 'v'))}) {
    EXPECT_EQ(CodeOf(store().Replace(bad)), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(Listed(""), "a=2");
  EXPECT_EQ(ValueAt("a", first), "1");
}

TEST_P(StoreConformance, CollectsTheBlobsThatAReplacementLeavesBehind) {
  FakeClock clock(absl::FromUnixSeconds(1000000));
  EngineOptions options;
  options.clock = &clock;
  store(options);
  const BlobDigest old_one = MustUpload("old");
  const BlobDigest both = MustUpload("both");
  const BlobDigest kept = MustUpload("kept");
  Commit commit;
  commit.puts.push_back({"a", "1", {old_one, both}});
  commit.puts.push_back({"kept", "1", {kept}});
  const Revision before = MustApply(commit);
  const BlobDigest new_one = MustUpload("new");
  Replacement replacement = ReplaceBy(before, {"b"}, "2");
  replacement.puts[0].blobs = {new_one, both};
  replacement.kept_prefixes = {"kept"};
  ASSERT_TRUE(store().Replace(replacement).ok());
  EXPECT_EQ(*store().CollectGarbage(), 0);
  clock.Advance(options.blob_grace + absl::Seconds(1));
  EXPECT_EQ(*store().CollectGarbage(), 1);
  EXPECT_EQ(CodeOf(store().OpenBlob(old_one)), absl::StatusCode::kNotFound);
  EXPECT_EQ(BlobText(both), "both");
  EXPECT_EQ(BlobText(new_one), "new");
  EXPECT_EQ(BlobText(kept), "kept");
}

// ------------------------------------------------------------------- reads

TEST_P(StoreConformance, ReadsThePast) {
  MustPut("a", "1");
  MustPut("b", "1");
  MustPut("a", "2");
  MustDelete("a");
  MustPut("a", "5");
  EXPECT_EQ(ValueAt("a", Revision(0)), "(none)");
  EXPECT_EQ(ValueAt("a", Revision(1)), "1");
  EXPECT_EQ(ValueAt("a", Revision(2)), "1");
  EXPECT_EQ(ValueAt("a", Revision(3)), "2");
  EXPECT_EQ(ValueAt("a", Revision(4)), "(none)");
  EXPECT_EQ(ValueAt("a", Revision(5)), "5");
  EXPECT_EQ(CodeOf(store().Get("a", Revision(6))),
            absl::StatusCode::kOutOfRange);
  EXPECT_EQ(CodeOf(store().Get("a", Revision(-1))),
            absl::StatusCode::kInvalidArgument);

  const char* expected[] = {"", "a=1", "a=1 b=1", "a=2 b=1", "b=1", "a=5 b=1"};
  for (int64_t at = 0; at <= 5; ++at) {
    ListRequest request;
    request.at = Revision(at);
    const auto page = store().List(request);
    ASSERT_TRUE(page.ok()) << page.status();
    EXPECT_EQ(page->revision, Revision(at));
    std::vector<std::string> texts;
    for (const Record& record : page->records) {
      texts.push_back(absl::StrCat(record.key, "=", record.value));
    }
    EXPECT_EQ(absl::StrJoin(texts, " "), expected[at]) << at;
  }
  ListRequest request;
  request.at = Revision(6);
  EXPECT_EQ(CodeOf(store().List(request)), absl::StatusCode::kOutOfRange);
}

TEST_P(StoreConformance, ListsByPrefixInTheOrderOfBytes) {
  for (const char* key : {"b", "a/2", "a/10", "a", "a0", "a/", "\xff\xff",
                          "\xff", "A", "a/\xff"}) {
    MustPut(key, "");
  }
  EXPECT_EQ(Listed("a/"), "a/= a/10= a/2= a/\xff=");
  EXPECT_EQ(Listed("a"), "a= a/= a/10= a/2= a/\xff= a0=");
  EXPECT_EQ(Listed("\xff"), "\xff= \xff\xff=");
  EXPECT_EQ(Listed("a/\xff"), "a/\xff=");
  EXPECT_EQ(Listed("c"), "");
  for (size_t limit : {1, 2, 3, 9, 10, 11, 100000}) {
    EXPECT_EQ(Listed("", limit),
              "A= a= a/= a/10= a/2= a/\xff= a0= b= \xff= \xff\xff=");
  }
}

TEST_P(StoreConformance, ListsAfterAKey) {
  MustApply(PutAll({"a", "b/1", "b/2", "b/3", "c"}, "v"));
  const auto keys = [this](const std::string& prefix,
                           const std::string& start_after, size_t limit) {
    ListRequest request;
    request.prefix = prefix;
    request.start_after = start_after;
    request.limit = limit;
    const auto page = store().List(request);
    if (!page.ok()) return page.status().ToString();
    std::string text;
    for (const Record& record : page->records) {
      absl::StrAppend(&text, record.key, " ");
    }
    return absl::StrCat(text, page->more ? "more" : "end");
  };
  EXPECT_EQ(keys("b/", "b/1", 10), "b/2 b/3 end");
  EXPECT_EQ(keys("b/", "b/1", 2), "b/2 b/3 end");
  EXPECT_EQ(keys("b/", "b/1", 1), "b/2 more");
  EXPECT_EQ(keys("b/", "a", 10), "b/1 b/2 b/3 end");
  EXPECT_EQ(keys("b/", "b/", 10), "b/1 b/2 b/3 end");
  EXPECT_EQ(keys("b/", "b/1x", 10), "b/2 b/3 end");
  EXPECT_EQ(keys("b/", "b/3", 10), "end");
  EXPECT_EQ(keys("b/", "c", 10), "end");
  EXPECT_EQ(keys("", "b/3", 10), "c end");
  ListRequest none;
  none.limit = 0;
  EXPECT_EQ(CodeOf(store().List(none)), absl::StatusCode::kInvalidArgument);
}

TEST_P(StoreConformance, ListsKeysWithoutValues) {
  const BlobDigest digest = MustUpload("blob");
  Commit commit;
  commit.puts.push_back({"a", "value", {digest}});
  MustApply(commit);
  ListRequest request;
  request.what = ListRequest::What::kKeysOnly;
  const auto page = store().List(request);
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->records.size(), 1u);
  EXPECT_EQ(page->records[0].key, "a");
  EXPECT_EQ(page->records[0].value, "");
  EXPECT_TRUE(page->records[0].blobs.empty());
  EXPECT_EQ(page->records[0].mod_revision, Revision(1));
  EXPECT_EQ(page->records[0].version, 1);
}

TEST_P(StoreConformance, EndsAPageByItsBytesToo) {
  const std::string value(kMaxValueBytes, 'v');
  for (int i = 0; i < 6; ++i) MustPut(absl::StrCat("k", i), value);
  ListRequest request;
  request.limit = 100;
  auto page = store().List(request);
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(page->records.size(), kMaxPageBytes / kMaxValueBytes);
  EXPECT_TRUE(page->more);
  request.Continue(*page);
  page = store().List(request);
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(page->records.size(), 6 - kMaxPageBytes / kMaxValueBytes);
  EXPECT_FALSE(page->more);
}

TEST_P(StoreConformance, ShowsOneStateOnAllPages) {
  for (int i = 0; i < 10; ++i) MustPut(absl::StrCat("k", i), "before");
  ListRequest request;
  request.limit = 3;
  std::string listed;
  bool more = true;
  while (more) {
    const auto page = store().List(request);
    ASSERT_TRUE(page.ok()) << page.status();
    EXPECT_EQ(page->revision, Revision(10));
    for (const Record& record : page->records) {
      EXPECT_EQ(record.value, "before");
      absl::StrAppend(&listed, record.key, " ");
    }
    more = page->more;
    request.Continue(*page);
    // Between the pages everything changes.
    for (int i = 0; i < 10; i += 2) MustPut(absl::StrCat("k", i), "after");
    MustDelete("k9");
    MustPut("k5x", "new");
  }
  EXPECT_EQ(listed, "k0 k1 k2 k3 k4 k5 k6 k7 k8 k9 ");
}

TEST_P(StoreConformance, ListsAndWatchesAHundredThousandKeys) {
  constexpr int kKeys = 100000;
  constexpr int kInCommit = 1000;
  for (int i = 0; i < kKeys; i += kInCommit) {
    Commit commit;
    for (int j = i; j < i + kInCommit; ++j) {
      // Not in order: 7 has no divisor in common with 100,000.
      commit.puts.push_back(
          {absl::StrFormat("domains/%06d", j * 7 % kKeys), "value", {}});
    }
    MustApply(commit);
  }
  MustPut("zzz", "behind");

  int listed = 0;
  ListRequest request;
  request.prefix = "domains/";
  while (true) {
    const auto page = store().List(request);
    ASSERT_TRUE(page.ok()) << page.status();
    for (const Record& record : page->records) {
      ASSERT_EQ(record.key, absl::StrFormat("domains/%06d", listed));
      ++listed;
    }
    if (!page->more) break;
    ASSERT_EQ(page->records.size(), 1000u);
    request.Continue(*page);
  }
  EXPECT_EQ(listed, kKeys);

  auto watcher = store().Watch("domains/", Revision());
  ASSERT_TRUE(watcher.ok()) << watcher.status();
  int watched = 0;
  Revision last;
  while (last < Revision(kKeys / kInCommit)) {
    const auto batch = (*watcher)->Next(kLong);
    ASSERT_TRUE(batch.ok()) << batch.status();
    EXPECT_LE(batch->changes.size(), kMaxBatchChanges + kMaxCommitOperations);
    watched += static_cast<int>(batch->changes.size());
    last = batch->revision;
  }
  EXPECT_EQ(watched, kKeys);
  EXPECT_EQ(store().Stats()->records, kKeys + 1);
}

// ----------------------------------------------------------------- watches

TEST_P(StoreConformance, WatchesEverythingInTheOrderOfCommits) {
  MustPut("b", "1");
  MustApply(PutAll({"c", "a"}, "2"));
  MustDelete("b");
  auto watcher = store().Watch("", Revision());
  ASSERT_TRUE(watcher.ok()) << watcher.status();
  EXPECT_EQ(Text((*watcher)->Next(kLong)), "1+b=1 2+a=2 2+c=2 3-b@3");
  EXPECT_EQ(Text((*watcher)->Next(absl::ZeroDuration())), "@3");
  MustPut("d", "4");
  EXPECT_EQ(Text((*watcher)->Next(absl::ZeroDuration())), "4+d=4@4");

  auto later = store().Watch("", Revision(2));
  EXPECT_EQ(Text((*later)->Next(kLong)), "3-b 4+d=4@4");
}

TEST_P(StoreConformance, WatchesUnderAPrefixOnly) {
  auto watcher = store().Watch("a/", Revision());
  MustPut("b", "1");
  MustPut("a/1", "2");
  MustPut("a", "3");
  MustPut("a0", "4");
  EXPECT_EQ(Text((*watcher)->Next(kLong)), "2+a/1=2@4");
  MustPut("b", "5");
  // Its place moves on, too.
  EXPECT_EQ(Text((*watcher)->Next(absl::ZeroDuration())), "@5");
}

TEST_P(StoreConformance, SaysWhichVersionAWatchedRecordHas) {
  const BlobDigest digest = MustUpload("blob");
  auto watcher = store().Watch("", Revision());
  MustPut("a", "1");
  Commit commit;
  commit.puts.push_back({"a", "2", {digest}});
  MustApply(commit);
  const auto batch = (*watcher)->Next(kLong);
  ASSERT_TRUE(batch.ok()) << batch.status();
  ASSERT_EQ(batch->changes.size(), 2u);
  EXPECT_EQ(batch->changes[0].record.version, 1);
  EXPECT_EQ(batch->changes[1].record.version, 2);
  EXPECT_EQ(batch->changes[1].record.create_revision, Revision(1));
  EXPECT_EQ(batch->changes[1].record.blobs, std::vector<BlobDigest>{digest});
}

TEST_P(StoreConformance, RefusesToWatchFromWhereItCannot) {
  MustPut("a", "1");
  EXPECT_TRUE(store().Watch("", Revision(1)).ok());
  EXPECT_EQ(CodeOf(store().Watch("", Revision(2))),
            absl::StatusCode::kOutOfRange);
  EXPECT_EQ(CodeOf(store().Watch("", Revision(-1))),
            absl::StatusCode::kInvalidArgument);
}

TEST_P(StoreConformance, WakesAWatcherThatWaits) {
  auto watcher = store().Watch("a", Revision());
  std::string seen;
  std::thread waiting([&] { seen = Text((*watcher)->Next(kLong)); });
  MustPut("b", "not this one");
  MustPut("a", "this one");
  waiting.join();
  EXPECT_EQ(seen, "2+a=this one@2");
}

TEST_P(StoreConformance, GivesUpWaitingAtTheTimeout) {
  MustPut("b", "1");
  auto watcher = store().Watch("a", Revision());
  const absl::Time start = absl::Now();
  EXPECT_EQ(Text((*watcher)->Next(absl::Milliseconds(50))), "@1");
  EXPECT_GE(absl::Now() - start, absl::Milliseconds(49));
}

TEST_P(StoreConformance, CancelsAWatcherThatWaits) {
  auto watcher = store().Watch("", Revision());
  absl::StatusCode code = absl::StatusCode::kOk;
  std::thread waiting([&] { code = CodeOf((*watcher)->Next(kLong)); });
  (*watcher)->Cancel();
  waiting.join();
  EXPECT_EQ(code, absl::StatusCode::kCancelled);
  MustPut("a", "1");
  EXPECT_EQ(CodeOf((*watcher)->Next(kLong)), absl::StatusCode::kCancelled);
}

TEST_P(StoreConformance, KeepsACommitTogetherInOneBatch) {
  Commit commit;
  for (int i = 0; i < 700; ++i) {
    commit.puts.push_back({absl::StrFormat("k%03d", i), "v", {}});
  }
  for (int i = 0; i < 5; ++i) MustApply(commit);
  auto watcher = store().Watch("", Revision());
  Revision last;
  int batches = 0;
  while (last < Revision(5)) {
    const auto batch = (*watcher)->Next(kLong);
    ASSERT_TRUE(batch.ok()) << batch.status();
    ++batches;
    EXPECT_EQ(batch->changes.size() % 700, 0u);
    EXPECT_LT(batch->changes.size(), kMaxBatchChanges + 700);
    last = batch->revision;
    EXPECT_EQ(batch->changes.back().record.mod_revision, last);
  }
  EXPECT_EQ(batches, 3);
}

TEST_P(StoreConformance, EndsABatchByItsBytesToo) {
  const std::string value(kMaxValueBytes, 'v');
  for (int i = 0; i < 6; ++i) MustPut("k", value);
  auto watcher = store().Watch("", Revision());
  EXPECT_EQ((*watcher)->Next(kLong)->revision, Revision(4));
  EXPECT_EQ((*watcher)->Next(kLong)->revision, Revision(6));
}

// ----------------------------------------------------------------- history

TEST_P(StoreConformance, KeepsTheHistoryItPromisesAndCompactsTheRest) {
  EngineOptions options;
  options.history_revisions = 10;
  store(options);
  auto overtaken = store().Watch("", Revision());
  auto attentive = store().Watch("", Revision());
  constexpr int64_t kCommits = 1500;
  for (int64_t i = 1; i <= kCommits; ++i) {
    if (i % 3 == 0) {
      MustDelete("deleted");
    } else if (i % 3 == 1) {
      MustPut("deleted", absl::StrCat(i));
    } else {
      MustPut(absl::StrCat("k", i % 7), absl::StrCat(i));
    }
    ASSERT_TRUE((*attentive)->Next(absl::ZeroDuration()).ok());
  }
  // The last ten are there ...
  for (int64_t i = kCommits - 9; i <= kCommits; ++i) {
    const auto got = store().Get("deleted", Revision(i));
    ASSERT_TRUE(got.ok()) << got.status();
    EXPECT_EQ(got->record.has_value(), i % 3 != 0) << i;
    EXPECT_TRUE(store().Watch("", Revision(i)).ok()) << i;
  }
  auto watcher = store().Watch("", Revision(kCommits - 9));
  EXPECT_EQ((*watcher)->Next(kLong)->changes.size(), 9u);
  // ... and those of long ago are not.
  const auto stats = store().Stats();
  ASSERT_TRUE(stats.ok()) << stats.status();
  EXPECT_LE(stats->compacted, Revision(kCommits - 9));
  EXPECT_GE(stats->compacted, Revision(kCommits - 9 - 1000));
  EXPECT_LE(stats->history_entries, 10 + 1000);
  const Revision gone(stats->compacted.value() - 1);
  EXPECT_EQ(CodeOf(store().Get("k1", gone)), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(CodeOf(store().Watch("", gone)), absl::StatusCode::kOutOfRange);
  ListRequest request;
  request.at = gone;
  EXPECT_EQ(CodeOf(store().List(request)), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(CodeOf(store().Apply(
                WithPrecondition(Precondition::PrefixNotPutAfter("", gone)))),
            absl::StatusCode::kOutOfRange);
  EXPECT_EQ(CodeOf((*overtaken)->Next(kLong)), absl::StatusCode::kOutOfRange);
  request.at = stats->compacted;
  EXPECT_TRUE(store().List(request).ok());
}

TEST_P(StoreConformance, MovesAWatcherOnWhenNothingOfItsPrefixChanges) {
  EngineOptions options;
  options.history_revisions = 5;
  store(options);
  auto watcher = store().Watch("quiet", Revision());
  for (int i = 0; i < 1500; ++i) {
    MustPut("busy", absl::StrCat(i));
    if (i % 3 == 0) {
      ASSERT_TRUE((*watcher)->Next(absl::ZeroDuration()).ok());
    }
  }
  MustPut("quiet", "now");
  EXPECT_EQ(Text((*watcher)->Next(kLong)), "1501+quiet=now@1501");
}

// ------------------------------------------------------------------- blobs

std::string Content(size_t len) {
  std::mt19937_64 random(len);
  std::string content(len, '\0');
  for (char& c : content) c = static_cast<char>(random());
  return content;
}

TEST_P(StoreConformance, KeepsBlobsOfAnySize) {
  for (size_t len :
       {size_t{0}, size_t{1}, kBlobPieceBytes - 1, kBlobPieceBytes,
        kBlobPieceBytes + 1, 3 * kBlobPieceBytes + kBlobPieceBytes / 2}) {
    const std::string content = Content(len);
    const BlobDigest digest = MustUpload(content);
    EXPECT_EQ(digest, BlobDigest::Of(content));
    EXPECT_EQ(BlobText(digest), content) << len;
  }
}

TEST_P(StoreConformance, TakesABlobInPiecesOfAnySize) {
  const std::string content = Content(2 * kBlobPieceBytes + 12345);
  auto writer = store().NewBlob();
  ASSERT_TRUE(writer.ok()) << writer.status();
  absl::string_view rest = content;
  for (size_t len = 1; !rest.empty(); len = len * 3 + 1) {
    ASSERT_TRUE((*writer)->Append(rest.substr(0, len)).ok());
    rest.remove_prefix(std::min(len, rest.size()));
    ASSERT_TRUE((*writer)->Append("").ok());
  }
  const auto digest = (*writer)->Finish();
  ASSERT_TRUE(digest.ok()) << digest.status();
  EXPECT_EQ(BlobText(*digest), content);
  EXPECT_FALSE((*writer)->Append("more").ok());
  EXPECT_FALSE((*writer)->Finish().ok());
}

TEST_P(StoreConformance, TakesBlobsOfUpToTheLimit) {
  const std::string piece(kBlobPieceBytes, 'b');
  auto writer = store().NewBlob();
  ASSERT_TRUE(writer.ok()) << writer.status();
  auto over = store().NewBlob();
  ASSERT_TRUE(over.ok()) << over.status();
  for (uint64_t i = 0; i < kMaxBlobBytes / kBlobPieceBytes; ++i) {
    ASSERT_TRUE((*writer)->Append(piece).ok());
    ASSERT_TRUE((*over)->Append(piece).ok());
  }
  const auto digest = (*writer)->Finish();
  ASSERT_TRUE(digest.ok()) << digest.status();
  EXPECT_EQ((*store().OpenBlob(*digest))->size(), kMaxBlobBytes);
  EXPECT_EQ(CodeOf((*over)->Append("b")), absl::StatusCode::kResourceExhausted);
  EXPECT_FALSE((*over)->Finish().ok());
}

TEST_P(StoreConformance, KeepsABlobOnceHoweverOftenItComes) {
  const std::string content = Content(kBlobPieceBytes + 1);
  EXPECT_EQ(MustUpload(content), MustUpload(content));
  EXPECT_EQ(store().Stats()->blobs, 1);
  EXPECT_EQ(store().Stats()->blob_bytes, static_cast<int64_t>(content.size()));
  EXPECT_EQ(BlobText(BlobDigest::Of(content)), content);
}

TEST_P(StoreConformance, KnowsNoBlobThatWasNotFinished) {
  const std::string content = Content(2 * kBlobPieceBytes);
  {
    auto writer = store().NewBlob();
    ASSERT_TRUE(writer.ok()) << writer.status();
    ASSERT_TRUE((*writer)->Append(content).ok());
    EXPECT_EQ(CodeOf(store().OpenBlob(BlobDigest::Of(content))),
              absl::StatusCode::kNotFound);
  }
  EXPECT_EQ(CodeOf(store().OpenBlob(BlobDigest::Of(content))),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(store().Stats()->blobs, 0);
}

TEST_P(StoreConformance, RefusesAPutThatNamesABlobThatIsNotThere) {
  const BlobDigest there = MustUpload("there");
  Commit commit;
  commit.puts.push_back({"a", "", {there}});
  commit.puts.push_back({"b", "", {there, BlobDigest::Of("not there")}});
  const auto applied = store().Apply(commit);
  EXPECT_EQ(CodeOf(applied), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(absl::StrContains(applied.status().message(),
                                BlobDigest::Of("not there").ToHex()))
      << applied.status();
  EXPECT_EQ(Listed(""), "");
}

TEST_P(StoreConformance, NamesTheBlobsOfARecordInOrder) {
  std::vector<BlobDigest> digests;
  for (size_t i = 0; i < kMaxBlobsOfRecord; ++i) {
    digests.push_back(MustUpload(absl::StrCat("blob ", i)));
  }
  // The same one twice is as good as any.
  digests.back() = digests.front();
  Commit commit;
  commit.puts.push_back({"a", "v", digests});
  MustApply(commit);
  EXPECT_EQ(store().Get("a")->record->blobs, digests);
  commit.puts[0].blobs.push_back(digests[0]);
  EXPECT_EQ(CodeOf(store().Apply(commit)), absl::StatusCode::kInvalidArgument);
}

TEST_P(StoreConformance, CollectsOnlyBlobsThatNothingNamesForTheGrace) {
  FakeClock clock(absl::FromUnixSeconds(1700000000));
  EngineOptions options;
  options.history_revisions = 3;
  options.blob_grace = absl::Hours(1);
  options.clock = &clock;
  store(options);
  const BlobDigest named = MustUpload("named");
  const BlobDigest in_history = MustUpload("in history");
  const BlobDigest nobodys = MustUpload("nobody's");
  const BlobDigest again = MustUpload("uploaded again");
  Commit commit;
  commit.puts.push_back({"a", "", {named, in_history}});
  MustApply(commit);
  commit.puts[0].blobs = {named};
  MustApply(commit);

  clock.Advance(absl::Minutes(59));
  MustUpload("uploaded again");
  auto reader = store().OpenBlob(nobodys);
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ(store().CollectGarbage().value(), 0);
  clock.Advance(absl::Minutes(2));
  EXPECT_EQ(store().CollectGarbage().value(), 1);
  EXPECT_EQ(BlobText(named), "named");
  EXPECT_EQ(BlobText(in_history), "in history");
  EXPECT_EQ(BlobText(again), "uploaded again");
  EXPECT_EQ(CodeOf(store().OpenBlob(nobodys)), absl::StatusCode::kNotFound);
  EXPECT_EQ(CodeOf((*reader)->Read()), absl::StatusCode::kNotFound);

  // The record that names it leaves the history, at the latest now.
  for (int i = 0; i < 1100; ++i) MustPut("other", "");
  // Its grace begins then, not with its upload.
  EXPECT_EQ(store().CollectGarbage().value(), 0);
  clock.Advance(absl::Hours(2));
  EXPECT_EQ(store().CollectGarbage().value(), 2);
  EXPECT_EQ(BlobText(named), "named");
  EXPECT_EQ(CodeOf(store().OpenBlob(in_history)), absl::StatusCode::kNotFound);
  EXPECT_EQ(store().Stats()->blobs, 1);

  MustDelete("a");
  for (int i = 0; i < 1100; ++i) MustPut("other", "");
  clock.Advance(absl::Hours(2));
  EXPECT_EQ(store().CollectGarbage().value(), 1);
  EXPECT_EQ(store().Stats()->blobs, 0);
  EXPECT_EQ(store().Stats()->blob_bytes, 0);
}

TEST_P(StoreConformance, HasALimitOfOpenUploads) {
  std::vector<std::unique_ptr<BlobWriter>> open;
  for (size_t i = 0; i < kMaxOpenUploads; ++i) {
    auto writer = store().NewBlob();
    ASSERT_TRUE(writer.ok()) << i << ": " << writer.status();
    open.push_back(std::move(*writer));
  }
  EXPECT_EQ(CodeOf(store().NewBlob()), absl::StatusCode::kResourceExhausted);
  open.pop_back();
  EXPECT_TRUE(store().NewBlob().ok());
  // Those that finished do not count, once they are gone.
  ASSERT_TRUE(open.back()->Finish().ok());
  open.pop_back();
  EXPECT_TRUE(store().NewBlob().ok());
}

TEST_P(StoreConformance, ReadsABlobWhileAnotherIsWritten) {
  const std::string content = Content(4 * kBlobPieceBytes);
  const BlobDigest digest = MustUpload(content);
  std::vector<std::thread> threads;
  threads.reserve(3);
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(BlobText(digest), content);
        MustUpload(absl::StrCat(content, t, i));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(store().Stats()->blobs, 10);
}

// ------------------------------------------------------------- concurrency

TEST_P(StoreConformance, LosesNoUpdateOfWritersThatRace) {
  constexpr int kThreads = 8;
  constexpr int kIncrements = 40;
  MustPut("counter", "0");
  std::atomic<int> aborted{0};
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int done = 0; done < kIncrements;) {
        const Record record = *store().Get("counter")->record;
        Commit commit;
        commit.preconditions.push_back(Precondition::Unchanged(record));
        commit.puts.push_back(
            {"counter", absl::StrCat(std::stoi(record.value) + 1), {}});
        const auto applied = store().Apply(commit);
        if (applied.ok()) {
          ++done;
        } else {
          ASSERT_EQ(CodeOf(applied), absl::StatusCode::kAborted)
              << applied.status();
          ++aborted;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(ValueOf("counter"), absl::StrCat(kThreads * kIncrements));
  EXPECT_EQ(store().Get("counter")->record->version,
            kThreads * kIncrements + 1);
  EXPECT_EQ(store().Stats()->revision, Revision(kThreads * kIncrements + 1));
}

TEST_P(StoreConformance, ShowsWatchersEveryCommitOnceAndInOrder) {
  constexpr int64_t kWriters = 4;
  constexpr int64_t kCommits = 150;
  constexpr Revision kEnd(kWriters * kCommits);
  store();  // Made before the threads use it.
  std::vector<std::thread> threads;
  threads.reserve(3 + kWriters);
  for (int w = 0; w < 3; ++w) {
    threads.emplace_back([this, w, kEnd] {
      // One of them sleeps through part of it.
      auto watcher = store().Watch("", Revision());
      ASSERT_TRUE(watcher.ok()) << watcher.status();
      std::map<std::string, std::string> state;
      Revision last;
      int64_t changes = 0;
      while (last < kEnd) {
        const auto batch = (*watcher)->Next(kLong);
        ASSERT_TRUE(batch.ok()) << batch.status();
        Revision in_batch = last;
        for (const Change& change : batch->changes) {
          // No revision is left out, and none comes again.
          ASSERT_GE(change.record.mod_revision, in_batch);
          ASSERT_LE(change.record.mod_revision.value(), in_batch.value() + 1);
          in_batch = change.record.mod_revision;
          ++changes;
          if (change.kind == Change::Kind::kPut) {
            state[change.record.key] = change.record.value;
          } else {
            ASSERT_EQ(state.erase(change.record.key), 1u);
          }
        }
        last = batch->revision;
        ASSERT_EQ(in_batch, last);
        if (w == 2) std::this_thread::yield();
      }
      std::vector<std::string> texts;
      texts.reserve(state.size());
      for (const auto& entry : state) {
        texts.push_back(absl::StrCat(entry.first, "=", entry.second));
      }
      EXPECT_EQ(absl::StrJoin(texts, " "), Listed(""));
      EXPECT_GE(changes, kEnd.value() * 2);
    });
  }
  for (int w = 0; w < kWriters; ++w) {
    threads.emplace_back([this, w] {
      for (int i = 0; i < kCommits; ++i) {
        Commit commit;
        commit.puts.push_back({absl::StrCat("w", w), absl::StrCat(i), {}});
        commit.puts.push_back({absl::StrCat("w", w, "/", i), "", {}});
        if (i > 10) commit.deletes.push_back(absl::StrCat("w", w, "/", i - 10));
        MustApply(commit);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_P(StoreConformance, ShowsReadersWholeCommits) {
  std::atomic<bool> done{false};
  MustApply(PutAll({"p/a", "p/b", "p/c"}, "0"));
  std::vector<std::thread> threads;
  threads.reserve(3);
  for (int r = 0; r < 3; ++r) {
    threads.emplace_back([&] {
      Revision last;
      while (!done) {
        ListRequest request;
        request.prefix = "p/";
        const auto page = store().List(request);
        ASSERT_TRUE(page.ok()) << page.status();
        ASSERT_EQ(page->records.size(), 3u);
        for (const Record& record : page->records) {
          ASSERT_EQ(record.value, page->records[0].value);
          ASSERT_EQ(record.mod_revision, page->records[0].mod_revision);
        }
        // What one thread reads never goes back.
        ASSERT_GE(page->revision, last);
        last = page->revision;
      }
    });
  }
  for (int i = 1; i <= 200; ++i) {
    MustApply(PutAll({"p/a", "p/b", "p/c"}, absl::StrCat(i)));
    // What was acknowledged is read from then on.
    ASSERT_EQ(ValueOf("p/b"), absl::StrCat(i));
  }
  done = true;
  for (std::thread& thread : threads) thread.join();
}

// ------------------------------------------------------------------- model

// A random walk beside a model that keeps a whole map for each revision.
TEST_P(StoreConformance, DoesWhatAPlainModelDoes) {
  EngineOptions options;
  options.history_revisions = 50;
  store(options);
  std::mt19937 random(20260131);
  const auto pick = [&random](int n) {
    return static_cast<int>(random() % static_cast<unsigned>(n));
  };
  const auto key = [&] { return absl::StrCat(pick(3), "/", pick(8)); };
  struct Version {
    std::string value;
    int64_t create, mod, version;
  };
  using Model = std::map<std::string, Version>;
  std::vector<Model> past = {Model()};
  for (int step = 0; step < 1500; ++step) {
    const Model& now = past.back();
    const auto next = static_cast<int64_t>(past.size());
    Commit commit;
    std::set<std::string> touched;
    Model after = now;
    for (int i = pick(4); i > 0; --i) {
      const std::string k = key();
      if (!touched.insert(k).second) continue;
      if (pick(3) == 0) {
        commit.deletes.push_back(k);
        after.erase(k);
      } else {
        const std::string value = absl::StrCat("v", step, ".", i);
        commit.puts.push_back({k, value, {}});
        const auto before = now.find(k);
        after[k] = before == now.end()
                       ? Version{value, next, next, 1}
                       : Version{value, before->second.create, next,
                                 before->second.version + 1};
      }
    }
    bool holds = true;
    for (int i = pick(3); i > 0; --i) {
      const std::string k = key();
      const auto found = now.find(k);
      switch (pick(4)) {
        case 0:
          commit.preconditions.push_back(Precondition::Exists(k));
          holds = holds && found != now.end();
          break;
        case 1:
          commit.preconditions.push_back(Precondition::ModRevision(
              k, Revision(found == now.end() ? 0 : found->second.mod)));
          break;
        case 2: {
          const std::string prefix = k.substr(0, 2);
          commit.preconditions.push_back(Precondition::PrefixEmpty(prefix));
          const auto first = now.lower_bound(prefix);
          holds = holds && (first == now.end() ||
                            !absl::StartsWith(first->first, prefix));
          break;
        }
        default: {
          const std::string prefix = k.substr(0, 2);
          const int64_t since = std::max<int64_t>(0, next - 1 - pick(5));
          commit.preconditions.push_back(
              Precondition::PrefixNotPutAfter(prefix, Revision(since)));
          for (const auto& entry : now) {
            if (absl::StartsWith(entry.first, prefix) &&
                entry.second.mod > since) {
              holds = false;
            }
          }
        }
      }
    }
    const auto applied = store().Apply(commit);
    if (!holds) {
      ASSERT_EQ(CodeOf(applied), absl::StatusCode::kAborted) << step;
    } else {
      ASSERT_TRUE(applied.ok()) << applied.status();
      const bool changed = !commit.puts.empty() || after.size() != now.size();
      if (changed) past.push_back(after);
      ASSERT_EQ(applied->value(), static_cast<int64_t>(past.size()) - 1);
    }

    const auto newest = static_cast<int64_t>(past.size()) - 1;
    const int64_t at =
        std::max<int64_t>(0, newest - (pick(2) == 0 ? 0 : pick(50)));
    const Model& then = past[static_cast<size_t>(at)];
    ListRequest request;
    request.at = Revision(at);
    request.prefix = pick(2) == 0 ? "" : absl::StrCat(pick(3), "/");
    request.start_after = pick(2) == 0 ? "" : key();
    request.limit = static_cast<size_t>(pick(12)) + 1;
    const auto page = store().List(request);
    ASSERT_TRUE(page.ok()) << page.status();
    std::vector<std::string> expected;
    bool more = false;
    for (const auto& entry : then) {
      if (!absl::StartsWith(entry.first, request.prefix)) continue;
      if (entry.first <= request.start_after) continue;
      if (expected.size() == request.limit) {
        more = true;
        break;
      }
      expected.push_back(absl::StrCat(
          entry.first, "=", entry.second.value, ":", entry.second.create, ":",
          entry.second.mod, ":", entry.second.version));
    }
    std::vector<std::string> listed;
    for (const Record& record : page->records) {
      listed.push_back(absl::StrCat(
          record.key, "=", record.value, ":", record.create_revision.value(),
          ":", record.mod_revision.value(), ":", record.version));
    }
    ASSERT_EQ(listed, expected) << "step " << step << " at " << at;
    ASSERT_EQ(page->more, more) << step;

    const std::string k = key();
    const auto found = then.find(k);
    ASSERT_EQ(ValueAt(k, Revision(at)),
              found == then.end() ? "(none)" : found->second.value);
    ASSERT_EQ(store().Stats()->records,
              static_cast<int64_t>(past.back().size()));
    if (step % 500 == 499) Reopen();
  }
}

// -------------------------------------------------------------- persistence

TEST_P(StoreConformance, IsTheSameAfterItWasOpenedAgain) {
  const std::string large = Content(2 * kBlobPieceBytes + 1);
  const BlobDigest digest = MustUpload(large);
  MustPut("a", "1");
  Commit commit;
  commit.puts.push_back({"a", "2", {digest}});
  MustApply(commit);
  MustPut("b", "3");
  MustDelete("b");
  const Lineage lineage = store().lineage();
  {
    auto unfinished = store().NewBlob();
    ASSERT_TRUE((*unfinished)->Append(large).ok());
  }
  if (!Reopen()) GTEST_SKIP() << "this engine keeps nothing";

  EXPECT_EQ(store().lineage(), lineage);
  const auto got = store().Get("a");
  ASSERT_TRUE(got.ok() && got->record) << got.status();
  EXPECT_EQ(got->revision, Revision(4));
  EXPECT_EQ(got->record->value, "2");
  EXPECT_EQ(got->record->version, 2);
  EXPECT_EQ(got->record->blobs, std::vector<BlobDigest>{digest});
  EXPECT_EQ(BlobText(digest), large);
  EXPECT_EQ(ValueAt("a", Revision(1)), "1");
  EXPECT_EQ(ValueAt("b", Revision(3)), "3");
  auto watcher = store().Watch("", Revision(1));
  EXPECT_EQ(Text((*watcher)->Next(kLong)), "2+a=2 3+b=3 4-b@4");
  EXPECT_EQ(MustPut("c", "5"), Revision(5));
  EXPECT_EQ(store().Stats()->blobs, 1);
}

}  // namespace
}  // namespace sallyport::store
