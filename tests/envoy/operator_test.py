"""What the operator sees: counters, response-code details, access log, log."""

import unittest

import gateway
from harness import files
from harness import http2
from harness import wait


class Counters(gateway.GatewayTest):
    server_names = (
        "api.example.com", "other.example.com", "small.example.com", "warned.example.com",
    )

    @classmethod
    def domains(cls):
        forwarding = {"xfcc": {"subject": True, "cert": True}, "max_header_bytes": 400}
        return [
            cls.domain(),
            cls.domain(
                name="other.example.com", require_client_certificate=False,
                mutual_tls={"client_certificate": "OPTIONAL"},
            ),
            cls.domain(name="small.example.com", mutual_tls={"forwarding": forwarding}),
            cls.domain(
                name="warned.example.com", validator={"extended_key_usage": "EKU_WARN"}
            ),
        ]

    def assert_counts(self, act, counter, **labels):
        """`act` moves that counter, and no other of its name, by one."""
        self.settle()
        before = self.envoy.counter(counter, **labels)
        total = self.envoy.counter(counter)
        act()
        self.wait_for_count(counter, before + 1, **labels)
        self.assertEqual(self.envoy.counter(counter), total + 1)

    def settle(self):
        """Trusted requests are counted a moment later: waits for all so far."""
        wait.until(
            lambda: self.envoy.counter("sallyport_decisions", verdict="allowed")
            == self.envoy.stats("cluster.backend.")["cluster.backend.upstream_rq_completed"],
            "all requests are counted that reached the backend",
        )

    def wait_for_count(self, counter, number, **labels):
        wait.until(
            lambda: self.envoy.counter(counter, **labels) >= number,
            "%s %s is %d" % (counter, labels, number),
        )
        self.assertEqual(self.envoy.counter(counter, **labels), number)

    def test_a_request_counts_once_by_domain_verdict_and_reason(self):
        cases = (
            ("partner", "api.example.com", "allowed", "TRUSTED"),
            ("partner", "other.example.com", "allowed", "TRUSTED"),
            (None, "other.example.com", "allowed", "NO_CERTIFICATE"),
            ("stranger", "api.example.com", "denied", "UNTRUSTED_ISSUER"),
            ("stranger", "other.example.com", "denied", "UNTRUSTED_ISSUER"),
            ("expired", "api.example.com", "denied", "EXPIRED"),
            ("sha1", "api.example.com", "denied", "UNSUPPORTED_ALGORITHM"),
            ("rsa1024", "api.example.com", "denied", "WEAK_KEY"),
        )
        for who, domain, verdict, reason in cases:
            identity = getattr(self.people, who) if who else None
            with self.subTest(who=who, domain=domain):
                self.assert_counts(
                    lambda i=identity, d=domain: self.get(i, server_name=d, weak=True),
                    "sallyport_decisions", domain=domain, verdict=verdict, reason=reason,
                )

    def test_each_request_of_a_connection_counts(self):
        labels = {"domain": "api.example.com", "verdict": "allowed", "reason": "TRUSTED"}
        self.settle()
        before = self.envoy.counter("sallyport_decisions", **labels)
        with self.connect(self.people.partner) as connection:
            for _ in range(5):
                connection.request()
        self.wait_for_count("sallyport_decisions", before + 5, **labels)

    def test_misdirected_requests(self):
        self.assert_counts(
            lambda: self.get(self.people.partner, host="elsewhere.example.com"),
            "sallyport_misdirected", domain="api.example.com",
        )

    def test_truncated_forwarding(self):
        self.assert_counts(
            lambda: self.get(self.people.partner, server_name="small.example.com"),
            "sallyport_forwarding_truncated", domain="small.example.com",
        )

    def test_clients_that_only_a_warning_lets_in(self):
        self.assert_counts(
            lambda: self.get(self.people.server_only, server_name="warned.example.com"),
            "sallyport_extended_key_usage_warnings", domain="warned.example.com",
        )
        response, log = self.get_and_log(
            self.people.server_only, server_name="warned.example.com"
        )
        self.assertEqual(response.status, 200)
        self.assertEqual(log["reason"], "TRUSTED")
        self.assertIn("extended key usage without client authentication", log["detail"])
        _, log = self.get_and_log(self.people.partner, server_name="warned.example.com")
        self.assertEqual(log["detail"], None)

    def test_a_client_cannot_make_up_labels(self):
        before = {k for k in self.envoy.prometheus() if "sallyport" in k[0]}
        for host in ("a.test", "b.test", "api.example.com."):
            self.get(self.people.partner, host=host)
        after = {k for k in self.envoy.prometheus() if "sallyport" in k[0]}
        for _, labels in after - before:
            self.assertIn(dict(labels)["domain"], self.server_names)


