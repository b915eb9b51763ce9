"""Cases about how a chain is found: anchors, intermediates, time, names of
CAs, cross-signing, rollover, length, limits, self-signed clients."""

import os
import subprocess
import tempfile

from case import ANY, COMPLETE, NOW, SECOND, both, chain_case, check, edges
from certificates import *  # noqa: F403
from certificates import _make_key
import der as d


ROOT = ca("Partner Root CA", "p256-root")
INT = ca("Partner Issuing CA", "p256-issuing", ROOT)
LEAF = leaf("client.partner.example", INT)
DIRECT = leaf("direct.partner.example", ROOT)
OTHER_ROOT = ca("Unrelated Root CA", "p256-unrelated")
OTHER_INT = ca("Unrelated Issuing CA", "p256-unrelated-issuing", OTHER_ROOT)
RSA_ROOT = ca("RSA Root CA", "rsa2048-root")
# A longer branch: leaf <- I3 <- I2 <- I1 <- root.
I1 = ca("Level 1 CA", "p256-level1", ROOT)
I2 = ca("Level 2 CA", "p256-level2", I1)
I3 = ca("Level 3 CA", "p256-level3", I2)
LEAF1 = leaf("below.level1.example", I1)
LEAF2 = leaf("below.level2.example", I2)
LEAF3 = leaf("below.level3.example", I3)


def define():
    anchors()
    times()
    same_names()
    cross_signing()
    lengths()
    limits()
    self_signed()
    broken()


def anchors():
    end = LEAF_TO + SECOND
    chain_case("trusted_root_and_client", "A client directly below a root of the truststore.",
               [ROOT], [DIRECT], both("TRUSTED", path=2, recheck=end))
    chain_case("trusted_intermediate_in_truststore",
               "Root and intermediate in the truststore, the client sends only its own.",
               [ROOT, INT], [LEAF],
               check(COMPLETE, "TRUSTED", path=3, recheck=end),
               check(ANY, "TRUSTED", recheck=end))
    chain_case("trusted_whole_chain_sent", "The client sends the root too.",
               [ROOT, INT], [LEAF, INT, ROOT],
               check(COMPLETE, "TRUSTED", path=3, recheck=end), check(ANY, "TRUSTED"))
    chain_case("intermediate_sent_by_client",
               "Only the root is in the truststore; the client completes the chain.",
               [ROOT], [LEAF, INT], check(COMPLETE, "INCOMPLETE_CHAIN"),
               check(ANY, "TRUSTED", path=3, recheck=end))
    chain_case("intermediate_only_truststore", "The truststore holds the intermediate alone.",
               [INT], [LEAF], check(COMPLETE, "INCOMPLETE_CHAIN"),
               check(ANY, "TRUSTED", path=2, recheck=end))
    chain_case("intermediate_only_truststore_root_sent",
               "The truststore holds the intermediate alone, the client sends the root.",
               [INT], [LEAF, INT, ROOT], check(COMPLETE, "INCOMPLETE_CHAIN"),
               check(ANY, "TRUSTED", path=2))
    chain_case("intermediate_missing", "Nobody has the intermediate.", [ROOT], [LEAF],
               both("UNTRUSTED_ISSUER", depth=0))
    chain_case("root_missing", "All intermediates of a chain of four, but no root.",
               [I1, I2], [LEAF2], check(COMPLETE, "INCOMPLETE_CHAIN"), check(ANY, "TRUSTED"))
    chain_case("middle_missing",
               "The middle CA is missing from the truststore; the client sends it.",
               [ROOT, I2], [LEAF2, I2, I1], check(COMPLETE, "INCOMPLETE_CHAIN"),
               check(ANY, "TRUSTED"))
    chain_case("all_intermediates_sent", "The client sends two intermediates in order.",
               [ROOT], [LEAF2, I2, I1], check(COMPLETE, "INCOMPLETE_CHAIN"),
               check(ANY, "TRUSTED", path=4))
    chain_case("chain_out_of_order", "The client sends its intermediates in the wrong order.",
               [ROOT], [LEAF2, ROOT, I1, I2], check(ANY, "TRUSTED", path=4))
    chain_case("chain_with_strangers", "Certificates that have nothing to do with the client.",
               [ROOT], [LEAF, OTHER_INT, OTHER_ROOT, INT, I1], check(ANY, "TRUSTED", path=3),
               check(COMPLETE, "INCOMPLETE_CHAIN"))
    chain_case("chain_repeats_itself", "Every certificate twice.", [ROOT],
               [LEAF, INT, LEAF, INT], check(ANY, "TRUSTED", path=3),
               check(COMPLETE, "INCOMPLETE_CHAIN"))
    chain_case("bundle_unordered", "Clients first, roots last, strangers between.",
               ["partners of 2030\n", LEAF, "\n", I2, "issuing\n", INT, OTHER_ROOT, ROOT],
               [LEAF], both("TRUSTED"))
    chain_case("bundle_with_duplicates", "The same certificates twice in the truststore.",
               [ROOT, INT, ROOT, INT], [LEAF], both("TRUSTED"))
    chain_case("no_certificate_sent", "An empty chain.", [ROOT], [], both("NO_CERTIFICATE", depth=-1))
    chain_case("no_certificate_sent_useless_truststore",
               "An empty chain, and a truststore in which nothing gives trust.",
               [ca("Old Root CA", "p256-old", not_after=d.instant("2025-01-01"))], [],
               both("NO_CERTIFICATE", depth=-1))
    chain_case("unknown_root", "A complete chain to a root that is not in the truststore.",
               [OTHER_ROOT], [LEAF, INT, ROOT], both("UNTRUSTED_ISSUER"))
    chain_case("unknown_issuer", "A client of a CA nobody has.", [OTHER_ROOT], [DIRECT],
               both("UNTRUSTED_ISSUER", depth=0))
    chain_case("unknown_intermediate_sent", "The intermediate is sent, its root is unknown.",
               [OTHER_ROOT], [LEAF, INT], both("UNTRUSTED_ISSUER"))
    chain_case("intermediate_as_client", "A CA signed by another CA presents itself as a client.",
               [ROOT], [INT], both("TRUSTED", path=2))
    chain_case("intermediate_in_truststore_as_client",
               "A CA of the truststore that is not self-signed presents itself; its root is "
               "not in the truststore.",
               [INT], [INT], check(COMPLETE, "UNTRUSTED_ISSUER"), check(ANY, "UNTRUSTED_ISSUER"))
    chain_case("non_ca_in_truststore_issues_nothing",
               "A certificate that is no CA is in the truststore; it signed another one.",
               [ROOT, DIRECT], [leaf("below.a.client.example", DIRECT, k="p256-other-client")],
               both("CONSTRAINT_VIOLATION"))

    pinned = [ROOT, INT, LEAF]
    pin = {"pin_leaf": True}
    chain_case("pin_leaf", "A client's certificate signed by a CA is in the truststore, its CA is "
               "not.", [LEAF], [LEAF],
               both("UNTRUSTED_ISSUER", name="off"), both("TRUSTED", name="on", options=pin, path=1,
                                                          recheck=end),
               both("EXPIRED", name="on_expired", options=pin, at=LEAF_TO + SECOND, depth=0),
               both("NOT_YET_VALID", name="on_early", options=pin, at=LEAF_FROM - SECOND, depth=0,
                    recheck=LEAF_FROM))
    chain_case("pin_leaf_another_client", "Pinning one client says nothing of its siblings.",
               [LEAF], [leaf("sibling.partner.example", INT)],
               both("UNTRUSTED_ISSUER", options=pin))
    chain_case("pin_leaf_of_a_ca", "pin_leaf is for leaves: a CA of the truststore that is not "
               "self-signed does not vouch for itself.", [INT], [INT],
               both("UNTRUSTED_ISSUER", options=pin))
    chain_case("pin_leaf_issues_nothing", "A pinned client has signed another certificate.",
               [LEAF], [leaf("below.a.pinned.example", LEAF, k="p256-other-client")],
               check(COMPLETE, "INCOMPLETE_CHAIN", options=pin),
               check(ANY, "CONSTRAINT_VIOLATION", options=pin))
    chain_case("pin_leaf_with_its_ca", "Pinned, and its CAs are in the truststore too.",
               pinned, [LEAF], both("TRUSTED", name="off"), both("TRUSTED", name="on", options=pin))
    weak = leaf("weak.partner.example", ROOT, k="rsa1024-client")
    chain_case("pin_leaf_weak", "A pinned client must be strong enough.", [weak], [weak],
               both("WEAK_KEY", options=pin, depth=0))
    server = leaf("server.partner.example", ROOT, eku=(SERVER,))
    chain_case("pin_leaf_server_only", "A pinned certificate must be for clients.", [server],
               [server], both("NOT_FOR_CLIENT_AUTH", options=pin, depth=0))


