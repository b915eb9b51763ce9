"""The servers that are compared: what each is told.

All of them are one listener with the same server certificate, TLS 1.3, one
worker, no access log and no admin interface, and differ only in how client
certificates are judged and told on. The nginx and HAProxy side is in peers.py.
"""

import dataclasses

_TYPE = "type.googleapis.com/"
_STRUCT = _TYPE + "google.protobuf.Struct"
_TLS = _TYPE + "envoy.extensions.transport_sockets.tls.v3."
_MODULE = {"name": "sallyport", "do_not_close": True, "metrics_namespace": "sallyport"}

ENVOY = "envoy"
NGINX = "nginx"
HAPROXY = "haproxy"

# What judges client certificates in an Envoy.
NOTHING = "nothing"  # none is asked for
BUILT_IN = "built-in"  # trusted_ca
PINNED = "pinned"  # verify_certificate_hash, no chain check
SALLYPORT = "sallyport"

# MutualTls.forwarding by dialect, and a header that a backend then gets.
DIALECTS = {
    "xfcc": ({"xfcc": {"cert": True, "chain": True}}, "x-forwarded-client-cert"),
    "rfc9440": ({"rfc9440": {"chain": True}}, "client-cert"),
    "alb": ({"alb": {"mode": "PASSTHROUGH"}}, "x-amzn-mtls-clientcert"),
    "ingress_nginx": ({"ingress_nginx": {"cert": True}}, "ssl-client-cert"),
    "traefik": ({"traefik": {"pem": True, "info": True}}, "x-forwarded-tls-client-cert"),
    "cloudflare": ({"cloudflare": {}}, "cf-client-cert-der-base64"),
    "api_gateway": ({"api_gateway": {}}, "x-sallyport-client-cert"),
}

NEVER_SECONDS = 3600


@dataclasses.dataclass(frozen=True)
class Gateway:
    """One server.

    judge: of an Envoy. truststore: a file in the folder of fixtures.
    chain: whose first client certificate is pinned (PINNED).
    send_names: send the names of the CAs to the client, which is the default of
    all but Sallyport.
    with_filter: Sallyport's HTTP filter. rejection: its style; "" is its default.
    dialect: a key of DIALECTS for Sallyport's filter. envoy_xfcc: Envoy's own
    XFCC with certificate and chain (SANITIZE_SET). peer_header: nginx and HAProxy
    tell the client's certificate on.
    domains: 0 for one filter chain that takes every server name, else that many
    filter chains, d0.bench.test and so on.
    floor: an HTTP filter of floor_module.cc, by its filter_name; not beside
    Sallyport's.
    proxied: requests go to the upstream; else the server answers itself.
    h2: HTTP/2 is offered. resumption: sessions can be resumed.
    own_file: the truststore is a file of the server's own that can be replaced
    (Sallyport); by_sds: its secret is one (any Envoy).
    """

    server: str = ENVOY
    judge: str = BUILT_IN
    truststore: str = ""
    chain: str = "ecdsa_2"
    send_names: bool = False
    chain_policy: str = "ANY_ANCHOR"
    with_filter: bool = False
    rejection: str = ""
    dialect: str = ""
    envoy_xfcc: bool = False
    peer_header: bool = False
    domains: int = 0
    floor: str = ""
    proxied: bool = False
    h2: bool = False
    resumption: bool = False
    own_file: bool = False
    by_sds: bool = False


@dataclasses.dataclass(frozen=True)
class Place:
    """Where a server runs. folder: of its own; both folders are absolute."""

    folder: str
    fixtures: str
    port: int
    upstream_port: int = 0


def domain_name(number):
    return "d%d.bench.test" % number


def with_truststore(gateway, truststore):
    return dataclasses.replace(gateway, truststore=truststore)


def _validation_context(gateway, place, domain):
    truststore = place.fixtures + "/" + gateway.truststore
    if gateway.own_file and not gateway.by_sds:
        truststore = place.folder + "/trust.pem"
    if gateway.judge == PINNED:
        with open(
            "%s/%s_leaf_sha256.txt" % (place.fixtures, gateway.chain), encoding="ascii"
        ) as file:
            return {"verify_certificate_hash": [file.read().strip()]}
    if gateway.judge == BUILT_IN:
        return {
            "trusted_ca": {"filename": truststore},
            "suppress_client_ca_list": not gateway.send_names,
        }
    value = {
        "domain": domain,
        "truststores": [{"name": "bench", "file": truststore}],
        "chain_policy": gateway.chain_policy,
    }
    if gateway.rejection:
        value["rejection"] = gateway.rejection
    return {
        "custom_validator_config": {
            "name": "envoy.tls.cert_validator.dynamic_modules",
            "typed_config": {
                "@type": _TYPE + "envoy.extensions.transport_sockets.tls.cert_validator."
                "dynamic_modules.v3.DynamicModuleCertValidatorConfig",
                "dynamic_module_config": _MODULE,
                "validator_name": "sallyport.truststore",
                "validator_config": {"@type": _STRUCT, "value": value},
            },
        }
    }


