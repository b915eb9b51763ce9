#include "config_service/service/test_invocations.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <variant>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "config_service/domain/backend_policy.h"
#include "config_service/domain/domain_name.h"
#include "config_service/domain/server_certificate.h"
#include "config_service/domain/truststore.h"
#include "config_service/service/default_endpoints.h"
#include "config_service/service/errors.h"
#include "config_service/service/resources.h"
#include "config_service/store/api_records.h"
#include "config_service/store/certificate_records.h"
#include "config_service/store/domain_records.h"
#include "config_service/store/fleet_records.h"
#include "config_service/store/keys.h"
#include "config_service/store/records.h"
#include "nlohmann/json.hpp"
#include "pki/crypto/crypto.h"
#include "pki/x509/certificate.h"

namespace sallyport::service {

using domain::FleetName;
using domain::Reason;
using domain::Violations;

namespace {

constexpr size_t kAuditRandomBytes = 8;
constexpr char kAnyMethod[] = "ANY";
// Of a stage that the caller names none for.
constexpr char kNoStage[] = "test-invoke";

constexpr absl::string_view kMethods[] = {"GET",   "HEAD",   "POST",   "PUT",
                                          "PATCH", "DELETE", "OPTIONS"};
// What belongs to the connection, or says where a request ends.
constexpr absl::string_view kRefusedHeaders[] = {
    "connection",        "content-length", "expect",  "host",
    "http2-settings",    "keep-alive",     "te",      "proxy-connection",
    "transfer-encoding", "trailer",        "upgrade",
};

const domain::BackendTls* TlsOf(const domain::Integration& integration) {
  if (const auto* proxy =
          std::get_if<domain::HttpProxyIntegration>(&integration)) {
    return &proxy->tls;
  }
  if (const auto* http = std::get_if<domain::HttpIntegration>(&integration)) {
    return &http->tls;
  }
  return nullptr;
}

bool IsHttps(const domain::Integration& integration) {
  const auto* const proxy =
      std::get_if<domain::HttpProxyIntegration>(&integration);
  const auto* const http = std::get_if<domain::HttpIntegration>(&integration);
  const absl::string_view uri = proxy != nullptr  ? proxy->uri
                                : http != nullptr ? http->uri
                                                  : absl::string_view();
  return absl::StartsWithIgnoreCase(uri, "https://");
}

absl::Duration TimeoutOf(const domain::Integration& integration) {
  if (const auto* proxy =
          std::get_if<domain::HttpProxyIntegration>(&integration)) {
    return proxy->timeout;
  }
  if (const auto* http = std::get_if<domain::HttpIntegration>(&integration)) {
    return http->timeout;
  }
  return absl::ZeroDuration();
}

// RFC 9110, 5.6.2.
bool IsToken(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
           absl::StrContains("!#$%&'*+-.^_`|~", absl::string_view(&c, 1));
  });
}

void CheckPath(absl::string_view path, Violations& violations) {
  if (path.empty()) {
    violations.Add("path", Reason::kFieldRequired,
                   "is empty; give the path of the request, such as /");
  } else if (path.size() > kMaxTestPathBytes) {
    violations.Add("path", Reason::kFieldOutOfRange,
                   absl::StrCat("has ", path.size(), " bytes; at most ",
                                kMaxTestPathBytes));
  } else if (path[0] != '/') {
    violations.Add("path", Reason::kFieldMalformed, "does not begin with '/'");
  } else if (!std::all_of(path.begin(), path.end(), [](char c) {
               return c > ' ' && c < '\x7f' && c != '#';
             })) {
    violations.Add("path", Reason::kFieldMalformed,
                   "has a blank, a '#' or another character that no request "
                   "has; write it as %20, say");
  }
}

