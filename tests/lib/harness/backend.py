"""An HTTP/1.1 backend that answers with what it received, as JSON.

{"method", "path", "headers": [[name, value], ...], "trailers": [[name, value],
...], "body_bytes", "connection"}. As a program it listens on a free port of
127.0.0.1 and prints that port.

A path under /drip is answered with a body without end, a piece every DRIP
seconds; a request for an upgrade with 101, and then with what comes in.
"""

import contextlib
import http.server
import itertools
import json
import os
import pathlib
import select
import socketserver
import subprocess
import sys
import threading

from harness import processes

DRIP = 0.05

_connections = itertools.count(1)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 120

    def setup(self):
        super().setup()
        self.connection_number = next(_connections)

    def _drip(self):
        self.send_response(200)
        self.send_header("content-type", self.headers.get("content-type", "text/plain"))
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        with self._counted_as_open():
            while True:
                self.wfile.write(b"5\r\ndrip\n\r\n")
                # The proxy closes when the client is gone; a body may still come.
                if select.select([self.connection], [], [], DRIP)[0]:
                    if not self.connection.recv(65536):
                        break

    def _upgrade(self):
        self.send_response(101)
        self.send_header("connection", "Upgrade")
        self.send_header("upgrade", self.headers["upgrade"])
        self.end_headers()
        with self._counted_as_open():
            while data := self.connection.recv(65536):
                self.connection.sendall(data)

    @contextlib.contextmanager
    def _counted_as_open(self):
        self.close_connection = True
        with self.server.lock:
            self.server.num_open += 1
        try:
            yield
        finally:
            with self.server.lock:
                self.server.num_open -= 1

    def _answer(self):
        if self.path.startswith("/drip"):
            self._drip()
            return
        if "upgrade" in self.headers:
            self._upgrade()
            return
        size, trailers = self._read_body()
        body = json.dumps(
            {
                "method": self.command,
                "path": self.path,
                "headers": [[k, v] for k, v in self.headers.items()],
                "trailers": trailers,
                "body_bytes": size,
                "connection": self.connection_number,
            },
            indent=1,
        ).encode() + b"\n"
        with self.server.lock:
            self.server.num_requests += 1
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_OPTIONS = do_PATCH = _answer

    def _read_body(self):
        """Returns (bytes read, trailers)."""
        if "chunked" not in self.headers.get("transfer-encoding", "").lower():
            length = int(self.headers.get("content-length") or 0)
            return len(self.rfile.read(length)), []
        size = 0
        while True:
            line = self.rfile.readline()
            if not line:
                raise ConnectionError("the body was cut off")
            length = int(line.split(b";")[0], 16)
            if length == 0:
                break
            size += len(self.rfile.read(length))
            self.rfile.readline()
        trailers = []
        while True:
            line = self.rfile.readline().strip()
            if not line:
                return size, trailers
            name, _, value = line.decode("latin-1").partition(":")
            trailers.append([name, value.strip()])

    def log_message(self, *_):
        pass


class Backend(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """Serves in a thread of its own between start() and stop()."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 1024

    def __init__(self, port=0):
        super().__init__(("127.0.0.1", port), _Handler)
        self.lock = threading.Lock()
        self.num_requests = 0
        # Answers without end, and upgraded connections.
        self.num_open = 0
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)

    @property
    def port(self):
        return self.server_address[1]

    def handle_error(self, request, client_address):
        # A proxy that goes away is no news.
        if not isinstance(sys.exc_info()[1], (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)

    def start(self):
        self._thread.start()
        return self

    def stop(self):
        self.shutdown()
        self.server_close()


def start_process(**options):
    """This module as a program; its port is the first line of its stdout."""
    library = str(pathlib.Path(__file__).absolute().parents[1])
    return subprocess.Popen(
        [sys.executable, "-B", "-m", "harness.backend"],
        env={**os.environ, "PYTHONPATH": library},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        **options,
    )


class BackendProcess:
    """A Backend in a process of its own, for tests with many client threads."""

    def __init__(self):
        self._process = None
        self.port = None

    def start(self):
        self._process = start_process(preexec_fn=processes.die_with_parent)
        self.port = int(self._process.stdout.readline())
        return self

    def stop(self):
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()


def main():
    server = Backend()
    print(server.port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
