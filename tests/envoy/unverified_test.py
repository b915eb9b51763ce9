"""What the backend is told of clients that nobody vouches for.

In the style PASS, and where no certificate is needed. A backend must never
take such a client for a verified one, in no dialect; and it is told the same
on a resumed session.
"""

import unittest

import gateway
from harness import certificates
from harness import client

EVERYTHING = {
    "xfcc": {"subject": True, "cert": True, "chain": True, "uri": True, "dns": True},
    "rfc9440": {"chain": True},
    "alb": {},
    "ingress_nginx": {"cert": True},
    "traefik": {"pem": True, "info": True},
    "cloudflare": {},
    "api_gateway": {},
    "truststore": True,
    "max_header_bytes": 65536,
}
# Every header by which a dialect says that a client was verified.
VOUCHING = {
    "x-forwarded-client-cert",
    "client-cert",
    "client-cert-chain",
    "x-amzn-mtls-clientcert-serial-number",
    "x-amzn-mtls-clientcert-issuer",
    "x-amzn-mtls-clientcert-subject",
    "x-amzn-mtls-clientcert-validity",
    "x-amzn-mtls-clientcert-leaf",
    "x-forwarded-tls-client-cert",
    "x-forwarded-tls-client-cert-info",
    "cf-client-cert-der-base64",
    "cf-client-cert-sha256",
    "x-sallyport-client-cert",
    "x-sallyport-truststore",
}
NGINX = {"ssl-client-verify", "ssl-client-subject-dn", "ssl-client-issuer-dn", "ssl-client-cert"}


def told(received):
    """The headers of all dialects, by name."""
    got = {}
    for name, value in received.headers:
        folded = name.replace("_", "-")
        if folded.startswith(("ssl-client", "cf-client", "x-amzn-mtls", "x-sallyport")) or (
            "client-cert" in folded
        ):
            assert name not in got, name
            got[name] = value
    return got


