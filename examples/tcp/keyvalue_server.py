"""A small database that believes the proxy in front of it: every client has keys
of its own, and the PROXY protocol header says which client it is.

  keyvalue_server.py [PORT]     on 127.0.0.1; prints the port that it has

It speaks first (+READY ...), then answers lines:

  WHOAMI       the client's common name, address and TLS version
  SET key value
  GET key
  QUIT

The header comes before anything else, and only Sallyport may reach this port: a
backend that anybody else can reach would believe anybody.
"""

import ipaddress
import socketserver
import struct
import sys
import threading

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
TYPE_SSL, SUBTYPE_VERSION, SUBTYPE_COMMON_NAME = 0x20, 0x21, 0x22
CLIENT_CERTIFICATE = 0x02
MAX_LINE = 1024


class BadHeader(Exception):
    pass


def read_client(stream):
    """(common name, "address:port", TLS version) from a PROXY protocol header of
    version 2. Raises BadHeader unless a verified certificate is behind it."""
    start = exactly(stream, 16)
    version_and_command, family, length = struct.unpack("!BBH", start[12:])
    if start[:12] != SIGNATURE or version_and_command != 0x21:
        raise BadHeader("no PROXY protocol header of version 2")
    rest = exactly(stream, length)
    size = {0x11: 4, 0x21: 16}.get(family)
    if size is None:
        raise BadHeader("neither IPv4 nor IPv6")
    address = ipaddress.ip_address(rest[:size])
    port = struct.unpack("!H", rest[2 * size:2 * size + 2])[0]
    ssl = dict(vectors(rest[2 * size + 4:])).get(TYPE_SSL)
    if ssl is None or len(ssl) < 5:
        raise BadHeader("not a word about TLS")
    client, verify = struct.unpack("!BI", ssl[:5])
    inner = dict(vectors(ssl[5:]))
    name = inner.get(SUBTYPE_COMMON_NAME, b"").decode("utf-8", "replace")
    # Zero is what Sallyport writes for a trusted client, and for no other.
    if not client & CLIENT_CERTIFICATE or verify != 0 or not name:
        raise BadHeader("the client was not verified, or has no name")
    tls = inner.get(SUBTYPE_VERSION, b"?").decode("ascii", "replace")
    return name, "%s:%d" % (address, port), tls


def vectors(data):
    while data:
        if len(data) < 3:
            raise BadHeader("cut off")
        kind, length = struct.unpack("!BH", data[:3])
        if len(data) < 3 + length:
            raise BadHeader("cut off")
        yield kind, data[3:3 + length]
        data = data[3 + length:]


def exactly(stream, size):
    data = stream.read(size)
    if len(data) != size:
        raise BadHeader("the connection ended in the header")
    return data


class Handler(socketserver.StreamRequestHandler):
    timeout = 300

    def handle(self):
        try:
            client, address, tls = read_client(self.rfile)
        except (BadHeader, OSError) as problem:
            print("refused: %s" % problem, flush=True)
            return
        self.say("+READY hello %s" % client)
        while True:
            line = self.rfile.readline(MAX_LINE)
            if not line.endswith(b"\n"):
                return
            command, _, rest = line.decode("utf-8", "replace").strip().partition(" ")
            key, _, value = rest.partition(" ")
            if command == "WHOAMI":
                self.say("+%s from %s over %s" % (client, address, tls))
            elif command == "SET" and key and value:
                with self.server.lock:
                    self.server.data[client, key] = value
                self.say("+OK")
            elif command == "GET" and key:
                with self.server.lock:
                    found = self.server.data.get((client, key))
                self.say("-NOT FOUND" if found is None else "+" + found)
            elif command == "QUIT":
                self.say("+BYE")
                return
            else:
                self.say("-WHAT")

    def say(self, text):
        self.wfile.write(text.encode() + b"\n")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, port=0):
        super().__init__(("127.0.0.1", port), Handler)
        self.lock = threading.Lock()
        self.data = {}

    def handle_error(self, request, client_address):
        # A proxy that goes away is no news.
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


if __name__ == "__main__":
    server = Server(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    print(server.server_address[1], flush=True)
    server.serve_forever()
