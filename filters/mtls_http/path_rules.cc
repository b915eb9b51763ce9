#include "filters/mtls_http/path_rules.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "filters/cert_validator/read_client_rule.h"
#include "filters/mtls_http/ascii_fold.h"
#include "pki/x509/distinguished_name.h"
#include "settings/path.h"

namespace sallyport::mtls_http {
namespace {

namespace v1 = ::sallyport::filter::v1;

using Segments = std::vector<std::string>;

// What one segment costs beside its bytes: a string of its own.
constexpr size_t kSegmentCost = 32;
// What looking one prefix up costs beside its bytes.
constexpr size_t kLookupCost = 64;

bool IsControl(char c) {
  const auto u = static_cast<unsigned char>(c);
  return u < 0x20 || u == 0x7f;
}

bool IsHexDigit(char c) {
  return absl::ascii_isxdigit(static_cast<unsigned char>(c));
}

char HexValue(char high, char low) {
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    return absl::ascii_tolower(static_cast<unsigned char>(c)) - 'a' + 10;
  };
  return static_cast<char>(digit(high) * 16 + digit(low));
}

// May stand in a path as it is (pchar of RFC 3986, 3.3).
bool NeedsNoEncoding(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
         absl::StrContains("-._~!$&'()*+,;=:@", c);
}

bool IsAscii(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x80;
  });
}

// U+0130, U+0131, U+017F and U+212A are "i", "I", "S" and "k" when their case
// is changed (Unicode, CaseFolding.txt; Java's String).
bool HasAsciiInAnotherCase(absl::string_view text) {
  return absl::StrContains(text, "\xc4\xb0") ||
         absl::StrContains(text, "\xc4\xb1") ||
         absl::StrContains(text, "\xc5\xbf") ||
         absl::StrContains(text, "\xe2\x84\xaa");
}

// Read in one way by everybody.
bool IsPlain(absl::string_view path) {
  if (path.empty() || path.front() != '/') return false;
  for (size_t i = 0; i < path.size(); ++i) {
    const char c = path[i];
    const auto u = static_cast<unsigned char>(c);
    if (u <= 0x20 || u >= 0x7f || c == '%' || c == ';' || c == '\\' ||
        c == '#') {
      return false;
    }
    if (i == 0) continue;
    // An empty segment, "." and "..", and whatever else ends in a dot.
    if (c == '/' && (path[i - 1] == '/' || path[i - 1] == '.')) return false;
  }
  return path.back() != '.';
}

// Removes dot segments as RFC 3986, 5.2.4 does. An empty segment at the end
// stands for a path that ends in '/'.
Segments WithoutDots(const Segments& segments) {
  Segments out;
  for (size_t i = 0; i < segments.size(); ++i) {
    const bool last = i + 1 == segments.size();
    if (segments[i] == "." || segments[i] == "..") {
      if (segments[i] == ".." && !out.empty()) out.pop_back();
      if (last) out.emplace_back();
    } else {
      out.push_back(segments[i]);
    }
  }
  return out;
}

// Merges runs of '/'; one at the end stays.
Segments Merged(Segments segments) {
  if (segments.empty()) return segments;
  segments.erase(std::remove(segments.begin(), segments.end() - 1, ""),
                 segments.end() - 1);
  return segments;
}

Segments WithoutParameters(Segments segments) {
  for (std::string& segment : segments) {
    segment.resize(std::min(segment.find(';'), segment.size()));
  }
  return segments;
}

// As Windows drops them from the names of files; "." and ".." stay.
Segments WithoutEnds(Segments segments) {
  for (std::string& segment : segments) {
    while (!segment.empty() && segment.back() == ' ') segment.pop_back();
    if (segment == "." || segment == "..") continue;
    while (!segment.empty() &&
           (segment.back() == ' ' || segment.back() == '.')) {
      segment.pop_back();
    }
  }
  return segments;
}

std::string Join(const Segments& segments) {
  std::string out;
  for (const std::string& segment : segments) {
    out.push_back('/');
    out += segment;
  }
  return out;
}

// What Decode() makes of a path.
struct Decoded {
  Segments all;  // everything decoded
  // What needs no encoding is left encoded.
  Segments needed;
};

