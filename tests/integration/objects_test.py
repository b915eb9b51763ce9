"""Truststores' sources beside a server that speaks S3, filled by the AWS CLI."""

import os
import pathlib
import socket
import subprocess
import tempfile
import threading
import time
import http.server
import unittest

from harness import s3

READ_OBJECT = os.path.abspath(os.environ["READ_OBJECT"])
BUCKET = "partner-trust"
LIMIT = 1 << 20


class S3Objects(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = s3.Server()
        cls.addClassCleanup(cls.server.close)
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cli = cls.server.cli
        cli("s3api", "create-bucket", "--bucket", BUCKET,
            "--create-bucket-configuration", "LocationConstraint=" + s3.REGION)
        cli("s3api", "put-bucket-versioning", "--bucket", BUCKET,
            "--versioning-configuration", "Status=Enabled")
        cli("iam", "create-user", "--user-name", "sallyport")
        cls.key = cli("iam", "create-access-key", "--user-name", "sallyport")["AccessKey"]
        cli("iam", "put-user-policy", "--user-name", "sallyport", "--policy-name", "all",
            "--policy-document",
            '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}')
        cli("iam", "create-user", "--user-name", "nobody")
        cls.powerless = cli("iam", "create-access-key", "--user-name", "nobody")["AccessKey"]
        cls.server.require_signatures()
        cls.good = cls.server.credentials(cls.key["AccessKeyId"], cls.key["SecretAccessKey"])

    def put(self, key, content):
        path = self.folder / "object"
        path.write_text(content, encoding="ascii")
        return self.server.cli("s3api", "put-object", "--bucket", BUCKET, "--key", key,
                               "--body", str(path), credentials=self.good)

    def read(self, uri, version="", etag="", limit=LIMIT, credentials=None, environment=None):
        done = subprocess.run(
            [READ_OBJECT, uri, version, etag, str(limit)],
            env=dict(self.server.environment(**(credentials or self.good)), **(environment or {})),
            text=True, capture_output=True, check=False, timeout=60,
        )
        self.assertNotIn(self.key["SecretAccessKey"], done.stdout + done.stderr)
        return done.stdout.rstrip("\n")

    def test_the_current_version_and_an_earlier_one(self):
        first = self.put("trust.pem", "one")
        second = self.put("trust.pem", "two")
        uri = "s3://%s/trust.pem" % BUCKET
        self.assertEqual(
            self.read(uri), "ok %s %s two" % (second["ETag"], second["VersionId"]))
        self.assertEqual(
            self.read(uri, version=first["VersionId"]),
            "ok %s %s one" % (first["ETag"], first["VersionId"]))
        # Asked for with what it had before.
        self.assertEqual(self.read(uri, etag=second["ETag"]), "unchanged " + second["ETag"])
        self.assertTrue(self.read(uri, etag=first["ETag"]).startswith("ok "))

    def test_keys_of_any_characters(self):
        for key in ("a/b c.pem", "plus+and%25.pem", "ümlaut.pem", "a=b&c?d#e.pem", "~x'(y).pem"):
            with self.subTest(key=key):
                self.put(key, "content")
                self.assertTrue(self.read("s3://%s/%s" % (BUCKET, key)).endswith(" content"))

    def test_what_is_not_there(self):
        self.put("there.pem", "x")
        for uri, version, words in (
            ("s3://no-such-bucket-here/x", "", "NOT_FOUND: there is no such bucket"),
            ("s3://%s/missing" % BUCKET, "", "NOT_FOUND: there is no such object"),
        ):
            with self.subTest(uri=uri):
                self.assertIn(words, self.read(uri, version))
        self.assertRegex(
            self.read("s3://%s/there.pem" % BUCKET, "no-such-version"), "NOT_FOUND|INVALID_ARGUMENT")

    def test_the_limit(self):
        self.put("large.pem", "x" * 1000)
        uri = "s3://%s/large.pem" % BUCKET
        self.assertTrue(self.read(uri, limit=1000).startswith("ok "))
        self.assertEqual(
            self.read(uri, limit=999),
            "RESOURCE_EXHAUSTED: the object is larger than the limit of 999 bytes")

    def test_credentials(self):
        self.put("secret.pem", "x")
        uri = "s3://%s/secret.pem" % BUCKET
        wrong = self.server.credentials(self.key["AccessKeyId"], "wrong")
        self.assertIn("credentials are not valid", self.read(uri, credentials=wrong))
        unknown = self.server.credentials("AKIANOBODY", "wrong")
        self.assertIn("credentials are not valid", self.read(uri, credentials=unknown))
        powerless = self.server.credentials(
            self.powerless["AccessKeyId"], self.powerless["SecretAccessKey"])
        self.assertIn("PERMISSION_DENIED: access is denied", self.read(uri, credentials=powerless))

    def test_no_region(self):
        self.assertIn("set AWS_REGION", self.read("s3://%s/x" % BUCKET,
                                                  environment={"AWS_REGION": "", "AWS_DEFAULT_REGION": ""}))


class Answers(unittest.TestCase):
    """What a server says that is not well."""

    def answer(self, *answers):
        """Reads from a server that gives these answers, the last for ever."""
        seen = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                status, headers, body = answers[min(len(seen), len(answers) - 1)]
                seen.append(self.path)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.addCleanup(server.server_close)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.shutdown)
        done = subprocess.run(
            [READ_OBJECT, "s3://bucket/key", "", "", str(LIMIT)],
            env={"AWS_REGION": "eu-central-1",
                 "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:%d" % server.server_address[1]},
            text=True, capture_output=True, check=False, timeout=60,
        )
        return done.stdout.rstrip("\n"), seen

    def test_a_server_in_trouble_is_asked_again(self):
        busy = (503, {}, b"<Error><Code>SlowDown</Code></Error>")
        good = (200, {"ETag": '"e"'}, b"content")
        text, seen = self.answer(busy, busy, good)
        self.assertEqual(text, 'ok "e" - content')
        self.assertEqual(seen, ["/bucket/key"] * 3)
        text, seen = self.answer(busy)
        self.assertIn("UNAVAILABLE", text)
        self.assertIn("SlowDown", text)
        self.assertEqual(len(seen), 3)

    def test_another_region_is_named_and_not_followed(self):
        text, seen = self.answer(
            (301, {"x-amz-bucket-region": "us-west-2", "Location": "http://127.0.0.1:1/"},
             b"<Error><Code>PermanentRedirect</Code></Error>"))
        self.assertIn("FAILED_PRECONDITION: the bucket is in another region, us-west-2", text)
        self.assertEqual(len(seen), 1)

    def test_an_error_is_printable_and_short(self):
        text, _ = self.answer((403, {}, b"<Code>\x1b[31mred</Code>" + b"x" * 100000))
        self.assertIn("PERMISSION_DENIED", text)
        self.assertNotIn("\x1b", text)
        self.assertLess(len(text), 1000)

    def read_in_two_seconds(self, serve):
        """Reads from a server that does `serve` with each connection."""
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)

        def accept():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                self.addCleanup(connection.close)
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        began = time.monotonic()
        done = subprocess.run(
            [READ_OBJECT, "s3://bucket/key", "", "", str(LIMIT)],
            env={"AWS_REGION": "eu-central-1", "READ_TIMEOUT": "2s",
                 "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:%d" % listener.getsockname()[1]},
            text=True, capture_output=True, check=False, timeout=60,
        )
        self.assertIn("UNAVAILABLE: S3 at 127.0.0.1:", done.stdout)
        # All attempts together.
        self.assertLess(time.monotonic() - began, 5)

    def test_a_server_that_never_answers(self):
        self.read_in_two_seconds(lambda _: None)

    def test_a_server_that_answers_in_drips(self):
        def drip(connection):
            try:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
                while True:
                    connection.sendall(b"x")
                    time.sleep(0.05)
            except OSError:
                pass

        self.read_in_two_seconds(drip)

    def test_nobody_listens(self):
        done = subprocess.run(
            [READ_OBJECT, "s3://bucket/key", "", "", str(LIMIT)],
            env={"AWS_REGION": "eu-central-1", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1"},
            text=True, capture_output=True, check=False, timeout=60,
        )
        self.assertIn("UNAVAILABLE: S3 at 127.0.0.1:1: ", done.stdout)


if __name__ == "__main__":
    unittest.main()
