"""Cases about the rules a certificate on the path must obey: algorithms, keys,
extensions, key usage, name constraints, names, serial numbers."""

from case import ANY, COMPLETE, SECOND, both, chain_case, check
from certificates import *  # noqa: F403
from chain_cases import INT, LEAF_TO, ROOT, RSA_ROOT, flip  # noqa: F401
import der as d


def define():
    keys()
    signatures()
    extensions()
    extended_key_usages()
    constraints()
    names()
    serials()


def keys():
    for kind, reason in (("rsa2048", "TRUSTED"), ("rsa3072", "TRUSTED"), ("rsa4096", "TRUSTED"),
                         ("p384", "TRUSTED"), ("rsa1024", "WEAK_KEY"), ("rsa2047", "WEAK_KEY"),
                         ("p521", "UNSUPPORTED_ALGORITHM"), ("p224", "UNSUPPORTED_ALGORITHM"),
                         ("secp256k1", "UNSUPPORTED_ALGORITHM"),
                         ("ed25519", "UNSUPPORTED_ALGORITHM"),
                         ("ed448", "UNSUPPORTED_ALGORITHM"),
                         ("dsa2048", "UNSUPPORTED_ALGORITHM")):
        chain_case("key_%s_client" % kind, "The client's key: %s." % kind, [ROOT],
                   [leaf("%s.client.example" % kind, ROOT, k=kind + "-client")],
                   both(reason, depth=None if reason == "TRUSTED" else 0))
    pss_spki = d.sequence(d.sequence(d.oid("1.2.840.113549.1.1.10")),
                          d.bit_string(rsa_public_key(key("rsa2048-partner"))))
    chain_case("key_rsa_pss_client", "An RSA key that is for PSS only (RFC 4055) is another key "
               "type.", [ROOT], [leaf("pss.client.example", ROOT, spki_der=pss_spki)],
               both("UNSUPPORTED_ALGORITHM", depth=0))
    for kind, reason in (("rsa1024", "WEAK_KEY"), ("p521", "UNSUPPORTED_ALGORITHM"),
                         ("ed25519", "UNSUPPORTED_ALGORITHM"), ("p384", "TRUSTED"),
                         ("rsa4096", "TRUSTED")):
        bad = reason != "TRUSTED" and kind != "ed25519"  # There the client's signature is to blame.
        mid = ca("%s Issuing CA" % kind, kind + "-ca", ROOT)
        below = leaf("below.%s.example" % kind, mid)
        chain_case("key_%s_intermediate" % kind, "An intermediate's key: %s." % kind,
                   [ROOT, mid], [below], check(COMPLETE, reason, depth=1 if bad else None),
                   check(ANY, reason, depth=1 if bad else None))
        chain_case("key_%s_intermediate_sent" % kind, "The same, sent by the client.",
                   [ROOT], [below, mid], check(ANY, reason, depth=1 if bad else None))
        root = ca("%s Root CA" % kind, kind + "-ca")
        chain_case("key_%s_root" % kind, "A root's key: %s." % kind, [root],
                   [leaf("below.%s.root.example" % kind, root)],
                   both(reason, depth=1 if bad else None))


def rsa_public_key(k):
    n = k.public_key().public_numbers()
    return d.sequence(d.integer(n.n), d.integer(n.e))


