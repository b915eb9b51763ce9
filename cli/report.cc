#include "cli/report.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/text.h"
#include "cli/rfc3339.h"

namespace sallyport::cli {
namespace {

// Room for a message that quotes a long name.
constexpr size_t kMaxSentenceBytes = 2048;

std::string Sentence(absl::string_view text) {
  return Printable(text, kMaxSentenceBytes);
}

std::string Count(size_t n, absl::string_view thing) {
  return absl::StrCat(n, " ", thing, n == 1 ? "" : "s");
}

std::string SubjectText(const pki::Certificate& certificate) {
  const std::string subject = certificate.Subject();
  return subject.empty() ? "(no subject)" : Printable(subject);
}

std::string NameOrNone(const std::string& name) {
  return name.empty() ? "(no name)" : Printable(name);
}

// "block 2, line 10: "; "" for what is not in a block.
std::string Place(size_t block, size_t line) {
  return block == 0 ? "" : absl::StrCat("block ", block, ", line ", line, ": ");
}

std::string ValidityText(const pki::Certificate& certificate) {
  return absl::StrCat("valid ", FormatRfc3339(certificate.not_before()), " to ",
                      FormatRfc3339(certificate.not_after()));
}

Json CertificateJson(const pki::Certificate& certificate) {
  return Json{
      {"subject", certificate.Subject()},
      {"issuer", certificate.Issuer()},
      {"serial", certificate.SerialHex()},
      {"not_before", FormatRfc3339(certificate.not_before())},
      {"not_after", FormatRfc3339(certificate.not_after())},
      {"sha256", HexLower(pki::AsBytes(certificate.fingerprint()))},
  };
}

std::string CheckedAt(const VerdictContext& context) {
  return absl::StrCat(
      "at ",
      FormatRfc3339(absl::FromUnixSeconds(absl::ToUnixSeconds(context.time))),
      ", policy ", pki::ChainPolicyName(context.policy));
}

// "trusted" or "untrusted: EXPIRED", and the sentence.
std::string Headline(const pki::Verdict& verdict) {
  std::string line(VerdictWord(verdict));
  if (!verdict.trusted()) {
    absl::StrAppend(&line, ": ", pki::ReasonName(verdict.reason));
  }
  if (!verdict.detail.empty()) {
    absl::StrAppend(&line, ": ", Sentence(verdict.detail));
  }
  line += '\n';
  return line;
}

std::string Footer(const pki::Verdict& verdict, const VerdictContext& context) {
  std::string text;
  if (verdict.extended_key_usage_warning) {
    text +=
        "warning: the extended key usage does not allow client "
        "authentication\n";
  }
  absl::StrAppend(&text, "checked ", CheckedAt(context));
  if (verdict.recheck_at != absl::InfiniteFuture()) {
    absl::StrAppend(&text, "; the answer can change at ",
                    FormatRfc3339(verdict.recheck_at));
  }
  text += '\n';
  return text;
}

absl::string_view SourceWord(pki::TriedPath::Certificate::Source source) {
  return source == pki::TriedPath::Certificate::Source::kClient ? "client"
                                                                : "truststore";
}

std::string TriedPathText(const pki::TriedPath& path, size_t number,
                          size_t total) {
  std::string text = absl::StrCat("\npath ", number, " of ", total, ":\n");
  for (size_t depth = 0; depth < path.certificates.size(); ++depth) {
    const pki::TriedPath::Certificate& step = path.certificates[depth];
    absl::StrAppend(&text, "  ", depth, ". ");
    if (step.certificate == nullptr) {
      text += "(unreadable certificate)\n";
    } else {
      absl::StrAppend(&text, SubjectText(*step.certificate), "\n     ");
      if (step.source == pki::TriedPath::Certificate::Source::kTruststore) {
        absl::StrAppend(&text, "from the truststore, block ",
                        step.truststore_index);
      } else {
        text += "from the client";
      }
      absl::StrAppend(&text, "; ", ValidityText(*step.certificate), "\n");
    }
    for (const std::string& failure : step.failures) {
      absl::StrAppend(&text, "     failed: ", Sentence(failure), "\n");
    }
  }
  for (const std::string& failure : path.failures) {
    absl::StrAppend(&text, "  failed: ", Sentence(failure), "\n");
  }
  return text;
}

}  // namespace

std::string JsonLine(const Json& json) {
  return json.dump(/*indent=*/-1, ' ', /*ensure_ascii=*/true,
                   Json::error_handler_t::replace) +
         "\n";
}

std::string TruststoreText(const TruststoreReport& report) {
  std::string text = Printable(report.name);
  if (report.error.ok()) {
    absl::StrAppend(
        &text, ": accepted: ", Count(report.num_certificates, "certificate"),
        ", ", Count(report.warnings.size(), "warning"));
  } else {
    absl::StrAppend(&text, ": refused: ", pki::ReasonName(report.error.reason),
                    ": ", Sentence(report.error.ToString()));
  }
  text += '\n';
  for (const pki::Warning& warning : report.warnings) {
    absl::StrAppend(
        &text, "  block ", warning.index, ", line ", warning.line, ": ",
        pki::ReasonName(warning.reason), ": ",
        warning.subject.empty() ? "(no subject)" : Printable(warning.subject),
        ": ", Sentence(warning.message), "\n");
  }
  absl::StrAppend(&text, "checked ", CheckedAt({report.policy, report.time}),
                  "\n");
  return text;
}

Json TruststoreJson(const TruststoreReport& report) {
  Json warnings = Json::array();
  for (const pki::Warning& warning : report.warnings) {
    warnings.push_back(Json{
        {"index", warning.index},
        {"line", warning.line},
        {"subject", warning.subject},
        {"reason", std::string(pki::ReasonName(warning.reason))},
        {"message", warning.message},
    });
  }
  Json error;  // null
  if (!report.error.ok()) {
    error = Json{
        {"index", report.error.index},
        {"line", report.error.line},
        {"reason", std::string(pki::ReasonName(report.error.reason))},
        {"message", report.error.message},
    };
  }
  return Json{
      {"accepted", report.error.ok()},
      {"certificates", report.num_certificates},
      {"warnings", std::move(warnings)},
      {"error", std::move(error)},
  };
}

std::string CrlText(const CrlReport& report) {
  std::string text = Printable(report.name);
  if (report.error.ok()) {
    absl::StrAppend(
        &text, ": accepted: ", Count(report.lists->lists().size(), "list"),
        ", ", Count(report.lists->num_entries(), "revoked certificate"), ", ",
        Count(report.warnings.size(), "warning"));
  } else {
    absl::StrAppend(&text, ": refused: ", pki::ReasonName(report.error.reason),
                    ": ", Sentence(report.error.ToString()));
  }
  text += '\n';
  if (report.lists != nullptr) {
    for (const auto& list : report.lists->lists()) {
      absl::StrAppend(&text, "  ", Place(list->block(), list->line()),
                      NameOrNone(list->Issuer()), "\n    this update ",
                      FormatRfc3339(list->this_update()), ", ",
                      list->next_update() == absl::InfiniteFuture()
                          ? std::string("no next update")
                          : absl::StrCat("next update ",
                                         FormatRfc3339(list->next_update())),
                      "; ", Count(list->num_entries(), "revoked certificate"));
      if (const std::string number = list->NumberHex(); !number.empty()) {
        absl::StrAppend(&text, "; number ", number);
      }
      if (const std::string scope = list->Scope(); !scope.empty()) {
        absl::StrAppend(&text, "; ", scope);
      }
      text += '\n';
    }
  }
  for (const pki::RevocationWarning& warning : report.warnings) {
    absl::StrAppend(&text, "  ", Place(warning.block, warning.line),
                    pki::ReasonName(warning.reason), ": ",
                    NameOrNone(warning.issuer), ": ", Sentence(warning.message),
                    "\n");
  }
  absl::StrAppend(
      &text, "checked at ",
      FormatRfc3339(absl::FromUnixSeconds(absl::ToUnixSeconds(report.time))),
      "\n");
  return text;
}

Json CrlJson(const CrlReport& report) {
  Json lists = Json::array();
  size_t entries = 0;
  if (report.lists != nullptr) {
    entries = report.lists->num_entries();
    for (const auto& list : report.lists->lists()) {
      Json next_update;  // null
      if (list->next_update() != absl::InfiniteFuture()) {
        next_update = FormatRfc3339(list->next_update());
      }
      lists.push_back(Json{
          {"index", list->block()},
          {"line", list->line()},
          {"issuer", list->Issuer()},
          {"this_update", FormatRfc3339(list->this_update())},
          {"next_update", std::move(next_update)},
          {"number", list->NumberHex()},
          {"entries", list->num_entries()},
          {"signature_algorithm", list->SignatureAlgorithmName()},
          {"scope", list->Scope()},
      });
    }
  }
  Json warnings = Json::array();
  for (const pki::RevocationWarning& warning : report.warnings) {
    warnings.push_back(Json{
        {"index", warning.block},
        {"line", warning.line},
        {"issuer", warning.issuer},
        {"reason", std::string(pki::ReasonName(warning.reason))},
        {"message", warning.message},
    });
  }
  Json error;  // null
  if (!report.error.ok()) {
    error = Json{
        {"index", report.error.block},
        {"line", report.error.line},
        {"reason", std::string(pki::ReasonName(report.error.reason))},
        {"message", report.error.message},
    };
  }
  return Json{
      {"accepted", report.error.ok()}, {"entries", entries},
      {"lists", std::move(lists)},     {"warnings", std::move(warnings)},
      {"error", std::move(error)},
  };
}

Json TruststoreErrorJson(const pki::BundleError& error) {
  return Json{
      {"verdict", "error"},
      {"reason", std::string(pki::ReasonName(error.reason))},
      {"detail", "the truststore is refused: " + error.ToString()},
  };
}

absl::string_view VerdictWord(const pki::Verdict& verdict) {
  return verdict.trusted() ? "trusted" : "untrusted";
}

std::string VerdictText(const pki::Verdict& verdict,
                        const VerdictContext& context) {
  std::string text = Headline(verdict);
  for (size_t depth = 0; depth < verdict.path.size(); ++depth) {
    const pki::Certificate& certificate = *verdict.path[depth];
    absl::StrAppend(&text, "  ", depth, ". ", SubjectText(certificate), ", ",
                    ValidityText(certificate), "\n");
  }
  text += Footer(verdict, context);
  return text;
}

Json VerdictJson(const pki::Verdict& verdict, const VerdictContext& context) {
  Json path = Json::array();
  for (const auto& certificate : verdict.path) {
    path.push_back(CertificateJson(*certificate));
  }
  Json recheck_at;  // null
  if (verdict.recheck_at != absl::InfiniteFuture()) {
    recheck_at = FormatRfc3339(verdict.recheck_at);
  }
  return Json{
      {"verdict", std::string(VerdictWord(verdict))},
      {"reason", std::string(pki::ReasonName(verdict.reason))},
      {"detail", verdict.detail},
      {"depth", verdict.depth},
      {"policy", std::string(pki::ChainPolicyName(context.policy))},
      {"time", FormatRfc3339(context.time)},
      {"recheck_at", std::move(recheck_at)},
      {"extended_key_usage_warning", verdict.extended_key_usage_warning},
      {"path", std::move(path)},
  };
}

std::string ExplanationText(const pki::Explanation& explanation,
                            const VerdictContext& context) {
  std::string text = Headline(explanation.verdict);
  for (size_t i = 0; i < explanation.paths.size(); ++i) {
    text +=
        TriedPathText(explanation.paths[i], i + 1, explanation.paths.size());
  }
  if (!explanation.passed_over.empty()) {
    text += "\npassed over:\n";
    for (const std::string& sentence : explanation.passed_over) {
      absl::StrAppend(&text, "  ", Sentence(sentence), "\n");
    }
  }
  if (!explanation.advice.empty()) {
    absl::StrAppend(&text, "\nto mend it: ", Sentence(explanation.advice),
                    "\n");
  }
  absl::StrAppend(&text, "\n", Footer(explanation.verdict, context));
  return text;
}

void AddExplanation(const pki::Explanation& explanation, Json& json) {
  Json paths = Json::array();
  for (const pki::TriedPath& path : explanation.paths) {
    Json certificates = Json::array();
    for (const pki::TriedPath::Certificate& step : path.certificates) {
      Json certificate = step.certificate == nullptr
                             ? Json::object()
                             : CertificateJson(*step.certificate);
      certificate["source"] = std::string(SourceWord(step.source));
      Json block;  // null
      if (step.source == pki::TriedPath::Certificate::Source::kTruststore) {
        block = step.truststore_index;
      }
      certificate["truststore_index"] = std::move(block);
      certificate["failures"] = step.failures;
      certificates.push_back(std::move(certificate));
    }
    paths.push_back(Json{
        {"reason", std::string(pki::ReasonName(path.reason))},
        {"certificates", std::move(certificates)},
        {"failures", path.failures},
    });
  }
  json["paths"] = std::move(paths);
  json["passed_over"] = explanation.passed_over;
  json["advice"] = explanation.advice;
}

Json ExplanationJson(const pki::Explanation& explanation,
                     const VerdictContext& context) {
  Json json = VerdictJson(explanation.verdict, context);
  AddExplanation(explanation, json);
  return json;
}

}  // namespace sallyport::cli
