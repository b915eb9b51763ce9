#include "pki/crypto/crypto.h"

#include <string>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "base/text.h"
#include "gtest/gtest.h"

namespace sallyport::pki {
namespace {

std::string Hash(std::initializer_list<absl::string_view> pieces) {
  Sha256Hasher hasher;
  for (absl::string_view piece : pieces) hasher.Update(piece);
  const std::array<uint8_t, 32> digest = hasher.Finish();
  return HexLower(absl::string_view(
      reinterpret_cast<const char*>(digest.data()), digest.size()));
}

// FIPS 180-2, appendix B.1, and the digest of nothing.
TEST(Sha256Hasher, KnowsThePublishedValues) {
  EXPECT_EQ(Hash({"abc"}),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Hash({"a", "", "bc"}), Hash({"abc"}));
  EXPECT_EQ(Hash({}),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

// Test case 16 of the GCM specification by McGrew and Viega: AES-256, with
// associated data.
TEST(Aes256Gcm, KnowsAPublishedValue) {
  const Secret key(absl::HexStringToBytes(
      "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"));
  const std::string nonce = absl::HexStringToBytes("cafebabefacedbaddecaf888");
  const std::string data =
      absl::HexStringToBytes("feedfacedeadbeeffeedfacedeadbeefabaddad2");
  const Secret plaintext(absl::HexStringToBytes(
      "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
      "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"));
  const auto sealed = SealAes256Gcm(key, nonce, data, plaintext);
  ASSERT_TRUE(sealed.ok()) << sealed.status();
  EXPECT_EQ(HexLower(*sealed),
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
            "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
            "76fc6ece0f4e1768cddf8853bb2d551b");
  const auto opened = OpenAes256Gcm(key, nonce, data, *sealed);
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_EQ(opened->Reveal(), plaintext.Reveal());
}

TEST(Aes256Gcm, OpensNothingThatWasChanged) {
  const Secret key(RandomBytes(32));
  const std::string nonce = RandomBytes(12);
  const std::string sealed =
      SealAes256Gcm(key, nonce, "here", Secret::CopyOf("text")).value();
  ASSERT_EQ(sealed.size(), 4 + kGcmTagBytes);
  for (size_t i = 0; i < sealed.size(); ++i) {
    std::string changed = sealed;
    changed[i] ^= 1;
    EXPECT_EQ(OpenAes256Gcm(key, nonce, "here", changed).status().code(),
              absl::StatusCode::kDataLoss);
  }
  for (const std::string& cut :
       {sealed.substr(1), sealed.substr(0, 10),
        sealed.substr(0, sealed.size() - 1), std::string()}) {
    EXPECT_EQ(OpenAes256Gcm(key, nonce, "here", cut).status().code(),
              absl::StatusCode::kDataLoss);
  }
  EXPECT_FALSE(OpenAes256Gcm(key, nonce, "there", sealed).ok());
  EXPECT_FALSE(OpenAes256Gcm(key, RandomBytes(12), "here", sealed).ok());
  EXPECT_FALSE(
      OpenAes256Gcm(Secret(RandomBytes(32)), nonce, "here", sealed).ok());
  EXPECT_TRUE(OpenAes256Gcm(key, nonce, "here", sealed).ok());
}

TEST(Aes256Gcm, RefusesKeysAndNoncesOfAnotherLength) {
  const Secret text = Secret::CopyOf("text");
  for (size_t len : {0, 16, 31, 33}) {
    EXPECT_EQ(SealAes256Gcm(Secret(RandomBytes(len)), RandomBytes(12), "", text)
                  .status()
                  .code(),
              absl::StatusCode::kInvalidArgument);
  }
  for (size_t len : {0, 11, 13}) {
    EXPECT_EQ(SealAes256Gcm(Secret(RandomBytes(32)), RandomBytes(len), "", text)
                  .status()
                  .code(),
              absl::StatusCode::kInvalidArgument);
  }
}

TEST(Aes256Gcm, SealsNothingToo) {
  const Secret key(RandomBytes(32));
  const std::string nonce = RandomBytes(12);
  const auto sealed = SealAes256Gcm(key, nonce, "", Secret());
  ASSERT_TRUE(sealed.ok());
  EXPECT_EQ(sealed->size(), kGcmTagBytes);
  const auto opened = OpenAes256Gcm(key, nonce, "", *sealed);
  ASSERT_TRUE(opened.ok());
  EXPECT_TRUE(opened->empty());
}

TEST(RandomBytes, AreNotTheSameTwice) {
  EXPECT_EQ(RandomBytes(32).size(), 32u);
  EXPECT_NE(RandomBytes(32), RandomBytes(32));
}

}  // namespace
}  // namespace sallyport::pki
