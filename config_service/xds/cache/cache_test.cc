#include "config_service/xds/cache/cache.h"

#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "config_service/xds/cache/limits.h"
#include "config_service/xds/cache/wire.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sallyport::xds {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr ResourceType kSecret = ResourceType::kSecret;
constexpr ResourceType kCluster = ResourceType::kCluster;

ResourcePtr Make(ResourceType type, absl::string_view name,
                 absl::string_view content) {
  return Resource::Make(type, name, content).value();
}

Publication Changes(std::vector<ResourcePtr> put,
                    std::vector<ResourceKey> remove = {},
                    uint64_t revision = 0) {
  Publication publication;
  publication.put = std::move(put);
  publication.remove = std::move(remove);
  publication.store_revision = revision;
  return publication;
}

Publication Whole(std::vector<ResourcePtr> put, uint64_t revision = 0) {
  Publication publication = Changes(std::move(put), {}, revision);
  publication.kind = Publication::Kind::kWhole;
  return publication;
}

TEST(ResourceType, IsFoundByItsUrl) {
  for (size_t i = 0; i < kNumResourceTypes; ++i) {
    const auto type = static_cast<ResourceType>(i);
    EXPECT_EQ(FindResourceType(TypeUrl(type)), type);
  }
  EXPECT_EQ(FindResourceType("type.googleapis.com/x.Unknown"), std::nullopt);
  EXPECT_EQ(FindResourceType(""), std::nullopt);
  EXPECT_EQ(TypeName(ResourceType::kFilterChain), "FilterChain");
}

TEST(Resource, HasTheSameVersionForTheSameContentOnly) {
  const std::string version = Make(kSecret, "a", "x")->version();
  EXPECT_EQ(version.size(), 22);
  EXPECT_EQ(Make(kSecret, "a", "x")->version(), version);
  EXPECT_NE(Make(kSecret, "a", "y")->version(), version);
  EXPECT_NE(Make(kSecret, "b", "x")->version(), version);
  EXPECT_NE(Make(kCluster, "a", "x")->version(), version);
}

// Of an earlier run: versions are compared with what proxies kept.
TEST(Resource, HasTheVersionThatItAlwaysHad) {
  EXPECT_EQ(Make(kSecret, "a", "x")->version(), "32fewpch4w9BYPUHU9krOw");
}

TEST(Resource, HoldsTheStateOfTheWorldEntryWithinTheDeltaEntry) {
  const ResourcePtr resource = Make(kSecret, "name", "content");
  std::string any;
  AppendBytes(1, TypeUrl(kSecret), &any);
  AppendBytes(2, "content", &any);
  std::string entry;
  AppendBytes(1, resource->version(), &entry);
  AppendBytes(2, any, &entry);
  AppendBytes(3, "name", &entry);
  std::string delta;
  AppendBytes(2, entry, &delta);
  std::string sotw;
  AppendBytes(2, any, &sotw);

  EXPECT_EQ(*resource->wire(), delta);
  EXPECT_EQ(
      resource->wire()->substr(resource->any_offset(), resource->any_size()),
      sotw);
  EXPECT_EQ(resource->message(), "content");
}

TEST(Resource, RefusesNamesThatCannotBeSent) {
  EXPECT_TRUE(
      Resource::Make(kSecret, std::string(kMaxResourceNameBytes, 'a'), "")
          .ok());
  for (const std::string& name :
       {std::string(), std::string("*"), std::string("\xff"),
        std::string(kMaxResourceNameBytes + 1, 'a')}) {
    const auto made = Resource::Make(kSecret, name, "");
    ASSERT_FALSE(made.ok()) << name;
    EXPECT_EQ(made.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(made.status().message()), HasSubstr("Secret"));
  }
}

TEST(Cache, PublishesAndFinds) {
  Cache cache;
  EXPECT_EQ(cache.FindFleet("f"), nullptr);
  const ResourcePtr a = Make(kSecret, "a", "1");
  EXPECT_EQ(cache.Publish("f", Changes({a}, {}, 7)).value(), 1);
  const auto fleet = cache.FindFleet("f");
  ASSERT_NE(fleet, nullptr);
  EXPECT_EQ(fleet->sequence(), 1);
  EXPECT_EQ(fleet->store_revision(), 7);
  EXPECT_EQ(fleet->Find(kSecret, "a"), a);
  EXPECT_EQ(fleet->Find(kCluster, "a"), nullptr);
  EXPECT_EQ(fleet->Find(kSecret, "b"), nullptr);
  EXPECT_EQ(fleet->num_resources(kSecret), 1);
  EXPECT_THAT(cache.FleetNames(), ElementsAre("f"));
}