def signatures():
    p384 = ca("P-384 Signing Root", "p384-ca")
    for issuer, how, reason in (
            (ROOT, "sha384", "TRUSTED"), (ROOT, "sha512", "TRUSTED"), (p384, "sha384", "TRUSTED"),
            (p384, "sha256", "TRUSTED"), (ROOT, "sha1", "UNSUPPORTED_ALGORITHM"),
            (ROOT, "sha224", "UNSUPPORTED_ALGORITHM"),
            (RSA_ROOT, "sha256", "TRUSTED"), (RSA_ROOT, "sha384", "TRUSTED"),
            (RSA_ROOT, "sha512", "TRUSTED"), (RSA_ROOT, "pss-sha256", "TRUSTED"),
            (RSA_ROOT, "pss-sha384", "TRUSTED"), (RSA_ROOT, "pss-sha512", "TRUSTED"),
            (RSA_ROOT, "pss-sha1", "UNSUPPORTED_ALGORITHM"),
            (RSA_ROOT, "sha1", "UNSUPPORTED_ALGORITHM"),
            (RSA_ROOT, "sha224", "UNSUPPORTED_ALGORITHM"),
            (RSA_ROOT, "md5", "UNSUPPORTED_ALGORITHM")):
        kind = {id(ROOT): "p256", id(p384): "p384", id(RSA_ROOT): "rsa"}[id(issuer)]
        label = "%s_%s" % (kind, how.replace("-", "_"))
        chain_case("signature_%s_client" % label,
                   "The client's certificate is signed with %s and %s." % (kind, how), [issuer],
                   [leaf("%s.client.example" % label.replace("_", "-"), issuer, how=how)],
                   both(reason, depth=None if reason == "TRUSTED" else 0))
    dsa_root = ca("DSA Root CA", "dsa2048-client")
    chain_case("signature_dsa_client", "The client's certificate is signed with DSA.", [dsa_root],
               [leaf("dsa.signed.example", dsa_root)], both("UNSUPPORTED_ALGORITHM"))
    for how in ("sha1", "md5"):
        mid = ca("%s-signed Issuing CA" % how, "p256-issuing", RSA_ROOT, how=how)
        below = leaf("below.%s.example" % how, mid)
        chain_case("signature_%s_intermediate" % how, "The intermediate is signed with %s." % how,
                   [RSA_ROOT, mid], [below], both("UNSUPPORTED_ALGORITHM", depth=1))
        chain_case("signature_%s_intermediate_sent" % how, "The same, sent by the client.",
                   [RSA_ROOT], [below, mid], check(ANY, "UNSUPPORTED_ALGORITHM", depth=1))
        root = ca("%s-signed Root CA" % how, "rsa2048-root", how=how)
        root_leaf = leaf("below.%s.root.example" % how, root)
        chain_case("signature_%s_root" % how,
                   "The root's signature on itself is %s; only SHA-1 is forgiven, and only under "
                   "any-anchor." % how, [root], [root_leaf],
                   check(COMPLETE, "UNSUPPORTED_ALGORITHM", depth=1),
                   check(ANY, "TRUSTED" if how == "sha1" else "UNSUPPORTED_ALGORITHM"))
    sha1_root = ca("sha1-signed Root CA", "rsa2048-root", how="sha1")
    chain_case("signature_sha1_root_as_client",
               "A root with a SHA-1 signature presents itself as a client: it is not strong enough.",
               [sha1_root], [sha1_root], both("UNSUPPORTED_ALGORITHM", depth=0))
    good_mid = ca("Good CA below a SHA-1 Root", "p256-issuing", sha1_root)
    chain_case("signature_sha1_root_above_intermediate",
               "A SHA-1 root above a good intermediate that is in the truststore.",
               [sha1_root, good_mid], [leaf("good.below.sha1.example", good_mid)],
               check(COMPLETE, "UNSUPPORTED_ALGORITHM", depth=2), check(ANY, "TRUSTED"))
    broken_root = ca("Root with a broken signature", "rsa2048-root", edit_signature=flip)
    chain_case("signature_of_root_broken",
               "A root whose signature on itself is wrong is not self-signed; as an anchor of "
               "any-anchor its signature does not matter.", [broken_root],
               [leaf("below.broken.root.example", broken_root)],
               check(COMPLETE, "BAD_SIGNATURE", depth=1), check(ANY, "TRUSTED", path=2))
    old_root = ca("Rolled RSA CA", "rsa2048-root")
    new_with_old = ca("Rolled RSA CA", "rsa2048-ca", old_root, how="sha1")
    chain_case("signature_sha1_self_issued",
               "A new key signed with SHA-1 by the CA's old key: self-issued, but no root's own "
               "signature.", [new_with_old], [leaf("rolled.rsa.example", new_with_old)],
               check(ANY, "UNSUPPORTED_ALGORITHM", depth=1))


