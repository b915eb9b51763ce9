"""A resumed session gets the verdict that a full handshake would get now.

Envoy asks no validator about a resumed session; the filter reads the client's
chain from Envoy's x-forwarded-client-cert and judges it.
"""

import datetime
import itertools
import json
import os
import unittest
import urllib.parse

import gateway
from harness import certificates
from harness import client
from harness import config
from harness import files
from harness import http2
from harness import wait

# (TLS version, tickets): TLS 1.2 with tickets, TLS 1.2 by session id, TLS 1.3.
KINDS = (("1.2", True), ("1.2", False), ("1.3", True))
TICKETS = tuple(kind for kind in KINDS if kind[1])
XFCC = "x-forwarded-client-cert"
ALL_FIELDS = {"subject": True, "cert": True, "chain": True, "dns": True, "uri": True}
# How a connection manager can be set up for XFCC, and that lets a client's own
# header through.
FROM_OUTSIDE = ("FORWARD_ONLY", "APPEND_FORWARD", "ALWAYS_FORWARD_ONLY")


def name_of(details):
    return details.lower().replace("_", "-") + ".test"


def forged_xfcc(identity):
    """The value that Envoy would write for `identity`."""
    pem = urllib.parse.quote(identity.pem(), safe="")
    chain = urllib.parse.quote(certificates.chain_pem(identity), safe="")
    return 'Hash=%s;Cert="%s";Chain="%s";Subject="%s"' % (
        identity.fingerprint(), pem, chain, identity.subject()
    )


class ResumptionTest(gateway.GatewayTest):
    concurrency = 1  # a session id is known to one worker's context only

    def context(self, identity, kind):
        tls, tickets = kind
        return client.tls_context(self.server.certificate, identity, tls, tickets)

    def session(self, context, domain, expect=200, **options):
        """A full handshake and a request; returns (session, response)."""
        with self.connect(server_name=domain, context=context) as connection:
            response = connection.request(**options)
            self.assertFalse(connection.session_reused)
            self.assertEqual(response.status, expect)
            return connection.session, response

    def resumed(self, context, domain, session):
        """A connection that resumed `session`."""
        connection = self.connect(server_name=domain, context=context, session=session)
        self.addCleanup(connection.close)
        self.assertTrue(connection.session_reused, "the test resumed nothing")
        return connection

    def resume(self, identity, domain, kind, expect=200, **options):
        """A resumed connection after a full handshake."""
        context = self.context(identity, kind)
        session, _ = self.session(context, domain, expect, **options)
        return self.resumed(context, domain, session)

    def assert_misconfigured(self, connection, said, **options):
        """403 whatever the style, and the log says why."""
        request_id = gateway.new_id()
        with self.backend_is_not_reached():
            headers = tuple(options.pop("headers", ())) + (("x-test-id", request_id),)
            self.assert_forbidden(connection.request(headers=headers, **options))
        log = self.log_of(request_id)
        self.assertEqual(log["reason"], "CONFIGURATION_MISSING")
        self.assertEqual(log["details"], "sallyport_denied{CONFIGURATION_MISSING}")
        self.assertIn(said, log["detail"])


