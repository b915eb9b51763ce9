"""A stand-in for AWS Lambda: functions run under AWS's own runtime client, behind
the Invoke API, whose signatures are checked.

AWS_LAMBDA_RIC is the file awslambdaric/__init__.py of the set-up's folder,
AWS_TOOLS that of moto (botocore, which checks the signatures, is beside it). A
function is a file and the name of its handler, as in Lambda.
"""

import datetime
import http.server
import json
import os
import pathlib
import queue
import socketserver
import subprocess
import sys
import threading
import time
import urllib.parse
import uuid

from harness import processes

RUNTIME = pathlib.Path(os.environ["AWS_LAMBDA_RIC"]).resolve().parent.parent
sys.path.insert(0, str(pathlib.Path(os.environ["AWS_TOOLS"]).resolve().parent.parent))

from botocore import auth  # noqa: E402
from botocore import awsrequest  # noqa: E402
from botocore import credentials as aws_credentials  # noqa: E402

REGION = "eu-central-1"
KEY_ID = "AKIDEXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
_DEADLINE = 20.0


class _Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, handler, owner):
        super().__init__(("127.0.0.1", 0), handler)
        self.owner = owner
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def port(self):
        return self.server_address[1]

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def answer(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self):
        if "chunked" not in self.headers.get("transfer-encoding", "").lower():
            return self.rfile.read(int(self.headers.get("content-length") or 0))
        out = b""
        while True:
            size = int(self.rfile.readline().split(b";")[0], 16)
            piece = self.rfile.read(size)
            self.rfile.readline()
            if size == 0:
                return out
            out += piece

    def log_message(self, *_):
        pass


class _RuntimeApi(_Handler):
    """What the runtime client inside asks and tells."""

    def do_GET(self):
        call = self.server.owner.next_call()
        self.answer(
            200,
            call.event,
            (
                ("Lambda-Runtime-Aws-Request-Id", call.id),
                ("Lambda-Runtime-Deadline-Ms", str(int((time.time() + _DEADLINE) * 1000))),
                ("Lambda-Runtime-Invoked-Function-Arn", self.server.owner.arn),
                ("Content-Type", "application/json"),
            ),
        )

    def do_POST(self):
        body = self.body()
        path = self.path.split("/")
        if path[-1] in ("response", "error") and len(path) > 2:
            self.server.owner.end_call(path[-2], body, path[-1] == "error")
        self.answer(202)


class _Call:
    def __init__(self, event):
        self.id = str(uuid.uuid4())
        self.event = event
        self.done = threading.Event()
        self.answer = b""
        self.failed = False


class Function:
    """One function in a process of its own."""

    def __init__(self, name, file, handler="handler", environment=None):
        self.name = name
        self.arn = "arn:aws:lambda:%s:123456789012:function:%s" % (REGION, name)
        self._waiting = queue.Queue()
        self._calls = {}
        # What it was called with, oldest first.
        self.events = []
        self._server = _Server(_RuntimeApi, self)
        file = pathlib.Path(file)
        kept = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        self._process = subprocess.Popen(
            [sys.executable, "-B", "-m", "awslambdaric", file.stem + "." + handler],
            cwd=file.parent,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            env={
                **kept,
                "PYTHONPATH": str(RUNTIME),
                "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:%d" % self._server.port,
                "AWS_LAMBDA_FUNCTION_NAME": name,
                "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
                "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/" + name,
                "AWS_LAMBDA_LOG_STREAM_NAME": "stream",
                "LAMBDA_TASK_ROOT": str(file.parent),
                **(environment or {}),
            },
            preexec_fn=processes.die_with_parent,
        )

    def next_call(self):
        return self._waiting.get()

    def end_call(self, call_id, body, failed):
        call = self._calls.pop(call_id, None)
        if call is not None:
            call.answer, call.failed = body, failed
            call.done.set()

    def invoke(self, event):
        """(answer, whether it raised an error); None when it takes too long."""
        call = _Call(event)
        self.events.append(json.loads(event))
        self._calls[call.id] = call
        self._waiting.put(call)
        if not call.done.wait(_DEADLINE):
            return None
        return call.answer, call.failed

    def stop(self):
        self._process.kill()
        self._process.wait()
        self._server.shutdown()
        self._server.server_close()


