"""What the tests of the config service share: the service, and its nodes."""

import json
import os
import pathlib
import subprocess

import gateway
from harness import certificates
from harness import client
from harness import envoy
from harness import processes
from harness import wait

TYPE = "type.googleapis.com/envoy."
ADS = {"ads": {}, "resource_api_version": "V3"}


class ConfigServer:
    """config_server.cc, in a process of its own."""

    def __init__(self, folder, port=0, tls=False):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log_path = self.folder / "log"
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [os.environ["CONFIG_SERVER"], str(self.folder), "127.0.0.1:%d" % port,
                 *(["tls"] if tls else [])],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                preexec_fn=processes.die_with_parent,
            )
        self.port = self._answer()["port"]
        self.revision = 0

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("config_server ended:\n" + self.log())
        return json.loads(line)

    def log(self):
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def ask(self, verb, **values):
        self.process.stdin.write(json.dumps({verb: values}) + "\n")
        self.process.stdin.flush()
        answer = self._answer()
        self.revision = answer.get("revision", self.revision)
        return answer

    def certificate(self, name, identity):
        self.ask(
            "server_certificate",
            id=name,
            chain=identity.pem(),
            key=pathlib.Path(identity.key).read_text(encoding="ascii"),
        )

    def unmap_and_delete(self, domain):
        self.ask("delete", key="domainNames.apiMappings/%s/all" % domain)
        self.ask("delete", key="domainNames/" + domain)

    def settle(self, seconds=20):
        """Waits until every node has everything; what the wait says."""
        return self.ask("wait", revision=self.revision, seconds=seconds)

    def stop(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()


def bootstrap(port, node, fleet="default", delta=True):
    return {
        "node": {"id": node, "cluster": fleet},
        "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}},
        "stats_config": {
            "stats_matcher": {
                "exclusion_list": {"patterns": [{"prefix": "filter_chain"}]}
            }
        },
        "layered_runtime": {
            "layers": [
                {"name": "fleet", "rtds_layer": {"name": "fleet", "rtds_config": ADS}}
            ]
        },
        "dynamic_resources": {
            "ads_config": {
                "api_type": "DELTA_GRPC" if delta else "GRPC",
                "transport_api_version": "V3",
                "set_node_on_first_message_only": True,
                "grpc_services": [{"envoy_grpc": {"cluster_name": "xds"}}],
            },
            "cds_config": ADS,
            "lds_config": ADS,
        },
        "static_resources": {
            "clusters": [
                {
                    "name": "xds",
                    "type": "STATIC",
                    "connect_timeout": "1s",
                    "typed_extension_protocol_options": {
                        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                            "@type": TYPE + "extensions.upstreams.http.v3.HttpProtocolOptions",
                            "explicit_http_config": {"http2_protocol_options": {}},
                        }
                    },
                    "load_assignment": {
                        "cluster_name": "xds",
                        "endpoints": [
                            {
                                "lb_endpoints": [
                                    {
                                        "endpoint": {
                                            "address": {
                                                "socket_address": {
                                                    "address": "127.0.0.1",
                                                    "port_value": port,
                                                }
                                            }
                                        }
                                    }
                                ]
                            }
                        ],
                    },
                }
            ]
        },
    }


def with_tls(config, issued):
    """A bootstrap whose node proves who it is; issued: an answer to "issue"."""
    context = {
        "common_tls_context": {
            "alpn_protocols": ["h2"],
            "tls_certificates": [],
            "validation_context": {
                "trusted_ca": {"inline_string": issued["ca"]},
                # Another node has a certificate of this CA too.
                "match_typed_subject_alt_names": [
                    {"san_type": "URI", "matcher": {"exact": "spiffe://test/xds"}}
                ],
            },
        },
    }
    if "key" in issued:
        context["common_tls_context"]["tls_certificates"].append({
            "certificate_chain": {"inline_string": issued["chain"]},
            "private_key": {"inline_string": issued["key"]},
        })
    config["static_resources"]["clusters"][0]["transport_socket"] = {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": TYPE + "extensions.transport_sockets.tls.v3.UpstreamTlsContext", **context,
        },
    }
    return config


class ConfigServiceTest(gateway.unittest.TestCase):
    """A config service of its own for each test, and certificates for all."""

    tls = False
    names = ("a.example.com", "b.example.com", "c.example.com", "new.example.com")

    @classmethod
    def setUpClass(cls):
        temporary = gateway.scratch_folder()
        cls.addClassCleanup(temporary.cleanup)
        cls.root = pathlib.Path(temporary.name)
        cls.people = gateway.People(cls.root / "people")
        workshop = cls.people.workshop
        cls.web = workshop.server("web", cls.names)
        cls.second = workshop.server("second_web", cls.names)
        cls.wild = workshop.server("wild", ("*.example.com",))

    def setUp(self):
        self.folder = self.root / self.id().rsplit(".", 1)[1]
        self.server = ConfigServer(self.folder / "data", tls=self.tls)
        self.addCleanup(lambda: self.server.stop())
        self.server.ask("fleet", id="default")
        self.envoys = []

    def run(self, result=None):
        before = len(result.failures) + len(result.errors)
        try:
            return super().run(result)
        finally:
            if len(result.failures) + len(result.errors) > before:
                print("--- the service\n" + self.server.log()[-4000:])
                for node in self.envoys:
                    print("--- a node\n" + node.log()[-4000:])

    def start_node(self, name, fleet="default", issued=None, timeout=30.0, **options):
        config = bootstrap(self.server.port, name, fleet)
        if issued:
            config = with_tls(config, issued)
        started = envoy.Envoy(config, self.folder / name, **options)
        self.addCleanup(started.stop)
        started.start(timeout)
        self.envoys.append(started)
        return started

    def start_two(self):
        return [self.start_node("node-1"), self.start_node("node-2")]

    def partners(self, *people):
        """The truststore of those who certify themselves."""
        self.server.ask("truststore", id="partners", pem="".join(p.pem() for p in people))

    def serve(self, *domains, certificate="web"):
        for domain in domains:
            self.server.ask(
                "domain", name=domain, certificate=certificate, truststores=["partners"]
            )
            self.server.ask("map", domain=domain, api="orders")

    def simple(self, *domains):
        self.server.certificate("web", self.web)
        self.partners(self.people.partner)
        self.server.ask("api", id="orders", body="one")
        self.serve(*(domains or ("a.example.com",)))

    def settle(self):
        waited = self.server.settle()
        self.assertTrue(waited["complete"], waited)
        return waited

    def connect(self, node, identity, domain="a.example.com", server=None):
        return client.Connection(
            node.port("https"), (server or self.web).certificate, identity, server_name=domain
        )

    def expect(self, node, identity, answer, domain="a.example.com", server=None):
        """That this is the answer; Envoy's workers hear of a change a moment
        after it was acknowledged."""
        try:
            wait.until(lambda: self.ask(node, identity, domain, server) == answer, "x", 3)
        except TimeoutError:
            self.assertEqual(self.ask(node, identity, domain, server), answer)

    def ask(self, node, identity, domain="a.example.com", server=None):
        """(status, body), or "refused" when TLS ends it."""
        try:
            with self.connect(node, identity, domain, server) as connection:
                response = connection.request("/x")
        except client.Refused:
            return "refused"
        return response.status, response.body.decode()
