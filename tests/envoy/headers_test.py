"""What the backend is told about the client, and what a client cannot tell it."""

import base64
import json
import re
import unittest
import urllib.parse

import gateway
from harness import certificates
from harness import client
from harness import http2

# One list, checked by hand against filters/forwarding/known_headers.h: a name
# that vanishes there must be missed here.
KNOWN = (
    "Client-Cert",
    "Client-Cert-Chain",
    "client-cert-present",
    "X-Forwarded-Client-Cert",
    "X-Forwarded-Client-Cert-Chain",
    "X-Amzn-Mtls-Clientcert",
    "X-Amzn-Mtls-Clientcert-Serial-Number",
    "X-Amzn-Mtls-Clientcert-Issuer",
    "X-Amzn-Mtls-Clientcert-Subject",
    "X-Amzn-Mtls-Clientcert-Validity",
    "X-Amzn-Mtls-Clientcert-Leaf",
    "CloudFront-Viewer-Cert-Subject",
    "CloudFront-Viewer-Cert-Present",
    "ssl-client-cert",
    "ssl-client-verify",
    "ssl-client-subject-dn",
    "ssl-client-issuer-dn",
    "SSL-Client-S-DN",
    "X-Forwarded-Tls-Client-Cert",
    "X-Forwarded-Tls-Client-Cert-Info",
    "Cf-Client-Cert-Der-Base64",
    "Cf-Client-Cert-Sha256",
    "X-SSL-Client-Cert",
    "X-SSL-Client-Verify",
    "X-SSL-User-DN",
    "X-SSL-Authenticated",
    "X-WSO2-CLIENT-CERTIFICATE",
    "X-WSO2-Mutual-Auth-Cert",
    "X-Forwarded-Clientcert-subjectdn",
    "X-Forwarded-For-Client-Cert",
    "Proxy-auth-cert",
    "X-Client-SSL-Cert",
    "X-Cert-Subject",
    "X-Mtls-Clientcert",
    "X-SSL-Client-S-DN",
    "X-Client-Cert",
    "X-Client-Cert-Subject",
    "X-ARR-ClientCert",
    "X-Sallyport-Truststore",
    "X-Sallyport-Forwarding",
    "X-Sallyport-Verdict",
    "X-Sallyport-Client-Cert",
    "X-Sallyport-Inbound-Xfcc",
    "X-Operators-Own",
    # What names another Host.
    "Forwarded",
    "X-Forwarded-Host",
    "X-Forwarded-Server",
    "X-Host",
    "X-Original-Host",
    "X-Envoy-Original-Host",
    "X-Http-Host-Override",
)

SPELLINGS = (
    str,
    str.lower,
    str.upper,
    lambda name: name.replace("-", "_"),
    lambda name: name.lower().replace("-", "_", 1),
    lambda name: name.swapcase(),
    lambda name: name.replace("-", "."),
)


def batches(items, size):
    for start in range(0, len(items), size):
        yield items[start:start + size]


