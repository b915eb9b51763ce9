// Truststores: the use cases of truststores and their versions.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVICE_TRUSTSTORES_H_
#define SALLYPORT_CONFIG_SERVICE_SERVICE_TRUSTSTORES_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "config_service/domain/common.h"
#include "config_service/domain/truststore.h"
#include "config_service/objects/object_reader.h"
#include "config_service/service/bundles.h"
#include "config_service/service/caller.h"
#include "config_service/service/paging.h"
#include "config_service/service/source_states.h"
#include "config_service/service/transaction.h"

namespace sallyport::service {

// A resource, and what it is worth now.
struct TruststoreView {
  domain::Truststore truststore;  // `conditions` are filled
  // Of the active version; at most kMaxListedWarnings, `num_warnings` in all.
  std::vector<domain::Warning> warnings;
  size_t num_warnings = 0;
};

struct TruststoreVersionView {
  domain::TruststoreVersion version;
  domain::TruststoreVersion::State state =
      domain::TruststoreVersion::State::kCandidate;
  bool gives_trust = false;
  std::vector<domain::Warning> warnings;
  size_t num_warnings = 0;
  absl::Time first_expiry = absl::InfiniteFuture();
};

// A certificate of a version.
struct TruststoreCertificate {
  size_t index = 0;  // block, from 1
  size_t line = 0;
  std::shared_ptr<const pki::Certificate> certificate;
  std::vector<domain::Warning> warnings;
};

// One page of a diff: added, then removed, then changed.
struct TruststoreDiffPage {
  domain::TruststoreDiff diff;
  size_t num_added = 0;
  size_t num_removed = 0;
  size_t num_changed = 0;
  std::string next_page_token;
};

// Thread-safe. Callers are authorised before (roles.h); what depends on the
// role beyond that is said here. Errors carry a domain::Error.
class Truststores {
 public:
  enum class Force { kNo, kYes };
  enum class Activate { kNo, kYes };

  // Output-only fields of what is passed in are left out of account.
  struct CreateRequest {
    std::string id;
    domain::Truststore truststore;
    // Empty: what is at truststore.source; without one, no first version.
    std::string pem;
    Force force = Force::kNo;
  };
  struct UpdateRequest {
    domain::Truststore truststore;  // its etag, if any, must be the current one
    // Paths of fields, "*" for all. Fields that are not among them stay.
    std::vector<std::string> mask;
    Force force = Force::kNo;
  };
  struct CreateVersionRequest {
    domain::TruststoreName parent;
    std::string description;
    // Empty: what is at `source`.
    std::string pem;
    // Empty: the truststore's own.
    domain::TruststoreSource source;
    Activate activate = Activate::kNo;
    Force force = Force::kNo;
    domain::Etag truststore_etag;
  };
  struct ActivateRequest {
    domain::TruststoreVersionName name;
    domain::Etag etag;
    Force force = Force::kNo;
  };
  struct RollbackRequest {
    domain::TruststoreName name;
    domain::TruststoreVersionName version;  // empty: the previous one
    domain::Etag etag;
    Force force = Force::kNo;
  };

  // What `context` points to outlives this, and so do `objects` and `sources`.
  // Without `objects` truststores with a source are refused (NOT_SUPPORTED).
  explicit Truststores(const Context& context,
                       objects::ObjectReader* objects = nullptr,
                       SourceStates* sources = nullptr)
      : context_(context),
        objects_(objects),
        sources_(sources),
        bundles_(context.store) {}

  // What is parsed of their contents, for who needs it too. Lives as long as
  // this.
  Bundles* bundles() { return &bundles_; }

  // More than the default limits need the role admin (LIMITS_NEED_ADMIN).
  absl::StatusOr<TruststoreView> Create(const Caller& caller,
                                        const Write& write,
                                        const CreateRequest& request);
  absl::StatusOr<TruststoreView> Get(const domain::TruststoreName& name);
  absl::StatusOr<Page<TruststoreView>> List(const PageRequest& request);
  absl::StatusOr<TruststoreView> Update(const Caller& caller,
                                        const Write& write,
                                        const UpdateRequest& request);
  absl::Status Delete(const Caller& caller, const Write& write,
                      const domain::TruststoreName& name,
                      const domain::Etag& etag);

