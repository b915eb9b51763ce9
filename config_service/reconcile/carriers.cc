#include "config_service/reconcile/carriers.h"

#include <utility>

namespace sallyport::reconcile {
namespace {

// The carrier that number `index` (not 0) was split from: linear hashing.
size_t SplitFrom(size_t index) {
  size_t level = 1;
  while (level * 2 <= index) level *= 2;
  return index - level;
}

bool Same(const xds::Carried& a, const xds::Carried& b) {
  return a.name == b.name && a.certificate_secret == b.certificate_secret &&
         a.validation_secret == b.validation_secret;
}

}  // namespace

void Carriers::Put(const xds::Carried& carried, std::set<size_t>& touched) {
  const size_t index = xds::CarrierOf(carried.name, carriers_.size());
  const auto [at, added] = carriers_[index].emplace(carried.name, carried);
  if (!added) {
    if (Same(at->second, carried)) return;
    at->second = carried;
  }
  touched.insert(index);
  if (!added) return;
  ++size_;
  Resize(touched);
}

void Carriers::Remove(const std::string& name, std::set<size_t>& touched) {
  const size_t index = xds::CarrierOf(name, carriers_.size());
  if (carriers_[index].erase(name) == 0) return;
  touched.insert(index);
  --size_;
  Resize(touched);
}

const xds::Carried* Carriers::Find(const std::string& name) const {
  const auto& carrier = carriers_[xds::CarrierOf(name, carriers_.size())];
  const auto found = carrier.find(name);
  return found == carrier.end() ? nullptr : &found->second;
}

std::vector<xds::Carried> Carriers::Of(size_t index) const {
  std::vector<xds::Carried> all;
  if (index >= carriers_.size()) return all;
  for (const auto& [name, carried] : carriers_[index]) all.push_back(carried);
  return all;
}

void Carriers::Resize(std::set<size_t>& touched) {
  const size_t wanted = xds::NumCarriers(size_);
  while (carriers_.size() < wanted) {
    const size_t index = carriers_.size();
    const size_t from = SplitFrom(index);
    carriers_.emplace_back();
    auto& source = carriers_[from];
    for (auto at = source.begin(); at != source.end();) {
      if (xds::CarrierOf(at->first, carriers_.size()) == index) {
        carriers_[index].insert(source.extract(at++));
      } else {
        ++at;
      }
    }
    touched.insert(from);
    touched.insert(index);
  }
  while (carriers_.size() > wanted) {
    const size_t index = carriers_.size() - 1;
    const size_t into = SplitFrom(index);
    carriers_[into].merge(carriers_[index]);
    carriers_.pop_back();
    touched.insert(into);
    touched.insert(index);
  }
}

}  // namespace sallyport::reconcile