// Nothing: the path cannot be read without doubt.
std::optional<Decoded> Decode(absl::string_view path) {
  if (path.empty() || path.front() != '/') return std::nullopt;
  path.remove_prefix(1);
  Decoded out;
  out.all.emplace_back();
  out.needed.emplace_back();
  for (size_t i = 0; i < path.size(); ++i) {
    char c = path[i];
    const auto u = static_cast<unsigned char>(c);
    if (u <= 0x20 || u >= 0x7f || c == '\\' || c == '#') return std::nullopt;
    if (c == '/') {
      out.all.emplace_back();
      out.needed.emplace_back();
      continue;
    }
    if (c != '%') {
      out.all.back().push_back(c);
      out.needed.back().push_back(c);
      continue;
    }
    if (i + 2 >= path.size() || !IsHexDigit(path[i + 1]) ||
        !IsHexDigit(path[i + 2])) {
      return std::nullopt;
    }
    c = HexValue(path[i + 1], path[i + 2]);
    if (IsControl(c) || c == '/' || c == '\\' || c == '?' || c == '#') {
      return std::nullopt;
    }
    out.all.back().push_back(c);
    if (NeedsNoEncoding(c)) {
      out.needed.back().append(path.data() + i, 3);
    } else {
      out.needed.back().push_back(c);
    }
    i += 2;
  }
  for (const std::string& segment : out.all) {
    if (!pki::IsUtf8(segment)) return std::nullopt;
    // Would become something else if it were decoded again, "%u002f" of IIS
    // included.
    for (size_t i = segment.find('%'); i != std::string::npos;
         i = segment.find('%', i + 1)) {
      const absl::string_view rest = absl::string_view(segment).substr(i + 1);
      if ((rest.size() >= 2 && IsHexDigit(rest[0]) && IsHexDigit(rest[1])) ||
          absl::StartsWithIgnoreCase(rest, "u")) {
        return std::nullopt;
      }
    }
  }
  return out;
}

absl::Status Bad(absl::string_view field, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", what));
}

}  // namespace

// What was met by the readings of one path.
class PathRules::Met {
 public:
  void AddRule(uint32_t rule) {
    if (std::find(rules_.begin(), rules_.end(), rule) == rules_.end()) {
      rules_.push_back(rule);
    }
  }
  // A reading that no rule covers.
  void AddUncovered() { uncovered_ = true; }
  // Every rule has to be met.
  void SetDoubtful() { doubtful_ = true; }
  // Takes `bytes` off the budget; false, and in doubt, when it is used up.
  bool Spend(size_t bytes) {
    if (bytes > budget_) doubtful_ = true;
    budget_ -= std::min(bytes, budget_);
    return !doubtful_;
  }

  const absl::InlinedVector<uint32_t, 8>& rules() const { return rules_; }
  bool uncovered() const { return uncovered_; }
  bool doubtful() const { return doubtful_; }

 private:
  absl::InlinedVector<uint32_t, 8> rules_;
  bool uncovered_ = false;
  bool doubtful_ = false;
  size_t budget_ = kMaxPathWork;
};

absl::StatusOr<std::unique_ptr<const PathRules>> PathRules::Create(
    const google::protobuf::RepeatedPtrField<v1::PathRule>& paths,
    absl::string_view field) {
  if (static_cast<size_t>(paths.size()) > limits::kMaxPathRules) {
    return absl::ResourceExhaustedError(
        absl::StrCat(field, ": has more than ", limits::kMaxPathRules,
                     " paths; cover several by one `prefix`"));
  }
  std::unique_ptr<PathRules> out(new PathRules());
  for (int i = 0; i < paths.size(); ++i) {
    const v1::PathRule& path = paths.Get(i);
    const std::string at = absl::StrCat(field, "[", i, "]");
    const bool exact = path.path_case() == v1::PathRule::kExact;
    if (path.path_case() == v1::PathRule::PATH_NOT_SET) {
      return Bad(at, "has no path; give `exact` or `prefix`");
    }
    const std::string at_path = absl::StrCat(at, exact ? ".exact" : ".prefix");
    const std::string& text = exact ? path.exact() : path.prefix();
    const absl::Status plain = settings::CheckRulePath(text);
    if (!plain.ok()) {
      return absl::Status(plain.code(),
                          absl::StrCat(at_path, ": ", plain.message()));
    }
    switch (path.client_certificate()) {
      case v1::CLIENT_CERTIFICATE_UNSPECIFIED:
      case v1::REQUIRED:
      case v1::OPTIONAL:
        break;
      default:
        return Bad(absl::StrCat(at, ".client_certificate"),
                   "is nothing that this version knows; REQUIRED or OPTIONAL");
    }
    Rule rule{path.client_certificate(), nullptr};
    if (path.has_allow()) {
      SALLYPORT_ASSIGN_OR_RETURN(rule.allow,
                                 cert_validator::ReadClientRule(
                                     path.allow(), absl::StrCat(at, ".allow")));
    }
    const std::string key = text == "/" ? "" : text;
    auto& places = out->places_[absl::AsciiStrToLower(key)];
    auto place = std::find_if(places.begin(), places.end(),
                              [&](const Place& p) { return p.path == key; });
    if (place == places.end()) {
      places.push_back(Place{key});
      place = places.end() - 1;
    }
    uint32_t& index = exact ? place->exact : place->prefix;
    if (index != kNone) {
      return Bad(at_path, absl::StrCat("is the path of ", field, "[", index,
                                       "] again; leave one of them out"));
    }
    index = static_cast<uint32_t>(i);
    out->rules_.push_back(std::move(rule));
    out->beyond_ascii_ = out->beyond_ascii_ || !IsAscii(key);
    out->capitals_ = out->capitals_ || key != absl::AsciiStrToLower(key);
    out->longest_ = std::max(out->longest_, key.size());
  }
  out->Build();
  return std::unique_ptr<const PathRules>(std::move(out));
}

