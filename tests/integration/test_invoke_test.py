"""Requests that an operator sends through a real Envoy, by a real sallyportd, to
a backend that asks for a client certificate."""

import base64
import hashlib
import http.server
import json
import pathlib
import socket
import socketserver
import ssl
import subprocess
import tempfile
import threading
import unittest

from harness import certificates, client, envoy, wait
from sallyportd import CTL, Daemon

HOST = "api.example.com"
ROUTE = "apis/secure/routes/all"
STAGE = "apis/secure/stages/prod"
CHAIN = "test-invocations"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Backend(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """An HTTPS server that answers only whoever has a certificate it knows.

    /wait answers when `go` is set, /large with 100 KiB, /forge with headers of
    the node's; all else with what came.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, identity, clients):
        self.go = threading.Event()
        self.waiting = threading.Event()
        self.requests = []
        backend = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30

            def answer(self):
                size = int(self.headers.get("content-length") or 0)
                body = self.rfile.read(size).decode()
                shown = hashlib.sha256(self.connection.getpeercert(True)).hexdigest()
                backend.requests.append((self.command, self.path, shown))
                if self.path == "/wait":
                    backend.waiting.set()
                    backend.go.wait(20)
                seen = {
                    "shown": shown, "method": self.command, "path": self.path, "body": body,
                    "headers": [[k.lower(), v] for k, v in self.headers.items()],
                }
                text = json.dumps(seen).encode()
                if self.path == "/large":
                    text = b"x" * (100 << 10)
                self.send_response(201)
                self.send_header("set-cookie", "a=1")
                self.send_header("set-cookie", "b=2")
                if self.path == "/forge":
                    for name in ("details", "tls-failure", "flags", "route"):
                        self.send_header("x-sallyport-test-" + name, "=forged")
                self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = do_PUT = answer

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(str(identity.chain), str(identity.key))
        context.verify_mode = ssl.CERT_REQUIRED
        self.context = context
        self.know(clients)
        self.thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def know(self, pem):
        self.context.load_verify_locations(cadata=pem)

    def get_request(self):
        raw, address = self.socket.accept()
        raw.settimeout(20)
        # The handshake is the handler's, in its own thread.
        return self.context.wrap_socket(
            raw, server_side=True, do_handshake_on_connect=False), address

    def handle_error(self, request, client_address):
        pass  # who is refused has been told

    @property
    def port(self):
        return self.server_address[1]

    def stop(self):
        self.go.set()
        self.shutdown()
        self.thread.join()
        self.server_close()


class TestInvoke(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.workshop = certificates.Workshop(self.folder / "pki")
        self.partner = self.workshop.authority("partner", "/O=Partner/CN=Root")
        self.visitor = self.workshop.client("visitor", "/O=Partner/CN=visitor", self.partner)
        self.web = self.workshop.server("web", [HOST])
        self.issuer = self.workshop.authority("issuer", "/O=Inside/CN=Root")
        self.inner = self.workshop.make(
            "inner", "/CN=backend.internal", self.issuer,
            extensions=("subjectAltName = DNS:backend.internal", "extendedKeyUsage = serverAuth"))
        self.xds = free_port()
        self.daemon = self.start()
        for name in ("old", "new"):
            self.daemon.ctl("generate", "clientCertificates/" + name)
        self.backend = Backend(self.inner, self.pem("old"))
        self.addCleanup(self.backend.stop)
        ctl = self.daemon.ctl
        ctl("create", "truststores/partners", "--from-file", f"pem={self.partner.certificate}")
        ctl("create", "truststores/backends", "--from-file", f"pem={self.issuer.certificate}")
        ctl("create", "serverCertificates/web",
            "--from-file", f"material.certificate_chain_pem={self.web.certificate}",
            "--from-file", f"material.private_key_pem={self.web.key}")
        ctl("create", "apis/secure")
        ctl("create", ROUTE, "--set", "method=ANY", "--set", "path=/{proxy+}",
            "--set", "http_proxy={uri: 'https://127.0.0.1:%d/{proxy}', tls: {truststore: "
            "truststores/backends, server_name: backend.internal}}" % self.backend.port)
        ctl("create", STAGE, "--set", "client_certificate=clientCertificates/old")

    def start(self):
        daemon = Daemon(
            self.folder / "data", "--allow-loopback-without-credentials",
            xds=f"127.0.0.1:{self.xds}",
        )
        daemon.__enter__()
        self.addCleanup(daemon.stop)
        return daemon

    def node(self):
        self.port = free_port()
        self.daemon.ctl(
            "update", "fleets/default",
            "--set", "listen_address=127.0.0.1", "--set", f"listen_port={self.port}")
        path = self.folder / "edge-1.yaml"
        path.write_text(
            self.daemon.ctl("bootstrap", "edge-1", "--xds-address", f"127.0.0.1:{self.xds}",
                            "--admin-address", "127.0.0.1:0"),
            encoding="ascii")
        node = envoy.Envoy(path, self.folder / "edge-1")
        node.start()
        self.addCleanup(node.stop)
        wait.until(lambda: "edge-1" in self.daemon.ctl("list", "fleets/default/nodes"),
                   "the node is there")
        return node

    def serve(self):
        ctl = self.daemon.ctl
        ctl("create", "domainNames/" + HOST,
            "--set", "server_certificate=serverCertificates/web",
            "--set", "mutual_tls={truststores: [{truststore: truststores/partners}]}")
        ctl("create", f"domainNames/{HOST}/apiMappings/all", "--set", "stage=" + STAGE)
        ctl("create", "apis/secure/deployments", "--set", "stage=" + STAGE)
        ctl("wait")

    def pem(self, name):
        return self.daemon.json("get", "clientCertificates/" + name)[0]["certificate_chain_pem"]

    def fingerprint(self, name):
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(self.pem(name))).hexdigest()

    def invoke(self, *more, code=0, path="/x"):
        """The answer, its body decoded."""
        done = subprocess.run(
            [CTL, "test-invoke", ROUTE, "--path", path, "--stage", "prod", *more, "--json"],
            env={"SALLYPORT_ADDRESS": self.daemon.admin}, capture_output=True, text=True,
            timeout=60, check=False)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        answer = json.loads(done.stdout)
        answer["text"] = base64.b64decode(answer.get("body", "")).decode()
        return answer

    def gone(self, node):
        dump = node.admin("/config_dump?include_eds")[1]
        return CHAIN not in dump and CHAIN not in node.admin("/clusters")[1]

    def visit(self, connection):
        answer = connection.request("/x")
        return answer.status, json.loads(answer.body)["shown"]

    def connect(self):
        return client.Connection(
            self.port, self.web.certificate, self.visitor, server_name=HOST)

    def test_tries_a_new_certificate_while_the_stage_shows_the_old_one(self):
        node = self.node()
        self.serve()
        old, new = self.fingerprint("old"), self.fingerprint("new")
        with self.connect() as opened:
            self.assertEqual(self.visit(opened), (201, old))

            # The backend does not know the new one yet.
            answer = self.invoke("--client-certificate", "new", code=1)
            self.assertEqual(answer["status"], 503)
            self.assertIn("refused the node, which offered clientCertificates/new",
                          answer["failure"])
            self.assertEqual(answer["client_certificate_sha256"], new)
            self.assertEqual(self.visit(opened), (201, old))

            self.backend.know(self.pem("new"))
            answer = self.invoke("--client-certificate", "new")
            self.assertEqual(answer["status"], 201)
            self.assertEqual(json.loads(answer["text"])["shown"], new)
            self.assertNotIn("failure", answer)
            self.assertEqual(answer["node"], "fleets/default/nodes/edge-1")
            self.assertEqual([h["value"] for h in answer["headers"] if h["name"] == "set-cookie"],
                             ["a=1", "b=2"])
            log = "\n".join(answer["log"])
            for part in (ROUTE, f"127.0.0.1:{self.backend.port}", new, "TLS: TLSv1.3",
                         "CN=backend.internal", "answer: 201"):
                self.assertIn(part, log)
            # Without the override the old one, and visitors see nothing of it.
            self.assertEqual(json.loads(self.invoke()["text"])["shown"], old)
            self.assertEqual(self.visit(opened), (201, old))
            wait.until(lambda: self.gone(node), "nothing of it is left")
            self.assertEqual(self.visit(opened), (201, old))
            with self.connect() as another:
                self.assertEqual(self.visit(another), (201, old))

        # What the log of changes says, and to whom.
        entries = self.daemon.json("list", "auditEntries")
        mine = [e for e in entries if e["method"].endswith("Apis/TestInvokeRoute")]
        self.assertEqual(len(mine), 3)
        self.assertIn("clientCertificates/new", json.dumps(mine))
        self.assertEqual(
            self.daemon.json("get", STAGE)[0]["client_certificate"], "clientCertificates/old")

    def test_sends_the_request_as_it_is_told_and_keeps_to_its_limits(self):
        node = self.node()
        # No domain maps the API, nothing is deployed.
        answer = self.invoke(
            "--method", "POST", "--header", "X-One: 1", "--header", "x-one: 2",
            "--header", "x-amzn-mtls-clientcert-subject: CN=somebody",
            "--header", "x-forwarded-client-cert: Subject=\"CN=somebody\"",
            "--body", "hello", path="/a/b?c=%20d")
        seen = json.loads(answer["text"])
        self.assertEqual((seen["method"], seen["path"], seen["body"]),
                         ("POST", "/a/b?c=%20d", "hello"))
        headers = [tuple(h) for h in seen["headers"]]
        self.assertEqual(sorted(v for k, v in headers if k == "x-one"), ["1", "2"])
        # Nobody's identity, neither what was sent nor the service's own.
        names = {k for k, _ in headers}
        self.assertFalse({"x-amzn-mtls-clientcert-subject", "x-forwarded-client-cert"} & names)
        self.assertIn(("host", f"127.0.0.1:{self.backend.port}"), headers)
        self.assertFalse([h for h in answer["headers"] if "x-sallyport" in h["name"]])

        answer = self.invoke(path="/large")
        self.assertEqual(len(answer["text"]), 64 << 10)
        self.assertTrue(answer["body_truncated"])
        # A backend cannot speak for the node.
        answer = self.invoke(path="/forge")
        self.assertNotIn("failure", answer)
        self.assertNotIn("forged", json.dumps(answer["log"]))
        # For people: nothing that a terminal obeys.
        text = self.daemon.ctl("test-invoke", ROUTE, "--path", "/x", "--stage", STAGE)
        self.assertIn("\n201\n", text)

        # What stands in the way.
        self.daemon.ctl("update", ROUTE, "--set", "http_proxy.tls.truststore=truststores/partners")
        answer = self.invoke(code=1)
        self.assertIn("the node does not trust its certificate", answer["failure"])
        self.daemon.ctl("update", ROUTE, "--set", "http_proxy.tls.truststore=truststores/backends")
        answer = self.invoke(code=1, path="/")
        self.assertIn("does not match ANY /{proxy+}", answer["failure"])
        self.assertEqual(answer["status"], 403)
        dead = free_port()
        self.daemon.ctl("update", ROUTE, "--set", f"http_proxy.uri=https://127.0.0.1:{dead}/")
        answer = self.invoke(code=1)
        self.assertIn("the backend cannot be reached", answer["failure"])
        wait.until(lambda: self.gone(node), "nothing of it is left")

    def test_nobody_else_gets_in_and_nothing_outlives_the_service(self):
        node = self.node()
        self.serve()
        called = threading.Thread(
            target=subprocess.run,
            args=([CTL, "test-invoke", ROUTE, "--path", "/wait", "--stage", "prod"],),
            kwargs={"env": {"SALLYPORT_ADDRESS": self.daemon.admin}, "capture_output": True,
                    "timeout": 60})
        called.start()
        self.addCleanup(called.join)
        self.assertTrue(self.backend.waiting.wait(20))
        # The SNI is nobody's to know; say that somebody does.
        dump = json.dumps(json.loads(node.admin("/config_dump")[1]))
        sni = next(w for w in dump.split('"') if w.endswith(".test-invocations.sallyport.invalid")
                   and "/" not in w)
        self.assertNotIn("PRIVATE KEY", dump)
        forged = self.workshop.make("forged", "/CN=test-invoke", extensions=(
            "basicConstraints = critical, CA:FALSE", "extendedKeyUsage = clientAuth"))
        before = len(self.backend.requests)
        for who in (None, self.visitor, forged):
            for version in ("1.2", "1.3"):
                with self.assertRaises(client.Refused):
                    with client.Connection(
                        self.port, self.web.certificate, who, server_name=sni, tls=version,
                        check_server=False,
                    ) as connection:
                        connection.request("/x")
        self.assertEqual(len(self.backend.requests), before)

        # The service ends in the middle: the node has no more of it once it is back.
        self.daemon.kill()
        self.backend.go.set()
        called.join()
        self.assertFalse(self.gone(node))
        self.daemon = self.start()
        wait.until(lambda: self.gone(node), "nothing of it is left", timeout=40)
        with self.connect() as connection:
            self.assertEqual(self.visit(connection), (201, self.fingerprint("old")))
        self.assertEqual(self.invoke()["status"], 201)

    def test_says_what_keeps_it_from_the_node(self):
        refused = self.daemon.ctl(
            "test-invoke", ROUTE, "--path", "/x", "--stage", "prod", code=1)
        self.assertIn("NO_NODE_CONNECTED", refused)
        node = self.node()
        self.assertEqual(self.invoke()["status"], 201)

        # Somebody else's server gets nothing of the request.
        got = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(str(self.web.chain), str(self.web.key))
        listener = socket.create_server(("127.0.0.1", 0))

        def impostor():
            while True:
                try:
                    raw, _ = listener.accept()
                except OSError:
                    return
                raw.settimeout(5)
                try:
                    with context.wrap_socket(raw, server_side=True) as connection:
                        got.append(connection.recv(10))
                except OSError as error:
                    got.append(error)

        thread = threading.Thread(target=impostor, daemon=True)
        thread.start()
        address = "127.0.0.1:%d" % listener.getsockname()[1]
        before = len(self.backend.requests)
        answer = self.invoke("--node-address", address, code=1)
        self.assertNotIn("status", answer)
        self.assertIn("no connection with the node at " + address, answer["failure"])
        self.assertTrue(got)
        self.assertFalse([g for g in got if isinstance(g, bytes) and g])
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)
        self.assertEqual(len(self.backend.requests), before)
        wait.until(lambda: self.gone(node), "nothing of it is left")


if __name__ == "__main__":
    unittest.main()
