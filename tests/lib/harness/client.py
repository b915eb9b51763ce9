"""HTTPS clients that can do what curl will not.

Connection is one TLS connection that speaks HTTP/1.1 by hand, so that a test
decides every byte of a request. Refused is raised when TLS ends it.
"""

import dataclasses
import http.client
import json
import socket
import ssl

DOMAIN = "api.example.com"


class Refused(Exception):
    """The connection ended without an HTTP answer."""

    def __init__(self, message, local_port):
        super().__init__(message)
        self.local_port = local_port


@dataclasses.dataclass(frozen=True)
class Response:
    status: int
    headers: tuple  # ((lower-case name, value), ...)
    body: bytes

    def header(self, name):
        """The only value of a header; None when it is missing."""
        values = [v for k, v in self.headers if k == name]
        if len(values) > 1:
            raise ValueError("%s is there %d times" % (name, len(values)))
        return values[0] if values else None

    def json(self):
        return json.loads(self.body)

    def received(self):
        """What the backend received."""
        return Received(self.json())


class Received:
    """A request as the backend saw it."""

    def __init__(self, document):
        self.document = document
        self.headers = [(k.lower(), v) for k, v in document["headers"]]
        self.trailers = [(k.lower(), v) for k, v in document["trailers"]]

    def all(self, name):
        return [v for k, v in self.headers if k == name]

    def header(self, name):
        values = self.all(name)
        if len(values) > 1:
            raise ValueError("%s is there %d times" % (name, len(values)))
        return values[0] if values else None


def tls_context(server_ca, identity=None, tls=None, tickets=True, weak=False):
    """A client's TLS settings.

    identity: an Identity, sent with its chain. tls: "1.2", "1.3" or None for
    either. weak: allow the client's own keys and digests that OpenSSL's default
    security level refuses, so that the server gets to judge them.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if weak:
        context.set_ciphers("DEFAULT@SECLEVEL=0")
    context.load_verify_locations(str(server_ca))
    context.set_alpn_protocols(["http/1.1"])
    if tls:
        version = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[tls]
        context.minimum_version = context.maximum_version = version
    if not tickets:
        context.options |= ssl.OP_NO_TICKET
    if identity is not None:
        context.load_cert_chain(str(identity.chain), str(identity.key))
    return context


class Connection:
    """One TLS connection to Envoy. Use it as a context manager."""

    def __init__(
        self,
        port,
        server_ca=None,
        identity=None,
        server_name=DOMAIN,
        tls=None,
        tickets=True,
        weak=False,
        context=None,
        session=None,
        check_server=True,
        timeout=20.0,
    ):
        self.server_name = server_name
        if context is None:
            context = tls_context(server_ca, identity, tls, tickets, weak)
        if not check_server or server_name is None:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        self.context = context
        raw = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.local_port = raw.getsockname()[1]
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.socket = context.wrap_socket(raw, server_hostname=server_name, session=session)
        except (ssl.SSLError, ConnectionError, EOFError) as error:
            raw.close()
            raise Refused(str(error), self.local_port) from error
        except BaseException:
            raw.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    @property
    def session(self):
        return self.socket.session

    @property
    def session_reused(self):
        return self.socket.session_reused

    @property
    def tls_version(self):
        return self.socket.version()

    def send(self, data):
        try:
            self.socket.sendall(data)
        except (ssl.SSLError, ConnectionError) as error:
            # What the server said is still to be read.
            self._send_error = error

    _send_error = None

    def read_response(self, method="GET"):
        response = http.client.HTTPResponse(self.socket, method=method)
        try:
            response.begin()
            body = response.read()
        except (ssl.SSLError, ConnectionError, http.client.BadStatusLine) as error:
            raise Refused(str(error) or str(self._send_error), self.local_port) from error
        headers = tuple((k.lower(), v) for k, v in response.getheaders())
        return Response(response.status, headers, body)

    def request(self, path="/", headers=(), method="GET", host=None, body=None):
        """Sends one request and reads its answer. `host`: None for the server
        name, "" for no Host header at all."""
        lines = ["%s %s HTTP/1.1" % (method, path)]
        host = (self.server_name or DOMAIN) if host is None else host
        if host:
            lines.append("Host: " + host)
        lines += ["%s: %s" % (k, v) for k, v in headers]
        if body is not None:
            lines.append("Content-Length: %d" % len(body))
        data = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b"")
        self.send(data)
        return self.read_response(method)


def request(port, server_ca=None, identity=None, **options):
    """One request on a connection of its own. Options of Connection and of
    Connection.request()."""
    names = ("path", "headers", "method", "host", "body")
    of_request = {k: options.pop(k) for k in names if k in options}
    with Connection(port, server_ca, identity, **options) as connection:
        return connection.request(**of_request)