void CheckHeaders(const std::vector<HttpHeader>& headers,
                  Violations& violations) {
  if (headers.size() > kMaxTestHeaders) {
    violations.Add(
        "headers", Reason::kTooManyEntries,
        absl::StrCat("are ", headers.size(), "; at most ", kMaxTestHeaders));
  }
  size_t bytes = 0;
  for (size_t i = 0; i < headers.size(); ++i) {
    const HttpHeader& header = headers[i];
    bytes += header.name.size() + header.value.size();
    const std::string at = domain::Element("headers", i);
    const std::string name = absl::AsciiStrToLower(header.name);
    if (!IsToken(name)) {
      violations.Add(domain::Field(at, "name"), Reason::kFieldMalformed,
                     "is no name of a header: letters, digits and '-'");
    } else if (std::find(std::begin(kRefusedHeaders), std::end(kRefusedHeaders),
                         name) != std::end(kRefusedHeaders)) {
      violations.Add(domain::Field(at, "name"), Reason::kFieldMalformed,
                     absl::StrCat(name,
                                  " is the connection's, or made from the "
                                  "route; leave it out"));
    }
    if (!std::all_of(header.value.begin(), header.value.end(), [](char c) {
          const auto u = static_cast<unsigned char>(c);
          return (u >= 0x20 && u != 0x7f) || c == '\t';
        })) {
      violations.Add(domain::Field(at, "value"), Reason::kFieldMalformed,
                     "has a control character");
    }
  }
  if (bytes > kMaxTestHeaderBytes) {
    violations.Add(
        "headers", Reason::kFieldOutOfRange,
        absl::StrCat("have ", bytes, " bytes; at most ", kMaxTestHeaderBytes));
  }
}

// "192.0.2.1" of "ipv4:192.0.2.1:5000", "2001:db8::1" of
// "ipv6:[2001:db8::1]:5000"; empty: it is none.
std::string HostOfPeer(absl::string_view peer) {
  if (absl::ConsumePrefix(&peer, "ipv4:")) {
    return std::string(peer.substr(0, peer.rfind(':')));
  }
  if (!absl::ConsumePrefix(&peer, "ipv6:[")) return "";
  const std::string host(peer.substr(0, peer.find(']')));
  // An IPv4 address on a socket for both.
  return std::string(absl::StripPrefix(host, "::ffff:"));
}

std::string WithPort(const std::string& host, uint16_t port) {
  return absl::StrContains(host, ':') ? absl::StrCat("[", host, "]:", port)
                                      : absl::StrCat(host, ":", port);
}

bool IsUnspecified(absl::string_view address) {
  return address.empty() || address == "0.0.0.0" || address == "::";
}

}  // namespace

absl::Status CheckNodeAddress(absl::string_view address) {
  const size_t colon = address.rfind(':');
  int port = 0;
  if (colon == absl::string_view::npos ||
      !absl::SimpleAtoi(address.substr(colon + 1), &port) || port < 1 ||
      port > 65535) {
    return absl::InvalidArgumentError("is not ADDRESS:PORT");
  }
  std::string host(address.substr(0, colon));
  const bool brackets = host.size() > 2 && host[0] == '[' && host.back() == ']';
  if (brackets) host = host.substr(1, host.size() - 2);
  in_addr v4;
  in6_addr v6;
  if (!brackets && inet_pton(AF_INET, host.c_str(), &v4) == 1) {
    const uint32_t number = ntohl(v4.s_addr);
    if (number >> 24 == 0 || number >> 16 == 0xa9fe || number >> 28 >= 0xe) {
      return absl::InvalidArgumentError(
          "is the address of no node: give one that it listens on");
    }
    return absl::OkStatus();
  }
  if (brackets && inet_pton(AF_INET6, host.c_str(), &v6) == 1) {
    if (IN6_IS_ADDR_UNSPECIFIED(&v6) || IN6_IS_ADDR_LINKLOCAL(&v6) ||
        IN6_IS_ADDR_MULTICAST(&v6) || IN6_IS_ADDR_V4MAPPED(&v6) ||
        IN6_IS_ADDR_V4COMPAT(&v6)) {
      return absl::InvalidArgumentError(
          "is the address of no node: give one that it listens on");
    }
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      "has no address in numbers, such as 192.0.2.1:8443 or "
      "[2001:db8::1]:8443");
}

