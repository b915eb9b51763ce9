"""What is stored is in force in two real Envoys: domains that come, change and
go, trust, refusals, restarts and fleets."""

import pathlib
import re
import subprocess
import threading
import time
import unittest

import config_service
from harness import envoy
from harness import wait

OK = (200, "one")
FORBIDDEN = (403, '{"message":"Forbidden"}')


class Domains(config_service.ConfigServiceTest):
    def test_a_domain_comes_changes_and_goes(self):
        self.simple()
        nodes = self.start_two()
        self.settle()
        partner, stranger = self.people.partner, self.people.stranger
        for node in nodes:
            self.expect(node, partner, OK)
            self.expect(node, stranger, FORBIDDEN)
            self.expect(node, partner, "refused", "b.example.com")

        self.serve("b.example.com")
        self.settle()
        for node in nodes:
            self.expect(node, partner, OK, "b.example.com")
        self.server.ask("api", id="orders", body="two")
        self.settle()
        for node in nodes:
            self.expect(node, partner, (200, "two"), "b.example.com")

        self.server.unmap_and_delete("b.example.com")
        self.settle()
        for node in nodes:
            self.expect(node, partner, "refused", "b.example.com")
            self.expect(node, partner, (200, "two"))
        # And again: what is left of the first does no harm.
        self.serve("b.example.com")
        self.settle()
        for node in nodes:
            self.expect(node, partner, (200, "two"), "b.example.com")

    def test_another_certificate_is_shown_without_a_gap(self):
        self.simple()
        self.server.certificate("second", self.second)
        nodes = self.start_two()
        self.settle()
        seen = []
        stop = threading.Event()

        def look():
            while not stop.is_set():
                try:
                    with self.connect(nodes[0], self.people.partner, server=self.web):
                        seen.append("web")
                except Exception as error:  # the other certificate is not trusted
                    if "CERTIFICATE_VERIFY_FAILED" not in str(error):
                        seen.append(str(error))
                        continue
                    seen.append("second")

        thread = threading.Thread(target=look)
        thread.start()
        try:
            wait.until(lambda: seen.count("web") > 5, "connections")
            self.serve("a.example.com", certificate="second")
            self.settle()
            wait.until(lambda: seen[-5:] == ["second"] * 5, "the other certificate")
        finally:
            stop.set()
            thread.join()
        self.assertEqual(set(seen), {"web", "second"})
        first = seen.index("second")
        self.assertNotIn("web", seen[first:])

    def subject(self, node, name):
        """Whom `openssl s_client` meets, by the certificate's subject."""
        done = subprocess.run(
            ["openssl", "s_client", "-connect", "127.0.0.1:%d" % node.port("https"),
             "-servername", name, "-cert", str(self.people.partner.chain),
             "-key", str(self.people.partner.key)],
            input="", capture_output=True, text=True, timeout=20, check=False,
        )
        match = re.search(r"^subject=(.*)$", done.stdout, re.MULTILINE)
        return match.group(1).replace(" ", "") if match else None

    def test_from_a_name_to_a_wildcard_never_shows_the_wrong_certificate(self):
        self.simple()
        nodes = self.start_two()
        self.settle()
        seen = {name: [] for name in ("a.example.com", "z.example.com")}
        stop = threading.Event()

        def look(name):
            while not stop.is_set():
                seen[name].append(self.subject(nodes[1], name))

        threads = [threading.Thread(target=look, args=(name,)) for name in seen]
        for thread in threads:
            thread.start()
        try:
            wait.until(lambda: all(len(s) > 2 for s in seen.values()), "handshakes")
            # The wildcard comes; the name is still the more specific one.
            self.server.certificate("wild", self.wild)
            self.serve("*.example.com", certificate="wild")
            self.settle()
            wait.until(lambda: seen["z.example.com"][-1] == "CN=*.example.com", "the wildcard")
            start = len(seen["a.example.com"])
            wait.until(lambda: len(seen["a.example.com"]) > start + 3, "more handshakes")
            self.assertEqual(set(seen["a.example.com"]), {"CN=a.example.com"})
            # The name goes; the wildcard takes over.
            self.server.unmap_and_delete("a.example.com")
            self.settle()
            wait.until(lambda: seen["a.example.com"][-1] == "CN=*.example.com", "the wildcard")
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertEqual(set(seen["a.example.com"]), {"CN=a.example.com", "CN=*.example.com"})
        # Nothing, then the wildcard; never what belongs to the name.
        self.assertEqual(set(seen["z.example.com"]), {None, "CN=*.example.com"})