def _module_filter(module, name, more):
    return {
        "name": name,
        "typed_config": {
            "@type": _TYPE
            + "envoy.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilter",
            "dynamic_module_config": module,
            "filter_name": name,
            **more,
        },
    }


def _http_filters(gateway, domain):
    filters = []
    if gateway.with_filter:
        value = {"domain": domain}
        if gateway.dialect:
            value["forwarding"] = DIALECTS[gateway.dialect][0]
        if gateway.rejection:
            value["rejection"] = gateway.rejection
        more = {"filter_config": {"@type": _STRUCT, "value": value}}
        filters.append(_module_filter(_MODULE, "sallyport.mtls", more))
    elif gateway.floor:
        filters.append(_module_filter({"name": "floor", "do_not_close": True}, gateway.floor, {}))
    filters.append(
        {
            "name": "envoy.filters.http.router",
            "typed_config": {"@type": _TYPE + "envoy.extensions.filters.http.router.v3.Router"},
        }
    )
    return filters


def _filter_chain(gateway, place, domain):
    common = {
        "tls_certificates": [
            {
                "certificate_chain": {"filename": place.fixtures + "/server.pem"},
                "private_key": {"filename": place.fixtures + "/server.key"},
            }
        ],
    }
    if gateway.h2:
        common["alpn_protocols"] = ["h2"]
    if gateway.by_sds:
        common["validation_context_sds_secret_config"] = {
            "name": "trust",
            "sds_config": {
                "path_config_source": {"path": place.folder + "/sds.json"},
                "resource_api_version": "V3",
            },
        }
    elif gateway.judge != NOTHING:
        common["validation_context"] = _validation_context(gateway, place, domain)
    tls = {
        "@type": _TLS + "DownstreamTlsContext",
        "require_client_certificate": gateway.judge != NOTHING,
        "disable_stateless_session_resumption": not gateway.resumption,
        "disable_stateful_session_resumption": not gateway.resumption,
        "common_tls_context": common,
    }
    action = {"direct_response": {"status": 200, "body": {"inline_string": "ok\n"}}}
    if gateway.proxied:
        action = {"route": {"cluster": "upstream"}}
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
                    "routes": [{"match": {"prefix": "/"}, **action}],
                }
            ]
        },
    }
    if gateway.envoy_xfcc:
        manager["forward_client_cert_details"] = "SANITIZE_SET"
        manager["set_current_client_cert_details"] = {"cert": True, "chain": True}
    return {
        "transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": tls},
        "filters": [
            {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}
        ],
    }


def _address(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def bootstrap(gateway, place):
    """The whole configuration of an Envoy."""
    listener = {"name": "bench", "address": _address(place.port)}
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
            chain = _filter_chain(gateway, place, domain)
            chain["name"] = domain
            chain["filter_chain_match"] = {"server_names": [domain]}
            listener["filter_chains"].append(chain)
    else:
        listener["filter_chains"] = [_filter_chain(gateway, place, "bench.test")]
    resources = {"listeners": [listener]}
    if gateway.proxied:
        resources["clusters"] = [
            {
                "name": "upstream",
                "connect_timeout": "5s",
                "load_assignment": {
                    "cluster_name": "upstream",
                    "endpoints": [
                        {
                            "lb_endpoints": [
                                {"endpoint": {"address": _address(place.upstream_port)}}
                            ]
                        }
                    ],
                },
            }
        ]
    tree = {"static_resources": resources}
    if gateway.by_sds:
        tree["node"] = {"id": "bench", "cluster": "bench"}
    return tree


def sds_file(gateway, place):
    """The content of sds.json: the secret named "trust"."""
    return {
        "resources": [
            {
                "@type": _TLS + "Secret",
                "name": "trust",
                "validation_context": _validation_context(gateway, place, "bench.test"),
            }
        ]
    }
