"""A real sallyportd beside an S3 server (moto), and the AWS CLI that is to use
both: its endpoints come from the environment, as for any installation."""

import json
import os
import pathlib
import subprocess
import sys
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parent.parent / "integration"))

from harness import s3  # noqa: E402
from sallyportd import Daemon  # noqa: E402

sys.path.insert(0, str(s3.TOOLS))

REGION = "ap-south-1"
ACCOUNT = "123456789012"


class Failed(Exception):
    """The CLI ended with an error: `code` is Amazon's name for it."""

    def __init__(self, text):
        super().__init__(text)
        self.code = text.split("(", 1)[1].split(")", 1)[0] if "(" in text else ""


class Service:
    """One installation. `folder` is the working folder of commands."""

    def __init__(self, folder, *arguments):
        self.folder = pathlib.Path(folder)
        self.s3 = s3.Server()
        environment = self.s3.environment(
            **self.s3.credentials(), AWS_ENDPOINT_URL_S3=self.s3.endpoint
        )
        with mock.patch.dict(os.environ, environment, clear=True):
            self.daemon = Daemon(
                self.folder / "data",
                "--allow-loopback-without-credentials",
                "--aws-region", REGION,
                "--s3-path-style",
                *arguments,
            )
            self.daemon.__enter__()
        self.admin = self.key("admin")
        # What is on PATH as "aws".
        programs = self.folder / "bin"
        programs.mkdir()
        program = programs / "aws"
        program.write_text(
            f'#!/bin/sh\nexec "{sys.executable}" -m awscli "$@"\n', encoding="ascii"
        )
        program.chmod(0o755)

    def close(self):
        self.daemon.stop()
        self.s3.close()

    def key(self, role, name="tester"):
        """A new access key, as the environment has it."""
        made = self.daemon.json("access-key", "create", name, "--role", role)[0]
        return {
            "AWS_ACCESS_KEY_ID": made["access_key"]["name"].split("/")[1],
            "AWS_SECRET_ACCESS_KEY": made["secret_access_key"],
        }

    def environment(self, key=None):
        environment = dict(self.s3.environment(), **(key or self.admin))
        environment.pop("AWS_ENDPOINT_URL", None)
        for service in ("API_GATEWAY", "APIGATEWAYV2", "ACM"):
            environment["AWS_ENDPOINT_URL_" + service] = self.daemon.http
        environment["AWS_ENDPOINT_URL_S3"] = self.s3.endpoint
        environment["AWS_REGION"] = environment["AWS_DEFAULT_REGION"] = REGION
        environment["AWS_MAX_ATTEMPTS"] = "1"
        environment["PATH"] = f"{self.folder / 'bin'}:{environment['PATH']}"
        return environment

    def shell(self, command, key=None):
        """Runs a command as the documents print it; its answer as an object."""
        done = subprocess.run(
            ["sh", "-c", command], cwd=self.folder, env=self.environment(key),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60,
        )
        if done.returncode != 0:
            raise Failed(done.stderr)
        return json.loads(done.stdout) if done.stdout.strip() else None

    def client(self, name, key=None, **options):
        """boto3's client of a service; it tries once unless `options` say."""
        import boto3  # pylint: disable=import-outside-toplevel
        from botocore.config import Config  # pylint: disable=import-outside-toplevel

        key = key or self.admin
        return boto3.session.Session().client(
            name,
            endpoint_url=self.daemon.http,
            region_name=REGION,
            aws_access_key_id=key["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=key["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=options.pop("session_token", None),
            config=Config(retries={"total_max_attempts": 1}, **options),
        )
