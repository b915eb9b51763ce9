"""MutualTlsRoute: what is asked, and told, on one route."""

import unittest

import gateway
from harness import client
from harness import config
from harness import envoy
from harness import http2

XFCC = "x-forwarded-client-cert"
DIRECT = {"san_dns": {"patterns": ["direct.example.org"]}}
CUSTOMER = {"subject": {"attributes": [{"type": "O", "prefix": ["Customer"]}]}}


# What Envoy has for every filter: this route does without it.
DISABLED = {
    config.HTTP_FILTER: {
        "@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "disabled": True,
    }
}


class WithoutTheFilter(gateway.GatewayTest):
    """A route that disables the filter. Envoy never calls it there, so that
    nothing but the handshake stands between a client and the backend."""

    server_names = ("forbidden.test", "handshake.test")

    @classmethod
    def domains(cls):
        routes = [
            {**config.route("/off"), "typed_per_filter_config": DISABLED}, config.route("/"),
        ]
        shake = {"rejection": "HANDSHAKE"}
        return [
            cls.domain(name="forbidden.test", routes=routes),
            cls.domain(
                name="handshake.test", routes=routes, mutual_tls=dict(shake), validator=shake
            ),
        ]

    def test_it_lets_everybody_in_and_every_header(self):
        headers = (("client-cert", ":forged:"),)
        response = self.get(
            self.people.stranger, server_name="forbidden.test", path="/off", headers=headers
        )
        self.assertEqual(response.status, 200)
        self.assertEqual(response.received().all("client-cert"), [":forged:"])
        self.assert_forbidden(
            self.get(self.people.stranger, server_name="forbidden.test", headers=headers)
        )

    def test_the_style_handshake_lets_no_stranger_get_there(self):
        for path in ("/off", "/"):
            with self.backend_is_not_reached(), self.assertRaises(client.Refused):
                self.get(self.people.stranger, server_name="handshake.test", path=path)
            response = self.get(self.people.direct, server_name="handshake.test", path=path)
            self.assertEqual(response.status, 200)


