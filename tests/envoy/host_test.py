"""A connection that was authenticated for one domain reaches no other."""

import unittest

import gateway
from harness import curl

SAME = (
    "api.example.com",
    "api.example.com:443",
    "api.example.com:8443",
    "API.Example.COM",
    "api.example.com.",
    "API.EXAMPLE.COM.:443",
)
OTHER = (
    "other.example.com",
    "example.com",
    "api.example.com.evil.test",
    "xapi.example.com",
    "x.api.example.com",
    "api.example.co",
    "api-example.com",
    "second.example.net",  # a domain of this listener
    "nobody.test",
    "127.0.0.1",
    "127.0.0.1:443",
    "[::1]",
    "[::1]:443",
    "localhost",
    "*",
    "*.example.com",
)
WILDCARD_SAME = ("a.wild.test", "B.WILD.TEST", "b.wild.test.", "x-y.wild.test:1234")
WILDCARD_OTHER = ("wild.test", "a.b.wild.test", ".wild.test", "wild.test.a", "awild.test", "a.wild.tes")


class Host(gateway.GatewayTest):
    server_names = ("api.example.com", "second.example.net", "*.wild.test")

    @classmethod
    def domains(cls):
        return [
            cls.domain(),
            cls.domain(
                name="second.example.net",
                truststore={"name": "second", "inline_pem": cls.people.second_partner.pem()},
            ),
            cls.domain(name="*.wild.test"),
        ]

    def assert_misdirected(self, response):
        self.assertEqual(response.status, 421, response)

    def test_spellings_of_the_domain(self):
        for host in SAME:
            with self.subTest(host=host):
                response = self.get(self.people.partner, host=host)
                self.assert_trusted_as(self.people.partner, response)

    def test_other_hosts_get_421(self):
        for host in OTHER:
            with self.subTest(host=host), self.backend_is_not_reached():
                self.assert_misdirected(self.get(self.people.partner, host=host))

    def test_over_http_2(self):
        for host, status in [(h, 200) for h in SAME] + [(h, 421) for h in OTHER]:
            with self.subTest(host=host):
                answer = curl.get(
                    self.port, self.server.certificate, "--http2", "-H", "Host: " + host,
                    identity=self.people.partner,
                )
                self.assertEqual((answer.status, answer.version), (status, "2"))

    def test_a_wildcard_is_one_label(self):
        for host in WILDCARD_SAME:
            with self.subTest(host=host):
                response = self.get(self.people.partner, server_name="a.wild.test", host=host)
                self.assert_trusted_as(self.people.partner, response)
        for host in WILDCARD_OTHER + OTHER:
            with self.subTest(host=host), self.backend_is_not_reached():
                self.assert_misdirected(
                    self.get(self.people.partner, server_name="a.wild.test", host=host)
                )

    def test_more_labels_in_the_sni_than_the_wildcard_covers(self):
        # Envoy's own wildcard covers any number of labels; ours does not.
        with self.backend_is_not_reached():
            self.assert_misdirected(
                self.get(self.people.partner, server_name="a.b.wild.test", check_server=False)
            )

    def test_the_sni_in_capitals_is_the_same_domain(self):
        response = self.get(
            self.people.partner, server_name="API.EXAMPLE.COM", host="api.example.com",
            check_server=False,
        )
        self.assert_trusted_as(self.people.partner, response)

    def test_absolute_form(self):
        # The target's authority counts, not the Host header beside it.
        good = self.get(
            self.people.partner, path="https://api.example.com/x", host="other.example.com"
        )
        self.assert_trusted_as(self.people.partner, good)
        with self.backend_is_not_reached():
            self.assert_misdirected(
                self.get(
                    self.people.partner, path="https://other.example.com/x",
                    host="api.example.com",
                )
            )

    def test_no_host_and_malformed_hosts_get_400(self):
        for host in ("", "api example.com", "api.example.com/x", "api.example.com\x7f"):
            with self.subTest(host=host), self.backend_is_not_reached():
                self.assertEqual(self.get(self.people.partner, host=host).status, 400)

    def test_user_info_is_no_host(self):
        for host in ("api.example.com@evil.test", "evil.test@api.example.com", "a@b@c"):
            with self.subTest(host=host), self.backend_is_not_reached():
                self.assertIn(self.get(self.people.partner, host=host).status, (400, 421))

    def test_two_host_headers_do_not_pass(self):
        with self.backend_is_not_reached():
            response = self.get(
                self.people.partner, headers=(("Host", "other.example.com"),)
            )
            self.assertIn(response.status, (400, 421))

    def test_host_comes_before_trust(self):
        response, log = self.get_and_log(self.people.stranger, host="other.example.com")
        self.assert_misdirected(response)
        self.assertIn("misdirected", log["details"].lower())

    def test_the_answer_tells_nothing_about_trust(self):
        a = self.get(self.people.stranger, host="other.example.com")
        b = self.get(self.people.partner, host="other.example.com")

        def told(response):
            return (
                response.body,
                [h for h in response.headers if h[0] not in ("date", "x-envoy-upstream-service-time")],
            )

        self.assertEqual(told(a), told(b))

    def test_after_421_the_connection_goes_on(self):
        with self.connect(self.people.partner) as connection:
            self.assertEqual(connection.request(host="other.example.com").status, 421)
            self.assert_trusted_as(self.people.partner, connection.request())

    def test_each_domain_has_its_own_truststore(self):
        self.assert_forbidden(self.get(self.people.partner, server_name="second.example.net"))
        response = self.get(self.people.second_partner, server_name="second.example.net")
        self.assert_trusted_as(self.people.second_partner, response)


if __name__ == "__main__":
    unittest.main()