def times():
    chain_case("time_leaf", "The client's certificate, to the second.", [ROOT, INT], [LEAF],
               edges(COMPLETE, LEAF, 0), edges(ANY, LEAF, 0))
    short_int = ca("Short Issuing CA", "p256-short", ROOT, not_before=d.instant("2030-03-01"),
                   not_after=d.instant("2030-09-01T12:34:56Z"))
    below_int = leaf("below.short.example", short_int)
    chain_case("time_intermediate", "An intermediate of the truststore, to the second.",
               [ROOT, short_int], [below_int], edges(COMPLETE, short_int, 1))
    chain_case("time_intermediate_sent", "An intermediate sent by the client, to the second.",
               [ROOT], [below_int, short_int], edges(ANY, short_int, 1))
    chain_case("time_intermediate_anchor", "An intermediate as anchor, to the second.",
               [short_int], [below_int], edges(ANY, short_int, 1))
    short_root = ca("Short Root CA", "p256-short-root", not_before=d.instant("2030-03-01"),
                    not_after=d.instant("2030-09-01"))
    below_root = leaf("below.short.root.example", short_root)
    mid = ca("CA below the Short Root", "p256-short-mid", short_root)
    below_mid = leaf("far.below.short.root.example", mid)
    chain_case("time_root", "A root, to the second: an anchor's own dates count.", [short_root],
               [below_root], edges(COMPLETE, short_root, 1), edges(ANY, short_root, 1))
    chain_case("time_root_above_intermediate", "A root two steps up, to the second.",
               [short_root, mid], [below_mid], edges(COMPLETE, short_root, 2))
    chain_case("time_root_above_sent_intermediate", "The same with the intermediate sent.",
               [short_root], [below_mid, mid], edges(ANY, short_root, 2))
    chain_case("root_expired_anchor_valid",
               "The root has expired, the intermediate, an anchor of its own, has not.",
               [ca("Expired Root CA", "p256-short-root", not_after=d.instant("2029-01-01")), mid2()],
               [leaf("client.mid2.example", mid2())],
               check(COMPLETE, "EXPIRED", depth=2), check(ANY, "TRUSTED", path=2))
    alone = leaf("self-signed.example", None)
    chain_case("time_self_signed", "A partner's own certificate, to the second.", [alone], [alone],
               edges(COMPLETE, alone, 0), edges(ANY, alone, 0))
    old = leaf("old.partner.example", ROOT, not_before=d.instant("2020-01-01"),
               not_after=d.instant("2021-01-01"))
    chain_case("expired_years_ago", "Long expired.", [ROOT], [old], both("EXPIRED", depth=0))
    future = leaf("future.partner.example", ROOT, not_before=d.instant("2040-01-01"),
                  not_after=d.instant("2041-01-01"))
    chain_case("valid_in_years", "Valid in ten years.", [ROOT], [future],
               both("NOT_YET_VALID", depth=0, recheck=d.instant("2040-01-01")))
    gone = ca("Renewed CA", "p256-renewed", ROOT, not_after=d.instant("2029-01-01"))
    renewed = ca("Renewed CA", "p256-renewed", ROOT)
    below = leaf("below.renewed.example", renewed)
    chain_case("ca_renewed_old_one_expired",
               "The same CA and key twice in the truststore: one expired, one renewed.",
               [ROOT, gone, renewed], [below], both("TRUSTED"))
    chain_case("ca_renewed_client_sends_old_one",
               "The client still sends the expired intermediate; the truststore has the new one.",
               [ROOT, renewed], [below, gone], both("TRUSTED"))
    chain_case("ca_renewed_client_sends_both", "The client sends both, the expired one first.",
               [ROOT], [below, gone, renewed], check(ANY, "TRUSTED", path=3))
    ends = ca("Handover CA", "p256-handover", ROOT, not_after=d.instant("2030-07-01"))
    begins = ca("Handover CA", "p256-handover", ROOT, not_before=d.instant("2030-08-01"))
    handover = leaf("handover.example", ends)
    chain_case("ca_handover_with_a_gap",
               "A CA's certificate ends in July, its successor begins in August: the verdict "
               "must be asked again at each step.", [ROOT, ends, begins], [handover],
               check(COMPLETE, "TRUSTED", name="june", recheck=d.instant("2030-07-01T00:00:01Z")),
               check(COMPLETE, "NOT_YET_VALID", at=d.instant("2030-07-15"), name="july", depth=1,
                     recheck=d.instant("2030-08-01")),
               check(COMPLETE, "TRUSTED", at=d.instant("2030-08-15"), name="august",
                     recheck=LEAF_TO + SECOND))
    gone_root = ca("Reissued Root CA", "p256-reissued", not_after=d.instant("2029-01-01"))
    again = ca("Reissued Root CA", "p256-reissued")
    chain_case("root_reissued_by_the_client",
               "The truststore's root has expired; the client sends a fresh one with the same key.",
               [gone_root], [leaf("below.reissued.example", again), again],
               both("EXPIRED", recheck=LEAF_TO + SECOND))
    late = ca("Late Root CA", "p256-late", not_before=d.instant("2060-01-01"),
              not_after=d.instant("2099-12-31T23:59:59Z"))
    late_leaf = leaf("late.example", late, not_before=d.instant("2060-06-01"),
                     not_after=d.instant("2061-06-01"))
    chain_case("time_after_2050", "Dates as GeneralizedTime.", [late], [late_leaf],
               edges(COMPLETE, late_leaf, 0))
    never = ca("Everlasting Root CA", "p256-everlasting",
               not_after=d.instant("9999-12-31T23:59:59Z"))
    chain_case("time_no_end", "RFC 5280's date for certificates without an end.", [never],
               [leaf("everlasting.example", never, not_after=d.instant("9999-12-31T23:59:59Z"))],
               both("TRUSTED", path=2))
    one_second = leaf("one-second.example", ROOT, not_before=NOW, not_after=NOW)
    chain_case("time_one_second", "Valid for one second.", [ROOT], [one_second],
               edges(COMPLETE, one_second, 0))


