#include "pki/x509/pem.h"

#include <algorithm>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/text.h"

namespace sallyport::pki {
namespace {

constexpr absl::string_view kDashes = "-----";
constexpr absl::string_view kBegin = "-----BEGIN ";
constexpr absl::string_view kEnd = "-----END ";

absl::string_view StripBlanks(absl::string_view s) {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) {
    s.remove_prefix(1);
  }
  while (!s.empty() && (s.back() == ' ' || s.back() == '\t')) {
    s.remove_suffix(1);
  }
  return s;
}

// Takes lines off a text; LF, CRLF and CR end a line. Linear in the text,
// also when it has only CRs or only LFs: the place of the next of each is
// remembered.
class LineReader {
 public:
  explicit LineReader(absl::string_view text) : text_(text) {}

  bool done() const { return at_ >= text_.size(); }

  absl::string_view Next() {
    if (lf_ == kUnknown || lf_ < at_) lf_ = Find('\n');
    if (cr_ == kUnknown || cr_ < at_) cr_ = Find('\r');
    const size_t end = std::min(lf_, cr_);
    const absl::string_view line = text_.substr(at_, end - at_);
    at_ = end + 1;
    if (end == cr_ && cr_ + 1 == lf_) ++at_;
    return line;
  }

 private:
  static constexpr size_t kUnknown = ~size_t{0};

  // The next `c`, or the end of the text.
  size_t Find(char c) const {
    const size_t found = text_.find(c, at_);
    return found == absl::string_view::npos ? text_.size() : found;
  }

  const absl::string_view text_;
  size_t at_ = 0;
  size_t lf_ = kUnknown;
  size_t cr_ = kUnknown;
};

// "LABEL" of "-----BEGIN LABEL-----"; false when the line is not of that form.
bool ReadBoundary(absl::string_view line, absl::string_view prefix,
                  absl::string_view* label) {
  if (!absl::ConsumePrefix(&line, prefix)) return false;
  if (!absl::ConsumeSuffix(&line, kDashes)) return false;
  if (absl::StrContains(line, "--")) return false;
  *label = StripBlanks(line);
  return !label->empty();
}

class PemReader {
 public:
  PemReader(absl::string_view pem, size_t max_block_bytes,
            absl::FunctionRef<bool(const PemBlock&)> on_block)
      : lines_(absl::StripPrefix(pem, "\xef\xbb\xbf")),
        // Base64 needs four characters for three bytes.
        max_block_chars_(max_block_bytes / 3 * 4 + 8),
        on_block_(on_block) {}

  PemError Run() {
    while (!lines_.done() && error_.ok()) {
      ++line_;
      const absl::string_view line = StripBlanks(lines_.Next());
      if (in_block_) {
        BlockLine(line);
      } else {
        TextLine(line);
      }
    }
    if (error_.ok() && in_block_) {
      Fail(PemError::Reason::kTruncated,
           "the block has no END line: the file was cut off, or the line is "
           "damaged");
    }
    return error_;
  }

 private:
  void TextLine(absl::string_view line) {
    if (!absl::StartsWith(line, kDashes)) return;
    absl::string_view label;
    if (ReadBoundary(line, kBegin, &label)) {
      in_block_ = true;
      label_.assign(label.data(), label.size());
      body_.clear();
      ++index_;
      block_line_ = line_;
      return;
    }
    if (absl::StartsWith(line, "-----BEGIN")) {
      ++index_;
      block_line_ = line_;
      Fail(PemError::Reason::kUnmatched,
           "the BEGIN line is damaged or has text after it: it must stand "
           "alone, as -----BEGIN CERTIFICATE-----");
    } else if (absl::StartsWith(line, "-----END")) {
      block_line_ = line_;
      ++index_;
      Fail(PemError::Reason::kUnmatched,
           "an END line without a BEGIN line before it");
    }
  }

  void BlockLine(absl::string_view line) {
    if (line.empty()) return;
    if (absl::StartsWith(line, kDashes)) {
      absl::string_view label;
      if (ReadBoundary(line, kEnd, &label)) {
        if (label != label_) {
          Fail(PemError::Reason::kUnmatched,
               "the END line has another label than the BEGIN line");
          return;
        }
        EndBlock();
        return;
      }
      if (absl::StartsWith(line, kEnd) && absl::StrContains(line, "BEGIN")) {
        Fail(PemError::Reason::kUnmatched,
             absl::StrCat("no line break between END and the next BEGIN at "
                          "line ",
                          line_, ": end each file with one before joining"));
        return;
      }
      Fail(PemError::Reason::kUnmatched,
           absl::StrCat("no END line before the BEGIN (or damaged) line ",
                        line_));
      return;
    }
    if (body_.empty() && absl::StrContains(line, ':')) {
      Fail(PemError::Reason::kEncrypted,
           "the block has headers, as encrypted blocks have: give it "
           "unencrypted");
      return;
    }
    if (body_.size() + line.size() > max_block_chars_) {
      Fail(PemError::Reason::kTooLarge, "the block is larger than the limit");
      return;
    }
    if (line.find_first_of(" \t") == absl::string_view::npos) {
      body_.append(line.data(), line.size());
      return;
    }
    for (const char c : line) {
      if (c != ' ' && c != '\t') body_.push_back(c);
    }
  }

  void EndBlock() {
    in_block_ = false;
    if (body_.empty()) {
      Fail(PemError::Reason::kEmptyBlock,
           "nothing between the BEGIN and the END line");
      return;
    }
    // Whole quads with padding only at the end, so that a line that was lost
    // is noticed; absl::Base64Unescape() alone would take less.
    const size_t padding = absl::EndsWith(body_, "==")  ? 2
                           : absl::EndsWith(body_, "=") ? 1
                                                        : 0;
    if (body_.size() % 4 != 0 || body_.find('=') < body_.size() - padding ||
        body_.find('.') != std::string::npos ||
        !absl::Base64Unescape(body_, &decoded_)) {
      Fail(PemError::Reason::kBadBase64,
           "what is between BEGIN and END is not base64, or is cut off");
      return;
    }
    const PemBlock block = {label_, index_, block_line_, decoded_};
    if (!on_block_(block)) {
      Fail(PemError::Reason::kStopped, "stopped");
    }
  }

  void Fail(PemError::Reason reason, std::string message) {
    error_.reason = reason;
    error_.index = index_;
    error_.line = block_line_;
    error_.message = std::move(message);
  }

  LineReader lines_;
  const size_t max_block_chars_;
  const absl::FunctionRef<bool(const PemBlock&)> on_block_;
  size_t line_ = 0;
  size_t index_ = 0;
  size_t block_line_ = 0;
  bool in_block_ = false;
  std::string label_;
  std::string body_;
  std::string decoded_;
  PemError error_;
};

}  // namespace

PemError ReadPem(absl::string_view pem, size_t max_block_bytes,
                 absl::FunctionRef<bool(const PemBlock&)> on_block) {
  return PemReader(pem, max_block_bytes, on_block).Run();
}

std::string WritePem(absl::string_view label, absl::string_view der) {
  const std::string base64 = absl::Base64Escape(der);
  std::string out;
  out.reserve(base64.size() + base64.size() / 64 + 2 * label.size() + 40);
  absl::StrAppend(&out, kBegin, label, kDashes, "\n");
  for (size_t i = 0; i < base64.size(); i += 64) {
    absl::StrAppend(&out, absl::string_view(base64).substr(i, 64), "\n");
  }
  absl::StrAppend(&out, kEnd, label, kDashes, "\n");
  return out;
}

}  // namespace sallyport::pki
