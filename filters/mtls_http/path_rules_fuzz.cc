// Input: lines. The last one is the path of a request; each before it is a
// rule: 'E' (exact) or 'P' (prefix), then 'r' (REQUIRED), 'o' (OPTIONAL) or any
// other letter, then the path.
//
// Invariant: whatever one of the backends below makes of the request's path,
// what is asked of the client is never less than the rule asks that covers the
// path that the backend serves. The backends are written down here a second
// time, from what is known of them and not from the code under test. And an
// unusual spelling of a plain path is never asked for less than the plain one.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "filters/mtls_http/path_rules.h"
#include "proto/sallyport/filter/v1/config.pb.h"

namespace sallyport::mtls_http {
namespace {

namespace v1 = ::sallyport::filter::v1;
using Segments = std::vector<std::string>;

void Require(bool holds, const std::string& what, absl::string_view path) {
  if (holds) return;
  std::fprintf(stderr, "invariant broken: %s: %s\n", what.c_str(),
               std::string(path).c_str());
  std::abort();
}

// Backends: the path that one serves for a request's path, without query;
// nothing when it refuses the request.

std::optional<std::string> PercentDecoded(absl::string_view path) {
  std::string out;
  for (size_t i = 0; i < path.size(); ++i) {
    if (path[i] != '%') {
      out += path[i];
      continue;
    }
    const std::string digits(path.substr(i + 1, 2));
    char* end = nullptr;
    const long value = std::strtol(digits.c_str(), &end, 16);
    if (digits.size() != 2 || end != digits.c_str() + 2 ||
        !absl::ascii_isxdigit(static_cast<unsigned char>(digits[0]))) {
      return std::nullopt;
    }
    out += static_cast<char>(value);
    i += 2;
  }
  return out;
}

// "/a/./b//../c" -> "/a/c": as file systems and most servers read it.
std::string Resolved(absl::string_view path) {
  Segments out;
  for (const absl::string_view segment : absl::StrSplit(path, '/')) {
    if (segment == "..") {
      if (!out.empty()) out.pop_back();
    } else if (!segment.empty() && segment != ".") {
      out.emplace_back(segment);
    }
  }
  return absl::StrCat("/", absl::StrJoin(out, "/"));
}

// RFC 3986, 5.2.4: an empty segment is one that ".." removes.
std::string ResolvedStrictly(absl::string_view path) {
  Segments out;
  for (const absl::string_view segment : absl::StrSplit(path.substr(1), '/')) {
    if (segment == "..") {
      if (!out.empty()) out.pop_back();
    } else if (segment != ".") {
      out.emplace_back(segment);
    }
  }
  std::string joined = absl::StrCat("/", absl::StrJoin(out, "/"));
  while (joined.size() > 1 && joined.back() == '/') joined.pop_back();
  return joined;
}

std::string WithoutParameters(absl::string_view path) {
  std::string out;
  bool skip = false;
  for (const char c : path) {
    if (c == ';') skip = true;
    if (c == '/') skip = false;
    if (!skip) out += c;
  }
  return out;
}

// Nothing when it is none that begins with '/' then.
std::optional<std::string> DecodedPath(absl::string_view path) {
  auto decoded = PercentDecoded(path);
  if (decoded.has_value() && !absl::StartsWith(*decoded, "/")) decoded.reset();
  return decoded;
}

// nginx: decodes, then resolves and merges.
std::optional<std::string> Nginx(absl::string_view path) {
  const auto decoded = DecodedPath(path);
  if (!decoded.has_value()) return std::nullopt;
  return Resolved(*decoded);
}

// Tomcat and Spring: cut parameters off, decode, resolve.
std::optional<std::string> Tomcat(absl::string_view path) {
  return Nginx(WithoutParameters(path));
}

// One that decodes before it cuts.
std::optional<std::string> LateParameters(absl::string_view path) {
  const auto decoded = DecodedPath(path);
  if (!decoded.has_value()) return std::nullopt;
  return Resolved(WithoutParameters(*decoded));
}

// One that keeps to the RFC.
std::optional<std::string> Strict(absl::string_view path) {
  const auto decoded = DecodedPath(path);
  if (!decoded.has_value()) return std::nullopt;
  return ResolvedStrictly(*decoded);
}

// Express: takes the path as it is, bar a '/' at its end. Its routes are
// written as requests are, so that what must be encoded is the same here.
std::optional<std::string> Express(absl::string_view path) {
  if (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  std::string out;
  for (size_t i = 0; i < path.size(); ++i) {
    const auto octet = PercentDecoded(path.substr(i, 3));
    if (path[i] == '%' && octet.has_value() && octet->size() == 1 &&
        !absl::ascii_isalnum(static_cast<unsigned char>(octet->front())) &&
        !absl::StrContains("-._~!$&'()*+,;=:@", *octet)) {
      out += *octet;
      i += 2;
    } else {
      out += path[i];
    }
  }
  return out;
}

// As nginx, where '\' is '/' and names end before dots and blanks.
std::optional<std::string> Windows(absl::string_view path) {
  auto decoded = DecodedPath(path);
  if (!decoded.has_value()) return std::nullopt;
  std::replace(decoded->begin(), decoded->end(), '\\', '/');
  Segments segments = absl::StrSplit(*decoded, '/');
  for (std::string& segment : segments) {
    if (segment == "." || segment == "..") continue;
    while (!segment.empty() &&
           (segment.back() == '.' || segment.back() == ' ')) {
      segment.pop_back();
    }
  }
  return Resolved(absl::StrJoin(segments, "/"));
}

// One that ends a name at a NUL, as C does.
std::optional<std::string> Nul(absl::string_view path) {
  auto served = Nginx(path);
  if (served.has_value())
    served->resize(std::min(served->find('\0'), served->size()));
  if (served.has_value() && served->empty()) return std::nullopt;
  return served;
}

// One behind a proxy that decodes too.
std::optional<std::string> Twice(absl::string_view path) {
  const auto once = PercentDecoded(path);
  return once.has_value() ? Nginx(*once) : std::nullopt;
}

// Some of what compatibility normalisation and case folding do: full width,
// "ß", "ff", and a blank of no width.
std::string Normalised(std::string text) {
  for (char c = '!'; c <= '~'; ++c) {
    const std::string wide = {'\xef', static_cast<char>(c < '`' ? 0xbc : 0xbd),
                              static_cast<char>(0x80 | ((c - 0x20) & 0x3f))};
    absl::StrReplaceAll({{wide, std::string(1, c)}}, &text);
  }
  absl::StrReplaceAll(
      {{"\xc3\x9f", "ss"}, {"\xef\xac\x80", "ff"}, {"\xe2\x80\x8b", ""}},
      &text);
  return text;
}

// One that normalises names when it has decoded them.
std::optional<std::string> Normalising(absl::string_view path) {
  const auto decoded = DecodedPath(path);
  if (!decoded.has_value()) return std::nullopt;
  return Resolved(WithoutParameters(Normalised(*decoded)));
}

// One that only drops what shows nothing.
std::optional<std::string> Dropping(absl::string_view path) {
  const auto decoded = DecodedPath(path);
  if (!decoded.has_value()) return std::nullopt;
  return Resolved(absl::StrReplaceAll(*decoded, {{"\xe2\x80\x8b", ""}}));
}

// Node's new URL(path, base), as pathname: what follows '//' is a host.
std::optional<std::string> Node(absl::string_view path) {
  if (!absl::StartsWith(path, "/")) return std::nullopt;
  if (absl::StartsWith(path, "//")) {
    path.remove_prefix(std::min(path.find_first_not_of('/'), path.size()));
    path.remove_prefix(std::min(path.find('/'), path.size()));
    if (path.empty()) path = "/";
  }
  std::string plain;
  for (const absl::string_view segment : absl::StrSplit(path.substr(1), '/')) {
    const auto decoded = PercentDecoded(segment);
    const bool dots = decoded == "." || decoded == "..";
    absl::StrAppend(&plain, "/", dots ? *decoded : std::string(segment));
  }
  return Express(ResolvedStrictly(plain));
}

// The same behind a proxy that removes dot segments (Envoy's normalize_path).
std::optional<std::string> NodeBehindAProxy(absl::string_view path) {
  if (!absl::StartsWith(path, "/")) return std::nullopt;
  return Node(ResolvedStrictly(path));
}

// Rails, and Spring's suffix patterns: a format after each of the dots.
std::vector<std::string> WithoutFormats(absl::string_view path) {
  std::vector<std::string> out;
  const auto served = Nginx(path);
  if (!served.has_value()) return out;
  for (size_t dot = served->find('.', served->rfind('/') + 2);
       dot != std::string::npos; dot = served->find('.', dot + 1)) {
    out.push_back(served->substr(0, dot));
  }
  return out;
}

// The rules, read plainly.

bool Covers(const v1::PathRule& rule, absl::string_view path, bool fold) {
  std::string want = rule.has_exact() ? rule.exact() : rule.prefix();
  std::string have(path);
  if (fold) {
    absl::AsciiStrToLower(&want);
    absl::AsciiStrToLower(&have);
  }
  if (rule.has_exact() || want == have) return want == have;
  return want == "/" ||
         (absl::StartsWith(have, want) && have[want.size()] == '/');
}

// The index of the rule that decides at `path`; nothing when none covers it.
std::optional<int> Deciding(const v1::MutualTls& config, absl::string_view path,
                            bool fold) {
  std::optional<int> best;
  const auto weight = [&](int i) {
    const v1::PathRule& rule = config.paths(i);
    return rule.has_exact() ? rule.exact().size() * 2 + 1
                            : rule.prefix().size() * 2;
  };
  for (int i = 0; i < config.paths_size(); ++i) {
    if (Covers(config.paths(i), path, fold) &&
        (!best.has_value() || weight(i) > weight(*best))) {
      best = i;
    }
  }
  return best;
}

// Two rules differ in nothing but case.
bool HasTwins(const v1::MutualTls& config) {
  for (int i = 0; i < config.paths_size(); ++i) {
    for (int j = 0; j < i; ++j) {
      const v1::PathRule& a = config.paths(i);
      const v1::PathRule& b = config.paths(j);
      if (absl::EqualsIgnoreCase(a.exact() + a.prefix(),
                                 b.exact() + b.prefix())) {
        return true;
      }
    }
  }
  return false;
}

std::string NameOf(int rule) { return absl::StrCat("rule-", rule); }

bool Asks(const PathRequirement& requirement, int rule) {
  const std::string name = absl::StrCat("\"", NameOf(rule), "\"");
  return std::any_of(requirement.rules.begin(), requirement.rules.end(),
                     [&](const pki::ClientRule* r) {
                       return absl::StrContains(r->Describe(), name);
                     });
}

bool RequiresCertificate(v1::ClientCertificate at_path, bool domain_requires) {
  return at_path == v1::CLIENT_CERTIFICATE_UNSPECIFIED
             ? domain_requires
             : at_path == v1::REQUIRED;
}

// `requirement` asks at least for what the rule `index` does (nothing: for what
// the domain does).
void RequireAtLeast(const v1::MutualTls& config,
                    const PathRequirement& requirement,
                    std::optional<int> index, const std::string& what,
                    absl::string_view path) {
  const v1::ClientCertificate wanted =
      index.has_value() ? config.paths(*index).client_certificate()
                        : v1::CLIENT_CERTIFICATE_UNSPECIFIED;
  if (index.has_value()) {
    Require(Asks(requirement, *index), what + ": the rule", path);
  }
  for (const bool domain_requires : {false, true}) {
    Require(!RequiresCertificate(wanted, domain_requires) ||
                RequiresCertificate(requirement.client_certificate,
                                    domain_requires),
            what + ": the certificate", path);
  }
}

void TestSpellings(const PathRules& rules, const v1::MutualTls& config,
                   const std::string& path, size_t seed) {
  // Only of paths that everybody reads in one way.
  for (const char c : path) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '/') return;
  }
  if (path.empty() || path[0] != '/' || absl::StrContains(path, "//")) return;
  const PathRequirement plain = rules.For(path);
  std::vector<std::string> others = {
      path + "/", path + ";a=b", path + "/.",     "/x/.." + path,
      "/" + path, "//x" + path,  "/.//x:1" + path};
  const size_t at = seed % path.size();
  if (path[at] == '/') {
    for (const char* insert : {"/", "/.", "/x/..", "/;a", "/.;", "/x/%2e%2E",
                               "/x/..;", "/%2e", "/y//.."}) {
      others.push_back(path.substr(0, at) + insert + path.substr(at));
    }
  } else {
    char encoded[8];
    std::snprintf(encoded, sizeof(encoded), "%%%02X",
                  static_cast<unsigned>(path[at]));
    others.push_back(path.substr(0, at) + encoded + path.substr(at + 1));
    others.push_back(path.substr(0, at) + "%25" + (encoded + 1) +
                     path.substr(at + 1));
  }
  for (const std::string& other : others) {
    if (path == "/" && other != "//" && other != "//x/") continue;
    const PathRequirement requirement = rules.For(other);
    for (int i = 0; i < config.paths_size(); ++i) {
      Require(!Asks(plain, i) || Asks(requirement, i), "a spelling: the rule",
              other);
    }
    for (const bool domain_requires : {false, true}) {
      Require(!RequiresCertificate(plain.client_certificate, domain_requires) ||
                  RequiresCertificate(requirement.client_certificate,
                                      domain_requires),
              "a spelling: the certificate", other);
    }
  }
}

void Test(absl::string_view input) {
  if (input.empty()) return;
  v1::MutualTls config;
  std::vector<absl::string_view> lines = absl::StrSplit(input, '\n');
  const std::string path(lines.back());
  lines.pop_back();
  if (lines.size() > 16) return;
  for (const absl::string_view line : lines) {
    if (line.size() < 2) continue;
    v1::PathRule& rule = *config.add_paths();
    const std::string text(line.substr(2));
    if (line[0] == 'E') {
      rule.set_exact(text);
    } else {
      rule.set_prefix(text);
    }
    if (line[1] == 'r') rule.set_client_certificate(v1::REQUIRED);
    if (line[1] == 'o') rule.set_client_certificate(v1::OPTIONAL);
    rule.mutable_allow()->mutable_truststore()->add_names(
        NameOf(config.paths_size() - 1));
  }
  const auto compiled = PathRules::Create(config.paths(), "paths");
  if (!compiled.ok()) {
    Require(absl::StartsWith(compiled.status().message(), "paths["),
            "an error names the field", compiled.status().message());
    return;
  }
  const PathRules& rules = **compiled;
  const PathRequirement requirement = rules.For(path);
  if (config.paths_size() == 0) {
    Require(requirement.rules.empty() && !requirement.doubtful, "no list",
            path);
    return;
  }
  if (requirement.doubtful) {
    for (int i = 0; i < config.paths_size(); ++i) {
      Require(Asks(requirement, i), "a doubtful path: every rule", path);
    }
    Require(requirement.client_certificate != v1::OPTIONAL,
            "a doubtful path: the certificate", path);
  }
  Require(rules.For(path + "?/../x;%2f").rules == requirement.rules ||
              absl::StrContains(path, '?'),
          "the query does not count", path);

  const bool twins = HasTwins(config);
  const std::string sent = path.substr(0, path.find('?'));
  const std::pair<const char*,
                  std::optional<std::string> (*)(absl::string_view)>
      kBackends[] = {{"nginx", Nginx},
                     {"Tomcat", Tomcat},
                     {"late", LateParameters},
                     {"strict", Strict},
                     {"Express", Express},
                     {"Windows", Windows},
                     {"NUL", Nul},
                     {"twice", Twice},
                     {"normalising", Normalising},
                     {"dropping", Dropping},
                     {"Node", Node},
                     {"Node behind a proxy", NodeBehindAProxy}};
  for (const auto& [name, backend] : kBackends) {
    const std::optional<std::string> served = backend(sent);
    if (!served.has_value()) continue;
    RequireAtLeast(config, requirement, Deciding(config, *served, false), name,
                   path);
    if (twins) continue;
    RequireAtLeast(config, requirement, Deciding(config, *served, true),
                   absl::StrCat(name, " without case"), path);
  }
  // A format may name a path of the list; it is not one that is not there.
  for (const std::string& served : WithoutFormats(sent)) {
    const std::optional<int> rule = Deciding(config, served, false);
    if (rule.has_value() && (config.paths(*rule).exact() == served ||
                             config.paths(*rule).prefix() == served)) {
      RequireAtLeast(config, requirement, rule, "a format", path);
    }
  }
  TestSpellings(rules, config, path, input.size());
}

}  // namespace
}  // namespace sallyport::mtls_http

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sallyport::mtls_http::Test(
      absl::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
