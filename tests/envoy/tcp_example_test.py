"""examples/tcp/run, as a newcomer runs it, and what it leaves behind."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import unittest

import gateway
from harness import paths

EXAMPLE = paths.repository() / "examples" / "tcp"


class TcpExample(unittest.TestCase):
    def setUp(self):
        temporary = gateway.scratch_folder()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)

    def start(self, script=EXAMPLE / "run"):
        return subprocess.Popen(
            [sys.executable, "-B", str(script)],
            env={
                **os.environ,
                "TMPDIR": str(self.folder),
                "ENVOY": str(paths.envoy()),
                "SALLYPORT_MODULE": str(paths.module()),
                "SALLYPORTCTL": "/bin/true",  # which it does not use
            },
            text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )

    def test_all_comes_as_expected(self):
        process = self.start()
        output, _ = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 0, output)
        match = re.search(r"(\d+) checks, (\d+) as expected, 0 not\.", output)
        self.assertTrue(match, output)
        self.assertGreaterEqual(int(match.group(1)), 13)
        self.assertNotIn("PRIVATE KEY-----", output)
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_interrupted_it_leaves_nothing(self):
        process = self.start()
        for line in process.stdout:
            if "as expected" in line:
                break
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        self.assertNotEqual(process.returncode, 0)
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_what_comes_otherwise_is_told(self):
        # The same with a database that hands out everybody's keys.
        copy = self.folder / "repository"
        shutil.copytree(EXAMPLE, copy / "examples" / "tcp")
        shutil.copytree(paths.repository() / "tests" / "lib", copy / "tests" / "lib")
        server = copy / "examples" / "tcp" / "keyvalue_server.py"
        text = server.read_text(encoding="utf-8")
        self.assertEqual(text.count("[client, key]"), 1)
        server.chmod(0o644)
        server.write_text(
            text.replace("[client, key]", "[key]").replace("((client, key))", "(key)"),
            encoding="utf-8",
        )
        process = self.start(copy / "examples" / "tcp" / "run")
        output, _ = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 1, output)
        self.assertRegex(output, r"are not those of reports .* WRONG")


if __name__ == "__main__":
    unittest.main()
