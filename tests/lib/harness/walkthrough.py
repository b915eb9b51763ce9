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


# What Bazel builds: {environment variable that names another copy: label}.
MODULE = {"SALLYPORT_MODULE": "//filters/module:libsallyport.so"}
SALLYPORTCTL = {"SALLYPORTCTL": "//cli:sallyportctl"}
SERVICE = {
    "SALLYPORTD": "//config_service/server:sallyportd",
    "SALLYPORTCTL_ONLINE": "//cli/online:sallyportctl-online",
}


def build(targets):
    """Builds `targets` that the environment does not name; {variable: path} with "ENVOY"."""
    found = {name: os.environ.get(name) for name in [*targets, "ENVOY"]}
    if not all(found[name] for name in targets):
        print("Building with Bazel ...", flush=True)
        subprocess.run(["bazel", "build", *targets.values()], cwd=REPOSITORY, check=True)
        built = subprocess.run(
            ["bazel", "info", "bazel-bin"],
            cwd=REPOSITORY, check=True, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        ).stdout.strip()
        for name, label in targets.items():
            found[name] = found[name] or built + label[1:].replace(":", "/")
    if not found["ENVOY"]:
        pins = (REPOSITORY / "third_party" / "pins.bzl").read_text(encoding="utf-8")
        folder = re.search(r'^ENVOY_DIR="(.*)"$', pins, re.M).group(1)
        found["ENVOY"] = REPOSITORY / "third_party" / ".deps" / folder / "envoy"
    for path in found.values():
        if not os.path.exists(path):
            sys.exit("%s is missing: run tools/setup demo first" % path)
    return {name: pathlib.Path(path).absolute() for name, path in found.items()}


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
