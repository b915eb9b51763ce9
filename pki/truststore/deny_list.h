// DenyList: certificates and keys that are refused whatever a truststore says.
// An emergency measure, for when no revocation list is at hand.

#ifndef SALLYPORT_PKI_TRUSTSTORE_DENY_LIST_H_
#define SALLYPORT_PKI_TRUSTSTORE_DENY_LIST_H_

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "pki/x509/certificate.h"

namespace sallyport::pki {

// Immutable and thread-safe. Looking up costs the same for one entry as for
// limits::kMaxDenyListEntries.
class DenyList {
 public:
  // What an operator writes.
  struct Entries {
    struct IssuerAndSerial {
      // The issuer's name as Certificate::Issuer() prints it (RFC 4514: the
      // last RDN first), or "der:" and the base64 of its DER. Compared as RFC
      // 5280, 7.1 says: case and blanks do not count, the order does.
      std::string issuer;
      // Hexadecimal, in any case; colons between bytes, blanks around it and
      // leading zeros do not count. '-' in front of a negative one.
      std::string serial;
    };
    // SHA-256 of the certificate's DER, of its SubjectPublicKeyInfo: 64
    // hexadecimal digits in any case; colons and blanks as above. The first
    // names the certificate's twins too (pki/x509/twin.h).
    std::vector<std::string> certificate_sha256;
    std::vector<std::string> spki_sha256;
    std::vector<IssuerAndSerial> issuer_and_serial;
  };

  // InvalidArgument: an entry that cannot be read; the message starts with it
  // ("spki_sha256[3]: ...") and says how to mend it. ResourceExhausted: over
  // limits::kMaxDenyListEntries.
  static absl::StatusOr<std::shared_ptr<const DenyList>> Create(
      const Entries& entries);

  // What any of `lists` names; they are shared, not copied.
  static std::shared_ptr<const DenyList> Join(
      std::vector<std::shared_ptr<const DenyList>> lists);

  DenyList(const DenyList&) = delete;
  DenyList& operator=(const DenyList&) = delete;

  // The first kind of entry that names `certificate`.
  enum class Match { kNone, kCertificate, kKey, kIssuerAndSerial };
  Match Find(const Certificate& certificate) const;

  // SHA-256 over the set of entries, or over the digests of a joined list's
  // parts: equal digests decide equally.
  const Sha256Digest& digest() const { return digest_; }
  // Distinct ones; of a joined list, those of its parts together.
  size_t num_entries() const { return num_entries_; }
  // Bytes held, roughly, for memory reports.
  size_t ApproximateBytes() const;

 private:
  DenyList() = default;

  Sha256Digest digest_;
  size_t num_entries_ = 0;
  absl::flat_hash_set<Sha256Digest> certificates_;
  absl::flat_hash_set<Sha256Digest> keys_;
  // By serial number in the form of Certificate::SerialHex().
  struct Issuers {
    absl::flat_hash_set<std::string> texts;
    absl::flat_hash_set<std::string> normalized;  // RDNSequence
  };
  absl::flat_hash_map<std::string, Issuers> serials_;
  std::vector<std::shared_ptr<const DenyList>> parts_;  // of a joined list
};

// Lists by name.
using NamedDenyLists =
    absl::flat_hash_map<std::string, std::shared_ptr<const DenyList>>;

// "the certificate's SHA-256", for people.
absl::string_view DenyMatchText(DenyList::Match match);

}  // namespace sallyport::pki

#endif  // SALLYPORT_PKI_TRUSTSTORE_DENY_LIST_H_
