#include "config_service/console/sessions.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "config_service/console/limits.h"
#include "gtest/gtest.h"

namespace sallyport::console {
namespace {

class SessionsTest : public testing::Test {
 protected:
  Sessions::Secrets Begin(const std::string& principal) {
    return sessions_.Begin({principal, "viewer", "Bearer t"}).value();
  }
  bool Has(const Sessions::Secrets& secrets,
           Sessions::Use use = Sessions::Use::kLook) {
    return sessions_.Find(secrets.cookie, secrets.proof, use).ok();
  }

  FakeClock clock_{absl::FromUnixSeconds(1700000000)};
  Sessions sessions_{&clock_};
};

TEST_F(SessionsTest, NeedsBothSecretsOfTheSameSession) {
  const auto one = Begin("token:a");
  const auto other = Begin("token:a");
  const auto found = sessions_.Find(one.cookie, one.proof, Sessions::Use::kAsk);
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found->principal, "token:a");
  EXPECT_EQ(found->authorization, "Bearer t");
  EXPECT_FALSE(Has({one.cookie, other.proof}));
  EXPECT_FALSE(Has({one.cookie, ""}));
  EXPECT_FALSE(Has({one.proof, one.proof}));
  EXPECT_FALSE(Has({"", one.proof}));
  EXPECT_NE(one.cookie, one.proof);
  // 32 random bytes each.
  EXPECT_EQ(one.cookie.size(), 64U);
  EXPECT_EQ(one.proof.size(), 64U);
}

TEST_F(SessionsTest, EndsWhenItIsToldTo) {
  const auto one = Begin("token:a");
  const auto other = Begin("token:a");
  sessions_.End(one.cookie);
  sessions_.End("nobody's");
  EXPECT_FALSE(Has(one));
  EXPECT_TRUE(Has(other));
}

TEST_F(SessionsTest, EndsWhenItIsIdle) {
  const auto asked = Begin("token:a");
  const auto looked = Begin("token:a");
  clock_.Advance(kIdleTime - absl::Seconds(1));
  EXPECT_TRUE(Has(asked, Sessions::Use::kAsk));
  EXPECT_TRUE(Has(looked, Sessions::Use::kLook));
  clock_.Advance(absl::Seconds(1));
  EXPECT_TRUE(Has(asked));
  EXPECT_FALSE(Has(looked));
}

TEST_F(SessionsTest, EndsInAnyCaseAfterAWhile) {
  const auto one = Begin("token:a");
  const absl::Time begin = clock_.Now();
  while (clock_.Now() - begin < kSessionTime - absl::Minutes(1)) {
    ASSERT_TRUE(Has(one, Sessions::Use::kAsk));
    clock_.Advance(absl::Minutes(1));
  }
  EXPECT_TRUE(Has(one, Sessions::Use::kAsk));
  clock_.Advance(absl::Minutes(1));
  EXPECT_FALSE(Has(one, Sessions::Use::kAsk));
}

TEST_F(SessionsTest, OneMoreOfAPrincipalEndsItsOldest) {
  const auto others = Begin("token:b");
  std::vector<Sessions::Secrets> own;
  for (size_t i = 0; i < kMaxSessionsOfPrincipal; ++i) {
    own.push_back(Begin("token:a"));
    clock_.Advance(absl::Seconds(1));
  }
  EXPECT_TRUE(Has(own[0]));
  own.push_back(Begin("token:a"));
  EXPECT_FALSE(Has(own[0]));
  EXPECT_TRUE(Has(own[1]));
  EXPECT_TRUE(Has(own.back()));
  EXPECT_TRUE(Has(others));
}

TEST_F(SessionsTest, TakesNoMoreThanSoManyAndThoseThatAreOverGiveUpTheirPlace) {
  for (size_t i = 0; i < kMaxSessions; ++i) Begin(absl::StrCat("token:", i));
  EXPECT_EQ(sessions_.size(), kMaxSessions);
  EXPECT_EQ(sessions_.Begin({"token:one-more", "viewer", ""}).status().code(),
            absl::StatusCode::kResourceExhausted);
  clock_.Advance(kIdleTime);
  EXPECT_TRUE(sessions_.Begin({"token:one-more", "viewer", ""}).ok());
  EXPECT_EQ(sessions_.size(), 1U);
}

}  // namespace
}  // namespace sallyport::console
