"""Cases about revocation lists and deny lists."""

from case import (ANY, COMPLETE, HARD, HARD_LEAF, SECOND, SOFT, both, chain_case, check,
                  fingerprint)
from certificates import *  # noqa: F403
import der as d
import hashlib

ROOT = ca("Partner Root CA", "p256-root")
INT = ca("Partner Issuing CA", "p256-issuing", ROOT)
LEAF = leaf("client.partner.example", INT)
SIBLING = leaf("sibling.partner.example", INT)
MAY, JUNE, JULY, AUGUST = (d.instant("2030-0%d-01" % m) for m in (5, 6, 7, 8))
END = LEAF_TO + SECOND


def current(issuer, *entries, **more):
    """A list of the month of May that holds until July."""
    return crl(issuer, *entries, this_update=MAY, next_update=JULY, **more)


def define():
    lists()
    dates()
    signers()
    scopes()
    paths()
    deny_lists()


def lists():
    chain_case("crl_names_the_client", "Its issuer's list names the client.", [ROOT, INT], [LEAF],
               both("REVOKED", name="soft", revocation=SOFT, depth=0),
               both("TRUSTED", name="without"),
               check(COMPLETE, "REVOKED", name="hard", revocation=HARD, path=3),
               lists=[current(INT, revoked(LEAF, reason=1)), current(ROOT)])
    chain_case("crl_names_a_sibling", "The list names another client.", [ROOT, INT], [LEAF],
               check(COMPLETE, "TRUSTED", name="hard", revocation=HARD, recheck=JULY),
               check(COMPLETE, "TRUSTED", name="soft", revocation=SOFT, recheck=END),
               lists=[current(INT, revoked(SIBLING), revoked(None, serial=1)), current(ROOT)])
    chain_case("crl_empty", "Nobody is revoked.", [ROOT, INT], [LEAF],
               check(COMPLETE, "TRUSTED", name="hard", revocation=HARD),
               lists=[current(INT), current(ROOT)])
    chain_case("crl_names_the_intermediate", "The root's list names the intermediate.", [ROOT, INT],
               [LEAF], check(COMPLETE, "REVOKED", name="hard", revocation=HARD, depth=1),
               check(COMPLETE, "REVOKED", name="soft", revocation=SOFT, depth=1),
               check(COMPLETE, "TRUSTED", name="leaf_only", revocation=HARD_LEAF),
               lists=[current(INT), current(ROOT, revoked(INT))])
    chain_case("crl_names_the_anchor", "Under any-anchor the intermediate is the anchor, which is "
               "not looked up.", [INT], [LEAF],
               check(ANY, "TRUSTED", name="hard", revocation=HARD),
               lists=[current(INT), current(ROOT, revoked(INT))])
    chain_case("crl_names_the_sent_intermediate", "The client sends the intermediate that the root "
               "revoked.", [ROOT], [LEAF, INT],
               check(ANY, "REVOKED", name="hard", revocation=HARD, depth=1),
               lists=[current(INT), current(ROOT, revoked(INT))])
    chain_case("crl_on_hold", "A certificate on hold is revoked while it is listed.", [ROOT, INT],
               [LEAF], check(COMPLETE, "REVOKED", name="hard", revocation=HARD),
               lists=[current(INT, revoked(LEAF, reason=6)), current(ROOT)])
    chain_case("crl_hold_lifted", "A newer list no longer names the client.", [ROOT, INT], [LEAF],
               check(COMPLETE, "TRUSTED", name="hard", revocation=HARD),
               check(COMPLETE, "REVOKED", name="before", revocation=HARD, at=JUNE - SECOND,
                     recheck=JUNE),
               lists=[current(INT, revoked(LEAF, reason=6)),
                      crl(INT, this_update=JUNE, next_update=AUGUST), current(ROOT)])
    chain_case("crl_removed_from_a_complete_list", "removeFromCRL has no place in a complete list: "
               "the entry revokes.", [ROOT, INT], [LEAF],
               check(COMPLETE, "REVOKED", name="hard", revocation=HARD),
               lists=[current(INT, revoked(LEAF, reason=8)), current(ROOT)])
    long_serial = leaf("long.partner.example", INT, serial=int("7f" * 64, 16))
    chain_case("crl_serial_64_octets", "A serial number of 64 octets.", [ROOT, INT], [long_serial],
               check(COMPLETE, "REVOKED", name="hard", revocation=HARD),
               lists=[current(INT, revoked(long_serial)), current(ROOT)])
    chain_case("crl_serial_64_octets_other", "One that differs in its last octet.", [ROOT, INT],
               [long_serial], check(COMPLETE, "TRUSTED", name="hard", revocation=HARD),
               lists=[current(INT, revoked(None, serial=int("7f" * 63 + "7e", 16))), current(ROOT)])
    alone = leaf("self-signed.example", None)
    chain_case("crl_self_signed_client", "A client that vouches for itself has no issuer to revoke "
               "it.", [alone], [alone],
               check(COMPLETE, "TRUSTED", name="soft", revocation=SOFT), lists=[current(ROOT)])


