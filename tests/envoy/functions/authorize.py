"""The functions of authorizer_test.py, as a user of API Gateway writes them."""

import time


def _policy(principal, effect, resource, context=None):
    return {
        "principalId": principal,
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {"Action": "execute-api:Invoke", "Effect": effect, "Resource": resource}
            ],
        },
        "context": context or {},
    }


def by_certificate(event, _context):
    """REQUEST: who the certificate says may read; others get what they ask for."""
    wish = event["headers"].get("x-wish", "")
    if wish == "unauthorized":
        raise Exception("Unauthorized")
    if wish == "crash":
        raise ValueError("the database is gone")
    if wish == "sleep":
        time.sleep(3)
    if wish == "malformed":
        return {"principalId": "x"}
    if wish == "text":
        return "Allow"
    if wish == "deny":
        return _policy("x", "Deny", event["methodArn"])
    cert = event["requestContext"]["identity"].get("clientCert")
    if cert is None:
        return _policy("nobody", "Deny", "*")
    # All of the API's GET methods below /orders.
    api = "/".join(event["methodArn"].split("/")[:2])
    return _policy(
        cert["subjectDN"], "Allow", api + "/GET/orders*",
        {"serial": cert["serialNumber"], "tier": 7, "admin": False, "wish": wish},
    )


def by_token(event, _context):
    """TOKEN."""
    token = event["authorizationToken"]
    if token == "Bearer allow":
        return _policy("user", "Allow", event["methodArn"])
    if token == "Bearer deny":
        return _policy("user", "Deny", event["methodArn"])
    raise Exception("Unauthorized")


def simple(event, _context):
    """HTTP APIs, format 2.0, simple response."""
    cert = event["requestContext"].get("authentication", {}).get("clientCert")
    return {
        "isAuthorized": cert is not None and event["identitySource"] == ["open"],
        "context": {"who": cert["subjectDN"] if cert else "nobody"},
    }
