"""bench/run works, end to end, on a few connections. Nothing is timed."""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import types
import unittest

BENCH = pathlib.Path(__file__).absolute().parent
sys.path.insert(0, str(BENCH))

from measure import cases, config, process  # pylint: disable=wrong-import-position

TOOLS = ("ENVOY", "SALLYPORT_MODULE", "SALLYPORT_BENCH_FLOOR", "SALLYPORT_BENCH_LOAD",
         "SALLYPORT_BENCH_UPSTREAM", "SALLYPORT_BENCH_FIXTURES")


def tool(name):
    return pathlib.Path(os.environ[name]).absolute()


def scratch():
    return tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR"))


def run(folder, *arguments):
    environment = dict(os.environ, TMPDIR=folder, **{name: str(tool(name)) for name in TOOLS})
    return subprocess.run(
        [sys.executable, str(BENCH / "run"), *arguments],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
    )


class RunTest(unittest.TestCase):
    """One run of cases of every kind; nginx and HAProxy take part where they are."""

    CASES = (
        "ecdsa_2", "rsa_3", "stranger", "resumption", "requests_proxied", "requests_h2_proxied",
        "idle_connections", "start_900", "domains_3", "default_900", "update_900",
    )

    @classmethod
    def setUpClass(cls):
        temporary = scratch()
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = temporary.name
        cls.out = pathlib.Path(cls.folder, "out.json")
        cls.done = run(
            cls.folder, "--quick", "--json", str(cls.out), "--cases", ",".join(cls.CASES)
        )
        if cls.done.returncode != 0:
            raise AssertionError(cls.done.stdout + cls.done.stderr)
        cls.results = json.loads(cls.out.read_text(encoding="utf-8"))["cases"]
        cls.by_name = {r["name"]: r for r in cls.results}

    def test_nothing_is_left_running(self):
        def mentions(entry):
            with contextlib.suppress(OSError):
                return self.folder.encode() in (entry / "cmdline").read_bytes()
            return False

        self.assertEqual([p for p in pathlib.Path("/proc").glob("[0-9]*") if mentions(p)], [])

    def test_every_case_gives_numbers(self):
        self.assertEqual(tuple(r["name"] for r in self.results), self.CASES)
        for result in self.results:
            with self.subTest(case=result["name"]):
                self.assertNotIn("failed", result)
                unseen = set(result["variants"]) - set(result.get("singles", {}).values())
                unseen = {text for text in unseen if text not in self.done.stdout}
                self.assertEqual(unseen, set())
                self.assertTrue(result["title"] in self.done.stdout)
                for turns in result.get("turns", {}).values():
                    self.assertEqual(len(turns), 2)
                    self.assertTrue(all(t["cpu_us"] > 0 for t in turns), turns)
                if result["kind"] == cases.STARTS:
                    for values in result["rounds"][0]["values"].values():
                        self.assertGreater(values["rss"], 1 << 20)
                if result["kind"] == cases.UPDATES:
                    for values in result["rounds"][0]["values"].values():
                        self.assertGreater(values["main_seconds"] + values["other_seconds"], 0)

    def test_only_peers_that_are_not_installed_are_missing(self):
        for result in self.results:
            for label, note in result["notes"].items():
                self.assertEqual(note, "not installed", (result["name"], label))
                self.assertRegex(label, "nginx|HAProxy")

    def test_what_cannot_be_is_not(self):
        refusals = self.by_name["stranger"]["turns"][cases.BUILT][0]
        self.assertEqual(refusals["alerts"], cases.QUICK.connections)
        outcomes = self.by_name["default_900"]["outcomes"]
        self.assertFalse(outcomes["Envoy, built-in"]["works"])
        self.assertTrue(outcomes["Sallyport"]["works"])
        told = self.by_name["requests_proxied"]["request_bytes"]
        self.assertGreater(told["Sallyport, xfcc"], 2000)

    def test_the_table_is_made_from_the_file_alone(self):
        table = run(self.folder, "--table", str(self.out))
        self.assertEqual(table.returncode, 0, table.stderr)
        for text in ("### Goals", "### Memory of a connection", "**yes**", "Envoy 1."):
            self.assertIn(text, table.stdout)
        again = run(
            self.folder, "--quick", "--json", str(self.out), "--continue", "--cases", "ecdsa_2,st*r"
        )
        self.assertEqual((again.returncode, "Every case is in" in again.stdout), (0, True))

    def test_measurements_of_another_size_are_not_mixed(self):
        done = run(self.folder, "--json", str(self.out))
        self.assertEqual(done.returncode, 1)
        self.assertIn("measurements of another size", done.stderr)

    def test_a_case_that_does_not_exist_is_an_error(self):
        done = run(self.folder, "--list", "--cases", "nonsense")
        self.assertEqual(done.returncode, 1)
        self.assertIn("nonsense", done.stderr)