def dates():
    steps = [("second_before", MAY - SECOND), ("first_second", MAY), ("last_second", JULY - SECOND),
             ("next_update", JULY)]
    hard = ["REVOKED", "TRUSTED", "TRUSTED", "REVOKED"]
    recheck = [MAY, JULY, JULY, END]
    chain_case("crl_dates", "From thisUpdate to the second before nextUpdate.", [ROOT, INT], [LEAF],
               [check(COMPLETE, r, name="hard_" + n, at=t, revocation=HARD, recheck=c)
                for (n, t), r, c in zip(steps, hard, recheck)],
               [check(COMPLETE, "TRUSTED", name="soft_" + n, at=t, revocation=SOFT)
                for n, t in steps], lists=[current(INT), current(ROOT)])
    chain_case("crl_dates_of_a_revocation", "A list past nextUpdate still revokes what it names.",
               [ROOT, INT], [LEAF],
               [check(COMPLETE, "TRUSTED" if n == "second_before" else "REVOKED", name="soft_" + n,
                      at=t, revocation=SOFT, **({"recheck": MAY} if t < MAY else {}))
                for n, t in steps],
               [check(COMPLETE, "REVOKED", name="hard_" + n, at=t, revocation=HARD)
                for n, t in steps], lists=[current(INT, revoked(LEAF)), current(ROOT)])
    chain_case("crl_without_next_update", "A list that never gets old.", [ROOT, INT], [LEAF],
               check(COMPLETE, "TRUSTED", name="hard", revocation=HARD, recheck=END),
               lists=[crl(INT, this_update=d.instant("2021-01-01")),
                      crl(ROOT, this_update=d.instant("2021-01-01"))])
    chain_case("crl_missing", "Nobody's list.", [ROOT, INT], [LEAF],
               check(COMPLETE, "REVOKED", name="hard", revocation=HARD, depth=0),
               check(COMPLETE, "TRUSTED", name="soft", revocation=SOFT),
               lists=[current(ca("Unrelated Root CA", "p256-unrelated"))])
    chain_case("crl_of_the_root_missing", "The issuer's list is there, the root's is not.",
               [ROOT, INT], [LEAF], check(COMPLETE, "REVOKED", name="hard", revocation=HARD, depth=1),
               check(COMPLETE, "TRUSTED", name="leaf_only", revocation=HARD_LEAF),
               lists=[current(INT)])


