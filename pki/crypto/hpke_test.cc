#include "pki/crypto/hpke.h"

#include <string>

#include "absl/strings/escaping.h"
#include "base/secret.h"
#include "gtest/gtest.h"

namespace sallyport::pki {
namespace {

TEST(Hpke, OpensWhatWasSealedInItsOrder) {
  const HpkeKey key = NewHpkeKey();
  EXPECT_EQ(HpkePublicKey(key.private_key), key.public_key);
  auto sender = HpkeSender::Make(key.public_key, "for a test");
  ASSERT_TRUE(sender.ok()) << sender.status();
  const auto first = (*sender)->Seal(Secret::CopyOf("one"), "a");
  const auto second = (*sender)->Seal(Secret::CopyOf(""), "b");
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(first->find("one"), std::string::npos);
  auto recipient = HpkeRecipient::Make(
      key.private_key, (*sender)->encapsulated_key(), "for a test");
  ASSERT_TRUE(recipient.ok()) << recipient.status();
  EXPECT_EQ((*recipient)->Open(*first, "a")->Reveal(), "one");
  EXPECT_EQ((*recipient)->Open(*second, "b")->Reveal(), "");
}

TEST(Hpke, OpensNothingElse) {
  const HpkeKey key = NewHpkeKey();
  auto sender = HpkeSender::Make(key.public_key, "for a test");
  ASSERT_TRUE(sender.ok());
  const std::string sealed = *(*sender)->Seal(Secret::CopyOf("one"), "a");
  const std::string later = *(*sender)->Seal(Secret::CopyOf("two"), "a");
  const auto opens = [&](const Secret& with, absl::string_view info,
                         const std::string& what, absl::string_view data) {
    auto recipient =
        HpkeRecipient::Make(with, (*sender)->encapsulated_key(), info);
    if (!recipient.ok()) return false;
    const auto opened = (*recipient)->Open(what, data);
    EXPECT_TRUE(opened.ok() || absl::IsDataLoss(opened.status()));
    return opened.ok();
  };
  EXPECT_TRUE(opens(key.private_key, "for a test", sealed, "a"));
  EXPECT_FALSE(opens(key.private_key, "for another", sealed, "a"));
  EXPECT_FALSE(opens(key.private_key, "for a test", sealed, "b"));
  EXPECT_FALSE(opens(key.private_key, "for a test", later, "a"));
  EXPECT_FALSE(opens(NewHpkeKey().private_key, "for a test", sealed, "a"));
  std::string changed = sealed;
  changed[0] = static_cast<char>(changed[0] ^ 1);
  EXPECT_FALSE(opens(key.private_key, "for a test", changed, "a"));
  EXPECT_FALSE(opens(key.private_key, "for a test", "", "a"));
}

TEST(Hpke, TakesNoKeyThatIsNone) {
  for (const size_t bytes : {0, 31, 33}) {
    EXPECT_TRUE(absl::IsInvalidArgument(
        HpkeSender::Make(std::string(bytes, 'k'), "").status()));
    EXPECT_TRUE(absl::IsInvalidArgument(
        HpkeRecipient::Make(Secret(std::string(bytes, 'k')),
                            NewHpkeKey().public_key, "")
            .status()));
    EXPECT_EQ(HpkePublicKey(Secret(std::string(bytes, 'k'))), "");
  }
  // The point with which every secret is zero.
  EXPECT_FALSE(HpkeSender::Make(std::string(kX25519Bytes, '\0'), "").ok());
}

// The suite and its parameters are those of RFC 9180: a message sealed by
// another implementation (Python's "cryptography" primitives, composed by the
// RFC's sections 4 and 5) opens.
TEST(Hpke, OpensWhatAnotherImplementationSealed) {
  const std::string private_key = absl::HexStringToBytes(
      "665d0698dbc8fb95afc25c3a4d9cf280d87a585b7999243ca6008fd03258975f");
  const std::string enc = absl::HexStringToBytes(
      "e29d7521911498b837ed692d12a81587898e0ac3f6208eac1069bca82fb6b633");
  const std::string sealed = absl::HexStringToBytes(
      "0e0b61a136c5cf80637bdccb17c478d2c0d00f6235c784c399956bf4b9");
  auto recipient =
      HpkeRecipient::Make(Secret::CopyOf(private_key), enc, "sallyport test");
  ASSERT_TRUE(recipient.ok()) << recipient.status();
  const auto opened = (*recipient)->Open(sealed, "data");
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_EQ(opened->Reveal(), "a private key");
}

}  // namespace
}  // namespace sallyport::pki
