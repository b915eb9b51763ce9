// What one domain is: its binding, its filter chain, its routes.

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "config_service/filter_messages/to_filter.h"
#include "config_service/xds/translate/chains.h"
#include "config_service/xds/translate/pack.h"
#include "config_service/xds/translate/routes.h"
#include "config_service/xds/translate/translate.h"
#include "envoy/config/route/v3/route.pb.h"

namespace sallyport::xds {
namespace {

// The routes of one API's default endpoint, all stages. They share one resource
// with those of all other APIs.
constexpr size_t kMaxDefaultEndpointBytes = size_t{4} << 20;

namespace v1 = ::sallyport::filter::v1;
using ::envoy::config::route::v3::RouteConfiguration;
using ::envoy::config::route::v3::VirtualHost;
using filter_messages::ToFilter;

void AddLists(const std::vector<domain::CertificateListName>& lists,
              std::set<std::string>& out) {
  for (const auto& list : lists) out.insert(list.id());
}

Translated TranslateBinding(const DomainInput& input,
                            std::vector<Problem>& problems) {
  const domain::DomainName& domain_name = *input.domain_name;
  const domain::MutualTls& mutual_tls = *domain_name.mutual_tls;
  v1::RegistryEntry entry;
  v1::DomainBinding& binding = *entry.mutable_binding();
  std::vector<ResourceKey> references;
  binding.set_domain(domain_name.domain());
  for (const domain::TruststoreBinding& one : mutual_tls.truststores) {
    v1::TruststoreReference& reference = *binding.add_truststores();
    reference.set_name(one.truststore.id());
    if (one.extended_key_usage.has_value()) {
      reference.set_extended_key_usage(ToFilter(*one.extended_key_usage));
    }
    if (one.version.empty()) {
      references.push_back(
          {ResourceType::kSecret, TruststoreSecret(one.truststore)});
      continue;
    }
    const auto pinned = std::find_if(
        input.pinned.begin(), input.pinned.end(),
        [&](const PinnedTruststore& p) { return p.version == one.version; });
    if (pinned == input.pinned.end()) {
      problems.push_back(
          {domain_name.name.ToString(),
           absl::StrCat(one.version.ToString(), " is not there")});
      continue;
    }
    reference.set_version(absl::StrCat(one.version.number()));
    reference.set_sha256(std::string(pki::AsBytes(pinned->sha256)));
    references.push_back(
        {ResourceType::kSecret, TruststoreSecret(one.version)});
  }
  *binding.mutable_limits() = ToFilter(mutual_tls.limits);
  if (binding.limits().ByteSizeLong() == 0) binding.clear_limits();
  std::set<std::string> denied;
  AddLists(mutual_tls.deny_lists, denied);
  AddLists(input.deny_everywhere, denied);
  for (const std::string& list : denied) binding.add_deny_lists(list);
  std::set<std::string> lists;
  AddLists(mutual_tls.allow_lists, lists);
  AddLists(input.kept_lists, lists);
  for (const MappingInput& mapping : input.mappings) {
    AddLists(mapping.mapping->allow_lists, lists);
  }
  for (const std::string& list : lists) binding.add_certificate_lists(list);
  denied.insert(lists.begin(), lists.end());
  for (const std::string& list : denied) {
    references.push_back(
        {ResourceType::kSecret,
         CertificateListSecret(domain::CertificateListName(list))});
  }
  Translated translated =
      TranslateEntry(BindingSecret(domain_name.domain()), entry);
  translated.references = std::move(references);
  return translated;
}

// The rules of `allow` and `lists` added to `all`.
void Require(const std::optional<domain::ClientRule>& allow,
             const std::vector<domain::CertificateListName>& lists,
             std::vector<v1::ClientRule>& all) {
  if (allow.has_value()) all.push_back(ToFilter(*allow));
  if (lists.empty()) return;
  v1::ClientRule rule;
  for (const auto& list : lists) {
    rule.mutable_certificate_list()->add_names(list.id());
  }
  all.push_back(std::move(rule));
}

// What all routes of the domain, and of `mapping` if it is not null, ask of
// clients and tell backends. They are with the routes, since a change of the
// chain would close its connections.
v1::MutualTlsRoute RulesOf(const domain::DomainName& domain_name,
                           const domain::ApiMapping* mapping) {
  v1::MutualTlsRoute rules;
  std::vector<v1::ClientRule> all;
  if (domain_name.mutual_tls.has_value()) {
    Require(domain_name.mutual_tls->allow, domain_name.mutual_tls->allow_lists,
            all);
  }
  const domain::Forwarding* forwarding = &domain_name.forwarding;
  if (mapping != nullptr) {
    Require(mapping->allow, mapping->allow_lists, all);
    if (mapping->client_certificate.has_value()) {
      rules.set_client_certificate(ToFilter(*mapping->client_certificate));
    }
    if (mapping->forwarding.has_value()) forwarding = &*mapping->forwarding;
  }
  if (all.size() == 1) {
    *rules.mutable_allow() = std::move(all.front());
  } else if (!all.empty()) {
    for (v1::ClientRule& rule : all) {
      *rules.mutable_allow()->mutable_all()->add_rules() = std::move(rule);
    }
  }
  *rules.mutable_forwarding() = ToFilter(*forwarding);
  if (forwarding != &domain_name.forwarding) {
    // Those of both count (MutualTlsRoute.forwarding), and the filter itself
    // has none.
    const std::vector<std::string>& own = forwarding->remove_headers;
    for (const std::string& name : domain_name.forwarding.remove_headers) {
      if (std::find(own.begin(), own.end(), name) != own.end()) continue;
      rules.mutable_forwarding()->add_remove_headers(name);
    }
  }
  return rules;
}

bool HasRulesOfItsOwn(const domain::ApiMapping& mapping) {
  return mapping.allow.has_value() || !mapping.allow_lists.empty() ||
         mapping.client_certificate.has_value() ||
         mapping.forwarding.has_value();
}

Translated TranslateRoutes(const DomainInput& input, Clusters& clusters,
                           std::vector<Problem>& problems) {
  const domain::DomainName& domain_name = *input.domain_name;
  RouteConfiguration config;
  config.set_name(DomainResource(domain_name.domain()));
  VirtualHost& host = *config.add_virtual_hosts();
  host.set_name(domain_name.domain());
  host.add_domains("*");  // the module has compared the Host
  const bool mutual_tls = domain_name.mutual_tls.has_value();
  if (mutual_tls) {
    (*host.mutable_typed_per_filter_config())[kHttpFilter] =
        RouteRules(RulesOf(domain_name, nullptr));
  }
  std::vector<const MappingInput*> mappings;
  for (const MappingInput& mapping : input.mappings) {
    mappings.push_back(&mapping);
  }
  // The longest base path first; each ends with a route for all that is left
  // of it.
  std::sort(mappings.begin(), mappings.end(),
            [](const MappingInput* a, const MappingInput* b) {
              const std::string& one = a->mapping->base_path;
              const std::string& two = b->mapping->base_path;
              return one.size() != two.size() ? one.size() > two.size()
                                              : one < two;
            });
  bool root = false;
  for (const MappingInput* input_mapping : mappings) {
    const domain::ApiMapping& mapping = *input_mapping->mapping;
    std::optional<v1::MutualTlsRoute> rules;
    if (mutual_tls && HasRulesOfItsOwn(mapping)) {
      rules = RulesOf(domain_name, &mapping);
    }
    AddStageRoutes(input_mapping->stage, mapping.base_path, rules, host,
                   clusters, problems);
    root = root || mapping.base_path.empty();
  }
  if (!root) *host.add_routes() = DenyBelow("", Denial::kForbidden);
  Translated translated =
      MakeTranslated(ResourceType::kRouteConfiguration, config.name(), config);
  for (const auto& [name, cluster] : clusters) {
    translated.references.push_back(cluster.key);
  }
  return translated;
}

// Whether every request needs a certificate, so that TLS can ask for it.
bool RequiresCertificate(const DomainInput& input) {
  const domain::MutualTls& mutual_tls = *input.domain_name->mutual_tls;
  if (mutual_tls.client_certificate == domain::ClientRequirement::kOptional) {
    return false;
  }
  for (const domain::PathRule& path : mutual_tls.paths) {
    if (path.client_certificate == domain::ClientRequirement::kOptional) {
      return false;
    }
  }
  return std::none_of(input.mappings.begin(), input.mappings.end(),
                      [](const MappingInput& mapping) {
                        return mapping.mapping->client_certificate ==
                               domain::ClientRequirement::kOptional;
                      });
}

v1::MutualTls FilterOf(const domain::DomainName& domain_name) {
  v1::MutualTls filter;
  filter.set_domain(domain_name.domain());
  if (!domain_name.mutual_tls.has_value()) {
    filter.set_client_certificate(v1::NOT_ASKED);
    for (const std::string& name : domain_name.forwarding.remove_headers) {
      filter.mutable_forwarding()->add_remove_headers(name);
    }
    return filter;
  }
  const domain::MutualTls& mutual_tls = *domain_name.mutual_tls;
  filter.set_client_certificate(ToFilter(mutual_tls.client_certificate));
  filter.set_rejection(ToFilter(mutual_tls.rejection));
  if (mutual_tls.bad_request.has_value()) {
    *filter.mutable_bad_request() = ToFilter(*mutual_tls.bad_request);
  }
  for (const domain::PathRule& path : mutual_tls.paths) {
    *filter.add_paths() = ToFilter(path);
  }
  if (mutual_tls.end_streams_after.has_value()) {
    *filter.mutable_end_streams_after() =
        ToProto(*mutual_tls.end_streams_after);
  }
  filter.set_strict_handshake(mutual_tls.strict_handshake);
  return filter;
}

void Append(Clusters&& clusters, std::vector<Translated>& out) {
  for (auto& [name, cluster] : clusters) out.push_back(std::move(cluster));
}

}  // namespace

std::string CertificateSecretOf(const domain::DomainName& domain_name) {
  const domain::ServerCertificateName& name = domain_name.server_certificate;
  return domain_name.held_certificate_version == 0
             ? ServerCertificateSecret(name)
             : ServerCertificateSecret(domain::ServerCertificateVersionName(
                   name, domain_name.held_certificate_version));
}

DomainOutput TranslateDomain(const DomainInput& input) {
  const domain::DomainName& domain_name = *input.domain_name;
  DomainOutput output;
  Clusters clusters;
  Translated routes = TranslateRoutes(input, clusters, output.problems);
  Append(std::move(clusters), output.resources);
  ChainSpec spec;
  spec.name = DomainResource(domain_name.domain());
  spec.domain = domain_name.domain();
  spec.certificate_secret = CertificateSecretOf(domain_name);
  spec.security_policy = domain_name.security_policy;
  if (domain_name.mutual_tls.has_value()) {
    output.resources.push_back(TranslateBinding(input, output.problems));
    spec.mutual_tls = &*domain_name.mutual_tls;
    spec.require_certificate = RequiresCertificate(input);
  }
  spec.filter = FilterOf(domain_name);
  output.resources.push_back(TranslateChain(spec));
  output.resources.push_back(std::move(routes));
  return output;
}

DomainOutput TranslateDefaultEndpoints(const DefaultEndpointsInput& input) {
  DomainOutput output;
  if (input.fleet->default_endpoint_suffix.empty()) return output;
  RouteConfiguration config;
  config.set_name(kDefaultEndpoints);
  Clusters clusters;
  for (const DefaultEndpointsInput::Api& api : input.apis) {
    const std::string name =
        domain::DefaultEndpointHost(*input.fleet, api.api->name);
    VirtualHost& host = *config.add_virtual_hosts();
    host.set_name(name);
    host.add_domains(name);
    host.add_domains(absl::StrCat(name, ":*"));
    if (!api.api->disable_default_endpoint) {
      std::vector<const StageInput*> stages;
      for (const StageInput& stage : api.stages) stages.push_back(&stage);
      std::sort(stages.begin(), stages.end(),
                [](const StageInput* a, const StageInput* b) {
                  return a->stage->name < b->stage->name;
                });
      for (const StageInput* stage : stages) {
        AddStageRoutes(*stage, stage->stage->name.id(), std::nullopt, host,
                       clusters, output.problems);
        if (host.ByteSizeLong() <= kMaxDefaultEndpointBytes) continue;
        output.problems.push_back(
            {api.api->name.ToString(),
             absl::StrCat("the routes of its stages are more than ",
                          kMaxDefaultEndpointBytes,
                          " bytes, too much for a default endpoint: serve it "
                          "by a domain, or make it smaller")});
        host.clear_routes();
        break;
      }
    }
    *host.add_routes() = DenyBelow("", Denial::kForbidden);
  }
  VirtualHost& others = *config.add_virtual_hosts();
  others.set_name("others");
  others.add_domains("*");
  *others.add_routes() = DenyBelow("", Denial::kForbidden);

  Translated routes =
      MakeTranslated(ResourceType::kRouteConfiguration, config.name(), config);
  for (const auto& [name, cluster] : clusters) {
    routes.references.push_back(cluster.key);
  }
  Append(std::move(clusters), output.resources);
  ChainSpec spec;
  spec.name = kDefaultEndpoints;
  spec.domain = domain::DefaultEndpointWildcard(*input.fleet);
  spec.certificate_secret =
      ServerCertificateSecret(input.fleet->default_endpoint_certificate);
  spec.filter.set_domain(spec.domain);
  spec.filter.set_client_certificate(v1::NOT_ASKED);
  output.resources.push_back(TranslateChain(spec));
  output.resources.push_back(std::move(routes));
  return output;
}

}  // namespace sallyport::xds