class Resumption(ResumptionTest):
    server_names = (
        "api.example.com", "open.example.com", "optional.example.com", "strict.example.com",
        "everything.example.com", "closed.example.com",
    )

    @classmethod
    def domains(cls):
        cls.truststore = cls.folder / "truststore.pem"
        cls.truststore.write_text(cls.people.truststore(), encoding="ascii")
        from_file = {"name": "f", "version": "9", "file": str(cls.truststore)}
        with_file = {"truststore": from_file, "resumption": True}
        every_dialect = {
            "xfcc": ALL_FIELDS, "rfc9440": {"chain": True}, "alb": {}, "api_gateway": {},
            "ingress_nginx": {"cert": True}, "traefik": {"pem": True, "info": True},
            "cloudflare": {}, "truststore": True, "verdict": True, "max_header_bytes": 65536,
        }
        return [
            cls.domain(),
            cls.domain(name="open.example.com", **with_file),
            cls.domain(
                name="optional.example.com", require_client_certificate=False,
                mutual_tls={"client_certificate": "OPTIONAL"}, **with_file,
            ),
            cls.domain(
                name="strict.example.com", mutual_tls={"strict_handshake": True}, **with_file
            ),
            cls.domain(
                name="everything.example.com", mutual_tls={"forwarding": every_dialect},
                **with_file,
            ),
            cls.domain(
                name="closed.example.com", mutual_tls={"rejection": "HANDSHAKE"},
                validator={"rejection": "HANDSHAKE"}, **with_file,
            ),
        ]

    def put(self, pem):
        files.move_into_place(self.truststore, pem)

    def status(self, identity):
        return self.get(identity, server_name="open.example.com").status

    def withdraw(self):
        """The partner is not trusted any more; branch and direct are."""
        self.addCleanup(self.restore)
        self.put(self.people.root.pem() + self.people.issuing.pem())
        wait.until(lambda: self.status(self.people.partner) == 403, "the partner is out")

    def restore(self):
        self.put(self.people.truststore())
        wait.until(lambda: self.status(self.people.partner) == 200, "the partner is in")

    def test_with_the_switches_off_there_is_none(self):
        for kind in KINDS:
            with self.subTest(kind=kind):
                context = self.context(self.people.partner, kind)
                session, _ = self.session(context, "api.example.com")
                with self.connect(context=context, session=session) as connection:
                    self.assertEqual(connection.request().status, 200)
                    self.assertFalse(connection.session_reused)

    def test_the_backend_is_told_the_same(self):
        domain = "everything.example.com"
        ours = ("x-forwarded-", "client-cert", "x-amzn-", "ssl-client", "cf-client", "x-sallyport")
        for who in ("partner", "branch", "direct"):
            for kind in KINDS:
                with self.subTest(who=who, kind=kind):
                    context = self.context(getattr(self.people, who), kind)
                    session, first = self.session(context, domain)
                    again = self.resumed(context, domain, session).request()

                    def told(response):
                        received = response.received().headers
                        return sorted(h for h in received if h[0].startswith(ours))

                    self.assertEqual(again.status, 200)
                    self.assertGreater(len(told(first)), 15)
                    self.assertEqual(told(again), told(first))

    def test_each_request_of_a_resumed_connection(self):
        counted = self.envoy.counter("sallyport_resumed", domain="open.example.com")
        connection = self.resume(self.people.branch, "open.example.com", KINDS[2])
        for _ in range(3):
            self.assert_trusted_as(self.people.branch, connection.request())
        self.assertEqual(
            self.envoy.counter("sallyport_resumed", domain="open.example.com"), counted + 3
        )

    def test_over_http_2(self):
        domain = "open.example.com"
        for kind in KINDS:
            with self.subTest(kind=kind):
                context = self.context(self.people.branch, kind)
                with http2.Connection(
                    self.port, None, server_name=domain, context=context
                ) as connection:
                    first = connection.request(authority=domain)
                    session = connection.session
                with http2.Connection(
                    self.port, None, server_name=domain, context=context, session=session
                ) as connection:
                    self.assertTrue(connection.session_reused)
                    for _ in range(2):
                        again = connection.request([(XFCC, "Hash=forged")], authority=domain)
                        self.assertEqual(again.all(XFCC), first.all(XFCC))

    def test_the_access_log_says_who_it_was(self):
        for who, reason, expect in (("branch", "TRUSTED", 200), ("expired", "EXPIRED", 403)):
            identity = getattr(self.people, who)
            connection = self.resume(identity, "open.example.com", KINDS[2], expect)
            request_id = gateway.new_id()
            connection.request(headers=(("x-test-id", request_id),))
            log = self.log_of(request_id)
            self.assertEqual(log["reason"], reason)
            self.assertIsNone(log["handshake_reason"])  # there was no verdict then
            metadata = log["metadata"]
            self.assertEqual(metadata["subject"], identity.subject())
            self.assertEqual(metadata["issuer"], identity.issuer())
            self.assertEqual(metadata["serial"], identity.serial())
            self.assertEqual(metadata["fingerprint"], identity.fingerprint())
            self.assertEqual(metadata["truststore"], "f@9")

    def test_an_untrusted_client_stays_untrusted(self):
        for domain in ("open.example.com", "optional.example.com"):
            for who in ("stranger", "expired", "impostor", "others_client", "via_absent"):
                for kind in KINDS:
                    with self.subTest(domain=domain, who=who, kind=kind):
                        identity = getattr(self.people, who)
                        with self.backend_is_not_reached():
                            connection = self.resume(identity, domain, kind, expect=403)
                            self.assert_forbidden(connection.request())

    def test_a_session_without_a_certificate_is_one_without(self):
        domain = "optional.example.com"
        for kind in KINDS:
            with self.subTest(kind=kind):
                connection = self.resume(None, domain, kind)
                received = connection.request(
                    headers=((XFCC, forged_xfcc(self.people.partner)),)
                ).received()
                self.assertEqual(received.all(XFCC), [])
                self.assertEqual(received.header("x-sallyport-verdict"), "NO_CERTIFICATE")

    def test_a_session_from_before_a_change(self):
        made = []
        for kind in KINDS:
            for who in ("partner", "branch"):
                context = self.context(getattr(self.people, who), kind)
                session, _ = self.session(context, "open.example.com")
                made.append((kind, who, context, session))
        self.withdraw()
        opened = []
        for kind, who, context, session in made:
            with self.subTest(kind=kind, who=who):
                connection = self.resumed(context, "open.example.com", session)
                opened.append((who, connection))
                if who == "branch":
                    self.assert_trusted_as(self.people.branch, connection.request())
                else:
                    self.assert_forbidden(connection.request())
        # And both ways on what is open now.
        for refused in (False, True, False):
            (self.withdraw if refused else self.restore)()
            for who, connection in opened:
                status = 403 if refused and who == "partner" else 200
                self.assertEqual(connection.request().status, status)

    def test_a_session_of_an_untrusted_client_counts_once_it_is_trusted(self):
        context = self.context(self.people.stranger, KINDS[2])
        session, _ = self.session(context, "open.example.com", expect=403)
        self.addCleanup(self.restore)
        self.put(self.people.truststore() + self.people.stranger.pem())
        wait.until(lambda: self.status(self.people.stranger) == 200, "the stranger is in")
        connection = self.resumed(context, "open.example.com", session)
        self.assert_trusted_as(self.people.stranger, connection.request())

    def test_a_certificate_that_expires(self):
        identity = self.people.workshop.client(
            "short", "/CN=short", self.people.root,
            not_before=certificates.days_from_now(-1),
            not_after=certificates.seconds_from_now(4),
        )
        sessions = []
        for kind in KINDS:
            context = self.context(identity, kind)
            sessions.append((context, self.session(context, "open.example.com")[0]))
        opened = [self.resumed(c, "open.example.com", s) for c, s in sessions]
        for connection in opened:
            self.assertEqual(connection.request().status, 200)
        end = identity.validity()[1] + datetime.timedelta(seconds=1)
        wait.until(
            lambda: datetime.datetime.now(certificates.UTC) > end, "the certificate's end"
        )
        for connection in opened:
            self.assert_forbidden(connection.request())
        for context, session in sessions:
            self.assert_forbidden(
                self.resumed(context, "open.example.com", session).request()
            )

    def test_a_resumed_connection_is_closed_in_the_style_handshake(self):
        domain = "closed.example.com"
        made = []
        for kind in KINDS:
            context = self.context(self.people.partner, kind)
            made.append((context, self.session(context, domain)[0]))
        opened = [self.resumed(c, domain, s) for c, s in made]
        for connection in opened:
            self.assertEqual(connection.request().status, 200)
        self.withdraw()
        with self.backend_is_not_reached():
            for connection in opened + [self.resumed(c, domain, s) for c, s in made]:
                with self.assertRaises(client.Refused):
                    connection.request()
        self.assertTrue(self.envoy.is_running())

    def test_strict_handshake(self):
        for kind in KINDS:
            with self.subTest(kind=kind):
                connection = self.resume(self.people.partner, "strict.example.com", kind)
                self.assert_misconfigured(connection, "strict_handshake")


