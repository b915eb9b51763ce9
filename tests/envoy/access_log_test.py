"""What nodes of a fleet write about connections and requests, and that this can
be changed while clients are connected."""

import json
import time
import unittest

import config_service
from harness import wait

OK = (200, "one")


class AccessLogTest(config_service.ConfigServiceTest):
    def lines(self, node):
        """The lines of the access log; a line that is no JSON is an error."""
        whole = node.log().split("\n")[:-1]
        return [json.loads(line) for line in whole if line.startswith("{")]

    def line(self, node, **fields):
        """The first line that has these fields; `user_agent` tells requests apart."""
        def found():
            return next((line for line in self.lines(node)
                         if all(line.get(k) == v for k, v in fields.items())), None)
        try:
            return wait.until(found, "a line with %s" % fields, 10)
        except TimeoutError:
            self.fail("no line has %s, of %s" % (fields, self.lines(node)[-5:]))

    def get(self, node, identity, name, path="/x?secret=1", domain="a.example.com", headers=()):
        """Makes a request that calls itself `name`."""
        with self.connect(node, identity, domain) as connection:
            return connection.request(path, headers=(("User-Agent", name), *headers))

    def one_node(self, *domains):
        self.simple(*domains)
        node = self.start_node("node-1")
        self.settle()
        self.expect(node, self.people.partner, OK, *domains[:1])
        return node


class WhoAndWhy(AccessLogTest):
    def test_a_request_says_who_came_and_what_was_asked_for(self):
        node = self.one_node()
        self.get(node, self.people.partner, "partner")
        line = self.line(node, user_agent="partner")
        partner = self.people.partner
        expected = {
            "kind": "request", "domain": "a.example.com", "host": "a.example.com",
            "method": "GET", "path": "/x", "protocol": "HTTP/1.1", "status": 200,
            "reason": "TRUSTED", "detail": None, "truststore": "partners@1",
            "fingerprint": partner.fingerprint(), "stage": "apis/orders/stages/prod",
            "route": "apis/orders/routes/all", "ended": None,
        }
        self.assertEqual({k: line[k] for k in expected}, expected)
        self.assertIn("CN=partner.example.org", line["subject"])
        self.assertIn("CN=partner.example.org", line["issuer"])
        self.assertTrue(line["client"].startswith("127.0.0.1:"), line)
        self.assertNotIn("secret", json.dumps(line))

    def test_a_refused_request_says_why(self):
        node = self.one_node()
        answer = self.get(node, self.people.stranger, "stranger")
        self.assertEqual(answer.status, 403)
        line = self.line(node, user_agent="stranger")
        self.assertEqual(
            (line["status"], line["reason"], line["fingerprint"], line["path"]),
            (403, "UNTRUSTED_ISSUER", self.people.stranger.fingerprint(), "/x"))
        self.assertIn("CN=stranger.example.org", line["subject"])
        self.assertTrue(line["detail"])
        self.assertIn("UNTRUSTED_ISSUER", line["details"])
        # And to the client nothing of it.
        self.assertNotIn(b"UNTRUSTED", answer.body)

    def test_a_handshake_that_failed_says_why(self):
        node = self.one_node()
        self.server.ask("domain", name="b.example.com", certificate="web",
                        truststores=["partners"], rejection="HANDSHAKE")
        self.server.ask("map", domain="b.example.com", api="orders")
        self.settle()
        self.expect(node, self.people.stranger, "refused", "b.example.com")
        line = self.line(node, kind="connection", domain="b.example.com",
                         reason="UNTRUSTED_ISSUER")
        self.assertIn("CERTIFICATE_VERIFY_FAILED", line["failure"])
        self.assertIn("UNTRUSTED_ISSUER", line["failure"])
        self.assertIn("CN=stranger.example.org", line["subject"])
        self.assertEqual(line["fingerprint"], self.people.stranger.fingerprint())

        self.expect(node, None, "refused")
        line = wait.until(lambda: next(
            (x for x in self.lines(node)
             if x["kind"] == "connection" and "CERTIFICATE" in (x["failure"] or "")
             and x["domain"] == "a.example.com"), None), "no certificate")
        self.assertIsNone(line["subject"])
        self.expect(node, self.people.partner, "refused", "c.example.com")
        line = self.line(node, domain="c.example.com")
        self.assertEqual((line["kind"], line["flags"]), ("connection", "NR"))

    def test_what_a_client_writes_breaks_no_line(self):
        node = self.one_node()
        names = ["\"},{\"status\":200,\"x\":\"", "\\", "\\u0000", "%REQ(COOKIE)%", "\t\x7f",
                 "\xff\xfe", "\xc3\xa9", "x" * 10000]
        for number, name in enumerate(names):
            with self.subTest(name=name[:20]):
                path = "/%d" % number
                status = self.get(node, self.people.partner, name, path).status
                if status == 400:  # nothing of it was read
                    line = self.line(node, kind="request", status=400)
                    continue
                line = self.line(node, kind="request", path=path)
                self.assertEqual(line["reason"], "TRUSTED")
                self.assertLessEqual(len(line["user_agent"]), 256)
        with self.connect(node, self.people.partner) as connection:
            connection.request("/\xff\"\\")
        with self.connect(node, self.people.partner) as connection:
            connection.request("/" + "y" * 20000, headers=(("User-Agent", "long"),))
        self.assertEqual(len(self.line(node, user_agent="long")["path"]), 1024)

    def test_a_client_cannot_say_which_path_is_written(self):
        node = self.one_node()
        for who in (self.people.partner, self.people.stranger):
            name = "spoof" + str(who is self.people.partner)
            self.get(node, who, name, "/real",
                     headers=(("X-Envoy-Original-Path", "/other"),))
            self.assertEqual(self.line(node, user_agent=name)["path"], "/real")


