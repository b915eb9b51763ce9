"""docs/operating-sallyportd.md runs as it is written; a node comes in by it."""

import os
import pathlib
import re
import socket
import subprocess
import tempfile
import unittest

from harness import envoy, paths, processes, wait
from sallyportd import CTL, DAEMON, Daemon

PAGE = "docs/operating-sallyportd.md"
UNIT = "deploy/systemd/sallyportd.service"


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


class OperatingTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def test_the_page_runs_as_it_is_written(self):
        page = (paths.repository() / PAGE).read_text(encoding="utf-8")
        blocks = re.findall(r"^```sh\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
        self.assertGreaterEqual(len(blocks), 6)
        programs = self.folder / "bin"
        programs.mkdir()
        for program in (DAEMON, CTL):
            (programs / pathlib.Path(program).name).symlink_to(os.path.realpath(program))
        work = self.folder / "work"
        work.mkdir()
        admin, xds, http = (f"127.0.0.1:{port}" for port in free_ports(3))
        # Whatever fails, the service goes with the shell.
        script = "trap 'kill $(jobs -p) 2> /dev/null || true' EXIT\n" + "".join(blocks)
        done = subprocess.run(
            ["bash", "-euxo", "pipefail", "-c", script],
            cwd=work,
            env={
                "PATH": f"{programs}:{os.environ['PATH']}",
                "HOME": str(self.folder),
                "SALLYPORTD_ADMIN_ADDRESS": admin,
                "SALLYPORTD_XDS_ADDRESS": xds,
                "SALLYPORTD_HTTP_ADDRESS": http,
                "SALLYPORT_ADDRESS": admin,
            },
            capture_output=True, text=True, timeout=120, check=False,
            preexec_fn=processes.die_with_parent,
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        for part in ("would be created truststores/partners", "3 unchanged",
                     "status: ", "CN=Partner Root"):
            self.assertIn(part, done.stdout)
        checked = subprocess.run(
            [paths.envoy().absolute(), "--mode", "validate", "-c", "edge-1.yaml"],
            cwd=work, capture_output=True, text=True, timeout=60, check=False,
            env={"PATH": os.environ["PATH"]},
        )
        self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)

    def test_the_table_of_metrics_is_the_metrics(self):
        page = (paths.repository() / PAGE).read_text(encoding="utf-8")
        rows = re.findall(r"^\| (`sallyport_[^|]*) \|", page, re.MULTILINE)
        told = [name for row in rows for name in re.findall(r"`(sallyport_\w+)`", row)]
        with Daemon(
            self.folder / "data", "--allow-loopback-without-credentials",
            "--issuer", "internal", "--issuer-domains", "example.com",
        ) as daemon:
            daemon.ctl("list", "truststores")
            text = daemon.get("/metrics")[1]
        real = re.findall(r"^# TYPE (\w+) ", text, re.MULTILINE)
        self.assertEqual(sorted(told), sorted(real))
        for name in real:
            self.assertRegex(text, r"(?m)^%s(_count)?(\{.*\})? " % name)

    def test_a_node_comes_in_by_its_bootstrap(self):
        token = subprocess.run(
            [CTL, "token", "me", "admin"],
            capture_output=True, text=True, timeout=30, check=True,
        )
        credentials = self.folder / "credentials"
        credentials.write_text(token.stderr.splitlines()[-1] + "\n", encoding="ascii")
        secret = token.stdout.strip()
        with Daemon(
            self.folder / "data", "--admin-credentials", credentials
        ) as daemon:
            daemon.ctl("proxy-cert", "edge-1", "--directory", self.folder, token=secret)

            def bootstrap(node, certificate):
                path = self.folder / f"{node}.yaml"
                path.write_text(
                    daemon.ctl(
                        "bootstrap", node, "--xds-address", daemon.xds,
                        "--admin-address", "127.0.0.1:0",
                        "--node-ca", self.folder / "proxy-ca.pem",
                        "--node-certificate", self.folder / f"{certificate}.pem",
                        "--node-key", self.folder / f"{certificate}.key",
                    ),
                    encoding="ascii",
                )
                return envoy.Envoy(path, self.folder / node)

            def connected():
                return {
                    node["name"]
                    for node in daemon.json("list", "fleets/-/nodes", token=secret)
                    if node.get("connected")
                }

            good = bootstrap("edge-1", "edge-1")
            good.start()
            self.addCleanup(good.stop)
            wait.until(
                lambda: connected() == {"fleets/default/nodes/edge-1"}, "the node is connected"
            )
            daemon.ctl("wait", "--timeout", 30, token=secret)
            # With another's certificate it is nobody.
            liar = bootstrap("edge-2", "edge-1")
            with self.assertRaises(envoy.DidNotStart):
                try:
                    liar.start(timeout=4)
                finally:
                    liar.stop()
            self.assertEqual(connected(), {"fleets/default/nodes/edge-1"})

    def test_the_unit_is_one(self):
        unit = (paths.repository() / UNIT).read_text(encoding="utf-8")
        self.assertIn("\nExecStart=/usr/bin/sallyportd --config ", unit)
        local = self.folder / "sallyportd.service"
        local.write_text(unit.replace("/usr/bin/sallyportd", os.path.realpath(DAEMON)))
        config = self.folder / "sallyportd.toml"
        page = (paths.repository() / PAGE).read_text(encoding="utf-8")
        config.write_text(re.search(r"```toml\n(.*?)```", page, re.DOTALL).group(1))
        checked = subprocess.run(
            [DAEMON, "--config", config, "--check-config"],
            capture_output=True, text=True, timeout=30, check=False,
        )
        # The options are read; the file of credentials is not here.
        self.assertEqual(checked.returncode, 2)
        self.assertIn("--admin-credentials: /etc/sallyport/credentials", checked.stderr)
        config.write_text('data-dir = "x"\nadmin-adress = "127.0.0.1:1"\n')
        checked = subprocess.run(
            [DAEMON, "--config", config, "--check-config"],
            capture_output=True, text=True, timeout=30, check=False,
        )
        self.assertEqual(checked.returncode, 2)
        self.assertIn("admin-adress", checked.stderr)


if __name__ == "__main__":
    unittest.main()
