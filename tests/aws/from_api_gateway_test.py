"""An account, read by the AWS CLI with examples/from-api-gateway, made in another
installation. The account is one of Sallyport's too, filled by the AWS CLI."""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

from aws_service import REGION, Service
from harness import certificates
from sallyportd import CTL, Daemon

PROGRAM = os.path.abspath(os.environ["FROM_API_GATEWAY"])
HOST = "api.example.com"
BUCKET = "partners-trust-store"


class FromApiGatewayTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        workshop = certificates.Workshop(self.folder / "pki")
        self.server = workshop.server("server", [HOST])
        self.partner = workshop.authority("partner", "/CN=Partner").pem()
        self.service = Service(self.folder)
        self.addCleanup(self.service.close)
        self.account = self.folder / "account"

    def run_program(self, *arguments, code, environment):
        done = subprocess.run(
            [sys.executable, PROGRAM, *map(str, arguments)], env=environment, check=False,
            text=True, capture_output=True, timeout=120)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def fill(self):
        aws = self.service.shell
        aws(f"aws s3api create-bucket --bucket {BUCKET} "
            f"--create-bucket-configuration LocationConstraint={REGION}")
        aws(f"aws s3api put-bucket-versioning --bucket {BUCKET} "
            "--versioning-configuration Status=Enabled")
        (self.folder / "trusted.pem").write_text(self.partner, encoding="ascii")
        version = aws(f"aws s3api put-object --bucket {BUCKET} --key trusted.pem "
                      "--body trusted.pem")["VersionId"]
        arn = aws(f"aws acm import-certificate --certificate fileb://{self.server.certificate} "
                  f"--private-key fileb://{self.server.key}")["CertificateArn"]
        aws(f"aws apigateway create-domain-name --domain-name {HOST} "
            f"--regional-certificate-arn {arn} --endpoint-configuration types=REGIONAL "
            "--security-policy TLS_1_2 --mutual-tls-authentication "
            f"truststoreUri=s3://{BUCKET}/trusted.pem,truststoreVersion={version}")
        api = aws("aws apigateway create-rest-api --name customer")["id"]
        root = aws(f"aws apigateway get-resources --rest-api-id {api}")["items"][0]["id"]
        place = f"--rest-api-id {api} --resource-id {root} --http-method GET"
        aws(f"aws apigateway put-method {place} --authorization-type NONE")
        aws(f"aws apigateway put-integration {place} --type HTTP_PROXY "
            "--integration-http-method GET --uri http://backend.example.com/")
        aws(f"aws apigateway create-deployment --rest-api-id {api} --stage-name DEV")
        aws(f"aws apigatewayv2 create-api-mapping --domain-name {HOST} --api-id {api} "
            "--stage DEV --api-mapping-key partners/v2")
        return api

    def test_moves_an_account(self):
        api = self.fill()
        environment = self.service.environment()
        said = self.run_program("collect", self.account, code=0, environment=environment)
        self.assertIn("1 domains, 1 REST APIs", said)
        certificate = self.account / "certificates"
        certificate.mkdir()
        for name, path in (("pem", self.server.certificate), ("key", self.server.key)):
            (certificate / f"{HOST}.{name}").write_bytes(pathlib.Path(path).read_bytes())
        with Daemon(self.folder / "new", "--allow-loopback-without-credentials") as daemon:
            self.run_program(
                "apply", self.account, "--sallyportctl", CTL, code=0,
                environment=dict(os.environ, SALLYPORT_ADDRESS=daemon.admin))
            domain = daemon.json("get", "domainNames/" + HOST)[0]
            truststore = domain["mutual_tls"]["truststores"][0]["truststore"]
            self.assertEqual(
                daemon.ctl("read", truststore + "/versions/1").strip(), self.partner.strip())
            (mapping,) = daemon.json("list", f"domainNames/{HOST}/apiMappings")
            self.assertEqual((mapping["base_path"], mapping["stage"]),
                             ("partners/v2", f"apis/{api}/stages/DEV"))
            (route,) = daemon.json("list", f"apis/{api}/routes")
            self.assertEqual((route["method"], route["path"], route["http_proxy"]["uri"]),
                             ("GET", "/", "http://backend.example.com/"))
        # The file of a truststore is read, not believed: without it no domain is made.
        for path in (self.account / "objects").rglob("trusted*"):
            path.unlink()
        self.run_program("plan", self.account, code=1, environment=dict(os.environ))
        self.assertNotIn("domainNames/", (self.account / "sallyport.yaml").read_text())

    def test_says_what_could_not_be_asked(self):
        environment = self.service.environment()
        environment["AWS_SECRET_ACCESS_KEY"] = "another"
        said = self.run_program("collect", self.account, code=1, environment=environment)
        self.assertIn("could not be read: aws apigateway get-domain-names", said)
        self.assertNotIn("another", said)
        self.assertFalse((self.account / "domain-names.json").exists())


if __name__ == "__main__":
    unittest.main()
