"""The oracle sees wrong answers."""

import unittest

import oracle

A, B = frozenset("a"), frozenset("b")
GOT_IN = (oracle.LET_IN, "f")
OUT = (oracle.FORBIDDEN, None)


def client(member, **more):
    return oracle.Client("direct", ({member},), ({member},), **more)


class OracleTest(unittest.TestCase):
    def setUp(self):
        self.file = oracle.TrustFile("f", A, 0.0)
        self.domain = oracle.Domain("d", [oracle.View(self.file)])
        self.a, self.b = client("a"), client("b")

    def is_right(self, who, got, start, end, **more):
        return self.domain.judge(who, got, start, end, **more) is None

    def replace(self, content, start, end):
        self.file.begin(content, start)
        self.file.end(end)

    def test_without_a_change_one_answer_is_right(self):
        self.assertTrue(self.is_right(self.a, GOT_IN, 5, 6))
        self.assertFalse(self.is_right(self.a, OUT, 5, 6))
        self.assertTrue(self.is_right(self.b, OUT, 5, 6))
        self.assertFalse(self.is_right(self.b, GOT_IN, 5, 6))

    def test_between_the_move_and_its_effect_both_are(self):
        self.replace(B, 10, 10.1)
        self.assertTrue(self.is_right(self.a, GOT_IN, 10.2, 10.3, learn=False))
        self.assertTrue(self.is_right(self.a, OUT, 10.2, 10.3, learn=False))
        # A question that was answered before the move began.
        self.assertFalse(self.is_right(self.a, OUT, 9, 9.9))
        # A question from before it, answered after it.
        self.assertTrue(self.is_right(self.a, OUT, 9, 10.05, learn=False))

    def test_after_two_seconds_only_the_new_one(self):
        self.replace(B, 10, 10.1)
        self.assertTrue(self.is_right(self.a, GOT_IN, 12.0, 12.5, learn=False))
        self.assertFalse(self.is_right(self.a, GOT_IN, 12.11, 12.5))
        self.assertTrue(self.is_right(self.a, OUT, 12.11, 12.5))

    def test_a_stall_of_the_machine_makes_it_later(self):
        stalls = oracle.Stalls()
        self.file = oracle.TrustFile("f", A, 0.0, stalls)
        self.domain = oracle.Domain("d", [oracle.View(self.file)])
        self.replace(B, 10, 10.1)
        stalls.note(9.0, 50.0)
        self.assertFalse(self.is_right(self.a, GOT_IN, 12.5, 12.6))
        stalls.note(11.0, 1.0)
        self.assertTrue(self.is_right(self.a, GOT_IN, 12.5, 12.6))
        self.assertFalse(self.is_right(self.a, GOT_IN, 13.2, 13.3))

    def test_once_seen_the_old_one_is_wrong(self):
        self.replace(B, 10, 10.1)
        self.assertTrue(self.is_right(self.b, GOT_IN, 10.2, 10.3))
        self.assertFalse(self.is_right(self.a, GOT_IN, 10.31, 10.4))
        # Asked before it was seen.
        self.assertTrue(self.is_right(self.a, GOT_IN, 10.29, 10.4))
        self.assertFalse(self.is_right(self.b, OUT, 10.31, 10.4))

    def test_a_content_that_came_and_went_may_have_been_missed(self):
        self.replace(B, 10, 10.1)
        self.replace(A, 10.2, 10.3)
        self.assertTrue(self.is_right(self.b, GOT_IN, 10.4, 10.5, learn=False))
        self.assertTrue(self.is_right(self.b, OUT, 10.4, 10.5))
        self.assertFalse(self.is_right(self.b, GOT_IN, 12.4, 12.5))

    def test_expiry(self):
        soon = client("a", expires_at=20.0)
        self.assertTrue(self.is_right(soon, GOT_IN, 18, 18.5))
        self.assertFalse(self.is_right(soon, OUT, 18, 18.5))
        self.assertTrue(self.is_right(soon, GOT_IN, 20, 20.5))
        self.assertTrue(self.is_right(soon, OUT, 20, 20.5))
        self.assertFalse(self.is_right(soon, GOT_IN, 21.2, 21.5))

    def test_the_first_file_vouches(self):
        second = oracle.TrustFile("g", A, 0.0)
        self.domain.views.append(oracle.View(second))
        self.assertTrue(self.is_right(self.a, GOT_IN, 5, 6))
        self.assertFalse(self.is_right(self.a, (oracle.LET_IN, "g"), 5, 6))
        self.replace(B, 10, 10.1)
        self.assertTrue(self.is_right(self.a, (oracle.LET_IN, "g"), 10.2, 10.3))
        self.assertFalse(self.is_right(self.a, GOT_IN, 10.4, 10.5))

    def test_policies(self):
        branch = oracle.Client("branch", ({"a", "i"},), ({"a"}, {"i"}))
        self.assertTrue(self.is_right(branch, OUT, 5, 6))
        self.domain.policy = "ANY_ANCHOR"
        self.assertTrue(self.is_right(branch, GOT_IN, 5, 6))

    def test_a_refusal_is_stronger_than_trust(self):
        deny = oracle.TrustFile("deny", frozenset(), 0.0)
        self.domain.refusals.append(oracle.View(deny))
        named = client("a", common_name="n")
        self.assertTrue(self.is_right(named, GOT_IN, 5, 6))
        for content in (frozenset(["n"]), A):
            start = deny.newest()[2] + 10
            deny.begin(content, start)
            deny.end(start)
            self.assertTrue(self.is_right(named, OUT, start + 3, start + 4))
            self.assertFalse(self.is_right(named, GOT_IN, start + 3, start + 4))

    def test_styles(self):
        nobody = oracle.Client("nobody")
        for style, answer in (
            ("FORBIDDEN", oracle.FORBIDDEN), ("HANDSHAKE", oracle.CLOSED),
            ("PASS", oracle.PASSED_ON), ("TCP", oracle.CLOSED),
        ):
            self.domain.style = style
            self.assertTrue(self.is_right(self.b, (answer, None), 5, 6))
            self.assertTrue(self.is_right(nobody, (oracle.CLOSED, None), 5, 6))
            self.assertFalse(self.is_right(nobody, (oracle.LET_IN, None), 5, 6))
        self.domain.style, self.domain.optional = "FORBIDDEN", True
        self.assertTrue(self.is_right(nobody, (oracle.LET_IN, None), 5, 6))
        self.assertFalse(self.is_right(nobody, (oracle.LET_IN, None), 5, 6, private=True))
        self.assertTrue(self.is_right(self.b, OUT, 5, 6))


if __name__ == "__main__":
    unittest.main()
