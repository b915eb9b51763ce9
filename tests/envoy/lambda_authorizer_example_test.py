"""examples/lambda-authorizer/run, as a newcomer runs it, and what it leaves behind."""

import os
import pathlib
import re
import subprocess
import sys
import unittest

import gateway
from harness import paths

EXAMPLE = paths.repository() / "examples" / "lambda-authorizer"


class LambdaAuthorizerExample(unittest.TestCase):
    def test_all_comes_as_expected(self):
        with gateway.scratch_folder() as folder:
            done = subprocess.run(
                [sys.executable, "-B", str(EXAMPLE / "run")],
                env={
                    **os.environ,
                    "TMPDIR": folder,
                    "ENVOY": str(paths.envoy()),
                    "SALLYPORT_MODULE": str(paths.module()),
                },
                text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, timeout=120, check=False,
            )
            self.assertEqual(done.returncode, 0, done.stdout)
            match = re.search(r"(\d+) checks, (\d+) as expected, 0 not\.", done.stdout)
            self.assertTrue(match, done.stdout)
            self.assertGreaterEqual(int(match.group(1)), 13)
            self.assertNotIn("PRIVATE KEY-----", done.stdout)
            self.assertEqual(list(pathlib.Path(folder).iterdir()), [])


if __name__ == "__main__":
    unittest.main()