class Routes(gateway.GatewayTest):
    server_names = ("api.example.com", "optional.example.com", "virtual.example.com")

    @classmethod
    def domains(cls):
        alb = {"alb": {}, "remove_headers": ["x-of-the-route"]}
        routes = [
            config.route("/open", {"client_certificate": "OPTIONAL"}),
            config.route("/closed", {"client_certificate": "REQUIRED"}),
            config.route("/direct", {"allow": DIRECT}),
            config.route("/customer", {"allow": CUSTOMER}),
            config.route("/alb", {"forwarding": alb}),
            config.route("/nothing", {"forwarding": {}}),
            config.route("/text", config.any_of({"allow": DIRECT}, "string")),
            {
                "match": {"prefix": "/rewritten"},
                "route": {
                    "cluster": "backend", "host_rewrite_literal": "internal.test",
                    "append_x_forwarded_host": True,
                },
            },
            # Two rules and two paths.
            config.route("/both", {"allow": DIRECT}),
            config.route("/"),
        ]
        forwarding = {"xfcc": {"subject": True}, "remove_headers": ["x-of-the-domain"]}
        paths = [
            {"prefix": "/both", "allow": CUSTOMER},
            {"prefix": "/both/partner", "allow": {"subject": {"attributes": [
                {"type": "O", "exact": ["Partner One"]}]}}},
            {"prefix": "/closed/path", "client_certificate": "OPTIONAL"},
        ]
        return [
            cls.domain(
                routes=routes, mutual_tls={"forwarding": forwarding, "paths": paths},
                require_client_certificate=False,
            ),
            cls.domain(
                name="optional.example.com", routes=routes, require_client_certificate=False,
                mutual_tls={
                    "client_certificate": "OPTIONAL", "forwarding": forwarding, "paths": paths
                },
                resumption=True,
            ),
        ]

    def status(self, identity, path, domain="api.example.com"):
        return self.get(identity, server_name=domain, path=path).status

    def test_optional_on_a_route(self):
        self.assertEqual(self.status(None, "/open"), 200)
        self.assertEqual(self.status(None, "/"), 403)
        with self.backend_is_not_reached():
            self.assertEqual(self.status(self.people.stranger, "/open"), 403)

    def test_required_on_a_route(self):
        domain = "optional.example.com"
        self.assertEqual(self.status(None, "/", domain), 200)
        self.assertEqual(self.status(self.people.partner, "/closed", domain), 200)
        with self.backend_is_not_reached():
            self.assertEqual(self.status(None, "/closed", domain), 403)
            # The route has the last word, before the path.
            self.assertEqual(self.status(None, "/closed/path", domain), 403)

    def test_a_rule_of_a_route(self):
        for path in ("/direct", "/text"):
            self.assertEqual(self.status(self.people.direct, path), 200)
            for who in ("partner", "branch"):
                with self.backend_is_not_reached():
                    response, log = self.get_and_log(getattr(self.people, who), path=path)
                self.assert_forbidden(response)
                self.assertEqual(log["details"], "sallyport_denied{NOT_ALLOWED}")
        self.assertEqual(self.status(self.people.branch, "/customer"), 200)
        self.assertEqual(self.status(self.people.partner, "/customer"), 403)
        # Nobody matches without a certificate, also where none is needed.
        with self.backend_is_not_reached():
            self.assertEqual(self.status(None, "/direct", "optional.example.com"), 403)
            self.assertEqual(self.status(self.people.stranger, "/direct"), 403)

    def test_rules_of_path_and_route_must_all_match(self):
        self.assertEqual(self.status(self.people.direct, "/both"), 200)
        self.assertEqual(self.status(self.people.branch, "/both"), 403)  # not the route's
        for who in ("direct", "partner"):
            with self.backend_is_not_reached():
                self.assertEqual(self.status(getattr(self.people, who), "/both/partner"), 403)

    def test_forwarding_of_a_route(self):
        for resumed in (False, True):
            domain = "optional.example.com"
            context = client.tls_context(self.server.certificate, self.people.direct)
            session = None
            if resumed:
                with self.connect(server_name=domain, context=context) as connection:
                    connection.request()
                    session = connection.session
            with self.connect(
                server_name=domain, context=context, session=session
            ) as connection:
                self.assertEqual(connection.session_reused, resumed)
                # The same connection, one route after the other.
                for _ in range(2):
                    told = connection.request("/alb").received()
                    self.assertEqual(told.all(XFCC), [])
                    self.assertEqual(
                        told.header("x-amzn-mtls-clientcert-subject"),
                        self.people.direct.subject(),
                    )
                    told = connection.request("/").received()
                    self.assertIn(self.people.direct.fingerprint(), told.header(XFCC))
                    self.assertEqual(told.all("x-amzn-mtls-clientcert-subject"), [])
                    told = connection.request("/nothing").received()
                    self.assertEqual(told.all(XFCC), [])

    def test_forged_headers_are_removed_on_every_route(self):
        forged = (
            (XFCC, "Hash=forged"), ("x-amzn-mtls-clientcert-subject", "forged"),
            ("client-cert", ":forged:"), ("x-of-the-domain", "forged"),
        )
        for path in ("/", "/alb", "/nothing", "/customer", "/open"):
            for identity in (self.people.direct, None):
                if identity is None and path != "/open":
                    continue
                with self.subTest(path=path, without=identity is None):
                    told = self.get(
                        identity, path=path,
                        headers=forged + (("x-of-the-route", "forged"),),
                    ).received()
                    values = [v for k, v in told.headers if "forged" in v]
                    # The route's own list counts on the route.
                    self.assertEqual(values, [] if path == "/alb" else ["forged"])
                    self.assertEqual(
                        told.all("x-of-the-route"), [] if path == "/alb" else ["forged"]
                    )

    def test_envoy_says_which_host_it_was_where_it_rewrites_it(self):
        forged = (("x-forwarded-host", "forged"), ("x-envoy-original-host", "forged"))
        told = self.get(self.people.direct, path="/rewritten", headers=forged).received()
        self.assertEqual(told.all("host"), ["internal.test"])
        self.assertEqual(told.all("x-forwarded-host"), ["api.example.com"])
        self.assertEqual([h for h in told.headers if "forged" in h[1]], [])

    def test_over_http_2_with_trailers(self):
        with http2.Connection(
            self.port, self.server.certificate, self.people.direct
        ) as connection:
            told = connection.request(
                [("te", "trailers")],
                trailers=[("x-of-the-route", "forged"), ("x-of-the-domain", "forged"),
                          (XFCC, "forged"), ("x-other", "kept")],
                path="/alb", body=b"x",
            )
        self.assertEqual(told.trailers, [("x-other", "kept")])
        self.assertTrue(told.header("x-amzn-mtls-clientcert-subject"))