void PathRules::Build() {
  everything_.doubtful = true;
  absl::flat_hash_set<pki::Sha256Digest> seen;
  for (const Rule& rule : rules_) {
    if (rule.client_certificate == v1::REQUIRED) {
      everything_.client_certificate = v1::REQUIRED;
    }
    if (rule.allow != nullptr && seen.insert(rule.allow->digest()).second) {
      everything_.rules.push_back(rule.allow.get());
    }
  }
}

void PathRules::Find(absl::string_view path, Met& met) const {
  // No key is longer: only this much of the path is looked at.
  std::array<char, limits::kMaxPathRuleBytes> lower;
  const size_t size = std::min(path.size(), longest_);
  std::transform(path.begin(), path.begin() + size, lower.begin(), [](char c) {
    return absl::ascii_tolower(static_cast<unsigned char>(c));
  });
  bool found_any_case = false;
  for (size_t end = size;; --end) {
    const bool whole = end == path.size();
    if (whole || path[end] == '/') {
      if (!met.Spend(end + kLookupCost)) return;
      const auto places = places_.find(absl::string_view(lower.data(), end));
      if (places != places_.end()) {
        // The path in its own case; without it, in any.
        uint32_t own = kNone;
        for (const Place& place : places->second) {
          const uint32_t rule =
              whole && place.exact != kNone ? place.exact : place.prefix;
          if (rule != kNone && place.path == path.substr(0, end)) own = rule;
        }
        if (own != kNone) {
          met.AddRule(own);
          return;
        }
        if (!found_any_case) {
          for (const Place& place : places->second) {
            const uint32_t rule =
                whole && place.exact != kNone ? place.exact : place.prefix;
            if (rule == kNone) continue;
            met.AddRule(rule);
            found_any_case = true;
          }
        }
      }
    }
    if (end == 0) break;
  }
  met.AddUncovered();
}

void PathRules::FindWhole(absl::string_view path, Met& met) const {
  std::array<char, limits::kMaxPathRuleBytes> lower;
  std::transform(path.begin(), path.end(), lower.begin(), [](char c) {
    return absl::ascii_tolower(static_cast<unsigned char>(c));
  });
  const auto places =
      places_.find(absl::string_view(lower.data(), path.size()));
  if (places == places_.end()) return;
  for (const Place& place : places->second) {
    if (place.exact != kNone) met.AddRule(place.exact);
    if (place.prefix != kNone) met.AddRule(place.prefix);
  }
}

void PathRules::Read(absl::string_view path, Met& met) const {
  // The root has no name but this.
  if (path == "/") path = "";
  Find(path, met);
  // "/admin.json" is "/admin" to some, and so is "/admin.tar.gz".
  const size_t slash = path.rfind('/');
  if (slash == absl::string_view::npos) return;
  size_t dots = 0;
  for (size_t dot = path.find('.', slash + 2);
       dot != absl::string_view::npos && dot <= longest_;
       dot = path.find('.', dot + 1)) {
    if (++dots > kMaxExtensions) {
      met.SetDoubtful();
      return;
    }
    FindWhole(path.substr(0, dot), met);
  }
}

void PathRules::ReadWithEnd(absl::string_view path, Met& met) const {
  Read(path, met);
  if (path.size() > 1 && path.back() == '/') {
    path.remove_suffix(1);
    Read(path, met);
  }
}

