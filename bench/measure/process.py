"""Runs Envoy and the load program, and asks the kernel what they used."""

import contextlib
import ctypes
import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import time

from measure import config

_PR_SET_PDEATHSIG = 1
_TICKS = os.sysconf("SC_CLK_TCK")


class Failure(Exception):
    """Something did not answer as it must; no number of this run counts."""


def choose_cpus():
    """(CPU of the server, CPU of the load program)."""
    cpus = sorted(os.sched_getaffinity(0))
    # The first CPU tends to get the interrupts.
    return cpus[-1], cpus[0]


def _on_cpu(cpu):
    libc = ctypes.CDLL(None)

    def prepare():
        # An interrupted run leaves nothing behind.
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        os.sched_setaffinity(0, {cpu})

    return prepare


def free_port():
    """A port that nobody has now, outside the range of outgoing connections."""
    for _ in range(200):
        port = random.randrange(20000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise Failure("no free port between 20000 and 32000")


def cpu_times(cpu):
    """Seconds that a CPU was (busy, taken by the hypervisor), since boot."""
    for line in pathlib.Path("/proc/stat").read_text(encoding="ascii").splitlines():
        fields = line.split()
        if fields[0] == "cpu%d" % cpu:
            user, nice, system, _, _, irq, softirq, steal = (int(f) for f in fields[1:9])
            return (user + nice + system + irq + softirq) / _TICKS, steal / _TICKS
    raise Failure("/proc/stat does not know CPU %d" % cpu)


class Load:
    """The load program, on one CPU, with one folder of certificates."""

    def __init__(self, program, certificates, cpu):
        self._common = [str(program), "--certificates", str(certificates), "--cpu", str(cpu)]

    def start(self, port, **options):
        """Starts it with options as in load.cc; give the result to finish()."""
        command = self._common + ["--port", str(port)]
        for name, value in options.items():
            command += ["--" + name.replace("_", "-"), str(value)]
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @staticmethod
    def finish(process):
        with process:
            try:
                out, err = process.communicate()
            except BaseException:
                process.kill()
                raise
        if process.returncode != 0:
            raise Failure(err.strip() or "load ended with %d" % process.returncode)
        return json.loads(out)

    def run(self, port, **options):
        return self.finish(self.start(port, **options))


class Server:
    """One Envoy with one worker on one CPU."""

    def __init__(self, envoy, module, gateway, certificates, folder, cpu):
        self._envoy = envoy
        self._module = module
        self._gateway = gateway
        self._certificates = certificates
        self._folder = pathlib.Path(folder)
        self._cpu = cpu
        self._process = None
        self.port = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self, load, timeout=300.0, **client):
        """Starts it and waits for the first answer.

        client: options of the load program for that one connection. Returns what
        the start took: {"seconds", "cpu_seconds", "rss", "anonymous", "peak"},
        the last three in bytes, after the first answer.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        settings = self._folder / "envoy.json"
        tree = config.bootstrap(self._gateway, str(self._certificates), self.port)
        settings.write_text(json.dumps(tree), encoding="utf-8")
        # It is waiting when Envoy is not there yet.
        waiting = load.start(self.port, ready_within=timeout, **client)
        try:
            with open(self._folder / "envoy.log", "wb") as log:
                begin = time.monotonic_ns()
                self._process = subprocess.Popen(
                    [
                        str(self._envoy), "-c", str(settings),
                        "--concurrency", "1",
                        "--disable-hot-restart",
                        "--log-level", "warning",
                    ],
                    cwd=self._folder,
                    env={
                        "PATH": os.environ.get("PATH", os.defpath),
                        "ENVOY_DYNAMIC_MODULES_SEARCH_PATH": str(self._module.parent),
                    },
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    preexec_fn=_on_cpu(self._cpu),
                )
            while waiting.poll() is None:
                if self._process.poll() is not None:
                    raise Failure("Envoy ended with %d" % self._process.returncode)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    waiting.wait(0.05)
            ready = load.finish(waiting)
        except Failure as failure:
            self.stop()
            log = (self._folder / "envoy.log").read_text(encoding="utf-8", errors="replace")
            raise Failure("%s\n%s" % (failure, log[-3000:])) from failure
        finally:
            if waiting.poll() is None:
                waiting.kill()
                waiting.communicate()
        return {
            "seconds": (ready["ready_at_ns"] - begin) / 1e9,
            "cpu_seconds": self.cpu_seconds(),
            **self._memory(),
        }

    def stop(self):
        """Safe to call twice."""
        process, self._process = self._process, None
        if process is None:
            return
        with process:
            # Nothing of an Envoy that was measured is needed any more, and an
            # orderly end of a thousand filter chains takes a while.
            process.kill()

    def cpu_seconds(self):
        """What all of its threads have used, to the nanosecond."""
        total = 0
        for task in pathlib.Path("/proc/%d/task" % self._process.pid).iterdir():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                total += int((task / "schedstat").read_text(encoding="ascii").split()[0])
        return total / 1e9

    def cpu_ticks(self):
        """The same by /proc/PID/stat, in seconds, in steps of a clock tick."""
        text = pathlib.Path("/proc/%d/stat" % self._process.pid).read_text(encoding="ascii")
        fields = text.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def _memory(self):
        names = {"VmRSS": "rss", "RssAnon": "anonymous", "VmHWM": "peak"}
        out = {}
        text = pathlib.Path("/proc/%d/status" % self._process.pid).read_text(encoding="ascii")
        for line in text.splitlines():
            name, _, value = line.partition(":")
            if name in names:
                out[names[name]] = int(value.split()[0]) * 1024
        return out
