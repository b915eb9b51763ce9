"""A domain with several truststores, a shadow beside them, and what follows a
change of one of them on connections that are open."""

import json
import unittest

import gateway
from harness import client
from harness import config
from harness import files
from harness import http2
from harness import wait

TOLD = "x-sallyport-truststore"
FORWARDING = {"forwarding": {"xfcc": {"subject": True}, "truststore": True}}


class Several(gateway.GatewayTest):
    server_names = ("several.test", "policy.test", "rule.test", "deny.test")

    @classmethod
    def domains(cls):
        people = cls.people
        cls.first, cls.second = cls.folder / "first.pem", cls.folder / "second.pem"
        # root is in both.
        cls.first_pem = people.partner.pem() + people.root.pem()
        cls.second_pem = people.second_partner.pem() + people.root.pem() + people.issuing.pem()
        cls.first.write_text(cls.first_pem, encoding="ascii")
        cls.second.write_text(cls.second_pem, encoding="ascii")
        both = [
            {"name": "first", "version": "1", "file": str(cls.first)},
            {"name": "second", "file": str(cls.second)},
        ]

        def domain(name, truststores, mutual_tls=None, **validator):
            return cls.domain(
                name=name, truststore=None, resumption=True,
                validator={"truststores": truststores, **validator},
                mutual_tls={**FORWARDING, **(mutual_tls or {})},
            )

        return [
            domain("several.test", both),
            domain(
                "policy.test",
                [
                    # An intermediate is an anchor in the second one only.
                    {"name": "strict", "inline_pem": people.issuing.pem() + people.partner.pem()},
                    {
                        "name": "loose", "inline_pem": people.issuing.pem(),
                        "chain_policy": "ANY_ANCHOR",
                    },
                    {
                        "name": "any-use", "inline_pem": people.root.pem(),
                        "extended_key_usage": "EKU_IGNORE",
                    },
                ],
            ),
            domain("rule.test", both, {"allow": {"truststore": {"names": ["second"]}}}),
            domain(
                "deny.test", both,
                deny={"certificate_sha256": [people.partner.fingerprint()]},
                rejection="HANDSHAKE", mutual_tls={"rejection": "HANDSHAKE"},
            ),
        ]

    def told(self, identity, domain):
        response = self.get(identity, server_name=domain)
        return response.received().header(TOLD) if response.status == 200 else response.status

    def test_the_first_that_trusts_vouches(self):
        wanted = {
            "partner": "first@1", "direct": "first@1", "second_partner": "second",
            "branch": "second", "stranger": 403, "others_client": 403, "expired": 403,
        }
        for who, name in wanted.items():
            with self.subTest(who=who):
                self.assertEqual(self.told(getattr(self.people, who), "several.test"), name)

    def test_the_access_log_names_it(self):
        for who, name in (("partner", "first@1"), ("branch", "second")):
            _, log = self.get_and_log(getattr(self.people, who), server_name="several.test")
            self.assertEqual(log["truststore"], name)

    def test_on_a_resumed_session_too(self):
        for who, name in (("partner", "first@1"), ("branch", "second")):
            context = client.tls_context(self.server.certificate, getattr(self.people, who))
            with self.connect(server_name="several.test", context=context) as connection:
                connection.request()
                session = connection.session
            with self.connect(
                server_name="several.test", context=context, session=session
            ) as connection:
                self.assertTrue(connection.session_reused)
                request_id = gateway.new_id()
                response = connection.request(headers=(("x-test-id", request_id),))
                self.assertEqual(response.received().header(TOLD), name)
            self.assertEqual(self.log_of(request_id)["metadata"]["truststore"], name)

    def test_a_policy_of_its_own(self):
        wanted = {
            "partner": "strict", "branch": "loose", "branch_alone": "loose",
            "server_only": "any-use", "direct": "any-use", "stranger": 403,
        }
        for who, name in wanted.items():
            with self.subTest(who=who):
                self.assertEqual(self.told(getattr(self.people, who), "policy.test"), name)

    def test_a_rule_about_who_vouched(self):
        self.assertEqual(self.told(self.people.branch, "rule.test"), "second")
        # In both: the first one vouches.
        for who in ("partner", "direct"):
            response, log = self.get_and_log(getattr(self.people, who), server_name="rule.test")
            self.assert_forbidden(response)
            self.assertEqual(log["reason"], "NOT_ALLOWED")

    def test_the_deny_list_is_before_all_truststores(self):
        self.assertEqual(self.told(self.people.direct, "deny.test"), "first@1")
        with self.assertRaises(client.Refused) as caught:
            with self.connect(self.people.partner, server_name="deny.test", tls="1.2"):
                pass
        self.assertIn("certificate revoked", str(caught.exception))

    def test_a_change_of_one_of_them(self):
        people = self.people
        with self.connect(people.partner, server_name="several.test") as partner, self.connect(
            people.direct, server_name="several.test"
        ) as direct, self.connect(people.second_partner, server_name="several.test") as other:

            def of(connection):
                response = connection.request()
                return response.received().header(TOLD) if response.status == 200 else None

            self.assertEqual([of(c) for c in (partner, direct, other)],
                             ["first@1", "first@1", "second"])
            files.move_into_place(self.first, people.expired_partner.pem())
            try:
                wait.until(lambda: of(partner) is None, "the partner is out")
                # The other one vouches for who is in both.
                self.assertEqual([of(c) for c in (direct, other)], ["second", "second"])
            finally:
                files.move_into_place(self.first, self.first_pem)
            wait.until(lambda: of(partner) == "first@1", "the partner is in")
            self.assertEqual([of(c) for c in (direct, other)], ["first@1", "second"])
            # A file that cannot be read leaves what was.
            since = len(self.envoy.log())
            files.move_into_place(self.second, "no certificate")
            self.envoy.wait_for_log(r"second\.pem.*refused", since)
            self.assertEqual([of(c) for c in (partner, other)], ["first@1", "second"])
            files.move_into_place(self.second, self.second_pem)


