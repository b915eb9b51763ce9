#include "pki/chain/rule_matchers.h"

#include <arpa/inet.h>
#include <openssl/sha2.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/container/inlined_vector.h"
#include "absl/numeric/int128.h"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/limits.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "third_party_boringssl/pki/general_names.h"
#include "third_party_boringssl/pki/parse_certificate.h"
#include "third_party_boringssl/pki/parsed_certificate.h"

namespace sallyport::pki {
namespace {

using Kind = ClientRuleSpec::Kind;
using Strings = absl::flat_hash_set<std::string>;

absl::string_view View(bssl::der::Input input) {
  return absl::string_view(reinterpret_cast<const char*>(input.data()),
                           input.size());
}

absl::Status Bad(absl::string_view field, absl::string_view list, size_t i,
                 absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat(field, ".", list, "[", i, "]: ", what));
}

// Kleene's logic.

RuleMatch Not(RuleMatch a) {
  switch (a) {
    case RuleMatch::kNo:
      return RuleMatch::kYes;
    case RuleMatch::kYes:
      return RuleMatch::kNo;
    case RuleMatch::kUnclear:
      break;
  }
  return RuleMatch::kUnclear;
}

RuleMatch And(RuleMatch a, RuleMatch b) {
  if (a == RuleMatch::kNo || b == RuleMatch::kNo) return RuleMatch::kNo;
  if (a == RuleMatch::kUnclear || b == RuleMatch::kUnclear) {
    return RuleMatch::kUnclear;
  }
  return RuleMatch::kYes;
}

RuleMatch Or(RuleMatch a, RuleMatch b) { return Not(And(Not(a), Not(b))); }

RuleMatch FromBool(bool yes) { return yes ? RuleMatch::kYes : RuleMatch::kNo; }

// SHA-256 over a kind and fields, each with its length before it.
class ContentDigest {
 public:
  explicit ContentDigest(Kind kind) {
    SHA256_Init(&context_);
    Add("sallyport client rule 1");
    Add(RuleFieldName(kind));
  }

  void Add(absl::string_view bytes) {
    AddNumber(bytes.size());
    SHA256_Update(&context_, bytes.data(), bytes.size());
  }

  void AddNumber(uint64_t number) {
    std::array<uint8_t, 8> bytes;
    for (size_t i = bytes.size(); i-- > 0;) {
      bytes[i] = static_cast<uint8_t>(number & 0xff);
      number >>= 8;
    }
    SHA256_Update(&context_, bytes.data(), bytes.size());
  }

  // As a set: order and repetition do not count.
  template <typename Container>
  void AddSet(const Container& values) {
    std::vector<absl::string_view> sorted(values.begin(), values.end());
    std::sort(sorted.begin(), sorted.end());
    sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
    AddNumber(sorted.size());
    for (const absl::string_view value : sorted) Add(value);
  }

  Sha256Digest Finish() {
    Sha256Digest digest;
    SHA256_Final(digest.data(), &context_);
    return digest;
  }

 private:
  SHA256_CTX context_;
};

// Descriptions.

std::string Cut(std::string text) {
  constexpr absl::string_view kDots = "...";
  if (text.size() > limits::kMaxClientRuleDescriptionBytes) {
    text.resize(limits::kMaxClientRuleDescriptionBytes - kDots.size());
    text.append(kDots.data(), kDots.size());
  }
  return text;
}

// `"a", "b", "c" and 7 more`.
std::string ListText(const std::vector<absl::string_view>& values,
                     absl::string_view prefix = "") {
  constexpr size_t kMaxShown = 3;
  constexpr size_t kMaxValue = 80;
  std::string out;
  for (size_t i = 0; i < values.size() && i < kMaxShown; ++i) {
    absl::StrAppend(&out, i == 0 ? "" : ", ", prefix, "\"",
                    Printable(values[i], kMaxValue), "\"");
  }
  if (values.size() > kMaxShown) {
    absl::StrAppend(&out, " and ", values.size() - kMaxShown, " more");
  }
  return out;
}

std::string AttributeText(const ClientRuleSpec::Attribute& attribute) {
  std::string out = absl::StrCat(Printable(attribute.type, 40),
                                 attribute.ignore_case ? "~" : "=");
  std::vector<std::string> parts;
  if (!attribute.exact.empty()) parts.push_back(ListText(attribute.exact));
  if (!attribute.prefix.empty()) {
    parts.push_back(ListText(attribute.prefix, "prefix "));
  }
  if (!attribute.suffix.empty()) {
    parts.push_back(ListText(attribute.suffix, "suffix "));
  }
  absl::StrAppend(&out, absl::StrJoin(parts, ", "));
  return out;
}

std::string Describe(const ClientRuleSpec& spec) {
  std::vector<std::string> parts;
  if (!spec.values.empty()) parts.push_back(ListText(spec.values));
  if (!spec.spiffe.empty()) parts.push_back(ListText(spec.spiffe, "spiffe "));
  for (const ClientRuleSpec::Attribute& attribute : spec.attributes) {
    if (parts.size() > limits::kMaxClientRuleDescriptionBytes) break;
    parts.push_back(AttributeText(attribute));
  }
  return Cut(absl::StrCat(RuleFieldName(spec.kind), "(",
                          absl::StrJoin(parts, "; "), ")"));
}

// Host names. RFC 1035, 2.3.1 and 2.3.4, and '_'.

constexpr size_t kMaxHostLength = 253;
constexpr size_t kMaxLabelLength = 63;

// `label` is in lower case.
bool IsLabel(absl::string_view label) {
  return !label.empty() && label.size() <= kMaxLabelLength &&
         std::all_of(label.begin(), label.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_';
         });
}

