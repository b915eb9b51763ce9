// SharedTruststore: one parsed truststore for each content in the process,
// however many domains and threads use it.

#ifndef SALLYPORT_FILTERS_CERT_VALIDATOR_SHARED_TRUSTSTORE_H_
#define SALLYPORT_FILTERS_CERT_VALIDATOR_SHARED_TRUSTSTORE_H_

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "pki/chain/verify.h"
#include "pki/truststore/truststore.h"
#include "pki/x509/certificate.h"

namespace sallyport::cert_validator {

// Immutable but for the memory of which warnings were logged. Thread-safe.
class SharedTruststore {
 public:
  // The truststore of `pem`, parsed unless the same bytes are in use with the
  // same limits. InvalidArgument: the bundle is refused; the message says which
  // block, line and rule, never what stands there. Thread-safe; two threads
  // that come at once with new bytes may both parse, one result is kept.
  static absl::StatusOr<std::shared_ptr<const SharedTruststore>> Get(
      absl::string_view pem, const pki::TruststoreLimits& limits) {
    return Get(pem, pki::Sha256(pem), limits);
  }
  // The same where the SHA-256 of `pem` is known.
  static absl::StatusOr<std::shared_ptr<const SharedTruststore>> Get(
      absl::string_view pem, const pki::Sha256Digest& digest,
      const pki::TruststoreLimits& limits);

  SharedTruststore(const SharedTruststore&) = delete;
  ~SharedTruststore();

  const pki::Truststore& truststore() const { return *truststore_; }

  // Logs the warnings of this content under `policy`, at warning level, once
  // for as long as the content is in use: a line with the totals and at most
  // kMaxWarningLines lines with subject, number, line and reason. `label` is
  // how the configuration calls the truststore.
  // In bundles of more than kMaxCheckedWarnings certificates no signatures are
  // checked for it, names and key identifiers tell who issued whom: a large
  // bundle must not hold up Envoy's main thread.
  void LogWarnings(absl::string_view label, const pki::VerifyPolicy& policy,
                   absl::Time now) const;

  static constexpr int kMaxWarningLines = 20;
  static constexpr size_t kMaxCheckedWarnings = 100;

 private:
  SharedTruststore(std::string key,
                   std::shared_ptr<const pki::Truststore> truststore);

  const std::string key_;
  const std::shared_ptr<const pki::Truststore> truststore_;
  // By chain policy and pin_leaf.
  mutable std::atomic<bool> logged_[4] = {{false}, {false}, {false}, {false}};
};

// How many are alive in the process. For tests.
size_t NumSharedTruststoresForTest();

}  // namespace sallyport::cert_validator

#endif  // SALLYPORT_FILTERS_CERT_VALIDATOR_SHARED_TRUSTSTORE_H_
