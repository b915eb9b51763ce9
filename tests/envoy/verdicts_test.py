"""Who gets through, over TLS 1.2 and 1.3, HTTP/1.1 and HTTP/2; what the
refused are told, and what the operator is told."""

import socket
import ssl
import time
import unittest

import gateway
from harness import client
from harness import curl

TRUSTED = "TRUSTED"

# (who, HTTP status, reason). `weak` ones need a client that OpenSSL's default
# security level does not hold back.
CASES = [
    ("partner", 200, TRUSTED),
    ("second_partner", 200, TRUSTED),
    ("direct", 200, TRUSTED),
    ("branch", 200, TRUSTED),
    ("branch_alone", 200, TRUSTED),
    ("p384", 200, TRUSTED),
    ("stranger", 403, "UNTRUSTED_ISSUER"),
    ("others_client", 403, "UNTRUSTED_ISSUER"),
    ("via_absent", 403, "INCOMPLETE_CHAIN"),
    ("impostor", 403, "UNTRUSTED_ISSUER"),
    ("impostor_alone", 403, "UNTRUSTED_ISSUER"),
    ("expired", 403, "EXPIRED"),
    ("expired_partner", 403, "EXPIRED"),
    ("not_yet", 403, "NOT_YET_VALID"),
    ("sha1", 403, "UNSUPPORTED_ALGORITHM"),
    ("rsa1024", 403, "WEAK_KEY"),
    ("server_only", 403, "NOT_FOR_CLIENT_AUTH"),
    ("deep", 403, "CHAIN_TOO_LONG"),
    ("outside", 403, "CONSTRAINT_VIOLATION"),
    ("many", 403, "LIMIT_EXCEEDED"),
    ("huge", 403, "LIMIT_EXCEEDED"),
]

WEAK_OPENSSL_CNF = """\
openssl_conf = defaults
[defaults]
ssl_conf = ssl
[ssl]
system_default = all
[all]
CipherString = DEFAULT@SECLEVEL=0
"""