# Longer than any test: what happens does not wait for it.
DRAIN_SECONDS = 600
MISDIRECTED = (421, '{"message":"Misdirected Request"}')


class Withdrawn(config_service.ConfigServiceTest):
    """What was deleted answers nobody, though Envoy drains it for long."""

    def start_draining_nodes(self):
        return [self.start_node(name, drain_seconds=DRAIN_SECONDS)
                for name in ("node-1", "node-2")]

    def open(self, node, identity, domain, server):
        connection = self.connect(node, identity, domain, server)
        self.addCleanup(connection.close)
        return connection

    def on(self, connection, host=None):
        response = connection.request("/x", host=host)
        return response.status, response.body.decode()

    def expect_on(self, connection, answer, host=None):
        """Workers hear of a change a moment after it was acknowledged."""
        try:
            wait.until(lambda: self.on(connection, host) == answer, "x", 3)
        except TimeoutError:
            self.assertEqual(self.on(connection, host), answer)

    def test_a_deleted_name_falls_to_its_wildcard_at_once(self):
        self.simple()
        self.server.certificate("wild", self.wild)
        self.server.ask("api", id="wide", body="wide")
        self.server.ask("truststore", id="guests", pem=self.people.stranger.pem())
        self.server.ask("domain", name="*.example.com", certificate="wild", truststores=["guests"])
        self.server.ask("map", domain="*.example.com", api="wide")
        nodes = self.start_draining_nodes()
        self.settle()
        partner, guest = self.people.partner, self.people.stranger
        wide = [self.open(node, guest, "z.example.com", self.wild) for node in nodes]
        own = [self.open(node, partner, "a.example.com", self.web) for node in nodes]
        for _ in range(2):
            for connection in wide:
                self.expect_on(connection, (200, "wide"))
                self.expect_on(connection, MISDIRECTED, "a.example.com")
            for connection in own:
                self.expect_on(connection, OK)

            self.server.unmap_and_delete("a.example.com")
            self.settle()
            for node, connection in zip(nodes, wide):
                self.expect_on(connection, (200, "wide"), "a.example.com")
                self.expect(node, guest, (200, "wide"), "a.example.com", self.wild)
                # By the trust of the wildcard, not by its own of before.
                self.expect(node, partner, FORBIDDEN, "a.example.com", self.wild)
            for connection in own:
                self.expect_on(connection, MISDIRECTED)

            # It comes back, while its first chain is still there.
            self.serve("a.example.com")
            self.settle()
            for node in nodes:
                self.expect(node, partner, OK)
        for node in nodes:
            self.assertGreater(
                node.stats().get("listener_manager.total_filter_chains_draining", 0), 0)

    def test_default_endpoints_that_are_switched_off_answer_nobody(self):
        self.server.certificate("web", self.web)
        self.server.certificate("wild", self.wild)
        self.partners(self.people.partner)
        self.server.ask("api", id="orders", body="one")
        self.server.ask(
            "fleet", id="default", suffix="example.com", suffix_certificate="wild")
        nodes = self.start_draining_nodes()
        self.settle()
        on_api = [self.open(node, None, "orders.example.com", self.wild) for node in nodes]
        for connection in on_api:
            wait.until(lambda: self.on(connection)[0] in (200, 403), "an answer", 5)
        # A domain below the suffix comes and goes.
        self.serve("a.example.com")
        self.settle()
        for connection in on_api:
            self.expect_on(connection, MISDIRECTED, "a.example.com")
        self.server.unmap_and_delete("a.example.com")
        self.settle()
        for connection in on_api:
            self.expect_on(connection, FORBIDDEN, "a.example.com")
        self.server.ask("fleet", id="default")
        self.settle()
        for node, connection in zip(nodes, on_api):
            self.expect_on(connection, MISDIRECTED)
            self.expect(node, None, "refused", "orders.example.com", self.wild)


