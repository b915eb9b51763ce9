// Input: a list of items, each a kind byte, a length byte and that many bytes.
// Some are names of a certificate, some are values of matchers, some combine
// what was made before (see Program). Invariants: rules that compile always
// give the same answer; `none` is the negation of `any`; order and repetition
// do not count; whatever is printed is printable; and a matcher that says yes
// is right by a second, plain reading of the same names.

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "base/limits.h"
#include "pki/chain/client_rule.h"
#include "pki/testing/make_certificate.h"
#include "pki/x509/certificate.h"
#include "pki/x509/distinguished_name.h"
#include "tests/fuzz/fuzz_check.h"

namespace sallyport::fuzz {
namespace {

using pki::ClientRule;
using pki::ClientRuleSpec;
using pki::RuleMatch;
using Kind = ClientRuleSpec::Kind;
using RulePtr = std::shared_ptr<const ClientRule>;

constexpr absl::string_view kTruststore = "partners";

RuleMatch Not(RuleMatch a) {
  if (a == RuleMatch::kUnclear) return a;
  return a == RuleMatch::kYes ? RuleMatch::kNo : RuleMatch::kYes;
}
RuleMatch Both(RuleMatch a, RuleMatch b) {
  if (a == RuleMatch::kNo || b == RuleMatch::kNo) return RuleMatch::kNo;
  return a == RuleMatch::kYes && b == RuleMatch::kYes ? RuleMatch::kYes
                                                      : RuleMatch::kUnclear;
}

// What the input builds.
struct Program {
  std::vector<pki::TestAltName> names;
  std::string rdns;
  std::vector<ClientRuleSpec> rules;
};

void AddValue(Kind kind, absl::string_view value, bool spiffe,
              std::vector<ClientRuleSpec>& rules) {
  if (rules.empty() || rules.back().kind != kind) {
    rules.emplace_back();
    rules.back().kind = kind;
  }
  (spiffe ? rules.back().spiffe : rules.back().values).push_back(value);
}

void AddAttribute(uint8_t what, absl::string_view value,
                  std::vector<ClientRuleSpec>& rules) {
  ClientRuleSpec::Attribute attribute;
  attribute.type = (what & 4) != 0 ? "O" : "2.5.4.3";
  attribute.ignore_case = (what & 8) != 0;
  switch (what & 3) {
    case 0:
      attribute.exact = {value};
      break;
    case 1:
      attribute.prefix = {value};
      break;
    default:
      attribute.suffix = {value};
  }
  if (rules.empty() || rules.back().kind != Kind::kSubject) {
    rules.emplace_back();
    rules.back().kind = Kind::kSubject;
  }
  rules.back().attributes.push_back(std::move(attribute));
}

void CombineLast(Kind kind, size_t count, std::vector<ClientRuleSpec>& rules) {
  count = std::min(count, rules.size());
  ClientRuleSpec out;
  out.kind = kind;
  out.rules.assign(rules.end() - static_cast<std::ptrdiff_t>(count),
                   rules.end());
  rules.resize(rules.size() - count);
  rules.push_back(std::move(out));
}

Program ReadProgram(absl::string_view input) {
  Program out;
  // Bounds the work of one input.
  for (size_t items = 0; items < 64 && input.size() >= 2; ++items) {
    const auto kind = static_cast<uint8_t>(input[0]);
    const auto size = static_cast<uint8_t>(input[1]);
    input.remove_prefix(2);
    const absl::string_view value = input.substr(0, size);
    switch (kind) {
      case 'd':
        out.names.push_back({pki::TestAltName::kDns, std::string(value)});
        break;
      case 'u':
        out.names.push_back({pki::TestAltName::kUri, std::string(value)});
        break;
      case 'e':
        out.names.push_back({pki::TestAltName::kEmail, std::string(value)});
        break;
      case 'i':
        out.names.push_back({pki::TestAltName::kIp, std::string(value)});
        break;
      case 's':
        // A string type, then the value.
        if (!value.empty()) {
          static constexpr std::array<uint8_t, 8> kTags = {
              0x0c, 0x13, 0x14, 0x16, 0x1c, 0x1e, 0x1a, 0x02};
          const auto choice = static_cast<uint8_t>(value[0]);
          const std::string type =
              (choice & 8) != 0 ? "\x55\x04\x0a" : "\x55\x04\x03";
          out.rdns += pki::TestDer(
              0x31, pki::TestDer(
                        0x30, pki::TestDer(0x06, type) +
                                  pki::TestDer(kTags[choice & 7],
                                               std::string(value.substr(1)))));
        }
        break;
      case 'D':
        AddValue(Kind::kSanDns, value, false, out.rules);
        break;
      case 'U':
        AddValue(Kind::kSanUri, value, false, out.rules);
        break;
      case 'P':
        AddValue(Kind::kSanUri, value, true, out.rules);
        break;
      case 'E':
        AddValue(Kind::kSanEmail, value, false, out.rules);
        break;
      case 'I':
        AddValue(Kind::kSanIp, value, false, out.rules);
        break;
      case 'S':
        AddValue(Kind::kSubject, value, false, out.rules);
        break;
      case 'A':
        if (!value.empty()) {
          AddAttribute(static_cast<uint8_t>(value[0]), value.substr(1),
                       out.rules);
        }
        break;
      case 'N':
        AddValue(Kind::kSerial, value, false, out.rules);
        break;
      case 'F':
        AddValue(Kind::kSpkiSha256, value, false, out.rules);
        break;
      case 'T':
        AddValue(Kind::kTruststore, value, false, out.rules);
        break;
      case '&':
        CombineLast(Kind::kAll, size, out.rules);
        continue;  // the length byte was the number of rules
      case '|':
        CombineLast(Kind::kAny, size, out.rules);
        continue;
      case '!':
        CombineLast(Kind::kNone, size, out.rules);
        continue;
      default:
        break;
    }
    input.remove_prefix(value.size());
  }
  return out;
}

// A second reading of what matchers that said yes must have seen.

bool PlainDns(absl::string_view pattern, absl::string_view name) {
  const std::vector<std::string> want =
      absl::StrSplit(absl::AsciiStrToLower(pattern), '.');
  const std::vector<std::string> have =
      absl::StrSplit(absl::AsciiStrToLower(name), '.');
  if (want.size() != have.size()) return false;
  for (size_t i = 0; i < want.size(); ++i) {
    if (want[i] != "*" && want[i] != have[i]) return false;
  }
  return true;
}

bool PlainEmail(absl::string_view pattern, absl::string_view name) {
  const std::vector<std::string> want = absl::StrSplit(pattern, '@');
  const std::vector<std::string> have = absl::StrSplit(name, '@');
  return want.size() == 2 && have.size() == 2 && !have[0].empty() &&
         (want[0].empty() || want[0] == have[0]) &&
         absl::EqualsIgnoreCase(want[1], have[1]);
}

bool PlainIp(absl::string_view range, const std::string& address) {
  const std::vector<std::string> parts = absl::StrSplit(range, '/');
  std::array<unsigned char, 16> bytes{};
  const int family = absl::StrContains(parts[0], ':') ? AF_INET6 : AF_INET;
  const size_t size = family == AF_INET6 ? 16 : 4;
  if (address.size() != size ||
      inet_pton(family, parts[0].c_str(), bytes.data()) != 1) {
    return false;
  }
  size_t bits = size * 8;
  if (parts.size() == 2 && !absl::SimpleAtoi(parts[1], &bits)) return false;
  for (size_t i = 0; i < bits; ++i) {
    const int mask = 0x80 >> (i % 8);
    if ((bytes[i / 8] & mask) !=
        (static_cast<unsigned char>(address[i / 8]) & mask)) {
      return false;
    }
  }
  return true;
}

bool PlainUri(const ClientRuleSpec& spec, const std::string& uri,
              size_t num_uris) {
  for (const absl::string_view exact : spec.values) {
    if (exact == uri) return true;
  }
  for (absl::string_view pattern : spec.spiffe) {
    const bool folder = absl::EndsWith(pattern, "/*");
    if (folder) pattern.remove_suffix(1);
    const bool domain =
        !folder && std::count(pattern.begin(), pattern.end(), '/') == 2;
    if (num_uris == 1 &&
        (folder ? uri.size() > pattern.size() && absl::StartsWith(uri, pattern)
         : domain ? absl::StartsWith(uri, std::string(pattern) + "/")
                  : uri == pattern)) {
      return true;
    }
  }
  return false;
}

bool PlainAttribute(const ClientRuleSpec::Attribute& attribute,
                    const pki::Certificate& leaf) {
  const auto names = pki::ReadDnAttributes(leaf.subject_der());
  if (!names.has_value()) return false;
  const std::string type =
      attribute.type == "O" ? "\x55\x04\x0a" : "\x55\x04\x03";
  for (const pki::DnAttribute& name : *names) {
    if (name.type != type || !name.text.has_value()) continue;
    const auto folded = [&](absl::string_view text) {
      return attribute.ignore_case ? absl::AsciiStrToLower(text)
                                   : std::string(text);
    };
    const std::string text = folded(*name.text);
    for (const auto& value : attribute.exact) {
      if (text == folded(value)) return true;
    }
    for (const auto& value : attribute.prefix) {
      if (absl::StartsWith(text, folded(value))) return true;
    }
    for (const auto& value : attribute.suffix) {
      if (absl::EndsWith(text, folded(value))) return true;
    }
  }
  return false;
}

// Whether one of `names` of a kind matches one of the rule's values.
template <typename Matches>
bool AnyPair(const Program& program, pki::TestAltName::Kind kind,
             const ClientRuleSpec& spec, Matches matches) {
  for (const pki::TestAltName& name : program.names) {
    for (const absl::string_view value : spec.values) {
      if (name.kind == kind && matches(value, name.bytes)) return true;
    }
  }
  return false;
}

bool PlainlyMatches(const Program& program, const pki::Certificate& leaf,
                    const ClientRuleSpec& spec) {
  switch (spec.kind) {
    case Kind::kSanDns:
      return AnyPair(program, pki::TestAltName::kDns, spec, PlainDns);
    case Kind::kSanEmail:
      return AnyPair(program, pki::TestAltName::kEmail, spec, PlainEmail);
    case Kind::kSanIp:
      return AnyPair(program, pki::TestAltName::kIp, spec, PlainIp);
    case Kind::kSanUri: {
      const auto is_uri = [](const pki::TestAltName& name) {
        return name.kind == pki::TestAltName::kUri;
      };
      const auto num_uris = static_cast<size_t>(
          std::count_if(program.names.begin(), program.names.end(), is_uri));
      return std::any_of(program.names.begin(), program.names.end(),
                         [&](const pki::TestAltName& name) {
                           return is_uri(name) &&
                                  PlainUri(spec, name.bytes, num_uris);
                         });
    }
    case Kind::kSubject:
      return std::all_of(spec.attributes.begin(), spec.attributes.end(),
                         [&](const ClientRuleSpec::Attribute& attribute) {
                           return PlainAttribute(attribute, leaf);
                         });
    case Kind::kTruststore:
      return std::find(spec.values.begin(), spec.values.end(), kTruststore) !=
             spec.values.end();
    default:
      return true;  // not read a second time
  }
}

RulePtr Compile(const ClientRuleSpec& spec) {
  const auto rule = ClientRule::Compile(spec, "rule");
  if (!rule.ok()) {
    RequirePrintable(rule.status().message(), "an error");
    Require(absl::StartsWith(rule.status().message(), "rule."),
            "an error names the field");
    return nullptr;
  }
  return *rule;
}

ClientRuleSpec Combine(Kind kind, std::vector<ClientRuleSpec> rules) {
  ClientRuleSpec out;
  out.kind = kind;
  out.rules = std::move(rules);
  return out;
}

// The same with every list backwards and its first entry once more.
ClientRuleSpec Shuffled(ClientRuleSpec spec) {
  for (auto* list : {&spec.values, &spec.spiffe}) {
    std::reverse(list->begin(), list->end());
    if (!list->empty()) list->push_back(list->front());
  }
  std::reverse(spec.attributes.begin(), spec.attributes.end());
  std::reverse(spec.rules.begin(), spec.rules.end());
  for (ClientRuleSpec& rule : spec.rules) rule = Shuffled(std::move(rule));
  return spec;
}

void TestRule(const Program& program, const pki::Certificate& leaf,
              const ClientRuleSpec& spec) {
  const RulePtr rule = Compile(spec);
  if (rule == nullptr) return;
  RequirePrintable(rule->Describe(), "the description");
  Require(!rule->Describe().empty() &&
              rule->Describe().size() <= limits::kMaxClientRuleDescriptionBytes,
          "the description's size");
  const RuleMatch answer = rule->Judge(leaf, kTruststore);
  Require(answer == rule->Judge(leaf, kTruststore), "it does not waver");
  Require(rule->Matches(leaf, kTruststore) == (answer == RuleMatch::kYes),
          "only yes lets in");
  if (leaf.parsed() == nullptr) {
    Require(answer == RuleMatch::kUnclear, "what cannot be read is unclear");
    return;
  }
  Require(answer != RuleMatch::kYes || PlainlyMatches(program, leaf, spec),
          "a match is one: " + rule->Describe());

  const RulePtr shuffled = Compile(Shuffled(spec));
  Require(shuffled != nullptr && shuffled->digest() == rule->digest(),
          "order and repetition do not change the digest");
  Require(shuffled->Judge(leaf, kTruststore) == answer, "nor the answer");

  const RulePtr any = Compile(Combine(Kind::kAny, {spec}));
  const RulePtr all = Compile(Combine(Kind::kAll, {spec}));
  const RulePtr none = Compile(Combine(Kind::kNone, {spec}));
  if (any == nullptr) return;  // too deep
  Require(any->Judge(leaf, kTruststore) == answer, "any of one");
  Require(all->Judge(leaf, kTruststore) == answer, "all of one");
  Require(none->Judge(leaf, kTruststore) == Not(answer), "none of one");
  Require(any->digest() != none->digest() && any->digest() != all->digest(),
          "their digests differ");
}

void TestPair(const pki::Certificate& leaf, const ClientRuleSpec& a,
              const ClientRuleSpec& b) {
  const RulePtr rule_a = Compile(a);
  const RulePtr rule_b = Compile(b);
  if (rule_a == nullptr || rule_b == nullptr || leaf.parsed() == nullptr) {
    return;
  }
  const RuleMatch answer_a = rule_a->Judge(leaf, kTruststore);
  const RuleMatch answer_b = rule_b->Judge(leaf, kTruststore);
  const RulePtr all = Compile(Combine(Kind::kAll, {a, b}));
  const RulePtr any = Compile(Combine(Kind::kAny, {a, b}));
  const RulePtr none = Compile(Combine(Kind::kNone, {a, b}));
  if (all == nullptr) return;
  const RuleMatch both = Both(answer_a, answer_b);
  const RuleMatch either = Not(Both(Not(answer_a), Not(answer_b)));
  Require(all->Judge(leaf, kTruststore) == both, "all of two");
  Require(any->Judge(leaf, kTruststore) == either, "any of two");
  Require(none->Judge(leaf, kTruststore) == Not(either), "none of two");
}

void Test(absl::string_view input) {
  static const auto* const kKey = new pki::TestKey(pki::TestKey::P256());
  const Program program = ReadProgram(input);
  pki::TestCertificateSpec spec;
  spec.key_identifiers = false;
  spec.subject_der = pki::TestDer(0x30, program.rdns);
  if (!program.names.empty()) {
    spec.alt_names = pki::TestAltNames(program.names);
  }
  const auto made = pki::TryMakeTestCertificate(spec, *kKey);
  if (!made.has_value()) return;
  const auto leaf = pki::Certificate::Parse(made->der);
  if (!leaf.ok()) return;
  for (size_t i = 0; i < program.rules.size(); ++i) {
    TestRule(program, **leaf, program.rules[i]);
    if (i > 0) TestPair(**leaf, program.rules[i - 1], program.rules[i]);
  }
}

}  // namespace
}  // namespace sallyport::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sallyport::fuzz::Test(
      absl::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
