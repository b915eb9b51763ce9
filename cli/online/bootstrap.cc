#include "cli/online/bootstrap.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status_macros.h"
#include "nlohmann/json.hpp"

namespace sallyport::cli::online {
namespace {

constexpr size_t kMaxNodeName = 128;
constexpr int kMaxPort = 65535;

absl::Status Invalid(absl::string_view option, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(option, ": ", what));
}

// A JSON string, which is YAML too.
std::string Quoted(absl::string_view text) {
  return nlohmann::json(std::string(text))
      .dump(-1, ' ', /*ensure_ascii=*/true,
            nlohmann::json::error_handler_t::replace);
}

struct HostPort {
  std::string host;
  int port = 0;
  bool is_ip = false;
};

absl::StatusOr<HostPort> ParseHostPort(absl::string_view option,
                                       absl::string_view text) {
  HostPort out;
  const size_t colon = text.rfind(':');
  absl::string_view host = text.substr(0, colon);
  if (colon == absl::string_view::npos || host.empty() ||
      !absl::SimpleAtoi(text.substr(colon + 1), &out.port) || out.port < 0 ||
      out.port > kMaxPort) {
    return Invalid(option, "is to be HOST:PORT");
  }
  if (absl::StartsWith(host, "[") && absl::EndsWith(host, "]")) {
    host = host.substr(1, host.size() - 2);
    out.is_ip = true;
  } else if (absl::StrContains(host, ":")) {
    return Invalid(option, "write an IPv6 address in brackets");
  } else {
    out.is_ip = std::all_of(host.begin(), host.end(), [](char c) {
      return absl::ascii_isdigit(static_cast<unsigned char>(c)) || c == '.';
    });
  }
  out.host = std::string(host);
  return out;
}

std::string SocketAddress(const HostPort& address, absl::string_view indent) {
  return absl::StrCat(indent,
                      "socket_address: {address: ", Quoted(address.host),
                      ", port_value: ", address.port, "}\n");
}

}  // namespace

bool IsNodeName(absl::string_view name) {
  return !name.empty() && name.size() <= kMaxNodeName &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
                  c == '.' || c == '_' || c == '-';
         });
}

absl::StatusOr<std::string> MakeBootstrap(const BootstrapOptions& options) {
  if (!IsNodeName(options.node)) {
    return Invalid("NODE",
                   "is to be 1 to 128 letters, digits, '.', '_' or '-'");
  }
  if (!IsNodeName(options.fleet)) {
    return Invalid("--fleet", "is to be the id of a fleet");
  }
  SALLYPORT_ASSIGN_OR_RETURN(
      const HostPort xds, ParseHostPort("--xds-address", options.xds_address));
  const bool tls = !options.ca.empty();
  if (tls != !options.node_certificate.empty() ||
      tls != !options.node_key.empty()) {
    return Invalid("--node-ca, --node-certificate, --node-key",
                   "need each other");
  }
  std::string out =
      absl::StrCat("# Node ", options.node, " of the fleet ", options.fleet,
                   ", for Envoy 1.40: envoy -c FILE\n"
                   "node:\n"
                   "  id: ",
                   Quoted(options.node),
                   "\n"
                   "  cluster: ",
                   Quoted(options.fleet), "\n");
  if (!options.admin_address.empty()) {
    SALLYPORT_ASSIGN_OR_RETURN(
        const HostPort admin,
        ParseHostPort("--admin-address", options.admin_address));
    absl::StrAppend(&out, "admin:\n  address:\n", SocketAddress(admin, "    "));
  }
  absl::StrAppend(
      &out,
      "dynamic_resources:\n"
      "  ads_config:\n"
      "    api_type: DELTA_GRPC\n"
      "    transport_api_version: V3\n"
      "    # The node is said once for each stream, not with every request.\n"
      "    set_node_on_first_message_only: true\n"
      "    grpc_services:\n"
      "    - envoy_grpc: {cluster_name: sallyportd}\n"
      "  cds_config: {ads: {}, resource_api_version: V3}\n"
      "  lds_config: {ads: {}, resource_api_version: V3}\n"
      "# A route's path template becomes a regular expression. Envoy's own\n"
      "# limit (100) is below what the service accepts.\n"
      "layered_runtime:\n"
      "  layers:\n"
      "  - name: sallyport\n"
      "    static_layer: {re2.max_program_size.error_level: 20000}\n"
      "  # What the fleet says that ends no connection: its access log.\n"
      "  - name: fleet\n"
      "    rtds_layer:\n"
      "      name: fleet\n"
      "      rtds_config: {ads: {}, resource_api_version: V3}\n"
      "# Every chain would have statistics of its own otherwise.\n"
      "stats_config:\n"
      "  stats_matcher:\n"
      "    exclusion_list:\n"
      "      patterns:\n"
      "      - prefix: filter_chain\n"
      "static_resources:\n"
      "  secrets:\n"
      "  # What backends over HTTPS are trusted by, unless an API says "
      "otherwise.\n"
      "  - name: sallyport_system_trust\n"
      "    validation_context:\n"
      "      trusted_ca: {filename: ",
      Quoted(options.system_trust),
      "}\n"
      "  clusters:\n"
      "  - name: sallyportd\n"
      "    type: ",
      xds.is_ip ? "STATIC" : "STRICT_DNS",
      "\n"
      "    connect_timeout: 5s\n"
      "    typed_extension_protocol_options:\n"
      "      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:\n"
      "        \"@type\": type.googleapis.com/envoy.extensions.upstreams.http."
      "v3.HttpProtocolOptions\n"
      "        explicit_http_config:\n"
      "          http2_protocol_options:\n"
      "            # A service that is gone without a word is noticed.\n"
      "            connection_keepalive: {interval: 30s, timeout: 10s}\n"
      "    load_assignment:\n"
      "      cluster_name: sallyportd\n"
      "      endpoints:\n"
      "      - lb_endpoints:\n"
      "        - endpoint:\n"
      "            address:\n",
      SocketAddress(xds, "              "));
  if (tls) {
    absl::StrAppend(
        &out,
        "    transport_socket:\n"
        "      name: envoy.transport_sockets.tls\n"
        "      typed_config:\n"
        "        \"@type\": type.googleapis.com/envoy.extensions."
        "transport_sockets.tls.v3.UpstreamTlsContext\n",
        xds.is_ip ? "" : absl::StrCat("        sni: ", Quoted(xds.host), "\n"),
        "        common_tls_context:\n"
        "          tls_params: {tls_minimum_protocol_version: TLSv1_2}\n"
        "          alpn_protocols: [h2]\n"
        "          tls_certificates:\n"
        "          - certificate_chain: {filename: ",
        Quoted(options.node_certificate),
        "}\n"
        "            private_key: {filename: ",
        Quoted(options.node_key),
        "}\n"
        "          validation_context:\n"
        "            trusted_ca: {filename: ",
        Quoted(options.ca),
        "}\n"
        "            # The CA signs nodes too: none of them is the service.\n"
        "            match_typed_subject_alt_names:\n"
        "            - san_type: URI\n"
        "              matcher: {exact: ",
        Quoted(absl::StrCat("spiffe://", options.trust_domain, "/xds")), "}\n");
  }
  return out;
}

}  // namespace sallyport::cli::online
