"""Everything changes at once for some minutes, and every single answer is judged.

SOAK_SECONDS says how long (default 150), SOAK_SEED what happens.
"""

import collections
import copy
import os
import pathlib
import random
import re
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).absolute().parent))

import crowd as crowds
import load
import oracle
from harness import backend
from harness import config
from harness import envoy
from harness import tcp
from harness import wait

SECONDS = float(os.environ.get("SOAK_SECONDS") or 150)
SEED = int(os.environ.get("SOAK_SEED") or 20261122)
NUM_WORKERS = 16
# Of each second, on a machine that has other things to do.
LEAST_REQUESTS = 15
LEAST_REPLACEMENTS = 1.0
LEAST_RESUMED = 0.2

# What Envoy may say at these levels.
EXPECTED_LOG = (
    r"There is no configured limit to the number of allowed active downstream connections",
    # Truststores in which an intermediate is without its root.
    r"sallyport: truststore \S+ \(\d+ certificates, [a-z-]+\): \d+ warnings?$",
    r"sallyport: truststore \S+ certificate \d+.*: INCOMPLETE_CHAIN: ",
    # The files that were spoiled on purpose.
    r"sallyport: the new content of .* is refused, the last good one stays",
    r"Filesystem config update rejected|Unable to parse JSON|sds\.json",
)

# Growth between the end of the first third and the end. Each worker remembers
# up to 1,024 trusted clients and 256 refused ones (checked_chain.h); in a short
# run with ever new clients and truststores it is still on the way there.
MEMORY_TOLERANCE_BYTES = 12 << 20
DESCRIPTOR_TOLERANCE = 24


def memory(pid):
    """(resident bytes, open file descriptors) of a process."""
    status = pathlib.Path("/proc/%d/status" % pid).read_text(encoding="ascii")
    resident = int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1)) * 1024
    return resident, len(os.listdir("/proc/%d/fd" % pid))