class Verdicts(gateway.GatewayTest):
    """Methods named test_<who>_... are made from CASES below."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.weak = {"OPENSSL_CONF": str(cls.folder / "weak.cnf")}
        (cls.folder / "weak.cnf").write_text(WEAK_OPENSSL_CNF, encoding="ascii")

    def check(self, who, status, reason, tls, http):
        identity = getattr(self.people, who)
        request_id = gateway.new_id()
        before = self.backend.num_requests
        answer = curl.get(
            self.port, self.server.certificate,
            "--http" + http, "--tlsv" + tls, "--tls-max", tls, "-H", "x-test-id: " + request_id,
            identity=identity, environment=self.weak,
        )
        self.assertEqual(answer.status, status, answer)
        self.assertEqual(answer.version, http.removesuffix(".0"))
        log = self.log_of(request_id)
        self.assertEqual(log["reason"], reason)
        self.assertEqual(log["tls"], "TLSv" + tls)
        self.assertEqual(log["status"], status)
        self.assertEqual(log["fingerprint"], identity.fingerprint())
        if status == 200:
            told = answer.received().header("x-forwarded-client-cert")
            self.assertIn("Hash=" + identity.fingerprint(), told)
            self.assertEqual(self.backend.num_requests, before + 1)
        else:
            self.assertEqual(self.backend.num_requests, before, "the backend was reached")
            self.assertEqual(answer.body, gateway.FORBIDDEN.decode())
            self.assertEqual(answer.header("content-type"), "application/json")
            self.assertEqual(answer.header("x-amzn-errortype"), "ForbiddenException")
            self.assertNotIn(reason.lower(), str(answer).lower())
            self.assertIn(reason.lower(), log["details"].lower())


def _add_cases():
    for who, status, reason in CASES:
        for tls in ("1.2", "1.3"):
            for http in ("1.1", "2"):

                def test(self, arguments=(who, status, reason, tls, http)):
                    self.check(*arguments)

                name = "test_%s_is_%s_over_tls_%s_and_http_%s" % (
                    who, reason.lower(), tls.replace(".", "_"), http.replace(".", "_"),
                )
                setattr(Verdicts, name, test)


_add_cases()


class RefusedAgain(gateway.GatewayTest):
    """What is said of a refused client is the same for each of its requests,
    although its chain is not read again."""

    def test_refused_requests_of_one_connection_are_told_of_alike(self):
        for who in ("stranger", "expired", "many"):
            entries = []
            with self.connect(getattr(self.people, who)) as connection:
                for _ in range(3):
                    request_id = gateway.new_id()
                    response = connection.request("/", headers=(("x-test-id", request_id),))
                    self.assert_forbidden(response)
                    entries.append(self.log_of(request_id)["metadata"])
            self.assertEqual(entries[0]["subject"], entries[2]["subject"])
            for key in ("detail", "subject", "issuer", "serial", "fingerprint", "truststore"):
                self.assertTrue(entries[0][key], (who, key))
            self.assertEqual(entries[1:], entries[:2])


class RefusedByTls(gateway.GatewayTest):
    """What never becomes a request."""

    server_names = ("api.example.com", "impatient.test")

    @classmethod
    def domains(cls):
        return [cls.domain(), cls.domain(name="impatient.test", handshake_timeout="1s")]

    def assert_refused(self, identity=None, **options):
        """Returns what the listener's access log says of the connection."""
        before = self.backend.num_requests
        with self.assertRaises(client.Refused) as raised:
            self.get(identity, **options)
        self.assertEqual(self.backend.num_requests, before)
        port = raised.exception.local_port
        return self.envoy.wait_for_access_log(
            lambda e: e["kind"] == "connection" and e["client_port"] == port,
            "the line of the connection from port %d" % port,
        )

    def test_a_chain_too_large_to_be_kept(self):
        for tls in ("1.2", "1.3"):
            with self.subTest(tls=tls):
                log = self.assert_refused(self.people.flood, tls=tls)
                self.assertIn("sallyport:_LIMIT_EXCEEDED:_", log["failure"])

    def test_no_certificate_tls_1_2(self):
        log = self.assert_refused(tls="1.2")
        self.assertIn("PEER_DID_NOT_RETURN_A_CERTIFICATE", log["failure"])

    def test_no_certificate_tls_1_3(self):
        log = self.assert_refused(tls="1.3")
        self.assertIn("PEER_DID_NOT_RETURN_A_CERTIFICATE", log["failure"])

    def test_no_sni(self):
        for tls in ("1.2", "1.3"):
            with self.subTest(tls=tls):
                log = self.assert_refused(self.people.partner, server_name=None, tls=tls)
                self.assertEqual(log["flags"], "NR")

    def test_sni_that_no_domain_has(self):
        for name in ("other.example.com", "example.com", "x.api.example.com", "api.example.co"):
            with self.subTest(name=name):
                log = self.assert_refused(
                    self.people.partner, server_name=name, check_server=False
                )
                self.assertEqual(log["flags"], "NR")

    def test_a_handshake_that_stalls_is_ended(self):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = client.tls_context(self.server.certificate, self.people.partner)
        tls = context.wrap_bio(incoming, outgoing, server_hostname="impatient.test")
        with self.assertRaises(ssl.SSLWantReadError):
            tls.do_handshake()
        start = time.monotonic()
        with socket.create_connection(("127.0.0.1", self.port), timeout=15) as raw:
            raw.sendall(outgoing.read())
            # The server's half of the handshake, then nothing, then the end.
            try:
                while raw.recv(65536):
                    pass
            except ConnectionResetError:
                pass
        self.assertGreater(time.monotonic() - start, 0.9)

    def test_plain_http_is_not_served(self):
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as raw:
            raw.sendall(b"GET / HTTP/1.1\r\nHost: api.example.com\r\n\r\n")
            try:
                self.assertEqual(raw.recv(100), b"")
            except ConnectionResetError:
                pass

    def test_a_key_that_no_offered_signature_algorithm_can_use(self):
        # The client finds none to sign with, and is as good as without a
        # certificate. (TLS 1.2 does not bind the curve to the algorithm: P-521
        # comes through there, and the verdict is ours.)
        self.assert_refused(self.people.p521, tls="1.3")
        self.assert_refused(self.people.ed25519, tls="1.3")
        self.assert_refused(self.people.ed25519, tls="1.2")

    def test_p521_over_tls_1_2_is_forbidden(self):
        response, log = self.get_and_log(self.people.p521, tls="1.2")
        self.assert_forbidden(response)
        self.assertIn(log["reason"], ("WEAK_KEY", "UNSUPPORTED_ALGORITHM"))


class Grpc(gateway.GatewayTest):
    def call(self, identity, *options):
        request_id = gateway.new_id()
        answer = curl.get(
            self.port, self.server.certificate, "--http2", "-H", "x-test-id: " + request_id,
            "-H", "content-type: application/grpc", "-H", "te: trailers",
            # Without a body: Envoy answers before it would read one, and resets
            # the stream, which curl takes for an error.
            "--request", "POST", *options, identity=identity, path="/pkg.Service/Method",
        )
        return answer, request_id

    def test_an_untrusted_grpc_client_gets_permission_denied(self):
        with self.backend_is_not_reached():
            answer, request_id = self.call(self.people.stranger)
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(answer.header("grpc-status"), "7")
        self.assertEqual(answer.header("content-type"), "application/grpc")
        self.assertNotIn("untrusted", str(answer).lower())
        self.assertEqual(self.log_of(request_id)["reason"], "UNTRUSTED_ISSUER")

    def test_a_trusted_grpc_client_reaches_the_backend(self):
        answer, _ = self.call(self.people.partner)
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.header("grpc-status"), None)
        self.assertEqual(answer.received().document["path"], "/pkg.Service/Method")

    def test_another_host_is_an_error_too(self):
        with self.backend_is_not_reached():
            answer, _ = self.call(self.people.partner, "-H", "Host: other.example.com")
        self.assertNotIn(answer.header("grpc-status"), (None, "0"))