  absl::StatusOr<TruststoreVersionView> CreateVersion(
      const Caller& caller, const Write& write,
      const CreateVersionRequest& request);
  // What a version of it may hold; asked before an upload is taken.
  absl::StatusOr<pki::TruststoreLimits> Limits(
      const domain::TruststoreName& name);
  absl::StatusOr<TruststoreVersionView> GetVersion(
      const domain::TruststoreVersionName& name);
  absl::StatusOr<Page<TruststoreVersionView>> ListVersions(
      const domain::TruststoreName& parent, const PageRequest& request);
  absl::Status DeleteVersion(const Caller& caller, const Write& write,
                             const domain::TruststoreVersionName& name,
                             const domain::Etag& etag);
  // The text of a version, piece by piece.
  absl::StatusOr<std::unique_ptr<store::BlobReader>> ReadVersion(
      const domain::TruststoreVersionName& name);
  absl::StatusOr<Page<TruststoreCertificate>> ListCertificates(
      const domain::TruststoreVersionName& parent, const PageRequest& request);

  // Watched sources that are due, and when the next of the others will be.
  struct DueSource {
    domain::TruststoreName name;
    std::string uri;
    bool failing = false;  // it could not be read the last time
  };
  struct WatchedSources {
    std::vector<DueSource> due;
    absl::Time next = absl::InfiniteFuture();
  };
  WatchedSources FindDueSources();
  // Looks at the truststore's source, and makes a version of what is new there,
  // as the watch says. May take as long as a reading may; sources do not wait
  // for each other. Each source in one thread at a time.
  void LookAtSource(const domain::TruststoreName& name);

  absl::StatusOr<TruststoreView> ActivateVersion(
      const Caller& caller, const Write& write, const ActivateRequest& request);
  absl::StatusOr<TruststoreView> Rollback(const Caller& caller,
                                          const Write& write,
                                          const RollbackRequest& request);
  absl::StatusOr<TruststoreDiffPage> Diff(
      const domain::TruststoreVersionName& from,
      const domain::TruststoreVersionName& to, const PageRequest& request);

 private:
  // The content of a new version, and where it was read from, if it was.
  struct Content {
    std::string pem;
    std::string uri;
    std::string object_version;
    std::string etag;
    bool unchanged = false;
  };
  // SOURCE_UNREADABLE, SOURCE_NOT_ALLOWED, SOURCE_URI_INVALID,
  // TRUSTSTORE_TOO_LARGE.
  absl::StatusOr<Content> ReadSource(const domain::TruststoreSource& source,
                                     const pki::TruststoreLimits& limits,
                                     absl::string_view known_etag);
  absl::StatusOr<TruststoreVersionView> CreateVersionFrom(
      const Caller& caller, const Write& write,
      const CreateVersionRequest& request, const Content& content);
  // One look at a watched source; the condition that comes of it.
  domain::Condition PollSource(const domain::Truststore& truststore,
                               std::string& etag);

  absl::StatusOr<TruststoreView> View(domain::Truststore truststore);
  absl::StatusOr<TruststoreVersionView> View(
      domain::TruststoreVersion version, const domain::Truststore& truststore);
  // Makes `number` the active version of `truststore`, which is `before`.
  absl::Status Switch(Transaction& transaction,
                      const domain::Truststore& before, int64_t number,
                      Force force, domain::Truststore& truststore);
  absl::Status CheckReferences(Transaction& transaction,
                               const domain::Truststore& truststore);
  // TRUSTSTORE_GIVES_NO_TRUST, or an override in the audit log.
  absl::Status CheckTrust(Transaction& transaction,
                          const pki::Truststore& bundle,
                          const domain::Truststore& truststore, Force force);

  const Context context_;
  objects::ObjectReader* const objects_;
  SourceStates* const sources_;
  Bundles bundles_;
};

}  // namespace sallyport::service

#endif  // SALLYPORT_CONFIG_SERVICE_SERVICE_TRUSTSTORES_H_