class Trust(config_service.ConfigServiceTest):
    def test_an_update_reaches_open_connections_of_both_nodes_within_a_second(self):
        domains = ("a.example.com", "b.example.com", "c.example.com")
        self.simple(*domains)
        nodes = self.start_two()
        self.settle()
        partner, second = self.people.partner, self.people.second_partner
        connections = [
            (self.connect(node, who, domain), who)
            for node in nodes for domain in domains for who in (partner, second)
        ]
        for connection, _ in connections:
            self.addCleanup(connection.close)

        def statuses(who):
            return {c.request("/x").status for c, w in connections if w is who}

        self.assertEqual((statuses(partner), statuses(second)), ({200}, {403}))
        before = [n.stats("listener_manager").get("listener_manager.listener_modified")
                  for n in nodes]

        began = time.monotonic()
        self.partners(second)
        wait.until(
            lambda: (statuses(partner), statuses(second)) == ({403}, {200}),
            "the new truststore", timeout=10, interval=0.005,
        )
        self.assertLess(time.monotonic() - began, 1.0)
        # No listener was made anew.
        self.assertEqual(before, [
            n.stats("listener_manager").get("listener_manager.listener_modified")
            for n in nodes
        ])
        self.settle()


class Nodes(config_service.ConfigServiceTest):
    def test_an_unchanged_node_gets_nothing_new_from_a_restarted_service(self):
        self.simple("a.example.com", "b.example.com")
        nodes = self.start_two()
        self.settle()

        def updates():
            # Without clusters the answer that there are none is sent again.
            return [
                {k: v for k, v in n.stats().items()
                 if k.endswith("update_success") and not k.startswith("cluster_manager")}
                for n in nodes
            ]

        before = updates()
        port = self.server.port
        self.server.stop()
        for node in nodes:
            self.expect(node, self.people.partner, OK)
        self.server = config_service.ConfigServer(self.folder / "data", port)
        wait.until(
            lambda: [n["connected"] for n in self.server.ask("nodes")["nodes"]] == [True, True],
            "both nodes are back", 60,
        )
        wait.until(lambda: self.server.ask("wait", revision=1, seconds=1)["complete"],
                   "both have everything", 30)
        self.assertEqual(updates(), before)
        # They follow it.
        self.serve("c.example.com")
        self.settle()
        for node in nodes:
            self.expect(node, self.people.partner, OK, "c.example.com")

    def test_a_node_that_starts_while_the_service_is_gone_serves_when_it_is_back(self):
        self.simple()
        port = self.server.port
        self.server.stop()
        done = threading.Event()

        def come_back():
            # A process ends with the thread that started it.
            self.server = config_service.ConfigServer(self.folder / "data", port)
            done.wait()

        thread = threading.Thread(target=come_back)

        def end():
            done.set()
            thread.join()

        self.addCleanup(end)
        thread.start()
        node = self.start_node("late")
        wait.until(lambda: "https" in node.admin("/listeners")[1], "the port", 30)
        self.expect(node, self.people.partner, OK)

    def test_what_all_nodes_refuse_leaves_what_was_there_and_says_so(self):
        self.simple("a.example.com", "c.example.com")
        nodes = self.start_two()
        self.settle()
        # The module takes no such list.
        self.server.ask("revocation_list", id="bad", content="nothing of the kind")
        self.server.ask("truststore", id="strict", pem=self.people.partner.pem(),
                        revocation_lists=["bad"])
        # A new domain, one that changes to it, and one that is as it should be.
        for name in ("new.example.com", "a.example.com"):
            self.server.ask("map", domain=name, api="orders")
            self.server.ask("domain", name=name, certificate="web",
                            truststores=["strict"], rejection="BAD_REQUEST")
        self.serve("b.example.com")
        began = time.monotonic()
        wait.until(
            lambda: [self.ask(n, self.people.partner, "b.example.com") for n in nodes] == [OK] * 2,
            "the good domain",
        )
        # It does not wait for what will not come.
        self.assertLess(time.monotonic() - began, 4)
        for domain in ("a.example.com", "new.example.com"):
            wait.until(
                lambda: re.search(
                    "node node-. refuses revocation-lists/bad: Failed to initialize",
                    self.server.ask("problem", domain=domain)["problem"],
                ),
                "the reason",
            )
        for node in nodes:
            for name in ("a.example.com", "b.example.com", "c.example.com"):
                self.expect(node, self.people.partner, OK, name)
            self.expect(node, self.people.stranger, FORBIDDEN)
            self.expect(node, self.people.partner, "refused", "new.example.com")
        waited = self.server.settle(5)
        self.assertFalse(waited["complete"])
        self.assertEqual({r["cause"] for r in waited["refusals"]}, {"revocationLists/bad"})
        self.assertIn("sallyport_xds_held_domains 2\n", self.server.ask("metrics")["text"])

        self.server.ask("truststore", id="strict", pem=self.people.partner.pem())
        wait.until(
            lambda: self.ask(nodes[0], self.people.partner, "new.example.com") == OK,
            "the new domain",
        )
        self.settle()
        for node in nodes:
            self.assertEqual(self.ask(node, self.people.stranger)[0], 400)
        self.assertIn("sallyport_xds_held_domains 0\n", self.server.ask("metrics")["text"])
        self.assertEqual(self.server.ask("problem", domain="a.example.com")["problem"], "")

    def test_routes_that_all_nodes_refuse_leave_the_last_ones_in_force(self):
        self.simple("a.example.com", "b.example.com")
        nodes = self.start_two()
        self.settle()
        # Longer than Envoy takes.
        self.server.ask("api", id="long", body="x" * 5000)
        self.server.ask("map", domain="a.example.com", api="long")
        waited = self.server.settle()
        self.assertFalse(waited["complete"])
        self.assertEqual({r["cause"] for r in waited["refusals"]}, {"domainNames/a.example.com"})
        for node in nodes:
            self.expect(node, self.people.partner, OK)
        self.assertIn("sallyport_xds_refusing_nodes 2\n", self.server.ask("metrics")["text"])
        self.assertRegex(self.server.log(), "refuses RouteConfiguration.*response body size")
        self.server.ask("api", id="orders", body="two")
        wait.until(
            lambda: self.ask(nodes[1], self.people.partner, "b.example.com") == (200, "two"),
            "another domain's change",
        )
        self.server.ask("map", domain="a.example.com", api="orders")
        self.settle()
        for node in nodes:
            self.expect(node, self.people.partner, (200, "two"))

    def test_what_cannot_be_right_is_sent_to_nobody(self):
        self.simple("a.example.com", "b.example.com")
        nodes = self.start_two()
        self.settle()
        key = pathlib.Path(self.web.key).read_text(encoding="ascii")
        self.server.ask("server_certificate", id="broken", chain=self.second.pem(), key=key)
        self.serve("a.example.com", certificate="broken")
        self.server.ask("truststore", id="partners", pem="nothing of the kind")
        self.settle()
        for node in nodes:
            for name in ("a.example.com", "b.example.com"):
                self.expect(node, self.people.partner, OK, name)
                self.expect(node, self.people.stranger, FORBIDDEN, name)
        wait.until(
            lambda: self.server.ask("problem", domain="a.example.com")["problem"]
            == "serverCertificates/broken: its private key is another certificate's; "
            "what was in force before stays",
            "the reason",
        )
        # Of this one everything is right but what it needs.
        wait.until(
            lambda: self.server.ask("problem", domain="b.example.com")["problem"]
            == "truststores/partners: truststores/partners/versions/2 cannot be read; "
            "what was in force before stays",
            "the reason",
        )
        self.assertIn("sallyport_xds_problems 4\n", self.server.ask("metrics")["text"])
        self.assertNotIn("refuses", self.server.log())
        self.server.certificate("broken", self.second)
        self.partners(self.people.second_partner)
        self.settle()
        self.expect(nodes[0], self.people.second_partner, OK, server=self.second)
        self.expect(nodes[1], self.people.partner, FORBIDDEN, server=self.second)

    def test_what_cannot_be_shown_says_why_and_leaves_the_rest_alone(self):
        self.simple()
        (node,) = [self.start_node("node-1")]
        self.settle()
        self.server.ask("domain", name="b.example.com", certificate="none",
                        truststores=["partners"])
        self.settle()
        wait.until(
            lambda: self.server.ask("problem", domain="b.example.com")["problem"]
            == "serverCertificates/none: is not there", "the problem",
        )
        self.expect(node, self.people.partner, "refused", "b.example.com")
        self.expect(node, self.people.partner, OK)


