#include "config_service/test_invoke/test_invoker.h"

#include <algorithm>
#include <memory>
#include <optional>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "base/secret.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "config_service/domain/violations.h"
#include "config_service/test_invoke/node_call.h"
#include "config_service/xds/server/stream.h"
#include "config_service/xds/translate/translate.h"
#include "pki/crypto/crypto.h"
#include "pki/keys/issue.h"
#include "pki/keys/private_key.h"
#include "pki/x509/certificate.h"
#include "pki/x509/pem.h"

namespace sallyport::test_invoke {
namespace {

using domain::Reason;
using reconcile::FleetChange;
using service::HttpHeader;
using service::NodeAnswer;
using xds::ResourceKey;

constexpr size_t kIdBytes = 16;
constexpr absl::Duration kLookAgain = absl::Milliseconds(20);
// A TLS handshake with the node.
constexpr absl::Duration kConnectTimeout = absl::Seconds(5);

// A key with a certificate of its own.
struct Pair {
  std::string certificate_pem;
  Secret key_pem;
  std::string spki_sha256_base64;
};

absl::StatusOr<Pair> MakePair(pki::NewCertificate certificate, absl::Time now) {
  const std::unique_ptr<const pki::PrivateKey> key =
      pki::PrivateKey::Generate(pki::PrivateKey::Kind::kEcP256);
  certificate.not_before = now - kCertificateMargin;
  certificate.not_after = now + kCertificateMargin;
  SALLYPORT_ASSIGN_OR_RETURN(
      const std::string der,
      pki::Issue(certificate, key->spki_der(), *key, nullptr));
  Pair pair;
  pair.certificate_pem = pki::WritePem("CERTIFICATE", der);
  pair.key_pem = key->Pem();
  pair.spki_sha256_base64 =
      absl::Base64Escape(pki::AsBytes(pki::Sha256(key->spki_der())));
  return pair;
}

// Empty when the node has nothing to say.
std::string ValueOf(absl::string_view value) {
  if (!value.empty() && value[0] == xds::kTestValuePrefix) {
    value.remove_prefix(1);
  }
  return value == "-" ? "" : Printable(value, 1024);
}

// Takes what the node says of itself out of the headers.
void ReadNodeHeaders(NodeAnswer& answer) {
  const std::pair<absl::string_view, std::string*> kinds[] = {
      {xds::kTestRouteHeader, &answer.route},
      {xds::kTestDetailsHeader, &answer.details},
      {xds::kTestFlagsHeader, &answer.flags},
      {xds::kTestBackendHeader, &answer.backend},
      {xds::kTestTlsVersionHeader, &answer.tls_version},
      {xds::kTestTlsSubjectHeader, &answer.tls_subject},
      {xds::kTestTlsFailureHeader, &answer.tls_failure},
  };
  std::vector<HttpHeader> others;
  for (HttpHeader& header : answer.headers) {
    const auto* const kind =
        std::find_if(std::begin(kinds), std::end(kinds),
                     [&](const auto& one) { return one.first == header.name; });
    if (kind == std::end(kinds)) {
      others.push_back(std::move(header));
    } else {
      *kind->second = ValueOf(header.value);
    }
  }
  answer.headers = std::move(others);
}

}  // namespace

std::string TestInvoker::WaitForNode(
    const domain::NodeName& node, const std::vector<ResourceKey>& keys,
    absl::Time deadline, const service::Cancelled& cancelled) const {
  while (true) {
    bool connected = false;
    const ResourceKey* missing = nullptr;
    const ResourceKey* refused = nullptr;
    ledger_->ForEachConnection([&](const std::string& fleet,
                                   const std::string& name,
                                   const xds::NodeConnection& connection) {
      if (fleet != node.parent().id() || name != node.id()) return true;
      connected = true;
      missing = nullptr;
      connection.WithStream([&](const xds::Stream& stream) {
        for (const ResourceKey& key : keys) {
          if (stream.Refuses(key)) refused = &key;
          if (!stream.Has(key)) missing = &key;
        }
      });
      return true;
    });
    if (!connected) return "the node is not connected any more";
    if (refused != nullptr) {
      std::string why;
      const auto status = ledger_->Node(node.parent().id(), node.id());
      if (status.has_value()) {
        for (const xds::Refusal& refusal : status->refusals) {
          if (refusal.resource == *refused) why = refusal.reason;
        }
      }
      return absl::StrCat("the node refuses ", refused->name, ": ",
                          why.empty() ? "it does not say why" : why);
    }
    if (missing == nullptr) return "";
    if (cancelled()) return "the call was given up";
    if (clock_->Now() >= deadline) {
      return absl::StrCat("the node has not taken up ", missing->name,
                          " in time");
    }
    absl::SleepFor(kLookAgain);
  }
}

absl::StatusOr<NodeAnswer> TestInvoker::Invoke(
    const service::NodeInvocation& invocation, absl::Time deadline,
    const service::Cancelled& cancelled) {
  const absl::Time now = clock_->Now();
  xds::TestInvocationInput input;
  input.id = absl::StrCat("t", HexLower(pki::RandomBytes(kIdBytes)));
  pki::NewCertificate server;
  server.subject = {{"CN", "test-invoke"}};
  server.server_auth = true;
  server.dns_names = {xds::TestInvocationDomain(input.id)};
  SALLYPORT_ASSIGN_OR_RETURN(const Pair server_pair,
                             MakePair(std::move(server), now));
  pki::NewCertificate client;
  client.subject = {{"CN", "test-invoke"}};
  client.client_auth = true;
  SALLYPORT_ASSIGN_OR_RETURN(const Pair client_pair,
                             MakePair(std::move(client), now));

  input.stage.api = &invocation.api;
  input.stage.stage = &invocation.stage;
  input.stage.deployment = &invocation.deployment;
  input.stage.backends = invocation.backends;
  input.server_certificate_pem = server_pair.certificate_pem;
  input.server_key_pem = &server_pair.key_pem;
  input.client_certificate_pem = client_pair.certificate_pem;
  if (!invocation.stage.client_certificate.empty()) {
    input.backend_chain_pem = invocation.client_chain_pem;
    input.backend_key_pem = &invocation.client_key_pem;
  }
  input.backend_truststore = invocation.truststore;
  input.backend_trust = invocation.truststore_pem;
  xds::TestInvocationOutput output = xds::TranslateTestInvocation(input);
  if (!output.problems.empty()) {
    return domain::MakeError(Reason::kNotSupported,
                             output.problems.front().message,
                             {{"missing", "what the route asks for"}});
  }

  FleetChange add;
  FleetChange remove;
  std::vector<ResourceKey> keys;
  for (xds::Translated& translated : output.resources) {
    SALLYPORT_ASSIGN_OR_RETURN(
        xds::ResourcePtr resource,
        xds::Resource::Make(translated.key.type, translated.key.name,
                            translated.message));
    WipeString(translated.message);
    keys.push_back(translated.key);
    remove.remove.insert(translated.key);
    FleetChange::Put& put = add.put[translated.key];
    put.resource = std::move(resource);
    put.references = std::move(translated.references);
  }
  add.domains[output.domain] = true;
  remove.domains[output.domain] = false;
  add.carried[output.carried.name] = output.carried;
  remove.carried[output.carried.name] = std::nullopt;

  const std::string& fleet = invocation.node.parent().id();
  if (!publish_(fleet, std::move(add))) {
    return domain::MakeError(
        Reason::kNoNodeConnected,
        absl::StrCat(invocation.node.parent().ToString(), " is not there"));
  }
  const absl::Cleanup end = [&] { publish_(fleet, std::move(remove)); };

  NodeAnswer nothing;
  nothing.failure =
      WaitForNode(invocation.node, keys,
                  std::min(deadline, clock_->Now() + kNodeWait), cancelled);
  if (!nothing.failure.empty()) return nothing;

  NodeCall call;
  call.address = invocation.address;
  call.domain = output.domain;
  call.node_certificate_pem = server_pair.certificate_pem;
  call.node_key_sha256_base64 = server_pair.spki_sha256_base64;
  call.client_certificate_pem = client_pair.certificate_pem;
  call.client_key_pem = &client_pair.key_pem;
  call.request = &invocation;
  call.cancelled = cancelled;
  const absl::Time dial_until = std::min(deadline, clock_->Now() + kDialTime);
  absl::Duration pause = kLookAgain;
  while (true) {
    call.timeout = deadline - clock_->Now();
    call.connect_timeout = std::min(kConnectTimeout, call.timeout);
    NodeCallResult result = CallNode(call);
    if (result.sent) ReadNodeHeaders(result.answer);
    // In neither case anything has gone to a backend.
    const bool again = (!result.sent && !result.another_node) ||
                       absl::StrContains(result.answer.flags, "NC");
    if (again && !cancelled() && clock_->Now() + pause < dial_until) {
      absl::SleepFor(pause);
      // What listens there need not be a node.
      pause = std::min(2 * pause, kMaxDialPause);
      continue;
    }
    if (!result.sent) {
      nothing.failure =
          absl::StrCat("no connection with the node at ", invocation.address,
                       ": ", result.answer.failure);
      return nothing;
    }
    return std::move(result.answer);
  }
}

}  // namespace sallyport::test_invoke
