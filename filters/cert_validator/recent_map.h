// RecentMap: remembers what was used last, within a number of entries and a
// number of bytes.

#ifndef SALLYPORT_FILTERS_CERT_VALIDATOR_RECENT_MAP_H_
#define SALLYPORT_FILTERS_CERT_VALIDATOR_RECENT_MAP_H_

#include <cstddef>
#include <list>
#include <memory>
#include <utility>

#include "absl/container/flat_hash_map.h"

namespace sallyport::cert_validator {

// The least recently used entries make room for new ones. Not thread-safe: one
// for each thread.
template <typename Key, typename Value>
class RecentMap {
 public:
  RecentMap(size_t max_entries, size_t max_bytes)
      : max_entries_(max_entries), max_bytes_(max_bytes) {}
  RecentMap(const RecentMap&) = delete;
  RecentMap& operator=(const RecentMap&) = delete;

  // The value of `key`, now the most recently used; null when it is not here.
  std::shared_ptr<const Value> Find(const Key& key) {
    const auto it = index_.find(key);
    if (it == index_.end()) return nullptr;
    order_.splice(order_.begin(), order_, it->second);
    return it->second->value;
  }

  // Puts `value` in the place of what `key` had. `bytes` is what it holds,
  // roughly; one that is over the limit by itself is not kept.
  void Put(const Key& key, std::shared_ptr<const Value> value, size_t bytes) {
    const auto it = index_.find(key);
    if (it != index_.end()) Erase(it->second);
    if (bytes > max_bytes_) return;
    while (!order_.empty() &&
           (order_.size() >= max_entries_ || bytes_ + bytes > max_bytes_)) {
      Erase(std::prev(order_.end()));
    }
    order_.push_front(Entry{key, std::move(value), bytes});
    index_[key] = order_.begin();
    bytes_ += bytes;
  }

  size_t size() const { return order_.size(); }
  size_t bytes() const { return bytes_; }

 private:
  struct Entry {
    Key key;
    std::shared_ptr<const Value> value;
    size_t bytes;
  };
  using Order = std::list<Entry>;

  void Erase(typename Order::iterator entry) {
    bytes_ -= entry->bytes;
    index_.erase(entry->key);
    order_.erase(entry);
  }

  const size_t max_entries_;
  const size_t max_bytes_;
  size_t bytes_ = 0;
  Order order_;  // most recently used first
  absl::flat_hash_map<Key, typename Order::iterator> index_;
};

}  // namespace sallyport::cert_validator

#endif  // SALLYPORT_FILTERS_CERT_VALIDATOR_RECENT_MAP_H_
