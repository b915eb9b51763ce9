// Records of revocation lists, deny lists and allow lists. As records.h.

#ifndef SALLYPORT_CONFIG_SERVICE_STORE_LIST_RECORDS_H_
#define SALLYPORT_CONFIG_SERVICE_STORE_LIST_RECORDS_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "config_service/domain/name.h"
#include "config_service/domain/revocation.h"
#include "config_service/store/store.h"

namespace sallyport::store {

// The put names its blob: BlobOf().
std::string Encode(const domain::RevocationList& list);
absl::StatusOr<domain::RevocationList> Decode(
    const domain::RevocationListName& name, const Record& record);
BlobDigest BlobOf(const domain::RevocationList& list);

std::string Encode(const domain::CertificateList& list);
absl::StatusOr<domain::CertificateList> Decode(
    const domain::CertificateListName& name, const Record& record);

// An entry is a record of its own: EntryKey(list, entry.Key()).
constexpr absl::string_view kEntriesCollection = "certificateLists.entries";
std::string EntriesPrefix(const domain::CertificateListName& list);
std::string EntryKey(const domain::CertificateListName& list,
                     const domain::CertificateListEntry& entry);
std::string Encode(const domain::CertificateListEntry& entry);
absl::StatusOr<domain::CertificateListEntry> DecodeEntry(
    const domain::CertificateListName& list, const Record& record);

}  // namespace sallyport::store

#endif  // SALLYPORT_CONFIG_SERVICE_STORE_LIST_RECORDS_H_
