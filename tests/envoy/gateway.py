"""What the tests of this folder share: people with certificates, and an Envoy."""

import contextlib
import itertools
import os
import pathlib
import ssl
import sys
import tempfile
import unittest

from harness import backend
from harness import certificates
from harness import client
from harness import config
from harness import envoy

FORBIDDEN = b'{"message":"Forbidden"}'

_ids = itertools.count(1)


def scratch_folder():
    """A TemporaryDirectory where the test may write."""
    return tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR"))


class People:
    """Certificates. Each is made when it is first asked for."""

    def __init__(self, directory):
        self.workshop = certificates.Workshop(directory)
        self._made = {}

    def __getattr__(self, name):
        maker = getattr(type(self), "_make_" + name, None)
        if maker is None:
            raise AttributeError(name)
        if name not in self._made:
            self._made[name] = maker(self)
        return self._made[name]

    # Authorities.

    def _make_root(self):
        return self.workshop.authority("root", "/O=Third Party/CN=Root CA")

    def _make_issuing(self):
        """An intermediate under root."""
        return self.workshop.authority("issuing", "/O=Third Party/CN=Issuing CA", self.root)

    def _make_absent_issuing(self):
        """Another one, which no truststore of these tests holds."""
        return self.workshop.authority("absent", "/O=Third Party/CN=Absent CA", self.root)

    # Trusted by truststore().

    def _make_partner(self):
        """Self-signed, RSA, version 1, as a partner makes it by the guide."""
        key = self.workshop.make_key("partner", "rsa:2048")
        request = self.workshop.path("partner.csr")
        certificate = self.workshop.path("partner.crt")
        certificates.run(
            "openssl", "req", "-new", "-key", key, "-out", request,
            "-subj", "/C=IN/O=Partner One/CN=partner.example.org",
        )
        certificates.run(
            "openssl", "x509", "-signkey", key, "-in", request, "-req", "-days", "365",
            "-out", certificate,
        )
        return certificates.Identity(certificate, key, certificate)

    def _make_second_partner(self):
        return self.workshop.client("second", "/O=Partner Two/CN=second.example.org")

    def _make_direct(self):
        return self.workshop.client(
            "direct", "/O=Customer\\, Inc/CN=direct.example.org", self.root,
            sans="DNS:direct.example.org,DNS:www.example.org,URI:spiffe://example.org/direct",
        )

    def _make_branch(self):
        return self.workshop.client(
            "branch", "/O=Customer/CN=branch.example.org", self.issuing, send=[self.issuing]
        )

    def _make_branch_alone(self):
        """Sends its own certificate only."""
        return certificates.Identity(
            self.branch.certificate, self.branch.key, self.branch.certificate
        )

    def _make_p384(self):
        return self.workshop.client("p384", "/CN=p384", self.root, key="p384")

    # Not trusted.

    def _make_stranger(self):
        return self.workshop.client("stranger", "/O=Stranger/CN=stranger.example.org")

    def _make_other_root(self):
        return self.workshop.authority("other_root", "/O=Other/CN=Other Root CA")

    def _make_others_client(self):
        return self.workshop.client(
            "others_client", "/CN=client of another CA", self.other_root, send=[self.other_root]
        )

    def _make_impostor(self):
        """Signed by a CA that calls itself like root, which it sends."""
        false_root = self.workshop.authority("false_root", "/O=Third Party/CN=Root CA")
        return self.workshop.client("impostor", "/CN=impostor", false_root, send=[false_root])

    def _make_impostor_alone(self):
        return certificates.Identity(
            self.impostor.certificate, self.impostor.key, self.impostor.certificate
        )

    def _make_denied(self):
        """Trusted, but where a test puts it on a deny list."""
        return self.workshop.client("denied", "/CN=denied", self.root)

    def _make_tampered(self):
        """direct's, with another bit in the signature."""
        der = bytearray(self.direct.der())
        der[-1] ^= 1
        path = self.workshop.path("tampered.pem")
        path.write_text(ssl.DER_cert_to_PEM_cert(bytes(der)), encoding="ascii")
        return certificates.Identity(path, self.direct.key, path)

    def _make_via_absent(self):
        return self.workshop.client(
            "via_absent", "/CN=via absent", self.absent_issuing, send=[self.absent_issuing]
        )

    def _make_expired(self):
        return self.workshop.client(
            "expired", "/CN=expired", self.root,
            not_before=certificates.days_from_now(-9), not_after=certificates.days_from_now(-1),
        )

    def _make_expired_partner(self):
        """Self-signed and in the truststore."""
        return self.workshop.client(
            "expired_partner", "/CN=expired partner",
            not_before=certificates.days_from_now(-9), not_after=certificates.days_from_now(-1),
        )

    def _make_not_yet(self):
        return self.workshop.client(
            "not_yet", "/CN=not yet", self.root,
            not_before=certificates.days_from_now(1), not_after=certificates.days_from_now(9),
        )

    def _make_sha1(self):
        return self.workshop.client("sha1", "/CN=sha1", self.root, digest="sha1")

    def _make_rsa1024(self):
        return self.workshop.client("rsa1024", "/CN=rsa1024", self.root, key="rsa:1024")

    def _make_p521(self):
        return self.workshop.client("p521", "/CN=p521", self.root, key="p521")

    def _make_ed25519(self):
        return self.workshop.client("ed25519", "/CN=ed25519", self.root, key="ed25519")

    def _make_server_only(self):
        return self.workshop.make(
            "server_only", "/CN=server only", self.root,
            extensions=("basicConstraints = CA:FALSE", "extendedKeyUsage = serverAuth"),
        )

    def _make_deep(self):
        """Five certificates with the root, which is in the truststore with
        all but the client's."""
        return self.workshop.client("deep", "/CN=deep", self.deep_authorities[-1])

    def _make_deep_authorities(self):
        made = [self.root]
        for depth in range(1, 4):
            made.append(
                self.workshop.authority("deep%d" % depth, "/CN=Deep CA %d" % depth, made[-1])
            )
        return made[1:]

    def _make_constrained_authority(self):
        return self.workshop.make(
            "constrained", "/CN=Constrained CA", self.root,
            extensions=certificates.CA + ("nameConstraints = critical, permitted;DNS:inside.test",),
        )

    def _make_outside(self):
        return self.workshop.client(
            "outside", "/CN=outside", self.constrained_authority, sans="DNS:outside.example"
        )

    def _make_many(self):
        """Sends eleven certificates."""
        return self.workshop.client(
            "many", "/CN=many", self.root,
            send=[self.absent_issuing] * 10,
        )

    def _make_flood(self):
        """Sends 33 certificates."""
        return self.workshop.client(
            "flood", "/CN=flood", self.root, send=[self.absent_issuing] * 32,
        )

    def _make_huge(self):
        """Sends more than 32 KiB in one certificate."""
        names = ",".join("DNS:%s%d.example.org" % ("x" * 50, i) for i in range(600))
        return self.workshop.client("huge", "/CN=huge", self.root, sans=names)

    def truststore(self):
        """root, issuing, partner, second_partner, expired_partner, and the
        authorities of deep and outside."""
        members = [
            self.root, self.issuing, self.partner, self.second_partner, self.expired_partner,
            *self.deep_authorities, self.constrained_authority,
        ]
        return "".join(m.pem() for m in members)


