// Translation: what the user asked for, as Envoy resources.
//
// Pure: no clock, no store, no I/O, and the same bytes for the same input. One
// function for each part of the state, so that a change costs what changed.
// docs/xds-layout.md explains the layout. Names of resources:
//
//   Listener    "https"                   the fleet's port
//               "carriers/N"              bound to no port: carries secrets
//   FilterChain "domains/DOMAIN"          and "default-endpoints"
//   RouteConfig "domains/DOMAIN"          and "default-endpoints"
//               "domains/ID.test-invocations.sallyport.invalid" while a test
//               invocation is under way, with secrets and a cluster of its own
//               below "test-invocations/ID/"
//   Secret      "server-certificates/ID", "server-certificates/ID/versions/N",
//               "client-certificates/ID", "carrier",
//               "truststores/ID", "truststores/ID/versions/N",
//               "revocation-lists/ID", "certificate-lists/ID",
//               "bindings/DOMAIN", "backend-trust/ID"
//   Cluster     "backends/HOST:PORT/HASH"
//   Runtime     "fleet"
//
// A private key is in a Secret and nowhere else.

#ifndef SALLYPORT_CONFIG_SERVICE_XDS_TRANSLATE_TRANSLATE_H_
#define SALLYPORT_CONFIG_SERVICE_XDS_TRANSLATE_TRANSLATE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/secret.h"
#include "config_service/domain/api.h"
#include "config_service/domain/api_mapping.h"
#include "config_service/domain/backend_policy.h"
#include "config_service/domain/domain_name.h"
#include "config_service/domain/fleet.h"
#include "config_service/domain/name.h"
#include "config_service/domain/revocation.h"
#include "config_service/domain/truststore.h"
#include "config_service/xds/cache/cache.h"

