"""Runs a real sallyportd, and asks it things with sallyportctl."""

import json
import os
import signal
import subprocess
import threading
import urllib.error
import urllib.request

from harness import processes

DAEMON = os.path.abspath(os.environ["SALLYPORTD"])
CTL = os.path.abspath(os.environ["SALLYPORTCTL"])


class Daemon:
    """One sallyportd on free ports."""

    def __init__(self, data_dir, *arguments, xds="127.0.0.1:0"):
        self.command = [
            DAEMON,
            "--data-dir", str(data_dir),
            "--admin-address", "127.0.0.1:0",
            "--xds-address", xds,
            "--http-address", "127.0.0.1:0",
            # Backends of tests are on this machine.
            *(() if "--backend-addresses" in arguments
              else ("--backend-addresses", "loopback")),
            *arguments,
        ]
        self.lines = []

    def __enter__(self):
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=processes.die_with_parent,
        )
        for line in self.process.stderr:
            self.lines.append(line)
            event = json.loads(line)
            if event["message"] == "ready":
                self.admin = "127.0.0.1:" + event["admin_port"]
                self.xds = "127.0.0.1:" + event["xds_port"]
                self.http = "http://127.0.0.1:" + event["http_port"]
                # Whoever does not read the log holds the service up.
                self.reader = threading.Thread(
                    target=self.lines.extend, args=(self.process.stderr,), daemon=True
                )
                self.reader.start()
                return self
        raise AssertionError("not ready: " + "".join(self.lines))

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Ends it as an operator would; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.end()

    def kill(self):
        self.process.kill()
        self.end()

    def end(self):
        code = self.process.wait(timeout=30)
        self.reader.join()
        self.process.stderr.close()
        return code

    def get(self, path, **headers):
        """Status and text of an HTTP answer."""
        request = urllib.request.Request(self.http + path, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def ctl(self, *arguments, token=None, code=0):
        """The output of a sallyportctl that ends with `code`."""
        environment = {"PATH": os.environ["PATH"], "SALLYPORT_ADDRESS": self.admin}
        if token:
            environment["SALLYPORT_TOKEN"] = token
        done = subprocess.run(
            [CTL, *map(str, arguments)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode != code:
            raise AssertionError(
                f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
            )
        return done.stderr if code else done.stdout

    def json(self, *arguments, **options):
        """The same, one object for each line."""
        out = self.ctl(*arguments, "--json", **options)
        return [json.loads(line) for line in out.splitlines()]
