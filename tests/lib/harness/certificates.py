"""Keys and certificates for tests, made by the openssl program.

A Workshop is a folder in which they are made. Nothing is cached between runs.
"""

import dataclasses
import datetime
import hashlib
import pathlib
import ssl
import subprocess
import urllib.parse

UTC = datetime.timezone.utc

_CONFIG = """\
[req]
distinguished_name = dn
prompt = no
[dn]
[ca]
default_ca = authority
[authority]
database = {index}
new_certs_dir = {directory}
rand_serial = yes
default_md = sha256
policy = anything
unique_subject = no
email_in_dn = yes
[anything]
countryName = optional
stateOrProvinceName = optional
localityName = optional
organizationName = optional
organizationalUnitName = optional
commonName = optional
emailAddress = optional
[extensions]
{extensions}
"""

CA = (
    "basicConstraints = critical, CA:TRUE",
    "keyUsage = critical, keyCertSign, cRLSign",
    "subjectKeyIdentifier = hash",
)
CLIENT = (
    "basicConstraints = critical, CA:FALSE",
    "keyUsage = critical, digitalSignature",
    "extendedKeyUsage = clientAuth",
    "subjectKeyIdentifier = hash",
)


def run(*command, cwd=None, stdin=None):
    """Runs a program; returns what it printed; raises with its messages."""
    done = subprocess.run(
        [str(c) for c in command],
        cwd=cwd,
        input=stdin,
        stdin=None if stdin is not None else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(
            "%s failed (%d):\n%s" % (" ".join(map(str, command)), done.returncode, done.stderr)
        )
    return done.stdout


@dataclasses.dataclass(frozen=True)
class Identity:
    """A certificate, its key, and what its holder sends in a handshake."""

    certificate: pathlib.Path
    key: pathlib.Path
    chain: pathlib.Path  # the certificate, then the intermediates to send

    def pem(self):
        """The certificate alone, as text."""
        return self.certificate.read_text(encoding="ascii")

    def _print(self, *what):
        return run("openssl", "x509", "-in", self.certificate, "-noout", *what).rstrip("\n")

    # What openssl says about the certificate: what forwarded values are
    # compared with.

    def subject(self):
        """RFC 2253."""
        return self._print("-subject", "-nameopt", "RFC2253").removeprefix("subject=")

    def issuer(self):
        """RFC 2253."""
        return self._print("-issuer", "-nameopt", "RFC2253").removeprefix("issuer=")

    def serial(self):
        """Upper-case hex."""
        return self._print("-serial").removeprefix("serial=")

    def fingerprint(self):
        """SHA-256 of the DER, lower-case hex without colons."""
        return hashlib.sha256(self.der()).hexdigest()

    def der(self):
        return ssl.PEM_cert_to_DER_cert(self.pem())

    def validity(self):
        """(not before, not after)."""
        dates = {}
        for line in self._print("-dates").splitlines():
            name, _, value = line.partition("=")
            dates[name] = datetime.datetime.strptime(value, "%b %d %H:%M:%S %Y %Z").replace(
                tzinfo=UTC
            )
        return dates["notBefore"], dates["notAfter"]


def chain_pem(identity):
    return identity.chain.read_text(encoding="ascii")


def url_encoded_pem(pem, safe=""):
    """PEM as it travels in a header: percent-encoded."""
    return urllib.parse.quote(pem, safe=safe)


class Workshop:
    """Makes keys and certificates in one folder.

    Subjects are written as openssl's -subj wants them: "/O=Example/CN=name".
    Key kinds: "ec" (P-256), "p384", "p521", "ed25519", "rsa:2048", ...
    """

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)

    def path(self, name):
        return self.directory / name

    def make_key(self, name, kind="ec"):
        path = self.path(name + ".key")
        if kind.startswith("rsa:"):
            options = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:" + kind[4:]]
        elif kind == "ed25519":
            options = ["-algorithm", "ED25519"]
        else:
            curve = {"ec": "P-256", "p384": "P-384", "p521": "P-521"}[kind]
            options = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:" + curve]
        run("openssl", "genpkey", *options, "-out", path)
        return path

    def make(
        self,
        name,
        subject,
        issuer=None,
        key="ec",
        extensions=(),
        digest="sha256",
        days=30,
        not_before=None,
        not_after=None,
        send=(),
    ):
        """A certificate: self-signed, or signed by the Identity `issuer`.

        key: a key kind, or the path of a key that exists.
        extensions: lines of an OpenSSL extension section; empty makes version 1
            when it is signed by itself.
        not_before, not_after: when given (both), used instead of `days`.
        send: Identities whose certificates the holder sends after its own.
        """
        key_path = key if isinstance(key, pathlib.Path) else self.make_key(name, key)
        certificate = self.path(name + ".pem")
        index = self.path(name + ".index")
        config = self.path(name + ".cnf")
        config.write_text(
            _CONFIG.format(
                directory=self.directory, index=index, extensions="\n".join(extensions)
            ),
            encoding="ascii",
        )
        with_extensions = ["-extensions", "extensions"] if extensions else []
        digests = [] if key == "ed25519" and issuer is None else ["-" + digest]
        if not_before is None and not_after is None:
            signer = ["-CA", issuer.certificate, "-CAkey", issuer.key] if issuer else []
            run(
                "openssl", "req", "-x509", "-new", "-utf8", "-config", config, "-key", key_path,
                "-subj", subject, "-days", days, "-out", certificate,
                *digests, *with_extensions, *signer,
            )
        else:
            request = self.path(name + ".csr")
            index.write_text("", encoding="ascii")
            run(
                "openssl", "req", "-new", "-utf8", "-config", config, "-key", key_path,
                "-subj", subject, "-out", request,
            )
            if issuer:
                signer = ["-cert", issuer.certificate, "-keyfile", issuer.key]
            else:
                signer = ["-selfsign", "-keyfile", key_path]
            run(
                "openssl", "ca", "-batch", "-notext", "-config", config, "-md", digest,
                "-in", request, "-out", certificate,
                "-startdate", not_before.astimezone(UTC).strftime("%Y%m%d%H%M%SZ"),
                "-enddate", not_after.astimezone(UTC).strftime("%Y%m%d%H%M%SZ"),
                *with_extensions, *signer,
            )
        chain = self.path(name + ".chain.pem")
        chain.write_text(
            certificate.read_text(encoding="ascii") + "".join(i.pem() for i in send),
            encoding="ascii",
        )
        return Identity(certificate, key_path, chain)

    def authority(self, name, subject, issuer=None, **options):
        """A CA: a root, or an intermediate under `issuer`."""
        return self.make(name, subject, issuer, extensions=CA, **options)

    def client(self, name, subject, issuer=None, sans="", **options):
        """A client certificate. sans: as OpenSSL writes them, "DNS:a,URI:b"."""
        extensions = CLIENT + (("subjectAltName = " + sans,) if sans else ())
        return self.make(name, subject, issuer, extensions=extensions, **options)

    def revocation_list(self, name, issuer, revoked=(), last_update=None, next_update=None):
        """PEM of a list of `issuer` (an Identity) that names the Identities in
        `revoked`. Times default to an hour ago and tomorrow."""
        index = self.path(name + ".index")
        entries = []
        for identity in revoked:
            entries.append(
                "\t".join(
                    ("R", "491231235959Z", "260101000000Z", identity.serial(), "unknown", "/CN=x")
                )
            )
        index.write_text("".join(e + "\n" for e in entries), encoding="ascii")
        config = self.path(name + ".cnf")
        config.write_text(
            _CONFIG.format(directory=self.directory, index=index, extensions=""), encoding="ascii"
        )
        last_update = last_update or seconds_from_now(-3600)
        next_update = next_update or days_from_now(1)
        return run(
            "openssl", "ca", "-gencrl", "-config", config, "-cert", issuer.certificate,
            "-keyfile", issuer.key,
            "-crl_lastupdate", last_update.astimezone(UTC).strftime("%Y%m%d%H%M%SZ"),
            "-crl_nextupdate", next_update.astimezone(UTC).strftime("%Y%m%d%H%M%SZ"),
        )

    def server(self, name, host_names):
        """A self-signed server certificate; clients trust it as their CA."""
        return self.make(
            name,
            "/CN=" + host_names[0],
            extensions=(
                "basicConstraints = critical, CA:FALSE",
                "subjectAltName = " + ",".join("DNS:" + h for h in host_names),
            ),
        )


def days_from_now(days):
    return datetime.datetime.now(UTC) + datetime.timedelta(days=days)


def seconds_from_now(seconds):
    return datetime.datetime.now(UTC) + datetime.timedelta(seconds=seconds)
