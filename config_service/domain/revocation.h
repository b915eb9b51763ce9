// Revocation lists, deny lists and allow lists.

#ifndef SALLYPORT_CONFIG_SERVICE_DOMAIN_REVOCATION_H_
#define SALLYPORT_CONFIG_SERVICE_DOMAIN_REVOCATION_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "config_service/domain/common.h"
#include "config_service/domain/name.h"
#include "config_service/domain/violations.h"
#include "pki/truststore/revocation.h"
#include "pki/x509/certificate.h"

namespace sallyport::domain {

// Certificate revocation lists. The content is a blob of the store.
struct RevocationList {
  struct Summary {
    std::string issuer;  // RFC 4514
    absl::Time this_update = absl::InfinitePast();
    absl::Time next_update = absl::InfiniteFuture();  // infinite: none
    uint32_t entry_count = 0;
  };
  static constexpr size_t kMaxSummaries = 100;

  RevocationListName name;
  Metadata metadata;
  pki::Sha256Digest sha256 = {};  // of the content: the blob's digest
  uint64_t size_bytes = 0;
  std::vector<Summary> lists;  // the first kMaxSummaries
  uint32_t list_count = 0;
  uint32_t entry_count = 0;
  absl::Time next_update = absl::InfiniteFuture();  // the first of all lists
  std::vector<Condition> conditions;
};

void Validate(const RevocationList& list, Violations& violations);

// ReadRevocationList: parses `content` and fills in what `list` says of it.
// Adds REVOCATION_LIST_INVALID at `field` when it is refused; null exactly
// then.
std::shared_ptr<const pki::RevocationLists> ReadRevocationList(
    absl::string_view field, absl::string_view content, RevocationList& list,
    Violations& violations);

// A deny or allow list. Its entries are records of their own.
struct CertificateList {
  enum class Kind { kDeny, kAllow };

  CertificateListName name;
  Metadata metadata;
  Kind kind = Kind::kDeny;
  // Deny lists: counts for every domain with mutual TLS.
  bool everywhere = false;
  uint32_t entry_count = 0;
  std::vector<Condition> conditions;
  // Of the change that it comes from; not stored.
  std::vector<Warning> warnings;
};

void Validate(const CertificateList& list, Violations& violations);

// An entry in its one form: digests and serials in lower-case hexadecimal
// without colons, serials without leading zeros.
struct CertificateListEntry {
  enum class Kind { kCertificateSha256, kSpkiSha256, kIssuerAndSerial };

  Kind kind = Kind::kCertificateSha256;
  std::string sha256;  // the first two kinds
  std::string issuer;  // kIssuerAndSerial: RFC 4514, or "der:BASE64"
  std::string serial;
  std::string comment;

  // What tells it from others in a list, and orders them: "certificate/HEX",
  // "spki/HEX", "serial/HEX OF THE SHA-256 OF THE ISSUER/HEX".
  std::string Key() const;
};

// Normalize: brings `entry`, as a caller wrote it, into its one form. Adds
// violations below `field` when it cannot be read, or when a list of `kind`
// cannot have it.
void Normalize(absl::string_view field, CertificateList::Kind kind,
               CertificateListEntry& entry, Violations& violations);

}  // namespace sallyport::domain

#endif  // SALLYPORT_CONFIG_SERVICE_DOMAIN_REVOCATION_H_
