"""Watched sources of a real sallyportd, some of which never answer."""

import http.server
import os
import pathlib
import tempfile
import threading
import time
import unittest

from harness import certificates, wait
from sallyportd import Daemon

# More than sallyportd looks at at one time (server/source_poller.cc).
HANGING = 12


class HangingSourcesTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        workshop = certificates.Workshop(self.folder / "keys")
        self.contents = {"/good/trust.pem": workshop.authority("one", "/CN=One").pem()}
        for i in range(HANGING):
            self.contents["/bad/%d.pem" % i] = self.contents["/good/trust.pem"]
        self.second = workshop.authority("two", "/CN=Two").pem()
        self.hang = threading.Event()
        self.release = threading.Event()
        self.hung = set()
        test = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                if test.hang.is_set() and self.path.startswith("/bad/"):
                    test.hung.add(self.path)
                    test.release.wait()
                    return
                body = test.contents[self.path].encode()
                self.send_response(200)
                self.send_header("ETag", '"%d"' % (hash(body) & 0xffffff))
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.addCleanup(self.release.set)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        os.environ["AWS_REGION"] = "eu-central-1"
        self.daemon = Daemon(
            self.folder / "data", "--allow-loopback-without-credentials",
            "--s3-endpoint", "http://127.0.0.1:%d" % server.server_address[1])
        self.daemon.__enter__()
        self.addCleanup(self.daemon.__exit__)

    def create(self, name, path):
        self.daemon.ctl(
            "create", "truststores/" + name, "--set", "source.uri=s3:/" + path,
            "--set", "source.watch=ACTIVATE", "--set", "source.poll_interval=5s")

    def test_they_hold_up_nobody(self):
        for i in range(HANGING):
            self.create("bad-%d" % i, "/bad/%d.pem" % i)
        self.create("good", "/good/trust.pem")
        self.hang.set()
        wait.until(lambda: len(self.hung) >= 4, "some of them are asked", 20)
        self.contents["/good/trust.pem"] = self.second
        wait.until(
            lambda: self.daemon.json("get", "truststores/good")[0]["active_version"]
            == "truststores/good/versions/2",
            "the one that answers is read", 12)
        # Nor the end of the service.
        began = time.monotonic()
        self.assertEqual(self.daemon.stop(), 0)
        self.assertLess(time.monotonic() - began, 8)


if __name__ == "__main__":
    unittest.main()
