"""boto3 against a real sallyportd: signatures, roles, pages, errors, and the
shapes of answers beside moto's."""

import datetime
import http.client
import importlib.util
import json
import pathlib
import socket
import tempfile
import threading
import unittest
from unittest import mock

import aws_service
from aws_service import ACCOUNT, REGION, Service
from harness import certificates

import boto3  # from the set-up's folder, which aws_service has found
import botocore.auth
import botocore.awsrequest
import botocore.credentials
from botocore.exceptions import ClientError

HOST = "api.example.com"

# Moto's API Gateway asks for a library that the set-up does not install.
NEEDS_MOTO = unittest.skipUnless(
    importlib.util.find_spec("openapi_spec_validator"),
    "moto needs openapi-spec-validator for API Gateway: pip install it to compare",
)


class ClientsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.workshop = certificates.Workshop(cls.folder / "pki")
        cls.service = Service(
            cls.folder, "--issuer", "internal", "--issuer-domains", "example.com"
        )
        cls.addClassCleanup(cls.service.close)
        cls.address = cls.service.daemon.http.removeprefix("http://")

    def code(self, call, *arguments, **options):
        """Amazon's code of the error that a call ends with."""
        with self.assertRaises(ClientError) as caught:
            call(*arguments, **options)
        self.assertTrue(caught.exception.response["ResponseMetadata"]["RequestId"])
        return caught.exception.response["Error"]["Code"]

    def raw(self, method, target, body=b"", headers=None):
        connection = http.client.HTTPConnection(self.address, timeout=20)
        self.addCleanup(connection.close)
        connection.request(method, target, body=body, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers.get("x-amzn-ErrorType"), answer.read()

    def signed(self, method, target, body=b"", key=None, service="apigateway", **headers):
        """Headers of a request as botocore signs it."""
        key = key or self.service.admin
        request = botocore.awsrequest.AWSRequest(
            method, f"http://{self.address}{target}", headers=headers, data=body
        )
        credentials = botocore.credentials.Credentials(
            key["AWS_ACCESS_KEY_ID"], key["AWS_SECRET_ACCESS_KEY"]
        )
        botocore.auth.SigV4Auth(credentials, service, REGION).add_auth(request)
        return dict(request.headers)

    def test_lets_each_role_do_what_it_may(self):
        for role, may_write in (("viewer", False), ("operator", True), ("admin", True)):
            client = self.service.client("apigateway", self.service.key(role))
            self.assertEqual(client.get_domain_names()["items"], [])
            if may_write:
                made = client.generate_client_certificate()
                client.delete_client_certificate(
                    clientCertificateId=made["clientCertificateId"]
                )
            else:
                self.assertEqual(
                    self.code(client.generate_client_certificate), "AccessDeniedException"
                )

    def test_refuses_keys_that_are_wrong_or_gone(self):
        key = self.service.key("viewer", "gone")
        client = self.service.client("apigateway", key)
        client.get_domain_names()
        self.service.daemon.ctl("delete", "accessKeys/" + key["AWS_ACCESS_KEY_ID"])
        self.assertEqual(self.code(client.get_domain_names), "UnrecognizedClientException")
        wrong = dict(self.service.admin, AWS_SECRET_ACCESS_KEY="x" * 40)
        self.assertEqual(
            self.code(self.service.client("apigateway", wrong).get_domain_names),
            "InvalidSignatureException",
        )
        self.assertEqual(
            self.code(self.service.client("acm", wrong).list_certificates),
            "InvalidSignatureException",
        )
        token = self.service.client("apigateway", session_token="token")
        self.assertEqual(self.code(token.get_domain_names), "UnrecognizedClientException")

    def test_refuses_unsigned_changed_late_and_presigned_requests(self):
        status, code, _ = self.raw("GET", "/domainnames")
        self.assertEqual((status, code), (403, "MissingAuthenticationTokenException"))
        headers = self.signed("GET", "/domainnames")
        self.assertEqual(self.raw("GET", "/domainnames", headers=headers)[0], 200)
        for method, target, body in (
            ("GET", "/clientcertificates", b""),
            ("POST", "/domainnames", b""),
            ("GET", "/domainnames?limit=1", b""),
        ):
            self.assertEqual(
                self.raw(method, target, body, headers)[1], "InvalidSignatureException",
                (method, target, body),
            )
        headers = self.signed("POST", "/clientcertificates", b"{}")
        self.assertEqual(
            self.raw("POST", "/clientcertificates", b'{"description": "x"}', headers)[1],
            "InvalidSignatureException",
        )
        for minutes, inside in ((-4, True), (-6, False), (4, True), (6, False)):
            now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
            with mock.patch("botocore.auth.get_current_datetime",
                            return_value=now + datetime.timedelta(minutes=minutes)):
                late = self.signed("GET", "/domainnames")
            self.assertEqual(self.raw("GET", "/domainnames", headers=late)[0] == 200, inside)
        url = self.service.client("apigateway").generate_presigned_url("get_domain_names")
        target = url.removeprefix(self.service.daemon.http)
        self.assertEqual(self.raw("GET", target)[1], "IncompleteSignatureException")

    def test_takes_bodies_whose_length_is_said_up_to_the_limit(self):
        with socket.create_connection(tuple(self.address.split(":")), timeout=20) as connection:
            connection.sendall(
                b"POST /domainnames HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            )
            self.assertIn(b" 411 ", connection.recv(4096))
        self.assertEqual(
            self.raw("POST", "/domainnames", b"x", {"Content-Encoding": "gzip"})[0], 415
        )
        self.assertEqual(self.raw("GET", "/" + "a" * 3000)[0], 414)
        large = b" " * ((1 << 20) + 1)
        try:
            self.assertEqual(self.raw("POST", "/domainnames", large)[0], 413)
        except (BrokenPipeError, ConnectionResetError):
            pass  # It does not read what it does not take.
        self.assertEqual(self.raw("GET", "/healthz")[0], 200)

    def test_serves_many_at_once(self):
        problems = []

        def work():
            try:
                client = self.service.client("apigateway")
                for _ in range(10):
                    client.get_domain_names()
            except Exception as error:  # pylint: disable=broad-except
                problems.append(error)

        threads = [threading.Thread(target=work) for _ in range(24)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(problems, [])

    def test_life_of_certificates(self):
        acm = self.service.client("acm")
        arns = set()
        for i in range(3):
            arns.add(acm.request_certificate(
                DomainName=f"h{i}.example.com", ValidationMethod="DNS",
                KeyAlgorithm="EC_prime256v1",
            )["CertificateArn"])
        pages = acm.get_paginator("list_certificates").paginate(
            PaginationConfig={"PageSize": 2}
        )
        found = [c["CertificateArn"] for page in pages for c in page["CertificateSummaryList"]]
        # Other tests leave theirs.
        self.assertEqual(len(found), len(set(found)))
        self.assertLessEqual(arns, set(found))
        arn = sorted(arns)[0]
        acm.get_waiter("certificate_validated").wait(CertificateArn=arn)
        described = acm.describe_certificate(CertificateArn=arn)["Certificate"]
        self.assertEqual(described["Type"], "PRIVATE")
        self.assertEqual(described["RenewalEligibility"], "ELIGIBLE")
        self.assertGreater(described["NotAfter"], datetime.datetime.now(datetime.timezone.utc))
        before = acm.get_certificate(CertificateArn=arn)["Certificate"]
        acm.renew_certificate(CertificateArn=arn)
        self.assertNotEqual(acm.get_certificate(CertificateArn=arn)["Certificate"], before)
        acm.add_tags_to_certificate(CertificateArn=arn, Tags=[{"Key": "team", "Value": "a"}])
        self.assertEqual(
            acm.list_tags_for_certificate(CertificateArn=arn)["Tags"],
            [{"Key": "team", "Value": "a"}],
        )
        self.assertEqual(
            self.code(acm.request_certificate, DomainName="other.test"), "InvalidStateException"
        )
        for one in arns:
            acm.delete_certificate(CertificateArn=one)
        self.assertEqual(
            self.code(acm.describe_certificate, CertificateArn=arn), "ResourceNotFoundException"
        )

    def test_pages_of_domains(self):
        client = self.service.client("apigateway")
        arn = self.service.client("acm").request_certificate(
            DomainName="*.example.com", KeyAlgorithm="EC_prime256v1"
        )["CertificateArn"]
        names = [f"d{i}.example.com" for i in range(5)]
        for name in names:
            client.create_domain_name(
                domainName=name, regionalCertificateArn=arn, tags={"team": "a"}
            )
        pages = client.get_paginator("get_domain_names").paginate(
            PaginationConfig={"PageSize": 2}
        )
        self.assertEqual([d["domainName"] for page in pages for d in page["items"]], names)
        self.assertEqual(
            self.code(client.create_domain_name, domainName=names[0], regionalCertificateArn=arn),
            "ConflictException",
        )
        for name in names:
            client.delete_domain_name(domainName=name)

    def build(self, client):
        """An API with a mock, the same at ours and at moto; all answers."""
        out = {}
        out["api"] = client.create_rest_api(
            name="shop", description="d", endpointConfiguration={"types": ["REGIONAL"]}
        )
        api = out["api"]["id"]
        root = client.get_resources(restApiId=api)["items"][0]["id"]
        out["resource"] = client.create_resource(restApiId=api, parentId=root, pathPart="{id}")
        place = {
            "restApiId": api, "resourceId": out["resource"]["id"], "httpMethod": "GET",
        }
        out["method"] = client.put_method(**place, authorizationType="NONE")
        out["response"] = client.put_method_response(
            **place, statusCode="200", responseModels={"application/json": "Empty"}
        )
        out["integration"] = client.put_integration(
            **place, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'}
        )
        out["integration response"] = client.put_integration_response(
            **place, statusCode="200", responseTemplates={"application/json": "hello"}
        )
        out["whole method"] = client.get_method(**place)
        out["deployment"] = client.create_deployment(restApiId=api, stageName="dev")
        out["stage"] = client.get_stage(restApiId=api, stageName="dev")
        return out

    @NEEDS_MOTO
    def test_apis_have_the_members_that_motos_have(self):
        moto = boto3.client(
            "apigateway", endpoint_url=self.service.s3.endpoint, region_name=REGION,
            aws_access_key_id="x", aws_secret_access_key="x",
        )
        theirs = self.build(moto)
        ours = self.service.client("apigateway")
        mine = self.build(ours)
        self.addCleanup(ours.delete_rest_api, restApiId=mine["api"]["id"])
        # Moto says what there is not (variables, binary media types), and of a
        # deployment its status code.
        absent = {
            "api": {"binaryMediaTypes", "minimumCompressionSize", "version", "policy"},
            "stage": {"variables", "description", "accessLogSettings", "documentationVersion"},
            "integration": {"httpMethod", "uri", "requestParameters", "integrationResponses"},
            "integration response": {"selectionPattern", "responseParameters"},
            "response": {"responseParameters"},
            "method": {"requestParameters", "methodResponses"},
            "whole method": {"requestParameters"},
            "deployment": {"description", "apiSummary"},
        }
        for name, answer in theirs.items():
            missing = set(answer) - set(mine[name]) - absent.get(name, set())
            self.assertEqual(missing, set(), name)
        self.assertEqual(
            mine["whole method"]["methodResponses"]["200"]["responseModels"],
            {"application/json": "Empty"},
        )
        self.assertEqual(mine["stage"]["deploymentId"], mine["deployment"]["id"])

    def test_imports_exports_and_tags(self):
        client = self.service.client("apigateway")
        operation = {
            "x-amazon-apigateway-integration": {
                "type": "http_proxy", "httpMethod": "GET", "uri": "https://b.example.com/x"
            }
        }
        definition = {
            "openapi": "3.0.1",
            "info": {"title": "imported", "version": "7"},
            "paths": {f"/p{i}": {"get": operation} for i in range(30)},
        }
        made = client.import_rest_api(body=json.dumps(definition).encode())
        api = made["id"]
        self.addCleanup(client.delete_rest_api, restApiId=api)
        self.assertEqual((made["name"], made["version"]), ("imported", "7"))
        pages = client.get_paginator("get_resources").paginate(
            restApiId=api, PaginationConfig={"PageSize": 10}
        )
        paths = [r["path"] for page in pages for r in page["items"]]
        self.assertEqual(len(paths), 31)
        self.assertEqual(paths, sorted(set(paths)))
        client.create_deployment(restApiId=api, stageName="s")
        exported = json.load(client.get_export(
            restApiId=api, stageName="s", exportType="oas30",
            parameters={"extensions": "integrations"}, accepts="application/json",
        )["body"])
        self.assertEqual(set(exported["paths"]), set(definition["paths"]))
        put = client.put_rest_api(
            restApiId=api, mode="overwrite", body=json.dumps(exported).encode()
        )
        self.assertEqual(put["id"], api)
        self.assertEqual(
            self.code(client.import_rest_api, body=json.dumps(
                dict(definition, security=[{"key": []}])).encode()),
            "BadRequestException",
        )
        arn = f"arn:aws:apigateway:{REGION}::/restapis/{api}/stages/s"
        client.tag_resource(resourceArn=arn, tags={"team": "a", "more": "b"})
        client.untag_resource(resourceArn=arn, tagKeys=["more"])
        self.assertEqual(client.get_tags(resourceArn=arn)["tags"], {"team": "a"})

    def test_the_second_version_shows_the_same(self):
        second = self.service.client("apigatewayv2")
        arn = self.service.client("acm").request_certificate(
            DomainName=HOST, KeyAlgorithm="EC_prime256v1"
        )["CertificateArn"]
        api = self.build(self.service.client("apigateway"))["api"]["id"]
        made = second.create_domain_name(
            DomainName=HOST,
            DomainNameConfigurations=[{"CertificateArn": arn, "EndpointType": "REGIONAL"}],
        )
        self.assertEqual(made["DomainNameConfigurations"][0]["CertificateArn"], arn)
        self.assertIsInstance(
            made["DomainNameConfigurations"][0]["CertificateUploadDate"], datetime.datetime
        )
        mapping = second.create_api_mapping(
            DomainName=HOST, ApiId=api, Stage="dev", ApiMappingKey="c360/v1"
        )
        self.assertEqual(
            second.get_api_mappings(DomainName=HOST)["Items"][0]["ApiMappingKey"], "c360/v1"
        )
        closed = second.update_api(ApiId=api, DisableExecuteApiEndpoint=True)
        self.assertIs(closed["DisableExecuteApiEndpoint"], True)
        self.assertIn(api, [a["ApiId"] for a in second.get_apis()["Items"]])
        second.delete_api_mapping(DomainName=HOST, ApiMappingId=mapping["ApiMappingId"])
        second.delete_domain_name(DomainName=HOST)
        self.assertEqual(self.code(second.get_domain_name, DomainName=HOST), "NotFoundException")
        self.service.client("apigateway").delete_rest_api(restApiId=api)

    @NEEDS_MOTO
    def test_answers_have_the_members_that_motos_have(self):
        """Both are asked the same; what moto has and we have not is listed."""
        moto = boto3.client(
            "apigateway", endpoint_url=self.service.s3.endpoint, region_name=REGION,
            aws_access_key_id="x", aws_secret_access_key="x",
        )
        ours = self.service.client("apigateway")
        arn = self.service.client("acm").request_certificate(
            DomainName=HOST, KeyAlgorithm="EC_prime256v1"
        )["CertificateArn"]
        request = {
            "domainName": HOST,
            "regionalCertificateArn": arn,
            "endpointConfiguration": {"types": ["REGIONAL"]},
            "securityPolicy": "TLS_1_2",
            "tags": {"team": "a"},
        }
        theirs = moto.create_domain_name(**request)
        mine = ours.create_domain_name(**request)
        self.addCleanup(ours.delete_domain_name, domainName=HOST)
        # Moto makes up an edge-optimised endpoint and names of certificates
        # beside the regional ones.
        made_up = {
            "distributionDomainName", "distributionHostedZoneId", "certificateName",
            "certificateArn", "regionalCertificateName", "domainNameStatusMessage",
            "certificateUploadDate",
        }
        self.assertEqual(set(theirs) - set(mine) - made_up, set())
        for member in ("domainName", "regionalCertificateArn", "securityPolicy", "tags"):
            self.assertEqual(mine[member], theirs[member], member)
        self.assertEqual(
            mine["endpointConfiguration"]["types"], theirs["endpointConfiguration"]["types"]
        )
        self.assertEqual(arn.split(":")[4], ACCOUNT)


if __name__ == "__main__":
    unittest.main()
