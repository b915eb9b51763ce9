"""Cases about reading a bundle: what is refused, and where; what is warned of."""

import datetime

from case import (ANY, COMPLETE, SECOND, accepted, accepted_by_both, error, truststore_case)
from certificates import *  # noqa: F403
from chain_cases import DIRECT, I1, I2, INT, LEAF, OTHER_ROOT, ROOT, RSA_ROOT, flip
import der as d


def define():
    refused()
    read()
    warned()


def key_block(label, fmt):
    k = key("p256-client")
    data = k.private_bytes(serialization.Encoding.DER, fmt, serialization.NoEncryption())
    return pem(label, data)


def refused():
    bad = "NOT_A_CERTIFICATE_BLOCK"
    pkcs8 = key_block("PRIVATE KEY", serialization.PrivateFormat.PKCS8)
    sec1 = key_block("EC PRIVATE KEY", serialization.PrivateFormat.TraditionalOpenSSL)
    truststore_case("truststore_private_key_last", "A certificate and its private key.",
                    [ROOT, INT, pkcs8], error(bad, 3))
    truststore_case("truststore_private_key_first", "The private key comes first.", [pkcs8, ROOT],
                    error(bad, 1))
    truststore_case("truststore_ec_private_key", "A private key in the older format.",
                    [ROOT, "text\n", sec1, INT], error(bad, 2))
    truststore_case("truststore_private_key_alone", "Nothing but a private key.", [pkcs8],
                    error(bad, 1))
    truststore_case("truststore_public_key", "A public key.", [
        pem("PUBLIC KEY", spki(key("p256-client")))], error(bad, 1))
    truststore_case("truststore_request", "A certificate signing request.", [
        ROOT, pem("CERTIFICATE REQUEST", ROOT.der)], error(bad, 2))
    truststore_case("truststore_trusted_certificate", "OpenSSL's own kind of certificate.", [
        pem("TRUSTED CERTIFICATE", ROOT.der)], error(bad, 1))
    truststore_case("truststore_crl", "A revocation list.", [ROOT, INT, pem("X509 CRL", b"0\0")],
                    error(bad, 3))
    truststore_case("truststore_pkcs7", "A PKCS #7 bundle.", [pem("PKCS7", b"0\0")], error(bad, 1))
    truststore_case("truststore_lower_case_label", "A label in lower case is another label.", [
        ROOT.pem().replace("CERTIFICATE", "certificate")], error(bad, 1))

    bad = "MALFORMED_PEM"
    text = INT.pem()
    truststore_case("truststore_truncated", "The second block has no END.",
                    [ROOT, text[:text.index("-----END")]], error(bad, 2))
    truststore_case("truststore_truncated_in_the_middle",
                    "The first block has no END, another one begins.",
                    [text[:text.index("-----END")], ROOT], error(bad, 1))
    truststore_case("truststore_truncated_in_a_line", "The file ends within a line of base64.",
                    [ROOT, text[:200]], error(bad, 2))
    truststore_case("truststore_end_without_begin", "An END that nothing began.",
                    [ROOT, "-----END CERTIFICATE-----\n"],
                    error(bad, 2, line=ROOT.pem().count("\n") + 1))
    truststore_case("truststore_end_of_another_label", "BEGIN and END differ.",
                    [text.replace("END CERTIFICATE", "END PRIVATE KEY"), ROOT], error(bad, 1))
    truststore_case("truststore_bad_base64", "A character that is not base64.",
                    [ROOT, text.replace("M", "!", 1)], error(bad, 2))
    truststore_case("truststore_bad_padding", "A base64 character too few.",
                    [ROOT, text.replace("\n-----END", "A\n-----END")], error(bad, 2))
    truststore_case("truststore_padding_in_the_middle", "Padding before the end.",
                    [text[:100] + "=" + text[101:]], error(bad, 1))
    truststore_case("truststore_empty_block", "A block with nothing in it.",
                    [ROOT, "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"],
                    error(bad, 2))
    truststore_case("truststore_encrypted_headers", "RFC 1421 headers.",
                    [text.replace("-----\n", "-----\nProc-Type: 4,ENCRYPTED\n"
                                  "DEK-Info: AES-256-CBC,00\n\n", 1)], error(bad, 1))
    truststore_case("truststore_begin_damaged", "A BEGIN line without its last dashes.",
                    [ROOT, text.replace("BEGIN CERTIFICATE-----", "BEGIN CERTIFICATE-")],
                    error(bad, 2))

    bad = "NO_CERTIFICATE"
    truststore_case("truststore_empty", "An empty file.", b"", error(bad))
    truststore_case("truststore_only_text", "Text without a block.",
                    ["Certificates of our partners\n(none yet)\n"], error(bad))
    truststore_case("truststore_only_newlines", "White space.", b"\n\r\n \t\n", error(bad))
    truststore_case("truststore_der", "DER in place of PEM.", ROOT.der, error(bad))
    truststore_case("truststore_utf16", "PEM saved as UTF-16.",
                    ROOT.pem().encode("utf-16"), error(bad))

    bad = "MALFORMED_CERTIFICATE"
    for label, der in (("garbage", bytes(range(64))), ("empty_sequence", d.sequence()),
                       ("trailing_bytes", INT.der + b"\0"), ("cut", INT.der[:-1]),
                       ("a_private_key", key("p256-client").private_bytes(
                           serialization.Encoding.DER, serialization.PrivateFormat.PKCS8,
                           serialization.NoEncryption())),
                       ("two_in_one_block", INT.der + ROOT.der)):
        truststore_case("truststore_der_" + label, "A CERTIFICATE block that holds %s."
                        % label.replace("_", " "), [ROOT, "between\n", der, INT], error(bad, 2))

    n = {"max_certificates": 3}
    truststore_case("truststore_at_most_three_certificates", "As many as are allowed.",
                    [ROOT, OTHER_ROOT, RSA_ROOT], accepted(COMPLETE, 3, limits=n),
                    error("TOO_MANY_CERTIFICATES", 3, name="at_most_two",
                          limits={"max_certificates": 2}))
    truststore_case("truststore_four_certificates_of_three", "One more than is allowed.",
                    [ROOT, OTHER_ROOT, RSA_ROOT, I1],
                    error("TOO_MANY_CERTIFICATES", 4, limits=n))
    size = len(ROOT.pem())
    truststore_case("truststore_bytes_at_the_limit", "As many bytes as are allowed, and one fewer.",
                    [ROOT], accepted(COMPLETE, 1, limits={"max_bytes": size}),
                    error("TOO_LARGE", 0, line=0, name="one_byte_over",
                          limits={"max_bytes": size - 1}))


