"""What a client gets that is not let in: each style, reason and protocol."""

import json
import ssl
import unittest

import gateway
from harness import client
from harness import curl
from harness import files
from harness import http2
from harness import wait

STYLES = ("FORBIDDEN", "HANDSHAKE", "BAD_REQUEST", "PASS")
PAGE = "<p>Please come with a certificate.</p>"
DEFAULT_PAGE = (
    "<html>\r\n<head><title>400 Bad Request</title></head>\r\n<body>\r\n"
    "<h1>400 Bad Request</h1>\r\n</body>\r\n</html>\r\n"
)
# Without a body: Envoy answers before it would read one, and resets the stream,
# which curl takes for an error.
GRPC = ("-H", "content-type: application/grpc", "-H", "te: trailers", "--request", "POST")
# Who is refused, for what, and the alert of the style HANDSHAKE for it.
UNTRUSTED = {
    "stranger": ("UNTRUSTED_ISSUER", "unknown ca"),
    "others_client": ("UNTRUSTED_ISSUER", "unknown ca"),
    "via_absent": ("INCOMPLETE_CHAIN", "unknown ca"),
    "deep": ("CHAIN_TOO_LONG", "unknown ca"),
    "expired": ("EXPIRED", "certificate expired"),
    "not_yet": ("NOT_YET_VALID", "certificate expired"),
    "sha1": ("UNSUPPORTED_ALGORITHM", "unsupported certificate"),
    "rsa1024": ("WEAK_KEY", "unsupported certificate"),
    "server_only": ("NOT_FOR_CLIENT_AUTH", "unsupported certificate"),
    "tampered": ("BAD_SIGNATURE", "bad certificate"),
    "denied": ("REVOKED", "certificate revoked"),
    "outside": ("CONSTRAINT_VIOLATION", "bad certificate"),
    "many": ("LIMIT_EXCEEDED", "bad certificate"),
}


def name_of(style):
    return style.lower().replace("_", "-") + ".test"


def style(name, mutual_tls=None, **more):
    """Options of a Domain in a rejection style."""
    return {
        "mutual_tls": {"rejection": name, **(mutual_tls or {})},
        "validator": {"rejection": name},
        **more,
    }


class StylesTest(gateway.GatewayTest):
    concurrency = 1

    def curl(self, identity, domain, *options, path="/"):
        """Returns (answer, its line in the access log)."""
        request_id = gateway.new_id()
        answer = curl.get(
            self.port, self.server.certificate, "-H", "x-test-id: " + request_id, *options,
            identity=identity, domain=domain, path=path,
        )
        return answer, self.log_of(request_id)

    def handshake_error(self, identity, domain, tls):
        """(what TLS says to a client that is refused, the connection's line)."""
        context = client.tls_context(self.server.certificate, identity, tls, weak=True)
        try:
            with self.connect(server_name=domain, context=context) as connection:
                port = connection.local_port
                try:
                    # In TLS 1.3 the client is done before the server has looked.
                    got = connection.socket.recv(1)
                    self.fail("the connection is open, or ended without an alert: %r" % got)
                except ssl.SSLError as error:
                    said = str(error)
        except client.Refused as error:
            said, port = str(error), error.local_port
        log = self.envoy.wait_for_access_log(
            lambda e: e["kind"] == "connection" and e["client_port"] == port, "its line"
        )
        return said, log

    def all_bytes(self, connection, *paths, headers=()):
        """Sends requests at once; returns all that comes until the end."""
        data = ""
        for path in paths:
            data += "GET %s HTTP/1.1\r\nHost: %s\r\n" % (path, connection.server_name)
            data += "".join("%s: %s\r\n" % h for h in headers) + "\r\n"
        connection.send(data.encode())
        got = b""
        try:
            while piece := connection.socket.recv(65536):
                got += piece
        except (ssl.SSLError, ConnectionError):
            pass
        return got


