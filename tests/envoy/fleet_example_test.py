"""examples/fleet/run, as a newcomer runs it, and what it leaves behind."""

import os
import pathlib
import subprocess
import sys
import unittest

import gateway
from harness import paths

EXAMPLE = paths.repository() / "examples" / "fleet"


class FleetExample(unittest.TestCase):
    def test_all_comes_as_expected(self):
        temporary = gateway.scratch_folder()
        self.addCleanup(temporary.cleanup)
        folder = pathlib.Path(temporary.name)
        done = subprocess.run(
            [sys.executable, "-B", str(EXAMPLE / "run")],
            env={
                **os.environ,
                "TMPDIR": str(folder),
                "ENVOY": str(paths.envoy()),
                "SALLYPORT_MODULE": str(paths.module()),
                "SALLYPORTD": os.path.abspath(os.environ["SALLYPORTD"]),
                "SALLYPORTCTL_ONLINE": os.path.abspath(os.environ["SALLYPORTCTL_ONLINE"]),
            },
            text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=240, check=False,
        )
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("31 checks, 31 as expected, 0 not.", done.stdout)
        self.assertEqual(list(folder.iterdir()), [])


if __name__ == "__main__":
    unittest.main()