def mid2():
    root = ca("Expired Root CA", "p256-short-root", not_after=d.instant("2029-01-01"))
    return ca("CA that outlives its Root", "p256-short-mid", root)


def same_names():
    one = ca("Twin CA", "p256-twin1")
    two = ca("Twin CA", "p256-twin2")
    three = ca("Twin CA", "p256-twin3")
    by_two = leaf("two.twin.example", two)
    chain_case("same_name_two_keys", "Two roots with one name; the client is the second's.",
               [one, two], [by_two], both("TRUSTED", path=2))
    chain_case("same_name_two_keys_reversed", "The same, the right one first.", [two, one],
               [by_two], both("TRUSTED", path=2))
    plain = [ca("Plain Twin CA", "p256-twin%d" % i, ids=False) for i in (1, 2, 3)]
    plain_leaf = leaf("plain.twin.example", plain[2], ids=False)
    chain_case("same_name_without_key_identifiers",
               "Three roots with one name and nothing but the signature to tell them apart.",
               plain, [plain_leaf], both("TRUSTED", path=2))
    chain_case("same_name_none_signed", "Two roots with the issuer's name; a third one signed.",
               [one, two], [leaf("three.twin.example", three)], both("UNTRUSTED_ISSUER", depth=0))
    chain_case("same_name_none_signed_without_key_identifiers",
               "The same where nothing names the key.", plain[:2], [plain_leaf],
               both("BAD_SIGNATURE", depth=0))
    chain_case("same_name_impostor", "A CA that took the name of the partner's, with its own key; the key "
               "identifier says so.",
               [ROOT], [leaf("impostor.example", ca("Partner Root CA", "p256-impostor"))],
               both("UNTRUSTED_ISSUER", depth=0))
    chain_case("same_name_impostor_without_key_identifiers", "The same with no key identifiers.",
               [ca("Bare Root CA", "p256-root", ids=False)],
               [leaf("impostor.example", ca("Bare Root CA", "p256-impostor", ids=False), ids=False)],
               both("BAD_SIGNATURE", depth=0))
    impostor = ca("Partner Root CA", "p256-impostor")
    chain_case("same_name_impostor_sends_its_root", "The impostor sends its root too.",
               [ROOT], [leaf("impostor.example", impostor), impostor], both("UNTRUSTED_ISSUER"))
    fake_int = ca("Partner Issuing CA", "p256-impostor", ids=False)
    chain_case("same_name_intermediate_impostor_beside_the_real_one",
               "Two intermediates with one name are sent; one is made up.",
               [ROOT], [LEAF, fake_int, INT], check(ANY, "TRUSTED", path=3),
               check(COMPLETE, "INCOMPLETE_CHAIN"))
    chain_case("same_name_client_and_root", "A client with its root's name and a key of its own.",
               [ROOT], [leaf("Partner Root CA", ROOT)], both("TRUSTED", path=2))
    s1 = leaf("twin.self-signed.example", None, k="p256-client")
    s2 = leaf("twin.self-signed.example", None, k="p256-other-client")
    chain_case("same_name_self_signed_clients", "Two partners with one name and two keys.",
               [s1, s2], [s2], both("TRUSTED", path=1))


