// Limits of the resources. base/limits.h and settings/limits.h have those that
// the module shares, store/limits.h those of the store.

#ifndef SALLYPORT_CONFIG_SERVICE_DOMAIN_LIMITS_H_
#define SALLYPORT_CONFIG_SERVICE_DOMAIN_LIMITS_H_

#include <cstddef>
#include <cstdint>

#include "absl/time/time.h"
#include "settings/limits.h"

namespace sallyport::domain {

// Ids: [a-z0-9-], no '-' at the ends. A DNS label, since the id of an API is
// one in its default endpoint.
constexpr size_t kMaxIdLength = 63;
// Ids of stages ([A-Za-z0-9_-]) and of nodes ([A-Za-z0-9._-]).
constexpr size_t kMaxLongIdLength = 128;
// Numbers of versions: 1 to this.
constexpr int64_t kMaxVersionNumber = 1'000'000'000;

// Descriptions and display names: characters (UTF-8).
constexpr size_t kMaxDescriptionLength = 1024;
constexpr size_t kMaxDisplayNameLength = 128;

// Labels: how many, and the length of a key and of a value.
constexpr size_t kMaxLabels = 64;
constexpr size_t kMaxLabelKeyLength = 63;
constexpr size_t kMaxLabelValueLength = 256;

// Field violations that one error lists; the rest is counted.
constexpr size_t kMaxListedViolations = 100;

// Truststores: what a version may hold unless an admin allows more. The most
// that can be allowed is limits::kMaxTruststoreBytes and
// kMaxTruststoreCertificates.
constexpr size_t kDefaultTruststoreBytes = size_t{1} << 20;
constexpr size_t kDefaultTruststoreCertificates = 1000;
constexpr size_t kMaxSourceUriLength = 2048;
constexpr size_t kMaxObjectVersionLength = 1024;
constexpr absl::Duration kMinPollInterval = absl::Seconds(5);
constexpr absl::Duration kDefaultPollInterval = absl::Seconds(60);
constexpr absl::Duration kMaxPollInterval = absl::Hours(24);

// Names that a resource may refer to in one list.
constexpr size_t kMaxRevocationListsOfTruststore = 100;
constexpr size_t kMaxCertificateListsOfDomain = 100;
constexpr size_t kMaxFleetsOfDomain = 100;
constexpr size_t kMaxTruststoresOfDomain = settings::kMaxTruststores;

// Entries of a certificate list that one request may add or remove, and the
// length of a comment. In all: limits::kMaxDenyListEntries.
constexpr size_t kMaxEntriesOfRequest = 10000;
constexpr size_t kMaxEntryCommentLength = 256;
constexpr size_t kMaxIssuerLength = 4096;

// A chain that is imported with its key: certificates, and bytes of PEM. A key:
// bytes of PEM.
constexpr size_t kMaxChainCertificates = 10;
constexpr size_t kMaxChainPemBytes = size_t{64} << 10;
constexpr size_t kMaxPrivateKeyPemBytes = size_t{32} << 10;

// Certificates that an issuer makes: names of one, and how long it is valid
// (825 days is the most that some clients take).
constexpr size_t kMaxIssuedNames = 100;
constexpr absl::Duration kMinIssuedValidity = absl::Minutes(1);
constexpr absl::Duration kDefaultIssuedValidity = absl::Hours(24 * 90);
constexpr absl::Duration kMaxIssuedValidity = absl::Hours(24 * 825);
// What is left of it, in percent, when it is renewed.
constexpr int kMinRenewPercent = 5;
constexpr int kDefaultRenewPercent = 33;
constexpr int kMaxRenewPercent = 95;
// Domains that an issuer may be limited to.
constexpr size_t kMaxIssuerDomains = 1000;

// Domain names (RFC 1035, 2.3.4).
constexpr size_t kMaxDomainLength = 253;
constexpr size_t kMaxDomainLabelLength = 63;
constexpr absl::Duration kMaxEndStreamsAfter = settings::kMaxEndAfter;

// API mappings.
constexpr size_t kMaxBasePathLength = 300;

// Routes.
constexpr size_t kMaxPathTemplateLength = 1024;
constexpr size_t kMaxPathTemplateSegments = 30;
constexpr size_t kMaxParameterLength = 64;
constexpr size_t kMaxIntegrationUriLength = 2048;
constexpr absl::Duration kMinIntegrationTimeout = absl::Milliseconds(50);
constexpr absl::Duration kDefaultIntegrationTimeout = absl::Seconds(29);
constexpr absl::Duration kMaxIntegrationTimeout = absl::Seconds(300);
constexpr size_t kMaxMockHeaders = 50;
constexpr size_t kMaxMockHeaderBytes = 4096;  // one name or value
constexpr size_t kMaxMockBodyBytes = 4096;
constexpr size_t kMaxRoutesOfApi = 1000;

// Stages.
constexpr size_t kMaxStageVariables = 100;
constexpr size_t kMaxStageVariableNameLength = 64;
constexpr size_t kMaxStageVariableValueLength = 512;

// Client certificates: generated ones.
constexpr absl::Duration kGeneratedValidity = absl::Hours(24 * 365);
constexpr size_t kMaxCommonNameLength = 64;  // RFC 5280, ub-common-name

// Fleets.
constexpr uint16_t kDefaultListenPort = 8443;

}  // namespace sallyport::domain

#endif  // SALLYPORT_CONFIG_SERVICE_DOMAIN_LIMITS_H_
