#include "config_service/xds/cache/cache.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "config_service/xds/cache/limits.h"

namespace sallyport::xds {

absl::StatusOr<Sequence> Cache::Publish(absl::string_view fleet,
                                        const Publication& publication) {
  SALLYPORT_ASSIGN_OR_RETURN(const std::shared_ptr<Fleet> target,
                             GetFleet(fleet));
  Sequence sequence;
  {
    absl::MutexLock lock(&target->mu_);
    SALLYPORT_RETURN_IF_ERROR(target->Check(publication));
    target->Apply(publication);
    sequence = target->sequence_;
  }
  absl::ReaderMutexLock lock(&published_mu_);
  if (published_) published_(target);
  return sequence;
}

absl::StatusOr<std::shared_ptr<Fleet>> Cache::GetFleet(
    absl::string_view fleet) {
  absl::MutexLock lock(&mu_);
  const auto found = fleets_.find(fleet);
  if (found != fleets_.end()) return found->second;
  if (fleets_.size() >= kMaxFleets) {
    return absl::ResourceExhaustedError(
        absl::StrCat("There are ", kMaxFleets, " fleets already; \"",
                     Printable(fleet, 100), "\" would be one more."));
  }
  auto made = std::make_shared<Fleet>(fleet);
  fleets_.emplace(std::string(fleet), made);
  return made;
}

std::shared_ptr<Fleet> Cache::FindFleet(absl::string_view fleet) const {
  absl::MutexLock lock(&mu_);
  const auto found = fleets_.find(fleet);
  return found == fleets_.end() ? nullptr : found->second;
}

std::vector<std::string> Cache::FleetNames() const {
  absl::MutexLock lock(&mu_);
  std::vector<std::string> names;
  names.reserve(fleets_.size());
  for (const auto& [name, fleet] : fleets_) names.push_back(name);
  return names;
}

void Cache::OnPublished(
    std::function<void(const std::shared_ptr<Fleet>&)> callback) {
  absl::MutexLock lock(&published_mu_);
  published_ = std::move(callback);
}

}  // namespace sallyport::xds
