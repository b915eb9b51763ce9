"""TCP domains for tests: Envoy configurations, a backend, a PROXY protocol reader.

The reader is written from the protocol's text (haproxy's proxy-protocol.txt, 2.2)
and shares nothing with the module's encoder.
"""

import dataclasses
import ipaddress
import json
import socket
import ssl
import struct
import threading
import typing

from harness import config

NETWORK_FILTER = "sallyport.mtls_tcp"
LISTENER = "tcp"

_TYPE = config._TYPE  # pylint: disable=protected-access
_FILTER_TYPE = (
    _TYPE + "envoy.extensions.filters.network.dynamic_modules.v3.DynamicModuleNetworkFilter"
)
_PROXY_TYPE = _TYPE + "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"

# What each connection leaves in the access log.
ACCESS_LOG = {
    "kind": "tcp",
    "domain": "%REQUESTED_SERVER_NAME%",
    "client_port": "%DOWNSTREAM_REMOTE_PORT%",
    "ended_by": "%CONNECTION_TERMINATION_DETAILS%",
    "upstream": "%UPSTREAM_HOST%",
    "flags": "%RESPONSE_FLAGS%",
    "received": "%BYTES_RECEIVED%",
    "sent": "%BYTES_SENT%",
    **{
        key: "%%DYNAMIC_METADATA(sallyport:%s)%%" % key
        for key in (
            "reason", "detail", "subject", "issuer", "serial", "fingerprint", "uri", "dns",
            "truststore",
        )
    },
    **{
        "state_" + key: "%%FILTER_STATE(sallyport.%s:PLAIN)%%" % key
        for key in ("reason", "subject", "uri", "dns")
    },
}


# The PROXY protocol.


class BadHeader(Exception):
    """What came is no PROXY protocol header of version 2."""


@dataclasses.dataclass
class ProxyHeader:
    source: typing.Optional[tuple]  # (address, port); None for AF_UNSPEC
    destination: typing.Optional[tuple]
    vectors: list  # (type, value)
    command: int = 1

    def vector(self, kind):
        """The only vector of a type; None when there is none."""
        return _only(self.vectors, kind)

    def document(self):
        """As JSON: what the backends of the tests say to the client."""
        told = {
            "source": self.source, "destination": self.destination, "command": self.command,
            "types": [t for t, _ in self.vectors],
        }
        authority = self.vector(0x02)
        if authority is not None:
            told["authority"] = authority.decode()
        value = self.vector(0x20)
        if value is not None:
            client, verify = struct.unpack("!BI", value[:5])
            inner = _split(value[5:])
            told.update(client=client, verify=verify, inner=[t for t, _ in inner])
            for name, kind in (("tls", 0x21), ("cn", 0x22)):
                text = _only(inner, kind)
                told[name] = None if text is None else text.decode()
            certificate = _only(inner, 0x28)
            told["certificate"] = None if certificate is None else certificate.hex()
        return told


def _only(vectors, kind):
    values = [v for t, v in vectors if t == kind]
    if len(values) > 1:
        raise BadHeader("type %#x is there %d times" % (kind, len(values)))
    return values[0] if values else None


def _split(data):
    vectors = []
    while data:
        if len(data) < 3:
            raise BadHeader("a vector is cut off")
        kind, length = struct.unpack("!BH", data[:3])
        if len(data) < 3 + length:
            raise BadHeader("a vector is longer than what holds it")
        vectors.append((kind, data[3:3 + length]))
        data = data[3 + length:]
    return vectors


def read_proxy_header(read_exactly):
    """Reads one header. read_exactly(n) returns n bytes, or raises."""
    start = read_exactly(16)
    if start[:12] != b"\r\n\r\n\x00\r\nQUIT\n":
        raise BadHeader("no signature: %r" % start)
    version, family, length = struct.unpack("!BBH", start[12:])
    if version >> 4 != 2 or version & 15 > 1:
        raise BadHeader("version and command %#x" % version)
    rest = read_exactly(length)
    sizes = {0x00: 0, 0x11: 4, 0x21: 16}
    if family not in sizes:
        raise BadHeader("family %#x" % family)
    size = sizes[family]
    source = destination = None
    if size:
        addresses = [
            str(ipaddress.ip_address(rest[i * size:(i + 1) * size])) for i in range(2)
        ]
        ports = struct.unpack("!HH", rest[2 * size:2 * size + 4])
        source, destination = zip(addresses, ports)
        rest = rest[2 * size + 4:]
    return ProxyHeader(source, destination, _split(rest), version & 15)


# The backend.


class Backend:
    """Answers on a free port with what it receives, until the client is done.

    proxy: a PROXY protocol header comes first; its document() is said to the
    client as a line. greeting: said before the client has sent anything.
    farewell: said when the client has sent all it will. tls: an Identity with
    which it speaks TLS, after the PROXY protocol header.
    """

    def __init__(self, proxy=False, greeting=b"", farewell=b"", tls=None):
        self.proxy, self.greeting, self.farewell = proxy, greeting, farewell
        self._tls = None
        if tls is not None:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(str(tls.chain), str(tls.key))
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._open = set()
        self.num_connections = 0
        self.problems = []

    def start(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def stop(self):
        # Wakes accept(), which close() alone does not.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for connection in self._open:
                connection.close()

    @property
    def num_open(self):
        with self._lock:
            return len(self._open)

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.num_connections += 1
                self._open.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, raw):
        connection = raw
        try:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.proxy:
                header = read_proxy_header(lambda n: _exactly(raw, n))
                greeting = json.dumps(header.document()).encode() + b"\n"
            else:
                greeting = b""
            if self._tls is not None:
                connection = self._tls.wrap_socket(raw, server_side=True)
            if greeting + self.greeting:
                connection.sendall(greeting + self.greeting)
            while True:
                data = connection.recv(65536)
                if not data:
                    break
                connection.sendall(data)
            if self.farewell:
                connection.sendall(self.farewell)
        except BadHeader as problem:
            with self._lock:
                self.problems.append(str(problem))
        except OSError:
            pass  # the proxy went away
        finally:
            with self._lock:
                self._open.discard(raw)
            connection.close()
            raw.close()


