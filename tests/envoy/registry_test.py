"""The module's registry in a real Envoy: carriers bring truststores and
bindings by SDS, chains come by FCDS, and nothing is rebuilt when trust changes.

The layout is that of docs/xds-layout.md, from files in place of a server.
"""

import base64
import hashlib
import json
import shutil
import unittest

import gateway
from harness import client
from harness import config
from harness import envoy
from harness import files
from harness import paths
from harness import wait

_TYPE = "type.googleapis.com/"
_LISTENER = _TYPE + "envoy.config.listener.v3.Listener"
_CHAIN = _TYPE + "envoy.config.listener.v3.FilterChain"
_SECRET = _TYPE + "envoy.extensions.transport_sockets.tls.v3.Secret"
_COPY = "sallyport_copy"


def content(text):
    data = text.encode()
    half = len(data) // 2
    return {
        "pieces": [base64.b64encode(p).decode() for p in (data[:half], data[half:])],
        "sha256": base64.b64encode(hashlib.sha256(data).digest()).decode(),
    }


def truststore_entry(name, version, pem, **more):
    return {
        "truststore": {
            "name": name, "version": version, "active": True, "pem": content(pem), **more
        }
    }


def binding_entry(domain, *truststores, **more):
    return {
        "binding": {"domain": domain, "truststores": [{"name": t} for t in truststores], **more}
    }


class Xds:
    """The files that Envoy follows."""

    def __init__(self, folder, server):
        self.folder = folder
        self.server = server
        for name in ("sds", "rest"):
            (folder / name).mkdir(parents=True)
        self.secrets = []  # (chain, secret)
        self.chains = {}  # domain -> chain

    def source(self, name):
        return {
            "path_config_source": {"path": str(self.folder / name)},
            "resource_api_version": "V3",
        }

    def put_secret(self, name, entry):
        """A secret with an entry of the registry; carried after write()."""
        context = config.custom_validator(config.any_of(entry))
        validator = context["custom_validator_config"]["typed_config"]
        validator["validator_name"] = "sallyport.registry"
        resource = {"@type": _SECRET, "name": name, "validation_context": context}
        files.move_into_place(
            self.folder / self.file_of(name), json.dumps({"resources": [resource]})
        )
        if name not in self.secrets:
            self.secrets.append(name)

    @staticmethod
    def file_of(name):
        return "sds/%s.json" % name.replace("/", "_")

    def put_chain(self, domain, module=config.MODULE, rejection="FORBIDDEN", resumption=False):
        """A chain for `domain` that takes its trust from the registry."""
        wanted = config.Domain(
            server=self.server, name=domain, resumption=resumption,
            validator={"from_registry": True, "rejection": rejection},
            mutual_tls={"forwarding": {"xfcc": {"subject": True}}, "rejection": rejection},
        )
        chain = config._filter_chain(wanted)
        del chain["filter_chain_match"]
        chain["name"] = "domains/" + domain
        text = json.dumps(chain).replace(
            '"name": "%s", "do_not_close"' % config.MODULE, '"name": "%s", "do_not_close"' % module
        )
        self.chains[domain] = json.loads(text)

    def write(self):
        """Chains first, then what names them."""
        chains = [{"@type": _CHAIN, **chain} for chain in self.chains.values()]
        files.move_into_place(self.folder / "rest/fcds.json", json.dumps({"resources": chains}))
        listeners = [self._carrier(), self._port()]
        files.move_into_place(self.folder / "rest/lds.json", json.dumps({"resources": listeners}))

    def _carrier(self):
        certificate = {
            "certificate_chain": {"filename": str(self.server.certificate)},
            "private_key": {"filename": str(self.server.key)},
        }
        chains = []
        for name in self.secrets:
            tls = {
                "@type": _TYPE
                + "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
                "require_client_certificate": True,
                "common_tls_context": {
                    "tls_certificates": [certificate],
                    "validation_context_sds_secret_config": {
                        "name": name, "sds_config": self.source(self.file_of(name)),
                    },
                },
            }
            chains.append(
                {
                    "name": name,
                    "filter_chain_match": {"application_protocols": [name]},
                    "transport_socket": {
                        "name": "envoy.transport_sockets.tls", "typed_config": tls
                    },
                }
            )
        return {
            "@type": _LISTENER, "name": "carriers/0", "bind_to_port": False,
            "address": config._address(1), "filter_chains": chains,
        }

    def _port(self):
        port = config.gateway([], 1)["static_resources"]["listeners"][0]
        action = _TYPE + "google.protobuf.StringValue"
        port["@type"] = _LISTENER
        port["fcds_config"] = {"config_source": self.source("rest/fcds.json")}
        port["filter_chains"] = [{"name": "none"}]
        port["filter_chain_matcher"] = {
            "matcher_tree": {
                "input": {
                    "name": "sni",
                    "typed_config": {
                        "@type": _TYPE
                        + "envoy.extensions.matching.common_inputs.network.v3.ServerNameInput"
                    },
                },
                "exact_match_map": {
                    "map": {
                        domain: {
                            "action": {
                                "name": "chain",
                                "typed_config": {"@type": action, "value": "domains/" + domain},
                            }
                        }
                        for domain in self.chains
                    }
                },
            }
        }
        return port