def extensions():
    for critical in (False, True):
        word = "critical" if critical else "noncritical"
        reason = "CONSTRAINT_VIOLATION" if critical else "TRUSTED"
        more = [unknown_extension(critical)]
        chain_case("unknown_%s_extension_client" % word, "An unknown extension, %s." % word, [ROOT],
                   [leaf("unknown.extension.example", ROOT, more=more)],
                   both(reason, depth=0 if critical else None))
        mid = ca("CA with an unknown extension", "p256-issuing", ROOT, more=more)
        below = leaf("below.unknown.extension.example", mid)
        chain_case("unknown_%s_extension_intermediate" % word, "The same on an intermediate.",
                   [ROOT, mid], [below], both(reason, depth=1 if critical else None))
        chain_case("unknown_%s_extension_intermediate_sent" % word, "The same, sent by the client.",
                   [ROOT], [below, mid], check(ANY, reason, depth=1 if critical else None))
        root = ca("Root with an unknown extension", "p256-root", more=more)
        chain_case("unknown_%s_extension_root" % word, "The same on a root.", [root],
                   [leaf("below.unknown.root.example", root)],
                   both(reason, depth=1 if critical else None))
    twice = [subject_key_identifier(b"\x01" * 20)]
    mid = ca("CA with a duplicate extension", "p256-issuing", ROOT, more=twice)
    below = leaf("below.duplicate.example", mid)
    chain_case("duplicate_extension_intermediate", "The same extension twice on an intermediate: it cannot be used.",
               [ROOT, mid], [below], both("UNTRUSTED_ISSUER"))
    root = ca("Root with a duplicate extension", "p256-root", more=twice)
    chain_case("duplicate_extension_root", "The same extension twice on a root: it cannot be used.", [root],
               [leaf("below.duplicate.root.example", root)], both("UNTRUSTED_ISSUER"))

    for label, description, options, reason in (
            ("without_cert_sign", "Key usage without keyCertSign", dict(usage=(DIGITAL_SIGNATURE,)),
             "CONSTRAINT_VIOLATION"),
            ("without_key_usage", "No key usage at all", dict(usage=()), "TRUSTED"),
            ("basic_constraints_absent", "No basic constraints", dict(basic=None),
             "CONSTRAINT_VIOLATION"),
            ("basic_constraints_false", "Basic constraints that say no CA", dict(basic=False),
             "CONSTRAINT_VIOLATION")):
        bad = reason != "TRUSTED"
        mid = ca("CA %s" % label.replace("_", " "), "p256-issuing", ROOT, **options)
        below = leaf("below.%s.example" % label.replace("_", "-"), mid)
        chain_case("ca_%s" % label, description + " on an intermediate of the truststore.",
                   [ROOT, mid], [below], both(reason))
        chain_case("ca_%s_sent" % label, description + " on an intermediate that the client sends.",
                   [ROOT], [below, mid], check(ANY, reason, depth=1 if bad else None))
        root = ca("Root %s" % label.replace("_", " "), "p256-root", **options)
        chain_case("root_%s" % label, description + " on a root: an anchor's own count.", [root],
                   [leaf("below.root.%s.example" % label.replace("_", "-"), root)], both(reason))
    mid = ca("CA with noncritical constraints", "p256-issuing", ROOT, basic=None,
             more=[basic_constraints(critical=False)])
    chain_case("ca_basic_constraints_noncritical", "Basic constraints that are not critical count.",
               [ROOT, mid], [leaf("below.noncritical.example", mid)], both("TRUSTED"))
    chain_case("client_key_usage_key_encipherment",
               "The client's key usage does not name digitalSignature; TLS judges that, not the "
               "chain.", [ROOT],
               [leaf("encipherment.example", ROOT, usage=(KEY_ENCIPHERMENT,))], both("TRUSTED"))
    chain_case("client_without_extensions", "A client without any extension.", [ROOT],
               [leaf("bare.example", ROOT, usage=(), eku=(), ids=False)], both("TRUSTED", path=2))

    chain_case("key_identifier_mismatch", "The client's authority key identifier is wrong, the "
               "signature is right.", [ROOT],
               [leaf("aki.mismatch.example", ROOT, ids=False,
                     more=[authority_key_identifier(b"\x42" * 20)])], both("TRUSTED", path=2))
    chain_case("key_identifier_absent", "No key identifiers anywhere.",
               [ca("Root without identifiers", "p256-root", ids=False)],
               [leaf("no.identifiers.example",
                     ca("Root without identifiers", "p256-root", ids=False), ids=False)],
               both("TRUSTED", path=2))
    policies = extension("2.5.29.32", d.sequence(d.sequence(d.oid("1.3.6.1.4.1.55555.2.1"))), True)
    chain_case("certificate_policies_critical", "Critical certificate policies are understood.",
               [ROOT], [leaf("policies.example", ROOT, more=[policies])], both("TRUSTED"))
    explicit = ca("CA that requires a policy", "p256-issuing", ROOT, more=[
        extension("2.5.29.36", d.sequence(d.context(0, b"\x00", constructed=False)), True)])
    chain_case("policy_required_and_absent",
               "The CA requires an explicit policy (RFC 5280, 4.2.1.11), the client has none.",
               [ROOT, explicit], [leaf("no.policy.example", explicit)],
               check(COMPLETE, "CONSTRAINT_VIOLATION"))


