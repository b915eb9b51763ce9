#include "pki/crypto/hmac.h"

#include <string>

#include "base/text.h"
#include "gtest/gtest.h"

namespace sallyport::pki {
namespace {

std::string Mac(absl::string_view key, absl::string_view message) {
  return HexLower(HmacSha256(key, message).Reveal());
}

TEST(HmacSha256, IsWhatRfc4231Says) {
  EXPECT_EQ(Mac(std::string(20, '\x0b'), "Hi There"),
            "b0344c61d8db38535ca8afceaf0bf12b"
            "881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(Mac("Jefe", "what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c7"
            "5a003f089d2739839dec58b964ec3843");
  // A key of more than one block.
  EXPECT_EQ(Mac(std::string(131, '\xaa'),
                "Test Using Larger Than Block-Size Key - Hash Key First"),
            "60e431591ee0b67f0d8a26aacbf5b77f"
            "8e0bc6213728c5140546040f0ee37f54");
}

TEST(SecretsEqual, ComparesBytesAndLengths) {
  EXPECT_TRUE(SecretsEqual("", ""));
  EXPECT_TRUE(SecretsEqual("abc", "abc"));
  EXPECT_FALSE(SecretsEqual("abc", "abd"));
  EXPECT_FALSE(SecretsEqual("abc", "ab"));
  EXPECT_FALSE(SecretsEqual("", "a"));
}

}  // namespace
}  // namespace sallyport::pki