def cross_signing():
    r1 = ca("Cross Root 1", "p256-cross1")
    r2 = ca("Cross Root 2", "p256-cross2")
    x1 = ca("Cross-signed CA", "p256-crossed", r1)
    x2 = ca("Cross-signed CA", "p256-crossed", r2)
    end = leaf("cross.example", x1)
    chain_case("cross_signed_both_in_truststore", "A CA signed by two roots, everything known.",
               [r1, r2, x1, x2], [end], both("TRUSTED"))
    chain_case("cross_signed_other_branch_sent",
               "The truststore has one branch, the client sends the other.",
               [r1, x1], [end, x2, r2], both("TRUSTED"))
    chain_case("cross_signed_only_second_root",
               "The truststore has the second root alone; both branches are sent.",
               [r2], [end, x1, x2], check(ANY, "TRUSTED", path=3),
               check(COMPLETE, "INCOMPLETE_CHAIN"))
    chain_case("cross_signed_one_root_missing", "One branch has no root in the truststore.",
               [x1, x2, r2], [end], both("TRUSTED"))
    x1_old = ca("Cross-signed CA", "p256-crossed", r1, not_after=d.instant("2029-01-01"))
    chain_case("cross_signed_one_branch_expired", "One branch has expired.",
               [r1, x1_old, r2, x2], [end], both("TRUSTED"))
    r1_old = ca("Cross Root 1", "p256-cross1", not_after=d.instant("2029-01-01"))
    chain_case("cross_signed_one_root_expired", "One root has expired, the other has not.",
               [r1_old, x1, r2, x2], [end], check(COMPLETE, "TRUSTED", path=3),
               check(ANY, "TRUSTED"))
    root_crossed = ca("Cross Root 2", "p256-cross2", r1)
    x2_leaf = leaf("below.cross.root.example", x2)
    chain_case("cross_signed_root", "A root that another root has signed; only that one is trusted.",
               [r1], [x2_leaf, x2, root_crossed], check(ANY, "TRUSTED", path=4),
               check(COMPLETE, "INCOMPLETE_CHAIN"))
    chain_case("cross_signed_root_in_truststore", "The same with everything in the truststore.",
               [r1, root_crossed, x2], [x2_leaf], check(COMPLETE, "TRUSTED", path=4),
               check(ANY, "TRUSTED"))
    chain_case("cross_signed_shorter_way",
               "One branch is too long, a cross-signature shortens it.",
               [ROOT, I1, I2, I3, ca("Level 3 CA", "p256-level3", ROOT)], [LEAF3],
               both("TRUSTED"))

    a_name, b_name = name("Loop A"), name("Loop B")
    a0 = ca(a_name, "p256-loop-a")
    b0 = ca(b_name, "p256-loop-b")
    a_by_b, b_by_a = ca(a_name, "p256-loop-a", b0), ca(b_name, "p256-loop-b", a0)
    loop_leaf = leaf("loop.example", a0)
    chain_case("loop_in_truststore", "Two CAs that signed each other, no root.",
               [a_by_b, b_by_a], [loop_leaf], check(COMPLETE, "INCOMPLETE_CHAIN"),
               check(ANY, "TRUSTED"))
    chain_case("loop_sent_by_client", "The loop comes from the client.", [OTHER_ROOT],
               [loop_leaf, a_by_b, b_by_a], both("UNTRUSTED_ISSUER"))
    b_by_root = ca(b_name, "p256-loop-b", ROOT)
    chain_case("loop_with_a_way_out", "A loop of which one CA was also signed by a root.",
               [ROOT, a_by_b, b_by_a, b_by_root], [loop_leaf],
               check(COMPLETE, "TRUSTED", path=4), check(ANY, "TRUSTED"))
    chain_case("loop_sent_with_a_way_out", "The same, sent by the client.", [ROOT],
               [loop_leaf, a_by_b, b_by_a, b_by_root], check(ANY, "TRUSTED", path=4),
               check(COMPLETE, "INCOMPLETE_CHAIN"))
    c_name = name("Loop C")
    c0 = ca(c_name, "p256-loop-c")
    ring = [ca(a_name, "p256-loop-a", b0), ca(b_name, "p256-loop-b", c0),
            ca(c_name, "p256-loop-c", a0)]
    chain_case("loop_of_three", "A ring of three CAs.", [OTHER_ROOT], [loop_leaf] + ring,
               both("UNTRUSTED_ISSUER"))
    self_name = name("Rolling CA")
    k1, k2 = ca(self_name, "p256-rolling1"), ca(self_name, "p256-rolling2")
    k1_by_2 = ca(self_name, "p256-rolling1", k2)
    k2_by_1 = ca(self_name, "p256-rolling2", k1)
    old_leaf, new_leaf = leaf("old.rolling.example", k1), leaf("new.rolling.example", k2)
    chain_case("loop_of_one_name", "Old and new key of one CA signed each other, no root.",
               [k1_by_2, k2_by_1], [old_leaf], check(COMPLETE, "INCOMPLETE_CHAIN"),
               check(ANY, "TRUSTED"))
    chain_case("rollover_new_with_old",
               "The truststore has the old root; a new key's client sends new-with-old.",
               [k1], [new_leaf, k2_by_1], check(ANY, "TRUSTED", path=3),
               check(COMPLETE, "INCOMPLETE_CHAIN"))
    chain_case("rollover_new_with_old_in_truststore", "Old root and new-with-old in the truststore.",
               [k1, k2_by_1], [new_leaf], check(COMPLETE, "TRUSTED", path=3),
               check(ANY, "TRUSTED"))
    chain_case("rollover_old_with_new",
               "The truststore has only the new root; an old key's client sends old-with-new.",
               [k2], [old_leaf, k1_by_2], check(ANY, "TRUSTED", path=3),
               check(COMPLETE, "INCOMPLETE_CHAIN"))
    chain_case("rollover_everything", "All four certificates of a rollover.",
               [k1, k2, k1_by_2, k2_by_1], [old_leaf], both("TRUSTED"))
    chain_case("rollover_link_missing", "The new root alone knows nothing of the old key.",
               [k2], [old_leaf], both("UNTRUSTED_ISSUER", depth=0))


