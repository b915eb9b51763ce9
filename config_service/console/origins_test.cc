#include "config_service/console/origins.h"

#include <string>

#include "gtest/gtest.h"

namespace sallyport::console {
namespace {

std::string Of(const Origins& origins, const std::string& host) {
  return origins.Find(host).value_or("none");
}

TEST(OriginsTest, LoopbackNamesCountAtAnyPort) {
  const Origins origins;
  EXPECT_EQ(Of(origins, "localhost:9442"), "http://localhost:9442");
  EXPECT_EQ(Of(origins, "LOCALHOST:80"), "http://localhost");
  EXPECT_EQ(Of(origins, "127.0.0.1:1"), "http://127.0.0.1:1");
  EXPECT_EQ(Of(origins, "[::1]:8080"), "http://[::1]:8080");
  EXPECT_EQ(Of(origins, "[::1]"), "http://[::1]");
}

TEST(OriginsTest, NoOtherNameCounts) {
  const Origins origins;
  for (const char* host :
       {"", "example.com", "example.com:9442", "localhost.example.com:9442",
        "127.0.0.1.example.com", "127.0.0.2:9442", "localhost:0",
        "localhost:65536", "localhost:", "localhost:9442:1", "a@localhost:1",
        "localhost:1@example.com", "localhost./", "0.0.0.0:9442", "[::]:1",
        "localhost:+1", "localhost: 1"}) {
    EXPECT_EQ(Of(origins, host), "none") << host;
  }
  EXPECT_EQ(Of(origins, std::string(1 << 20, 'a')), "none");
}

TEST(OriginsTest, NamesThatAreConfiguredCountAsTheyAre) {
  const auto origins = Origins::Parse(
      "https://Console.example.com, https://other.example.com:8443,"
      "https://third.example.com:443");
  ASSERT_TRUE(origins.ok()) << origins.status();
  EXPECT_EQ(Of(*origins, "console.example.com"), "https://console.example.com");
  EXPECT_EQ(Of(*origins, "console.example.com:443"),
            "https://console.example.com");
  EXPECT_EQ(Of(*origins, "other.example.com:8443"),
            "https://other.example.com:8443");
  EXPECT_EQ(Of(*origins, "third.example.com"), "https://third.example.com");
  EXPECT_EQ(Of(*origins, "other.example.com"), "none");
  EXPECT_EQ(Of(*origins, "console.example.com:9442"), "none");
  EXPECT_EQ(Of(*origins, "example.com"), "none");
  EXPECT_EQ(Of(*origins, "localhost:1"), "http://localhost:1");
}

TEST(OriginsTest, SaysWhatIsNoOrigin) {
  for (const char* text :
       {"console.example.com", "http://console.example.com", "https://",
        "https://a/", "https://a/b", "https://a:0", "https://a:x",
        "https://u@a", "https://*.example.com", "https://a?b"}) {
    const auto origins = Origins::Parse(text);
    EXPECT_FALSE(origins.ok()) << text;
  }
  EXPECT_TRUE(Origins::Parse("").ok());
}

}  // namespace
}  // namespace sallyport::console
