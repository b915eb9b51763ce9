"""What the examples' READMEs and docs/ promise, with the files as they are
shipped and the YAML as it is printed.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import textwrap
import unittest

import gateway
from harness import backend
from harness import client
from harness import envoy
from harness import files
from harness import paths
from harness import wait

EXAMPLES = paths.repository() / "examples"
DOCS = paths.repository() / "docs"
HTTP, TCP = "api.example.com", "db.example.com"


def blocks(document, kind="yaml"):
    """The code blocks of a document that are marked with `kind`."""
    text = (DOCS / document).read_text(encoding="utf-8")
    return re.findall(r"^```%s\n(.*?)^```$" % kind, text, re.M | re.S)


def replace(text, old, new):
    if text.count(old) != 1:
        raise AssertionError("%r is there %d times" % (old, text.count(old)))
    return text.replace(old, new)


def section(text, name):
    """The lines of a list in static_resources."""
    return re.search(r"^  %s:\n(.*?)(?=^  \w|\Z)" % name, text, re.M | re.S).group(1)


class ExamplesTest(unittest.TestCase):
    """One folder with both examples, certificates and backends."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        temporary = gateway.scratch_folder()
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = pathlib.Path(temporary.name)
        cls.people = gateway.People(cls.folder / "people")
        cls.server = cls.people.workshop.server("server", [HTTP, TCP])
        cls.backend = backend.Backend().start()
        cls.addClassCleanup(cls.backend.stop)
        cls.database = subprocess.Popen(
            [sys.executable, "-B", str(EXAMPLES / "tcp" / "keyvalue_server.py")],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
        )
        cls.addClassCleanup(cls.end_database)
        cls.database_port = int(cls.database.stdout.readline())

    @classmethod
    def end_database(cls):
        cls.database.kill()
        cls.database.wait()
        cls.database.stdout.close()

    def copy(self, name, example="static-envoy", installed="/etc/sallyport/"):
        """The example as its README says, in a folder of its own; returns it."""
        folder = self.folder / name
        shutil.copytree(EXAMPLES / example, folder)
        for path in folder.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        ports = {"listener": 0, "admin": 0, "backend": self.backend.port}
        if example == "tcp":
            ports["backend"] = self.database_port
        for path in folder.rglob("*.yaml"):
            text = path.read_text(encoding="utf-8")
            self.assertIn(installed, text)
            text = text.replace(installed, str(folder) + "/")
            if path.name == "envoy.yaml":
                for what, port in ports.items():
                    text, count = re.subn(
                        r"port_value: \d+(\}+  # %s port)\n" % what,
                        r"port_value: %d\1\n" % port, text,
                    )
                    self.assertEqual(count, 1, what)
            path.write_text(text, encoding="utf-8")
        for part in ("certs", "trust"):
            (folder / part).mkdir()
        shutil.copy(self.server.certificate, folder / "certs" / "server.pem")
        shutil.copy(self.server.key, folder / "certs" / "server.key")
        (folder / "trust" / "truststore.pem").write_text(
            self.people.truststore(), encoding="ascii"
        )
        return folder

    def edit(self, path, *changes):
        text = path.read_text(encoding="utf-8")
        for old, new in changes:
            text = replace(text, old, new)
        path.write_text(text, encoding="utf-8")

    def value(self, path, text):
        """Puts `text` in place of the module's configuration in a file of the
        example, which has one."""
        whole = path.read_text(encoding="utf-8")
        match = re.search(r"^( *)value:\n((?:\1  .*\n|\n)+)", whole, re.M)
        indented = textwrap.indent(text, match.group(1) + "  ")
        path.write_text(
            whole[: match.start(2)] + indented + whole[match.end(2):], encoding="utf-8"
        )

    def start(self, folder, **options):
        started = envoy.Envoy(folder / "envoy.yaml", folder, **options)
        started.access_log_path = started.log_path
        self.addCleanup(started.stop)
        return started.start()

    def get(self, started, identity, **options):
        return client.request(
            started.port("https"), self.server.certificate, identity, **options
        )

    def becomes(self, started, identity, status, what):
        wait.until(lambda: self.get(started, identity).status == status, what)

    def log_of(self, started, path):
        return started.wait_for_access_log(
            lambda e: e["kind"] == "request" and e["path"] == path, "the log of " + path
        )

    def greeting(self, started, identity):
        """What the database says first; "" when the connection is closed."""
        context = client.tls_context(self.server.certificate, identity)
        context.set_alpn_protocols([])
        try:
            with client.Connection(
                started.port("tcp"), server_name=TCP, context=context
            ) as connection:
                return connection.socket.recv(100).decode()
        except (client.Refused, OSError):
            return ""