absl::StatusOr<TestInvocations::Result> TestInvocations::Invoke(
    const Caller& caller, const Write& write, const Request& request,
    const Cancelled& cancelled) {
  const auto too_many = [](int number, absl::string_view whose) {
    return domain::MakeError(Reason::kRateLimited,
                             absl::StrCat(number, " test invocations", whose,
                                          " are under way; try again"),
                             {{"retry_after_seconds", "1"}});
  };
  {
    absl::MutexLock lock(&mu_);
    if (running_ >= kMaxTestInvocationsAtOnce) {
      return too_many(kMaxTestInvocationsAtOnce, "");
    }
    int& of_caller = running_of_[caller.principal];
    if (of_caller >= kMaxTestInvocationsOfPrincipal) {
      return too_many(kMaxTestInvocationsOfPrincipal, " of yours");
    }
    ++of_caller;
    ++running_;
  }
  const absl::Cleanup done = [&] {
    absl::MutexLock lock(&mu_);
    --running_;
    const auto it = running_of_.find(caller.principal);
    if (--it->second == 0) running_of_.erase(it);
  };
  return InvokeOne(caller, write, request, cancelled);
}

absl::StatusOr<TestInvocations::Result> TestInvocations::InvokeOne(
    const Caller& caller, const Write& write, const Request& request,
    const Cancelled& cancelled) {
  NodeInvocation invocation;
  invocation.backends = context_.backends;
  Result result;
  SALLYPORT_RETURN_IF_ERROR(LoadRoute(request, invocation));
  SALLYPORT_RETURN_IF_ERROR(LoadBackend(request, invocation, result));
  SALLYPORT_RETURN_IF_ERROR(ChooseNode(request, invocation));
  SALLYPORT_RETURN_IF_ERROR(Count());
  SALLYPORT_RETURN_IF_ERROR(Audit(caller, write, request, invocation));
  const domain::Route& route = invocation.deployment.routes.front();
  const absl::Time deadline =
      context_.clock->Now() + kTestSetUpTime + TimeoutOf(route.integration);
  SALLYPORT_ASSIGN_OR_RETURN(result.answer,
                             invoker_->Invoke(invocation, deadline, cancelled));
  result.node = invocation.node;
  if (result.answer.failure.empty()) {
    result.answer.failure = TestFailure(invocation, result.answer);
  }
  result.log = TestLog(invocation, result);
  return result;
}

absl::Status TestInvocations::Count() {
  const absl::Time now = context_.clock->Now();
  absl::MutexLock lock(&mu_);
  while (!begun_.empty() && begun_.front() <= now - absl::Minutes(1)) {
    begun_.pop_front();
  }
  if (begun_.size() < kMaxTestInvocationsPerMinute) {
    begun_.push_back(now);
    return absl::OkStatus();
  }
  const int64_t wait = absl::ToInt64Seconds(begun_.front() + absl::Minutes(1) -
                                            now + absl::Seconds(1));
  return domain::MakeError(
      Reason::kRateLimited,
      absl::StrCat(kMaxTestInvocationsPerMinute,
                   " test invocations were made in the last minute; wait ",
                   wait, " s"),
      {{"retry_after_seconds", absl::StrCat(wait)}});
}