def extended_key_usages():
    rules = [{"extended_key_usage": r} for r in ("require", "warn", "ignore")]
    for label, eku, reason in (
            ("client", (CLIENT,), "TRUSTED"), ("client_and_server", (SERVER, CLIENT), "TRUSTED"),
            ("any", (ANY_EKU,), "TRUSTED"), ("absent", (), "TRUSTED"),
            ("server_only", (SERVER,), "NOT_FOR_CLIENT_AUTH"),
            ("code_signing_only", (CODE,), "NOT_FOR_CLIENT_AUTH"),
            ("unknown_only", ("1.3.6.1.4.1.55555.3.1",), "NOT_FOR_CLIENT_AUTH")):
        bad = reason != "TRUSTED"
        chain_case("eku_%s" % label, "The client's extended key usage: %s."
                   % label.replace("_", " "), [ROOT],
                   [leaf("eku.%s.example" % label.replace("_", "-"), ROOT, eku=eku)],
                   both(reason, name="require", depth=0 if bad else None, options=rules[0]),
                   both("TRUSTED", name="warn", options=rules[1], extended_key_usage_warning=bad),
                   both("TRUSTED", name="ignore", options=rules[2],
                        extended_key_usage_warning=False))
    chain_case("eku_critical", "A critical extended key usage.", [ROOT],
               [leaf("eku.critical.example", ROOT, eku=(),
                     more=[extended_key_usage(CLIENT, critical=True)])], both("TRUSTED"))
    for label, eku, reason in (("client", (CLIENT,), "TRUSTED"), ("any", (ANY_EKU,), "TRUSTED"),
                               ("server_only", (SERVER,), "NOT_FOR_CLIENT_AUTH")):
        bad = reason != "TRUSTED"
        more = [extended_key_usage(*eku)]
        mid = ca("CA for %s" % label.replace("_", " "), "p256-issuing", ROOT, more=more)
        below = leaf("below.eku.%s.example" % label.replace("_", "-"), mid)
        chain_case("eku_%s_intermediate" % label, "An extended key usage on an intermediate: %s."
                   % label.replace("_", " "), [ROOT, mid], [below],
                   both(reason, name="require", options=rules[0]),
                   both("TRUSTED", name="warn", options=rules[1], extended_key_usage_warning=bad),
                   both("TRUSTED", name="ignore", options=rules[2]))
        chain_case("eku_%s_intermediate_sent" % label, "The same, sent by the client.", [ROOT],
                   [below, mid], check(ANY, reason))
        root = ca("Root for %s" % label.replace("_", " "), "p256-root", more=more)
        chain_case("eku_%s_root" % label, "An extended key usage on a root: %s."
                   % label.replace("_", " "), [root],
                   [leaf("below.eku.%s.root.example" % label.replace("_", "-"), root)],
                   both(reason, name="require", options=rules[0]),
                   both("TRUSTED", name="ignore", options=rules[2]))


