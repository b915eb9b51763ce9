// NameWork: what it costs to compare names with name constraints (RFC 5280,
// 4.2.1.10). Every name is compared with every constraint, so that a CA with
// thousands of constraints and a client with hundreds of names could make one
// check take seconds.

#ifndef SALLYPORT_PKI_CHAIN_NAME_WORK_H_
#define SALLYPORT_PKI_CHAIN_NAME_WORK_H_

#include <cstddef>

#include "third_party_boringssl/pki/general_names.h"
#include "third_party_boringssl/pki/parsed_certificate.h"

namespace sallyport::pki {

// A directory name compared with a directory name, in comparisons of other
// names: it is parsed each time (about 1 us).
inline constexpr size_t kDirectoryNameWork = 50;

// Comparisons in one check, CAs of the truststore included; 5 to 10 ms. What a
// client sends beside its own certificate has the smaller limit of
// VerifyPolicy::max_sent_name_checks.
inline constexpr size_t kMaxNameWork = 300000;

// How many names there are.
size_t NumNames(const bssl::GeneralNames& names);
// Alternative names, and the subject.
size_t NumNames(const bssl::ParsedCertificate& certificate);
size_t NumConstraints(const bssl::ParsedCertificate& certificate);

// Comparisons of the names of `below` with the constraints of `issuer`.
size_t NameWork(const bssl::ParsedCertificate& issuer,
                const bssl::ParsedCertificate& below);

}  // namespace sallyport::pki

#endif  // SALLYPORT_PKI_CHAIN_NAME_WORK_H_