class Styles(StylesTest):
    server_names = tuple(name_of(s) for s in STYLES) + (
        "page.test", "redirect.test", "optional-forbidden.test", "optional-handshake.test",
        "optional-bad-request.test", "optional-pass.test",
    )

    @classmethod
    def domains(cls):
        def optional(name):
            return cls.domain(
                name="optional-" + name_of(name), require_client_certificate=False,
                **style(name, {"client_certificate": "OPTIONAL"}),
            )

        page = {"body": PAGE, "content_type": "text/html; charset=utf-8"}
        redirect = {"redirect": "https://help.example.com/certificates?from=proxy"}
        deny = {"certificate_sha256": [cls.people.denied.fingerprint()]}

        def required(name):
            options = style(name)
            options["validator"]["deny"] = deny
            return cls.domain(name=name_of(name), **options)

        return [required(s) for s in STYLES] + [
            cls.domain(name="page.test", **style("BAD_REQUEST", {"bad_request": page})),
            cls.domain(name="redirect.test", **style("BAD_REQUEST", {"bad_request": redirect})),
        ] + [optional(s) for s in STYLES]

    def test_a_trusted_client_is_let_in_by_all(self):
        for domain in self.server_names:
            for who in ("partner", "branch"):
                identity = getattr(self.people, who)
                for version in ("--http1.1", "--http2"):
                    with self.subTest(domain=domain, who=who, version=version):
                        answer, log = self.curl(identity, domain, version)
                        self.assertEqual(answer.status, 200)
                        self.assertEqual(log["reason"], "TRUSTED")
                answer, log = self.curl(identity, domain, "--http2", *GRPC)
                self.assertEqual((answer.status, answer.header("grpc-status")), (200, None))

    def test_forbidden(self):
        domain = "forbidden.test"
        for who in ("stranger", "expired"):
            reason = UNTRUSTED[who][0]
            for version in ("--http1.1", "--http2"):
                with self.backend_is_not_reached():
                    answer, log = self.curl(getattr(self.people, who), domain, version)
                self.assertEqual(answer.status, 403)
                self.assertEqual(answer.body.encode(), gateway.FORBIDDEN)
                self.assertEqual(log["details"], "sallyport_denied{%s}" % reason)
            with self.backend_is_not_reached():
                answer, log = self.curl(getattr(self.people, who), domain, "--http2", *GRPC)
            self.assertEqual((answer.status, answer.header("grpc-status")), (200, "7"))
            self.assertEqual(log["details"], "sallyport_denied{%s}" % reason)

    def test_handshake_has_the_alert_for_each_reason(self):
        for tls in ("1.2", "1.3"):
            for who, (reason, alert) in UNTRUSTED.items():
                with self.subTest(tls=tls, who=who):
                    said, log = self.handshake_error(
                        getattr(self.people, who), "handshake.test", tls
                    )
                    self.assertIn("alert " + alert, said)
                    # Envoy writes '_' for blanks.
                    self.assertIn("sallyport:_%s:_" % reason, log["failure"])
                    self.assertEqual(log["handshake_reason"], reason)

    def test_handshake_for_every_protocol(self):
        for options in (("--http1.1",), ("--http2",), ("--http2",) + GRPC):
            with self.subTest(options=options), self.backend_is_not_reached():
                answer = curl.get(
                    self.port, self.server.certificate, "--tls-max", "1.2", *options,
                    identity=self.people.stranger, domain="handshake.test",
                )
                self.assertEqual(answer.status, 0)
                self.assertIn("unknown ca", answer.error)

    def test_without_a_certificate_tls_itself_refuses(self):
        for name in STYLES:
            for tls, alert in (("1.2", "handshake failure"), ("1.3", "certificate required")):
                with self.subTest(style=name, tls=tls), self.backend_is_not_reached():
                    said, log = self.handshake_error(None, name_of(name), tls)
                    self.assertIn("alert " + alert, said)
                    self.assertIn("PEER_DID_NOT_RETURN_A_CERTIFICATE", log["failure"])

    def test_bad_request(self):
        wanted = {
            "bad-request.test": (400, DEFAULT_PAGE, "text/html", None),
            "page.test": (400, PAGE, "text/html; charset=utf-8", None),
            "redirect.test": (302, "", None, "https://help.example.com/certificates?from=proxy"),
        }
        for domain, (status, body, content_type, location) in wanted.items():
            for who in ("stranger", "expired"):
                identity = getattr(self.people, who)
                reason = UNTRUSTED[who][0]
                for version in ("--http1.1", "--http2"):
                    with self.subTest(domain=domain, who=who, version=version):
                        with self.backend_is_not_reached():
                            answer, log = self.curl(identity, domain, version)
                        self.assertEqual(answer.status, status)
                        self.assertEqual(answer.body, body)
                        self.assertEqual(answer.header("content-type"), content_type)
                        self.assertEqual(answer.header("location"), location)
                        self.assertEqual(log["reason"], reason)
                        self.assertEqual(log["details"], "sallyport_denied{%s}" % reason)
                with self.backend_is_not_reached():
                    answer, log = self.curl(identity, domain, "--http2", *GRPC)
                self.assertEqual((answer.status, answer.header("grpc-status")), (200, "7"))
                self.assertEqual(log["details"], "sallyport_denied{%s}" % reason)

    def test_pass(self):
        for who, (reason, _) in UNTRUSTED.items():
            identity = getattr(self.people, who)
            with self.subTest(who=who):
                response, log = self.get_and_log(
                    identity, server_name="pass.test", weak=True,
                    headers=(("x-sallyport-verdict", "TRUSTED"),),
                )
                self.assertEqual(response.status, 200)
                received = response.received()
                self.assertEqual(received.header("x-sallyport-verdict"), reason)
                self.assertEqual(received.all("x-forwarded-client-cert"), [])
                self.assertEqual(log["reason"], reason)
                self.assertEqual(log["metadata"]["subject"], identity.subject())
        for options in (("--http2",), ("--http2",) + GRPC):
            answer, log = self.curl(self.people.expired, "pass.test", *options)
            self.assertEqual(
                answer.received().header("x-sallyport-verdict"), "EXPIRED", answer
            )
        # The counter has a verdict of its own for them.
        self.assertGreater(
            self.envoy.counter(
                "sallyport_decisions", domain="pass.test", verdict="passed", reason="EXPIRED"
            ), 0,
        )

    def test_refused_handshakes_are_counted(self):
        labels = {"domain": "handshake.test", "reason": "EXPIRED"}
        before = self.envoy.counter("sallyport_handshakes_refused", **labels)
        for version in ("1.2", "1.3", "1.3"):
            self.handshake_error(self.people.expired, "handshake.test", version)
        wait.until(
            lambda: self.envoy.counter("sallyport_handshakes_refused", **labels) == before + 3,
            "three more are counted",
        )

    def test_optional_without_a_certificate(self):
        for name in STYLES:
            domain = "optional-" + name_of(name)
            for options in (("--http1.1",), ("--http2",), ("--http2",) + GRPC):
                with self.subTest(style=name, options=options):
                    answer, log = self.curl(None, domain, *options)
                    self.assertEqual(answer.status, 200)
                    received = answer.received()
                    self.assertEqual(received.header("x-sallyport-verdict"), "NO_CERTIFICATE")
                    self.assertEqual(received.all("x-forwarded-client-cert"), [])
                    self.assertEqual(log["reason"], "NO_CERTIFICATE")

    def test_optional_is_not_for_a_bad_certificate(self):
        stranger = self.people.stranger
        for name, status in (("FORBIDDEN", 403), ("BAD_REQUEST", 400), ("PASS", 200)):
            response = self.get(stranger, server_name="optional-" + name_of(name))
            self.assertEqual(response.status, status)
        said, _ = self.handshake_error(stranger, "optional-handshake.test", "1.3")
        self.assertIn("unknown ca", said)

    def test_what_the_outsider_sees_is_one_answer(self):
        for domain in ("forbidden.test", "bad-request.test", "page.test", "redirect.test"):
            answers = set()
            for who in set(UNTRUSTED) - {"denied"}:
                response = self.get(getattr(self.people, who), server_name=domain, weak=True)
                headers = tuple(h for h in response.headers if h[0] != "date")
                answers.add((response.status, headers, response.body))
            self.assertEqual(len(answers), 1, answers)


