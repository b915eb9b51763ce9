"""Just enough HTTP/2 to send requests that no library would.

Requests are written as literal header fields (RFC 7541 section 6.2.2, no
Huffman code, no dynamic table). Of the answer only DATA is read: the backend
says there what it received. For status codes use curl.
"""

import json
import ssl
import struct

from harness import client

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY = 0, 1, 3, 4, 6, 7
_WINDOW_UPDATE = 8
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


class Reset(Exception):
    """The server reset the stream or went away."""


class Connection:
    """One HTTP/2 connection. Use it as a context manager.

    context: in place of server_ca, identity and tls.
    """

    def __init__(
        self, port, server_ca=None, identity=None, server_name=client.DOMAIN, tls=None,
        context=None, session=None,
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
        self._stream += 2
        fields = [(":method", method), (":scheme", "https"), (":path", path)]
        if authority is not None:
            fields.append((":authority", authority))
        fields += list(headers)
        done = not body and not trailers
        data = _frame(
            _HEADERS, _END_HEADERS | (_END_STREAM if done else 0), self._stream, _fields(fields)
        )
        if not done:
            data += _frame(_DATA, 0 if trailers else _END_STREAM, self._stream, body)
        if trailers:
            data += _frame(_HEADERS, _END_HEADERS | _END_STREAM, self._stream, _fields(trailers))
        try:
            self._socket.sendall(data)
            return self._read_body()
        except (ssl.SSLError, ConnectionError) as error:
            raise Reset(str(error)) from error

    def _read(self, size):
        data = b""
        while len(data) < size:
            piece = self._socket.recv(size - len(data))
            if not piece:
                raise Reset("the connection ended")
            data += piece
        return data

    def _read_body(self):
        body = b""
        while True:
            header = self._read(9)
            length = struct.unpack(">I", b"\x00" + header[:3])[0]
            kind, flags = header[3], header[4]
            stream = struct.unpack(">I", header[5:])[0] & 0x7FFFFFFF
            payload = self._read(length)
            if kind == _SETTINGS and not flags & _ACK:
                self._socket.sendall(_frame(_SETTINGS, _ACK, 0))
            elif kind == _PING and not flags & _ACK:
                self._socket.sendall(_frame(_PING, _ACK, 0, payload))
            elif kind == _GOAWAY:
                raise Reset("GOAWAY %r" % payload)
            elif kind == _RST_STREAM and stream == self._stream:
                raise Reset("RST_STREAM %d" % struct.unpack(">I", payload)[0])
            elif stream == self._stream and kind == _DATA:
                body += payload
                if payload:
                    # The connection's window; each stream has its own.
                    self._socket.sendall(
                        _frame(_WINDOW_UPDATE, 0, 0, struct.pack(">I", len(payload)))
                    )
            if stream == self._stream and kind in (_DATA, _HEADERS) and flags & _END_STREAM:
                return body
