"""The console in a real browser: the steps of the two walkthroughs."""

import unittest

from console_case import ConsoleCase
from harness import client, s3
from test_invoke_test import Backend

DOMAIN = "api.example.com"
BUCKET = "example-corp"


class WalkthroughTest(ConsoleCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.s3 = s3.Server()
        cls.addClassCleanup(cls.s3.close)
        cls.s3.cli("s3api", "create-bucket", "--bucket", BUCKET,
                   "--create-bucket-configuration", "LocationConstraint=" + s3.REGION)
        cls.s3_options = ("--s3-endpoint", cls.s3.endpoint, "--s3-region", s3.REGION, "--s3-path-style")

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
        page.heading("orders")
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
        # "Saved." is there already, of the route: the dialog is gone when the stage is saved.
        page.heading("secure")
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
        page.open_dialog("Delete")
        page.click("Delete")
        page.heading("Client certificates")
        self.assertNotIn("clientCertificates/first", ctl("list", "clientCertificates"))


if __name__ == "__main__":
    unittest.main()