TEST(Cache, KeepsFleetsApart) {
  Cache cache;
  ASSERT_TRUE(cache.Publish("f", Changes({Make(kSecret, "a", "1")})).ok());
  ASSERT_TRUE(cache.Publish("g", Changes({})).ok());
  EXPECT_EQ(cache.FindFleet("g")->Find(kSecret, "a"), nullptr);
}

TEST(Cache, CountsTheFirstPublicationAlsoWhenItIsEmpty) {
  Cache cache;
  EXPECT_EQ(cache.GetFleet("f").value()->sequence(), 0);
  EXPECT_EQ(cache.Publish("f", Changes({})).value(), 1);
  EXPECT_EQ(cache.Publish("f", Changes({})).value(), 1);
}

TEST(Cache, TakesNoNewSequenceForWhatIsTheSame) {
  Cache cache;
  ASSERT_TRUE(cache.Publish("f", Changes({Make(kSecret, "a", "1")})).ok());
  EXPECT_EQ(cache.Publish("f", Changes({Make(kSecret, "a", "1")})).value(), 1);
  EXPECT_EQ(cache.Publish("f", Changes({}, {{kSecret, "b"}})).value(), 1);
  EXPECT_EQ(cache.Publish("f", Whole({Make(kSecret, "a", "1")})).value(), 1);
  EXPECT_EQ(cache.Publish("f", Changes({Make(kSecret, "a", "2")})).value(), 2);
}

TEST(Cache, RemovesByNameAndByLeavingOut) {
  Cache cache;
  ASSERT_TRUE(cache
                  .Publish("f", Changes({Make(kSecret, "a", "1"),
                                         Make(kSecret, "b", "1"),
                                         Make(kCluster, "a", "1")}))
                  .ok());
  EXPECT_EQ(cache.Publish("f", Changes({}, {{kSecret, "a"}})).value(), 2);
  const auto fleet = cache.FindFleet("f");
  EXPECT_EQ(fleet->Find(kSecret, "a"), nullptr);
  EXPECT_NE(fleet->Find(kCluster, "a"), nullptr);
  EXPECT_EQ(cache.Publish("f", Whole({Make(kSecret, "c", "1")})).value(), 3);
  EXPECT_EQ(fleet->Find(kSecret, "b"), nullptr);
  EXPECT_EQ(fleet->Find(kCluster, "a"), nullptr);
  ASSERT_EQ(fleet->List(kSecret).size(), 1);
  EXPECT_EQ(fleet->List(kSecret)[0]->name(), "c");
}

TEST(Cache, RefusesContradictions) {
  Cache cache;
  const auto refused = [&](const Publication& publication) {
    const auto result = cache.Publish("f", publication);
    EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(result.status().message());
  };
  EXPECT_THAT(
      refused(Changes({Make(kSecret, "a", "1"), Make(kSecret, "a", "2")})),
      HasSubstr("twice"));
  EXPECT_THAT(refused(Changes({Make(kSecret, "a", "1")}, {{kSecret, "a"}})),
              HasSubstr("twice"));
  EXPECT_THAT(refused(Changes({nullptr})), HasSubstr("empty"));
  Publication whole = Whole({});
  whole.remove.push_back({kSecret, "a"});
  EXPECT_THAT(refused(whole), HasSubstr("remove"));
  ASSERT_TRUE(cache.Publish("f", Changes({}, {}, 5)).ok());
  EXPECT_THAT(refused(Changes({Make(kSecret, "a", "1")}, {}, 4)),
              HasSubstr("revision"));
  EXPECT_EQ(cache.FindFleet("f")->Find(kSecret, "a"), nullptr);
}

