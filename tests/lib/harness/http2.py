"""Just enough HTTP/2 to send requests that no library would.

Requests are written as literal header fields (RFC 7541 section 6.2.2, no
Huffman code, no dynamic table). Of the answer only DATA is read: the backend
says there what it received. For status codes use curl.
"""

import json
import ssl
import struct
import time
import typing

from harness import client

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, _SETTINGS, _PING, GOAWAY, _WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
_END_STREAM, _END_HEADERS, _ACK = 0x1, 0x4, 0x1


def _integer(value, prefix_bits):
    limit = (1 << prefix_bits) - 1
    if value < limit:
        return bytes([value])
    out = [limit]
    value -= limit
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    return bytes(out + [value])


def _string(text):
    data = text.encode("latin-1")
    return _integer(len(data), 7) + data


def _fields(headers):
    return b"".join(b"\x00" + _string(name) + _string(value) for name, value in headers)


def _frame(kind, flags, stream, payload=b""):
    header = struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream)
    return header + payload


class Frame(typing.NamedTuple):
    kind: int
    flags: int
    stream: int
    payload: bytes

    @property
    def ends_stream(self):
        return self.kind in (DATA, HEADERS) and bool(self.flags & _END_STREAM)


class Reset(Exception):
    """The server reset the stream or went away."""


class Connection:
    """One HTTP/2 connection. Use it as a context manager."""

    def __init__(
        self, port, server_ca, identity=None, server_name=client.DOMAIN, tls=None, context=None,
        session=None,
    ):
        if context is None:
            context = client.tls_context(server_ca, identity, tls)
        context.set_alpn_protocols(["h2"])
        self._connection = client.Connection(
            port, server_name=server_name, context=context, session=session
        )
        self._socket = self._connection.socket
        if self._socket.selected_alpn_protocol() != "h2":
            self._connection.close()
            raise Reset("the server does not speak HTTP/2")
        self._stream = -1
        self._buffer = b""
        try:
            self._socket.sendall(_PREFACE + _frame(_SETTINGS, 0, 0))
        except BaseException:
            self._connection.close()
            raise

    @property
    def session(self):
        return self._connection.session

    @property
    def session_reused(self):
        return self._connection.session_reused

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._connection.close()

    def request(
        self, headers=(), trailers=(), path="/", authority=client.DOMAIN, body=b"", method="POST"
    ):
        """What the backend received (its answer must be the response body);
        raises Reset."""
        return client.Received(json.loads(self.exchange(
            headers, trailers, path, authority, body, method)))

    def exchange(
        self, headers=(), trailers=(), path="/", authority=client.DOMAIN, body=b"", method="POST"
    ):
        """Returns the response body; raises Reset."""
        try:
            stream = self.open(
                headers, path, authority, method, end=not body and not trailers
            )
            if body or trailers:
                self.send(stream, body, end=not trailers)
            if trailers:
                self._send(
                    _frame(HEADERS, _END_HEADERS | _END_STREAM, stream, _fields(trailers))
                )
            return self.read_body(stream)
        except (ssl.SSLError, ConnectionError) as error:
            raise Reset(str(error)) from error

    # Streams one by one.

    def open(self, headers=(), path="/", authority=client.DOMAIN, method="GET", end=True):
        """Starts a request; returns its stream."""
        self._stream += 2
        fields = [(":method", method), (":scheme", "https"), (":path", path)]
        if authority is not None:
            fields.append((":authority", authority))
        fields += list(headers)
        flags = _END_HEADERS | (_END_STREAM if end else 0)
        self._send(_frame(HEADERS, flags, self._stream, _fields(fields)))
        return self._stream

    def send(self, stream, data, end=False):
        """DATA of a request."""
        self._send(_frame(DATA, _END_STREAM if end else 0, stream, data))

    def frame(self, timeout=20.0):
        """The next frame that is not about the connection itself; None when
        none came; raises Reset when the connection ended."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                self._fill(9, deadline)
                length = struct.unpack(">I", b"\x00" + self._buffer[:3])[0]
                self._fill(9 + length, deadline)
            except TimeoutError:
                return None
            header, payload = self._buffer[:9], self._buffer[9 : 9 + length]
            self._buffer = self._buffer[9 + length :]
            stream = struct.unpack(">I", header[5:])[0] & 0x7FFFFFFF
            frame = Frame(header[3], header[4], stream, payload)
            if frame.kind == _SETTINGS:
                if not frame.flags & _ACK:
                    self._send(_frame(_SETTINGS, _ACK, 0))
            elif frame.kind == _PING:
                if not frame.flags & _ACK:
                    self._send(_frame(_PING, _ACK, 0, payload))
            elif frame.kind != _WINDOW_UPDATE:
                if frame.kind == DATA and payload:
                    # No window is ever used up.
                    for where in (0,) if frame.ends_stream else (0, stream):
                        self._send(
                            _frame(_WINDOW_UPDATE, 0, where, struct.pack(">I", len(payload)))
                        )
                return frame

    def frames_until(self, done, timeout=20.0):
        """The frames up to the first for which `done` is true."""
        frames = []
        deadline = time.monotonic() + timeout
        while not frames or not done(frames[-1]):
            frame = self.frame(max(0.0, deadline - time.monotonic()))
            if frame is None:
                raise TimeoutError("not within %g seconds; there were %r" % (timeout, frames))
            frames.append(frame)
        return frames

    def read_body(self, stream):
        """The body of the answer on `stream`; frames of others are dropped."""
        body = b""
        while True:
            frame = self.frame()
            if frame is None:
                raise Reset("no answer")
            if frame.kind == GOAWAY:
                raise Reset("GOAWAY %r" % frame.payload)
            if frame.stream != stream:
                continue
            if frame.kind == RST_STREAM:
                raise Reset("RST_STREAM %d" % struct.unpack(">I", frame.payload)[0])
            if frame.kind == DATA:
                body += frame.payload
            if frame.ends_stream:
                return body

    def _send(self, data):
        self._socket.sendall(data)

    def _fill(self, size, deadline):
        while len(self._buffer) < size:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._socket.settimeout(left)
            try:
                piece = self._socket.recv(65536)
            except (ssl.SSLError, ConnectionError) as error:
                raise Reset(str(error)) from error
            finally:
                self._socket.settimeout(20.0)
            if not piece:
                raise Reset("the connection ended")
            self._buffer += piece
