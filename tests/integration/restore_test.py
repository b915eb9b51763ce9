"""Imports into a sallyportd that lives: what its nodes see of it, and what stays
when it is killed meanwhile."""

import os
import pathlib
import random
import subprocess
import tempfile
import threading
import time
import unittest

from harness import certificates, wait, xds
from sallyportd import CTL, Daemon

DOMAIN = "api.example.com"
# Kills in the middle of an import.
KILLS = 12
# Entries of a list, so that an import takes its time.
ENTRIES = 9000
# Resources that are written one after the other while exports are taken.
WRITTEN = ("apis/first", "fleets/middle", "truststores/partners")
EXPORTS = 6


class RestoreTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.workshop = certificates.Workshop(self.folder / "pki")
        self.root = self.workshop.authority("root", "/CN=Root")
        self.key, self.public = self.folder / "backup.key", self.folder / "backup.pub"
        for arguments in (
            ("genpkey", "-algorithm", "X25519", "-out", self.key),
            ("pkey", "-in", self.key, "-pubout", "-out", self.public),
        ):
            subprocess.run(["openssl", *arguments], check=True, capture_output=True)

    def start(self, name):
        daemon = Daemon(self.folder / name, "--allow-loopback-without-credentials")
        daemon.__enter__()
        self.addCleanup(daemon.__exit__)
        return daemon

    def fill(self, daemon):
        server = self.workshop.make(
            "server", f"/CN={DOMAIN}", self.root,
            extensions=(f"subjectAltName = DNS:{DOMAIN}",),
        )
        daemon.ctl("create", "truststores/partners", "--from-file", f"pem={self.root.certificate}")
        daemon.ctl("create", "serverCertificates/api",
                   "--from-file", f"material.certificate_chain_pem={server.certificate}",
                   "--from-file", f"material.private_key_pem={server.key}")
        daemon.ctl("create", f"domainNames/{DOMAIN}",
                   "--set", "server_certificate=serverCertificates/api",
                   "--set", "mutual_tls.truststores=[{truststore: truststores/partners}]")

    def export(self, daemon, name):
        path = self.folder / name
        daemon.ctl("export-state", path, "--recipient", self.public, "--replace")
        return path

    def restore(self, daemon, path):
        (said,) = daemon.json(
            "import-state", path, "--recipient-key", self.key, "--replace")
        return int(said["revision"])

    def connect(self, daemon, have=None):
        """A proxy that asks for everything; `have`: {type: {name: version}}."""
        channel = xds.channel(daemon.xds)
        self.addCleanup(channel.close)
        stream = xds.Stream(channel)
        self.addCleanup(stream.close)
        for kind in (xds.CLUSTER, xds.LISTENER, xds.CHAIN, xds.ROUTES, xds.SECRET):
            stream.ask(kind, "*", versions=(have or {}).get(kind))
        return stream

    @staticmethod
    def take_all(stream, wanted):
        """{type: {name: version}}, until `wanted` secrets are there and no more comes."""
        have = {}
        while True:
            try:
                response = stream.take(timeout=1)
            except xds.queue.Empty:
                if wanted <= set(have.get(xds.SECRET, ())):
                    return have
                continue
            stream.accept(response)
            kind = have.setdefault(response.type_url, {})
            kind.update({r.name: r.version for r in response.resources})
            for name in response.removed_resources:
                kind.pop(name, None)

    def nothing_new(self, stream, timeout=0.6):
        """Nothing comes but the answer that there is nothing of a type."""
        while True:
            try:
                response = stream.take(timeout)
            except xds.queue.Empty:
                return
            self.assertEqual([r.name for r in response.resources], [])
            self.assertEqual(list(response.removed_resources), [])
            stream.accept(response)

    def acknowledged(self, daemon, revision):
        def has_it():
            (node,) = daemon.json("get", "fleets/default/nodes/node-1")
            return int(node.get("acknowledged_revision", 0)) >= revision

        wait.until(has_it, f"the node has revision {revision}")

    def test_proxies_get_nothing_new_by_a_restore_of_the_same_state(self):
        one = self.start("one")
        self.fill(one)
        stream = self.connect(one)
        have = self.take_all(
            stream,
            {"truststores/partners", f"bindings/{DOMAIN}", "server-certificates/api", "carrier"},
        )
        backup = self.export(one, "one.state")
        # It changes, for itself and for who comes, and is put back.
        one.ctl("update", "truststores/partners", "--set", "description=x")
        revision = self.restore(one, backup)
        self.acknowledged(one, revision)
        self.nothing_new(stream)
        one.ctl("wait", "--timeout", 20)
        # As it was acknowledged, so is what comes now.
        one.ctl("create", "fleets/other")
        self.acknowledged(one, revision + 1)
        self.restore(one, backup)
        self.nothing_new(stream)
        # Whoever comes back has all there is, also in another installation.
        stream.close()
        self.nothing_new(self.connect(one, have))
        self.assertEqual(one.stop(), 0)
        one = self.start("one")
        self.nothing_new(self.connect(one, have))
        two = self.start("two")
        self.restore(two, backup)
        self.assertEqual(two.stop(), 0)
        two = self.start("two")
        self.nothing_new(self.connect(two, have))

    def test_proxies_follow_a_restore_of_an_earlier_state(self):
        one = self.start("one")
        self.fill(one)
        stream = self.connect(one)
        secrets = {"truststores/partners", f"bindings/{DOMAIN}", "server-certificates/api"}
        have = self.take_all(stream, secrets)
        backup = self.export(one, "one.state")
        second = self.workshop.authority("second", "/CN=Second")
        one.ctl("create", "truststores/partners/versions",
                "--from-file", f"pem={second.certificate}", "--set", "activate=true")
        response = stream.take()
        self.assertEqual([r.name for r in response.resources], ["truststores/partners"])
        stream.accept(response)
        revision = self.restore(one, backup)
        response = stream.take()
        self.assertEqual(
            [(r.name, r.version) for r in response.resources],
            [("truststores/partners", have[xds.SECRET]["truststores/partners"])],
        )
        stream.accept(response)
        self.acknowledged(one, revision)
        self.nothing_new(stream)

    def test_no_node_exports(self):
        one = self.start("one")
        channel = xds.channel(one.xds)
        self.addCleanup(channel.close)
        for method in ("ExportState", "ImportState"):
            call = channel.unary_unary(
                f"/sallyport.config.v1.State/{method}",
                request_serializer=bytes, response_deserializer=bytes)
            with self.assertRaises(xds.grpc.RpcError) as caught:
                call(b"", timeout=20)
            self.assertEqual(caught.exception.code().name, "UNIMPLEMENTED")

    def test_a_kill_leaves_the_state_before_or_the_one_after(self):
        entries = ", ".join(
            "{certificate_sha256: %064x}" % number for number in range(ENTRIES))
        daemon = self.start("one")
        states = {}
        for name in ("a", "b"):
            daemon.ctl("create", f"truststores/{name}", "--from-file",
                       f"pem={self.root.certificate}")
            document = self.folder / "list.yaml"
            document.write_text(
                f"name: certificateLists/{name}\nkind: DENY\nentries: [{entries}]\n",
                encoding="ascii")
            daemon.ctl("apply", "-f", document, "--yes")
            states[name] = self.export(daemon, f"{name}.state")
            daemon.ctl("delete", f"truststores/{name}")
            daemon.ctl("delete", f"certificateLists/{name}")
        self.restore(daemon, states["a"])

        def now():
            (truststore,) = daemon.json("list", "truststores")
            (listed,) = daemon.json("list", "certificateLists")
            name = truststore["name"].partition("/")[2]
            self.assertEqual(listed["name"], f"certificateLists/{name}")
            self.assertEqual(int(listed["entry_count"]), ENTRIES)
            return name

        self.assertEqual(now(), "a")
        # How long one takes.
        began = time.monotonic()
        self.restore(daemon, states["b"])
        longest = 1.2 * (time.monotonic() - began)
        chance = random.Random(1)
        seen = {"before": 0, "after": 0}
        for number in range(3 * KILLS):
            if number >= KILLS and all(seen.values()):
                break
            before = now()
            (other,) = set(states) - {before}
            importing = subprocess.Popen(
                [CTL, "import-state", states[other], "--recipient-key", self.key, "--replace"],
                env={"PATH": os.environ["PATH"], "SALLYPORT_ADDRESS": daemon.admin},
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )
            try:
                importing.wait(timeout=longest * chance.random())
            except subprocess.TimeoutExpired:
                pass
            daemon.kill()
            acknowledged = importing.wait(timeout=30) == 0
            daemon = self.start("one")
            after = now()
            if acknowledged:
                self.assertEqual(after, other)
            seen["before" if after == before else "after"] += 1
            if not seen["after"]:
                # Slower than it was.
                longest *= 1.2
        self.assertGreater(seen["before"], 0, seen)
        self.assertGreater(seen["after"], 0, seen)

    def test_an_export_under_writes_is_one_revision(self):
        one = self.start("one")
        self.fill(one)
        one.ctl("create", "apis/first")
        one.ctl("create", "fleets/middle")
        done = threading.Event()
        written = []

        def write():
            while not done.is_set():
                for name in WRITTEN:
                    one.ctl("update", name, "--set", f"description={len(written)}")
                written.append(None)

        thread = threading.Thread(target=write)
        thread.start()
        try:
            exports = []
            for number in range(EXPORTS):
                at = len(written)
                wait.until(lambda at=at: len(written) > at, "a round of writes")
                exports.append(self.export(one, f"{number}.state"))
        finally:
            done.set()
            thread.join()
        two = self.start("two")
        rounds = []
        for path in exports:
            self.restore(two, path)
            now = [int(two.json("get", name)[0]["description"]) for name in WRITTEN]
            # Each is of this round of writes, or, from one on, of the one before.
            self.assertEqual(now, sorted(now, reverse=True))
            self.assertLessEqual(now[0] - now[-1], 1)
            rounds.append(now[0])
        self.assertEqual(rounds, sorted(rounds))
        self.assertGreater(rounds[-1], rounds[0])


if __name__ == "__main__":
    unittest.main()
