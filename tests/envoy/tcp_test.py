"""TCP domains: who gets to a database behind Envoy, and what it is told."""

import concurrent.futures
import functools
import json
import os
import pathlib
import select
import socket
import ssl
import struct
import threading
import time
import unittest

import gateway
from harness import certificates
from harness import client
from harness import config
from harness import envoy
from harness import files
from harness import tcp
from harness import wait

MEBIBYTE = 1 << 20
EARLY_DATA = {"max_early_data_bytes": 65536}
RBAC_TYPE = config._TYPE + "envoy.extensions.filters.network.rbac.v3.RBAC"
AUTHZ_TYPE = config._TYPE + "envoy.extensions.filters.network.ext_authz.v3.ExtAuthz"
LIVE = ("live.example.com", "later.example.com", "finish.example.com")
NAMES = LIVE + (
    "echo.example.com", "early.example.com", "greet.example.com", "proxy.example.com",
    "certificate.example.com", "envoys.example.com", "tls.example.com", "optional.example.com",
    "required.example.com", "allow.example.com", "metadata.example.com", "state.example.com",
    "dropped.example.com", "resumed.example.com", "other.example.com", "unbound.example.com",
    "down.example.com", "handshake.example.com", "between.example.com",
    "denied.example.com",
)


def rbac(principal):
    """Envoy's RBAC filter: only this principal."""
    return {
        "name": "envoy.filters.network.rbac",
        "typed_config": {
            "@type": RBAC_TYPE,
            "stat_prefix": "rbac",
            "rules": {
                "action": "ALLOW",
                "policies": {"it": {"permissions": [{"any": True}], "principals": [principal]}},
            },
        },
    }


def exchange(connection, data, line_first):
    """Sends `data` while it reads as much, after a line if `line_first`. In one
    thread: OpenSSL's connections are not for two. Returns (line, data)."""
    connection.setblocking(False)
    sent, came = 0, bytearray()
    deadline = time.monotonic() + 30
    while True:
        assert time.monotonic() < deadline, "%d bytes sent, %d came" % (sent, len(came))
        waiting = 0
        try:
            if sent < len(data):
                sent += connection.send(data[sent:sent + 65536])
            else:
                waiting += 1
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
            waiting += 1
        try:
            more = connection.recv(65536)
            assert more, "it ended after %d bytes" % len(came)
            came += more
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
            waiting += 1
        end = came.find(b"\n") + 1 if line_first else 0
        if (end or not line_first) and len(came) - end >= len(data):
            return bytes(came[:end]) if line_first else None, bytes(came[end:])
        if waiting == 2:
            select.select([connection], [connection] if sent < len(data) else [], [], 1)


@functools.lru_cache(maxsize=None)
def subject(identity):
    """Runs openssl once for each."""
    return identity.subject()


def setUpModule():
    TcpTest.start()


