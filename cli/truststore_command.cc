#include "cli/truststore_command.h"

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "cli/input.h"
#include "cli/options.h"
#include "cli/report.h"

namespace sallyport::cli {
namespace {

// What --max-bytes and --max-certificates can be set to.
constexpr size_t kMaxConfigurableBytes = size_t{1} << 30;
constexpr size_t kMaxConfigurableCertificates = 10000000;

ExitCode Answer(const TruststoreReport& report, bool json, Context& context) {
  context.out << (json ? JsonLine(TruststoreJson(report))
                       : TruststoreText(report));
  return report.error.ok() ? ExitCode::kOk : ExitCode::kRefused;
}

}  // namespace

ExitCode CheckTruststore(const TruststoreCheckOptions& options,
                         Context& context) {
  TruststoreReport report;
  report.name = options.file == "-" ? "standard input" : options.file;
  report.policy = options.policy;
  report.time = options.time.value_or(context.clock.Now());

  absl::StatusOr<std::string> pem =
      ReadInput(options.file, options.limits.max_bytes, context.in);
  if (absl::IsResourceExhausted(pem.status())) {
    report.error.reason = pki::BundleErrorReason::kTooLarge;
    report.error.message =
        absl::StrCat("larger than the limit of ", options.limits.max_bytes,
                     " bytes; remove what is not needed, or raise the limit "
                     "with --max-bytes");
    return Answer(report, options.json, context);
  }
  if (!pem.ok()) {
    context.err << "sallyportctl: cannot read the truststore: "
                << pem.status().message() << "; " << Remedy(pem.status())
                << "\n";
    return ExitCode::kError;
  }

  const pki::Truststore::ParseResult parsed =
      pki::Truststore::Parse(*pem, options.limits);
  pem->clear();
  pem->shrink_to_fit();
  if (parsed.truststore == nullptr) {
    report.error = parsed.error;
    return Answer(report, options.json, context);
  }
  const pki::Truststore& truststore = *parsed.truststore;
  report.num_certificates = truststore.num_certificates();
  report.warnings = truststore.Warnings(options.policy, report.time);
  if (!options.force && !truststore.GivesTrust(options.policy, report.time)) {
    report.error.reason = pki::BundleErrorReason::kGivesNoTrust;
    report.error.message =
        "no certificate in it gives trust, so every client would be refused; "
        "mend what the warnings name, or accept it as it is with --force";
  }
  return Answer(report, options.json, context);
}

void AddTruststoreCommand(CLI::App& app, Command& selected) {
  CLI::App* truststore =
      app.add_subcommand("truststore", "Work on bundles of trusted CAs");
  truststore->require_subcommand(1);
  truststore->footer(
      "Run 'sallyportctl truststore check --help' for options, examples and "
      "exit codes.");

  CLI::App* check = truststore->add_subcommand(
      "check", "Say whether a PEM bundle is accepted, with its warnings");
  auto options = std::make_shared<TruststoreCheckOptions>();
  check
      ->add_option("FILE", options->file,
                   "the bundle, PEM; - for standard input")
      ->required()
      ->option_text("(required)")
      ->type_name(kFileType);
  AddPolicyOption(*check, &options->policy);
  AddTimeOption(*check, &options->time, "check as of this time. Default: now");
  check->add_flag("--json", options->json, "answer in JSON");
  check->add_flag("--force", options->force,
                  "accept a bundle in which nothing gives trust");
  AddNumberOption(*check, "--max-bytes", &options->limits.max_bytes, 1,
                  kMaxConfigurableBytes,
                  absl::StrCat("refuse a larger bundle. Default: ",
                               limits::kMaxTruststoreBytes));
  AddNumberOption(*check, "--max-certificates",
                  &options->limits.max_certificates, 1,
                  kMaxConfigurableCertificates,
                  absl::StrCat("refuse a longer bundle. Default: ",
                               limits::kMaxTruststoreCertificates));
  check->footer(
      "Refused are bundles that hold anything but certificates, damaged ones,\n"
      "those over the limits, and those in which nothing gives trust. A\n"
      "certificate that gives no trust while others do is a warning.\n"
      "\n"
      "Examples:\n"
      "  sallyportctl truststore check partners.pem\n"
      "  cat root.pem intermediate.pem | sallyportctl truststore check -\n"
      "  sallyportctl truststore check partners.pem --policy any-anchor "
      "--time 2027-01-01T00:00:00Z --json\n"
      "\n"
      "JSON: {\"accepted\", \"certificates\", \"warnings\": [{\"index\", "
      "\"line\", \"subject\",\n"
      "\"reason\", \"message\"}], \"error\": null or {\"index\", \"line\", "
      "\"reason\", \"message\"}}.\n"
      "index is the number of the block, line that of its BEGIN, both from 1; "
      "0 means\n"
      "the whole bundle.\n"
      "\n"
      "Exit codes: 0 accepted, also with warnings; 1 refused; 2 wrong usage or "
      "unreadable.");
  check->callback([options, &selected] {
    selected = [options](Context& context) {
      return CheckTruststore(*options, context);
    };
  });
}

}  // namespace sallyport::cli
