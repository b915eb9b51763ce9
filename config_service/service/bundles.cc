#include "config_service/service/bundles.h"

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "config_service/domain/violations.h"
#include "config_service/service/errors.h"
#include "config_service/service/limits.h"
#include "config_service/store/records.h"

namespace sallyport::service {
namespace {

// Appraisals that are kept: one for each bundle and set of rules in use.
constexpr size_t kMaxAppraisals = 1000;

}  // namespace

absl::StatusOr<std::string> ReadBlob(store::Store& store,
                                     const store::BlobDigest& digest) {
  SALLYPORT_ASSIGN_OR_RETURN(std::unique_ptr<store::BlobReader> reader,
                             store.OpenBlob(digest));
  std::string out;
  out.reserve(reader->size());
  while (true) {
    SALLYPORT_ASSIGN_OR_RETURN(std::string piece, reader->Read());
    if (piece.empty()) return out;
    out += piece;
  }
}

absl::StatusOr<std::shared_ptr<const pki::Truststore>> Bundles::Get(
    const domain::TruststoreVersion& version) {
  const store::BlobDigest digest = store::BlobOf(version);
  {
    absl::MutexLock lock(&mu_);
    const auto it = index_.find(digest);
    if (it != index_.end()) {
      entries_.splice(entries_.begin(), entries_, it->second);
      return it->second->bundle;
    }
  }
  absl::StatusOr<std::string> pem = ReadBlob(*store_, digest);
  if (!pem.ok()) return FromStore(pem.status());
  // Limits were checked when it came; they may be lower now.
  pki::Truststore::ParseResult parsed = pki::Truststore::Parse(*pem);
  if (!parsed.error.ok()) {
    return domain::MakeError(
        domain::Reason::kRecordDamaged,
        absl::StrCat("the content of ", version.name.ToString(),
                     " cannot be read"),
        {{"resource", version.name.ToString()}});
  }
  Entry entry;
  entry.digest = digest;
  entry.bundle = parsed.truststore;
  entry.bytes = parsed.truststore->ApproximateBytes();
  absl::MutexLock lock(&mu_);
  if (!index_.contains(digest)) {
    bytes_ += entry.bytes;
    entries_.push_front(std::move(entry));
    index_[digest] = entries_.begin();
    while (bytes_ > kMaxCachedBundleBytes && entries_.size() > 1) {
      bytes_ -= entries_.back().bytes;
      index_.erase(entries_.back().digest);
      entries_.pop_back();
    }
  }
  return parsed.truststore;
}

std::shared_ptr<const Appraisal> Bundles::Appraise(
    const std::shared_ptr<const pki::Truststore>& bundle,
    const domain::Truststore& truststore, absl::Time now) {
  const Key key(store::BlobDigest(bundle->digest()),
                (truststore.chain_policy == pki::ChainPolicy::kAnyAnchor) +
                    2 * truststore.pin_leaf);
  {
    absl::MutexLock lock(&mu_);
    const auto it = appraisals_.find(key);
    if (it != appraisals_.end() && it->second->time <= now &&
        now - it->second->time < kMaxWarningAge) {
      return it->second;
    }
  }
  auto appraisal = std::make_shared<Appraisal>();
  appraisal->time = now;
  const pki::WarningOptions options = truststore.WarningOptions();
  appraisal->gives_trust =
      bundle->GivesTrust(truststore.chain_policy, now, options);
  appraisal->warnings = bundle->Warnings(truststore.chain_policy, now, options);
  appraisal->first_expiry = domain::FirstExpiry(*bundle, truststore, now);
  absl::MutexLock lock(&mu_);
  if (appraisals_.size() >= kMaxAppraisals) appraisals_.clear();
  appraisals_[key] = appraisal;
  return appraisal;
}

}  // namespace sallyport::service
