"""Trust changes while Envoy runs: nobody is disconnected, and the change counts
from the next request."""

import copy
import json
import os
import threading
import time
import unittest

import gateway
from harness import certificates
from harness import config
from harness import files
from harness import http2
from harness import wait


class Reload(gateway.GatewayTest):
    server_names = ("file.test", "inline.test", "moved.test", "twin.test", "silent.test",
                    "both.test")

    @classmethod
    def domains(cls):
        cls.truststore = cls.folder / "trust" / "truststore.pem"
        cls.truststore.parent.mkdir()
        cls.everybody = cls.people.truststore()
        cls.truststore.write_text(cls.everybody, encoding="ascii")
        # As Kubernetes mounts a ConfigMap.
        cls.mount = cls.folder / "mount"
        cls.mount_version("1", cls.everybody)
        (cls.mount / "truststore.pem").symlink_to("..data/truststore.pem")

        cls.sds = cls.folder / "sds" / "client_trust.yaml"
        cls.sds.parent.mkdir()
        cls.inline = cls.domain(name="inline.test", sds_file=cls.sds)
        cls.set_inline(cls.everybody)
        from_file = {"name": "from-file", "file": str(cls.truststore)}
        cls.both = cls.domain(name="both.test", sds_file=cls.folder / "sds" / "both.yaml")
        cls.set_version("1")
        return [
            cls.both,
            cls.domain(name="file.test", truststore=from_file),
            # A second domain with the same file.
            cls.domain(name="twin.test", truststore=from_file),
            # And a third, whose backend is told nothing.
            cls.domain(name="silent.test", truststore=from_file, mutual_tls={}),
            cls.inline,
            cls.domain(
                name="moved.test",
                truststore={"name": "mounted", "file": str(cls.mount / "truststore.pem")},
            ),
        ]

    @classmethod
    def mount_version(cls, version, pem):
        folder = cls.mount / ("..version_" + version)
        folder.mkdir(parents=True)
        (folder / "truststore.pem").write_text(pem, encoding="ascii")
        link = cls.mount / "..data_new"
        link.symlink_to(folder.name)
        os.replace(link, cls.mount / "..data")

    @classmethod
    def set_inline(cls, pem):
        domain = copy.copy(cls.inline)
        domain.truststore = {"name": "inline", "inline_pem": pem}
        files.move_into_place(cls.sds, json.dumps(config.secret(domain)))

    @classmethod
    def set_version(cls, version):
        domain = copy.copy(cls.both)
        domain.truststore = {
            "name": "both", "version": version, "file": str(cls.truststore),
        }
        cls.both.truststore = domain.truststore
        files.move_into_place(cls.both.sds_file, json.dumps(config.secret(domain)))

    def updates_by_sds(self):
        return sum(
            v for k, v in self.envoy.stats("listener.").items()
            if k.endswith("ssl_context_update_by_sds")
        )

    def without(self, identity):
        text = self.everybody.replace(identity.pem(), "")
        self.assertNotEqual(text, self.everybody)
        return text

    def status(self, identity, domain):
        return self.get(identity, server_name=domain).status

    def wait_for(self, identity, domain, status):
        wait.until(
            lambda: self.status(identity, domain) == status,
            "%d for %s" % (status, identity.certificate.name),
        )

    def check_update(self, domain, update):
        """`update` puts a PEM text in force. The partner goes and comes back;
        two connections stay open throughout."""
        partner, other = self.people.partner, self.people.second_partner
        with self.connect(partner, server_name=domain) as going, self.connect(
            other, server_name=domain
        ) as staying:
            self.assertEqual(going.request().status, 200)
            self.assertEqual(staying.request().status, 200)
            update(self.without(partner))
            try:
                # The open connection is what is waited on: no new handshake
                # is needed for the change to count.
                wait.until(lambda: going.request().status == 403, "403 on the open connection")
                self.assert_forbidden(going.request())
                self.assert_forbidden(self.get(partner, server_name=domain))
                self.assertEqual(staying.request().status, 200)
            finally:
                update(self.everybody)
            wait.until(lambda: going.request().status == 200, "200 on the open connection")
            self.assert_trusted_as(partner, going.request())
            self.assertEqual(staying.request().status, 200)
            self.wait_for(partner, domain, 200)

    def test_truststore_file_by_atomic_move(self):
        self.check_update(
            "file.test", lambda pem: files.move_into_place(self.truststore, pem)
        )

    def test_where_nothing_is_forwarded(self):
        partner = self.people.partner
        with self.connect(partner, server_name="silent.test") as connection:
            self.assertEqual(connection.request().status, 200)
            files.move_into_place(self.truststore, self.without(partner))
            try:
                wait.until(lambda: connection.request().status == 403, "403")
            finally:
                files.move_into_place(self.truststore, self.everybody)
            wait.until(lambda: connection.request().status == 200, "200 again")

    def test_sds_file_by_atomic_move(self):
        self.check_update("inline.test", self.set_inline)
        updates = [
            v for k, v in self.envoy.stats("listener.").items()
            if k.endswith("ssl_context_update_by_sds")
        ]
        self.assertTrue(any(updates), "no SDS update was counted")

    def test_kubernetes_swap_of_a_symbolic_link(self):
        versions = iter(range(2, 100))
        self.check_update(
            "moved.test", lambda pem: self.mount_version(str(next(versions)), pem)
        )

    def test_one_file_of_two_domains(self):
        files.move_into_place(self.truststore, self.without(self.people.partner))
        try:
            for domain in ("file.test", "twin.test"):
                self.wait_for(self.people.partner, domain, 403)
        finally:
            files.move_into_place(self.truststore, self.everybody)
        for domain in ("file.test", "twin.test"):
            self.wait_for(self.people.partner, domain, 200)

    def test_streams_of_an_open_http_2_connection(self):
        with http2.Connection(
            self.port, self.server.certificate, self.people.partner, server_name="file.test"
        ) as connection:

            def answer():
                return connection.exchange(authority="file.test")

            self.assertIn(b"x-forwarded-client-cert", answer())
            files.move_into_place(self.truststore, self.without(self.people.partner))
            try:
                wait.until(lambda: answer() == gateway.FORBIDDEN, "403 on the open connection")
            finally:
                files.move_into_place(self.truststore, self.everybody)
            wait.until(lambda: b"x-forwarded-client-cert" in answer(), "200 again")

    def test_a_bad_file_changes_nothing(self):
        key = self.people.stranger.key.read_text(encoding="ascii")
        lines = self.everybody.count("\n")
        bad = {
            "a private key": (self.everybody + key, r"refused.*block \d+.*line %d" % (lines + 1)),
            "an empty file": ("", "refused"),
            "a truncated file": (self.everybody[:-200], r"refused.*block \d+"),
            "no certificate": ("hello\n", "refused"),
        }
        with self.connect(self.people.partner, server_name="file.test") as open_one:
            for what, (text, pattern) in bad.items():
                with self.subTest(what=what):
                    since = len(self.envoy.log())
                    files.move_into_place(self.truststore, text)
                    self.envoy.wait_for_log(r"truststore\.pem.*" + pattern, since)
                    self.assertEqual(open_one.request().status, 200)
                    self.assertEqual(self.status(self.people.partner, "file.test"), 200)
                    self.assertEqual(self.status(self.people.stranger, "file.test"), 403)
        for line in key.splitlines()[1:-1]:
            self.assertNotIn(line, self.envoy.log())
        wait.until(
            lambda: self.envoy.counter(
                "sallyport_updates_refused", file="truststore", why="content"
            ) >= len(bad),
            "all are counted",
        )
        # And a good one after that counts.
        files.move_into_place(self.truststore, self.without(self.people.partner))
        self.wait_for(self.people.partner, "file.test", 403)
        files.move_into_place(self.truststore, self.everybody)
        self.wait_for(self.people.partner, "file.test", 200)

    def test_a_file_written_in_place_changes_nothing_and_is_told_of(self):
        partner = self.people.partner
        since = len(self.envoy.log())
        self.truststore.write_text(self.without(partner), encoding="ascii")
        try:
            self.envoy.wait_for_log(r"warning.*truststore\.pem was written to in place", since)
            wait.until(
                lambda: self.envoy.counter(
                    "sallyport_updates_refused", file="truststore", why="in_place"
                ) > 0,
                "the counter",
            )
            self.assertEqual(self.status(partner, "file.test"), 200)
        finally:
            self.truststore.write_text(self.everybody, encoding="ascii")
        files.move_into_place(self.truststore, self.without(partner))
        self.wait_for(partner, "file.test", 403)
        files.move_into_place(self.truststore, self.everybody)
        self.wait_for(partner, "file.test", 200)

    def test_what_is_half_written_is_not_read_for_another_reason(self):
        partner = self.people.partner
        inode = self.truststore.stat().st_ino
        since = len(self.envoy.log())
        self.truststore.write_text(self.without(partner), encoding="ascii")
        try:
            self.envoy.wait_for_log(r"warning.*truststore\.pem was written to in place", since)
            # Something else is moved beside it.
            files.move_into_place(self.truststore.parent / "unrelated.txt", "x")
            # A configuration comes that names it and changes something else.
            before = self.updates_by_sds()
            self.set_version("2")
            wait.until(lambda: self.updates_by_sds() > before, "an update by SDS")
            end = time.monotonic() + 2
            while time.monotonic() < end:
                for name in ("file.test", "both.test"):
                    self.assertEqual(self.status(partner, name), 200)
            self.assertEqual(self.truststore.stat().st_ino, inode)
        finally:
            files.move_into_place(self.truststore, self.without(partner))
        for name in ("file.test", "both.test"):
            self.wait_for(partner, name, 403)
        files.move_into_place(self.truststore, self.everybody)
        for name in ("file.test", "both.test"):
            self.wait_for(partner, name, 200)

    def test_a_removed_file_changes_nothing(self):
        self.truststore.unlink()
        try:
            # Something that the watcher sees happens after the removal.
            self.set_inline(self.without(self.people.partner))
            self.wait_for(self.people.partner, "inline.test", 403)
            self.assertEqual(self.status(self.people.partner, "file.test"), 200)
        finally:
            self.set_inline(self.everybody)
            files.move_into_place(self.truststore, self.everybody)
        self.wait_for(self.people.partner, "inline.test", 200)

    def test_a_truststore_that_trusts_nobody_refuses_everybody(self):
        # An expired partner file must not stop a proxy, nor open it.
        files.move_into_place(self.truststore, self.people.expired_partner.pem())
        try:
            self.wait_for(self.people.partner, "file.test", 403)
            self.assertEqual(self.status(self.people.expired_partner, "file.test"), 403)
        finally:
            files.move_into_place(self.truststore, self.everybody)
        self.wait_for(self.people.partner, "file.test", 200)

    def test_under_load(self):
        """Clients that are always trusted never see anything but 200, those
        that never are nothing but 403, while the truststore changes."""
        stop = threading.Event()
        problems, counts = [], {"steady": 0, "fresh": 0, "never": 0, "toggled": 0}

        def loop(name, act):
            try:
                while not stop.is_set():
                    act()
                    counts[name] += 1
            except Exception as error:  # pylint: disable=broad-except
                problems.append("%s: %r" % (name, error))

        def expect(got, *wanted):
            if got not in wanted:
                raise AssertionError("%r in place of %r" % (got, wanted))

        people = self.people
        with self.connect(people.second_partner, server_name="file.test") as steady, self.connect(
            people.partner, server_name="file.test"
        ) as toggled:
            acts = [
                ("steady", lambda: expect(steady.request().status, 200)),
                ("fresh", lambda: expect(self.status(people.second_partner, "file.test"), 200)),
                ("fresh", lambda: expect(self.status(people.direct, "twin.test"), 200)),
                ("never", lambda: expect(self.status(people.stranger, "file.test"), 403)),
                ("never", lambda: expect(self.status(people.expired, "twin.test"), 403)),
                ("toggled", lambda: expect(self.status(people.partner, "twin.test"), 200, 403)),
            ]
            # Made before the threads need them.
            for who in ("second_partner", "direct", "stranger", "expired", "partner"):
                getattr(people, who)
            threads = [threading.Thread(target=loop, args=a, daemon=True) for a in acts]
            for thread in threads:
                thread.start()
            without = self.without(people.partner)
            try:
                for i in range(20):
                    text, status = ((without, 403), (self.everybody, 200))[i % 2]
                    files.move_into_place(self.truststore, text + "# %d\n" % i)
                    wait.until(
                        lambda s=status: toggled.request().status == s, "move %d shows" % i
                    )
                    # From now on, until the next move, it is so.
                    for _ in range(3):
                        expect(toggled.request().status, status)
                        expect(self.status(people.partner, "file.test"), status)
            finally:
                stop.set()
                for thread in threads:
                    thread.join(30)
                files.move_into_place(self.truststore, self.everybody)
        self.assertEqual(problems, [])
        for name, count in counts.items():
            self.assertGreater(count, 5, name)
        self.wait_for(people.partner, "file.test", 200)