def lengths():
    chain_case("length_four", "Four certificates.", [ROOT, I1, I2], [LEAF2],
               check(COMPLETE, "TRUSTED", path=4),
               check(COMPLETE, "CHAIN_TOO_LONG", name="at_most_three",
                     options={"max_chain_length": 3}))
    chain_case("length_five", "Five certificates are one too many.", [ROOT, I1, I2, I3], [LEAF3],
               check(COMPLETE, "CHAIN_TOO_LONG"),
               check(COMPLETE, "TRUSTED", name="at_most_five", path=5,
                     options={"max_chain_length": 5}),
               check(ANY, "TRUSTED"))
    chain_case("length_five_sent", "Five certificates, three of them sent.", [ROOT],
               [LEAF3, I3, I2, I1], check(ANY, "CHAIN_TOO_LONG"),
               check(ANY, "TRUSTED", name="at_most_five", path=5,
                     options={"max_chain_length": 5}),
               check(COMPLETE, "INCOMPLETE_CHAIN"))
    chain_case("length_anchor_shortens", "An intermediate as anchor makes the chain short enough.",
               [ROOT, I1], [LEAF3, I3, I2], check(ANY, "TRUSTED", path=4))
    chain_case("length_two", "A limit of two.", [ROOT, INT], [DIRECT],
               check(COMPLETE, "TRUSTED", path=2, options={"max_chain_length": 2}),
               check(ANY, "TRUSTED", path=2, options={"max_chain_length": 2}))
    chain_case("length_three_of_two", "Three certificates under a limit of two.", [ROOT, INT],
               [LEAF], check(COMPLETE, "CHAIN_TOO_LONG", options={"max_chain_length": 2}),
               check(ANY, "TRUSTED", path=2, options={"max_chain_length": 2}))
    chain_case("length_one", "A limit of one leaves only certificates that are in the truststore.",
               [ROOT], [DIRECT], both("CHAIN_TOO_LONG", options={"max_chain_length": 1}))
    alone = leaf("alone.example", None)
    chain_case("length_one_self_signed", "A self-signed client has a chain of one.", [alone],
               [alone], both("TRUSTED", path=1, options={"max_chain_length": 1}))
    deep = [ROOT]
    for i in range(1, 10):
        deep.append(ca("Depth %d CA" % i, "p256-depth%d" % i, deep[-1]))
    chain_case("length_ten", "Ten certificates where ten are allowed.", deep[:9],
               [leaf("deep.example", deep[8])],
               check(COMPLETE, "TRUSTED", path=10, options={"max_chain_length": 10}),
               check(COMPLETE, "CHAIN_TOO_LONG", name="at_most_nine",
                     options={"max_chain_length": 9}),
               check(COMPLETE, "CHAIN_TOO_LONG", name="at_most_four"))
    chain_case("length_eleven", "Eleven certificates where ten are allowed.", deep,
               [leaf("deeper.example", deep[9])],
               check(COMPLETE, "CHAIN_TOO_LONG", options={"max_chain_length": 10}))
    zero = ca("Path Length 0 CA", "p256-pathlen0", ROOT, path_length=0)
    chain_case("path_length_zero", "Path length 0 allows clients.", [ROOT, zero],
               [leaf("pathlen0.example", zero)], both("TRUSTED"))
    below_zero = ca("CA below Path Length 0", "p256-pathlen-below", zero)
    chain_case("path_length_zero_broken", "A CA below a CA of path length 0.",
               [ROOT, zero, below_zero], [leaf("below.pathlen0.example", below_zero)],
               check(COMPLETE, "CONSTRAINT_VIOLATION"))
    chain_case("path_length_zero_broken_sent", "The same, sent by the client.",
               [ROOT], [leaf("below.pathlen0.example", below_zero), below_zero, zero],
               check(ANY, "CONSTRAINT_VIOLATION"))
    chain_case("path_length_on_intermediate_anchor", "An anchor's own path length counts.",
               [zero], [leaf("below.pathlen0.example", below_zero), below_zero],
               check(ANY, "CONSTRAINT_VIOLATION"))
    short = ca("Root of Path Length 0", "p256-pathlen-root", path_length=0)
    below_short = ca("CA below a Root of Path Length 0", "p256-pathlen-mid", short)
    chain_case("path_length_on_root", "A root's own path length counts.", [short, below_short],
               [leaf("below.short.pathlen.example", below_short)],
               check(COMPLETE, "CONSTRAINT_VIOLATION"))
    chain_case("path_length_on_root_sent", "The same, sent by the client.", [short],
               [leaf("below.short.pathlen.example", below_short), below_short],
               check(ANY, "CONSTRAINT_VIOLATION"))
    one = ca("Root of Path Length 1", "p256-pathlen-root1", path_length=1)
    mid = ca("CA below Path Length 1", "p256-pathlen-mid", one)
    low = ca("CA two below Path Length 1", "p256-pathlen-low", mid)
    chain_case("path_length_one", "Path length 1 used up exactly, and by one too many.",
               [one, mid, low], [leaf("mid.pathlen1.example", mid)],
               check(COMPLETE, "TRUSTED", path=3))
    chain_case("path_length_one_broken", "One CA too many below path length 1.",
               [one, mid, low], [leaf("low.pathlen1.example", low)],
               check(COMPLETE, "CONSTRAINT_VIOLATION"))
    rolled = ca("Root of Path Length 0", "p256-pathlen-rolled", short)
    chain_case("path_length_self_issued", "A self-issued certificate uses up no path length.",
               [short, rolled], [leaf("rolled.pathlen.example", rolled)],
               check(COMPLETE, "TRUSTED", path=3))


