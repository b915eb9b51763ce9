"""Takes the measurements of one case."""

import contextlib
import statistics
import time

from measure import cases as kinds
from measure import numbers
from measure.process import Failure, Server, cpu_times

# Connections before the first that counts.
_WARM_UP = 100


class Bench:
    """Everything a case needs to run.

    repeats: rounds of a case; in each, every variant has two turns. slice_size:
    connections in one turn. sittings: how often the servers are started afresh
    within a case, because where a process happens to lie in memory matters too.
    """

    def __init__(self, tools, load, folder, cpus, repeats, slice_size, sittings):
        self.tools = tools
        self.load = load
        self.folder = folder
        self.server_cpu, self.load_cpu = cpus
        self.repeats = repeats
        self.slice_size = slice_size
        self.sittings = sittings
        self._number = 0

    def server(self, variant):
        self._number += 1
        return Server(
            self.tools.envoy,
            self.tools.module,
            variant.gateway,
            self.tools.certificates,
            self.folder / ("server_%d" % self._number),
            self.server_cpu,
        )

    def run(self, case):
        """Returns a dict that is ready for JSON; see the three functions below."""
        result = {
            kinds.HANDSHAKES: self._handshakes,
            kinds.STARTS: self._starts,
            kinds.DEFAULTS: self._defaults,
        }[case.kind](case)
        return {"name": case.name, "kind": case.kind, "title": case.title, **result}

    def _handshakes(self, case):
        """Per variant: turns, each {"cpu_us", "per_second", ...}, and rounds."""
        labels = [v.label for v in case.variants]
        turns = {label: [] for label in labels}
        rounds = []
        rounds_done = 0
        sittings = min(self.sittings, self.repeats)
        for sitting in range(sittings):
            with contextlib.ExitStack() as stack:
                servers = {}
                first = dict.fromkeys(labels, 0)

                def turn(variant, connections):
                    server = servers[variant.label]
                    before, ticks = server.cpu_seconds(), server.cpu_ticks()
                    answer = self.load.run(
                        server.port,
                        client=variant.client,
                        expect=variant.expect,
                        sni=variant.sni,
                        connections=connections,
                        first=first[variant.label],
                    )
                    # Let the server see the last connection end.
                    time.sleep(0.01)
                    used = server.cpu_seconds() - before
                    first[variant.label] += connections
                    return {
                        "cpu_us": used / connections * 1e6,
                        "cpu_us_by_ticks": (server.cpu_ticks() - ticks) / connections * 1e6,
                        "per_second": connections / answer["seconds"],
                        "busy": used / answer["seconds"],
                        "latency_p50_ms": answer["latency_p50_ms"],
                        "latency_p99_ms": answer["latency_p99_ms"],
                        "alerts": answer["alerts"],
                        "resets": answer["resets"],
                    }

                for variant in case.variants:
                    server = stack.enter_context(self.server(variant))
                    server.start(
                        self.load, client=variant.client, expect=variant.expect, sni=variant.sni
                    )
                    servers[variant.label] = server
                for variant in case.variants:
                    turn(variant, min(_WARM_UP, self.slice_size))
                last = (sitting + 1) * self.repeats // sittings
                while rounds_done < last:
                    order = numbers.there_and_back(case.variants, rounds_done)
                    start = time.monotonic()
                    own = sum(s.cpu_seconds() for s in servers.values())
                    busy, stolen = cpu_times(self.server_cpu)
                    sums = dict.fromkeys(labels, 0.0)
                    for variant in order:
                        measured = turn(variant, self.slice_size)
                        turns[variant.label].append(measured)
                        sums[variant.label] += measured["cpu_us"] / 2
                    seconds = time.monotonic() - start
                    own = sum(s.cpu_seconds() for s in servers.values()) - own
                    busy_after, stolen_after = cpu_times(self.server_cpu)
                    rounds.append(
                        {
                            "cpu_us": sums,
                            "other_load": max(0.0, (busy_after - busy - own) / seconds),
                            "stolen": (stolen_after - stolen) / seconds,
                        }
                    )
                    rounds_done += 1
        return {"variants": labels, "turns": turns, "rounds": rounds}

    def _starts(self, case):
        """Per variant: starts, each as Server.start() gives them, and rounds."""
        labels = [v.label for v in case.variants]
        starts = {label: [] for label in labels}
        rounds = []
        # Two starts each in a round.
        repeats = min(max(1, self.repeats // 2), case.repeats or self.repeats)
        for number in range(repeats):
            here = {label: [] for label in labels}
            begin = time.monotonic()
            busy, stolen = cpu_times(self.server_cpu)
            own = 0.0
            for variant in numbers.there_and_back(case.variants, number):
                with self.server(variant) as server:
                    started = server.start(
                        self.load, client=variant.client, expect=variant.expect, sni=variant.sni
                    )
                own += started["cpu_seconds"]
                here[variant.label].append(started)
                starts[variant.label].append(started)
            seconds = time.monotonic() - begin
            busy_after, stolen_after = cpu_times(self.server_cpu)
            rounds.append(
                {
                    **{
                        key: {
                            label: statistics.fmean(s[key] for s in here[label])
                            for label in labels
                        }
                        for key in ("seconds", "cpu_seconds", "rss")
                    },
                    "other_load": max(0.0, (busy_after - busy - own) / seconds),
                    "stolen": (stolen_after - stolen) / seconds,
                }
            )
        return {"variants": labels, "starts": starts, "rounds": rounds}

    def _defaults(self, case):
        """Per variant: whether a client gets an answer, and what came if not."""
        outcomes = {}
        for variant in case.variants:
            with self.server(variant) as server:
                try:
                    server.start(self.load, client=variant.client, sni=variant.sni)
                    self.load.run(
                        server.port,
                        client=variant.client,
                        connections=min(20, self.slice_size),
                        sni=variant.sni,
                    )
                    outcomes[variant.label] = {"works": True, "what": "200"}
                except Failure as failure:
                    # "load: expected 200, got connection closed"
                    what = str(failure).splitlines()[0].rpartition("got ")[2]
                    if "load: expected" not in str(failure):
                        raise
                    outcomes[variant.label] = {"works": False, "what": what}
        return {"variants": list(outcomes), "outcomes": outcomes}
