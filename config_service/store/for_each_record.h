// ForEachRecord: all records of a list, page by page.

#ifndef SALLYPORT_CONFIG_SERVICE_STORE_FOR_EACH_RECORD_H_
#define SALLYPORT_CONFIG_SERVICE_STORE_FOR_EACH_RECORD_H_

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "config_service/store/store.h"

namespace sallyport::store {

// Calls `take` for each record that `request` is about, in order, and returns
// the revision of the last page. The first error of the store or of `take` ends
// it.
inline absl::StatusOr<Revision> ForEachRecord(
    Store& store, ListRequest request,
    absl::FunctionRef<absl::Status(const Record&)> take) {
  while (true) {
    const absl::StatusOr<ListPage> page = store.List(request);
    if (!page.ok()) return page.status();
    for (const Record& record : page->records) {
      const absl::Status taken = take(record);
      if (!taken.ok()) return taken;
    }
    if (!page->more) return page->revision;
    request.Continue(*page);
  }
}

}  // namespace sallyport::store

#endif  // SALLYPORT_CONFIG_SERVICE_STORE_FOR_EACH_RECORD_H_
