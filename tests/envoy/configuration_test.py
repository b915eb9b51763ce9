"""Bad configurations are refused with a message that says what and where; good
ones work in each of the kinds that Envoy passes on."""

import copy
import json
import pathlib
import unittest

import gateway
from harness import config
from harness import envoy
from harness import files
from harness import wait


# The binary form of a TruststoreValidator, by hand.


def _varint(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def _bytes_field(number, data):
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def binary_validator(domain, pem):
    truststore = _bytes_field(1, b"binary") + _bytes_field(3, pem.encode())
    return _bytes_field(1, domain.encode()) + _bytes_field(2, truststore)


class BadConfiguration(unittest.TestCase):
    """Envoy does not start, and its log says why."""

    @classmethod
    def setUpClass(cls):
        temporary = gateway.scratch_folder()
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = pathlib.Path(temporary.name)
        cls.people = gateway.People(cls.folder / "people")
        cls.server = cls.people.workshop.server("server", ["api.example.com"])
        cls.good = cls.people.root.pem()
        cls.key_text = cls.people.stranger.key.read_text(encoding="ascii")

    def assert_refused(self, domain, *patterns, edit=None):
        """Starting with `domain` fails; the log matches all of `patterns`."""
        document = config.gateway([domain], 1)
        if edit:
            edit(document)
        process = envoy.Envoy(document, self.folder / "refused")
        try:
            process.start()
        except envoy.DidNotStart as error:
            log = error.log
        else:
            process.stop()
            self.fail("Envoy started")
        lines = [line for line in log.splitlines() if "sallyport" in line]
        text = "\n".join(lines)
        for pattern in patterns:
            self.assertRegex(text, pattern)
        # Nothing of a key, in any line.
        for line in self.key_text.splitlines()[1:-1]:
            self.assertNotIn(line, log)
        return log

    def domain(self, **validator):
        """A Domain whose validator message is exactly `validator`."""
        made = config.Domain(server=self.server)
        made.validation_context = config.custom_validator(config.any_of(validator))
        return made

    def validator(self, **changes):
        message = {
            "domain": "api.example.com",
            "truststores": [{"name": "partners", "inline_pem": self.good}],
        }
        message.update(changes)
        return self.domain(**{k: v for k, v in message.items() if v is not None})

    def pem(self, text, **more):
        return self.validator(truststores=[{"name": "partners", "inline_pem": text, **more}])

    def filter(self, **message):
        made = self.validator()
        made.mutual_tls = message
        return made

    # The validator.

    def test_no_domain(self):
        self.assert_refused(self.validator(domain=None), "domain")

    def test_domains_that_are_no_host_names(self):
        for name in ("*", "a..b", "https://api.example.com", "api.example.com:443", "a.*.b", "*.*.b"):
            with self.subTest(name=name):
                self.assert_refused(self.validator(domain=name), "domain")

    def test_no_truststore(self):
        self.assert_refused(self.validator(truststores=None), "truststore")

    def test_two_truststores_of_one_name(self):
        two = [{"name": "a", "inline_pem": self.good}] * 2
        self.assert_refused(self.validator(truststores=two), r"truststores\[1\]\.name", "name")

    def test_too_many_truststores(self):
        many = [{"name": "t%d" % i, "inline_pem": self.good} for i in range(33)]
        self.assert_refused(self.validator(truststores=many), "truststores", "32")

    def test_a_truststore_without_a_source(self):
        self.assert_refused(self.validator(truststores=[{"name": "partners"}]), "truststores")

    def test_a_truststore_name_with_blanks(self):
        self.assert_refused(self.pem(self.good, name="a b"), "name")

    def test_an_empty_truststore(self):
        self.assert_refused(self.pem(""), "partners|truststore")

    def test_a_truststore_without_a_certificate(self):
        self.assert_refused(self.pem("just text\n"), "certificate")

    def test_a_private_key_in_the_truststore(self):
        line = self.good.count("\n") + 1
        self.assert_refused(
            self.pem(self.good + self.key_text), "block 2", "line %d" % line, "a private key"
        )

    def test_a_truncated_certificate(self):
        cut = self.good + "\n".join(self.good.splitlines()[:5]) + "\n"
        self.assert_refused(
            self.pem(cut), "block 2", "line %d" % (self.good.count("\n") + 1)
        )

    def test_base64_that_is_no_certificate(self):
        block = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n"
        self.assert_refused(self.pem(block), "block 1")

    def test_a_file_that_is_not_there(self):
        missing = str(self.folder / "missing.pem")
        self.assert_refused(
            self.validator(truststores=[{"name": "partners", "file": missing}]), "missing.pem"
        )

    def test_a_file_that_is_a_folder(self):
        folder = [{"name": "partners", "file": str(self.folder)}]
        self.assert_refused(self.validator(truststores=folder), str(self.folder))

    def test_a_file_over_its_limit(self):
        path = self.folder / "big.pem"
        path.write_text(self.good * 3, encoding="ascii")
        truststore = {"name": "partners", "file": str(path), "limits": {"max_bytes": "1000"}}
        self.assert_refused(self.validator(truststores=[truststore]), "big.pem", "1000")

    def test_too_many_certificates(self):
        text = self.good + self.people.issuing.pem()
        self.assert_refused(self.pem(text, limits={"max_certificates": 1}), "certificates")

    def test_an_unknown_field(self):
        self.assert_refused(self.validator(chain_polcy="ANY_ANCHOR"), "chain_polcy")

    def test_an_unknown_enum_value(self):
        self.assert_refused(self.validator(chain_policy="WHATEVER"), "chain_policy|WHATEVER")

    def test_a_field_of_the_wrong_type(self):
        self.assert_refused(self.validator(pin_leaf="sometimes"), "pin_leaf")

    def test_limits_out_of_range(self):
        self.assert_refused(self.validator(limits={"max_chain_length": 11}), "max_chain_length")

    def test_an_empty_configuration(self):
        made = config.Domain(server=self.server)
        made.validation_context = config.custom_validator(config.any_of({}))
        self.assert_refused(made, "domain")

    def test_json_that_is_none(self):
        made = config.Domain(server=self.server)
        made.validation_context = config.custom_validator(
            {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": '{"domain": '}
        )
        self.assert_refused(made, "configuration")

    def test_bytes_that_are_no_message(self):
        made = config.Domain(server=self.server)
        made.validation_context = config.custom_validator(
            config.any_of(b"\x0a\xff\xff\xff\xff garbage", "bytes")
        )
        self.assert_refused(made, "configuration")

    def test_bytes_with_an_unknown_field(self):
        made = config.Domain(server=self.server)
        data = binary_validator("api.example.com", self.good) + _bytes_field(777, b"new rule")
        made.validation_context = config.custom_validator(config.any_of(data, "bytes"))
        self.assert_refused(made, "unknown|777")

    def test_an_unknown_validator(self):
        def edit(document):
            chain = document["static_resources"]["listeners"][0]["filter_chains"][0]
            context = chain["transport_socket"]["typed_config"]["common_tls_context"]
            custom = context["validation_context"]["custom_validator_config"]
            custom["typed_config"]["validator_name"] = "sallyport.trustsore"

        self.assert_refused(self.validator(), "sallyport.trustsore", edit=edit)

    # The HTTP filter.

    def test_a_filter_without_a_domain(self):
        self.assert_refused(self.filter(domain=""), "domain")

    def test_a_filter_with_an_unknown_field(self):
        self.assert_refused(self.filter(forwardin={}), "forwardin")

    def test_a_filter_with_an_unknown_mode(self):
        self.assert_refused(self.filter(forwarding={"alb": {"mode": "BOTH"}}), "mode|BOTH")

    def test_a_filter_that_would_remove_a_needed_header(self):
        for name in ("host", "content-length", ":path", "not a name", ""):
            with self.subTest(name=name):
                self.assert_refused(
                    self.filter(forwarding={"remove_headers": ["x-fine", name]}),
                    "remove_headers",
                )

    def test_a_filter_with_too_small_a_budget(self):
        self.assert_refused(
            self.filter(forwarding={"max_header_bytes": 10}), "max_header_bytes"
        )

    def test_an_unknown_filter(self):
        def edit(document):
            chain = document["static_resources"]["listeners"][0]["filter_chains"][0]
            manager = chain["filters"][0]["typed_config"]
            manager["http_filters"][0]["typed_config"]["filter_name"] = "sallyport.mtsl"

        self.assert_refused(self.validator(), "sallyport.mtsl", edit=edit)

    def test_no_library(self):
        document = config.gateway([self.validator()], 1)
        empty = self.folder / "empty"
        empty.mkdir(exist_ok=True)
        process = envoy.Envoy(
            document, self.folder / "no_library", module=empty / "libsallyport.so"
        )
        with self.assertRaises(envoy.DidNotStart) as raised:
            process.start()
        process.stop()
        self.assertRegex(raised.exception.log, "Failed to load dynamic module")


class Carriers(gateway.GatewayTest):
    """The kinds of Any that carry a module configuration."""

    server_names = ("struct.test", "string.test", "bytes.test")

    @classmethod
    def domains(cls):
        made = []
        pem = cls.people.truststore()
        for kind in ("struct", "string", "bytes"):
            name = kind + ".test"
            domain = cls.domain(name=name)
            if kind == "bytes":
                value = binary_validator(name, pem)
            else:
                value = {"domain": name, "truststores": [{"name": kind, "inline_pem": pem}]}
            domain.validation_context = config.custom_validator(config.any_of(value, kind))
            made.append(domain)
        return made

    def test_each_works(self):
        for name in self.server_names:
            with self.subTest(name=name):
                response = self.get(self.people.partner, server_name=name)
                self.assert_trusted_as(self.people.partner, response)
                self.assert_forbidden(self.get(self.people.stranger, server_name=name))


class BadUpdate(gateway.GatewayTest):
    """A refused SDS file: the message, and the last good one stays."""

    @classmethod
    def domains(cls):
        cls.sds = cls.folder / "sds" / "client_trust.yaml"
        cls.sds.parent.mkdir()
        cls.secret_of = cls.domain(sds_file=cls.sds)
        cls.write_secret(cls.secret_of)
        return [cls.secret_of]

    @classmethod
    def write_secret(cls, domain):
        files.move_into_place(cls.sds, json.dumps(config.secret(domain)))

    def assert_refused_and_harmless(self, write, *patterns):
        with self.connect(self.people.partner) as open_one:
            self.assertEqual(open_one.request().status, 200)
            since = len(self.envoy.log())
            write()
            for pattern in patterns:
                self.envoy.wait_for_log(pattern, since)
            # The old one is in force, for new connections and the open one.
            self.assert_trusted_as(self.people.partner, self.get(self.people.partner))
            self.assert_forbidden(self.get(self.people.stranger))
            self.assertEqual(open_one.request().status, 200)
        for line in self.people.stranger.key.read_text(encoding="ascii").splitlines()[1:-1]:
            self.assertNotIn(line, self.envoy.log())

    def with_truststore(self, **truststore):
        domain = copy.copy(self.secret_of)
        domain.truststore = {"name": "partners", **truststore}
        return lambda: self.write_secret(domain)

    def test_a_private_key(self):
        pem = self.people.truststore() + self.people.stranger.key.read_text(encoding="ascii")
        blocks = pem.count("-----BEGIN")
        line = pem[:pem.index("-----BEGIN PRIVATE")].count("\n") + 1
        self.assert_refused_and_harmless(
            self.with_truststore(inline_pem=pem),
            r"sallyport: .*block %d.*line %d" % (blocks, line),
            "Failed to initialize dynamic module cert validator config",
        )

    def test_an_unknown_field(self):
        domain = copy.copy(self.secret_of)
        domain.validator = {"pin_leef": True}
        self.assert_refused_and_harmless(
            lambda: self.write_secret(domain), r"sallyport: .*pin_leef"
        )

    def test_a_missing_file(self):
        self.assert_refused_and_harmless(
            self.with_truststore(file=str(self.folder / "nowhere.pem")),
            r"sallyport: .*nowhere\.pem",
        )

    def test_a_file_that_is_no_yaml(self):
        self.assert_refused_and_harmless(
            lambda: files.move_into_place(self.sds, "resources: [}"), "client_trust.yaml|YAML|yaml"
        )

    def test_a_good_update_after_a_bad_one(self):
        self.assert_refused_and_harmless(
            self.with_truststore(inline_pem="nothing"), r"sallyport: .*certificate"
        )
        second_only = self.people.second_partner.pem()
        self.with_truststore(inline_pem=second_only)()
        wait.until(lambda: self.get(self.people.partner).status == 403, "the update")
        self.assert_trusted_as(self.people.second_partner, self.get(self.people.second_partner))
        self.with_truststore(inline_pem=self.people.truststore())()
        wait.until(lambda: self.get(self.people.partner).status == 200, "the old one again")


if __name__ == "__main__":
    unittest.main()