absl::Status TestInvocations::LoadRoute(const Request& request,
                                        NodeInvocation& invocation) {
  Violations violations;
  CheckPath(request.path, violations);
  CheckHeaders(request.headers, violations);
  if (request.body.size() > kMaxTestBodyBytes) {
    violations.Add("body", Reason::kFieldOutOfRange,
                   absl::StrCat("has ", request.body.size(), " bytes; at most ",
                                kMaxTestBodyBytes));
  }
  if (!request.method.empty() &&
      std::find(std::begin(kMethods), std::end(kMethods), request.method) ==
          std::end(kMethods)) {
    violations.Add("method", Reason::kFieldMalformed,
                   absl::StrCat("is none of ", absl::StrJoin(kMethods, ", ")));
  }
  if (!request.node_address.empty()) {
    const absl::Status status = CheckNodeAddress(request.node_address);
    if (!status.ok()) {
      violations.Add("node_address", Reason::kFieldMalformed, status.message());
    } else if (context_.backends != nullptr) {
      // The service itself connects to it.
      const absl::string_view address = request.node_address;
      const std::string refused = domain::RefusedBackend(
          address.substr(0, address.rfind(':')), *context_.backends);
      if (!refused.empty()) {
        violations.Add("node_address", Reason::kFieldMalformed, refused);
      }
    }
  }
  if (!request.stage.empty() &&
      request.stage.parent() != request.route.parent()) {
    violations.Add("stage", Reason::kFieldsConflict,
                   "is a stage of another API than the route");
  }
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());

  const domain::ApiName& api = request.route.parent();
  SALLYPORT_ASSIGN_OR_RETURN(invocation.api,
                             ReadResource(*context_.store, api));
  SALLYPORT_ASSIGN_OR_RETURN(domain::Route route,
                             ReadResource(*context_.store, request.route));
  invocation.method = request.method;
  if (route.method == kAnyMethod) {
    if (invocation.method.empty()) invocation.method = "GET";
  } else if (invocation.method.empty()) {
    invocation.method = route.method;
  } else if (invocation.method != route.method) {
    violations.Add("method", Reason::kFieldsConflict,
                   absl::StrCat("is not the route's, ", route.method));
    return violations.ToStatus();
  }
  invocation.path = request.path;
  invocation.headers = request.headers;
  invocation.body = request.body;
  invocation.deployment.name = domain::DeploymentName(api, kNoStage);
  invocation.deployment.routes.push_back(std::move(route));
  return absl::OkStatus();
}

