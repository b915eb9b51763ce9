"""Streams that are open when their client loses its trust: end_streams_after."""

import contextlib
import datetime
import ssl
import time
import unittest

import gateway
from harness import certificates
from harness import client
from harness import files
from harness import http2
from harness import wait

# Until the watch has seen a change, on a machine that does other things too.
SEEN = 2.5
UPGRADES = {"upgrade_configs": [{"upgrade_type": "websocket"}]}


class Download:
    """A body without end over HTTP/1.1."""

    def __init__(self, test, identity, domain, request_id, resumed=False):
        context = client.tls_context(test.server.certificate, identity)
        session = None
        if resumed:
            with test.connect(server_name=domain, context=context) as first:
                test.assertEqual(first.request().status, 200)
                session = first.session
        self._connection = test.connect(server_name=domain, context=context, session=session)
        test.addCleanup(self._connection.close)
        test.assertEqual(self._connection.session_reused, resumed)
        self.socket = self._connection.socket
        self._connection.send(self._request(domain, request_id).encode())
        self._start(test)

    def _request(self, domain, request_id):
        return "GET /drip HTTP/1.1\r\nHost: %s\r\nx-test-id: %s\r\n\r\n" % (domain, request_id)

    def _start(self, test):
        test.assertIn(b"200 OK", self.socket.recv(4096))

    def goes_on(self):
        """A piece comes; raises when the stream has ended."""
        if not self.socket.recv(4096):
            raise EOFError

    def wait_until_ended(self, timeout=20.0):
        """Returns when it was seen."""
        deadline = time.monotonic() + timeout
        with contextlib.suppress(EOFError, ssl.SSLError, ConnectionError, http2.Reset):
            while time.monotonic() < deadline:
                self.goes_on()
            raise TimeoutError("the stream is still open")
        return time.monotonic()


class WebSocket(Download):
    """An upgraded connection; what it says comes back."""

    def _request(self, domain, request_id):
        return (
            "GET /socket HTTP/1.1\r\nHost: %s\r\nx-test-id: %s\r\nConnection: Upgrade\r\n"
            "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" % (domain, request_id)
        )

    def _start(self, test):
        test.assertIn(b"101 ", self.socket.recv(4096))

    def goes_on(self):
        self.socket.sendall(b"hello")
        super().goes_on()
        time.sleep(0.02)


class Call:
    """A gRPC call that streams both ways, over HTTP/2."""

    def __init__(self, test, identity, domain, request_id, resumed=False):
        context = client.tls_context(test.server.certificate, identity)
        session = None
        if resumed:
            with http2.Connection(test.port, None, server_name=domain, context=context) as first:
                first.request(authority=domain)
                session = first.session
        self.connection = http2.Connection(
            test.port, None, server_name=domain, context=context, session=session
        )
        test.addCleanup(self.connection.__exit__)
        test.assertEqual(self.connection.session_reused, resumed)
        self._domain = domain
        self._stream = self.connection.open(
            [("content-type", "application/grpc"), ("te", "trailers"), ("x-test-id", request_id)],
            path="/drip", authority=domain, method="POST", end=False,
        )
        self.goes_on()

    def goes_on(self):
        self.connection.send(self._stream, b"hello")
        frames = self.connection.frames_until(
            lambda f: f.stream == self._stream and f.kind in (http2.DATA, http2.RST_STREAM)
        )
        if frames[-1].kind == http2.RST_STREAM:
            raise EOFError

    wait_until_ended = Download.wait_until_ended


KINDS = (Download, WebSocket, Call)