class Emergency(ExamplesTest):
    """The deny list of the examples, by what their logs print."""

    def sallyportctl(self, folder, identity, deny):
        return subprocess.run(
            [
                os.environ["SALLYPORTCTL"], "verify",
                "--truststore", str(folder / "trust" / "truststore.pem"),
                "--chain", str(identity.chain), "--deny", str(deny),
            ],
            stdout=subprocess.PIPE, text=True, check=False,
        ).stdout

    def test_by_what_the_access_log_says(self):
        folder = self.copy("emergency")
        odd = self.people.workshop.authority(
            "odd", "/C=FR/O=Café\\, Fils/emailAddress=ca@example.org/serialNumber=7/CN=Odd+OU=CA"
        )
        clients = [self.people.direct, self.people.workshop.client("guest", "/CN=guest", odd)]
        (folder / "trust" / "truststore.pem").write_text(
            self.people.truststore() + odd.pem(), encoding="ascii"
        )
        started = self.start(folder)
        for number, identity in enumerate(clients):
            self.assertEqual(self.get(started, identity, path="/%d" % number).status, 200)
            log = self.log_of(started, "/%d" % number)
            by_issuer = {"issuer": log["issuer"], "serial": log["serial"]}
            reverse = dict(by_issuer, issuer=",".join(reversed(log["issuer"].split(","))))
            for entry, verdict in (
                ({"issuer_and_serial": [reverse]}, "trusted\n"),
                ({"issuer_and_serial": [by_issuer]}, "untrusted: REVOKED"),
                ({"certificate_sha256": [log["fingerprint"]]}, "untrusted: REVOKED"),
            ):
                if "\\" in log["issuer"] and entry.get("issuer_and_serial") == [reverse]:
                    continue  # a comma in a name: not reversed so simply
                with self.subTest(entry=entry):
                    new = folder / ".deny"
                    new.write_text(json.dumps(entry), encoding="utf-8")
                    said = self.sallyportctl(folder, identity, new)
                    self.assertTrue(said.startswith(verdict), said)
                    length = len(started.log())
                    os.replace(new, folder / "deny.json")
                    if verdict == "trusted\n":
                        started.wait_for_log(r"deny\.json", length)
                        self.assertEqual(self.get(started, identity).status, 200)
                    else:
                        self.becomes(started, identity, 403, "it is denied")
                    files.move_into_place(folder / "deny.json", "{}")
                    self.becomes(started, identity, 200, "it is allowed again")


class Sessions(ExamplesTest):
    def test_strangers_leave_no_sessions_behind(self):
        """A session that the proxy keeps has the client's whole chain in it."""
        started = self.start(self.copy("sessions"))
        for who in (self.people.stranger, self.people.partner):
            for tickets in (False, True):
                with self.subTest(who=who.subject(), tickets=tickets):
                    context = client.tls_context(
                        self.server.certificate, who, "1.2", tickets=tickets
                    )
                    options = {"server_name": HTTP, "context": context}
                    with client.Connection(started.port("https"), **options) as first:
                        first.request()
                        session = first.session
                    with client.Connection(
                        started.port("https"), session=session, **options
                    ) as again:
                        self.assertEqual(again.session_reused, tickets)


