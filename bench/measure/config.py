"""The Envoy configurations that are compared, as dicts.

All of them are one listener with the same connection manager, no access log, no
admin interface and a direct response, and differ only in how client
certificates are judged.
"""

import dataclasses
import typing

_TYPE = "type.googleapis.com/"
_STRUCT = _TYPE + "google.protobuf.Struct"
_MODULE = {"name": "sallyport", "do_not_close": True, "metrics_namespace": "sallyport"}

# What judges client certificates.
NOTHING = "nothing"  # none is asked for
BUILT_IN = "built-in"  # trusted_ca
PINNED = "pinned"  # verify_certificate_hash, no chain check
SALLYPORT = "sallyport"


@dataclasses.dataclass(frozen=True)
class Gateway:
    """One configuration.

    truststore: the PEM file. leaf_sha256: hex, for PINNED.
    send_names: let the built-in validator send the names of its CAs to the
    client, which is Envoy's default. forwarding: XFCC with certificate and chain,
    by Envoy itself and, where it is there, by our filter too.
    domains: 0 for one filter chain that takes every server name, else that many
    filter chains, d0.bench.test and so on.
    """

    validator: str
    truststore: str = ""
    leaf_sha256: str = ""
    send_names: bool = False
    chain_policy: str = "ANY_ANCHOR"
    with_filter: bool = False
    forwarding: bool = False
    domains: int = 0


def _validation_context(gateway, domain):
    if gateway.validator == PINNED:
        return {"verify_certificate_hash": [gateway.leaf_sha256]}
    if gateway.validator == BUILT_IN:
        return {
            "trusted_ca": {"filename": gateway.truststore},
            "suppress_client_ca_list": not gateway.send_names,
        }
    return {
        "custom_validator_config": {
            "name": "envoy.tls.cert_validator.dynamic_modules",
            "typed_config": {
                "@type": _TYPE + "envoy.extensions.transport_sockets.tls.cert_validator."
                "dynamic_modules.v3.DynamicModuleCertValidatorConfig",
                "dynamic_module_config": _MODULE,
                "validator_name": "sallyport.truststore",
                "validator_config": {
                    "@type": _STRUCT,
                    "value": {
                        "domain": domain,
                        "truststores": [{"name": "bench", "file": gateway.truststore}],
                        "chain_policy": gateway.chain_policy,
                    },
                },
            },
        }
    }


def _http_filters(gateway, domain):
    filters = []
    if gateway.with_filter:
        value = {"domain": domain}
        if gateway.forwarding:
            value["forwarding"] = {"xfcc": {"cert": True, "chain": True}}
        filters.append(
            {
                "name": "sallyport.mtls",
                "typed_config": {
                    "@type": _TYPE
                    + "envoy.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilter",
                    "dynamic_module_config": _MODULE,
                    "filter_name": "sallyport.mtls",
                    "filter_config": {"@type": _STRUCT, "value": value},
                },
            }
        )
    filters.append(
        {
            "name": "envoy.filters.http.router",
            "typed_config": {"@type": _TYPE + "envoy.extensions.filters.http.router.v3.Router"},
        }
    )
    return filters


def _filter_chain(gateway, folder, domain):
    tls = {
        "@type": _TYPE + "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        "require_client_certificate": gateway.validator != NOTHING,
        "disable_stateless_session_resumption": True,
        "disable_stateful_session_resumption": True,
        "common_tls_context": {
            "tls_certificates": [
                {
                    "certificate_chain": {"filename": folder + "/server.pem"},
                    "private_key": {"filename": folder + "/server.key"},
                }
            ],
        },
    }
    if gateway.validator != NOTHING:
        tls["common_tls_context"]["validation_context"] = _validation_context(gateway, domain)
    manager = {
        "@type": _TYPE
        + "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "http_filters": _http_filters(gateway, domain),
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [
                        {
                            "match": {"prefix": "/"},
                            "direct_response": {"status": 200, "body": {"inline_string": "ok\n"}},
                        }
                    ],
                }
            ]
        },
    }
    if gateway.forwarding:
        manager["forward_client_cert_details"] = "SANITIZE_SET"
        manager["set_current_client_cert_details"] = {"cert": True, "chain": True}
    return {
        "transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": tls},
        "filters": [
            {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}
        ],
    }


def domain_name(number):
    return "d%d.bench.test" % number


def bootstrap(gateway, folder, port):
    """The whole configuration. folder: the fixtures; absolute."""
    listener = {
        "name": "bench",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
    }
    if gateway.domains:
        listener["listener_filters"] = [
            {
                "name": "envoy.filters.listener.tls_inspector",
                "typed_config": {
                    "@type": _TYPE
                    + "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector"
                },
            }
        ]
        listener["filter_chains"] = []
        for number in range(gateway.domains):
            domain = domain_name(number)
            chain = _filter_chain(gateway, folder, domain)
            chain["name"] = domain
            chain["filter_chain_match"] = {"server_names": [domain]}
            listener["filter_chains"].append(chain)
    else:
        listener["filter_chains"] = [_filter_chain(gateway, folder, "bench.test")]
    return {"static_resources": {"listeners": [listener]}}