def constraints():
    dns = lambda *n: [alt_names(*[("dns", x) for x in n])]
    directory = name(("C", "DE"), ("O", "Partner"))

    def constrained(label, permitted=(), excluded=(), critical=True, on=None):
        return ca("CA with %s" % label, "p256-constrained", on,
                  more=[name_constraints(permitted, excluded, critical)])

    def pair(case_name, description, permitted, excluded, subject, more, reason, critical=True):
        """Constraints on an intermediate under complete-chain, and, on a CA
        that is the anchor itself, under both."""
        mid = constrained(case_name, permitted, excluded, critical, ROOT)
        chain_case("name_constraint_" + case_name, description, [ROOT, mid],
                   [leaf(subject, mid, more=more)], both(reason))
        root = constrained(case_name, permitted, excluded, critical)
        chain_case("name_constraint_%s_on_root" % case_name, description + " On the root itself.",
                   [root], [leaf(subject, root, more=more)], both(reason))

    bad = "CONSTRAINT_VIOLATION"
    pair("dns_inside", "A DNS name below the permitted one.", [("dns", "partner.example")], [],
         "x", dns("a.partner.example", "partner.example"), "TRUSTED")
    pair("dns_outside", "A DNS name outside.", [("dns", "partner.example")], [], "x",
         dns("a.partner.example", "a.other.example"), bad)
    pair("dns_lookalike", "A DNS name that only ends like the permitted one.",
         [("dns", "partner.example")], [], "x", dns("notpartner.example"), bad)
    pair("dns_excluded", "An excluded DNS name.", [], [("dns", "admin.partner.example")], "x",
         dns("root.admin.partner.example"), bad)
    pair("dns_case", "DNS names are compared in any case.", [("dns", "Partner.EXAMPLE")], [], "x",
         dns("A.partner.Example"), "TRUSTED")
    pair("dns_no_name", "A client without DNS names is outside no DNS constraint.",
         [("dns", "partner.example")], [], "Client 7", [], "TRUSTED")
    pair("dns_noncritical", "A constraint that is not critical counts too.",
         [("dns", "partner.example")], [], "x", dns("a.other.example"), bad, critical=False)
    v4 = bytes([192, 0, 2, 0, 255, 255, 255, 0])
    pair("ip_inside", "An IPv4 address inside.", [("ip", v4)], [], "x",
         [alt_names(("ip", bytes([192, 0, 2, 9])))], "TRUSTED")
    pair("ip_outside", "An IPv4 address outside.", [("ip", v4)], [], "x",
         [alt_names(("ip", bytes([198, 51, 100, 9])))], bad)
    v6 = bytes.fromhex("20010db8" + "00" * 12 + "ffffffff" + "00" * 12)
    pair("ipv6_inside", "An IPv6 address inside.", [("ip", v6)], [], "x",
         [alt_names(("ip", bytes.fromhex("20010db8" + "00" * 11 + "01")))], "TRUSTED")
    pair("ipv6_excluded", "An excluded IPv6 address.", [], [("ip", v6)], "x",
         [alt_names(("ip", bytes.fromhex("20010db8" + "00" * 11 + "01")))], bad)
    pair("email_inside", "A mail address of the permitted host.", [("email", "partner.example")],
         [], "x", [alt_names(("email", "ops@partner.example"))], "TRUSTED")
    pair("email_outside", "A mail address of another host.", [("email", "partner.example")], [],
         "x", [alt_names(("email", "ops@other.example"))], bad)
    pair("email_in_subject_outside", "A mail address in the subject.",
         [("email", "partner.example")], [],
         name(("CN", "x"), ("emailAddress", "ops@other.example")), [], bad)
    pair("uri_inside", "A URI of the permitted host: constraints on URIs are not processed, so any "
         "URI below one is refused (RFC 5280, 4.2.1.10).", [("uri", "partner.example")], [], "x",
         [alt_names(("uri", "spiffe://partner.example/x"))], bad)
    pair("uri_outside", "A URI of another host.", [("uri", "partner.example")], [], "x",
         [alt_names(("uri", "spiffe://other.example/x"))], bad)
    pair("uri_excluded", "An excluded URI.", [], [("uri", "partner.example")], "x",
         [alt_names(("uri", "spiffe://partner.example/x"))], bad)
    pair("directory_inside", "A subject below the permitted one.", [("dir", directory)], [],
         name(("C", "DE"), ("O", "Partner"), ("CN", "x")), [], "TRUSTED")
    pair("directory_outside", "A subject outside.", [("dir", directory)], [],
         name(("C", "DE"), ("O", "Other"), ("CN", "x")), [], bad)
    pair("directory_excluded", "An excluded subject.", [], [("dir", directory)],
         name(("C", "DE"), ("O", "Partner"), ("CN", "x")), [], bad)
    pair("directory_empty_subject", "An empty subject is outside no directory constraint.",
         [("dir", directory)], [], name(), [alt_names(("dns", "x.example"), critical=True)],
         "TRUSTED")
    only = constrained("constraints of an anchor", [("dns", "partner.example")], on=ROOT)
    chain_case("name_constraint_on_intermediate_anchor",
               "An intermediate as the only anchor; its constraints count.", [only],
               [leaf("x", only, more=dns("a.other.example"))], check(ANY, bad))
    free = ca("CA with constraints of an anchor", "p256-constrained",
              ca("Unrelated Root CA", "p256-unrelated"))
    chain_case("name_constraint_not_dodged_by_cross_signing",
               "The client sends the anchor's name and key without its constraints, signed by a "
               "root of its own choice.", [only],
               [leaf("x", only, more=dns("a.other.example")), free,
                ca("Unrelated Root CA", "p256-unrelated")], check(ANY, bad))
    outer = constrained("outer constraints", [("dns", "example")], on=ROOT)
    inner = ca("CA with inner constraints", "p256-constrained-inner", outer,
               more=[name_constraints([("dns", "partner.example")])])
    chain_case("name_constraint_intersection", "Both CAs' constraints count.",
               [ROOT, outer, inner],
               [leaf("x", inner, more=dns("a.other.example"))], check(COMPLETE, bad))
    for case_name, subject, reason in (
            ("mid_inside", name(("C", "DE"), ("O", "Partner"), ("CN", "CA")), "TRUSTED"),
            ("mid_outside", name(("C", "DE"), ("O", "Other"), ("CN", "CA")), bad)):
        root = constrained("directory constraint on CAs", [("dir", directory)])
        mid = ca(subject, "p256-issuing", root)
        chain_case("name_constraint_directory_" + case_name, "An intermediate's subject counts.",
                   [root, mid],
                   [leaf(name(("C", "DE"), ("O", "Partner"), ("CN", "x")), mid)],
                   check(COMPLETE, reason))


