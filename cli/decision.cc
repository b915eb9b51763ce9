#include "cli/decision.h"

#include <vector>

#include "absl/strings/string_view.h"

namespace sallyport::cli {

pki::Explanation Decide(const pki::Truststore& truststore,
                        const ChainFile& chain, const pki::VerifyPolicy& policy,
                        const pki::RevocationInputs& revocation, absl::Time now,
                        Depth depth) {
  pki::Explanation explanation;
  if (!chain.damage.empty()) {
    explanation.verdict.reason = pki::Reason::kMalformed;
    explanation.verdict.detail = chain.damage;
    explanation.advice =
        "Export the client's certificate again, as PEM, and copy it whole.";
    return explanation;
  }
  const std::vector<absl::string_view> certificates(chain.certificates.begin(),
                                                    chain.certificates.end());
  if (depth == Depth::kExplanation) {
    return pki::ExplainChain(truststore, certificates, policy, now,
                             &revocation);
  }
  explanation.verdict = pki::VerifyChain(truststore, certificates, policy, now,
                                         nullptr, &revocation);
  return explanation;
}

}  // namespace sallyport::cli