def limits():
    fillers = [ca("Filler CA %d" % i, "p256-unrelated-issuing", OTHER_ROOT) for i in range(99)]
    chain_case("client_sends_ten", "Ten certificates are allowed.", [ROOT],
               [LEAF] + fillers[:8] + [INT], check(ANY, "TRUSTED", path=3))
    chain_case("client_sends_eleven", "Eleven are not.", [ROOT],
               [LEAF, INT] + fillers[:9], both("LIMIT_EXCEEDED"),
               check(ANY, "TRUSTED", name="at_most_eleven",
                     options={"max_client_certificates": 11}))
    chain_case("client_sends_a_hundred_intermediates", "A hundred intermediates.", [ROOT],
               [LEAF, INT] + fillers[:99],
               both("LIMIT_EXCEEDED", signature_checks_at_most=0, path_iterations_at_most=0))
    names = [("dns", "host-%05d.padding.example" % i) for i in range(1200)]
    big = leaf("big.partner.example", ROOT, more=[alt_names(*names)])
    chain_case("client_sends_over_32_kib", "One certificate of more than 32 KiB.", [ROOT], [big],
               both("LIMIT_EXCEEDED", signature_checks_at_most=0))

    def sized(total):
        """A client and its chain of exactly `total` bytes."""
        pad = 1
        while True:
            made = leaf("sized.partner.example", INT, more=[
                extension("1.3.6.1.4.1.55555.1.2", d.octet_string(b"x" * pad))], serial=7)
            # The length of an ECDSA signature varies with its content.
            size = len(made.der) + len(INT.der)
            if size == total:
                return made
            pad += total - size
    chain_case("client_sends_exactly_32_kib", "32 KiB are allowed.", [ROOT],
               [sized(32768), INT], check(ANY, "TRUSTED", path=3))
    chain_case("client_sends_one_byte_over_32_kib", "One byte more is not.", [ROOT],
               [sized(32769), INT], check(ANY, "LIMIT_EXCEEDED"))
    chain_case("signature_checks_limited", "A chain that needs two signature checks.",
               [ROOT], [LEAF, INT],
               check(ANY, "LIMIT_EXCEEDED", name="one", options={"max_signature_checks": 1}),
               check(ANY, "TRUSTED", name="enough", signature_checks_at_most=4))
    chain_case("path_iterations_limited", "A search that is stopped after one step.",
               [ROOT], [LEAF2, I2, I1],
               check(ANY, "LIMIT_EXCEEDED", name="one", options={"max_path_iterations": 1}),
               check(ANY, "TRUSTED", name="enough", path_iterations_at_most=20))
    big_bundle = [ca("Crowd CA %02d" % i, "p256-unrelated") for i in range(40)]
    chain_case("crowd_of_other_cas", "Forty CAs that have nothing to do with the client cost "
               "nothing.", big_bundle + [ROOT], [DIRECT],
               both("TRUSTED", signature_checks_at_most=2, path_iterations_at_most=3))


