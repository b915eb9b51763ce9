"""What is in API Gateway, made in a real sallyportd by examples/from-api-gateway."""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

from harness import certificates
from sallyportd import CTL, Daemon

PROGRAM = os.path.abspath(os.environ["FROM_API_GATEWAY"])
BUCKET = "partners-trust-store"
OBJECT = "trusted_partners.pem"
DOMAIN = "api.example.com"


def method(kind, uri="", guard="NONE", **more):
    integration = {"type": kind, **more.pop("integration", {})}
    if uri:
        integration["uri"] = uri
    return {"authorizationType": guard, "apiKeyRequired": False,
            "methodIntegration": integration, **more}


# Answers of the AWS CLI, in the shapes of its service models.
RESOURCES = {"items": [
    {"id": "root", "path": "/"},
    {"id": "one", "path": "/customer/{customer-id}", "resourceMethods": {
        "GET": method("HTTP_PROXY", "http://192.0.2.1/c/{id}", integration={
            "httpMethod": "GET", "timeoutInMillis": 5000, "requestParameters": {
                "integration.request.path.id": "method.request.path.customer-id"}}),
        "PUT": method("HTTP", "http://192.0.2.1/c/{customer-id}", integration={
            "httpMethod": "POST", "integrationResponses": {"200": {"statusCode": "200"}}}),
        "DELETE": method("HTTP_PROXY", "http://192.0.2.1/c", guard="CUSTOM"),
        "PATCH": method("HTTP_PROXY", "http://192.0.2.1/c", apiKeyRequired=True),
        "POST": method("AWS_PROXY", "arn:aws:apigateway:eu-central-1:lambda:path/x"),
        "HEAD": method("HTTP_PROXY", "http://192.0.2.1/{nothing}"),
    }},
    {"id": "rest", "path": "/files/{proxy+}", "resourceMethods": {
        "ANY": method("HTTP_PROXY", "https://${stageVariables.host}/f/{proxy}", integration={
            "httpMethod": "ANY", "tlsConfig": {"insecureSkipVerification": True},
            "requestParameters": {"integration.request.path.proxy": "method.request.path.proxy"}}),
    }},
    {"id": "health", "path": "/health", "resourceMethods": {
        "GET": method("MOCK", integration={
            "requestTemplates": {"application/json": '{"statusCode": 202}'},
            "integrationResponses": {"202": {
                "statusCode": "202", "responseTemplates": {"application/json": '{"ok":true}'},
                "responseParameters": {"method.response.header.X-By": "'mock'"}}}}),
        "POST": method("MOCK", integration={"integrationResponses": {"200": {
            "statusCode": "200",
            "responseTemplates": {"application/json": "$context.requestId"}}}}),
    }},
]}
STAGES = {"item": [{"stageName": "DEV", "deploymentId": "x", "variables": {"host": "b.test"},
                    "clientCertificateId": "A1b2c3"}]}


