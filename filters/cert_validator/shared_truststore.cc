#include "filters/cert_validator/shared_truststore.h"

#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "base/text.h"
#include "filters/shim/log.h"

namespace sallyport::cert_validator {
namespace {

struct Registry {
  absl::Mutex mu;
  absl::flat_hash_map<std::string, std::weak_ptr<const SharedTruststore>> by_key
      ABSL_GUARDED_BY(mu);
};
Registry& All() {
  static auto& registry = *new Registry;  // never destroyed
  return registry;
}

std::string KeyOf(const pki::Sha256Digest& digest,
                  const pki::TruststoreLimits& limits) {
  return absl::StrCat(pki::AsBytes(digest), limits.max_bytes, "/",
                      limits.max_certificates);
}

}  // namespace

SharedTruststore::SharedTruststore(
    std::string key, std::shared_ptr<const pki::Truststore> truststore)
    : key_(std::move(key)), truststore_(std::move(truststore)) {}

absl::StatusOr<std::shared_ptr<const SharedTruststore>> SharedTruststore::Get(
    absl::string_view pem, const pki::Sha256Digest& digest,
    const pki::TruststoreLimits& limits) {
  std::string key = KeyOf(digest, limits);
  Registry& all = All();
  {
    absl::MutexLock lock(&all.mu);
    const auto it = all.by_key.find(key);
    if (it != all.by_key.end()) {
      if (auto found = it->second.lock()) return found;
    }
  }
  // Not under the lock: a large bundle takes a while.
  pki::Truststore::ParseResult parsed = pki::Truststore::Parse(pem, limits);
  if (parsed.truststore == nullptr) {
    return absl::InvalidArgumentError(parsed.error.ToString());
  }
  std::shared_ptr<const SharedTruststore> made(
      new SharedTruststore(key, std::move(parsed.truststore)));
  absl::MutexLock lock(&all.mu);
  auto& slot = all.by_key[key];
  // `made` then dies after the lock is released: it was declared before it.
  if (auto found = slot.lock()) return found;
  slot = made;
  return made;
}

SharedTruststore::~SharedTruststore() {
  Registry& all = All();
  absl::MutexLock lock(&all.mu);
  const auto it = all.by_key.find(key_);
  if (it != all.by_key.end() && it->second.expired()) all.by_key.erase(it);
}

void SharedTruststore::LogWarnings(absl::string_view label,
                                   const pki::VerifyPolicy& policy,
                                   absl::Time now) const {
  std::atomic<bool>& logged =
      logged_[(policy.chain_policy == pki::ChainPolicy::kAnyAnchor ? 1 : 0) +
              (policy.pin_leaf ? 2 : 0)];
  if (logged.exchange(true)) return;
  if (!shim::LogEnabled(shim::LogLevel::kWarning)) return;
  pki::WarningOptions options;
  options.pin_leaf = policy.pin_leaf;
  options.check_signatures =
      truststore_->num_certificates() <= kMaxCheckedWarnings;
  const std::vector<pki::Warning> warnings =
      truststore_->Warnings(policy.chain_policy, now, options);
  if (warnings.empty()) return;
  shim::Log(
      shim::LogLevel::kWarning,
      absl::StrCat("truststore ", Printable(label), " (",
                   truststore_->num_certificates(),
                   truststore_->num_certificates() == 1 ? " certificate, "
                                                        : " certificates, ",
                   pki::ChainPolicyName(policy.chain_policy),
                   "): ", warnings.size(),
                   warnings.size() == 1 ? " warning" : " warnings"));
  int lines = 0;
  for (const pki::Warning& warning : warnings) {
    if (++lines > kMaxWarningLines) {
      shim::Log(
          shim::LogLevel::kWarning,
          absl::StrCat("truststore ", Printable(label), ": and ",
                       warnings.size() - kMaxWarningLines,
                       " more (sallyportctl truststore check lists all)"));
      break;
    }
    shim::Log(
        shim::LogLevel::kWarning,
        absl::StrCat(
            "truststore ", Printable(label), ": certificate ", warning.index,
            ", line ", warning.line, ", \"", Printable(warning.subject, 256),
            "\": ", pki::ReasonName(warning.reason), ": ",
            Printable(warning.message),
            pki::RemovesTrust(warning.reason) &&
                    !absl::StrContains(warning.message, "gives no trust")
                ? "; it gives no trust"
                : ""));
  }
  // Asked only when it may be so: it looks at the whole bundle again.
  absl::flat_hash_set<size_t> useless;
  for (const pki::Warning& warning : warnings) {
    if (pki::RemovesTrust(warning.reason)) useless.insert(warning.index);
  }
  if (useless.size() >= truststore_->entries().size() &&
      !truststore_->GivesTrust(policy.chain_policy, now, options)) {
    shim::Log(shim::LogLevel::kError,
              absl::StrCat("truststore ", Printable(label),
                           ": no certificate in it gives trust; every client "
                           "is refused"));
  }
}

size_t NumSharedTruststoresForTest() {
  absl::MutexLock lock(&All().mu);
  return All().by_key.size();
}

}  // namespace sallyport::cert_validator