absl::Status TestInvocations::LoadBackend(const Request& request,
                                          NodeInvocation& invocation,
                                          Result& result) {
  Violations violations;
  // At `field`, when it is not there.
  const auto reference = [&](absl::string_view field,
                             const absl::Status& status) {
    const std::optional<domain::Error> error = domain::ErrorOf(status);
    if (!error.has_value() || error->reason != Reason::kResourceNotFound) {
      return status;
    }
    violations.Add(field, Reason::kReferenceNotFound, error->message);
    return violations.ToStatus();
  };
  domain::Stage& stage = invocation.stage;
  if (request.stage.empty()) {
    stage.name = domain::StageName(invocation.api.name, kNoStage);
  } else {
    auto read = ReadResource(*context_.store, request.stage);
    if (!read.ok()) return reference("stage", read.status());
    stage = *std::move(read);
  }
  stage.deployment = invocation.deployment.name;
  if (!request.client_certificate.empty()) {
    stage.client_certificate = request.client_certificate;
  }
  for (const auto& [name, value] : request.stage_variables) {
    stage.variables[name] = value;
  }
  Violations variables;
  domain::Validate(stage, variables);
  if (variables.empty()) {
    domain::ValidateDeployed(invocation.deployment, stage, context_.backends,
                             variables);
  }
  for (const domain::FieldViolation& one : variables.list()) {
    violations.Add(absl::StrCat("stage_", one.field), one.reason,
                   one.description);
  }
  SALLYPORT_RETURN_IF_ERROR(violations.ToStatus());

  const domain::Route& route = invocation.deployment.routes.front();
  if (const std::optional<std::string> text =
          domain::UriOf(route.integration)) {
    SALLYPORT_ASSIGN_OR_RETURN(const domain::IntegrationUri written,
                               domain::ParseIntegrationUri(*text));
    SALLYPORT_ASSIGN_OR_RETURN(const domain::IntegrationUri uri,
                               written.Resolve(stage.variables));
    result.backend =
        absl::StrCat(uri.tls ? "https://" : "http://", uri.authority, uri.path);
    // There is nobody to show it to without TLS.
    if (!uri.tls) stage.client_certificate = {};
  } else {
    stage.client_certificate = {};
  }
  if (!stage.client_certificate.empty()) {
    auto record = ReadRecord(*context_.store, stage.client_certificate);
    if (!record.ok()) return reference("client_certificate", record.status());
    SALLYPORT_ASSIGN_OR_RETURN(
        const domain::ClientCertificate certificate,
        store::Decode(stage.client_certificate, *record));
    SALLYPORT_ASSIGN_OR_RETURN(
        invocation.client_key_pem,
        store::OpenPrivateKey(stage.client_certificate, *record,
                              *context_.sealer));
    invocation.client_chain_pem = certificate.certificate_chain_pem;
    SALLYPORT_ASSIGN_OR_RETURN(
        const auto chain,
        domain::ReadStoredChain(certificate.certificate_chain_pem));
    result.client_certificate = stage.client_certificate;
    if (!chain.empty()) {
      result.client_certificate_subject =
          Printable(chain.front()->Subject(), 1024);
      result.client_certificate_sha256 =
          HexLower(pki::AsBytes(chain.front()->fingerprint()));
    }
  }
  const domain::BackendTls* const tls = TlsOf(route.integration);
  if (tls == nullptr || tls->truststore.empty() ||
      tls->insecure_skip_verification) {
    return absl::OkStatus();
  }
  SALLYPORT_ASSIGN_OR_RETURN(const domain::Truststore truststore,
                             ReadResource(*context_.store, tls->truststore));
  const domain::TruststoreVersionName version_name(tls->truststore,
                                                   truststore.active_version);
  SALLYPORT_ASSIGN_OR_RETURN(const domain::TruststoreVersion version,
                             ReadResource(*context_.store, version_name));
  const auto blob = context_.store->OpenBlob(store::BlobOf(version));
  if (!blob.ok()) return FromStore(blob.status());
  while (true) {
    auto piece = (*blob)->Read();
    if (!piece.ok()) return FromStore(piece.status());
    if (piece->empty()) break;
    invocation.truststore_pem.push_back(
        std::make_shared<const std::string>(*std::move(piece)));
  }
  invocation.truststore = tls->truststore;
  return absl::OkStatus();
}

