#include "pki/x509/pem.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gtest/gtest.h"

namespace sallyport::pki {
namespace {

struct Read {
  std::vector<std::string> blocks;  // "label@index:line=data"
  PemError error;
};

Read ReadAll(absl::string_view pem, size_t max_block_bytes = 1000) {
  Read out;
  out.error = ReadPem(pem, max_block_bytes, [&](const PemBlock& block) {
    out.blocks.push_back(absl::StrCat(block.label, "@", block.index, ":",
                                      block.line, "=", block.data));
    return true;
  });
  return out;
}

using Blocks = std::vector<std::string>;

TEST(ReadPem, ReadsBlocksWithTextBetweenThem) {
  const Read read =
      ReadAll(absl::StrCat("first\n", WritePem("A", "hello"),
                           "text: between\n\n", WritePem("B C", "x"), "after"));
  EXPECT_TRUE(read.error.ok()) << read.error.message;
  EXPECT_EQ(read.blocks, (Blocks{"A@1:2=hello", "B C@2:7=x"}));
}

TEST(ReadPem, TakesEveryLineEndAndAByteOrderMark) {
  const std::string lf = WritePem("A", "hello") + WritePem("A", "world");
  const Blocks expected = {"A@1:1=hello", "A@2:4=world"};
  EXPECT_EQ(ReadAll(lf).blocks, expected);
  EXPECT_EQ(ReadAll(absl::StrReplaceAll(lf, {{"\n", "\r\n"}})).blocks,
            expected);
  EXPECT_EQ(ReadAll(absl::StrReplaceAll(lf, {{"\n", "\r"}})).blocks, expected);
  EXPECT_EQ(ReadAll("\xef\xbb\xbf" + lf).blocks, expected);
  EXPECT_EQ(ReadAll(absl::StrReplaceAll(lf, {{"\n", " \t\n"}})).blocks,
            expected);
  EXPECT_EQ(ReadAll(lf.substr(0, lf.size() - 1)).blocks, expected);
}

TEST(ReadPem, TakesBase64OfAnyLineLength) {
  EXPECT_EQ(ReadAll("-----BEGIN A-----\naGVs\nbG8=\n-----END A-----\n").blocks,
            Blocks{"A@1:1=hello"});
  const std::string data(500, 'q');
  EXPECT_EQ(
      ReadAll(absl::StrReplaceAll(WritePem("A", data), {{"cXFx\n", "cXFx"}}))
          .blocks.size(),
      1u);
}

TEST(ReadPem, HasNoBlocksInOrdinaryText) {
  EXPECT_TRUE(ReadAll("").error.ok());
  EXPECT_TRUE(ReadAll("hello\n-- \n----\n").error.ok());
  EXPECT_TRUE(ReadAll("hello").blocks.empty());
}

struct Broken {
  const char* pem;
  PemError::Reason reason;
  size_t index;
  size_t line;
};

TEST(ReadPem, SaysWhichBlockAndLineIsBroken) {
  const std::string good = WritePem("A", "hello");
  const Broken cases[] = {
      {"-----BEGIN A-----\naGVsbG8=\n", PemError::Reason::kTruncated, 2, 4},
      {"-----BEGIN A-----\naGVsbG8=\n-----END B-----\n",
       PemError::Reason::kUnmatched, 2, 4},
      {"\n-----END A-----\n", PemError::Reason::kUnmatched, 2, 5},
      {"-----BEGIN A-----\naGVsbG8=\n-----BEGIN A-----\n",
       PemError::Reason::kUnmatched, 2, 4},
      {"-----BEGIN A-----\naGVsbG8=\n-----END A----------BEGIN A-----\n",
       PemError::Reason::kUnmatched, 2, 4},
      {"-----BEGIN A---\naGVsbG8=\n-----END A-----\n",
       PemError::Reason::kUnmatched, 2, 4},
      {"-----BEGIN A-----aGVsbG8=-----END A-----\n",
       PemError::Reason::kUnmatched, 2, 4},
      {"-----BEGIN A-----\naGVsbG8\n-----END A-----\n",
       PemError::Reason::kBadBase64, 2, 4},
      {"-----BEGIN A-----\naGV*bG8=\n-----END A-----\n",
       PemError::Reason::kBadBase64, 2, 4},
      {"-----BEGIN A-----\n-----END A-----\n", PemError::Reason::kEmptyBlock, 2,
       4},
      {"-----BEGIN A-----\nProc-Type: 4,ENCRYPTED\n\naGVsbG8=\n-----END "
       "A-----\n",
       PemError::Reason::kEncrypted, 2, 4},
  };
  for (const Broken& broken : cases) {
    const Read read = ReadAll(good + broken.pem);
    EXPECT_EQ(read.error.reason, broken.reason) << broken.pem;
    EXPECT_EQ(read.error.index, broken.index) << broken.pem;
    EXPECT_EQ(read.error.line, broken.line) << broken.pem;
    EXPECT_EQ(read.error.message.find("aGV"), std::string::npos);
    EXPECT_EQ(read.blocks, Blocks{"A@1:1=hello"});
  }
}

TEST(ReadPem, HoldsOneBlockToTheLimit) {
  const std::string pem = WritePem("A", std::string(300, 'x'));
  EXPECT_TRUE(ReadAll(pem, 300).error.ok());
  EXPECT_EQ(ReadAll(pem, 280).error.reason, PemError::Reason::kTooLarge);
}

TEST(ReadPem, StopsWhenTold) {
  const std::string pem = WritePem("A", "x") + WritePem("A", "y");
  int seen = 0;
  const PemError error = ReadPem(pem, 10, [&](const PemBlock&) {
    ++seen;
    return false;
  });
  EXPECT_EQ(error.reason, PemError::Reason::kStopped);
  EXPECT_EQ(seen, 1);
}

TEST(WritePem, BreaksLinesAt64Columns) {
  EXPECT_EQ(WritePem("A", std::string(49, '\0')),
            "-----BEGIN A-----\n" + std::string(64, 'A') + "\nAA==\n" +
                "-----END A-----\n");
}

}  // namespace
}  // namespace sallyport::pki