class AccessLog(gateway.GatewayTest):
    @classmethod
    def domains(cls):
        cls.truststore = cls.folder / "truststore.pem"
        cls.truststore.write_text(cls.people.truststore(), encoding="ascii")
        return [
            cls.domain(
                truststore={"name": "partners", "version": "2026-11", "file": str(cls.truststore)}
            )
        ]

    def test_who_called(self):
        for who in ("partner", "direct", "branch", "stranger", "expired"):
            with self.subTest(who=who):
                identity = getattr(self.people, who)
                _, log = self.get_and_log(identity)
                self.assertEqual(log["sallyport_subject"], identity.subject())
                self.assertEqual(log["sallyport_issuer"], identity.issuer())
                self.assertEqual(log["sallyport_serial"], identity.serial())
                self.assertEqual(log["sallyport_fingerprint"], identity.fingerprint())
                self.assertEqual(log["truststore"], "partners@2026-11")

    def test_why_it_was_refused(self):
        _, log = self.get_and_log(self.people.expired)
        self.assertEqual(log["reason"], "EXPIRED")
        self.assertEqual(log["handshake_reason"], "EXPIRED")
        self.assertEqual(log["details"], "sallyport_denied{EXPIRED}")
        self.assertIn("CN=expired", log["detail"])
        self.assertIn(self.people.expired.validity()[1].strftime("%Y-%m-%d"), log["detail"])

    def test_a_trusted_request(self):
        _, log = self.get_and_log(self.people.partner)
        self.assertEqual(log["reason"], "TRUSTED")
        self.assertEqual(log["detail"], None)
        self.assertEqual(log["details"], "via_upstream")

    def test_a_misdirected_request(self):
        _, log = self.get_and_log(self.people.partner, host="other.example.com")
        self.assertEqual(log["details"], "sallyport_misdirected")
        self.assertEqual(log["detail"], 'Host "other.example.com" is not api.example.com')

    def test_over_http_2(self):
        with http2.Connection(
            self.port, self.server.certificate, self.people.branch
        ) as connection:
            connection.request([("x-test-id", "over-http-2")])
        log = self.log_of("over-http-2")
        self.assertEqual(log["protocol"], "HTTP/2")
        self.assertEqual(log["sallyport_subject"], self.people.branch.subject())

    def test_the_request_has_the_newer_verdict(self):
        with self.connect(self.people.partner) as connection:
            connection.request()
            files.move_into_place(self.truststore, self.people.root.pem())
            try:
                wait.until(lambda: connection.request().status == 403, "the update")
                connection.request(headers=(("x-test-id", "after"),))
            finally:
                files.move_into_place(self.truststore, self.people.truststore())
        log = self.log_of("after")
        self.assertEqual(log["handshake_reason"], "TRUSTED")
        self.assertEqual(log["reason"], "UNTRUSTED_ISSUER")
        self.assertEqual(log["details"], "sallyport_denied{UNTRUSTED_ISSUER}")
        wait.until(lambda: self.get(self.people.partner).status == 200, "the old truststore")

    def test_the_connection_has_the_handshakes_verdict(self):
        with self.connect(self.people.stranger) as connection:
            connection.request()
            port = connection.local_port
        log = self.envoy.wait_for_access_log(
            lambda e: e["kind"] == "connection" and e["client_port"] == port, "its line"
        )
        self.assertEqual(log["handshake_reason"], "UNTRUSTED_ISSUER")


class Log(gateway.GatewayTest):
    """Envoy's own log, with the module's debug lines."""

    log_level = "debug"

    def module_lines(self, since=0):
        return [l for l in self.envoy.log()[since:].splitlines() if "sallyport: " in l]

    def test_the_configuration_is_told_at_start(self):
        self.envoy.wait_for_log(
            r"\[info\].*sallyport: .*domain api\.example\.com trusts partners@7 "
            r"\(\d+ certificates, complete-chain\)"
        )

    def test_certificates_that_give_no_trust_are_told_at_start(self):
        # The expired partner is the fifth block.
        before = "".join(
            i.pem() for i in (
                self.people.root, self.people.issuing, self.people.partner,
                self.people.second_partner,
            )
        )
        self.envoy.wait_for_log(
            r'\[warning\].*sallyport: truststore partners@7: certificate 5, line %d, '
            r'"CN=expired partner": EXPIRED: .*gives no trust'
            % (before.count("\n") + 1)
        )

    def test_a_handshake_names_subject_reason_and_path(self):
        since = len(self.envoy.log())
        self.get(self.people.branch)
        self.envoy.wait_for_log(
            r'\[debug\].*sallyport: handshake for api\.example\.com: TRUSTED, client "%s".*'
            r'path .*"%s".*"%s".*"%s"'
            % (
                self.people.branch.subject(), self.people.branch.subject(),
                self.people.issuing.subject(), self.people.root.subject(),
            ),
            since,
        )

    def test_a_refused_request_names_the_reason(self):
        since = len(self.envoy.log())
        self.get(self.people.stranger, path="/where")
        self.envoy.wait_for_log(
            r'\[debug\].*sallyport: request for api\.example\.com: denied, UNTRUSTED_ISSUER.*'
            r'CN=stranger.example.org.*path "/where"',
            since,
        )

    def test_a_subject_cannot_forge_a_line(self):
        identity = self.people.workshop.client(
            "forger", "/CN=x\n[2026][info] sallyport: all is well \x1b[2Jy"
        )
        since = len(self.envoy.log())
        response, log = self.get_and_log(identity)
        self.assert_forbidden(response)
        self.envoy.wait_for_log("sallyport: request for .*denied", since)
        lines = self.envoy.log()[since:].splitlines()
        self.assertEqual([l for l in lines if l.startswith("[2026][info]")], [])
        self.assertNotIn("\x1b", "\n".join(self.module_lines(since)))
        self.assertTrue(log["sallyport_subject"].isprintable())

    def test_no_key_and_no_pem(self):
        for who in ("partner", "branch", "stranger"):
            self.get(getattr(self.people, who))
        text = "\n".join(self.module_lines())
        self.assertNotIn("BEGIN", text)
        for who in ("partner", "branch", "stranger"):
            identity = getattr(self.people, who)
            for path in (identity.key, identity.certificate):
                for line in path.read_text(encoding="ascii").splitlines()[1:-1]:
                    self.assertNotIn(line, text)


if __name__ == "__main__":
    unittest.main()
