"""Envoy configurations for tests, as dicts.

The same shape as examples/static-envoy/envoy.yaml, which explains it, with
knobs for what a test wants to be different.
"""

import base64
import dataclasses
import json
import pathlib
import typing

MODULE = "sallyport"
VALIDATOR = "sallyport.truststore"
HTTP_FILTER = "sallyport.mtls"
LISTENER = "https"

_TYPE = "type.googleapis.com/"
_STRUCT = _TYPE + "google.protobuf.Struct"
_VALIDATOR_TYPE = (
    _TYPE + "envoy.extensions.transport_sockets.tls.cert_validator.dynamic_modules.v3."
    "DynamicModuleCertValidatorConfig"
)
_FILTER_TYPE = _TYPE + "envoy.extensions.filters.http.dynamic_modules.v3.DynamicModuleFilter"
_ROUTE_TYPE = _FILTER_TYPE + "PerRoute"
_SECRET_TYPE = _TYPE + "envoy.extensions.transport_sockets.tls.v3.Secret"
_TLS_TYPE = _TYPE + "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext"
_HCM_TYPE = (
    _TYPE + "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
)
_MODULE_CONFIG = {"name": MODULE, "do_not_close": True, "metrics_namespace": "sallyport"}

# What each request leaves in the access log. Keys are ours; tests read them.
ACCESS_LOG = {
    "kind": "request",
    "domain": "%REQUESTED_SERVER_NAME%",
    "path": "%REQ(:PATH)%",
    "id": "%REQ(X-TEST-ID)%",
    "protocol": "%PROTOCOL%",
    "tls": "%DOWNSTREAM_TLS_VERSION%",
    "status": "%RESPONSE_CODE%",
    "details": "%RESPONSE_CODE_DETAILS%",
    "subject": "%DOWNSTREAM_PEER_SUBJECT%",
    "fingerprint": "%DOWNSTREAM_PEER_FINGERPRINT_256%",
    # The verdict of the request.
    "reason": (
        '%COALESCE({"operators":[{"command":"DYNAMIC_METADATA","param":"sallyport:reason"},'
        '{"command":"FILTER_STATE","param":"sallyport.reason:PLAIN"}]})%'
    ),
    "detail": "%DYNAMIC_METADATA(sallyport:detail)%",
    "authorizer": "%DYNAMIC_METADATA(sallyport.authorizer)%",
    # All of it, as an object.
    "metadata": "%DYNAMIC_METADATA(sallyport)%",
    "flags": "%RESPONSE_FLAGS%",
    "closed_by": "%CONNECTION_TERMINATION_DETAILS%",
    "bytes_sent": "%BYTES_SENT%",
    # What the handshake left: its verdict, and who the client says it is.
    "handshake_reason": "%FILTER_STATE(sallyport.reason:PLAIN)%",
    "handshake_detail": "%FILTER_STATE(sallyport.detail:PLAIN)%",
    "sallyport_subject": "%FILTER_STATE(sallyport.subject:PLAIN)%",
    "sallyport_issuer": "%FILTER_STATE(sallyport.issuer:PLAIN)%",
    "sallyport_serial": "%FILTER_STATE(sallyport.serial:PLAIN)%",
    "sallyport_fingerprint": "%FILTER_STATE(sallyport.fingerprint:PLAIN)%",
    "truststore": "%FILTER_STATE(sallyport.truststore:PLAIN)%",
}
CONNECTION_LOG = {
    "kind": "connection",
    "domain": "%REQUESTED_SERVER_NAME%",
    "client_port": "%DOWNSTREAM_REMOTE_PORT%",
    "handshake_reason": "%FILTER_STATE(sallyport.reason:PLAIN)%",
    "failure": "%DOWNSTREAM_TRANSPORT_FAILURE_REASON%",
    "flags": "%RESPONSE_FLAGS%",
    "closed_by": "%CONNECTION_TERMINATION_DETAILS%",
}


