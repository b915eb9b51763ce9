#include "config_service/domain/name.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "config_service/domain/domain_name.h"
#include "config_service/domain/limits.h"

namespace sallyport::domain {
namespace {

bool IsLowerOrDigit(char c) {
  return absl::ascii_islower(static_cast<unsigned char>(c)) ||
         absl::ascii_isdigit(static_cast<unsigned char>(c));
}

bool IsAlphanumeric(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c));
}

absl::Status CheckCharacters(absl::string_view id, size_t max,
                             absl::string_view more, bool lower_only,
                             absl::string_view set) {
  if (id.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("is empty; give 1 to ", max, " characters of ", set));
  }
  if (id.size() > max) {
    return absl::InvalidArgumentError(
        absl::StrCat("has ", id.size(), " characters; at most ", max));
  }
  for (size_t i = 0; i < id.size(); ++i) {
    if (lower_only ? IsLowerOrDigit(id[i]) : IsAlphanumeric(id[i])) continue;
    if (absl::StrContains(more, id.substr(i, 1))) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "has a character (number ", i + 1, ") that is none of ", set));
  }
  return absl::OkStatus();
}

absl::Status NotOfForm(absl::string_view form) {
  return absl::InvalidArgumentError(
      absl::StrCat("is no name of the form ", form));
}

// What is after "COLLECTION/" in `text`; false when something else is before
// it, or a '/' after.
bool AfterCollection(absl::string_view text, absl::string_view collection,
                     absl::string_view& id) {
  if (!absl::StartsWith(text, collection)) return false;
  text.remove_prefix(collection.size());
  if (text.empty() || text.front() != '/') return false;
  id = text.substr(1);
  return !absl::StrContains(id, "/");
}

}  // namespace

absl::Status CheckId(IdRule rule, absl::string_view id) {
  switch (rule) {
    case IdRule::kPlain: {
      absl::Status characters =
          CheckCharacters(id, kMaxIdLength, "-", true, "[a-z0-9-]");
      if (!characters.ok()) return characters;
      if (id.front() == '-' || id.back() == '-') {
        return absl::InvalidArgumentError(
            "begins or ends with '-'; begin and end it with a letter or digit");
      }
      return absl::OkStatus();
    }
    case IdRule::kStage:
      return CheckCharacters(id, kMaxLongIdLength, "_-", false,
                             "[A-Za-z0-9_-]");
    case IdRule::kNode: {
      absl::Status characters =
          CheckCharacters(id, kMaxLongIdLength, "._-", false, "[A-Za-z0-9._-]");
      if (!characters.ok()) return characters;
      if (id == "." || id == "..") {
        return absl::InvalidArgumentError("is only dots; add a letter");
      }
      return absl::OkStatus();
    }
    case IdRule::kDomain:
      return CheckDomain(id);
  }
  return absl::InternalError("unknown rule of ids");
}

namespace internal {

absl::StatusOr<std::string> ParseLast(absl::string_view text,
                                      absl::string_view collection, IdRule rule,
                                      absl::string_view form) {
  absl::string_view id;
  if (!AfterCollection(text, collection, id)) return NotOfForm(form);
  const absl::Status status = CheckId(rule, id);
  if (!status.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("is no name of the form ", form, ": the id after ",
                     collection, "/ ", status.message()));
  }
  return std::string(id);
}

absl::StatusOr<std::pair<absl::string_view, absl::string_view>> SplitParent(
    absl::string_view text, absl::string_view collection,
    absl::string_view form) {
  const size_t last = text.rfind('/');
  if (last == absl::string_view::npos || last == 0) return NotOfForm(form);
  const size_t before = text.rfind('/', last - 1);
  if (before == absl::string_view::npos ||
      text.substr(before + 1, last - before - 1) != collection) {
    return NotOfForm(form);
  }
  return std::make_pair(text.substr(0, before), text.substr(before + 1));
}

absl::StatusOr<int64_t> ParseNumber(absl::string_view last,
                                    absl::string_view collection,
                                    absl::string_view form) {
  absl::string_view digits;
  if (!AfterCollection(last, collection, digits)) return NotOfForm(form);
  int64_t number = 0;
  // SimpleAtoi takes signs and blanks too.
  const bool plain =
      !digits.empty() && digits.front() != '0' &&
      std::all_of(digits.begin(), digits.end(), [](char c) {
        return absl::ascii_isdigit(static_cast<unsigned char>(c));
      });
  if (!plain || !absl::SimpleAtoi(digits, &number) ||
      number > kMaxVersionNumber) {
    return absl::InvalidArgumentError(absl::StrCat(
        "is no name of the form ", form, ": the number of a version is 1 to ",
        kMaxVersionNumber, ", without leading zeros"));
  }
  return number;
}

}  // namespace internal

FleetName DefaultFleet() { return FleetName("default"); }

std::string GenerateId(absl::string_view random, size_t length) {
  constexpr absl::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz234567";
  std::string id;
  for (size_t i = 0; i < length && i < random.size(); ++i) {
    const auto byte = static_cast<unsigned char>(random[i]);
    // 26 does not divide 256: the bias (a to v by a ninth) only costs a little
    // of the first character's randomness.
    id.push_back(kAlphabet[i == 0 ? byte % 26 : byte % 32]);
  }
  return id;
}

}  // namespace sallyport::domain
