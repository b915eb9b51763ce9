#include "pki/chain/rule_matchers.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/limits.h"
#include "base/text.h"
#include "pki/chain/rule_parts.h"
#include "pki/x509/der.h"
#include "pki/x509/twin.h"
#include "third_party_boringssl/pki/parsed_certificate.h"

namespace sallyport::pki {
namespace {

using Kind = ClientRuleSpec::Kind;

// Descriptions.

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

// Fingerprints.

class DigestMatcher final : public RuleMatcher {
 public:
  explicit DigestMatcher(Kind kind)
      : is_certificate_(kind == Kind::kCertificateSha256) {}

  RuleMatch Judge(RuleFacts& facts) const override {
    if (!is_certificate_) {
      const auto& digests = facts.key_digests();
      return FromBool(std::any_of(
          digests.begin(), digests.end(),
          [this](const Sha256Digest& d) { return digests_.contains(d); }));
    }
    if (digests_.contains(facts.leaf().fingerprint())) return RuleMatch::kYes;
    // `none` must hold whatever form its holder gives the certificate.
    for (const Sha256Digest& twin : TwinFingerprints(facts.leaf())) {
      if (digests_.contains(twin)) return RuleMatch::kYes;
    }
    return RuleMatch::kNo;
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
      return BadValue(
          field, "sha256", i,
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
  return CompiledMatcher{std::move(matcher), digest.Finish(),
                         DescribeMatcher(spec)};
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
  RuleStrings positive_;
  RuleStrings negative_;
};

absl::StatusOr<CompiledMatcher> CompileSerials(const ClientRuleSpec& spec,
                                               const std::string& field) {
  auto matcher = std::make_unique<SerialMatcher>();
  for (size_t i = 0; i < spec.values.size(); ++i) {
    absl::string_view text = spec.values[i];
    const bool negative = absl::ConsumePrefix(&text, "-");
    std::string digits = WithoutColons(text);
    if (digits.empty() || !IsHex(digits)) {
      return BadValue(
          field, "hex", i,
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
  return CompiledMatcher{std::move(matcher), digest.Finish(),
                         DescribeMatcher(spec)};
}

// Truststores.

// Whether `name` can be the name of a truststore or a list.
bool IsName(absl::string_view name) {
  constexpr size_t kMaxName = 128;
  return name.size() <= kMaxName &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
                  absl::StrContains("._/-", c);
         });
}

class TruststoreMatcher final : public RuleMatcher {
 public:
  RuleMatch Judge(RuleFacts& facts) const override {
    return FromBool(names_.contains(facts.truststore()));
  }
  RuleStrings names_;
};

absl::StatusOr<CompiledMatcher> CompileTruststores(const ClientRuleSpec& spec,
                                                   const std::string& field) {
  auto matcher = std::make_unique<TruststoreMatcher>();
  for (size_t i = 0; i < spec.values.size(); ++i) {
    const absl::string_view name = spec.values[i];
    if (!IsName(name)) {
      return BadValue(field, "names", i,
                      "is no name of a truststore: 1 to 128 characters of "
                      "[A-Za-z0-9._/-], without the version");
    }
    matcher->names_.emplace(name);
  }
  ContentDigest digest(spec.kind);
  digest.AddSet(matcher->names_);
  return CompiledMatcher{std::move(matcher), digest.Finish(),
                         DescribeMatcher(spec)};
}

// Lists that are kept elsewhere.

class ListMatcher final : public RuleMatcher {
 public:
  RuleMatch Judge(RuleFacts& facts) const override {
    RuleMatch result = RuleMatch::kNo;
    for (const std::string& name : names_) {
      const DenyList* const list = facts.FindList(name);
      if (list == nullptr) {
        result = RuleMatch::kUnclear;
      } else if (list->Find(facts.leaf()) != DenyList::Match::kNone) {
        return RuleMatch::kYes;
      }
    }
    return result;
  }
  RuleStrings names_;
};

absl::StatusOr<CompiledMatcher> CompileLists(const ClientRuleSpec& spec,
                                             const std::string& field) {
  auto matcher = std::make_unique<ListMatcher>();
  for (size_t i = 0; i < spec.values.size(); ++i) {
    if (!IsName(spec.values[i])) {
      return BadValue(field, "names", i,
                      "is no name of a list: 1 to 128 characters of "
                      "[A-Za-z0-9._/-]");
    }
    matcher->names_.emplace(spec.values[i]);
  }
  ContentDigest digest(spec.kind);
  digest.AddSet(matcher->names_);
  return CompiledMatcher{std::move(matcher), digest.Finish(),
                         DescribeMatcher(spec)};
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

absl::Status BadValue(absl::string_view field, absl::string_view list, size_t i,
                      absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat(field, ".", list, "[", i, "]: ", what));
}

std::string CutDescription(std::string text) {
  constexpr absl::string_view kDots = "...";
  if (text.size() > limits::kMaxClientRuleDescriptionBytes) {
    text.resize(limits::kMaxClientRuleDescriptionBytes - kDots.size());
    text.append(kDots.data(), kDots.size());
  }
  return text;
}

std::string DescribeMatcher(const ClientRuleSpec& spec) {
  std::vector<std::string> parts;
  if (!spec.values.empty()) parts.push_back(ListText(spec.values));
  if (!spec.spiffe.empty()) parts.push_back(ListText(spec.spiffe, "spiffe "));
  for (const ClientRuleSpec::Attribute& attribute : spec.attributes) {
    if (parts.size() > limits::kMaxClientRuleDescriptionBytes) break;
    parts.push_back(AttributeText(attribute));
  }
  return CutDescription(absl::StrCat(RuleFieldName(spec.kind), "(",
                                     absl::StrJoin(parts, "; "), ")"));
}

const bssl::GeneralNames* RuleFacts::alt_names() const {
  const bssl::ParsedCertificate& parsed = *leaf_.parsed();
  return parsed.has_subject_alt_names() ? parsed.subject_alt_names() : nullptr;
}

const DenyList* RuleFacts::FindList(absl::string_view name) const {
  if (lists_ == nullptr) return nullptr;
  const auto found = lists_->find(name);
  return found == lists_->end() ? nullptr : found->second.get();
}

const absl::InlinedVector<Sha256Digest, 2>& RuleFacts::key_digests() {
  if (key_digests_.empty()) key_digests_ = KeyDigests(leaf_);
  return key_digests_;
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
    case Kind::kCertificateList:
      return "certificate_list";
  }
  return "rule";
}

absl::StatusOr<CompiledMatcher> CompileMatcher(const ClientRuleSpec& spec,
                                               const std::string& field) {
  switch (spec.kind) {
    case Kind::kSanDns:
      return CompileSanDns(spec, field);
    case Kind::kSanUri:
      return CompileSanUri(spec, field);
    case Kind::kSanEmail:
      return CompileSanEmail(spec, field);
    case Kind::kSanIp:
      return CompileSanIp(spec, field);
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
    case Kind::kCertificateList:
      return CompileLists(spec, field);
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
      CutDescription(absl::StrCat(description, ")"))};
}

}  // namespace sallyport::pki
