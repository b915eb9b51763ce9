"""The limits of a real sallyportd's API at their edges: calls of one principal,
calls under way, clients that take nothing, streams without credentials, sizes."""

import hashlib
import pathlib
import socket
import struct
import tempfile
import threading
import time
import unittest

from harness import certificates, wait
from harness import xds  # First: it finds grpc.
from sallyportd import Daemon

grpc = xds.grpc

# config_service/api/limits.h and config_service/server/daemon.cc.
BURST, PER_SECOND = 400, 200
CALLS, STREAMS, UPLOADS = 32, 16, 2
MAX_REFLECTION = 8
REFLECTIONS = 128
CLIENT_TIMEOUT = 3
MAX_REQUEST_BYTES = 4 << 20

PREFIX = "/sallyport.config.v1."
LIST = PREFIX + "Truststores/ListTruststores"
WATCH = PREFIX + "Fleets/WatchEvents"
READ = PREFIX + "Truststores/ReadTruststoreVersion"
UPLOAD = PREFIX + "Truststores/UploadTruststoreVersion"
IMPORT = PREFIX + "State/ImportState"
# ImportStateRequest {start: {header: {format_version: 1}, replace: true}}, and
# {chunk: "x"}
IMPORT_BEGINS = b"\x0a\x06\x0a\x02\x08\x01\x18\x01"
IMPORT_GOES_ON = b"\x12\x01x"
HEALTH = "/grpc.health.v1.Health/Check"
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
# ServerReflectionRequest {list_services: "*"}
LIST_SERVICES = b"\x3a\x01*"


def as_they_are(data):
    return data


def name_in_field_1(name):
    """A message whose field 1 is a string: {name: ...}."""
    return b"\x0a" + bytes([len(name)]) + name.encode()