absl::Status TestInvocations::ChooseNode(const Request& request,
                                         NodeInvocation& invocation) {
  // What the backend is shown is no business of other fleets' nodes. None: no
  // domain maps the API.
  SALLYPORT_ASSIGN_OR_RETURN(
      const std::vector<FleetName> serving,
      FleetsOfDomainsOf(*context_.store, invocation.api.name));
  const auto serves = [&](const FleetName& fleet) {
    return serving.empty() ||
           std::find(serving.begin(), serving.end(), fleet) != serving.end();
  };
  const std::string names = absl::StrJoin(
      serving, ", ", [](std::string* out, const FleetName& fleet) {
        absl::StrAppend(out, fleet.ToString());
      });
  Violations violations;
  if (!request.node.empty() && !serves(request.node.parent())) {
    violations.Add("node", Reason::kFieldsConflict,
                   absl::StrCat("is of a fleet that does not serve the API; ",
                                names, serving.size() == 1 ? " does" : " do"));
    return violations.ToStatus();
  }
  std::optional<domain::Node> chosen;
  std::set<FleetName> fleets;
  if (context_.rollouts != nullptr) {
    const FleetName of =
        request.node.empty() ? FleetName() : request.node.parent();
    for (const NodeView& view : context_.rollouts->Nodes(of)) {
      const domain::Node& node = view.node;
      if (!node.connected || !serves(node.name.parent())) continue;
      if (!request.node.empty() && node.name != request.node) continue;
      fleets.insert(node.name.parent());
      if (!chosen.has_value()) chosen = node;
    }
  }
  if (!chosen.has_value()) {
    return domain::MakeError(
        Reason::kNoNodeConnected,
        !request.node.empty()
            ? absl::StrCat(request.node.ToString(), " is not connected")
        : serving.empty()
            ? std::string("no node is connected that could send the request")
            : absl::StrCat("no node of ", names, " is connected"));
  }
  if (serving.empty() && fleets.size() > 1) {
    violations.Add("node", Reason::kFieldRequired,
                   "is empty, no domain maps the API, and nodes of several "
                   "fleets are connected; name the one that is to send it");
    return violations.ToStatus();
  }
  invocation.node = chosen->name;
  if (!request.node_address.empty()) {
    invocation.address = request.node_address;
    return absl::OkStatus();
  }
  domain::Fleet fleet;
  const auto got = context_.store->Get(store::KeyOf(invocation.node.parent()));
  if (!got.ok()) return FromStore(got.status());
  if (got->record.has_value()) {
    SALLYPORT_ASSIGN_OR_RETURN(
        fleet, store::Decode(invocation.node.parent(), *got->record));
  }
  const std::string host = IsUnspecified(fleet.listen_address)
                               ? HostOfPeer(chosen->address)
                               : fleet.listen_address;
  invocation.address = WithPort(host, fleet.listen_port);
  if (!CheckNodeAddress(invocation.address).ok()) {
    violations.Add(
        "node_address", Reason::kFieldRequired,
        absl::StrCat("is empty, and where ", invocation.node.ToString(),
                     " listens is not known; give ADDRESS:PORT"));
  }
  return violations.ToStatus();
}

absl::Status TestInvocations::Audit(const Caller& caller, const Write& write,
                                    const Request& request,
                                    const NodeInvocation& invocation) {
  nlohmann::json json = {
      {"method", invocation.method},
      {"path", request.path.substr(0, request.path.find('?'))},
      {"node", invocation.node.ToString()},
      {"node_address", invocation.address},
  };
  if (!request.stage.empty()) json["stage"] = request.stage.ToString();
  if (!invocation.stage.client_certificate.empty()) {
    json["client_certificate"] = invocation.stage.client_certificate.ToString();
  }
  for (const auto& [name, value] : request.stage_variables) {
    json["stage_variables"][name] = value;
  }
  domain::AuditEntry entry;
  entry.time = context_.clock->Now();
  entry.principal = caller.principal;
  entry.peer = caller.peer;
  entry.method = write.method;
  domain::AuditEntry::Change change;
  change.resource = request.route.ToString();
  change.after_json = json.dump();
  entry.changes.push_back(std::move(change));
  store::Commit commit;
  commit.puts.push_back(
      {store::AuditKey(entry.time, pki::RandomBytes(kAuditRandomBytes)),
       store::Encode(entry),
       {}});
  const absl::Status status = context_.store->Apply(commit).status();
  return status.ok() ? status : FromStore(status);
}