bool IsHost(absl::string_view host) {
  if (host.empty() || host.size() > kMaxHostLength) return false;
  for (const absl::string_view label : absl::StrSplit(host, '.')) {
    if (!IsLabel(label)) return false;
  }
  return true;
}

// A host name in lower case, in its own memory.
class LowerHost {
 public:
  // False: it is too long for a host name, or empty.
  bool Set(absl::string_view host) {
    if (host.empty() || host.size() > bytes_.size()) return false;
    std::transform(host.begin(), host.end(), bytes_.begin(), [](char c) {
      return absl::ascii_tolower(static_cast<unsigned char>(c));
    });
    size_ = host.size();
    return true;
  }
  absl::string_view view() const {
    return absl::string_view(bytes_.data(), size_);
  }

 private:
  std::array<char, kMaxHostLength> bytes_;
  size_t size_ = 0;
};

using Labels = absl::InlinedVector<absl::string_view, 12>;

// A tree of labels, from the last one of a name to its first.
class DnsMatcher final : public RuleMatcher {
 public:
  // `labels` of a pattern, in lower case, first label first.
  void Add(const Labels& labels) {
    uint32_t at = 0;
    for (size_t i = labels.size(); i-- > 0;) {
      if (labels[i] == "*") {
        if (nodes_[at].star == 0) {
          nodes_[at].star = static_cast<uint32_t>(nodes_.size());
          nodes_.emplace_back();
        }
        at = nodes_[at].star;
      } else {
        if (i == 0) nodes_[at].has_last_literal = true;
        const auto [found, added] = nodes_[at].children.try_emplace(
            std::string(labels[i]), static_cast<uint32_t>(nodes_.size()));
        at = found->second;
        if (added) nodes_.emplace_back();
      }
    }
    nodes_[at].ends = true;
  }

  RuleMatch Judge(RuleFacts& facts) const override {
    const bssl::GeneralNames* const names = facts.alt_names();
    RuleMatch result = RuleMatch::kNo;
    if (names == nullptr) return result;
    for (const auto& name : names->dns_names) {
      result = Or(result, JudgeName(absl::string_view(name.data(), name.size()),
                                    facts));
      if (result == RuleMatch::kYes) return result;
    }
    return result;
  }

 private:
  struct Node {
    absl::flat_hash_map<std::string, uint32_t> children;
    uint32_t star = 0;              // 0: none
    bool ends = false;              // a pattern ends here
    bool has_last_literal = false;  // one ends in some child
  };

  RuleMatch JudgeName(absl::string_view name, RuleFacts& facts) const {
    if (!facts.Spend()) return RuleMatch::kUnclear;
    LowerHost lower;
    if (!lower.Set(name)) return RuleMatch::kUnclear;
    const Labels labels = absl::StrSplit(lower.view(), '.');
    for (size_t i = 0; i < labels.size(); ++i) {
      if (!IsLabel(labels[i]) && !(i == 0 && labels[i] == "*")) {
        return RuleMatch::kUnclear;
      }
    }
    return Walk(0, labels, labels.size(), facts);
  }

  // `left` labels are to be found below the node `at`.
  // NOLINTNEXTLINE(misc-no-recursion): as deep as a name has labels.
  RuleMatch Walk(uint32_t at, const Labels& labels, size_t left,
                 RuleFacts& facts) const {
    if (!facts.Spend()) return RuleMatch::kUnclear;
    const Node& node = nodes_[at];
    if (left == 0) return FromBool(node.ends);
    const absl::string_view label = labels[left - 1];
    if (label == "*") {
      // The certificate's own, always its first label.
      if (node.star != 0 && nodes_[node.star].ends) return RuleMatch::kYes;
      return node.has_last_literal ? RuleMatch::kUnclear : RuleMatch::kNo;
    }
    RuleMatch result = RuleMatch::kNo;
    const auto child = node.children.find(label);
    if (child != node.children.end()) {
      result = Walk(child->second, labels, left - 1, facts);
    }
    if (result != RuleMatch::kYes && node.star != 0) {
      result = Or(result, Walk(node.star, labels, left - 1, facts));
    }
    return result;
  }

  std::vector<Node> nodes_ = std::vector<Node>(1);
};

absl::StatusOr<CompiledMatcher> CompileDns(const ClientRuleSpec& spec,
                                           const std::string& field) {
  auto matcher = std::make_unique<DnsMatcher>();
  std::vector<std::string> canonical;
  canonical.reserve(spec.values.size());
  for (size_t i = 0; i < spec.values.size(); ++i) {
    LowerHost lower;
    if (!lower.Set(spec.values[i])) {
      return Bad(field, "patterns", i,
                 absl::StrCat("is longer than the ", kMaxHostLength,
                              " characters of a host name"));
    }
    const Labels labels = absl::StrSplit(lower.view(), '.');
    bool literal = false;
    for (const absl::string_view label : labels) {
      if (label == "*") continue;
      literal = true;
      if (!IsLabel(label)) {
        return Bad(field, "patterns", i,
                   "is no host name; give names such as api.example.com or "
                   "*.example.com, where '*' is a whole label (names beyond "
                   "ASCII in their xn-- form, no dot at the end)");
      }
    }
    if (!literal) {
      return Bad(field, "patterns", i,
                 "has no label but '*'; give at least one");
    }
    matcher->Add(labels);
    canonical.emplace_back(lower.view());
  }
  ContentDigest digest(spec.kind);
  digest.AddSet(canonical);
  return CompiledMatcher{std::move(matcher), digest.Finish(), Describe(spec)};
}

