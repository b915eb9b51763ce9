#include "config_service/server/options.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/secret.h"
#include "base/text.h"
#include "config_service/api/limits.h"
#include "config_service/domain/violations.h"
#include "config_service/store/sealer.h"

namespace sallyport::server {
namespace {

constexpr size_t kMaxPemBytes = size_t{1} << 20;
constexpr int kMaxPort = 65535;

class Problems {
 public:
  void Add(absl::string_view option, absl::string_view what) {
    lines_.push_back(absl::StrCat("--", option, ": ", what));
  }
  // The file's content; empty after a problem, or without a file.
  std::string Read(absl::string_view option, const std::string& path,
                   size_t max_bytes) {
    if (path.empty()) return "";
    absl::StatusOr<std::string> content = ReadRegularFile(path, max_bytes);
    if (!content.ok()) {
      Add(option, content.status().message());
      return "";
    }
    if (content->empty())
      Add(option, absl::StrCat(Printable(path), " is empty"));
    return *std::move(content);
  }
  absl::Status ToStatus() const {
    if (lines_.empty()) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrJoin(lines_, "\n"));
  }

 private:
  std::vector<std::string> lines_;
};

}  // namespace

std::string Address::ToString() const {
  return absl::StrContains(host, ":") ? absl::StrCat("[", host, "]:", port)
                                      : absl::StrCat(host, ":", port);
}

absl::StatusOr<Address> ParseAddress(absl::string_view text) {
  Address out;
  const size_t colon = text.rfind(':');
  if (colon == absl::string_view::npos) {
    return absl::InvalidArgumentError("has no port; give HOST:PORT");
  }
  absl::string_view host = text.substr(0, colon);
  if (absl::StartsWith(host, "[") && absl::EndsWith(host, "]")) {
    host = host.substr(1, host.size() - 2);
  } else if (absl::StrContains(host, ":")) {
    return absl::InvalidArgumentError(
        "write an IPv6 address in brackets: [::1]:9440");
  }
  if (host.empty()) {
    return absl::InvalidArgumentError(
        "has no host; give 0.0.0.0:PORT for all of them");
  }
  const absl::string_view port = text.substr(colon + 1);
  if (!absl::SimpleAtoi(port, &out.port) || out.port < 0 ||
      out.port > kMaxPort || !absl::ascii_isdigit(port.front())) {
    return absl::InvalidArgumentError("the port is 0 to 65535");
  }
  out.host = std::string(host);
  const std::vector<absl::string_view> octets = absl::StrSplit(host, '.');
  bool is_ipv4 = octets.size() == 4;
  for (absl::string_view octet : octets) {
    int value = 0;
    is_ipv4 = is_ipv4 && absl::SimpleAtoi(octet, &value) && value >= 0 &&
              value <= 255;
  }
  out.loopback =
      host == "localhost" || host == "::1" || (is_ipv4 && octets[0] == "127");
  return out;
}

namespace {

// Whether `text` can stand in the host part of a URI (SPIFFE-ID, 2.1).
bool IsTrustDomain(absl::string_view text) {
  constexpr size_t kMaxBytes = 255;
  return !text.empty() && text.size() <= kMaxBytes &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_islower(static_cast<unsigned char>(c)) ||
                  absl::ascii_isdigit(static_cast<unsigned char>(c)) ||
                  c == '.' || c == '-' || c == '_';
         });
}

void LoadXds(const Options& options, Problems& problems, Settings& out) {
  absl::StatusOr<Address> xds = ParseAddress(options.xds_address);
  if (xds.ok()) {
    out.xds = *std::move(xds);
  } else {
    problems.Add("xds-address", xds.status().message());
  }
  if (!IsTrustDomain(options.trust_domain)) {
    problems.Add("trust-domain",
                 "is not 1 to 255 of the characters a-z, 0-9, '.', '-', '_'");
  }
  for (absl::string_view host :
       absl::StrSplit(options.xds_hosts, ',', absl::SkipWhitespace())) {
    out.xds_hosts.emplace_back(absl::StripAsciiWhitespace(host));
  }
  if (!out.xds_hosts.empty()) return;
  if (out.xds.loopback) {
    out.xds_hosts = {"localhost", "127.0.0.1", "::1"};
  } else if (out.xds.host != "0.0.0.0" && out.xds.host != "::") {
    out.xds_hosts = {out.xds.host};
  }
}