class TcpTest(unittest.TestCase):
    """One Envoy with all the domains, and the backends."""

    @classmethod
    def start(cls):
        """For all classes of this file."""
        temporary = gateway.scratch_folder()
        unittest.addModuleCleanup(temporary.cleanup)
        cls.folder = pathlib.Path(temporary.name)
        cls.people = gateway.People(cls.folder / "people")
        cls.server = cls.people.workshop.server("server", NAMES)
        backend_server = cls.people.workshop.server("backend", ("backend.test",))
        cls.backends = {
            "echo": tcp.Backend(),
            "greet": tcp.Backend(greeting=b"READY\n", farewell=b"BYE\n"),
            "proxy": tcp.Backend(proxy=True),
            "tls": tcp.Backend(proxy=True, tls=backend_server),
        }
        for backend in cls.backends.values():
            backend.start()
            unittest.addModuleCleanup(backend.stop)
        ports = {name: backend.port for name, backend in cls.backends.items()}
        with socket.create_server(("127.0.0.1", 0)) as closed:
            ports["down"] = closed.getsockname()[1]
        clusters = [tcp.cluster(name, ports[name]) for name in ("echo", "greet", "proxy", "down")]
        clusters.append(
            tcp.cluster(
                "envoys", ports["proxy"], transport_socket=tcp.proxy_protocol_socket()
            )
        )
        clusters.append(
            tcp.cluster(
                "tls", ports["tls"],
                transport_socket=tcp.proxy_protocol_socket(tcp.upstream_tls(backend_server)),
            )
        )
        addresses = ["127.0.0.1"]
        if socket.has_ipv6:
            try:
                socket.create_server(("::1", 0), family=socket.AF_INET6).close()
                addresses.append("::1")
            except OSError:
                pass
        cls.has_ipv6 = len(addresses) > 1
        cls.envoy = envoy.Envoy(
            tcp.gateway(cls.domains(), clusters, addresses), cls.folder / "envoy", concurrency=2
        )
        unittest.addModuleCleanup(cls.envoy.stop)
        cls.envoy.start()
        cls.port = cls.envoy.port(tcp.LISTENER)

    @classmethod
    def truststore_of(cls, name):
        return cls.folder / (name + ".truststore.pem")

    @classmethod
    def domain(cls, name, backend="echo", mutual_tls=None, **options):
        options.setdefault(
            "truststore",
            {"name": "partners", "version": "7", "inline_pem": cls.people.truststore()},
        )
        return tcp.TcpDomain(
            server=cls.server, name=name + ".example.com", backend=backend,
            mutual_tls=mutual_tls or {}, **options,
        )

    @classmethod
    def followed(cls, name, mutual_tls):
        """A domain whose truststore the test replaces."""
        path = cls.truststore_of(name)
        path.write_text(cls.people.truststore(), encoding="ascii")
        return cls.domain(
            name, mutual_tls=mutual_tls, truststore={"name": name, "file": str(path)}
        )

    @classmethod
    def domains(cls):
        (cls.folder / "deny.json").write_text("{}", encoding="ascii")
        in_stream = {"proxy_protocol": {}}
        in_state = {"proxy_protocol": {"carrier": "FILTER_STATE"}}
        direct = "CN=direct.example.org,O=Customer\\, Inc"
        return [
            cls.followed("live", {}),
            cls.domain("denied", validator={"deny": {"file": str(cls.folder / "deny.json")}}),
            cls.followed("later", {"end_after": "1.5s"}),
            cls.followed("finish", {"finish": True}),
            cls.domain("echo"),
            cls.domain("early", tcp_proxy=EARLY_DATA),
            cls.domain("greet", "greet"),
            cls.domain("proxy", "proxy", in_stream, tcp_proxy=EARLY_DATA),
            cls.domain(
                "certificate", "proxy", {"proxy_protocol": {"client_certificate": True}},
                tcp_proxy=EARLY_DATA,
            ),
            cls.domain("envoys", "envoys", in_state, tcp_proxy=tcp.PROXY_PROTOCOL_VECTORS),
            cls.domain("tls", "tls", in_state, tcp_proxy=tcp.PROXY_PROTOCOL_VECTORS),
            cls.domain(
                "optional", "proxy", {"client_certificate": "OPTIONAL", **in_stream},
                tcp_proxy=EARLY_DATA, require_client_certificate=False,
            ),
            cls.domain("required", require_client_certificate=False),
            cls.domain(
                "allow",
                mutual_tls={
                    "allow": {"san_uri": {"exact": ["spiffe://example.org/direct"]}},
                },
            ),
            cls.domain(
                "metadata",
                filters_between=[
                    rbac(
                        {
                            "metadata": {
                                "filter": "sallyport",
                                "path": [{"key": "subject"}],
                                "value": {"string_match": {"exact": direct}},
                            }
                        }
                    )
                ],
            ),
            cls.domain(
                "state", "proxy", in_stream, tcp_proxy=EARLY_DATA,
                filters_between=[
                    rbac(
                        {
                            "filter_state": {
                                "key": "sallyport.uri",
                                "string_match": {"exact": "spiffe://example.org/direct"},
                            }
                        }
                    )
                ],
            ),
            cls.domain("dropped", "proxy", in_stream),
            cls.domain(
                "between", "proxy", in_stream, tcp_proxy=EARLY_DATA,
                filters_between=[
                    {
                        "name": "envoy.filters.network.ext_authz",
                        "typed_config": {
                            "@type": AUTHZ_TYPE,
                            "stat_prefix": "authz",
                            "failure_mode_allow": True,
                            "grpc_service": {"envoy_grpc": {"cluster_name": "down"}},
                        },
                    }
                ],
            ),
            cls.domain("resumed", resumption=True),
            cls.domain("other", validator_domain="elsewhere.example.com"),
            cls.domain("unbound", truststore=None, validation_context={
                "trusted_ca": {"inline_string": cls.people.root.pem()},
            }),
            cls.domain("down", "down"),
            cls.domain("handshake", validator={"rejection": "HANDSHAKE"}),
        ]

    def run(self, result=None):
        before = len(result.failures) + len(result.errors) if result is not None else 0
        length = len(self.envoy.log()) if hasattr(self, "envoy") else 0
        try:
            return super().run(result)
        finally:
            if result is not None and len(result.failures) + len(result.errors) > before:
                print("--- Envoy's log during %s\n%s" % (self.id(), self.envoy.log()[length:]))
                for entry in self.envoy.access_log()[-5:]:
                    print(entry)

    # Clients.

    def context(self, identity, **options):
        context = client.tls_context(self.server.certificate, identity, **options)
        context.set_alpn_protocols([])
        return context

    def connect(self, name, identity=None, address="127.0.0.1", port=None, **options):
        """A TLS socket. Closing what it is refused is the server's to do."""
        context = options.pop("context", None)
        session = options.pop("session", None)
        context = context or self.context(identity, **options)
        raw = socket.create_connection((address, port or self.port), timeout=20)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client_port = raw.getsockname()[1]
        known_lines = len(self.envoy.access_log())
        try:
            connection = context.wrap_socket(
                raw, server_hostname=name + ".example.com", session=session
            )
        except BaseException:
            raw.close()
            raise
        connection.client_port = client_port
        # Ports are used again.
        connection.known_lines = known_lines
        self.addCleanup(connection.close)
        return connection

    def assert_echoes(self, connection, text=b"SELECT 1\n"):
        connection.sendall(text)
        self.assertEqual(read_exactly(connection, len(text)), text)

    def assert_ends(self, connection, timeout=10.0):
        """The server closes it, and says nothing before."""
        connection.settimeout(timeout)
        try:
            data = connection.recv(65536)
        except (ssl.SSLError, ConnectionError):
            data = b""
        self.assertEqual(data, b"")

    def assert_refused(self, name, identity, reason, **options):
        """The connection ends, nothing reaches the backend, and the operator
        reads why. Returns the line of the access log."""
        reached = sum(b.num_connections for b in self.backends.values())
        connection = self.connect(name, identity, **options)
        try:
            connection.sendall(b"SELECT 1\n")
        except OSError:
            pass  # it has ended already
        self.assert_ends(connection)
        entry = self.log_of(connection)
        self.assertEqual(entry["ended_by"], "sallyport_denied{%s}" % reason)
        self.assertEqual(entry["reason"], reason)
        self.assertIsNone(entry["upstream"])
        self.assertEqual(
            sum(b.num_connections for b in self.backends.values()), reached,
            "a backend was connected to",
        )
        return entry

    def log_of(self, connection):
        port = connection.client_port
        return wait.until(
            lambda: next(
                (
                    e for e in self.envoy.access_log()[connection.known_lines:]
                    if e["client_port"] == port
                ),
                None,
            ),
            "the access log of port %d" % port,
        )

    def told(self, connection):
        """What the proxy backend says that it was told."""
        return json.loads(read_line(connection))

    def counter(self, name):
        return self.envoy.stats("sallyport.mtls_tcp.").get("sallyport.mtls_tcp." + name, 0)


