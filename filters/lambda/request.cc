#include "filters/lambda/request.h"

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace sallyport::lambda {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The byte that text[i], a '%', and what follows stand for; -1: none.
int EscapeAt(absl::string_view text, size_t i) {
  if (i + 2 >= text.size()) return -1;
  const int high = HexDigit(text[i + 1]);
  const int low = HexDigit(text[i + 2]);
  return high < 0 || low < 0 ? -1 : 16 * high + low;
}

// What is not an escape stays as it is.
std::string QueryDecoded(absl::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const int byte = text[i] == '%' ? EscapeAt(text, i) : -1;
    if (byte >= 0) {
      out.push_back(static_cast<char>(byte));
      i += 2;
    } else {
      out.push_back(text[i] == '+' ? ' ' : text[i]);
    }
  }
  return out;
}

bool IsUnreserved(int byte) {
  return byte < 0x80 &&
         (absl::ascii_isalnum(static_cast<unsigned char>(byte)) ||
          byte == '-' || byte == '.' || byte == '_' || byte == '~');
}

// As a character of a path, encoded or not.
bool IsDoubtful(int byte) {
  return byte < 0x20 || byte == 0x7f || byte == '\\' || byte == ';' ||
         byte == '?' || byte == '#';
}

absl::Status Unusual(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("the path has ", what));
}

absl::Status CheckSegment(absl::string_view segment, bool is_last) {
  if (segment.empty() && !is_last) return Unusual("an empty segment");
  if (absl::EndsWith(segment, ".")) {
    return Unusual("a segment that ends in a dot");
  }
  if (absl::EndsWith(segment, "%20")) {
    return Unusual("a segment that ends in a blank");
  }
  return absl::OkStatus();
}

// "{name}" or "{name+}" -> "name"; empty: it is neither.
absl::string_view ParameterName(absl::string_view segment, bool* greedy) {
  *greedy = false;
  if (!absl::ConsumePrefix(&segment, "{") ||
      !absl::ConsumeSuffix(&segment, "}")) {
    return absl::string_view();
  }
  *greedy = absl::ConsumeSuffix(&segment, "+");
  return segment;
}

}  // namespace

std::vector<std::string> RequestParts::Header(absl::string_view name) const {
  std::vector<std::string> values;
  for (const auto& [key, value] : headers) {
    if (absl::EqualsIgnoreCase(key, name)) values.push_back(value);
  }
  return values;
}

NameValues RequestParts::QueryParameters() const {
  NameValues out;
  for (const absl::string_view pair :
       absl::StrSplit(query, '&', absl::SkipEmpty())) {
    const size_t equals = pair.find('=');
    out.emplace_back(QueryDecoded(pair.substr(0, equals)),
                     equals == absl::string_view::npos
                         ? ""
                         : QueryDecoded(pair.substr(equals + 1)));
  }
  return out;
}

void SplitTarget(absl::string_view target, std::string* path,
                 std::string* query) {
  const size_t mark = target.find('?');
  *path = std::string(target.substr(0, mark));
  *query = mark == absl::string_view::npos
               ? ""
               : std::string(target.substr(mark + 1));
}

absl::StatusOr<std::string> PlainPath(absl::string_view path) {
  if (path.empty() || path.front() != '/')
    return Unusual("no '/' at its front");
  std::string out;
  for (size_t i = 0; i < path.size(); ++i) {
    const int c = static_cast<unsigned char>(path[i]);
    if (c != '%') {
      if (IsDoubtful(c) || c == '*' || c == ' ' || c >= 0x80) {
        return Unusual("a character that has to be encoded");
      }
      out.push_back(path[i]);
      continue;
    }
    const int byte = EscapeAt(path, i);
    if (byte < 0) return Unusual("a '%' without two digits");
    i += 2;
    if (IsDoubtful(byte) || byte == '/' || byte == '%') {
      return Unusual("an encoded character of which readers differ");
    }
    if (IsUnreserved(byte)) {
      out.push_back(static_cast<char>(byte));
    } else {
      constexpr char kHex[] = "0123456789ABCDEF";
      out.push_back('%');
      out.push_back(kHex[byte >> 4]);
      out.push_back(kHex[byte & 15]);
    }
  }
  const std::vector<absl::string_view> segments =
      absl::StrSplit(absl::string_view(out).substr(1), '/');
  for (size_t i = 0; i < segments.size(); ++i) {
    const absl::Status good =
        CheckSegment(segments[i], i + 1 == segments.size());
    if (!good.ok()) return good;
  }
  return out;
}

bool IsPlainMethod(absl::string_view method) {
  for (const char c : method) {
    if (!absl::ascii_isupper(static_cast<unsigned char>(c)) && c != '-') {
      return false;
    }
  }
  return !method.empty();
}

absl::optional<std::string> WithoutBasePath(absl::string_view path,
                                            absl::string_view base_path) {
  if (!absl::ConsumePrefix(&path, base_path)) return absl::nullopt;
  if (path.empty()) return std::string("/");
  if (path.front() != '/') return absl::nullopt;
  return std::string(path);
}

absl::Status CheckResource(absl::string_view resource) {
  if (resource.empty() || resource.front() != '/') {
    return absl::InvalidArgumentError("begins with '/'");
  }
  const std::vector<absl::string_view> segments =
      absl::StrSplit(resource.substr(1), '/');
  for (size_t i = 0; i < segments.size(); ++i) {
    bool greedy = false;
    const absl::string_view name = ParameterName(segments[i], &greedy);
    if (greedy && i + 1 != segments.size()) {
      return absl::InvalidArgumentError("has {name+} before its end");
    }
    if (name.empty() && absl::StrContains(segments[i], '{')) {
      return absl::InvalidArgumentError(
          "has a '{' that begins no {name} that is a whole segment");
    }
    if (segments[i].empty() && segments.size() > 1) {
      return absl::InvalidArgumentError("has an empty segment");
    }
  }
  return absl::OkStatus();
}

absl::optional<NameValues> MatchResource(absl::string_view resource,
                                         absl::string_view path) {
  NameValues parameters;
  if (!absl::ConsumePrefix(&resource, "/") ||
      !absl::ConsumePrefix(&path, "/")) {
    return absl::nullopt;
  }
  absl::ConsumeSuffix(&path, "/");
  const std::vector<absl::string_view> wanted = absl::StrSplit(resource, '/');
  const std::vector<absl::string_view> given = absl::StrSplit(path, '/');
  for (size_t i = 0; i < wanted.size(); ++i) {
    bool greedy = false;
    const absl::string_view name = ParameterName(wanted[i], &greedy);
    if (greedy) {
      // All that is left, and something is.
      if (i >= given.size() || given[i].empty()) return absl::nullopt;
      const size_t at = static_cast<size_t>(given[i].data() - path.data());
      parameters.emplace_back(std::string(name), std::string(path.substr(at)));
      return parameters;
    }
    if (i >= given.size()) return absl::nullopt;
    if (name.empty()) {
      if (wanted[i] != given[i]) return absl::nullopt;
    } else if (given[i].empty()) {
      return absl::nullopt;
    } else {
      parameters.emplace_back(std::string(name), std::string(given[i]));
    }
  }
  if (given.size() != wanted.size()) return absl::nullopt;
  return parameters;
}

std::string MethodArn(const ApiStage& api, absl::string_view method,
                      absl::string_view path) {
  absl::ConsumePrefix(&path, "/");
  return absl::StrCat("arn:aws:execute-api:", api.region, ":", api.account_id,
                      ":", api.api_id, "/", api.stage, "/", method, "/", path);
}

}  // namespace sallyport::lambda