void LoadCallLimits(const Options& options, Problems& problems, Settings& out) {
  struct Number {
    absl::string_view option;
    int value;
    int most;
  };
  for (const Number& number :
       {Number{"principal-calls", options.principal_calls, api::kMaxCalls},
        {"principal-streams", options.principal_streams, api::kMaxStreams},
        {"principal-uploads", options.principal_uploads, api::kMaxUploads},
        {"principal-calls-per-second", options.principal_calls_per_second,
         api::kMaxCallsPerSecond},
        {"node-streams", options.node_streams, kMaxNodeStreams}}) {
    if (number.value < 1 || number.value > number.most) {
      problems.Add(number.option,
                   absl::StrCat("is not between 1 and ", number.most));
    }
  }
  out.open_calls.of_principal = {options.principal_calls,
                                 options.principal_streams,
                                 options.principal_uploads};
  if (!absl::ParseDuration(options.client_timeout,
                           &out.open_calls.client_timeout) ||
      out.open_calls.client_timeout < api::kMinClientTimeout ||
      out.open_calls.client_timeout > api::kMaxClientTimeout) {
    problems.Add("client-timeout", "is not between 1s and 1h");
  }
}

void LoadConsole(const Options& options, Problems& problems, Settings& out) {
  if (options.console != "on" && options.console != "off") {
    problems.Add("console", "is neither on nor off");
  }
  absl::StatusOr<console::Origins> origins =
      console::Origins::Parse(options.console_origins);
  if (origins.ok()) {
    out.console_origins = *std::move(origins);
  } else {
    problems.Add("console-origins", origins.status().message());
  }
  if (!options.console_origins.empty() &&
      options.allow_loopback_without_credentials) {
    problems.Add("console-origins",
                 "is not taken with --allow-loopback-without-credentials: "
                 "whoever comes by the proxy would be an admin");
  }
}

// What FromPem() found wrong, at the options that it comes from.
void AddIssuerProblems(const absl::Status& status, Problems& problems) {
  const auto error = domain::ErrorOf(status);
  if (!error.has_value() || error->violations.empty()) {
    problems.Add("issuer", status.message());
    return;
  }
  for (const domain::FieldViolation& violation : error->violations) {
    problems.Add(
        violation.field == "key" ? "issuer-ca-key" : "issuer-ca-certificate",
        violation.description);
  }
}

void LoadIssuer(const Options& options, Problems& problems, Settings& out) {
  if (!absl::ParseDuration(options.issuer_validity, &out.issuer.validity) ||
      out.issuer.validity < domain::kMinIssuedValidity ||
      out.issuer.validity > domain::kMaxIssuedValidity) {
    problems.Add("issuer-validity", "is not between 1m and 19800h (825 days)");
  }
  if (options.issuer_renew_percent < domain::kMinRenewPercent ||
      options.issuer_renew_percent > domain::kMaxRenewPercent) {
    problems.Add("issuer-renew-percent",
                 absl::StrCat("is not between ", domain::kMinRenewPercent,
                              " and ", domain::kMaxRenewPercent));
  }
  if (options.issuer.empty()) {
    for (const auto& [name, value] :
         {std::make_pair("issuer-domains", &options.issuer_domains),
          std::make_pair("issuer-ca-certificate",
                         &options.issuer_ca_certificate),
          std::make_pair("issuer-ca-key", &options.issuer_ca_key)}) {
      if (!value->empty()) problems.Add(name, "needs --issuer");
    }
    return;
  }
  if (options.issuer != service::kInternalIssuerId) {
    problems.Add("issuer", "is not internal, which is the only one there is");
    return;
  }
  absl::StatusOr<domain::AllowedNames> names =
      domain::AllowedNames::Parse(options.issuer_domains);
  if (names.ok()) {
    out.issuer.names = *std::move(names);
  } else {
    problems.Add("issuer-domains", names.status().message());
  }
  if (options.issuer_ca_certificate.empty() != options.issuer_ca_key.empty()) {
    problems.Add("issuer-ca-certificate",
                 "and --issuer-ca-key need each other");
    return;
  }
  if (options.issuer_ca_certificate.empty()) return;
  const std::string chain = problems.Read(
      "issuer-ca-certificate", options.issuer_ca_certificate, kMaxPemBytes);
  const Secret key(
      problems.Read("issuer-ca-key", options.issuer_ca_key, kMaxPemBytes));
  if (chain.empty() || key.empty()) return;
  auto issuer = service::InternalIssuer::FromPem(
      chain, key, Clock::System().Now(), out.issuer);
  if (issuer.ok()) {
    out.issuer_from_files = *std::move(issuer);
  } else {
    AddIssuerProblems(issuer.status(), problems);
  }
}

void LoadAws(const Options& options, Problems& problems, Settings& out) {
  const auto check = [&](absl::string_view name, const absl::Status& status) {
    if (!status.ok()) problems.Add(name, status.message());
  };
  check("aws-account", aws::CheckAccount(options.aws_account));
  check("aws-region", aws::CheckRegion(options.aws_region));
  if (!options.aws_domain_suffix.empty()) {
    check("aws-domain-suffix",
          aws::CheckDomainSuffix(options.aws_domain_suffix));
  }
  check("aws-hosted-zone", aws::CheckHostedZone(options.aws_hosted_zone));
  out.aws.account = options.aws_account;
  out.aws.region = options.aws_region;
  out.aws.domain_suffix = options.aws_domain_suffix;
  out.aws.hosted_zone = options.aws_hosted_zone;
}

}  // namespace

