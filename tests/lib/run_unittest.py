"""Runs unittest files the way Bazel wants tests to behave.

Writes a JUnit report to $XML_OUTPUT_FILE, so that each case is counted; obeys
--test_filter (a part of Class.method) and sharding; fails when nothing ran.
"""

import importlib.util
import os
import pathlib
import re
import sys
import time
import traceback
import unittest
from xml.etree import ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parent))


class Report(unittest.TextTestResult):
    """Prints each case and keeps what a JUnit report needs."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.cases = {}
        self._started = 0.0

    def _case(self, test):
        return self.cases.setdefault(test.id(), {"test": test, "seconds": 0.0, "problems": []})

    def startTest(self, test):
        super().startTest(test)
        self._started = time.monotonic()
        self._case(test)

    def stopTest(self, test):
        self._case(test)["seconds"] = time.monotonic() - self._started
        super().stopTest(test)

    def _problem(self, test, kind, text):
        self._case(test)["problems"].append((kind, text))

    def addError(self, test, err):
        super().addError(test, err)
        self._problem(test, "error", "".join(traceback.format_exception(*err)))

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._problem(test, "failure", "".join(traceback.format_exception(*err)))

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._problem(test, "skipped", reason)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            kind = "failure" if issubclass(err[0], test.failureException) else "error"
            text = "%s\n%s" % (subtest, "".join(traceback.format_exception(*err)))
            self._problem(test, kind, text)


def _clean(text):
    """XML 1.0 has no room for most control characters."""
    return re.sub(r"[^\t\n\x20-\ud7ff\ue000-\ufffd]", "?", text)


def write_junit(path, name, report):
    suite = ElementTree.Element("testsuite", name=name)
    count = {"tests": len(report.cases), "failures": 0, "errors": 0, "skipped": 0}
    for case_id, case in report.cases.items():
        class_name, _, method = case_id.rpartition(".")
        element = ElementTree.SubElement(
            suite, "testcase", classname=class_name, name=method, time="%.3f" % case["seconds"]
        )
        for kind, text in case["problems"]:
            count[{"failure": "failures", "error": "errors", "skipped": "skipped"}[kind]] += 1
            lines = text.strip().splitlines() or [""]
            problem = ElementTree.SubElement(element, kind, message=_clean(lines[-1]))
            problem.text = _clean(text)
    for key, value in count.items():
        suite.set(key, str(value))
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _load(path):
    name = pathlib.Path(path).stem
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return unittest.defaultTestLoader.loadTestsFromModule(module)


def _flatten(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from _flatten(test)
        else:
            yield test


def main(files):
    # The folder of a test file holds what its neighbours share.
    for folder in {str(pathlib.Path(f).absolute().parent) for f in files}:
        sys.path.insert(0, folder)
    tests = [test for f in files for test in _flatten(_load(f))]
    wanted = os.environ.get("TESTBRIDGE_TEST_ONLY")
    if wanted:
        tests = [t for t in tests if wanted in t.id()]
    shards = int(os.environ.get("TEST_TOTAL_SHARDS", "1"))
    if shards > 1:
        pathlib.Path(os.environ["TEST_SHARD_STATUS_FILE"]).touch()
        # Whole classes, so that what a class sets up is set up once.
        classes = sorted({type(t).__qualname__ for t in tests})
        mine = set(classes[int(os.environ["TEST_SHARD_INDEX"])::shards])
        tests = [t for t in tests if type(t).__qualname__ in mine]
    elif not tests:
        print("no test to run", file=sys.stderr)
        return 1
    # Lines, so that a test that hangs leaves what it said before.
    sys.stderr.reconfigure(line_buffering=True)
    runner = unittest.TextTestRunner(verbosity=2, resultclass=Report)
    report = runner.run(unittest.TestSuite(tests))
    output = os.environ.get("XML_OUTPUT_FILE")
    if output:
        write_junit(output, os.environ.get("TEST_TARGET", "tests"), report)
    return 0 if report.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