class Fleets(config_service.ConfigServiceTest):
    def test_a_node_gets_its_fleets_domains_and_nothing_of_others(self):
        self.simple()
        self.server.ask("fleet", id="edge")
        self.server.certificate("second", self.second)
        self.server.ask("truststore", id="others", pem=self.people.second_partner.pem())
        self.server.ask("domain", name="b.example.com", certificate="second",
                        truststores=["others"], fleets=["edge"])
        self.server.ask("map", domain="b.example.com", api="orders")
        inner, edge = self.start_node("inner"), self.start_node("edge-1", "edge")
        self.settle()
        second = self.people.second_partner
        self.expect(inner, self.people.partner, OK)
        self.expect(inner, second, "refused", "b.example.com")
        self.expect(edge, second, OK, "b.example.com", self.second)
        self.expect(edge, self.people.partner, "refused")
        for node, names, others in (
            (inner, ("server-certificates/web", "truststores/partners"), ("second", "others")),
            (edge, ("server-certificates/second", "truststores/others"), ("web", "partners")),
        ):
            dump = node.admin("/config_dump?include_eds")[1]
            for name in names:
                self.assertIn(name, dump)
            for name in others:
                self.assertNotIn("/" + name, dump)
        self.assertNotIn("PRIVATE KEY", edge.admin("/config_dump")[1])


