"""bench/run works, end to end, on a few connections. Nothing is timed."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

BENCH = pathlib.Path(__file__).absolute().parent
sys.path.insert(0, str(BENCH))

from measure import config, process  # pylint: disable=wrong-import-position


def tool(name):
    return pathlib.Path(os.environ[name]).absolute()


class RunTest(unittest.TestCase):
    CASES = "handshake_1,complete,forwarding,stranger,limits,start_10,defaults_900,domains_3"

    def test_every_kind_of_case_gives_numbers_and_leaves_nothing_running(self):
        with tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR")) as folder:
            out = pathlib.Path(folder, "out.json")
            environment = dict(os.environ, TMPDIR=folder)
            for name in ("ENVOY", "SALLYPORT_MODULE", "SALLYPORT_BENCH_LOAD",
                         "SALLYPORT_BENCH_FIXTURES"):
                environment[name] = str(tool(name))
            done = subprocess.run(
                [
                    sys.executable, str(BENCH / "run"), "--quick", "--repeats", "1",
                    "--slice", "8", "--cases", self.CASES, "--json", str(out),
                ],
                env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                check=False,
            )
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            result = json.loads(out.read_text(encoding="utf-8"))
            left = [p for p in pathlib.Path("/proc").glob("[0-9]*") if self._mentions(p, folder)]
            self.assertEqual(left, [])

        self.assertEqual(",".join(c["name"] for c in result["cases"]), self.CASES)
        for case in result["cases"]:
            self.assertIn(case["title"], done.stdout)
            for label in case["variants"]:
                self.assertIn(label, done.stdout)
            if case["kind"] == "handshakes":
                for turns in case["turns"].values():
                    self.assertEqual(len(turns), 2)
                    self.assertTrue(all(t["cpu_us"] > 0 for t in turns), turns)
            elif case["kind"] == "starts":
                for starts in case["starts"].values():
                    self.assertEqual(len(starts), 2)
                    self.assertTrue(all(s["rss"] > 1 << 20 for s in starts), starts)
        by_name = {c["name"]: c for c in result["cases"]}
        refusals = by_name["stranger"]["turns"]["built-in"][0]
        self.assertEqual(refusals["alerts"] + refusals["resets"], 8)
        works = {k: v["works"] for k, v in by_name["defaults_900"]["outcomes"].items()}
        self.assertEqual(
            works, {"built-in, as it comes": False, "Sallyport, validator and filter": True}
        )

    @staticmethod
    def _mentions(entry, text):
        try:
            return text.encode() in (entry / "cmdline").read_bytes()
        except OSError:
            return False

    def test_a_case_that_does_not_exist_is_an_error(self):
        done = subprocess.run(
            [sys.executable, str(BENCH / "run"), "--list", "--cases", "nonsense"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
        )
        self.assertEqual(done.returncode, 1)
        self.assertIn("nonsense", done.stderr)


class LoadTest(unittest.TestCase):
    """An answer other than the expected one never becomes a number."""

    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR"))
        cls.addClassCleanup(cls.scratch.cleanup)
        folder = pathlib.Path(cls.scratch.name)
        subprocess.run(
            [str(tool("SALLYPORT_BENCH_FIXTURES")), str(folder), "3", "1"], check=True
        )
        server_cpu, load_cpu = process.choose_cpus()
        cls.load = process.Load(tool("SALLYPORT_BENCH_LOAD"), folder, load_cpu)
        gateway = config.Gateway(
            config.SALLYPORT, str(folder / "truststore_1.pem"), with_filter=True
        )
        cls.server = process.Server(
            tool("ENVOY"), tool("SALLYPORT_MODULE"), gateway, folder, folder / "server", server_cpu
        )
        cls.addClassCleanup(cls.server.stop)
        cls.server.start(cls.load)

    def answer(self, **options):
        return self.load.run(self.server.port, connections=5, **options)

    def test_expected_answers_are_counted(self):
        self.assertEqual(self.answer()["connections"], 5)
        self.assertEqual(self.answer(client="stranger", expect="403")["connections"], 5)
        refused = self.answer(client="none", expect="refused")
        self.assertEqual(refused["alerts"] + refused["resets"], 5)

    def test_another_status_is_a_failure(self):
        with self.assertRaisesRegex(process.Failure, "expected 403, got status 200"):
            self.answer(expect="403")
        with self.assertRaisesRegex(process.Failure, "expected 200, got status 403"):
            self.answer(client="stranger")

    def test_a_refusal_is_a_failure_where_an_answer_is_expected(self):
        with self.assertRaisesRegex(process.Failure, "expected 200, got (a TLS alert|connection)"):
            self.answer(client="none")

    def test_an_answer_is_a_failure_where_a_refusal_is_expected(self):
        with self.assertRaisesRegex(process.Failure, "expected refused, got status 200"):
            self.answer(expect="refused")

    def test_nobody_listening_is_a_failure(self):
        with self.assertRaisesRegex(process.Failure, "TCP connection refused"):
            self.load.run(process.free_port(), connections=1)
        with self.assertRaisesRegex(process.Failure, "not ready in time"):
            self.load.run(process.free_port(), ready_within=0.05)

    def test_cpu_time_of_the_server_grows_with_work(self):
        before = self.server.cpu_seconds()
        self.answer()
        self.assertGreater(self.server.cpu_seconds(), before)


class StartTest(unittest.TestCase):
    def test_an_envoy_that_ends_at_once_is_a_failure_with_its_log(self):
        with tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR")) as name:
            folder = pathlib.Path(name)
            subprocess.run(
                [str(tool("SALLYPORT_BENCH_FIXTURES")), str(folder), "1", "1"], check=True
            )
            server_cpu, load_cpu = process.choose_cpus()
            load = process.Load(tool("SALLYPORT_BENCH_LOAD"), folder, load_cpu)
            gateway = config.Gateway(config.SALLYPORT, str(folder / "missing.pem"))
            with process.Server(
                tool("ENVOY"), tool("SALLYPORT_MODULE"), gateway, folder, folder / "s", server_cpu
            ) as server:
                with self.assertRaisesRegex(process.Failure, "(?s)Envoy ended.*missing.pem"):
                    server.start(load)