def self_signed():
    end = LEAF_TO + SECOND
    v1_leaf = v1("v1.partner.example", "rsa2048-partner")
    chain_case("v1_self_signed", "X.509 v1, self-signed, no extensions, in the truststore.",
               [v1_leaf], [v1_leaf], both("TRUSTED", path=1, recheck=end),
               both("EXPIRED", name="expired", at=end, depth=0),
               both("NOT_YET_VALID", name="early", at=LEAF_FROM - SECOND, depth=0,
                    recheck=LEAF_FROM))
    made = by_openssl()
    chain_case("v1_self_signed_by_openssl",
               "Made by `openssl x509 -req -signkey`, as people make them.",
               [made], [made], both("TRUSTED", path=1, at=made.not_before,
                                    recheck=made.not_after + SECOND))
    chain_case("v1_self_signed_not_in_truststore", "The same kind, unknown.",
               [ROOT], [v1_leaf], both("UNTRUSTED_ISSUER", depth=0))
    chain_case("v1_self_signed_two_partners", "Two partners' certificates appended to one bundle.",
               [v1_leaf, made], [v1_leaf], both("TRUSTED", path=1))
    chain_case("v1_client_of_a_ca", "A v1 certificate signed by a proper CA.", [ROOT],
               [v1("v1.client.example", "p256-client", ROOT)], both("TRUSTED", path=2))
    v1_root = v1("v1 Root", "rsa2048-partner", not_before=CA_FROM, not_after=CA_TO)
    chain_case("v1_root_issues_nothing", "A v1 certificate is no CA, whatever it signed.",
               [v1_root], [leaf("below.v1.example", v1_root)], both("CONSTRAINT_VIOLATION"))
    v1_mid = v1("v1 Intermediate", "p256-issuing", ROOT, not_before=CA_FROM, not_after=CA_TO)
    chain_case("v1_intermediate_issues_nothing", "A v1 intermediate.", [ROOT, v1_mid],
               [leaf("below.v1.mid.example", v1_mid)], both("CONSTRAINT_VIOLATION"))
    chain_case("v1_intermediate_sent_issues_nothing", "A v1 intermediate sent by the client.",
               [ROOT], [leaf("below.v1.mid.example", v1_mid), v1_mid],
               check(ANY, "CONSTRAINT_VIOLATION"))
    v2 = certificate("v2.client.example", "p256-client", ROOT, not_before=LEAF_FROM,
                     not_after=LEAF_TO, version=2,
                     unique_ids=d.tlv(0x82, b"\x00\x12\x34"))
    chain_case("v2_client_of_a_ca", "X.509 v2 with a subject unique identifier.", [ROOT], [v2],
               both("TRUSTED", path=2))

    alone = leaf("partner.example", None)
    chain_case("self_signed_client", "A v3 self-signed client that is no CA.", [alone, ROOT],
               [alone], both("TRUSTED", path=1, recheck=end))
    chain_case("self_signed_client_sends_more", "It sends other certificates too.", [alone],
               [alone, INT, ROOT], both("TRUSTED", path=1))
    chain_case("self_signed_client_twice_in_truststore", "It is in the truststore twice.",
               [alone, alone], [alone], both("TRUSTED", path=1))
    chain_case("self_signed_client_unknown", "It is not in the truststore.", [ROOT], [alone],
               both("UNTRUSTED_ISSUER", depth=0))
    chain_case("self_signed_client_renewed",
               "The truststore holds an older certificate with the same name and key.",
               [leaf("partner.example", None, not_before=d.instant("2029-01-01"),
                     not_after=d.instant("2030-12-01"))], [alone],
               both("CONSTRAINT_VIOLATION"))
    chain_case("self_signed_client_issues_nothing",
               "It vouches for itself only: what it signed is refused.",
               [alone], [leaf("below.partner.example", alone, k="p256-other-client")],
               both("CONSTRAINT_VIOLATION"))
    plain = certificate("plain.partner.example", "p256-client", not_before=LEAF_FROM,
                        not_after=LEAF_TO)
    chain_case("self_signed_v3_without_extensions", "v3 without extensions vouches for itself.",
               [plain], [plain], both("TRUSTED", path=1))
    chain_case("self_signed_v3_without_extensions_issues_nothing", "and issues nothing.",
               [plain], [leaf("below.plain.example", plain, k="p256-other-client")],
               both("CONSTRAINT_VIOLATION"))
    chain_case("self_signed_ca_as_client", "A root presents itself as a client.", [ROOT], [ROOT],
               both("TRUSTED", path=1, recheck=CA_TO + SECOND))
    chain_case("self_signed_ca_as_client_unknown", "An unknown root does.", [OTHER_ROOT], [ROOT],
               both("UNTRUSTED_ISSUER", depth=0))
    chain_case("self_signed_ca_as_client_sends_its_own_root",
               "An unknown client below its own root, both sent.", [OTHER_ROOT], [DIRECT, ROOT],
               both("UNTRUSTED_ISSUER"))
    for kind, reason in (("rsa1024", "WEAK_KEY"), ("p521", "UNSUPPORTED_ALGORITHM"),
                         ("ed25519", "UNSUPPORTED_ALGORITHM")):
        weak = leaf("%s.partner.example" % kind, None, k=kind + "-client")
        chain_case("self_signed_client_" + kind, "A self-signed client must be strong enough.",
                   [weak], [weak], both(reason, depth=0))
    sha1 = leaf("sha1.partner.example", None, k="rsa2048-partner", how="sha1")
    chain_case("self_signed_client_sha1", "Its own signature counts.", [sha1], [sha1],
               both("UNSUPPORTED_ALGORITHM", depth=0))
    server = leaf("server.partner.example", None, eku=(SERVER,))
    chain_case("self_signed_client_server_only", "Its extended key usage counts.", [server],
               [server], both("NOT_FOR_CLIENT_AUTH", depth=0),
               both("TRUSTED", name="ignore", path=1, options={"extended_key_usage": "ignore"}),
               both("TRUSTED", name="warn", path=1, options={"extended_key_usage": "warn"},
                    extended_key_usage_warning=True))
    odd = leaf("odd.partner.example", None, more=[unknown_extension(True)])
    chain_case("self_signed_client_unknown_critical_extension", "Unknown critical extension.",
               [odd], [odd], both("CONSTRAINT_VIOLATION", depth=0))
    forged = leaf("forged.partner.example", None, k="rsa2048-partner", edit_signature=flip)
    chain_case("self_signed_client_bad_signature",
               "In the truststore, issued in its own name, but its signature is not its own.",
               [forged], [forged], both("BAD_SIGNATURE", depth=0))


def by_openssl():
    """What the partner-onboarding articles do: genrsa, req, x509 -req -signkey."""
    path = os.path.join(KEYS, "rsa2048-openssl.pem")
    if not os.path.exists(path):
        _make_key("rsa2048", path)
    with tempfile.TemporaryDirectory() as tmp:
        csr = os.path.join(tmp, "csr.pem")
        subprocess.run(["openssl", "req", "-new", "-key", path, "-subj",
                        "/C=US/O=Partner Inc/CN=partner.example.com", "-out", csr], check=True)
        out = subprocess.run(["openssl", "x509", "-req", "-days", "365", "-in", csr, "-signkey",
                              path, "-outform", "DER"], check=True, capture_output=True).stdout
    from cryptography import x509
    parsed = x509.load_der_x509_certificate(out)
    return Cert(out, None, None, parsed.not_valid_before_utc.replace(tzinfo=None),
                parsed.not_valid_after_utc.replace(tzinfo=None))


