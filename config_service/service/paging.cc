#include "config_service/service/paging.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "config_service/service/errors.h"

namespace sallyport::service {
namespace {

constexpr size_t kDigestBytes = 12;
// Records that are read at once.
constexpr size_t kReadAtOnce = 500;

// Of everything that a token holds for, and of what it holds.
std::string Digest(absl::string_view payload, const store::Lineage& lineage,
                   absl::string_view scope, absl::string_view filter) {
  const auto digest = store::BlobDigest::Of(
      absl::StrCat(lineage.id(), "\n", scope.size(), ":", scope, "\n",
                   filter.size(), ":", filter, "\n", payload));
  return std::string(digest.bytes().substr(0, kDigestBytes));
}

}  // namespace

absl::Status PageTokenInvalid() {
  return domain::MakeError(
      domain::Reason::kPageTokenInvalid,
      "the page token is not one of this list, or too old; begin with the "
      "first page");
}

std::string FormatPageToken(const PageToken& token,
                            const store::Lineage& lineage,
                            absl::string_view scope, absl::string_view filter) {
  const std::string payload = absl::StrCat(token.revision, ":", token.position);
  return absl::WebSafeBase64Escape(
      absl::StrCat(Digest(payload, lineage, scope, filter), payload));
}

absl::StatusOr<PageToken> ParsePageToken(absl::string_view text,
                                         const store::Lineage& lineage,
                                         absl::string_view scope,
                                         absl::string_view filter) {
  std::string bytes;
  if (text.size() > kMaxPageTokenBytes ||
      !absl::WebSafeBase64Unescape(text, &bytes) ||
      bytes.size() < kDigestBytes) {
    return PageTokenInvalid();
  }
  const absl::string_view payload =
      absl::string_view(bytes).substr(kDigestBytes);
  if (Digest(payload, lineage, scope, filter) !=
      absl::string_view(bytes).substr(0, kDigestBytes)) {
    return PageTokenInvalid();
  }
  PageToken token;
  const size_t colon = payload.find(':');
  if (colon == absl::string_view::npos ||
      !absl::SimpleAtoi(payload.substr(0, colon), &token.revision) ||
      token.revision < 0) {
    return PageTokenInvalid();
  }
  token.position = std::string(payload.substr(colon + 1));
  return token;
}

absl::StatusOr<size_t> PageSize(int page_size) {
  if (page_size < 0) {
    domain::Violations violations;
    violations.Add("page_size", domain::Reason::kFieldOutOfRange,
                   absl::StrCat("is negative; from 0 to ", kMaxPageSize));
    return violations.ToStatus();
  }
  if (page_size == 0) return kDefaultPageSize;
  return std::min(page_size, kMaxPageSize);
}

absl::Status CheckOnePage(const PageRequest& request) {
  SALLYPORT_RETURN_IF_ERROR(PageSize(request.page_size).status());
  return request.page_token.empty() ? absl::OkStatus() : PageTokenInvalid();
}

absl::StatusOr<RecordPage> ListRecords(
    store::Store& store, const PageRequest& request, absl::string_view scope,
    absl::string_view prefix,
    absl::FunctionRef<absl::StatusOr<bool>(const store::Record&,
                                           store::Revision)>
        take) {
  SALLYPORT_ASSIGN_OR_RETURN(const size_t size, PageSize(request.page_size));
  store::ListRequest list;
  list.prefix = std::string(prefix);
  if (!request.page_token.empty()) {
    SALLYPORT_ASSIGN_OR_RETURN(
        PageToken token, ParsePageToken(request.page_token, store.lineage(),
                                        scope, request.filter));
    list.at = store::Revision(token.revision);
    list.start_after = token.position;
  }
  size_t taken = 0;
  size_t scanned = 0;
  RecordPage out;
  while (true) {
    // One more than needed says whether there is a next page.
    list.limit = request.filter.empty()
                     ? std::min(size - taken + 1, kReadAtOnce)
                     : kReadAtOnce;
    absl::StatusOr<store::ListPage> page = store.List(list);
    if (!page.ok()) {
      if (!request.page_token.empty() && absl::IsOutOfRange(page.status())) {
        return PageTokenInvalid();
      }
      return FromStore(page.status());
    }
    out.revision = page->revision;
    for (const store::Record& record : page->records) {
      if (taken == size || scanned == kMaxScannedRecords) {
        out.next_page_token =
            FormatPageToken({page->revision.value(), list.start_after},
                            store.lineage(), scope, request.filter);
        return out;
      }
      ++scanned;
      SALLYPORT_ASSIGN_OR_RETURN(const bool is_taken,
                                 take(record, page->revision));
      if (is_taken) ++taken;
      list.start_after = record.key;
    }
    if (!page->more) return out;
    list.at = page->revision;
  }
}

absl::StatusOr<Slice> SliceOf(const PageRequest& request, size_t size,
                              const store::Lineage& lineage,
                              absl::string_view scope) {
  SALLYPORT_ASSIGN_OR_RETURN(const size_t page_size,
                             PageSize(request.page_size));
  Slice slice;
  if (!request.page_token.empty()) {
    SALLYPORT_ASSIGN_OR_RETURN(
        PageToken token,
        ParsePageToken(request.page_token, lineage, scope, request.filter));
    if (!absl::SimpleAtoi(token.position, &slice.begin) || slice.begin > size) {
      return PageTokenInvalid();
    }
  }
  slice.end = std::min(size, slice.begin + page_size);
  if (slice.end < size) {
    slice.next_page_token = FormatPageToken({0, absl::StrCat(slice.end)},
                                            lineage, scope, request.filter);
  }
  return slice;
}

}  // namespace sallyport::service
