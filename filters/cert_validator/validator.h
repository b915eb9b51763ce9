// Validator: one configuration of `sallyport.truststore`, what Envoy's TLS
// context holds.

#ifndef SALLYPORT_FILTERS_CERT_VALIDATOR_VALIDATOR_H_
#define SALLYPORT_FILTERS_CERT_VALIDATOR_VALIDATOR_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/optional.h"
#include "absl/types/span.h"
#include "filters/cert_validator/checked_chain.h"
#include "filters/cert_validator/followed_file.h"
#include "filters/cert_validator/read_trust.h"
#include "filters/cert_validator/refused_handshakes.h"
#include "filters/cert_validator/trust_state.h"
#include "proto/sallyport/filter/v1/config.pb.h"

namespace sallyport::cert_validator {

// Thread-safe.
class Validator : public FollowedFile::Listener {
 public:
  // Checks `config`, loads its truststore, logs the truststore's warnings as of
  // `now`, and binds it to its domain until the result is destroyed.
  // InvalidArgument and the errors of reading a file: each message starts with
  // the field ("truststores[0].file: ..."), says how to mend it, and holds no
  // contents of the truststore.
  static absl::StatusOr<std::shared_ptr<Validator>> Create(
      const filter::v1::TruststoreValidator& config, absl::Time now);

  Validator(const Validator&) = delete;
  ~Validator() override = default;

  // SHA-256 over everything that decides, as it was at Create(), or, with
  // from_registry, over what does not change: what update_digest gives to
  // Envoy. 32 bytes that live as long as this object.
  absl::string_view digest() const { return digest_; }

  const std::string& domain() const { return domain_; }
  // Whether the module's registry gives its trust.
  bool from_registry() const { return registry_trust_ != nullptr; }

  // The state in force for this validator. Null only with from_registry, when
  // the registry has no trust for the domain. A short lock then; otherwise
  // lock-free but for the reference count.
  std::shared_ptr<const TrustState> state() const;

  // Takes over what the files hold now.
  void OnFileChanged() override ABSL_LOCKS_EXCLUDED(mu_);

  // What goes into the filter state of a connection whose client sent `chain`
  // (not empty). The verdict is that of
  // state() at `now`.
  struct Outcome {
    bool trusted = false;
    pki::Reason reason = pki::Reason::kConfigurationMissing;
    // The client is not trusted, and is not to get past TLS: the style
    // HANDSHAKE; a domain without a filter that would refuse its requests
    // (DomainTrust::has_judge()); a chain that is too large to be kept for an
    // open connection (kMaxKeptCertificates, kMaxKeptBytes).
    bool refuse_handshake = false;
    // Then: reason and detail, for the listener's access log.
    std::string text;
    std::string record;  // under kConnectionKey
    // The rest: keys, and texts of `checked`.
    std::vector<std::pair<absl::string_view, absl::string_view>> filter_state;
    std::shared_ptr<const CheckedChain> checked;
  };
  Outcome Verify(absl::Span<const absl::string_view> chain,
                 absl::Time now) const;

  // Counts a handshake that Envoy was told to refuse (refused_handshakes.h).
  void CountRefusal(pki::Reason reason) const;

  // Of clients that sent more than may be looked at. TLS keeps what a client
  // sent, in several forms, for as long as the connection is open, refused or
  // not. DER bytes.
  static constexpr size_t kMaxKeptCertificates = 32;
  static constexpr size_t kMaxKeptBytes = size_t{64} << 10;

  // The log says at most this often that nobody judges the domain's clients.
  static constexpr absl::Duration kWarnEvery = absl::Minutes(1);

  // A handshake by this validator so long after another configuration of the
  // domain was first seen is no straggler of an update: two filter chains
  // differ, and the log warns, once.
  static constexpr absl::Duration kUpdateTime = absl::Minutes(1);

 private:
  Validator() = default;

  void NoticeAnotherConfiguration(const TrustState& state,
                                  absl::Time now) const;
  // Whether a filter refuses what this validator lets through.
  bool IsJudged() const {
    return (registry_trust_ != nullptr ? registry_trust_ : trust_)->has_judge();
  }
  void WarnOfNoJudge(absl::Time now) const;

  static absl::StatusOr<std::shared_ptr<Validator>> CreateForRegistry(
      const filter::v1::TruststoreValidator& config,
      std::shared_ptr<Validator> validator);
  // The chain's verdict under state(), and that state's id, or 0. With
  // from_registry, a chain that this thread has checked under it takes no lock.
  std::pair<std::shared_ptr<const CheckedChain>, uint64_t> Check(
      absl::Span<const absl::string_view> chain,
      const pki::Sha256Digest& digest, absl::Time now) const;
  static void LogWarnings(const TrustState& state, absl::Time now);
  TrustState::Spec MakeSpec() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  std::string domain_;
  std::string digest_;
  bool refuses_handshakes_ = false;
  // Null unless refuses_handshakes_.
  std::shared_ptr<RefusedHandshakes> refused_handshakes_;
  // With from_registry; null and 0 otherwise.
  std::shared_ptr<DomainTrust> registry_trust_;
  uint64_t registry_lineage_ = 0;
  // Read with std::atomic_load, written under mu_.
  std::shared_ptr<const TrustState> state_;
  absl::Mutex mu_;
  TrustReading active_ ABSL_GUARDED_BY(mu_);
  absl::optional<TrustReading> shadow_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<DomainTrust> trust_;
  std::unique_ptr<DomainTrust::Binding> binding_ ABSL_GUARDED_BY(mu_);
  // Unix time of the first handshake by this validator after another lineage
  // came into force; 0: none yet.
  mutable std::atomic<int64_t> overtaken_since_{0};
  mutable std::atomic<bool> warned_{false};
  mutable std::atomic<bool> warned_of_style_{false};
  // Unix time of the last WarnOfNoJudge() that logged.
  mutable std::atomic<int64_t> warned_of_no_judge_{0};
};

}  // namespace sallyport::cert_validator

#endif  // SALLYPORT_FILTERS_CERT_VALIDATOR_VALIDATOR_H_