class Optional(gateway.GatewayTest):
    """require_client_certificate: false."""

    server_names = ("api.example.com", "strict.example.com")

    @classmethod
    def domains(cls):
        forwarding = {"xfcc": {"subject": True}, "rfc9440": {}}
        return [
            cls.domain(
                require_client_certificate=False,
                mutual_tls={"client_certificate": "OPTIONAL", "forwarding": forwarding},
            ),
            cls.domain(
                name="strict.example.com",
                require_client_certificate=False,
                mutual_tls={"client_certificate": "REQUIRED", "forwarding": forwarding},
            ),
        ]

    def test_without_a_certificate_the_backend_is_told_nobody(self):
        forged = (("Client-Cert", "admin"), ("x-forwarded-client-cert", "Subject=admin"))
        for tls in ("1.2", "1.3"):
            with self.subTest(tls=tls):
                response, log = self.get_and_log(tls=tls, headers=forged)
                self.assertEqual(response.status, 200)
                received = response.received()
                self.assertEqual(received.all("client-cert"), [])
                self.assertEqual(received.all("x-forwarded-client-cert"), [])
                self.assertEqual(log["subject"], None)

    def test_a_trusted_certificate_is_told(self):
        response = self.get(self.people.partner)
        self.assert_trusted_as(self.people.partner, response)

    def test_an_untrusted_certificate_is_worse_than_none(self):
        for who in ("stranger", "expired", "sha1"):
            with self.subTest(who=who), self.backend_is_not_reached():
                response = self.get(getattr(self.people, who), weak=True)
                self.assert_forbidden(response)

    def test_required_by_the_filter_alone(self):
        with self.backend_is_not_reached():
            response, log = self.get_and_log(server_name="strict.example.com")
        self.assert_forbidden(response)
        self.assertIn("no_certificate", log["details"].lower())
        response = self.get(self.people.partner, server_name="strict.example.com")
        self.assert_trusted_as(self.people.partner, response)


class Policies(gateway.GatewayTest):
    """Rules that a domain can choose."""

    server_names = ("any.test", "eku.test", "pin.test", "long.test", "leaf.test")

    @classmethod
    def domains(cls):
        only_issuing = {"name": "i", "inline_pem": cls.people.issuing.pem()}
        only_direct = {"name": "d", "inline_pem": cls.people.direct.pem()}
        return [
            cls.domain(
                name="any.test", truststore=only_issuing, validator={"chain_policy": "ANY_ANCHOR"}
            ),
            cls.domain(name="leaf.test", truststore=only_issuing),
            cls.domain(name="eku.test", validator={"extended_key_usage": "EKU_IGNORE"}),
            cls.domain(name="pin.test", truststore=only_direct, validator={"pin_leaf": True}),
            cls.domain(name="long.test", validator={"limits": {"max_chain_length": 5}}),
        ]

    def reason(self, who, domain):
        response, log = self.get_and_log(getattr(self.people, who), server_name=domain)
        self.assertEqual(response.status, 200 if log["reason"] == TRUSTED else 403)
        return log["reason"]

    def test_any_anchor_lets_an_intermediate_end_the_chain(self):
        self.assertEqual(self.reason("branch", "any.test"), TRUSTED)
        self.assertEqual(self.reason("direct", "any.test"), "UNTRUSTED_ISSUER")

    def test_complete_chain_wants_the_root_too(self):
        self.assertEqual(self.reason("branch", "leaf.test"), "INCOMPLETE_CHAIN")

    def test_extended_key_usage_can_be_ignored(self):
        self.assertEqual(self.reason("server_only", "eku.test"), TRUSTED)

    def test_a_pinned_leaf_is_trusted_and_its_sisters_are_not(self):
        self.assertEqual(self.reason("direct", "pin.test"), TRUSTED)
        self.assertNotEqual(self.reason("p384", "pin.test"), TRUSTED)

    def test_a_longer_chain_can_be_allowed(self):
        self.assertEqual(self.reason("deep", "long.test"), TRUSTED)


