"""Who calls, and the trust files that decide about them: both change all the time."""

import json
import random
import threading
import time

import oracle
from harness import certificates
from harness import client as tls_client
from harness import config
from harness import files

NUM_ROOTS = 6
BRANCHES = (4, 5)  # roots with an intermediate
NUM_PARTNERS = 3
YEAR = 365
# What a client's certificate is of; "nobody" has none.
KINDS = (
    ["direct%d" % n for n in range(4)] + ["branch%d" % n for n in BRANCHES]
    + ["partner%d" % n for n in range(NUM_PARTNERS)]
    + ["brief0", "brief1", "stranger", "impostor0", "nobody"]
)


class Crowd:
    """One current client of each kind. Thread-safe."""

    def __init__(self, directory, seed):
        self.workshop = certificates.Workshop(directory)
        self._lock = threading.Lock()
        self._rng = random.Random(seed)
        self._clients = {}
        self._contexts = {}
        self.num_made = 0
        # Key making is not what is tried here, and certificates with one key
        # are the easier ones to mix up.
        self._key = self.workshop.make_key("everybody")
        name = "/O=Soak/CN=Root %d"
        self._roots = [
            self._authority("root%d" % n, name % n) for n in range(NUM_ROOTS)
        ]
        self._issuing = {
            n: self._authority("issuing%d" % n, "/O=Soak/CN=Issuing %d" % n, self._roots[n])
            for n in BRANCHES
        }
        self._unknown = self._authority("unknown", "/O=Soak/CN=Unknown")
        self._false = self._authority("false", name % 0)
        keeper = self._authority("keeper", "/O=Soak/CN=Keeper")
        # What a trust file can hold: name to PEM. Partners come and go.
        self._pem = {"keeper": keeper.pem()}
        self._pem.update(("root%d" % n, root.pem()) for n, root in enumerate(self._roots))
        self._pem.update(("issuing%d" % n, ca.pem()) for n, ca in self._issuing.items())
        self._partners = {}
        # Of all authorities and clients that ever were, by name.
        self._identities = {"root%d" % n: root for n, root in enumerate(self._roots)}
        self._identities.update(("issuing%d" % n, ca) for n, ca in self._issuing.items())
        # The roots that signed them, by name.
        self._issuers = {"issuing%d" % n: n for n in self._issuing}
        self._digests = {n: i.fingerprint() for n, i in self._identities.items()}
        for kind in KINDS:
            self.renew(kind)

    def _authority(self, name, subject, issuer=None):
        # Long enough that no warning about the end is due.
        return self.workshop.authority(name, subject, issuer, days=YEAR)

    def get(self, kind):
        with self._lock:
            return self._clients[kind]

    def renew(self, kind):
        """Another client of that kind, with another name."""
        with self._lock:
            self.num_made += 1
            number = self.num_made
        common_name = "client-%d" % number
        subject = "/O=Soak/CN=" + common_name
        sort, index = kind.rstrip("0123456789"), kind.lstrip("abcdefghijklmnopqrstuvwxyz")
        options = {"key": self._key, "days": YEAR}
        needs, expires_at = ((), ()), float("inf")
        issuer = None
        if sort == "direct":
            issuer, needs = self._roots[int(index)], ((frozenset(["root" + index]),),) * 2
        elif sort == "brief":
            # Trusted for some seconds.
            end = certificates.seconds_from_now(self._rng.uniform(2, 9)).replace(microsecond=0)
            options.update(not_before=certificates.days_from_now(-1), not_after=end)
            expires_at = time.monotonic() + end.timestamp() - time.time()
            issuer, needs = self._roots[int(index)], ((frozenset(["root" + index]),),) * 2
        elif sort == "branch":
            issuer = self._issuing[int(index)]
            options["send"] = [issuer]
            root, issuing = "root" + index, "issuing" + index
            needs = (
                (frozenset([root, issuing]),), (frozenset([root]), frozenset([issuing])),
            )
        elif sort == "partner":
            needs = ((frozenset([common_name]),),) * 2
        elif sort == "stranger":
            issuer, options["send"] = self._unknown, [self._unknown]
        elif sort == "impostor":
            issuer, options["send"] = self._false, [self._false]
        if sort == "nobody":
            made = oracle.Client("nobody")
        else:
            identity = self.workshop.client("c%d" % number, subject, issuer, **options)
            made = oracle.Client(
                kind, needs[0], needs[1], expires_at, identity, common_name,
                "CN=%s,O=Soak" % common_name, identity.fingerprint(),
            )
        with self._lock:
            self._digests[common_name] = made.fingerprint
            self._identities[common_name] = made.identity
            if sort in ("direct", "brief"):
                self._issuers[common_name] = int(index)
            if sort == "partner":
                self._pem[common_name] = identity.pem()
                self._partners[kind] = common_name
            self._clients[kind] = made
        return made

    def random_content(self, rng):
        """Some members; never none."""
        with self._lock:
            names = [n for n in self._pem if not n.startswith("client-")]
            names += self._partners.values()
        return frozenset(n for n in names if n == "keeper" or rng.random() < 0.6)

    def everybody(self):
        """All authorities that are ever trusted."""
        with self._lock:
            return frozenset(n for n in self._pem if not n.startswith("client-"))

    def digests(self, names):
        with self._lock:
            return [self._digests[name] for name in sorted(names)]

    def revocation_list(self, root, names):
        """The root's list of those of `names` that it issued: PEM."""
        with self._lock:
            self.num_made += 1
            number = self.num_made
            issued = [
                self._identities[n] for n in sorted(names) if self._issuers.get(n) == root
            ]
        return self.workshop.revocation_list("crl%d" % number, self._roots[root], issued)

    def pem(self, content):
        with self._lock:
            return "".join(self._pem[name] for name in sorted(content))

    def context(self, who, server_ca, tls, protocols):
        """The TLS settings of a client; sessions belong to them."""
        key = (who, tls, protocols)
        with self._lock:
            if key in self._contexts:
                return self._contexts[key]
        context = tls_client.tls_context(server_ca, who.identity, tls)
        if protocols:
            context.set_alpn_protocols(list(protocols))
        with self._lock:
            # Those of clients that were renewed are not asked for again.
            while len(self._contexts) > 200:
                del self._contexts[next(iter(self._contexts))]
            return self._contexts.setdefault(key, context)