def median(values):
    return sorted(values)[len(values) // 2]


class Soak(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(dir=os.environ.get("TEST_TMPDIR"))
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        self.rng = random.Random(SEED)
        self.stalls = oracle.Stalls()
        self.ledger = load.Ledger()
        self.crowd = crowds.Crowd(self.folder / "people", SEED)
        self.backend = backend.BackendProcess().start()
        self.addCleanup(self.backend.stop)
        self.tcp_backend = tcp.Backend(proxy=True).start()
        self.addCleanup(self.tcp_backend.stop)
        self.files = {}
        (self.folder / "trust").mkdir()
        names = ["%s.test" % n for n in (
            "forbidden", "handshake", "pass", "optional", "several", "resumed", "revoked", "sds",
            "tcp",
        )]
        self.server = self.crowd.workshop.server("server", names)
        self.domains, served = self._make_domains()
        self.envoy = envoy.Envoy(
            self._gateway(served), self.folder / "envoy", concurrency=4
        )
        self.addCleanup(self.envoy.stop)
        self.envoy.start()
        self.ports = {
            "https": self.envoy.port(config.LISTENER), "tcp": self.envoy.port(tcp.LISTENER),
        }

    def _file(self, name, kind=crowds.PemFile):
        if name not in self.files:
            self.files[name] = kind(
                name, self.folder / "trust" / (name + ".pem"), self.crowd, self.rng, self.stalls
            )
        return self.files[name]

    def _make_domains(self):
        """The domains as the oracle sees them, and as Envoy serves them."""
        told = {"xfcc": {"subject": True}, "truststore": True, "verdict": True}
        seen, served = [], []

        def add(name, file_names, kind=config.Domain, validator=None, mutual_tls=None, sds=None,
                truststore=None, refusals=(), **view):
            files = [self._file(n) for n in file_names]
            domain = kind(
                server=self.server, name=name + ".test",
                validator={
                    "truststores": [
                        {"name": f.history.name, "file": str(f.path), **(truststore or {})}
                        for f in files
                    ],
                    **(validator or {}),
                },
                mutual_tls=mutual_tls if mutual_tls is not None else {"forwarding": told},
                resumption=view.get("resumption", False),
                require_client_certificate=not view.get("optional", False),
            )
            if sds is not None:
                del domain.validator["truststores"]
                domain.sds_file = self.folder / "trust" / sds
                self.files[sds] = crowds.SdsFile(
                    "sds", domain.sds_file, self.crowd, self.rng, self.stalls, copy.copy(domain)
                )
                files = [self.files[sds]]
            served.append(domain)
            seen.append(
                oracle.Domain(
                    domain.name, [oracle.View(f.history) for f in files],
                    [oracle.View(f.history) for f in refusals], **view,
                )
            )

        # Two domains with one file.
        add("forbidden", ["shared"])
        add("pass", ["shared"], style="PASS",
            mutual_tls={"forwarding": told, "rejection": "PASS"},
            validator={"rejection": "PASS"})
        add("handshake", ["handshake"], style="HANDSHAKE",
            mutual_tls={"forwarding": told, "rejection": "HANDSHAKE"},
            validator={"rejection": "HANDSHAKE"})
        add("optional", ["optional"], optional=True, mutual_tls={
            "forwarding": told,
            "client_certificate": "OPTIONAL",
            "paths": [{"prefix": load.PRIVATE, "client_certificate": "REQUIRED"}],
        })
        add("several", ["first", "second", "third"], policy="ANY_ANCHOR",
            validator={"chain_policy": "ANY_ANCHOR"})
        add("resumed", ["resumed"], resumption=True)
        deny = self._file("deny", crowds.DenyFile)
        revoked = self._file("revoked", crowds.RevocationFile)
        self._file("everybody", crowds.EverybodyFile)
        add("revoked", ["everybody"], refusals=[deny, revoked],
            validator={"deny": {"file": str(deny.path)}},
            truststore={"revocation_lists": [{"file": str(revoked.path)}]})
        add("sds", [], sds="sds.json")
        add("tcp", ["tcp"], kind=self._tcp_domain, style="TCP",
            mutual_tls={"proxy_protocol": {}})
        return seen, served

    @staticmethod
    def _tcp_domain(**options):
        return tcp.TcpDomain(
            backend="tcp", tcp_proxy={"max_early_data_bytes": 65536}, **options
        )

    def _gateway(self, served):
        is_tcp = [isinstance(d, tcp.TcpDomain) for d in served]
        merged = config.gateway(
            [d for d, t in zip(served, is_tcp) if not t], self.backend.port
        )
        extra = tcp.gateway(
            [d for d, t in zip(served, is_tcp) if t],
            [tcp.cluster("tcp", self.tcp_backend.port)],
        )
        for kind in ("listeners", "clusters"):
            merged["static_resources"][kind] += extra["static_resources"][kind]
        return merged

    # The test.

    def test_every_answer_is_right(self):
        stop = threading.Event()
        server_ca = self.server.certificate
        often = [d for d in self.domains if d.resumption or d.style in ("TCP", "HANDSHAKE")]
        everybody = [
            load.Worker(
                SEED + n, self.crowd, crowds.KINDS, self.domains + often, self.ports, server_ca,
                self.ledger, stop,
            )
            for n in range(NUM_WORKERS)
        ] + [
            load.Rotation(
                SEED, [f for n, f in self.files.items() if n != "everybody"], self.ledger, stop
            ),
            load.Renewal(SEED, self.crowd, crowds.KINDS, self.ledger, stop),
            load.Metronome(self.stalls, stop),
        ]
        start = time.monotonic()
        samples = []
        for one in everybody:
            one.start()
        try:
            while time.monotonic() < start + SECONDS and self.envoy.is_running():
                samples.append((time.monotonic() - start,) + memory(self.envoy.process.pid))
                time.sleep(min(1.0, SECONDS / 60))
        finally:
            stop.set()
        for one in everybody:
            one.join(40)
        self.assertEqual([one for one in everybody if one.is_alive()], [], "did not finish")
        self.say_what_was_done(samples)

        self.assertTrue(self.envoy.is_running(), "Envoy has ended:\n" + self.envoy.log()[-6000:])
        self.assertEqual(self.ledger.wrong[:20], [], "%d in all" % len(self.ledger.wrong))
        self.check_at_rest()
        self.check_what_was_tried()
        self.check_log()
        self.check_access_log()
        self.check_counters()
        self.check_memory(samples)

    def check_at_rest(self):
        """When nothing moves any more, nothing is in doubt."""
        everything = [f.history for f in self.files.values()]
        wait.until(
            lambda: all(
                f.settled(time.monotonic()) == f.newest()[0] for f in everything
            ),
            "the last versions are in force", timeout=30,
        )
        stop = threading.Event()
        worker = load.Worker(
            SEED, self.crowd, crowds.KINDS, self.domains, self.ports,
            self.server.certificate, self.ledger, stop,
        )
        for domain in self.domains:
            for kind in crowds.KINDS:
                worker.visit(domain, self.crowd.get(kind), 1)
        self.assertEqual(self.ledger.wrong, [])

    def check_what_was_tried(self):
        ledger = self.ledger
        self.assertGreater(ledger.total(), LEAST_REQUESTS * SECONDS)
        self.assertGreater(ledger.events["files replaced"], LEAST_REPLACEMENTS * SECONDS)
        self.assertGreater(ledger.events["resumed"], LEAST_RESUMED * SECONDS)
        self.assertGreater(ledger.events["unreadable files"], 0)
        for domain in self.domains:
            refusal = {"FORBIDDEN": oracle.FORBIDDEN, "PASS": oracle.PASSED_ON}.get(
                domain.style, oracle.CLOSED
            )
            protocols = ("TCP",) if domain.style == "TCP" else ("HTTP/1.1", "HTTP/2")
            for protocol in protocols:
                for answer in (oracle.LET_IN, refusal):
                    self.assertGreater(
                        ledger.total(protocol, answer, domain.name), 0,
                        "%s: nobody got %r over %s" % (domain.name, answer, protocol),
                    )

    def check_log(self):
        unexpected = [
            line for line in self.envoy.log().splitlines()
            if re.search(r"\]\[(warning|error|critical)\]", line)
            and not any(re.search(pattern, line) for pattern in EXPECTED_LOG)
        ]
        self.assertEqual(unexpected[:10], [], "%d lines in all" % len(unexpected))

    def check_access_log(self):
        """The operator's log says what the clients saw."""
        status = self.ledger.status

        def read():
            return {
                e["id"]: e for e in self.envoy.access_log() if e.get("id") in status
            }

        entries = wait.until(
            lambda: (lambda e: e if len(e) == len(status) else None)(read()),
            "%d lines in the access log" % len(status), timeout=30, interval=1.0,
        )
        for number, (domain, answer, has_certificate) in status.items():
            entry = entries[number]
            trusted = answer == oracle.LET_IN and has_certificate
            self.assertEqual(entry["domain"], domain, entry)
            self.assertEqual(entry["status"], 403 if answer == oracle.FORBIDDEN else 200, entry)
            self.assertEqual(entry["reason"] == "TRUSTED", trusted, entry)

    def check_counters(self):
        """Nobody reached the backend but those who were let in."""
        reached = sum(
            self.ledger.total(protocol, answer)
            for protocol in ("HTTP/1.1", "HTTP/2")
            for answer in (oracle.LET_IN, oracle.PASSED_ON)
        )
        self.assertEqual(self.envoy.stats("cluster.backend.")
                         ["cluster.backend.upstream_rq_completed"], reached)
        def counted():
            return sum(
                self.envoy.counter("decisions", verdict=v) for v in ("allowed", "passed")
            )

        # Trusted requests are counted a moment later.
        wait.until(lambda: counted() >= reached, "all requests are counted")
        self.assertEqual(counted(), reached)
        self.assertEqual(self.tcp_backend.problems, [])

    def check_memory(self, samples):
        third, end = self.windows(samples)
        self.assertLess(
            median([m for _, m, _ in end]) - median([m for _, m, _ in third]),
            MEMORY_TOLERANCE_BYTES,
        )
        self.assertLess(
            max(d for _, _, d in end) - max(d for _, _, d in third), DESCRIPTOR_TOLERANCE
        )
        wait.until(
            lambda: sum(
                v for k, v in self.envoy.stats("listener.").items()
                if k.endswith("downstream_cx_active") and ".admin." not in k
            ) == 0,
            "no connection is left",
        )

    @staticmethod
    def windows(samples):
        """The samples around the end of the first third, and of the end."""
        third = [s for s in samples if SECONDS / 3 <= s[0] < SECONDS / 2]
        return third, [s for s in samples if s[0] >= SECONDS * 5 / 6]

    def say_what_was_done(self, samples):
        table = collections.defaultdict(dict)
        for (_, protocol, answer), number in self.ledger.answers.items():
            table[protocol][answer] = table[protocol].get(answer, 0) + number
        third, end = self.windows(samples)
        print("soak: %g s, seed %d; wrong answers: %d" % (SECONDS, SEED, len(self.ledger.wrong)))
        for protocol, answers in sorted(table.items()):
            print("  %s: %s" % (protocol, ", ".join(
                "%d %s" % (n, a) for a, n in sorted(answers.items()))))
        print("  " + ", ".join("%s: %d" % e for e in sorted(self.ledger.events.items())))
        print("  memory (MiB): %s" % ", ".join(
            "%.1f" % (m / 2**20) for _, m, _ in samples[::max(1, len(samples) // 12)]))
        if third and end:
            print("  from %.1f to %.1f MiB; descriptors from %d to %d; stalls %.1f s" % (
                median([m for _, m, _ in third]) / 2**20, median([m for _, m, _ in end]) / 2**20,
                max(d for _, _, d in third), max(d for _, _, d in end), self.stalls.total(),
            ))
        sys.stdout.flush()


if __name__ == "__main__":
    unittest.main()
