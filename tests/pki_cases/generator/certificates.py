"""Keys and certificates for the cases.

Keys are read from ../keys and made there when missing. Everything else is a
function of the arguments: serial numbers come from a hash, ECDSA signatures
are the deterministic ones of RFC 6979; only RSA-PSS and DSA signatures differ
from run to run.
"""

import base64
import hashlib
import os
import subprocess

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, padding, rsa

from der import (bit_string, boolean, context, ia5, integer, instant, named_bits, null,
                 octet_string, oid, printable, sequence, set_of, time, tlv, utf8)

KEYS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "keys")

# Defaults: long-lived CAs, clients of one year around the time of most checks.
CA_FROM, CA_TO = instant("2020-01-01"), instant("2045-01-01")
LEAF_FROM, LEAF_TO = instant("2030-01-01"), instant("2031-01-01")

_CURVES = {"p256": ec.SECP256R1, "p384": ec.SECP384R1, "p521": ec.SECP521R1,
           "p224": ec.SECP224R1, "secp256k1": ec.SECP256K1}


def key(name):
    """The committed key NAME; its part before the first '-' says which kind."""
    if name not in _keys:
        path = os.path.join(KEYS, name + ".pem")
        if not os.path.exists(path):
            _make_key(name.split("-")[0], path)
        with open(path, "rb") as f:
            _keys[name] = serialization.load_pem_private_key(
                f.read(), None, unsafe_skip_rsa_key_validation=True)
    return _keys[name]


_keys = {}


def _make_key(kind, path):
    os.makedirs(KEYS, exist_ok=True)
    if kind in _CURVES:
        made = ec.generate_private_key(_CURVES[kind]())
    elif kind == "ed25519":
        made = ed25519.Ed25519PrivateKey.generate()
    elif kind == "ed448":
        made = ed448.Ed448PrivateKey.generate()
    elif kind == "dsa2048":
        made = dsa.generate_private_key(2048)
    elif kind.startswith("rsa"):
        # The library makes only the usual sizes.
        subprocess.run(["openssl", "genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt",
                        "rsa_keygen_bits:" + kind[3:], "-out", path],
                       check=True)
        return
    else:
        raise ValueError(kind)
    with open(path, "wb") as f:
        f.write(made.private_bytes(serialization.Encoding.PEM,
                                   serialization.PrivateFormat.PKCS8,
                                   serialization.NoEncryption()))


def spki(k):
    return k.public_key().public_bytes(serialization.Encoding.DER,
                                       serialization.PublicFormat.SubjectPublicKeyInfo)


# --- names -----------------------------------------------------------------

OIDS = {"CN": "2.5.4.3", "C": "2.5.4.6", "L": "2.5.4.7", "ST": "2.5.4.8", "O": "2.5.4.10",
        "OU": "2.5.4.11", "DC": "0.9.2342.19200300.100.1.25",
        "emailAddress": "1.2.840.113549.1.9.1", "serialNumber": "2.5.4.5",
        "UID": "0.9.2342.19200300.100.1.1"}


def attribute(kind, value):
    if isinstance(value, str):
        if kind in ("C", "serialNumber"):
            value = printable(value)
        elif kind in ("emailAddress", "DC"):
            value = ia5(value)
        else:
            value = utf8(value)
    return sequence(oid(OIDS.get(kind, kind)), value)


def name(*rdns):
    """name(("C", "DE"), ("CN", "x")): values are text, or DER of any type; an
    RDN may be a list of pairs. name("x") is a common name alone."""
    out = []
    for rdn in rdns:
        if isinstance(rdn, str):
            rdn = ("CN", rdn)
        pairs = rdn if isinstance(rdn, list) else [rdn]
        out.append(set_of(*[attribute(k, v) for k, v in pairs]))
    return sequence(*out)


# --- extensions ------------------------------------------------------------

CLIENT, SERVER = "1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.1"
ANY_EKU, CODE = "2.5.29.37.0", "1.3.6.1.5.5.7.3.3"


def extension(dotted, value, critical=False):
    return sequence(oid(dotted), *([boolean(True)] if critical else []), octet_string(value))


def basic_constraints(ca=True, path_length=None, critical=True):
    parts = [boolean(True)] if ca else []
    if path_length is not None:
        parts.append(integer(path_length))
    return extension("2.5.29.19", sequence(*parts), critical)


DIGITAL_SIGNATURE, KEY_ENCIPHERMENT, CERT_SIGN, CRL_SIGN = 0, 2, 5, 6


def key_usage(*bits, critical=True):
    return extension("2.5.29.15", named_bits(*bits), critical)


def extended_key_usage(*oids, critical=False):
    return extension("2.5.29.37", sequence(*[oid(o) for o in oids]), critical)


def key_id(k):
    return hashlib.sha256(spki(k)).digest()[:20]


def subject_key_identifier(k):
    return extension("2.5.29.14", octet_string(key_id(k) if not isinstance(k, bytes) else k))


def authority_key_identifier(k):
    return extension("2.5.29.35", sequence(
        context(0, key_id(k) if not isinstance(k, bytes) else k, constructed=False)))