class Shadow(gateway.GatewayTest):
    """Decides nothing; counts and logs what it would have decided."""

    server_names = ("shadow.test", "looser.test")

    @classmethod
    def domains(cls):
        people = cls.people
        cls.file = cls.folder / "shadow.pem"
        cls.file.write_text(people.root.pem(), encoding="ascii")

        def domain(name, shadow):
            return cls.domain(
                name=name, validator={"shadow": shadow}, resumption=True, mutual_tls=FORWARDING
            )

        return [
            domain("shadow.test", {"truststores": [{"name": "next", "file": str(cls.file)}]}),
            domain(
                "looser.test",
                {
                    "truststores": [{"name": "all", "inline_pem": people.other_root.pem()}],
                    "chain_policy": "ANY_ANCHOR",
                },
            ),
        ]

    def counted(self, domain, active, shadow):
        return self.envoy.counter(
            "sallyport_shadow_differences", domain=domain, active=active, shadow=shadow
        )

    def test_it_decides_nothing_and_counts(self):
        people = self.people
        cases = (
            ("shadow.test", "partner", 200, "TRUSTED", "UNTRUSTED_ISSUER"),
            ("looser.test", "others_client", 403, "UNTRUSTED_ISSUER", "TRUSTED"),
            ("looser.test", "direct", 200, "TRUSTED", "UNTRUSTED_ISSUER"),
        )
        for domain, who, status, active, shadow in cases:
            with self.subTest(domain=domain, who=who):
                identity = getattr(people, who)
                before = self.counted(domain, active, shadow)
                since = len(self.envoy.log())
                context = client.tls_context(self.server.certificate, identity)
                with self.connect(server_name=domain, context=context) as connection:
                    for _ in range(2):
                        self.assertEqual(connection.request().status, status)
                    session = connection.session
                # On a resumed session too.
                with self.connect(
                    server_name=domain, context=context, session=session
                ) as connection:
                    self.assertTrue(connection.session_reused)
                    self.assertEqual(connection.request().status, status)
                self.assertEqual(self.counted(domain, active, shadow), before + 3)
                self.envoy.wait_for_log(
                    r'\[warning\].*sallyport: shadow of %s: client "%s".*now %s, shadow %s'
                    % (domain, identity.subject().replace("\\", r"\\\\?"), active, shadow),
                    since,
                )

    def test_the_same_answer_is_no_difference(self):
        before = self.envoy.counter("sallyport_shadow_differences")
        self.assertEqual(self.get(self.people.direct, server_name="shadow.test").status, 200)
        # Another reason is not another answer.
        self.assertEqual(self.get(self.people.stranger, server_name="looser.test").status, 403)
        self.assertEqual(self.envoy.counter("sallyport_shadow_differences"), before)

    def test_its_file_is_followed(self):
        before = self.counted("shadow.test", "TRUSTED", "UNTRUSTED_ISSUER")
        partner = self.people.second_partner
        with self.connect(partner, server_name="shadow.test") as connection:
            self.assertEqual(connection.request().status, 200)
            self.assertEqual(self.counted("shadow.test", "TRUSTED", "UNTRUSTED_ISSUER"), before + 1)
            files.move_into_place(self.file, partner.pem())

            def agrees():
                count = self.counted("shadow.test", "TRUSTED", "UNTRUSTED_ISSUER")
                self.assertEqual(connection.request().status, 200)
                return self.counted("shadow.test", "TRUSTED", "UNTRUSTED_ISSUER") == count

            wait.until(agrees, "the shadow agrees")
        files.move_into_place(self.file, self.people.root.pem())