def tools_in(folder):
    return types.SimpleNamespace(
        programs={config.ENVOY: tool("ENVOY")}, module=tool("SALLYPORT_MODULE"),
        floor=tool("SALLYPORT_BENCH_FLOOR"), load=tool("SALLYPORT_BENCH_LOAD"), upstream=tool("SALLYPORT_BENCH_UPSTREAM"),
        certificates=folder,
    )


class LoadTest(unittest.TestCase):
    """An answer other than the expected one never becomes a number."""

    @classmethod
    def setUpClass(cls):
        temporary = scratch()
        cls.addClassCleanup(temporary.cleanup)
        folder = pathlib.Path(temporary.name)
        subprocess.run(
            [str(tool("SALLYPORT_BENCH_FIXTURES")), str(folder), "3", "ecdsa_2", "1"], check=True
        )
        server_cpu, cls.load_cpu = process.choose_cpus()
        cls.tools = tools_in(folder)
        gateway = config.Gateway(
            judge=config.SALLYPORT, truststore="truststore_1.pem", with_filter=True
        )
        cls.server = process.Server(cls.tools, gateway, folder / "server", server_cpu)
        cls.addClassCleanup(cls.server.stop)
        with cls.load() as load:
            cls.server.start(load)

    @classmethod
    def load(cls, port=None, **options):
        return process.Load(cls.tools, cls.load_cpu, port or cls.server.port, **options)

    def do(self, *commands, port=None, **options):
        with self.load(port, **options) as load:
            return [load.do(*command.split()) for command in commands][-1]

    def test_expected_answers_are_counted(self):
        self.assertEqual(self.do("connect 5")["count"], 5)
        self.assertEqual(self.do("open 2", "request 7")["count"], 7)
        self.assertEqual(self.do("connect 5", client="stranger", expect="403")["count"], 5)
        self.assertEqual(self.do("connect 5", client="none", expect="refused")["alerts"], 5)

    def test_another_status_is_a_failure(self):
        with self.assertRaisesRegex(process.Failure, "expected 403, got status 200"):
            self.do("connect 1", expect="403")
        with self.assertRaisesRegex(process.Failure, "expected 200, got status 403"):
            self.do("connect 1", client="stranger")

    def test_a_refusal_is_a_failure_where_an_answer_is_expected(self):
        with self.assertRaisesRegex(process.Failure, "expected 200, got (a TLS alert|connection)"):
            self.do("connect 1", client="none")

    def test_an_answer_is_a_failure_where_a_refusal_is_expected(self):
        with self.assertRaisesRegex(process.Failure, "expected refused, got status 200"):
            self.do("connect 1", expect="refused")

    def test_a_full_handshake_is_a_failure_where_a_session_should_be_resumed(self):
        # This server offers no sessions.
        with self.assertRaisesRegex(process.Failure, "session"):
            self.do("sessions 1", "connect 1")

    def test_nobody_listening_is_a_failure(self):
        with self.assertRaisesRegex(process.Failure, "TCP connection refused"):
            self.do("connect 1", port=process.free_port())
        with self.assertRaisesRegex(process.Late, "not in time"):
            self.do("ready 0.05", port=process.free_port())

    def test_cpu_time_of_the_server_grows_with_work(self):
        before = self.server.cpu_by_thread()
        self.do("connect 5")
        self.assertGreater(self.server.cpu_by_thread()["worker"], before["worker"])


class StartTest(unittest.TestCase):
    def test_a_server_that_ends_at_once_is_a_failure_with_its_log(self):
        with scratch() as name:
            folder = pathlib.Path(name)
            subprocess.run(
                [str(tool("SALLYPORT_BENCH_FIXTURES")), str(folder), "1", "ecdsa_2", "1"],
                check=True,
            )
            server_cpu, load_cpu = process.choose_cpus()
            tools = tools_in(folder)
            gateway = config.Gateway(judge=config.SALLYPORT, truststore="missing.pem")
            with process.Server(tools, gateway, folder / "s", server_cpu) as server:
                with process.Load(tools, load_cpu, server.port) as load:
                    with self.assertRaisesRegex(process.Failure, "(?s)envoy ended.*missing.pem"):
                        server.start(load)