// URIs and SPIFFE IDs (SPIFFE-ID 2, X509-SVID 5.2).

constexpr absl::string_view kSpiffe = "spiffe://";
constexpr size_t kMaxSpiffeId = 2048;
constexpr size_t kMaxTrustDomain = 255;

bool IsTrustDomain(absl::string_view name) {
  return !name.empty() && name.size() <= kMaxTrustDomain &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '-' || c == '_';
         });
}

// `path` begins with '/'. No percent-encoding, no empty or dot segments.
bool IsSpiffePath(absl::string_view path) {
  path.remove_prefix(1);
  for (const absl::string_view segment : absl::StrSplit(path, '/')) {
    if (segment.empty() || segment == "." || segment == "..") return false;
    if (!std::all_of(segment.begin(), segment.end(), [](char c) {
          return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
                 c == '.' || c == '-' || c == '_';
        })) {
      return false;
    }
  }
  return true;
}

// Divides "TRUST-DOMAIN/PATH"; `path` is empty or begins with '/'. False: it is
// against the standard.
bool SplitSpiffe(absl::string_view uri, absl::string_view* trust_domain,
                 absl::string_view* path) {
  if (uri.size() > kMaxSpiffeId || !absl::ConsumePrefix(&uri, kSpiffe)) {
    return false;
  }
  const size_t slash = std::min(uri.find('/'), uri.size());
  *trust_domain = uri.substr(0, slash);
  *path = uri.substr(slash);
  return IsTrustDomain(*trust_domain) && (path->empty() || IsSpiffePath(*path));
}

class UriMatcher final : public RuleMatcher {
 public:
  RuleMatch Judge(RuleFacts& facts) const override {
    const bssl::GeneralNames* const names = facts.alt_names();
    if (names == nullptr) return RuleMatch::kNo;
    const auto& uris = names->uniform_resource_identifiers;
    bool spiffe = false;
    for (const auto& name : uris) {
      if (!facts.Spend()) return RuleMatch::kUnclear;
      const absl::string_view uri(name.data(), name.size());
      if (exact_.contains(uri)) return RuleMatch::kYes;
      spiffe = spiffe || absl::StartsWithIgnoreCase(uri, "spiffe:");
    }
    if (!has_spiffe_ || !spiffe) return RuleMatch::kNo;
    if (uris.size() != 1 || !IsLeafSvid(*facts.leaf().parsed())) {
      return RuleMatch::kUnclear;
    }
    return JudgeSpiffe(
        absl::string_view(uris.front().data(), uris.front().size()), facts);
  }

  Strings exact_;
  bool has_spiffe_ = false;
  Strings trust_domains_;  // "example.com"
  Strings ids_;            // "spiffe://example.com/a"
  Strings folders_;        // "spiffe://example.com/a/"

 private:
  static bool IsLeafSvid(const bssl::ParsedCertificate& leaf) {
    if (leaf.has_basic_constraints() && leaf.basic_constraints().is_ca) {
      return false;
    }
    return !leaf.has_key_usage() ||
           (!leaf.key_usage().AssertsBit(bssl::KEY_USAGE_BIT_KEY_CERT_SIGN) &&
            !leaf.key_usage().AssertsBit(bssl::KEY_USAGE_BIT_CRL_SIGN));
  }

  RuleMatch JudgeSpiffe(absl::string_view uri, RuleFacts& facts) const {
    absl::string_view trust_domain;
    absl::string_view path;
    if (!SplitSpiffe(uri, &trust_domain, &path) || path.empty()) {
      return RuleMatch::kUnclear;
    }
    if (trust_domains_.contains(trust_domain) || ids_.contains(uri)) {
      return RuleMatch::kYes;
    }
    // "/" after the trust domain first.
    for (size_t i = kSpiffe.size() + trust_domain.size();
         i != absl::string_view::npos; i = uri.find('/', i + 1)) {
      if (!facts.Spend()) return RuleMatch::kUnclear;
      if (folders_.contains(uri.substr(0, i + 1))) return RuleMatch::kYes;
    }
    return RuleMatch::kNo;
  }
};

absl::StatusOr<CompiledMatcher> CompileUri(const ClientRuleSpec& spec,
                                           const std::string& field) {
  auto matcher = std::make_unique<UriMatcher>();
  for (size_t i = 0; i < spec.values.size(); ++i) {
    const absl::string_view uri = spec.values[i];
    if (!std::all_of(uri.begin(), uri.end(), [](char c) {
          return absl::ascii_isgraph(static_cast<unsigned char>(c));
        })) {
      return Bad(field, "exact", i,
                 "has a character that no URI has; percent-encode it");
    }
    matcher->exact_.emplace(uri);
  }
  matcher->has_spiffe_ = !spec.spiffe.empty();
  for (size_t i = 0; i < spec.spiffe.size(); ++i) {
    absl::string_view pattern = spec.spiffe[i];
    const absl::string_view whole = pattern;
    const bool folder = absl::ConsumeSuffix(&pattern, "/*");
    absl::string_view trust_domain;
    absl::string_view path;
    if (!SplitSpiffe(pattern, &trust_domain, &path)) {
      return Bad(field, "spiffe", i,
                 "is no SPIFFE ID; give spiffe://TRUST-DOMAIN, "
                 "spiffe://TRUST-DOMAIN/PATH or spiffe://TRUST-DOMAIN/PATH/*, "
                 "the trust domain in lower case, without percent-encoding, "
                 "without empty and dot segments");
    }
    if (folder) {
      matcher->folders_.emplace(whole.substr(0, whole.size() - 1));
    } else if (path.empty()) {
      matcher->trust_domains_.emplace(trust_domain);
    } else {
      matcher->ids_.emplace(pattern);
    }
  }
  ContentDigest digest(spec.kind);
  digest.AddSet(spec.values);
  digest.AddSet(spec.spiffe);
  return CompiledMatcher{std::move(matcher), digest.Finish(), Describe(spec)};
}