class GatewayTest(unittest.TestCase):
    """A test class with one Envoy, started for the class.

    Subclasses say which domains it serves in domains(); it may use
    cls.people, cls.server (certificate), cls.folder.
    """

    concurrency = 2
    log_level = "info"
    server_names = (client.DOMAIN,)
    backend_type = backend.Backend

    @classmethod
    def domains(cls):
        return [cls.domain()]

    @classmethod
    def domain(cls, **options):
        """A Domain with people.truststore() in it, unless told otherwise."""
        options.setdefault(
            "truststore",
            {"name": "partners", "version": "7", "inline_pem": cls.people.truststore()},
        )
        options.setdefault("mutual_tls", {"forwarding": {"xfcc": {"subject": True}}})
        return config.Domain(server=cls.server, **options)

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        temporary = scratch_folder()
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = pathlib.Path(temporary.name)
        cls.people = People(cls.folder / "people")
        cls.server = cls.people.workshop.server("server", cls.server_names)
        cls.backend = cls.backend_type().start()
        cls.addClassCleanup(cls.backend.stop)
        cls.envoy = cls.start(cls.domains(), "envoy")
        cls.port = cls.envoy.port(config.LISTENER)

    @classmethod
    def start(cls, domains, name, **options):
        """An Envoy of its own, ended after the class."""
        options.setdefault("concurrency", cls.concurrency)
        options.setdefault("log_level", cls.log_level)
        started = envoy.Envoy(
            config.gateway(domains, cls.backend.port), cls.folder / name, **options
        )
        cls.addClassCleanup(started.stop)
        return started.start()

    def run(self, result=None):
        """As in TestCase; after a problem, what Envoy said is printed."""
        before = len(result.failures) + len(result.errors) if result is not None else 0
        length = len(self.envoy.log()) if hasattr(self, "envoy") else 0
        try:
            return super().run(result)
        finally:
            if result is not None and len(result.failures) + len(result.errors) > before:
                print("--- Envoy's log during %s" % self.id(), file=sys.stderr)
                print(self.envoy.log()[length:][-8000:], file=sys.stderr)
                print("--- the last lines of the access log", file=sys.stderr)
                for entry in self.envoy.access_log()[-5:]:
                    print(entry, file=sys.stderr)
                if not self.envoy.is_running():
                    print("--- Envoy has ended", file=sys.stderr)

    # Calls.

    def connect(self, identity=None, **options):
        """A Connection to this class's Envoy."""
        options.setdefault("port", self.port)
        port = options.pop("port")
        return client.Connection(port, self.server.certificate, identity, **options)

    def get(self, identity=None, **options):
        """One request on a connection of its own."""
        port = options.pop("port", self.port)
        return client.request(port, self.server.certificate, identity, **options)

    def get_and_log(self, identity=None, **options):
        """Returns (response, its line in the access log)."""
        request_id = "request-%d" % next(_ids)
        headers = tuple(options.pop("headers", ())) + (("x-test-id", request_id),)
        response = self.get(identity, headers=headers, **options)
        return response, self.log_of(request_id)

    def log_of(self, request_id):
        return self.envoy.wait_for_access_log(
            lambda e: e.get("id") == request_id, "the access log of " + request_id
        )

    # Expectations.

    def assert_forbidden(self, response):
        """The 403 of design: the same for every reason."""
        self.assertEqual(response.status, 403)
        self.assertEqual(response.body, FORBIDDEN)
        self.assertEqual(response.header("content-type"), "application/json")
        self.assertEqual(response.header("x-amzn-errortype"), "ForbiddenException")

    def assert_trusted_as(self, identity, response):
        """200, and the backend was told who called."""
        self.assertEqual(response.status, 200, response)
        told = response.received().header("x-forwarded-client-cert")
        self.assertIn("Hash=" + identity.fingerprint(), told)

    @contextlib.contextmanager
    def backend_is_not_reached(self):
        before = self.backend.num_requests
        yield
        self.assertEqual(self.backend.num_requests, before, "the backend was reached")


def new_id():
    return "request-%d" % next(_ids)
