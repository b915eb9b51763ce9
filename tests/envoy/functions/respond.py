"""The functions of lambda_test.py: AWS_PROXY integrations."""

import base64
import json
import time


def echo(event, _context):
    """Payload format 1.0: what it was called with."""
    wish = (event["queryStringParameters"] or {}).get("wish")
    if wish == "malformed":
        return {"body": "no status"}
    if wish == "split":
        return {"statusCode": 200, "headers": {"x-a": "b\r\nset-cookie: c=d"}}
    if wish == "crash":
        raise ValueError("the database is gone")
    if wish == "sleep":
        time.sleep(3)
    if wish == "binary":
        return {
            "statusCode": 200,
            "headers": {"content-type": "image/png"},
            "body": base64.b64encode(bytes(range(256))).decode(),
            "isBase64Encoded": True,
        }
    return {
        "statusCode": 201,
        "headers": {"x-one": "1"},
        "multiValueHeaders": {"set-cookie": ["a=1", "b=2"]},
        "body": json.dumps(event),
    }


def echo20(event, _context):
    """Payload format 2.0, and an answer without a status."""
    return event


def authorize(event, _context):
    return {
        "principalId": "caller",
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": "*"}
            ],
        },
        "context": {"tier": 7},
    }
