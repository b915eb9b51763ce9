// Revocation lists and certificate lists: domain values and messages of the
// public API.

#ifndef SALLYPORT_CONFIG_SERVICE_API_CONVERT_LIST_H_
#define SALLYPORT_CONFIG_SERVICE_API_CONVERT_LIST_H_

#include "absl/strings/string_view.h"
#include "config_service/domain/revocation.h"
#include "config_service/domain/violations.h"
#include "config_service/service/revocation_lists.h"
#include "proto/sallyport/config/v1/revocation.pb.h"

namespace sallyport::api {

// What a request says of it; its name too, when it has one. Violations at the
// fields that cannot be read, paths as in the message.
domain::RevocationList Convert(
    const sallyport::config::v1::RevocationList& from,
    domain::Violations& violations);
domain::CertificateList Convert(
    const sallyport::config::v1::CertificateList& from,
    domain::Violations& violations);
// As it was written. Violations below `field`.
domain::CertificateListEntry Convert(
    absl::string_view field,
    const sallyport::config::v1::CertificateListEntry& from,
    domain::Violations& violations);

void Convert(const domain::RevocationList& from,
             sallyport::config::v1::RevocationList& to);
void Convert(const domain::CertificateList& from,
             sallyport::config::v1::CertificateList& to);
void Convert(const domain::CertificateListEntry& from,
             sallyport::config::v1::CertificateListEntry& to);

void Convert(const service::RevocationListView& from,
             sallyport::config::v1::RevocationList& to);

}  // namespace sallyport::api

#endif  // SALLYPORT_CONFIG_SERVICE_API_CONVERT_LIST_H_
