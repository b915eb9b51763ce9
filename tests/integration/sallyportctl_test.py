"""What sallyportctl and sallyportd say to people: with the real programs."""

import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest
from unittest import mock

from harness import certificates
from sallyportd import CTL, DAEMON, Daemon

NO_CREDENTIALS = "--allow-loopback-without-credentials"


class SallyportctlTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.root = pathlib.Path(folder.name)
        workshop = certificates.Workshop(cls.root / "pki")
        cls.pem = {}
        for name in ("a", "b"):
            cls.pem[name] = cls.root / (name + ".pem")
            cls.pem[name].write_text(
                workshop.authority(name, "/CN=Root " + name).pem(), encoding="ascii")

    def setUp(self):
        self.folder = self.root / self.id().rsplit(".", 1)[1]
        self.folder.mkdir()

    def start(self, *arguments):
        daemon = Daemon(self.folder / "data", NO_CREDENTIALS, *arguments)
        daemon.__enter__()
        self.addCleanup(daemon.__exit__)
        return daemon

    def test_says_which_version_is_in_force(self):
        daemon = self.start()
        daemon.ctl("create", "truststores/t", "--from-file", "pem=%s" % self.pem["a"])
        daemon.ctl("create", "truststores/t/versions", "--from-file", "pem=%s" % self.pem["b"])
        self.assertEqual(
            daemon.ctl("activate", "truststores/t/versions/2").splitlines()[0],
            "activated a version of truststores/t: now truststores/t/versions/2")
        self.assertEqual(
            daemon.ctl("rollback", "truststores/t").splitlines()[0],
            "rolled back truststores/t: now truststores/t/versions/1")
        daemon.ctl("create", "apis/a")
        daemon.ctl("create", "apis/a/routes/r", "--set", "method=GET", "--set", "path=/r",
                   "--set", "http_proxy.uri=http://backend.example")
        daemon.ctl("create", "apis/a/stages/prod")
        for _ in range(2):
            daemon.ctl("create", "apis/a/deployments", "--set", "stage=apis/a/stages/prod")
            daemon.ctl("update", "apis/a/routes/r", "--set", "http_proxy.uri=http://other.example")
        before = daemon.json("get", "apis/a/stages/prod")[0]["previous_deployment"]
        self.assertEqual(daemon.ctl("rollback", "apis/a/stages/prod"),
                         "rolled back apis/a/stages/prod: now %s\n" % before)

    def test_lists_the_routes_of_all_apis(self):
        daemon = self.start()
        for api in ("a", "b"):
            daemon.ctl("create", "apis/" + api)
            daemon.ctl("create", "apis/%s/routes/r" % api, "--set", "method=GET",
                       "--set", "path=/r", "--set", "http_proxy.uri=http://backend.example")
        listed = daemon.ctl("list", "apis/-/routes")
        self.assertIn("apis/a/routes/r", listed)
        self.assertIn("apis/b/routes/r", listed)

    def test_says_which_entries_were_not_there(self):
        daemon = self.start()
        daemon.ctl("create", "certificateLists/l", "--set", "kind=DENY",
                   "--set", "everywhere=true")
        one, two = ("add=[{certificate_sha256: %s}]" % (c * 64) for c in "12")
        daemon.ctl("modify", "certificateLists/l", "--set", one)
        out = daemon.ctl("modify", "certificateLists/l", "--set", two.replace("add", "remove"))
        self.assertIn("changed the entries of certificateLists/l", out)
        self.assertIn("warning: remove[0]: was not in the list", out)
        self.assertIn("(ENTRY_NOT_FOUND)", out)
        out = daemon.ctl("modify", "certificateLists/l", "--set", one.replace("add", "remove"))
        self.assertNotIn("warning", out)

    def test_names_what_is_wrong_once(self):
        daemon = self.start()
        error = daemon.ctl("create", "fleets/f", "--set", "listen_port=70000", code=1)
        self.assertEqual(error.count("listen_port"), 1, error)
        self.assertEqual(error.count("\n"), 1, error)
        error = daemon.ctl("create", "fleets/f", "--set", "listen_port=70000",
                           "--set", "access_log.min_status=99", code=1)
        self.assertEqual(error.count("listen_port"), 1, error)
        self.assertEqual(error.count("access_log.min_status"), 1, error)
        error = daemon.ctl("create", "truststores/t", "--set", "pme=x", code=2)
        self.assertIn("there is no such field; those that can be set are ", error)
        fields = re.split(", | ", error.strip().rsplit("are ", 1)[1])
        self.assertIn("pem", fields)
        self.assertIn("labels", fields)
        self.assertNotIn("revision", fields)

    def test_waits_for_as_many_nodes_as_are_asked_for(self):
        daemon = self.start()
        self.assertRegex(daemon.ctl("wait"), "0 of 0 nodes have it; none is connected")
        error = subprocess.run(
            [CTL, "wait", "--at-least", "1", "--timeout", "1"],
            env={"PATH": os.environ["PATH"], "SALLYPORT_ADDRESS": daemon.admin},
            capture_output=True, text=True, timeout=30, check=False)
        self.assertEqual(error.returncode, 1, error)
        self.assertRegex(error.stdout, "0 of 0 nodes have it; 1 wanted")

    def test_reads_no_files_from_elsewhere(self):
        daemon = self.start()
        elsewhere = self.folder / "secret"
        elsewhere.write_text(self.pem["a"].read_text(encoding="ascii"), encoding="ascii")
        documents = self.folder / "documents"
        documents.mkdir()
        state = documents / "state.yaml"
        for file in ("../secret", elsewhere):
            state.write_text("name: truststores/t\npem_file: %s\n" % file, encoding="ascii")
            for command in (("apply", "--yes"), ("diff",)):
                error = daemon.ctl(*command, "-f", state, code=2)
                self.assertIn("state.yaml:2: pem_file: ", error)
                self.assertIn("--allow-files-anywhere", error)
                self.assertNotIn("BEGIN", error)
        fields = documents / "fields.yaml"
        fields.write_text("pem_file: ../secret\n", encoding="ascii")
        daemon.ctl("create", "truststores/u", "-f", fields, code=2)
        daemon.ctl("create", "truststores/u", "--from-file", "pem=%s" % elsewhere)
        daemon.ctl("apply", "--yes", "-f", state, "--allow-files-anywhere")
        self.assertIn("truststores/t", daemon.ctl("list", "truststores"))

    def test_lets_integrations_reach_what_the_installation_allows(self):
        daemon = self.start("--backend-addresses", "")
        daemon.ctl("create", "apis/a")

        def create(name, uri, code=0):
            return daemon.ctl("create", "apis/a/routes/" + name, "--set", "method=GET",
                              "--set", "path=/" + name, "--set", "http_proxy.uri=" + uri,
                              code=code)

        self.assertIn("loopback", create("a", "http://127.0.0.1:9901/quitquitquit", code=1))
        self.assertIn("--backend-addresses", create("a", "http://169.254.169.254/", code=1))
        create("a", "http://10.0.0.1")
        daemon.stop()
        daemon = self.start("--backend-addresses", "loopback")
        create("b", "http://127.0.0.1:8080")
        create("c", "http://169.254.169.254/", code=1)

    def test_every_line_of_the_log_is_an_object(self):
        with mock.patch.dict(os.environ, {"GRPC_VERBOSITY": "DEBUG", "GRPC_TRACE": "http"}):
            daemon = self.start()
        daemon.ctl("list", "truststores")
        daemon.stop()
        lines = [json.loads(line) for line in daemon.lines]
        of_grpc = [line for line in lines if line["message"] == "grpc"]
        self.assertTrue(of_grpc)
        self.assertEqual({*of_grpc[0]}, {"time", "level", "message", "severity", "details", "source"})

    def test_programs_say_their_version(self):
        for program in (DAEMON, CTL, os.path.join(os.path.dirname(CTL), "online",
                                                  "sallyportctl-online")):
            done = subprocess.run([program, "--version"], capture_output=True, text=True,
                                  timeout=30, check=True)
            self.assertRegex(done.stdout, r"^sallyport(d|ctl) \d+\.\d+\.\d+\n$")


if __name__ == "__main__":
    unittest.main()