@dataclasses.dataclass
class Domain:
    """One domain: one filter chain of the listener."""

    server: object  # the Identity of the server certificate
    # The module's Truststore message: {"name", "version", "file" | "inline_pem"}.
    truststore: typing.Optional[dict] = None
    name: str = "api.example.com"
    # More fields of TruststoreValidator and of MutualTls.
    validator: dict = dataclasses.field(default_factory=dict)
    mutual_tls: dict = dataclasses.field(default_factory=dict)
    require_client_certificate: bool = True
    resumption: bool = False
    handshake_timeout: str = "10s"
    # The validator comes from this SDS file, which is written by the caller
    # with secret(); None puts it into the listener.
    sds_file: typing.Optional[pathlib.Path] = None
    # In place of the custom validator: a validation_context of Envoy's own.
    validation_context: typing.Optional[dict] = None
    with_filter: bool = True
    # More fields of DownstreamTlsContext.
    tls: dict = dataclasses.field(default_factory=dict)
    # The routes; None: all to the backend.
    routes: typing.Optional[list] = None
    # More fields of HttpConnectionManager.
    connection_manager: dict = dataclasses.field(default_factory=dict)
    # HTTP filters between the module's and the router.
    filters: list = dataclasses.field(default_factory=list)


def any_of(value, carrier="struct"):
    """A module configuration in one of the kinds of Any that Envoy passes on."""
    if carrier == "struct":
        return {"@type": _STRUCT, "value": value}
    if carrier == "string":
        return {"@type": _TYPE + "google.protobuf.StringValue", "value": json.dumps(value)}
    if carrier == "bytes":
        data = base64.b64encode(value).decode()
        return {"@type": _TYPE + "google.protobuf.BytesValue", "value": data}
    raise ValueError(carrier)


def custom_validator(config):
    """A validation context with the module's validator. config: an Any."""
    return {
        "custom_validator_config": {
            "name": "envoy.tls.cert_validator.dynamic_modules",
            "typed_config": {
                "@type": _VALIDATOR_TYPE,
                "dynamic_module_config": _MODULE_CONFIG,
                "validator_name": VALIDATOR,
                "validator_config": config,
            },
        }
    }


def validator_message(domain):
    """The TruststoreValidator of a Domain, as JSON."""
    message = {"domain": domain.name, **domain.validator}
    if domain.truststore is not None:
        message.setdefault("truststores", [domain.truststore])
    return message


def secret(domain, config=None):
    """An SDS file's content with the validator of `domain`."""
    config = config if config is not None else any_of(validator_message(domain))
    return {
        "resources": [
            {
                "@type": _SECRET_TYPE,
                "name": "client_trust",
                "validation_context": custom_validator(config),
            }
        ]
    }


def http_filter(config, name=HTTP_FILTER):
    """An HTTP filter of the module. config: an Any."""
    return {
        "name": name,
        "typed_config": {
            "@type": _FILTER_TYPE,
            "dynamic_module_config": _MODULE_CONFIG,
            "filter_name": name,
            "filter_config": config,
        },
    }


def cluster(name, port):
    """A cluster of one host of 127.0.0.1, without TLS."""
    return {
        "name": name,
        "connect_timeout": "5s",
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(port)}}]}],
        },
    }


def route(prefix="/", per_route=None, filter_name=HTTP_FILTER, **match):
    """A route to the backend. per_route: a MutualTlsRoute, or that of another
    filter, or an Any with one. match: more of RouteMatch."""
    made = {"match": {"prefix": prefix, **match}, "route": {"cluster": "backend"}}
    if per_route is not None:
        config = per_route if "@type" in per_route else any_of(per_route)
        made["typed_per_filter_config"] = {
            filter_name: {
                "@type": _ROUTE_TYPE,
                "dynamic_module_config": _MODULE_CONFIG,
                "per_route_config_name": filter_name,
                "filter_config": config,
            }
        }
    return made


