"""The arithmetic and the configurations of bench/run, without a server."""

import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parent))

from measure import cases, config, numbers, report  # pylint: disable=wrong-import-position


class NumbersTest(unittest.TestCase):
    def test_interval_holds_the_median_and_narrows_with_more_values(self):
        few = [1.0, 1.1, 0.9, 1.05, 0.95]
        low, high = numbers.interval(few)
        self.assertLessEqual(low, 1.0)
        self.assertGreaterEqual(high, 1.0)
        self.assertLess(low, high)
        many_low, many_high = numbers.interval(few * 40)
        self.assertLess(many_high - many_low, high - low)

    def test_interval_of_equal_values_is_a_point(self):
        self.assertEqual(numbers.interval([2.0] * 9), (2.0, 2.0))
        self.assertEqual(numbers.interval([2.0]), (2.0, 2.0))

    def test_interval_is_the_same_each_time(self):
        values = [float(i * i % 17) for i in range(20)]
        self.assertEqual(numbers.interval(values), numbers.interval(values))

    def test_one_wild_value_does_not_move_the_interval(self):
        self.assertEqual(numbers.interval([1.0] * 19 + [50.0]), (1.0, 1.0))

    def test_a_steady_drift_weighs_the_same_on_each(self):
        for turn in range(4):
            order = numbers.there_and_back(["a", "b", "c"], turn)
            places = {x: sum(i for i, y in enumerate(order) if y == x) for x in "abc"}
            self.assertEqual(len(set(places.values())), 1, order)
        first = {numbers.there_and_back(["a", "b", "c"], turn)[0] for turn in range(3)}
        self.assertEqual(first, {"a", "b", "c"})

    def test_quantile_of_a_few_is_one_of_them(self):
        self.assertEqual(numbers.quantile([3, 1, 2], 0.1), 1)
        self.assertEqual(numbers.quantile([3, 1, 2], 1.0), 3)


class ReportTest(unittest.TestCase):
    RESULT = {
        "name": "n", "kind": "handshakes", "title": "t", "variants": ["base", "other"],
        "turns": {
            label: [{"cpu_us": us, "per_second": 10.0, "busy": 0.5}] * 2
            for label, us in (("base", 100.0), ("other", 90.0))
        },
        "rounds": [
            {"cpu_us": {"base": b, "other": b * 0.9}, "other_load": 0.02, "stolen": 0.0}
            for b in (50.0, 100.0, 400.0)
        ],
    }

    def test_ratios_are_paired(self):
        # The rounds lie 8 times apart, the ratios do not.
        for value in report.ratio(self.RESULT, "cpu_us", "other"):
            self.assertAlmostEqual(value, 0.9)

    def test_table_shows_both_sides_and_the_ratio(self):
        text = report.one(self.RESULT)
        self.assertIn("| other | 90 ", text)
        self.assertIn("0.900 (0.900 to 0.900)", text)
        self.assertTrue(text.startswith("### "))
        self.assertFalse(report.one(self.RESULT, before=self.RESULT).startswith("### "))

    def test_a_busy_machine_is_said(self):
        busy = dict(self.RESULT, rounds=[dict(r, other_load=0.5) for r in self.RESULT["rounds"]])
        self.assertIn("not idle", report.noise([busy]))
        self.assertNotIn("not idle", report.noise([self.RESULT]))


class ConfigTest(unittest.TestCase):
    SIZES = [1, 100, 1000, 10000]

    def setUp(self):
        self.cases = cases.all_cases("/f", "ab" * 32, self.SIZES, [100, 1000], 1000)

    def test_names_are_unique(self):
        names = [c.name for c in self.cases]
        self.assertEqual(len(names), len(set(names)))
        for size in self.SIZES:
            self.assertIn("handshake_%d" % size, names)
            self.assertIn("start_%d" % size, names)
        self.assertIn("domains_1000", names)

    def test_only_what_judges_the_client_differs_between_the_sides(self):
        # Resumption, connection manager, route: the same everywhere.
        for case in self.cases:
            seen = set()
            for variant in case.variants:
                tree = config.bootstrap(variant.gateway, "/f", 1)
                for chain in tree["static_resources"]["listeners"][0]["filter_chains"]:
                    tls = chain["transport_socket"]["typed_config"]
                    self.assertTrue(tls["disable_stateless_session_resumption"])
                    self.assertTrue(tls["disable_stateful_session_resumption"])
                    asks = tls.pop("require_client_certificate")
                    self.assertEqual(asks, variant.gateway.validator != config.NOTHING)
                    tls["common_tls_context"].pop("validation_context", None)
                    chain["filters"][0]["typed_config"].pop("http_filters")
                seen.add(json.dumps(tree, sort_keys=True))
            self.assertEqual(len(seen), 1, case.name)

    def test_the_first_variant_is_the_built_in_validator(self):
        for case in self.cases:
            self.assertEqual(case.variants[0].gateway.validator, config.BUILT_IN, case.name)

    def test_names_of_cas_are_held_back_except_where_defaults_are_tried(self):
        for case in self.cases:
            for variant in case.variants:
                if variant.gateway.validator == config.BUILT_IN:
                    self.assertEqual(
                        variant.gateway.send_names, case.kind == cases.DEFAULTS, case.name
                    )
