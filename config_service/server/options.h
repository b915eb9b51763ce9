// Options of sallyportd.

#ifndef SALLYPORT_CONFIG_SERVICE_SERVER_OPTIONS_H_
#define SALLYPORT_CONFIG_SERVICE_SERVER_OPTIONS_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "config_service/api/credentials.h"
#include "config_service/api/limits.h"
#include "config_service/api/open_calls.h"
#include "config_service/aws/installation.h"
#include "config_service/console/origins.h"
#include "config_service/domain/backend_policy.h"
#include "config_service/domain/limits.h"
#include "config_service/objects/objects.h"
#include "config_service/service/internal_issuer.h"

namespace sallyport::server {

// Streams that one node may have open.
constexpr int kDefaultNodeStreams = 8;
constexpr int kMaxNodeStreams = 1000;

struct Options {
  std::string data_dir;
  std::string admin_address = "127.0.0.1:9440";
  std::string xds_address = "127.0.0.1:9441";
  std::string http_address = "127.0.0.1:9442";
  // Names and addresses by which nodes call the xDS port, with commas; empty:
  // the host of its address, and on loopback all names of that.
  std::string xds_hosts;
  // The installation's name in the identities of nodes.
  std::string trust_domain = "sallyport";
  // Files; empty: none.
  std::string admin_credentials;
  std::string admin_tls_certificate;
  std::string admin_tls_key;
  std::string admin_client_ca;
  // Keys that seal private keys in the store (store/sealer.h); empty: a file in
  // the data folder, made on the first start.
  std::string sealing_keys;
  // "off" or "required": whether an imported server certificate of a domain
  // with mutual TLS needs an ownership verification certificate.
  std::string ownership_verification = "off";
  // "" or "internal": who makes server certificates
  // (service/internal_issuer.h).
  std::string issuer;
  // The domains that it makes them for, with commas; "*": every name.
  std::string issuer_domains;
  // Its CA, files; empty: one that is made on the first start.
  std::string issuer_ca_certificate;
  std::string issuer_ca_key;
  // What they are valid for ("2160h"), and what is left of it in percent when
  // they are renewed.
  std::string issuer_validity = "2160h";
  int issuer_renew_percent = domain::kDefaultRenewPercent;
  // "loopback", "link-local", with a comma both: addresses that backends may
  // have besides ordinary ones (domain/backend_policy.h).
  std::string backend_addresses;
  // Folders below which file:// sources may be, with commas; empty: none.
  std::string source_folders;
  // Where s3:// sources are; what is empty is taken from the environment, as
  // the AWS CLI takes it (objects/objects.h). Credentials always are.
  std::string s3_region;
  std::string s3_endpoint;
  bool s3_path_style = false;
  // Of one principal, at one time: calls, streams (and calls that wait), and
  // uploads; and how often it may call (api/limits.h).
  int principal_calls = api::kPrincipalCalls;
  int principal_streams = api::kPrincipalStreams;
  int principal_uploads = api::kPrincipalUploads;
  int principal_calls_per_second = api::kCallsPerSecond;
  // What a client has for taking a message, or sending the next ("60s").
  std::string client_timeout = "60s";
  // Streams of one node.
  int node_streams = kDefaultNodeStreams;
  // What an AWS account is here (aws/installation.h).
  std::string aws_account = aws::kDefaultAccount;
  std::string aws_region = aws::kDefaultRegion;
  std::string aws_domain_suffix;
  std::string aws_hosted_zone = aws::kDefaultHostedZone;
  bool aws_unsigned_loopback = false;
  bool allow_loopback_without_credentials = false;
  // "on" or "off": whether the HTTP port has the web console.
  std::string console = "on";
  // Where browsers have it from, beside this machine's own names, with commas:
  // "https://console.example.com", a proxy with TLS before the HTTP port.
  std::string console_origins;
  bool check_config = false;
};

// "HOST:PORT" in parts. InvalidArgument says what is wrong with it.
struct Address {
  std::string host;  // without brackets
  int port = 0;
  // Whether only this machine reaches it: 127.0.0.0/8, ::1, "localhost".
  bool loopback = false;
  // As gRPC takes it.
  std::string ToString() const;
};
absl::StatusOr<Address> ParseAddress(absl::string_view text);

// Options with what their files hold.
struct Settings {
  Options options;
  Address admin;
  Address xds;
  Address http;
  std::vector<std::string> xds_hosts;
  api::Credentials credentials;
  api::OpenCallLimits open_calls;
  console::Origins console_origins;
  // PEM; empty: no TLS.
  std::string tls_certificate;
  std::string tls_key;
  std::string client_ca;
  domain::BackendPolicy backends;
  aws::Installation aws;
  // Of the issuer "internal".
  service::InternalIssuer::Settings issuer;
  // It, when its CA is in files.
  std::unique_ptr<service::InternalIssuer> issuer_from_files;
};

// How truststores' sources are read: the options, and the environment.
objects::Options SourcesOf(const Options& options);

// Reads the files and checks everything: the errors of all options at once, a
// line for each.
absl::StatusOr<Settings> Load(const Options& options);

}  // namespace sallyport::server

#endif  // SALLYPORT_CONFIG_SERVICE_SERVER_OPTIONS_H_
