"""Which files of Envoy's API are compiled: what a control plane needs, and all that it imports.

To add one, name it under RESOURCES; the build says which others it imports.
"""

# The xDS protocol itself, and what every other file builds on.
DISCOVERY = [
    "envoy/config/core/v3/address.proto",
    "envoy/config/core/v3/backoff.proto",
    "envoy/config/core/v3/base.proto",
    "envoy/config/core/v3/extension.proto",
    "envoy/config/core/v3/http_uri.proto",
    "envoy/config/core/v3/socket_option.proto",
    "envoy/service/discovery/v3/ads.proto",
    "envoy/service/discovery/v3/discovery.proto",
    "envoy/type/v3/percent.proto",
    "envoy/type/v3/semantic_version.proto",
    "xds/core/v3/context_params.proto",
]

# What ClientStatusDiscoveryService imports; the service is in csds/.
STATUS = [
    "envoy/admin/v3/config_dump_shared.proto",
    "envoy/type/matcher/v3/node.proto",
    "envoy/type/matcher/v3/number.proto",
    "envoy/type/matcher/v3/regex.proto",
    "envoy/type/matcher/v3/string.proto",
    "envoy/type/matcher/v3/struct.proto",
    "envoy/type/matcher/v3/value.proto",
    "envoy/type/v3/range.proto",
    "xds/core/v3/extension.proto",
]

# The resources.
RESOURCES = [
    "envoy/config/accesslog/v3/accesslog.proto",
    "envoy/config/cluster/v3/circuit_breaker.proto",
    "envoy/config/cluster/v3/cluster.proto",
    "envoy/config/cluster/v3/filter.proto",
    "envoy/config/cluster/v3/outlier_detection.proto",
    "envoy/config/common/matcher/v3/matcher.proto",
    "envoy/config/common/mutation_rules/v3/mutation_rules.proto",
    "envoy/config/core/v3/config_source.proto",
    "envoy/config/core/v3/event_service_config.proto",
    "envoy/config/core/v3/grpc_service.proto",
    "envoy/config/core/v3/health_check.proto",
    "envoy/config/core/v3/protocol.proto",
    "envoy/config/core/v3/proxy_protocol.proto",
    "envoy/config/core/v3/resolver.proto",
    "envoy/config/core/v3/socket_cmsg_headers.proto",
    "envoy/config/core/v3/substitution_format_string.proto",
    "envoy/config/core/v3/udp_socket_config.proto",
    "envoy/config/endpoint/v3/endpoint.proto",
    "envoy/config/endpoint/v3/endpoint_components.proto",
    "envoy/config/listener/v3/api_listener.proto",
    "envoy/config/listener/v3/listener.proto",
    "envoy/config/listener/v3/listener_components.proto",
    "envoy/config/listener/v3/quic_config.proto",
    "envoy/config/listener/v3/udp_listener_config.proto",
    "envoy/config/metrics/v3/stats.proto",
    "envoy/config/route/v3/route.proto",
    "envoy/config/route/v3/route_components.proto",
    "envoy/config/route/v3/scoped_route.proto",
    "envoy/config/trace/v3/http_tracer.proto",
    "envoy/data/accesslog/v3/accesslog.proto",
    "envoy/extensions/dynamic_modules/v3/dynamic_modules.proto",
    "envoy/extensions/filters/http/dynamic_modules/v3/dynamic_modules.proto",
    "envoy/extensions/filters/http/router/v3/router.proto",
    "envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector.proto",
    "envoy/extensions/filters/network/direct_response/v3/config.proto",
    "envoy/extensions/filters/network/dynamic_modules/v3/dynamic_modules.proto",
    "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.proto",
    "envoy/extensions/matching/common_inputs/network/v3/network_inputs.proto",
    "envoy/extensions/transport_sockets/tls/cert_validator/dynamic_modules/v3/dynamic_modules.proto",
    "envoy/extensions/transport_sockets/tls/v3/common.proto",
    "envoy/extensions/transport_sockets/tls/v3/secret.proto",
    "envoy/extensions/transport_sockets/tls/v3/tls.proto",
    "envoy/extensions/upstreams/http/v3/http_protocol_options.proto",
    "envoy/type/http/v3/path_transformation.proto",
    "envoy/type/matcher/v3/address.proto",
    "envoy/type/matcher/v3/filter_state.proto",
    "envoy/type/matcher/v3/metadata.proto",
    "envoy/type/metadata/v3/metadata.proto",
    "envoy/type/tracing/v3/custom_tag.proto",
    "envoy/type/v3/http.proto",
    "envoy/type/v3/ratelimit_unit.proto",
    "xds/core/v3/authority.proto",
    "xds/core/v3/cidr.proto",
    "xds/core/v3/collection_entry.proto",
    "xds/core/v3/resource_locator.proto",
    "xds/type/matcher/v3/domain.proto",
    "xds/type/matcher/v3/matcher.proto",
    "xds/type/matcher/v3/regex.proto",
    "xds/type/matcher/v3/string.proto",
]

# Extensions that nothing else needs; a library of their own.
EXTENSIONS = [
    "envoy/extensions/access_loggers/stream/v3/stream.proto",
    "envoy/extensions/http/early_header_mutation/header_mutation/v3/header_mutation.proto",
    "envoy/service/runtime/v3/rtds.proto",
]
