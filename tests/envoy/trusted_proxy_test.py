"""x-forwarded-client-cert of a client that is itself a proxy.

The connection manager saves it before Envoy replaces it, as docs/headers.md
says; the filter puts its own element after it when the client is trusted to
speak for others.
"""

import http.server
import threading
import unittest

import gateway
from harness import config
from harness import http2

XFCC = "x-forwarded-client-cert"
SAVED = "x-sallyport-inbound-xfcc"
NOTE = "x-sallyport-forwarding"

_TYPE = "type.googleapis.com/envoy.extensions.http.early_header_mutation.header_mutation.v3."
SAVE_INBOUND = {
    "early_header_mutation_extensions": [
        {
            "name": "envoy.http.early_header_mutation.header_mutation",
            "typed_config": {
                "@type": _TYPE + "HeaderMutation",
                "mutations": [
                    {"remove": SAVED},
                    {
                        "append": {
                            "header": {"key": SAVED, "value": "%REQ(x-forwarded-client-cert)%"},
                            "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
                        }
                    },
                ],
            },
        }
    ]
}
# What an Envoy in front of this one says of its client.
CLIENT = 'Hash=%s;Subject="CN=the client,O=Behind\\, Inc";URI=spiffe://a/b' % ("ab" * 32)


class TrustedProxy(gateway.GatewayTest):
    server_names = ("proxied.test", "small.test", "untold.test", "unsaved.test", "optional.test")

    @classmethod
    def domains(cls):
        # Of the people who are trusted, one is a proxy.
        proxy = {"certificate_sha256": {"sha256": [cls.people.partner.fingerprint()]}}

        def domain(name, manager=None, require=True, **options):
            forwarding = {"xfcc": {"subject": True}, "trusted_proxy": proxy, **options}
            mutual_tls = {"forwarding": {k: v for k, v in forwarding.items() if v is not None}}
            if not require:
                mutual_tls["client_certificate"] = "OPTIONAL"
            return cls.domain(
                name=name,
                mutual_tls=mutual_tls,
                require_client_certificate=require,
                connection_manager=SAVE_INBOUND if manager is None else manager,
            )

        return [
            domain("proxied.test"),
            domain("small.test", max_header_bytes=512),
            domain("untold.test", trusted_proxy=None),
            domain("unsaved.test", manager={}),
            domain("optional.test", require=False),
        ]

    def own(self, identity):
        return 'Hash=%s;Subject="%s"' % (identity.fingerprint(), identity.subject())

    def told(self, identity, *headers, name="proxied.test", **options):
        response = self.get(identity, headers=headers, server_name=name, **options)
        self.assertEqual(response.status, 200)
        received = response.received()
        self.assertEqual(received.all(SAVED), [])
        self.assertEqual([h for h in received.headers if "forged" in h[1]], [])
        return received

    def assert_only_ours(self, received, identity, note=None):
        self.assertEqual(received.all(XFCC), [self.own(identity)])
        self.assertEqual(received.header(NOTE), note)

    def test_our_element_comes_after_what_a_trusted_proxy_says(self):
        proxy = self.people.partner
        received = self.told(proxy, (XFCC, CLIENT))
        self.assertEqual(received.all(XFCC), [CLIENT + "," + self.own(proxy)])
        self.assertEqual(received.all(NOTE), [])

    def test_several_headers_are_one_list(self):
        proxy = self.people.partner
        received = self.told(proxy, (XFCC, CLIENT), ("X-Forwarded-Client-Cert", "Hash=cd"))
        self.assertEqual(received.all(XFCC), [CLIENT + ",Hash=cd," + self.own(proxy)])

    def test_over_http_2(self):
        proxy = self.people.partner
        with http2.Connection(
            self.port, self.server.certificate, proxy, server_name="proxied.test"
        ) as connection:
            received = connection.request(
                [(XFCC, CLIENT), (XFCC, "Hash=cd"), (SAVED, "Hash=forged")],
                authority="proxied.test",
            )
        self.assertEqual(received.all(XFCC), [CLIENT + ",Hash=cd," + self.own(proxy)])
        self.assertEqual(received.all(SAVED), [])

    def test_each_request_of_a_connection_speaks_for_its_own_client(self):
        proxy = self.people.partner
        with self.connect(proxy, server_name="proxied.test") as connection:
            for i in (1, 2, None, 3):
                headers = () if i is None else ((XFCC, "Hash=0%d" % i),)
                received = connection.request(headers=headers, host="proxied.test").received()
                first = [] if i is None else ["Hash=0%d" % i]
                self.assertEqual(received.all(XFCC), [",".join(first + [self.own(proxy)])])

    def test_nobody_else_speaks_for_others(self):
        for who in ("second_partner", "direct", "branch"):
            identity = getattr(self.people, who)
            self.assert_only_ours(self.told(identity, (XFCC, "Hash=forged")), identity)

    def test_nobody_else_names_another_host(self):
        hosts = (
            ("x-forwarded-host", "public.example"), ("forwarded", "for=192.0.2.1;host=public"),
            ("x-original-host", "public.example"), ("x_forwarded_host", "public.example"),
        )
        told = self.told(self.people.partner, *hosts)
        for name, value in hosts:
            self.assertEqual(told.all(name), [value], name)
        for who, domain in (
            ("direct", "proxied.test"), ("partner", "untold.test"), (None, "optional.test"),
        ):
            identity = getattr(self.people, who) if who else None
            told = self.told(identity, *hosts, name=domain)
            for name, _ in hosts:
                self.assertEqual(told.all(name), [], (name, domain))

    def test_a_client_without_a_certificate_speaks_for_nobody(self):
        received = self.told(None, (XFCC, "Hash=forged"), name="optional.test")
        self.assertEqual(received.all(XFCC), [])

    def test_the_saved_header_is_envoys_alone(self):
        proxy = self.people.partner
        for forged in (
            [(SAVED, "Hash=forged")],
            [(SAVED, "Hash=forged"), (SAVED, "Hash=forged2")],
            [("X-Sallyport-Inbound-XFCC", "Hash=forged")],
            [("x_sallyport_inbound_xfcc", "Hash=forged")],
            [("x-sallyport-inbound_xfcc", "Hash=forged")],
        ):
            self.assert_only_ours(self.told(proxy, *forged), proxy)
            received = self.told(proxy, (XFCC, CLIENT), *forged)
            self.assertEqual(received.all(XFCC), [CLIENT + "," + self.own(proxy)])

    def assert_refused(self, reason, *headers, name="proxied.test"):
        with self.backend_is_not_reached():
            response, log = self.get_and_log(
                self.people.partner, headers=headers, server_name=name
            )
        self.assertEqual(response.status, 400)
        self.assertNotIn(reason.encode(), response.body)
        self.assertEqual(log["details"], "sallyport_denied{%s}" % reason)
        self.assertIn("x-forwarded-client-cert", log["detail"])

    def test_what_could_swallow_our_element_is_refused(self):
        counted = self.envoy.counter("inbound_xfcc_refused")
        malformed = ('Subject="CN=forged', 'Hash=forged\\', 'Subject="CN=forged\\\\"', "-", "Hash=a,")
        for value in malformed:
            with self.subTest(value=value):
                self.assert_refused("MALFORMED", (XFCC, value))
                # Of nobody else is it looked at.
                direct = self.people.direct
                self.assert_only_ours(self.told(direct, (XFCC, value)), direct)
        self.assertGreaterEqual(
            self.envoy.counter("inbound_xfcc_refused"), counted + len(malformed)
        )

    def test_the_budget_is_for_both(self):
        proxy = self.people.partner
        # With the names of the headers.
        room = 512 - len(XFCC) - len(self.own(proxy)) - len(",")
        fits = "Hash=" + "a" * (room - len("Hash="))
        received = self.told(proxy, (XFCC, fits), name="small.test")
        self.assertEqual(received.all(XFCC), [fits + "," + self.own(proxy)])
        self.assertEqual(received.all(NOTE), [])
        self.assert_refused("LIMIT_EXCEEDED", (XFCC, fits + "a"), name="small.test")

    def test_where_no_proxy_is_trusted_nothing_is_kept(self):
        proxy = self.people.partner
        received = self.told(proxy, (XFCC, "Hash=forged"), name="untold.test")
        self.assert_only_ours(received, proxy)

    def test_without_the_connection_managers_help_nothing_is_kept(self):
        proxy = self.people.partner
        received = self.told(proxy, (XFCC, "Hash=forged"), name="unsaved.test")
        self.assert_only_ours(received, proxy)


