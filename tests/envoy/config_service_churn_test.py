"""Clients hammer every domain while everything changes at random: each answer
is the one from before the change or the one from after it, never a third.

What changes: domains come and go, show another certificate, trust other
truststores, are mapped to other APIs, with and without a list of those who may;
contents of truststores, certificates and APIs. Up to four domains change at a
time.
"""

import collections
import dataclasses
import os
import random
import ssl
import threading
import time
import unittest

import config_service
from harness import client

CHANGES = int(os.environ.get("CHURN_CHANGES", "300"))
SECONDS = float(os.environ.get("CHURN_SECONDS", "30"))
DOMAINS = ("a.example.com", "b.example.com", "c.example.com", "new.example.com",
           "*.more.example.com")
HOST = {domain: domain.replace("*", "wild") for domain in DOMAINS}
# An acknowledged change reaches Envoy's workers a little later.
GRACE = 1.0
# Open connections of a chain that is gone are served so long (--drain-time-s).
DRAIN = 1.5
REFUSED = "refused"


@dataclasses.dataclass(frozen=True)
class Domain:
    certificate: str
    truststores: tuple
    api: str
    lists: tuple


class World:
    """What is asked for, and what each client is to see of it."""

    def __init__(self, people):
        self.people = people
        self.truststores = {}  # name: set of people
        self.lists = {}
        self.apis = {}
        self.certificates = {}
        self.domains = {}

    def answer(self, domain, person):
        asked = self.domains.get(domain)
        if asked is None:
            return REFUSED
        certificate = self.certificates[asked.certificate]
        if not any(person in self.truststores[t] for t in asked.truststores):
            return (403, certificate)
        if asked.lists and not any(person in self.lists[l] for l in asked.lists):
            return (403, certificate)
        return (self.apis[asked.api], certificate)

    def answers(self):
        return {(d, p): self.answer(d, p) for d in DOMAINS for p in self.people}


