"""An authorizer that looks the client's certificate up in a revocation list.

REST API, type REQUEST. API Gateway does not ask for revocation by itself: its
guide suggests an authorizer like this. Files, by environment variables:
  CRL_FILE     the issuing CA's revocation list, PEM or DER
  ISSUER_FILE  that CA's certificate, PEM

A list that is missing, out of date, or signed by somebody else lets nobody in.
"""

import datetime
import os

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

_PEM = b"-----BEGIN"


def _read(path):
    with open(path, "rb") as file:
        return file.read()


def _is_revoked(certificate):
    """Raises what says why it is not known."""
    issuer = x509.load_pem_x509_certificate(_read(os.environ["ISSUER_FILE"]))
    data = _read(os.environ["CRL_FILE"])
    load = x509.load_pem_x509_crl if data.startswith(_PEM) else x509.load_der_x509_crl
    crl = load(data)
    if crl.issuer != issuer.subject or not crl.is_signature_valid(issuer.public_key()):
        raise ValueError("the list is not the issuer's")
    now = datetime.datetime.now(datetime.timezone.utc)
    if crl.next_update_utc is None or now >= crl.next_update_utc:
        raise ValueError("the list is out of date")
    # A certificate of another CA is not in this list, whatever its number.
    certificate.verify_directly_issued_by(issuer)
    return crl.get_revoked_certificate_by_serial_number(certificate.serial_number) is not None


def handler(event, _context):
    pem = event["requestContext"]["identity"]["clientCert"]["clientCertPem"]
    certificate = x509.load_pem_x509_certificate(pem.encode("ascii"))
    revoked = _is_revoked(certificate)
    # Of the whole API: the answer is remembered, and asked about other paths.
    api = "/".join(event["methodArn"].split("/")[:2]) + "/*"
    return {
        "principalId": certificate.subject.rfc4514_string(),
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Action": "execute-api:Invoke",
                    "Effect": "Deny" if revoked else "Allow",
                    "Resource": api,
                }
            ],
        },
        "context": {"certificateBytes": len(certificate.public_bytes(Encoding.DER))},
    }