class Time(gateway.GatewayTest):
    """A date that passes counts for the next request of an open connection."""

    server_names = ("api.example.com", "silent.test")

    @classmethod
    def domains(cls):
        return [cls.domain(), cls.domain(name="silent.test", mutual_tls={})]

    def test_a_certificate_that_expires_while_its_connection_is_open(self):
        end = certificates.seconds_from_now(4)
        identity = self.people.workshop.client(
            "short", "/CN=short", self.people.root,
            not_before=certificates.days_from_now(-1), not_after=end,
        )
        with self.connect(identity) as connection, self.connect(
            identity, server_name="silent.test"
        ) as silent:
            self.assertEqual(connection.request().status, 200)
            self.assertEqual(silent.request().status, 200)
            _, not_after = identity.validity()

            def refused():
                before = time.time()
                status = connection.request().status
                if status == 403:
                    # Not before its time: the last second still counts.
                    self.assertGreater(time.time(), not_after.timestamp())
                    return True
                self.assertEqual(status, 200)
                self.assertLess(before, not_after.timestamp() + 2)
                return False

            wait.until(refused, "403 after the certificate's end")
            self.assert_forbidden(silent.request())
            self.assert_forbidden(self.get(identity))

    def test_a_certificate_that_becomes_valid_while_its_connection_is_open(self):
        start = certificates.seconds_from_now(3)
        identity = self.people.workshop.client(
            "early", "/CN=early", self.people.root,
            not_before=start, not_after=certificates.days_from_now(1),
        )
        with self.connect(identity) as connection:
            self.assert_forbidden(connection.request())
            not_before, _ = identity.validity()

            def accepted():
                status = connection.request().status
                if status == 200:
                    self.assertGreaterEqual(time.time(), not_before.timestamp())
                return status == 200

            wait.until(accepted, "200 after the certificate's beginning")


if __name__ == "__main__":
    unittest.main()