class Forged(gateway.GatewayTest):
    server_names = ("api.example.com", "silent.example.com")

    @classmethod
    def domains(cls):
        return [
            cls.domain(
                mutual_tls={
                    "forwarding": {
                        "xfcc": {"subject": True},
                        "rfc9440": {"chain": True},
                        "alb": {},
                        "remove_headers": ["X-Operators-Own"],
                    }
                }
            ),
            cls.domain(
                name="silent.example.com",
                mutual_tls={"forwarding": {"remove_headers": ["X-Operators-Own"]}},
            ),
        ]

    def assert_only_ours(self, received, identity, control):
        """`control`: headers that must have arrived, or the test shows nothing."""
        forged = [h for h in received.headers + received.trailers if "forged" in h[1]]
        self.assertEqual(forged, [])
        self.assertEqual(received.all("x-control"), [control])
        self.assertEqual(len(received.all("x-forwarded-client-cert")), 1)
        self.assertIn(
            "Hash=" + identity.fingerprint(), received.header("x-forwarded-client-cert")
        )
        der = base64.b64encode(identity.der()).decode()
        self.assertEqual(received.header("client-cert"), ":%s:" % der)

    def forgeries(self):
        names = sorted({spell(name) for name in KNOWN for spell in SPELLINGS})
        self.assertGreater(len(names), 150)
        return names

    def test_in_many_spellings_over_http_1(self):
        for names in batches(self.forgeries(), 60):
            headers = [(name, "forged") for name in names] + [("x-control", "here")]
            received = self.get(self.people.partner, headers=headers).received()
            self.assert_only_ours(received, self.people.partner, "here")

    def test_in_many_spellings_over_http_2(self):
        lower = sorted({name.lower() for name in self.forgeries()})
        with http2.Connection(
            self.port, self.server.certificate, self.people.partner
        ) as connection:
            for names in batches(lower, 60):
                headers = [(name, "forged") for name in names] + [("x-control", "here")]
                received = connection.request(headers)
                self.assert_only_ours(received, self.people.partner, "here")

    def test_repeated(self):
        headers = [(name, "forged %d" % i) for i in range(3) for name in KNOWN[:25]]
        headers.append(("x-control", "here"))
        received = self.get(self.people.partner, headers=headers).received()
        self.assert_only_ours(received, self.people.partner, "here")

    def test_on_every_request_of_a_connection(self):
        with self.connect(self.people.partner) as connection:
            for i in range(5):
                headers = (("Client_Cert", "forged"), ("x-control", str(i)))
                received = connection.request(headers=headers).received()
                self.assert_only_ours(received, self.people.partner, str(i))

    def test_where_nothing_is_forwarded(self):
        for names in batches(self.forgeries(), 60):
            headers = [(name, "forged") for name in names] + [("x-control", "here")]
            received = self.get(
                self.people.partner, headers=headers, server_name="silent.example.com"
            ).received()
            self.assertEqual([h for h in received.headers if "forged" in h[1]], [])
            self.assertEqual(received.all("x-forwarded-client-cert"), [])
            self.assertEqual(received.all("client-cert"), [])
            self.assertEqual(received.header("x-control"), "here")

    def test_in_trailers_over_http_1(self):
        with self.connect(self.people.partner) as connection:
            lines = ["POST / HTTP/1.1", "Host: api.example.com", "Transfer-Encoding: chunked"]
            lines += ["x-control: here", "", "3", "abc", "0", "x-late: ordinary"]
            lines += ["%s: forged" % name for name in self.forgeries()[:60]]
            connection.send("\r\n".join(lines + ["", ""]).encode("ascii"))
            received = connection.read_response().received()
        self.assertIn(("x-late", "ordinary"), received.trailers)
        self.assert_only_ours(received, self.people.partner, "here")

    def test_in_trailers_over_http_2(self):
        with http2.Connection(
            self.port, self.server.certificate, self.people.partner
        ) as connection:
            lower = sorted({name.lower() for name in self.forgeries()})
            for names in batches(lower, 60):
                received = connection.request(
                    [("x-control", "here")],
                    trailers=[("x-late", "ordinary")] + [(name, "forged") for name in names],
                )
                self.assertIn(("x-late", "ordinary"), received.trailers)
                self.assert_only_ours(received, self.people.partner, "here")

    def test_a_client_cannot_have_ours_removed_by_naming_them_in_connection(self):
        for value in (
            "x-forwarded-client-cert, client-cert",
            "close, Client-Cert, X-Forwarded-Client-Cert, X-Amzn-Mtls-Clientcert-Leaf",
        ):
            headers = (("Connection", value), ("client-cert", "forged"), ("x-control", "here"))
            received = self.get(self.people.partner, headers=headers).received()
            self.assert_only_ours(received, self.people.partner, "here")
            self.assertNotIn("cert", ",".join(received.all("connection")).lower())

    def test_ordinary_headers_arrive_untouched(self):
        headers = (
            ("x-control", "here"),
            ("client-version", "1"),
            ("client", "curl"),
            ("ssl", "yes"),
            ("x-client", "app"),
            ("x-amzn-trace-id", "Root=1"),
            ("authorization", "Bearer forgetful"),
            ("x_under_score", "2"),
            ("certificate", "of attendance"),
        )
        received = self.get(self.people.partner, headers=headers).received()
        for name, value in headers:
            self.assertEqual(received.all(name), [value], name)


