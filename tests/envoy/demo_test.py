"""make demo, as a newcomer runs it, and what it leaves behind."""

import os
import pathlib
import re
import signal
import subprocess
import sys
import unittest

import gateway
from harness import paths
from harness import wait

DEMO = paths.repository() / "examples" / "run-demo"


def processes_in(folder):
    """Ids of the processes that work in `folder`, or were started for it."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            command = (entry / "cmdline").read_bytes().decode("utf-8", "replace")
            environment = (entry / "environ").read_bytes().decode("utf-8", "replace")
        except OSError:
            continue
        if str(folder) in command or "TMPDIR=%s\0" % folder in environment + "\0":
            found.append(int(entry.name))
    return found


class Demo(unittest.TestCase):
    def setUp(self):
        temporary = gateway.scratch_folder()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)

    def start(self, **environment):
        everything = {
            **os.environ,
            "TMPDIR": str(self.folder),
            "ENVOY": str(paths.envoy()),
            "SALLYPORT_MODULE": str(paths.module()),
            "SALLYPORTCTL": str(pathlib.Path(os.environ["SALLYPORTCTL"]).absolute()),
            "KEEP": "",
            **environment,
        }
        return subprocess.Popen(
            [sys.executable, "-B", str(DEMO)], env=everything, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )

    def assert_nothing_left(self):
        wait.until(lambda: not processes_in(self.folder), "no process of the demo")
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_all_comes_as_expected(self):
        process = self.start()
        output, _ = process.communicate(timeout=240)
        self.assertEqual(process.returncode, 0, output)
        match = re.search(r"(\d+) checks, (\d+) as expected, 0 not\.", output)
        self.assertTrue(match, output)
        self.assertGreaterEqual(int(match.group(1)), 25)
        self.assertNotIn("WRONG", output)
        self.assertNotIn("PRIVATE KEY-----", output)
        self.assert_nothing_left()

    def test_keep_leaves_it_running_until_it_is_stopped(self):
        process = self.start(KEEP="1")
        output, _ = process.communicate(timeout=240)
        self.assertEqual(process.returncode, 0, output)
        try:
            self.assertEqual(len(processes_in(self.folder)), 2, "Envoy and the backend")
            # The commands that it prints work as they are.
            printed = output[output.index("Left running"):]
            change = re.search(r"^cd .*$", printed, re.M).group(0)
            calls = re.findall(r"^curl --cacert.*$", printed, re.M)
            statuses = []
            for call in calls:
                done = subprocess.run(
                    ["bash", "-c", "%s && %s -s -o /dev/null -w '%%{http_code}'" % (change, call)],
                    stdout=subprocess.PIPE, text=True, check=False,
                )
                statuses.append(done.stdout)
            self.assertEqual(statuses, ["200", "200", "403", "000"])
        finally:
            stop = re.search(r"^stop it: +(\S+)$", output, re.M).group(1)
            subprocess.run([stop], check=True)
        self.assert_nothing_left()

    def test_interrupted_it_leaves_nothing(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(signal=number):
                process = self.start()
                for line in process.stdout:
                    if "as expected" in line:
                        break
                process.send_signal(number)
                process.communicate(timeout=30)
                self.assertNotEqual(process.returncode, 0)
                self.assert_nothing_left()

    def test_what_comes_otherwise_is_told(self):
        # A sallyportctl that finds nothing wrong, ever.
        process = self.start(SALLYPORTCTL="/bin/true")
        output, _ = process.communicate(timeout=240)
        self.assertEqual(process.returncode, 1, output)
        self.assertRegex(output, r"sallyportctl refuses the mistake.* WRONG")
        self.assertRegex(output, r"checks, \d+ as expected, 2 not\.")
        self.assert_nothing_left()


if __name__ == "__main__":
    unittest.main()