class Registry(gateway.GatewayTest):
    DOMAINS = ("one.test", "two.test", "three.test")
    server_names = DOMAINS + (
        "waits.test", "copy.test", "later.test", "passes.test", "resumes.test",
    )

    @classmethod
    def domains(cls):
        return []

    @classmethod
    def start(cls, domains, name, **options):
        modules = cls.folder / "modules"
        modules.mkdir()
        module = modules / "libsallyport.so"
        module.symlink_to(paths.module().absolute())
        shutil.copyfile(paths.module(), modules / ("lib%s.so" % _COPY))
        cls.xds = xds = Xds(cls.folder / "xds", cls.server)
        cls.everybody = cls.people.truststore()
        cls.version = 1
        xds.put_secret("truststores/partners", truststore_entry("partners", "1", cls.everybody))
        for domain in cls.DOMAINS + ("copy.test", "resumes.test"):
            xds.put_secret("bindings/" + domain, binding_entry(domain, "partners"))
        for domain in ("waits.test", "passes.test"):
            xds.put_secret("bindings/" + domain, binding_entry(domain, "absent"))
        for domain in cls.DOMAINS + ("waits.test",):
            xds.put_chain(domain)
        xds.put_chain("copy.test", module=_COPY)
        xds.put_chain("passes.test", rejection="PASS")
        xds.put_chain("resumes.test", resumption=True)
        xds.write()
        bootstrap = config.gateway([], cls.backend.port)
        bootstrap["static_resources"]["listeners"] = []
        bootstrap["dynamic_resources"] = {"lds_config": xds.source("rest/lds.json")}
        started = envoy.Envoy(
            bootstrap, cls.folder / name, module=module, concurrency=2, log_level="info"
        )
        cls.addClassCleanup(started.stop)
        return started.start()

    def put_truststore(self, pem):
        """A new version of the truststore that most domains use; its number."""
        type(self).version += 1
        self.xds.put_secret(
            "truststores/partners", truststore_entry("partners", str(self.version), pem)
        )
        return self.version

    def without(self, identity):
        text = self.everybody.replace(identity.pem(), "")
        self.assertNotEqual(text, self.everybody)
        return text

    def manager_stats(self):
        stats = self.envoy.stats("listener_manager.")
        return {
            name: stats.get("listener_manager." + name, 0)
            for name in (
                "listener_modified", "listener_in_place_updated", "listener_added",
                "total_filter_chains_draining", "total_listeners_draining",
            )
        }

    def test_a_registry_that_holds_what_is_needed_serves(self):
        for domain in self.DOMAINS:
            self.assert_trusted_as(
                self.people.partner, self.get(self.people.partner, server_name=domain)
            )
            self.assert_forbidden(self.get(self.people.stranger, server_name=domain))

    def test_one_secret_changes_all_domains_and_nothing_else(self):
        partner, other = self.people.partner, self.people.second_partner
        going = [self.connect(partner, server_name=d) for d in self.DOMAINS]
        staying = [self.connect(other, server_name=d) for d in self.DOMAINS]
        try:
            for connection in going + staying:
                self.assertEqual(connection.request().status, 200)
            before = self.manager_stats()
            since = len(self.envoy.log())
            version = self.put_truststore(self.without(partner))
            for connection in going:
                wait.until(lambda c=connection: c.request().status == 403, "403 on each")
                self.assert_forbidden(connection.request())
            for domain in self.DOMAINS:
                self.assert_forbidden(self.get(partner, server_name=domain))
            for connection in staying:
                self.assertEqual(connection.request().status, 200)
            self.assertEqual(self.manager_stats(), before)
            # It was read once.
            loaded = "registry: loaded truststore partners@%d," % version
            self.assertEqual(self.envoy.log()[since:].count(loaded), 1)
            self.assertEqual(self.envoy.log()[since:].count("registry: loaded"), 1)
        finally:
            self.put_truststore(self.everybody)
            for connection in going:
                wait.until(lambda c=connection: c.request().status == 200, "200 on each")
            for connection in going + staying:
                connection.close()

    def test_a_bad_truststore_leaves_the_last_good_one(self):
        with self.connect(self.people.partner, server_name="one.test") as connection:
            self.assertEqual(connection.request().status, 200)
            since = len(self.envoy.log())
            version = self.put_truststore("no certificate at all")
            self.envoy.wait_for_log(
                r"sallyport\.registry: truststore partners@%d refused: truststore\.pem: " % version,
                since,
            )
            self.assertEqual(connection.request().status, 200)
            self.assertEqual(self.get(self.people.partner, server_name="two.test").status, 200)
        self.put_truststore(self.everybody)
        self.envoy.wait_for_log("loaded truststore partners@%d," % self.version, since)

    def test_a_domain_waits_for_its_truststore(self):
        partner = self.people.partner
        with self.connect(partner, server_name="waits.test") as connection:
            self.assert_forbidden(connection.request())
            # In the style PASS as well.
            self.assert_forbidden(self.get(partner, server_name="passes.test"))
            response, line = self.get_and_log(partner, server_name="passes.test")
            self.assert_forbidden(response)
            self.assertEqual(line["details"], "sallyport_denied{CONFIGURATION_MISSING}")
            self.xds.put_secret("truststores/absent", truststore_entry("absent", "1", partner.pem()))
            self.xds.write()
            wait.until(lambda: connection.request().status == 200, "200 on the open connection")
        self.assert_trusted_as(partner, self.get(partner, server_name="waits.test"))

    def test_a_second_copy_of_the_module_has_a_registry_of_its_own(self):
        for identity in (self.people.partner, self.people.stranger):
            response, line = self.get_and_log(identity, server_name="copy.test")
            self.assert_forbidden(response)
            self.assertEqual(line["details"], "sallyport_denied{CONFIGURATION_MISSING}")

    def test_a_resumed_session_gets_the_trust_of_now(self):
        partner = self.people.partner
        with self.connect(partner, server_name="resumes.test", tls="1.2") as first:
            self.assertEqual(first.request().status, 200)
            session, context = first.session, first.context

        def resume():
            with self.connect(
                server_name="resumes.test", context=context, session=session
            ) as connection:
                self.assertTrue(connection.session_reused)
                return connection.request().status

        self.assertEqual(resume(), 200)
        self.put_truststore(self.without(partner))
        try:
            wait.until(lambda: resume() == 403, "403 on a resumed session")
        finally:
            self.put_truststore(self.everybody)
        wait.until(lambda: resume() == 200, "200 on a resumed session")

    def test_a_new_domain_disturbs_nobody(self):
        partner = self.people.partner
        with self.connect(partner, server_name="one.test") as connection:
            self.assertEqual(connection.request().status, 200)
            self.xds.put_secret(
                "bindings/later.test", binding_entry("later.test", "partners")
            )
            self.xds.put_chain("later.test")
            self.xds.write()

            def served():
                try:
                    return self.get(partner, server_name="later.test").status == 200
                except client.Refused:
                    return False  # no domain has the name yet

            wait.until(served, "later.test is served")
            self.assertEqual(connection.request().status, 200)
            self.assertEqual(self.manager_stats()["total_listeners_draining"], 0)


if __name__ == "__main__":
    unittest.main()