class FirstStart(ExamplesTest):
    def failure(self, started):
        known = len(started.access_log())
        with self.assertRaises(client.Refused):
            self.get(started, self.people.partner)
        return started.wait_for_access_log(
            lambda e: e in started.access_log()[known:] and e["kind"] == "connection",
            "the connection's line",
        )["failure"]

    def test_a_refused_sds_file(self):
        folder = self.copy("first")
        truststore = folder / "trust" / "truststore.pem"
        text = truststore.read_text(encoding="ascii")
        truststore.unlink()
        started = self.start(folder)  # it is ready all the same
        self.assertIn("Secret_is_not_supplied_by_SDS", self.failure(started))
        truststore.write_text(text, encoding="ascii")
        sds = folder / "sds" / "client_trust.yaml"
        before = started.stats("sds.client_trust.update_success")
        files.move_into_place(sds, sds.read_text(encoding="utf-8"))
        wait.until(
            lambda: started.stats("sds.client_trust.update_success") != before, "a success"
        )
        self.assertIn("Secret_is_not_supplied_by_SDS", self.failure(started))
        files.move_into_place(
            sds, replace(sds.read_text(encoding="utf-8"), 'version: "1"', 'version: "2"')
        )
        started.wait_for_log(
            r"domain api\.example\.com trusts partners@2 \(\d+ certificates, complete-chain\); "
            r"denies 0 entries"
        )
        self.becomes(started, self.people.partner, 200, "the mended file")

    def test_the_wrong_domain(self):
        for file, status in (("envoy.yaml", 421), ("sds/client_trust.yaml", 403)):
            with self.subTest(file=file):
                folder = self.copy("wrong-" + file.replace("/", "-"))
                self.edit(
                    folder / file, (" domain: api.example.com\n", " domain: other.example.com\n")
                )
                self.assertEqual(
                    self.get(self.start(folder), self.people.partner).status, status
                )

    def test_the_command_that_changes_the_domain(self):
        for example, installed in (("static-envoy", "/etc/sallyport/"),
                                   ("tcp", "/etc/sallyport-tcp/")):
            with self.subTest(example=example):
                folder = self.copy("domain-" + example, example, installed)
                readme = (EXAMPLES / example / "README.md").read_text(encoding="utf-8")
                command = re.search(r"^sed -i .*$", readme, re.M).group(0)
                self.assertIn("YOUR.DOMAIN", command)
                command = command.replace("YOUR.DOMAIN", "new.test")
                subprocess.run(
                    ["bash", "-c", command.replace(installed, str(folder) + "/")], check=True
                )
                for path in folder.rglob("*.yaml"):
                    text = path.read_text(encoding="utf-8")
                    self.assertNotRegex(text, r"(api|db)\.example\.com")
                    self.assertIn("new.test", text)


class Kubernetes(ExamplesTest):
    def test_an_sds_file_in_a_volume(self):
        folder = self.copy("volume")
        sds = folder / "sds"
        text = (sds / "client_trust.yaml").read_text(encoding="utf-8")
        for number, version in (("1", "1"), ("2", "next")):
            (sds / ("..%s" % number)).mkdir()
            (sds / ("..%s" % number) / "client_trust.yaml").write_text(
                replace(text, 'version: "1"', 'version: "%s"' % version), encoding="utf-8"
            )
        (sds / "client_trust.yaml").unlink()
        (sds / "..data").symlink_to("..1")
        (sds / "client_trust.yaml").symlink_to("..data/client_trust.yaml")
        self.edit(
            folder / "envoy.yaml",
            (
                "{path: %s/client_trust.yaml}" % sds,
                "{path: %s/client_trust.yaml, watched_directory: {path: %s}}" % (sds, sds),
            ),
        )
        started = self.start(folder)
        self.assertEqual(self.get(started, self.people.partner).status, 200)
        (sds / "..data_tmp").symlink_to("..2")
        os.replace(sds / "..data_tmp", sds / "..data")
        started.wait_for_log("trusts partners@next")


