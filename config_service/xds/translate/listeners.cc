// The fleet's port and the carriers.

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "config_service/domain/limits.h"
#include "config_service/xds/translate/access_log.h"
#include "config_service/xds/translate/pack.h"
#include "config_service/xds/translate/translate.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector.pb.h"
#include "envoy/extensions/matching/common_inputs/network/v3/network_inputs.pb.h"
#include "envoy/extensions/transport_sockets/tls/v3/tls.pb.h"
#include "google/protobuf/wrappers.pb.h"
#include "pki/x509/certificate.h"
#include "xds/type/matcher/v3/domain.pb.h"
#include "xds/type/matcher/v3/matcher.pb.h"

namespace sallyport::xds {
namespace {

using ::envoy::config::listener::v3::FilterChain;
using ::envoy::config::listener::v3::Listener;
using ::envoy::extensions::transport_sockets::tls::v3::DownstreamTlsContext;
using ::xds::type::matcher::v3::Matcher;

// Reading the SNI: longer than any client needs to send it.
constexpr absl::Duration kListenerFiltersTimeout = absl::Seconds(10);
constexpr uint32_t kConnectionBufferBytes = 32 << 10;

Matcher::OnMatch Choose(const std::string& chain) {
  google::protobuf::StringValue name;
  name.set_value(chain);
  Matcher::OnMatch match;
  match.mutable_action()->set_name(chain);
  *match.mutable_action()->mutable_typed_config() = Pack(name);
  return match;
}

void SetInput(::xds::core::v3::TypedExtensionConfig& input) {
  input.set_name("sni");
  *input.mutable_typed_config() =
      Pack(envoy::extensions::matching::common_inputs::network::v3::
               ServerNameInput());
}

// Chains by SNI: names first, then wildcards, the longest first. What no domain
// has finds no chain, and the connection ends.
Matcher ChainMatcher(const FleetInput& input) {
  Matcher matcher;
  ::xds::type::matcher::v3::ServerNameMatcher wildcards;
  const auto add_wildcard = [&](const std::string& domain,
                                const std::string& chain) {
    auto& one = *wildcards.add_domain_matchers();
    one.add_domains(domain);
    *one.mutable_on_match() = Choose(chain);
  };
  Matcher::MatcherTree names;
  SetInput(*names.mutable_input());
  auto& map = *names.mutable_exact_match_map()->mutable_map();
  const std::string endpoints =
      input.default_endpoints ? domain::DefaultEndpointWildcard(*input.fleet)
                              : "";
  for (const std::string& domain : input.domains) {
    // Nobody can make such a domain. With a name twice, Envoy would refuse the
    // port, and whatever changed later with it.
    if (domain == endpoints) continue;
    if (absl::StartsWith(domain, "*.")) {
      add_wildcard(domain, DomainResource(domain));
    } else {
      map[domain] = Choose(DomainResource(domain));
    }
  }
  if (input.default_endpoints) {
    add_wildcard(endpoints, kDefaultEndpoints);
  }
  Matcher rest;
  if (!wildcards.domain_matchers().empty()) {
    SetInput(*rest.mutable_matcher_tree()->mutable_input());
    auto& custom = *rest.mutable_matcher_tree()->mutable_custom_match();
    custom.set_name("server_name");
    *custom.mutable_typed_config() = Pack(wildcards);
  }
  if (map.empty()) {
    // A matcher has to match something.
    if (wildcards.domain_matchers().empty()) {
      map["invalid"] = Choose("none");
    } else {
      return rest;
    }
  }
  *matcher.mutable_matcher_tree() = std::move(names);
  if (!wildcards.domain_matchers().empty()) {
    *matcher.mutable_on_no_match()->mutable_matcher() = std::move(rest);
  }
  return matcher;
}

void AddCarried(const Carried& carried, Listener& listener,
                std::vector<ResourceKey>& references) {
  FilterChain& chain = *listener.add_filter_chains();
  chain.set_name(carried.name);
  // Something that tells the chains apart; nobody connects.
  chain.mutable_filter_chain_match()->add_application_protocols(carried.name);
  DownstreamTlsContext tls;
  auto& common = *tls.mutable_common_tls_context();
  *common.add_tls_certificate_sds_secret_configs() =
      SecretByName(carried.certificate_secret);
  references.push_back({ResourceType::kSecret, carried.certificate_secret});
  if (!carried.validation_secret.empty()) {
    *common.mutable_validation_context_sds_secret_config() =
        SecretByName(carried.validation_secret);
    references.push_back({ResourceType::kSecret, carried.validation_secret});
  }
  tls.mutable_require_client_certificate()->set_value(true);
  chain.mutable_transport_socket()->set_name("envoy.transport_sockets.tls");
  *chain.mutable_transport_socket()->mutable_typed_config() = Pack(tls);
}

}  // namespace

size_t NumCarriers(size_t num_names) {
  return std::max<size_t>(
      1, (num_names + kNamesPerCarrier - 1) / kNamesPerCarrier);
}

size_t CarrierOf(absl::string_view name, size_t count) {
  const pki::Sha256Digest digest = pki::Sha256(name);
  uint64_t hash = 0;
  for (size_t i = 0; i < sizeof(hash); ++i) hash = hash << 8 | digest[i];
  // Linear hashing: of `count` carriers the first count - level have been
  // split.
  size_t level = 1;
  while (level * 2 <= count) level *= 2;
  const size_t split = hash % (level * 2);
  return split < count ? split : split - level;
}

Translated TranslatePort(const FleetInput& input) {
  Listener listener;
  listener.set_name(std::string(kPortListener));
  auto& address = *listener.mutable_address()->mutable_socket_address();
  address.set_address(input.fleet->listen_address.empty()
                          ? "0.0.0.0"
                          : input.fleet->listen_address);
  address.set_port_value(input.fleet->listen_port);
  *listener.mutable_listener_filters_timeout() =
      ToProto(kListenerFiltersTimeout);
  listener.mutable_per_connection_buffer_limit_bytes()->set_value(
      kConnectionBufferBytes);
  auto& inspector = *listener.add_listener_filters();
  inspector.set_name("envoy.filters.listener.tls_inspector");
  *inspector.mutable_typed_config() = Pack(
      envoy::extensions::filters::listener::tls_inspector::v3::TlsInspector());
  *listener.add_access_log() = ConnectionLog();
  // Nobody is sent here, but without a chain of its own Envoy would drain the
  // whole listener whenever the matcher changes.
  listener.add_filter_chains()->set_name("none");
  *listener.mutable_filter_chain_matcher() = ChainMatcher(input);
  *listener.mutable_fcds_config()->mutable_config_source() = Ads();
  Translated translated =
      MakeTranslated(ResourceType::kListener, kPortListener, listener);
  for (const std::string& domain : input.domains) {
    translated.references.push_back(
        {ResourceType::kFilterChain, DomainResource(domain)});
  }
  if (input.default_endpoints) {
    translated.references.push_back(
        {ResourceType::kFilterChain, kDefaultEndpoints});
  }
  return translated;
}

std::string CarrierName(size_t index) {
  return absl::StrCat("carriers/", index);
}

Translated TranslateCarrier(size_t index, absl::Span<const Carried> carried) {
  Listener listener;
  std::vector<ResourceKey> references;
  listener.set_name(CarrierName(index));
  for (const Carried& one : carried) AddCarried(one, listener, references);
  listener.mutable_bind_to_port()->set_value(false);
  // Required, and used by nobody; each has its own.
  auto& address = *listener.mutable_address()->mutable_socket_address();
  address.set_address("127.0.0.1");
  address.set_port_value(static_cast<uint32_t>(1 + index % 65535));
  Translated translated =
      MakeTranslated(ResourceType::kListener, listener.name(), listener);
  translated.references = std::move(references);
  return translated;
}

std::vector<Translated> TranslateListeners(const FleetInput& input) {
  std::vector<Translated> out;
  const size_t count = NumCarriers(input.carried.size());
  std::map<size_t, std::vector<Carried>> carriers;
  for (const Carried& carried : input.carried) {
    carriers[CarrierOf(carried.name, count)].push_back(carried);
  }
  out.reserve(carriers.size() + 1);
  for (const auto& [index, carried] : carriers) {
    out.push_back(TranslateCarrier(index, carried));
  }
  out.push_back(TranslatePort(input));
  return out;
}

}  // namespace sallyport::xds