def read_exactly(connection, size):
    data = bytearray()
    while len(data) < size:
        more = connection.recv(min(65536, size - len(data)))
        if not more:
            raise AssertionError("the connection ended after %d bytes" % len(data))
        data += more
    return bytes(data)


def read_line(connection):
    line = b""
    while not line.endswith(b"\n"):
        more = connection.recv(1)
        if not more:
            raise AssertionError("the connection ended after %r" % line)
        line += more
    return line


class Verdicts(TcpTest):
    def test_who_is_trusted_gets_in(self):
        for name in ("echo", "early"):
            for tls in ("1.2", "1.3"):
                for identity in (self.people.partner, self.people.direct, self.people.branch):
                    with self.subTest(domain=name, tls=tls, identity=subject(identity)):
                        connection = self.connect(name, identity, tls=tls)
                        self.assert_echoes(connection)
                        self.assert_echoes(connection)
                        connection.close()
                        entry = self.log_of(connection)
                        self.assertEqual(entry["reason"], "TRUSTED")
                        self.assertEqual(entry["subject"], subject(identity))
                        self.assertEqual(entry["fingerprint"], identity.fingerprint())
                        self.assertEqual(entry["truststore"], "partners@7")
                        self.assertIsNone(entry["ended_by"])

    def test_who_is_not_is_told_nothing_and_reaches_nobody(self):
        people = self.people
        for identity, reason in (
            (people.stranger, "UNTRUSTED_ISSUER"),
            (people.others_client, "UNTRUSTED_ISSUER"),
            (people.impostor, "UNTRUSTED_ISSUER"),
            (people.expired, "EXPIRED"),
            (people.expired_partner, "EXPIRED"),
            (people.not_yet, "NOT_YET_VALID"),
            (people.server_only, "NOT_FOR_CLIENT_AUTH"),
            (people.deep, "CHAIN_TOO_LONG"),
            (people.many, "LIMIT_EXCEEDED"),
        ):
            with self.subTest(reason=reason):
                self.assert_counted_refusal("echo", identity, reason)

    def test_it_is_the_same_in_front_of_every_kind_of_backend(self):
        for name in ("echo", "early", "greet", "proxy", "envoys", "tls"):
            for tls in ("1.2", "1.3"):
                with self.subTest(domain=name, tls=tls):
                    self.assert_counted_refusal(
                        name, self.people.stranger, "UNTRUSTED_ISSUER", tls=tls
                    )

    def assert_counted_refusal(self, name, identity, reason, **options):
        counter = "%s.example.com.denied.%s" % (name, reason)
        before = self.counter(counter)
        entry = self.assert_refused(name, identity, reason, **options)
        self.assertEqual(entry["subject"], subject(identity))
        self.assertTrue(entry["detail"])
        self.assertEqual(entry["sent"], 0)
        self.assertEqual(self.counter(counter), before + 1)

    def test_without_a_certificate(self):
        # Where Envoy asks for one, TLS itself refuses.
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            connection = self.connect("echo", tls="1.2")
        connection = self.connect("echo", tls="1.3")
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            connection.recv(1)
        # Where it does not, the filter does.
        entry = self.assert_refused("required", None, "NO_CERTIFICATE")
        self.assertEqual(entry["state_reason"], "NO_CERTIFICATE")
        self.assert_echoes(self.connect("required", self.people.direct))
        # Where it is optional, the backend is told.
        connection = self.connect("optional")
        told = self.told(connection)
        self.assertEqual((told["client"], told["verify"], told["cn"]), (1, 1, None))
        self.assert_echoes(connection)
        self.assert_refused("optional", self.people.stranger, "UNTRUSTED_ISSUER")

    def test_refused_in_the_handshake(self):
        # The style HANDSHAKE of the validator: TLS itself says no.
        self.assert_echoes(self.connect("handshake", self.people.direct))
        reached = self.backends["echo"].num_connections
        for tls in ("1.2", "1.3"):
            with self.assertRaisesRegex((ssl.SSLError, ConnectionError), "(?i)unknown.ca|reset"):
                connection = self.connect("handshake", self.people.stranger, tls=tls)
                connection.recv(1)
        self.assertEqual(self.backends["echo"].num_connections, reached)

    def test_a_rule_about_clients(self):
        self.assert_echoes(self.connect("allow", self.people.direct))
        entry = self.assert_refused("allow", self.people.partner, "NOT_ALLOWED")
        self.assertEqual(entry["subject"], subject(self.people.partner))

    def test_what_cannot_be_judged_is_refused(self):
        # The validator is another domain's; there is none.
        self.assert_refused("other", self.people.direct, "CONFIGURATION_MISSING")
        self.assert_refused("unbound", self.people.direct, "CONFIGURATION_MISSING")

    def test_a_name_that_nobody_has_ends_in_tls(self):
        for name in ("nobody", "live.echo"):
            with self.assertRaises((ssl.SSLError, ConnectionError)):
                self.connect(name, self.people.direct)

    def test_a_backend_that_is_down(self):
        connection = self.connect("down", self.people.direct)
        self.assert_ends(connection)
        entry = self.log_of(connection)
        self.assertEqual(entry["reason"], "TRUSTED")
        self.assertIn("UF", entry["flags"])

    def test_identity_for_access_logs(self):
        connection = self.connect("echo", self.people.direct)
        self.assert_echoes(connection)
        connection.close()
        entry = self.log_of(connection)
        self.assertEqual(entry["issuer"], self.people.direct.issuer())
        self.assertEqual(entry["serial"], self.people.direct.serial())
        self.assertEqual(entry["uri"], "spiffe://example.org/direct")
        self.assertEqual(entry["dns"], "direct.example.org,www.example.org")
        for key in ("reason", "subject", "uri", "dns"):
            self.assertEqual(entry["state_" + key], entry[key])

    def test_rbac_after_it(self):
        for name in ("metadata", "state"):
            connection = self.connect(name, self.people.direct)
            if name == "state":
                self.told(connection)
            self.assert_echoes(connection)
            # Trusted, and RBAC does not know it.
            connection = self.connect(name, self.people.partner)
            try:
                connection.sendall(b"SELECT 1\n")
            except OSError:
                pass
            self.assert_ends(connection)
            entry = self.log_of(connection)
            self.assertEqual(entry["reason"], "TRUSTED")
            self.assertIn("rbac", entry["ended_by"])
            if name == "state":
                # The header is data: RBAC decided before tcp_proxy began.
                self.assertIsNone(entry["upstream"])

    def test_counters_get_labels(self):
        self.assert_echoes(self.connect("echo", self.people.direct))
        self.assert_refused("echo", self.people.stranger, "UNTRUSTED_ISSUER")
        labels = {"sallyport_domain": "echo.example.com"}
        self.assertGreater(
            self.envoy.counter("mtls_tcp_allowed", sallyport_reason="TRUSTED", **labels), 0
        )
        self.assertGreater(
            self.envoy.counter("mtls_tcp_denied", sallyport_reason="UNTRUSTED_ISSUER", **labels), 0
        )
        names = {name for name, _ in self.envoy.prometheus() if "mtls_tcp" in name}
        prefix = "envoy_sallyport_mtls_tcp_"
        self.assertEqual(
            names,
            {prefix + n for n in (
                "allowed", "denied", "lost", "resumed", "proxy_protocol_truncated",
            )},
        )