def general_name(kind, value):
    if kind == "email":
        return context(1, value.encode(), constructed=False)
    if kind == "dns":
        return context(2, value.encode(), constructed=False)
    if kind == "dir":
        return context(4, value)
    if kind == "uri":
        return context(6, value.encode(), constructed=False)
    if kind == "ip":
        return context(7, value, constructed=False)
    raise ValueError(kind)


def alt_names(*names, critical=False):
    return extension("2.5.29.17", sequence(*[general_name(k, v) for k, v in names]), critical)


def name_constraints(permitted=(), excluded=(), critical=True):
    parts = []
    for number, subtrees in ((0, permitted), (1, excluded)):
        if subtrees:
            parts.append(context(number, *[sequence(general_name(k, v)) for k, v in subtrees]))
    return extension("2.5.29.30", sequence(*parts), critical)


UNKNOWN = "1.3.6.1.4.1.55555.1.1"


def unknown_extension(critical):
    return extension(UNKNOWN, octet_string(b"?"), critical)


# --- signatures ------------------------------------------------------------

_HASHES = {"md5": hashes.MD5, "sha1": hashes.SHA1, "sha224": hashes.SHA224,
           "sha256": hashes.SHA256, "sha384": hashes.SHA384, "sha512": hashes.SHA512}
_RSA_OIDS = {"md5": "1.2.840.113549.1.1.4", "sha1": "1.2.840.113549.1.1.5",
             "sha224": "1.2.840.113549.1.1.14", "sha256": "1.2.840.113549.1.1.11",
             "sha384": "1.2.840.113549.1.1.12", "sha512": "1.2.840.113549.1.1.13"}
_ECDSA_OIDS = {"sha1": "1.2.840.10045.4.1", "sha224": "1.2.840.10045.4.3.1",
               "sha256": "1.2.840.10045.4.3.2", "sha384": "1.2.840.10045.4.3.3",
               "sha512": "1.2.840.10045.4.3.4"}
_HASH_OIDS = {"sha1": "1.3.14.3.2.26", "sha256": "2.16.840.1.101.3.4.2.1",
              "sha384": "2.16.840.1.101.3.4.2.2", "sha512": "2.16.840.1.101.3.4.2.3"}


def signature_algorithm(k, how):
    """The AlgorithmIdentifier for signing with `k`; how: sha256, pss-sha256..."""
    if isinstance(k, ed25519.Ed25519PrivateKey):
        return sequence(oid("1.3.101.112"))
    if isinstance(k, ed448.Ed448PrivateKey):
        return sequence(oid("1.3.101.113"))
    if isinstance(k, dsa.DSAPrivateKey):
        return sequence(oid("2.16.840.1.101.3.4.3.2"))
    if isinstance(k, ec.EllipticCurvePrivateKey):
        return sequence(oid(_ECDSA_OIDS[how]))
    if how == "pss-sha1":  # The defaults of RFC 4055: no field at all.
        return sequence(oid("1.2.840.113549.1.1.10"), sequence())
    if how.startswith("pss-"):
        h = sequence(oid(_HASH_OIDS[how[4:]]), null())
        return sequence(oid("1.2.840.113549.1.1.10"), sequence(
            context(0, h), context(1, sequence(oid("1.2.840.113549.1.1.8"), h)),
            context(2, integer(_HASHES[how[4:]].digest_size))))
    return sequence(oid(_RSA_OIDS[how]), null())


def sign(k, how, data):
    if isinstance(k, (ed25519.Ed25519PrivateKey, ed448.Ed448PrivateKey)):
        return k.sign(data)
    if isinstance(k, dsa.DSAPrivateKey):
        return k.sign(data, hashes.SHA256())
    if isinstance(k, ec.EllipticCurvePrivateKey):
        return k.sign(data, ec.ECDSA(_HASHES[how](), deterministic_signing=True))
    if how.startswith("pss-"):
        h = _HASHES[how[4:]]
        return k.sign(data, padding.PSS(padding.MGF1(h()), h.digest_size), h())
    return k.sign(data, padding.PKCS1v15(), _HASHES[how]())


# --- certificates ----------------------------------------------------------


class Cert:
    """A certificate and what is needed to issue with it."""

    def __init__(self, der, subject, k, not_before, not_after):
        self.der, self.subject, self.key = der, subject, k
        self.not_before, self.not_after = not_before, not_after

    def pem(self):
        return pem("CERTIFICATE", self.der)

    def serial_der(self):
        """The serial number as it stands in the certificate, whole INTEGER."""
        at = inside(self.der, inside(self.der, 0))
        if self.der[at] == 0xA0:
            at = after(self.der, at)
        return self.der[at:after(self.der, at)]


def inside(der, at):
    """Where the contents of the element at `at` begin."""
    first = der[at + 1]
    return at + 2 + (first & 0x7F if first & 0x80 else 0)


def after(der, at):
    """Where the element at `at` ends."""
    first, start = der[at + 1], inside(der, at)
    return start + (int.from_bytes(der[at + 2:start], "big") if first & 0x80 else first)


