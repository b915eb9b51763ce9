#include "cli/crl_command.h"

#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/limits.h"
#include "base/text.h"
#include "cli/input.h"
#include "cli/options.h"
#include "cli/report.h"
#include "pki/truststore/truststore.h"

namespace sallyport::cli {
namespace {

// What --max-bytes and --max-entries can be set to.
constexpr size_t kMaxConfigurableBytes = size_t{1} << 30;
constexpr size_t kMaxConfigurableEntries = 10000000;

ExitCode Answer(const CrlReport& report, bool json, Context& context) {
  context.out << (json ? JsonLine(CrlJson(report)) : CrlText(report));
  return report.error.ok() ? ExitCode::kOk : ExitCode::kRefused;
}

// Reads the truststore; null after saying on `context.err` why not.
std::shared_ptr<const pki::Truststore> ReadTruststore(const std::string& path,
                                                      Context& context) {
  const absl::StatusOr<std::string> pem =
      ReadInput(path, limits::kMaxTruststoreBytes, context.in);
  if (!pem.ok()) {
    context.err << "sallyportctl: cannot read the truststore: "
                << pem.status().message() << "; " << Remedy(pem.status())
                << "\n";
    return nullptr;
  }
  pki::Truststore::ParseResult parsed = pki::Truststore::Parse(*pem);
  if (parsed.truststore == nullptr) {
    context.err << "sallyportctl: the truststore is refused: "
                << pki::ReasonName(parsed.error.reason) << ": "
                << Printable(parsed.error.ToString(), 2048)
                << "; run 'sallyportctl truststore check' on it\n";
  }
  return parsed.truststore;
}

}  // namespace

ExitCode CheckCrl(const CrlCheckOptions& options, Context& context) {
  CrlReport report;
  report.name = options.file == "-" ? "standard input" : options.file;
  report.time = options.time.value_or(context.clock.Now());
  std::shared_ptr<const pki::Truststore> truststore;
  if (!options.truststore.empty()) {
    truststore = ReadTruststore(options.truststore, context);
    if (truststore == nullptr) return ExitCode::kError;
  }
  absl::StatusOr<std::string> source =
      ReadInput(options.file, options.limits.max_bytes, context.in);
  if (absl::IsResourceExhausted(source.status())) {
    report.error.reason = pki::RevocationErrorReason::kTooLarge;
    report.error.message =
        absl::StrCat("larger than the limit of ", options.limits.max_bytes,
                     " bytes; raise it with --max-bytes");
    return Answer(report, options.json, context);
  }
  if (!source.ok()) {
    context.err << "sallyportctl: cannot read the revocation lists: "
                << source.status().message() << "; " << Remedy(source.status())
                << "\n";
    return ExitCode::kError;
  }
  const pki::RevocationLists::ParseResult parsed =
      pki::RevocationLists::Parse({*source}, options.limits);
  report.lists = parsed.lists;
  report.error = parsed.error;
  // There is one.
  report.error.source = 0;
  if (parsed.lists != nullptr) {
    report.warnings = parsed.lists->Warnings(truststore.get(), report.time);
  }
  return Answer(report, options.json, context);
}

void AddCrlCommand(CLI::App& app, Command& selected) {
  CLI::App* crl =
      app.add_subcommand("crl", "Work on certificate revocation lists");
  crl->require_subcommand(1);
  crl->footer(
      "Run 'sallyportctl crl check --help' for options, examples and exit "
      "codes.");

  CLI::App* check = crl->add_subcommand(
      "check", "Say whether revocation lists are accepted, with warnings");
  auto options = std::make_shared<CrlCheckOptions>();
  check
      ->add_option("FILE", options->file,
                   "the lists, PEM or DER; - for standard input")
      ->required()
      ->option_text("(required)")
      ->type_name(kFileType);
  check
      ->add_option("--truststore", options->truststore,
                   "say also whether its CAs signed the lists")
      ->type_name(kFileType);
  AddTimeOption(*check, &options->time, "check as of this time. Default: now");
  check->add_flag("--json", options->json, "answer in JSON");
  AddNumberOption(*check, "--max-bytes", &options->limits.max_bytes, 1,
                  kMaxConfigurableBytes,
                  absl::StrCat("refuse a larger file. Default: ",
                               limits::kMaxRevocationBytes));
  AddNumberOption(*check, "--max-entries", &options->limits.max_entries, 1,
                  kMaxConfigurableEntries,
                  absl::StrCat("refuse more revoked certificates. Default: ",
                               limits::kMaxRevocationEntries));
  check->footer(
      "Refused are files that hold anything but complete X.509 revocation "
      "lists, damaged\n"
      "ones, lists that must not be used (an unknown critical extension), and "
      "those over\n"
      "the limits.\n"
      "\n"
      "Examples:\n"
      "  sallyportctl crl check partner.crl\n"
      "  sallyportctl crl check partner.crl --truststore partners.pem --json\n"
      "\n"
      "JSON: {\"accepted\", \"entries\", \"lists\": [{\"index\", \"line\", "
      "\"issuer\", \"this_update\",\n"
      "\"next_update\" or null, \"number\", \"entries\", "
      "\"signature_algorithm\", \"scope\"}],\n"
      "\"warnings\": [{\"index\", \"line\", \"issuer\", \"reason\", "
      "\"message\"}], \"error\": null or\n"
      "{\"index\", \"line\", \"reason\", \"message\"}}. index is the number "
      "of the block, line that\n"
      "of its BEGIN, both from 1; 0 means DER, or the whole file.\n"
      "\n"
      "Exit codes: 0 accepted, also with warnings; 1 refused; 2 wrong usage, "
      "unreadable, or a\n"
      "refused truststore.");
  check->callback([options, &selected] {
    if (options->file == "-" && options->truststore == "-") {
      throw CLI::ValidationError(
          "--truststore",
          "standard input can be the lists or the truststore, not both");
    }
    selected = [options](Context& context) {
      return CheckCrl(*options, context);
    };
  });
}

}  // namespace sallyport::cli
