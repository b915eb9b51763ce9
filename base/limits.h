// Every limit of Sallyport that a client, a truststore or an operator can meet,
// in one place.
//
// Both planes (the Envoy module, the config service) and the CLI use these
// names, so that a limit means the same thing everywhere. Values that a user
// can change are defaults here; the structs that carry the configured value
// (pki::TruststoreLimits, pki::VerifyPolicy) say so.

#ifndef SALLYPORT_BASE_LIMITS_H_
#define SALLYPORT_BASE_LIMITS_H_

#include <cstddef>

#include "absl/time/time.h"

namespace sallyport::limits {

// Truststores: size of the PEM text in bytes and number of certificates that
// the module and the CLI accept. The config service has smaller defaults.
constexpr size_t kMaxTruststoreBytes = size_t{128} << 20;
constexpr size_t kMaxTruststoreCertificates = 100000;

// One certificate, DER. Real ones are below 10 KiB; some carry thousands of
// names.
constexpr size_t kMaxCertificateBytes = size_t{256} << 10;

// What a client may send in its TLS Certificate message before the answer is
// LIMIT_EXCEEDED.
constexpr size_t kMaxClientCertificates = 10;
constexpr size_t kMaxClientChainBytes = size_t{32} << 10;

// RSA keys of certificates that a client sends beside its own. Signatures made
// with larger ones are not checked: they would cost the proxy far more than
// they cost the client. Such a CA works when it is in the truststore.
constexpr int kMaxSentRsaBits = 8192;

// Names (subject alternative names and one subject each) in all certificates
// that a client sends, times the name constraints in those beside its own, as
// far as they could be on a path. Comparing them costs time that nobody who
// sends them pays.
constexpr size_t kMaxSentNameChecks = 4096;

// Paths that are verified in full before a check ends with LIMIT_EXCEEDED.
constexpr size_t kMaxVerifiedPaths = 20;

// Certificates from the client's to the anchor, both counted.
constexpr size_t kMaxChainLength = 4;
// The largest chain length that can be configured.
constexpr size_t kMaxConfigurableChainLength = 10;

// Work of one chain check: signatures verified, and steps of the path search.
// Reaching either ends the check with LIMIT_EXCEEDED.
constexpr size_t kMaxSignatureChecks = 64;
constexpr size_t kMaxPathIterations = 200;

// Signatures verified for the warnings of one truststore under
// COMPLETE_CHAIN. Past it, certificates are linked by name and key identifier
// alone.
constexpr size_t kMaxWarningSignatureChecks = 20000;

// Revocation lists of one truststore, together: bytes as given (PEM or DER)
// and entries. Configurable.
constexpr size_t kMaxRevocationBytes = size_t{64} << 20;
constexpr size_t kMaxRevocationEntries = 500000;
// Lists, together and of one issuer's name. A check looks at each list of the
// issuer.
constexpr size_t kMaxRevocationLists = 10000;
constexpr size_t kMaxRevocationListsOfOneIssuer = 1000;
// Keys for which a list remembers whether they signed it. With more keys of
// one name each further one is checked again each time.
constexpr size_t kMaxRevocationSigners = 64;

// Entries of a deny list.
constexpr size_t kMaxDenyListEntries = 500000;

// A certificate that expires within this time gets a warning.
constexpr absl::Duration kExpiresSoon = absl::Hours(24 * 30);

// One client rule: how deep rules are nested, the outermost counted; rules and
// attributes in it; values (patterns, fingerprints, ...) in all its lists, and
// the length of one.
constexpr size_t kMaxClientRuleDepth = 8;
constexpr size_t kMaxClientRuleMatchers = 10000;
constexpr size_t kMaxClientRuleValues = 1000000;
constexpr size_t kMaxClientRuleValueBytes = 4096;

// Comparisons of names that one client rule makes for one certificate. Past
// it the certificate does not match, whatever is left to compare: a client
// with thousands of names must not cost more than that.
constexpr size_t kMaxClientRuleChecks = 100000;

// The text by which a client rule is described to an operator.
constexpr size_t kMaxClientRuleDescriptionBytes = 512;

// Paths of a domain that have rules of their own, and the length of one.
constexpr size_t kMaxPathRules = 1000;
constexpr size_t kMaxPathRuleBytes = 1024;

// A request's path (without the query) that is not in its plain form and longer
// than this has to meet every path rule: reading it in all the ways that
// backends may read it costs too much.
constexpr size_t kMaxUnusualPathBytes = 2048;

// Size of the module's configuration as Envoy hands it over (JSON or binary).
// An inline truststore is part of it.
constexpr size_t kMaxModuleConfigBytes = size_t{192} << 20;

}  // namespace sallyport::limits

#endif  // SALLYPORT_BASE_LIMITS_H_
