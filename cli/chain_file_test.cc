#include "cli/chain_file.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gtest/gtest.h"
#include "pki/x509/pem.h"

namespace sallyport::cli {
namespace {

std::string Certificate(absl::string_view der) {
  return pki::WritePem("CERTIFICATE", der);
}

TEST(ReadChainPem, KeepsTheOrderAndAllCertificates) {
  std::string pem;
  for (int i = 0; i < 100; ++i) {
    absl::StrAppend(&pem, "comment ", i, "\n", Certificate(absl::StrCat(i)));
  }
  const ChainFile file = ReadChainPem(pem);
  ASSERT_EQ(file.certificates.size(), 100);
  EXPECT_EQ(file.certificates[0], "0");
  EXPECT_EQ(file.certificates[99], "99");
  EXPECT_EQ(file.num_skipped, 0);
  EXPECT_EQ(file.damage, "");
}

TEST(ReadChainPem, PassesOverKeysAndSaysWhere) {
  for (const char* line_end : {"\n", "\r\n", "\r"}) {
    const std::string pem = absl::StrReplaceAll(
        absl::StrCat("\xef\xbb\xbf", Certificate("leaf"), "\n",
                     pki::WritePem("EC PRIVATE KEY", "secret"),
                     Certificate("ca")),
        {{"\n", line_end}});
    const ChainFile file = ReadChainPem(pem);
    EXPECT_EQ(file.damage, "");
    ASSERT_EQ(file.certificates.size(), 2);
    EXPECT_EQ(file.certificates[1], "ca");
    ASSERT_EQ(file.num_skipped, 1);
    EXPECT_EQ(file.skipped[0].label, "EC PRIVATE KEY");
    EXPECT_EQ(file.skipped[0].line, 5);
  }
}

TEST(ReadChainPem, PassesOverAnEncryptedKey) {
  const ChainFile file = ReadChainPem(absl::StrCat(
      "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n"
      "DEK-Info: AES-128-CBC,00\n\n%%%\n-----END RSA PRIVATE KEY-----\n",
      Certificate("leaf")));
  EXPECT_EQ(file.damage, "");
  EXPECT_EQ(file.certificates.size(), 1);
  EXPECT_EQ(file.num_skipped, 1);
}

TEST(ReadChainPem, PassesOverAKeyAlone) {
  const ChainFile file = ReadChainPem(pki::WritePem("PRIVATE KEY", "secret"));
  EXPECT_TRUE(file.certificates.empty());
  EXPECT_EQ(file.damage, "");
  EXPECT_FALSE(file.not_pem());
}

TEST(ReadChainPem, CountsManyOtherBlocksAndNamesAFew) {
  std::string pem;
  for (int i = 0; i < 50; ++i) pem += pki::WritePem("X", "y");
  const ChainFile file = ReadChainPem(pem);
  EXPECT_EQ(file.num_skipped, 50);
  EXPECT_EQ(file.skipped.size(), ChainFile::kMaxSkippedBlocks);
}

TEST(ReadChainPem, EscapesLabels) {
  const ChainFile file = ReadChainPem(
      "-----BEGIN \x1b[31mX-----\nAAAA\n-----END \x1b[31mX-----\n");
  ASSERT_EQ(file.num_skipped, 1);
  EXPECT_EQ(file.skipped[0].label, "\\x1b[31mX");
}

TEST(ReadChainPem, FindsDamageByBlockAndLineWithoutItsContents) {
  struct Case {
    const char* name;
    std::string pem;
    const char* where;
  };
  const std::string good = Certificate("leaf");  // three lines
  const Case cases[] = {
      {"not base64",
       good + "-----BEGIN CERTIFICATE-----\nse!cret\n-----END CERTIFICATE-----",
       "block 2, line 4"},
      {"cut off", good + "\n-----BEGIN CERTIFICATE-----\nc2VjcmV0\n",
       "block 2, line 5"},
      {"key cut off", good + "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n",
       "block 2, line 4"},
      {"key inside a certificate",
       "-----BEGIN CERTIFICATE-----\nc2Vj\n" +
           pki::WritePem("PRIVATE KEY", "secret") +
           "cmV0\n-----END CERTIFICATE-----\n",
       "block 1, line"},
      {"no BEGIN", "c2VjcmV0\n-----END CERTIFICATE-----\n", "block 1, line 2"},
  };
  for (const Case& c : cases) {
    const ChainFile file = ReadChainPem(c.pem);
    EXPECT_TRUE(absl::StrContains(file.damage, c.where))
        << c.name << ": " << file.damage;
    EXPECT_FALSE(absl::StrContains(file.damage, "c2V")) << c.name;
    EXPECT_FALSE(absl::StrContains(file.damage, "secret")) << c.name;
    EXPECT_FALSE(absl::StrContains(file.damage, "se!cret")) << c.name;
  }
}

TEST(ReadChainPem, KnowsWhatIsNotPem) {
  EXPECT_TRUE(ReadChainPem("").not_pem());
  EXPECT_TRUE(ReadChainPem("hello\n").not_pem());
  EXPECT_TRUE(ReadChainPem(absl::string_view("0\x82\x01\0\n", 5)).not_pem());
  EXPECT_FALSE(ReadChainPem(Certificate("x")).not_pem());
  EXPECT_FALSE(ReadChainPem("-----BEGIN CERTIFICATE-----\n").not_pem());
}

}  // namespace
}  // namespace sallyport::cli
