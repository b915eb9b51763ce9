"""The arithmetic and the configurations of bench/run, without a server."""

import json
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parent))

from measure import cases, config, numbers, peers, report  # pylint: disable=wrong-import-position


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
        "name": "n", "kind": "connections", "title": "t", "variants": ["base", "other"],
        "module": "m", "notes": {"third": "not installed"}, "request_bytes": {},
        "goals": [{"label": "other", "base": "base", "limit": 0.9, "key": "cpu_us"}],
        "turns": {
            label: [{"cpu_us": us, "per_second": 10.0, "busy": 0.5}] * 2 for label, us in (("base", 100.0), ("other", 90.0))
        },
        "rounds": [
            {
                "values": {"base": {"cpu_us": b}, "other": {"cpu_us": b * 0.92}},
                "other_load": 0.02, "stolen": 0.0,
            }
            for b in (50.0, 100.0, 400.0)
        ],
    }

    def test_ratios_are_paired(self):
        # The rounds lie 8 times apart, the ratios do not.
        for value in report.ratio(self.RESULT, "cpu_us", "other"):
            self.assertAlmostEqual(value, 0.92)

    def test_only_rounds_with_both_count(self):
        alone = {"values": {"other": {"cpu_us": 1.0}}, "other_load": 0.0, "stolen": 0.0}
        result = dict(self.RESULT, rounds=self.RESULT["rounds"] + [alone])
        self.assertAlmostEqual(report.ratio(result, "cpu_us", "other")[0], 0.92)
        self.assertIsNone(report.ratio(dict(result, rounds=[alone]), "cpu_us", "other"))

    def test_table_shows_both_sides_the_ratio_and_what_is_missing(self):
        text = report.one(self.RESULT)
        self.assertIn("| other | 90 ", text)
        self.assertIn("0.920 (0.920 to 0.920)", text)
        self.assertIn("- third: not installed", text)

    def test_a_goal_is_met_up_to_the_allowance_of_the_upper_end(self):
        def met(limit):
            goal = dict(self.RESULT["goals"][0], limit=limit)
            return report.judge_goal(self.RESULT, goal)["met"]

        self.assertTrue(met(1.0))
        self.assertTrue(met(0.8901))
        self.assertFalse(met(0.8899))

    def test_a_goal_of_what_was_not_measured_is_neither_met_nor_missed(self):
        goal = {"label": "third", "base": "base", "limit": 2, "key": "cpu_us"}
        self.assertIsNone(report.judge_goal(self.RESULT, goal)["met"])

    def test_goals_of_one_kind_share_a_row_with_the_worst(self):
        base = self.RESULT["goals"][0]
        result = dict(
            self.RESULT, goals=[base, dict(base, label="base"), dict(base, label="third")]
        )
        text = report.goals([result])
        self.assertIn("| 2 variants; most: base | ", text)
        self.assertIn("1.000 (1.000 to 1.000)", text)
        self.assertIn("**not met**, 1 not measured", text)
        self.assertEqual(len(text.splitlines()), 3)

    def test_a_goal_in_seconds(self):
        result = dict(self.RESULT, rounds=[
            {"values": {"base": {"seconds": s}}} for s in (3.0, 4.0, 5.0)
        ])
        goal = {"label": "base", "base": "", "limit": 5.0, "key": "seconds"}
        self.assertTrue(report.judge_goal(result, goal)["met"])
        self.assertFalse(report.judge_goal(result, dict(goal, limit=4.5))["met"])

    def test_a_busy_machine_is_said(self):
        busy = dict(self.RESULT, rounds=[dict(r, other_load=0.5) for r in self.RESULT["rounds"]])
        self.assertIn("not idle", report.noise([busy]))
        self.assertNotIn("not idle", report.noise([self.RESULT]))

    def test_a_case_that_failed_is_shown_and_spoils_no_other(self):
        failed = {"name": "f", "kind": "connections", "title": "u", "module": "m", "failed": "why"}
        run = {
            "machine": {
                "date": "d", "versions": {"Envoy": "1", "nginx": None}, "cpu": "c", "cpus": 2,
                "memory_gib": 1.0, "kernel": "k", "server_cpu": 1, "load_cpu": 0,
            },
            "cases": [failed, self.RESULT],
        }
        text = report.everything(run)
        self.assertIn("(`f`): **failed**: why", text)
        self.assertIn("| other | 90 ", text)
        self.assertNotIn("same build", text)
        run["cases"] = [failed, dict(self.RESULT, module="another")]
        self.assertIn("same build", report.everything(run))


class ConfigTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        for chain in ("ecdsa_2", "ecdsa_3", "rsa_2", "rsa_3"):
            (self.folder / (chain + "_leaf_sha256.txt")).write_text("ab" * 32, encoding="ascii")
        self.place = config.Place(folder.name, folder.name, 1, 2)
        self.scale = cases.Scale()
        self.cases = cases.all_cases(self.scale)

    def test_names_are_unique(self):
        names = [c.name for c in self.cases]
        self.assertEqual(len(names), len(set(names)))
        for case in self.cases:
            labels = [v.label for v in case.variants]
            self.assertEqual(len(labels), len(set(labels)), case.name)

    def test_goals_and_singles_name_variants_of_their_case(self):
        for case in self.cases:
            labels = [v.label for v in case.variants]
            for goal in case.goals:
                self.assertIn(goal.label, labels)
                self.assertIn(goal.base, labels + [""])
            for variant in case.variants:
                self.assertIn(variant.single, labels + [""])

    def test_only_what_judges_and_tells_differs_between_the_envoys_of_a_case(self):
        for case in self.cases:
            seen = set()
            for variant in case.variants:
                if variant.gateway.server != config.ENVOY or variant.gateway.domains == 1:
                    continue
                tree = config.bootstrap(variant.gateway, self.place)
                tree.pop("node", None)
                for chain in tree["static_resources"]["listeners"][0]["filter_chains"]:
                    tls = chain["transport_socket"]["typed_config"]
                    asks = tls.pop("require_client_certificate")
                    self.assertEqual(asks, variant.gateway.judge != config.NOTHING)
                    for name in ("validation_context", "validation_context_sds_secret_config"):
                        tls["common_tls_context"].pop(name, None)
                    manager = chain["filters"][0]["typed_config"]
                    manager.pop("http_filters")
                    manager.pop("forward_client_cert_details", None)
                    manager.pop("set_current_client_cert_details", None)
                seen.add(json.dumps(tree, sort_keys=True))
            self.assertEqual(len(seen), 1, case.name)

    def test_sessions_are_offered_only_where_resumption_is_measured(self):
        for case in self.cases:
            for variant in case.variants:
                self.assertEqual(variant.gateway.resumption, case.name == "resumption", case.name)

    def test_where_connections_or_requests_are_measured_there_is_a_control(self):
        for case in self.cases:
            if case.kind in (cases.CONNECTIONS, cases.REQUESTS, cases.MEMORY):
                first, again = case.variants[:2]
                self.assertEqual((first.label, again.label), (cases.BUILT, cases.AGAIN))
                self.assertEqual(first.gateway, again.gateway)

    def test_names_of_cas_are_held_back_except_where_defaults_are_tried(self):
        for case in self.cases:
            for variant in case.variants:
                if variant.gateway.judge == config.BUILT_IN and variant.label != "Sallyport":
                    self.assertEqual(
                        variant.gateway.send_names, case.kind == cases.DEFAULTS, case.name
                    )

    def test_no_client_certificate_comes_twice_to_one_process(self):
        for case in self.cases:
            if case.kind != cases.CONNECTIONS:
                continue
            rounds = -(-self.scale.rounds // (case.sittings or self.scale.sittings))
            turn = self.scale.connections + self.scale.before(self.scale.connections)
            self.assertGreaterEqual(self.scale.leaves(), 2 * rounds * turn + cases.WARM_UP)

    def test_peers_take_the_same_truststore_protocol_and_key_exchange(self):
        for server, words in (
            (config.NGINX, ("TLSv1.3", "X25519", "ssl_verify_client on", "/t_9.pem")),
            (config.HAPROXY, ("TLSv1.3", "X25519", "verify required", "/t_9.pem", "nbthread 1")),
        ):
            gateway = config.Gateway(server, truststore="t_9.pem")
            path = pathlib.Path(peers.arguments(gateway, self.place)[-1])
            text = path.read_text(encoding="ascii")
            for word in words:
                self.assertIn(word, text)
