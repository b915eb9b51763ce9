"""A real sallyportd, and a thousand proxies at once: all connect together, again
and again, some never read. What counts is who gets what, and the memory.

XDS_CROWD is the number of proxies (make soak takes more).
"""

import json
import os
import pathlib
import resource
import subprocess
import tempfile
import unittest

from harness import certificates
from harness import processes
from harness import wait
from sallyportd import Daemon

CROWD = int(os.environ.get("XDS_CROWD", "1000"))
SLOW = CROWD // 2
DOMAINS = 5
SECRET = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"
# Of a truststore, nearly the largest that is taken without an admin's word.
NUM_AUTHORITIES = 900
MIB = 1024.0
# What a connected node may cost, all in all: TCP, HTTP/2, its stream.
NODE_MIB = 0.25


class Proxies:
    """The proxies of bench/xds, in a process of their own."""

    def __init__(self, address):
        self.address = address
        self.process = subprocess.Popen(
            [os.path.abspath(os.environ["PROXIES"])],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            preexec_fn=processes.die_with_parent,
        )

    def ask(self, verb, **values):
        self.process.stdin.write(json.dumps({verb: values}) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if "error" in answer:
            raise AssertionError(answer["error"])
        return answer

    def connect(self, count, expect, **options):
        return self.ask(
            "connect", address=self.address, count=count, expect=expect, subscribe="all",
            fleet="default", **options,
        )

    def complete(self, seconds=40):
        return self.ask("complete", seconds=seconds)

    def end(self):
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()


class CrowdTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        cls.root = pathlib.Path(temporary.name)
        workshop = certificates.Workshop(cls.root / "pki")
        cls.authority = workshop.authority("root", "/CN=Root")
        cls.web = workshop.make(
            "web", "/CN=*.example.com", cls.authority,
            extensions=("subjectAltName = DNS:*.example.com",),
        )
        # Certificates cost time to make: one, many times over, is as many bytes.
        cls.large = cls.authority.pem() * NUM_AUTHORITIES

    def setUp(self):
        self.folder = self.root / self.id().rsplit(".", 1)[1]
        self.folder.mkdir()
        self.start()
        documents = [
            "name: serverCertificates/web\nmaterial:\n  certificate_chain_pem_file: %s\n"
            "  private_key_pem_file: %s\n" % (self.web.certificate, self.web.key),
            "name: truststores/partners\npem_file: %s\n" % self.authority.certificate,
        ] + [
            "name: domainNames/d%d.example.com\nserver_certificate: serverCertificates/web\n"
            "mutual_tls: {truststores: [{truststore: truststores/partners}]}\n" % i
            for i in range(DOMAINS)
        ]
        state = self.folder / "state.yaml"
        state.write_text("---\n".join(documents), encoding="ascii")
        self.daemon.ctl("apply", "-f", state, "--yes", "--allow-files-anywhere")

    def start(self):
        self.daemon = Daemon(
            self.folder / "data", "--allow-loopback-without-credentials")
        self.daemon.__enter__()
        self.addCleanup(self.daemon.__exit__)

    def proxies(self):
        proxies = Proxies(self.daemon.xds)
        self.addCleanup(proxies.end)
        return proxies

    def number_of_resources(self):
        """That a proxy gets which asks for all there is."""
        proxies = self.proxies()
        proxies.connect(1, 0)
        seen = []

        def settled():
            seen.append(proxies.ask("stats")["resources"])
            return len(seen) > 5 and seen[-1] == seen[-5] > 3 * DOMAINS

        wait.until(settled, "it has everything", 20, 0.1)
        proxies.ask("disconnect")
        return seen[-1]

    def memory(self):
        status = pathlib.Path("/proc/%d/status" % self.daemon.process.pid)
        for line in status.read_text(encoding="ascii").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / MIB
        raise AssertionError("no VmRSS")

    def metric(self, name):
        for line in self.daemon.get("/metrics")[1].splitlines():
            if line.startswith(name + " "):
                return float(line.rpartition(" ")[2])
        raise AssertionError(name)

    def await_all(self, count):
        wait.until(
            lambda: self.metric("sallyport_xds_nodes") == count
            and self.metric("sallyport_xds_acknowledged_revision")
            == self.metric("sallyport_xds_published_revision"),
            "%d nodes have everything" % count, 40,
        )

    def new_version(self, number):
        path = self.folder / "large.pem"
        # Text between the blocks makes it another file.
        path.write_text("version %d\n%s" % (number, self.large), encoding="ascii")
        self.daemon.ctl(
            "create", "truststores/partners/versions", "--from-file", "pem=%s" % path,
            "--set", "activate=true",
        )

    def test_all_come_at_once_again_and_again(self):
        expect = self.number_of_resources()
        proxies = self.proxies()
        before = self.memory()
        used = []
        for _ in range(3):
            proxies.connect(CROWD, expect)
            self.assertTrue(proxies.complete()["done"])
            self.await_all(CROWD)
            stats = proxies.ask("stats")
            self.assertEqual((stats["open"], stats["ended"]), (CROWD, {}))
            # Each got each resource once.
            self.assertEqual(stats["resources"], CROWD * expect)
            used.append(self.memory())
            print("%d nodes: %.0f MiB more" % (CROWD, used[-1] - before))
            proxies.ask("disconnect")
            wait.until(lambda: self.metric("sallyport_xds_nodes") == 0, "all are gone", 20)
        self.assertLess(used[0] - before, CROWD * NODE_MIB)
        # What they leave behind does not grow.
        self.assertLess(used[2] - used[0], CROWD * NODE_MIB / 5)

        # The service is killed and comes again: all at once, with what they had.
        self.daemon.kill()
        self.start()
        proxies.address = self.daemon.xds
        proxies.connect(CROWD, 0, warm=True)
        self.await_all(CROWD)
        stats = proxies.ask("stats")
        self.assertEqual((stats["open"], stats["resources"], stats["removed"]), (CROWD, 0, 0))

    def test_those_who_do_not_read_hold_up_nobody_and_cost_little(self):
        expect = self.number_of_resources()
        slow, quick = self.proxies(), self.proxies()
        # A small window: what is sent stays with the service.
        slow.connect(SLOW, expect, prefix="slow", window_bytes=65536)
        quick.connect(20, expect, prefix="quick")
        self.assertTrue(slow.complete()["done"])
        self.assertTrue(quick.complete()["done"])
        self.await_all(SLOW + 20)
        slow.ask("pause", count=SLOW)
        # The last thing that they read was under way already.
        self.new_version(0)
        before = self.memory()
        for number in range(1, 11):
            quick.ask("watch", type=SECRET, name="truststores/partners")
            self.new_version(number)
            arrived = quick.ask("arrived", at=0, seconds=20)
            self.assertTrue(arrived["done"], "version %d: %s" % (number, arrived))
        # A content waits once for all of them, not once for each.
        grown = self.memory() - before
        print("%d do not read: %.0f MiB more" % (SLOW, grown))
        self.assertLess(grown, SLOW * len(self.large) / MIB / MIB / 5)
        stats = slow.ask("stats")
        self.assertEqual(stats["open"], SLOW)

        # They read again: the newest, not one after the other.
        received = stats["resources"]
        slow.ask("watch", type=SECRET, name="truststores/partners")
        slow.ask("resume")
        self.assertTrue(slow.ask("arrived", at=0, seconds=40)["done"])
        self.await_all(SLOW + 20)
        self.assertLessEqual(slow.ask("stats")["resources"] - received, SLOW * 4)


if __name__ == "__main__":
    unittest.main()
