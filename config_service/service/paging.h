// Pages of lists: what a request asks for, and tokens that lead on.
//
// A token holds for one list: the method, the parent and the filter that it was
// given for, in one lineage of the store, at the revision of the first page. It
// is opaque, and no secret: it leads nowhere that its bearer could not ask for.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVICE_PAGING_H_
#define SALLYPORT_CONFIG_SERVICE_SERVICE_PAGING_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "config_service/domain/violations.h"
#include "config_service/service/filter.h"
#include "config_service/service/limits.h"
#include "config_service/store/store.h"

namespace sallyport::service {

struct PageRequest {
  int page_size = 0;
  std::string page_token;
  std::string filter;
};

template <typename T>
struct Page {
  std::vector<T> items;
  std::string next_page_token;  // empty: the last page
  int64_t revision = 0;
};

// CheckOnePage: whether a list that has one page alone can be asked for so.
// FIELD_OUT_OF_RANGE, PAGE_TOKEN_INVALID.
absl::Status CheckOnePage(const PageRequest& request);

// Where a list goes on.
struct PageToken {
  int64_t revision = 0;
  // After this key, or from this position.
  std::string position;
};

// `scope` is what the token is for: "Truststores/List" and the parent.
std::string FormatPageToken(const PageToken& token,
                            const store::Lineage& lineage,
                            absl::string_view scope, absl::string_view filter);
// PAGE_TOKEN_INVALID.
absl::StatusOr<PageToken> ParsePageToken(absl::string_view text,
                                         const store::Lineage& lineage,
                                         absl::string_view scope,
                                         absl::string_view filter);
absl::Status PageTokenInvalid();

// The size in force: 0 is kDefaultPageSize, more than kMaxPageSize is that. A
// negative one is a violation at "page_size".
absl::StatusOr<size_t> PageSize(int page_size);

// Calls `take` with each record under `prefix` from where `request` goes on; it
// says whether the record is one of the page. Fills `next_page_token` and
// `revision`.
struct RecordPage {
  std::string next_page_token;
  store::Revision revision;
};
absl::StatusOr<RecordPage> ListRecords(
    store::Store& store, const PageRequest& request, absl::string_view scope,
    absl::string_view prefix,
    absl::FunctionRef<absl::StatusOr<bool>(const store::Record&,
                                           store::Revision)>
        take);

// The same for a list that is had whole: positions [begin, end) of `size`.
struct Slice {
  size_t begin = 0;
  size_t end = 0;
  std::string next_page_token;
};
absl::StatusOr<Slice> SliceOf(const PageRequest& request, size_t size,
                              const store::Lineage& lineage,
                              absl::string_view scope);

}  // namespace sallyport::service

#endif  // SALLYPORT_CONFIG_SERVICE_SERVICE_PAGING_H_