def read():
    ok = accepted_by_both(2)
    text = ROOT.pem() + OTHER_ROOT.pem()
    truststore_case("truststore_lf", "Line feeds.", [text], ok)
    truststore_case("truststore_crlf", "Carriage returns and line feeds.",
                    [text.replace("\n", "\r\n")], ok)
    truststore_case("truststore_cr", "Carriage returns alone.", [text.replace("\n", "\r")], ok)
    truststore_case("truststore_byte_order_mark", "A byte order mark at the beginning.",
                    b"\xef\xbb\xbf" + text.encode(), ok)
    truststore_case("truststore_no_newline_at_the_end", "The last line does not end.",
                    [text.rstrip("\n")], ok)
    truststore_case("truststore_text_between", "Text around and between the blocks.",
                    ["# partners\nsubject=CN = Partner Root CA\n\n", ROOT,
                     "\n\n  issuer: us\nCERTIFICATE of the other\n", OTHER_ROOT, "end\n"], ok)
    truststore_case("truststore_trailing_blanks", "Blanks at the ends of lines.",
                    [text.replace("\n", "  \t\n")], ok)
    truststore_case("truststore_one_line", "All base64 in one line.",
                    [pem("CERTIFICATE", ROOT.der, 100000), pem("CERTIFICATE", OTHER_ROOT.der, 76)],
                    ok)
    truststore_case("truststore_unusual_text", "Bytes that are not UTF-8 between blocks.",
                    b"\xff\xfe\x00partner\x1b[2J\n" + ROOT.pem().encode() + b"\xe4\xf6\n" +
                    OTHER_ROOT.pem().encode(), ok)