class Logs(ExamplesTest):
    def test_the_truststore_and_the_debug_lines(self):
        folder = self.copy("logs")
        self.edit(
            folder / "envoy.yaml",
            (
                '                  subject: "%DOWNSTREAM_PEER_SUBJECT%"\n',
                '                  subject: "%DOWNSTREAM_PEER_SUBJECT%"\n'
                '                  certificate: "%DOWNSTREAM_PEER_CERT%"\n',
            ),
        )
        started = self.start(folder)
        context = client.tls_context(self.server.certificate, self.people.partner, "1.2")

        def call(path, **options):
            with client.Connection(
                started.port("https"), server_name=HTTP, context=context, **options
            ) as connection:
                self.assertEqual(connection.request(path).status, 200)
                return connection.session_reused, connection.session

        _, session = call("/full")
        reused, _ = call("/resumed", session=session)
        self.assertTrue(reused)
        said = {p: self.log_of(started, p) for p in ("/full", "/resumed")}
        self.assertEqual(
            [(said[p]["truststore"], said[p]["handshake_truststore"]) for p in said],
            [(None, "partners@1"), ("partners@1", None)],
        )
        for log in said.values():
            self.assertEqual(log["fingerprint"], self.people.partner.fingerprint())
        # The way to client.pem.
        readme = (paths.repository() / "README.md").read_text(encoding="utf-8")
        command = re.search(r"`(python3 -c .*) < FILE > client.pem`", readme).group(1)
        done = subprocess.run(
            ["bash", "-c", command], input=said["/resumed"]["certificate"],
            stdout=subprocess.PIPE, text=True, check=True,
        )
        self.assertEqual(done.stdout.strip(), self.people.partner.pem().strip())

        length = len(started.log())
        started.admin("/logging?dynamic_modules=debug", method="POST")
        self.get(started, self.people.partner)
        started.wait_for_log(
            r'\[debug\].*sallyport: handshake for api\.example\.com: TRUSTED, '
            r'client "[^"]+", path "', length,
        )

        # After an update, which truststore vouches now.
        with client.Connection(
            started.port("https"), server_name=HTTP, context=context
        ) as connection:
            connection.request()
            sds = folder / "sds" / "client_trust.yaml"
            files.move_into_place(
                sds, replace(sds.read_text(encoding="utf-8"), 'version: "1"', 'version: "2"')
            )
            started.wait_for_log("trusts partners@2")
            connection.request("/after")
        log = self.log_of(started, "/after")
        self.assertEqual(
            (log["truststore"], log["handshake_truststore"]), ("partners@2", "partners@1")
        )


class BothInOne(ExamplesTest):
    """One Envoy with the HTTP and the TCP example."""

    def test_as_docs_tcp_says(self):
        folder = self.copy("both")
        tcp = self.copy("both-tcp", "tcp", "/etc/sallyport-tcp/")
        other = (tcp / "envoy.yaml").read_text(encoding="utf-8")
        path = folder / "envoy.yaml"
        text = path.read_text(encoding="utf-8")
        for name in ("listeners", "clusters"):
            text = replace(text, "\n  %s:\n" % name, "\n  %s:\n%s" % (name, section(other, name)))
        stats = re.search(r"^stats_config:\n(?:  .*\n)+", other, re.M).group(0)
        path.write_text(stats + text, encoding="utf-8")
        started = self.start(folder)
        self.assertEqual(self.get(started, self.people.partner).status, 200)
        self.assertIn("+READY", self.greeting(started, self.people.partner))
        self.assertEqual(self.greeting(started, self.people.stranger), "")
        self.assertEqual(
            started.counter("mtls_tcp_denied", sallyport_reason="UNTRUSTED_ISSUER"), 1
        )
        # The TCP example's emergency path.
        files.move_into_place(
            tcp / "deny.json",
            json.dumps({"certificate_sha256": [self.people.partner.fingerprint()]}),
        )
        wait.until(
            lambda: self.greeting(started, self.people.partner) == "", "it is denied"
        )
        self.assertEqual(self.get(started, self.people.partner).status, 200)


