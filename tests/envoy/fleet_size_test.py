"""What a change costs a real Envoy, and whom it touches, in a fleet of many
domains: one is added, changed, removed; a truststore of one domain, and of all,
gets another version.

FLEET_DOMAINS (default: few) and FLEET_REPEATS come from the environment. With
1,000 and more the goals for CPU count too; bench/xds/README.md has results:

  bazel test //tests/envoy:fleet_size_test --test_env=FLEET_DOMAINS=5000 \\
    --test_env=FLEET_REPEATS=5 --test_timeout=1800 --test_output=all
"""

import os
import pathlib
import statistics
import time
import unittest

import config_service

DOMAINS = int(os.environ.get("FLEET_DOMAINS", "40"))
REPEATS = int(os.environ.get("FLEET_REPEATS", "2"))
OPEN = 20
# Goals: CPU of Envoy's main thread, in milliseconds, for a domain that comes,
# changes or goes; what a truststore of all domains may cost beside one of one
# domain, and what it may take to point each domain at the new content.
GOAL_MS = 100
GOAL_TRUSTSTORE = 1.5
GOAL_DOMAIN_MS = 0.002
ENOUGH = 1000


def name_of(i):
    return "d%05d.example.com" % i


class FleetSizeTest(config_service.ConfigServiceTest):
    def main_thread_ms(self):
        pid = self.node.process.pid
        text = pathlib.Path("/proc/%d/task/%d/schedstat" % (pid, pid)).read_text(encoding="ascii")
        return int(text.split()[0]) / 1e6

    def quiet(self):
        """CPU of the main thread once it has nothing more to do but its own ticks."""
        before = self.main_thread_ms()
        for _ in range(200):
            time.sleep(0.2)
            now = self.main_thread_ms()
            if now - before < 2:
                return now
            before = now
        raise AssertionError("Envoy's main thread never rests")

    def settle(self):
        waited = self.server.settle(300)
        self.assertTrue(waited["complete"], waited)
        self.assertEqual(waited["refusals"], [])
        return waited

    def start_fleet(self):
        self.server.certificate("web", self.wild)
        # One for all domains but the last, which has its own.
        for truststore in ("partners", "lonely"):
            self.server.ask("truststore", id=truststore, pem=self.people.partner.pem())
        self.server.ask("api", id="orders", body="one")
        self.server.ask("api", id="other", body="two")
        for i in range(DOMAINS):
            truststore = "lonely" if i == DOMAINS - 1 else "partners"
            self.server.ask(
                "domain", name=name_of(i), certificate="web", truststores=[truststore])
            self.server.ask("map", domain=name_of(i), api="orders")
        self.node = self.start_node("node-1", timeout=30.0 + DOMAINS / 20)
        self.settle()
        self.expect(self.node, self.people.partner, (200, "one"), name_of(0), self.wild)

    def listeners(self):
        stats = self.node.stats("listener_manager.")
        return {
            name: stats["listener_manager." + name]
            for name in ("total_listeners_draining", "listener_create_failure",
                         "total_listeners_warming")
        }

    def open_connections(self):
        """To domains all over the fleet, each with an answered request."""
        connections = []
        for i in range(0, DOMAINS - 2, max(1, (DOMAINS - 2) // OPEN)):
            connection = self.connect(self.node, self.people.partner, name_of(i), self.wild)
            self.addCleanup(connection.close)
            connections.append((name_of(i), connection))
            self.assertEqual(connection.request("/x").status, 200)
        return connections

    def test_a_change_costs_little_and_touches_nobody_else(self):
        self.start_fleet()
        connections = self.open_connections()
        costs = {}

        def measured(what, *commands):
            before = self.quiet()
            for verb, values in commands:
                self.server.ask(verb, **values)
            self.settle()
            costs.setdefault(what, []).append(self.quiet() - before)
            for domain, connection in connections:
                response = connection.request("/x")
                self.assertEqual(response.status, 200, "%s after %s" % (domain, what))

        new = "new.example.com"
        changed = name_of(DOMAINS - 2)
        for repeat in range(REPEATS):
            measured(
                "add",
                ("domain", {"name": new, "certificate": "web", "truststores": ["partners"]}),
                ("map", {"domain": new, "api": "orders"}),
            )
            self.expect(self.node, self.people.partner, (200, "one"), new, self.wild)
            # Its chain is another one now: its connections go, and only they.
            with self.connect(self.node, self.people.partner, changed, self.wild) as old:
                self.assertEqual(old.request("/x").status, 200)
                measured("change", ("domain", {
                    "name": changed, "certificate": "web", "truststores": ["partners"],
                    "rejection": ("BAD_REQUEST", "FORBIDDEN")[repeat % 2],
                }))
                self.assertTrue(self.is_closed(old), "the changed domain's own connection")
            measured("route", ("map", {"domain": changed, "api": ("other", "orders")[repeat % 2]}))
            self.expect(
                self.node, self.people.partner, (200, ("two", "one")[repeat % 2]), changed,
                self.wild)
            measured("remove", ("delete", {"key": "domainNames.apiMappings/%s/all" % new}),
                     ("delete", {"key": "domainNames/" + new}))
            self.expect(self.node, self.people.partner, "refused", new, self.wild)
            # Another content, in which the clients of the open connections still are.
            pem = self.people.partner.pem() + self.second.pem() * (repeat % 2 == 0)
            measured("truststore of one", ("truststore", {"id": "lonely", "pem": pem}))
            measured("truststore of all", ("truststore", {"id": "partners", "pem": pem}))

        # It counts for those who are connected: without a handshake they are judged anew.
        self.server.ask("truststore", id="partners", pem=self.second.pem())
        self.settle()
        for _, connection in connections:
            self.assertEqual(connection.request("/x").status, 403)
        self.assertEqual(set(self.listeners().values()), {0})

        print("%d domains; CPU of Envoy's main thread in ms, least / median of %d:"
              % (DOMAINS, REPEATS))
        for what, values in costs.items():
            print("  %-20s %6.1f / %6.1f" % (what, min(values), statistics.median(values)))
        if DOMAINS < ENOUGH:
            return
        for what in ("add", "change", "route", "remove"):
            self.assertLess(statistics.median(costs[what]), GOAL_MS, what)
        self.assertLess(
            statistics.median(costs["truststore of all"]),
            GOAL_TRUSTSTORE * statistics.median(costs["truststore of one"])
            + GOAL_DOMAIN_MS * DOMAINS,
        )

    def is_closed(self, connection):
        """Whether Envoy ends it within its drain time."""
        connection.socket.settimeout(10)
        try:
            return connection.socket.recv(1) == b""
        except TimeoutError:
            return False
        except OSError:
            return True


if __name__ == "__main__":
    unittest.main()
