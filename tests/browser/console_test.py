"""The console in a real browser: the steps of the two walkthroughs, and each view
looked at by axe-core."""

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
from harness import certificates, client, envoy, s3, wait  # noqa: E402
from sallyportd import Daemon  # noqa: E402
from test_invoke_test import Backend  # noqa: E402

DOMAIN = "api.example.com"
BUCKET = "example-corp"
TOKENS = {"anna": "operator", "viktor": "viewer"}
# Where pictures for the documentation go; nowhere, if it is not set.
IMAGES = os.environ.get("CONSOLE_IMAGES")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class ConsoleTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.axe = pathlib.Path(os.environ["AXE"]).read_text(encoding="utf-8")
        cls.browser = Chromium()
        cls.browser.__enter__()
        cls.addClassCleanup(cls.browser.__exit__)
        cls.s3 = s3.Server()
        cls.addClassCleanup(cls.s3.close)
        cls.s3.cli("s3api", "create-bucket", "--bucket", BUCKET,
                   "--create-bucket-configuration", "LocationConstraint=" + s3.REGION)

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
        more = self.s3.environment(**self.s3.credentials())
        with mock.patch.dict(os.environ, {k: v for k, v in more.items() if k.startswith("AWS_")}):
            self.xds = free_port()
            self.daemon = Daemon(
                self.folder / "data", "--allow-loopback-without-credentials",
                "--admin-credentials", str(tokens), "--issuer", "internal",
                "--issuer-domains", "example.com", "--s3-endpoint", self.s3.endpoint,
                "--s3-region", s3.REGION, "--s3-path-style", xds=f"127.0.0.1:{self.xds}")
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

    def truststore(self, *authorities, key="truststore.pem"):
        path = self.folder / key
        path.write_text("".join(a.certificate.read_text() for a in authorities))
        self.s3.cli("s3api", "put-object", "--bucket", BUCKET, "--key", key, "--body", str(path))

    # How can I use a client certificate issued by a third party?
    def test_a_domain_with_mutual_tls_as_in_the_walkthrough(self):
        root = self.workshop.authority("RootCA", "/O=Third Party/CN=Root CA")
        my_client = self.workshop.client("my_client", "/O=Third Party/CN=my_client", root)
        self.truststore(root)
        ctl = self.daemon.ctl
        ctl("create", "apis/orders", "--set", "display_name=orders")
        ctl("create", "apis/orders/routes/all", "--set", "method=ANY", "--set", "path=/{proxy+}",
            "--set", "mock={body: ordered}")
        ctl("create", "apis/orders/stages/prod")
        ctl("create", "apis/orders/deployments", "--set", "stage=apis/orders/stages/prod")
        self.node()
        page = self.page
        self.sign_in()
        self.picture("overview")

        # Custom domain names; Create.
        page.click("Custom domain names")
        page.heading("Custom domain names")
        page.click("Create")
        page.fill("Domain name", DOMAIN)
        page.choose("Minimum TLS version", "TLS 1.2")
        page.check("Mutual TLS authentication")
        page.choose("Truststore", "A new one")
        page.fill("Truststore URI", f"s3://{BUCKET}/truststore.pem")
        page.fill("Name of the new truststore", "third-party")
        page.choose("Endpoint configuration", "Regional")
        page.choose("Certificate", "A new one from internal")
        self.look("the dialog of a new domain name")
        self.picture("create-domain-name")
        page.click("Create domain name")
        page.heading(DOMAIN)
        page.sees(f"s3://{BUCKET}/truststore.pem")

        # Configure API mappings; Add new mapping.
        page.click("Add new mapping")
        page.choose("API and stage", "orders / prod")
        page.fill("Path", "shop")
        page.click("Save")
        page.row("/shop")
        # Live: the node takes it while somebody looks on.
        page.sees("AVAILABLE")
        self.look("a domain name")
        self.picture("domain-name")

        # Disable the default endpoint.
        self.go("apis/orders?tab=details", "orders")
        page.click("Edit")
        page.check("Disable the default endpoint")
        page.click("Save changes")
        page.sees("disabled")
        self.assertTrue(self.daemon.json("get", "apis/orders")[0]["disable_default_endpoint"])

        # Test the API.
        issuer = self.folder / "issuer.pem"
        issuer.write_text(self.daemon.json("get", "issuers/internal")[0]["certificate_chain_pem"])
        ctl("wait")

        def ask(identity):
            with client.Connection(self.port, issuer, identity, server_name=DOMAIN) as connection:
                return connection.request("/shop/x").status
        self.assertEqual(ask(my_client), 200)
        stranger = self.workshop.authority("Stranger", "/CN=Stranger")
        self.assertEqual(ask(self.workshop.client("other", "/CN=other", stranger)), 403)

        # Off again, by the switch.
        self.go("domains/" + DOMAIN, DOMAIN)
        page.click("Edit mutual TLS")
        page.check("Mutual TLS authentication")
        page.click("Save changes")
        page.sees("Clients need no certificate.")
        self.assertNotIn("mutual_tls", self.daemon.json("get", "domainNames/" + DOMAIN)[0])

    # Generate and configure an SSL certificate for backend authentication.
    def test_a_client_certificate_as_in_the_walkthrough(self):
        inside = self.workshop.authority("issuer", "/O=Inside/CN=Root")
        inner = self.workshop.make("inner", "/CN=backend.internal", inside, extensions=(
            "subjectAltName = DNS:backend.internal", "extendedKeyUsage = serverAuth"))
        nobody = self.workshop.authority("nobody", "/CN=Nobody")
        backend = Backend(inner, nobody.certificate.read_text())
        self.addCleanup(backend.stop)
        ctl = self.daemon.ctl
        ctl("create", "truststores/backends", "--from-file", f"pem={inside.certificate}")
        ctl("create", "apis/secure", "--set", "display_name=secure")
        ctl("create", "apis/secure/stages/prod")
        self.node()
        page = self.page
        self.sign_in()

        # Client certificates; Generate certificate.
        page.click("Client certificates")
        page.heading("Client certificates")
        page.click("Generate certificate")
        page.fill("Description", "my first")
        page.fill("Name", "first")
        page.click("Generate certificate")
        page.heading("first")
        pem = page.run("document.getElementById('pem').textContent")
        self.assertEqual(pem, self.pem("first"))
        self.assertNotIn("PRIVATE", page.run("document.documentElement.outerHTML"))
        self.look("a client certificate")
        self.picture("client-certificate")

        # A route to the backend.
        self.go("apis/secure", "secure")
        page.click("Create route")
        page.fill("Path", "/{proxy+}")
        page.fill("Endpoint URL", f"https://127.0.0.1:{backend.port}/{{proxy}}")
        page.choose("Truststore of the backend", "backends")
        page.fill("Name in the backend's certificate", "backend.internal")
        page.click("Save")
        page.sees(f"https://127.0.0.1:{backend.port}")

        # Stages; Edit; Client certificate; Save changes.
        page.click("Stages")
        page.click("Edit prod")
        page.choose("Client certificate", "first")
        page.click("Save changes")
        page.sees("Saved.")
        self.assertEqual(self.daemon.json("get", "apis/secure/stages/prod")[0]["client_certificate"],
                         "clientCertificates/first")
        self.look("stages")

        # The Test tab; Client certificate; Test.
        page.click("Test")
        page.fill("Path and query", "/hello?x=1")
        page.choose("Client certificate", "first")
        page.click("Test")  # the tab; the button is sent by the keyboard below
        page.fill("Path and query", "/hello?x=1")
        page.key("Enter")
        # Or "may have refused": with TLS 1.3 the connection may end before its alert is read.
        page.sees("refused the node, which offered clientCertificates/first")
        backend.know(pem)
        page.fill("Path and query", "/hello?x=1")
        page.key("Enter")
        page.sees("201")
        page.sees("Client certificate offered")
        shown = self.fingerprint("first")
        page.sees(shown)
        self.assertIn(("GET", "/hello?x=1", shown), backend.requests)
        self.look("the Test tab")
        self.picture("test")

        # Rotate an expiring client certificate.
        page.click("Client certificates")
        page.click("Generate certificate")
        page.fill("Name", "second")
        page.click("Generate certificate")
        page.heading("second")
        backend.know(self.pem("second"))
        self.go("client-certificates/first", "first")
        page.click("Rotate")
        page.choose("New certificate", "second")
        page.check("The backends trust the new certificate beside the old one")
        page.click("Change over")
        page.sees("The stages present the new certificate.")
        self.assertEqual(self.daemon.json("get", "apis/secure/stages/prod")[0]["client_certificate"],
                         "clientCertificates/second")
        page.click("Delete")
        page.click("Delete")
        page.heading("Client certificates")
        self.assertNotIn("clientCertificates/first", ctl("list", "clientCertificates"))

    def pem(self, name):
        return self.daemon.json("get", "clientCertificates/" + name)[0]["certificate_chain_pem"]

    def fingerprint(self, name):
        return self.daemon.json("get", "clientCertificates/" + name)[0]["certificates"][0]["certificate_sha256"]

    def test_versions_of_a_truststore(self):
        old = self.workshop.authority("old", "/O=Partner <script>alert(1)<\\/script>/CN=Old")
        new = self.workshop.authority("new", "/O=Partner/CN=New")
        soon = self.workshop.authority("soon", "/O=Partner/CN=Soon", days=9)
        page = self.page
        self.sign_in()
        page.click("Truststores")
        page.heading("Truststores")
        page.click("Create")
        page.fill("Name", "partners")
        page.upload("File with certificates (PEM)", old.certificate)
        page.click("Create truststore")
        page.heading("partners")
        # Text of a certificate is text.
        page.sees("script\\>alert(1)")
        self.assertFalse(page.run("!!document.querySelector('main script')"))
        page.click("Add version")
        page.fill("Or the certificates themselves (PEM)", new.certificate.read_text() + soon.certificate.read_text())
        page.click("Add version")
        page.sees("CANDIDATE")
        page.click("2")
        page.sees("Certificates of version 2")
        page.sees("in 8 days")

        page.choose("From version", "1")
        page.choose("To version", "2")
        page.click("Compare")
        page.sees("From version 1 to 2: 2 added, 1 removed, 0 changed.")
        self.look("a truststore")
        self.picture("truststore")

        page.click("Activate version 2")
        page.click("Activate")
        page.sees("Activated.")
        self.assertEqual(self.daemon.json("get", "truststores/partners")[0]["active_version"],
                         "truststores/partners/versions/2")
        page.click("Roll back")
        page.click("Roll back")
        page.sees("Rolled back.")
        self.assertEqual(self.daemon.json("get", "truststores/partners")[0]["active_version"],
                         "truststores/partners/versions/1")
        # What is wrong is said where it is, and what was typed stays.
        page.click("Add version")
        page.fill("Or the certificates themselves (PEM)", "no certificate")
        page.click("Add version")
        page.until("document.activeElement.getAttribute('role') === 'alert'")
        self.assertEqual(page.run("sallyportTest.field('Or the certificates themselves (PEM)').value"), "no certificate")
        page.key("Escape")
        page.until("!document.querySelector('dialog')")
        self.assertEqual(page.run("document.activeElement.textContent"), "Add version")

        # Of somebody else, live.
        self.daemon.ctl("update", "truststores/partners", "--set", "description=from elsewhere")
        page.sees("from elsewhere")

    def test_all_views_and_what_a_viewer_may(self):
        ctl = self.daemon.ctl
        ctl("create", "truststores/partners", "--from-file",
            f"pem={self.workshop.authority('p', '/CN=P').certificate}")
        ctl("generate", "clientCertificates/one")
        ctl("create", "apis/orders")
        self.node()
        page = self.page
        page.open(self.address)
        page.heading("Sign in")
        self.look("signing in")
        self.picture("sign-in")
        page.fill("Token", "nobody")
        page.key("Enter")
        page.sees("the token is not one that the service knows")
        self.sign_in("viktor")
        page.sees("token:viktor (viewer)")
        for view, heading in (
                ("", "Overview"), ("domains", "Custom domain names"), ("truststores", "Truststores"),
                ("truststores/partners", "partners"), ("client-certificates", "Client certificates"),
                ("client-certificates/one", "one"), ("apis", "APIs"), ("apis/orders", "orders"),
                ("apis/orders?tab=stages", "orders"), ("apis/orders?tab=deployments", "orders"),
                ("apis/orders?tab=test", "orders"), ("apis/orders?tab=details", "orders"),
                ("fleets", "Fleets"), ("fleets/default", "default"), ("refusals", "Refusals"),
                ("expiry", "Expiry"), ("audit", "Audit log"), ("nothing", "Not found")):
            self.go("nowhere", "Not found")
            self.go(view, heading)
            self.look(view)
            names = page.run("[...document.querySelectorAll('main button:not([role=tab])')].map((b) => b.textContent)")
            self.assertFalse(set(names) & {"Create", "Edit", "Delete", "Generate certificate", "Deploy"}, view)
            if view in ("fleets/default", "expiry", "audit"):
                self.picture(view.split("/")[0])
        # The service decides, not the page.
        status = page.run("""fetch('api/Truststores/DeleteTruststore', {method: 'POST', headers: {
            'content-type': 'application/json', 'x-sallyport-console': '1',
            'x-sallyport-proof': localStorage.getItem('sallyport-proof')},
            body: JSON.stringify({name: 'truststores/partners'})}).then((r) => r.status)""")
        self.assertEqual(status, 403)

        self.go("fleets/default", "default")
        page.sees("edge-1")
        self.go("audit", "Audit log")
        page.fill("Resource", "truststores/partners")
        page.key("Enter")
        page.until("location.hash.includes('resource=')")
        page.click("truststores/partners")
        page.sees("CreateTruststore")
        # What the log has of where people come from: the browser, not the channel.
        page.sees("127.0.0.1:")

    def test_with_the_keyboard_alone_and_in_the_dark(self):
        self.daemon.ctl("create", "truststores/partners", "--from-file",
                        f"pem={self.workshop.authority('p', '/CN=P').certificate}")
        page = self.page
        page.open(self.address)
        page.heading("Sign in")
        # The field has the focus already.
        page.send("Input.insertText", text="anna")
        page.key("Enter")
        page.heading("Overview")
        self.assertEqual(page.run("document.activeElement.tagName"), "H1")
        self.assertEqual(page.run("document.title"), "Overview – Sallyport")
        page.run("document.body.tabIndex = -1, document.body.focus(), document.body.removeAttribute('tabindex')")
        page.key("Tab")
        self.assertEqual(page.run("document.activeElement.textContent"), "Skip to the content")
        page.key("Enter")
        self.assertEqual(page.run("document.activeElement.id"), "main")
        self.go("truststores", "Truststores")
        page.key("Tab")
        self.assertEqual(page.run("document.activeElement.textContent"), "Create")
        page.key("Enter")
        page.until("document.activeElement.closest('dialog') && document.activeElement.tagName === 'INPUT'")
        page.key("Escape")
        page.until("!document.querySelector('dialog')")
        self.assertEqual(page.run("document.activeElement.textContent"), "Create")

        # Tabs, as the pattern for them says.
        self.daemon.ctl("create", "apis/orders")
        self.go("apis/orders", "orders")
        page.run("document.getElementById('tab-routes').focus()")
        page.key("ArrowRight")
        self.assertEqual(page.run("document.activeElement.id"), "tab-stages")
        page.key("Enter")
        page.until("document.getElementById('tab-stages').getAttribute('aria-selected') === 'true'")

        back = "getComputedStyle(document.body).backgroundColor"
        light = page.run(back)
        page.choose("Colours", "Dark")
        self.assertNotEqual(page.run(back), light)
        page.send("Page.reload")
        page.heading("orders")
        self.assertNotEqual(page.run(back), light)
        page.scheme("dark")
        page.choose("Colours", "Light")
        self.assertEqual(page.run(back), light)

        # Signed out, the session is over, here and for whoever kept its secrets.
        page.click("Sign out")
        page.heading("Sign in")
        page.send("Page.reload")
        page.heading("Sign in")

    def test_a_phone_shows_the_same(self):
        self.page.size(360, 740, scale=2)
        self.daemon.ctl("generate", "clientCertificates/one")
        self.sign_in()
        self.go("client-certificates", "Client certificates")
        self.page.row("one")
        self.picture("phone")


if __name__ == "__main__":
    unittest.main()
