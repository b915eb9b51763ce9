"""Lambda authorizers in a real Envoy. The functions run under AWS's own runtime
client; the stand-in in front of it checks the signatures with botocore."""

import pathlib
import unittest

import gateway
from harness import config
from harness import lambda_service
from harness import wait

FUNCTIONS = pathlib.Path(__file__).absolute().parent / "functions" / "authorize.py"
AUTHORIZER = "sallyport.authorizer"
NULL = b'{"message":null}'
UNAUTHORIZED = b'{"message":"Unauthorized"}'


class Authorizers(gateway.GatewayTest):
    server_names = ("api.example.com", "token.example.com", "simple.example.com",
                    "web.example.com", "none.example.com", "env.example.com")

    @classmethod
    def function(cls, name, credentials=None, cluster="lambda"):
        return {
            "lambda": {
                "cluster": cluster,
                "authority": "lambda.eu-central-1.amazonaws.com",
                "function": "arn:aws:lambda:eu-central-1:123456789012:function:" + name,
                "region": lambda_service.REGION,
                "credentials": credentials
                or {"shared_file": {"path": str(cls.credentials), "profile": "caller"}},
            },
            "timeout": "1s",
        }

    @classmethod
    def write_credentials(cls, secret):
        new = cls.folder / "credentials.new"
        new.write_text(
            "[caller]\naws_access_key_id = %s\naws_secret_access_key = %s\n"
            % (lambda_service.KEY_ID, secret),
            encoding="ascii",
        )
        new.rename(cls.credentials)

    @classmethod
    def authorized(cls, name, options, routes=None):
        message = {
            "domain": name,
            "name": "auth",
            "api": {"api_id": "api1", "stage": "prod", "account_id": "123456789012"},
            **options,
        }
        return cls.domain(
            name=name,
            require_client_certificate=False,
            resumption=True,
            mutual_tls={"client_certificate": "OPTIONAL"},
            filters=[config.http_filter(config.any_of(message), AUTHORIZER)],
            routes=routes,
        )

    @classmethod
    def domains(cls):
        cls.service = lambda_service.Service()
        cls.addClassCleanup(cls.service.stop)
        for handler in ("by_certificate", "by_token", "simple"):
            cls.service.add(handler, FUNCTIONS, handler=handler)
        cls.credentials = cls.folder / "credentials"
        cls.write_credentials(lambda_service.SECRET)
        token = cls.folder / "token"
        token.write_text(cls.service.web_identity_token + "\n", encoding="ascii")
        headers = [
            {"key": "principalId", "header": "x-principal"},
            {"key": "serial", "header": "x-serial"},
            {"key": "tier", "header": "x-tier"},
            {"key": "admin", "header": "x-admin"},
        ]
        source = ["method.request.header.x-wish"]
        return [
            cls.authorized(
                "api.example.com",
                {
                    "type": "REQUEST", "identity_sources": source,
                    "function": cls.function("by_certificate"), "context_headers": headers,
                },
                routes=[
                    config.route("/open", per_route={"disabled": True}, filter_name=AUTHORIZER),
                    config.route("/"),
                ],
            ),
            cls.authorized(
                "token.example.com",
                {
                    "type": "TOKEN", "token_pattern": "^Bearer [a-z]+$",
                    "function": cls.function("by_token"),
                },
            ),
            cls.authorized(
                "simple.example.com",
                {
                    "type": "HTTP_API_2_0_SIMPLE",
                    "identity_sources": ["$request.querystring.door"],
                    "function": cls.function("simple"),
                    "context_headers": [{"key": "who", "header": "x-who"}],
                },
            ),
            cls.authorized(
                "web.example.com",
                {
                    "type": "TOKEN", "result_ttl": "0s",
                    "function": cls.function("by_token", {"web_identity": {
                        "token_file": str(token), "role_arn": "arn:aws:iam::123456789012:role/r",
                        "cluster": "sts", "authority": "sts.amazonaws.com",
                    }}),
                },
            ),
            cls.authorized(
                "none.example.com",
                {
                    "type": "TOKEN", "result_ttl": "0s",
                    "function": cls.function("by_token", cluster="nobody"),
                },
            ),
        ]

    @classmethod
    def start(cls, domains, name, **options):
        plain = config.gateway

        def with_clusters(*arguments):
            made = plain(*arguments)
            made["static_resources"]["clusters"] += [
                config.cluster("lambda", cls.service.port),
                config.cluster("sts", cls.service.sts_port),
                config.cluster("nobody", 1),
            ]
            return made

        config.gateway = with_clusters
        try:
            return super().start(domains, name, **options)
        finally:
            config.gateway = plain

    def setUp(self):
        self.service.status = None
        self.service.refusals.clear()

    def ask(self, identity=None, wish="x", path="/orders/7", domain="api.example.com", **options):
        headers = (("x-wish", wish),) + tuple(options.pop("headers", ()))
        return self.get_and_log(
            identity, server_name=domain, path=path, headers=headers, **options
        )

    def assert_answer(self, answer, status, body, details):
        response, log = answer
        self.assertEqual((response.status, response.body), (status, body))
        self.assertEqual(log["details"], "sallyport_authorizer{%s}" % details)
        if status != 200:
            self.assertEqual(response.header("content-type"), "application/json")

    def events(self, function):
        return self.service.functions[function].events

    def test_the_function_sees_the_certificate_and_the_backend_what_it_said(self):
        forged = (("x-principal", "forged"), ("X_Serial", "forged"), ("x-tier", "0"))
        response, log = self.ask(self.people.direct, wish="first", headers=forged)
        self.assertEqual(response.status, 200, log)
        event = self.events("by_certificate")[-1]
        cert = event["requestContext"]["identity"]["clientCert"]
        self.assertEqual(cert["clientCertPem"].strip(), self.people.direct.pem().strip())
        self.assertIn("CN=direct.example.org", cert["subjectDN"])
        self.assertIn("CN=Root CA", cert["issuerDN"])
        self.assertRegex(cert["serialNumber"], "^[0-9a-f]{2}(:[0-9a-f]{2})*$")
        self.assertRegex(cert["validity"]["notAfter"], r"^\w{3} [ \d]\d \d\d:\d\d:\d\d \d{4} GMT$")
        self.assertEqual(
            event["methodArn"],
            "arn:aws:execute-api:us-east-1:123456789012:api1/prod/GET/orders/7",
        )
        self.assertEqual(event["requestContext"]["identity"]["sourceIp"], "127.0.0.1")
        self.assertEqual(event["requestContext"]["domainName"], "api.example.com")
        received = response.received()
        self.assertEqual(received.all("x-principal"), [cert["subjectDN"]])
        self.assertEqual(received.all("x-serial"), [cert["serialNumber"]])
        self.assertEqual(received.all("x-tier"), ["7"])
        self.assertEqual(received.all("x-admin"), ["false"])
        self.assertEqual([v for k, v in received.headers if "forged" in v], [])
        self.assertEqual(log["authorizer"]["principalId"], cert["subjectDN"])
        self.assertEqual(self.service.refusals, [])

    def test_a_body_and_trailers_come_through(self):
        body = b"x" * 300000
        response, _ = self.ask(self.people.direct, wish="body", path="/orders", method="GET",
                               body=body)
        self.assertEqual(response.status, 200)
        self.assertEqual(response.received().document["body_bytes"], len(body))

    def test_answers_are_remembered_for_one_certificate_and_identity(self):
        before = len(self.events("by_certificate"))
        for path in ("/orders/1", "/orders/2", "/orders/3"):
            self.assertEqual(self.ask(self.people.direct, "kept", path)[0].status, 200)
        self.assertEqual(len(self.events("by_certificate")), before + 1)
        # The policy is asked about each request.
        self.assert_answer(
            self.ask(self.people.direct, "kept", "/private"), 403,
            b'{"Message":"User is not authorized to access this resource"}', "IMPLICIT_DENY",
        )
        self.assertEqual(len(self.events("by_certificate")), before + 1)
        # Another certificate says the same.
        response, _ = self.ask(self.people.branch, "kept")
        self.assertEqual(response.status, 200)
        self.assertIn("branch", response.received().header("x-principal"))
        self.assertEqual(len(self.events("by_certificate")), before + 2)
        # And nobody does.
        response, _ = self.ask(None, "kept")
        self.assertEqual(response.status, 403)
        self.assertEqual(len(self.events("by_certificate")), before + 3)

    def test_a_resumed_session_is_the_same_client(self):
        with self.connect(self.people.direct, tls="1.2") as first:
            self.assertEqual(first.request("/orders", (("x-wish", "resume"),)).status, 200)
            context, session = first.context, first.session
        with self.connect(context=context, session=session) as again:
            response = again.request("/orders", (("x-wish", "resume2"),))
            self.assertTrue(again.session_reused)
        self.assertEqual(response.status, 200)
        cert = self.events("by_certificate")[-1]["requestContext"]["identity"]["clientCert"]
        self.assertEqual(cert["clientCertPem"].strip(), self.people.direct.pem().strip())

    def test_denials_are_answered_as_api_gateway_does(self):
        with self.backend_is_not_reached():
            deny = self.ask(self.people.direct, "deny")
            self.assert_answer(
                deny, 403,
                b'{"Message":"User is not authorized to access this resource with an explicit '
                b'deny"}',
                "EXPLICIT_DENY",
            )
            self.assertEqual(deny[0].header("x-amzn-errortype"), "AccessDeniedException")
            self.assert_answer(
                self.ask(self.people.direct, "unauthorized"), 401, UNAUTHORIZED,
                "UNAUTHORIZED_BY_FUNCTION",
            )
            missing = self.ask(self.people.direct, "")
            self.assert_answer(missing, 401, UNAUTHORIZED, "NO_IDENTITY_SOURCE")
            self.assertEqual(missing[0].header("x-amzn-errortype"), "UnauthorizedException")
            for path in ("/orders/%2e%2e/private", "/orders//x", "/orders/a%2Fb", "/orders/x;y"):
                self.assert_answer(
                    self.ask(self.people.direct, "x", path), 400, b'{"message":"Bad Request"}',
                    "UNUSUAL_PATH",
                )

    def test_what_fails_is_refused(self):
        with self.backend_is_not_reached():
            for wish, reason in (
                ("crash", "FUNCTION_ERROR"), ("malformed", "ANSWER_MALFORMED"),
                ("text", "ANSWER_MALFORMED"), ("sleep", "TIMEOUT"),
            ):
                answer = self.ask(self.people.direct, wish)
                self.assert_answer(answer, 500, NULL, reason)
                self.assertEqual(
                    answer[0].header("x-amzn-errortype"), "AuthorizerConfigurationException"
                )
            for status, reason in (
                (429, "THROTTLED"), (500, "SERVICE_FAILED"), (404, "CALL_REFUSED"),
            ):
                self.service.status = status
                self.assert_answer(
                    self.ask(self.people.direct, "s%d" % status), 500, NULL, reason
                )
            self.service.status = None
            answer = self.ask(None, domain="none.example.com",
                              headers=(("authorization", "x"),))
            # Envoy answers a callout that finds nobody with a 503 of its own.
            self.assertEqual(answer[0].status, 500)
            self.assertEqual(answer[0].body, NULL)
        # The function still lives, when it has slept enough.
        wait.until(
            lambda: self.ask(self.people.direct, gateway.new_id())[0].status == 200,
            "the function",
        )

    def test_tokens(self):
        def ask(token):
            headers = (("authorization", token),) if token else ()
            return self.ask(None, domain="token.example.com", headers=headers)

        self.assertEqual(ask("Bearer allow")[0].status, 200)
        self.assertEqual(self.events("by_token")[-1]["authorizationToken"], "Bearer allow")
        self.assertEqual(ask("Bearer deny")[1]["details"], "sallyport_authorizer{EXPLICIT_DENY}")
        self.assertEqual(ask("Bearer other")[0].body, UNAUTHORIZED)
        calls = len(self.events("by_token"))
        self.assert_answer(ask("Bearer X"), 401, UNAUTHORIZED, "TOKEN_PATTERN")
        self.assert_answer(ask(None), 401, UNAUTHORIZED, "NO_IDENTITY_SOURCE")
        self.assertEqual(len(self.events("by_token")), calls)

    def test_simple_responses(self):
        def ask(identity, door):
            return self.ask(identity, domain="simple.example.com", path="/x?door=" + door)

        response, _ = ask(self.people.direct, "open")
        self.assertEqual(response.status, 200)
        self.assertIn("direct", response.received().header("x-who"))
        event = self.events("simple")[-1]
        self.assertIn("clientCert", event["requestContext"]["authentication"])
        self.assert_answer(ask(self.people.direct, "shut"), 403, b'{"message":"Forbidden"}',
                           "NOT_AUTHORIZED")
        self.assertEqual(ask(None, "open")[0].status, 403)

    def test_a_route_without_the_authorizer(self):
        calls = len(self.service.requests)
        response, _ = self.ask(None, "", "/open", headers=(("x-principal", "forged"),))
        self.assertEqual(response.status, 200)
        self.assertIsNone(response.received().header("x-principal"))
        self.assertEqual(len(self.service.requests), calls)

    def test_web_identities(self):
        for _ in range(3):
            response, log = self.ask(
                None, domain="web.example.com", headers=(("authorization", "Bearer allow"),)
            )
            self.assertEqual(response.status, 200, log)
        self.assertEqual(len(self.service.sts_requests), 1)
        self.assertEqual(
            self.service.sts_requests[0]["RoleArn"], "arn:aws:iam::123456789012:role/r"
        )
        self.assertEqual(self.service.refusals, [])

    def test_credentials_are_read_again(self):
        self.write_credentials("another secret")
        try:
            wait.until(
                lambda: self.ask(self.people.direct, gateway.new_id())[0].status == 500,
                "the new credentials",
            )
            self.assertIn("another signature", self.service.refusals)
        finally:
            self.write_credentials(lambda_service.SECRET)
        wait.until(
            lambda: self.ask(self.people.direct, gateway.new_id())[0].status == 200,
            "the old credentials",
        )
        for secret in ("another secret", lambda_service.SECRET, "stssecret"):
            self.assertNotIn(secret, self.envoy.log())
            self.assertNotIn(secret, self.envoy.admin("/config_dump")[1])

    def test_counters(self):
        self.ask(self.people.direct, "count")
        self.ask(self.people.direct, "deny")
        labels = {"domain": "api.example.com", "authorizer": "auth"}
        for decision, reason in (("allowed", "ALLOWED"), ("denied", "EXPLICIT_DENY")):
            count = self.envoy.counter(
                "authorizer_decisions", decision=decision, reason=reason, **labels
            )
            self.assertGreater(count, 0, reason)
        self.assertGreater(self.envoy.counter("authorizer_cache", result="miss", **labels), 0)


if __name__ == "__main__":
    unittest.main()
