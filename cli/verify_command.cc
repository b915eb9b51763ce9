#include "cli/verify_command.h"

#include <fstream>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/text.h"
#include "cli/batch.h"
#include "cli/chain_file.h"
#include "cli/input.h"
#include "cli/options.h"
#include "cli/report.h"
#include "cli/spelling.h"

namespace sallyport::cli {
namespace {

// Far more than any client can send; a file over it is not a chain.
constexpr size_t kMaxChainFileBytes = size_t{16} << 20;

// What stands between "trusted" here and an answer of the gateway.
constexpr absl::string_view kNotLookedAt =
    "not looked at: client rules, paths, the Host, other truststores of the "
    "domain\n";

std::string InputName(const std::string& path) {
  return path == "-" ? "standard input" : Printable(path);
}

// Says on `context.err` why `what` cannot be read.
ExitCode Unreadable(absl::string_view what, const absl::Status& status,
                    Context& context) {
  context.err << "sallyportctl: cannot read " << what << ": "
              << status.message() << "; " << Remedy(status) << "\n";
  return ExitCode::kError;
}

ExitCode Refused(const absl::Status& status, Context& context) {
  context.err << "sallyportctl: " << status.message() << "\n";
  return ExitCode::kError;
}

void NoteSkippedBlocks(const ChainFile& file, const std::string& name,
                       Context& context) {
  for (const ChainFile::SkippedBlock& block : file.skipped) {
    context.err << "sallyportctl: note: " << name << ", line " << block.line
                << ": block '" << block.label
                << "' passed over; only certificates are read\n";
  }
  if (file.num_skipped > file.skipped.size()) {
    context.err << "sallyportctl: note: " << name << ": "
                << file.num_skipped - file.skipped.size()
                << " more blocks passed over\n";
  }
}

ExitCode RefusedTruststore(const VerifyOptions& options,
                           const pki::BundleError& error, Context& context) {
  context.err << "sallyportctl: the truststore "
              << InputName(options.truststore)
              << " is refused: " << pki::ReasonName(error.reason) << ": "
              << Printable(error.ToString(), 2048)
              << "; run 'sallyportctl truststore check' on it\n";
  if (options.json) {
    context.out << JsonLine(TruststoreErrorJson(error));
  }
  return ExitCode::kError;
}

}  // namespace

ExitCode VerifyOne(const VerifyOptions& options, Context& context) {
  absl::StatusOr<std::string> bundle =
      ReadInput(options.truststore, limits::kMaxTruststoreBytes, context.in);
  if (absl::IsResourceExhausted(bundle.status())) {
    pki::BundleError error;
    error.reason = pki::BundleErrorReason::kTooLarge;
    error.message = absl::StrCat("larger than the limit of ",
                                 limits::kMaxTruststoreBytes, " bytes");
    return RefusedTruststore(options, error, context);
  }
  if (!bundle.ok()) {
    return Unreadable("the truststore", bundle.status(), context);
  }
  const absl::StatusOr<std::string> chain_pem =
      ReadInput(options.chain, kMaxChainFileBytes, context.in);
  if (!chain_pem.ok()) {
    return Unreadable("the chain", chain_pem.status(), context);
  }

  const std::string chain_name = InputName(options.chain);
  const ChainFile chain = ReadChainPem(*chain_pem);
  NoteSkippedBlocks(chain, chain_name, context);
  if (chain.certificates.empty() && chain.damage.empty()) {
    context.err << "sallyportctl: " << chain_name
                << ": holds no certificate in PEM (-----BEGIN "
                   "CERTIFICATE-----); for DER, convert it: openssl x509 "
                   "-inform DER -in FILE\n";
    return ExitCode::kError;
  }

  const pki::Truststore::ParseResult parsed = pki::Truststore::Parse(*bundle);
  bundle->clear();
  bundle->shrink_to_fit();
  if (parsed.truststore == nullptr) {
    return RefusedTruststore(options, parsed.error, context);
  }

  const absl::StatusOr<RevocationInput> revocation =
      LoadRevocation(options.revocation);
  if (!revocation.ok()) return Refused(revocation.status(), context);

  VerdictContext verdict_context;
  verdict_context.policy = options.policy.chain_policy;
  verdict_context.time = options.time.value_or(context.clock.Now());
  const pki::Explanation explanation =
      Decide(*parsed.truststore, chain, options.policy, revocation->inputs,
             verdict_context.time, options.depth);
  if (options.depth == Depth::kExplanation) {
    context.out
        << (options.json
                ? JsonLine(ExplanationJson(explanation, verdict_context))
                : absl::StrCat(ExplanationText(explanation, verdict_context),
                               kNotLookedAt));
  } else {
    context.out << (options.json
                        ? JsonLine(
                              VerdictJson(explanation.verdict, verdict_context))
                        : VerdictText(explanation.verdict, verdict_context));
  }
  if (explanation.verdict.trusted()) return ExitCode::kOk;
  if (!parsed.truststore->GivesTrust(options.policy.chain_policy,
                                     verdict_context.time)) {
    context.err << "sallyportctl: note: nothing in "
                << InputName(options.truststore)
                << " gives trust at that time; run 'sallyportctl truststore "
                   "check' on it\n";
  }
  return ExitCode::kRefused;
}

ExitCode Verify(const VerifyOptions& options, Context& context) {
  if (options.batch.empty()) return VerifyOne(options, context);
  BatchOptions batch;
  batch.depth = options.depth;
  batch.policy = options.policy;
  batch.time = options.time;
  const absl::StatusOr<RevocationInput> revocation =
      LoadRevocation(options.revocation);
  if (!revocation.ok()) return Refused(revocation.status(), context);
  batch.revocation = revocation->inputs;
  if (options.batch == "-") return RunBatch(batch, context.in, context);
  std::ifstream file;
  const absl::Status status = OpenInput(options.batch, file);
  if (!status.ok()) return Unreadable("the cases", status, context);
  return RunBatch(batch, file, context);
}

namespace {

void AddOptions(CLI::App& app, const std::shared_ptr<VerifyOptions>& options) {
  app.add_option("--truststore", options->truststore,
                 "the trusted certificates, PEM; - for standard input")
      ->type_name(kFileType);
  app.add_option(
         "--chain", options->chain,
         "what the client sends, PEM, its own certificate first; other "
         "blocks\n(a private key) are passed over; - for standard input")
      ->type_name(kFileType);
  app.add_option("--batch", options->batch,
                 "answer many cases, one JSON object a line; - for standard "
                 "input")
      ->type_name(kFileType);
  AddPolicyOption(app, &options->policy.chain_policy);
  AddTimeOption(app, &options->time,
                "verify as of this time. Default: now. With --batch: for "
                "lines\nwithout a time");
  TakeConfigurationSpelling(
      AddChoiceOption<pki::ExtendedKeyUsageRule>(
          app, "--eku", &options->policy.extended_key_usage,
          {{"require", pki::ExtendedKeyUsageRule::kRequire},
           {"warn", pki::ExtendedKeyUsageRule::kWarn},
           {"ignore", pki::ExtendedKeyUsageRule::kIgnore}},
          "what an extended key usage without client authentication "
          "means.\nDefault: require"),
      "EKU_");
  AddNumberOption(app, "--max-chain-length", &options->policy.max_chain_length,
                  1, limits::kMaxConfigurableChainLength,
                  absl::StrCat("certificates from the client's to the anchor, "
                               "both counted. Default: ",
                               limits::kMaxChainLength));
  app.add_flag("--pin-leaf", options->policy.pin_leaf,
               "trust also a CA-signed certificate that is itself in "
               "the\ntruststore");
  AddRevocationOptions(app, &options->revocation);
  app.add_flag("--json", options->json, "answer in JSON");
}

// The rules between options that CLI11 cannot say in one sentence.
void CheckOptions(const VerifyOptions& options) {
  CheckRevocationOptions(options.revocation);
  if (!options.batch.empty()) {
    if (!options.truststore.empty() || !options.chain.empty()) {
      throw CLI::ValidationError(
          "--batch",
          "takes truststores and chains from its lines: leave out "
          "--truststore and --chain");
    }
    return;
  }
  if (options.truststore.empty() || options.chain.empty()) {
    throw CLI::ValidationError(
        options.truststore.empty() ? "--truststore" : "--chain",
        "is missing: give --truststore and --chain, or --batch");
  }
  if (options.truststore == "-" && options.chain == "-") {
    throw CLI::ValidationError(
        "--chain",
        "standard input can be the truststore or the chain, not "
        "both");
  }
}

constexpr absl::string_view kExitCodes =
    "Exit codes: 0 trusted (with --batch: every line was answered); 1 not "
    "trusted;\n"
    "2 wrong usage, unreadable input, or a refused truststore, revocation or "
    "deny list.";

void Add(CLI::App& app, Command& selected, const std::string& name,
         const std::string& description, Depth depth,
         const std::string& footer) {
  CLI::App* command = app.add_subcommand(name, description);
  auto options = std::make_shared<VerifyOptions>();
  options->depth = depth;
  AddOptions(*command, options);
  command->footer(absl::StrCat(footer, kExitCodes));
  command->callback([options, &selected] {
    CheckOptions(*options);
    selected = [options](Context& context) {
      return Verify(*options, context);
    };
  });
}

}  // namespace

void AddVerifyCommand(CLI::App& app, Command& selected) {
  Add(app, selected, "verify",
      "Say whether a client's certificate is trusted by a truststore",
      Depth::kVerdict,
      "Examples:\n"
      "  sallyportctl verify --truststore partners.pem --chain client.pem\n"
      "  sallyportctl verify --truststore partners.pem --chain client.pem "
      "--policy any-anchor --json\n"
      "  sallyportctl verify --truststore partners.pem --chain client.pem "
      "--crl partner.crl --crl-rule hard-fail\n"
      "  sallyportctl verify --batch cases.jsonl > verdicts.jsonl\n"
      "\n"
      "--batch reads {\"id\", \"truststore_pem\", \"chain_pem\", \"time\", "
      "\"policy\"} from each line (time\n"
      "and policy may be left out, other members are ignored) and writes "
      "{\"id\", \"verdict\",\n"
      "\"reason\", \"detail\"} for it at once, in the same order. The verdict "
      "is "
      "\"trusted\",\n"
      "\"untrusted\", or \"error\" for a refused truststore (the reason is the "
      "truststore's) or\n"
      "a line that cannot be read (BAD_LINE, LINE_TOO_LONG). Blank lines are "
      "passed over.\n"
      "\n"
      "Possession of the private key is not checked here: the TLS handshake "
      "does that.\n"
      "\n");
}

void AddExplainCommand(CLI::App& app, Command& selected) {
  Add(app, selected, "explain",
      "As verify, with the paths tried, the rules that failed, and what to do",
      Depth::kExplanation,
      "Examples:\n"
      "  sallyportctl explain --truststore partners.pem --chain client.pem\n"
      "  sallyportctl explain --truststore partners.pem --chain client.pem "
      "--time 2027-01-01T00:00:00Z\n"
      "\n"
      "In JSON, \"paths\", \"passed_over\" and \"advice\" come on top of what "
      "verify says.\n"
      "\n"
      "Give it what the domain has: --policy, --eku, --max-chain-length, "
      "--pin-leaf, --crl with\n"
      "--crl-rule and --crl-scope, --deny; of several truststores one at a "
      "time. Values may be\n"
      "spelt as in the module's configuration (ANY_ANCHOR, EKU_WARN, "
      "HARD_FAIL). A client that is\n"
      "trusted here can still be refused by a client rule or a path rule "
      "(NOT_ALLOWED), or for its\n"
      "Host (421): the access log's detail says so.\n"
      "\n");
}

}  // namespace sallyport::cli