// E-mail addresses (RFC 5280, 4.2.1.6: a Mailbox of RFC 5321, 4.1.2).

// A dot-atom, bar the rules about where dots may be.
bool IsLocalPart(absl::string_view local) {
  return !local.empty() && std::all_of(local.begin(), local.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
           absl::StrContains("!#$%&'*+-/=?^_`{|}~.", c);
  });
}

class EmailMatcher final : public RuleMatcher {
 public:
  RuleMatch Judge(RuleFacts& facts) const override {
    const bssl::GeneralNames* const names = facts.alt_names();
    RuleMatch result = RuleMatch::kNo;
    if (names == nullptr) return result;
    std::string mailbox;
    for (const auto& name : names->rfc822_names) {
      if (!facts.Spend()) return RuleMatch::kUnclear;
      result = Or(result, JudgeName(absl::string_view(name.data(), name.size()),
                                    mailbox));
      if (result == RuleMatch::kYes) return result;
    }
    return result;
  }

  Strings hosts_;      // lower case
  Strings mailboxes_;  // the host in lower case

 private:
  RuleMatch JudgeName(absl::string_view name, std::string& mailbox) const {
    const size_t at = name.find('@');
    LowerHost host;
    if (at == absl::string_view::npos || !IsLocalPart(name.substr(0, at)) ||
        !host.Set(name.substr(at + 1)) || !IsHost(host.view())) {
      return RuleMatch::kUnclear;
    }
    if (hosts_.contains(host.view())) return RuleMatch::kYes;
    mailbox.assign(name.data(), at + 1);
    mailbox.append(host.view().data(), host.view().size());
    return FromBool(mailboxes_.contains(mailbox));
  }
};

absl::StatusOr<CompiledMatcher> CompileEmail(const ClientRuleSpec& spec,
                                             const std::string& field) {
  auto matcher = std::make_unique<EmailMatcher>();
  for (size_t i = 0; i < spec.values.size(); ++i) {
    const absl::string_view pattern = spec.values[i];
    const size_t at = std::min(pattern.find('@'), pattern.size());
    LowerHost host;
    if (at == pattern.size() ||
        (at > 0 && !IsLocalPart(pattern.substr(0, at))) ||
        !host.Set(pattern.substr(at + 1)) || !IsHost(host.view())) {
      return Bad(field, "patterns", i,
                 "is no mailbox; give user@example.com, or @example.com for "
                 "all of that host");
    }
    if (at == 0) {
      matcher->hosts_.emplace(host.view());
    } else {
      matcher->mailboxes_.insert(
          absl::StrCat(pattern.substr(0, at + 1), host.view()));
    }
  }
  ContentDigest digest(spec.kind);
  digest.AddSet(matcher->hosts_);
  digest.AddSet(matcher->mailboxes_);
  return CompiledMatcher{std::move(matcher), digest.Finish(), Describe(spec)};
}

// IP addresses (RFC 5280, 4.2.1.6: 4 or 16 octets).

absl::uint128 ToNumber(const uint8_t* bytes, size_t size) {
  absl::uint128 number = 0;
  for (size_t i = 0; i < size; ++i) number = (number << 8) | bytes[i];
  return number;
}

constexpr size_t kIpv4Size = 4;
constexpr size_t kIpv6Size = 16;

// ::ffff:0:0/96 (RFC 4291, 2.5.5.2).
bool IsIpv4Mapped(absl::uint128 ipv6) { return (ipv6 >> 32) == 0xffff; }

class AddressSet {
 public:
  void Add(absl::uint128 first, absl::uint128 last) {
    ranges_.push_back({first, last});
  }

  // Sorts and joins; once, after all were added.
  void Finish() {
    std::sort(ranges_.begin(), ranges_.end(),
              [](const Range& a, const Range& b) { return a.first < b.first; });
    std::vector<Range> joined;
    for (const Range& range : ranges_) {
      if (!joined.empty() && (range.first <= joined.back().last ||
                              range.first - joined.back().last == 1)) {
        joined.back().last = std::max(joined.back().last, range.last);
      } else {
        joined.push_back(range);
      }
    }
    ranges_ = std::move(joined);
  }

  bool Contains(absl::uint128 address) const {
    const auto after = std::upper_bound(
        ranges_.begin(), ranges_.end(), address,
        [](absl::uint128 a, const Range& range) { return a < range.first; });
    return after != ranges_.begin() && address <= (after - 1)->last;
  }

  void AddTo(ContentDigest& digest) const {
    digest.AddNumber(ranges_.size());
    for (const Range& range : ranges_) {
      for (const absl::uint128 end : {range.first, range.last}) {
        digest.AddNumber(absl::Uint128High64(end));
        digest.AddNumber(absl::Uint128Low64(end));
      }
    }
  }