def flip(signature):
    return signature[:-1] + bytes([signature[-1] ^ 1])


def broken():
    signed = leaf("tampered.partner.example", RSA_ROOT, edit_signature=flip)
    chain_case("tampered_signature", "One bit of the client's signature is wrong.", [RSA_ROOT],
               [signed], both("BAD_SIGNATURE", depth=0))
    renamed = leaf("client.partner.example", ROOT,
                   edit_tbs=lambda t: t.replace(b"client.partner.example",
                                                b"admin0.partner.example"))
    chain_case("tampered_subject", "The client's name was changed after signing.", [ROOT],
               [renamed], both("BAD_SIGNATURE", depth=0))
    swapped = leaf("swapped.partner.example", ROOT,
                   edit_tbs=lambda t: t.replace(spki(key("p256-client")),
                                                spki(key("p256-other-client"))))
    chain_case("tampered_key", "The client's key was changed after signing.", [ROOT], [swapped],
               both("BAD_SIGNATURE", depth=0))
    empty = leaf("empty.signature.example", ROOT, edit_signature=lambda s: b"")
    chain_case("empty_signature", "The signature is empty.", [ROOT], [empty],
               both("BAD_SIGNATURE", depth=0))
    bad_int = ca("Tampered Issuing CA", "p256-issuing", ROOT,
                 edit_tbs=lambda t: t.replace(b"Tampered Issuing CA", b"Hampered Issuing CA"))
    bad_int.subject = name("Hampered Issuing CA")
    below = leaf("below.tampered.example", bad_int)
    chain_case("tampered_intermediate", "An intermediate of the truststore was changed after "
               "signing. As an anchor its own signature does not matter.", [ROOT, bad_int], [below],
               check(COMPLETE, "BAD_SIGNATURE", depth=1), check(ANY, "TRUSTED", path=2))
    chain_case("tampered_intermediate_sent", "An intermediate that the client sends was changed.",
               [ROOT], [below, bad_int], check(ANY, "BAD_SIGNATURE", depth=1))
    mismatch = leaf("mismatch.partner.example", RSA_ROOT,
                    inner_algorithm=signature_algorithm(RSA_ROOT.key, "sha512"))
    chain_case("signature_algorithms_differ",
               "The certificate names one algorithm inside and another outside.", [RSA_ROOT],
               [mismatch], both("MALFORMED", depth=0))

    good = LEAF.der
    for case_name, description, der in (
            ("malformed_garbage", "Not a certificate at all.", bytes(range(64))),
            ("malformed_truncated", "A certificate cut in half.", good[:len(good) // 2]),
            ("malformed_trailing_bytes", "Bytes after the certificate.", good + b"\0"),
            ("malformed_bit_flip_in_length", "A length that is wrong.",
             good[:3] + bytes([good[3] ^ 0x01]) + good[4:]),
            ("malformed_empty_sequence", "An empty SEQUENCE.", d.sequence()),
    ):
        chain_case(case_name, description, [ROOT, INT], [der], both("MALFORMED", path=0))
    for case_name, description, options in (
            ("malformed_version_4", "Version 4 does not exist.", dict(version=4)),
            ("malformed_v1_with_extensions", "v1 has no extensions.", dict(version=1)),
            ("malformed_duplicate_extension", "The same extension twice.",
             dict(more=[extended_key_usage(CLIENT)])),
            ("malformed_date", "A date that does not exist.",
             dict(not_after=d.tlv(0x17, b"301301000000Z"))),
            ("malformed_date_with_zone", "A date with an offset.",
             dict(not_after=d.tlv(0x17, b"310101000000+0100"))),
            ("malformed_serial_padded", "A serial number with a needless zero byte.",
             dict(serial=d.tlv(0x02, b"\x00\x01"))),
            ("malformed_serial_empty", "A serial number without content.",
             dict(serial=d.tlv(0x02))),
            ("malformed_critical_flag", "BOOLEAN TRUE written as 01.",
             dict(more=[d.sequence(d.oid(UNKNOWN), b"\x01\x01\x01", d.octet_string(b"x"))])),
            ("malformed_extended_key_usage", "An extended key usage without any purpose.",
             dict(eku=(), more=[extension("2.5.29.37", d.sequence())])),
            ("malformed_basic_constraints", "Basic constraints that do not parse.",
             dict(more=[extension("2.5.29.19", b"\x04\x00", True)])),
            ("malformed_alt_names", "Alternative names that do not parse.",
             dict(more=[extension("2.5.29.17", b"\x30\x03\x82\x05a")])),
    ):
        chain_case(case_name, description, [ROOT], [leaf("malformed.example", ROOT, **options)],
                   both("MALFORMED"))
    chain_case("malformed_key", "A public key that is none.", [ROOT],
               [leaf("malformed.key.example", ROOT, spki_der=d.sequence(
                   d.sequence(d.oid("1.2.840.10045.2.1"), d.oid("1.2.840.10045.3.1.7")),
                   d.bit_string(b"\x04" + b"\x01" * 64)))],
               both("UNSUPPORTED_ALGORITHM", depth=0))
    chain_case("malformed_intermediate_sent",
               "The client is fine; what it sends after that is not a certificate and cannot help.",
               [ROOT], [LEAF, bytes(range(64))], both("UNTRUSTED_ISSUER"))
    chain_case("malformed_extra_sent", "The same beside the intermediate that is needed.",
               [ROOT], [LEAF, bytes(range(64)), INT], check(ANY, "TRUSTED", path=3))

