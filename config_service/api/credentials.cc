#include "config_service/api/credentials.h"

#include <algorithm>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "config_service/api/limits.h"
#include "config_service/domain/name.h"
#include "config_service/store/store.h"

namespace sallyport::api {
namespace {

bool IsUri(absl::string_view text) {
  return absl::StrContains(text, ":") &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return c > 0x20 && c < 0x7f; });
}

absl::Status Invalid(size_t line, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("line ", line, ": ", why));
}

}  // namespace

absl::StatusOr<Credentials> Credentials::Parse(absl::string_view text) {
  Credentials out;
  absl::flat_hash_set<std::string> names;
  size_t line_number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++line_number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line.front() == '#') continue;
    const std::vector<absl::string_view> words =
        absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
    const bool is_token = words[0] == "token";
    if ((!is_token || words.size() < 4 || words.size() > 5) &&
        (words[0] != "certificate" || words.size() != 3)) {
      return Invalid(line_number,
                     "is neither \"token NAME ROLE SHA256 [EXPIRES]\" nor "
                     "\"certificate URI ROLE\"");
    }
    const std::optional<service::Role> role = service::RoleFromName(words[2]);
    if (!role.has_value()) {
      return Invalid(line_number, "the role is viewer, operator or admin");
    }
    if (names.size() >= kMaxCredentials) {
      return Invalid(line_number,
                     absl::StrCat("there are more than ", kMaxCredentials));
    }
    if (!names.insert(absl::StrCat(words[0], ":", words[1])).second) {
      return Invalid(line_number, "has a name that an earlier line has");
    }
    if (!is_token) {
      if (!IsUri(words[1])) return Invalid(line_number, "has no URI");
      out.certificates_[std::string(words[1])] = {
          absl::StrCat("certificate:", words[1]), *role};
      continue;
    }
    if (!domain::CheckId(domain::IdRule::kNode, words[1]).ok()) {
      return Invalid(line_number, "a name has 1 to 128 of [A-Za-z0-9._-]");
    }
    const auto digest =
        store::BlobDigest::FromHex(absl::AsciiStrToLower(words[3]));
    if (!digest.ok()) {
      return Invalid(line_number,
                     "the SHA-256 of the token has 64 hexadecimal digits");
    }
    if (*digest == store::BlobDigest::Of("")) {
      return Invalid(line_number, "is the SHA-256 of no token at all");
    }
    Known known{absl::StrCat("token:", words[1]), *role};
    if (words.size() == 5 && !absl::ParseTime(absl::RFC3339_full, words[4],
                                              &known.expire_time, nullptr)) {
      return Invalid(line_number,
                     "the time after the SHA-256 is none, as "
                     "2027-01-31T12:00:00Z is");
    }
    if (!out.tokens_.emplace(std::string(digest->bytes()), std::move(known))
             .second) {
      return Invalid(line_number, "has the token of an earlier line");
    }
  }
  return out;
}

std::optional<Credentials::Known> Credentials::FindToken(
    absl::string_view token) const {
  // Looked up by digest: how long that takes says nothing about a token.
  const auto it =
      tokens_.find(std::string(store::BlobDigest::Of(token).bytes()));
  if (it == tokens_.end()) return std::nullopt;
  return it->second;
}

std::optional<Credentials::Known> Credentials::FindCertificate(
    const std::vector<std::string>& uris) const {
  for (const std::string& uri : uris) {
    const auto it = certificates_.find(uri);
    if (it != certificates_.end()) return it->second;
  }
  return std::nullopt;
}

}  // namespace sallyport::api
