"""Amazon's documents followed with the real AWS CLI: the commands are theirs,
with the places filled in that they leave to the reader."""

import json
import pathlib
import socket
import tempfile
import unittest

import aws_service
from aws_service import ACCOUNT, REGION, Failed, Service
from harness import certificates, client, envoy, wait

HOST = "api.example.com"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class WalkthroughTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.workshop = certificates.Workshop(cls.folder / "pki")
        cls.authority = cls.workshop.authority("servers", "/CN=Servers")
        cls.server = cls.workshop.make(
            "server", "/CN=" + HOST, cls.authority,
            extensions=("subjectAltName = DNS:" + HOST,),
        )
        cls.service = Service(cls.folder)
        cls.addClassCleanup(cls.service.close)
        cls.port = cls.node()
        cls.shell = staticmethod(cls.service.shell)
        cls.shell("aws s3api create-bucket --bucket partners-trust-store "
                  f"--create-bucket-configuration LocationConstraint={REGION}")
        cls.shell("aws s3api put-bucket-versioning --bucket partners-trust-store "
                  "--versioning-configuration Status=Enabled")

    @classmethod
    def node(cls):
        """A real Envoy of the fleet, and a deployed API 'customer'."""
        daemon = cls.service.daemon
        port = free_port()
        daemon.ctl("update", "fleets/default", "--set", "listen_address=127.0.0.1",
                   "--set", f"listen_port={port}")
        daemon.ctl("create", "apis/customer")
        daemon.ctl("create", "apis/customer/routes/get", "--set", "method=GET",
                   "--set", "path=/customer/{id}", "--set", "mock.body=hello")
        daemon.ctl("create", "apis/customer/stages/DEV")
        daemon.ctl("create", "apis/customer/deployments",
                   "--set", "stage=apis/customer/stages/DEV")
        bootstrap = cls.folder / "node.yaml"
        bootstrap.write_text(
            daemon.ctl("bootstrap", "edge-1", "--xds-address", daemon.xds,
                       "--admin-address", "127.0.0.1:0"),
            encoding="ascii",
        )
        node = envoy.Envoy(bootstrap, cls.folder / "node")
        node.start()
        cls.addClassCleanup(node.stop)
        return port

    def visitor(self, name):
        """A partner with a self-signed certificate."""
        return self.workshop.make(name, f"/O=Partner/CN={name}")

    def put_bundle(self, *partners):
        """The file of the documents, in S3; its version."""
        bundle = self.folder / "trusted_partners.pem"
        bundle.write_text("".join(p.pem() for p in partners), encoding="ascii")
        return self.shell(
            "aws s3api put-object --bucket partners-trust-store "
            "--acl private --key trusted_partners.pem "
            "--body ./trusted_partners.pem"
        )["VersionId"]

    def import_certificate(self, identity, more=""):
        return self.shell(
            f"aws acm import-certificate --certificate fileb://{identity.certificate} "
            f"--private-key fileb://{identity.key} {more}"
        )["CertificateArn"]

    def ask(self, identity, path):
        """Status of a request; None: refused in TLS."""
        try:
            with client.Connection(
                self.port, server_ca=self.authority.certificate, identity=identity,
                server_name=HOST,
            ) as connection:
                return connection.request(path, host=HOST).status
        except (client.Refused, ConnectionError):
            return None

    def available(self):
        domain = self.shell(f'aws apigateway get-domain-name --domain-name "{HOST}"')
        return domain if domain["domainNameStatus"] == "AVAILABLE" else None

    def test_partners_get_in_as_the_documents_say(self):
        partner, second = self.visitor("partner"), self.visitor("second")
        stranger = self.visitor("stranger")
        first_version = self.put_bundle(partner)
        arn = self.import_certificate(self.server)
        self.assertRegex(arn, f"^arn:aws:acm:{REGION}:{ACCOUNT}:certificate/[0-9a-f-]+$")

        # "Create custom domain name".
        created = self.shell(f"""aws apigateway create-domain-name --region ap-south-1 \\
--domain-name "api.example.com" \\
--regional-certificate-arn {arn} \\
--endpoint-configuration types=REGIONAL \\
--security-policy TLS_1_2 \\
--mutual-tls-authentication truststoreUri=s3://partners-trust-store/trusted_partners.pem
""")
        self.assertEqual(created["domainName"], HOST)
        self.assertEqual(created["regionalCertificateArn"], arn)
        self.assertRegex(created["regionalDomainName"], rf"^d-[a-z0-9]{{10}}\.execute-api\.{REGION}\.")
        self.assertTrue(created["regionalHostedZoneId"])
        self.assertTrue(created["certificateUploadDate"])
        self.assertEqual(
            created["mutualTlsAuthentication"],
            {"truststoreUri": "s3://partners-trust-store/trusted_partners.pem",
             "truststoreVersion": first_version},
        )
        self.assertIn(created["domainNameStatus"], ("UPDATING", "AVAILABLE"))

        # "Create API mappings".
        mapping = self.shell("""aws apigateway create-base-path-mapping \\
--domain-name "api.example.com" \\
--base-path c360 \\
--rest-api-id customer \\
--stage DEV
""")
        self.assertEqual(mapping, {"basePath": "c360", "restApiId": "customer", "stage": "DEV"})
        wait.until(self.available, "the domain is available")

        # "Test the setup": no certificate, one that is trusted, another one.
        path = "/c360/customer/7"
        wait.until(lambda: self.ask(partner, path) == 200, "the partner gets in")
        self.assertIsNone(self.ask(None, path))
        self.assertEqual(self.ask(stranger, path), 403)
        self.assertEqual(self.ask(second, path), 403)

        # "Updating your truststore".
        version = self.put_bundle(partner, second)
        self.assertEqual(self.ask(second, path), 403)
        updated = self.shell(f"""aws apigateway update-domain-name \\
    --domain-name api.example.com \\
    --patch-operations op='replace',path='/mutualTlsAuthentication/truststoreVersion',value='{version}'
""")
        self.assertEqual(updated["mutualTlsAuthentication"]["truststoreVersion"], version)
        wait.until(lambda: self.ask(second, path) == 200, "the second partner gets in")
        wait.until(self.available, "the domain is available again")

        # Warnings, which do not stand in the way.
        expired = self.workshop.make(
            "expired", "/CN=expired",
            not_before=certificates.days_from_now(-20), not_after=certificates.days_from_now(-10),
        )
        version = self.put_bundle(partner, expired)
        updated = self.shell(
            "aws apigateway update-domain-name --domain-name api.example.com --patch-operations "
            f"op='replace',path='/mutualTlsAuthentication/truststoreVersion',value='{version}'"
        )
        warnings = updated["mutualTlsAuthentication"]["truststoreWarnings"]
        self.assertEqual(len(warnings), 1)
        self.assertIn("CN=expired", warnings[0])
        wait.until(lambda: self.ask(second, path) == 403, "the second partner no longer gets in")
        self.assertEqual(self.ask(partner, path), 200)

        # A version that is none leaves all as it is.
        with self.assertRaises(Failed) as failed:
            self.shell(
                "aws apigateway update-domain-name --domain-name api.example.com "
                "--patch-operations "
                "op='replace',path='/mutualTlsAuthentication/truststoreVersion',value='abcdef123'"
            )
        self.assertEqual(failed.exception.code, "BadRequestException")
        self.assertEqual(self.ask(partner, path), 200)

        # "Disable mutual TLS".
        disabled = self.shell("""aws apigateway update-domain-name \\
    --domain-name api.example.com \\
    --patch-operations op='replace',path='/mutualTlsAuthentication/truststoreUri',value=''
""")
        self.assertNotIn("mutualTlsAuthentication", disabled)
        wait.until(lambda: self.ask(None, path) == 200, "everybody gets in")

        # The certificate is in use until the domain is gone.
        with self.assertRaises(Failed) as failed:
            self.shell(f"aws acm delete-certificate --certificate-arn {arn}")
        self.assertEqual(failed.exception.code, "ResourceInUseException")
        self.shell("aws apigateway delete-domain-name --domain-name api.example.com")
        self.shell(f"aws acm delete-certificate --certificate-arn {arn}")
        with self.assertRaises(Failed) as failed:
            self.shell("aws apigateway get-domain-name --domain-name api.example.com")
        self.assertEqual(failed.exception.code, "NotFoundException")

    def test_generates_and_rotates_backend_certificates(self):
        made = self.shell("aws apigateway generate-client-certificate --description shop")
        name = made["clientCertificateId"]
        self.assertIn("BEGIN CERTIFICATE", made["pemEncodedCertificate"])
        self.assertNotIn("PRIVATE", json.dumps(made))
        got = self.shell(
            f"aws apigateway get-client-certificate --client-certificate-id {name}"
        )
        self.assertEqual(got, made)
        self.assertEqual(
            [c["clientCertificateId"] for c in
             self.shell("aws apigateway get-client-certificates")["items"]],
            [name],
        )
        # aws apigateway delete-client-certificate --client-certificate-id a1b2c3
        self.shell(f"aws apigateway delete-client-certificate --client-certificate-id {name}")
        self.assertEqual(self.shell("aws apigateway get-client-certificates")["items"], [])

    def test_says_what_is_not_supported(self):
        with self.assertRaises(Failed) as failed:
            self.shell("aws apigateway create-rest-api --name x")
        self.assertEqual(failed.exception.code, "NotImplementedException")
        self.assertIn("CreateRestApi is not supported", str(failed.exception))
        with self.assertRaises(Failed) as failed:
            self.shell(
                "aws apigateway create-domain-name --domain-name a.example.com "
                "--certificate-body x"
            )
        self.assertEqual(failed.exception.code, "BadRequestException")
        self.assertIn("certificateBody is not supported", str(failed.exception))


if __name__ == "__main__":
    unittest.main()
