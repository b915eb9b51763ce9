#include "config_service/store/keys.h"

#include <cstdint>
#include <limits>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/text.h"
#include "config_service/domain/limits.h"
#include "config_service/store/store.h"

namespace sallyport::store {
namespace {

constexpr absl::string_view kBy = "/by/";

}  // namespace

std::string VersionKeyPart(int64_t number) {
  return absl::StrFormat("%010d", domain::kMaxVersionNumber - number);
}

absl::string_view IdOfKey(absl::string_view key) {
  const size_t slash = key.rfind('/');
  return slash == absl::string_view::npos ? absl::string_view()
                                          : key.substr(slash + 1);
}

absl::string_view ParentIdOfKey(absl::string_view key) {
  const size_t slash = key.rfind('/');
  return slash == absl::string_view::npos ? absl::string_view()
                                          : IdOfKey(key.substr(0, slash));
}

int64_t VersionOfKey(absl::string_view key) {
  int64_t part = 0;
  if (!absl::SimpleAtoi(IdOfKey(key), &part) || part < 0 ||
      part >= domain::kMaxVersionNumber) {
    return 0;
  }
  return domain::kMaxVersionNumber - part;
}

std::string ReferenceKey(absl::string_view target, absl::string_view by) {
  return absl::StrCat("refs/", target, kBy, by);
}

std::string ReferencesPrefix(absl::string_view target) {
  return absl::StrCat("refs/", target, "/");
}

absl::string_view ReferrerOfKey(absl::string_view key) {
  // "refs", then collections and ids by turns. Ids have no '/', and may be
  // "by"; no collection is called so.
  size_t at = key.find('/');
  while (at != absl::string_view::npos) {
    if (absl::StartsWith(key.substr(at), kBy)) {
      return key.substr(at + kBy.size());
    }
    at = key.find('/', at + 1);
    if (at != absl::string_view::npos) at = key.find('/', at + 1);
  }
  return absl::string_view();
}

std::string StatusKey(absl::string_view resource) {
  return absl::StrCat("status/", resource);
}

std::string AuditKey(absl::Time time, absl::string_view random) {
  const int64_t left =
      std::numeric_limits<int64_t>::max() - absl::ToUnixNanos(time);
  return absl::StrCat(kAuditPrefix, absl::StrFormat("%019d", left), "-",
                      HexLower(random));
}

std::string RequestKey(absl::string_view principal,
                       absl::string_view request_id) {
  return absl::StrCat(
      kRequestsPrefix,
      BlobDigest::Of(absl::StrCat(principal.size(), ":", principal, request_id))
          .ToHex());
}

}  // namespace sallyport::store