class TakesNothing:
    """A connection whose client grants no window: no answer's message can be sent to
    it. It is HTTP/2 by hand, since no library does so."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=20)
        settings = struct.pack(">HI", 4, 0)  # SETTINGS_INITIAL_WINDOW_SIZE
        self.socket.sendall(
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + self.frame(4, 0, 0, settings))
        self.stream = 1

    @staticmethod
    def frame(kind, flags, stream, payload):
        return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(
            ">I", stream) + payload

    def call(self, method, token, request=b""):
        fields = b"\x83\x86"  # :method POST, :scheme http
        for name, value in (
            (":path", method), (":authority", "x"), ("te", "trailers"),
            ("content-type", "application/grpc"), ("authorization", "Bearer " + token),
        ):
            fields += b"\x00"
            for text in (name, value):
                fields += bytes([len(text)]) + text.encode()
        self.socket.sendall(
            self.frame(1, 4, self.stream, fields) + self.frame(
                0, 1, self.stream, b"\0" + struct.pack(">I", len(request)) + request))
        self.stream += 2

    def close(self):
        self.socket.close()


class LimitsTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        folder = pathlib.Path(temporary.name)
        credentials = folder / "credentials"
        credentials.write_text("".join(
            "token %s %s %s\n" % (name, role, hashlib.sha256(name.encode()).hexdigest())
            for name, role in (
                ("one", "operator"), ("two", "operator"), ("root", "admin"), ("other", "admin"))
        ), encoding="ascii")
        self.folder = folder
        self.daemon = Daemon(
            folder / "data", "--admin-credentials", credentials,
            "--client-timeout", "%ds" % CLIENT_TIMEOUT)
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

    def assert_others_are_served(self):
        for _ in range(5):
            self.assertEqual(self.call("two"), "OK")
            self.assertEqual(self.call(None, method=HEALTH), "OK")

    def test_each_principal_has_its_own_streams(self):
        channel = self.channel()
        watch = channel.unary_stream(WATCH, as_they_are, as_they_are)
        streams = [watch(b"", metadata=self.by("one")) for _ in range(STREAMS)]
        self.addCleanup(lambda: [stream.cancel() for stream in streams])

        def refused(token="one"):
            more = watch(b"", metadata=self.by(token), timeout=0.5)
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

        details = wait.until(full, "one is refused", 10)
        self.assertIn("%d streams and waits" % STREAMS, details)
        self.assertIn("--principal-streams", details)
        # Others' streams, and what is no stream, are not concerned.
        self.assertFalse(refused("two"))
        self.assertEqual(self.call("one"), "OK")
        self.assert_others_are_served()
        # A watch that has nothing to say is not ended.
        time.sleep(CLIENT_TIMEOUT + 1)
        self.assertFalse(any(stream.done() for stream in streams))
        streams.pop().cancel()
        wait.until(lambda: not refused(), "there is room again", 10)

    def test_streams_that_nobody_reads_are_ended(self):
        root = certificates.Workshop(self.folder / "keys").authority("root", "/CN=Root")
        pem = self.folder / "large.pem"
        # Text beside the certificates is part of a version.
        pem.write_text(
            root.pem() + "#" * (900 << 10) + "\n", encoding="ascii")
        self.daemon.ctl("create", "truststores/large", "--from-file", "pem=%s" % pem, token="one")
        request = name_in_field_1("truststores/large/versions/1")
        connection = TakesNothing(self.daemon.admin)
        self.addCleanup(connection.close)
        for _ in range(70):
            connection.call(READ, "one", request)
        read = self.channel().unary_stream(READ, as_they_are, as_they_are)
        wait.until(lambda: self.reads(read, request) is False, "its places are taken", 10)
        self.assert_others_are_served()
        # Who reads has it.
        wait.until(
            lambda: self.reads(read, request), "the places are free again", CLIENT_TIMEOUT + 10)
        wait.until(
            lambda: any("call ended" in line and "ReadTruststoreVersion" in line
                        for line in self.daemon.lines), "the log says so", 5)

    def reads(self, read, request):
        """Whether it gets all; False: there is no place; None: it had one, and
        was itself too slow, as a busy machine is."""
        try:
            return sum(map(len, read(request, metadata=self.by("one"), timeout=20))) > 900 << 10
        except grpc.RpcError as error:
            if error.code().name == "CANCELLED":
                return None
            self.assertEqual(error.code().name, "RESOURCE_EXHAUSTED")
            return False

    def test_calls_whose_answers_nobody_takes_are_ended(self):
        connections = [TakesNothing(self.daemon.admin) for _ in range(4)]
        for connection in connections:
            self.addCleanup(connection.close)
            for _ in range(40):
                connection.call(LIST, "one")
                connection.call(LIST, "nobody")
        wait.until(lambda: self.call("one") == "RESOURCE_EXHAUSTED", "its places are taken", 10)
        self.assert_others_are_served()
        wait.until(
            lambda: self.call("one") == "OK", "the places are free again", CLIENT_TIMEOUT + 10)
        self.assert_others_are_served()

    def test_uploads_that_stand_still_are_ended(self):
        held = xds.queue.Queue()
        streams = []
        for _ in range(UPLOADS + 1):
            upload = self.channel().stream_unary(UPLOAD, as_they_are, as_they_are)
            streams.append(upload.future(iter(held.get, None), metadata=self.by("one")))
        self.addCleanup(lambda: [held.put(None) for _ in streams])
        wait.until(lambda: any(s.done() for s in streams), "one too many is refused", 10)
        refused = next(s for s in streams if s.done())
        self.assertEqual(refused.code().name, "RESOURCE_EXHAUSTED")
        self.assertIn("--principal-uploads", refused.details())
        self.assertEqual(sum(s.done() for s in streams), 1)
        self.assert_others_are_served()
        wait.until(lambda: all(s.done() for s in streams), "they are ended", CLIENT_TIMEOUT + 10)

    def begin_import(self, token, messages):
        imported = self.channel().stream_unary(IMPORT, as_they_are, as_they_are)
        return imported.future(messages, metadata=self.by(token))

    def second_import_is_refused(self):
        second = self.begin_import("other", iter([IMPORT_BEGINS]))
        # There is one at a time; this one would end for want of a trailer.
        return "another import is under way" in (second.exception(20).details() or "")

    def hold_import(self, messages):
        """An import that has the only place, once it has it."""
        held = [self.begin_import("root", messages())]

        def has_place():
            if held[0].done():
                # Whoever looked whether it was taken had it.
                held[0] = self.begin_import("root", messages())
            return self.second_import_is_refused() and not held[0].done()

        wait.until(has_place, "its place is taken", 10)
        return held[0]

    def test_an_import_that_drips_gives_up_its_place(self):
        over = threading.Event()
        self.addCleanup(over.set)

        def drips():
            yield IMPORT_BEGINS
            while not over.wait(0.2):
                yield IMPORT_GOES_ON

        began = time.monotonic()
        slow = self.hold_import(drips)
        wait.until(slow.done, "it is ended", CLIENT_TIMEOUT + 10)
        self.assertGreaterEqual(time.monotonic() - began, CLIENT_TIMEOUT)
        self.assertEqual(slow.code().name, "INVALID_ARGUMENT")
        self.assertIn("the upload comes too slowly", slow.details())
        wait.until(lambda: not self.second_import_is_refused(), "there is a place again", 10)

    def test_an_import_that_stands_still_gives_up_its_place(self):
        over = threading.Event()
        self.addCleanup(over.set)

        def stalls():
            yield IMPORT_BEGINS
            over.wait()

        stalled = self.hold_import(stalls)
        wait.until(stalled.done, "it is ended", CLIENT_TIMEOUT + 10)
        wait.until(lambda: not self.second_import_is_refused(), "there is a place again", 10)

    def test_reflection_without_credentials_takes_the_api_from_nobody(self):
        channels = [self.channel() for _ in range(4)]
        held = xds.queue.Queue()
        streams = []
        for i in range(REFLECTIONS):
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
