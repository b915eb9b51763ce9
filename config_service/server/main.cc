// sallyportd: the config service.

#include <pthread.h>
#include <signal.h>

#include <iostream>
#include <memory>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/version.h"
#include "config_service/server/daemon.h"
#include "config_service/server/grpc_log.h"
#include "config_service/server/log.h"
#include "config_service/server/options.h"

namespace sallyport::server {
namespace {

// What calls under way have at the end.
constexpr absl::Duration kGrace = absl::Seconds(10);

constexpr int kStopped = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;

int Run(int argc, char** argv) {
  CLI::App app("Keeps truststores and pushes them to proxies.", "sallyportd");
  Options options;
  app.set_version_flag("--version", std::string("sallyportd ") + kVersion,
                       "print the version and end");
  app.set_config("--config", "", "a file with options, TOML");
  app.allow_config_extras(CLI::config_extras_mode::error);
  const auto add = [&](const std::string& name, const std::string& env,
                       std::string& value, const std::string& help) {
    app.add_option("--" + name, value, help)->envname("SALLYPORTD_" + env);
  };
  const auto add_number = [&](const std::string& name, const std::string& env,
                              int& value, const std::string& help) {
    app.add_option("--" + name, value, help)->envname("SALLYPORTD_" + env);
  };
  add("data-dir", "DATA_DIR", options.data_dir, "the folder of the state");
  add("admin-address", "ADMIN_ADDRESS", options.admin_address,
      "HOST:PORT of the gRPC API. Default: 127.0.0.1:9440");
  add("xds-address", "XDS_ADDRESS", options.xds_address,
      "HOST:PORT that nodes call. Default: 127.0.0.1:9441");
  add("xds-hosts", "XDS_HOSTS", options.xds_hosts,
      "names and addresses by which nodes call it, with commas. Default: the "
      "host of --xds-address");
  add("trust-domain", "TRUST_DOMAIN", options.trust_domain,
      "the installation's name in the identities of nodes. Default: sallyport");
  add("http-address", "HTTP_ADDRESS", options.http_address,
      "HOST:PORT of the web console, /healthz, /readyz, /metrics and the "
      "AWS-compatible API. Default: 127.0.0.1:9442");
  add("admin-credentials", "ADMIN_CREDENTIALS", options.admin_credentials,
      "a file that says who may do what");
  add("admin-tls-certificate", "ADMIN_TLS_CERTIFICATE",
      options.admin_tls_certificate, "the API's certificate chain, PEM");
  add("admin-tls-key", "ADMIN_TLS_KEY", options.admin_tls_key,
      "its private key, PEM");
  add("admin-client-ca", "ADMIN_CLIENT_CA", options.admin_client_ca,
      "the CAs of callers' certificates, PEM");
  add("sealing-keys", "SEALING_KEYS", options.sealing_keys,
      "the file of the keys that seal private keys in the store. Default: one "
      "in the data folder, made on the first start");
  add("ownership-verification", "OWNERSHIP_VERIFICATION",
      options.ownership_verification,
      "off, or required: an imported certificate of a domain with mutual TLS "
      "needs one that proves whose the domain is. Default: off");
  add("issuer", "ISSUER", options.issuer,
      "internal: server certificates can be had from a CA of the "
      "installation's "
      "own. Default: nobody makes any");
  add("issuer-domains", "ISSUER_DOMAINS", options.issuer_domains,
      "the domains that it makes them for, with commas: each and all below it; "
      "* for every name");
  add("issuer-ca-certificate", "ISSUER_CA_CERTIFICATE",
      options.issuer_ca_certificate,
      "its CA's certificate and those that it hangs from, PEM. Default: one "
      "that is made on the first start");
  add("issuer-ca-key", "ISSUER_CA_KEY", options.issuer_ca_key,
      "the CA's private key, PEM");
  add("issuer-validity", "ISSUER_VALIDITY", options.issuer_validity,
      "how long its certificates are valid. Default: 2160h");
  add_number("issuer-renew-percent", "ISSUER_RENEW_PERCENT",
             options.issuer_renew_percent,
             "what is left of that, in percent, when they are renewed. "
             "Default: 33");
  add("backend-addresses", "BACKEND_ADDRESSES", options.backend_addresses,
      "addresses that integrations may name besides ordinary ones, with "
      "commas: loopback (the nodes' own), link-local (and clouds' metadata). "
      "Default: neither");
  add("source-folders", "SOURCE_FOLDERS", options.source_folders,
      "folders, with commas, below which file:// truststores may be");
  add("s3-region", "S3_REGION", options.s3_region,
      "the region of s3:// truststores. Default: AWS_REGION; credentials are "
      "taken from the environment");
  add("s3-endpoint", "S3_ENDPOINT", options.s3_endpoint,
      "https://HOST:PORT of another S3 than Amazon's. Default: "
      "AWS_ENDPOINT_URL_S3");
  app.add_flag("--s3-path-style", options.s3_path_style,
               "the bucket is in the path and not in the host");
  add_number("principal-calls", "PRINCIPAL_CALLS", options.principal_calls,
             "calls that one principal may have under way. Default: 32");
  add_number("principal-streams", "PRINCIPAL_STREAMS",
             options.principal_streams,
             "streams and calls that wait, of one principal. Default: 16");
  add_number("principal-uploads", "PRINCIPAL_UPLOADS",
             options.principal_uploads,
             "uploads of one principal at one time. Default: 2");
  add_number("principal-calls-per-second", "PRINCIPAL_CALLS_PER_SECOND",
             options.principal_calls_per_second,
             "how often one principal may call, each second; twice as many at "
             "once. Default: 200");
  add("client-timeout", "CLIENT_TIMEOUT", options.client_timeout,
      "how long a client may take to read a message, or to send the next one "
      "of an upload. Default: 60s");
  add_number("node-streams", "NODE_STREAMS", options.node_streams,
             "streams that one node may have open. Default: 8");
  add("aws-account", "AWS_ACCOUNT", options.aws_account,
      "the account id in ARNs of the AWS-compatible API. Default: "
      "123456789012");
  add("aws-region", "AWS_REGION", options.aws_region,
      "the region in them. Default: us-east-1");
  add("aws-domain-suffix", "AWS_DOMAIN_SUFFIX", options.aws_domain_suffix,
      "the end of regionalDomainName. Default: that of the fleets' default "
      "endpoints, else execute-api.REGION.sallyport.internal");
  add("aws-hosted-zone", "AWS_HOSTED_ZONE", options.aws_hosted_zone,
      "regionalHostedZoneId. Default: Z0SALLYPORT0000");
  app.add_flag("--aws-unsigned-loopback", options.aws_unsigned_loopback,
               "whoever reaches the AWS-compatible API from the loopback "
               "interface and does not sign is an admin");
  app.add_flag("--allow-loopback-without-credentials",
               options.allow_loopback_without_credentials,
               "whoever reaches the loopback interface is an admin");
  add("console", "CONSOLE", options.console,
      "on, or off: whether the HTTP port has the web console. Default: on");
  add("console-origins", "CONSOLE_ORIGINS", options.console_origins,
      "https://NAME of a proxy with TLS before the HTTP port, with commas, by "
      "which browsers have the console. Default: this machine's own names");
  app.add_flag("--check-config", options.check_config,
               "check the options and their files, and end")
      ->configurable(false);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::cout << app.help();
    return kStopped;
  } catch (const CLI::CallForVersion& version) {
    std::cout << version.what() << "\n";
    return kStopped;
  } catch (const CLI::ParseError& error) {
    std::cerr << "sallyportd: " << error.what()
              << "\nRun 'sallyportd --help' for usage.\n";
    return kUsage;
  }
  absl::StatusOr<Settings> settings = Load(options);
  if (!settings.ok()) {
    std::cerr << "sallyportd: the options cannot be used:\n"
              << settings.status().message() << "\n";
    return kUsage;
  }
  if (options.check_config) {
    std::cout << "the options are good\n";
    return kStopped;
  }