def pem(label, data, width=64):
    text = base64.b64encode(data).decode()
    lines = [text[i:i + width] for i in range(0, len(text), width)]
    return "-----BEGIN %s-----\n%s-----END %s-----\n" % (
        label, "".join(line + "\n" for line in lines), label)


def certificate(subject, k, issuer=None, *, not_before, not_after, extensions=(), version=3,
                serial=None, how="sha256", issuer_name=None, sign_with=None, inner_algorithm=None,
                edit_tbs=None, edit_signature=None, spki_der=None, unique_ids=b""):
    """A certificate for `subject` (DER of a name, or a common name) with the
    key named `k`, issued by the Cert `issuer` or by itself."""
    if isinstance(subject, str):
        subject = name(subject)
    k = key(k) if isinstance(k, str) else k
    signer = key(sign_with) if sign_with else (issuer.key if issuer else k)
    issuer_der = issuer_name or (issuer.subject if issuer else subject)
    algorithm = signature_algorithm(signer, how)
    rest = [inner_algorithm or algorithm, issuer_der, sequence(time(not_before), time(not_after)),
            subject, spki_der or spki(k)]
    rest.append(unique_ids)
    if extensions:
        rest.append(context(3, sequence(*extensions)))
    if serial is None:
        serial = int.from_bytes(hashlib.sha256(b"".join(rest)).digest()[:16], "big") >> 1
    if isinstance(serial, int):
        serial = integer(serial)
    parts = ([] if version == 1 else [context(0, integer(version - 1))]) + [serial] + rest
    tbs = sequence(*parts)
    signature = sign(signer, how, tbs)
    if edit_tbs:
        tbs = edit_tbs(tbs)
    if edit_signature:
        signature = edit_signature(signature)
    return Cert(sequence(tbs, algorithm, bit_string(signature)), subject, k, not_before, not_after)


def ca(subject, k, issuer=None, *, path_length=None, basic=True, usage=(CERT_SIGN, CRL_SIGN),
       ids=True, more=(), not_before=CA_FROM, not_after=CA_TO, **options):
    """A CA; self-signed without an issuer. basic: True, False or None (absent)."""
    k = key(k)
    extensions = []
    if basic is not None:
        extensions.append(basic_constraints(basic, path_length))
    if usage:
        extensions.append(key_usage(*usage))
    if ids:
        extensions.append(subject_key_identifier(k))
        if issuer:
            extensions.append(authority_key_identifier(issuer.key))
    return certificate(subject, k, issuer, not_before=not_before, not_after=not_after,
                       extensions=extensions + list(more), **options)


def leaf(subject, issuer=None, k="p256-client", *, eku=(CLIENT,), usage=(DIGITAL_SIGNATURE,),
         ids=True, more=(), not_before=LEAF_FROM, not_after=LEAF_TO, **options):
    """A client's certificate; self-signed without an issuer."""
    k = key(k)
    extensions = []
    if usage:
        extensions.append(key_usage(*usage))
    if eku:
        extensions.append(extended_key_usage(*eku))
    if ids:
        extensions.append(subject_key_identifier(k))
        if issuer:
            extensions.append(authority_key_identifier(issuer.key))
    return certificate(subject, k, issuer, not_before=not_before, not_after=not_after,
                       extensions=extensions + list(more), **options)


def v1(subject, k, issuer=None, *, not_before=LEAF_FROM, not_after=LEAF_TO, **options):
    """X.509 v1: no extensions at all."""
    return certificate(subject, k, issuer, not_before=not_before, not_after=not_after, version=1,
                       **options)


# --- revocation lists ---------------------------------------------------------

def revoked(cert, *, at=CA_FROM, reason=None, more=(), serial=None):
    """An entry of a list that names the Cert `cert` (or the number `serial`)."""
    extensions = list(more)
    if reason is not None:
        extensions.append(extension("2.5.29.21", tlv(0x0A, bytes([reason]))))
    number = integer(serial) if serial is not None else cert.serial_der()
    return sequence(number, time(at), *([sequence(*extensions)] if extensions else []))


def distribution_point(*, uri=None, users=False, cas=False):
    """An issuing distribution point."""
    parts = []
    if uri:
        parts.append(context(0, context(0, general_name("uri", uri))))
    if users:
        parts.append(tlv(0x81, b"\xff"))
    if cas:
        parts.append(tlv(0x82, b"\xff"))
    return extension("2.5.29.28", sequence(*parts), critical=True)


def crl(issuer, *entries, this_update, next_update=None, more=(), how="sha256", sign_with=None):
    """PEM of a list of the Cert `issuer`."""
    signer = key(sign_with) if sign_with else issuer.key
    algorithm = signature_algorithm(signer, how)
    parts = [integer(1), algorithm, issuer.subject, time(this_update)]
    if next_update:
        parts.append(time(next_update))
    if entries:
        parts.append(sequence(*entries))
    parts.append(context(0, sequence(authority_key_identifier(issuer.key),
                                     extension("2.5.29.20", integer(1)), *more)))
    tbs = sequence(*parts)
    return pem("X509 CRL", sequence(tbs, algorithm, bit_string(sign(signer, how, tbs))))