class Unverified(gateway.GatewayTest):
    server_names = (
        "pass.test", "through.test", "optional.test", "silent.test", "styled.test",
        "forward.test", "append.test", "always.test",
    )

    @classmethod
    def domains(cls):
        def domain(name, style="PASS", optional=False, mode="SANITIZE_SET", **forwarding):
            mutual_tls = {"rejection": style, "forwarding": forwarding}
            if optional:
                mutual_tls["client_certificate"] = "OPTIONAL"
            return cls.domain(
                name=name,
                mutual_tls=mutual_tls,
                validator={"rejection": style},
                require_client_certificate=not optional,
                resumption=True,
                connection_manager={"forward_client_cert_details": mode},
            )

        through = dict(EVERYTHING, alb={"mode": "PASSTHROUGH"})
        return [
            domain("pass.test", **EVERYTHING),
            domain("through.test", **through),
            domain("optional.test", optional=True, **EVERYTHING),
            domain("silent.test"),
            domain("styled.test", "FORBIDDEN", **EVERYTHING),
            # Set up against the manual: the client's own header gets in.
            domain("forward.test", mode="FORWARD_ONLY", **EVERYTHING),
            domain("append.test", mode="APPEND_FORWARD", **EVERYTHING),
            domain("always.test", mode="ALWAYS_FORWARD_ONLY", **EVERYTHING),
        ]

    refused = ("stranger", "expired", "impostor")

    def told(self, identity, name, headers=()):
        response = self.get(identity, server_name=name, headers=headers)
        self.assertEqual(response.status, 200)
        return told(response.received())

    def reason(self, who):
        """As the access log of another style has it."""
        response, entry = self.get_and_log(getattr(self.people, who), server_name="styled.test")
        self.assertEqual(response.status, 403)
        return entry["reason"]

    def test_an_untrusted_client_is_told_of_only_as_untrusted(self):
        for who in self.refused:
            with self.subTest(who=who):
                identity = getattr(self.people, who)
                reason = self.reason(who)
                self.assertNotEqual(reason, "TRUSTED")
                self.assertEqual(
                    self.told(identity, "pass.test"),
                    {
                        "x-sallyport-verdict": reason,
                        "ssl-client-verify": "FAILED:" + reason,
                        "ssl-client-subject-dn": identity.subject(),
                        "ssl-client-issuer-dn": identity.issuer(),
                        "ssl-client-cert": certificates.url_encoded_pem(identity.pem()),
                    },
                )

    def test_a_load_balancer_in_passthrough_mode_passes_what_was_sent(self):
        for who in self.refused:
            with self.subTest(who=who):
                identity = getattr(self.people, who)
                got = self.told(identity, "through.test")
                self.assertEqual(
                    set(got), NGINX | {"x-sallyport-verdict", "x-amzn-mtls-clientcert"}
                )
                self.assertTrue(
                    got["x-amzn-mtls-clientcert"].startswith(
                        certificates.url_encoded_pem(identity.pem(), safe="+=/")
                    )
                )

    def test_where_nothing_is_configured_the_verdict_is_told(self):
        for who in self.refused:
            got = self.told(getattr(self.people, who), "silent.test")
            self.assertEqual(got, {"x-sallyport-verdict": self.reason(who)})
        got = self.told(self.people.partner, "silent.test")
        self.assertEqual(got, {"x-sallyport-verdict": "TRUSTED"})

    def test_a_trusted_client_is_told_of_in_every_dialect(self):
        got = self.told(self.people.branch, "pass.test")
        self.assertEqual(set(got), VOUCHING | NGINX | {"x-sallyport-verdict"})
        self.assertEqual(got["x-sallyport-verdict"], "TRUSTED")
        self.assertEqual(got["ssl-client-verify"], "SUCCESS")
        self.assertEqual(got["x-sallyport-truststore"], "partners@7")
        # Another style: the verdict is told only where it is asked for.
        got = self.told(self.people.branch, "styled.test")
        self.assertEqual(set(got), VOUCHING | NGINX)

    def test_a_client_without_a_certificate(self):
        self.assertEqual(
            self.told(None, "optional.test"),
            {"x-sallyport-verdict": "NO_CERTIFICATE", "ssl-client-verify": "NONE"},
        )

    def test_an_untrusted_client_cannot_add_what_is_missing(self):
        forged = [(name, "forged") for name in sorted(VOUCHING | NGINX | {"x-sallyport-verdict"})]
        forged += [(name.replace("-", "_"), "forged") for name, _ in forged]
        for name, identity in (
            ("pass.test", self.people.stranger), ("through.test", self.people.stranger),
            ("silent.test", self.people.stranger), ("optional.test", None),
        ):
            with self.subTest(name=name):
                self.assertEqual(
                    self.told(identity, name, headers=forged), self.told(identity, name)
                )

    def test_a_resumed_session_is_told_of_as_the_first(self):
        for tls in ("1.2", "1.3"):
            for who in ("branch", "direct", "stranger", "expired"):
                with self.subTest(who=who, tls=tls):
                    context = client.tls_context(
                        self.server.certificate, getattr(self.people, who), tls=tls
                    )
                    options = {"context": context, "server_name": "pass.test"}
                    with self.connect(**options) as connection:
                        first = told(connection.request(host="pass.test").received())
                        session = connection.session
                        self.assertFalse(connection.session_reused)
                    with self.connect(session=session, **options) as connection:
                        self.assertTrue(connection.session_reused)
                        for _ in range(2):
                            again = told(connection.request(host="pass.test").received())
                            self.assertEqual(again, first)
                    self.assertEqual(
                        "client-cert" in first, who in ("branch", "direct")
                    )

    def forged_xfcc(self, identity):
        """What Envoy would write for `identity`."""
        pem = certificates.url_encoded_pem(identity.pem())
        return 'Hash=%s;Cert="%s";Chain="%s";Subject="%s"' % (
            identity.fingerprint(), pem, pem, identity.subject()
        )

    def resumed(self, identity, name):
        """A Connection that was resumed."""
        context = client.tls_context(self.server.certificate, identity)
        with self.connect(context=context, server_name=name) as connection:
            connection.request(host=name)
            session = connection.session
        connection = self.connect(context=context, server_name=name, session=session)
        self.assertTrue(connection.session_reused)
        return connection

    def test_a_resumed_sessions_chain_does_not_come_from_the_client(self):
        forged = self.forged_xfcc(self.people.direct)
        expected = self.told(self.people.stranger, "pass.test")
        with self.resumed(self.people.stranger, "pass.test") as connection:
            for headers in (
                [("x-forwarded-client-cert", forged)],
                [("x-forwarded-client-cert", forged)] * 2,
                [("x_forwarded_client_cert", forged)],
            ):
                again = connection.request(host="pass.test", headers=headers).received()
                self.assertEqual(told(again), expected)

    def test_nor_where_the_connection_manager_lets_the_clients_header_in(self):
        headers = [("x-forwarded-client-cert", self.forged_xfcc(self.people.direct))]
        for name in ("forward.test", "append.test", "always.test"):
            for identity in (self.people.stranger, self.people.expired):
                with self.subTest(name=name), self.resumed(identity, name) as connection:
                    self.assert_forbidden(connection.request(host=name, headers=headers))
            # A trusted client is not taken for another.
            with self.resumed(self.people.partner, name) as connection:
                self.assert_forbidden(connection.request(host=name, headers=headers))


if __name__ == "__main__":
    unittest.main()
