"""The harness itself: what it says about a test must be true."""

import http.client
import json
import os
import pathlib
import socket
import tempfile
import unittest
from xml.etree import ElementTree

import run_unittest
from harness import backend
from harness import certificates
from harness import client
from harness import curl
from harness import http2
from harness import tcp
from harness import wait


class Runner(unittest.TestCase):
    def report_of(self, case):
        with open(os.devnull, "w", encoding="utf-8") as null:
            runner = unittest.TextTestRunner(stream=null, resultclass=run_unittest.Report)
            report = runner.run(unittest.defaultTestLoader.loadTestsFromTestCase(case))
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "report.xml"
            run_unittest.write_junit(path, "x", report)
            return report, ElementTree.parse(path).getroot().find("testsuite")

    def test_counts_every_case_and_every_problem(self):
        class Case(unittest.TestCase):
            def test_passes(self):
                pass

            def test_fails_with_a_control_character(self):
                self.fail("broken \x00 thing")

            def test_raises(self):
                raise OSError("gone")

            def test_fails_in_a_subtest(self):
                for i in range(3):
                    with self.subTest(i=i):
                        self.assertNotEqual(i, 1)

            @unittest.skip("not here")
            def test_is_skipped(self):
                pass

        report, suite = self.report_of(Case)
        self.assertFalse(report.wasSuccessful())
        self.assertEqual(
            [suite.get(k) for k in ("tests", "failures", "errors", "skipped")],
            ["5", "2", "1", "1"],
        )
        broken = [c for c in suite if c.get("name") == "test_fails_with_a_control_character"]
        self.assertIn("broken ? thing", broken[0].find("failure").text)

    def test_a_failing_class_set_up_is_an_error(self):
        class Case(unittest.TestCase):
            @classmethod
            def setUpClass(cls):
                raise OSError("no Envoy")

            def test_never_runs(self):
                pass

        report, suite = self.report_of(Case)
        self.assertFalse(report.wasSuccessful())
        self.assertEqual(suite.get("errors"), "1")


class Waiting(unittest.TestCase):
    def test_returns_what_the_condition_returned(self):
        answers = iter([None, 0, "here"])
        self.assertEqual(wait.until(lambda: next(answers), "it"), "here")

    def test_names_what_did_not_happen(self):
        with self.assertRaisesRegex(TimeoutError, "the moon: .* False"):
            wait.until(lambda: False, "the moon", timeout=0.05)


class Certificates(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.workshop = certificates.Workshop(cls.folder.name)

    def test_dates_are_the_ones_asked_for(self):
        start, end = certificates.days_from_now(-9), certificates.days_from_now(-2)
        old = self.workshop.client("old", "/O=A, B/CN=old", not_before=start, not_after=end)
        self.assertEqual(old.validity(), (start.replace(microsecond=0), end.replace(microsecond=0)))
        self.assertEqual(old.subject(), "CN=old,O=A\\, B")

    def test_a_chain_ends_in_its_root(self):
        root = self.workshop.authority("root", "/CN=root")
        middle = self.workshop.authority("middle", "/CN=middle", root)
        leaf = self.workshop.client("leaf", "/CN=leaf", middle, sans="DNS:a.test", send=[middle])
        certificates.run(
            "openssl", "verify", "-CAfile", root.certificate, "-untrusted", leaf.chain,
            "-purpose", "sslclient", leaf.certificate,
        )
        self.assertEqual(leaf.chain.read_text().count("BEGIN CERTIFICATE"), 2)
        self.assertEqual(leaf.issuer(), "CN=middle")

    def test_without_extensions_it_is_version_1(self):
        plain = self.workshop.make("plain", "/CN=plain", not_before=certificates.days_from_now(-1),
                                   not_after=certificates.days_from_now(1))
        text = certificates.run("openssl", "x509", "-in", plain.certificate, "-noout", "-text")
        self.assertIn("Version: 1 (0x0)", text)


class TheBackend(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = backend.Backend().start()
        cls.addClassCleanup(cls.server.stop)

    def test_tells_headers_as_they_came_and_trailers(self):
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=5) as raw:
            raw.sendall(
                b"POST /p HTTP/1.1\r\nHost: h\r\nX-Two: 1\r\nx-two: 2\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Late: yes\r\n\r\n"
            )
            response = http.client.HTTPResponse(raw)
            response.begin()
            received = client.Received(json.loads(response.read()))
        self.assertEqual(received.all("x-two"), ["1", "2"])
        self.assertEqual(received.trailers, [("x-late", "yes")])
        self.assertEqual(received.document["body_bytes"], 3)

    def test_curl_answers_are_read_whole(self):
        answer = curl.run(["curl", "-s", "http://127.0.0.1:%d/x" % self.server.port])
        self.assertEqual((answer.exit_status, answer.status, answer.version), (0, 200, "1.1"))
        self.assertEqual(answer.header("content-type"), "application/json")
        self.assertEqual(answer.received().document["path"], "/x")


class Http2(unittest.TestCase):
    def test_integers_are_those_of_rfc_7541_appendix_c_1(self):
        self.assertEqual(http2._integer(10, 5), bytes([10]))
        self.assertEqual(http2._integer(1337, 5), bytes([31, 154, 10]))
        self.assertEqual(http2._integer(42, 8), bytes([42]))


class ProxyProtocol(unittest.TestCase):
    # Put together by hand from the protocol's text.
    HEADER = bytes.fromhex(
        "0d0a0d0a000d0a515549540a" "21" "11" "002f"
        "c0000207" "c0000201" "9c40" "1538"
        "20" "0020" "07" "00000000"
        "21" "0007" "544c5376312e33"
        "22" "0009" "64622d636c69656e74"
        "28" "0002" "3000"
    )

    def read(self, data):
        stream = [data]

        def exactly(size):
            if len(stream[0]) < size:
                raise tcp.BadHeader("too short")
            taken, stream[0] = stream[0][:size], stream[0][size:]
            return taken

        return tcp.read_proxy_header(exactly).document()

    def test_everything_is_read(self):
        self.assertEqual(
            self.read(self.HEADER + b"data"),
            {
                "source": ("192.0.2.7", 40000), "destination": ("192.0.2.1", 5432), "command": 1,
                "types": [0x20], "client": 7, "verify": 0, "inner": [0x21, 0x22, 0x28],
                "tls": "TLSv1.3", "cn": "db-client", "certificate": "3000",
            },
        )

    def test_what_is_no_header_is_told(self):
        header = self.HEADER
        for wrong in (
            b"GET / HTTP/1.1\r\n\r\n",
            header[:-1],
            header[:12] + b"\x11" + header[13:],  # version 1
            header[:13] + b"\x12" + header[14:],  # datagrams
            header[:15] + b"\x2e" + header[16:],  # a vector that is cut off
            header[:36] + b"\x22" + header[37:],  # two names
        ):
            with self.assertRaises(tcp.BadHeader, msg=wrong):
                self.read(wrong)


if __name__ == "__main__":
    unittest.main()
