"""curl, with the host names pointed at 127.0.0.1."""

import dataclasses
import json
import os
import re
import subprocess

from harness import client


@dataclasses.dataclass(frozen=True)
class Answer:
    exit_status: int  # curl's
    status: int  # HTTP; 0 when there was none
    version: str  # "1.1", "2"; "0" when there was none
    headers: tuple
    body: str
    error: str  # curl's message

    def header(self, name):
        values = [v for k, v in self.headers if k == name]
        return values[0] if values else None

    def received(self):
        return client.Received(json.loads(self.body))


def command(port, server_ca, *options, identity=None, domain=client.DOMAIN, path="/"):
    """The command line, as a list. identity: an Identity, sent with its chain."""
    line = ["curl", "--silent", "--show-error", "--max-time", "20"]
    line += ["--cacert", str(server_ca), "--resolve", "%s:%d:127.0.0.1" % (domain, port)]
    if identity is not None:
        line += ["--cert", str(identity.chain), "--key", str(identity.key)]
    line += [str(o) for o in options]
    return line + ["https://%s:%d%s" % (domain, port, path)]


def run(line, environment=None, cwd=None):
    """Runs a curl command line and reads its answer."""
    done = subprocess.run(
        line[:1] + ["--include", "--write-out", "\n%{http_code} %{http_version}"] + line[1:],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **(environment or {})},
        cwd=cwd,
        check=False,
    )
    text = done.stdout.decode("utf-8", "replace")
    text, _, last = text.rpartition("\n")
    code, _, version = last.partition(" ")
    headers, body = [], text
    # 1xx and CONNECT answers come before the one that counts.
    while True:
        match = re.match(r"HTTP/[\d.]+ \d+[^\r\n]*\r\n((?:[^\r\n]+\r\n)*)\r\n", body)
        if not match:
            break
        fields = (line.partition(":") for line in match.group(1).split("\r\n") if line)
        headers = [(name.lower(), value.strip()) for name, _, value in fields]
        body = body[match.end():]
    return Answer(
        done.returncode, int(code or 0), version, tuple(headers), body,
        done.stderr.decode("utf-8", "replace").strip(),
    )


def get(port, server_ca, *options, environment=None, **where):
    return run(command(port, server_ca, *options, **where), environment)