 private:
  struct Range {
    absl::uint128 first;
    absl::uint128 last;
  };
  std::vector<Range> ranges_;
};

class IpMatcher final : public RuleMatcher {
 public:
  RuleMatch Judge(RuleFacts& facts) const override {
    const bssl::GeneralNames* const names = facts.alt_names();
    RuleMatch result = RuleMatch::kNo;
    if (names == nullptr) return result;
    for (const auto& bytes : names->ip_addresses) {
      if (!facts.Spend()) return RuleMatch::kUnclear;
      const absl::uint128 address = ToNumber(bytes.data(), bytes.size());
      if (bytes.size() == kIpv4Size) {
        result = Or(result, FromBool(ipv4_.Contains(address)));
      } else if (!IsIpv4Mapped(address)) {
        result = Or(result, FromBool(ipv6_.Contains(address)));
      } else if (ipv6_.Contains(address) ||
                 ipv4_.Contains(absl::Uint128Low64(address) & 0xffffffff)) {
        // Some take it for the IPv4 address, some do not.
        result = Or(result, RuleMatch::kUnclear);
      }
      if (result == RuleMatch::kYes) return result;
    }
    return result;
  }

  AddressSet ipv4_;
  AddressSet ipv6_;
};

absl::Status AddRange(absl::string_view text, IpMatcher& matcher,
                      const std::string& field, size_t i) {
  const auto bad = [&](absl::string_view what) {
    return Bad(field, "ranges", i, what);
  };
  constexpr absl::string_view kForm =
      "is no IP address or range; give 192.0.2.1, 192.0.2.0/24, 2001:db8::1 or "
      "2001:db8::/32";
  const size_t slash = text.find('/');
  const std::string address(text.substr(0, slash));
  std::array<uint8_t, kIpv6Size> bytes{};
  const bool ipv6 = absl::StrContains(address, ':');
  // inet_pton() stops at a NUL.
  if (absl::StrContains(address, '\0') ||
      inet_pton(ipv6 ? AF_INET6 : AF_INET, address.c_str(), bytes.data()) !=
          1) {
    return bad(kForm);
  }
  const size_t size = ipv6 ? kIpv6Size : kIpv4Size;
  uint32_t bits = static_cast<uint32_t>(size * 8);
  if (slash != absl::string_view::npos) {
    const absl::string_view digits = text.substr(slash + 1);
    uint32_t prefix = 0;
    if (digits.empty() || digits.size() > 3 ||
        !std::all_of(digits.begin(), digits.end(),
                     [](char c) {
                       return absl::ascii_isdigit(
                           static_cast<unsigned char>(c));
                     }) ||
        !absl::SimpleAtoi(digits, &prefix) || prefix > bits) {
      return bad(kForm);
    }
    bits = prefix;
  }
  const absl::uint128 first = ToNumber(bytes.data(), size);
  const size_t host_bits = size * 8 - bits;
  const absl::uint128 host_mask =
      host_bits == 128 ? absl::Uint128Max()
                       : (absl::uint128(1) << static_cast<int>(host_bits)) - 1;
  if ((first & host_mask) != 0) {
    return bad(
        "has bits set beyond its prefix; write the network's first address");
  }
  if (ipv6 && IsIpv4Mapped(first) && bits >= 96) {
    return bad("is IPv4 written as IPv6; write it as IPv4");
  }
  (ipv6 ? matcher.ipv6_ : matcher.ipv4_).Add(first, first | host_mask);
  return absl::OkStatus();
}

absl::StatusOr<CompiledMatcher> CompileIp(const ClientRuleSpec& spec,
                                          const std::string& field) {
  auto matcher = std::make_unique<IpMatcher>();
  for (size_t i = 0; i < spec.values.size(); ++i) {
    SALLYPORT_RETURN_IF_ERROR(AddRange(spec.values[i], *matcher, field, i));
  }
  matcher->ipv4_.Finish();
  matcher->ipv6_.Finish();
  ContentDigest digest(spec.kind);
  matcher->ipv4_.AddTo(digest);
  matcher->ipv6_.AddTo(digest);
  return CompiledMatcher{std::move(matcher), digest.Finish(), Describe(spec)};
}

// Subject and issuer.

// Beginnings or ends of strings, looked up by their lengths.
class Affixes {
 public:
  void Add(std::string affix) {
    lengths_.push_back(affix.size());
    set_.insert(std::move(affix));
  }
  void Finish() {
    std::sort(lengths_.begin(), lengths_.end());
    lengths_.erase(std::unique(lengths_.begin(), lengths_.end()),
                   lengths_.end());
  }
  bool IsPrefixOf(absl::string_view text) const {
    for (const size_t length : lengths_) {
      if (length > text.size()) return false;
      if (set_.contains(text.substr(0, length))) return true;
    }
    return false;
  }
  bool IsSuffixOf(absl::string_view text) const {
    for (const size_t length : lengths_) {
      if (length > text.size()) return false;
      if (set_.contains(text.substr(text.size() - length))) return true;
    }
    return false;
  }
  size_t cost() const { return lengths_.size(); }
  const Strings& set() const { return set_; }

 private:
  Strings set_;
  std::vector<size_t> lengths_;  // ascending
};

struct AttributeMatcher {
  std::string oid;
  Strings exact;
  Affixes prefix;
  Affixes suffix;
  bool ignore_case = false;

  bool Matches(absl::string_view text) const {
    return exact.contains(text) || prefix.IsPrefixOf(text) ||
           suffix.IsSuffixOf(text);
  }

