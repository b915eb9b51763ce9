"""The table of operations beside Amazon's own models, and its documentation."""

import json
import os
import pathlib
import subprocess
import sys
import unittest

TOOLS = pathlib.Path(os.environ["AWS_TOOLS"]).resolve().parent.parent
sys.path.insert(0, str(TOOLS))

import botocore.session  # noqa: E402

PROGRAM = os.path.abspath(os.environ["PRINT_OPERATIONS"])
DOCUMENT = pathlib.Path("docs/aws.md")
SERVICES = ("acm", "apigateway", "apigatewayv2")


def printed(*arguments):
    return subprocess.run(
        [PROGRAM, *arguments], capture_output=True, text=True, check=True, timeout=60
    ).stdout


class OperationsTest(unittest.TestCase):
    def test_has_every_operation_of_the_models_as_done_or_not(self):
        table = {(o["service"], o["name"]): o for o in json.loads(printed("--json"))}
        session = botocore.session.get_session()
        seen = set()
        for service in SERVICES:
            model = session.get_service_model(service)
            for name in model.operation_names:
                seen.add((service, name))
                with self.subTest(service=service, operation=name):
                    row = table[service, name]
                    http = model.operation_model(name).http
                    self.assertEqual(row["http_method"], http["method"])
                    self.assertEqual(row["uri"], http["requestUri"].replace("+}", "}"))
                    self.assertEqual(row["status"], http.get("responseCode") or 200)
        self.assertEqual(set(table) - seen, set())
        self.assertGreater(len(seen), 230)

    def test_is_in_the_documentation(self):
        text = DOCUMENT.read_text(encoding="utf-8")
        _, _, rest = text.partition("<!-- operations -->\n\n")
        self.assertEqual(
            rest, printed(),
            "write the output of bazel run //config_service/aws:print_operations "
            "after <!-- operations --> in docs/aws.md",
        )


if __name__ == "__main__":
    unittest.main()