std::string TestFailure(const NodeInvocation& invocation,
                        const NodeAnswer& answer) {
  const std::string& why = answer.tls_failure;
  const domain::Route& route = invocation.deployment.routes.front();
  const std::string offered =
      invocation.stage.client_certificate.empty()
          ? "has no client certificate"
          : absl::StrCat("offered ",
                         invocation.stage.client_certificate.ToString());
  if (absl::StrContains(why, "TLS_error")) {
    // Names of BoringSSL's errors, as Envoy prints them.
    if (absl::StrContains(why, "CERTIFICATE_VERIFY_FAILED")) {
      return absl::StrCat(
          "TLS with the backend: the node does not trust its certificate (the "
          "route's tls.truststore, or tls.server_name): ",
          why);
    }
    if (absl::StrContains(why, "ALERT")) {
      return absl::StrCat("TLS with the backend: it refused the node, which ",
                          offered, ": ", why);
    }
    return absl::StrCat("TLS with the backend failed: ", why);
  }
  if (answer.details.empty() || answer.details == "via_upstream") return "";
  if (answer.details == "direct_response") {
    if (answer.route == route.name.ToString()) return "";
    return absl::StrCat("the request is not the route's: ", invocation.method,
                        " ", invocation.path, " does not match ", route.method,
                        " ", route.path);
  }
  if (absl::StrContains(answer.flags, "UH")) {
    return absl::StrCat("the name of the backend has no address (",
                        answer.details, ")");
  }
  if (absl::StrContains(answer.flags, "UT")) {
    return absl::StrCat("the backend did not answer in time (", answer.details,
                        ")");
  }
  // Some end the connection without an alert. By TLS 1.3 that is after the
  // handshake as the node sees it.
  const bool closed =
      absl::StrContains(answer.details, "remote_connection_failure") ||
      absl::StrContains(answer.details, "connection_termination");
  if (closed && why.empty() && IsHttps(route.integration)) {
    return absl::StrCat("the backend closed the connection (", answer.details,
                        "); it may have refused the node, which ", offered);
  }
  if (absl::StrContains(answer.flags, "UF")) {
    return absl::StrCat("the backend cannot be reached (",
                        why.empty() ? answer.details : why, ")");
  }
  return absl::StrCat("the node answered: ", answer.details);
}

std::vector<std::string> TestLog(const NodeInvocation& invocation,
                                 const TestInvocations::Result& result) {
  const NodeAnswer& answer = result.answer;
  const domain::Route& route = invocation.deployment.routes.front();
  std::vector<std::string> log;
  const auto add = [&log](const std::string& line) {
    log.push_back(Printable(line, 2048));
  };
  add(absl::StrCat("node: ", invocation.node.ToString(), " at ",
                   invocation.address));
  add(absl::StrCat("request: ", invocation.method, " ", invocation.path, ", ",
                   invocation.headers.size(), " headers, ",
                   invocation.body.size(), " bytes"));
  if (answer.status == 0) {
    add(absl::StrCat("no answer: ", answer.failure));
    return log;
  }
  if (answer.route == route.name.ToString()) {
    add(absl::StrCat("route: ", answer.route, " (", route.method, " ",
                     route.path, ")"));
  } else {
    add(absl::StrCat("route: none; ", route.method, " ", route.path,
                     " does not match"));
  }
  const bool matched = answer.route == route.name.ToString();
  if (matched && !result.backend.empty()) {
    add(absl::StrCat(
        "backend: ", result.backend,
        answer.backend.empty() ? "" : absl::StrCat(" at ", answer.backend)));
    if (result.client_certificate.empty()) {
      add("client certificate: none");
    } else {
      add(absl::StrCat(
          "client certificate: ", result.client_certificate.ToString(), ", ",
          result.client_certificate_subject, ", SHA-256 ",
          result.client_certificate_sha256));
    }
    if (!answer.tls_version.empty()) {
      add(absl::StrCat(
          "TLS: ", answer.tls_version,
          answer.tls_subject.empty()
              ? ""
              : absl::StrCat(", the backend is ", answer.tls_subject)));
    }
  }
  add(absl::StrCat(
      "answer: ", answer.status, ", ", answer.body.size(), " bytes",
      answer.body_truncated ? " and more" : "", ", ",
      absl::FormatDuration(absl::Trunc(answer.latency, absl::Microseconds(1))),
      answer.headers_truncated ? ", headers left out" : ""));
  if (!answer.failure.empty()) {
    add(absl::StrCat(
        "failure: ", answer.failure,
        answer.flags.empty() ? "" : absl::StrCat(" [", answer.flags, "]")));
  }
  return log;
}

}  // namespace sallyport::service
