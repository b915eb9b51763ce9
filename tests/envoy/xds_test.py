"""A real Envoy that gets everything from the config service's xDS port."""

import json
import os
import pathlib
import socket
import ssl
import subprocess
import unittest

import config_service
import gateway
from harness import certificates
from harness import envoy
from harness import processes
from harness import wait

TYPE = config_service.TYPE
TLS = TYPE + "extensions.transport_sockets.tls.v3."
NETWORK = TYPE + "extensions.filters.network."
ADS = config_service.ADS


class XdsServer:
    """tests/envoy's xds_server, in a process of its own."""

    def __init__(self, directory, port=0):
        self.log_path = pathlib.Path(directory) / "xds_server.log"
        self.log = open(self.log_path, "ab")
        self.process = subprocess.Popen(
            [os.environ["XDS_SERVER"], "127.0.0.1:%d" % port],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            preexec_fn=processes.die_with_parent,
        )
        self.port = self._answer()["port"]
        self.revision = 0

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("xds_server ended:\n" + self.log_path.read_text())
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def ask(self, **command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def publish(self, *resources, whole=False, remove=()):
        """Publishes resources as (type, dict); returns the sequence."""
        self.revision += 1
        return self.ask(
            publish={
                "fleet": "edge",
                "revision": self.revision,
                "whole": whole,
                "put": [{"type": t, "resource": r} for t, r in resources],
                "remove": [{"type": t, "name": n} for t, n in remove],
            }
        )["sequence"]

    def wait(self, sequence, seconds=20):
        return self.ask(wait={"fleet": "edge", "sequence": sequence, "seconds": seconds})

    def nodes(self):
        return self.ask(nodes={})["nodes"]

    def stop(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()
        self.log.close()


def listener():
    """TLS with a certificate by SDS, routes by RDS."""
    return "Listener", {
        "name": "main",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "filter_chains": [
            {
                "transport_socket": {
                    "name": "tls",
                    "typed_config": {
                        "@type": TLS + "DownstreamTlsContext",
                        "common_tls_context": {
                            "tls_certificate_sds_secret_configs": [
                                {"name": "certificate", "sds_config": ADS}
                            ]
                        },
                    },
                },
                "filters": [
                    {
                        "name": "hcm",
                        "typed_config": {
                            "@type": NETWORK
                            + "http_connection_manager.v3.HttpConnectionManager",
                            "stat_prefix": "main",
                            "rds": {"route_config_name": "routes", "config_source": ADS},
                            "http_filters": [
                                {
                                    "name": "router",
                                    "typed_config": {
                                        "@type": TYPE + "extensions.filters.http.router.v3.Router"
                                    },
                                }
                            ],
                        },
                    }
                ],
            }
        ],
    }


def routes(body, domains=("*",)):
    return "RouteConfiguration", {
        "name": "routes",
        "virtual_hosts": [
            {
                "name": "host",
                "domains": list(domains),
                "routes": [
                    {
                        "match": {"prefix": "/"},
                        "direct_response": {"status": 200, "body": {"inline_string": body}},
                    }
                ],
            }
        ],
    }


def secret(identity):
    return "Secret", {
        "name": "certificate",
        "tls_certificate": {
            "certificate_chain": {"inline_string": identity.pem()},
            "private_key": {
                "inline_string": pathlib.Path(identity.key).read_text(encoding="ascii")
            },
        },
    }


def cluster(name):
    return "Cluster", {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": name},
    }


class XdsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        temporary = gateway.scratch_folder()
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = pathlib.Path(temporary.name)
        cls.workshop = certificates.Workshop(cls.folder / "certificates")
        cls.one = cls.workshop.client("one", "/CN=one.test")
        cls.two = cls.workshop.client("two", "/CN=two.test")

    def start(self, delta):
        folder = self.folder / self.id().rsplit(".", 1)[1] / ("delta" if delta else "sotw")
        folder.mkdir(parents=True)
        self.server = XdsServer(folder)
        self.addCleanup(lambda: self.server.stop())
        self.server.publish(
            listener(), routes("first"), secret(self.one), cluster("a"), whole=True
        )
        bootstrap = config_service.bootstrap(self.server.port, "node-1", "edge", delta)
        # This server publishes none.
        del bootstrap["layered_runtime"]
        self.envoy = envoy.Envoy(bootstrap, folder / "envoy")
        self.addCleanup(self.envoy.stop)
        self.envoy.start()
        self.assertTrue(self.server.wait(1)["done"])

    def ask(self):
        """(subject of the server's certificate, body of the answer)."""
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with socket.create_connection(("127.0.0.1", self.envoy.port("main")), 10) as tcp:
            with context.wrap_socket(tcp) as tls:
                der = tls.getpeercert(binary_form=True)
                tls.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                answer = b""
                while data := tls.recv(65536):
                    answer += data
        return der, answer.rpartition(b"\r\n\r\n")[2].decode()

    def follows_changes(self, delta):
        self.start(delta)
        self.assertEqual(self.ask(), (self.one.der(), "first"))
        (node,) = self.server.nodes()
        self.assertEqual((node["name"], node["fleet"]), ("node-1", "edge"))
        self.assertEqual(node["delta"], delta)
        self.assertEqual(node["user_agent"], "envoy 1.40.0")
        self.assertEqual(node["types"]["Secret"]["acknowledged"], 1)

        sequence = self.server.publish(routes("second"))
        self.assertTrue(self.server.wait(sequence)["done"])
        self.assertEqual(self.ask(), (self.one.der(), "second"))
        sequence = self.server.publish(secret(self.two))
        self.assertTrue(self.server.wait(sequence)["done"])
        self.assertEqual(self.ask(), (self.two.der(), "second"))

        sequence = self.server.publish(cluster("b"), remove=[("Cluster", "a")])
        self.assertTrue(self.server.wait(sequence)["done"])
        clusters = self.envoy.admin("/clusters")[1]
        self.assertIn("b::", clusters)
        self.assertNotIn("a::observability_name", clusters)

    def test_delta_follows_changes(self):
        self.follows_changes(delta=True)

    def test_state_of_the_world_follows_changes(self):
        self.follows_changes(delta=False)

    def keeps_what_is_good(self, delta):
        self.start(delta)
        sequence = self.server.publish(routes("bad", domains=("x", "x")))
        waited = self.server.wait(sequence)
        self.assertEqual((waited["done"], waited["refusing"]), (True, ["node-1"]))
        (node,) = self.server.nodes()
        (refusal,) = node["refusals"]
        self.assertEqual((refusal["type"], refusal["name"]), ("RouteConfiguration", "routes"))
        self.assertIn("Only unique values for domains", refusal["reason"])
        self.assertEqual(self.ask()[1], "first")

        # What else changes still arrives.
        sequence = self.server.publish(secret(self.two))
        self.assertTrue(self.server.wait(sequence)["done"])
        self.assertEqual(self.ask(), (self.two.der(), "first"))

        sequence = self.server.publish(routes("good"))
        self.assertEqual(self.server.wait(sequence)["refusing"], [])
        self.assertEqual(self.ask()[1], "good")
        self.assertEqual(self.server.nodes()[0]["refusals"], [])

    def test_delta_names_what_is_refused_and_keeps_what_is_good(self):
        self.keeps_what_is_good(delta=True)

    def test_state_of_the_world_names_what_is_refused_and_keeps_what_is_good(self):
        self.keeps_what_is_good(delta=False)

    def test_an_unchanged_envoy_gets_nothing_new_from_a_restarted_server(self):
        self.start(delta=True)
        before = {
            name: value
            for name, value in self.envoy.stats().items()
            if name.endswith("update_success")
        }
        port = self.server.port
        self.server.stop()
        # It goes on serving.
        self.assertEqual(self.ask(), (self.one.der(), "first"))

        folder = self.folder / "again"
        folder.mkdir()
        self.server = XdsServer(folder, port)
        sequence = self.server.publish(
            listener(), routes("first"), secret(self.one), cluster("a"), whole=True
        )
        wait.until(
            lambda: len(self.server.nodes()) == 1 and len(self.server.nodes()[0]["types"]) == 4,
            "Envoy is back",
            60,
        )
        self.assertTrue(self.server.wait(sequence)["done"])
        (node,) = self.server.nodes()
        self.assertEqual(node["responses"], 0)
        self.assertEqual(node["behind"], 0)
        after = self.envoy.stats()
        self.assertEqual(before, {name: after[name] for name in before})
        # It follows the new server.
        sequence = self.server.publish(routes("second"))
        self.assertTrue(self.server.wait(sequence)["done"])
        self.assertEqual(self.ask()[1], "second")


if __name__ == "__main__":
    unittest.main()