namespace sallyport::xds {

// A resource before it is wrapped for sending.
struct Translated {
  ResourceKey key;
  // The serialised message.
  std::string message;
  // What it names; all of it must be there before it is published.
  std::vector<ResourceKey> references;
};

// Why a part of the state cannot be shown: the resource of ours, and a sentence
// for the operator.
struct Problem {
  std::string resource;  // "domainNames/api.example.com"
  std::string message;
};

// The secret that clusters name for the CAs that the node's system trusts. A
// static one, in the node's bootstrap.
inline constexpr absl::string_view kSystemTrustSecret =
    "sallyport_system_trust";
// The API's limit on captured parameters in a rewritten path (RE2's \1 to \9).
inline constexpr size_t kMaxRewrittenParameters = 9;

// Secrets.

// A text in the pieces that the store has it in.
using Pieces = std::vector<std::shared_ptr<const std::string>>;

struct TruststoreContent {
  int64_t version = 0;
  pki::Sha256Digest sha256 = {};
  Pieces pem;
};
// "truststores/ID" for the active version, if there is one; the shadow and
// each of `pinned` as "truststores/ID/versions/N". `contents` has at least
// those that are there.
std::vector<Translated> TranslateTruststore(
    const domain::Truststore& truststore,
    absl::Span<const TruststoreContent> contents,
    absl::Span<const int64_t> pinned);

Translated TranslateRevocationList(const domain::RevocationList& list,
                                   const Pieces& content);
Translated TranslateCertificateList(
    const domain::CertificateListName& name,
    absl::Span<const domain::CertificateListEntry> entries);

Translated TranslateServerCertificate(const domain::ServerCertificateName& name,
                                      absl::string_view chain_pem,
                                      const Secret& private_key_pem);
// A version that a domain holds.
Translated TranslateServerCertificate(
    const domain::ServerCertificateVersionName& name,
    absl::string_view chain_pem, const Secret& private_key_pem);
Translated TranslateClientCertificate(const domain::ClientCertificateName& name,
                                      absl::string_view chain_pem,
                                      const Secret& private_key_pem);
// The certificate of carriers that no domain has one for. It is never shown to
// anybody; any will do.
Translated TranslateCarrierCertificate(absl::string_view chain_pem,
                                       const Secret& private_key_pem);
// The CAs that a backend's certificate is verified by.
Translated TranslateBackendTrust(const domain::TruststoreName& name,
                                 const Pieces& pem);

// Domains.

struct StageInput {
  const domain::Api* api = nullptr;
  const domain::Stage* stage = nullptr;
  // What the stage serves; null: nothing yet.
  const domain::Deployment* deployment = nullptr;
  // Which addresses its backends may have; null: any.
  const domain::BackendPolicy* backends = nullptr;
  // What stands before the names of its clusters and of their secrets, so that
  // they are nobody else's; "" for those that all stages share.
  std::string scope = {};
};

struct MappingInput {
  const domain::ApiMapping* mapping = nullptr;
  StageInput stage;
};

struct PinnedTruststore {
  domain::TruststoreVersionName version;
  pki::Sha256Digest sha256 = {};
};

struct DomainInput {
  const domain::DomainName* domain_name = nullptr;
  std::vector<MappingInput> mappings;  // in any order
  // Those that the domain pins.
  std::vector<PinnedTruststore> pinned;
  // Deny lists of every domain.
  std::vector<domain::CertificateListName> deny_everywhere;
  // Lists that the binding has besides those that are asked for: routes that
  // are still in force may ask for them.
  std::vector<domain::CertificateListName> kept_lists;
};

struct DomainOutput {
  // "bindings/DOMAIN" (with mutual TLS), the chain, the routes, the clusters.
  std::vector<Translated> resources;
  // If not empty, the resources are not to be used.
  std::vector<Problem> problems;
};
DomainOutput TranslateDomain(const DomainInput& input);
// The secret with the certificate that the domain shows: that of the active
// version, or of the one that is held.
std::string CertificateSecretOf(const domain::DomainName& domain_name);

// The fleet's default endpoints; nothing without a suffix.
struct DefaultEndpointsInput {
  const domain::Fleet* fleet = nullptr;
  struct Api {
    const domain::Api* api = nullptr;
    std::vector<StageInput> stages;
  };
  std::vector<Api> apis;
};
DomainOutput TranslateDefaultEndpoints(const DefaultEndpointsInput& input);

// What a fleet says that nothing is made anew for: "fleet". Envoy reads it when
// it writes a line.
Translated TranslateRuntime(const domain::Fleet& fleet);
inline constexpr absl::string_view kRuntimeLayer = "fleet";

// Carriers.

// What a carrier's chain subscribes to: a secret with a validator
// configuration, and a certificate, since a chain needs one.
struct Carried {
  // Tells it from others: "domains/api.example.com".
  std::string name;
  std::string certificate_secret;
  std::string validation_secret;  // empty: none
};

// Test invocations (docs/test-invoke.md).

// One route, on a filter chain of its own that one client alone gets in by.
struct TestInvocationInput {
  // Random: nobody can guess the chain's SNI. [a-z0-9], at most 63.
  std::string id;
  // Its deployment has one route. `scope` is left out of account.
  StageInput stage;
  // What the chain shows that client, and the certificate that the client
  // shows; both self-signed, PEM.
  std::string server_certificate_pem;
  const Secret* server_key_pem = nullptr;
  std::string client_certificate_pem;
  // Of the stage's client certificate, if it names one.
  std::string backend_chain_pem;
  const Secret* backend_key_pem = nullptr;
  // The truststore that the route names, if it names one, and what is in it.
  domain::TruststoreName backend_truststore;
  Pieces backend_trust;
};
struct TestInvocationOutput {
  // The SNI, and the Host of the request.
  std::string domain;
  // Secrets, the cluster, "domains/DOMAIN" (the chain and its routes).
  std::vector<Translated> resources;
  Carried carried;
  // If not empty, the resources are not to be used.
  std::vector<Problem> problems;
};
TestInvocationOutput TranslateTestInvocation(const TestInvocationInput& input);
// The SNI of the one with that id.
std::string TestInvocationDomain(absl::string_view id);

// Headers in which the node says how it came to its answer, on every answer of
// the tested chain's routes. Each value begins with kTestValuePrefix; what
// comes after it is empty where there is nothing to say.
inline constexpr absl::string_view kTestRouteHeader = "x-sallyport-test-route";
inline constexpr absl::string_view kTestDetailsHeader =
    "x-sallyport-test-details";
inline constexpr absl::string_view kTestFlagsHeader = "x-sallyport-test-flags";
inline constexpr absl::string_view kTestBackendHeader =
    "x-sallyport-test-backend";
inline constexpr absl::string_view kTestTlsVersionHeader =
    "x-sallyport-test-tls-version";
inline constexpr absl::string_view kTestTlsSubjectHeader =
    "x-sallyport-test-tls-subject";
inline constexpr absl::string_view kTestTlsFailureHeader =
    "x-sallyport-test-tls-failure";
inline constexpr char kTestValuePrefix = '=';

// Listeners.

struct FleetInput {
  const domain::Fleet* fleet = nullptr;
  // Domains whose chains and routes are published, in order.
  std::vector<std::string> domains;
  bool default_endpoints = false;
  // In order of names.
  std::vector<Carried> carried;
};
// "https" and the carriers.
std::vector<Translated> TranslateListeners(const FleetInput& input);
// "https" alone; of the input `carried` is not needed.
Translated TranslatePort(const FleetInput& input);
// "carriers/INDEX" alone. `carried`: in order of names, not empty.
Translated TranslateCarrier(size_t index, absl::Span<const Carried> carried);
std::string CarrierName(size_t index);
// The name of the one that is TranslatePort()'s.
inline constexpr absl::string_view kPortListener = "https";

// Which carrier has a name, of `count` carriers (at least 1): linear hashing,
// so that one carrier more moves the names of one other only.
size_t CarrierOf(absl::string_view name, size_t count);
// How many carriers there are for that many names.
size_t NumCarriers(size_t num_names);
// How many names a carrier has, about.
inline constexpr size_t kNamesPerCarrier = 64;

// For people: the message as text, with every Any opened, private keys left
// out, and the module's configurations as messages. What golden files hold.
std::string DebugText(const Translated& translated);

}  // namespace sallyport::xds

#endif  // SALLYPORT_CONFIG_SERVICE_XDS_TRANSLATE_TRANSLATE_H_
