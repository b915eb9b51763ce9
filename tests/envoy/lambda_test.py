"""AWS_PROXY integrations in a real Envoy: functions under AWS's own runtime
client answer the requests."""

import pathlib
import unittest

import gateway
from harness import config
from harness import lambda_service

FUNCTIONS = pathlib.Path(__file__).absolute().parent / "functions" / "respond.py"
SERVER_ERROR = b'{"message":"Internal server error"}'


class Integrations(gateway.GatewayTest):
    server_names = ("api.example.com", "http.example.com")

    @classmethod
    def function(cls, name, timeout="1s"):
        return {
            "lambda": {
                "cluster": "lambda",
                "authority": "lambda.eu-central-1.amazonaws.com",
                "function": name,
                "region": lambda_service.REGION,
                "credentials": {"shared_file": {"path": str(cls.credentials)}},
            },
            "timeout": timeout,
        }

    @classmethod
    def domains(cls):
        cls.service = lambda_service.Service()
        cls.addClassCleanup(cls.service.stop)
        for handler in ("echo", "echo20", "authorize"):
            cls.service.add(handler, FUNCTIONS, handler=handler)
        cls.service.add("slow", FUNCTIONS, handler="echo")
        cls.credentials = cls.folder / "credentials"
        cls.credentials.write_text(
            "[default]\naws_access_key_id=%s\naws_secret_access_key=%s\n"
            % (lambda_service.KEY_ID, lambda_service.SECRET),
            encoding="ascii",
        )
        api = {"api_id": "api1", "stage": "prod", "resource": "/pets/{id}"}

        def integration(name, **more):
            message = {"domain": name, "name": "pets", "api": api, **more}
            return config.http_filter(config.any_of(message), "sallyport.lambda")

        authorizer = {
            "domain": "http.example.com", "name": "auth", "type": "HTTP_API_2_0",
            "api": api, "result_ttl": "0s", "function": cls.function("authorize"),
        }
        return [
            cls.domain(
                filters=[
                    integration(
                        "api.example.com", function=cls.function("echo"),
                        binary_media_types=["image/*"],
                    )
                ],
                routes=[
                    config.route(
                        "/backend", per_route={"disabled": True}, filter_name="sallyport.lambda"
                    ),
                    # A function of its own, which sleeps while others answer.
                    config.route(
                        "/slow", per_route={"function": cls.function("slow"), "api": {
                            "api_id": "api2", "resource": "/slow"}},
                        filter_name="sallyport.lambda",
                    ),
                    config.route("/"),
                ],
            ),
            cls.domain(
                name="http.example.com",
                filters=[
                    config.http_filter(config.any_of(authorizer), "sallyport.authorizer"),
                    integration(
                        "http.example.com", function=cls.function("echo20", "5s"),
                        payload_format="PAYLOAD_2_0",
                    ),
                ],
            ),
        ]

    @classmethod
    def start(cls, domains, name, **options):
        plain = config.gateway

        def with_cluster(*arguments):
            made = plain(*arguments)
            made["static_resources"]["clusters"].append(
                config.cluster("lambda", cls.service.port)
            )
            return made

        config.gateway = with_cluster
        try:
            return super().start(domains, name, **options)
        finally:
            config.gateway = plain

    def setUp(self):
        self.service.status = None

    def test_a_request_becomes_an_event_and_the_answer_a_response(self):
        with self.backend_is_not_reached():
            response = self.get(
                self.people.direct, method="POST", path="/pets/7?a=1&a=2", body=b'{"x":"\xc3\xa9"}',
                headers=(("content-type", "application/json"),),
            )
        self.assertEqual(response.status, 201)
        self.assertEqual([v for k, v in response.headers if k == "set-cookie"], ["a=1", "b=2"])
        self.assertEqual(response.header("x-one"), "1")
        self.assertEqual(response.header("content-type"), "application/json")
        event = response.json()
        self.assertEqual(event["httpMethod"], "POST")
        self.assertEqual(event["pathParameters"], {"id": "7"})
        self.assertEqual(event["multiValueQueryStringParameters"], {"a": ["1", "2"]})
        self.assertEqual((event["body"], event["isBase64Encoded"]), ('{"x":"\xe9"}', False))
        cert = event["requestContext"]["identity"]["clientCert"]
        self.assertEqual(cert["clientCertPem"].strip(), self.people.direct.pem().strip())
        self.assertEqual(self.service.refusals, [])

    def test_binary_bodies(self):
        response = self.get(
            self.people.direct, method="POST", path="/pets/7", body=b"\x89PNG",
            headers=(("content-type", "image/png"),),
        )
        self.assertEqual(response.json()["body"], "iVBORw==")
        self.assertTrue(response.json()["isBase64Encoded"])
        response = self.get(self.people.direct, path="/pets/7?wish=binary")
        self.assertEqual(response.body, bytes(range(256)))
        self.assertEqual(response.header("content-type"), "image/png")

    def test_failures(self):
        timed_out = b'{"message":"Endpoint request timed out"}'
        for path, status, body, reason in (
            ("/pets/7?wish=malformed", 502, SERVER_ERROR, "ANSWER_MALFORMED"),
            ("/pets/7?wish=split", 502, SERVER_ERROR, "ANSWER_MALFORMED"),
            ("/pets/7?wish=crash", 502, SERVER_ERROR, "FUNCTION_ERROR"),
            ("/slow?wish=sleep", 504, timed_out, "TIMEOUT"),
        ):
            response, log = self.get_and_log(self.people.direct, path=path)
            self.assertEqual((response.status, response.body), (status, body), path)
            self.assertEqual(log["details"], "sallyport_lambda{%s}" % reason)
        self.service.status = 429
        response, log = self.get_and_log(self.people.direct, path="/pets/7")
        self.assertEqual((response.status, response.body), (500, SERVER_ERROR))

    def test_payload_limit(self):
        limit = 10 * 1024 * 1024
        calls = len(self.service.functions["echo20"].events)
        response = self.get(
            self.people.direct, server_name="http.example.com", method="POST", path="/pets/7",
            body=b"x" * (limit + 1),
        )
        self.assertEqual((response.status, response.body),
                         (413, b'{"message":"Request Too Long"}'))
        self.assertEqual(len(self.service.functions["echo20"].events), calls)
        response = self.get(
            self.people.direct, server_name="http.example.com", method="POST", path="/pets/7",
            body=b"x" * (2 * 1024 * 1024),
        )
        self.assertEqual(response.status, 200)
        self.assertEqual(len(response.json()["body"]), 2 * 1024 * 1024)

    def test_format_20_with_an_authorizer(self):
        response = self.get(
            self.people.direct, server_name="http.example.com", path="/pets/7",
            headers=(("cookie", "a=1; b=2"),),
        )
        event = response.json()
        self.assertEqual(event["version"], "2.0")
        self.assertEqual(event["cookies"], ["a=1", "b=2"])
        self.assertEqual(event["requestContext"]["authorizer"], {"lambda": {"tier": 7}})
        self.assertIn("clientCert", event["requestContext"]["authentication"])

    def test_a_route_to_the_backend_and_untrusted_clients(self):
        self.assertEqual(self.get(self.people.direct, path="/backend").status, 200)
        calls = len(self.service.requests)
        self.assert_forbidden(self.get(self.people.stranger, path="/pets/7"))
        self.assertEqual(len(self.service.requests), calls)

    def test_head(self):
        with self.connect(self.people.direct) as connection:
            response = connection.request("/pets/7", method="HEAD")
            self.assertEqual((response.status, response.body), (201, b""))
            self.assertEqual(connection.request("/pets/7").status, 201)


if __name__ == "__main__":
    unittest.main()
