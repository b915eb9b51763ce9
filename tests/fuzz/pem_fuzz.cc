// Input: PEM text. What is read, printed and read again is the same; indexes
// and lines are those of the text; line ends and a byte order mark make no
// difference.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "pki/x509/pem.h"
#include "tests/fuzz/fuzz_check.h"

namespace sallyport::fuzz {
namespace {

constexpr size_t kMaxBlock = 4096;

struct Block {
  std::string label;
  size_t index;
  size_t line;
  std::string data;
};

struct Read {
  std::vector<Block> blocks;
  pki::PemError error;
};

Read ReadAll(absl::string_view pem) {
  Read out;
  out.error = pki::ReadPem(pem, kMaxBlock, [&](const pki::PemBlock& block) {
    out.blocks.push_back({std::string(block.label), block.index, block.line,
                          std::string(block.data)});
    return true;
  });
  return out;
}

void RequireSame(const Read& a, const Read& b, const std::string& what) {
  Require(a.error.reason == b.error.reason, what + ": error");
  Require(a.error.index == b.error.index && a.error.line == b.error.line,
          what + ": place of the error");
  Require(a.blocks.size() == b.blocks.size(), what + ": number of blocks");
  for (size_t i = 0; i < a.blocks.size(); ++i) {
    Require(a.blocks[i].label == b.blocks[i].label &&
                a.blocks[i].line == b.blocks[i].line &&
                a.blocks[i].data == b.blocks[i].data,
            what + ": a block");
  }
}

void Test(absl::string_view pem) {
  const Read read = ReadAll(pem);
  const size_t num_lines =
      1 + static_cast<size_t>(std::count(pem.begin(), pem.end(), '\n')) +
      static_cast<size_t>(std::count(pem.begin(), pem.end(), '\r'));
  size_t line = 0;
  size_t total = 0;
  for (size_t i = 0; i < read.blocks.size(); ++i) {
    const Block& block = read.blocks[i];
    Require(block.index == i + 1, "blocks are numbered from 1");
    Require(block.line > line && block.line <= num_lines, "line of a block");
    Require(block.data.size() <= kMaxBlock, "a block is over its limit");
    line = block.line;
    total += block.data.size();
  }
  Require(total <= pem.size(), "more came out than went in");
  if (!read.error.ok()) {
    Require(read.error.reason != pki::PemError::Reason::kStopped,
            "nobody said stop");
    Require(read.error.index == read.blocks.size() + 1,
            "an error is in the block after the last good one");
    Require(read.error.line >= line && read.error.line >= 1 &&
                read.error.line <= num_lines,
            "line of the error");
    Require(!read.error.message.empty(), "an error says why");
    RequirePrintable(read.error.message, "an error's message");
  }

  std::string printed;
  for (const Block& block : read.blocks) {
    Require(!block.data.empty(), "a block has contents");
    printed += pki::WritePem(block.label, block.data);
  }
  const Read again = ReadAll(printed);
  Require(again.error.ok(), "what was printed can be read");
  Require(again.blocks.size() == read.blocks.size(),
          "as many blocks as were printed");
  std::string printed_again;
  for (size_t i = 0; i < again.blocks.size(); ++i) {
    Require(again.blocks[i].label == read.blocks[i].label, "same label");
    Require(again.blocks[i].data == read.blocks[i].data, "same contents");
    printed_again += pki::WritePem(again.blocks[i].label, again.blocks[i].data);
  }
  Require(printed == printed_again, "printing is stable");

  if (!absl::StrContains(pem, '\r')) {
    RequireSame(read, ReadAll(absl::StrReplaceAll(pem, {{"\n", "\r\n"}})),
                "CRLF");
    RequireSame(read, ReadAll(absl::StrReplaceAll(pem, {{"\n", "\r"}})), "CR");
  }
  if (!absl::StartsWith(pem, "\xef\xbb\xbf")) {
    RequireSame(read, ReadAll(absl::StrCat("\xef\xbb\xbf", pem)),
                "byte order mark");
  }

  if (!read.blocks.empty()) {
    size_t calls = 0;
    const pki::PemError stopped =
        pki::ReadPem(pem, kMaxBlock, [&](const pki::PemBlock&) {
          ++calls;
          return false;
        });
    Require(calls == 1 && stopped.reason == pki::PemError::Reason::kStopped,
            "it stops when told to");
  }
}

}  // namespace
}  // namespace sallyport::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sallyport::fuzz::Test(
      absl::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
