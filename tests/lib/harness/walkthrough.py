"""What the runnable examples share: finding what was built, and telling what
was expected and what came.
"""

import os
import pathlib
import re
import subprocess
import sys
import textwrap

REPOSITORY = pathlib.Path(__file__).absolute().parents[3]

if sys.stdout.isatty() and "NO_COLOR" not in os.environ:
    BOLD, DIM, GREEN, RED, PLAIN = "\033[1m", "\033[2m", "\033[32m", "\033[31m", "\033[0m"
else:
    BOLD = DIM = GREEN = RED = PLAIN = ""


def build():
    """Returns (Envoy, module, sallyportctl)."""
    given = [os.environ.get(n) for n in ("ENVOY", "SALLYPORT_MODULE", "SALLYPORTCTL")]
    if not all(given[1:]):
        print("Building the module and sallyportctl with Bazel ...", flush=True)
        labels = ["//filters/module:libsallyport.so", "//cli:sallyportctl"]
        subprocess.run(["bazel", "build", *labels], cwd=REPOSITORY, check=True)
        built = subprocess.run(
            ["bazel", "info", "bazel-bin"],
            cwd=REPOSITORY, check=True, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        ).stdout.strip()
        given[1] = given[1] or built + "/filters/module/libsallyport.so"
        given[2] = given[2] or built + "/cli/sallyportctl"
    if not given[0]:
        pins = (REPOSITORY / "third_party" / "pins.bzl").read_text(encoding="utf-8")
        folder = re.search(r'^ENVOY_DIR="(.*)"$', pins, re.M).group(1)
        given[0] = REPOSITORY / "third_party" / ".deps" / folder / "envoy"
    for path in given:
        if not os.path.exists(path):
            sys.exit("%s is missing: run tools/setup demo first" % path)
    return [pathlib.Path(p).absolute() for p in given]


class Teller:
    """Prints what happens, and remembers what was expected and what came."""

    def __init__(self):
        self.checks = []

    def chapter(self, title):
        print("\n%s%s%s\n%s" % (BOLD, title, PLAIN, "=" * len(title)), flush=True)

    def say(self, text):
        print("\n" + textwrap.fill(" ".join(text.split()), 78), flush=True)

    def command(self, line):
        print("  %s$ %s%s" % (DIM, line, PLAIN), flush=True)

    def output(self, text):
        for line in text.rstrip().splitlines():
            print("    " + line, flush=True)

    def check(self, name, expected, came, passed):
        self.checks.append((name, expected, came, passed))
        verdict = GREEN + "as expected" if passed else RED + "NOT AS EXPECTED"
        print("    %s%s%s\n    expected: %s\n    came:     %s\n    %s%s"
              % (BOLD, name, PLAIN, expected, came, verdict, PLAIN), flush=True)

    def table(self):
        """Prints all checks; returns whether all passed."""
        self.chapter("What was expected, and what came")
        rows = [("", "expected", "came", "")] + [
            (name, expected, came, "ok" if passed else "WRONG")
            for name, expected, came, passed in self.checks
        ]
        widths = [min(max(len(r[i]) for r in rows), (38, 42, 42)[i]) for i in range(3)]
        for i, row in enumerate(rows):
            cells = [textwrap.wrap(row[c], widths[c]) or [""] for c in range(3)]
            for n in range(max(map(len, cells))):
                line = "  ".join((c[n] if n < len(c) else "").ljust(w) for c, w in zip(cells, widths))
                colour = RED if row[3] == "WRONG" else GREEN
                print("%s  %s" % (line, colour + row[3] + PLAIN if n == 0 and row[3] else ""))
            if i == 0:
                print("  ".join("-" * w for w in widths) + "  --")
        failed = sum(not c[3] for c in self.checks)
        print("\n%d checks, %d as expected, %d not." % (len(self.checks), len(self.checks) - failed, failed))
        return failed == 0
