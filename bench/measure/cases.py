"""What is compared with what."""

import dataclasses
import re
import typing

from measure import config
from measure.config import BUILT_IN, HAPROXY, NGINX, NOTHING, PINNED, SALLYPORT, Gateway

BUILT = "Envoy, built-in"
AGAIN = "Envoy, built-in, once more"
PIN = "Envoy, leaf pinned by hash, no chain check"
TLS = "Envoy, no client certificate"
NEW = "Sallyport, new chain"
SEEN = "Sallyport, chain seen before"
PEERS = {NGINX: "nginx", HAPROXY: "HAProxy"}

# Connections or requests of a new process before the first that counts.
WARM_UP = 100

CONNECTIONS = "connections"
REQUESTS = "requests"
MEMORY = "memory"
STARTS = "starts"
DEFAULTS = "defaults"
UPDATES = "updates"


@dataclasses.dataclass(frozen=True)
class Variant:
    """One side of a comparison.

    client, expect, sni, chain: options of the load program.
    resume: its connections resume sessions.
    rounds: in how many rounds it takes part; None is all.
    single: of a server of many domains, the variant that is the same with one.
    limit: seconds that it has to come up (or, in an update, to change).
    """

    label: str
    gateway: Gateway
    client: str = "leaves"
    expect: str = "200"
    sni: str = "bench.test"
    chain: str = "ecdsa_2"
    resume: bool = False
    rounds: typing.Optional[int] = None
    single: str = ""
    limit: float = 300.0

    def load_options(self):
        return {
            "client": self.client, "expect": self.expect, "sni": self.sni, "chain": self.chain,
            "protocol": "h2" if self.gateway.h2 else "http1",
        }


@dataclasses.dataclass(frozen=True)
class Goal:
    """That `label` costs at most `limit` times what `base` costs in `key`; with
    base "", at most `limit` itself."""

    label: str
    base: str
    limit: float
    key: str


@dataclasses.dataclass(frozen=True)
class Case:
    """One comparison; its first variant is what the others are divided by.

    rounds, sittings: where there are fewer than Scale says.
    """

    name: str
    kind: str
    title: str
    variants: typing.List[Variant]
    goals: typing.List[Goal] = ()
    rounds: typing.Optional[int] = None
    sittings: typing.Optional[int] = None

    def truststore_sizes(self):
        """Of the fixtures that it reads."""
        names = " ".join(v.gateway.truststore for v in self.variants)
        return {int(n) for n in re.findall(r"_(\d+)\.pem", names)}

    def chains(self):
        return {v.chain for v in self.variants}


