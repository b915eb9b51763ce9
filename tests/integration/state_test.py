"""Backup and restore with a real sallyportd: export-state, import-state."""

import hashlib
import pathlib
import re
import subprocess
import tempfile
import threading
import unittest

from harness import certificates, wait
from sallyportd import Daemon

# Over 100 MB of truststores.
LARGE_VERSIONS = 3
LARGE_BYTES = 36 << 20


class StateTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.workshop = certificates.Workshop(self.folder / "pki")
        self.a = self.workshop.authority("a", "/O=Partner/CN=Root A")
        self.file = self.folder / "backup.state"

    def demo(self, name):
        return Daemon(self.folder / name, "--allow-loopback-without-credentials")

    def recipient(self, name="backup"):
        key, public = self.folder / f"{name}.key", self.folder / f"{name}.pub"
        subprocess.run(
            ["openssl", "genpkey", "-algorithm", "X25519", "-out", key],
            check=True, capture_output=True,
        )
        subprocess.run(
            ["openssl", "pkey", "-in", key, "-pubout", "-out", public],
            check=True, capture_output=True,
        )
        return key, public

    def fill(self, daemon):
        issued = self.workshop.make(
            "api", "/CN=api.example.com", self.a,
            extensions=("subjectAltName = DNS:api.example.com",),
        )
        self.server = issued
        daemon.ctl("create", "truststores/partners", "--from-file", f"pem={self.a.certificate}",
                   "--set", "description=All partners")
        daemon.ctl("create", "truststores/partners/versions",
                   "--from-file", f"pem={self.a.certificate}", "--set", "activate=true")
        daemon.ctl("create", "serverCertificates/api",
                   "--from-file", f"material.certificate_chain_pem={issued.certificate}",
                   "--from-file", f"material.private_key_pem={issued.key}")
        daemon.ctl("generate", "clientCertificates/backend")
        daemon.ctl("create", "domainNames/api.example.com",
                   "--set", "server_certificate=serverCertificates/api",
                   "--set", "mutual_tls.truststores=[{truststore: truststores/partners}]")
        daemon.ctl("create", "apis/orders")
        daemon.ctl("create", "apis/orders/routes/all", "--set", "method=ANY", "--set", "path=/{proxy+}",
                   "--set", "http_proxy.uri=https://backend.example.com/")
        daemon.ctl("create", "apis/orders/stages/prod",
                   "--set", "client_certificate=clientCertificates/backend")
        daemon.ctl("create", "apis/orders/deployments", "--set", "stage=apis/orders/stages/prod")
        daemon.ctl("create", "domainNames/api.example.com/apiMappings/all",
                   "--set", "stage=apis/orders/stages/prod")
        daemon.ctl("create", "certificateLists/denied", "--set", "kind=DENY",
                   "--set", "entries=[{certificate_sha256: " + "ab" * 32 + "}]")

    def state(self, daemon):
        """All resources, but for what an import changes."""
        moving = ("revision", "etag", "observed_revision", "transition_time", "conditions",
                  "warnings", "node_count", "status", "status_message")

        def plain(value):
            if isinstance(value, dict):
                return {k: plain(v) for k, v in value.items() if k not in moving}
            return [plain(v) for v in value] if isinstance(value, list) else value

        return {
            collection: [plain(item) for item in daemon.json("list", collection)]
            for collection in (
                "truststores", "truststores/partners/versions", "serverCertificates",
                "serverCertificates/api/versions", "clientCertificates", "domainNames",
                "domainNames/api.example.com/apiMappings", "apis", "apis/orders/routes",
                "apis/orders/stages", "apis/orders/deployments", "fleets",
                "certificateLists", "certificateLists/denied/entries",
            )
        }

    def test_restores_everything_in_an_empty_installation(self):
        key, public = self.recipient()
        with self.demo("one") as daemon:
            self.fill(daemon)
            before = self.state(daemon)
            said = daemon.ctl("export-state", self.file, "--recipient", public, "--audit-log")
            self.assertIn("private keys sealed", said)
            audit = daemon.json("list", "auditEntries")
            proxy_ca = self.proxy_ca(daemon, "one")
            # It does not write over a backup.
            self.assertIn(
                "is there already",
                daemon.ctl("export-state", self.file, "--recipient", public, code=2),
            )
        self.assertEqual(self.file.stat().st_mode & 0o777, 0o600)
        content = self.file.read_bytes()
        self.assertNotIn(b"PRIVATE KEY", content)
        with self.demo("two") as daemon:
            own = len(daemon.json("list", "auditEntries"))
            _, other = self.recipient("other")
            self.assertIn(
                "private key",
                daemon.ctl("import-state", self.file, "--recipient-key", other, code=2),
            )
            wrong, _ = self.recipient("wrong")
            self.assertIn(
                "EXPORT_INVALID", daemon.ctl("import-state", self.file, "--recipient-key", wrong, code=1)
            )
            self.assertIn(
                "would import", daemon.ctl("import-state", self.file, "--recipient-key", key, "--validate-only")
            )
            self.assertEqual(daemon.json("list", "truststores"), [])
            said = daemon.ctl("import-state", self.file, "--recipient-key", key)
            self.assertIn("restart sallyportd", said)
            self.assertNotIn("no private key", said)
            self.assertEqual(self.state(daemon), before)
            self.assertEqual(daemon.get("/readyz")[0], 503)
            entries = daemon.json("list", "auditEntries")
            self.assertEqual(len(entries), own + 1 + len(audit))
            imported = [e for e in entries if e.get("imported_from")]
            self.assertEqual(len(imported), len(audit))
            got = daemon.json("get", imported[0]["name"])[0]
            self.assertEqual(got, imported[0])
            daemon.kill()
        with self.demo("two") as daemon:
            self.assertEqual(daemon.get("/readyz")[0], 200)
            self.assertEqual(self.state(daemon), before)
            self.assertEqual(self.proxy_ca(daemon, "two"), proxy_ca)
            # What was restored is shown: its keys open.
            problems = re.search(r"\nsallyport_xds_problems ([0-9]+)\n", daemon.get("/metrics")[1])
            self.assertEqual(problems.group(1), "0")
            log = "".join(daemon.lines)
            self.assertNotIn("PRIVATE", log)

    def proxy_ca(self, daemon, name):
        folder = self.folder / f"node-{name}"
        folder.mkdir(exist_ok=True)
        daemon.ctl("proxy-cert", "edge-1", "--directory", folder, "--replace")
        return (folder / "proxy-ca.pem").read_text(encoding="ascii")

    def test_refuses_without_harm(self):
        key, public = self.recipient()
        with self.demo("one") as daemon:
            self.fill(daemon)
            daemon.ctl("export-state", self.file, "--recipient", public)
            whole = self.file.read_bytes()
            before = self.state(daemon)
            self.assertIn(
                "STATE_NOT_EMPTY", daemon.ctl("import-state", self.file, "--recipient-key", key, code=1)
            )
            bad = self.folder / "bad.state"
            for damage in (
                whole[:-1], whole[: len(whole) // 2], b"", b"x" * 100,
                whole[: len(whole) // 2] + b"\0" + whole[len(whole) // 2 + 1:],
            ):
                bad.write_bytes(damage)
                error = self.fails(daemon, "import-state", bad, "--recipient-key", key, "--replace")
                self.assertNotIn("PRIVATE", error)
            self.assertEqual(self.state(daemon), before)
            # Without the key, and without private keys.
            self.assertIn("--recipient-key", daemon.ctl("import-state", self.file, code=2))
            plain = self.folder / "plain.state"
            self.assertIn("without private keys", daemon.ctl("export-state", plain))
            # Which would lose those that are there, by an oversight.
            self.assertIn("--without-private-keys",
                          daemon.ctl("import-state", plain, "--replace", code=2))
            self.assertIn("nothing for --recipient-key", daemon.ctl(
                "import-state", plain, "--replace", "--recipient-key", key, code=2))
            self.assertEqual(self.state(daemon), before)
            said = daemon.ctl("import-state", plain, "--replace", "--without-private-keys")
            self.assertIn("clientCertificates/backend has no private key", said)
            self.assertIn("serverCertificates/api/versions/1 has no private key", said)
            wait.until(
                lambda: "no private key" in str(
                    daemon.json("get", "domainNames/api.example.com")[0]
                ),
                "the domain says why it is not shown",
            )
            # The same certificate with its key mends that.
            daemon.ctl("import", "serverCertificates/api",
                       "--from-file", f"material.certificate_chain_pem={self.server.certificate}",
                       "--from-file", f"material.private_key_pem={self.server.key}")
            wait.until(
                lambda: "serverCertificates/api" not in str(
                    daemon.json("get", "domainNames/api.example.com")[0].get("status_message", "")
                ),
                "the domain does not lack that key any more",
            )

    def fails(self, daemon, *arguments):
        for code in (1, 2):
            try:
                return daemon.ctl(*arguments, code=code)
            except AssertionError:
                continue
        raise AssertionError(f"{arguments} did not fail")

    def test_is_for_admins_alone(self):
        credentials = self.folder / "credentials"
        credentials.write_text(
            "".join(
                f"token {name} {role} {hashlib.sha256(name.encode()).hexdigest()}\n"
                for name, role in (("v", "viewer"), ("o", "operator"), ("a", "admin"))
            ),
            encoding="ascii",
        )
        with Daemon(self.folder / "one", "--admin-credentials", credentials) as daemon:
            daemon.ctl("export-state", self.file, token="a")
            for token, reason in ((None, "CREDENTIALS_MISSING"), ("v", "ROLE_MISSING"),
                                  ("o", "ROLE_MISSING")):
                for arguments in (("export-state", self.folder / "x"),
                                  ("import-state", self.file, "--replace",
                                   "--without-private-keys")):
                    self.assertIn(reason, daemon.ctl(*arguments, token=token, code=1))
            self.assertFalse((self.folder / "x").exists())
            self.assertFalse((self.folder / "x.new").exists())

    def test_moves_a_large_state(self):
        # One certificate, and text around it that counts as content.
        line = b"# " + b"x" * 61 + b"\n"
        with self.demo("one") as daemon:
            daemon.ctl("create", "truststores/partners", "--from-file", f"pem={self.a.certificate}",
                       "--set", "limits.max_bytes=67108864")
            for number in range(LARGE_VERSIONS):
                bundle = self.folder / "large.pem"
                with open(bundle, "wb") as file:
                    file.write(self.a.certificate.read_bytes())
                    file.write(b"# %d\n" % number)
                    file.write(line * (LARGE_BYTES // len(line)))
                daemon.ctl("upload", "truststores/partners/versions", bundle)
            daemon.ctl("export-state", self.file)
            self.assertGreater(self.file.stat().st_size, 100 << 20)
            # Others are served meanwhile.
            done = threading.Event()
            served = []

            def ask():
                while not done.is_set():
                    served.append(daemon.json("list", "fleets"))

            thread = threading.Thread(target=ask)
            thread.start()
            try:
                with self.demo("two") as other:
                    other.ctl("import-state", self.file)
                    self.assertEqual(
                        other.json("list", "truststores/partners/versions")[0]["sha256"],
                        hashlib.sha256(bundle.read_bytes()).hexdigest(),
                    )
                    status = pathlib.Path(f"/proc/{other.process.pid}/status").read_text()
                    peak = int(re.search(r"VmHWM:\s+([0-9]+) kB", status).group(1))
                    # Contents go into the store as they come.
                    self.assertLess(peak, 400 << 10)
                daemon.ctl("import-state", self.file, "--replace", "--without-private-keys")
            finally:
                done.set()
                thread.join()
            self.assertGreater(len(served), 1)


if __name__ == "__main__":
    unittest.main()