class Resumption(TcpTest):
    def test_a_resumed_session_is_closed(self):
        for tls, tickets in (("1.2", True), ("1.2", False), ("1.3", True)):
            with self.subTest(tls=tls, tickets=tickets):
                # A session id is known to one worker only: until it is its turn.
                for _ in range(20):
                    context = self.context(self.people.direct, tls=tls, tickets=tickets)
                    first = self.connect("resumed", context=context)
                    self.assert_echoes(first)
                    session = first.session
                    first.close()
                    before = self.counter("resumed.example.com.resumed")
                    second = self.connect("resumed", context=context, session=session)
                    if second.session_reused:
                        break
                    self.assert_echoes(second)
                self.assertTrue(second.session_reused, "the test resumed nothing")
                self.assert_ends(second)
                entry = self.log_of(second)
                self.assertEqual(entry["ended_by"], "sallyport_denied{CONFIGURATION_MISSING}")
                self.assertIn("resumed", entry["detail"])
                self.assertIsNone(entry["upstream"])
                self.assertEqual(self.counter("resumed.example.com.resumed"), before + 1)

    def test_with_the_switches_off_there_is_none(self):
        for tls, tickets in (("1.2", True), ("1.2", False), ("1.3", True)):
            with self.subTest(tls=tls, tickets=tickets):
                context = self.context(self.people.direct, tls=tls, tickets=tickets)
                first = self.connect("echo", context=context)
                self.assert_echoes(first)
                second = self.connect("echo", context=context, session=first.session)
                self.assertFalse(second.session_reused)
                self.assert_echoes(second)