class FailsClosed(gateway.GatewayTest):
    """Something that the filter needs is not there."""

    server_names = (
        "plain.test", "crossed.test", "api.example.com", "mixed.test", "bypass.test",
        "unfiltered.test", "unfiltered-pass.test", "unasked.test", "unasked-open.test",
    )

    @classmethod
    def domains(cls):
        # Envoy's own validator trusts root; ours never ran.
        plain = cls.domain(
            name="plain.test",
            validation_context={"trusted_ca": {"filename": str(cls.people.root.certificate)}},
        )
        # The validator works for another domain than the filter.
        crossed = cls.domain(name="crossed.test")
        crossed.validator = {"domain": "elsewhere.test"}
        # The same, and the filter's domain exists: it trusts one partner.
        narrow = cls.domain(
            truststore={"name": "narrow", "inline_pem": cls.people.second_partner.pem()}
        )
        mixed = cls.domain(name="mixed.test")
        mixed.validator = {"domain": "mixed.test"}
        mixed.mutual_tls = {"domain": "api.example.com", **mixed.mutual_tls}
        # No validator of ours in this chain, but one for the domain elsewhere.
        bypass = cls.domain(
            name="bypass.test", validation_context=dict(plain.validation_context)
        )
        bypass.mutual_tls = {"domain": "api.example.com", **bypass.mutual_tls}
        unasked = {"client_certificate": "NOT_ASKED"}
        return [
            plain, crossed, narrow, mixed, bypass,
            # The validator alone.
            cls.domain(name="unfiltered.test", with_filter=False, resumption=True),
            cls.domain(
                name="unfiltered-pass.test", with_filter=False, validator={"rejection": "PASS"}
            ),
            # A filter that judges nobody, with a validator.
            cls.domain(name="unasked.test", mutual_tls=unasked),
            cls.domain(
                name="unasked-open.test", mutual_tls=unasked, require_client_certificate=False
            ),
        ]

    def check(self, domain, host=None, reason="CONFIGURATION_MISSING"):
        for identity in (self.people.direct, self.people.p384):
            for tls in ("1.2", "1.3"):
                with self.subTest(domain=domain, tls=tls), self.backend_is_not_reached():
                    response, log = self.get_and_log(
                        identity, server_name=domain, host=host, tls=tls
                    )
                    self.assert_forbidden(response)
                    self.assertEqual(log["reason"], reason)

    def test_a_chain_without_the_validator_gains_nothing(self):
        self.check("plain.test")
        # To the filter this is a resumed session of the domain: what Envoy's
        # own validator thought of the client does not count.
        self.check("bypass.test", host="api.example.com", reason="UNTRUSTED_ISSUER")

    def test_a_validator_of_another_domain_forbids_everything(self):
        self.check("crossed.test")

    def assert_refused_in_tls(self, domain):
        for who in ("stranger", "expired", "impostor"):
            for tls in ("1.2", "1.3"):
                with self.subTest(domain=domain, who=who, tls=tls):
                    with self.backend_is_not_reached(), self.assertRaises(
                        client.Refused
                    ) as raised:
                        self.get(getattr(self.people, who), server_name=domain, tls=tls)
                    port = raised.exception.local_port
                    log = self.envoy.wait_for_access_log(
                        lambda e, port=port: e["kind"] == "connection"
                        and e["client_port"] == port,
                        "the connection's line",
                    )
                    self.assertIn("no_filter_sallyport.mtls", log["failure"])
                    self.assertNotEqual(log["handshake_reason"], TRUSTED)

    def test_a_validator_without_the_filter_lets_no_stranger_in(self):
        for domain in ("unfiltered.test", "unfiltered-pass.test"):
            self.assert_refused_in_tls(domain)
            self.assertEqual(self.get(self.people.direct, server_name=domain).status, 200)
            self.envoy.wait_for_log("domain %s: handshakes of clients that are not trusted" % domain)

    def test_a_filter_that_asks_for_no_certificate_judges_nobody(self):
        for domain in ("unasked.test", "unasked-open.test"):
            self.assert_refused_in_tls(domain)
            # Whose certificate was asked for against the configuration.
            self.check(domain)
        response = self.get(server_name="unasked-open.test")
        self.assertEqual(response.status, 200)

    def test_a_verdict_for_one_domain_counts_for_no_other(self):
        # Trusted by mixed.test alone, and by both.
        for who in ("partner", "second_partner"):
            with self.subTest(who=who), self.backend_is_not_reached():
                response, log = self.get_and_log(
                    getattr(self.people, who), server_name="mixed.test", host="api.example.com"
                )
                self.assert_forbidden(response)
                self.assertEqual(log["reason"], "CONFIGURATION_MISSING")
                self.assertEqual(log["handshake_reason"], TRUSTED)


if __name__ == "__main__":
    unittest.main()
