"""500 clients at once, four workers: no verdict lands on the wrong connection."""

import collections
import concurrent.futures
import random
import threading
import unittest

import gateway
from harness import backend
from harness import certificates
from harness import client
from harness import http2
from harness import wait

NUM_CLIENTS = 500
REQUESTS_EACH = 4
SEED = 20260722


class Concurrency(gateway.GatewayTest):
    concurrency = 4
    # 500 client threads leave a backend in this process no time to answer.
    backend_type = backend.BackendProcess

    @classmethod
    def domains(cls):
        return [
            cls.domain(
                mutual_tls={"forwarding": {"xfcc": {"subject": True}, "rfc9440": {"chain": True}}}
            )
        ]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        people, workshop = cls.people, cls.people.workshop
        # One key for all: openssl's key making is not what is tested here, and
        # certificates with one key are the easier ones to mix up.
        cls.key = workshop.make_key("everybody")
        rng = random.Random(SEED)
        plan = ["direct"] * 180 + ["branch"] * 120 + ["stranger"] * 100 + ["expired"] * 100
        assert len(plan) == NUM_CLIENTS
        rng.shuffle(plan)
        past = {
            "not_before": certificates.days_from_now(-9),
            "not_after": certificates.days_from_now(-1),
        }
        # What all threads need is made before they start.
        for authority in ("root", "issuing", "other_root"):
            getattr(people, authority)

        def make(number):
            kind = plan[number]
            name, subject = "c%d" % number, "/O=%s/CN=client-%d" % (kind, number)
            if kind == "direct":
                return workshop.client(name, subject, people.root, key=cls.key)
            if kind == "branch":
                return workshop.client(
                    name, subject, people.issuing, key=cls.key, send=[people.issuing]
                )
            if kind == "stranger":
                return workshop.client(
                    name, subject, people.other_root, key=cls.key, send=[people.other_root]
                )
            return workshop.client(name, subject, people.root, key=cls.key, **past)

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            cls.clients = list(zip(plan, pool.map(make, range(NUM_CLIENTS))))

    def test_each_client_gets_its_own_verdict(self):
        barrier = threading.Barrier(NUM_CLIENTS, timeout=120)
        wrong = []
        counts = collections.Counter()
        lock = threading.Lock()

        def act(number):
            kind, identity = self.clients[number]
            trusted = kind in ("direct", "branch")
            subject = 'Subject="CN=client-%d,O=%s"' % (number, kind)
            try:
                context = client.tls_context(
                    self.server.certificate, identity, ("1.2", "1.3")[number % 2]
                )
                barrier.wait()
                with self.connect(context=context, timeout=120) as connection:
                    # Everybody is connected before anybody asks.
                    barrier.wait()
                    for i in range(REQUESTS_EACH):
                        headers = (
                            ("x-number", str(number)),
                            ("client-cert", "forged"),
                            ("x-test-id", "%d-%d" % (number, i)),
                        )
                        response = connection.request(headers=headers)
                        if not trusted:
                            if response.status != 403 or response.body != gateway.FORBIDDEN:
                                return "%s %d got %s" % (kind, number, response)
                        else:
                            if response.status != 200:
                                return "%s %d got %s" % (kind, number, response)
                            received = response.received()
                            told = received.header("x-forwarded-client-cert")
                            if (
                                subject not in told
                                or identity_hash[number] not in told
                                or received.header("x-number") != str(number)
                            ):
                                return "%s %d was told as %s" % (kind, number, told)
                        with lock:
                            counts[kind, response.status] += 1
                return None
            except threading.BrokenBarrierError:
                return "%d: the others did not come" % number
            except Exception as error:  # pylint: disable=broad-except
                barrier.abort()
                return "%s %d: %r" % (kind, number, error)

        identity_hash = [
            "Hash=" + identity.fingerprint() for _, identity in self.clients
        ]
        threads = []
        for number in range(NUM_CLIENTS):
            thread = threading.Thread(
                target=lambda n=number: wrong.append(act(n)), daemon=True
            )
            threads.append(thread)
            thread.start()
        for thread in threads:
            thread.join(240)
        self.assertEqual(len(wrong), NUM_CLIENTS, "some clients did not finish")
        self.assertEqual([w for w in wrong if w], [])
        self.assertEqual(
            counts,
            {
                ("direct", 200): 180 * REQUESTS_EACH,
                ("branch", 200): 120 * REQUESTS_EACH,
                ("stranger", 403): 100 * REQUESTS_EACH,
                ("expired", 403): 100 * REQUESTS_EACH,
            },
        )
        # And the operator's log agrees, line by line.
        reasons = {"stranger": "UNTRUSTED_ISSUER", "expired": "EXPIRED"}
        wait.until(
            lambda: sum(1 for e in self.envoy.access_log() if e.get("id")) == 2000,
            "2000 lines in the access log",
            interval=0.2,
        )
        for entry in self.envoy.access_log():
            if not entry.get("id"):
                continue
            number = int(entry["id"].partition("-")[0])
            kind = self.clients[number][0]
            self.assertEqual(entry["reason"], reasons.get(kind, "TRUSTED"), entry)
            self.assertEqual(entry["subject"], "CN=client-%d,O=%s" % (number, kind))

    def test_streams_of_one_http_2_connection_are_one_client(self):
        with http2.Connection(
            self.port, self.server.certificate, self.people.direct
        ) as a, http2.Connection(
            self.port, self.server.certificate, self.people.second_partner
        ) as b:
            both = (
                (a, "Hash=" + self.people.direct.fingerprint()),
                (b, "Hash=" + self.people.second_partner.fingerprint()),
            )
            for _ in range(50):
                for connection, expected in both:
                    told = connection.request().header("x-forwarded-client-cert")
                    self.assertIn(expected, told)


if __name__ == "__main__":
    unittest.main()
