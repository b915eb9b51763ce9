"""A real sallyportd over real gRPC: from certificates to a mapped API, and what
is refused on the way."""

import base64
import json
import os
import pathlib
import signal
import subprocess
import tempfile
import unittest

from harness import certificates, processes, wait

DAEMON = os.path.abspath(os.environ["SALLYPORTD"])
CALL = os.path.abspath(os.environ["CALL"])


class Refused(Exception):
    """An error of the API."""

    def __init__(self, status):
        super().__init__(json.dumps(status, indent=1))
        self.code = status["code"]
        self.message = status.get("message", "")
        self.reason = None
        self.violations = {}
        self.metadata = {}
        for detail in status.get("details", []):
            if detail["@type"].endswith("ErrorInfo"):
                self.reason = detail["reason"]
                self.metadata = detail.get("metadata", {})
            if detail["@type"].endswith("BadRequest"):
                for violation in detail["field_violations"]:
                    self.violations[violation["field"]] = violation["description"]


class Api:
    """A client of the API; keeps one connection."""

    def __init__(self, address, token=""):
        self.process = subprocess.Popen(
            [CALL, address, *([token] if token else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=processes.die_with_parent,
        )

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(timeout=20)

    def __call__(self, method, **request):
        line = json.dumps({"method": "sallyport.config.v1." + method, "request": request})
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if "error" in answer:
            raise Refused(answer["error"])
        if "response" not in answer:
            raise AssertionError(f"{method}: {answer}")
        return answer["response"]


class ConfigStoryTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.workshop = certificates.Workshop(pathlib.Path(folder.name))
        cls.issuer = cls.workshop.authority("issuer", "/O=Us/CN=Issuer")
        cls.other_issuer = cls.workshop.authority("other", "/O=Us/CN=Other issuer")
        cls.partner = cls.workshop.authority("partner", "/O=Partner/CN=Root")

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.data = pathlib.Path(folder.name) / "data"
        self.api = self.start()

    def start(self, *arguments):
        log = self.data.parent / "log"
        with log.open("w", encoding="utf-8") as stderr:
            process = subprocess.Popen(
                [
                    DAEMON,
                    "--data-dir", str(self.data),
                    "--admin-address", "127.0.0.1:0",
                    "--http-address", "127.0.0.1:0",
                    "--xds-address", "127.0.0.1:0",
                    "--allow-loopback-without-credentials",
                    "--backend-addresses", "loopback",
                    *arguments,
                ],
                stdin=subprocess.DEVNULL,
                stderr=stderr,
                preexec_fn=processes.die_with_parent,
            )
        self.daemon = process
        self.addCleanup(self.stop, process)

        def ready():
            self.assertIsNone(process.poll(), log.read_text(encoding="utf-8"))
            for line in log.read_text(encoding="utf-8").splitlines(keepends=True):
                event = json.loads(line) if line.endswith("\n") else {}
                if event.get("message") == "ready":
                    return event
            return None

        event = wait.until(ready, "sallyportd is ready")
        api = Api("127.0.0.1:" + event["admin_port"])
        self.addCleanup(api.close)
        return api

    def stop(self, process):
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(timeout=20), 0)

    def refuse(self, reason, method, **request):
        with self.assertRaises(Refused) as caught:
            self.api(method, **request)
        self.assertEqual(caught.exception.reason, reason, caught.exception)
        return caught.exception

    def certificate(self, name, *hosts, issuer):
        made = self.server(name, hosts, issuer)
        return self.api(
            "ServerCertificates/CreateServerCertificate",
            server_certificate_id=name,
            material={
                "certificate_chain_pem": made.pem(),
                "private_key_pem": pathlib.Path(made.key).read_text(encoding="ascii"),
            },
        )

    def server(self, name, hosts, issuer):
        return self.workshop.make(
            "server-" + name,
            "/CN=" + hosts[0],
            issuer=issuer,
            extensions=[
                "subjectAltName=" + ",".join("DNS:" + host for host in hosts),
                "basicConstraints=critical,CA:FALSE",
                "extendedKeyUsage=serverAuth",
            ],
        )

    def truststore(self, name):
        return self.api(
            "Truststores/CreateTruststore",
            truststore_id=name,
            pem=base64.b64encode(self.partner.pem().encode()).decode(),
        )

    def test_from_nothing_to_a_mapped_api(self):
        self.certificate("api", "api.example.com", issuer=self.issuer)
        self.truststore("partners")
        domain = self.api(
            "DomainNames/CreateDomainName",
            domain_name_id="api.example.com",
            domain_name={
                "server_certificate": "serverCertificates/api",
                "mutual_tls": {
                    "truststores": [{"truststore": "truststores/partners"}],
                    "allow": {"subject": {"attributes": [{"type": "O", "exact": ["Partner"]}]}},
                    "paths": [{"prefix": "/health", "client_certificate": "OPTIONAL"}],
                    "end_streams_after": "30s",
                },
                "forwarding": {"xfcc": {"subject": True}},
            },
        )
        self.assertEqual(domain["name"], "domainNames/api.example.com")
        self.assertEqual(domain["status"], "PENDING")
        self.assertEqual(domain["mutual_tls"]["end_streams_after"], "30s")
        self.assertEqual(
            domain["served_certificate_version"], "serverCertificates/api/versions/1"
        )

        self.api("Apis/CreateApi", api_id="orders", api={"display_name": "Orders"})
        for name, route in {
            "list": {"method": "GET", "path": "/orders", "mock": {"status": 200, "body": "[]"}},
            "one": {
                "method": "GET",
                "path": "/orders/{id}",
                "http": {
                    "uri": "https://${stageVariables.host}/o/{order}",
                    "path_parameters": {"order": "id"},
                    "timeout": "2.5s",
                    "tls": {"truststore": "truststores/partners"},
                },
            },
            "rest": {
                "method": "ANY",
                "path": "/{proxy+}",
                "http_proxy": {"uri": "http://backend.example/{proxy}"},
            },
        }.items():
            made = self.api("Apis/CreateRoute", parent="apis/orders", route_id=name, route=route)
            self.assertEqual(made["path"], route["path"])
        refused = self.refuse(
            "STAGE_VARIABLE_MISSING",
            "Apis/CreateDeployment",
            parent="apis/orders",
            stage="apis/orders/stages/prod",
            create_stage=True,
        )
        self.assertIn("stage.variables", refused.violations)
        self.api(
            "Apis/CreateStage",
            parent="apis/orders",
            stage_id="prod",
            stage={"variables": {"host": "backend.example:8443"}},
        )
        first = self.api(
            "Apis/CreateDeployment",
            parent="apis/orders",
            deployment={"description": "the first"},
            stage="apis/orders/stages/prod",
        )
        self.assertEqual(first["route_count"], 3)
        self.assertEqual(
            [route["name"].split("/")[-1] for route in first["routes"]], ["one", "list", "rest"]
        )
        self.assertEqual(first["stages"], ["apis/orders/stages/prod"])

        mapping = self.api(
            "ApiMappings/CreateApiMapping",
            parent="domainNames/api.example.com",
            api_mapping_id="partners",
            api_mapping={"base_path": "partners/v2", "stage": "apis/orders/stages/prod"},
        )
        self.assertEqual(self.condition(mapping, "Ready"), "STATUS_TRUE")
        self.assertEqual(
            self.api("ApiMappings/ListApiMappings", parent="domainNames/-")["api_mappings"],
            [mapping],
        )
        # All of it is in use.
        for method, name, used_by in (
            ("Truststores/DeleteTruststore", "truststores/partners", None),
            ("ServerCertificates/DeleteServerCertificate", "serverCertificates/api",
             "domainNames/api.example.com"),
            ("Apis/DeleteApi", "apis/orders", mapping["name"]),
            ("Apis/DeleteStage", "apis/orders/stages/prod", mapping["name"]),
            ("Apis/DeleteDeployment", first["name"], "apis/orders/stages/prod"),
            ("DomainNames/DeleteDomainName", "domainNames/api.example.com", mapping["name"]),
        ):
            refused = self.refuse("RESOURCE_IN_USE", method, name=name)
            if used_by:
                self.assertEqual(refused.metadata["used_by"], used_by)

        # Another deployment, and back.
        self.api("Apis/DeleteRoute", name="apis/orders/routes/rest")
        second = self.api(
            "Apis/CreateDeployment", parent="apis/orders", stage="apis/orders/stages/prod"
        )
        stage = self.api("Apis/RollbackStage", name="apis/orders/stages/prod")
        self.assertEqual(stage["deployment"], first["name"])
        self.assertEqual(stage["previous_deployment"], second["name"])
        names = [
            deployment["name"]
            for deployment in self.api("Apis/ListDeployments", parent="apis/orders")["deployments"]
        ]
        self.assertEqual(names, [second["name"], first["name"]])

        # Everything is there after a restart.
        self.stop(self.daemon)
        self.api = self.start()
        self.assertEqual(
            self.api("DomainNames/GetDomainName", name=domain["name"])["etag"], domain["etag"]
        )
        self.assertEqual(
            self.api("Apis/GetDeployment", name=first["name"])["routes"], first["routes"]
        )
        # And goes when it is told to.
        self.api("DomainNames/DeleteDomainName", name=domain["name"], force=True)
        self.api("Apis/DeleteApi", name="apis/orders")
        self.api("Truststores/DeleteTruststore", name="truststores/partners")
        self.api("ServerCertificates/DeleteServerCertificate", name="serverCertificates/api")
        newest = self.api("AuditLog/ListAuditEntries", page_size=4)["audit_entries"]
        self.assertEqual(
            [change["resource"] for change in newest[3]["changes"]],
            [mapping["name"], domain["name"]],
        )
        self.assertEqual(newest[3]["overrides"], ["force"])

    def condition(self, resource, kind):
        return next(c["status"] for c in resource["conditions"] if c["type"] == kind)

    def test_says_all_that_is_wrong_with_a_domain(self):
        refused = self.refuse(
            "FIELDS_INVALID",
            "DomainNames/CreateDomainName",
            domain_name_id="API.example.com",
            domain_name={
                "endpoint_type": "PRIVATE",
                "security_policy": "TLS_1_0",
                "labels": {"Not A Key": "x"},
                "mutual_tls": {
                    "rejection": "FORBIDDEN",
                    "bad_request": {"body": "x"},
                    "allow": {"san_ip": {"ranges": ["10.0.0.0/99"]}},
                    "end_streams_after": "90000s",
                    "limits": {"max_chain_length": 11},
                    "paths": [{"prefix": "no-slash"}],
                },
            },
        )
        for field in (
            "domain_name_id",
            "domain_name.server_certificate",
            "domain_name.endpoint_type",
            "domain_name.security_policy",
            'domain_name.labels["Not A Key"]',
            "domain_name.mutual_tls.truststores",
            "domain_name.mutual_tls.bad_request",
            "domain_name.mutual_tls.allow.san_ip.ranges[0]",
            "domain_name.mutual_tls.end_streams_after",
            "domain_name.mutual_tls.limits.max_chain_length",
            "domain_name.mutual_tls.paths[0].prefix",
        ):
            self.assertIn(field, refused.violations)
        # Names that are none, and rules that say nothing, are seen first.
        refused = self.refuse(
            "FIELDS_INVALID",
            "DomainNames/CreateDomainName",
            domain_name_id="a.example.com",
            domain_name={
                "server_certificate": "truststores/x",
                "fleets": [""],
                "mutual_tls": {
                    "truststores": [{"truststore": "x", "version": "truststores/a/versions/0"}],
                    "allow": {"any": {"rules": [{}]}},
                    "client_certificate": "NOT_ASKED",
                },
            },
        )
        self.assertEqual(
            set(refused.violations),
            {
                "domain_name.server_certificate",
                "domain_name.fleets[0]",
                "domain_name.mutual_tls.truststores[0].truststore",
                "domain_name.mutual_tls.truststores[0].version",
                "domain_name.mutual_tls.allow.any.rules[0]",
                "domain_name.mutual_tls.client_certificate",
            },
        )

    def test_refuses_a_subject_from_another_issuer(self):
        self.certificate("api", "api.example.com", issuer=self.issuer)
        self.certificate("other", "api.example.com", "b.example.com", issuer=self.other_issuer)
        self.truststore("partners")
        mutual_tls = {"truststores": [{"truststore": "truststores/partners"}]}
        self.api(
            "DomainNames/CreateDomainName",
            domain_name_id="api.example.com",
            domain_name={"server_certificate": "serverCertificates/api", "mutual_tls": mutual_tls},
        )
        request = {
            "domain_name_id": "b.example.com",
            "domain_name": {
                "server_certificate": "serverCertificates/other",
                "mutual_tls": mutual_tls,
            },
        }
        refused = self.refuse(
            "CERTIFICATE_ISSUER_CONFLICT", "DomainNames/CreateDomainName", **request
        )
        self.assertEqual(
            refused.message,
            "The certificate subject CN=api.example.com conflicts with an existing certificate "
            "from a different issuer.",
        )
        self.assertEqual(refused.metadata["subject"], "CN=api.example.com")
        # Whoever reaches the loopback interface is an admin here.
        self.api("DomainNames/CreateDomainName", override_issuer_conflict=True, **request)
        entry = self.api("AuditLog/ListAuditEntries", page_size=1)["audit_entries"][0]
        self.assertEqual(entry["overrides"], ["override_issuer_conflict"])

    def test_leaves_out_of_the_audit_log_what_is_too_large_for_it(self):
        self.certificate("api", "api.example.com", issuer=self.issuer)
        self.truststore("partners")
        hosts = [f"a-host-of-some-length-{i}.example" for i in range(100)]
        request = {
            "domain_name_id": "api.example.com",
            "domain_name": {
                "server_certificate": "serverCertificates/api",
                "mutual_tls": {
                    "truststores": [{"truststore": "truststores/partners"}],
                    "paths": [
                        {"exact": f"/{i}", "allow": {"san_dns": {"patterns": hosts}}}
                        for i in range(200)
                    ],
                },
            },
        }
        self.api("DomainNames/CreateDomainName", **request)
        entry = self.api("AuditLog/ListAuditEntries", page_size=1)["audit_entries"][0]
        after = json.loads(entry["changes"][0]["after_json"])
        self.assertEqual(after["name"], "domainNames/api.example.com")
        self.assertGreater(after["omitted_bytes"], 500000)

    def test_asks_for_proof_of_ownership_where_it_is_told_to(self):
        self.certificate("api", "api.example.com", issuer=self.issuer)
        self.certificate("proof", "api.example.com", issuer=self.other_issuer)
        self.truststore("partners")
        self.stop(self.daemon)
        self.api = self.start("--ownership-verification", "required")
        domain_name = {
            "server_certificate": "serverCertificates/api",
            "mutual_tls": {"truststores": [{"truststore": "truststores/partners"}]},
        }
        self.refuse(
            "OWNERSHIP_CERTIFICATE_REQUIRED",
            "DomainNames/CreateDomainName",
            domain_name_id="api.example.com",
            domain_name=domain_name,
        )
        # What is imported itself proves nothing.
        self.refuse(
            "OWNERSHIP_CERTIFICATE_NOT_ISSUED",
            "DomainNames/CreateDomainName",
            domain_name_id="api.example.com",
            domain_name={
                **domain_name,
                "ownership_verification_certificate": "serverCertificates/proof",
            },
        )
        self.api(
            "DomainNames/CreateDomainName",
            domain_name_id="api.example.com",
            domain_name={"server_certificate": "serverCertificates/api"},
        )

    def test_changes_one_field_of_mutual_tls(self):
        self.certificate("api", "api.example.com", issuer=self.issuer)
        self.truststore("partners")
        name = "domainNames/api.example.com"
        self.api(
            "DomainNames/CreateDomainName",
            domain_name_id="api.example.com",
            domain_name={
                "server_certificate": "serverCertificates/api",
                "mutual_tls": {
                    "truststores": [{"truststore": "truststores/partners"}],
                    "allow": {"san_dns": {"patterns": ["a.example"]}},
                },
            },
        )
        # Without a mask, the fields that are set.
        domain = self.api(
            "DomainNames/UpdateDomainName",
            domain_name={
                "name": name,
                "mutual_tls": {
                    "rejection": "HANDSHAKE",
                    "allow": {"any": {"rules": [{"san_dns": {"patterns": ["b.example"]}}]}},
                },
            },
        )
        self.assertEqual(domain["mutual_tls"]["rejection"], "HANDSHAKE")
        self.assertEqual(len(domain["mutual_tls"]["truststores"]), 1)
        self.assertEqual(
            domain["mutual_tls"]["allow"]["any"]["rules"][0]["san_dns"]["patterns"], ["b.example"]
        )
        domain = self.api(
            "DomainNames/UpdateDomainName",
            domain_name={"name": name},
            update_mask="mutual_tls.allow",
        )
        self.assertNotIn("allow", domain["mutual_tls"])
        self.assertEqual(len(domain["mutual_tls"]["truststores"]), 1)
        stale = domain["etag"]
        domain = self.api(
            "DomainNames/UpdateDomainName",
            domain_name={"name": name, "etag": stale},
            update_mask="mutual_tls",
        )
        self.assertNotIn("mutual_tls", domain)
        self.refuse(
            "ETAG_MISMATCH",
            "DomainNames/UpdateDomainName",
            domain_name={"name": name, "etag": stale, "description": "x"},
        )
        self.refuse(
            "FIELD_UNKNOWN",
            "DomainNames/UpdateDomainName",
            domain_name={"name": name},
            update_mask="mutualTls.allow,nothing",
        )

    def test_says_all_that_is_wrong_with_routes_stages_and_mappings(self):
        self.refuse("RESOURCE_NOT_FOUND", "Apis/ListRoutes", parent="apis/none")
        self.refuse("NAME_MALFORMED", "Apis/GetApi", name="apis/Not_an_id")
        self.refuse("NAME_MALFORMED", "Apis/ListDeployments", parent="apis/-")
        self.api("Apis/CreateApi", api_id="orders", api={})
        refused = self.refuse(
            "FIELDS_INVALID",
            "Apis/CreateRoute",
            parent="apis/orders",
            route_id="R",
            route={
                "method": "GET",
                "path": "/a/{b",
                "http_proxy": {
                    "uri": "http://user:secret@host/",
                    "timeout": "301s",
                    "tls": {"server_name": "x"},
                },
            },
        )
        self.assertEqual(
            set(refused.violations) & {
                "route_id", "route.path", "route.http_proxy.uri", "route.http_proxy.timeout"
            },
            {"route_id", "route.path", "route.http_proxy.uri", "route.http_proxy.timeout"},
        )
        self.assertNotIn("secret", str(refused))
        mock = {"method": "GET", "path": "/{a}", "mock": {}}
        self.api("Apis/CreateRoute", parent="apis/orders", route_id="a", route=mock)
        refused = self.refuse(
            "ROUTE_TAKEN",
            "Apis/CreateRoute",
            parent="apis/orders",
            route={"method": "GET", "path": "/{b}", "mock": {}},
        )
        self.assertEqual(refused.metadata["resource"], "apis/orders/routes/a")
        self.refuse(
            "FOREIGN_DEPLOYMENT",
            "Apis/CreateStage",
            parent="apis/orders",
            stage_id="prod",
            stage={"deployment": "apis/other/deployments/d"},
        )
        self.refuse(
            "REFERENCE_NOT_FOUND",
            "Apis/CreateStage",
            parent="apis/orders",
            stage_id="prod",
            stage={"client_certificate": "clientCertificates/none"},
        )
        self.refuse(
            "RESOURCE_NOT_FOUND",
            "ApiMappings/CreateApiMapping",
            parent="domainNames/none.example.com",
            api_mapping={"stage": "apis/orders/stages/prod"},
        )
        self.refuse(
            "BASE_PATH_INVALID",
            "ApiMappings/CreateApiMapping",
            parent="domainNames/none.example.com",
            api_mapping={"base_path": "a/../b", "stage": "apis/orders/stages/prod"},
        )
        self.refuse("FIELD_REQUIRED", "Apis/TestInvokeRoute", route="apis/orders/routes/a")

    def test_presents_a_client_certificate_that_then_stays(self):
        self.api("Apis/CreateApi", api_id="orders", api={})
        made = self.api(
            "ClientCertificates/GenerateClientCertificate", client_certificate_id="backend"
        )
        stage = self.api(
            "Apis/CreateStage",
            parent="apis/orders",
            stage_id="prod",
            stage={"client_certificate": made["name"]},
        )
        self.assertEqual(stage["client_certificate"], "clientCertificates/backend")
        self.refuse(
            "RESOURCE_IN_USE",
            "ClientCertificates/DeleteClientCertificate",
            name=made["name"],
        )
        self.api(
            "Apis/UpdateStage",
            stage={"name": stage["name"]},
            update_mask="client_certificate",
        )
        self.api("ClientCertificates/DeleteClientCertificate", name=made["name"])

    def test_repeats_its_answer_to_a_repeated_request(self):
        uuid = "123e4567-e89b-12d3-a456-426614174000"
        first = self.api("Apis/CreateApi", api={"display_name": "A"}, request_id=uuid)
        self.assertEqual(
            self.api("Apis/CreateApi", api={"display_name": "A"}, request_id=uuid), first
        )
        self.refuse(
            "REQUEST_ID_REUSED", "Apis/CreateApi", api={"display_name": "B"}, request_id=uuid
        )
        self.assertEqual(len(self.api("Apis/ListApis")["apis"]), 1)
        wanted = self.api("Apis/CreateApi", api_id="b", api={}, validate_only=True)
        self.assertEqual(wanted["name"], "apis/b")
        self.refuse("RESOURCE_NOT_FOUND", "Apis/GetApi", name="apis/b")


if __name__ == "__main__":
    unittest.main()