class Closing(StylesTest):
    """HANDSHAKE where the handshake is over: closed without an answer."""

    server_names = ("handshake.test",)

    @classmethod
    def domains(cls):
        cls.truststore = cls.folder / "truststore.pem"
        cls.truststore.write_text(cls.people.truststore(), encoding="ascii")
        return [
            cls.domain(
                name="handshake.test", truststore={"name": "f", "file": str(cls.truststore)},
                **style("HANDSHAKE"),
            )
        ]

    def withdraw(self):
        """The partner is not trusted any more; direct is."""
        self.addCleanup(self.restore)
        files.move_into_place(self.truststore, self.people.root.pem())
        wait.until(lambda: self.fresh(self.people.partner) is None, "the partner is out")

    def restore(self):
        files.move_into_place(self.truststore, self.people.truststore())
        wait.until(lambda: self.fresh(self.people.partner) == 200, "the partner is in")

    def fresh(self, identity):
        """The status on a new connection; None when TLS refuses."""
        try:
            return self.get(identity, server_name="handshake.test").status
        except client.Refused:
            return None

    def open(self, who="partner"):
        connection = self.connect(getattr(self.people, who), server_name="handshake.test")
        self.addCleanup(connection.close)
        self.assertEqual(connection.request().status, 200)
        return connection

    def open_h2(self, who="partner"):
        return http2.Connection(
            self.port, self.server.certificate, getattr(self.people, who),
            server_name="handshake.test",
        )

    def test_a_kept_connection(self):
        connections = [self.open() for _ in range(5)]
        other = self.open("direct")
        self.withdraw()
        for i, connection in enumerate(connections):
            request_id = gateway.new_id()
            with self.backend_is_not_reached():
                got = self.all_bytes(
                    connection, *["/"] * (1 + i), headers=(("x-test-id", request_id),)
                )
            self.assertEqual(got, b"")
            log = self.log_of(request_id)
            self.assertEqual(log["reason"], "UNTRUSTED_ISSUER")
            self.assertEqual(log["details"], "forced_goaway")
            self.assertEqual(log["metadata"]["subject"], self.people.partner.subject())
            self.assertEqual((log["status"], log["bytes_sent"]), (0, 0))
        self.assertEqual(other.request().status, 200)
        self.assertTrue(self.envoy.is_running())

    def test_a_request_with_a_body(self):
        for head in (b"Content-Length: 1000000\r\n", b"Transfer-Encoding: chunked\r\n"):
            connection = self.open()
            self.withdraw()
            with self.backend_is_not_reached():
                connection.send(b"POST / HTTP/1.1\r\nHost: handshake.test\r\n" + head + b"\r\n")
                connection.send(b"5\r\nhello\r\n" * 100)
                self.assertEqual(self.all_bytes(connection), b"")
            self.restore()
        self.assertTrue(self.envoy.is_running())

    def test_http_2(self):
        for others in (0, 1, 5):
            with self.subTest(others=others), self.open_h2() as connection, self.open_h2(
                "direct"
            ) as staying:
                connection.request(authority="handshake.test")
                stays = staying.open(path="/drip", authority="handshake.test")
                running = [
                    connection.open(path="/drip", authority="handshake.test")
                    for _ in range(others)
                ]
                for stream in running:
                    connection.frames_until(
                        lambda f, s=stream: f.stream == s and f.kind == http2.DATA
                    )
                self.withdraw()
                request_id = gateway.new_id()
                with self.backend_is_not_reached():
                    refused = connection.open(
                        [("x-test-id", request_id)], authority="handshake.test"
                    )
                    also = connection.open(
                        [("x-test-id", request_id)], authority="handshake.test"
                    )
                    frames = []
                    with self.assertRaises(http2.Reset):
                        while frame := connection.frame():
                            frames.append(frame)
                for frame in frames:
                    if frame.stream in (refused, also):
                        self.assertNotIn(frame.kind, (http2.HEADERS, http2.DATA))
                log = self.log_of(request_id)
                self.assertEqual(log["reason"], "UNTRUSTED_ISSUER")
                self.assertEqual(log["status"], 0)
                # Nobody else's is.
                staying.frames_until(lambda f: f.stream == stays and f.kind == http2.DATA)
                staying.request(authority="handshake.test")
                self.restore()
        self.assertTrue(self.envoy.is_running())

    def test_grpc(self):
        with self.open_h2() as connection:
            headers = [("content-type", "application/grpc"), ("te", "trailers")]
            connection.exchange(headers, authority="handshake.test", body=b"hello")
            self.withdraw()
            with self.backend_is_not_reached(), self.assertRaises(http2.Reset):
                connection.exchange(headers, authority="handshake.test", body=b"hello")
        self.assertTrue(self.envoy.is_running())

    def test_many_at_once(self):
        connections = [self.open_h2() for _ in range(20)]
        for connection in connections:
            connection.request(authority="handshake.test")
        self.withdraw()
        for connection in connections:
            for _ in range(20):
                connection.open(authority="handshake.test")
        for connection in connections:
            with self.assertRaises(http2.Reset):
                while frame := connection.frame():
                    self.assertNotIn(frame.kind, (http2.HEADERS, http2.DATA))
        self.assertTrue(self.envoy.is_running())
        self.assertEqual(self.fresh(self.people.direct), 200)