class Switching(AccessLogTest):
    def drains(self, node):
        stats = node.stats("listener_manager.")
        return {k: stats["listener_manager." + k] for k in (
            "listener_added", "listener_modified", "listener_removed", "listener_in_place_updated",
            "total_listeners_draining", "total_filter_chains_draining")}

    def test_off_and_on_closes_no_connection_of_any_domain(self):
        domains = ("a.example.com", "b.example.com")
        node = self.one_node(*domains)
        connections = [self.connect(node, self.people.partner, d) for d in domains]
        for connection in connections:
            self.addCleanup(connection.close)

        def ask(name, status=200, path="/x"):
            for connection in connections:
                response = connection.request(path, headers=(("User-Agent", name),))
                self.assertEqual(response.status, status)
                self.assertIsNone(response.header("connection"))

        ask("before")
        self.line(node, user_agent="before", domain="b.example.com")
        before = self.drains(node)
        count = {}
        for round_number, fleet in enumerate((
                {"access_log": "OFF"}, {}, {"min_status": 400}, {"access_log": "OFF"}, {})):
            self.server.ask("fleet", id="default", **fleet)
            self.settle()
            # Workers hear of it a moment later.
            want = not fleet

            def heard():
                name = "probe-%d-%d" % (round_number, len(count))
                count[name] = True
                ask(name)
                time.sleep(0.1)  # longer than lines are held back
                return any(x.get("user_agent") == name for x in self.lines(node)) == want
            wait.until(heard, "the log is %s" % fleet, 10)
            self.get_refused_line(node, "refused-%d" % round_number,
                                  written=fleet.get("access_log") != "OFF")
        # Longer than Envoy would wait before it closes what it drains (1 s).
        until = time.monotonic() + 2
        while time.monotonic() < until:
            ask("after")
            time.sleep(0.05)
        self.assertEqual(self.drains(node), before)

    def get_refused_line(self, node, name, written):
        self.get(node, self.people.stranger, name)
        if written:
            self.assertEqual(self.line(node, user_agent=name)["status"], 403)
            return
        time.sleep(0.1)
        self.assertEqual([x for x in self.lines(node) if x.get("user_agent") == name], [])

    def test_of_each_fleet_on_its_own(self):
        self.server.ask("fleet", id="edge", access_log="OFF")
        self.simple()
        self.server.ask("domain", name="b.example.com", certificate="web",
                        truststores=["partners"], fleets=["edge"])
        self.server.ask("map", domain="b.example.com", api="orders")
        nodes = {"a.example.com": self.start_node("node-1"),
                 "b.example.com": self.start_node("node-2", fleet="edge")}
        self.settle()
        for domain, node in nodes.items():
            self.expect(node, self.people.partner, OK, domain)
            self.get(node, self.people.partner, "one", domain=domain)
        self.line(nodes["a.example.com"], user_agent="one")
        time.sleep(0.1)
        self.assertEqual(self.lines(nodes["b.example.com"]), [])


if __name__ == "__main__":
    unittest.main()
