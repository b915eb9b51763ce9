// Truststores and their versions.

#ifndef SALLYPORT_CONFIG_SERVICE_DOMAIN_TRUSTSTORE_H_
#define SALLYPORT_CONFIG_SERVICE_DOMAIN_TRUSTSTORE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "config_service/domain/common.h"
#include "config_service/domain/limits.h"
#include "config_service/domain/name.h"
#include "config_service/domain/violations.h"
#include "pki/chain/verify.h"
#include "pki/truststore/truststore.h"
#include "pki/x509/certificate.h"

namespace sallyport::domain {

struct TruststoreSource {
  enum class Watch { kOff, kCandidateOnly, kActivate };

  // "s3://BUCKET/KEY" or "file:///PATH"; empty: none.
  std::string uri;
  std::string object_version;
  Watch watch = Watch::kOff;
  absl::Duration poll_interval = kDefaultPollInterval;

  bool empty() const { return uri.empty() && object_version.empty(); }
};

// The parts of a source's URI.
struct SourceUri {
  enum class Kind { kS3, kFile };
  Kind kind = Kind::kS3;
  std::string bucket;  // kS3
  std::string key;     // kS3
  std::string path;    // kFile: absolute
};
// ParseSourceUri: InvalidArgument with what is wrong and how to mend it. A
// bucket is 3 to 63 of [a-z0-9.-] that begins and ends with a letter or digit
// (Amazon's rules for bucket names); a key 1 to 1024 bytes of UTF-8 without
// controls; a path is absolute, without empty and dot segments. Whether the
// service may read it is for `objects` to say.
absl::StatusOr<SourceUri> ParseSourceUri(absl::string_view uri);

struct Truststore {
  TruststoreName name;
  Metadata metadata;

  TruststoreSource source;
  // Numbers of versions; 0: none.
  int64_t active_version = 0;
  int64_t previous_version = 0;
  int64_t shadow_version = 0;
  // The number that the next version gets.
  int64_t next_version = 1;

  pki::ChainPolicy chain_policy = pki::ChainPolicy::kCompleteChain;
  pki::ExtendedKeyUsageRule extended_key_usage =
      pki::ExtendedKeyUsageRule::kRequire;
  bool pin_leaf = false;

  std::vector<RevocationListName> revocation_lists;
  pki::RevocationRule revocation_rule = pki::RevocationRule::kSoftFail;
  pki::RevocationScope revocation_scope = pki::RevocationScope::kChain;

  // 0: the default (kDefaultTruststoreBytes, kDefaultTruststoreCertificates).
  uint64_t max_bytes = 0;
  uint32_t max_certificates = 0;

  std::vector<Condition> conditions;

  // The limits in force.
  pki::TruststoreLimits Limits() const;
  // Whether they are more than what an operator may set without being an admin.
  bool LimitsNeedAdmin() const;
  pki::WarningOptions WarningOptions() const;
};

// The truststore by itself: metadata, source, references, limits. That what it
// names exists is for the service to say.
void Validate(const Truststore& truststore, Violations& violations);

// One content of a truststore. The PEM text is a blob of the store.
struct TruststoreVersion {
  enum class State { kCandidate, kActive, kSuperseded };

  TruststoreVersionName name;
  std::string description;
  absl::Time create_time = absl::InfinitePast();
  Etag etag;
  int64_t revision = 0;
  // Whether it was active at any time, and so can be rolled back to.
  bool was_active = false;

  std::string source_uri;
  std::string source_object_version;
  std::string source_etag;

  pki::Sha256Digest sha256 = {};  // of the PEM text: the blob's digest
  uint64_t size_bytes = 0;
  uint32_t certificate_count = 0;
};

// The state of `version` in `truststore`.
TruststoreVersion::State StateOf(const TruststoreVersion& version,
                                 const Truststore& truststore);

// ReadBundle: the parsed content of a new version. Adds one violation at
// `field` when it is refused: TRUSTSTORE_EMPTY, ..., with block and line, no
// contents. Null exactly then.
std::shared_ptr<const pki::Truststore> ReadBundle(
    absl::string_view field, absl::string_view pem,
    const pki::TruststoreLimits& limits, Violations& violations);

// CheckGivesTrust: TRUSTSTORE_GIVES_NO_TRUST when nothing in `bundle` gives
// trust by the rules of `truststore` at `now`, with the first warnings in the
// message.
absl::Status CheckGivesTrust(const pki::Truststore& bundle,
                             const Truststore& truststore, absl::Time now);

// The first expiry among the certificates of `bundle` that give trust at `now`;
// InfiniteFuture when none does.
absl::Time FirstExpiry(const pki::Truststore& bundle,
                       const Truststore& truststore, absl::Time now);

// What one version has and another has not.
struct TruststoreDiff {
  struct Change {
    std::shared_ptr<const pki::Certificate> before;
    std::shared_ptr<const pki::Certificate> after;
    bool same_key = false;
  };
  // Each in the order of its bundle.
  std::vector<std::shared_ptr<const pki::Certificate>> added;
  std::vector<std::shared_ptr<const pki::Certificate>> removed;
  // Certificates of one subject, one before and one after that do not equal: a
  // pair with one key first, then the others in order; what is left over is
  // added or removed. In the order of `to`.
  std::vector<Change> changed;
};
TruststoreDiff Diff(const pki::Truststore& from, const pki::Truststore& to);

}  // namespace sallyport::domain

#endif  // SALLYPORT_CONFIG_SERVICE_DOMAIN_TRUSTSTORE_H_
