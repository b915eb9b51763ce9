// IdMap: a number for each id, four bytes for each, kept in pages so that a few
// ids among many cost little.

#ifndef SALLYPORT_CONFIG_SERVICE_XDS_SERVER_ID_MAP_H_
#define SALLYPORT_CONFIG_SERVICE_XDS_SERVER_ID_MAP_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "config_service/xds/cache/fleet.h"

namespace sallyport::xds {

// Not thread-safe.
class IdMap {
 public:
  // 0 for ids that were not set.
  uint32_t Get(ResourceId id) const {
    const size_t page = id / kPageSize;
    if (page >= pages_.size() || pages_[page] == nullptr) return 0;
    return pages_[page]->values[id % kPageSize];
  }

  void Set(ResourceId id, uint32_t value) {
    const size_t page = id / kPageSize;
    if (page >= pages_.size()) {
      if (value == 0) return;
      pages_.resize(page + 1);
    }
    if (pages_[page] == nullptr) {
      if (value == 0) return;
      pages_[page] = std::make_unique<Page>();
    }
    uint32_t& place = pages_[page]->values[id % kPageSize];
    pages_[page]->num_set += (value != 0 ? 1 : 0) - (place != 0 ? 1 : 0);
    place = value;
    if (pages_[page]->num_set == 0) pages_[page].reset();
  }

  // Calls visit(id, value) for each id whose value is not 0, in order. It may
  // set the id that it is called with.
  template <typename Visit>
  void ForEach(Visit visit) const {
    for (size_t page = 0; page < pages_.size(); ++page) {
      for (size_t i = 0; i < kPageSize && pages_[page] != nullptr; ++i) {
        const uint32_t value = pages_[page]->values[i];
        if (value != 0) {
          visit(static_cast<ResourceId>(page * kPageSize + i), value);
        }
      }
    }
  }

 private:
  static constexpr size_t kPageSize = 256;
  struct Page {
    std::array<uint32_t, kPageSize> values = {};
    int num_set = 0;
  };
  std::vector<std::unique_ptr<Page>> pages_;
};

}  // namespace sallyport::xds

#endif  // SALLYPORT_CONFIG_SERVICE_XDS_SERVER_ID_MAP_H_
