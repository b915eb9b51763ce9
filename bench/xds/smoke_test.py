"""bench/xds/run works, end to end, on a few proxies; go-control-plane is not asked."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

RUN = pathlib.Path(__file__).absolute().parent / "run"


class RunTest(unittest.TestCase):
    def test_measures_the_floor_and_the_config_service(self):
        with tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR")) as folder:
            path = pathlib.Path(folder) / "out.json"
            done = subprocess.run(
                [sys.executable, str(RUN), "--quick", "--json", str(path)],
                env=dict(os.environ, NO_PEER="1", TMPDIR=folder),
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
            )
            self.assertEqual(done.returncode, 0, done.stderr)
            run = json.loads(path.read_text(encoding="utf-8"))
            self.assertEqual([r["side"] for r in run["results"]], ["floor", "sallyport"])
            floor, ours = run["results"]
            # 20 domains of four resources, the listener and the truststore.
            self.assertEqual(ours["sync"]["resources"], 10 * 82)
            # As Envoy asks: a request for each secret and each route, and answers.
            self.assertGreater(ours["sync"]["requests"], 10 * 43)
            for case in ("route", "truststore", "add", "remove"):
                self.assertEqual(len(ours[case]), 1, case)
                # Nothing is sent twice: the same resources, and little around them.
                self.assertLess(
                    abs(ours[case][0]["bytes"] - floor[case][0]["bytes"]), 10 * 1000, case
                )
            self.assertEqual(ours["route"][0]["responses"], 10)
            self.assertEqual(ours["warm"]["requests"], 10 * 5)
            self.assertIn("one route changes", done.stdout)


if __name__ == "__main__":
    unittest.main()
