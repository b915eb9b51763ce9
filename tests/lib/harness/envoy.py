"""Runs a real Envoy with the module, on free ports, and asks it things."""

import http.client
import json
import os
import pathlib
import re
import subprocess
import urllib.parse

from harness import paths
from harness import processes
from harness import wait

class DidNotStart(Exception):
    """Envoy ended, or was not ready in time. `log` is what it wrote."""

    def __init__(self, message, log):
        super().__init__(message + "\n" + log[-6000:])
        self.log = log


class Envoy:
    """One Envoy process.

    config: a dict (written as JSON), or the path of a file.
    directory: where its files go, and its working directory.
    module: libsallyport.so; None for SALLYPORT_MODULE.
    outlive: do not end it with this process (for the demo's KEEP=1).
    """

    def __init__(
        self,
        config,
        directory,
        module=None,
        program=None,
        concurrency=1,
        log_level="info",
        outlive=False,
        drain_seconds=1,
    ):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        if isinstance(config, dict):
            self.config = self.directory / "envoy.json"
            self.config.write_text(json.dumps(config, indent=1), encoding="utf-8")
        else:
            self.config = pathlib.Path(config)
        self.module = pathlib.Path(module) if module else paths.module()
        self.program = pathlib.Path(program) if program else paths.envoy()
        self.concurrency = concurrency
        self.log_level = log_level
        self.outlive = outlive
        self.drain_seconds = drain_seconds
        self.log_path = self.directory / "envoy.log"
        self.access_log_path = self.directory / "access.log"
        self.process = None
        self.admin_address = None
        self._ports = {}

    # Life.

    def start(self, timeout=30.0):
        """Returns when Envoy says it is ready; raises DidNotStart."""
        address_file = self.directory / "admin.address"
        address_file.unlink(missing_ok=True)
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "ENVOY_DYNAMIC_MODULES_SEARCH_PATH": str(self.module.absolute().parent),
        }
        for name in ("HOME", "TMPDIR", "TEST_TMPDIR"):
            if name in os.environ:
                environment[name] = os.environ[name]
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [
                    str(self.program.absolute()),
                    "-c", str(self.config.absolute()),
                    "--concurrency", str(self.concurrency),
                    "--disable-hot-restart",
                    "--admin-address-path", str(address_file.absolute()),
                    "--file-flush-interval-msec", "20",
                    "--drain-time-s", str(self.drain_seconds),
                    "--log-level", self.log_level,
                ],
                cwd=self.directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=None if self.outlive else processes.die_with_parent,
            )

        def ready():
            if self.process.poll() is not None:
                raise DidNotStart("Envoy ended with %d" % self.process.returncode, self.log())
            if self.admin_address is None:
                text = address_file.read_text() if address_file.exists() else ""
                if ":" not in text:
                    return False
                host, _, port = text.strip().rpartition(":")
                self.admin_address = (host, int(port))
            try:
                return self.admin("/ready", expect=None)[0] == 200
            except OSError:
                return False

        try:
            wait.until(ready, "Envoy is ready", timeout)
        except TimeoutError as error:
            self.stop()
            raise DidNotStart(str(error), self.log()) from error
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self):
        """Ends it; returns its exit status. Safe to call twice."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.returncode

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    # Questions.

    def admin(self, path, method="GET", expect=200):
        """Returns (status, body) of the admin interface."""
        connection = http.client.HTTPConnection(*self.admin_address, timeout=10)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            body = response.read().decode()
            if expect is not None and response.status != expect:
                raise RuntimeError("%s %s: %d %s" % (method, path, response.status, body))
            return response.status, body
        finally:
            connection.close()

    def port(self, listener):
        """The port that the listener of that name is bound to."""
        if listener not in self._ports:
            answer = json.loads(self.admin("/listeners?format=json")[1])
            for status in answer.get("listener_statuses", []):
                address = status["local_address"]["socket_address"]
                self._ports[status["name"]] = address["port_value"]
        return self._ports[listener]

    def log(self):
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def access_log(self):
        """The access log's entries: one JSON object a line."""
        if not self.access_log_path.exists():
            return []
        text = self.access_log_path.read_text(encoding="utf-8", errors="replace")
        # A line is complete when its line feed is there.
        return [json.loads(line) for line in text.split("\n")[:-1] if line.startswith("{")]

    def wait_for_access_log(self, matches, what, timeout=10.0):
        """The first entry for which `matches` is true."""
        return wait.until(
            lambda: next((e for e in self.access_log() if matches(e)), None), what, timeout
        )

    def wait_for_log(self, pattern, since=0, timeout=15.0):
        """Waits for a line of Envoy's own log; returns the match."""
        return wait.until(
            lambda: re.search(pattern, self.log()[since:]),
            "a line that matches %r in Envoy's log" % pattern,
            timeout,
        )

    def stats(self, prefix=""):
        """Envoy's own counters and gauges by name."""
        query = "/stats?format=json&filter=" + urllib.parse.quote("^" + re.escape(prefix))
        entries = json.loads(self.admin(query)[1])["stats"]
        return {e["name"]: e["value"] for e in entries if "name" in e}

    def prometheus(self):
        """Samples as {(name, ((label, value), ...)): number}."""
        samples = {}
        for line in self.admin("/stats/prometheus")[1].splitlines():
            match = re.fullmatch(r"([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)", line)
            if match and not line.startswith("#"):
                labels = re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', match.group(2) or "")
                samples[(match.group(1), tuple(sorted(labels)))] = float(match.group(3))
        return samples

    def counter(self, name_suffix, **labels):
        """Sum of the Prometheus samples whose name ends in `name_suffix` and
        that carry all of `labels`."""
        wanted = set(labels.items())
        return sum(
            value
            for (name, have), value in self.prometheus().items()
            if name.endswith(name_suffix) and wanted <= set(have)
        )