class Requirements(StylesTest):
    """Some paths only, and client rules, in each style."""

    server_names = tuple(
        prefix + name_of(s) for s in STYLES for prefix in ("paths-", "allow-")
    ) + tuple("strict-" + name_of(s) for s in STYLES)

    @classmethod
    def domains(cls):
        made = []
        rule = {"san_dns": {"patterns": ["direct.example.org"]}}
        paths = {
            "client_certificate": "OPTIONAL",
            "paths": [
                {"prefix": "/admin", "client_certificate": "REQUIRED"},
                {"prefix": "/admin/public", "client_certificate": "OPTIONAL"},
                {"exact": "/owner", "allow": rule},
            ],
        }
        for name in STYLES:
            made += [
                cls.domain(
                    name="paths-" + name_of(name), require_client_certificate=False,
                    **style(name, paths),
                ),
                cls.domain(
                    name="allow-" + name_of(name), require_client_certificate=False,
                    **style(name, {"client_certificate": "OPTIONAL", "allow": rule}),
                ),
                # OPTIONAL in Envoy, REQUIRED by the filter.
                cls.domain(
                    name="strict-" + name_of(name), require_client_certificate=False,
                    **style(name),
                ),
            ]
        return made

    def answer_without(self, name, path, domain="paths-"):
        """What a client without a certificate gets; None: closed."""
        try:
            return self.get(None, server_name=domain + name_of(name), path=path).status
        except client.Refused:
            return None

    REFUSED = {"FORBIDDEN": 403, "HANDSHAKE": 403, "BAD_REQUEST": 400, "PASS": 200}

    def test_required_on_some_paths(self):
        for name in STYLES:
            for path in ("/", "/administration", "/x/admin", "/?/admin", "/admin/public"):
                with self.subTest(style=name, path=path):
                    self.assertEqual(self.answer_without(name, path), 200)
            for path in ("/admin", "/admin/", "/admin/users?x=/admin/public"):
                with self.subTest(style=name, path=path):
                    self.assertEqual(self.answer_without(name, path), self.REFUSED[name])
                    domain = "paths-" + name_of(name)
                    self.assertEqual(
                        self.get(self.people.partner, server_name=domain, path=path).status, 200
                    )

    def test_no_spelling_gets_around_it(self):
        spellings = (
            "//admin", "/./admin", "/x/../admin", "/%61dmin", "/ADMIN", "/admin;x=1", "/admin%2f",
            "/admin/public/../users", "/admin/public/..%2fusers", "/admin/public/%2e%2e/users",
            "/admin%00", "/x%2f..%2fadmin", "/admin\\users", "/%2561dmin", "/admin.json",
            "/admin/public/%252e%252e/users",
        )
        for path in spellings:
            with self.subTest(path=path), self.backend_is_not_reached():
                self.assertIn(self.answer_without("FORBIDDEN", path), (400, 403))

    def test_pass_tells_the_backend_on_those_paths(self):
        received = self.get(None, server_name="paths-pass.test", path="/admin").received()
        self.assertEqual(received.header("x-sallyport-verdict"), "NO_CERTIFICATE")

    def test_who_is_refused_by_a_path_only_is_not_cut_off(self):
        # The handshake was in order: the next request of the connection is too.
        with self.connect(None, server_name="paths-handshake.test") as connection:
            self.assert_forbidden(connection.request("/admin"))
            self.assertEqual(connection.request("/").status, 200)

    def test_where_the_filter_requires_what_envoy_does_not(self):
        for name in STYLES:
            with self.subTest(style=name):
                wanted = dict(self.REFUSED, HANDSHAKE=None)[name]
                self.assertEqual(self.answer_without(name, "/", "strict-"), wanted)
        self.assertTrue(self.envoy.is_running())

    def test_not_allowed_is_403_in_every_style(self):
        for name in STYLES:
            for domain, path in (("allow-", "/"), ("paths-", "/owner")):
                domain += name_of(name)
                with self.subTest(domain=domain):
                    self.assertEqual(
                        self.get(self.people.direct, server_name=domain, path=path).status, 200
                    )
                    with self.backend_is_not_reached():
                        response, log = self.get_and_log(
                            self.people.partner, server_name=domain, path=path
                        )
                    self.assert_forbidden(response)
                    self.assertEqual(log["reason"], "NOT_ALLOWED")
                    self.assertEqual(log["details"], "sallyport_denied{NOT_ALLOWED}")
                    self.assertEqual(
                        log["metadata"]["subject"], self.people.partner.subject()
                    )
                    with self.backend_is_not_reached():
                        answer, _ = self.curl(
                            self.people.partner, domain, "--http2", *GRPC, path=path
                        )
                    self.assertEqual((answer.status, answer.header("grpc-status")), (200, "7"))

    def test_no_rule_lets_in_who_has_no_certificate(self):
        for name in STYLES:
            for domain, path in (("allow-", "/"), ("paths-", "/owner")):
                with self.subTest(style=name, domain=domain), self.backend_is_not_reached():
                    wanted = {"BAD_REQUEST": 400}.get(name, 403)
                    self.assertEqual(self.answer_without(name, path, domain), wanted)

    def test_nor_who_is_not_trusted(self):
        # Has the very name that the rule asks for.
        impostor = self.people.workshop.client(
            "same_name", "/CN=direct.example.org", self.people.other_root,
            sans="DNS:direct.example.org", send=[self.people.other_root],
        )
        for name in STYLES:
            for domain, path in (("allow-", "/"), ("paths-", "/owner")):
                with self.subTest(style=name, domain=domain), self.backend_is_not_reached():
                    try:
                        status = self.get(
                            impostor, server_name=domain + name_of(name), path=path
                        ).status
                    except client.Refused:
                        status = None
                    wanted = {"BAD_REQUEST": 400, "HANDSHAKE": None}.get(name, 403)
                    self.assertEqual(status, wanted)
                    if name == "PASS":  # which would let it pass but for the rule
                        _, log = self.get_and_log(
                            impostor, server_name=domain + name_of(name), path=path
                        )
                        self.assertRegex(
                            log["detail"],
                            r"; (allow|paths\[2\]\.allow) lets nobody in who is not trusted$",
                        )