TEST(Cache, RefusesMoreFleetsThanTheLimit) {
  Cache cache;
  for (size_t i = 0; i < kMaxFleets; ++i) {
    ASSERT_TRUE(cache.GetFleet(absl::StrCat(i)).ok());
  }
  EXPECT_EQ(cache.GetFleet("one more").status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(cache.GetFleet("1").ok());
}

TEST(Cache, CallsBackUntilToldNotTo) {
  Cache cache;
  std::vector<std::string> published;
  cache.OnPublished([&](const std::shared_ptr<Fleet>& fleet) {
    published.push_back(absl::StrCat(fleet->name(), fleet->sequence()));
  });
  ASSERT_TRUE(cache.Publish("f", Changes({})).ok());
  ASSERT_TRUE(cache.Publish("g", Changes({})).ok());
  ASSERT_TRUE(cache.Publish("f", Changes({Make(kSecret, "a", "1")})).ok());
  cache.OnPublished(nullptr);
  ASSERT_TRUE(cache.Publish("f", Changes({Make(kSecret, "a", "2")})).ok());
  EXPECT_THAT(published, ElementsAre("f1", "g1", "f2"));
}

TEST(Fleet, KnowsWithWhichPublicationARevisionWasComplete) {
  Cache cache;
  ASSERT_TRUE(cache.Publish("f", Changes({}, {}, 10)).ok());
  // Two publications make revision 12: the first carries the one before.
  ASSERT_TRUE(
      cache.Publish("f", Changes({Make(kSecret, "a", "1")}, {}, 10)).ok());
  ASSERT_TRUE(
      cache.Publish("f", Changes({Make(kSecret, "b", "1")}, {}, 12)).ok());
  // Revision 13 changes nothing here.
  ASSERT_TRUE(cache.Publish("f", Changes({}, {}, 13)).ok());
  const auto fleet = cache.FindFleet("f");
  EXPECT_EQ(fleet->SequenceOf(9), 1);
  EXPECT_EQ(fleet->SequenceOf(10), 1);
  EXPECT_EQ(fleet->SequenceOf(11), 3);
  EXPECT_EQ(fleet->SequenceOf(12), 3);
  EXPECT_EQ(fleet->SequenceOf(13), 3);
  EXPECT_EQ(fleet->SequenceOf(14), std::nullopt);
  EXPECT_EQ(fleet->RevisionAt(0), 0);
  EXPECT_EQ(fleet->RevisionAt(1), 10);
  EXPECT_EQ(fleet->RevisionAt(2), 10);
  EXPECT_EQ(fleet->RevisionAt(3), 13);
}

TEST(FleetView, LogsWhatChanged) {
  Cache cache;
  ASSERT_TRUE(cache.Publish("f", Changes({Make(kSecret, "a", "1")})).ok());
  const auto fleet = cache.FindFleet("f");
  FleetReader reader;
  uint64_t position;
  Stamp stamp;
  {
    FleetView view(*fleet);
    view.Add(&reader);
    position = view.log_end(kSecret);
    reader.done[static_cast<size_t>(kSecret)] = position;
    stamp = view.stamp(kSecret, view.Find(kSecret, "a").value());
  }
  ASSERT_TRUE(cache
                  .Publish("f", Changes({Make(kSecret, "a", "2"),
                                         Make(kSecret, "b", "1")}))
                  .ok());
  {
    FleetView view(*fleet);
    EXPECT_EQ(view.log_end(kSecret), position + 2);
    const ResourceId a = view.log_at(kSecret, position);
    EXPECT_EQ(view.name(kSecret, a), "a");
    EXPECT_EQ(view.resource(kSecret, a)->message(), "2");
    EXPECT_NE(view.stamp(kSecret, a), stamp);
    EXPECT_EQ(view.name(kSecret, view.log_at(kSecret, position + 1)), "b");
    view.Remove(&reader);
  }
}

TEST(FleetView, UsesNoIdAgainThatAReaderMayKnow) {
  Cache cache;
  ASSERT_TRUE(cache.Publish("f", Changes({Make(kSecret, "a", "1")})).ok());
  const auto fleet = cache.FindFleet("f");
  FleetReader reader;
  ResourceId a;
  {
    FleetView view(*fleet);
    view.Add(&reader);
    reader.done[static_cast<size_t>(kSecret)] = view.log_end(kSecret);
    a = view.Find(kSecret, "a").value();
  }
  ASSERT_TRUE(cache.Publish("f", Changes({}, {{kSecret, "a"}})).ok());
  ASSERT_TRUE(cache.Publish("f", Changes({Make(kSecret, "b", "1")})).ok());
  {
    FleetView view(*fleet);
    EXPECT_EQ(view.name(kSecret, a), "a");
    EXPECT_NE(view.Find(kSecret, "b"), a);
    reader.done[static_cast<size_t>(kSecret)] = view.log_end(kSecret);
  }
  // The reader is done with it: the next publication forgets it.
  ASSERT_TRUE(cache.Publish("f", Changes({Make(kSecret, "c", "1")})).ok());
  ASSERT_TRUE(cache.Publish("f", Changes({Make(kSecret, "d", "1")})).ok());
  {
    FleetView view(*fleet);
    EXPECT_EQ(view.Find(kSecret, "a"), std::nullopt);
    EXPECT_EQ(view.Find(kSecret, "d"), a);
    view.Remove(&reader);
  }
}

TEST(FleetView, KeepsWatchedNamesUntilNobodyWatches) {
  Cache cache;
  ASSERT_TRUE(cache.Publish("f", Changes({})).ok());
  const auto fleet = cache.FindFleet("f");
  ResourceId id;
  {
    FleetView view(*fleet);
    id = view.Watch(kSecret, "later");
    view.WatchId(kSecret, id);
    view.Unwatch(kSecret, id);
    EXPECT_EQ(view.Find(kSecret, "later"), id);
  }
  ASSERT_TRUE(cache.Publish("f", Changes({Make(kSecret, "later", "1")})).ok());
  {
    FleetView view(*fleet);
    EXPECT_EQ(view.Find(kSecret, "later"), id);
    EXPECT_NE(view.resource(kSecret, id), nullptr);
    view.Unwatch(kSecret, id);
    EXPECT_EQ(view.Find(kSecret, "later"), id);
    const ResourceId other = view.Watch(kSecret, "never");
    view.Unwatch(kSecret, other);
    EXPECT_EQ(view.Find(kSecret, "never"), std::nullopt);
  }
}

// What is never read, or was removed, must not pile up.
TEST(FleetView, StaysSmallWhileResourcesComeAndGo) {
  Cache cache;
  ASSERT_TRUE(cache.Publish("f", Changes({})).ok());
  const auto fleet = cache.FindFleet("f");
  FleetReader stuck;
  {
    FleetView view(*fleet);
    view.Add(&stuck);
    stuck.done[static_cast<size_t>(kCluster)] = view.log_end(kCluster);
  }
  for (int i = 0; i < 20000; ++i) {
    ASSERT_TRUE(
        cache
            .Publish("f", Changes({Make(kSecret, absl::StrCat(i), "1"),
                                   Make(kCluster, "c", absl::StrCat(i))}))
            .ok());
    ASSERT_TRUE(
        cache.Publish("f", Changes({}, {{kSecret, absl::StrCat(i)}})).ok());
  }
  FleetView view(*fleet);
  EXPECT_LE(view.table_size(kSecret), 4);
  EXPECT_EQ(view.log_begin(kSecret), view.log_end(kSecret));
  EXPECT_EQ(view.table_size(kCluster), 1);
  // The reader that is stuck has to look at the whole table once.
  EXPECT_GT(view.log_begin(kCluster),
            stuck.done[static_cast<size_t>(kCluster)]);
  EXPECT_LE(view.log_end(kCluster) - view.log_begin(kCluster), 4096);
  view.Remove(&stuck);
}

TEST(FleetView, GivesATypeTheSameVersionForTheSameSet) {
  Cache one;
  Cache other;
  ASSERT_TRUE(one.Publish("f", Changes({Make(kSecret, "a", "1"),
                                        Make(kSecret, "b", "1")}))
                  .ok());
  ASSERT_TRUE(other
                  .Publish("f", Changes({Make(kSecret, "b", "2"),
                                         Make(kSecret, "c", "1")}))
                  .ok());
  ASSERT_TRUE(other
                  .Publish("f", Changes({Make(kSecret, "b", "1"),
                                         Make(kSecret, "a", "1")},
                                        {{kSecret, "c"}}))
                  .ok());
  const auto version = [](Cache& cache) {
    FleetView view(*cache.FindFleet("f"));
    return view.TypeVersion(kSecret);
  };
  EXPECT_EQ(version(one), version(other));
  ASSERT_TRUE(other.Publish("f", Changes({Make(kSecret, "a", "2")})).ok());
  EXPECT_NE(version(one), version(other));
}

TEST(Cache, TakesPublicationsOfSeveralThreads) {
  Cache cache;
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&cache, t] {
      for (int i = 0; i < 500; ++i) {
        ASSERT_TRUE(cache
                        .Publish("f", Changes({Make(kSecret, absl::StrCat(t),
                                                    absl::StrCat(i))}))
                        .ok());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(cache.FindFleet("f")->sequence(), 2000);
  for (int t = 0; t < 4; ++t) {
    EXPECT_EQ(cache.FindFleet("f")->Find(kSecret, absl::StrCat(t))->message(),
              "499");
  }
}

}  // namespace
}  // namespace sallyport::xds
