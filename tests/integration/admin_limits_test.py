"""The limits of a real sallyportd's API at their edges: calls of one principal,
calls that wait, streams without credentials, sizes."""

import hashlib
import pathlib
import tempfile
import time
import unittest

from harness import wait
from harness import xds  # First: it finds grpc.
from sallyportd import Daemon

grpc = xds.grpc

# config_service/api/limits.h and config_service/server/daemon.cc.
BURST, PER_SECOND = 400, 200
MAX_WAITING = 32
MAX_REFLECTION = 8
MAX_THREADS = 64
MAX_REQUEST_BYTES = 4 << 20

PREFIX = "/sallyport.config.v1."
LIST = PREFIX + "Truststores/ListTruststores"
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
# ServerReflectionRequest {list_services: "*"}
LIST_SERVICES = b"\x3a\x01*"


def as_they_are(data):
    return data


class LimitsTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        folder = pathlib.Path(temporary.name)
        credentials = folder / "credentials"
        credentials.write_text("".join(
            "token %s viewer %s\n" % (name, hashlib.sha256(name.encode()).hexdigest())
            for name in ("one", "two")
        ), encoding="ascii")
        self.daemon = Daemon(folder / "data", "--admin-credentials", credentials)
        self.daemon.__enter__()
        self.addCleanup(self.daemon.__exit__)

    def channel(self):
        channel = xds.channel(self.daemon.admin)
        self.addCleanup(channel.close)
        return channel

    @staticmethod
    def by(token):
        return (("authorization", "Bearer " + token),) if token else ()

    def call(self, token, channel=None, method=LIST, request=b""):
        """The code of a call."""
        made = (channel or self.channel()).unary_unary(method, as_they_are, as_they_are)
        try:
            made(request, metadata=self.by(token), timeout=20)
            return "OK"
        except grpc.RpcError as error:
            return error.code().name

    def test_each_principal_has_its_own_calls(self):
        channel = self.channel()
        made = channel.unary_unary(LIST, as_they_are, as_they_are)
        began, answered, refused = time.monotonic(), 0, None
        while refused is None and time.monotonic() - began < 30:
            calls = [made.future(b"", metadata=self.by("one"), timeout=20) for _ in range(30)]
            for call in calls:
                if call.exception() is None:
                    answered += 1
                elif refused is None:
                    refused = call.exception()
        elapsed = time.monotonic() - began
        self.assertIsNotNone(refused, "%d calls in %g s" % (answered, elapsed))
        self.assertEqual(refused.code().name, "RESOURCE_EXHAUSTED")
        self.assertIn("too many calls; wait 1 s", refused.details())
        self.assertGreaterEqual(answered, BURST)
        self.assertLessEqual(answered, BURST + PER_SECOND * elapsed + 1)
        # Others are not held up, nor does anybody else's token count.
        self.assertEqual(self.call("two"), "OK")
        self.assertEqual(self.call("three"), "UNAUTHENTICATED")
        wait.until(lambda: self.call("one") == "OK", "there are calls again", 10)

    def test_so_many_calls_wait_and_no_more(self):
        channel = self.channel()
        watch = channel.unary_stream(PREFIX + "Fleets/WatchEvents", as_they_are, as_they_are)
        streams = [watch(b"", metadata=self.by("one")) for _ in range(MAX_WAITING)]
        self.addCleanup(lambda: [stream.cancel() for stream in streams])

        def refused():
            more = watch(b"", metadata=self.by("two"), timeout=0.5)
            try:
                list(more)
            except grpc.RpcError as error:
                return error.code().name == "RESOURCE_EXHAUSTED" and error.details()
            return None

        def full():
            # A probe may have come in before the last of them, and had its place.
            for i, stream in enumerate(streams):
                if stream.done():
                    streams[i] = watch(b"", metadata=self.by("one"))
            details = refused()
            return details if not any(stream.done() for stream in streams) else None

        self.assertIn(
            "%d calls wait already" % MAX_WAITING, wait.until(full, "one is refused", 10))
        # What does not wait is still answered.
        self.assertEqual(self.call("one"), "OK")
        self.assertFalse(any(stream.done() for stream in streams))
        streams.pop().cancel()
        wait.until(lambda: not refused(), "there is room again", 10)

    def test_reflection_without_credentials_takes_the_api_from_nobody(self):
        channels = [self.channel() for _ in range(4)]
        held = xds.queue.Queue()
        streams = []
        for i in range(2 * MAX_THREADS):
            reflect = channels[i % 4].stream_stream(REFLECTION, as_they_are, as_they_are)
            streams.append(reflect(iter(held.get, None)))
        self.addCleanup(lambda: [held.put(None) for _ in streams])
        wait.until(
            lambda: sum(stream.done() for stream in streams) >= len(streams) - MAX_REFLECTION,
            "the older ones are ended", 20,
        )
        for _ in range(20):
            self.assertEqual(self.call("one"), "OK")
        # Also reflection itself: who comes last is served.
        reflect = self.channel().stream_stream(REFLECTION, as_they_are, as_they_are)
        (answer,) = reflect(iter([LIST_SERVICES]), timeout=20)
        for name in (b"sallyport.config.v1.Truststores", b"grpc.health.v1.Health",
                     b"envoy.service.status.v3.ClientStatusDiscoveryService"):
            self.assertIn(name, answer)

    def test_a_request_that_is_too_large_is_refused_whoever_sends_it(self):
        modify = PREFIX + "CertificateLists/ModifyCertificateListEntries"
        for token in ("one", None):
            for method in (LIST, modify):
                self.assertEqual(
                    self.call(token, method=method, request=b"\0" * (MAX_REQUEST_BYTES + 1)),
                    "RESOURCE_EXHAUSTED",
                )
        # The largest that is taken is judged by who sends it.
        self.assertEqual(
            self.call(None, method=modify, request=b"\x7a" + b"\xfb\xff\xff\x01" + b"x" * (
                MAX_REQUEST_BYTES - 5)), "UNAUTHENTICATED")
        self.assertEqual(self.call("one"), "OK")


if __name__ == "__main__":
    unittest.main()
