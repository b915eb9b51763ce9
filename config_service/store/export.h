// The format of an export of the state: proto/sallyport/store/v1/export.proto,
// written from records and read back. What the records mean is for others to
// check.

#ifndef SALLYPORT_CONFIG_SERVICE_STORE_EXPORT_H_
#define SALLYPORT_CONFIG_SERVICE_STORE_EXPORT_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/secret.h"
#include "config_service/store/sealer.h"
#include "config_service/store/store.h"
#include "pki/crypto/hpke.h"

namespace sallyport::store {

constexpr int kExportFormatVersion = 1;
// What HPKE is told of the use.
constexpr absl::string_view kExportHpkeInfo = "sallyport state export v1";
// One item of the format: a record of the largest size, its key and seal.
constexpr size_t kMaxExportItemBytes = kMaxValueBytes + (size_t{256} << 10);

// What becomes of a record in an export.
enum class ExportRule {
  kResource,     // always in it
  kOwnKey,       // of the service itself: in it when private keys are
  kAuditEntry,   // in it when asked for
  kNotExported,  // made again from the others, or of one installation alone
};
// By its key. Nothing: no kind of record that is known here; an export that
// left it out would be no backup.
std::optional<ExportRule> ExportRuleOf(absl::string_view key);

// What holds for a record of a kind that has a private key.
bool HasPrivateKey(absl::string_view key);

// Whether `key` is that of an audit entry written at `time`.
bool IsAuditKey(absl::string_view key, absl::Time time);

// Whether `text` is the id of a lineage: 32 lower-case hex digits.
bool IsLineage(absl::string_view text);

// A record on its way.
struct ExportedRecord {
  std::string key;
  // Without its private key.
  std::string value;
  std::vector<BlobDigest> blobs;
  // PEM; empty: the export has none.
  Secret private_key_pem;
  // Of audit entries: where and when it was written.
  std::string lineage;
  int64_t revision = 0;
};

// ToPut: the record as this store has it, its private key, if any, sealed.
// RECORD_DAMAGED when the value cannot be read, or has a key of its own.
absl::StatusOr<Put> ToPut(ExportedRecord record, const Sealer& sealer);

// ExportWriter: makes the bytes. Thread-compatible.
class ExportWriter {
 public:
  // Takes bytes of the export, in order; an error ends the writing.
  using Sink = std::function<absl::Status(absl::string_view)>;

  // `recipient`: the public key of whom private keys are sealed to; empty: they
  // are left out. Both outlive the writer. InvalidArgument: no such key.
  static absl::StatusOr<std::unique_ptr<ExportWriter>> Make(
      Store* store, const Sealer* sealer, absl::string_view recipient,
      Sink sink);

  // Writes the blobs that `record` names and that were not written before, then
  // the record. `lineage` and `revision` are those of an audit entry.
  absl::Status Add(const Record& record, absl::string_view lineage = "",
                   int64_t revision = 0);

 private:
  ExportWriter(Store* store, const Sealer* sealer, Sink sink)
      : store_(store), sealer_(sealer), sink_(std::move(sink)) {}
  absl::Status AddBlob(const BlobDigest& digest);
  absl::Status Write(const std::string& item);

  Store* const store_;
  const Sealer* const sealer_;
  const Sink sink_;
  std::unique_ptr<pki::HpkeSender> sender_;
  absl::flat_hash_set<BlobDigest> written_;
};

// ExportReader: reads the bytes, in pieces of any size. Blobs go into the store
// as they come, where they stay for its blob grace; records are handed on. At
// most one record and a piece of a blob are in memory. Thread-compatible.
//
// All errors of what is read are EXPORT_INVALID and say where; those of the
// store are its own.
class ExportReader {
 public:
  using TakeRecord = std::function<absl::Status(ExportedRecord)>;

  // `private_key`: that of the recipient; empty: there are no private keys.
  ExportReader(Store* store, const Secret& private_key, TakeRecord take)
      : store_(store),
        private_key_(private_key.Clone()),
        take_(std::move(take)) {}

  absl::Status Append(absl::string_view bytes);
  // To be called once, last: whether it ends with a whole item.
  absl::Status Finish();

  // Whether a blob was among it.
  bool HasBlob(const BlobDigest& digest) const {
    return blobs_.contains(digest);
  }

 private:
  absl::Status ReadItem(absl::string_view item);

  Store* const store_;
  const Secret private_key_;
  const TakeRecord take_;
  std::unique_ptr<pki::HpkeRecipient> recipient_;
  std::string buffer_;
  int64_t items_ = 0;
  std::unique_ptr<BlobWriter> blob_;
  absl::flat_hash_set<BlobDigest> blobs_;
};

}  // namespace sallyport::store

#endif  // SALLYPORT_CONFIG_SERVICE_STORE_EXPORT_H_
