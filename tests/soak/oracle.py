"""Which answers are right at which moment.

A trust file is replaced again and again; each content is a version. A version
is in force from some moment between the start of its move and EFFECT_SECONDS
after the move, but not before a later version that was seen to be in force:
once an answer can only be explained by a version, nobody who asks after that
answer may be judged by an older one. An answer is right if the rule gives it
for one of the versions that can have been in force between the question and
the answer.
"""

import bisect
import dataclasses
import threading
import typing

# The longest that a new content may take from the end of the move. A machine
# that stands still gets as much longer (Stalls).
EFFECT_SECONDS = 2.0
# The clock that certificates are judged by has seconds.
EXPIRY_SECONDS = 1.1

LET_IN = "let in"
PASSED_ON = "passed on"
FORBIDDEN = "forbidden"
CLOSED = "closed"


class Stalls:
    """How long this machine did not run us when it should have."""

    def __init__(self):
        self._lock = threading.Lock()
        self._ends = []  # (end, length)

    def note(self, end, length):
        with self._lock:
            self._ends.append((end, length))

    def since(self, start):
        with self._lock:
            first = bisect.bisect_left(self._ends, (start, 0.0))
            return sum(length for _, length in self._ends[first:])

    def total(self):
        return self.since(0.0)


class TrustFile:
    """The contents that one file had, and when. Thread-safe.

    A content is a frozenset of members; what a member is, a Client knows.
    """

    def __init__(self, name, content, now, stalls=None):
        self.name = name
        self._stalls = stalls or Stalls()
        self._lock = threading.Lock()
        self._contents = [content]
        self._starts = [now]
        self._ends = [now - EFFECT_SECONDS]

    def begin(self, content, now):
        """Before the move."""
        with self._lock:
            self._contents.append(content)
            self._starts.append(now)

    def end(self, now):
        """After the move that began last."""
        with self._lock:
            self._ends.append(now)

    def content(self, version):
        with self._lock:
            return self._contents[version]

    def newest(self):
        with self._lock:
            return len(self._contents) - 1, self._contents[-1], self._starts[-1]

    def settled(self, now):
        """The newest version that must be in force at `now`."""
        with self._lock:
            version = bisect.bisect_right(self._ends, now - EFFECT_SECONDS) - 1
            ends = self._ends
            while version > 0 and ends[version] + EFFECT_SECONDS + self._stalls.since(
                ends[version]
            ) > now:
                version -= 1
            return max(version, 0)

    def last_begun(self, now):
        """The newest version that can be in force at `now`."""
        with self._lock:
            return bisect.bisect_right(self._starts, now) - 1


class View:
    """A trust file as one domain sees it: what was seen to be in force."""

    def __init__(self, file):
        self.file = file
        self._lock = threading.Lock()
        self._times = []
        self._versions = []

    def saw(self, version, now):
        with self._lock:
            if self._versions and self._versions[-1] >= version:
                return
            # Answers of several threads come in any order.
            self._times.append(max([now] + self._times[-1:]))
            self._versions.append(version)

    def oldest(self, now):
        """The oldest version that can be in force at `now`."""
        with self._lock:
            at = bisect.bisect_left(self._times, now) - 1
            seen = self._versions[at] if at >= 0 else 0
        return max(seen, self.file.settled(now))

    def possible(self, start, end):
        return range(self.oldest(start), max(self.oldest(start), self.file.last_begun(end)) + 1)


@dataclasses.dataclass(frozen=True)
class Client:
    """Who asks. `needs`: chains of members, by policy; it is trusted by a
    content that holds all of one of them."""

    kind: str
    complete_chain: tuple = ()
    any_anchor: tuple = ()
    expires_at: float = float("inf")
    identity: object = None
    common_name: str = ""
    subject: str = ""
    fingerprint: str = ""

    @property
    def has_certificate(self):
        return self.kind != "nobody"

    @property
    def path(self):
        """Whom to name in order to take it out again: itself, and its CAs."""
        return frozenset([self.common_name]).union(*self.complete_chain)

    def trusted_by(self, content, policy):
        needs = self.any_anchor if policy == "ANY_ANCHOR" else self.complete_chain
        return any(need <= content for need in needs)


@dataclasses.dataclass
class Domain:
    name: str
    views: typing.List[View]
    # Lists of those that are not trusted whatever the truststores say.
    refusals: typing.List[View] = dataclasses.field(default_factory=list)
    style: str = "FORBIDDEN"  # or HANDSHAKE, PASS, TCP
    policy: str = "COMPLETE_CHAIN"
    optional: bool = False
    resumption: bool = False

    def answer(self, client, contents, valid, private):
        """What the rule says: (answer, the file that vouches or None)."""
        if not client.has_certificate:
            if not self.optional:
                return CLOSED, None
            return (FORBIDDEN if private else LET_IN), None
        refusals = contents[len(self.views):]
        if valid and not any(client.path & content for content in refusals):
            for view, content in zip(self.views, contents):
                if client.trusted_by(content, self.policy):
                    return LET_IN, view.file.name
        return {
            "FORBIDDEN": FORBIDDEN, "HANDSHAKE": CLOSED, "PASS": PASSED_ON, "TCP": CLOSED,
        }[self.style], None

    def judge(self, client, got, start, end, private=False, learn=True):
        """None if `got`, an (answer, file), is right for a question that was
        asked at `start` and answered at `end`; otherwise why it is not.

        learn: whether the answer shows what is in force for those who ask
        later. A refused handshake does not: it is decided before, and beside,
        what is asked on open connections.
        """
        views = self.views + self.refusals
        possible = [view.possible(start, end) for view in views]
        validities = {start <= client.expires_at + EXPIRY_SECONDS,
                      end <= client.expires_at - EXPIRY_SECONDS}
        matching = []
        answers = set()
        for versions in _product(possible):
            contents = [view.file.content(v) for view, v in zip(views, versions)]
            for valid in validities:
                answer = self.answer(client, contents, valid, private)
                answers.add(answer)
                if answer == got:
                    matching.append(versions)
        if not matching:
            return "%s for %s (%s) is %s; versions %s allow %s" % (
                self.name, client.subject, client.kind, got,
                [(v.file.name, p.start, p.stop - 1) for v, p in zip(views, possible)],
                sorted(map(str, answers)),
            )
        if learn:
            for view, versions in zip(views, zip(*matching)):
                view.saw(min(versions), end)
        return None


def _product(ranges):
    if not ranges:
        yield ()
        return
    for first in ranges[0]:
        for rest in _product(ranges[1:]):
            yield (first,) + rest