class _Redirecting(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.seen.append((self.path, self.headers.get_all(XFCC), self.headers.get(NOTE)))
        self.send_response(302 if self.path == "/first" else 200)
        self.send_header("location", "https://redirect.test/second")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


class RedirectingBackend:
    def start(self):
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Redirecting)
        self._server.seen = self.seen = []
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        return self

    def stop(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class InternalRedirects(gateway.GatewayTest):
    server_names = ("redirect.test",)
    backend_type = RedirectingBackend

    @classmethod
    def domains(cls):
        route = config.route("/")
        route["route"]["internal_redirect_policy"] = {"allow_cross_scheme_redirect": True}
        proxy = {"certificate_sha256": {"sha256": [cls.people.partner.fingerprint()]}}
        return [
            cls.domain(
                name="redirect.test", routes=[route], connection_manager=SAVE_INBOUND,
                mutual_tls={"forwarding": {"xfcc": {"subject": True}, "trusted_proxy": proxy}},
            )
        ]

    def test_a_redirect_that_envoy_follows_keeps_them(self):
        for inbound in (CLIENT, None):
            self.backend.seen.clear()
            headers = () if inbound is None else ((XFCC, inbound),)
            response = self.get(
                self.people.partner, server_name="redirect.test", path="/first", headers=headers
            )
            self.assertEqual(response.status, 200)
            (first, sent, _), (second, again, note) = self.backend.seen
            self.assertEqual((first, second), ("/first", "/second"))
            self.assertEqual(again, sent)
            self.assertEqual(again[0].startswith(CLIENT + ","), inbound is not None)
            self.assertIn(self.people.partner.fingerprint(), again[0])
            self.assertIsNone(note)


if __name__ == "__main__":
    unittest.main()
