#include "filters/cert_validator/refused_handshakes.h"

#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace sallyport::cert_validator {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using Counter = RefusedHandshakes::Counter;

TEST(RefusedHandshakes, AreOneForEachDomain) {
  const auto a = RefusedHandshakes::For("a.example.com");
  EXPECT_EQ(RefusedHandshakes::For("a.example.com"), a);
  EXPECT_NE(RefusedHandshakes::For("b.example.com"), a);
}

TEST(RefusedHandshakes, WakeOnceUntilTheyAreTaken) {
  const auto refused = RefusedHandshakes::For("wake.example.com");
  int woken = 0;
  const Counter counter(refused, [&] { ++woken; });
  EXPECT_EQ(woken, 0);
  refused->Add(pki::Reason::kExpired);
  refused->Add(pki::Reason::kExpired);
  refused->Add(pki::Reason::kRevoked);
  EXPECT_EQ(woken, 1);
  EXPECT_THAT(refused->Take(), ElementsAre(Pair(pki::Reason::kExpired, 2),
                                           Pair(pki::Reason::kRevoked, 1)));
  EXPECT_THAT(refused->Take(), IsEmpty());
  refused->Add(pki::Reason::kExpired);
  EXPECT_EQ(woken, 2);
}

TEST(RefusedHandshakes, WaitForACounter) {
  const auto refused = RefusedHandshakes::For("wait.example.com");
  refused->Add(pki::Reason::kExpired);
  int woken = 0;
  const Counter counter(refused, [&] { ++woken; });
  EXPECT_EQ(woken, 1);
  EXPECT_THAT(refused->Take(), ElementsAre(Pair(pki::Reason::kExpired, 1)));
}

TEST(RefusedHandshakes, WakeTheNewestCounterAndTheOneBeforeWhenItGoes) {
  const auto refused = RefusedHandshakes::For("newest.example.com");
  int old_woken = 0;
  int new_woken = 0;
  const Counter old_counter(refused, [&] { ++old_woken; });
  {
    const Counter new_counter(refused, [&] { ++new_woken; });
    refused->Add(pki::Reason::kExpired);
    EXPECT_EQ(new_woken, 1);
    EXPECT_EQ(old_woken, 0);
  }
  // The new one went without taking.
  EXPECT_EQ(old_woken, 1);
  EXPECT_THAT(refused->Take(), ElementsAre(Pair(pki::Reason::kExpired, 1)));
  refused->Add(pki::Reason::kExpired);
  EXPECT_EQ(old_woken, 2);
  EXPECT_EQ(new_woken, 1);
}

TEST(RefusedHandshakes, AreAllCountedOnceWhateverThreadsDo) {
  const auto refused = RefusedHandshakes::For("threads.example.com");
  constexpr int kEach = 20000;
  std::atomic<bool> stop{false};
  uint64_t taken = 0;
  const auto take = [&] {
    for (const auto& [reason, count] : refused->Take()) {
      EXPECT_EQ(reason, pki::Reason::kUntrustedIssuer);
      taken += count;
    }
  };
  std::thread taker([&] {
    while (!stop.load()) take();
  });
  std::thread first([&] {
    for (int i = 0; i < kEach; ++i) refused->Add(pki::Reason::kUntrustedIssuer);
  });
  std::thread second([&] {
    for (int i = 0; i < kEach; ++i) {
      refused->Add(pki::Reason::kUntrustedIssuer);
      const Counter counter(refused, [] {});
    }
  });
  first.join();
  second.join();
  stop.store(true);
  taker.join();
  take();
  EXPECT_EQ(taken, uint64_t{2 * kEach});
}

}  // namespace
}  // namespace sallyport::cert_validator