  // Signals are waited for below; threads inherit this.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  // A connection or a log whose reader has gone, and a file over its limit, are
  // errors of the call, not the end of the service.
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);

  LogForGrpc();
  absl::StatusOr<std::unique_ptr<Daemon>> daemon =
      Daemon::Start(*std::move(settings));
  if (!daemon.ok()) {
    LogError("cannot start", {{"details", daemon.status().ToString()}});
    return kFailed;
  }
  LogInfo("ready", {{"admin_port", absl::StrCat((*daemon)->admin_port())},
                    {"xds_port", absl::StrCat((*daemon)->xds_port())},
                    {"http_port", absl::StrCat((*daemon)->http_port())}});
  int received = 0;
  while (sigwait(&signals, &received) == 0 && received == SIGHUP) {
    LogInfo("options and their files are read at the start; restart for others",
            {{"signal", absl::StrCat(received)}});
  }
  LogInfo("stopping", {{"signal", absl::StrCat(received)}});
  (*daemon)->Stop(kGrace);
  LogInfo("stopped");
  return kStopped;
}

}  // namespace
}  // namespace sallyport::server

int main(int argc, char** argv) {
  // Abseil as Debian builds it looks for deadlocks at each lock that anybody
  // takes, gRPC included, under one lock of the whole process.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  try {
    return sallyport::server::Run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "sallyportd: unexpected error: " << error.what() << "\n";
    return 1;
  }
}