class _InvokeApi(_Handler):
    def do_POST(self):
        service = self.server.owner
        body = self.body()
        with service.lock:
            service.requests.append((self.path, dict(self.headers.items()), body))
            status = service.status
            secrets = dict(service.keys)
        if status is not None:
            self.answer(status, b'{"Message":"Rate Exceeded."}')
            return
        problem = _signature_problem(self, body, secrets)
        if problem:
            service.refusals.append(problem)
            self.answer(403, json.dumps({"message": problem}).encode())
            return
        parts = self.path.split("?")[0].split("/")
        name = urllib.parse.unquote(parts[3]) if len(parts) == 5 else ""
        function = service.functions.get(name.split(":function:")[-1])
        if function is None or parts[1:3] != ["2015-03-31", "functions"]:
            self.answer(404, b'{"Message":"Function not found"}')
            return
        came = function.invoke(body)
        if came is None:
            self.answer(200, b'{"errorMessage":"Task timed out"}',
                        (("X-Amz-Function-Error", "Unhandled"),))
            return
        answer, failed = came
        headers = (("content-type", "application/json"), ("x-amz-executed-version", "$LATEST"))
        if failed:
            headers += (("X-Amz-Function-Error", "Unhandled"),)
        self.answer(200, answer, headers)


def _signature_problem(request, body, secrets):
    """What botocore would have signed otherwise; None: the signature is good."""
    given = request.headers.get("authorization", "")
    if not given.startswith("AWS4-HMAC-SHA256 "):
        return "no signature"
    fields = dict(
        part.strip().split("=", 1) for part in given[len("AWS4-HMAC-SHA256 "):].split(",")
    )
    key_id, date, region, service, _ = fields["Credential"].split("/")
    if key_id not in secrets:
        return "unknown key"
    if (region, service) != (REGION, "lambda"):
        return "another scope"
    stamp = request.headers["x-amz-date"]
    signed_at = datetime.datetime.strptime(stamp, "%Y%m%dT%H%M%SZ")
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    if date != stamp[:8] or abs((now - signed_at).total_seconds()) > 300:
        return "another time"
    names = fields["SignedHeaders"].split(";")
    for needed in ("host", "x-amz-date"):
        if needed not in names:
            return needed + " is not signed"
    secret, token = secrets[key_id]
    if token and request.headers.get("x-amz-security-token") != token:
        return "another session token"
    signer = auth.SigV4Auth(aws_credentials.Credentials(key_id, secret), service, region)
    again = awsrequest.AWSRequest(
        method=request.command,
        url="https://%s%s" % (request.headers["host"], request.path),
        data=body,
        headers={name: request.headers[name] for name in names},
    )
    again.context["timestamp"] = stamp
    text = signer.string_to_sign(again, signer.canonical_request(again))
    if signer.signature(text, again) != fields["Signature"]:
        return "another signature"
    return None


class _Sts(_Handler):
    def do_POST(self):
        service = self.server.owner
        form = dict(urllib.parse.parse_qsl(self.body().decode()))
        with service.lock:
            service.sts_requests.append(form)
        if form.get("WebIdentityToken") != service.web_identity_token:
            self.answer(403, b"<ErrorResponse/>")
            return
        ends = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
        key_id, (secret, token) = "ASIAEXAMPLE", ("stssecret", "ststoken==")
        with service.lock:
            service.keys[key_id] = (secret, token)
        self.answer(
            200,
            (
                "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult>"
                "<Credentials><AccessKeyId>%s</AccessKeyId><SecretAccessKey>%s"
                "</SecretAccessKey><SessionToken>%s</SessionToken><Expiration>%s</Expiration>"
                "</Credentials></AssumeRoleWithWebIdentityResult>"
                "</AssumeRoleWithWebIdentityResponse>"
                % (key_id, secret, token, ends.strftime("%Y-%m-%dT%H:%M:%SZ"))
            ).encode(),
            (("content-type", "text/xml"),),
        )


class Service:
    """The Invoke API and STS on free ports of 127.0.0.1."""

    def __init__(self):
        self.lock = threading.Lock()
        self.functions = {}
        # Key id -> (secret, session token).
        self.keys = {KEY_ID: (SECRET, "")}
        self.requests = []
        self.refusals = []
        # In place of an answer; None: answer.
        self.status = None
        self.web_identity_token = "header.payload.signature"
        self.sts_requests = []
        self._invoke = _Server(_InvokeApi, self)
        self._sts = _Server(_Sts, self)
        self.port = self._invoke.port
        self.sts_port = self._sts.port

    def add(self, name, file, **options):
        self.functions[name] = Function(name, file, **options)
        return self.functions[name]

    def stop(self):
        for function in self.functions.values():
            function.stop()
        for server in (self._invoke, self._sts):
            server.shutdown()
            server.server_close()