  RuleMatch Judge(const std::vector<DnAttribute>& attributes,
                  RuleFacts& facts) const {
    RuleMatch result = RuleMatch::kNo;
    for (const DnAttribute& attribute : attributes) {
      if (attribute.type != oid) continue;
      if (!facts.Spend(1 + prefix.cost() + suffix.cost())) {
        return RuleMatch::kUnclear;
      }
      if (!attribute.text.has_value()) {
        result = RuleMatch::kUnclear;
      } else if (Matches(ignore_case ? absl::AsciiStrToLower(*attribute.text)
                                     : *attribute.text)) {
        return RuleMatch::kYes;
      }
    }
    return result;
  }
};

class NameMatcher final : public RuleMatcher {
 public:
  explicit NameMatcher(Kind kind) : is_subject_(kind == Kind::kSubject) {}

  RuleMatch Judge(RuleFacts& facts) const override {
    RuleMatch result = RuleMatch::kYes;
    if (!exact_.empty()) {
      result = JudgeWhole(facts);
      if (result == RuleMatch::kNo) return result;
    }
    if (attributes_.empty()) return result;
    const std::vector<DnAttribute>* const name = Attributes(facts);
    if (name == nullptr) return RuleMatch::kUnclear;
    for (const AttributeMatcher& attribute : attributes_) {
      result = And(result, attribute.Judge(*name, facts));
      if (result == RuleMatch::kNo) return result;
    }
    return result;
  }

  Strings exact_;  // as NormalizeName() makes them
  std::vector<AttributeMatcher> attributes_;

 private:
  const std::vector<DnAttribute>* Attributes(RuleFacts& facts) const {
    return is_subject_ ? facts.subject() : facts.issuer();
  }

  RuleMatch JudgeWhole(RuleFacts& facts) const {
    if (!facts.Spend()) return RuleMatch::kUnclear;
    const bssl::ParsedCertificate& leaf = *facts.leaf().parsed();
    if (exact_.contains(View(is_subject_ ? leaf.normalized_subject()
                                         : leaf.normalized_issuer()))) {
      return RuleMatch::kYes;
    }
    const std::vector<DnAttribute>* const name = Attributes(facts);
    if (name == nullptr) return RuleMatch::kUnclear;
    // The same name may be written with another string type, which is compared
    // byte for byte.
    return std::all_of(name->begin(), name->end(),
                       [](const DnAttribute& attribute) {
                         return attribute.normalizes;
                       })
               ? RuleMatch::kNo
               : RuleMatch::kUnclear;
  }

  const bool is_subject_;
};

absl::Status AddTexts(const std::vector<absl::string_view>& list,
                      absl::string_view field, absl::string_view name,
                      bool ignore_case,
                      const std::function<void(std::string)>& add) {
  for (size_t i = 0; i < list.size(); ++i) {
    if (!IsUtf8(list[i]) || absl::StrContains(list[i], '\0')) {
      return Bad(field, name, i, "is no UTF-8 text");
    }
    add(ignore_case ? absl::AsciiStrToLower(list[i]) : std::string(list[i]));
  }
  return absl::OkStatus();
}

absl::StatusOr<AttributeMatcher> CompileAttribute(
    const ClientRuleSpec::Attribute& spec, const std::string& field) {
  AttributeMatcher out;
  std::optional<std::string> oid = AttributeTypeOid(spec.type);
  if (!oid.has_value()) {
    return absl::InvalidArgumentError(absl::StrCat(
        field,
        ".type: is no known attribute; give CN, O, OU, C, L, ST, STREET, DC, "
        "UID, SERIALNUMBER, EMAILADDRESS or an object identifier such as "
        "2.5.4.97"));
  }
  out.oid = *std::move(oid);
  out.ignore_case = spec.ignore_case;
  SALLYPORT_RETURN_IF_ERROR(
      AddTexts(spec.exact, field, "exact", spec.ignore_case,
               [&](std::string text) { out.exact.insert(std::move(text)); }));
  SALLYPORT_RETURN_IF_ERROR(
      AddTexts(spec.prefix, field, "prefix", spec.ignore_case,
               [&](std::string text) { out.prefix.Add(std::move(text)); }));
  SALLYPORT_RETURN_IF_ERROR(
      AddTexts(spec.suffix, field, "suffix", spec.ignore_case,
               [&](std::string text) { out.suffix.Add(std::move(text)); }));
  out.prefix.Finish();
  out.suffix.Finish();
  return out;
}

absl::StatusOr<CompiledMatcher> CompileName(const ClientRuleSpec& spec,
                                            const std::string& field) {
  auto matcher = std::make_unique<NameMatcher>(spec.kind);
  for (size_t i = 0; i < spec.values.size(); ++i) {
    const absl::StatusOr<std::string> der =
        ParseDistinguishedName(spec.values[i]);
    if (!der.ok()) return Bad(field, "exact", i, der.status().message());
    std::optional<std::string> normalized = NormalizeName(*der);
    if (!normalized.has_value()) {
      return Bad(field, "exact", i,
                 "has a value after '#' that its own type cannot hold");
    }
    matcher->exact_.insert(*std::move(normalized));
  }
  std::vector<std::string> attributes;
  for (size_t i = 0; i < spec.attributes.size(); ++i) {
    SALLYPORT_ASSIGN_OR_RETURN(
        AttributeMatcher attribute,
        CompileAttribute(spec.attributes[i],
                         absl::StrCat(field, ".attributes[", i, "]")));
    ContentDigest digest(spec.kind);
    digest.Add(attribute.oid);
    digest.AddNumber(attribute.ignore_case ? 1 : 0);
    digest.AddSet(attribute.exact);
    digest.AddSet(attribute.prefix.set());
    digest.AddSet(attribute.suffix.set());
    attributes.emplace_back(AsBytes(digest.Finish()));
    matcher->attributes_.push_back(std::move(attribute));
  }
  ContentDigest digest(spec.kind);
  digest.AddSet(matcher->exact_);
  digest.AddSet(attributes);
  return CompiledMatcher{std::move(matcher), digest.Finish(), Describe(spec)};
}

