"""How a case is put together. ../README.md describes the files."""

import datetime
import hashlib
import json

from certificates import Cert, pem
from der import instant, rfc3339

ALL = {}

# The time of a check that is not about time.
NOW = instant("2030-06-01")
SECOND = datetime.timedelta(seconds=1)

COMPLETE, ANY = "complete-chain", "any-anchor"
SOFT = {"rule": "soft-fail", "scope": "chain"}
HARD = {"rule": "hard-fail", "scope": "chain"}
HARD_LEAF = {"rule": "hard-fail", "scope": "leaf"}


class Case:
    def __init__(self, json_object, store, chain, lists=None, deny=None):
        self._json, self._store, self._chain = json_object, store, chain
        self._lists, self._deny = lists, deny

    def files(self):
        out = {"case.json": (json.dumps(self._json, indent=1, ensure_ascii=True) + "\n").encode(),
               "truststore.pem": self._store}
        if self._chain is not None:
            out["chain.pem"] = self._chain
        if self._lists is not None:
            out["lists.pem"] = self._lists
        if self._deny is not None:
            out["deny.json"] = (json.dumps(self._deny, indent=1) + "\n").encode()
        return out


def _text(parts):
    """PEM text of a list of Cert, text, or bytes (DER, whatever it holds)."""
    if isinstance(parts, bytes):
        return parts
    out = []
    for part in parts:
        if isinstance(part, Cert):
            part = part.pem()
        elif isinstance(part, bytes):
            part = pem("CERTIFICATE", part)
        out.append(part if isinstance(part, bytes) else part.encode())
    return b"".join(out)


def chain_case(name, description, store, chain, *checks, lists=None, deny=None):
    """What VerifyChain must say of `chain` under `store`, with the revocation
    lists `lists` (PEM) for the checks that have a `revocation`, and the deny
    list `deny` (a JSON object)."""
    assert name not in ALL, name
    flat = []
    for c in checks:
        flat += c if isinstance(c, list) else [c]
    _name_checks(flat)
    ALL[name] = Case({"description": description, "verify": flat}, _text(store),
                     _text(chain), None if lists is None else "".join(lists).encode(), deny)


def check(policy, reason, *, at=NOW, name=None, depth=None, recheck=None, path=None, options=None,
          revocation=None, **more):
    """One question. recheck: a time, or "never"; path: number of certificates
    of the verdict's path; options: other fields of the policy; revocation:
    SOFT, HARD, or one of them with another scope."""
    expect = {"reason": reason}
    if depth is not None:
        expect["depth"] = depth
    if path is not None:
        expect["path_length"] = path
    if recheck is not None:
        expect["recheck_at"] = recheck if isinstance(recheck, str) else rfc3339(recheck)
    expect.update(more)
    out = {"name": name, "time": rfc3339(at), "policy": dict(chain_policy=policy, **(options or {}))}
    if revocation is not None:
        out["revocation"] = revocation
    return dict(out, expect=expect)


def both(reason, **more):
    """The same answer under both chain policies."""
    name = more.pop("name", None)
    return [check(p, reason, name=name and name + "_" + p.split("-")[0], **more)
            for p in (COMPLETE, ANY)]


def edges(policy, cert, depth=None, reason="TRUSTED", options=None):
    """The four seconds at which `cert`, the first to expire, changes the answer."""
    nb, na = cert.not_before, cert.not_after
    prefix = policy.split("-")[0] + "_"
    return [
        check(policy, "NOT_YET_VALID", at=nb - SECOND, name=prefix + "second_before", depth=depth,
              recheck=nb, options=options),
        check(policy, reason, at=nb, name=prefix + "first_second", recheck=na + SECOND,
              options=options),
        check(policy, reason, at=na, name=prefix + "last_second", recheck=na + SECOND,
              options=options),
        check(policy, "EXPIRED", at=na + SECOND, name=prefix + "second_after", depth=depth,
              options=options),
    ]


def _name_checks(checks):
    seen = set()
    for c in checks:
        if not c["name"]:
            c["name"] = c["policy"]["chain_policy"].split("-")[0]
        assert c["name"] not in seen, c["name"]
        seen.add(c["name"])


def line_of(store_text, block):
    """The line of the BEGIN of the block with this number, from 1."""
    lines = store_text.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    begins = [i + 1 for i, line in enumerate(lines) if b"-----BEGIN" in line]
    return begins[block - 1]


def truststore_case(name, description, store, *checks):
    """What Truststore::Parse and Warnings must say of `store`."""
    assert name not in ALL, name
    text = _text(store)
    out, seen = [], set()
    for c in checks:
        for one in (c if isinstance(c, list) else [c]):
            c2 = json.loads(json.dumps(one))
            for w in c2["expect"].get("warnings", []):
                w["line"] = line_of(text, w["index"])
            error = c2["expect"].get("error")
            if error and error["line"] is None:
                error["line"] = line_of(text, error["index"]) if error["index"] else 0
            assert c2["name"] not in seen
            seen.add(c2["name"])
            out.append(c2)
    ALL[name] = Case({"description": description, "truststore": out}, text, None)


def error(reason, index=0, line=None, *, name="parse", limits=None):
    return {"name": name, "limits": limits or {},
            "expect": {"error": {"reason": reason, "index": index, "line": line}}}


def accepted(policy, certificates, *warnings, at=NOW, gives_trust=True, name=None, limits=None):
    """warnings: (block, subject, reason)."""
    return {"name": name or policy.split("-")[0], "limits": limits or {}, "time": rfc3339(at),
            "chain_policy": policy,
            "expect": {"certificates": certificates, "gives_trust": gives_trust,
                       "warnings": [{"index": i, "subject": s, "reason": r}
                                    for i, s, r in warnings]}}


def accepted_by_both(certificates, *warnings, **more):
    name = more.pop("name", None)
    return [accepted(p, certificates, *warnings, name=name and name + "_" + p.split("-")[0], **more)
            for p in (COMPLETE, ANY)]


def fingerprint(cert):
    return hashlib.sha256(cert.der).hexdigest()
