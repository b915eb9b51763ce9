#include "config_service/reconcile/carriers.h"

#include <map>
#include <random>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace sallyport::reconcile {
namespace {

xds::Carried Named(int i) {
  const std::string name = absl::StrCat("domains/", i, ".example.com");
  return {name, "server-certificates/web", absl::StrCat("bindings/", i)};
}

std::map<size_t, std::set<std::string>> All(const Carriers& carriers) {
  std::map<size_t, std::set<std::string>> all;
  for (size_t i = 0; i < carriers.num_carriers(); ++i) {
    for (const xds::Carried& one : carriers.Of(i)) all[i].insert(one.name);
  }
  return all;
}

TEST(CarriersTest, WhereANameIsFollowsFromTheNamesAlone) {
  std::mt19937 random(1);
  Carriers carriers;
  std::set<int> present;
  std::set<size_t> touched;
  for (int step = 0; step < 1200; ++step) {
    const int i = static_cast<int>(random() % 300);
    const std::map<size_t, std::set<std::string>> before = All(carriers);
    touched.clear();
    // More come at first, more go later.
    if (random() % 1200 > static_cast<unsigned>(step)) {
      carriers.Put(Named(i), touched);
      present.insert(i);
    } else {
      carriers.Remove(Named(i).name, touched);
      present.erase(i);
    }
    ASSERT_EQ(carriers.size(), present.size());
    std::map<size_t, std::set<std::string>> expected;
    const size_t count = xds::NumCarriers(present.size());
    ASSERT_EQ(carriers.num_carriers(), count);
    for (const int one : present) {
      const std::string name = Named(one).name;
      expected[xds::CarrierOf(name, count)].insert(name);
    }
    const std::map<size_t, std::set<std::string>> after = All(carriers);
    ASSERT_EQ(after, expected);
    // Every carrier that is another is touched, and three at most.
    ASSERT_LE(touched.size(), 3u);
    for (size_t index = 0; index < 20; ++index) {
      const auto a = before.find(index);
      const auto b = after.find(index);
      const bool same =
          (a == before.end() ? std::set<std::string>() : a->second) ==
          (b == after.end() ? std::set<std::string>() : b->second);
      ASSERT_TRUE(same || touched.count(index) != 0);
    }
  }
}

TEST(CarriersTest, TellsWhetherSomethingChanged) {
  Carriers carriers;
  std::set<size_t> touched;
  carriers.Put(Named(1), touched);
  EXPECT_EQ(touched, std::set<size_t>{0});
  touched.clear();
  carriers.Put(Named(1), touched);
  carriers.Remove(Named(2).name, touched);
  EXPECT_TRUE(touched.empty());
  xds::Carried other = Named(1);
  other.certificate_secret = "server-certificates/other";
  carriers.Put(other, touched);
  EXPECT_EQ(touched, std::set<size_t>{0});
  EXPECT_EQ(carriers.Find(other.name)->certificate_secret,
            "server-certificates/other");
  EXPECT_EQ(carriers.Find("domains/none"), nullptr);
}

}  // namespace
}  // namespace sallyport::reconcile