class Forwarded(gateway.GatewayTest):
    """Exact values, against what openssl says about the certificates."""

    server_names = (
        "xfcc.test", "plain.test", "rfc.test", "leaf.test", "alb.test", "through.test",
        "small.test", "all.test", "twin.test", "nginx.test", "traefik.test", "cloudflare.test",
        "gateway.test", "verified.test",
    )

    @classmethod
    def domains(cls):
        xfcc = {"subject": True, "cert": True, "chain": True, "uri": True, "dns": True}

        def forwarding(name, **value):
            return cls.domain(name=name, mutual_tls={"forwarding": value})

        # A second chain of a domain, which tells its backend something else.
        twin = forwarding("twin.test", rfc9440={})
        twin.validator = {"domain": "xfcc.test"}
        twin.mutual_tls = {"domain": "xfcc.test", **twin.mutual_tls}
        return [
            twin,
            forwarding("xfcc.test", xfcc=xfcc),
            # Envoy's own words, for comparison: no filter of ours.
            cls.domain(name="plain.test", with_filter=False),
            forwarding("rfc.test", rfc9440={"chain": True}),
            forwarding("leaf.test", rfc9440={}),
            forwarding("alb.test", alb={"mode": "VERIFY"}),
            forwarding("through.test", alb={"mode": "PASSTHROUGH"}),
            forwarding(
                "small.test", xfcc=xfcc, rfc9440={"chain": True}, max_header_bytes=512
            ),
            forwarding("all.test", xfcc=xfcc, rfc9440={"chain": True}, alb={}),
            forwarding("nginx.test", ingress_nginx={"cert": True}),
            forwarding("traefik.test", traefik={"pem": True, "info": True}),
            forwarding("cloudflare.test", cloudflare={}),
            forwarding("gateway.test", api_gateway={}),
            forwarding(
                "verified.test", xfcc={"chain": True}, rfc9440={"chain": True},
                chain_source="VERIFIED",
            ),
        ]

    identities = ("partner", "second_partner", "direct", "branch", "p384")

    def told(self, who, domain, host=None):
        response = self.get(getattr(self.people, who), server_name=domain, host=host)
        self.assertEqual(response.status, 200)
        return response.received()

    def test_xfcc(self):
        pieces = {
            "partner": "URI=",
            "direct": "URI=spiffe://example.org/direct;DNS=direct.example.org;DNS=www.example.org",
            "branch": "URI=",
        }
        for who, names in pieces.items():
            with self.subTest(who=who):
                identity = getattr(self.people, who)
                expected = 'Hash=%s;Cert="%s";Chain="%s";Subject="%s";%s' % (
                    identity.fingerprint(),
                    certificates.url_encoded_pem(identity.pem()),
                    certificates.url_encoded_pem(certificates.chain_pem(identity)),
                    identity.subject(),
                    names,
                )
                told = self.told(who, "xfcc.test")
                self.assertEqual(told.header("x-forwarded-client-cert"), expected)
                self.assertEqual(told.all("client-cert"), [])

    def test_xfcc_is_what_envoy_itself_writes(self):
        for who in self.identities:
            with self.subTest(who=who):
                self.assertEqual(
                    self.told(who, "xfcc.test").header("x-forwarded-client-cert"),
                    self.told(who, "plain.test").header("x-forwarded-client-cert"),
                )

    def test_rfc_9440(self):
        for who in self.identities:
            with self.subTest(who=who):
                identity = getattr(self.people, who)
                told = self.told(who, "rfc.test")
                leaf = ":%s:" % base64.b64encode(identity.der()).decode()
                self.assertEqual(told.header("client-cert"), leaf)
                chain = None
                if who == "branch":
                    chain = ":%s:" % base64.b64encode(self.people.issuing.der()).decode()
                self.assertEqual(told.header("client-cert-chain"), chain)
                self.assertEqual(told.all("x-forwarded-client-cert"), [])

    def test_two_chains_of_one_domain_tell_each_its_own(self):
        for _ in range(4):  # so that both come by each worker
            told = self.told("branch", "xfcc.test")
            self.assertEqual(len(told.all("x-forwarded-client-cert")), 1)
            self.assertEqual(told.all("client-cert"), [])
            told = self.told("branch", "twin.test", host="xfcc.test")
            self.assertEqual(told.all("x-forwarded-client-cert"), [])
            self.assertEqual(len(told.all("client-cert")), 1)

    def test_rfc_9440_without_the_chain(self):
        told = self.told("branch", "leaf.test")
        self.assertEqual(len(told.all("client-cert")), 1)
        self.assertEqual(told.all("client-cert-chain"), [])

    def test_alb_in_verify_mode(self):
        for who in self.identities:
            with self.subTest(who=who):
                identity = getattr(self.people, who)
                told = self.told(who, "alb.test")
                before, after = (t.strftime("%Y-%m-%dT%H:%M:%SZ") for t in identity.validity())
                expected = {
                    "x-amzn-mtls-clientcert-serial-number": identity.serial(),
                    "x-amzn-mtls-clientcert-issuer": identity.issuer(),
                    "x-amzn-mtls-clientcert-subject": identity.subject(),
                    "x-amzn-mtls-clientcert-validity": "NotBefore=%s;NotAfter=%s" % (before, after),
                    "x-amzn-mtls-clientcert-leaf": certificates.url_encoded_pem(
                        identity.pem(), safe="+=/"
                    ),
                }
                got = {k: v for k, v in told.headers if k.startswith("x-amzn-mtls")}
                self.assertEqual(got, expected)

    def test_alb_in_passthrough_mode(self):
        for who in self.identities:
            with self.subTest(who=who):
                identity = getattr(self.people, who)
                told = self.told(who, "through.test")
                got = [(k, v) for k, v in told.headers if k.startswith("x-amzn-mtls")]
                value = certificates.url_encoded_pem(certificates.chain_pem(identity), safe="+=/")
                self.assertEqual(got, [("x-amzn-mtls-clientcert", value)])

    def test_ingress_nginx(self):
        for who in self.identities:
            with self.subTest(who=who):
                identity = getattr(self.people, who)
                told = self.told(who, "nginx.test")
                got = {k: v for k, v in told.headers if k.startswith("ssl-client")}
                self.assertEqual(
                    got,
                    {
                        "ssl-client-verify": "SUCCESS",
                        "ssl-client-subject-dn": identity.subject(),
                        "ssl-client-issuer-dn": identity.issuer(),
                        "ssl-client-cert": certificates.url_encoded_pem(identity.pem()),
                    },
                )

    def test_traefik(self):
        for who in self.identities:
            with self.subTest(who=who):
                identity = getattr(self.people, who)
                told = self.told(who, "traefik.test")
                ders = [identity.der()]
                if who == "branch":
                    ders.append(self.people.issuing.der())
                self.assertEqual(
                    told.header("x-forwarded-tls-client-cert"),
                    ",".join(base64.b64encode(der).decode() for der in ders),
                )
                info = urllib.parse.unquote_plus(told.header("x-forwarded-tls-client-cert-info"))
                fields = dict(re.findall(r'(\w+)="([^"]*)"', info))
                before, after = (int(t.timestamp()) for t in identity.validity())
                self.assertEqual(fields["NB"], str(before))
                self.assertEqual(fields["NA"], str(after))
                self.assertEqual(fields["SerialNumber"], str(int(identity.serial(), 16)))
                if who == "direct":
                    self.assertEqual(fields["Subject"], "O=Customer%2C Inc,CN=direct.example.org")
                    self.assertEqual(fields["Issuer"], "O=Third Party,CN=Root CA")
                    self.assertEqual(
                        fields["SAN"],
                        "direct.example.org,www.example.org,spiffe://example.org/direct",
                    )

    def test_cloudflare(self):
        for who in self.identities:
            with self.subTest(who=who):
                identity = getattr(self.people, who)
                told = self.told(who, "cloudflare.test")
                self.assertEqual(
                    [(k, v) for k, v in told.headers if k.startswith("cf-")],
                    [
                        ("cf-client-cert-der-base64", base64.b64encode(identity.der()).decode()),
                        ("cf-client-cert-sha256", identity.fingerprint().upper()),
                    ],
                )

    def test_api_gateway(self):
        for who in self.identities:
            with self.subTest(who=who):
                identity = getattr(self.people, who)
                told = self.told(who, "gateway.test")
                serial = identity.serial().lower()
                pairs = ":".join(serial[i:i + 2] for i in range(0, len(serial), 2))
                before, after = (
                    t.strftime("%b ") + "%2d" % t.day + t.strftime(" %H:%M:%S %Y GMT")
                    for t in identity.validity()
                )
                self.assertEqual(
                    json.loads(base64.b64decode(told.header("x-sallyport-client-cert"))),
                    {
                        "clientCertPem": identity.pem(),
                        "subjectDN": identity.subject(),
                        "issuerDN": identity.issuer(),
                        "serialNumber": pairs,
                        "validity": {"notBefore": before, "notAfter": after},
                    },
                )

    def test_the_verified_path_in_place_of_what_was_sent(self):
        # The issuing CA comes out of the truststore.
        for who in ("branch", "branch_alone"):
            told = self.told(who, "verified.test")
            issuing = self.people.issuing
            self.assertEqual(
                told.header("client-cert-chain"),
                ":%s:" % base64.b64encode(issuing.der()).decode(),
            )
            chain = certificates.url_encoded_pem(self.people.branch.pem() + issuing.pem())
            self.assertIn('Chain="%s"' % chain, told.header("x-forwarded-client-cert"))
        self.assertEqual(self.told("branch_alone", "rfc.test").all("client-cert-chain"), [])

    def test_over_the_budget_fields_are_left_out_and_the_backend_is_told(self):
        told = self.told("branch", "small.test")
        self.assertEqual(told.header("x-sallyport-forwarding"), "truncated")
        self.assertEqual(told.all("client-cert"), [])
        xfcc = told.header("x-forwarded-client-cert")
        self.assertNotIn("Cert=", xfcc)
        self.assertIn("Hash=" + self.people.branch.fingerprint(), xfcc)
        self.assertIn('Subject="%s"' % self.people.branch.subject(), xfcc)
        added = [(k, v) for k, v in told.headers if k in ("x-forwarded-client-cert", "x-sallyport-forwarding")]
        self.assertLessEqual(sum(len(k) + len(v) for k, v in added), 512)

    def test_all_dialects_at_once_over_http_2(self):
        with http2.Connection(
            self.port, self.server.certificate, self.people.branch, server_name="all.test"
        ) as connection:
            told = connection.request(authority="all.test")
        for name in ("x-forwarded-client-cert", "client-cert", "client-cert-chain",
                     "x-amzn-mtls-clientcert-leaf"):
            self.assertEqual(len(told.all(name)), 1, name)
        self.assertEqual(told.all("x-sallyport-forwarding"), [])


