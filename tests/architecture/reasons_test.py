"""The config service's reasons are those of its public API.

The domain knows no protocol buffers, so it has the enum of errors.proto again.
"""

import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROTO = ROOT / "proto/sallyport/config/v1/errors.proto"
HEADER = ROOT / "config_service/domain/reason.h"
SOURCE = ROOT / "config_service/domain/reason.cc"
DOCUMENT = ROOT / "docs/api-errors.md"

STATUS = re.compile(
    r"^(INVALID_ARGUMENT|NOT_FOUND|ALREADY_EXISTS|ABORTED|FAILED_PRECONDITION|"
    r"OUT_OF_RANGE|UNAUTHENTICATED|PERMISSION_DENIED|RESOURCE_EXHAUSTED|INTERNAL|"
    r"UNAVAILABLE|DATA_LOSS|UNIMPLEMENTED)[.,]"
)


def constant(name):
    return "k" + "".join(part.capitalize() for part in name.split("_"))


def documented():
    """{name: (number, status)} of errors.proto, without the zero."""
    found = {}
    comment = []
    text = PROTO.read_text(encoding="utf-8")
    for line in text[text.index("enum ErrorReason"):].splitlines():
        line = line.strip()
        if line.startswith("//"):
            comment.append(line[2:].strip())
            continue
        match = re.match(r"([A-Z0-9_]+) = (\d+);$", line)
        if match and match[2] != "0":
            status = STATUS.match(" ".join(comment))
            found[match[1]] = (int(match[2]), status[1] if status else "INVALID_ARGUMENT")
        comment = []
    return found


class Reasons(unittest.TestCase):
    def test_numbers_are_those_of_the_api(self):
        numbers = dict(re.findall(r"^  (k\w+) = (\d+),$", HEADER.read_text(), re.M))
        self.assertEqual(
            {constant(name): str(number) for name, (number, _) in documented().items()}, numbers
        )
        self.assertGreater(len(numbers), 80)

    def test_names_and_statuses_are_those_of_the_api(self):
        rows = re.findall(
            r"\{Reason::(k\w+),\s*\"(\w+)\",\s*absl::StatusCode::(k\w+)\}", SOURCE.read_text()
        )
        self.assertEqual(
            {(constant(name), name, constant(status))
             for name, (_, status) in documented().items()},
            set(rows),
        )

    def test_the_documentation_has_an_anchor_for_each(self):
        rows = re.findall(
            r'^\| <a name="(\w+)"></a>`(\w+)` \| `(\w+)` \| .+ \|$',
            DOCUMENT.read_text(encoding="utf-8"),
            re.M,
        )
        self.assertEqual(
            sorted((name, name, status) for name, (_, status) in documented().items()),
            sorted(rows),
        )

    def test_each_reason_says_what_it_means(self):
        text = PROTO.read_text(encoding="utf-8")
        lines = text[text.index("enum ErrorReason"):].splitlines()
        for before, line in zip(lines, lines[1:]):
            match = re.match(r"  ([A-Z0-9_]+) = (\d+);$", line)
            if match and match[2] != "0":
                self.assertTrue(before.strip().startswith("//"), match[1])


if __name__ == "__main__":
    unittest.main()