def names():
    def under(case_name, description, subject, issuer_name, reason="TRUSTED"):
        root = ca(subject, "p256-names")
        chain_case("name_" + case_name, description, [root],
                   [leaf("client.of.%s.example" % case_name.replace("_", "-"), root,
                         issuer_name=issuer_name)], both(reason))

    utf8_root = name(("C", "DE"), ("O", "Partner GmbH"), ("CN", "Root"))
    under("printable_for_utf8", "The same issuer as PrintableString and as UTF8String.", utf8_root,
          name(("C", "DE"), ("O", d.printable("Partner GmbH")), ("CN", d.printable("Root"))))
    under("other_case", "Issuer and subject differ in case only.", utf8_root,
          name(("C", "DE"), ("O", "PARTNER gmbh"), ("CN", "rOOT")))
    under("white_space", "They differ in white space only (RFC 5280, 7.1).", utf8_root,
          name(("C", "DE"), ("O", "  Partner   GmbH "), ("CN", "Root ")))
    under("non_ascii", "A CA with letters beyond ASCII.", name(("O", "Bäckerei Ü 東京")),
          name(("O", "Bäckerei Ü 東京")))
    under("bmp_string", "A CA whose name is a BMPString.", name(("O", d.bmp("Bäckerei"))),
          name(("O", d.bmp("Bäckerei"))))
    under("other_order", "The same attributes in another order are another name.", utf8_root,
          name(("CN", "Root"), ("O", "Partner GmbH"), ("C", "DE")), "UNTRUSTED_ISSUER")
    under("prefix_only", "The issuer is the beginning of the CA's name.", utf8_root,
          name(("C", "DE"), ("O", "Partner GmbH")), "UNTRUSTED_ISSUER")
    under("multi_valued", "Two attributes in one RDN.", name([("O", "Partner"), ("CN", "Root")]),
          name([("CN", "Root"), ("O", "Partner")]))
    under("multi_valued_is_not_two", "One RDN of two attributes is not two RDNs.",
          name([("O", "Partner"), ("CN", "Root")]), name(("O", "Partner"), ("CN", "Root")),
          "UNTRUSTED_ISSUER")
    for case_name, description, subject, more in (
            ("client_empty_subject", "A client with an empty subject and a critical DNS name.",
             name(), [alt_names(("dns", "x.partner.example"), critical=True)]),
            ("client_utf8", "A client with letters beyond ASCII.",
             name(("O", "株式会社"), ("CN", "клиент")), []),
            ("client_control_characters", "Line ends, quotes and a NUL in the subject.",
             name(("CN", "a\r\nX-Admin: \"1\"\0,CN=root")), []),
            ("client_long", "A very long common name.", name("x" * 5000), []),
            ("client_many_attributes", "Two hundred attributes.",
             name(*[("OU", "unit %03d" % i) for i in range(200)]), []),
            ("client_spiffe", "A SPIFFE identity.", name(),
             [alt_names(("uri", "spiffe://partner.example/ns/a/sa/b"), critical=True)])):
        chain_case("name_" + case_name, description, [ROOT], [leaf(subject, ROOT, more=more)],
                   both("TRUSTED"))


def serials():
    for case_name, description, serial in (
            ("zero", "Serial number 0.", 0), ("negative", "A negative serial number.", -5),
            ("20_octets", "Twenty octets, the most RFC 5280 allows.",
             d.tlv(0x02, b"\x7f" + b"\xff" * 19)),
            ("64_octets", "Sixty-four octets.", d.tlv(0x02, b"\x7f" + b"\xff" * 63))):
        chain_case("serial_" + case_name, description, [ROOT],
                   [leaf("serial.%s.example" % case_name.replace("_", "-"), ROOT, serial=serial)],
                   both("TRUSTED", path=2))
