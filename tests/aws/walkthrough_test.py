"""Amazon's documents followed with the real AWS CLI: the commands are theirs,
with the places filled in that they leave to the reader."""

import datetime
import hashlib
import http.server
import json
import pathlib
import socket
import socketserver
import ssl
import tempfile
import threading
import unittest

import aws_service
from aws_service import ACCOUNT, REGION, Failed, Service
from harness import certificates, client, envoy, wait

HOST = "api.example.com"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def moment(value):
    """A time as the CLI prints it: seconds, or text."""
    if isinstance(value, str):
        return datetime.datetime.fromisoformat(value)
    return datetime.datetime.fromtimestamp(value, datetime.timezone.utc)


def digest(pem):
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


class Backend(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """The documents' HTTPS server: it answers whoever has a certificate that it
    knows. `shown`: SHA-256 of what it was shown."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, identity, known):
        self.shown = []
        backend = self

        class Handler(http.server.BaseHTTPRequestHandler):
            timeout = 20

            def do_GET(self):  # pylint: disable=invalid-name
                certificate = self.connection.getpeercert(True)
                backend.shown.append(hashlib.sha256(certificate).hexdigest())
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"hello world\n")

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(str(identity.certificate), str(identity.key))
        self.context.verify_mode = ssl.CERT_REQUIRED
        self.know(known)
        self.thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    @property
    def port(self):
        return self.server_address[1]

    def know(self, pem):
        self.context.load_verify_locations(cadata=pem)

    def get_request(self):
        raw, address = self.socket.accept()
        raw.settimeout(20)
        # The handshake is the handler's, in its own thread.
        return self.context.wrap_socket(
            raw, server_side=True, do_handshake_on_connect=False), address

    def handle_error(self, request, client_address):
        pass  # who is refused has been told

    def stop(self):
        self.shutdown()
        self.thread.join()
        self.server_close()


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
        cls.service = Service(cls.folder, "--backend-addresses", "loopback")
        cls.addClassCleanup(cls.service.close)
        cls.shell = staticmethod(cls.service.shell)
        cls.port = cls.node()
        cls.shell("aws s3api create-bucket --bucket partners-trust-store "
                  f"--create-bucket-configuration LocationConstraint={REGION}")
        cls.shell("aws s3api put-bucket-versioning --bucket partners-trust-store "
                  "--versioning-configuration Status=Enabled")

    @classmethod
    def node(cls):
        """A real Envoy of the fleet, and the documents' API, deployed."""
        daemon = cls.service.daemon
        port = free_port()
        daemon.ctl("update", "fleets/default", "--set", "listen_address=127.0.0.1",
                   "--set", f"listen_port={port}")
        cls.api = cls.make_api("customer", "customer/{customer-id}", {
            "type": "MOCK",
            "requestTemplates": {"application/json": '{"statusCode": 200}'},
        })
        cls.shell(cls.method("put-integration-response") +
                  " --status-code 200 --response-templates '{\"application/json\": \"hello\"}'")
        cls.shell(f"aws apigateway create-deployment --rest-api-id {cls.api} --stage-name DEV")
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

    @classmethod
    def make_api(cls, name, path, integration):
        """A REST API with one method GET, as anybody makes one; its id."""
        api = cls.shell(f"aws apigateway create-rest-api --name {name}")["id"]
        parent = cls.shell(
            f"aws apigateway get-resources --rest-api-id {api} --query 'items[?path==`/`].id|[0]'"
        )
        for part in path.split("/"):
            parent = cls.shell(
                f"aws apigateway create-resource --rest-api-id {api} --parent-id {parent} "
                f"--path-part '{part}'"
            )["id"]
        cls.place = f"--rest-api-id {api} --resource-id {parent} --http-method GET"
        cls.shell(cls.method("put-method") + " --authorization-type NONE")
        cls.shell(cls.method("put-method-response") + " --status-code 200")
        (cls.folder / "integration.json").write_text(json.dumps(integration), encoding="ascii")
        cls.shell(cls.method("put-integration") + " --cli-input-json file://integration.json")
        return api

    @classmethod
    def method(cls, operation):
        return f"aws apigateway {operation} {cls.place}"

    def visitor(self, name):
        """A partner with a self-signed certificate."""
        # Not so soon that it would be warned of.
        return self.workshop.make(
            name, f"/O=Partner/CN={name}", not_before=certificates.days_from_now(-1),
            not_after=certificates.days_from_now(365))

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

    def ask(self, identity, path, host=HOST):
        """Status of a request; None: refused in TLS."""
        try:
            with client.Connection(
                self.port, server_ca=self.authority.certificate, identity=identity,
                server_name=host,
            ) as connection:
                return connection.request(path, host=host).status
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
        mapping = self.shell(f"""aws apigateway create-base-path-mapping \\
--domain-name "api.example.com" \\
--base-path c360 \\
--rest-api-id {self.api} \\
--stage DEV
""")
        self.assertEqual(mapping, {"basePath": "c360", "restApiId": self.api, "stage": "DEV"})

        # "Disable default API endpoint".
        closed = self.shell(f"""aws apigateway update-rest-api \\
--rest-api-id {self.api} \\
--patch-operations op=replace,path=/disableExecuteApiEndpoint,value='True'
""")
        self.assertIs(closed["disableExecuteApiEndpoint"], True)
        deployment = self.shell(f"""aws apigateway create-deployment \\
--rest-api-id {self.api} \\
--stage-name DEV
""")
        stage = self.shell(
            f"aws apigateway get-stage --rest-api-id {self.api} --stage-name DEV")
        self.assertEqual(stage["deploymentId"], deployment["id"])
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

    def generate(self):
        made = self.shell("aws apigateway generate-client-certificate --description shop")
        name = made["clientCertificateId"]
        self.assertIn("BEGIN CERTIFICATE", made["pemEncodedCertificate"])
        self.assertNotIn("PRIVATE", json.dumps(made))
        self.assertEqual(
            self.shell(f"aws apigateway get-client-certificate --client-certificate-id {name}"),
            made,
        )
        validity = moment(made["expirationDate"]) - moment(made["createdDate"])
        self.assertEqual(round(validity.total_seconds() / 86400), 365)
        return name, made["pemEncodedCertificate"]

    def test_generates_and_rotates_backend_certificates(self):
        old, old_pem = self.generate()
        new, new_pem = self.generate()
        backend = Backend(
            self.workshop.make("backend", "/CN=myserver.mydomain.com"), old_pem)
        self.addCleanup(backend.stop)
        api = self.make_api("backend", "hello", {
            "type": "HTTP_PROXY", "integrationHttpMethod": "GET",
            "uri": f"https://127.0.0.1:{backend.port}/hello",
            "tlsConfig": {"insecureSkipVerification": True},
        })
        self.shell(f"aws apigateway create-deployment --rest-api-id {api} --stage-name stage1")

        # "Test invoke to verify the client certificate configuration".
        test = self.method("test-invoke-method")
        tested = self.shell(f"{test} --client-certificate-id {old}")
        self.assertEqual((tested["status"], tested["body"]), (200, "hello world\n"), tested)
        self.assertNotEqual(self.shell(f"{test} --client-certificate-id {new}")["status"], 200)
        self.assertNotEqual(self.shell(test)["status"], 200)

        # "Configure an API to use SSL certificates".
        self.shell("aws apigateway create-domain-name --domain-name shop.example.com "
                   "--endpoint-configuration types=REGIONAL --security-policy TLS_1_2 "
                   "--regional-certificate-arn " + self.import_certificate(
                       self.workshop.make("shop", "/CN=shop.example.com", self.authority,
                                          extensions=("subjectAltName = DNS:shop.example.com",))))
        self.shell("aws apigateway create-base-path-mapping --domain-name shop.example.com "
                   f"--rest-api-id {api} --stage stage1")
        stage = f"--rest-api-id {api} --stage-name stage1"

        def use(name):
            updated = self.shell(
                f"aws apigateway update-stage {stage} --patch-operations "
                f"op=replace,path=/clientCertificateId,value={name}")
            self.assertEqual(updated["clientCertificateId"], name)

        def served():
            return self.ask(None, "/hello", "shop.example.com") == 200

        use(old)
        wait.until(served, "the backend is reached")
        self.assertEqual(backend.shown[-1], digest(old_pem))

        # "Rotate an expiring client certificate".
        backend.know(new_pem)
        use(new)
        wait.until(lambda: served() and backend.shown[-1] == digest(new_pem),
                   "the new certificate is presented")
        delete = f"aws apigateway delete-client-certificate --client-certificate-id {old}"

        def deleted():
            try:
                self.shell(delete)
                return True
            except Failed as failed:
                # While a node may still present it.
                self.assertEqual(failed.code, "ConflictException")
                return False

        wait.until(deleted, "the old certificate is gone")
        self.assertEqual(
            [c["clientCertificateId"] for c in
             self.shell("aws apigateway get-client-certificates")["items"]],
            [new],
        )
        self.assertTrue(served())

    def test_says_what_is_not_supported(self):
        with self.assertRaises(Failed) as failed:
            self.shell("aws apigateway create-api-key --name x")
        self.assertEqual(failed.exception.code, "NotImplementedException")
        self.assertIn("CreateApiKey is not supported", str(failed.exception))
        with self.assertRaises(Failed) as failed:
            self.shell(
                "aws apigateway create-domain-name --domain-name a.example.com "
                "--certificate-body x"
            )
        self.assertEqual(failed.exception.code, "BadRequestException")
        self.assertIn("certificateBody is not supported", str(failed.exception))


if __name__ == "__main__":
    unittest.main()
