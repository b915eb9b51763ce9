#include "config_service/domain/common.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "base/text.h"
#include "config_service/domain/limits.h"
#include "pki/x509/distinguished_name.h"

namespace sallyport::domain {
namespace {

// Characters of valid UTF-8.
size_t NumCharacters(absl::string_view utf8) {
  return static_cast<size_t>(std::count_if(
      utf8.begin(), utf8.end(),
      [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

bool IsControl(char c) {
  const auto u = static_cast<unsigned char>(c);
  return u < 0x20 || u == 0x7f;
}

// C1 controls are two bytes in UTF-8: 0xc2, 0x80 to 0x9f.
bool HasControl(absl::string_view utf8, absl::string_view allowed) {
  for (size_t i = 0; i < utf8.size(); ++i) {
    if (IsControl(utf8[i]) && !absl::StrContains(allowed, utf8.substr(i, 1))) {
      return true;
    }
    if (static_cast<unsigned char>(utf8[i]) == 0xc2 && i + 1 < utf8.size() &&
        static_cast<unsigned char>(utf8[i + 1]) < 0xa0) {
      return true;
    }
  }
  return false;
}

// What is wrong with a label's key; "" when nothing is.
absl::string_view KeyProblem(absl::string_view key) {
  const auto plain = [](char c) {
    return absl::ascii_islower(static_cast<unsigned char>(c)) ||
           absl::ascii_isdigit(static_cast<unsigned char>(c));
  };
  if (key.empty()) return "is empty";
  if (key.size() > kMaxLabelKeyLength) return "is longer than 63 characters";
  if (!plain(key.front()) || !plain(key.back())) {
    return "does not begin and end with a lower-case letter or digit";
  }
  for (const char c : key) {
    if (!plain(c) && c != '.' && c != '_' && c != '/' && c != '-') {
      return "has a character that is none of [a-z0-9._/-]";
    }
  }
  return "";
}
static_assert(kMaxLabelKeyLength == 63, "KeyProblem() says so");

}  // namespace

Etag Etag::Of(absl::string_view stored) {
  const pki::Sha256Digest digest = pki::Sha256(stored);
  const absl::string_view half = pki::AsBytes(digest).substr(0, 16);
  return Etag(absl::StrCat("\"", HexLower(half), "\""));
}

absl::Status CheckEtag(const Etag& given, const Etag& current,
                       absl::string_view resource) {
  if (given.empty() || given == current) return absl::OkStatus();
  return MakeError(
      Reason::kEtagMismatch,
      absl::StrCat(resource,
                   " has changed since the etag was read; read it again, then "
                   "repeat the change"),
      {{"resource", std::string(resource)}});
}

void Validate(const Metadata& metadata, Violations& violations) {
  CheckText("description", metadata.description, kMaxDescriptionLength,
            violations);
  CheckLabels("labels", metadata.labels, violations);
}

void CheckText(absl::string_view field, absl::string_view text,
               size_t max_characters, Violations& violations) {
  if (!pki::IsUtf8(text)) {
    violations.Add(field, Reason::kFieldMalformed, "is not UTF-8");
    return;
  }
  // It would be read by every viewer, and stay in the audit log.
  if (absl::StrContains(text, "PRIVATE KEY-----")) {
    violations.Add(field, Reason::kFieldMalformed,
                   "has a private key; it was not stored. Whoever saw the "
                   "request may know the key: make another one");
    return;
  }
  if (HasControl(text, "\n\r\t")) {
    violations.Add(field, Reason::kFieldMalformed,
                   "has a control character other than line breaks and tabs; "
                   "leave it out");
  }
  const size_t characters = NumCharacters(text);
  if (characters > max_characters) {
    violations.Add(field, Reason::kFieldOutOfRange,
                   absl::StrCat("has ", characters, " characters; at most ",
                                max_characters));
  }
}

void CheckLabels(absl::string_view field, const Labels& labels,
                 Violations& violations) {
  if (labels.size() > kMaxLabels) {
    violations.Add(
        field, Reason::kTooManyEntries,
        absl::StrCat("has ", labels.size(), " entries; at most ", kMaxLabels));
  }
  for (const auto& [key, value] : labels) {
    const std::string entry = Entry(field, key);
    const absl::string_view problem = KeyProblem(key);
    if (!problem.empty()) {
      violations.Add(entry, Reason::kKeyMalformed,
                     absl::StrCat("its key ", problem));
    }
    if (!pki::IsUtf8(value) || HasControl(value, "")) {
      violations.Add(entry, Reason::kFieldMalformed,
                     "its value is not UTF-8 or has a control character");
    } else if (NumCharacters(value) > kMaxLabelValueLength) {
      violations.Add(
          entry, Reason::kFieldOutOfRange,
          absl::StrCat("its value has ", NumCharacters(value),
                       " characters; at most ", kMaxLabelValueLength));
    }
  }
}

bool SetCondition(Condition condition, absl::Time now,
                  std::vector<Condition>& conditions) {
  const auto at = std::lower_bound(
      conditions.begin(), conditions.end(), condition,
      [](const Condition& a, const Condition& b) { return a.type < b.type; });
  if (at == conditions.end() || at->type != condition.type) {
    condition.transition_time = now;
    conditions.insert(at, std::move(condition));
    return true;
  }
  const bool changed = at->status != condition.status ||
                       at->reason != condition.reason ||
                       at->message != condition.message;
  condition.transition_time =
      at->status == condition.status ? at->transition_time : now;
  *at = std::move(condition);
  return changed;
}

const Condition* FindCondition(const std::vector<Condition>& conditions,
                               absl::string_view type) {
  for (const Condition& condition : conditions) {
    if (condition.type == type) return &condition;
  }
  return nullptr;
}

Warning FromPki(const pki::Warning& warning) {
  Warning out;
  out.reason = std::string(pki::ReasonName(warning.reason));
  out.message = warning.message;
  out.subject = warning.subject;
  out.index = warning.index;
  out.line = warning.line;
  out.removes_trust = pki::RemovesTrust(warning.reason);
  return out;
}

}  // namespace sallyport::domain
