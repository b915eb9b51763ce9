"""Clients that call and have every answer judged; what replaces files and certificates."""

import collections
import http.client
import itertools
import json
import random
import ssl
import threading
import time

import oracle
from harness import client as tls_client
from harness import http2
from harness import tcp

FORBIDDEN_BODY = b'{"message":"Forbidden"}'
FORGED = (
    ("x-forwarded-client-cert", 'Hash=00;Subject="CN=forged"'),
    ("client_cert", "forged"),
    ("ssl-client-subject-dn", "CN=forged"),
    ("x-sallyport-verdict", "forged"),
)
PRIVATE = "/private"
# On the connections that live longest.
MOST_REQUESTS = 60
LONGEST_PAUSE = 0.12
REPLACEMENTS_PER_SECOND = 4.0
RENEWALS_PER_SECOND = 3.0
_numbers = itertools.count(1)


class Ledger:
    """What was done and what was wrong. Thread-safe."""

    def __init__(self):
        self._lock = threading.Lock()
        self.answers = collections.Counter()  # (domain, protocol, answer)
        self.events = collections.Counter()
        self.status = {}  # x-test-id: (domain, answer, has a certificate)
        self.wrong = []

    def count(self, event, by=1):
        with self._lock:
            self.events[event] += by

    def answered(self, domain, protocol, answer, number=None, has_certificate=True):
        with self._lock:
            self.answers[domain, protocol, answer] += 1
            if number is not None:
                self.status[number] = (domain, answer, has_certificate)

    def report(self, what):
        with self._lock:
            self.wrong.append("%.3f %s" % (time.monotonic(), what))

    def total(self, protocol=None, answer=None, domain=None):
        with self._lock:
            return sum(
                n for (d, p, a), n in self.answers.items()
                if protocol in (None, p) and answer in (None, a) and domain in (None, d)
            )


class Closed(Exception):
    """The connection ended in place of an answer."""


_ENDS = (ssl.SSLError, ConnectionError, EOFError, http2.Reset, tls_client.Refused,
         http.client.HTTPException)