class OpenStreams(gateway.GatewayTest):
    server_names = tuple(
        n + ".test"
        for n in ("finish", "now", "second", "later", "optional", "pass", "shake", "rules")
    )

    @classmethod
    def domains(cls):
        cls.truststore = cls.folder / "truststore.pem"
        cls.truststore.write_text(cls.people.truststore(), encoding="ascii")
        trust = {"name": "f", "file": str(cls.truststore)}
        # Both trust their clients, and a rule lets those of one in.
        cls.ours = cls.folder / "ours.pem"
        cls.theirs = cls.folder / "theirs.pem"
        cls.ours.write_text(cls.people.truststore(), encoding="ascii")
        cls.theirs.write_text(cls.people.root.pem(), encoding="ascii")
        two = [
            {"name": "ours", "file": str(cls.ours)}, {"name": "theirs", "file": str(cls.theirs)},
        ]

        def domain(name, after, require=True, validator=None, **mutual_tls):
            if after is not None:
                mutual_tls["end_streams_after"] = after
            return cls.domain(
                name=name + ".test", truststore=trust, resumption=True, mutual_tls=mutual_tls,
                require_client_certificate=require, connection_manager=UPGRADES,
                validator=validator or {},
            )

        return [
            domain("finish", None),
            domain("now", "0s"),
            domain("second", "1s"),
            domain("later", "4s"),
            domain("optional", "0s", False, client_certificate="OPTIONAL"),
            domain("pass", "0s", rejection="PASS"),
            domain("shake", "0s", rejection="HANDSHAKE", validator={"rejection": "HANDSHAKE"}),
            domain(
                "rules", "1s", validator={"truststores": two},
                allow={"truststore": {"names": ["ours"]}},
            ),
        ]

    def setUp(self):
        self.addCleanup(self.put, self.people.truststore())
        self.put(self.people.truststore())

    def put(self, pem):
        files.move_into_place(self.truststore, pem)
        wanted = 200 if self.people.partner.pem() in pem else 403
        wait.until(
            lambda: self.get(self.people.partner, server_name="finish.test").status == wanted,
            "the truststore is in force",
        )

    def withdraw(self):
        """The partner is not trusted any more; direct is. Returns when that
        began."""
        began = time.monotonic()
        self.put(self.people.root.pem())
        return began

    def open(self, kind, domain, identity=None, resumed=False):
        """Returns (stream, its request id)."""
        request_id = gateway.new_id()
        identity = identity or self.people.partner
        return kind(self, identity, domain, request_id, resumed), request_id

    def test_unset_they_finish(self):
        streams = [
            self.open(kind, "finish.test", resumed=resumed)[0]
            for kind in KINDS for resumed in (False, True)
        ]
        self.withdraw()
        end = time.monotonic() + 2
        while time.monotonic() < end:
            for stream in streams:
                stream.goes_on()
        # The next request of such a connection is judged.
        self.assertEqual(
            streams[-1].connection.exchange(authority="finish.test"), gateway.FORBIDDEN
        )

    def check_ended(self, domain, after):
        opened = [
            self.open(kind, domain, resumed=resumed)
            for kind in KINDS for resumed in (False, True)
        ]
        others = [self.open(kind, domain, self.people.direct)[0] for kind in KINDS]
        labels = {"domain": domain, "reason": "UNTRUSTED_ISSUER"}
        counted = self.envoy.counter("streams_ended", **labels)
        began = self.withdraw()
        for stream, request_id in opened:
            with self.subTest(kind=type(stream).__name__, id=request_id):
                took = stream.wait_until_ended() - began
                self.assertGreaterEqual(took, after)
                self.assertLess(took, after + SEEN)
                log = self.log_of(request_id)
                self.assertEqual(log["reason"], "UNTRUSTED_ISSUER")
                self.assertEqual(log["metadata"]["ended"], "trust_lost")
                self.assertIn("self-signed", log["detail"])
        for stream in others:
            stream.goes_on()
        self.assertEqual(
            self.envoy.counter("streams_ended", **labels), counted + len(opened)
        )

    def test_ended_at_once(self):
        self.check_ended("now.test", 0)

    def test_ended_a_second_later(self):
        self.check_ended("second.test", 1)

    def test_ended_when_a_rule_no_longer_lets_the_client_in(self):
        opened = [
            self.open(kind, "rules.test", resumed=resumed)
            for kind in KINDS for resumed in (False, True)
        ]
        others = [self.open(kind, "rules.test", self.people.direct)[0] for kind in KINDS]
        # Trusted at every moment.
        files.move_into_place(self.theirs, self.people.truststore())
        self.envoy.wait_for_log(r"theirs\.pem was replaced")
        began = time.monotonic()
        files.move_into_place(self.ours, self.people.root.pem())
        for stream, request_id in opened:
            with self.subTest(kind=type(stream).__name__, id=request_id):
                took = stream.wait_until_ended() - began
                self.assertGreaterEqual(took, 1)
                self.assertLess(took, 1 + SEEN)
                log = self.log_of(request_id)
                self.assertEqual(log["reason"], "NOT_ALLOWED")
                self.assertEqual(log["metadata"]["ended"], "trust_lost")
                self.assertIn("allow", log["detail"])
        self.assertEqual(self.get(self.people.partner, server_name="rules.test").status, 403)
        for stream in others:
            stream.goes_on()

    def test_in_the_other_styles(self):
        for domain in ("pass.test", "shake.test", "optional.test"):
            with self.subTest(domain=domain):
                streams = [self.open(kind, domain)[0] for kind in KINDS]
                began = self.withdraw()
                for stream in streams:
                    self.assertLess(stream.wait_until_ended() - began, SEEN)
                self.put(self.people.truststore())

    def test_not_when_the_trust_came_back_in_time(self):
        streams = [self.open(kind, "later.test", resumed=r)[0] for kind in KINDS for r in (0, 1)]
        self.withdraw()
        self.put(self.people.truststore())
        end = time.monotonic() + 5
        while time.monotonic() < end:
            for stream in streams:
                stream.goes_on()
        # Lost again, all the time counts.
        began = self.withdraw()
        for stream in streams:
            took = stream.wait_until_ended() - began
            self.assertGreaterEqual(took, 4)
            self.assertLess(took, 4 + SEEN)

    def test_who_stays_trusted_notices_nothing(self):
        streams = [
            self.open(kind, "now.test", self.people.direct, resumed)[0]
            for kind in KINDS for resumed in (False, True)
        ]
        for i in range(20):
            pem = self.people.root.pem() if i % 2 else self.people.truststore()
            self.put(pem + "# %d\n" % i)
            for stream in streams:
                stream.goes_on()

    def test_a_client_without_a_certificate_has_nothing_to_lose(self):
        context = client.tls_context(self.server.certificate)
        with http2.Connection(
            self.port, None, server_name="optional.test", context=context
        ) as connection:
            stream = connection.open(path="/drip", authority="optional.test")
            self.withdraw()
            for _ in range(10):
                connection.frames_until(lambda f: f.stream == stream and f.kind == http2.DATA)

    def test_a_certificate_that_expires(self):
        identity = self.people.workshop.client(
            "short", "/CN=short", self.people.root,
            not_before=certificates.days_from_now(-1),
            not_after=certificates.seconds_from_now(6),
        )
        opened = [
            (after, self.open(kind, domain, identity, resumed))
            for domain, after in (("now.test", 0), ("second.test", 1))
            for kind in KINDS for resumed in (False, True)
        ]
        # The last second counts.
        end = identity.validity()[1] + datetime.timedelta(seconds=1)
        left = (end - datetime.datetime.now(certificates.UTC)).total_seconds()
        end = time.monotonic() + left
        for after, (stream, request_id) in opened:
            ended = stream.wait_until_ended()
            # The two clocks may differ a little.
            self.assertGreater(ended, end + after - 0.1)
            self.assertLess(ended, end + after + SEEN)
            log = self.log_of(request_id)
            self.assertEqual(log["reason"], "EXPIRED")
            self.assertEqual(log["metadata"]["ended"], "trust_lost")

    def test_many_streams_leave_nothing_behind(self):
        def handles():
            return len(list(gateway.pathlib.Path("/proc/%d/fd" % self.envoy.process.pid).iterdir()))

        def memory():
            status = gateway.pathlib.Path("/proc/%d/status" % self.envoy.process.pid).read_text()
            line = next(l for l in status.splitlines() if l.startswith("VmRSS:"))
            return int(line.split()[1]) << 10

        def stat(name):
            return self.envoy.stats(name)[name]

        def active():
            return stat("http.ingress.downstream_rq_active")

        before = handles()
        used = []
        for i in range(6):
            with contextlib.ExitStack() as stack:
                connections = [
                    stack.enter_context(
                        http2.Connection(
                            self.port, self.server.certificate, self.people.partner,
                            server_name="now.test",
                        )
                    )
                    for _ in range(3)
                ]
                streams = [
                    # A body that does not come, so that nothing moves.
                    (c, c.open(path="/", authority="now.test", method="POST", end=False))
                    for c in connections for _ in range(60)
                ]
                # Until the backend has them: a connection to it that is made
                # for a stream that has ended is kept for the next one.
                wait.until(
                    lambda: stat("cluster.backend.upstream_rq_active") >= len(streams),
                    "the streams are open",
                )
                if i % 2:
                    self.withdraw()
                    left = {c: set() for c in connections}
                    for c, s in streams:
                        left[c].add(s)
                    for c, waiting in left.items():
                        while waiting:
                            frame = c.frame()
                            if frame.kind == http2.RST_STREAM:
                                waiting.remove(frame.stream)
                    self.put(self.people.truststore())
            wait.until(lambda: active() == 0, "no stream is open")
            used.append(memory())
        self.assertTrue(self.envoy.is_running())
        wait.until(
            lambda: handles() - stat("cluster.backend.upstream_cx_active") <= before + 20,
            "the handles are closed",
        )
        self.assertLess(used[-1], used[1] + (16 << 20))


if __name__ == "__main__":
    unittest.main()