@dataclasses.dataclass(frozen=True)
class Scale:
    """How much is measured.

    rounds: of a case; in each, every variant has two turns. connections,
    requests: in one turn, of which before() more come first and do not count.
    sittings: how often the servers are started afresh within a case, because
    where a process happens to lie in memory matters too.
    idle: connections that are open at once. middle: the size of most
    truststores; large: larger ones, at least two. domains: how many.
    """

    rounds: int = 100
    connections: int = 50
    requests: int = 600
    sittings: int = 4
    idle: int = 1000
    middle: int = 100
    large: typing.Tuple[int, ...] = (1000, 10000, 100000)
    domains: int = 1000

    @staticmethod
    def before(size):
        """Of a turn of `size`: what brings a process back into the caches."""
        return max(1, size // 10)

    def leaves(self):
        """Client certificates, so that none comes twice to one process (of a
        case with two sittings or more)."""
        turns = 2 * -(-self.rounds // min(self.sittings, 2))
        return max(turns * (self.connections + self.before(self.connections)), self.idle) + WARM_UP


QUICK = Scale(
    rounds=1, connections=8, requests=40, sittings=1, idle=20, middle=10, large=(900, 950),
    domains=3,
)


def truststore(size):
    return "truststore_%d.pem" % size


def _number(value):
    return format(value, ",")


def _peers(options, **variant):
    """nginx and HAProxy by the same options of Gateway and Variant."""
    return [
        Variant(label, Gateway(server, **options), **variant) for server, label in PEERS.items()
    ]


def _built_in(options, **variant):
    """The base, and itself once more: what the method cannot tell apart."""
    return [
        Variant(label, Gateway(judge=BUILT_IN, **options), **variant) for label in (BUILT, AGAIN)
    ]


def _handshakes(scale):
    cases = []
    for chain, title in (
        ("ecdsa_2", "ECDSA P-256, 1 intermediate"),
        ("ecdsa_3", "ECDSA P-256, 2 intermediates"),
        ("rsa_2", "RSA-2048, 1 intermediate"),
        ("rsa_3", "RSA-2048, 2 intermediates"),
    ):
        store = {"truststore": truststore(scale.middle)}
        sallyport = {"judge": SALLYPORT, **store}
        variants = _built_in(store, chain=chain) + [
            Variant(PIN, Gateway(judge=PINNED, chain=chain), "one-leaf", chain=chain),
            Variant(NEW, Gateway(**sallyport, with_filter=True), chain=chain),
            Variant(SEEN, Gateway(**sallyport, with_filter=True), "one-leaf", chain=chain),
        ]
        if chain == "ecdsa_2":
            variants += [
                Variant("Sallyport, new chain, without the HTTP filter", Gateway(**sallyport)),
                Variant(TLS, Gateway(judge=NOTHING), "none"),
            ]
        variants += _peers(store, chain=chain)
        cases.append(
            Case(
                chain, CONNECTIONS,
                "%s, truststore of %s" % (title, _number(scale.middle)),
                variants,
                [Goal(SEEN, PIN, 1.05, "cpu_us"), Goal(NEW, BUILT, 1.02, "cpu_us")],
            )
        )
    size = scale.large[1]
    store = {"truststore": truststore(size)}
    cases.append(
        Case(
            "large_truststore", CONNECTIONS,
            "ECDSA P-256, 1 intermediate, truststore of %s, names held back" % _number(size),
            _built_in(store)
            + [Variant(NEW, Gateway(judge=SALLYPORT, with_filter=True, **store))],
            [Goal(NEW, BUILT, 1.02, "cpu_us")],
            # The built-in validator takes long to start.
            sittings=2,
        )
    )
    complete = {"truststore": "complete_%d.pem" % scale.middle}
    sallyport = Gateway(
        judge=SALLYPORT, with_filter=True, chain_policy="COMPLETE_CHAIN", **complete
    )
    cases.append(
        Case(
            "complete_chain", CONNECTIONS,
            "the intermediate in the truststore of %s, Sallyport by COMPLETE_CHAIN"
            % _number(scale.middle),
            _built_in(complete) + [
                Variant(PIN, Gateway(judge=PINNED), "one-leaf"),
                Variant(NEW, sallyport),
                Variant(SEEN, sallyport, "one-leaf"),
            ],
            [Goal(SEEN, PIN, 1.05, "cpu_us"), Goal(NEW, BUILT, 1.02, "cpu_us")],
        )
    )
    return cases


def _strangers(scale):
    store = {"truststore": truststore(scale.middle)}
    variants = _built_in(store, client="stranger", expect="refused")
    alert = Gateway(judge=SALLYPORT, with_filter=True, rejection="HANDSHAKE", **store)
    forbidden = Gateway(judge=SALLYPORT, with_filter=True, **store)
    new_alert = "Sallyport, HANDSHAKE (TLS alert), new chain"
    variants += [
        Variant(new_alert, alert, "stranger", "refused"),
        Variant("Sallyport, HANDSHAKE, chain seen before", alert, "one-stranger", "refused"),
        Variant("Sallyport, FORBIDDEN (403), new chain", forbidden, "stranger", "403"),
        Variant("Sallyport, FORBIDDEN, chain seen before", forbidden, "one-stranger", "403"),
        Variant("nginx (400)", Gateway(NGINX, **store), "stranger", "400"),
        Variant("HAProxy (TLS alert)", Gateway(HAPROXY, **store), "stranger", "refused"),
    ]
    return Case(
        "stranger", CONNECTIONS,
        "a stranger with 1 intermediate, ECDSA P-256, truststore of %s" % _number(scale.middle),
        variants, [Goal(new_alert, BUILT, 1.05, "cpu_us")],
    )


def _resumption(scale):
    store = {"truststore": truststore(scale.middle), "resumption": True}
    envoy = {"envoy_xfcc": True, **store}
    sallyport = Gateway(judge=SALLYPORT, with_filter=True, **envoy)
    resumed = {"client": "one-leaf", "resume": True}
    peers = {"client": "one-leaf"}
    variants = _built_in(envoy, client="one-leaf") + [
        Variant("Envoy, built-in, resumed", Gateway(**envoy), **resumed),
        Variant("Sallyport, full handshake, chain seen before", sallyport, "one-leaf"),
        Variant("Sallyport, resumed", sallyport, **resumed),
    ]
    for server, label in PEERS.items():
        variants += [
            Variant(label, Gateway(server, **store), **peers),
            Variant(label + ", resumed", Gateway(server, **store), **resumed),
        ]
    return Case(
        "resumption", CONNECTIONS,
        "TLS 1.3 resumption (PSK with X25519) against full handshakes; tickets on, XFCC on",
        variants,
    )


def _requests(scale):
    """Per request, for every dialect."""
    cases = []
    store = {"truststore": truststore(scale.middle)}
    for name, title, options, keeps_xfcc in (
        ("requests_proxied", "HTTP/1.1, proxied; Envoy's own XFCC on", {"proxied": True}, True),
        ("requests_direct", "HTTP/1.1, direct response; Envoy's own XFCC on", {}, True),
        ("requests_proxied_alone",
         "HTTP/1.1, proxied; Envoy's own XFCC off where Sallyport forwards", {"proxied": True},
         False),
        ("requests_direct_alone",
         "HTTP/1.1, direct response; Envoy's own XFCC off where Sallyport forwards", {}, False),
        ("requests_h2_proxied", "HTTP/2, proxied; Envoy's own XFCC on",
         {"proxied": True, "h2": True}, True),
    ):
        common = {**store, **options}
        base = {**common, "envoy_xfcc": True}
        ours = {"judge": SALLYPORT, "with_filter": True, **common, "envoy_xfcc": keeps_xfcc}
        variants = _built_in(base, client="one-leaf")
        variants.append(
            Variant(
                "Envoy, built-in, nothing forwarded", Gateway(judge=BUILT_IN, **common),
                "one-leaf",
            )
        )
        if keeps_xfcc:
            variants += [
                Variant(
                    "Envoy, built-in, and a module's filter that " + what,
                    Gateway(judge=BUILT_IN, floor=floor, **base), "one-leaf",
                )
                for floor, what in (
                    ("nothing", "does nothing"), ("header", "sets a header of 1,600 bytes"),
                )
            ]
        goals = []
        for dialect in config.DIALECTS:
            label = "Sallyport, %s" % dialect
            variants.append(
                Variant(label, Gateway(dialect=dialect, **ours), "one-leaf")
            )
            goals.append(Goal(label, BUILT, 1.02, "cpu_us"))
        variants.append(Variant("Sallyport, nothing forwarded", Gateway(**ours), "one-leaf"))
        if not options.get("h2") and keeps_xfcc:
            variants += _peers({**common, "peer_header": True}, client="one-leaf")
        cases.append(
            Case(name, REQUESTS, title + ", truststore of %s" % _number(scale.middle), variants,
                 goals)
        )
    return cases


def _memory(scale):
    store = {"truststore": truststore(scale.middle)}
    xfcc = {"envoy_xfcc": True, **store}
    ours = {"judge": SALLYPORT, "with_filter": True}
    variants = _built_in(store) + [
        Variant(PIN, Gateway(judge=PINNED), "one-leaf"),
        Variant("Envoy, built-in, XFCC", Gateway(**xfcc)),
        Variant("Sallyport", Gateway(**ours, **store)),
        Variant("Sallyport, xfcc", Gateway(**ours, dialect="xfcc", **xfcc)),
        Variant("Sallyport, every client the same", Gateway(**ours, **store), "one-leaf"),
        Variant(TLS, Gateway(judge=NOTHING), "none"),
    ]
    return Case(
        "idle_connections", MEMORY,
        "%s open idle connections, each with another client certificate unless said"
        % _number(scale.idle),
        variants + _peers(store), rounds=6,
    )


def _starts(scale):
    cases = []
    largest = scale.large[-1]
    for size in (1, *scale.large):
        store = {"truststore": truststore(size)}
        sallyport = Variant(
            "Sallyport", Gateway(judge=SALLYPORT, with_filter=True, **store), "one-leaf"
        )
        if size == largest and size > 10000:
            # The others need minutes: default_100000 shows how far they come.
            cases.append(
                Case(
                    "start_%d" % size, STARTS, "truststore of %s" % _number(size),
                    [sallyport], [Goal("Sallyport", "", 5.0, "seconds")], rounds=5,
                )
            )
            continue
        slow = size > 5000
        built_in = _built_in(store, client="one-leaf")
        if slow:
            built_in = [dataclasses.replace(built_in[0], rounds=3)]
        variants = built_in + [sallyport] + [
            dataclasses.replace(peer, rounds=1 if slow else 3 if size > 500 else None)
            for peer in _peers(store, client="one-leaf", limit=60.0)
        ]
        goals = [Goal("Sallyport", BUILT, 0.1, "seconds")] if size == scale.large[1] else []
        cases.append(
            Case("start_%d" % size, STARTS,
                 "truststore of %s, names held back" % _number(size), variants, goals, rounds=20)
        )
    return cases


def _defaults(scale):
    cases = []
    for size in scale.large:
        # Enough for whoever gets there at all, and not for ever.
        limit = 60.0 if size <= 10000 else 30.0
        store = {"truststore": truststore(size)}
        cases.append(
            Case(
                "default_%d" % size, DEFAULTS, _number(size),
                [
                    Variant(
                        "Envoy, built-in", Gateway(send_names=True, **store), "one-leaf",
                        limit=limit,
                    ),
                    Variant(
                        "Sallyport", Gateway(judge=SALLYPORT, with_filter=True, **store),
                        "one-leaf", limit=limit,
                    ),
                ]
                + _peers({"send_names": True, **store}, client="one-leaf", limit=limit),
            )
        )
    return cases


def _domains(scale):
    size = scale.large[0]
    store = {"truststore": truststore(size)}
    ours = {"judge": SALLYPORT, "with_filter": True, **store}
    count = scale.domains
    sni = config.domain_name(count // 2)
    variants = []
    for label, options, rounds in (
        (TLS, {"judge": NOTHING}, None),
        ("Sallyport", ours, None),
        (BUILT, store, 1),
        ("HAProxy", {"server": HAPROXY, **store}, 1),
    ):
        client = "none" if label == TLS else "one-leaf"
        single = label + ", 1 domain"
        variants.append(
            Variant(label, Gateway(domains=count, **options), client, sni=sni, single=single,
                    rounds=rounds, limit=120.0)
        )
        variants.append(
            Variant(single, Gateway(domains=1, **options), client, sni=config.domain_name(0),
                    rounds=2)
        )
    # The second of an order there and back is as good as another process.
    variants.insert(
        1, dataclasses.replace(variants[0], label=TLS + ", once more", single=variants[1].label)
    )
    return Case(
        "domains_%d" % count, STARTS,
        "%s domains, one truststore of %s" % (_number(count), _number(size)),
        variants,
        [Goal("Sallyport", TLS, 1.15, "rss"), Goal("Sallyport", TLS, 1.15, "seconds")],
        rounds=8,
    )


def _updates(scale):
    cases = []
    for size in scale.large:
        sallyport = {
            "judge": SALLYPORT, "with_filter": True, "truststore": truststore(size),
            "own_file": True,
        }
        variants = [
            Variant("Sallyport, its file replaced", Gateway(**sallyport), "one-leaf"),
            Variant("Sallyport, by SDS", Gateway(**sallyport, by_sds=True), "one-leaf"),
        ]
        if size <= 10000:
            built_in = [
                Variant(label, Gateway(truststore=truststore(size), own_file=True, by_sds=True),
                        "one-leaf", rounds=None if size <= 5000 else 2)
                for label in ("Envoy, built-in, by SDS", "Envoy, built-in, by SDS, once more")
            ]
            variants = built_in[: 2 if size <= 5000 else 1] + variants
        cases.append(
            Case(
                "update_%d" % size, UPDATES, "truststore of %s" % _number(size), variants,
                rounds=10 if size <= 10000 else 3,
            )
        )
    return cases


def all_cases(scale):
    """Every case, in the order in which they run."""
    return [
        *_handshakes(scale),
        _strangers(scale),
        _resumption(scale),
        *_requests(scale),
        _memory(scale),
        *_starts(scale),
        _domains(scale),
        *_defaults(scale),
        *_updates(scale),
    ]
