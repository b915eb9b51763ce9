"""What the config service translates a fleet to, in a real Envoy: every
resource is accepted, and requests are answered as the APIs say.

The resources come from files in place of the xDS server.
"""

import json
import os
import subprocess
import unittest

import gateway
from harness import client
from harness import config
from harness import envoy
from harness import wait

_TYPES = {
    "Cluster": "envoy.config.cluster.v3.Cluster",
    "Secret": "envoy.extensions.transport_sockets.tls.v3.Secret",
    "FilterChain": "envoy.config.listener.v3.FilterChain",
    "Listener": "envoy.config.listener.v3.Listener",
    "RouteConfiguration": "envoy.config.route.v3.RouteConfiguration",
}
NO_ROUTE = b'{"message":"Missing Authentication Token"}'
SERVER_NAMES = (
    "api.example.com", "open.example.com", "a.wild.example.com", "customers.apis.test",
    "partners.apis.test", "unknown.apis.test",
)


class Translate(gateway.GatewayTest):
    server_names = SERVER_NAMES

    @classmethod
    def domains(cls):
        return []

    @classmethod
    def start(cls, domains, name, **options):
        truststore = cls.folder / "truststore.pem"
        truststore.write_text(cls.people.truststore(), encoding="ascii")
        printed = subprocess.run(
            [
                os.environ["SAMPLE"], str(cls.backend.port), str(truststore),
                str(cls.server.certificate), str(cls.server.key),
                cls.people.partner.fingerprint(),
            ],
            check=True, stdout=subprocess.PIPE, text=True,
        ).stdout
        files = cls.folder / "xds"
        files.mkdir()
        groups = {}
        for line in printed.splitlines():
            one = json.loads(line)
            resource = cls.from_files(one["resource"], files)
            resource["@type"] = "type.googleapis.com/" + _TYPES[one["type"]]
            if one["name"] == "https":
                resource["address"]["socket_address"]["port_value"] = 0
            # A secret and a route have a file each, the rest one by type.
            file = one["type"]
            if file in ("Secret", "RouteConfiguration"):
                file += "_" + one["name"].replace("/", "_")
            groups.setdefault(file, []).append(resource)
        cls.num_resources = len(printed.splitlines())
        for file, resources in groups.items():
            (files / (file + ".json")).write_text(
                json.dumps({"resources": resources}), encoding="utf-8"
            )
        bootstrap = config.gateway([], cls.backend.port)
        del bootstrap["static_resources"]
        bootstrap["dynamic_resources"] = {
            "lds_config": cls.source(files, "Listener"),
            "cds_config": cls.source(files, "Cluster"),
        }
        started = envoy.Envoy(bootstrap, cls.folder / name, concurrency=1)
        cls.addClassCleanup(started.stop)
        return started.start()

    @staticmethod
    def source(files, name):
        return {
            "path_config_source": {"path": str(files / (name + ".json"))},
            "resource_api_version": "V3",
        }

    @classmethod
    def from_files(cls, value, files):
        """The value with files in the place of ADS."""
        if isinstance(value, list):
            return [cls.from_files(v, files) for v in value]
        if not isinstance(value, dict):
            return value
        value = {k: cls.from_files(v, files) for k, v in value.items()}
        if "sds_config" in value:
            name = "Secret_" + value["name"].replace("/", "_")
            value["sds_config"] = cls.source(files, name)
        if "route_config_name" in value:
            name = "RouteConfiguration_" + value["route_config_name"].replace("/", "_")
            value["config_source"] = cls.source(files, name)
        if "fcds_config" in value:
            value["fcds_config"]["config_source"] = cls.source(files, "FilterChain")
        return value

    def ask(self, path, domain="api.example.com", identity=None, method="GET"):
        identity = identity or self.people.partner
        return self.get(identity, server_name=domain, path=path, method=method)

    def backend_path(self, path, **options):
        response = self.ask(path, **options)
        self.assertEqual(response.status, 200, response)
        return response.received().document["path"]

    def assert_no_route(self, response):
        self.assertEqual((response.status, response.body), (403, NO_ROUTE))
        self.assertEqual(response.header("content-type"), "application/json")
        self.assertEqual(
            response.header("x-amzn-errortype"), "MissingAuthenticationTokenException"
        )

    def test_nothing_is_refused(self):
        self.assertGreater(self.num_resources, 15)
        self.assertEqual(self.envoy.stats("listener_manager.lds.update_rejected"),
                         {"listener_manager.lds.update_rejected": 0})
        self.assertNotRegex(self.envoy.log(), r"\[(warning|error|critical)\].*(rejected|refused)")

    def test_paths_below_a_base_path(self):
        self.assertEqual(self.backend_path("/c360/customer"), "/v1/customers")
        self.assertEqual(self.backend_path("/c360/customer/7"), "/v1/customers/7")
        self.assertEqual(self.backend_path("/c360/customer/7?x=1&y"), "/v1/customers/7?x=1&y")
        # Text comes before a parameter.
        self.assertEqual(self.backend_path("/c360/customer/me"), "/v1/self")
        self.assertEqual(self.backend_path("/c360/files/a/b/c"), "/store/a/b/c")
        self.assertEqual(
            self.backend_path("/c360/customer/7/order/9"), "/orders/9/of/7"
        )
        self.assertEqual(self.backend_path("/customer/7", domain="a.wild.example.com"),
                         "/v1/customers/7")

    def test_no_spelling_of_a_path_gets_around_its_mapping(self):
        for path in ("//c360/customer", "/\\c360/customer", "/x/..//c360/customer",
                     "/c360//customer", "///c360/%63ustomer"):
            with self.subTest(path=path):
                self.assertEqual(self.backend_path(path), "/v1/customers")
        for path in ("/%2fc360/customer", "/x/..%2Fc360/customer", "/c360%5ccustomer"):
            with self.subTest(path=path):
                self.assertEqual(self.ask(path).status, 400)

    def test_what_no_route_has(self):
        for path in ("/c360", "/c360/", "/c360/x", "/c360/files", "/c360/customer/7/order"):
            with self.subTest(path=path):
                self.assert_no_route(self.ask(path))
        # The path is there, the method is not; no less specific path answers.
        self.assert_no_route(self.ask("/c360/customer/me", method="DELETE"))
        # No mapping has it: another answer.
        for path in ("/", "/c3600/customer", "/customer"):
            with self.subTest(path=path):
                self.assert_forbidden(self.ask(path))
        # The longest base path decides, though its stage serves nothing yet.
        self.assert_forbidden(self.ask("/c360/later/customer"))

    def test_a_mock(self):
        response = self.ask("/vip")
        self.assertEqual((response.status, response.body), (202, b'{"ok":true}'))
        self.assertEqual(response.header("x-mock"), "100%")
        self.assertEqual(self.ask("/vip/").status, 202)

    def test_who_is_let_in(self):
        self.assert_forbidden(self.ask("/c360/customer", identity=self.people.stranger))
        # Trusted, but not in the mapping's list.
        self.assertEqual(self.ask("/c360/customer", identity=self.people.direct).status, 200)
        response, line = self.get_and_log_of("/vip", self.people.direct)
        self.assert_forbidden(response)
        with self.assertRaises(client.Refused):
            self.get(None, server_name="api.example.com")

    def get_and_log_of(self, path, identity):
        return self.ask(path, identity=identity), None

    def test_the_backend_is_told(self):
        self.assert_trusted_as(self.people.partner, self.ask("/c360/customer"))

    def test_a_domain_without_mutual_tls(self):
        response = self.get(None, server_name="open.example.com", host="open.example.com",
                            method="POST", headers=(("x-forwarded-client-cert", "Hash=00"),))
        self.assertEqual(response.status, 200)
        self.assertIsNone(response.received().header("x-forwarded-client-cert"))
        self.assertEqual(self.get(None, server_name="open.example.com",
                                  host="api.example.com").status, 421)

    def test_default_endpoints(self):
        def get(host, path):
            return self.get(None, server_name=host, host=host, path=path)

        self.assertEqual(get("customers.apis.test", "/prod/customer").status, 200)
        self.assert_no_route(get("customers.apis.test", "/prod/elsewhere"))
        self.assert_forbidden(get("customers.apis.test", "/test/customer"))
        self.assert_forbidden(get("partners.apis.test", "/prod"))
        self.assert_forbidden(get("unknown.apis.test", "/prod"))


if __name__ == "__main__":
    unittest.main()
