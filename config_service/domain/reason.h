// Why a request is refused: the reasons of ErrorReason in
// proto/sallyport/config/v1/errors.proto, which says what each means and what
// to do. The numbers are the same; a test compares the two.

#ifndef SALLYPORT_CONFIG_SERVICE_DOMAIN_REASON_H_
#define SALLYPORT_CONFIG_SERVICE_DOMAIN_REASON_H_

#include <optional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace sallyport::domain {

enum class Reason {
  kFieldsInvalid = 1,
  kResourceNotFound = 2,
  kResourceAlreadyExists = 3,
  kEtagMismatch = 4,
  kConcurrentChange = 5,
  kRequestIdReused = 6,
  kResourceInUse = 7,
  kRevisionCompacted = 8,
  kPageTokenInvalid = 9,
  kFilterInvalid = 10,
  kUploadInvalid = 11,
  kCredentialsMissing = 20,
  kRoleMissing = 21,
  kRateLimited = 22,
  kRequestTooLarge = 23,
  kQuotaExceeded = 24,
  kInternal = 30,
  kUnavailable = 31,
  kStoreReadOnly = 32,
  kRecordDamaged = 33,
  kNotSupported = 34,
  kFieldRequired = 40,
  kFieldOutputOnly = 41,
  kFieldImmutable = 42,
  kFieldUnknown = 43,
  kFieldMalformed = 44,
  kFieldOutOfRange = 45,
  kTooManyEntries = 46,
  kDuplicateEntry = 47,
  kFieldsConflict = 48,
  kNameMalformed = 49,
  kReferenceNotFound = 50,
  kKeyMalformed = 51,
  kTruststoreEmpty = 60,
  kTruststoreNotACertificate = 61,
  kTruststoreMalformedPem = 62,
  kTruststoreMalformedCertificate = 63,
  kTruststoreTooLarge = 64,
  kTruststoreTooManyCertificates = 65,
  kTruststoreCertificateTooLarge = 66,
  kTruststoreGivesNoTrust = 67,
  kTruststoreVersionWithoutUri = 68,
  kSourceUriInvalid = 69,
  kSourceUnreadable = 70,
  kSourceNotAllowed = 71,
  kSourceMissing = 72,
  kNoEarlierVersion = 73,
  kLimitsNeedAdmin = 74,
  kRevocationListInvalid = 75,
  kCertificateListKind = 76,
  kCertificateChainMalformed = 90,
  kPrivateKeyMalformed = 91,
  kPrivateKeyEncrypted = 92,
  kPrivateKeyUnsupported = 93,
  kPrivateKeyMismatch = 94,
  kCertificateChainOrder = 95,
  kCertificateChainNotACa = 96,
  kCertificateExpired = 97,
  kCertificateNotYetValid = 98,
  kCertificateWeak = 99,
  kCertificateHasNoNames = 100,
  kCertificateNotForPurpose = 101,
  kCertificateInvalid = 102,
  kCertificateDoesNotCoverDomain = 103,
  kCertificateIssuerChanged = 104,
  kCertificateIssuerConflict = 105,
  kCertificateChainTooLarge = 106,
  kCertificateIsIssued = 107,
  kCertificateIsImported = 108,
  kIssuerNotConfigured = 109,
  kIssuerRefusesName = 110,
  kIssuerExpires = 111,
  kPrivateKeyMissing = 112,
  kDomainNameInvalid = 120,
  kMutualTlsNeedsRegional = 121,
  kMutualTlsNeedsTls12 = 122,
  kMutualTlsOnPrivateApi = 123,
  kOwnershipCertificateRequired = 124,
  kOwnershipCertificateNotValid = 125,
  kOwnershipCertificateDoesNotCover = 126,
  kOwnershipCertificateInUse = 127,
  kOwnershipCertificateNotIssued = 128,
  kDomainLocked = 129,
  kClientRuleInvalid = 130,
  kClientRuleWithoutMutualTls = 131,
  kForwardingInvalid = 132,
  kPathRuleInvalid = 133,
  kBasePathInvalid = 150,
  kBasePathTaken = 151,
  kPathTemplateInvalid = 152,
  kRouteTaken = 153,
  kIntegrationUriInvalid = 154,
  kIntegrationParameterUnknown = 155,
  kStageVariableMissing = 156,
  kNothingToDeploy = 157,
  kForeignDeployment = 158,
  kClientCertificateInForce = 159,
  kNoEarlierDeployment = 160,
  kCertificateRequestInvalid = 180,
  kNodeConnected = 181,
  kNoNodeConnected = 182,
  kExportInvalid = 183,
  kStateNotEmpty = 184,
  kFleetIsDefault = 185,
};

// "ETAG_MISMATCH". Static.
absl::string_view ReasonName(Reason reason);

// The status code that the reason comes with.
absl::StatusCode CodeOf(Reason reason);

// The reason of that number; nothing when there is none.
std::optional<Reason> ReasonFromNumber(int number);

}  // namespace sallyport::domain

#endif  // SALLYPORT_CONFIG_SERVICE_DOMAIN_REASON_H_
