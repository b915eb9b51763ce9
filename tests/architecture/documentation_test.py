"""The documentation says what the code says."""

import os
import re
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as stream:
        return stream.read()


class DocumentationTest(unittest.TestCase):
    def test_the_table_of_removed_headers_is_the_constant(self):
        code = re.findall(
            r'^    \{"([^"]+)", "([^"]+)"\},$',
            read("filters/forwarding/known_headers.h"),
            re.MULTILINE,
        )
        section = read("docs/headers.md").split("## Added")[0]
        documented = re.findall(r"^\| `([^`]+)` \| (.+) \|$", section, re.MULTILINE)
        self.assertGreater(len(code), 40)
        self.assertEqual(code, documented)

    def test_every_reason_is_explained(self):
        documented = read("docs/errors.md")
        for source in ("pki/chain/verify.cc", "pki/truststore/truststore.cc"):
            names = re.findall(r'return "([A-Z][A-Z_]+)";', read(source))
            self.assertGreater(len(names), 10)
            for name in set(names) - {"UNKNOWN", "NONE", "RSA"}:
                self.assertIn(f"`{name}`", documented, f"{name} of {source}")

    def test_every_reason_of_authorizers_is_explained(self):
        documented = read("docs/authorizers.md").split("## Reasons")[1]
        names = set()
        for source in ("authorizer", "proxy", "function"):
            code = read("filters/lambda/%s.cc" % source)
            names |= set(re.findall(r'"([A-Z][A-Z_]{5,})"', code))
        names -= {"ANSWER"}
        self.assertGreater(len(names), 20)
        self.assertEqual([n for n in sorted(names) if "`%s`" % n not in documented], [])

    def test_the_threat_model_names_tests_that_exist(self):
        text = read("docs/threat-model.md")
        named = re.findall(r"`([\w/]+\.(?:py|cc))(?::([\w.]+))?`", text)
        self.assertGreater(len(named), 100)
        missing = []
        for path, name in named:
            code = read(path) if os.path.exists(os.path.join(ROOT, path)) else ""
            if not name:
                found = bool(code)
            elif path.endswith(".py"):
                found = re.search(rf"^    def {name}\(", code, re.MULTILINE)
            else:
                suite, _, case = name.partition(".")
                found = re.search(rf"^TEST(?:_[FP])?\({suite},\s*{case}\)", code, re.MULTILINE)
            if not found:
                missing.append(f"{path}:{name}")
        self.assertEqual(missing, [])

    def test_each_attack_has_a_test_or_says_that_it_has_none(self):
        rows = 0
        for line in read("docs/threat-model.md").split("## Getting in")[1].splitlines():
            cells = [c.strip() for c in line.strip("|").split(" | ")]
            if not line.startswith("| ") or cells[-1] in ("shown by", "---"):
                continue
            rows += 1
            self.assertEqual(len(cells), 3, line)
            self.assertRegex(cells[2], r"^(`[\w/]+\.(py|cc)|not covered)", line)
        self.assertGreater(rows, 60)

    def test_links_between_documents_lead_somewhere(self):
        for folder, _, files in os.walk(ROOT):
            relative = os.path.relpath(folder, ROOT)
            if relative.startswith((".git", "bazel-", "third_party/.deps")):
                continue
            for name in files:
                if not name.endswith(".md"):
                    continue
                path = os.path.normpath(os.path.join(relative, name))
                for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", read(path)):
                    self.assertTrue(
                        os.path.exists(os.path.join(folder, target)),
                        f"{path} links to {target}, which is not there",
                    )


if __name__ == "__main__":
    unittest.main()