class Scopes(gateway.GatewayTest):
    """Envoy takes the most specific configuration: route, virtual host, table."""

    @classmethod
    def domains(cls):
        def scoped(rule):
            return config.route("/", rule)["typed_per_filter_config"]

        inner = config.route("/route", {"allow": DIRECT})
        return [
            cls.domain(
                connection_manager={
                    "route_config": {
                        "typed_per_filter_config": scoped({"allow": {"none": {"rules": [DIRECT]}}}),
                        "virtual_hosts": [
                            {
                                "name": "one", "domains": ["api.example.com"],
                                "routes": [inner, config.route("/")],
                            },
                            {
                                "name": "two", "domains": ["*"],
                                "typed_per_filter_config": scoped({"allow": CUSTOMER}),
                                "routes": [inner, config.route("/")],
                            },
                        ],
                    }
                }
            )
        ]

    def test_the_most_specific_one_counts(self):
        people = self.people
        wanted = (
            (people.direct, "/route", 200), (people.partner, "/route", 403),
            # The table's.
            (people.direct, "/", 403), (people.partner, "/", 200),
        )
        for identity, path, status in wanted:
            self.assertEqual(self.get(identity, path=path).status, status)


class ForgedRoutes(gateway.GatewayTest):
    """Envoy chooses the route before the module has seen the request."""

    @classmethod
    def domains(cls):
        def guarded(header):
            match = {"name": header, "string_match": {"prefix": "admin"}}
            route = config.route("/", headers=[match])
            route["request_headers_to_add"] = [
                {"header": {"key": "x-guarded", "value": "reached"}}
            ]
            return route

        return [
            cls.domain(
                routes=[
                    guarded("x-sallyport-truststore"), guarded("x-of-the-operator"),
                    config.route("/", {"forwarding": {"truststore": True}}),
                ],
                mutual_tls={"forwarding": {"remove_headers": ["x-of-the-operator"]}},
            )
        ]

    def test_a_forged_header_chooses_no_route(self):
        for forged in ((), (("x-sallyport-truststore", "admin@1"),),
                       (("x-of-the-operator", "admin"), (XFCC, "admin"))):
            told = self.get(self.people.direct, headers=forged).received()
            self.assertIsNone(told.header("x-guarded"))
            # What the route without it forwards.
            self.assertEqual(told.all("x-sallyport-truststore"), ["partners@7"])
            self.assertEqual(told.all("x-of-the-operator"), [])


class NoRoute(gateway.GatewayTest):
    """A request that no route takes is judged too."""

    @classmethod
    def domains(cls):
        return [cls.domain(routes=[config.route("/here", {"client_certificate": "OPTIONAL"})],
                           require_client_certificate=False)]

    def test_it_is_404_for_who_may_ask_only(self):
        self.assertEqual(self.get(self.people.partner, path="/elsewhere").status, 404)
        self.assert_forbidden(self.get(None, path="/elsewhere"))
        self.assert_forbidden(self.get(self.people.stranger, path="/elsewhere"))
        self.assertEqual(self.get(None, path="/here").status, 200)


class BadConfiguration(gateway.GatewayTest):
    def test_the_log_names_the_field(self):
        key = "-----BEGIN PRIVATE KEY-----"
        bad = (
            ({"allow": {}}, r"allow"),
            ({"allow": {"all": {"rules": []}}}, r"allow\.all"),
            ({"allow": {"certificate_sha256": {"sha256": ["12", key]}}},
             r"allow\.certificate_sha256"),
            ({"client_certificate": "SOMETIMES"}, r"client_certificate"),
            ({"forwarding": {"max_header_bytes": 1}}, r"forwarding\.max_header_bytes"),
            ({"forwarding": {"trusted_proxy": DIRECT}}, r"forwarding\.trusted_proxy"),
            ({"alow": DIRECT}, r"alow"),
        )
        for i, (rule, pattern) in enumerate(bad):
            with self.subTest(rule=rule):
                with self.assertRaises(envoy.DidNotStart) as caught:
                    self.start([self.domain(routes=[config.route("/", rule)])], "bad%d" % i)
                log = caught.exception.log
                self.assertRegex(
                    log, "sallyport.mtls: route configuration refused: .*" + pattern
                )
                lines = [l for l in log.splitlines() if "sallyport: " in l]
                self.assertNotIn(key, "\n".join(lines))

    def test_a_name_that_is_not_ours(self):
        route = config.route("/", {})
        route["typed_per_filter_config"][config.HTTP_FILTER]["per_route_config_name"] = "other"
        with self.assertRaises(envoy.DidNotStart) as caught:
            self.start([self.domain(routes=[route])], "name")
        self.assertIn("per_route_config_name: ", caught.exception.log)


if __name__ == "__main__":
    unittest.main()
