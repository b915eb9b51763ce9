"""Certificates that a real sallyportd makes and renews, shown by a real Envoy;
and what proves whose a domain is."""

import datetime
import hashlib
import pathlib
import socket
import ssl
import subprocess
import tempfile
import unittest

from harness import certificates, client, envoy, wait
from sallyportd import Daemon

HOST = "api.example.com"
DOMAIN = "domainNames/" + HOST
ISSUED = "serverCertificates/issued"
PROOF = "serverCertificates/proof"
IMPORTED = "serverCertificates/imported"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def condition(resource, kind):
    for one in resource.get("conditions", []):
        if one["type"] == kind:
            return one
    return {}


class IssuerTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.data = self.folder / "data"
        self.workshop = certificates.Workshop(self.folder / "pki")
        self.partner = self.workshop.authority("partner", "/O=Partner/CN=Root")
        self.visitor = self.workshop.client("visitor", "/O=Partner/CN=visitor", self.partner)
        self.xds = free_port()

    def start(self, *arguments):
        daemon = Daemon(
            self.data,
            "--allow-loopback-without-credentials",
            *arguments,
            xds=f"127.0.0.1:{self.xds}",
        )
        daemon.__enter__()
        self.addCleanup(daemon.stop)
        return daemon

    def node(self, daemon):
        """An Envoy of the fleet; the port that it serves domains on."""
        port = free_port()
        daemon.ctl(
            "update", "fleets/default",
            "--set", "listen_address=127.0.0.1", "--set", f"listen_port={port}",
        )
        path = self.folder / "edge-1.yaml"
        path.write_text(
            daemon.ctl(
                "bootstrap", "edge-1", "--xds-address", f"127.0.0.1:{self.xds}",
                "--admin-address", "127.0.0.1:0",
            ),
            encoding="ascii",
        )
        node = envoy.Envoy(path, self.folder / "edge-1")
        node.start()
        self.addCleanup(node.stop)
        return port

    def get(self, daemon, name):
        return daemon.json("get", name)[0]

    def shown(self, port):
        """SHA-256 of the certificate that the node shows; None: it shows none."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.load_cert_chain(str(self.visitor.chain), str(self.visitor.key))
        try:
            with client.Connection(port, server_name=HOST, context=context) as connection:
                return hashlib.sha256(connection.socket.getpeercert(True)).hexdigest()
        except (client.Refused, OSError):
            return None

    def issue(self, daemon, name, *more):
        return daemon.json(
            "create", name, "--set", f"issuance.dns_names=[{HOST}]", *more
        )[0]

    def server(self, name, *hosts, issuer):
        return self.workshop.make(
            name, "/CN=" + hosts[0], issuer=issuer,
            extensions=[
                "subjectAltName=" + ",".join("DNS:" + host for host in hosts),
                "basicConstraints=critical,CA:FALSE",
                "extendedKeyUsage=serverAuth",
            ],
        )

    def material(self, identity):
        return (
            "--from-file", f"material.certificate_chain_pem={identity.certificate}",
            "--from-file", f"material.private_key_pem={identity.key}",
        )

    def test_makes_certificates_renews_them_and_nodes_show_them(self):
        daemon = self.start(
            "--issuer", "internal", "--issuer-domains", "example.com",
            "--issuer-renew-percent", "90",
        )
        port = self.node(daemon)
        created = self.issue(daemon, ISSUED, "--set", "issuance.validity=60s")
        self.assertEqual(created["origin"], "ISSUED")
        self.assertEqual(created["issued_by"], "issuers/internal")
        self.assertEqual(created["active_version"], ISSUED + "/versions/1")
        daemon.ctl("create", DOMAIN, "--set", "server_certificate=" + ISSUED)
        wait.until(
            lambda: self.get(daemon, DOMAIN)["status"] == "AVAILABLE", "the domain is available"
        )

        # What the node shows hangs from the CA that the API tells of.
        ca = self.folder / "issuer.pem"
        ca.write_text(self.get(daemon, "issuers/internal")["certificate_chain_pem"])
        with client.Connection(port, server_ca=ca, server_name=HOST) as connection:
            self.assertEqual(connection.socket.version(), "TLSv1.3")

        # A tenth of a minute later there is another, with another key.
        def renewed():
            now = self.get(daemon, ISSUED)
            return now["active_version"] != created["active_version"] and now

        now = wait.until(renewed, "the certificate is renewed", timeout=30)
        one, other = created["certificates"][0], now["certificates"][0]
        self.assertNotEqual(one["spki_sha256"], other["spki_sha256"])
        self.assertEqual(other["dns_names"], [HOST])

        def shows_the_active_one():
            return self.shown(port) == (
                self.get(daemon, ISSUED)["certificates"][0]["certificate_sha256"]
            )

        wait.until(shows_the_active_one, "the node shows the renewed certificate")
        with client.Connection(port, server_ca=ca, server_name=HOST):
            pass
        entries = daemon.json("list", "auditEntries", "--filter", f'resource : "{ISSUED}"')
        self.assertIn("system:issuer", {entry["principal"] for entry in entries})
        _, metrics = daemon.get("/metrics")
        self.assertRegex(metrics, r"\nsallyport_renewals_total [1-9]")
        self.assertIn("\nsallyport_issued_certificates 1\n", metrics)
        self.assertTrue(
            any('"certificate renewed"' in line and ISSUED in line for line in daemon.lines)
        )
        version = int(self.get(daemon, ISSUED)["active_version"].rpartition("/")[2])
        by_hand = daemon.json("renew", ISSUED)[0]
        self.assertGreater(int(by_hand["active_version"].rpartition("/")[2]), version)

        # What it does not do.
        refusal = daemon.ctl(
            "create", "serverCertificates/other", "--set", "issuance.dns_names=[api.example.org]",
            code=1,
        )
        self.assertIn("ISSUER_REFUSES_NAME", refusal)
        own = self.workshop.authority("own", "/CN=Sallyport issuer CA")
        forged = self.server("forged", HOST, issuer=own)
        self.assertIn(
            "CERTIFICATE_IS_ISSUED", daemon.ctl("import", ISSUED, *self.material(forged), code=1)
        )
        self.assertIn(
            "FIELD_IMMUTABLE",
            daemon.ctl("update", ISSUED, "--set", "issuance.dns_names=[b.example.com]", code=1),
        )
        self.assertIn("RESOURCE_IN_USE", daemon.ctl("delete", ISSUED, code=1))

    def test_goes_on_with_its_ca_and_says_when_it_may_no_longer_renew(self):
        daemon = self.start("--issuer", "internal", "--issuer-domains", "example.com")
        ca = self.get(daemon, "issuers/internal")["certificate_chain_pem"]
        created = self.issue(daemon, ISSUED, "--set", "issuance.validity=180s")
        daemon.stop()
        # Sooner, and without the domain in its list.
        arguments = ("--issuer", "internal", "--issuer-renew-percent", "95")
        daemon = self.start(*arguments, "--issuer-domains", "example.org")
        self.assertEqual(self.get(daemon, "issuers/internal")["certificate_chain_pem"], ca)

        def failed():
            return condition(self.get(daemon, ISSUED), "Issued").get("status") == "STATUS_FALSE"

        wait.until(failed, "the certificate is said not to be renewed", timeout=30)
        now = self.get(daemon, ISSUED)
        self.assertEqual(condition(now, "Issued")["reason"], "ISSUER_REFUSES_NAME")
        self.assertEqual(now["active_version"], created["active_version"])
        self.assertIn("ISSUER_REFUSES_NAME", daemon.ctl("renew", ISSUED, code=1))
        self.assertIn("\nsallyport_failing_renewals 1\n", daemon.get("/metrics")[1])
        daemon.stop()
        # Without an issuer what is there stays, and is served.
        daemon = self.start("--issuer-renew-percent", "95")
        self.assertEqual(daemon.json("list", "issuers"), [])
        wait.until(
            lambda: condition(self.get(daemon, ISSUED), "Issued")["reason"]
            == "ISSUER_NOT_CONFIGURED",
            "the issuer is said to be missing",
        )
        daemon.stop()
        daemon = self.start(*arguments, "--issuer-domains", "example.com")
        wait.until(
            lambda: condition(self.get(daemon, ISSUED), "Issued")["status"] == "STATUS_TRUE",
            "the certificate is renewed",
        )
        self.assertNotEqual(self.get(daemon, ISSUED)["active_version"], created["active_version"])

    def test_proves_whose_a_domain_is(self):
        key = self.workshop.make_key("ca")

        def with_ca(name, left):
            now = datetime.datetime.now(datetime.timezone.utc)
            ca = self.workshop.make(
                name, "/O=Us/CN=Issuer", key=key, extensions=certificates.CA,
                not_before=now - datetime.timedelta(hours=1), not_after=now + left,
            )
            return (
                "--ownership-verification", "required",
                "--issuer", "internal", "--issuer-domains", HOST,
                "--issuer-ca-certificate", ca.certificate, "--issuer-ca-key", ca.key,
            )

        daemon = self.start(*with_ca("long", datetime.timedelta(days=30)))
        port = self.node(daemon)
        private = self.workshop.authority("private", "/O=Somebody/CN=Private CA")
        first = self.server("first", HOST, issuer=private)
        daemon.ctl("create", IMPORTED, *self.material(first))
        daemon.ctl("create", "truststores/partners", "--from-file", f"pem={self.partner.certificate}")
        mutual = ("--set", "mutual_tls.truststores=[{truststore: truststores/partners}]")
        domain = ("create", DOMAIN, "--set", "server_certificate=" + IMPORTED, *mutual)
        # A private CA's certificate is an imported one: anybody can make one.
        self.assertIn("OWNERSHIP_CERTIFICATE_REQUIRED", daemon.ctl(*domain, code=1))
        second = self.server("second", HOST, issuer=private)
        daemon.ctl("create", "serverCertificates/second", *self.material(second))
        self.assertIn(
            "OWNERSHIP_CERTIFICATE_NOT_ISSUED",
            daemon.ctl(
                *domain, "--set", "ownership_verification_certificate=serverCertificates/second",
                code=1,
            ),
        )
        proof = self.issue(daemon, PROOF)
        daemon.ctl(*domain, "--set", "ownership_verification_certificate=" + PROOF)
        wait.until(
            lambda: self.get(daemon, DOMAIN)["status"] == "AVAILABLE", "the domain is available"
        )
        self.assertEqual(
            condition(self.get(daemon, DOMAIN), "OwnershipVerified")["status"], "STATUS_TRUE"
        )
        self.assertEqual(self.shown(port), first.fingerprint())
        # It is not shown, and it is in use.
        self.assertNotEqual(
            self.shown(port), proof["certificates"][0]["certificate_sha256"]
        )
        self.assertIn("RESOURCE_IN_USE", daemon.ctl("delete", PROOF, code=1))

        # A new version whose names it does not prove is not shown.
        wide = self.server("wide", HOST, "other.example.com", issuer=private)
        daemon.ctl("import", IMPORTED, *self.material(wide))
        held = self.get(daemon, DOMAIN)
        self.assertEqual(held["status"], "PENDING_CERTIFICATE_REIMPORT")
        self.assertIn("other.example.com", held["status_message"])
        self.assertEqual(held["served_certificate_version"], IMPORTED + "/versions/1")
        third = self.server("third", HOST, issuer=private)
        daemon.ctl("import", IMPORTED, *self.material(third))
        wait.until(
            lambda: self.get(daemon, DOMAIN)["status"] == "AVAILABLE",
            "the domain is available again",
        )
        wait.until(
            lambda: self.shown(port) == third.fingerprint(), "the node shows the third version"
        )

        # The proof ends, and cannot be renewed: so does the CA.
        daemon.stop()
        daemon = self.start(*with_ca("short", datetime.timedelta(seconds=15)))
        daemon.ctl("renew", PROOF)
        wait.until(
            lambda: self.get(daemon, DOMAIN)["status"] == "PENDING_OWNERSHIP_VERIFICATION",
            "the proof has ended", timeout=30,
        )
        self.assertIn(
            "DOMAIN_LOCKED",
            daemon.ctl("update", DOMAIN, "--set", "description=changed", code=1),
        )
        wait.until(
            lambda: condition(self.get(daemon, PROOF), "Issued")["reason"] == "ISSUER_EXPIRES",
            "the renewal is said to have failed",
        )
        self.assertEqual(condition(self.get(daemon, PROOF), "Valid")["status"], "STATUS_FALSE")
        # It goes on serving what it has.
        self.assertEqual(self.shown(port), third.fingerprint())

        # With a CA that lasts it is renewed by itself, and nothing is locked.
        daemon.stop()
        daemon = self.start(*with_ca("longer", datetime.timedelta(days=30)))
        wait.until(
            lambda: self.get(daemon, DOMAIN)["status"] == "AVAILABLE",
            "the domain is available after the renewal", timeout=30,
        )
        daemon.ctl("update", DOMAIN, "--set", "description=changed")
        self.assertEqual(self.get(daemon, DOMAIN)["description"], "changed")
        # What the issuer makes proves itself.
        self.issue(daemon, ISSUED)
        daemon.ctl(
            "update", DOMAIN, "--set", "server_certificate=" + ISSUED,
            "--set", "ownership_verification_certificate=",
        )
        issued = self.get(daemon, ISSUED)["certificates"][0]["certificate_sha256"]
        wait.until(lambda: self.shown(port) == issued, "the node shows what was issued")
        self.assertEqual(condition(self.get(daemon, DOMAIN), "OwnershipVerified"), {})

    def test_refuses_options_that_do_not_go_together(self):
        leaf = self.server("leaf", HOST, issuer=self.partner)
        for arguments, line in (
            (("--issuer", "internal"), "--issuer-domains: is empty"),
            (("--issuer", "acme", "--issuer-domains", "*"), "--issuer: is not internal"),
            (("--issuer-domains", "*"), "--issuer-domains: needs --issuer"),
            (
                ("--issuer", "internal", "--issuer-domains", "*",
                 "--issuer-ca-certificate", leaf.certificate, "--issuer-ca-key", leaf.key),
                "is no CA",
            ),
            (
                ("--issuer", "internal", "--issuer-domains", "*",
                 "--issuer-ca-certificate", self.partner.certificate,
                 "--issuer-ca-key", leaf.key),
                "--issuer-ca-key: is not the key of the first certificate",
            ),
        ):
            with self.subTest(line):
                command = Daemon(
                    self.data, "--allow-loopback-without-credentials", "--check-config", *arguments
                ).command
                done = subprocess.run(
                    list(map(str, command)), capture_output=True, text=True, timeout=30, check=False
                )
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn(line, done.stderr)
                self.assertNotIn("PRIVATE KEY", done.stderr)


if __name__ == "__main__":
    unittest.main()