class Worker(threading.Thread):
    """One client after the other, one connection at a time."""

    def __init__(self, seed, crowd, kinds, domains, ports, server_ca, ledger, stop):
        super().__init__(daemon=True)
        self._rng = random.Random(seed)
        self._crowd, self._kinds = crowd, kinds
        self._domains, self._ports = domains, ports
        self._server_ca = server_ca
        self._ledger, self._stop_event = ledger, stop
        self._wallet = []  # (who, tls, protocol, domain, session)

    def run(self):
        while not self._stop_event.is_set():
            domain = self._rng.choice(self._domains)
            who = self._crowd.get(self._rng.choice(self._kinds))
            try:
                self.visit(domain, who, self._rng.choice((1, 4, 12, MOST_REQUESTS)))
            except Exception as error:  # pylint: disable=broad-except
                self._ledger.report(
                    "%s, %s (%s): %r" % (domain.name, who.subject, who.kind, error)
                )
                self._ledger.count("problems")
                time.sleep(0.1)

    def visit(self, domain, who, num_requests):
        if domain.style == "TCP":
            self._visit_tcp(domain, who, num_requests)
        else:
            protocol = self._rng.choice(("HTTP/1.1", "HTTP/1.1", "HTTP/2"))
            self._visit_http(domain, who, num_requests, protocol)

    def _pause(self):
        self._stop_event.wait(self._rng.uniform(0, LONGEST_PAUSE))

    def _judge(self, domain, who, got, start, protocol, note="", **more):
        end = time.monotonic()
        problem = domain.judge(who, got, start, end, **more)
        if problem:
            self._ledger.report("%s%s: %s; asked %.3f" % (protocol, note, problem, start))

    # HTTP.

    def _visit_http(self, domain, who, num_requests, protocol):
        tls, session, made_for = self._rng.choice(("1.2", "1.3")), None, None
        if self._wallet and self._rng.random() < 0.5:
            # Often where it is worth something, sometimes where it must not be.
            who, tls, protocol, made_for, session = self._wallet.pop(
                self._rng.randrange(len(self._wallet))
            )
            if self._rng.random() < 0.85:
                domain = made_for
        is_h2 = protocol == "HTTP/2"
        context = self._crowd.context(
            who, self._server_ca, tls, ("h2",) if is_h2 else ("http/1.1",)
        )
        connect = http2.Connection if is_h2 else tls_client.Connection
        start = time.monotonic()
        try:
            connection = connect(
                self._ports["https"], self._server_ca, server_name=domain.name, context=context,
                session=session,
            )
        except _ENDS:
            self._refused(domain, who, start, protocol)
            return
        except ValueError:
            return  # the session is of settings that were made again
        with connection:
            note = ""
            if connection.session_reused:
                self._ledger.count("resumed")
                note = " (resumed)"
                if domain is not made_for:
                    self._ledger.report(
                        "a session of %s was resumed for %s" % (made_for.name, domain.name)
                    )
            elif session is not None:
                self._ledger.count("session not taken")

            def exchange(path, headers):
                if is_h2:
                    body = connection.exchange(
                        headers, path=path, authority=domain.name, method="GET"
                    )
                    return (403 if body == FORBIDDEN_BODY else 200), body
                response = connection.request(path=path, headers=headers)
                return response.status, response.body

            self._requests(domain, who, start, num_requests, protocol, note, exchange)
            if domain.resumption and connection.session is not None and len(self._wallet) < 12:
                self._wallet.append((who, tls, protocol, domain, connection.session))

    def _refused(self, domain, who, start, protocol):
        self._judge(domain, who, (oracle.CLOSED, None), start, protocol, learn=False)
        self._ledger.answered(domain.name, protocol, oracle.CLOSED)

    def _requests(self, domain, who, connected, num_requests, protocol, note, exchange):
        first = True
        for _ in range(num_requests):
            if self._stop_event.is_set():
                return
            number = "r%d" % next(_numbers)
            private = domain.optional and self._rng.random() < 0.5
            path = PRIVATE if private else "/"
            headers = FORGED + (("x-test-id", number),)
            start = time.monotonic()
            try:
                status, body = exchange(path, headers)
            except _ENDS:
                # A refused handshake of TLS 1.3 shows here, too.
                since = connected if first else start
                self._judge(
                    domain, who, (oracle.CLOSED, None), since, protocol, note,
                    private=private, learn=not first,
                )
                self._ledger.answered(domain.name, protocol, oracle.CLOSED)
                return
            got = self._read(who, status, body, number)
            self._judge(domain, who, got, start, protocol, note, private=private)
            self._ledger.answered(
                domain.name, protocol, got[0], number, who.has_certificate
            )
            first = False
            self._pause()

    def _read(self, who, status, body, number):
        """The answer; what the backend was told is checked on the way."""
        if status == 403:
            if body != FORBIDDEN_BODY:
                self._ledger.report("403 with %r" % body)
            return oracle.FORBIDDEN, None
        if status != 200:
            return "HTTP %d" % status, None
        received = tls_client.Received(json.loads(body))
        claims = received.header("x-forwarded-client-cert")
        verdict = received.header("x-sallyport-verdict")
        if received.header("x-test-id") != number:
            self._ledger.report("%s got the answer for %s" % (number, received.headers))
        if any("forged" in value for _, value in received.headers):
            self._ledger.report("the backend got a forged header: %r" % received.headers)
        if not who.has_certificate:
            if claims is not None or verdict != "NO_CERTIFICATE":
                self._ledger.report("nobody was told as %r, %r" % (claims, verdict))
            return oracle.LET_IN, None
        if verdict not in (None, "TRUSTED"):
            if claims is not None:
                self._ledger.report("passed on with %r" % claims)
            return oracle.PASSED_ON, None
        expected = 'Hash=%s;Subject="%s"' % (who.fingerprint, who.subject)
        if claims != expected:
            self._ledger.report("%s was told as %r" % (expected, claims))
        voucher = received.header("x-sallyport-truststore") or ""
        return oracle.LET_IN, voucher.partition("@")[0]

    # TCP.

    def _visit_tcp(self, domain, who, num_requests):
        context = self._crowd.context(who, self._server_ca, self._rng.choice(("1.2", "1.3")), ())
        start = time.monotonic()
        try:
            connection = tls_client.Connection(
                self._ports["tcp"], server_name=domain.name, context=context
            )
        except _ENDS:
            self._refused(domain, who, start, "TCP")
            return
        with connection:
            # Idle connections are closed as well, so an end can be of any
            # moment since the last sign of life.
            since, first = start, True
            for _ in range(num_requests):
                if self._stop_event.is_set():
                    return
                text = b"t%d\n" % next(_numbers)
                asked = time.monotonic()
                try:
                    connection.socket.sendall(text)
                    if first:
                        self._check_told(who, json.loads(_line(connection.socket)))
                    got = _line(connection.socket)
                except _ENDS + (Closed,):
                    self._judge(
                        domain, who, (oracle.CLOSED, None), since, "TCP", learn=False
                    )
                    self._ledger.answered(domain.name, "TCP", oracle.CLOSED)
                    return
                if got != text:
                    self._ledger.report("TCP: %r came back as %r" % (text, got))
                voucher = domain.views[0].file.name
                self._judge(domain, who, (oracle.LET_IN, voucher), asked, "TCP")
                self._ledger.answered(domain.name, "TCP", oracle.LET_IN)
                since, first = asked, False
                self._pause()

    def _check_told(self, who, told):
        if told["cn"] != who.common_name or told["verify"] != 0 or told["client"] != 7:
            self._ledger.report("%s was told as %r" % (who.common_name, told))