class OtherDomains(ResumptionTest):
    """A session counts in the domain that it was made for."""

    server_names = ("a.test", "b.test", "nobodys.test", "plain.test", "file.test")

    @classmethod
    def domains(cls):
        # As a fleet of proxies has it, so that any of them resumes a session.
        keys = cls.folder / "ticket.key"
        if not keys.exists():
            keys.write_bytes(os.urandom(80))
        cls.tls = {"session_ticket_keys": {"keys": [{"filename": str(keys)}]}}
        cls.truststore = cls.folder / "truststore.pem"
        cls.truststore.write_text(cls.people.truststore(), encoding="ascii")
        trust = {"name": "t", "inline_pem": cls.people.truststore()}
        nobody = {"name": "t", "inline_pem": cls.people.second_partner.pem()}
        from_file = {"name": "t", "file": str(cls.truststore)}

        def domain(name, truststore, tls):
            made = cls.domain(
                name=name, truststore=truststore, resumption=True, tls=tls,
                sds_file=cls.folder / (name + ".json"),
            )
            # Envoy hashes the configuration as it is serialized, and no two
            # processes write a Struct's fields in the same order.
            text = config.any_of(config.validator_message(made), "string")
            made.sds_file.write_text(json.dumps(config.secret(made, text)), encoding="ascii")
            return made

        return [
            domain("a.test", trust, cls.tls),
            # Trusts the same people, but for b.test.
            domain("b.test", trust, cls.tls),
            domain("nobodys.test", nobody, cls.tls),
            domain("plain.test", trust, {}),
            domain("file.test", from_file, cls.tls),
        ]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.second = cls.start(cls.domains(), "second")
        cls.second_port = cls.second.port(config.LISTENER)

    def offer(self, kind, made_for, offered_to, identity=None, port=None):
        """Returns (resumed, response)."""
        context = self.context(identity or self.people.partner, kind)
        session, _ = self.session(context, made_for)
        with self.connect(
            server_name=offered_to, context=context, session=session, port=port or self.port
        ) as connection:
            return connection.session_reused, connection.request()

    def test_the_ticket_keys_are_shared(self):
        # Else the other tests would show nothing.
        for kind in TICKETS:
            for who in ("partner", "branch"):
                with self.subTest(kind=kind, who=who):
                    identity = getattr(self.people, who)
                    reused, response = self.offer(
                        kind, "a.test", "a.test", identity, self.second_port
                    )
                    self.assertTrue(reused)
                    self.assert_trusted_as(identity, response)

    def test_the_proxy_that_resumes_judges(self):
        made = []
        for kind in TICKETS:
            context = self.context(self.people.partner, kind)
            made.append((context, self.session(context, "file.test")[0]))
        files.move_into_place(self.truststore, self.people.root.pem())
        try:
            wait.until(
                lambda: self.get(
                    self.people.partner, server_name="file.test", port=self.second_port
                ).status == 403,
                "the partner is out",
            )
            for context, session in made:
                with self.connect(
                    server_name="file.test", context=context, session=session,
                    port=self.second_port,
                ) as connection:
                    self.assertTrue(connection.session_reused)
                    self.assert_forbidden(connection.request())
        finally:
            files.move_into_place(self.truststore, self.people.truststore())

    def test_no_session_moves(self):
        names = ("a.test", "b.test", "plain.test", "file.test")
        for kind, made_for, offered_to in itertools.product(KINDS, names, names):
            if made_for == offered_to:
                continue
            with self.subTest(kind=kind, made_for=made_for, offered_to=offered_to):
                for port in (self.port, self.second_port):
                    reused, response = self.offer(kind, made_for, offered_to, port=port)
                    self.assertFalse(reused)
                    self.assertEqual(response.status, 200)

    def test_nor_to_where_the_client_is_not_trusted(self):
        for kind in KINDS:
            for made_for in ("a.test", "plain.test"):
                with self.subTest(kind=kind, made_for=made_for):
                    reused, response = self.offer(kind, made_for, "nobodys.test")
                    self.assertFalse(reused)
                    self.assert_forbidden(response)

    def test_a_resumed_connection_reaches_no_other_host(self):
        connection = self.resume(self.people.partner, "a.test", KINDS[2])
        self.assertEqual(connection.request(host="b.test").status, 421)
        self.assertEqual(connection.request(host="a.test").status, 200)


