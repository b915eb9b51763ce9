// State: export and import of everything.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVICE_STATE_H_
#define SALLYPORT_CONFIG_SERVICE_SERVICE_STATE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/secret.h"
#include "config_service/service/caller.h"
#include "config_service/service/transaction.h"
#include "config_service/store/export.h"
#include "config_service/store/store.h"
#include "pki/crypto/crypto.h"

namespace sallyport::service {

// An export that is imported: all of it, and what is neither contents nor
// routes of deployments (records, their keys and private keys), which is in
// memory meanwhile.
constexpr uint64_t kMaxImportBytes = uint64_t{16} << 30;
constexpr size_t kMaxImportRecordBytes = size_t{512} << 20;

// What an export says of itself.
struct StateHeader {
  int format_version = store::kExportFormatVersion;
  int64_t revision = 0;
  std::string lineage;
  absl::Time time;
  bool has_private_keys = false;
};
struct StateTrailer {
  std::string sha256;  // hexadecimal, lower case
  int64_t size_bytes = 0;
};

struct ImportedState {
  int64_t revision = 0;
  int64_t num_resources = 0;
  int64_t num_audit_entries = 0;
  std::vector<std::string> without_private_key;
  // A CA of the service is another than the one in use.
  bool restart_required = false;
};

// Thread-safe. Callers are authorised before (roles.h). Errors carry a
// domain::Error.
class State {
 public:
  struct ExportRequest {
    // Empty: private keys are left out.
    std::string recipient_public_key;
    bool include_audit_log = false;
  };
  struct ImportRequest {
    StateHeader header;
    Secret recipient_private_key;
    bool replace = false;
  };
  // Bytes of an export; false: nobody wants more.
  using Take = absl::FunctionRef<bool(absl::string_view)>;

  // What `context` points to outlives this. The CAs that are in the store now
  // are taken to be the ones in use. RECORD_DAMAGED.
  static absl::StatusOr<std::unique_ptr<State>> Make(const Context& context);

  // Gives the header, then the bytes in pieces of any size, and returns the
  // trailer. One that has private keys is in the audit log, as far as the store
  // takes changes. FIELD_MALFORMED; UNAVAILABLE when nobody wanted more.
  absl::StatusOr<StateTrailer> Export(
      const Caller& caller, const Write& write, const ExportRequest& request,
      absl::FunctionRef<bool(const StateHeader&)> begin, Take take);

  // One import: Append() the bytes, then Finish(). Contents go into the store
  // at once, and are garbage there unless it is finished. Thread-compatible.
  class Import {
   public:
    ~Import() { *slot_ = false; }
    Import(const Import&) = delete;
    Import& operator=(const Import&) = delete;

    // EXPORT_INVALID, REQUEST_TOO_LARGE.
    absl::Status Append(absl::string_view bytes);
    // Checks all, and puts it in the place of what there is, in one commit.
    // EXPORT_INVALID with all that is wrong; STATE_NOT_EMPTY;
    // CONCURRENT_CHANGE.
    absl::StatusOr<ImportedState> Finish(const StateTrailer& trailer);

   private:
    friend class State;
    Import(State* state, const Caller& caller, const Write& write,
           ImportRequest request, std::atomic<bool>* slot);
    // One attempt. Aborted: somebody else was faster.
    absl::StatusOr<store::Revision> Replace(const std::string& state_json,
                                            store::Replacement& replacement);
    // Removes what was found out about domains that are not among these keys.
    void ForgetStatuses(const std::set<std::string>& domains);

    State* const state_;
    const Caller caller_;
    Write write_;
    const ImportRequest request_;
    std::atomic<bool>* const slot_;
    store::ExportReader reader_;
    std::vector<store::ExportedRecord> records_;
    size_t record_bytes_ = 0;
    uint64_t bytes_ = 0;
    pki::Sha256Hasher hasher_;
  };
  // `write.request` is the digest of the request without its content.
  // EXPORT_INVALID, STATE_NOT_EMPTY, and RATE_LIMITED while there is another.
  // This outlives it.
  absl::StatusOr<std::unique_ptr<Import>> Begin(const Caller& caller,
                                                const Write& write,
                                                ImportRequest request);

  // Whether a CA in the store is another than the one in use.
  bool restart_required() const { return restart_required_; }

 private:
  State(const Context& context, std::map<std::string, std::string> cas_in_use)
      : context_(context), cas_in_use_(std::move(cas_in_use)) {}

  const Context context_;
  // Their certificates, PEM, by their keys in the store.
  const std::map<std::string, std::string> cas_in_use_;
  std::atomic<bool> importing_{false};
  std::atomic<bool> restart_required_{false};
};

}  // namespace sallyport::service

#endif  // SALLYPORT_CONFIG_SERVICE_SERVICE_STATE_H_
