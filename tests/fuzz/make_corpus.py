#!/usr/bin/env python3
"""Writes pool.pem, revocation_pool.pem and corpus/ from the cases of tests/pki_cases.

Run it when cases are added that the fuzzers should start from; it needs nothing
but Python. What it writes is a function of the cases.
"""

import base64
import datetime
import json
import os
import re
import shutil

HERE = os.path.dirname(os.path.abspath(__file__))
CASES = os.path.join(HERE, "..", "pki_cases", "cases")
CORPUS = os.path.join(HERE, "corpus")
LIST = re.compile(r"-----BEGIN X509 CRL-----\n(.*?)-----END X509 CRL-----\n", re.S)
BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----\n(.*?)-----END CERTIFICATE-----\n", re.S)

# Cases whose certificates are the material of the chain fuzzer: everything
# about how paths are found, and one of each kind of fault.
POOL = re.compile(
    r"trusted_|intermediate_|middle|chain_out|cross_signed|loop_|rollover|same_name_|length_f|"
    r"length_two|path_length_(zero|on)|self_signed_(client$|ca|client_(sha1|rsa1024|issues))|"
    r"v1_(self_signed$|root|intermediate_issues)|signature_sha1_|signature_of_root|"
    r"key_rsa1024_(client|root)|key_p521_(client|intermediate$)|unknown_critical_extension_(cl|r)|"
    r"duplicate_extension|eku_(server_only|any_int)|name_constraint_dns_(inside|outside)$|"
    r"pin_leaf|time_(leaf|root$|intermediate|self|after)|ca_(renewed|handover|without_cert)|"
    r"root_(expired|basic)|tampered_(subject|intermediate)|policy_required|key_identifier|name_other_case")
# Cases whose chain.pem's first certificate the certificate fuzzer starts from.
CERTIFICATES = re.compile(
    r"malformed_|name_client|serial_|key_.*_client|signature_.*_client|eku_(any|client_and)|"
    r"v1_self_signed|v2_|time_(after|no_end)|name_constraint_(ip|uri|email).*side$|policy|self_signed_ca_as")
MAX_PEM = 6000
# The case whose certificates revocation_fuzz.cc asks about.
REVOCATION_POOL = "crl_of_a_namesake_is_newer"


def read(name, file_name):
    with open(os.path.join(CASES, name, file_name), "rb") as f:
        return f.read()


def ders(pem):
    return [base64.b64decode(b) for b in BLOCK.findall(pem.decode("latin-1"))]


def write(folder, name, data):
    with open(os.path.join(CORPUS, folder, name), "wb") as f:
        f.write(data)


def write_pem(file_name, certificates):
    with open(os.path.join(HERE, file_name), "w") as f:
        for der in certificates:
            text = base64.b64encode(der).decode()
            f.write("-----BEGIN CERTIFICATE-----\n%s-----END CERTIFICATE-----\n" % "".join(
                text[i:i + 64] + "\n" for i in range(0, len(text), 64)))


def main():
    for folder in ("pem", "certificate", "chain", "revocation"):
        shutil.rmtree(os.path.join(CORPUS, folder), ignore_errors=True)
        os.makedirs(os.path.join(CORPUS, folder))
    pool, checks = [], []
    for name in sorted(os.listdir(CASES)):
        with open(os.path.join(CASES, name, "case.json")) as f:
            case = json.load(f)
        if "truststore" in case:
            pem = read(name, "truststore.pem")
            if len(pem) <= MAX_PEM:
                write("pem", name, pem)
            continue
        if os.path.exists(os.path.join(CASES, name, "lists.pem")):
            lists = read(name, "lists.pem")
            write("revocation", name, lists)
            first = LIST.search(lists.decode("latin-1")).group(1)
            write("revocation", name + ".der", base64.b64decode(first))
        store, chain = ders(read(name, "truststore.pem")), ders(read(name, "chain.pem"))
        if name == REVOCATION_POOL:
            # The issuer, a client of it, and the issuer's namesake.
            write_pem("revocation_pool.pem", [store[1], chain[0], store[2]])
        if CERTIFICATES.match(name) and len(chain[0]) <= MAX_PEM:
            write("certificate", name, chain[0])
        if POOL.match(name) and max(map(len, store + chain)) < 1500:
            for der in store + chain:
                if der not in pool:
                    pool.append(der)
            checks += [(name, store, chain, check) for check in case["verify"]]
    write_pem("pool.pem", pool)
    seen = set()
    for name, store, chain, check in checks:
        program = encode(pool, store, chain, check)
        if program not in seen:
            seen.add(program)
            write("chain", name + "." + check["name"], program)
    print("%d certificates in the pool, %d chains" % (len(pool), len(seen)))


def encode(pool, store, chain, check):
    """The format is chain_fuzz.cc's."""
    policy = check["policy"]
    flags = 1 if policy["chain_policy"] == "any-anchor" else 0
    flags |= ["require", "warn", "ignore"].index(policy.get("extended_key_usage", "require")) << 1
    flags |= (1 if policy.get("pin_leaf") else 0) << 3
    flags |= (policy.get("max_chain_length", 4) % 16) << 4
    time = datetime.datetime.strptime(check["time"], "%Y-%m-%dT%H:%M:%SZ")
    seconds = int((time - datetime.datetime(1970, 1, 1)).total_seconds())
    out = bytes([flags]) + seconds.to_bytes(5, "big")
    for op, certificates in ((0, store), (1, chain)):
        for der in certificates:
            out += bytes([op]) + pool.index(der).to_bytes(2, "big")
    return out


if __name__ == "__main__":
    main()