def _line(connection):
    data = b""
    while not data.endswith(b"\n"):
        more = connection.recv(1)
        if not more:
            raise Closed()
        data += more
    return data


class Rotation(threading.Thread):
    """Replaces trust files."""

    def __init__(self, seed, files, ledger, stop):
        super().__init__(daemon=True)
        self._rng = random.Random(seed)
        self._files = files
        self._ledger, self._stop_event = ledger, stop

    def run(self):
        for note in itertools.count(1):
            if self._stop_event.wait(self._rng.uniform(0.2, 1.8) / REPLACEMENTS_PER_SECOND):
                return
            file = self._rng.choice(self._files)
            # What nobody can read changes nothing, once the last one counts: it
            # could replace that one before it was read.
            version, _, since = file.history.newest()
            now = time.monotonic()
            if self._rng.random() < 0.1 and now > since + 1 and (
                file.history.settled(now) == version
            ):
                file.spoil(note)
                self._ledger.count("unreadable files")
                continue
            # Sometimes several at once.
            for _ in range(self._rng.choice((1, 1, 1, 1, 1, 3))):
                file.replace(self._rng, note)
                self._ledger.count("files replaced")


class Renewal(threading.Thread):
    """Gives clients new certificates."""

    def __init__(self, seed, crowd, kinds, ledger, stop):
        super().__init__(daemon=True)
        self._rng = random.Random(seed)
        self._crowd, self._kinds = crowd, [k for k in kinds if k != "nobody"]
        self._ledger, self._stop_event = ledger, stop

    def run(self):
        while not self._stop_event.wait(self._rng.uniform(0.2, 1.8) / RENEWALS_PER_SECOND):
            # Those that expire are the first to want a new one.
            brief = [k for k in self._kinds if k.startswith("brief")
                     and self._crowd.get(k).expires_at < time.monotonic() - 2]
            self._crowd.renew(self._rng.choice(brief or self._kinds))
            self._ledger.count("certificates renewed")


class Metronome(threading.Thread):
    """Notes when this machine, or this process, stood still."""

    INTERVAL = 0.05

    def __init__(self, stalls, stop):
        super().__init__(daemon=True)
        self._stalls, self._stop_event = stalls, stop

    def run(self):
        while not self._stop_event.is_set():
            start = time.monotonic()
            time.sleep(self.INTERVAL)
            end = time.monotonic()
            if end - start > 4 * self.INTERVAL:
                self._stalls.note(end, end - start - self.INTERVAL)
