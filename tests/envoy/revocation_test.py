"""Revocation lists and deny lists: they count from the next request, on connections
that are open too, and give back what they no longer take."""

import json
import unittest

import gateway
from harness import certificates
from harness import files
from harness import wait


class Revocation(gateway.GatewayTest):
    server_names = ("soft.test", "hard.test", "leaf.test", "deny.test")

    @classmethod
    def domains(cls):
        workshop = cls.people.workshop
        # `branch` comes by way of the issuing CA.
        cls.nobody = {
            "root": workshop.revocation_list("root_0", cls.people.root),
            "issuing": workshop.revocation_list("issuing_0", cls.people.issuing),
        }
        cls.lists = {name: cls.folder / (name + ".crl") for name in cls.nobody}
        for name, path in cls.lists.items():
            path.write_text(cls.nobody[name], encoding="ascii")
        cls.deny = cls.folder / "deny.json"
        cls.deny.write_text("{}", encoding="ascii")
        files_of = [{"file": str(path)} for path in cls.lists.values()]
        return [
            cls.lists_domain("soft.test", revocation_lists=files_of),
            cls.lists_domain(
                "hard.test", revocation_lists=files_of, revocation_rule="HARD_FAIL"
            ),
            cls.lists_domain("leaf.test", revocation_lists=files_of, revocation_scope="LEAF"),
            cls.domain(name="deny.test", validator={"deny": {"file": str(cls.deny)}}),
        ]

    @classmethod
    def lists_domain(cls, name, **fields):
        return cls.domain(
            name=name,
            truststore={
                "name": "partners", "inline_pem": cls.people.truststore(), **fields,
            },
        )

    def setUp(self):
        self.addCleanup(self.restore)

    def restore(self):
        for name, path in self.lists.items():
            if path.read_text(encoding="ascii") != self.nobody[name]:
                files.move_into_place(path, self.nobody[name])
        if self.deny.read_text(encoding="ascii") != "{}":
            files.move_into_place(self.deny, "{}")
        for domain in self.server_names:
            self.await_status(self.people.branch, domain, 200)

    def put(self, name, pem):
        files.move_into_place(self.lists[name], pem)

    def await_status(self, identity, domain, status):
        wait.until(
            lambda: self.get(identity, server_name=domain).status == status,
            "%d from %s" % (status, domain),
        )

    def status(self, identity, domain):
        return self.get(identity, server_name=domain).status

    def test_a_revoked_client_is_out_on_its_open_connection_and_comes_back(self):
        people = self.people
        with self.connect(people.branch, server_name="soft.test") as connection, self.connect(
            people.direct, server_name="soft.test"
        ) as other:
            self.assertEqual(connection.request().status, 200)
            self.assertEqual(other.request().status, 200)
            self.put(
                "issuing",
                people.workshop.revocation_list("issuing_1", people.issuing, [people.branch]),
            )
            wait.until(lambda: connection.request().status == 403, "the client is out")
            self.assertEqual(other.request().status, 200)
            _, entry = self.get_and_log(people.branch, server_name="soft.test")
            self.assertEqual(entry["reason"], "REVOKED")
            self.assertIn("revo", entry["detail"])
            self.put("issuing", self.nobody["issuing"])
            wait.until(lambda: connection.request().status == 200, "the client is back")

    def test_a_revoked_intermediate_takes_its_clients_along(self):
        people = self.people
        self.put(
            "root", people.workshop.revocation_list("root_1", people.root, [people.issuing])
        )
        self.await_status(people.branch, "soft.test", 403)
        self.assertEqual(self.status(people.direct, "soft.test"), 200)
        # LEAF asks about the client's own certificate only.
        self.assertEqual(self.status(people.branch, "leaf.test"), 200)

    def test_a_list_out_of_date_counts_by_the_rule(self):
        people = self.people
        self.put(
            "issuing",
            people.workshop.revocation_list(
                "issuing_2", people.issuing,
                last_update=certificates.days_from_now(-2),
                next_update=certificates.days_from_now(-1),
            ),
        )
        self.await_status(people.branch, "hard.test", 403)
        self.assertEqual(self.status(people.branch, "soft.test"), 200)
        self.assertEqual(self.status(people.direct, "hard.test"), 200)

    def test_a_list_of_a_stranger_with_the_same_name_counts_for_nothing(self):
        people = self.people
        impostor = people.workshop.authority("fake", "/O=Third Party/CN=Issuing CA")
        self.put(
            "issuing", people.workshop.revocation_list("fake_1", impostor, [people.branch])
        )
        self.await_status(people.branch, "hard.test", 403)  # no list covers it
        self.assertEqual(self.status(people.branch, "soft.test"), 200)

    def test_a_list_that_cannot_be_read_leaves_the_last_good_one(self):
        people = self.people
        self.put(
            "issuing",
            people.workshop.revocation_list("issuing_3", people.issuing, [people.branch]),
        )
        self.await_status(people.branch, "soft.test", 403)
        before = self.envoy.log().count("last good one stays")
        for bad in ("", "garbage", people.root.pem(), people.root.key.read_text()):
            self.put("issuing", bad)
        wait.until(
            lambda: self.envoy.log().count("last good one stays") > before, "it is refused"
        )
        self.assertEqual(self.status(people.branch, "soft.test"), 403)
        self.assertNotIn("PRIVATE KEY", self.envoy.log())

    def test_the_deny_list_takes_out_clients_keys_and_authorities(self):
        people = self.people
        for entry, out in (
            ({"certificate_sha256": [people.branch.fingerprint()]}, people.branch),
            ({"certificate_sha256": [people.partner.fingerprint()]}, people.partner),
            ({"certificate_sha256": [people.issuing.fingerprint()]}, people.branch),
            (
                {
                    "issuer_and_serial": [
                        {"issuer": people.direct.issuer(), "serial": people.direct.serial()}
                    ]
                },
                people.direct,
            ),
        ):
            with self.subTest(entry=list(entry)):
                with self.connect(out, server_name="deny.test") as connection:
                    self.assertEqual(connection.request().status, 200)
                    files.move_into_place(self.deny, json.dumps(entry))
                    wait.until(lambda: connection.request().status == 403, "it is out")
                    self.assertEqual(self.status(people.second_partner, "deny.test"), 200)
                    files.move_into_place(self.deny, "{}")
                    wait.until(lambda: connection.request().status == 200, "it is back")


if __name__ == "__main__":
    unittest.main()