def _tls(domain):
    common = {
        "alpn_protocols": ["h2", "http/1.1"],
        "tls_certificates": [
            {
                "certificate_chain": {"filename": str(domain.server.certificate)},
                "private_key": {"filename": str(domain.server.key)},
            }
        ],
    }
    if domain.validation_context is not None:
        common["validation_context"] = domain.validation_context
    elif domain.sds_file is not None:
        common["validation_context_sds_secret_config"] = {
            "name": "client_trust",
            "sds_config": {
                "path_config_source": {"path": str(domain.sds_file)},
                "resource_api_version": "V3",
            },
        }
    else:
        common["validation_context"] = custom_validator(any_of(validator_message(domain)))
    tls = {
        "@type": _TLS_TYPE,
        "common_tls_context": common,
        "require_client_certificate": domain.require_client_certificate,
        "disable_stateful_session_resumption": not domain.resumption,
        **domain.tls,
    }
    if "session_ticket_keys" not in tls:  # one or the other
        tls["disable_stateless_session_resumption"] = not domain.resumption
    return {"name": "envoy.transport_sockets.tls", "typed_config": tls}


def _log(fields):
    return {
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": _TYPE + "envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": "access.log",
            "log_format": {"json_format": fields},
        },
    }


def _filter_chain(domain):
    filters = []
    if domain.with_filter:
        filters.append(http_filter(any_of({"domain": domain.name, **domain.mutual_tls})))
    filters += domain.filters
    filters.append(
        {
            "name": "envoy.filters.http.router",
            "typed_config": {"@type": _TYPE + "envoy.extensions.filters.http.router.v3.Router"},
        }
    )
    manager = {
        "@type": _HCM_TYPE,
        "stat_prefix": "ingress",
        "access_log": [_log(ACCESS_LOG)],
        "http_protocol_options": {"enable_trailers": True},
        "forward_client_cert_details": "SANITIZE_SET",
        "set_current_client_cert_details": {
            "subject": True, "cert": True, "chain": True, "dns": True, "uri": True,
        },
        "http_filters": filters,
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "backend",
                    "domains": ["*"],
                    "routes": domain.routes or [route()],
                }
            ]
        },
        **domain.connection_manager,
    }
    return {
        "name": domain.name,
        "filter_chain_match": {"server_names": [domain.name]},
        "transport_socket_connect_timeout": domain.handshake_timeout,
        "transport_socket": _tls(domain),
        "filters": [
            {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}
        ],
    }


def gateway(domains, backend_port):
    """A listener on a free port for `domains`, in front of one backend."""
    return {
        # Envoy wants a name for itself before it reads secrets, from files too.
        "node": {"id": "test", "cluster": "test"},
        "admin": {"address": _address(0)},
        "static_resources": {
            "listeners": [
                {
                    "name": LISTENER,
                    "address": _address(0),
                    "access_log": [_log(CONNECTION_LOG)],
                    "listener_filters": [
                        {
                            "name": "envoy.filters.listener.tls_inspector",
                            "typed_config": {
                                "@type": _TYPE
                                + "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector"
                            },
                        }
                    ],
                    "filter_chains": [_filter_chain(d) for d in domains],
                }
            ],
            "clusters": [
                {
                    "name": "backend",
                    "connect_timeout": "5s",
                    "type": "STATIC",
                    "circuit_breakers": {
                        "thresholds": [
                            {
                                "max_connections": 4096,
                                "max_pending_requests": 4096,
                                "max_requests": 4096,
                            }
                        ]
                    },
                    "typed_extension_protocol_options": {
                        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                            "@type": _TYPE
                            + "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                            "explicit_http_config": {
                                "http_protocol_options": {"enable_trailers": True}
                            },
                        }
                    },
                    "load_assignment": {
                        "cluster_name": "backend",
                        "endpoints": [
                            {
                                "lb_endpoints": [
                                    {"endpoint": {"address": _address(backend_port)}}
                                ]
                            }
                        ],
                    },
                }
            ],
        },
    }


def _address(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}