class Documents(ExamplesTest):
    """The YAML of docs/, put where it says."""

    def test_the_header_by_envoy(self):
        (block,) = [b for b in blocks("tcp.md") if "proxy_protocol_tlvs" in b]
        _, proxy, cluster = re.split(r"^# (?:tcp_proxy|the cluster):\n", block, flags=re.M)
        folder = self.copy("filter-state", "tcp", "/etc/sallyport-tcp/")
        self.edit(
            folder / "envoy.yaml",
            ("proxy_protocol: {}", "proxy_protocol: {carrier: FILTER_STATE}"),
            (
                "          max_early_data_bytes: 65536\n",
                textwrap.indent(proxy, " " * 10),
            ),
            ("  - name: database\n", "  - name: database\n" + textwrap.indent(cluster, " " * 4)),
        )
        started = self.start(folder)
        self.assertIn("+READY", self.greeting(started, self.people.partner))

    def test_revocation(self):
        lists, deny, shadow = blocks("revocation.md")
        crl = self.people.workshop.revocation_list("crl", self.people.root)
        folder = self.copy("revocation")
        (folder / "issuing-ca.crl").write_text(crl, encoding="ascii")
        shutil.copy(folder / "trust" / "truststore.pem", folder / "trust" / "truststore-next.pem")
        lists = replace(lists, '  - inline_pem: "..."\n', "")
        deny = deny.replace('"..."', '"%s"' % ("ab" * 32))
        text = "domain: api.example.com\n" + lists + deny + shadow
        self.value(
            folder / "sds" / "client_trust.yaml",
            text.replace("/etc/sallyport/", str(folder) + "/"),
        )
        started = self.start(folder)
        started.wait_for_log(
            r"trusts partners \(\d+ certificates, complete-chain, revocation lists with 0 "
            r"entries\); denies 3 entries; shadow: next \(\d+ certificates, complete-chain\); "
            r"denies 0 entries"
        )
        self.assertEqual(self.get(started, self.people.partner).status, 200)

    def test_a_route(self):
        (block,) = [b for b in blocks("client-rules.md") if "PerRoute" in b]
        folder = self.copy("route")
        self.edit(
            folder / "envoy.yaml",
            (
                '              routes:\n              - match: {prefix: "/"}\n'
                "                route: {cluster: backend}\n",
                textwrap.indent(replace(block, "cluster: billing", "cluster: backend"), " " * 14),
            ),
        )
        started = self.start(folder)
        self.assertEqual(self.get(started, self.people.partner, path="/x").status, 200)
        self.assertEqual(self.get(started, self.people.partner, path="/billing").status, 403)

    def test_from_ingress_nginx(self):
        document = "migrate-from-ingress-nginx.md"
        (validator,), (http_filter,) = (
            blocks(document, "yaml " + kind) for kind in ("validator", "filter")
        )
        folder = self.copy("nginx")
        self.value(
            folder / "sds" / "client_trust.yaml",
            validator.replace("/etc/sallyport/", str(folder) + "/"),
        )
        self.value(folder / "envoy.yaml", http_filter)
        self.edit(
            folder / "envoy.yaml",
            ("require_client_certificate: true", "require_client_certificate: false"),
        )
        # An intermediate that only the client has, and four certificates.
        workshop = self.people.workshop
        billing = workshop.client(
            "billing", "/CN=billing", self.people.absent_issuing, send=[self.people.absent_issuing]
        )
        further = workshop.authority("further", "/CN=Further CA", self.people.absent_issuing)
        reports = workshop.client(
            "reports", "/CN=reports", further, send=[further, self.people.absent_issuing]
        )
        last = workshop.authority("last", "/CN=Last CA", further)
        too_long = workshop.client(
            "too_long", "/CN=billing", last, send=[last, further, self.people.absent_issuing]
        )
        started = self.start(folder)
        for identity in (billing, reports):
            response = self.get(started, identity)
            self.assertEqual(response.status, 200)
            self.assertEqual(response.received().header("ssl-client-verify"), "SUCCESS")
            self.assertTrue(
                response.received().header("ssl-client-cert").startswith("-----BEGIN%20")
            )
        for identity in (None, self.people.stranger, too_long):
            response = self.get(started, identity)
            self.assertEqual(response.status, 302)
            self.assertEqual(
                response.header("location"), "https://help.example.com/certificates"
            )
        self.assertEqual(self.get(started, self.people.partner).status, 403)

    def test_a_public_part(self):
        (example,) = [b for b in blocks("client-rules.md", "json") if '"/public"' in b]
        folder = self.copy("public")
        config = {"domain": HTTP, **json.loads(example)}
        self.value(folder / "envoy.yaml", json.dumps(config) + "\n")
        self.edit(
            folder / "envoy.yaml",
            ("require_client_certificate: true", "require_client_certificate: false"),
        )
        admin = self.people.workshop.client(
            "admin", "/CN=admin", self.people.root,
            sans="URI:spiffe://prod.example.com/ns/admin/sa/a",
        )
        started = self.start(folder)
        for identity, wanted in (
            (None, {"/public/x": 200, "/": 403, "/admin": 403}),
            (self.people.stranger, {"/public/x": 403, "/": 403, "/admin": 403}),
            (self.people.partner, {"/public/x": 200, "/": 200, "/admin": 403}),
            (admin, {"/public/x": 200, "/": 200, "/admin": 200}),
        ):
            for path, status in wanted.items():
                with self.subTest(identity=identity, path=path):
                    self.assertEqual(self.get(started, identity, path=path).status, status)


if __name__ == "__main__":
    unittest.main()