def signers():
    impostor = ca("Partner Issuing CA", "p256-impostor")
    chain_case("crl_of_a_namesake", "A list of the issuer's name, signed by another key.",
               [ROOT, INT], [LEAF], check(COMPLETE, "TRUSTED", name="soft", revocation=SOFT),
               check(COMPLETE, "REVOKED", name="hard", revocation=HARD, depth=0),
               lists=[current(impostor, revoked(LEAF)), current(ROOT)])
    chain_case("crl_of_a_namesake_is_newer", "The namesake's newer, empty list does not outdo the "
               "issuer's.", [ROOT, INT, impostor], [LEAF],
               check(COMPLETE, "REVOKED", name="hard", revocation=HARD, depth=0),
               lists=[crl(impostor, this_update=JUNE, next_update=JULY),
                      current(INT, revoked(LEAF)), current(ROOT)])
    rsa = ca("RSA Root CA", "rsa2048-root")
    client = leaf("client.rsa.example", rsa)
    for how, reason in (("sha256", "REVOKED"), ("sha512", "REVOKED"), ("sha1", "TRUSTED")):
        chain_case("crl_signed_with_rsa_" + how, "A list signed with RSA and this digest.", [rsa],
                   [client], check(COMPLETE, reason, name="soft", revocation=SOFT),
                   check(COMPLETE, "REVOKED", name="hard", revocation=HARD),
                   lists=[current(rsa, revoked(client), how=how)])
    mute = ca("Partner Issuing CA", "p256-issuing", ROOT, usage=(CERT_SIGN,))
    chain_case("crl_of_a_ca_without_crl_sign", "The CA's key usage lacks cRLSign.", [ROOT, mute],
               [LEAF], check(COMPLETE, "REVOKED", name="soft", revocation=SOFT),
               check(COMPLETE, "REVOKED", name="hard", revocation=HARD),
               lists=[current(INT, revoked(LEAF)), current(ROOT)])
    plain = ca("Partner Issuing CA", "p256-issuing", ROOT, usage=())
    chain_case("crl_of_a_ca_without_key_usage", "The CA has no key usage.", [ROOT, plain], [LEAF],
               check(COMPLETE, "REVOKED", name="hard", revocation=HARD),
               lists=[current(INT, revoked(LEAF)), current(ROOT)])


def scopes():
    # Whom a list names is revoked, whatever the list covers.
    for kind in ("users", "cas"):
        point = [distribution_point(**{kind: True})]
        chain_case("crl_for_%s_only" % kind, "A list for this kind of certificates only.",
                   [ROOT, INT], [LEAF],
                   check(COMPLETE, "REVOKED", name="soft", revocation=SOFT),
                   check(COMPLETE, "REVOKED", name="hard", revocation=HARD, depth=0),
                   lists=[current(INT, revoked(LEAF), more=point), current(ROOT)])
    chain_case("crl_for_cas_names_the_intermediate", "The root's list for CAs only.", [ROOT, INT],
               [LEAF], check(COMPLETE, "REVOKED", name="hard", revocation=HARD, depth=1),
               lists=[current(INT), current(ROOT, revoked(INT), more=[distribution_point(cas=True)])])
    url = "http://crl.partner.example/1.crl"
    points = lambda u: extension("2.5.29.31", d.sequence(d.sequence(  # noqa: E731
        d.context(0, d.context(0, general_name("uri", u))))))
    here = leaf("here.partner.example", INT, more=[points(url)])
    there = leaf("there.partner.example", INT, more=[points(url + "?2")])
    part = [distribution_point(uri=url)]
    chain_case("crl_of_its_distribution_point", "A partial list at the client's distribution point.",
               [ROOT, INT], [here], check(COMPLETE, "REVOKED", name="hard", revocation=HARD),
               lists=[current(INT, revoked(here), more=part), current(ROOT)])
    chain_case("crl_of_its_distribution_point_empty", "It names nobody.", [ROOT, INT], [here],
               check(COMPLETE, "TRUSTED", name="hard", revocation=HARD),
               lists=[current(INT, more=part), current(ROOT)])
    chain_case("crl_of_another_distribution_point", "A partial list of another one.", [ROOT, INT],
               [there], check(COMPLETE, "REVOKED", name="soft", revocation=SOFT),
               check(COMPLETE, "REVOKED", name="hard", revocation=HARD),
               lists=[current(INT, revoked(there), more=part), current(ROOT)])


