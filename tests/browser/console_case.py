"""A sallyportd, a browser that shows its console, and what tests do with them."""

import hashlib
import json
import os
import pathlib
import socket
import sys
import tempfile
import unittest
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parent.parent / "integration"))

from chromium import Chromium  # noqa: E402
from harness import certificates, envoy, wait  # noqa: E402
from sallyportd import Daemon  # noqa: E402

TOKENS = {"anna": "operator", "viktor": "viewer"}
# Where pictures for the documentation go; nowhere, if it is not set.
IMAGES = os.environ.get("CONSOLE_IMAGES")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class ConsoleCase(unittest.TestCase):
    # Where truststores come from; what the service is told of it.
    s3 = None
    s3_options = ()

    @classmethod
    def setUpClass(cls):
        cls.axe = pathlib.Path(os.environ["AXE"]).read_text(encoding="utf-8")
        cls.browser = Chromium()
        cls.browser.__enter__()
        cls.addClassCleanup(cls.browser.__exit__)

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.workshop = certificates.Workshop(self.folder / "pki")
        tokens = self.folder / "credentials"
        tokens.write_text("".join(
            f"token {name} {role} {hashlib.sha256(name.encode()).hexdigest()}\n"
            for name, role in TOKENS.items()))
        # Its credentials for S3, for the time that it starts.
        more = self.s3.environment(**self.s3.credentials()) if self.s3 else {}
        with mock.patch.dict(os.environ, {k: v for k, v in more.items() if k.startswith("AWS_")}):
            self.xds = free_port()
            self.daemon = Daemon(
                self.folder / "data", "--allow-loopback-without-credentials",
                "--admin-credentials", str(tokens), "--issuer", "internal",
                "--issuer-domains", "example.com", *self.s3_options, xds=f"127.0.0.1:{self.xds}")
            self.daemon.__enter__()
        self.addCleanup(self.daemon.stop)
        self.page = self.browser.page()
        self.address = self.daemon.http + "/console/"

    def tearDown(self):
        self.assertEqual(self.page.complaints(), [])
        # Nobody else is asked for anything.
        foreign = [u for u in self.page.requests()
                   if not u.startswith((self.daemon.http + "/", "data:", "about:", "blob:"))]
        self.assertEqual(foreign, [])

    def sign_in(self, token="anna", page=None):
        page = page or self.page
        page.open(self.address)
        page.fill("Token", token)
        page.key("Enter")
        page.heading("Overview")

    def go(self, view, heading):
        self.page.run(f"location.hash = {json.dumps('#/' + view)}")
        self.page.heading(heading)

    def node(self, name="edge-1"):
        self.port = free_port()
        self.daemon.ctl("update", "fleets/default", "--set", "listen_address=127.0.0.1",
                        "--set", f"listen_port={self.port}")
        path = self.folder / (name + ".yaml")
        path.write_text(
            self.daemon.ctl("bootstrap", name, "--xds-address", f"127.0.0.1:{self.xds}",
                            "--admin-address", "127.0.0.1:0"), encoding="ascii")
        node = envoy.Envoy(path, self.folder / name)
        node.start()
        self.addCleanup(node.stop)
        wait.until(lambda: name in self.daemon.ctl("list", "fleets/default/nodes"), "the node is there")
        return node

    def picture(self, name):
        if IMAGES:
            folder = pathlib.Path(IMAGES)
            folder.mkdir(parents=True, exist_ok=True)
            # What was announced is of no use there.
            self.page.run("document.getElementById('status').replaceChildren()")
            (folder / (name + ".png")).write_bytes(self.page.picture())

    def look(self, where):
        """No violation of what axe-core knows, in light and dark colours; and it fits
        a phone."""
        with self.subTest(view=where):
            self.assertEqual(self.page.axe(self.axe), [])
            self.page.scheme("dark")
            self.assertEqual(self.page.axe(self.axe, "color-contrast"), [])
            self.page.scheme("light")
            self.page.size(360, 900)
            self.assertLessEqual(self.page.run("document.documentElement.scrollWidth"), 360)
            self.page.size(1200, 900)

    def pem(self, name):
        return self.daemon.json("get", "clientCertificates/" + name)[0]["certificate_chain_pem"]

    def fingerprint(self, name):
        return self.daemon.json("get", "clientCertificates/" + name)[0]["certificates"][0]["certificate_sha256"]