class PemFile:
    """A trust file that the module follows."""

    def __init__(self, name, path, crowd, rng, stalls):
        self.path = path
        self._crowd = crowd
        content = self.random_content(rng)
        path.write_text(self.text(content, 0), encoding="ascii")
        self.history = oracle.TrustFile(name, content, time.monotonic(), stalls)

    def random_content(self, rng):
        return self._crowd.random_content(rng)

    def text(self, content, note):
        return "# %d\n%s" % (note, self._crowd.pem(content))

    def replace(self, rng, note):
        content = self.random_content(rng)
        text = self.text(content, note)
        self.history.begin(content, time.monotonic())
        files.move_into_place(self.path, text)
        self.history.end(time.monotonic())

    def spoil(self, note):
        """Moves something into its place that must change nothing."""
        _, content, _ = self.history.newest()
        files.move_into_place(self.path, self.text(content, note)[:-2 - note % 100])


class EverybodyFile(PemFile):
    """Trusts everybody that somebody trusts, and does not change."""

    def random_content(self, rng):
        return self._crowd.everybody()


class DenyFile(PemFile):
    """A deny list: clients, sometimes a CA."""

    def random_content(self, rng):
        authorities = [n for n in self._crowd.everybody() if n != "keeper"]
        return frozenset(
            [self._crowd.get(k).common_name for k in KINDS if k != "nobody" and rng.random() < 0.3]
            + [n for n in sorted(authorities) if rng.random() < 0.1]
        )

    def text(self, content, note):
        return json.dumps({"certificateSha256": self._crowd.digests(content)})


class RevocationFile(PemFile):
    """The revocation lists of a root that issues clients and of one with an
    intermediate."""

    ROOTS = (0, 4)

    def random_content(self, rng):
        clients = [self._crowd.get(k).common_name for k in ("direct0", "brief0")]
        return frozenset(
            [c for c in clients if rng.random() < 0.4]
            + [n for n in ("issuing4",) if rng.random() < 0.3]
        )

    def text(self, content, note):
        return "".join(self._crowd.revocation_list(root, content) for root in self.ROOTS)


class SdsFile(PemFile):
    """A truststore in a file that Envoy follows."""

    def __init__(self, name, path, crowd, rng, stalls, domain):
        self._domain = domain
        super().__init__(name, path, crowd, rng, stalls)

    def text(self, content, note):
        domain = self._domain
        domain.truststore = {
            "name": "sds", "version": str(note), "inline_pem": self._crowd.pem(content),
        }
        return json.dumps(config.secret(domain))