def paths():
    one, two = ca("Cross Root 1", "p256-cross1"), ca("Cross Root 2", "p256-cross2")
    by_one, by_two = (ca("Crossed CA", "p256-crossed", r) for r in (one, two))
    client = leaf("client.crossed.example", by_one)
    chain_case("crl_one_cross_certificate_revoked", "The other root's way still stands.",
               [one, two, by_one, by_two], [client],
               check(COMPLETE, "TRUSTED", name="hard", revocation=HARD, path=3),
               lists=[current(by_one), current(one, revoked(by_one)), current(two)])
    chain_case("crl_both_cross_certificates_revoked", "Both ways are closed.",
               [one, two, by_one, by_two], [client],
               check(COMPLETE, "REVOKED", name="hard", revocation=HARD, depth=1),
               lists=[current(by_one), current(one, revoked(by_one)), current(two, revoked(by_two))])
    chain_case("crl_and_expired", "Expired, and on a list.", [ROOT, INT], [LEAF],
               check(COMPLETE, "EXPIRED", name="hard", revocation=HARD, at=LEAF_TO + SECOND),
               lists=[crl(INT, revoked(LEAF), this_update=MAY), crl(ROOT, this_update=MAY)])
    chain_case("crl_pinned_client", "A pinned client is heard of when its CA is in the truststore.",
               [INT, LEAF], [LEAF],
               check(COMPLETE, "REVOKED", name="soft", revocation=SOFT, options={"pin_leaf": True}),
               check(COMPLETE, "TRUSTED", name="without", options={"pin_leaf": True}),
               lists=[current(INT, revoked(LEAF))])


def deny_lists():
    key_of = lambda c: hashlib.sha256(spki(c.key)).hexdigest()  # noqa: E731
    chain_case("deny_certificate", "The client's certificate is denied.", [ROOT, INT], [LEAF],
               both("REVOKED", depth=0, signature_checks_at_most=0),
               deny={"certificate_sha256": [fingerprint(LEAF)]})
    chain_case("deny_certificate_of_another", "Another one is.", [ROOT, INT], [LEAF],
               both("TRUSTED"), deny={"certificate_sha256": [fingerprint(SIBLING)]})
    chain_case("deny_key", "The client's key is denied, in each certificate.", [ROOT, INT],
               [SIBLING], both("REVOKED", depth=0), deny={"spki_sha256": [key_of(LEAF)]})
    chain_case("deny_serial", "Issuer and serial number of the client are denied.", [ROOT, INT],
               [LEAF], both("REVOKED", depth=0),
               deny={"issuer_and_serial": [{"issuer": "CN=Partner Issuing CA",
                                            "serial": LEAF.serial_der()[2:].hex()}]})
    chain_case("deny_serial_of_another_issuer", "The number is denied, of another issuer.",
               [ROOT, INT], [LEAF], both("TRUSTED"),
               deny={"issuer_and_serial": [{"issuer": "CN=Partner Root CA",
                                            "serial": LEAF.serial_der()[2:].hex()}]})
    chain_case("deny_root", "The anchor is denied.", [ROOT, INT], [LEAF],
               check(COMPLETE, "REVOKED", depth=2), check(ANY, "TRUSTED", path=2),
               deny={"certificate_sha256": [fingerprint(ROOT)]})
    chain_case("deny_intermediate", "The intermediate's key is denied.", [ROOT, INT], [LEAF],
               both("REVOKED", depth=1), deny={"spki_sha256": [key_of(INT)]})
    alone = leaf("self-signed.example", None)
    chain_case("deny_self_signed_client", "A client that vouches for itself is denied.", [alone],
               [alone], both("REVOKED", depth=0), deny={"certificate_sha256": [fingerprint(alone)]})
    chain_case("deny_and_expired", "Denied comes before expired.", [ROOT, INT], [LEAF],
               both("REVOKED", at=LEAF_TO + SECOND, depth=0),
               deny={"certificate_sha256": [fingerprint(LEAF)]})
