// What must hold of every verdict, whatever the case. The checks use
// BoringSSL's X509 interface and not the path builder, so that one judges the
// other.

#ifndef SALLYPORT_TESTS_PKI_CASES_INVARIANTS_H_
#define SALLYPORT_TESTS_PKI_CASES_INVARIANTS_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "pki/chain/verify.h"
#include "pki/truststore/truststore.h"

namespace sallyport::pki_cases {

// Violations: one sentence for each rule that `verdict`, the answer of
// VerifyChain() to the other arguments, breaks; empty when it breaks none.
//
// Of any verdict: work within the limits of the policy, recheck_at after
// `now`, printable detail, depth within the path.
// Of a trusted one: the path begins with the client's certificate and ends in
// the truststore, is no longer than the policy allows, every certificate of it
// is valid at `now` and strong, each was signed by the next, which is a CA that
// may sign certificates with that many CAs below it; under COMPLETE_CHAIN
// everything above the client is in the truststore and the last is self-signed;
// and no certificate of the truststore that the verdict rests on has a warning
// that takes its trust away.
std::vector<std::string> Violations(const pki::Truststore& truststore,
                                    absl::Span<const absl::string_view> chain,
                                    const pki::VerifyPolicy& policy,
                                    absl::Time now,
                                    const pki::Verdict& verdict);

}  // namespace sallyport::pki_cases

#endif  // SALLYPORT_TESTS_PKI_CASES_INVARIANTS_H_
