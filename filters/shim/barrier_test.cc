#include "filters/shim/barrier.h"

#include <stdexcept>

#include "filters/shim/fake_envoy.h"
#include "filters/shim/log.h"
#include "gtest/gtest.h"

namespace sallyport::shim {
namespace {

TEST(Guarded, ReturnsWhatTheBodyReturns) {
  HookSite site("hook");
  EXPECT_EQ(Guarded(site, -1, [] { return 7; }), 7);
  EXPECT_EQ(site.failures(), 0u);
}

TEST(Guarded, RefusesAndSaysWhyWhenAnExceptionComes) {
  LogCapture log;
  HookSite site("verify");
  EXPECT_EQ(Guarded(site, -1,
                    []() -> int { throw std::runtime_error("bad\nthing"); }),
            -1);
  EXPECT_EQ(log.Count("verify", LogLevel::kError), 1);
  // A line break in the text cannot forge a second line.
  EXPECT_EQ(log.Count("bad\\x0athing"), 1);
}

TEST(Guarded, RefusesWhenSomethingElseIsThrown) {
  LogCapture log;
  HookSite site("verify");
  EXPECT_EQ(Guarded(site, -1, []() -> int { throw 42; }), -1);
  EXPECT_EQ(log.Count("no std::exception", LogLevel::kError), 1);
}

TEST(Guarded, LogsARepeatedFailureLessAndLessOften) {
  LogCapture log;
  HookSite site("verify");
  for (int i = 0; i < 1000; ++i) {
    GuardedVoid(site, [] { throw std::runtime_error("again"); });
  }
  EXPECT_EQ(site.failures(), 1000u);
  EXPECT_EQ(log.Count("again"), 4);  // 1, 10, 100, 1000
}

TEST(Guarded, CountsEachHookByItself) {
  LogCapture log;
  HookSite first("first"), second("second");
  GuardedVoid(first, [] { throw 1; });
  GuardedVoid(second, [] { throw 1; });
  EXPECT_EQ(log.Count("first"), 1);
  EXPECT_EQ(log.Count("second"), 1);
}

TEST(Log, WritesNothingBelowTheLevel) {
  LogCapture log(LogLevel::kWarning);
  EXPECT_FALSE(LogEnabled(LogLevel::kInfo));
  Log(LogLevel::kInfo, "quiet");
  Log(LogLevel::kWarning, "loud");
  EXPECT_EQ(log.Text(), "sallyport: loud\n");
}

}  // namespace
}  // namespace sallyport::shim