// Fingerprints.

class DigestMatcher final : public RuleMatcher {
 public:
  explicit DigestMatcher(Kind kind)
      : is_certificate_(kind == Kind::kCertificateSha256) {}

  RuleMatch Judge(RuleFacts& facts) const override {
    return FromBool(digests_.contains(
        is_certificate_ ? facts.leaf().fingerprint() : facts.spki_sha256()));
  }

  absl::flat_hash_set<Sha256Digest> digests_;

 private:
  const bool is_certificate_;
};

std::string WithoutColons(absl::string_view text) {
  std::string out(text);
  out.erase(std::remove(out.begin(), out.end(), ':'), out.end());
  return out;
}

bool IsHex(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isxdigit(static_cast<unsigned char>(c));
  });
}

absl::StatusOr<CompiledMatcher> CompileDigests(const ClientRuleSpec& spec,
                                               const std::string& field) {
  auto matcher = std::make_unique<DigestMatcher>(spec.kind);
  matcher->digests_.reserve(spec.values.size());
  for (size_t i = 0; i < spec.values.size(); ++i) {
    const std::string digits = WithoutColons(spec.values[i]);
    Sha256Digest digest;
    if (digits.size() != digest.size() * 2 || !IsHex(digits)) {
      return Bad(field, "sha256", i,
                 "is no SHA-256 in hexadecimal: 64 digits, colons allowed");
    }
    const std::string bytes = absl::HexStringToBytes(digits);
    std::memcpy(digest.data(), bytes.data(), digest.size());
    matcher->digests_.insert(digest);
  }
  std::vector<absl::string_view> canonical;
  canonical.reserve(matcher->digests_.size());
  for (const Sha256Digest& digest : matcher->digests_) {
    canonical.push_back(AsBytes(digest));
  }
  ContentDigest digest(spec.kind);
  digest.AddSet(canonical);
  return CompiledMatcher{std::move(matcher), digest.Finish(), Describe(spec)};
}

// Serial numbers.

class SerialMatcher final : public RuleMatcher {
 public:
  RuleMatch Judge(RuleFacts& facts) const override {
    absl::string_view serial = View(facts.leaf().parsed()->tbs().serial_number);
    const bool negative =
        !serial.empty() && (static_cast<unsigned char>(serial[0]) & 0x80) != 0;
    if (!negative) {
      while (!serial.empty() && serial[0] == '\0') serial.remove_prefix(1);
      return FromBool(positive_.contains(serial));
    }
    if (negative_.empty()) return RuleMatch::kNo;
    // Two's complement (X.690, 8.3).
    std::string magnitude(serial);
    int carry = 1;
    for (size_t i = magnitude.size(); i-- > 0;) {
      const int v = (~static_cast<unsigned char>(magnitude[i]) & 0xff) + carry;
      magnitude[i] = static_cast<char>(v & 0xff);
      carry = v >> 8;
    }
    const size_t zeros =
        std::min(magnitude.find_first_not_of('\0'), magnitude.size());
    return FromBool(
        negative_.contains(absl::string_view(magnitude).substr(zeros)));
  }

  // Magnitudes, without leading zero bytes.
  Strings positive_;
  Strings negative_;
};

absl::StatusOr<CompiledMatcher> CompileSerials(const ClientRuleSpec& spec,
                                               const std::string& field) {
  auto matcher = std::make_unique<SerialMatcher>();
  for (size_t i = 0; i < spec.values.size(); ++i) {
    absl::string_view text = spec.values[i];
    const bool negative = absl::ConsumePrefix(&text, "-");
    std::string digits = WithoutColons(text);
    if (digits.empty() || !IsHex(digits)) {
      return Bad(field, "hex", i,
                 "is no serial number in hexadecimal: digits only, without "
                 "0x, colons allowed");
    }
    if (digits.size() % 2 != 0) digits.insert(0, "0");
    std::string magnitude = absl::HexStringToBytes(digits);
    magnitude.erase(
        0, std::min(magnitude.find_first_not_of('\0'), magnitude.size()));
    (negative && !magnitude.empty() ? matcher->negative_ : matcher->positive_)
        .insert(std::move(magnitude));
  }
  ContentDigest digest(spec.kind);
  digest.AddSet(matcher->positive_);
  digest.AddSet(matcher->negative_);
  return CompiledMatcher{std::move(matcher), digest.Finish(), Describe(spec)};
}

// Truststores.

class TruststoreMatcher final : public RuleMatcher {
 public:
  RuleMatch Judge(RuleFacts& facts) const override {
    return FromBool(names_.contains(facts.truststore()));
  }
  Strings names_;
};

