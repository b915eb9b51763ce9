"""Client rules and path rules in a real Envoy: each matcher with a client that
it is meant for, and with clients that a CA of the truststore issued and that
would like to be taken for it."""

import base64
import hashlib
import unittest
import urllib.parse

import gateway
from harness import certificates
from harness import client

ID = "spiffe://prod.example.org/ns/payments/sa/seven"
SUBJECT = "/C=US/O=Example, Inc/OU=eu/OU=payments/CN=seven"
SANS = "DNS:seven.eu.example.org,URI:%s,email:Ops@example.org,IP:10.20.30.40" % ID
SERIAL_OF_NOBODY = "0102030405060708"


def der(tag, contents):
    """One DER element of less than 128 bytes."""
    return bytes((tag, len(contents))) + contents


def names(*pairs):
    """subjectAltName of (tag, bytes), for what OpenSSL would not write."""
    return "DER:" + der(0x30, b"".join(der(t, c) for t, c in pairs)).hex()


DNS, URI, EMAIL, IP = 0x82, 0x86, 0x81, 0x87
# Clients that nearly have what `seven` has. What a rule says of a name that it
# cannot read is no, also inside `none`.
PRETENDERS = {
    "nul": names((DNS, b"seven.eu.example.org\0.evil.org")),
    "nul_after": names((DNS, b"seven.eu.example.org\0")),
    "dot": names((DNS, b"seven.eu.example.org.")),
    "star": names((DNS, b"*.eu.example.org")),
    "uri_in_dns": names((DNS, ID.encode())),
    "dns_in_uri": names((URI, b"seven.eu.example.org")),
    "two_ids": names((URI, ID.encode()), (URI, b"spiffe://prod.example.org/x")),
    "dots": names((URI, b"spiffe://prod.example.org/ns/payments/../payments/sa/seven")),
    "escaped": names((URI, ID.replace("seven", "%73even").encode())),
    "other_case": names((URI, ID.replace("prod", "PROD").encode())),
    "trust_domain": names((URI, b"spiffe://prod.example.org.evil.org/ns/payments/sa/seven")),
    "two_ats": names((EMAIL, b"Ops@evil.org@example.org")),
    "quoted": names((EMAIL, b'"Ops"@example.org')),
    "mapped": names((IP, bytes(10) + b"\xff\xff\x0a\x14\x1e\x28")),
}


