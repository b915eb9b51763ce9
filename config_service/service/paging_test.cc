#include "config_service/service/paging.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "config_service/service/limits.h"
#include "config_service/store/memory.h"
#include "gtest/gtest.h"

namespace sallyport::service {
namespace {

domain::Reason ReasonOf(const absl::Status& status) {
  const auto error = domain::ErrorOf(status);
  return error.has_value() ? error->reason : domain::Reason::kInternal;
}

constexpr FilterField kFields[] = {
    {"name"},
    {"labels.*"},
    {"size", FilterField::Type::kNumber},
    {"time", FilterField::Type::kTime},
};

FilterValue Sample(absl::string_view field) {
  if (field == "name") return std::string("blue \"whale\"");
  if (field == "labels.team") return std::string("edge");
  if (field == "size") return int64_t{30};
  if (field == "time") return absl::FromUnixSeconds(1790000000);
  return std::string();
}

bool Matches(absl::string_view text) {
  const auto filter = Filter::Parse(text, kFields);
  EXPECT_TRUE(filter.ok()) << text << ": " << filter.status();
  return filter.ok() && filter->Matches(Sample);
}

TEST(Filter, JudgesTextNumbersAndTimes) {
  EXPECT_TRUE(Matches(""));
  EXPECT_TRUE(Matches("  "));
  EXPECT_TRUE(Matches(R"(name = "blue \"whale\"")"));
  EXPECT_FALSE(Matches("name = blue"));
  EXPECT_TRUE(Matches("name != blue"));
  EXPECT_TRUE(Matches("name : whale"));
  EXPECT_TRUE(Matches("name:whale AND labels.team=edge"));
  EXPECT_FALSE(Matches("name:whale AND labels.team=core"));
  EXPECT_TRUE(Matches("labels.other = \"\""));
  EXPECT_TRUE(Matches("size >= 30 AND size <= 30 AND size < 31 AND size > 29"));
  EXPECT_FALSE(Matches("size > 30"));
  EXPECT_FALSE(Matches("size < 30"));
  EXPECT_TRUE(Matches("time > \"2026-01-01T00:00:00Z\""));
  EXPECT_FALSE(Matches("time < 2026-01-01T00:00:00Z"));
}

TEST(Filter, JudgesFieldsThatHaveSeveralTexts) {
  const auto matches = [](absl::string_view text) {
    const auto filter = Filter::Parse(text, kFields);
    EXPECT_TRUE(filter.ok()) << text << ": " << filter.status();
    return filter.ok() && filter->Matches([](absl::string_view) {
      return FilterValue(std::vector<std::string>{"red", "blue"});
    });
  };
  EXPECT_TRUE(matches("name = blue"));
  EXPECT_TRUE(matches("name = blue AND name = red"));
  EXPECT_FALSE(matches("name = green"));
  EXPECT_FALSE(matches("name = re"));
  EXPECT_TRUE(matches("name : re"));
  EXPECT_FALSE(matches("name : gr"));
  EXPECT_FALSE(matches("name != blue"));
  EXPECT_TRUE(matches("name != green"));
  EXPECT_FALSE(matches("size = 1"));
}

TEST(Filter, SaysWhereItCannotBeRead) {
  const std::pair<std::string, std::string> cases[] = {
      {"other = 1", "0"},
      {"name", "4"},
      {"name = ", "7"},
      {"name < 3", "5"},
      {"size : 3", "5"},
      {"size = three", "7"},
      {"time = today", "7"},
      {"name = \"open", "12"},
      {"name = a OR name = b", "9"},
      {"name = a AND", "9"},
      {"labels. = a", "0"},
      {R"(name = "\n")", "9"},
  };
  for (const auto& [text, position] : cases) {
    const auto filter = Filter::Parse(text, kFields);
    ASSERT_FALSE(filter.ok()) << text;
    const auto error = domain::ErrorOf(filter.status());
    ASSERT_TRUE(error.has_value()) << text;
    EXPECT_EQ(error->reason, domain::Reason::kFilterInvalid) << text;
    ASSERT_EQ(error->metadata.size(), 1u) << text;
    EXPECT_EQ(error->metadata[0].second, position)
        << text << ": " << error->message;
  }
}

TEST(Filter, HasLimits) {
  EXPECT_TRUE(Filter::Parse(absl::StrJoin(std::vector<std::string>(
                                              kMaxFilterTerms, "size = 1"),
                                          " AND "),
                            kFields)
                  .ok());
  EXPECT_FALSE(Filter::Parse(absl::StrJoin(std::vector<std::string>(
                                               kMaxFilterTerms + 1, "size = 1"),
                                           " AND "),
                             kFields)
                   .ok());
  const std::string prefix = "name = ";
  EXPECT_TRUE(
      Filter::Parse(prefix + std::string(kMaxFilterBytes - prefix.size(), 'x'),
                    kFields)
          .ok());
  EXPECT_FALSE(
      Filter::Parse(
          prefix + std::string(kMaxFilterBytes - prefix.size() + 1, 'x'),
          kFields)
          .ok());
}

TEST(PageToken, HoldsForOneListOnly) {
  const store::Lineage lineage("0123");
  const std::string token =
      FormatPageToken({7, "truststores/x"}, lineage, "truststores", "a = 1");
  const auto read = ParsePageToken(token, lineage, "truststores", "a = 1");
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->revision, 7);
  EXPECT_EQ(read->position, "truststores/x");
  EXPECT_FALSE(ParsePageToken(token, lineage, "truststores", "a = 2").ok());
  EXPECT_FALSE(ParsePageToken(token, lineage, "domainNames", "a = 1").ok());
  EXPECT_FALSE(
      ParsePageToken(token, store::Lineage("4567"), "truststores", "a = 1")
          .ok());
  for (std::string bad : {std::string("x"), std::string(5000, 'A'),
                          token.substr(1), token + "AAAA", std::string("%")}) {
    const auto refused = ParsePageToken(bad, lineage, "truststores", "a = 1");
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(ReasonOf(refused.status()), domain::Reason::kPageTokenInvalid);
  }
}

class ListRecordsTest : public testing::Test {
 protected:
  ListRecordsTest() : store_(store::NewMemoryStore()) {
    for (int i = 0; i < 10; ++i) Put(absl::StrCat("a/", i));
    Put("b/0");
  }
  void Put(std::string key) {
    store::Commit commit;
    commit.puts.push_back({std::move(key), "v", {}});
    ASSERT_TRUE(store_->Apply(commit).ok());
  }
  // The keys of a page; takes those whose last digit is even when there is a
  // filter.
  std::vector<std::string> List(PageRequest& request) {
    std::vector<std::string> keys;
    const auto page = ListRecords(
        *store_, request, "scope", "a/",
        [&](const store::Record& record,
            store::Revision) -> absl::StatusOr<bool> {
          if (!request.filter.empty() && (record.key.back() - '0') % 2 != 0) {
            return false;
          }
          keys.push_back(record.key);
          return true;
        });
    EXPECT_TRUE(page.ok()) << page.status();
    if (page.ok()) request.page_token = page->next_page_token;
    return keys;
  }
  std::unique_ptr<store::Store> store_;
};

TEST_F(ListRecordsTest, EndsExactlyAtTheEnd) {
  PageRequest request;
  request.page_size = 5;
  EXPECT_EQ(List(request).size(), 5u);
  ASSERT_FALSE(request.page_token.empty());
  EXPECT_EQ(List(request),
            (std::vector<std::string>{"a/5", "a/6", "a/7", "a/8", "a/9"}));
  EXPECT_TRUE(request.page_token.empty());
  request.page_size = 0;
  EXPECT_EQ(List(request).size(), 10u);
  EXPECT_TRUE(request.page_token.empty());
}

TEST_F(ListRecordsTest, ShowsOneStateWhateverIsChanged) {
  PageRequest request;
  request.page_size = 4;
  EXPECT_EQ(List(request).size(), 4u);
  Put("a/55");
  store::Commit commit;
  commit.deletes = {"a/6"};
  ASSERT_TRUE(store_->Apply(commit).ok());
  EXPECT_EQ(List(request),
            (std::vector<std::string>{"a/4", "a/5", "a/6", "a/7"}));
  EXPECT_EQ(List(request), (std::vector<std::string>{"a/8", "a/9"}));
}

TEST_F(ListRecordsTest, FillsPagesOfAFilteredList) {
  PageRequest request;
  request.page_size = 3;
  request.filter = "even";
  EXPECT_EQ(List(request), (std::vector<std::string>{"a/0", "a/2", "a/4"}));
  EXPECT_EQ(List(request), (std::vector<std::string>{"a/6", "a/8"}));
  EXPECT_TRUE(request.page_token.empty());
}

TEST(PageSize, IsWithinItsLimits) {
  EXPECT_EQ(*PageSize(0), static_cast<size_t>(kDefaultPageSize));
  EXPECT_EQ(*PageSize(1), 1u);
  EXPECT_EQ(*PageSize(kMaxPageSize + 1), static_cast<size_t>(kMaxPageSize));
  const auto negative = PageSize(-1);
  ASSERT_FALSE(negative.ok());
  EXPECT_EQ(ReasonOf(negative.status()), domain::Reason::kFieldOutOfRange);
}

}  // namespace
}  // namespace sallyport::service