class Streams(TcpTest):
    def test_a_server_that_speaks_first(self):
        for tls in ("1.2", "1.3"):
            connection = self.connect("greet", self.people.direct, tls=tls)
            self.assertEqual(read_line(connection), b"READY\n")
            self.assert_echoes(connection)

    def test_a_client_that_is_done_still_gets_the_rest(self):
        connection = self.connect("greet", self.people.direct)
        self.assertEqual(read_line(connection), b"READY\n")
        connection.sendall(b"last words\n")
        # FIN, while TLS goes on in the other direction.
        with socket.socket(fileno=os.dup(connection.fileno())) as raw:
            raw.shutdown(socket.SHUT_WR)
        self.assertEqual(read_line(connection), b"last words\n")
        self.assertEqual(read_line(connection), b"BYE\n")
        self.assert_ends(connection)

    def test_a_mebibyte_both_ways(self):
        data = os.urandom(MEBIBYTE)
        for name in ("echo", "early", "proxy", "tls"):
            with self.subTest(domain=name):
                told, echoed = exchange(
                    self.connect(name, self.people.direct), data, name in ("proxy", "tls")
                )
                self.assertTrue(echoed == data, "%d bytes came back" % len(echoed))
                if told is not None:
                    self.assertEqual(json.loads(told)["verify"], 0)

    def test_clients_that_come_and_go_at_any_moment(self):
        # Half of the handshake, the handshake alone, a reset: nothing is left.
        opened = self.backends["echo"].num_open
        for moment in range(30):
            raw = socket.create_connection(("127.0.0.1", self.port), timeout=20)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            if moment % 3 == 0:
                raw.sendall(b"\x16\x03\x01")
                raw.close()
                continue
            connection = self.context(self.people.direct).wrap_socket(
                raw, server_hostname="echo.example.com"
            )
            if moment % 3 == 2:
                connection.sendall(b"x" * 1000)
            connection.close()
        wait.until(lambda: self.backends["echo"].num_open <= opened, "the backend is left alone")
        self.assertTrue(self.envoy.is_running())
        self.assert_echoes(self.connect("echo", self.people.direct))