def warned():
    roots = lambda: ca("Some Root CA", "p256-old")
    old = ca("Expired Root CA", "p256-old", not_after=d.instant("2025-01-01"))
    early = ca("Early Root CA", "p256-old", not_before=d.instant("2035-01-01"))
    truststore_case("truststore_expired", "An expired root among others.", [ROOT, "text\n", old],
                    accepted_by_both(2, (2, "CN=Expired Root CA", "EXPIRED")),
                    accepted_by_both(2, name="before", at=d.instant("2024-06-01")))
    truststore_case("truststore_not_yet_valid", "A root of the future.", [early, ROOT],
                    accepted_by_both(2, (1, "CN=Early Root CA", "NOT_YET_VALID")),
                    accepted_by_both(2, name="later", at=d.instant("2035-01-01")))
    truststore_case("truststore_all_expired", "Nothing gives trust.", [old, early],
                    accepted_by_both(2, (1, "CN=Expired Root CA", "EXPIRED"),
                                     (2, "CN=Early Root CA", "NOT_YET_VALID"), gives_trust=False))
    soon = ca("Soon Root CA", "p256-old", not_after=d.instant("2030-07-01"))
    thirty = datetime.timedelta(days=30)
    w = (1, "CN=Soon Root CA", "EXPIRES_SOON")
    truststore_case("truststore_expires_soon", "Thirty days before the end, to the second.", [soon],
                    accepted_by_both(1, name="a_second_earlier",
                                     at=soon.not_after - thirty - SECOND),
                    accepted_by_both(1, w, name="thirty_days", at=soon.not_after - thirty),
                    accepted_by_both(1, w, name="a_second_later",
                                     at=soon.not_after - thirty + SECOND),
                    accepted_by_both(1, w, name="last_second", at=soon.not_after),
                    accepted_by_both(1, (1, "CN=Soon Root CA", "EXPIRED"), name="second_after",
                                     at=soon.not_after + SECOND, gives_trust=False))
    edge = ca("Edge Root CA", "p256-old", not_before=d.instant("2030-01-01"))
    truststore_case("truststore_first_second", "The beginning, to the second.", [edge],
                    accepted_by_both(1, (1, "CN=Edge Root CA", "NOT_YET_VALID"), name="before",
                                     at=edge.not_before - SECOND, gives_trust=False),
                    accepted_by_both(1, name="at", at=edge.not_before))
    sha1_root = ca("SHA-1 Root CA", "rsa2048-root", how="sha1")
    md5_root = ca("MD5 Root CA", "rsa2048-root", how="md5")
    sha1_int = ca("SHA-1 Issuing CA", "p256-issuing", RSA_ROOT, how="sha1")
    truststore_case("truststore_sha1_root", "A root's own SHA-1 signature.", [sha1_root],
                    accepted(COMPLETE, 1, (1, "CN=SHA-1 Root CA", "WEAK_SIGNATURE_ALGORITHM"),
                             gives_trust=False),
                    accepted(ANY, 1, (1, "CN=SHA-1 Root CA", "WEAK_ROOT_SIGNATURE")))
    truststore_case("truststore_md5_root", "A root's own MD5 signature.", [md5_root],
                    accepted_by_both(1, (1, "CN=MD5 Root CA", "WEAK_SIGNATURE_ALGORITHM"),
                                     gives_trust=False))
    truststore_case("truststore_sha1_intermediate", "An intermediate signed with SHA-1.",
                    [sha1_int, RSA_ROOT],
                    accepted_by_both(2, (1, "CN=SHA-1 Issuing CA", "WEAK_SIGNATURE_ALGORITHM")))
    sha1_alone = leaf("sha1.partner.example", None, k="rsa2048-partner", how="sha1")
    truststore_case("truststore_sha1_self_signed_client",
                    "A self-signed client is no root: its SHA-1 signature counts.", [sha1_alone],
                    accepted_by_both(1, (1, "CN=sha1.partner.example",
                                         "WEAK_SIGNATURE_ALGORITHM"), gives_trust=False))
    truststore_case("truststore_weak_key", "RSA under 2048 bits.",
                    [ca("RSA-1024 Root CA", "rsa1024-ca"), ROOT],
                    accepted_by_both(2, (1, "CN=RSA-1024 Root CA", "WEAK_KEY")))
    for kind in ("p521", "p224", "secp256k1"):
        truststore_case("truststore_key_" + kind, "A curve that is not supported.",
                        [ROOT, ca("%s Root CA" % kind, kind + ("-ca" if kind == "p521" else
                                                               "-client"))],
                        accepted_by_both(2, (2, "CN=%s Root CA" % kind, "UNSUPPORTED_KEY")))
    truststore_case("truststore_key_ed25519", "Ed25519: the signature is named before the key.",
                    [ROOT, ca("Ed25519 Root CA", "ed25519-ca")],
                    accepted(COMPLETE, 2,
                             (2, "CN=Ed25519 Root CA", "WEAK_SIGNATURE_ALGORITHM")))
    truststore_case("truststore_ed25519_intermediate", "An Ed25519 key under a P-256 signature.",
                    [ROOT, ca("Ed25519 Issuing CA", "ed25519-ca", ROOT)],
                    accepted_by_both(2, (2, "CN=Ed25519 Issuing CA", "UNSUPPORTED_KEY")))
    for label, more in (("unknown_critical_extension", [unknown_extension(True)]),
                        ("duplicate_extension", [subject_key_identifier(b"\x01" * 20)])):
        truststore_case("truststore_" + label, "Against the rules of X.509.",
                        [ca("Odd Root CA", "p256-old", more=more), ROOT],
                        accepted_by_both(2, (1, "CN=Odd Root CA", "MALFORMED")))
    truststore_case("truststore_client_of_a_ca", "A client's certificate among the CAs.",
                    [ROOT, INT, LEAF],
                    accepted_by_both(3, (3, "CN=client.partner.example", "NOT_A_CA")))
    truststore_case("truststore_only_a_client_of_a_ca", "A client's certificate alone.", [DIRECT],
                    accepted(ANY, 1, (1, "CN=direct.partner.example", "NOT_A_CA"),
                             gives_trust=False))
    no_sign = ca("CA without keyCertSign", "p256-issuing", ROOT, usage=(DIGITAL_SIGNATURE,))
    v1_mid = v1("v1 Intermediate", "p256-issuing", ROOT, not_before=CA_FROM, not_after=CA_TO)
    truststore_case("truststore_not_a_ca", "Intermediates that may not issue.",
                    [ROOT, no_sign, v1_mid],
                    accepted(ANY, 3, (2, "CN=CA without keyCertSign", "NOT_A_CA"),
                             (3, "CN=v1 Intermediate", "NOT_A_CA")))
    alone = leaf("partner.example", None)
    v1_alone = v1("v1.partner.example", "rsa2048-partner")
    truststore_case("truststore_self_signed_clients", "Partners' own certificates, v1 and v3.",
                    [alone, v1_alone], accepted_by_both(2))
    forged = leaf("forged.partner.example", None, k="rsa2048-partner", edit_signature=flip)
    truststore_case("truststore_self_signed_forged",
                    "Issued in its own name, not signed with its own key, no CA.", [forged, ROOT],
                    accepted(ANY, 2, (1, "CN=forged.partner.example", "NOT_A_CA")))
    truststore_case("truststore_incomplete_chain", "The issuer is missing from the bundle.", [INT],
                    accepted(COMPLETE, 1, (1, "CN=Partner Issuing CA", "INCOMPLETE_CHAIN"),
                             gives_trust=False),
                    accepted(ANY, 1))
    truststore_case("truststore_incomplete_chain_of_two", "Two intermediates, the root is missing.",
                    [I2, I1, OTHER_ROOT],
                    accepted(COMPLETE, 3, (1, "CN=Level 2 CA", "INCOMPLETE_CHAIN"),
                             (2, "CN=Level 1 CA", "INCOMPLETE_CHAIN")),
                    accepted(ANY, 3))
    truststore_case("truststore_complete_chain", "Everything is there, root last.", [I2, I1, ROOT],
                    accepted_by_both(3))
    truststore_case("truststore_issuer_of_the_same_name",
                    "A CA with the issuer's name, but not the issuer.",
                    [INT, ca("Partner Root CA", "p256-impostor")],
                    accepted(COMPLETE, 2, (1, "CN=Partner Issuing CA", "INCOMPLETE_CHAIN")),
                    accepted(ANY, 2))
    a0, b0 = ca("Loop A", "p256-loop-a"), ca("Loop B", "p256-loop-b")
    truststore_case("truststore_loop", "Two CAs that signed each other.",
                    [ca("Loop A", "p256-loop-a", b0), ca("Loop B", "p256-loop-b", a0)],
                    accepted(COMPLETE, 2, (1, "CN=Loop A", "INCOMPLETE_CHAIN"),
                             (2, "CN=Loop B", "INCOMPLETE_CHAIN"), gives_trust=False),
                    accepted(ANY, 2))
    truststore_case("truststore_duplicate", "The same certificate three times.",
                    [ROOT, OTHER_ROOT, ROOT, "again\n", ROOT],
                    accepted_by_both(4, (3, "CN=Partner Root CA", "DUPLICATE"),
                                     (4, "CN=Partner Root CA", "DUPLICATE")))
    truststore_case("truststore_same_subject_different_key", "One subject, two keys: the later one is named.",
                    [ca("Twin CA", "p256-twin1"), ROOT, ca("Twin CA", "p256-twin2")],
                    accepted_by_both(3, (3, "CN=Twin CA", "SAME_SUBJECT_DIFFERENT_KEY")))
    truststore_case("truststore_same_subject_same_key", "A CA renewed with the same key.",
                    [ca("Renewed CA", "p256-renewed"),
                     ca("Renewed CA", "p256-renewed", not_before=d.instant("2029-01-01"))],
                    accepted_by_both(2))
    worst = ca("Everything wrong", "rsa1024-ca", how="sha1", not_after=d.instant("2025-01-01"),
               more=[unknown_extension(True)])
    truststore_case("truststore_many_reasons", "Everything wrong with one certificate: its time, and the first of its other "
                    "faults.",
                    [ROOT, worst],
                    accepted(COMPLETE, 2, (2, "CN=Everything wrong", "EXPIRED"),
                             (2, "CN=Everything wrong", "MALFORMED")))
    truststore_case(
        "truststore_subject_text", "Subjects as RFC 4514 writes them.",
        [ca(s, "p256-old", not_after=d.instant("2025-01-01")) for s in (
            name(("C", "DE"), ("O", "Partner, Inc."), ("CN", "a+b")),
            name(("O", "#x"), [("OU", "y"), ("CN", " z ")]),
            name(("O", "Bäckerei"), ("1.2.3.4", d.utf8("v"))),
            name(("CN", "new\nline \"quoted\" <a;b> \\")))],
        accepted(ANY, 4, (1, "CN=a\\+b,O=Partner\\, Inc.,C=DE", "EXPIRED"),
                 (2, "CN=\\ z\\ +OU=y,O=\\#x", "EXPIRED"),
                 (3, "1.2.3.4=#0C0176,O=B\\C3\\A4ckerei", "EXPIRED"),
                 (4, "CN=new\\0Aline \\\"quoted\\\" \\<a\\;b\\> \\\\", "EXPIRED"),
                 gives_trust=False))
