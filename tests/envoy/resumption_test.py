"""A resumed session never gets a better verdict than a full handshake."""

import unittest

import gateway
from harness import client
from harness import config
from harness import files
from harness import wait

# (TLS version, tickets): TLS 1.2 with tickets, TLS 1.2 by session id, TLS 1.3.
KINDS = (("1.2", True), ("1.2", False), ("1.3", True))


class Resumption(gateway.GatewayTest):
    concurrency = 1  # a session id is known to one worker's context only
    server_names = ("api.example.com", "open.example.com", "optional.example.com")

    @classmethod
    def domains(cls):
        cls.truststore = cls.folder / "truststore.pem"
        cls.truststore.write_text(cls.people.truststore(), encoding="ascii")
        from_file = {"name": "f", "file": str(cls.truststore)}
        return [
            # As in examples/static-envoy: both switches off.
            cls.domain(),
            cls.domain(name="open.example.com", truststore=from_file, resumption=True),
            cls.domain(
                name="optional.example.com", truststore=from_file, resumption=True,
                require_client_certificate=False,
                mutual_tls={"client_certificate": "OPTIONAL"},
            ),
        ]

    def resume(self, identity, domain, kind, between=lambda: None):
        """Returns (first response, second response, second is resumed)."""
        tls, tickets = kind
        context = client.tls_context(self.server.certificate, identity, tls, tickets)
        with self.connect(server_name=domain, context=context) as connection:
            first = connection.request()
            session = connection.session
        between()
        with self.connect(server_name=domain, context=context, session=session) as connection:
            second = connection.request()
            return first, second, connection.session_reused

    def test_with_the_switches_off_there_is_none(self):
        for kind in KINDS:
            with self.subTest(kind=kind):
                first, second, reused = self.resume(self.people.partner, "api.example.com", kind)
                self.assertEqual((first.status, second.status, reused), (200, 200, False))

    def test_a_resumed_session_is_refused(self):
        # Envoy did not ask the validator, so there is no verdict to go by.
        for kind in KINDS:
            with self.subTest(kind=kind):
                first, second, reused = self.resume(self.people.partner, "open.example.com", kind)
                self.assertEqual(first.status, 200)
                self.assertTrue(reused, "the test resumed nothing")
                self.assert_forbidden(second)

    def test_an_untrusted_client_gains_nothing(self):
        for kind in KINDS:
            with self.subTest(kind=kind), self.backend_is_not_reached():
                first, second, reused = self.resume(self.people.stranger, "open.example.com", kind)
                self.assertTrue(reused, "the test resumed nothing")
                self.assert_forbidden(first)
                self.assert_forbidden(second)

    def test_nor_where_certificates_are_optional(self):
        for kind in KINDS:
            with self.subTest(kind=kind), self.backend_is_not_reached():
                _, second, reused = self.resume(self.people.stranger, "optional.example.com", kind)
                self.assertTrue(reused, "the test resumed nothing")
                self.assert_forbidden(second)

    def test_after_trust_was_withdrawn(self):
        def withdraw():
            files.move_into_place(self.truststore, self.people.root.pem())
            wait.until(
                lambda: self.get(self.people.partner, server_name="open.example.com").status == 403,
                "the partner is out",
            )

        def restore():
            files.move_into_place(self.truststore, self.people.truststore())
            wait.until(
                lambda: self.get(self.people.partner, server_name="open.example.com").status == 200,
                "the partner is in",
            )

        for kind in KINDS:
            with self.subTest(kind=kind):
                first, second, _ = self.resume(
                    self.people.partner, "open.example.com", kind, withdraw
                )
                restore()
                self.assertEqual(first.status, 200)
                self.assert_forbidden(second)

    def test_a_session_does_not_move_to_another_domain(self):
        # A session of the domain without resumption switches, offered to the
        # optional one with its own context.
        for kind in KINDS:
            with self.subTest(kind=kind):
                tls, tickets = kind
                context = client.tls_context(
                    self.server.certificate, self.people.partner, tls, tickets
                )
                with self.connect(server_name="open.example.com", context=context) as connection:
                    self.assertEqual(connection.request().status, 200)
                    session = connection.session
                with self.connect(
                    server_name="optional.example.com", context=context, session=session
                ) as connection:
                    response = connection.request()
                    self.assertFalse(connection.session_reused)
                    self.assertEqual(response.status, 200)


if __name__ == "__main__":
    unittest.main()
