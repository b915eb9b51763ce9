"""Takes the measurements of one case.

run() gives a dict that is ready for JSON: "name", "kind", "title", "goals" as in
cases.py; "variants", the labels of those that were measured; "rounds", each with
"values" (label -> key -> number), "other_load" and "stolen"; "notes", why a
variant was not measured; and what a kind adds: "turns" (label -> list of turns),
"request_bytes" (label -> what the upstream gets), "singles", "outcomes".
"""

import contextlib
import dataclasses
import statistics
import time

from measure import cases as kinds
from measure import config, numbers
from measure.process import Failure, Late, Load, Server, cpu_times

# How a note on a variant that could not be measured begins.
FAILED = "**failed**: "
# Sessions that resumed connections take in turn.
_SESSIONS = 16
# How long after an update what it leaves behind may still be cleaned up.
_SETTLE_SECONDS = 0.3
_UPDATE_SECONDS = 150


def _first_line(failure):
    """What a reader of a table needs; a server's log may follow it."""
    return str(failure).strip().splitlines()[0][:160]


class Bench:
    """Everything a case needs to run."""

    def __init__(self, tools, folder, cpus, scale, upstream_port):
        self.tools = tools
        self.folder = folder
        self.server_cpu, self.load_cpu = cpus
        self.scale = scale
        self.upstream_port = upstream_port
        self._number = 0
        self._own = 0.0  # seconds of CPU that the servers used
        self._told = {}  # what the upstream got, by gateway

    def run(self, case):
        work = {
            kinds.CONNECTIONS: self._turns,
            kinds.REQUESTS: self._turns,
            kinds.MEMORY: self._memory,
            kinds.STARTS: self._starts,
            kinds.DEFAULTS: self._defaults,
            kinds.UPDATES: self._updates,
        }[case.kind]
        result = {
            "name": case.name, "kind": case.kind, "title": case.title,
            "goals": [dataclasses.asdict(g) for g in case.goals],
            "rounds": [], "notes": {},
        }
        variants = []
        for variant in case.variants:
            if self.tools.programs.get(variant.gateway.server):
                variants.append(variant)
            else:
                result["notes"][variant.label] = "not installed"
        work(case, variants, result)
        result["variants"] = [v.label for v in variants if v.label not in result["notes"]]
        return result

    # Servers with their clients.

    def _pair(self, stack, variant):
        """A Server and a Load, neither started nor asked."""
        self._number += 1
        server = stack.enter_context(
            Server(
                self.tools, variant.gateway, self.folder / ("server_%d" % self._number),
                self.server_cpu, self.upstream_port,
            )
        )
        load = stack.enter_context(
            Load(self.tools, self.load_cpu, server.port, **variant.load_options())
        )
        return server, load

    def _start_all(self, stack, variants, result, prepare):
        """{label: (server, load)}, each started, given to prepare(variant, load).

        One that fails before anything was measured is left out and noted, unless
        it is the first, which the others are compared with.
        """
        pairs = {}
        for variant in variants:
            if variant.label in result["notes"]:
                continue
            with contextlib.ExitStack() as own:
                server, load = self._pair(own, variant)
                try:
                    server.start(load, variant.limit)
                    prepare(variant, load)
                except Failure as failure:
                    if variant is variants[0] or result["rounds"]:
                        raise Failure("%s: %s" % (variant.label, failure)) from failure
                    result["notes"][variant.label] = FAILED + _first_line(failure)
                    continue
                stack.push(own.pop_all())
            pairs[variant.label] = (server, load)
        return pairs

    @contextlib.contextmanager
    def _round(self, result):
        """One entry of "rounds"; the body fills "values"."""
        entry = {"values": {}}
        self._own = 0.0
        begin = time.monotonic()
        busy, stolen = cpu_times(self.server_cpu)
        yield entry["values"]
        seconds = time.monotonic() - begin
        busy_after, stolen_after = cpu_times(self.server_cpu)
        entry["other_load"] = max(0.0, (busy_after - busy - self._own) / seconds)
        entry["stolen"] = (stolen_after - stolen) / seconds
        result["rounds"].append(entry)

    # Connections and requests.

    def _turns(self, case, variants, result):
        turns = result["turns"] = {}
        sizes = result["request_bytes"] = {}
        command, size = self._unit(case)
        rounds = case.rounds or self.scale.rounds
        sittings = min(case.sittings or self.scale.sittings, self.scale.sittings, rounds)

        def prepare(variant, load):
            told = self._what_the_upstream_gets(variant)
            if told is not None and variant.gateway.proxied:
                sizes[variant.label] = told
            self._warm_up(case, variant, load)

        for sitting in range(sittings):
            with contextlib.ExitStack() as stack:
                pairs = self._start_all(stack, variants, result, prepare)
                taking_part = [v.label for v in variants if v.label in pairs]
                last = (sitting + 1) * rounds // sittings
                for number in range(len(result["rounds"]), last):
                    with self._round(result) as values:
                        sums = dict.fromkeys(taking_part, 0.0)
                        for label in numbers.there_and_back(taking_part, number):
                            server, load = pairs[label]
                            try:
                                turn = self._turn(server, load, command, size)
                            except Failure as failure:
                                raise Failure(
                                    "%s: %s\n%s" % (label, failure, server.log()[-2000:])
                                ) from failure
                            turns.setdefault(label, []).append(turn)
                            sums[label] += turn["cpu_us"] / 2
                        values.update({k: {"cpu_us": v} for k, v in sums.items()})
                for _, load in pairs.values():
                    load.do("close")

    def _unit(self, case):
        """(command of the load program, how many in a turn)"""
        if case.kind == kinds.REQUESTS:
            return "request", self.scale.requests
        return "connect", self.scale.connections

    def _warm_up(self, case, variant, load):
        command, size = self._unit(case)
        if variant.resume:
            load.do("sessions", _SESSIONS)
        if case.kind == kinds.REQUESTS:
            load.do("open", 4)
        load.do(command, kinds.WARM_UP if size > 20 else size)

    @contextlib.contextmanager
    def prepared(self, case, variant):
        """(server, load, command) of one side, ready to be kept busy."""
        with contextlib.ExitStack() as stack:
            server, load = self._pair(stack, variant)
            server.start(load, variant.limit)
            self._warm_up(case, variant, load)
            yield server, load, self._unit(case)[0]

    def _turn(self, server, load, command, count):
        load.do(command, self.scale.before(count))
        time.sleep(0.005)
        before = server.cpu_seconds()
        answer = load.do(command, count)
        # Let the server see the last connection end.
        time.sleep(0.005)
        used = server.cpu_seconds() - before
        self._own += used
        return {
            "cpu_us": used / count * 1e6,
            "per_second": count / answer["seconds"],
            "busy": used / answer["seconds"],
            "latency_p50_ms": answer["latency_p50_ms"],
            "latency_p99_ms": answer["latency_p99_ms"],
            "alerts": answer["alerts"],
        }

    def _what_the_upstream_gets(self, variant):
        """Bytes of a request's head at the upstream; None if the variant tells
        nothing. That it does tell is checked, by a twin that proxies."""
        gateway = variant.gateway
        if gateway.dialect:
            header = config.DIALECTS[gateway.dialect][1]
        elif gateway.envoy_xfcc and gateway.judge == config.BUILT_IN:
            header = "x-forwarded-client-cert"
        elif gateway.peer_header:
            header = "ssl-client-cert"
        else:
            return None
        gateway = dataclasses.replace(gateway, proxied=True, h2=False)
        if gateway not in self._told:
            with contextlib.ExitStack() as stack:
                twin = dataclasses.replace(variant, gateway=gateway)
                server, load = self._pair(stack, twin)
                server.start(load, variant.limit)
                head = load.do("get", "/headers")["body"].lower()
            if "\r\n%s:" % header not in head:
                raise Failure("the upstream was not told %s" % header)
            self._told[gateway] = len(head)
        return self._told[gateway]

    # Memory of idle connections.

    def _memory(self, case, variants, result):
        rounds = min(case.rounds, self.scale.rounds)
        for number in range(rounds):
            with self._round(result) as values:
                order = numbers.there_and_back(variants, number)[: len(variants)]
                for variant in order:
                    with contextlib.ExitStack() as stack:
                        server, load = self._pair(stack, variant)
                        server.start(load, variant.limit)
                        load.do("connect", min(kinds.WARM_UP, self.scale.idle))
                        time.sleep(0.1)
                        before = server.memory()["rss"]
                        load.do("open", self.scale.idle)
                        time.sleep(0.1)
                        after = server.memory()["rss"]
                        load.do("close")
                        self._own += server.cpu_seconds()
                    values[variant.label] = {
                        "rss_before": before,
                        "per_connection": (after - before) / self.scale.idle,
                    }

    # Start-up.

    def _starts(self, case, variants, result):
        """Two starts each in a round, there and back; one where the rounds of a
        variant are counted."""
        result["singles"] = {v.label: v.single for v in variants if v.single}
        result["domains"] = max(v.gateway.domains for v in variants)
        notes = result["notes"]
        for number in range(max(1, min(case.rounds, self.scale.rounds))):
            every = [v for v in variants if v.label not in notes]
            few = [v for v in every if v.rounds is not None and number < v.rounds]
            rest = numbers.there_and_back([v for v in every if v.rounds is None], number)
            half = len(rest) // 2
            with self._round(result) as values:
                here = {}
                for variant in rest[:half] + few + rest[half:]:
                    with contextlib.ExitStack() as stack:
                        server, load = self._pair(stack, variant)
                        try:
                            started = server.start(load, variant.limit)
                        except Late:
                            notes[variant.label] = "not up within %.0f s" % variant.limit
                            continue
                        self._own += started["cpu_seconds"]
                    here.setdefault(variant.label, []).append(started)
                for label, starts in here.items():
                    values[label] = {
                        key: statistics.fmean(s[key] for s in starts)
                        for key in ("seconds", "cpu_seconds", "rss", "peak")
                    }

    def _defaults(self, case, variants, result):
        """Whether a client gets an answer, and what came if not."""
        outcomes = result["outcomes"] = {}
        for variant in variants:
            with contextlib.ExitStack() as stack:
                server, load = self._pair(stack, variant)
                try:
                    started = server.start(load, variant.limit)
                    load.do("connect", 20)
                    outcome = {"works": True, "what": "up in %.1f s" % started["seconds"]}
                except Late:
                    outcome = {"works": False, "what": "not up within %.0f s" % variant.limit}
                except Failure as failure:
                    # "load: expected 200, got connection closed"
                    what = _first_line(failure)
                    if "load: expected" in what:
                        what = "starts, then: " + what.rpartition("got ")[2]
                    outcome = {"works": False, "what": what}
            outcomes[variant.label] = outcome

    # Updates.

    def _updates(self, case, variants, result):
        """The client's CA leaves the truststore and comes back, in each round."""
        with contextlib.ExitStack() as stack:
            pairs = self._start_all(stack, variants, result, lambda *_: None)
            for number in range(min(case.rounds, self.scale.rounds)):
                every = [
                    v for v in variants
                    if v.label in pairs and (v.rounds is None or number < v.rounds)
                ]
                with self._round(result) as values:
                    for variant in numbers.there_and_back(every, number)[: len(every)]:
                        values[variant.label] = self._two_updates(variant, *pairs[variant.label])

    def _two_updates(self, variant, server, load):
        refusal = "403" if variant.gateway.judge == config.SALLYPORT else "refused"
        good = variant.gateway.truststore
        updates = []
        for truststore, outcome in ((good.replace("truststore", "other"), refusal), (good, "200")):
            before = server.cpu_by_thread()
            begin = server.replace_trust(truststore)
            changed = load.do("until", outcome, _UPDATE_SECONDS)
            time.sleep(_SETTLE_SECONDS)
            after = server.cpu_by_thread()
            self._own += sum(after.values()) - sum(before.values())
            updates.append(
                {
                    "seconds": (changed["at_ns"] - begin) / 1e9,
                    "main_seconds": after["main"] - before["main"],
                    "other_seconds": after["other"] - before["other"],
                }
            )
        return {key: statistics.fmean(u[key] for u in updates) for key in updates[0]}