bool PathRules::ReadInEveryWay(absl::string_view path, Met& met) const {
  if (path.size() > limits::kMaxUnusualPathBytes) return false;
  const std::optional<Decoded> decoded = Decode(path);
  if (!decoded.has_value()) return false;
  for (const std::string& segment : decoded->all) {
    if (IsAscii(segment)) continue;
    if (beyond_ascii_ || HasAsciiInAnotherCase(segment)) return false;
  }
  if (decoded->all.size() > kMaxUnusualPathSegments) return false;
  std::vector<Segments> readings = {decoded->all};
  // Each segment on its own: backends differ in what they fold.
  size_t folds = 0;
  for (size_t i = 0; i < decoded->all.size(); ++i) {
    if (IsAscii(decoded->all[i])) continue;
    const std::string folded = FoldToAscii(decoded->all[i]);
    if (folded == decoded->all[i]) continue;
    // What is folded is in lower case, whatever it was.
    if (capitals_ || ++folds > kMaxFoldedSegments ||
        folded.find_first_of("/\\%?#") != std::string::npos) {
      return false;
    }
    for (size_t n = readings.size(); n-- > 0;) {
      readings.push_back(readings[n]);
      readings.back()[i] = folded;
    }
  }
  if (decoded->needed != decoded->all) readings.push_back(decoded->needed);
  // Doubles `readings` where `change` changes one.
  const auto also = [&readings](Segments (*change)(Segments)) {
    for (size_t i = readings.size(); i-- > 0;) {
      Segments changed = change(readings[i]);
      if (changed != readings[i]) readings.push_back(std::move(changed));
    }
  };
  also(WithoutParameters);
  also(WithoutEnds);
  // Whether two '/' are at the front of a reading; then it is put into `rest`
  // as it is without them and the segment that follows.
  const auto has_host = [](const Segments& segments, Segments* rest) {
    if (segments.size() < 2 || !segments.front().empty()) return false;
    auto host = std::find_if(segments.begin(), segments.end(),
                             [](const std::string& s) { return !s.empty(); });
    if (host != segments.end()) ++host;
    rest->assign(host, segments.end());
    if (rest->empty()) rest->emplace_back();
    return true;
  };
  // The readings of one, and, into `hosts`, of what follows a host in them.
  const auto read = [&](const Segments& segments,
                        std::vector<Segments>* hosts) {
    Segments rest;
    const auto one = [&](const Segments& reading) {
      if (!met.Spend(path.size() + kSegmentCost * reading.size())) return false;
      ReadWithEnd(Join(reading), met);
      if (!has_host(reading, &rest)) return true;
      if (hosts == nullptr) return false;
      if (std::find(hosts->begin(), hosts->end(), rest) == hosts->end()) {
        hosts->push_back(rest);
      }
      return true;
    };
    const Segments dotless = WithoutDots(segments);
    const Segments merged = Merged(segments);
    bool clear = one(segments);
    if (merged != segments) clear = one(merged) && clear;
    if (dotless == segments) return clear;
    clear = one(dotless) && clear;
    clear = one(Merged(dotless)) && clear;
    if (merged != segments) clear = one(Merged(WithoutDots(merged))) && clear;
    return clear;
  };
  std::vector<Segments> hosts;
  for (const Segments& segments : readings) {
    read(segments, &hosts);
    if (met.doubtful()) return false;
  }
  for (const Segments& segments : hosts) {
    if (!read(segments, nullptr)) return false;
  }
  return true;
}

PathRequirement PathRules::Require(const Met& met) const {
  PathRequirement out;
  bool optional = !met.uncovered();
  bool required = false;
  for (const uint32_t index : met.rules()) {
    const Rule& rule = rules_[index];
    required = required || rule.client_certificate == v1::REQUIRED;
    optional = optional && rule.client_certificate == v1::OPTIONAL;
    if (rule.allow != nullptr) out.rules.push_back(rule.allow.get());
  }
  if (required) {
    out.client_certificate = v1::REQUIRED;
  } else if (optional) {
    out.client_certificate = v1::OPTIONAL;
  }
  return out;
}

PathRequirement PathRules::For(absl::string_view path) const {
  if (rules_.empty()) return PathRequirement();
  path = path.substr(0, path.find('?'));
  Met met;
  if (IsPlain(path)) {
    ReadWithEnd(path, met);
  } else if (!ReadInEveryWay(path, met)) {
    return everything_;
  }
  if (met.doubtful()) return everything_;
  return Require(met);
}

}  // namespace sallyport::mtls_http