objects::Options SourcesOf(const Options& options) {
  objects::Options out;
  out.s3 = objects::S3OptionsFromEnvironment();
  if (!options.s3_region.empty()) out.s3.region = options.s3_region;
  if (!options.s3_endpoint.empty()) out.s3.endpoint = options.s3_endpoint;
  out.s3.path_style = options.s3_path_style;
  for (absl::string_view folder :
       absl::StrSplit(options.source_folders, ',', absl::SkipWhitespace())) {
    out.files.folders.emplace_back(absl::StripAsciiWhitespace(folder));
  }
  return out;
}

absl::StatusOr<Settings> Load(const Options& options) {
  Problems problems;
  Settings out;
  out.options = options;
  if (options.data_dir.empty()) {
    problems.Add("data-dir", "is missing; give a folder for the state");
  }
  absl::StatusOr<Address> admin = ParseAddress(options.admin_address);
  if (admin.ok()) {
    out.admin = *std::move(admin);
  } else {
    problems.Add("admin-address", admin.status().message());
  }
  LoadXds(options, problems, out);
  const absl::Status sources =
      objects::NewObjectReader(SourcesOf(options), &Clock::System()).status();
  if (!sources.ok()) problems.Add("source-folders, --s3-*", sources.message());
  absl::StatusOr<Address> http = ParseAddress(options.http_address);
  if (!http.ok()) {
    problems.Add("http-address", http.status().message());
  } else if (!http->loopback) {
    problems.Add("http-address",
                 "only a loopback address can be listened on; put a proxy "
                 "with TLS before it");
  } else {
    out.http = *std::move(http);
  }
  const std::string credentials =
      problems.Read("admin-credentials", options.admin_credentials,
                    api::kMaxCredentialsBytes);
  absl::StatusOr<api::Credentials> parsed =
      api::Credentials::Parse(credentials);
  if (!parsed.ok()) {
    problems.Add("admin-credentials", parsed.status().message());
  } else {
    out.credentials = *std::move(parsed);
  }
  if (options.ownership_verification != "off" &&
      options.ownership_verification != "required") {
    problems.Add("ownership-verification", "is neither off nor required");
  }
  const absl::StatusOr<domain::BackendPolicy> backends =
      domain::ParseBackendPolicy(options.backend_addresses);
  if (backends.ok()) {
    out.backends = *backends;
  } else {
    problems.Add("backend-addresses", backends.status().message());
  }
  LoadIssuer(options, problems, out);
  LoadCallLimits(options, problems, out);
  LoadAws(options, problems, out);
  LoadConsole(options, problems, out);
  if (!options.sealing_keys.empty()) {
    const auto sealer = store::Sealer::FromFile(
        options.sealing_keys, store::Sealer::IfMissing::kFail);
    if (!sealer.ok()) problems.Add("sealing-keys", sealer.status().message());
  }
  out.tls_certificate = problems.Read(
      "admin-tls-certificate", options.admin_tls_certificate, kMaxPemBytes);
  out.tls_key =
      problems.Read("admin-tls-key", options.admin_tls_key, kMaxPemBytes);
  out.client_ca =
      problems.Read("admin-client-ca", options.admin_client_ca, kMaxPemBytes);
  if (options.admin_tls_certificate.empty() != options.admin_tls_key.empty()) {
    problems.Add("admin-tls-certificate",
                 "and --admin-tls-key need each other");
  }
  if (!options.admin_client_ca.empty() &&
      options.admin_tls_certificate.empty()) {
    problems.Add("admin-client-ca", "needs --admin-tls-certificate");
  }
  if (out.credentials.empty() && !options.allow_loopback_without_credentials) {
    problems.Add("admin-credentials",
                 "has nobody, so nobody could do anything; name a file with "
                 "credentials, or set --allow-loopback-without-credentials");
  }
  if (!out.admin.host.empty() && !out.admin.loopback) {
    if (out.credentials.empty()) {
      problems.Add("admin-address",
                   "beyond loopback it needs --admin-credentials");
    }
    if (options.admin_tls_certificate.empty()) {
      problems.Add("admin-address",
                   "beyond loopback it needs --admin-tls-certificate and "
                   "--admin-tls-key");
    }
    if (options.allow_loopback_without_credentials) {
      problems.Add("allow-loopback-without-credentials",
                   "only with an --admin-address on loopback");
    }
  }
  const absl::Status status = problems.ToStatus();
  if (!status.ok()) return status;
  return out;
}

}  // namespace sallyport::server
