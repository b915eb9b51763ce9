"""A server that speaks S3 (moto), and the AWS CLI beside it.

AWS_TOOLS is the file moto/__init__.py of the set-up's folder; the rest is
beside it.
"""

import json
import os
import pathlib
import subprocess
import sys
import urllib.request

from harness import processes

TOOLS = pathlib.Path(os.environ["AWS_TOOLS"]).resolve().parent.parent
REGION = "eu-central-1"

_SERVER = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""


def _environment(**more):
    kept = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    return dict(
        kept,
        PYTHONPATH=str(TOOLS),
        PYTHONDONTWRITEBYTECODE="1",
        # Nothing of the machine's own, and nobody else to ask.
        AWS_CONFIG_FILE=os.devnull,
        AWS_SHARED_CREDENTIALS_FILE=os.devnull,
        AWS_EC2_METADATA_DISABLED="true",
        AWS_REGION=REGION,
        AWS_DEFAULT_REGION=REGION,
        **more,
    )


class Server:
    """Checks signatures and rights only from require_signatures() on."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, "-c", _SERVER],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True, env=_environment(), preexec_fn=processes.die_with_parent,
        )
        port = self.process.stdout.readline().strip()
        if not port:
            self.close()
            raise AssertionError("the S3 server does not start")
        self.endpoint = "http://127.0.0.1:" + port

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def credentials(self, key="AKIDEXAMPLE", secret="example"):
        return {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret}

    def environment(self, **credentials):
        """For a program that is to use this server."""
        return _environment(AWS_ENDPOINT_URL=self.endpoint, **credentials)

    def cli(self, *arguments, credentials=None):
        """Runs the AWS CLI; its answer as an object, or None."""
        done = subprocess.run(
            [sys.executable, "-m", "awscli", *arguments, "--output", "json"],
            env=self.environment(**(credentials or self.credentials())),
            text=True, capture_output=True, check=False, timeout=60,
        )
        if done.returncode != 0:
            raise AssertionError("aws %s: %s" % (" ".join(arguments), done.stderr))
        return json.loads(done.stdout) if done.stdout.strip() else None

    def require_signatures(self):
        request = urllib.request.Request(
            self.endpoint + "/moto-api/reset-auth", data=b"0", method="POST",
            headers={"Content-Type": "text/plain"},
        )
        with urllib.request.urlopen(request, timeout=10):
            pass