class Churn(config_service.ConfigServiceTest):
    names = DOMAINS

    def setUp(self):
        super().setUp()
        self.random = random.Random(int(os.environ.get("CHURN_SEED", "1")))
        people = self.people
        self.persons = {
            "partner": people.partner, "second": people.second_partner,
            "stranger": people.stranger,
        }
        self.shown = {"web": self.web, "second": self.second}
        self.by_der = {identity.der(): name for name, identity in self.shown.items()}
        self.world = World(tuple(self.persons))
        self.lock = threading.Lock()
        # (domain, person): [(answer, from when, until when)], the newest last.
        self.history = collections.defaultdict(list)
        self.wrong = []
        self.requests = collections.Counter()
        self.stopping = threading.Event()

    # Changes.

    def some(self, names, least):
        names = sorted(names)
        return tuple(self.random.sample(names, self.random.randint(least, len(names))))

    def set_truststore(self, name):
        members = set(self.some(self.persons, 1))
        self.world.truststores[name] = members
        return lambda: self.server.ask(
            "truststore", id=name, pem="".join(self.persons[m].pem() for m in sorted(members))
        )

    def set_list(self, name):
        """Lists only grow and shrink as a whole: a new one each time."""
        members = set(self.some(self.persons, 1))
        self.world.lists[name] = members
        return lambda: self.server.ask(
            "list", id=name,
            sha256=[self.persons[m].fingerprint() for m in sorted(members)],
        )

    def set_certificate(self, name):
        shown = self.random.choice(sorted(self.shown))
        self.world.certificates[name] = shown
        return lambda: self.server.certificate(name, self.shown[shown])

    def set_api(self, name):
        body = "%s-%d" % (name, self.random.randrange(10**6))
        self.world.apis[name] = body
        return lambda: self.server.ask("api", id=name, body=body)

    def set_domain(self, name):
        asked = Domain(
            self.random.choice(sorted(self.world.certificates)),
            self.some(self.world.truststores, 1),
            self.random.choice(sorted(self.world.apis)),
            self.some(self.world.lists, 0) if self.random.random() < 0.5 else (),
        )
        before = self.world.domains.get(name)
        if before is not None:
            # One side at a time: the two are two commits.
            if self.random.random() < 0.5:
                asked = dataclasses.replace(asked, api=before.api, lists=before.lists)
            else:
                asked = dataclasses.replace(
                    asked, certificate=before.certificate, truststores=before.truststores
                )
        self.world.domains[name] = asked

        def apply():
            # A domain that is new comes with its mapping.
            if before is None or (asked.api, asked.lists) != (before.api, before.lists):
                self.server.ask("map", domain=name, api=asked.api, allow_lists=list(asked.lists))
            if before is None or (asked.certificate, asked.truststores) != (
                before.certificate, before.truststores
            ):
                self.server.ask("domain", name=name, certificate=asked.certificate,
                                truststores=list(asked.truststores))

        return apply

    def remove_domain(self, name):
        del self.world.domains[name]

        def apply():
            self.server.ask("delete", key="domainNames/" + name)
            self.server.ask("delete", key="domainNames.apiMappings/%s/all" % name)

        return apply

    def changes(self):
        """What is under way at one time: changes of several domains, or one of
        what they share. Two changes of what one client sees could be met in
        another order."""
        what = self.random.random()
        if what < 0.6:
            return [
                self.change_domain(name)
                for name in self.random.sample(DOMAINS, self.random.randint(1, 4))
            ]
        if what < 0.75:
            return [self.set_truststore(self.random.choice(sorted(self.world.truststores)))]
        if what < 0.85:
            return [self.set_certificate(self.random.choice(sorted(self.world.certificates)))]
        return [self.set_api(self.random.choice(sorted(self.world.apis)))]

    def change_domain(self, name):
        if name in self.world.domains and self.random.random() < 0.35:
            return self.remove_domain(name)
        return self.set_domain(name)

    def begin(self):
        now = time.monotonic()
        with self.lock:
            for key, answer in self.world.answers().items():
                self.history[key].append([answer, now, float("inf")])

    def settled(self):
        """Only the newest answers count from now on."""
        until = time.monotonic() + GRACE
        with self.lock:
            for answers in self.history.values():
                for answer in answers[:-1]:
                    answer[2] = min(answer[2], until)
                while len(answers) > 50:
                    answers.pop(0)

    # Clients.

    def allowed(self, key, began, ended):
        with self.lock:
            return {
                a for a, since, until in self.history[key] if since <= ended and until >= began
            }

    def ask_once(self, node, domain, person, kept):
        """One request, on a connection that is kept if there is one."""
        connection = kept.pop((node, domain, person), None)
        is_new = connection is None
        try:
            if is_new:
                connection = client.Connection(
                    node.port("https"), identity=None, server_name=HOST[domain],
                    check_server=False, context=self.contexts[person],
                )
            response = connection.request("/x")
        except client.Refused:
            if connection is not None:
                connection.close()
            # One that was kept may have been drained.
            return REFUSED if is_new else None
        certificate = self.by_der[connection.socket.getpeercert(binary_form=True)]
        if response.header("connection") == "close" or not is_new:
            connection.close()
        else:
            kept[(node, domain, person)] = connection
        answer = response.body.decode() if response.status == 200 else response.status
        # A connection keeps the certificate that it began with.
        return (answer, certificate if is_new else None)

    def is_allowed(self, answer, allowed):
        """Certificate and HTTP answer are judged by themselves: a change of
        both is two steps."""
        if not isinstance(answer, tuple):
            self.requests[answer] += 1
            return answer in allowed
        status, certificate = answer
        if certificate is None and REFUSED in allowed:
            # An open connection of a domain that was taken away meanwhile: it
            # is as it was until the domain is withdrawn, or refused.
            return True
        self.requests[status if status in (403, 421) else 200] += 1
        if REFUSED in allowed and status == 403:
            # A domain that comes back while Envoy still drains what it was.
            return True
        if REFUSED in allowed and status == 421:
            # The request of a connection that came when the domain was there
            # still: nobody is served by it any more.
            return True
        served = [a for a in allowed if a != REFUSED]
        return status in {a[0] for a in served} and (
            certificate is None or certificate in {a[1] for a in served}
        )

    def hammer(self, seed):
        chance = random.Random(seed)
        kept = {}
        while not self.stopping.is_set():
            key = chance.choice(DOMAINS), chance.choice(sorted(self.persons))
            node = chance.choice(self.envoys)
            began = time.monotonic()
            try:
                answer = self.ask_once(node, *key, kept)
            except OSError as error:
                answer = repr(error)
            ended = time.monotonic()
            if answer is None:
                self.requests["drained"] += 1
                continue
            is_kept = isinstance(answer, tuple) and answer[1] is None
            allowed = self.allowed(key, began - (DRAIN if is_kept else 0), ended)
            if not self.is_allowed(answer, allowed):
                self.wrong.append((round(began - self.started, 3), node.directory.name, key,
                                   answer, sorted(map(str, allowed))))
        for connection in kept.values():
            connection.close()

    def test_every_answer_is_the_one_from_before_or_from_after(self):
        self.contexts = {}
        for name, identity in self.persons.items():
            context = client.tls_context(self.web.certificate, identity)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            self.contexts[name] = context
        for name in ("t1", "t2", "t3"):
            self.set_truststore(name)()
        for name in ("c1", "c2"):
            self.set_certificate(name)()
        for name in ("a1", "a2"):
            self.set_api(name)()
        for name in ("l1", "l2"):
            self.set_list(name)()
        for name in DOMAINS[:3]:
            self.set_domain(name)()
        self.start_two()
        self.settle()
        self.started = time.monotonic()
        self.begin()
        threads = [threading.Thread(target=self.hammer, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        changes = 0
        try:
            while changes < CHANGES and time.monotonic() - self.started < SECONDS:
                if self.wrong:
                    break
                under_way = self.changes()
                self.begin()
                for apply in under_way:
                    apply()
                changes += len(under_way)
                self.settle()
                self.settled()
        finally:
            self.stopping.set()
            for thread in threads:
                thread.join()
        print("%d changes, %d requests in %.0f s: %s" % (
            changes, sum(self.requests.values()), time.monotonic() - self.started,
            dict(collections.Counter({str(k): v for k, v in self.requests.items()}).most_common(6)),
        ))
        self.assertEqual(self.wrong[:5], [], "%d in all" % len(self.wrong))
        self.assertGreater(changes, 20)
        self.assertGreater(sum(self.requests.values()), 200)
        self.assertIn("sallyport_xds_step_timeouts_total 0\n", self.server.ask("metrics")["text"])


if __name__ == "__main__":
    unittest.main()
