// Carriers: which carrier has which name, and which carriers a change touches.

#ifndef SALLYPORT_CONFIG_SERVICE_RECONCILE_CARRIERS_H_
#define SALLYPORT_CONFIG_SERVICE_RECONCILE_CARRIERS_H_

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "config_service/xds/translate/translate.h"

namespace sallyport::reconcile {

// What the carriers of a fleet have. Where a name is follows from the names
// alone, not from the order in which they came. Thread-compatible.
class Carriers {
 public:
  // The numbers of carriers that have something else now are added to
  // `touched`.
  void Put(const xds::Carried& carried, std::set<size_t>& touched);
  void Remove(const std::string& name, std::set<size_t>& touched);

  const xds::Carried* Find(const std::string& name) const;
  // The number of the carrier that has, or would have, the name.
  size_t IndexOf(absl::string_view name) const {
    return xds::CarrierOf(name, carriers_.size());
  }
  size_t size() const { return size_; }
  // In order of names; empty: there is no such carrier.
  std::vector<xds::Carried> Of(size_t index) const;
  size_t num_carriers() const { return carriers_.size(); }

 private:
  // One carrier more, or less, when there are enough names, or too few.
  void Resize(std::set<size_t>& touched);

  size_t size_ = 0;
  std::vector<std::map<std::string, xds::Carried>> carriers_ =
      std::vector<std::map<std::string, xds::Carried>>(1);
};

}  // namespace sallyport::reconcile

#endif  // SALLYPORT_CONFIG_SERVICE_RECONCILE_CARRIERS_H_