class AwkwardNames(gateway.GatewayTest):
    """Names in certificates that would break a header if they were copied."""

    @classmethod
    def domains(cls):
        return [
            cls.domain(
                mutual_tls={
                    "forwarding": {
                        "xfcc": {"subject": True, "uri": True, "dns": True}, "alb": {},
                    }
                }
            )
        ]

    SUBJECTS = (
        '/O=a"b;Hash=0/CN=x',
        "/O=a\\\\b/CN=x",
        "/O=a=b,c/CN=x",
        "/O= leading and trailing /CN=#x",
        "/O=Müller & Söhne/CN=名前",
        "/CN=" + "n" * 64,
    )

    def test_subjects(self):
        for i, subject in enumerate(self.SUBJECTS):
            with self.subTest(subject=subject):
                identity = self.people.workshop.client(
                    "awkward%d" % i, subject, self.people.root
                )
                response = self.get(identity)
                self.assertEqual(response.status, 200)
                received = response.received()
                xfcc = received.header("x-forwarded-client-cert")
                self.assertTrue(xfcc.isascii() and xfcc.isprintable())
                self.assertEqual(xfcc.count("Hash=" + identity.fingerprint()), 1)
                self.assertTrue(xfcc.startswith("Hash=" + identity.fingerprint() + ";Subject="))
                # Whatever is in the subject, there is one element: no comma
                # outside of quotes.
                inside, escaped, commas = False, False, 0
                for c in xfcc:
                    if escaped:
                        escaped = False
                    elif c == "\\":
                        escaped = True
                    elif c == '"':
                        inside = not inside
                    elif c == "," and not inside:
                        commas += 1
                self.assertFalse(inside, "the quotes do not close")
                self.assertEqual(commas, 0)
                alb = received.header("x-amzn-mtls-clientcert-subject")
                # A blank at the end would be trimmed as the header's own.
                expected = re.sub(r"\\ $", r"\\20", identity.subject())
                self.assertEqual(alb, expected)

    def test_alternative_names(self):
        identity = self.people.workshop.client(
            "sans", "/CN=sans", self.people.root, sans="@names\n[names]\n"
            "URI.1 = urn:x,Hash=00;Subject=admin\nURI.2 = spiffe://a/b?c=d"
            "\nDNS.1 = \"a,DNS=admin\"\nDNS.2 = ok.example.org",
        )
        received = self.get(identity).received()
        xfcc = received.header("x-forwarded-client-cert")
        self.assertIn('URI="urn:x,Hash=00;Subject=admin"', xfcc)
        self.assertIn('DNS="a,DNS=admin"', xfcc)
        self.assertTrue(xfcc.endswith("DNS=ok.example.org"), xfcc)


if __name__ == "__main__":
    unittest.main()
