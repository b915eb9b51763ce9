"""What the service says of stages and mappings that a real Envoy serves."""

import pathlib
import socket
import tempfile
import unittest

from harness import certificates, envoy, wait
from sallyportd import Daemon


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class ProgrammedTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.workshop = certificates.Workshop(self.folder / "pki")

    def test_follows_what_the_node_acknowledged(self):
        root = self.workshop.authority("root", "/CN=Root")
        server = self.workshop.make(
            "server", "/CN=api.example.com", root,
            extensions=("subjectAltName = DNS:api.example.com",),
        )
        with Daemon(
            self.folder / "data", "--allow-loopback-without-credentials"
        ) as daemon:
            daemon.ctl("update", "fleets/default", "--set", "listen_address=127.0.0.1",
                       "--set", f"listen_port={free_port()}")
            daemon.ctl("create", "truststores/partners", "--from-file", f"pem={root.certificate}")
            daemon.ctl("create", "serverCertificates/api",
                       "--from-file", f"material.certificate_chain_pem={server.certificate}",
                       "--from-file", f"material.private_key_pem={server.key}")
            for name in ("one", "two"):
                daemon.ctl("generate", f"clientCertificates/{name}", "--set", "key_type=ECDSA_P256")
            daemon.ctl("create", "apis/orders")
            daemon.ctl("create", "apis/orders/routes/all", "--set", "method=ANY",
                       "--set", "path=/{proxy+}",
                       "--set", f"http_proxy.uri=https://127.0.0.1:{free_port()}/{{proxy}}")
            daemon.ctl("create", "apis/orders/stages/prod",
                       "--set", "client_certificate=clientCertificates/one")
            daemon.ctl("create", "apis/orders/deployments", "--set", "stage=apis/orders/stages/prod")
            daemon.ctl("create", "domainNames/api.example.com",
                       "--set", "server_certificate=serverCertificates/api",
                       "--set", "mutual_tls.truststores=[{truststore: truststores/partners}]")
            daemon.ctl("create", "domainNames/api.example.com/apiMappings/all",
                       "--set", "stage=apis/orders/stages/prod")

            def condition(name, kind):
                for one in daemon.json("get", name)[0]["conditions"]:
                    if one["type"] == kind:
                        return one
                raise AssertionError(f"{name} has no {kind}")

            stage = "apis/orders/stages/prod"
            mapping = "domainNames/api.example.com/apiMappings/all"
            for name in (stage, mapping):
                self.assertEqual(condition(name, "Programmed")["reason"], "NO_NODES")
            bootstrap = self.folder / "node.yaml"
            bootstrap.write_text(
                daemon.ctl("bootstrap", "edge-1", "--xds-address", daemon.xds,
                           "--admin-address", "127.0.0.1:0"),
                encoding="ascii",
            )
            node = envoy.Envoy(bootstrap, self.folder / "node")
            node.start()
            self.addCleanup(node.stop)

            def in_force(certificate):
                now = condition(stage, "ClientCertificateInForce")
                return now["status"] == "STATUS_TRUE" and now["message"] == certificate

            for name in (stage, mapping):
                wait.until(
                    lambda name=name: condition(name, "Programmed")["status"] == "STATUS_TRUE",
                    f"{name} is programmed",
                )
            self.assertTrue(in_force("clientCertificates/one"))
            self.assertIn(
                "RESOURCE_IN_USE", daemon.ctl("delete", "clientCertificates/one", code=1)
            )
            daemon.ctl("update", stage, "--set", "client_certificate=clientCertificates/two")
            wait.until(lambda: in_force("clientCertificates/two"), "the new one is in force")

            # Nothing shows it any more, sooner or later: until then it stays.
            def deleted():
                try:
                    daemon.ctl("delete", "clientCertificates/one")
                except AssertionError as error:
                    self.assertIn("CLIENT_CERTIFICATE_IN_FORCE", str(error))
                    return False
                return True

            wait.until(deleted, "the old one can be deleted")


if __name__ == "__main__":
    unittest.main()
