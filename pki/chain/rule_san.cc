// Matchers of subject alternative names.

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "absl/numeric/int128.h"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "pki/chain/rule_matchers.h"
#include "pki/chain/rule_parts.h"
#include "third_party_boringssl/pki/general_names.h"
#include "third_party_boringssl/pki/parse_certificate.h"
#include "third_party_boringssl/pki/parsed_certificate.h"

namespace sallyport::pki {
namespace {

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

}  // namespace

absl::StatusOr<CompiledMatcher> CompileSanDns(const ClientRuleSpec& spec,
                                              const std::string& field) {
  auto matcher = std::make_unique<DnsMatcher>();
  std::vector<std::string> canonical;
  canonical.reserve(spec.values.size());
  for (size_t i = 0; i < spec.values.size(); ++i) {
    LowerHost lower;
    if (!lower.Set(spec.values[i])) {
      return BadValue(field, "patterns", i,
                      absl::StrCat("is longer than the ", kMaxHostLength,
                                   " characters of a host name"));
    }
    const Labels labels = absl::StrSplit(lower.view(), '.');
    bool literal = false;
    for (const absl::string_view label : labels) {
      if (label == "*") continue;
      literal = true;
      if (!IsLabel(label)) {
        return BadValue(
            field, "patterns", i,
            "is no host name; give names such as api.example.com or "
            "*.example.com, where '*' is a whole label (names beyond "
            "ASCII in their xn-- form, no dot at the end)");
      }
    }
    if (!literal) {
      return BadValue(field, "patterns", i,
                      "has no label but '*'; give at least one");
    }
    matcher->Add(labels);
    canonical.emplace_back(lower.view());
  }
  ContentDigest digest(spec.kind);
  digest.AddSet(canonical);
  return CompiledMatcher{std::move(matcher), digest.Finish(),
                         DescribeMatcher(spec)};
}

namespace {

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

  RuleStrings exact_;
  bool has_spiffe_ = false;
  RuleStrings trust_domains_;  // "example.com"
  RuleStrings ids_;            // "spiffe://example.com/a"
  RuleStrings folders_;        // "spiffe://example.com/a/"

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

}  // namespace

absl::StatusOr<CompiledMatcher> CompileSanUri(const ClientRuleSpec& spec,
                                              const std::string& field) {
  auto matcher = std::make_unique<UriMatcher>();
  for (size_t i = 0; i < spec.values.size(); ++i) {
    const absl::string_view uri = spec.values[i];
    if (!std::all_of(uri.begin(), uri.end(), [](char c) {
          return absl::ascii_isgraph(static_cast<unsigned char>(c));
        })) {
      return BadValue(field, "exact", i,
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
      return BadValue(
          field, "spiffe", i,
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
  return CompiledMatcher{std::move(matcher), digest.Finish(),
                         DescribeMatcher(spec)};
}

namespace {

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

  RuleStrings hosts_;      // lower case
  RuleStrings mailboxes_;  // the host in lower case

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

}  // namespace

absl::StatusOr<CompiledMatcher> CompileSanEmail(const ClientRuleSpec& spec,
                                                const std::string& field) {
  auto matcher = std::make_unique<EmailMatcher>();
  for (size_t i = 0; i < spec.values.size(); ++i) {
    const absl::string_view pattern = spec.values[i];
    const size_t at = std::min(pattern.find('@'), pattern.size());
    LowerHost host;
    if (at == pattern.size() ||
        (at > 0 && !IsLocalPart(pattern.substr(0, at))) ||
        !host.Set(pattern.substr(at + 1)) || !IsHost(host.view())) {
      return BadValue(
          field, "patterns", i,
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
  return CompiledMatcher{std::move(matcher), digest.Finish(),
                         DescribeMatcher(spec)};
}

namespace {

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
    return BadValue(field, "ranges", i, what);
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

}  // namespace

absl::StatusOr<CompiledMatcher> CompileSanIp(const ClientRuleSpec& spec,
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
  return CompiledMatcher{std::move(matcher), digest.Finish(),
                         DescribeMatcher(spec)};
}

}  // namespace sallyport::pki
