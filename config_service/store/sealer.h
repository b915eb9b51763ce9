// Sealer: encryption at rest of secret values.
//
// AES-256-GCM under a key-encryption key that the operator gives as a file. The
// key of the record is authenticated with the secret, so that a sealed value
// that is moved to another record does not open there.
//
// Format of a sealed value (version 1):
//
//   1 byte    1
//   8 bytes   id of the key-encryption key
//   12 bytes  nonce, random
//   n bytes   ciphertext, as long as the secret
//   16 bytes  authentication tag
//
// The authenticated data are the first nine bytes, and then the record's key.
// With random nonces one key is good for 2^32 seals (NIST SP 800-38D, 8.3);
// rotate it long before.
//
// Format of the key file: one key to a line, as base64 of 32 bytes. The first
// seals; all of them open. Empty lines and lines that begin with # are skipped.
// To rotate: add a new line at the top, restart, seal every record again
// (NeedsResealing), remove the old line.

#ifndef SALLYPORT_CONFIG_SERVICE_STORE_SEALER_H_
#define SALLYPORT_CONFIG_SERVICE_STORE_SEALER_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/secret.h"

namespace sallyport::store {

// Keys in one file.
constexpr size_t kMaxSealingKeys = 16;
constexpr size_t kSealingKeyBytes = 32;
// Bytes that a sealed value has over the secret's.
constexpr size_t kSealOverheadBytes = 1 + 8 + 12 + 16;

// Sealer: immutable, thread-safe. Keys are overwritten when it is destroyed.
class Sealer {
 public:
  enum class IfMissing { kFail, kCreate };

  // Reads the key file at `path`; with kCreate, one with a new random key is
  // made first when there is none (mode 0600, durable before this returns).
  //
  // NotFound: there is none. FailedPrecondition: it is no regular file, others
  // than its owner and group may read it, or others than its owner may write
  // it. InvalidArgument: a line that is no key, the same key twice, no key at
  // all, more than kMaxSealingKeys. Messages name path and line, never
  // contents.
  static absl::StatusOr<std::unique_ptr<Sealer>> FromFile(
      absl::string_view path, IfMissing if_missing);

  // The same from keys of kSealingKeyBytes each; the first seals.
  static absl::StatusOr<std::unique_ptr<Sealer>> FromKeys(
      std::vector<Secret> keys);

  ~Sealer();
  Sealer(const Sealer&) = delete;
  Sealer& operator=(const Sealer&) = delete;

  // Seals `secret` for the record `record_key`. Seals of equal secrets differ.
  absl::StatusOr<std::string> Seal(const Secret& secret,
                                   absl::string_view record_key) const;

  // Opens what Seal() made for the same record. FailedPrecondition: its
  // key-encryption key is not in the file (the message has the key's id).
  // DataLoss: it is damaged, or was sealed for another record, or by something
  // newer.
  absl::StatusOr<Secret> Open(absl::string_view sealed,
                              absl::string_view record_key) const;

  // Whether `sealed` was made with another key than the one that seals now.
  bool NeedsResealing(absl::string_view sealed) const;

  // The id of the key that seals: 16 hex digits that say nothing about the
  // key. For logs and metrics.
  const std::string& active_key_id() const { return active_key_id_; }

 private:
  struct Key;
  explicit Sealer(std::vector<Key> keys);

  std::vector<Key> keys_;
  std::string active_key_id_;
};

}  // namespace sallyport::store

#endif  // SALLYPORT_CONFIG_SERVICE_STORE_SEALER_H_