absl::StatusOr<CompiledMatcher> CompileTruststores(const ClientRuleSpec& spec,
                                                   const std::string& field) {
  constexpr size_t kMaxName = 128;
  auto matcher = std::make_unique<TruststoreMatcher>();
  for (size_t i = 0; i < spec.values.size(); ++i) {
    const absl::string_view name = spec.values[i];
    if (name.size() > kMaxName ||
        !std::all_of(name.begin(), name.end(), [](char c) {
          return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
                 absl::StrContains("._/-", c);
        })) {
      return Bad(field, "names", i,
                 "is no name of a truststore: 1 to 128 characters of "
                 "[A-Za-z0-9._/-], without the version");
    }
    matcher->names_.emplace(name);
  }
  ContentDigest digest(spec.kind);
  digest.AddSet(matcher->names_);
  return CompiledMatcher{std::move(matcher), digest.Finish(), Describe(spec)};
}

class Combination final : public RuleMatcher {
 public:
  Combination(Kind kind, std::vector<std::unique_ptr<const RuleMatcher>> parts)
      : kind_(kind), parts_(std::move(parts)) {}

  // NOLINTNEXTLINE(misc-no-recursion): at most kMaxClientRuleDepth deep.
  RuleMatch Judge(RuleFacts& facts) const override {
    if (kind_ == Kind::kAll) {
      RuleMatch result = RuleMatch::kYes;
      for (const auto& part : parts_) {
        result = And(result, part->Judge(facts));
        if (result == RuleMatch::kNo) break;
      }
      return result;
    }
    RuleMatch result = RuleMatch::kNo;
    for (const auto& part : parts_) {
      result = Or(result, part->Judge(facts));
      if (result == RuleMatch::kYes) break;
    }
    return kind_ == Kind::kAny ? result : Not(result);
  }

 private:
  const Kind kind_;
  const std::vector<std::unique_ptr<const RuleMatcher>> parts_;
};

}  // namespace

const bssl::GeneralNames* RuleFacts::alt_names() const {
  const bssl::ParsedCertificate& parsed = *leaf_.parsed();
  return parsed.has_subject_alt_names() ? parsed.subject_alt_names() : nullptr;
}

const Sha256Digest& RuleFacts::spki_sha256() {
  if (!spki_sha256_.has_value()) spki_sha256_ = Sha256(leaf_.spki_der());
  return *spki_sha256_;
}

const std::vector<DnAttribute>* RuleFacts::subject() {
  if (!subject_.has_value()) {
    subject_ = ReadDnAttributes(leaf_.subject_der());
  }
  return subject_->has_value() ? &**subject_ : nullptr;
}

const std::vector<DnAttribute>* RuleFacts::issuer() {
  if (!issuer_.has_value()) issuer_ = ReadDnAttributes(leaf_.issuer_der());
  return issuer_->has_value() ? &**issuer_ : nullptr;
}

bool RuleFacts::Spend(size_t n) {
  spent_ += n;
  return spent_ <= limits::kMaxClientRuleChecks;
}

absl::string_view RuleFieldName(Kind kind) {
  switch (kind) {
    case Kind::kAll:
      return "all";
    case Kind::kAny:
      return "any";
    case Kind::kNone:
      return "none";
    case Kind::kSanDns:
      return "san_dns";
    case Kind::kSanUri:
      return "san_uri";
    case Kind::kSanEmail:
      return "san_email";
    case Kind::kSanIp:
      return "san_ip";
    case Kind::kSubject:
      return "subject";
    case Kind::kIssuer:
      return "issuer";
    case Kind::kCertificateSha256:
      return "certificate_sha256";
    case Kind::kSpkiSha256:
      return "spki_sha256";
    case Kind::kSerial:
      return "serial";
    case Kind::kTruststore:
      return "truststore";
  }
  return "rule";
}

absl::StatusOr<CompiledMatcher> CompileMatcher(const ClientRuleSpec& spec,
                                               const std::string& field) {
  switch (spec.kind) {
    case Kind::kSanDns:
      return CompileDns(spec, field);
    case Kind::kSanUri:
      return CompileUri(spec, field);
    case Kind::kSanEmail:
      return CompileEmail(spec, field);
    case Kind::kSanIp:
      return CompileIp(spec, field);
    case Kind::kSubject:
    case Kind::kIssuer:
      return CompileName(spec, field);
    case Kind::kCertificateSha256:
    case Kind::kSpkiSha256:
      return CompileDigests(spec, field);
    case Kind::kSerial:
      return CompileSerials(spec, field);
    case Kind::kTruststore:
      return CompileTruststores(spec, field);
    case Kind::kAll:
    case Kind::kAny:
    case Kind::kNone:
      break;
  }
  return absl::InternalError(absl::StrCat(field, ": is no matcher"));
}

CompiledMatcher CombineMatchers(Kind kind, std::vector<CompiledMatcher> parts) {
  std::vector<std::unique_ptr<const RuleMatcher>> matchers;
  std::vector<absl::string_view> digests;
  std::string description = absl::StrCat(RuleFieldName(kind), "(");
  for (CompiledMatcher& part : parts) {
    digests.push_back(AsBytes(part.digest));
    if (description.size() <= limits::kMaxClientRuleDescriptionBytes) {
      absl::StrAppend(&description, matchers.empty() ? "" : ", ",
                      part.description);
    }
    matchers.push_back(std::move(part.matcher));
  }
  ContentDigest digest(kind);
  digest.AddSet(digests);
  return CompiledMatcher{
      std::make_unique<Combination>(kind, std::move(matchers)), digest.Finish(),
      Cut(absl::StrCat(description, ")"))};
}

}  // namespace sallyport::pki