class ProxyProtocol(TcpTest):
    def assert_told(self, connection, name, identity, tls):
        told = self.told(connection)
        self.assertEqual(told["source"], list(connection.getsockname()[:2]))
        self.assertEqual(told["destination"], list(connection.getpeername()[:2]))
        self.assertEqual((told["client"], told["verify"]), (7, 0))
        self.assertEqual(told["tls"], "TLSv" + tls)
        common_name = [p[3:] for p in subject(identity).split(",") if p.startswith("CN=")]
        self.assertEqual(told["cn"], common_name[0])
        return told

    def test_the_backend_is_told_who_calls(self):
        for tls in ("1.2", "1.3"):
            for name in ("proxy", "certificate", "envoys", "tls"):
                for identity in (self.people.partner, self.people.branch):
                    with self.subTest(domain=name, tls=tls, identity=subject(identity)):
                        connection = self.connect(name, identity, tls=tls)
                        told = self.assert_told(connection, name, identity, tls)
                        certificate = identity.der().hex() if name == "certificate" else None
                        self.assertEqual(told["certificate"], certificate)
                        if name in ("proxy", "certificate"):
                            self.assertEqual(told["types"], [0x02, 0x20])
                            self.assertEqual(told["authority"], name + ".example.com")
                        self.assert_echoes(connection)

    def test_over_ipv6(self):
        if not self.has_ipv6:
            self.skipTest("this machine has no IPv6")
        for name in ("proxy", "envoys"):
            connection = self.connect(
                name, self.people.direct, address="::1", port=self.envoy.port("tcp2"), tls="1.3"
            )
            self.assert_told(connection, name, self.people.direct, "1.3")
            self.assertEqual(connection.getsockname()[0], "::1")
            self.assert_echoes(connection)

    def test_a_clients_own_header_comes_after_ours(self):
        forged = (
            b"\r\n\r\n\x00\r\nQUIT\n\x21\x11" + struct.pack("!H", 12)
            + bytes([10, 0, 0, 1, 10, 0, 0, 2]) + struct.pack("!HH", 1, 2)
        )
        for name in ("proxy", "envoys", "optional"):
            for text in (forged, b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n"):
                with self.subTest(domain=name):
                    connection = self.connect(name, self.people.direct)
                    connection.sendall(text)
                    told = self.told(connection)
                    self.assertEqual(told["source"][0], "127.0.0.1")
                    self.assertEqual(told["cn"], "direct.example.org")
                    self.assertEqual(read_exactly(connection, len(text)), text)
        self.assertEqual(self.backends["proxy"].problems, [])

    def test_where_the_header_would_be_dropped_nobody_gets_in(self):
        length = len(self.envoy.log())
        entry = self.assert_refused("dropped", self.people.direct, "CONFIGURATION_MISSING")
        self.assertIn("max_early_data_bytes", entry["detail"])
        self.assertIn("max_early_data_bytes", self.envoy.log()[length:])

    def test_where_a_filter_in_between_drops_it_neither(self):
        entry = self.assert_refused("between", self.people.direct, "CONFIGURATION_MISSING")
        self.assertIn("holds data back", entry["detail"])

    def test_everybody_is_told_of_under_their_own_name(self):
        people = [
            self.people.workshop.client("many%d" % i, "/CN=many %d" % i, self.people.root)
            for i in range(8)
        ]

        def one(number):
            identity = people[number % len(people)]
            name = ("proxy", "envoys")[number // len(people) % 2]
            connection = self.connect(name, identity)
            told = self.told(connection)
            self.assertEqual(told["cn"], "many %d" % (number % len(people)))
            self.assertEqual(told["source"], list(connection.getsockname()))
            self.assert_echoes(connection, told["cn"].encode() * 100)
            connection.close()

        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            for done in [pool.submit(one, n) for n in range(200)]:
                done.result()


class LiveTrust(TcpTest):
    def replace(self, name, text):
        files.move_into_place(self.truststore_of(name), text)

    def setUp(self):
        for name in ("live", "later", "finish"):
            self.replace(name, self.people.truststore())
            wait.until(lambda n=name: self.is_in(n, self.people.partner), name + " is ready")

    def is_in(self, name, identity):
        connection = self.connect(name, identity)
        try:
            connection.sendall(b"x")
            return connection.recv(1) == b"x"
        except (ssl.SSLError, ConnectionError):
            return False
        finally:
            connection.close()

    def without_partner(self):
        return self.people.root.pem() + self.people.issuing.pem()

    def test_an_update_closes_idle_and_busy_connections_of_those_it_drops(self):
        idle = self.connect("live", self.people.partner)
        self.assert_echoes(idle)
        silent = self.connect("live", self.people.partner)  # never sends a byte
        kept = self.connect("live", self.people.direct)
        self.assert_echoes(kept)
        busy = self.connect("live", self.people.partner)
        busy.settimeout(20)
        ended = []

        def work():
            try:
                while True:
                    busy.sendall(b"y" * 100)
                    if not busy.recv(100):
                        break
            except (ssl.SSLError, OSError):
                pass
            ended.append(time.monotonic())

        worker = threading.Thread(target=work)
        worker.start()
        lost = self.counter("live.example.com.lost")
        self.replace("live", self.without_partner())
        start = time.monotonic()
        self.assert_ends(idle)
        self.assert_ends(silent)
        worker.join(10)
        self.assertTrue(ended)
        # Within a second; the rest is for a busy machine.
        self.assertLess(max(time.monotonic(), ended[0]) - start, 3.0)
        self.assertEqual(
            self.log_of(idle)["ended_by"], "sallyport_trust_lost{UNTRUSTED_ISSUER}"
        )
        self.assertEqual(self.log_of(idle)["reason"], "UNTRUSTED_ISSUER")
        self.assertEqual(self.counter("live.example.com.lost"), lost + 3)
        # The others go on, a new one does not get in, and does again later.
        self.assert_echoes(kept)
        self.assertFalse(self.is_in("live", self.people.partner))
        self.replace("live", self.people.truststore())
        wait.until(lambda: self.is_in("live", self.people.partner), "the partner is in again")
        self.assert_echoes(kept)

    def test_a_certificate_that_expires_ends_its_connections(self):
        soon = self.people.workshop.client(
            "soon", "/CN=soon", self.people.root,
            not_before=certificates.days_from_now(-1),
            not_after=certificates.seconds_from_now(4),
        )
        idle = self.connect("live", soon)
        self.assert_echoes(idle)
        self.assert_ends(idle, timeout=15)
        self.assertEqual(self.log_of(idle)["ended_by"], "sallyport_trust_lost{EXPIRED}")
        self.assert_refused("live", soon, "EXPIRED")

    def test_a_deny_list_reaches_open_connections(self):
        connection = self.connect("denied", self.people.direct)
        other = self.connect("denied", self.people.partner)
        self.assert_echoes(connection)
        self.assert_echoes(other)
        files.move_into_place(
            self.folder / "deny.json",
            json.dumps({"certificateSha256": [self.people.direct.fingerprint()]}),
        )
        self.assert_ends(connection)
        self.assertEqual(self.log_of(connection)["ended_by"], "sallyport_trust_lost{REVOKED}")
        self.assert_refused("denied", self.people.direct, "REVOKED")
        self.assert_echoes(other)

    def test_end_after(self):
        connection = self.connect("later", self.people.partner)
        self.assert_echoes(connection)
        lost = self.counter("later.example.com.lost")
        self.replace("later", self.without_partner())
        start = time.monotonic()
        wait.until(lambda: self.counter("later.example.com.lost") > lost, "the loss is seen")
        # For the time that was set, it goes on.
        self.assert_echoes(connection)
        self.assert_ends(connection)
        self.assertGreaterEqual(time.monotonic() - start, 1.4)
        self.assertLess(time.monotonic() - start, 5.0)
        self.assertEqual(
            self.log_of(connection)["ended_by"], "sallyport_trust_lost{UNTRUSTED_ISSUER}"
        )

    def test_one_that_is_trusted_again_in_time_goes_on(self):
        connection = self.connect("later", self.people.partner)
        self.assert_echoes(connection)
        lost = self.counter("later.example.com.lost")
        self.replace("later", self.without_partner())
        wait.until(lambda: self.counter("later.example.com.lost") > lost, "the loss is seen")
        self.replace("later", self.people.truststore())
        # Past the time that it had.
        deadline = time.monotonic() + 3
        while time.monotonic() < deadline:
            self.assert_echoes(connection)
            time.sleep(0.05)

    def test_finish(self):
        connection = self.connect("finish", self.people.partner)
        self.assert_echoes(connection)
        self.replace("finish", self.without_partner())
        wait.until(lambda: not self.is_in("finish", self.people.partner), "the partner is out")
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline:
            self.assert_echoes(connection)
            time.sleep(0.05)
        self.assertEqual(self.counter("finish.example.com.lost"), 0)

    def test_many_connections_lose_their_trust_at_once(self):
        connections = [self.connect("live", self.people.partner) for _ in range(100)]
        for connection in connections:
            self.assert_echoes(connection)
        for _ in range(5):
            self.replace("live", self.people.truststore() + self.people.stranger.pem())
            self.replace("live", self.people.truststore())
        for connection in connections:
            self.assert_echoes(connection)
        self.replace("live", self.without_partner())
        for connection in connections:
            self.assert_ends(connection)
        self.assertTrue(self.envoy.is_running())


if __name__ == "__main__":
    unittest.main()
