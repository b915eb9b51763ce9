"""Warnings that come with time alone, from a real sallyportd."""

import datetime
import itertools
import json
import os
import pathlib
import re
import subprocess
import tempfile
import threading
import unittest

from harness import certificates, processes, wait
from sallyportd import CTL, Daemon

SOON = datetime.timedelta(days=30)
UTC = datetime.timezone.utc


class Watch:
    """sallyportctl watch, in a process of its own."""

    def __init__(self, daemon):
        self.events = []
        self.process = subprocess.Popen(
            [CTL, "watch", "--json"],
            env={"PATH": os.environ["PATH"], "SALLYPORT_ADDRESS": daemon.admin},
            stdout=subprocess.PIPE, text=True, preexec_fn=processes.die_with_parent,
        )
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.events.append(json.loads(line))

    def warnings(self):
        return {
            (event["warning_added"]["resource"], event["warning_added"]["warning"]["reason"])
            for event in list(self.events) if "warning_added" in event
        }

    def stop(self):
        self.process.kill()
        self.process.wait(timeout=10)
        self.reader.join()
        self.process.stdout.close()


class ExpiryTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.workshop = certificates.Workshop(self.folder / "pki")

    def test_warns_though_nobody_writes(self):
        now = datetime.datetime.now(UTC)
        root = self.workshop.make(
            "root", "/CN=Root", extensions=("basicConstraints = critical, CA:TRUE",),
            not_before=now - SOON, not_after=now + SOON + datetime.timedelta(seconds=12),
        )
        server = self.workshop.make(
            "server", "/CN=api.example.com",
            extensions=("subjectAltName = DNS:api.example.com",),
            not_before=now - SOON, not_after=now + SOON + datetime.timedelta(seconds=12),
        )
        with Daemon(
            self.folder / "data", "--allow-loopback-without-credentials"
        ) as daemon:
            daemon.ctl("create", "truststores/partners", "--from-file", f"pem={root.certificate}")
            daemon.ctl("create", "serverCertificates/api",
                       "--from-file", f"material.certificate_chain_pem={server.certificate}",
                       "--from-file", f"material.private_key_pem={server.key}")
            daemon.ctl("create", "truststores/other", "--from-file", f"pem={root.certificate}")
            watch = Watch(daemon)
            self.addCleanup(watch.stop)
            # What is written shows that it watches; the same again would not be.
            numbers = itertools.count()
            wait.until(
                lambda: daemon.ctl("update", "truststores/other", "--set",
                                   f"description={next(numbers)}") and watch.events,
                "an event", timeout=8,
            )
            daemon.ctl("delete", "truststores/other")

            def expiring(name):
                conditions = daemon.json("get", name)[0]["conditions"]
                return {c["type"]: c["status"] for c in conditions}["Expiring"]

            names = ("serverCertificates/api", "truststores/partners")
            for name in names:
                self.assertEqual(expiring(name), "STATUS_FALSE")
            revision = self.metric(daemon, "sallyport_store_revision")
            wait.until(
                lambda: watch.warnings() == {(name, "EXPIRES_SOON") for name in names},
                "both warnings", timeout=40,
            )
            for name in names:
                self.assertEqual(expiring(name), "STATUS_TRUE")
                self.assertIn("EXPIRES_SOON", str(daemon.json("get", name)[0]["warnings"]))
                seconds = self.metric(daemon, f'sallyport_expiry_seconds{{resource="{name}"}}')
                self.assertLess(abs(seconds - SOON.total_seconds()), 60)
            self.assertEqual(self.metric(daemon, "sallyport_store_revision"), revision)
            self.assertNotIn("truststores/other", daemon.get("/metrics")[1])
            self.assertGreater(
                self.metric(daemon, 'sallyport_expiry_seconds{resource="system/proxyCa"}'),
                SOON.total_seconds(),
            )

    def metric(self, daemon, name):
        found = re.search(
            "^" + re.escape(name) + r" (-?[0-9]+)$", daemon.get("/metrics")[1], re.MULTILINE
        )
        self.assertIsNotNone(found, name)
        return int(found.group(1))


if __name__ == "__main__":
    unittest.main()