class FromApiGateway(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.account = self.root / "account"
        workshop = certificates.Workshop(self.root / "pki")
        self.partner = workshop.authority("partner", "/CN=Partner").pem()
        server = workshop.server("server", [DOMAIN])
        self.files = {
            DOMAIN + ".pem": pathlib.Path(server.chain).read_text(encoding="ascii"),
            DOMAIN + ".key": pathlib.Path(server.key).read_text(encoding="ascii"),
        }

    def write(self, name, content):
        path = self.account / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content),
                        encoding="utf-8")

    def fill(self, version="v/1"):
        tls = {"truststoreUri": "s3://%s/%s" % (BUCKET, OBJECT), "truststoreVersion": version}
        self.write("domain-names.json", {"items": [
            {"domainName": DOMAIN, "securityPolicy": "TLS_1_2",
             "endpointConfiguration": {"types": ["REGIONAL"]}, "mutualTlsAuthentication": tls},
            {"domainName": "plain.example.com", "securityPolicy": "TLS_1_2"}]})
        self.write("rest-apis.json", {"items": [
            {"id": "rke4fo9vi5", "name": "customer", "disableExecuteApiEndpoint": True}]})
        self.write("base-path-mappings/%s.json" % DOMAIN, {"items": [
            {"basePath": "c360", "restApiId": "rke4fo9vi5", "stage": "DEV"},
            {"basePath": "(none)", "restApiId": "http-api", "stage": "DEV"}]})
        self.write("api-mappings/%s.json" % DOMAIN, {"Items": [
            {"ApiMappingKey": "partners/v2", "ApiId": "rke4fo9vi5", "Stage": "DEV"}]})
        self.write("resources/rke4fo9vi5.json", RESOURCES)
        self.write("stages/rke4fo9vi5.json", STAGES)
        self.write("objects/%s/%s@v%%2F1" % (BUCKET, OBJECT), self.partner)
        for name, content in self.files.items():
            self.write("certificates/" + name, content)

    def run_program(self, *arguments, code, environment=None):
        done = subprocess.run(
            [sys.executable, PROGRAM, *map(str, arguments)],
            env=dict(os.environ, **(environment or {})), check=False, text=True,
            capture_output=True, timeout=120)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def apply(self, daemon, *arguments, code):
        return self.run_program("apply", self.account, "--sallyportctl", CTL, *arguments, code=code,
                                environment={"SALLYPORT_ADDRESS": daemon.admin})

    def start(self):
        daemon = Daemon(self.root / "data", "--allow-loopback-without-credentials")
        daemon.__enter__()
        self.addCleanup(daemon.__exit__)
        return daemon

    def test_makes_what_was_there_and_says_what_it_leaves(self):
        self.fill()
        daemon = self.start()
        said = self.apply(daemon, code=1)
        for left in ("POST /customer/{customer-id}  left out: its integration is of type AWS_PROXY",
                     "DELETE /customer/{customer-id}  left out: it needs authorization CUSTOM",
                     "PATCH /customer/{customer-id}  left out: it needs an API key",
                     "HEAD /customer/{customer-id}  left out: nothing fills {nothing}",
                     "POST /health  left out: its answer is made by a template",
                     "left out: http-api is no REST API",
                     "domain plain.example.com  has no mutual TLS"):
            self.assertIn(left, re.sub(" {2,}", "  ", said))
        domain = daemon.json("get", "domainNames/" + DOMAIN)[0]
        self.assertEqual(domain["mutual_tls"]["truststores"],
                         [{"truststore": "truststores/trusted-partners"}])
        self.assertEqual(domain["security_policy"], "TLS_1_2")
        self.assertIn("BEGIN CERTIFICATE",
                      daemon.ctl("read", "truststores/trusted-partners/versions/1"))
        api = daemon.json("get", "apis/rke4fo9vi5")[0]
        self.assertEqual((api["display_name"], api["disable_default_endpoint"]),
                         ("customer", True))
        routes = {(r["method"], r["path"]): r
                  for r in daemon.json("list", "apis/rke4fo9vi5/routes")}
        self.assertEqual(sorted(routes), [
            ("ANY", "/files/{proxy+}"), ("GET", "/customer/{customer-id}"), ("GET", "/health"),
            ("PUT", "/customer/{customer-id}")])
        one = routes["GET", "/customer/{customer-id}"]["http"]
        self.assertEqual((one["uri"], one["path_parameters"], one["timeout"]),
                         ("http://192.0.2.1/c/{id}", {"id": "customer-id"}, "5s"))
        self.assertEqual(routes["PUT", "/customer/{customer-id}"]["http"]["method"], "POST")
        rest = routes["ANY", "/files/{proxy+}"]["http_proxy"]
        self.assertTrue(rest["tls"]["insecure_skip_verification"])
        self.assertEqual(routes["GET", "/health"]["mock"], {
            "status": 202, "body": '{"ok":true}',
            "headers": {"x-by": "mock", "content-type": "application/json"}})
        stage = daemon.json("get", "apis/rke4fo9vi5/stages/DEV")[0]
        self.assertEqual(stage["variables"], {"host": "b.test"})
        self.assertEqual(stage["client_certificate"], "clientCertificates/a1b2c3")
        self.assertTrue(stage["deployment"].startswith("apis/rke4fo9vi5/deployments/"))
        self.assertEqual(
            {m.get("base_path", ""): m["stage"]
             for m in daemon.json("list", "domainNames/%s/apiMappings" % DOMAIN)},
            dict.fromkeys(("c360", "partners/v2"), "apis/rke4fo9vi5/stages/DEV"))
        # Once more, nothing changes.
        self.assertRegex(self.apply(daemon, code=1), r"(?m)^\d+ unchanged$")

    def test_plans_without_a_service(self):
        self.fill()
        self.assertIn("Nothing was changed", self.run_program("plan", self.account, code=1))
        text = (self.account / "sallyport.yaml").read_text(encoding="utf-8")
        self.assertNotIn("PRIVATE KEY", text)
        self.assertNotIn("plain.example.com", text)
        self.run_program("plan", self.account, "--all-domains", "--issuer", code=1)
        self.assertIn("domainNames/plain.example.com",
                      (self.account / "sallyport.yaml").read_text(encoding="utf-8"))

    def test_opens_no_domain_whose_truststore_or_key_is_missing(self):
        self.fill(version="another")
        self.assertIn("left out: the truststore", self.run_program("plan", self.account, code=1))
        self.assertNotIn("domainNames/",
                         (self.account / "sallyport.yaml").read_text(encoding="utf-8"))
        self.fill()
        (self.account / "certificates" / (DOMAIN + ".key")).unlink()
        self.assertIn("its certificate and key are not in",
                      self.run_program("plan", self.account, code=1))
        self.assertNotIn("domainNames/",
                         (self.account / "sallyport.yaml").read_text(encoding="utf-8"))

    def test_leaves_authorization_out_only_when_told(self):
        self.fill()
        said = self.run_program("plan", self.account, "--without-authorization", code=1)
        self.assertIn("authorization CUSTOM: NOT taken over", said)
        text = (self.account / "sallyport.yaml").read_text(encoding="utf-8")
        self.assertIn('method: "DELETE"', text)
        self.assertIn('method: "PATCH"', text)

    def test_says_what_it_cannot_read(self):
        self.assertIn("run `from-api-gateway collect",
                      self.run_program("plan", self.account, code=2))
        self.write("domain-names.json", "{")
        self.assertIn("is no JSON", self.run_program("plan", self.account, code=2))


if __name__ == "__main__":
    unittest.main()
