#include "cli/chain_file.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/text.h"
#include "pki/x509/pem.h"

namespace sallyport::cli {
namespace {

constexpr absl::string_view kCertificate = "CERTIFICATE";
constexpr size_t kMaxLabelBytes = 64;

// The label of a line "-----`keyword` LABEL-----".
bool IsMarker(absl::string_view line, absl::string_view keyword,
              absl::string_view& label) {
  absl::ConsumePrefix(&line, "\xef\xbb\xbf");
  line = absl::StripAsciiWhitespace(line);
  if (!absl::ConsumePrefix(&line, keyword) ||
      !absl::ConsumeSuffix(&line, "-----")) {
    return false;
  }
  label = absl::StripAsciiWhitespace(line);
  return true;
}

void AddSkipped(absl::string_view label, size_t line, ChainFile& file) {
  ++file.num_skipped;
  if (file.skipped.size() < ChainFile::kMaxSkippedBlocks) {
    file.skipped.push_back({line, Printable(label, kMaxLabelBytes)});
  }
}

// Overwrites the blocks that are not certificates with blanks, so that nothing
// in them (a key in an old encrypted form, say) is read or makes an error, and
// line numbers stay. A block whose END is missing stays as it is, for
// ReadPem() to complain about.
void BlankOtherBlocks(std::string& text, ChainFile& file) {
  size_t line_number = 0;
  bool in_certificate = false;
  size_t block_start = std::string::npos;
  size_t block_line = 0;
  std::string block_label;
  for (size_t start = 0; start < text.size();) {
    ++line_number;
    size_t end = text.find_first_of("\r\n", start);
    if (end == std::string::npos) end = text.size();
    const absl::string_view line(text.data() + start, end - start);
    size_t next = end;
    if (next < text.size()) {
      next +=
          absl::StartsWith(absl::string_view(text).substr(end), "\r\n") ? 2 : 1;
    }
    absl::string_view label;
    if (IsMarker(line, "-----BEGIN ", label)) {
      in_certificate = in_certificate || label == kCertificate;
      block_start = in_certificate ? std::string::npos : start;
      block_line = line_number;
      block_label = std::string(label.substr(0, kMaxLabelBytes + 1));
    } else if (IsMarker(line, "-----END ", label)) {
      if (block_start != std::string::npos &&
          label.substr(0, kMaxLabelBytes + 1) == block_label) {
        AddSkipped(label, block_line, file);
        for (size_t i = block_start; i < end; ++i) {
          if (text[i] != '\r' && text[i] != '\n') text[i] = ' ';
        }
      }
      in_certificate = false;
      block_start = std::string::npos;
    }
    start = next;
  }
}

}  // namespace

ChainFile ReadChainPem(absl::string_view pem) {
  ChainFile file;
  std::string text(pem);
  BlankOtherBlocks(text, file);
  const pki::PemError error =
      pki::ReadPem(text, text.size(), [&](const pki::PemBlock& block) {
        if (block.label == kCertificate) {
          file.certificates.emplace_back(block.data);
        } else {
          AddSkipped(block.label, block.line, file);
        }
        return true;
      });
  if (!error.ok()) {
    file.damage = absl::StrCat("certificate block ", error.index, ", line ",
                               error.line, ": ", Printable(error.message));
  }
  return file;
}

}  // namespace sallyport::cli
