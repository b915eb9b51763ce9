// From a chain file to a verdict: what verify, explain and --batch share.

#ifndef SALLYPORT_CLI_DECISION_H_
#define SALLYPORT_CLI_DECISION_H_

#include "absl/time/time.h"
#include "cli/chain_file.h"
#include "pki/chain/verify.h"
#include "pki/truststore/truststore.h"

namespace sallyport::cli {

// How much an answer says.
enum class Depth {
  kVerdict,      // verify
  kExplanation,  // explain
};

// Decide: pki::VerifyChain() or pki::ExplainChain() on the certificates of
// `chain`, limits included. A damaged chain is MALFORMED. With kVerdict only
// the verdict of the result is set.
pki::Explanation Decide(const pki::Truststore& truststore,
                        const ChainFile& chain, const pki::VerifyPolicy& policy,
                        const pki::RevocationInputs& revocation, absl::Time now,
                        Depth depth);

}  // namespace sallyport::cli

#endif  // SALLYPORT_CLI_DECISION_H_
