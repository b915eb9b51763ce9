#include "settings/path.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/limits.h"
#include "pki/x509/distinguished_name.h"

namespace sallyport::settings {
namespace {

bool IsControl(char c) {
  const auto u = static_cast<unsigned char>(c);
  return u < 0x20 || u == 0x7f;
}

}  // namespace

absl::Status CheckRulePath(absl::string_view path) {
  if (path.size() > limits::kMaxPathRuleBytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat("is longer than ", limits::kMaxPathRuleBytes, " bytes"));
  }
  if (path.empty() || path.front() != '/') {
    return absl::InvalidArgumentError(
        "does not begin with '/'; give a path such as /admin");
  }
  if (path == "/") return absl::OkStatus();
  if (path.back() == '/') {
    return absl::InvalidArgumentError("ends with '/'; leave it out");
  }
  for (const char c : path) {
    if (IsControl(c) || absl::StrContains("?#%;\\", c)) {
      return absl::InvalidArgumentError(
          "has one of ? # % ; \\ or a control character; write the path "
          "decoded and without query and parameters");
    }
    if (c == '*') {
      return absl::InvalidArgumentError(
          "has '*', which stands for nothing here; `prefix` covers whatever "
          "lies below a path");
    }
  }
  if (!pki::IsUtf8(path)) return absl::InvalidArgumentError("is not UTF-8");
  for (const absl::string_view segment : absl::StrSplit(path.substr(1), '/')) {
    if (segment.empty()) {
      return absl::InvalidArgumentError(
          "has an empty segment; write one '/' in its place");
    }
    if (segment.back() == '.' || segment.back() == ' ') {
      return absl::InvalidArgumentError(
          "has a segment that ends in a dot or a blank, which no request's "
          "path has in its plain form; write it without");
    }
  }
  return absl::OkStatus();
}

}  // namespace sallyport::settings