class LiveTrust(gateway.GatewayTest):
    """One change, and every open connection of whatever protocol follows it
    with its next request; nobody is disconnected."""

    @classmethod
    def domains(cls):
        cls.sds = cls.folder / "client_trust.json"
        cls.made = cls.domain(sds_file=cls.sds, resumption=True)
        cls.write(cls.people.truststore())
        return [cls.made]

    @classmethod
    def write(cls, pem):
        cls.made.truststore = {"name": "inline", "inline_pem": pem}
        files.move_into_place(cls.sds, json.dumps(config.secret(cls.made)))

    def test_all_protocols_flip_both_ways(self):
        partner, other = self.people.partner, self.people.second_partner
        grpc = [("content-type", "application/grpc"), ("te", "trailers")]

        def h2(identity):
            connection = http2.Connection(self.port, self.server.certificate, identity)
            self.addCleanup(connection.__exit__)
            return connection

        def is_let_in(answer):
            return answer.status == 200 if hasattr(answer, "status") else b'"headers"' in answer

        going, staying = self.connect(partner), self.connect(other)
        self.addCleanup(going.close)
        self.addCleanup(staying.close)
        ways = {
            "HTTP/1.1": (going.request, staying.request),
            "HTTP/2": tuple(h2(i).exchange for i in (partner, other)),
            "gRPC": tuple(
                lambda c=h2(i): c.exchange(grpc, body=b"hello") for i in (partner, other)
            ),
        }
        # A stream that is open throughout, beside those that are judged.
        long_lived = h2(partner)
        stream = long_lived.open(path="/drip")
        drains = self.envoy.stats("listener_manager.total_filter_chains_draining")
        for trusted in (True, False, True, False, True):
            self.write(
                self.people.truststore() if trusted
                else self.people.truststore().replace(partner.pem(), "")
            )
            # The first way that follows shows that the change is in force;
            # then one request of each has to.
            wait.until(lambda t=trusted: is_let_in(going.request()) == t, "the change")
            for name, (goes, stays) in ways.items():
                with self.subTest(trusted=trusted, way=name):
                    self.assertEqual(is_let_in(goes()), trusted)
                    self.assertTrue(is_let_in(stays()))
            # A stream opened now on the connection of the one opened before.
            fresh = long_lived.open()
            frames = long_lived.frames_until(lambda f, s=fresh: f.stream == s and f.ends_stream)
            body = b"".join(f.payload for f in frames if f.stream == fresh and not f.kind)
            self.assertEqual(is_let_in(body), trusted)
            long_lived.frames_until(lambda f: f.stream == stream and f.kind == http2.DATA)
        self.assertEqual(
            self.envoy.stats("listener_manager.total_filter_chains_draining"), drains
        )


if __name__ == "__main__":
    unittest.main()
