#include "cli/batch.h"

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "cli/batch_case.h"
#include "cli/chain_file.h"
#include "cli/input.h"
#include "cli/report.h"
#include "pki/truststore/truststore.h"
#include "pki/x509/certificate.h"

namespace sallyport::cli {
namespace {

// Reasons of lines that cannot be read.
constexpr char kBadLine[] = "BAD_LINE";
constexpr char kLineTooLong[] = "LINE_TOO_LONG";

Json ErrorAnswer(Json id, absl::string_view reason, std::string detail) {
  return Json{
      {"id", std::move(id)},
      {"verdict", "error"},
      {"reason", std::string(reason)},
      {"detail", std::move(detail)},
  };
}

// The truststore of the last line, for the next if it has the same one.
class LastTruststore {
 public:
  // Parses `pem` unless it is the one that was parsed last. Valid until the
  // next call.
  const pki::Truststore::ParseResult& Parse(const std::string& pem) {
    const pki::Sha256Digest digest = pki::Sha256(pem);
    if (!known_ || digest != digest_) {
      result_ = {};
      result_ = pki::Truststore::Parse(pem);
      digest_ = digest;
      known_ = true;
    }
    return result_;
  }

 private:
  bool known_ = false;
  pki::Sha256Digest digest_ = {};
  pki::Truststore::ParseResult result_;
};

Json Answer(const BatchOptions& options, absl::string_view line,
            LastTruststore& truststores, const Context& context) {
  BatchCaseResult parsed = ParseBatchCase(line);
  BatchCase& c = parsed.value;
  if (!parsed.error.empty()) {
    return ErrorAnswer(std::move(c.id), kBadLine, std::move(parsed.error));
  }
  const pki::Truststore::ParseResult& truststore =
      truststores.Parse(c.truststore_pem);
  if (truststore.truststore == nullptr) {
    return ErrorAnswer(std::move(c.id),
                       pki::ReasonName(truststore.error.reason),
                       absl::StrCat("the truststore is refused: ",
                                    truststore.error.ToString()));
  }
  ChainFile chain = ReadChainPem(c.chain_pem);
  if (chain.not_pem() && !absl::StripAsciiWhitespace(c.chain_pem).empty()) {
    chain.damage = "chain_pem is not PEM";
  }
  pki::VerifyPolicy policy = options.policy;
  policy.chain_policy = c.policy.value_or(policy.chain_policy);
  const absl::Time now =
      c.time.has_value() ? *c.time : options.time.value_or(context.clock.Now());
  const pki::Explanation explanation =
      Decide(*truststore.truststore, chain, policy, options.revocation, now,
             options.depth);
  Json answer{
      {"id", std::move(c.id)},
      {"verdict", std::string(VerdictWord(explanation.verdict))},
      {"reason", std::string(pki::ReasonName(explanation.verdict.reason))},
      {"detail", explanation.verdict.detail},
  };
  if (options.depth == Depth::kExplanation) {
    AddExplanation(explanation, answer);
  }
  return answer;
}

}  // namespace

ExitCode RunBatch(const BatchOptions& options, std::istream& cases,
                  Context& context) {
  LineReader lines(cases, options.max_line_bytes);
  LastTruststore truststores;
  for (size_t number = 1;; ++number) {
    Json answer;
    switch (lines.Next()) {
      case LineReader::Result::kEnd:
        return ExitCode::kOk;
      case LineReader::Result::kError:
        context.err << "sallyportctl: cannot read line " << number
                    << " of the cases; check the file and the disk it is on\n";
        return ExitCode::kError;
      case LineReader::Result::kTooLong:
        answer = ErrorAnswer(
            nullptr, kLineTooLong,
            absl::StrCat("line ", number, " is longer than the limit of ",
                         options.max_line_bytes, " bytes"));
        break;
      case LineReader::Result::kLine:
        if (absl::StripAsciiWhitespace(lines.line()).empty()) continue;
        answer = Answer(options, lines.line(), truststores, context);
        break;
    }
    context.out << JsonLine(answer) << std::flush;
    if (!context.out) return ExitCode::kError;
  }
}

}  // namespace sallyport::cli