def _exactly(connection, size):
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            raise BadHeader("the connection ended in the header: %r" % data)
        data += more
    return data


# Envoy.


@dataclasses.dataclass
class TcpDomain(config.Domain):
    """A config.Domain whose filter chain is for TCP."""

    backend: str = "echo"
    mutual_tls: dict = dataclasses.field(default_factory=dict)  # MutualTlsTcp
    # More fields of tcp_proxy.
    tcp_proxy: dict = dataclasses.field(default_factory=dict)
    # Network filters between ours and tcp_proxy.
    filters_between: list = dataclasses.field(default_factory=list)
    # The domain that the validator is told, when it is another.
    validator_domain: typing.Optional[str] = None


def network_filter(value):
    """The module's network filter. value: an Any."""
    return {
        "name": NETWORK_FILTER,
        "typed_config": {
            "@type": _FILTER_TYPE,
            "dynamic_module_config": config._MODULE_CONFIG,  # pylint: disable=protected-access
            "filter_name": NETWORK_FILTER,
            "filter_config": value,
        },
    }


def _filter_chain(domain):
    # pylint: disable=protected-access
    tls = dataclasses.replace(domain, name=domain.validator_domain or domain.name)
    proxy = {
        "@type": _PROXY_TYPE,
        "stat_prefix": "tcp",
        "cluster": domain.backend,
        "access_log": [config._log(ACCESS_LOG)],
        **domain.tcp_proxy,
    }
    socket_config = config._tls(tls)
    del socket_config["typed_config"]["common_tls_context"]["alpn_protocols"]
    filters = []
    if domain.with_filter:
        filters.append(
            network_filter(config.any_of({"domain": domain.name, **domain.mutual_tls}))
        )
    return {
        "name": domain.name,
        "filter_chain_match": {"server_names": [domain.name]},
        "transport_socket_connect_timeout": domain.handshake_timeout,
        "transport_socket": socket_config,
        "filters": filters + domain.filters_between + [
            {"name": "envoy.filters.network.tcp_proxy", "typed_config": proxy}
        ],
    }


def cluster(name, port, **more):
    return {
        "name": name,
        "connect_timeout": "5s",
        "type": "STATIC",
        "circuit_breakers": {
            "thresholds": [{"max_connections": 4096, "max_pending_requests": 4096}]
        },
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(port)}}]}],
        },
        **more,
    }


def proxy_protocol_socket(inner=None):
    """Envoy's own PROXY protocol on the way to a backend, with our vectors."""
    if inner is None:
        inner = {
            "name": "envoy.transport_sockets.raw_buffer",
            "typed_config": {
                "@type": _TYPE + "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer"
            },
        }
    return {
        "name": "envoy.transport_sockets.upstream_proxy_protocol",
        "typed_config": {
            "@type": _TYPE
            + "envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport",
            "config": {"version": "V2", "pass_through_tlvs": {"match_type": "INCLUDE_ALL"}},
            "transport_socket": inner,
        },
    }


# tcp_proxy's part in it.
PROXY_PROTOCOL_VECTORS = {
    "proxy_protocol_tlvs": [
        {
            "type": 0x20,
            "format_string": {
                "text_format_source": {
                    "inline_string": "%FILTER_STATE(sallyport.proxy_protocol_ssl:PLAIN)%"
                }
            },
        }
    ]
}


def upstream_tls(server):
    """TLS to a backend that has the Identity `server`."""
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": _TYPE + "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            "common_tls_context": {
                "validation_context": {"trusted_ca": {"filename": str(server.certificate)}}
            },
        },
    }


def gateway(domains, clusters, addresses=("127.0.0.1",)):
    """A listener for `domains` on a free port of each address. The first is
    named "tcp", the others "tcp2", ..."""
    return {
        "node": {"id": "test", "cluster": "test"},
        "admin": {"address": _address(0)},
        "stats_config": {"stats_tags": STATS_TAGS},
        "static_resources": {
            "listeners": [
                {
                    "name": LISTENER + (str(number) if number > 1 else ""),
                    "address": _address(0, address),
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
                for number, address in enumerate(addresses, 1)
            ],
            "clusters": clusters,
        },
    }


# As docs/tcp.md has them: they make labels of what is in the counters' names.
STATS_TAGS = [
    {
        "tag_name": "sallyport_domain",
        "regex": r"\.mtls_tcp\.((.+)\.)(?:allowed\.|denied\.|lost$|resumed$|proxy_protocol_)",
    },
    {"tag_name": "sallyport_reason", "regex": r"\.mtls_tcp\..*(?:allowed|denied)(\.([A-Z_]+))$"},
]


def _address(port, address="127.0.0.1"):
    return {"socket_address": {"address": address, "port_value": port}}