class ConnectionManagers(ResumptionTest):
    """The chain comes from Envoy's header. Set up in another way, a resumed
    session is refused, and a client's own header never helps."""

    server_names = tuple(name_of(d) for d in FROM_OUTSIDE) + (
        "sanitize.test", "nochain.test", "pass.test", "optional.test", "handshake.test",
        "badrequest.test", "set.test",
    )

    @classmethod
    def domains(cls):
        trust = {"name": "t", "inline_pem": cls.people.truststore()}

        def domain(name, details, fields=None, mutual_tls=None, **options):
            return cls.domain(
                name=name, truststore=trust, resumption=True,
                mutual_tls={"forwarding": {"xfcc": {"subject": True}}, **(mutual_tls or {})},
                connection_manager={
                    "forward_client_cert_details": details,
                    "set_current_client_cert_details": ALL_FIELDS if fields is None else fields,
                },
                **options,
            )

        return [domain(name_of(d), d) for d in FROM_OUTSIDE] + [
            domain("set.test", "SANITIZE_SET"),
            domain("sanitize.test", "SANITIZE"),
            domain("nochain.test", "SANITIZE_SET", {"subject": True, "cert": True}),
            domain("pass.test", "SANITIZE", mutual_tls={"rejection": "PASS"}),
            domain(
                "optional.test", "SANITIZE", mutual_tls={"client_certificate": "OPTIONAL"},
                require_client_certificate=False,
            ),
            domain("handshake.test", "SANITIZE", mutual_tls={"rejection": "HANDSHAKE"}),
            domain("badrequest.test", "SANITIZE", mutual_tls={"rejection": "BAD_REQUEST"}),
        ]

    def test_without_envoys_header(self):
        names = ("sanitize", "nochain", "pass", "optional", "handshake", "badrequest")
        for name in names:
            for kind in KINDS:
                with self.subTest(name=name, kind=kind):
                    connection = self.resume(self.people.partner, name + ".test", kind)
                    self.assert_misconfigured(
                        connection, "chain" if name == "nochain" else "SANITIZE_SET"
                    )
                    self.assert_misconfigured(
                        connection, "chain" if name == "nochain" else "SANITIZE_SET",
                        headers=((XFCC, forged_xfcc(self.people.partner)),),
                    )

    def test_a_forged_header_makes_nobody_else(self):
        people = self.people
        forged = {
            "partner": forged_xfcc(people.partner),
            "branch": forged_xfcc(people.branch),
            # The digest of the stranger's certificate, and others behind it.
            "mixed": forged_xfcc(people.partner).replace(
                people.partner.fingerprint(), people.stranger.fingerprint()
            ),
            "two elements": forged_xfcc(people.partner) + "," + forged_xfcc(people.stranger),
            "reversed": forged_xfcc(people.stranger) + "," + forged_xfcc(people.partner),
            "garbage": "Hash=%s" % people.stranger.fingerprint(),
        }
        for name in ("set.test",) + tuple(name_of(d) for d in FROM_OUTSIDE):
            for what, value in forged.items():
                for kind in (KINDS[0], KINDS[2]):
                    with self.subTest(name=name, what=what, kind=kind):
                        with self.backend_is_not_reached():
                            connection = self.resume(people.stranger, name, kind, expect=403)
                            self.assert_forbidden(connection.request(headers=((XFCC, value),)))
                            self.assert_forbidden(
                                connection.request(headers=((XFCC, value), (XFCC, value)))
                            )
                            self.assert_forbidden(connection.request())

    def test_nor_somebody_else_of_a_trusted_client(self):
        people = self.people
        for name in ("set.test",) + tuple(name_of(d) for d in FROM_OUTSIDE):
            with self.subTest(name=name):
                connection = self.resume(people.partner, name, KINDS[2])
                response = connection.request(headers=((XFCC, forged_xfcc(people.direct)),))
                if response.status == 200:
                    told = response.received().all(XFCC)
                    self.assertEqual(len(told), 1)
                    self.assertIn("Hash=" + people.partner.fingerprint(), told[0])
                    self.assertNotIn(people.direct.fingerprint(), told[0])
                else:
                    self.assert_forbidden(response)
                if name == "set.test":
                    self.assertEqual(response.status, 200)

    def test_intermediates_that_the_client_adds_are_no_trust(self):
        # What a client says of its own chain is what it could send in a
        # handshake.
        people = self.people
        chain = certificates.Identity(
            people.via_absent.certificate, people.via_absent.key, people.branch.chain
        )
        value = forged_xfcc(chain)
        for details in FROM_OUTSIDE:
            connection = self.resume(people.via_absent, name_of(details), KINDS[2], expect=403)
            with self.backend_is_not_reached():
                self.assert_forbidden(connection.request(headers=((XFCC, value),)))


if __name__ == "__main__":
    unittest.main()
