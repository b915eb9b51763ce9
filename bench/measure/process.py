"""Runs the servers and the load program, and asks the kernel what they used."""

import contextlib
import ctypes
import json
import os
import pathlib
import random
import select
import shutil
import signal
import socket
import subprocess
import time

from measure import config, peers

_PR_SET_PDEATHSIG = 1
_TICKS = os.sysconf("SC_CLK_TCK")


class Failure(Exception):
    """Something did not answer as it must; no number of this case counts."""


class Late(Failure):
    """A server did not come up, or a change did not arrive, in the time given."""


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


def _end(process, grace=0.0):
    """Ends a child, with SIGKILL unless it goes by itself within `grace` seconds."""
    with process:
        try:
            if grace:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(grace)
        finally:
            process.kill()


class Load:
    """The load program on one CPU, for one server; options as in load.cc."""

    def __init__(self, tools, cpu, port, **options):
        command = [
            str(tools.load), "--certificates", str(tools.certificates),
            "--cpu", str(cpu), "--port", str(port),
        ]
        for name, value in options.items():
            command += ["--" + name.replace("_", "-"), str(value)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            bufsize=1,
            preexec_fn=_on_cpu(cpu),
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Safe to call twice."""
        process, self._process = self._process, None
        if process is not None:
            _end(process)

    def send(self, *words):
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(" ".join(str(w) for w in words) + "\n")
            self._process.stdin.flush()

    def answer(self, timeout=None):
        """To the oldest command without one; None if it is not there in time."""
        ready, _, _ = select.select([self._process.stdout], [], [], timeout)
        if not ready:
            return None
        line = self._process.stdout.readline()
        if line:
            return json.loads(line)
        what = self._process.stderr.read().strip() or "load ended without a word"
        raise (Late if "not in time" in what else Failure)(what)

    def do(self, *words):
        self.send(*words)
        return self.answer()


class Upstream:
    """What gateways proxy to, on the CPU of the load."""

    def __init__(self, tools, cpu):
        self.port = free_port()
        self._process = subprocess.Popen(
            [str(tools.upstream), "--port", str(self.port), "--cpu", str(cpu)],
            stdin=subprocess.PIPE,
            preexec_fn=_on_cpu(cpu),
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        _end(self._process, grace=2.0)


class Server:
    """One server with one worker on one CPU.

    tools: program by config.ENVOY and so on, .module and .certificates, .load.
    """

    def __init__(self, tools, gateway, folder, cpu, upstream_port=0):
        self._tools = tools
        self.gateway = gateway
        self._cpu = cpu
        self._process = None
        self.place = config.Place(
            str(folder), str(tools.certificates), free_port(), upstream_port
        )

    @property
    def port(self):
        return self.place.port

    @property
    def pid(self):
        return self._process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def _command(self):
        program = self._tools.programs[self.gateway.server]
        if self.gateway.server != config.ENVOY:
            return [str(program), *peers.arguments(self.gateway, self.place)]
        settings = pathlib.Path(self.place.folder, "envoy.json")
        tree = config.bootstrap(self.gateway, self.place)
        settings.write_text(json.dumps(tree), encoding="utf-8")
        return [
            str(program), "-c", str(settings), "--concurrency", "1",
            "--disable-hot-restart", "--log-level", "warning",
        ]

    def _modules(self):
        """Envoy searches one folder: that of the module that this server needs."""
        module = self._tools.floor if self.gateway.floor else self._tools.module
        return str(module.parent)

    def log(self):
        path = pathlib.Path(self.place.folder, "server.log")
        return path.read_text(encoding="utf-8", errors="replace")

    def start(self, load, timeout=300.0):
        """Starts it and waits for the first answer that `load` expects.

        Returns what the start took: {"seconds", "cpu_seconds", "rss", "peak"},
        the last two in bytes, after the first answer. Late: there was none
        within `timeout` seconds.
        """
        folder = pathlib.Path(self.place.folder)
        folder.mkdir(parents=True, exist_ok=True)
        if self.gateway.own_file:
            self.replace_trust(self.gateway.truststore)
        command = self._command()
        # The load program has read its certificates before the clock starts.
        load.do("nothing")
        try:
            with open(folder / "server.log", "wb") as log:
                begin = time.monotonic_ns()
                load.send("ready", timeout)
                self._process = subprocess.Popen(
                    command,
                    cwd=folder,
                    env={
                        "PATH": os.environ.get("PATH", os.defpath),
                        "ENVOY_DYNAMIC_MODULES_SEARCH_PATH": self._modules(),
                    },
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    preexec_fn=_on_cpu(self._cpu),
                )
            ready = None
            while ready is None:
                if self._process.poll() is not None:
                    raise Failure(
                        "%s ended with %d" % (self.gateway.server, self._process.returncode)
                    )
                ready = load.answer(timeout=0.05)
        except Failure as failure:
            self.stop()
            raise type(failure)("%s\n%s" % (failure, self.log()[-3000:])) from failure
        return {
            "seconds": (ready["at_ns"] - begin) / 1e9,
            "cpu_seconds": self.cpu_seconds(),
            **self.memory(),
        }

    def stop(self):
        """Safe to call twice."""
        process, self._process = self._process, None
        if process is not None:
            # Nothing of a server that was measured is needed any more, and an
            # orderly end of a thousand filter chains takes a while.
            _end(process)
        with contextlib.suppress(FileNotFoundError):
            os.remove(self.place.folder + "/trust.pem")

    def replace_trust(self, truststore):
        """Puts another truststore in place, in one step; its source must be one
        of its own (Gateway.own_file). Returns when, by the monotonic clock."""
        folder = pathlib.Path(self.place.folder)
        if self.gateway.by_sds:
            gateway = config.with_truststore(self.gateway, truststore)
            new, final = folder / "sds.json.new", folder / "sds.json"
            new.write_text(json.dumps(config.sds_file(gateway, self.place)), encoding="utf-8")
        else:
            new, final = folder / "trust.pem.new", folder / "trust.pem"
            shutil.copyfile(pathlib.Path(self.place.fixtures, truststore), new)
        now = time.monotonic_ns()
        os.replace(new, final)
        return now

    def cpu_by_thread(self):
        """{"main", "worker", "other"}: seconds that its threads have used, to the
        nanosecond. A program that is not Envoy has only "main"."""
        out = {"main": 0.0, "worker": 0.0, "other": 0.0}
        for task in pathlib.Path("/proc/%d/task" % self.pid).iterdir():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                used = int((task / "schedstat").read_text(encoding="ascii").split()[0]) / 1e9
                name = (task / "comm").read_text(encoding="utf-8", errors="replace")
                if int(task.name) == self.pid:
                    out["main"] += used
                else:
                    out["worker" if name.startswith("wrk:") else "other"] += used
        return out

    def cpu_seconds(self):
        """What all of its threads have used."""
        return sum(self.cpu_by_thread().values())

    def memory(self):
        """{"rss", "peak"} in bytes."""
        names = {"VmRSS": "rss", "VmHWM": "peak"}
        out = {}
        text = pathlib.Path("/proc/%d/status" % self.pid).read_text(encoding="ascii")
        for line in text.splitlines():
            name, _, value = line.partition(":")
            if name in names:
                out[names[name]] = int(value.split()[0]) * 1024
        return out
