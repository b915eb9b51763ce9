"""A real sallyportd with an empty folder, driven by sallyportctl."""

import hashlib
import os
import pathlib
import signal
import socket
import stat
import subprocess
import tempfile
import time
import unittest

from harness import certificates, wait
from sallyportd import CTL, DAEMON, Daemon

CALL_ALL = os.path.abspath(os.environ["CALL_ALL"])

ROLES = {"token-v": "viewer", "token-o": "operator", "token-a": "admin"}


class TruststoreTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.data = self.folder / "data"
        self.workshop = certificates.Workshop(self.folder / "pki")
        self.a = self.workshop.authority("a", "/O=Partner/CN=Root A")
        self.b = self.workshop.authority("b", "/O=Partner/CN=Root B")
        self.bundle = self.folder / "bundle.pem"
        self.bundle.write_text(self.a.pem() + self.b.pem(), encoding="ascii")

    def demo(self):
        return Daemon(self.data, "--allow-loopback-without-credentials")

    def test_lives_through_its_life(self):
        with self.demo() as daemon:
            daemon.ctl(
                "create", "truststores/partners",
                "--from-file", f"pem={self.a.certificate}",
                "--set", "description=All partners", "--set", "labels.team=edge",
            )
            self.assertIn("truststores/partners", daemon.ctl("list", "truststores"))
            added = daemon.json(
                "upload", "truststores/partners/versions", self.bundle
            )[0]
            self.assertEqual(added["name"], "truststores/partners/versions/2")
            self.assertEqual(added["state"], "CANDIDATE")
            self.assertEqual(
                added["sha256"], hashlib.sha256(self.bundle.read_bytes()).hexdigest()
            )
            versions = [f"truststores/partners/versions/{n}" for n in (1, 2)]
            diff = daemon.ctl("diff", *versions)
            self.assertIn("+ CN=Root B,O=Partner", diff)
            self.assertIn("1 added, 0 removed, 0 changed", diff)
            daemon.ctl("diff", *versions, "--exit-code", code=1)
            self.assertIn("CN=Root B", daemon.ctl("list", versions[1] + "/certificates"))

            daemon.ctl("activate", versions[1])
            self.assertEqual(self.active(daemon), versions[1])
            daemon.ctl("rollback", "truststores/partners")
            self.assertEqual(self.active(daemon), versions[0])
            states = {
                version["name"][-1]: version["state"]
                for version in daemon.json("list", "truststores/partners/versions")
            }
            self.assertEqual(states, {"1": "ACTIVE", "2": "SUPERSEDED"})
            self.assertEqual(
                daemon.ctl("read", versions[1]), self.bundle.read_text()
            )
            daemon.ctl("update", "truststores/partners", "--set", "description=Fewer",
                       "--set", "labels.tier=1")
            shown = daemon.json("get", "truststores/partners")[0]
            self.assertEqual(shown["description"], "Fewer")
            self.assertEqual(shown["labels"], {"team": "edge", "tier": "1"})

            # The first start made the default fleet.
            audit = [
                entry for entry in daemon.json("list", "auditEntries")
                if entry["principal"] != "system:start"
            ]
            self.assertEqual(
                [entry["method"].split("/")[1] for entry in reversed(audit)],
                [
                    "CreateTruststore", "UploadTruststoreVersion",
                    "ActivateTruststoreVersion", "RollbackTruststore", "UpdateTruststore",
                ],
            )
            self.assertEqual({entry["principal"] for entry in audit}, {"loopback"})
            self.assertEqual(
                audit[0]["changes"][0]["changed_fields"], ["description", "labels.tier"]
            )

            daemon.ctl("delete", "truststores/partners")
            self.assertIn(
                "RESOURCE_NOT_FOUND",
                daemon.ctl("get", "truststores/partners", code=1),
            )

    def active(self, daemon):
        return daemon.json("get", "truststores/partners")[0]["active_version"]

    def test_answers_whole_pages_whatever_part_is_asked_for(self):
        with self.demo() as daemon:
            self.assertEqual(daemon.get("/healthz", Range="bytes=" + ",".join(["0-"] * 100)),
                             (200, "ok\n"))

    def test_goes_on_when_it_is_told_to_read_its_options_anew(self):
        with self.demo() as daemon:
            daemon.process.send_signal(signal.SIGHUP)
            wait.until(lambda: any("restart for others" in line for line in daemon.lines),
                       "the log says that this needs a restart")
            self.assertEqual(daemon.get("/readyz")[0], 200)

    def test_keeps_everything_over_a_restart_and_a_crash(self):
        def state(daemon):
            return [
                daemon.json(*arguments) for arguments in (
                    ("get", "truststores/one"), ("list", "truststores/one/versions"),
                    ("list", "auditEntries"),
                )
            ]

        create = ("create", "truststores/one", "--from-file", f"pem={self.a.certificate}")
        with self.demo() as daemon:
            daemon.ctl(*create)
            before = state(daemon)
            self.assertEqual(daemon.stop(), 0)
        with self.demo() as daemon:
            self.assertEqual(state(daemon), before)
            daemon.ctl(
                "create", "truststores/one/versions", "--from-file", f"pem={self.bundle}",
                "--set", "activate=true",
            )
            before = state(daemon)
            daemon.kill()
        with self.demo() as daemon:
            self.assertEqual(state(daemon), before)

    def test_says_what_is_wrong_and_changes_nothing(self):
        key = self.folder / "key.pem"
        key.write_text(self.a.key.read_text(encoding="ascii"), encoding="ascii")
        create = ("create", "truststores/one", "--from-file", f"pem={self.a.certificate}")
        update = ("update", "truststores/one", "--set")
        with self.demo() as daemon:
            error = daemon.ctl(
                "create", "truststores/Bad_Id", "--from-file", f"pem={key}",
                "--set", "description=" + "x" * 2000, code=1,
            )
            for part in ("truststore_id: ", "truststore.description: ", "pem: ",
                         "TRUSTSTORE_NOT_A_CERTIFICATE"):
                self.assertIn(part, error)
            self.assertEqual(daemon.json("list", "truststores"), [])
            daemon.ctl(*create, "--validate-only")
            self.assertEqual(daemon.json("list", "truststores"), [])

            daemon.ctl(*create)
            self.assertIn("RESOURCE_ALREADY_EXISTS", daemon.ctl(*create, code=1))
            etag = daemon.json("get", "truststores/one")[0]["etag"]
            daemon.ctl(*update, "description=1", "--etag", etag)
            self.assertIn(
                "ETAG_MISMATCH", daemon.ctl(*update, "description=2", "--etag", etag, code=1)
            )
            self.assertIn(
                "NO_EARLIER_VERSION", daemon.ctl("rollback", "truststores/one", code=1)
            )
            daemon.ctl("delete", "truststores/one", "--validate-only")
            daemon.ctl("get", "truststores/one")
            daemon.stop()
            # A key that was sent is not in the log, nor in the store.
            secret = "".join(key.read_text(encoding="ascii").splitlines()[1:2])
            self.assertNotIn(secret, "".join(daemon.lines))
            for path in self.data.rglob("*"):
                if path.is_file():
                    self.assertNotIn(secret.encode(), path.read_bytes(), path)
        self.assertIn(
            "sallyportctl: ", daemon.ctl("list", "truststores", "--timeout", 2, code=2)
        )

    def test_applies_what_files_say(self):
        state = self.folder / "state.yaml"
        bundle = self.folder / "in.pem"
        bundle.write_text(self.a.pem(), encoding="ascii")

        def write(description, labels):
            # What names another comes first in the file, and second in the doing.
            state.write_text(
                "name: domainNames/api.example.com\n"
                "server_certificate: serverCertificates/api\n"
                "mutual_tls: {truststores: [{truststore: truststores/partners}]}\n"
                "---\n"
                "name: serverCertificates/api\n"
                "material:\n"
                "  certificate_chain_pem_file: api.pem\n"
                "  private_key_pem_file: api.key\n"
                "---\n"
                "name: truststores/partners\n"
                f"description: {description}\n"
                f"labels: {labels}\n"
                "pem_file: in.pem\n",
                encoding="ascii",
            )

        def issue(name):
            made = self.workshop.make(
                name, "/CN=api.example.com", self.a,
                extensions=("subjectAltName = DNS:api.example.com",),
            )
            (self.folder / "api.pem").write_text(made.pem(), encoding="ascii")
            (self.folder / "api.key").write_text(
                made.key.read_text(encoding="ascii"), encoding="ascii"
            )

        issue("api-1")
        write("First", "{team: edge}")
        with self.demo() as daemon:
            shown = daemon.ctl("diff", "-f", state)
            self.assertLess(
                shown.index("create serverCertificates/api"),
                shown.index("create domainNames/api.example.com"),
            )
            self.assertNotIn("PRIVATE", shown)
            daemon.ctl("diff", "-f", state, "--exit-code", code=1)
            self.assertEqual(daemon.json("list", "truststores"), [])
            # Nobody said yes.
            self.assertIn("nothing was changed", daemon.ctl("apply", "-f", state, code=2))
            self.assertEqual(daemon.json("list", "truststores"), [])
            daemon.ctl("apply", "-f", state, "--yes")
            self.assertEqual(self.active(daemon), "truststores/partners/versions/1")
            self.assertEqual(daemon.ctl("apply", "-f", state), "3 unchanged\n")

            write("Second", "{}")
            bundle.write_text(self.bundle.read_text(), encoding="ascii")
            issue("api-2")
            shown = daemon.ctl("diff", "-f", state)
            for line in ("- description: First", "+ description: Second",
                         "- labels[team]: edge", "activate a new version of",
                         "import again serverCertificates/api"):
                self.assertIn(line, shown)
            daemon.ctl("apply", "-f", state, "--yes")
            self.assertEqual(self.active(daemon), "truststores/partners/versions/2")
            self.assertEqual(daemon.ctl("apply", "-f", state), "3 unchanged\n")
            # What is shown can be applied.
            whole = self.folder / "whole.yaml"
            whole.write_text(daemon.ctl("get", "truststores/partners"), encoding="ascii")
            self.assertEqual(daemon.ctl("apply", "-f", whole), "1 unchanged\n")

            write("x" * 2000, "{Bad Key: x}")
            error = daemon.ctl("apply", "-f", state, "--yes", code=1)
            self.assertIn("state.yaml:10: truststores/partners", error)
            self.assertIn("truststore.description: ", error)
            self.assertIn("truststore.labels", error)
            state.write_text("name: truststores/partners\nnothing: 1\npin_leaf: x\n")
            error = daemon.ctl("apply", "-f", state, code=2)
            self.assertIn("state.yaml:2: nothing: ", error)
            self.assertIn("state.yaml:3: pin_leaf: ", error)

    def test_asks_who_calls(self):
        credentials = self.credentials()
        with Daemon(self.data, "--admin-credentials", credentials) as daemon:
            create = ("create", "truststores/one", "--from-file", f"pem={self.a.certificate}")
            self.assertIn("CREDENTIALS_MISSING", daemon.ctl(*create, code=1))
            self.assertIn("CREDENTIALS_MISSING", daemon.ctl(*create, token="wrong", code=1))
            self.assertIn("ROLE_MISSING", daemon.ctl(*create, token="token-v", code=1))
            daemon.ctl(*create, token="token-o")
            audit = daemon.json("list", "auditEntries", token="token-v")
            self.assertEqual(audit[0]["principal"], "token:token-o")

            self.assertEqual(daemon.get("/healthz")[0], 200)
            self.assertEqual(daemon.get("/readyz"), (200, "ok\n"))
            self.assertEqual(daemon.get("/metrics")[0], 401)
            self.assertEqual(daemon.get("/metrics", Authorization="Bearer wrong")[0], 401)
            status, metrics = daemon.get("/metrics", Authorization="Bearer token-v")
            self.assertEqual(status, 200)
            self.assertRegex(metrics, r"\nsallyport_store_revision [1-9][0-9]*\n")
            self.assertIn(
                'sallyport_api_calls_total{method="sallyport.config.v1.Truststores/'
                'CreateTruststore",code="OK"} 1\n',
                metrics,
            )
            daemon.stop()
            log = "".join(daemon.lines)
            for token in ("token-v", "token-o", "wrong"):
                self.assertNotIn(f'"{token}', log)
                self.assertNotIn("Bearer " + token, log)

    def test_slow_requests_on_the_http_port_hold_up_nobody(self):
        with self.demo() as daemon:
            host, port = daemon.http.removeprefix("http://").split(":")
            slow = []
            self.addCleanup(lambda: [connection.close() for connection in slow])
            began = time.monotonic()
            for _ in range(100):
                slow.append(socket.create_connection((host, int(port)), timeout=20))
                slow[-1].sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ")
            for _ in range(5):
                self.assertEqual(daemon.get("/healthz")[0], 200)
            # Each of them may take ten seconds, and 32 go at a time.
            self.assertLess(time.monotonic() - began, 20)
            # The newest may go on for a while, but not for ever, however it drips.
            last = slow[-1]
            last.settimeout(0.2)
            ended = False
            while not ended and time.monotonic() - began < 40:
                try:
                    last.sendall(b"x")
                    ended = last.recv(1) == b""
                except TimeoutError:
                    pass
                except OSError:
                    ended = True
            self.assertTrue(ended)
            self.assertEqual(daemon.get("/healthz")[0], 200)

    def test_a_data_folder_for_everybody_is_refused(self):
        self.data.mkdir()
        self.data.chmod(0o777)
        done = subprocess.run(
            self.demo().command, capture_output=True, text=True, timeout=30, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("chmod 700 " + str(self.data), done.stderr)

    def test_a_token_expires(self):
        with self.demo() as daemon:
            for arguments, parts in ((("--ttl", "1h"), 5), ((), 4)):
                done = subprocess.run(
                    [CTL, "token", "me", "viewer", *arguments],
                    capture_output=True, text=True, timeout=30, check=True)
                self.assertEqual(len(done.stderr.splitlines()[-1].split()), parts)
            self.assertIn("--ttl", daemon.ctl("token", "me", "viewer", "--ttl", "soon", code=2))
        line = done.stderr.splitlines()[-1]
        path = self.folder / "told"
        path.write_text(line + " 2020-01-01T00:00:00Z\n", encoding="ascii")
        with Daemon(self.data, "--admin-credentials", path) as daemon:
            error = daemon.ctl("list", "truststores", token=done.stdout.strip(), code=1)
            self.assertIn("the token has expired (2020-01-01", error)

    def test_what_is_there_twice_is_refused(self):
        state = self.folder / "twice.yaml"
        state.write_text(
            "name: truststores/partners\ndescription: one\nlabels:\n  a: b\n  a: c\n"
            "description: two\nname: truststores/other\n", encoding="ascii")
        with self.demo() as daemon:
            error = daemon.ctl("apply", "-f", state, "--yes", code=2)
            for part in ("twice.yaml:5: labels[a]: is there twice, the first time on line 4",
                         "twice.yaml:6: description: is there twice",
                         "twice.yaml:7: name: is there twice"):
                self.assertIn(part, error)
            self.assertEqual(daemon.json("list", "truststores"), [])

    def credentials(self):
        """A file of credentials: a token for each role, token-v, token-o, token-a."""
        path = self.folder / "credentials"
        path.write_text(
            "".join(
                f"token {token} {role} {hashlib.sha256(token.encode()).hexdigest()}\n"
                for token, role in ROLES.items()
            ),
            encoding="ascii",
        )
        return path

    def test_asks_for_the_role_of_every_method(self):
        def call_all(daemon, *token):
            done = subprocess.run(
                [CALL_ALL, daemon.admin, *token],
                capture_output=True, text=True, timeout=60, check=True,
            )
            lines = [line.split() for line in done.stdout.splitlines()]
            # That it runs is no secret.
            self.assertEqual(lines[-1], ["Health/Check", "OK", "-"])
            return lines[:-1]

        def role_of(method):
            name = method.split("/")[1]
            if method in ("AccessKeys/DeleteAccessKey", "AccessKeys/IssueAccessKey",
                          "Fleets/IssueNodeCertificate", "Fleets/RevokeNode",
                          "State/ExportState", "State/ImportState"):
                return "admin"
            reads = ("Get", "List", "Read", "Diff", "Watch", "WaitFor")
            return "viewer" if name.startswith(reads) else "operator"

        order = ["viewer", "operator", "admin"]
        with Daemon(self.data, "--admin-credentials", self.credentials()) as daemon:
            served = set()
            # Nobody, and whoever has a token that is none.
            for token in ((), ("wrong",), ("",)):
                for method, code, reason in call_all(daemon, *token):
                    if code != "UNIMPLEMENTED":
                        served.add(method)
                        self.assertEqual(
                            (code, reason), ("UNAUTHENTICATED", "CREDENTIALS_MISSING"), method
                        )
            self.assertGreater(len(served), 15)
            for token, role in ROLES.items():
                for method, code, reason in call_all(daemon, token):
                    if method not in served:
                        continue
                    allowed = order.index(role) >= order.index(role_of(method))
                    self.assertEqual(
                        (code, reason) != ("PERMISSION_DENIED", "ROLE_MISSING"),
                        allowed,
                        f"{method} as {role}: {code} {reason}",
                    )
                    if allowed:
                        self.assertNotIn(code, ("UNAUTHENTICATED", "INTERNAL"), method)
            # Nothing was made by all that.
            self.assertEqual(daemon.json("list", "truststores", token="token-v"), [])

    def test_takes_certificates_and_tokens_over_tls(self):
        server = self.workshop.make(
            "server", "/CN=sallyportd", self.a,
            extensions=("subjectAltName = IP:127.0.0.1",),
        )
        caller = self.workshop.client(
            "caller", "/CN=ci", self.a, sans="URI:spiffe://example.test/ci"
        )
        nobody = self.workshop.client(
            "nobody", "/CN=ci", self.a, sans="URI:spiffe://example.test/other"
        )
        stranger = self.workshop.client(
            "stranger", "/CN=ci", self.b, sans="URI:spiffe://example.test/ci"
        )
        credentials = self.credentials()
        with open(credentials, "a", encoding="ascii") as file:
            file.write("certificate spiffe://example.test/ci operator\n")
        with Daemon(
            self.data, "--admin-credentials", credentials,
            "--admin-tls-certificate", server.certificate, "--admin-tls-key", server.key,
            "--admin-client-ca", self.a.certificate,
        ) as daemon:
            create = ("create", "truststores/one", "--from-file", f"pem={self.a.certificate}")
            tls = ("--ca", self.a.certificate)

            def by(identity):
                return (*tls, "--certificate", identity.certificate, "--key", identity.key)

            daemon.ctl(*create, *by(caller))
            self.assertEqual(
                daemon.json("list", "auditEntries", *tls, token="token-v")[0]["principal"],
                "certificate:spiffe://example.test/ci",
            )
            for arguments in (tls, by(nobody)):
                self.assertIn(
                    "CREDENTIALS_MISSING", daemon.ctl("list", "truststores", *arguments, code=1)
                )
            # A token says who it is, whatever the certificate says.
            self.assertIn("ROLE_MISSING", daemon.ctl(*create, *by(caller), token="token-v", code=1))
            daemon.ctl("list", "truststores", *by(stranger), "--timeout", 5, code=2)
            # Without TLS, and with another CA, nobody is asked.
            daemon.ctl("list", "truststores", "--timeout", 5, token="token-v", code=2)
            daemon.ctl(
                "list", "truststores", "--ca", self.b.certificate, "--timeout", 5,
                token="token-v", code=2,
            )

    def test_does_not_start_unsafely(self):
        def start(*arguments):
            return subprocess.run(
                [DAEMON, "--data-dir", str(self.data), *arguments],
                capture_output=True, text=True, timeout=20, check=False,
            )

        for arguments in (
            (),
            ("--admin-address", "0.0.0.0:0", "--allow-loopback-without-credentials"),
            ("--http-address", "0.0.0.0:0", "--allow-loopback-without-credentials"),
        ):
            done = start(*arguments)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertFalse(self.data.exists())
        checked = start("--allow-loopback-without-credentials", "--check-config")
        self.assertEqual(checked.returncode, 0, checked.stderr)
        self.assertFalse(self.data.exists())
        with self.demo():
            # Nobody else reads the state.
            self.assertEqual(stat.S_IMODE(self.data.stat().st_mode) & 0o077, 0)
            # A second one does not touch it.
            second = start(
                "--allow-loopback-without-credentials",
                "--admin-address", "127.0.0.1:0", "--xds-address", "127.0.0.1:0",
                "--http-address", "127.0.0.1:0",
            )
            self.assertEqual(second.returncode, 1)


if __name__ == "__main__":
    unittest.main()
