// The enums of trust rules: those of pki/ and those of the module's
// configuration, which the stored records and the public API share.

#ifndef SALLYPORT_CONFIG_SERVICE_STORE_TRUST_ENUMS_H_
#define SALLYPORT_CONFIG_SERVICE_STORE_TRUST_ENUMS_H_

#include <optional>

#include "pki/chain/verify.h"
#include "pki/truststore/truststore.h"
#include "proto/sallyport/filter/v1/config.pb.h"

namespace sallyport::store {

sallyport::filter::v1::ChainPolicy ToProto(pki::ChainPolicy policy);
sallyport::filter::v1::ExtendedKeyUsageRule ToProto(
    pki::ExtendedKeyUsageRule rule);
sallyport::filter::v1::RevocationRule ToProto(pki::RevocationRule rule);
sallyport::filter::v1::RevocationScope ToProto(pki::RevocationScope scope);

// Unspecified is the default that config.proto names; nothing for a number that
// has no name: what it asks for is not known.
std::optional<pki::ChainPolicy> FromProto(
    sallyport::filter::v1::ChainPolicy policy);
std::optional<pki::ExtendedKeyUsageRule> FromProto(
    sallyport::filter::v1::ExtendedKeyUsageRule rule);
std::optional<pki::RevocationRule> FromProto(
    sallyport::filter::v1::RevocationRule rule);
std::optional<pki::RevocationScope> FromProto(
    sallyport::filter::v1::RevocationScope scope);

}  // namespace sallyport::store

#endif  // SALLYPORT_CONFIG_SERVICE_STORE_TRUST_ENUMS_H_
