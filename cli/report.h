// Answers as text for people and as JSON for programs.
//
// Everything returned is printable ASCII apart from line feeds: text escapes
// the rest as \xHH, JSON as \u00HH.

#ifndef SALLYPORT_CLI_REPORT_H_
#define SALLYPORT_CLI_REPORT_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "nlohmann/json.hpp"
#include "pki/chain/verify.h"
#include "pki/truststore/revocation.h"
#include "pki/truststore/truststore.h"

namespace sallyport::cli {

// Keys stay in the order in which they were set.
using Json = nlohmann::ordered_json;

// JsonLine: `json` on one line, with its LF. Bytes that are not UTF-8 become
// U+FFFD.
std::string JsonLine(const Json& json);

// What `truststore check` found out about one bundle.
struct TruststoreReport {
  // As printed; the path that was given.
  std::string name;
  pki::ChainPolicy policy = pki::ChainPolicy::kCompleteChain;
  absl::Time time;
  // Blocks read; 0 when the bundle could not be parsed.
  size_t num_certificates = 0;
  std::vector<pki::Warning> warnings;
  // ok() when accepted.
  pki::BundleError error;
};
std::string TruststoreText(const TruststoreReport& report);
Json TruststoreJson(const TruststoreReport& report);

// What `crl check` found out about one file.
struct CrlReport {
  std::string name;  // as printed; the path that was given
  absl::Time time;
  std::shared_ptr<const pki::RevocationLists> lists;  // null when refused
  std::vector<pki::RevocationWarning> warnings;
  pki::RevocationError error;  // ok() when accepted
};
std::string CrlText(const CrlReport& report);
Json CrlJson(const CrlReport& report);

// What there is to say in place of a verdict when the truststore is refused:
// "verdict" is "error".
Json TruststoreErrorJson(const pki::BundleError& error);

// When and by which policy a verdict was reached.
struct VerdictContext {
  pki::ChainPolicy policy = pki::ChainPolicy::kCompleteChain;
  absl::Time time;
};

// "trusted" or "untrusted".
absl::string_view VerdictWord(const pki::Verdict& verdict);

std::string VerdictText(const pki::Verdict& verdict,
                        const VerdictContext& context);
Json VerdictJson(const pki::Verdict& verdict, const VerdictContext& context);

std::string ExplanationText(const pki::Explanation& explanation,
                            const VerdictContext& context);
// VerdictJson() and "paths", "passed_over", "advice".
Json ExplanationJson(const pki::Explanation& explanation,
                     const VerdictContext& context);
// Adds the latter three to `json`.
void AddExplanation(const pki::Explanation& explanation, Json& json);

}  // namespace sallyport::cli

#endif  // SALLYPORT_CLI_REPORT_H_
