"""Envoy's own ext_authz after `sallyport.mtls`: the service gets the client's
certificate, as Envoy has it and as the module forwards it, and no forged one."""

import http.server
import threading
import unittest

import gateway
from harness import config

_TYPE = "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz"


class _Service(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.seen.append({k.lower(): v for k, v in self.headers.items()})
        cert = self.headers.get("client-cert", "")
        self.send_response(200 if cert and self.path != "/denied" else 403)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class ExtAuthz(gateway.GatewayTest):
    @classmethod
    def domains(cls):
        cls.authz = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Service)
        cls.authz.daemon_threads = True
        cls.authz.seen = []
        threading.Thread(target=cls.authz.serve_forever, args=(0.05,), daemon=True).start()
        cls.addClassCleanup(cls.authz.server_close)
        cls.addClassCleanup(cls.authz.shutdown)
        port = cls.authz.server_address[1]
        ext_authz = {
            "name": "envoy.filters.http.ext_authz",
            "typed_config": {
                "@type": _TYPE,
                "include_peer_certificate": True,
                "http_service": {
                    "server_uri": {
                        "uri": "http://127.0.0.1:%d" % port,
                        "cluster": "authz",
                        "timeout": "5s",
                    },
                },
                "allowed_headers": {
                    "patterns": [{"exact": "client-cert"}, {"prefix": "x-sallyport-"}]
                },
            },
        }
        return [
            cls.domain(
                filters=[ext_authz],
                mutual_tls={"forwarding": {"rfc9440": {}, "verdict": True}},
            )
        ]

    @classmethod
    def start(cls, domains, name, **options):
        plain = config.gateway

        def with_cluster(*arguments):
            made = plain(*arguments)
            made["static_resources"]["clusters"].append(
                config.cluster("authz", cls.authz.server_address[1])
            )
            return made

        config.gateway = with_cluster
        try:
            return super().start(domains, name, **options)
        finally:
            config.gateway = plain

    def test_the_service_gets_the_certificate(self):
        forged = (("client-cert", ":Zm9yZ2Vk:"), ("x-sallyport-verdict", "TRUSTED"))
        response = self.get(self.people.direct, headers=forged)
        self.assertEqual(response.status, 200)
        seen = self.authz.seen[-1]
        self.assertNotIn("Zm9yZ2Vk", seen["client-cert"])
        self.assertEqual(seen["client-cert"], response.received().header("client-cert"))
        self.assertEqual(seen["x-sallyport-verdict"], "TRUSTED")
        self.assertEqual(self.get(self.people.direct, path="/denied").status, 403)

    def test_an_untrusted_client_does_not_get_that_far(self):
        calls = len(self.authz.seen)
        self.assert_forbidden(self.get(self.people.stranger))
        self.assertEqual(len(self.authz.seen), calls)


if __name__ == "__main__":
    unittest.main()
