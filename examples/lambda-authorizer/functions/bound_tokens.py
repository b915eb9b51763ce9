"""An authorizer that takes access tokens only from the client that they were
issued to (RFC 8705, section 3): the token names the SHA-256 of the client's
certificate in cnf.x5t#S256, so a stolen token is of no use without the key.

REST API, type REQUEST, identity source method.request.header.Authorization. Tokens
are JWTs (RFC 7519) signed with ES256. TOKEN_KEY_FILE: the issuer's public key,
PEM; TOKEN_AUDIENCE: whom they are for.
"""

import base64
import hashlib
import hmac
import json
import os
import time

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate
from cryptography.hazmat.primitives.serialization import Encoding

_SCHEME = "Bearer "


def _decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def thumbprint(pem):
    """x5t#S256 of a certificate: base64url of the SHA-256 of its DER."""
    der = load_pem_x509_certificate(pem.encode("ascii")).public_bytes(Encoding.DER)
    return base64.urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()


def _claims(token):
    """The claims of a token that is good now. Raises otherwise."""
    header, payload, signature = token.split(".")
    if json.loads(_decode(header)).get("alg") != "ES256":
        raise ValueError("another algorithm")
    with open(os.environ["TOKEN_KEY_FILE"], "rb") as file:
        key = load_pem_public_key(file.read())
    raw = _decode(signature)
    if len(raw) != 64:
        raise ValueError("no signature")
    der = utils.encode_dss_signature(
        int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    )
    key.verify(der, (header + "." + payload).encode("ascii"), ec.ECDSA(hashes.SHA256()))
    claims = json.loads(_decode(payload))
    now = time.time()
    if claims.get("aud") != os.environ["TOKEN_AUDIENCE"]:
        raise ValueError("for somebody else")
    if not claims.get("nbf", 0) <= now < claims["exp"]:
        raise ValueError("not now")
    return claims


def handler(event, _context):
    # "Unauthorized" is the word by which API Gateway answers 401.
    given = next(v for k, v in event["headers"].items() if k.lower() == "authorization")
    if not given.startswith(_SCHEME):
        raise Exception("Unauthorized")
    try:
        claims = _claims(given[len(_SCHEME):])
    except (ValueError, KeyError, InvalidSignature) as error:
        raise Exception("Unauthorized") from error
    pem = event["requestContext"]["identity"]["clientCert"]["clientCertPem"]
    bound = str(claims.get("cnf", {}).get("x5t#S256", ""))
    is_holder = hmac.compare_digest(bound, thumbprint(pem))
    api = "/".join(event["methodArn"].split("/")[:2]) + "/*"
    return {
        "principalId": str(claims.get("sub", "nobody")),
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Action": "execute-api:Invoke",
                    "Effect": "Allow" if is_holder else "Deny",
                    "Resource": api,
                }
            ],
        },
        "context": {"scope": str(claims.get("scope", ""))},
    }