class Identity(config_service.ConfigServiceTest):
    tls = True

    def issue(self, fleet, node):
        return self.server.ask("issue", fleet=fleet, node=node)

    def test_a_node_is_who_its_certificate_says(self):
        self.simple()
        node = self.start_node("node-1", issued=self.issue("default", "node-1"))
        self.settle()
        self.expect(node, self.people.partner, OK)
        (known,) = self.server.ask("nodes")["nodes"]
        self.assertEqual(known["name"], "fleets/default/nodes/node-1")

    def test_who_proves_nothing_or_something_else_gets_nothing(self):
        self.simple()
        self.server.ask("fleet", id="edge")
        of_edge = self.issue("edge", "node-1")
        stranger = self.people.stranger
        for name, fleet, issued in (
            # None at all; one of another CA; another fleet; another node.
            ("none", "default", {"ca": of_edge["ca"]}),
            ("foreign", "default", {
                "ca": of_edge["ca"], "chain": stranger.pem(),
                "key": pathlib.Path(stranger.key).read_text(encoding="ascii")}),
            ("node-1", "default", of_edge),
            ("node-2", "edge", of_edge),
        ):
            with self.subTest(name=name):
                config = config_service.with_tls(
                    config_service.bootstrap(self.server.port, name, fleet), issued)
                folder = self.folder / ("refused-" + name)
                node = envoy.Envoy(config, folder)
                self.addCleanup(node.stop)
                # It does not come up: it waits for what it will not get.
                with self.assertRaises(envoy.DidNotStart):
                    node.start(timeout=2)
                self.assertNotIn("domains/a.example.com", node.log())
        self.assertEqual(self.server.ask("nodes")["nodes"], [])
        for reason in ("The certificate is of fleet", "The certificate is node", "Handshake failed"):
            self.assertIn(reason, self.server.log())


if __name__ == "__main__":
    unittest.main()