class Rules(gateway.GatewayTest):
    concurrency = 1

    @classmethod
    def rules(cls):
        """{path: rule that lets `seven` in and nobody else}."""
        seven = cls.seven
        return {
            "/dns": {"san_dns": {"patterns": ["*.EU.example.org"]}},
            "/dns-exact": {"san_dns": {"patterns": ["seven.eu.example.org"]}},
            "/spiffe": {"san_uri": {"spiffe": ["spiffe://prod.example.org/ns/payments/*"]}},
            "/trust-domain": {"san_uri": {"spiffe": ["spiffe://prod.example.org"]}},
            "/uri": {"san_uri": {"exact": [ID]}},
            "/email": {"san_email": {"patterns": ["@example.org"]}},
            "/ip": {"san_ip": {"ranges": ["10.20.0.0/16"]}},
            "/subject": {"subject": {"exact": ["CN=seven,OU=payments,OU=eu,O=Example\\, Inc,C=US"]}},
            "/attributes": {
                "subject": {
                    "attributes": [
                        {"type": "OU", "exact": ["EU"], "ignore_case": True},
                        {"type": "CN", "prefix": ["sev"], "suffix": ["n"]},
                    ]
                }
            },
            "/certificate": {"certificate_sha256": {"sha256": cls.fingerprints}},
            "/key": {"spki_sha256": {"sha256": [cls.key_digest(seven)]}},
            "/serial": {"serial": {"hex": [cls.serial(seven), SERIAL_OF_NOBODY]}},
            "/together": {
                "all": {
                    "rules": [
                        {"issuer": {"exact": ["CN=Root CA,O=Third Party"]}},
                        {"truststore": {"names": ["partners"]}},
                        {
                            "any": {
                                "rules": [
                                    {"san_dns": {"patterns": ["x.example.org"]}},
                                    {"subject": {"attributes": [{"type": "CN", "exact": ["seven"]}]}},
                                ]
                            }
                        },
                        {"none": {"rules": [{"serial": {"hex": [SERIAL_OF_NOBODY]}}]}},
                    ]
                }
            },
        }

    @classmethod
    def domains(cls):
        workshop = cls.people.workshop
        root = cls.people.root
        cls.seven = workshop.client("seven", SUBJECT, root, sans=SANS)
        cls.pretenders = {
            name: workshop.client(
                "pretender_" + name, "/CN=seven.eu.example.org", root, sans=sans, key=cls.seven_key()
            )
            for name, sans in PRETENDERS.items()
        }
        # Everything of `seven` but who signed it: another CA of the truststore.
        cls.others_seven = workshop.client("others_seven", SUBJECT, cls.people.issuing, sans=SANS)
        cls.fingerprints = [
            hashlib.sha256(b"%d" % number).hexdigest() for number in range(100000)
        ]
        cls.fingerprints[77777] = cls.seven.fingerprint().upper()
        everybody = {"issuer": {"attributes": [{"type": "O", "exact": ["Third Party"]}]}}
        cls.paths = paths = [{"exact": path, "allow": rule} for path, rule in cls.rules().items()]
        paths += [
            {"prefix": "/open", "client_certificate": "OPTIONAL"},
            {
                "exact": "/no-evil",
                "allow": {
                    "none": {
                        "rules": [
                            {"san_dns": {"patterns": ["evil.org", "*.evil.org", "a.eu.example.org"]}},
                            {"san_uri": {"spiffe": ["spiffe://evil.org"]}},
                            {"san_email": {"patterns": ["@evil.org"]}},
                            {"san_ip": {"ranges": ["10.20.30.0/24"]}},
                        ]
                    }
                },
            },
        ]
        return [
            cls.domain(
                require_client_certificate=False,
                mutual_tls={
                    "forwarding": {"xfcc": {"subject": True}}, "allow": everybody, "paths": paths,
                },
            )
        ]

    @classmethod
    def seven_key(cls):
        """The pretenders share a key, which is not seven's."""
        if not hasattr(cls, "_key"):
            cls._key = cls.people.workshop.make_key("pretenders")
        return cls._key

    @staticmethod
    def serial(identity):
        text = certificates.run(
            "openssl", "x509", "-in", identity.certificate, "-noout", "-serial"
        )
        return text.strip().partition("=")[2]

    @staticmethod
    def key_digest(identity):
        public = certificates.run(
            "openssl", "x509", "-in", identity.certificate, "-noout", "-pubkey"
        )
        body = "".join(line for line in public.splitlines() if "-----" not in line)
        return hashlib.sha256(base64.b64decode(body)).hexdigest()

    def assert_not_allowed(self, identity, path):
        with self.backend_is_not_reached():
            response, log = self.get_and_log(identity, path=path)
        self.assert_forbidden(response)
        self.assertEqual(log["reason"], "NOT_ALLOWED")
        index = [p.get("exact") for p in self.paths].index(path)
        self.assertIn("paths[%d].allow " % index, log["detail"])

    def test_each_rule_lets_in_the_client_that_it_is_meant_for(self):
        for path in self.rules():
            with self.subTest(path=path):
                self.assert_trusted_as(self.seven, self.get(self.seven, path=path))

    def test_each_rule_refuses_another_trusted_client(self):
        for path in self.rules():
            with self.subTest(path=path):
                self.assert_not_allowed(self.people.direct, path)

    def test_no_rule_takes_a_pretender_for_the_client(self):
        for name, identity in self.pretenders.items():
            with self.connect(identity) as connection:
                for path in self.rules():
                    if (name, path) in (("star", "/dns"), ("two_ids", "/uri")):
                        continue  # these match as documented
                    with self.subTest(pretender=name, path=path), self.backend_is_not_reached():
                        self.assert_forbidden(connection.request(path))

    def test_what_matches_though_it_looks_odd(self):
        self.assertEqual(self.get(self.pretenders["star"], path="/dns").status, 200)
        self.assertEqual(self.get(self.pretenders["two_ids"], path="/uri").status, 200)

    def test_a_host_in_the_path_hides_nothing(self):
        for path in ("//x/dns", "///x/dns", "//x@y:1/dns", "//x/y/../dns", "/.//x/dns"):
            with self.subTest(path=path), self.backend_is_not_reached():
                response, log = self.get_and_log(self.people.direct, path=path)
                self.assert_forbidden(response)
                self.assertEqual(log["reason"], "NOT_ALLOWED")
        self.assertEqual(self.get(self.seven, path="//x/dns").status, 200)
        self.assertEqual(self.get(self.people.direct, path="/x/dns").status, 200)

    def test_characters_that_normalise_to_ascii_hide_nothing(self):
        for path in ("/%EF%BD%84ns", "/dns%E2%80%8B", "/%EF%BC%A4NS.%E5%B9%B4", "/d\u00adns"):
            path = urllib.parse.quote(path, safe="/%")
            with self.subTest(path=path), self.backend_is_not_reached():
                response, log = self.get_and_log(self.people.direct, path=path)
                self.assert_forbidden(response)
                self.assertEqual(log["reason"], "NOT_ALLOWED")
            self.assertEqual(self.get(self.seven, path=path).status, 200)
        for path in ("/caf%C3%A9", "/stra%C3%9Fe", "/%E5%B9%B4/%EF%BC%92"):
            self.assertEqual(self.get(self.people.direct, path=path).status, 200)

    def test_no_header_names_another_path(self):
        forged = (("X-Original-URL", "/dns"), ("X-Rewrite-URL", "/dns"))
        told = self.get(self.people.direct, path="/x", headers=forged).received()
        self.assertEqual([h for h in told.headers if h[1] == "/dns"], [])

    def test_the_signer_is_told_from_the_names(self):
        self.assertEqual(self.get(self.others_seven, path="/subject").status, 200)
        for path in ("/together", "/certificate", "/key", "/serial"):
            with self.subTest(path=path):
                self.assert_not_allowed(self.others_seven, path)

    def test_what_cannot_be_read_does_not_get_past_none(self):
        self.assertEqual(self.get(self.people.direct, path="/no-evil").status, 200)
        unclear = ("nul", "nul_after", "dot", "star", "uri_in_dns", "two_ids", "dots", "escaped",
                   "other_case", "two_ats", "quoted", "mapped")
        for name in unclear:
            with self.subTest(pretender=name):
                self.assert_not_allowed(self.pretenders[name], "/no-evil")
        # An address that the rule names is refused plainly.
        self.assert_not_allowed(self.seven, "/no-evil")
        self.assertEqual(self.get(self.pretenders["trust_domain"], path="/no-evil").status, 200)

    def test_a_rule_asks_for_a_certificate(self):
        with self.backend_is_not_reached():
            response, log = self.get_and_log(None, path="/dns")
        self.assert_forbidden(response)
        self.assertEqual(log["reason"], "NO_CERTIFICATE")

    def test_requests_without_a_plain_path(self):
        host = client.DOMAIN
        cases = (
            ("GET", "https://%s/dns" % host), ("GET", "http://%s//dns" % host),
            ("OPTIONS", "*"), ("CONNECT", host + ":443"), ("GET", "/open/%2f"),
            ("GET", "/open/../dns"), ("GET", "/open/..;/dns"), ("GET", "/open#/dns"),
        )
        for method, path in cases:
            for identity in (None, self.people.direct):
                with self.subTest(method=method, path=path), self.backend_is_not_reached():
                    try:
                        response = self.get(identity, method=method, path=path)
                    except client.Refused:
                        continue
                    self.assertIn(response.status, (400, 403, 404), response)


if __name__ == "__main__":
    unittest.main()
