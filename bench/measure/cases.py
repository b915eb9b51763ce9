"""What is compared with what."""

import dataclasses
import typing

from measure import config
from measure.config import BUILT_IN, NOTHING, PINNED, SALLYPORT, Gateway

LABEL_BUILT_IN = "built-in"
LABEL_VALIDATOR = "Sallyport, validator only"
LABEL_FULL = "Sallyport, validator and filter"
LABEL_TLS = "TLS, no client certificate"

HANDSHAKES = "handshakes"
STARTS = "starts"
DEFAULTS = "defaults"


@dataclasses.dataclass(frozen=True)
class Variant:
    """One side of a comparison. client and expect: as in load.cc."""

    label: str
    gateway: Gateway
    client: str = "leaves"
    expect: str = "200"
    sni: str = "bench.test"


@dataclasses.dataclass(frozen=True)
class Case:
    """One comparison; its first variant is what the others are divided by.

    repeats: how many rounds where it is not as many as asked for.
    """

    name: str
    kind: str
    title: str
    variants: typing.List[Variant]
    repeats: typing.Optional[int] = None


def _three(path, client="leaves", forwarding=False):
    return [
        Variant(
            LABEL_BUILT_IN,
            Gateway(BUILT_IN, path, forwarding=forwarding),
            client,
        ),
        Variant(
            LABEL_VALIDATOR,
            Gateway(SALLYPORT, path, forwarding=forwarding),
            client,
        ),
        Variant(
            LABEL_FULL,
            Gateway(SALLYPORT, path, with_filter=True, forwarding=forwarding),
            client,
        ),
    ]


def all_cases(folder, leaf_sha256, sizes, domain_counts, shared_size):
    """Every case, in the order in which they run.

    folder: the fixtures. sizes: of truststores; at least two. shared_size: of the
    truststore that many domains share.
    """

    def bundle(size):
        return "%s/truststore_%d.pem" % (folder, size)

    cases = []
    for size in sizes:
        variants = _three(bundle(size))
        if size == sizes[0]:
            # How far two runs of the very same thing lie apart.
            variants.insert(
                1, Variant("built-in, once more", Gateway(BUILT_IN, bundle(size)))
            )
        cases.append(
            Case(
                "handshake_%d" % size,
                HANDSHAKES,
                "truststore of %s, a new client chain each time" % format(size, ","),
                variants,
            )
        )
    middle = sizes[1]
    cases.append(
        Case(
            "seen",
            HANDSHAKES,
            "truststore of %s, a client chain that was seen before" % format(middle, ","),
            _three(bundle(middle), client="one-leaf"),
        )
    )
    complete = "%s/complete_%d.pem" % (folder, middle)
    cases.append(
        Case(
            "complete",
            HANDSHAKES,
            "truststore of %s with the intermediate in it; Sallyport's default chain "
            "policy, COMPLETE_CHAIN" % format(middle, ","),
            [
                Variant(LABEL_BUILT_IN, Gateway(BUILT_IN, complete)),
                Variant(
                    LABEL_FULL,
                    Gateway(SALLYPORT, complete, chain_policy="COMPLETE_CHAIN", with_filter=True),
                ),
            ],
        )
    )
    cases.append(
        Case(
            "forwarding",
            HANDSHAKES,
            "truststore of %s, a new chain each time, XFCC with certificate and chain"
            % format(middle, ","),
            _three(bundle(middle), forwarding=True),
        )
    )
    cases.append(
        Case(
            "stranger",
            HANDSHAKES,
            "a stranger, truststore of %s: TLS alert by the built-in validator, a response "
            "with 403 by Sallyport" % format(middle, ","),
            [
                Variant(LABEL_BUILT_IN, Gateway(BUILT_IN, bundle(middle)), "stranger", "refused"),
                Variant(
                    LABEL_FULL,
                    Gateway(SALLYPORT, bundle(middle), with_filter=True),
                    "stranger",
                    "403",
                ),
            ],
        )
    )
    cases.append(
        Case(
            "limits",
            HANDSHAKES,
            "what lies below: truststore of %s" % format(sizes[0], ","),
            [
                Variant(LABEL_BUILT_IN, Gateway(BUILT_IN, bundle(sizes[0]))),
                Variant(
                    "Envoy, leaf pinned by hash, no chain check",
                    Gateway(PINNED, leaf_sha256=leaf_sha256),
                    "one-leaf",
                ),
                Variant(
                    LABEL_FULL + ", chain seen before",
                    Gateway(SALLYPORT, bundle(sizes[0]), with_filter=True),
                    "one-leaf",
                ),
                Variant(LABEL_TLS, Gateway(NOTHING), "none"),
            ],
        )
    )
    for size in sizes:
        cases.append(
            Case(
                "start_%d" % size,
                STARTS,
                "truststore of %s" % format(size, ","),
                _three(bundle(size), client="one-leaf"),
                # Slow in the built-in validator, and the ratios are far from 1.
                repeats=3 if size >= 5000 else None,
            )
        )
    for size in sizes[2:]:
        cases.append(
            Case(
                "defaults_%d" % size,
                DEFAULTS,
                "truststore of %s" % format(size, ","),
                [
                    Variant(
                        "built-in, as it comes",
                        Gateway(BUILT_IN, bundle(size), send_names=True),
                    ),
                    Variant(LABEL_FULL, Gateway(SALLYPORT, bundle(size), with_filter=True)),
                ],
            )
        )
    for count in domain_counts:
        sni = config.domain_name(count // 2)
        path = bundle(shared_size)
        cases.append(
            Case(
                "domains_%d" % count,
                STARTS,
                "%s domains, one truststore of %s"
                % (format(count, ","), format(shared_size, ",")),
                [
                    Variant(
                        LABEL_BUILT_IN,
                        Gateway(BUILT_IN, path, domains=count),
                        "one-leaf",
                        sni=sni,
                    ),
                    Variant(
                        LABEL_FULL,
                        Gateway(SALLYPORT, path, with_filter=True, domains=count),
                        "one-leaf",
                        sni=sni,
                    ),
                    Variant(LABEL_TLS, Gateway(NOTHING, domains=count), "none", sni=sni),
                ],
                # As above.
                repeats=3 if count >= 500 else None,
            )
        )
    return cases