class Missing(StylesTest):
    """Without a verdict that it can use, the filter refuses in every style."""

    server_names = tuple(
        prefix + name_of(s) for s in STYLES for prefix in ("unbound-", "others-")
    )

    @classmethod
    def domains(cls):
        made = []
        for name in STYLES:
            own = {"rejection": name, "client_certificate": "OPTIONAL"}
            # Envoy's own validator in place of ours.
            made.append(
                cls.domain(
                    name="unbound-" + name_of(name), truststore=None, mutual_tls=own,
                    require_client_certificate=False,
                    validation_context={
                        "trusted_ca": {"filename": str(cls.people.root.certificate)}
                    },
                )
            )
            # A validator of another domain.
            made.append(
                cls.domain(
                    name="others-" + name_of(name), mutual_tls=own,
                    validator={"domain": "elsewhere.test"}, require_client_certificate=False,
                )
            )
        return made

    def test_all(self):
        for domain in self.server_names:
            for who in ("direct", None):
                identity = getattr(self.people, who) if who else None
                with self.subTest(domain=domain, who=who), self.backend_is_not_reached():
                    response, log = self.get_and_log(identity, server_name=domain)
                    self.assert_forbidden(response)
                    self.assertEqual(log["details"], "sallyport_denied{CONFIGURATION_MISSING}")


class Configuration(StylesTest):
    """What is refused when Envoy starts."""

    server_names = ("api.example.com",)

    def test_the_log_names_the_field(self):
        bad = (
            ({"bad_request": {"body": "x"}}, "bad_request: counts only with"),
            (
                {"rejection": "BAD_REQUEST", "bad_request": {"redirect": "//evil.test"}},
                "bad_request.redirect: ",
            ),
            (
                {"rejection": "BAD_REQUEST", "bad_request": {"redirect": "/x", "body": "y"}},
                "bad_request.redirect: ",
            ),
            ({"end_streams_after": "90000s"}, "end_streams_after: "),
            ({"allow": {}}, "allow: "),
            ({"paths": [{"prefix": "admin"}]}, r"paths\[0\]"),
        )
        for i, (mutual_tls, pattern) in enumerate(bad):
            with self.subTest(mutual_tls=json.dumps(mutual_tls)):
                with self.assertRaises(gateway.envoy.DidNotStart) as caught:
                    self.start([self.domain(mutual_tls=mutual_tls)], "bad%d" % i)
                self.assertRegex(
                    caught.exception.log, "sallyport.mtls: configuration refused: " + pattern
                )


if __name__ == "__main__":
    unittest.main()
