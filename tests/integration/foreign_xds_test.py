"""A real sallyportd, and clients of its xDS port that are not ours: gRPC for
Python and Envoy's API as Envoy has it."""

import hashlib
import pathlib
import tempfile
import unittest

from harness import certificates
from harness import wait
from harness import xds
from sallyportd import Daemon

DOMAIN = "a.example.com"
CHAIN, BINDING = "domains/" + DOMAIN, "bindings/" + DOMAIN
TRUSTSTORE, CERTIFICATE = "truststores/partners", "server-certificates/web"


def setUpModule():  # pylint: disable=invalid-name
    global FOLDER, WORKSHOP, ROOTS, WEB  # pylint: disable=global-variable-undefined
    temporary = tempfile.TemporaryDirectory()
    unittest.addModuleCleanup(temporary.cleanup)
    FOLDER = pathlib.Path(temporary.name)
    WORKSHOP = certificates.Workshop(FOLDER / "pki")
    ROOTS = [WORKSHOP.authority("root%d" % i, "/CN=Root %d" % i) for i in range(2)]
    WEB = WORKSHOP.make(
        "web", "/CN=*.example.com", ROOTS[0],
        extensions=("subjectAltName = DNS:*.example.com",),
    )


class ServiceTest(unittest.TestCase):
    """A sallyportd with one domain in the fleet "default"."""

    arguments = ("--allow-loopback-without-credentials",)
    token = None

    def setUp(self):
        self.folder = FOLDER / self.id().rsplit(".", 1)[1]
        self.folder.mkdir()
        self.streams = []
        self.addCleanup(lambda: [stream.close() for stream in self.streams])

    def start(self):
        daemon = Daemon(self.folder / "data", *self.arguments)
        daemon.__enter__()
        self.addCleanup(daemon.__exit__)
        self.daemon = daemon
        return daemon

    def ctl(self, *arguments, **options):
        return self.daemon.ctl(*arguments, token=self.token, **options)

    def apply(self, *documents):
        path = self.folder / "state.yaml"
        path.write_text("---\n".join(documents), encoding="ascii")
        self.ctl("apply", "-f", path, "--yes", "--allow-files-anywhere")

    def certificate(self, name):
        return (
            "name: serverCertificates/%s\nmaterial:\n  certificate_chain_pem_file: %s\n"
            "  private_key_pem_file: %s\n" % (name, WEB.certificate, WEB.key)
        )

    @staticmethod
    def truststore(name, roots=1):
        path = FOLDER / ("%d.pem" % roots)
        path.write_text("".join(root.pem() for root in ROOTS[:roots]), encoding="ascii")
        return "name: truststores/%s\npem_file: %s\n" % (name, path)

    @staticmethod
    def domain(name, certificate="web", truststore="partners", fleets=()):
        return (
            "name: domainNames/%s\nserver_certificate: serverCertificates/%s\n"
            "mutual_tls: {truststores: [{truststore: truststores/%s}]}\nfleets: [%s]\n"
            % (name, certificate, truststore, ", ".join(fleets))
        )

    def simple(self):
        self.start()
        self.apply(self.certificate("web"), self.truststore("partners"), self.domain(DOMAIN))

    def connect(self, method=xds.DELTA, **options):
        channel = xds.channel(self.daemon.xds)
        self.addCleanup(channel.close)
        stream = xds.Stream(channel, method, **options)
        self.streams.append(stream)
        return stream

    def renew_truststore(self, roots=2):
        self.apply(self.truststore("partners", roots))

    def node(self, name="node-1"):
        (found,) = self.daemon.json("get", "fleets/default/nodes/" + name, token=self.token)
        return found

    def status(self, token=None, **fields):
        channel = xds.channel(self.daemon.admin)
        self.addCleanup(channel.close)
        return xds.ClientStatus(channel, token or self.token).fetch(**fields)

    def statuses(self, name="node-1"):
        """{(type, name): (configuration's status, client's status)} of one node."""
        answer = self.status(node_matchers=[{"node_id": {"exact": name}}])
        kinds = xds.class_of("envoy.service.status.v3.ClientConfig.GenericXdsConfig")
        ours = kinds.DESCRIPTOR.fields_by_name["config_status"].enum_type
        theirs = kinds.DESCRIPTOR.fields_by_name["client_status"].enum_type
        return {
            (c.type_url, c.name): (
                ours.values_by_number[c.config_status].name,
                theirs.values_by_number[c.client_status].name,
            )
            for config in answer.config
            for c in config.generic_xds_configs
        }

    def ends(self, stream, code):
        with self.assertRaises(xds.Ended) as caught:
            while True:
                stream.take()
        self.assertEqual(caught.exception.code, code)
        return caught.exception.details


class DeltaTest(ServiceTest):
    def wait_for(self, stream, type_url, name):
        """A resource as it comes to be, or changes; accepts what comes before."""
        while True:
            response = stream.take()
            stream.accept(response)
            for resource in response.resources:
                if (response.type_url, resource.name) == (type_url, name):
                    return resource

    def test_gets_what_it_asks_for_and_what_changes(self):
        self.simple()
        stream = self.connect()
        stream.ask(xds.SECRET, TRUSTSTORE, BINDING)
        have = stream.collect(xds.SECRET, 2)
        self.assertEqual(set(have), {TRUSTSTORE, BINDING})
        self.assertTrue(stream.nothing())
        self.renew_truststore()
        response = stream.take()
        self.assertEqual([r.name for r in response.resources], [TRUSTSTORE])
        self.assertNotEqual(response.resources[0].version, have[TRUSTSTORE].version)
        stream.accept(response)
        # What it dropped does not come any more; what it takes up again does.
        stream.ask(xds.SECRET, drop=[TRUSTSTORE])
        self.renew_truststore(1)
        self.assertTrue(stream.nothing())
        stream.ask(xds.SECRET, TRUSTSTORE)
        self.assertNotIn(
            stream.collect(xds.SECRET, 1)[TRUSTSTORE].version,
            (have[TRUSTSTORE].version, response.resources[0].version),
        )

    def test_gets_everything_of_a_type_until_it_drops_the_wildcard(self):
        self.simple()
        stream = self.connect()
        stream.ask(xds.CLUSTER)
        stream.accept(stream.take())
        stream.ask(xds.LISTENER)
        listeners = {r.name for r in stream.take().resources}
        self.assertIn("https", listeners)
        stream = self.connect(node="node-2")
        stream.ask(xds.SECRET, "*")
        have = {}
        while not {TRUSTSTORE, BINDING, CERTIFICATE} <= set(have):
            have.update(stream.collect(xds.SECRET, 1))
        stream.ask(xds.SECRET, BINDING, drop=["*"])
        # A name that is asked for is sent, also when the wildcard covered it.
        self.assertEqual(set(stream.collect(xds.SECRET, 1)), {BINDING})
        self.renew_truststore()
        self.assertTrue(stream.nothing())

    def test_hears_of_what_is_not_there_and_of_what_comes_to_be(self):
        self.simple()
        stream = self.connect()
        stream.ask(xds.CHAIN, "domains/b.example.com", "nothing")
        response = stream.take()
        self.assertEqual(
            sorted(response.removed_resources), ["domains/b.example.com", "nothing"])
        stream.accept(response)
        self.apply(self.domain("b.example.com"))
        self.assertEqual(set(stream.collect(xds.CHAIN, 1)), {"domains/b.example.com"})
        self.ctl("delete", "domainNames/b.example.com")
        self.assertEqual(list(stream.take().removed_resources), ["domains/b.example.com"])

    def test_hears_that_a_domain_is_gone_while_its_connections_are_not(self):
        self.simple()
        stream = self.connect()
        stream.ask(xds.ROUTES, "domains/" + DOMAIN)
        before = stream.collect(xds.ROUTES, 1)["domains/" + DOMAIN]
        self.ctl("delete", "domainNames/" + DOMAIN)
        response = stream.take()
        self.assertEqual(list(response.removed_resources), [])
        (after,) = response.resources
        self.assertEqual(after.name, before.name)
        self.assertNotEqual(after.version, before.version)

    def test_gets_nothing_when_it_comes_back_unchanged_also_after_a_restart(self):
        self.simple()
        stream = self.connect()
        stream.ask(xds.SECRET, TRUSTSTORE, BINDING, CERTIFICATE)
        have = stream.collect(xds.SECRET, 3)
        versions = {name: resource.version for name, resource in have.items()}
        stream.ask(xds.LISTENER)
        listeners = {r.name: r.version for r in stream.take().resources}

        def come_back(**other):
            back = self.connect()
            back.ask(xds.SECRET, *versions, versions=dict(versions, **other))
            back.ask(xds.LISTENER, versions=listeners)
            return back

        self.assertTrue(come_back().nothing())
        stream.close()
        self.assertEqual(self.daemon.stop(), 0)
        self.start()
        self.assertTrue(come_back().nothing())
        # Only what is different, and what is gone.
        back = come_back(**{BINDING: "another"})
        self.assertEqual(set(back.collect(xds.SECRET, 1)), {BINDING})
        self.assertTrue(back.nothing())
        self.ctl("delete", "domainNames/" + DOMAIN)
        back = come_back()
        gone = set()
        while BINDING not in gone:
            gone |= set(back.take().removed_resources)

    def test_answers_count_once_and_only_on_their_own_stream(self):
        self.simple()
        stream, other = self.connect(), self.connect(node="node-2")
        other.ask(xds.SECRET, BINDING)
        theirs = other.take()
        stream.ask(xds.SECRET, TRUSTSTORE)
        ours = stream.take()
        key = (xds.SECRET, TRUSTSTORE)
        self.assertEqual(self.statuses()[key], ("STALE", "REQUESTED"))
        # Of nobody, of another stream (whose counting may be the same), not of this type.
        for nonce in ("nobody's", "99", "-1", "18446744073709551616", " " + ours.nonce):
            stream.refuse(ours, "no", nonce=nonce)
        stream.send(xds.CLUSTER, response_nonce=ours.nonce)
        stream.accept(stream.take())
        self.assertEqual(self.statuses()[key], ("STALE", "REQUESTED"))
        self.assertEqual(
            self.statuses("node-2")[(xds.SECRET, BINDING)], ("STALE", "REQUESTED"))
        other.accept(theirs)
        stream.accept(ours)
        wait.until(lambda: self.statuses()[key] == ("SYNCED", "ACKED"), "accepted", 10)
        # It said so already.
        stream.refuse(ours, "too late")
        stream.ask(xds.SECRET, BINDING)
        stream.accept(stream.take())
        wait.until(
            lambda: self.statuses()[(xds.SECRET, BINDING)] == ("SYNCED", "ACKED"), "accepted", 10)
        self.assertEqual(self.statuses()[key], ("SYNCED", "ACKED"))
        self.assertEqual(self.node().get("refusals", []), [])

    def test_is_shown_as_refusing_and_is_not_sent_the_same_again(self):
        self.simple()
        stream = self.connect()
        stream.ask(xds.SECRET, TRUSTSTORE, BINDING)
        bad = None
        for _ in range(2):
            response = stream.take()
            if response.resources[0].name == TRUSTSTORE:
                bad = response
                stream.refuse(response, "not\x1b[31m that\n")
            else:
                stream.accept(response)
        key = (xds.SECRET, TRUSTSTORE)
        wait.until(lambda: self.statuses()[key] == ("ERROR", "NACKED"), "refused", 10)
        (config,) = self.status(node_matchers=[{"node_id": {"exact": "node-1"}}]).config
        (state,) = [
            c.error_state for c in config.generic_xds_configs if c.name == TRUSTSTORE
        ]
        self.assertIn("that", state.details)
        self.assertNotIn("\x1b", state.details)
        self.assertEqual(state.version_info, bad.resources[0].version)
        self.assertTrue(state.last_update_attempt.seconds > 0)
        self.assertTrue(stream.nothing())
        self.renew_truststore()
        self.assertEqual(set(stream.collect(xds.SECRET, 1)), {TRUSTSTORE})
        wait.until(lambda: self.statuses()[key] == ("SYNCED", "ACKED"), "accepted", 10)

    def test_what_breaks_the_rules_ends_its_own_stream_only(self):
        self.simple()
        good = self.connect(node="good")
        good.ask(xds.SECRET, TRUSTSTORE)
        good.collect(xds.SECRET, 1)

        # Bytes that are no request; without a type; names that are none.
        stream = self.connect()
        stream.send(raw=b"\xff" * 100)
        self.ends(stream, "INVALID_ARGUMENT")
        stream = self.connect()
        stream.send()
        self.ends(stream, "INVALID_ARGUMENT")
        stream = self.connect()
        stream.ask(xds.SECRET, "x" * 1025)
        self.ends(stream, "INVALID_ARGUMENT")
        for node in ("", "../other", "x" * 129):
            stream = self.connect(node=node)
            stream.ask(xds.SECRET, TRUSTSTORE)
            self.assertEqual(self.ends(stream, "INVALID_ARGUMENT"), "The node is not accepted.")
        # Another node, later.
        stream = self.connect()
        stream.ask(xds.SECRET, TRUSTSTORE)
        stream.take()
        stream.send(xds.SECRET, node={"id": "node-2", "cluster": "default"})
        self.ends(stream, "INVALID_ARGUMENT")
        # Too much: in one request, and in names that do not exist.
        stream = self.connect()
        stream.ask(xds.SECRET, "x", versions={"y": "z" * (65 << 20)})
        self.ends(stream, "RESOURCE_EXHAUSTED")
        stream = self.connect()
        stream.ask(xds.SECRET, *("name-%d" % i for i in range(100001)))
        self.ends(stream, "RESOURCE_EXHAUSTED")
        # Types that are not served are not answered; the stream goes on.
        stream = self.connect()
        stream.ask(xds.TYPE + "config.route.v3.VirtualHost", "*")
        stream.ask("no type at all")
        self.assertTrue(stream.nothing())
        stream.ask(xds.SECRET, TRUSTSTORE)
        stream.collect(xds.SECRET, 1)
        # Other methods of the port.
        with self.assertRaises(xds.Ended) as caught:
            xds.ClientStatus(xds.channel(self.daemon.xds)).fetch()
        self.assertEqual(caught.exception.code, "UNIMPLEMENTED")

        self.renew_truststore()
        self.assertEqual(set(good.collect(xds.SECRET, 1)), {TRUSTSTORE})

    def test_requests_that_are_sent_again_get_the_same(self):
        self.simple()
        first = self.connect()
        first.ask(xds.SECRET, TRUSTSTORE, BINDING)
        have = first.collect(xds.SECRET, 2)
        replayed = self.connect(node=None)
        for request in list(first.sent):
            replayed.send(raw=request.SerializeToString())
        again = {}
        while len(again) < 2:
            again.update({r.name: r for r in replayed.take().resources})
        self.assertEqual(again, have)
        self.assertTrue(replayed.nothing())


class StateOfTheWorldTest(ServiceTest):
    def ask(self, stream, type_url, *names, **fields):
        stream.send(type_url, resource_names=names, **fields)

    def names(self, response):
        out = []
        for resource in response.resources:
            kind = xds.class_of(resource.type_url.rpartition("/")[2])
            out.append(kind.FromString(resource.value).name)
        return sorted(out)

    def test_follows_what_it_asks_for(self):
        self.simple()
        stream = self.connect(xds.STATE_OF_THE_WORLD)
        self.ask(stream, xds.LISTENER)
        response = stream.take()
        self.assertIn("https", self.names(response))
        stream.accept(response)
        self.ask(stream, xds.ROUTES, CHAIN)
        response = stream.take()
        self.assertEqual(self.names(response), [CHAIN])
        self.ask(
            stream, xds.ROUTES, CHAIN, version_info=response.version_info,
            response_nonce=response.nonce,
        )
        self.assertTrue(stream.nothing())
        # Of another domain: it hears of the listener, whole, not of the routes.
        self.apply(self.domain("b.example.com"))
        seen = set()
        while "carriers" not in seen:
            response = stream.take()
            self.assertEqual(response.type_url, xds.LISTENER)
            self.assertIn("https", self.names(response))
            stream.accept(response)
            if b"b.example.com" in response.SerializeToString():
                seen.add("carriers")
        # One name more is one name more.
        self.ask(stream, xds.ROUTES, CHAIN, "domains/b.example.com")
        while True:
            response = stream.take()
            if response.type_url == xds.ROUTES:
                break
            stream.accept(response)
        self.assertIn("domains/b.example.com", self.names(response))

    def test_is_sent_listeners_again_only_when_they_changed(self):
        self.simple()
        stream = self.connect(xds.STATE_OF_THE_WORLD)
        self.ask(stream, xds.LISTENER)
        version = stream.take().version_info
        stream.close()
        self.assertEqual(self.daemon.stop(), 0)
        self.start()
        stream = self.connect(xds.STATE_OF_THE_WORLD)
        self.ask(stream, xds.LISTENER, version_info=version)
        self.assertTrue(stream.nothing())
        stream = self.connect(xds.STATE_OF_THE_WORLD)
        self.ask(stream, xds.LISTENER, version_info="another")
        self.assertEqual(stream.take().version_info, version)

    def test_is_shown_as_refusing(self):
        self.simple()
        stream = self.connect(xds.STATE_OF_THE_WORLD)
        self.ask(stream, xds.SECRET, TRUSTSTORE)
        response = stream.take()
        stream.send(
            xds.SECRET, resource_names=[TRUSTSTORE], response_nonce=response.nonce,
            error_detail={"code": 13, "message": "no"},
        )
        key = (xds.SECRET, TRUSTSTORE)
        wait.until(lambda: self.statuses()[key] == ("ERROR", "NACKED"), "refused", 10)
        self.assertTrue(stream.nothing())


class NodesOfFleetsTest(ServiceTest):
    """The port asks for certificates; each fleet has a domain of its own."""

    token = "token-a"

    def setUp(self):
        super().setUp()
        path = self.folder / "credentials"
        path.write_text("".join(
            "token %s %s %s\n" % (token, role, hashlib.sha256(token.encode()).hexdigest())
            for token, role in (("token-a", "admin"), ("token-v", "viewer"))
        ), encoding="ascii")
        self.arguments = ("--admin-credentials", str(path))
        self.start()
        documents = []
        for fleet in ("east", "west"):
            documents += [
                "name: fleets/%s\n" % fleet, self.certificate(fleet), self.truststore(fleet),
                self.domain(fleet + ".example.com", fleet, fleet, ["fleets/" + fleet]),
            ]
        self.apply(*documents)
        for node, fleet in (("east-1", "east"), ("west-1", "west")):
            self.ctl("proxy-cert", node, "--fleet", fleet, "--directory", self.folder)

    def names_of(self, fleet):
        return [
            "bindings/%s.example.com" % fleet, "truststores/" + fleet,
            "server-certificates/" + fleet,
        ]

    def dial(self, certificate=None, key=None, roots=None):
        channel = xds.channel(
            self.daemon.xds, (roots or self.folder / "proxy-ca.pem").read_bytes(),
            key and key.read_bytes(), certificate and certificate.read_bytes(),
        )
        self.addCleanup(channel.close)
        return channel

    def connect_as(self, owner, node, fleet):
        channel = self.dial(self.folder / (owner + ".pem"), self.folder / (owner + ".key"))
        stream = xds.Stream(channel, node=node, fleet=fleet)
        self.streams.append(stream)
        return stream

    def test_a_node_gets_what_is_of_its_own_fleet(self):
        stream = self.connect_as("east-1", "east-1", "east")
        stream.ask(xds.SECRET, *self.names_of("east"))
        self.assertEqual(set(stream.collect(xds.SECRET, 3)), set(self.names_of("east")))
        # By name, by wildcard, and as if it had them already: nothing of the others.
        stream.ask(xds.SECRET, *self.names_of("west"))
        gone = set()
        while gone != set(self.names_of("west")):
            response = stream.take()
            self.assertEqual(len(response.resources), 0)
            gone |= set(response.removed_resources)
            stream.accept(response)
        stream = self.connect_as("east-1", "east-1", "east")
        for kind in (xds.SECRET, xds.CHAIN, xds.ROUTES, xds.LISTENER, xds.CLUSTER):
            stream.ask(kind, "*", *self.names_of("west"), "domains/west.example.com",
                       versions={"domains/west.example.com": "x"})
        seen = set()
        while not set(self.names_of("east")) <= seen:
            response = stream.take()
            stream.accept(response)
            seen |= {r.name for r in response.resources}
            self.assertNotIn(
                b"west", b"".join(r.SerializeToString() for r in response.resources))
        # What changes there does not move anything here.
        while not stream.nothing(0.3):
            pass
        self.apply(self.truststore("west", 2))
        self.assertTrue(stream.nothing())

    def test_a_certificate_says_who_a_node_is(self):
        for node, fleet in (("west-1", "west"), ("east-1", "west"), ("west-1", "east")):
            stream = self.connect_as("east-1", node, fleet)
            stream.ask(xds.SECRET, *self.names_of("west"))
            self.assertEqual(
                self.ends(stream, "PERMISSION_DENIED"), "The node is not accepted.")
        # Saying nothing is no contradiction.
        for node, fleet in ((None, None), ("", "")):
            stream = self.connect_as("east-1", node, fleet)
            stream.ask(xds.SECRET, "truststores/east")
            self.assertEqual(set(stream.collect(xds.SECRET, 1)), {"truststores/east"})
        # The operator hears why.
        self.assertTrue(any("is refused" in line for line in self.daemon.lines))

    def test_a_revoked_node_is_out_until_it_gets_another_certificate(self):
        def asks(node="east-1", fleet="east"):
            stream = self.connect_as(node, node, fleet)
            stream.ask(xds.SECRET, "truststores/" + fleet)
            return stream

        open_one, other = asks(), asks("west-1", "west")
        for stream in (open_one, other):
            stream.accept(stream.take())
        name = "fleets/east/nodes/east-1"
        self.assertIn("ROLE_MISSING", self.daemon.ctl("revoke", name, token="token-v", code=1))
        self.assertTrue(open_one.nothing())
        self.assertIn("revoked the certificates of " + name, self.ctl("revoke", name))
        self.assertEqual(self.ends(open_one, "PERMISSION_DENIED"), "The node is not accepted.")
        self.assertEqual(self.ends(asks(), "PERMISSION_DENIED"), "The node is not accepted.")
        self.assertTrue(any("are revoked" in line for line in self.daemon.lines))
        self.assertTrue(other.nothing())
        # A restart forgets nothing.
        self.daemon.stop()
        self.start()
        self.assertEqual(self.ends(asks(), "PERMISSION_DENIED"), "The node is not accepted.")
        self.assertEqual(set(asks("west-1", "west").collect(xds.SECRET, 1)), {"truststores/west"})
        self.ctl("proxy-cert", "east-1", "--fleet", "east", "--directory", self.folder,
                 "--replace")
        self.assertEqual(set(asks().collect(xds.SECRET, 1)), {"truststores/east"})

    def test_nobody_gets_in_without_a_certificate_of_the_proxy_ca(self):
        stranger = WORKSHOP.client(
            "stranger", "/CN=east-1", ROOTS[1],
            sans="URI:spiffe://sallyport/fleets/east/nodes/east-1",
        )
        plain = xds.channel(self.daemon.xds)
        self.addCleanup(plain.close)
        for channel in (
            plain, self.dial(), self.dial(stranger.certificate, stranger.key),
        ):
            stream = xds.Stream(channel, node="east-1", fleet="east")
            self.streams.append(stream)
            stream.ask(xds.SECRET, "truststores/east")
            self.ends(stream, "UNAVAILABLE")
        self.assertEqual(self.daemon.json("list", "fleets/-/nodes", token=self.token), [])

    def test_who_has_what_is_for_those_who_may_know_it(self):
        stream = self.connect_as("east-1", "east-1", "east")
        stream.ask(xds.SECRET, *self.names_of("east"))
        stream.collect(xds.SECRET, 3)
        other = self.connect_as("west-1", "west-1", "west")
        other.ask(xds.SECRET, "truststores/west", "nothing")
        other.collect(xds.SECRET, 1)

        channel = xds.channel(self.daemon.admin)
        self.addCleanup(channel.close)
        for token in (None, "wrong"):
            with self.assertRaises(xds.Ended) as caught:
                xds.ClientStatus(channel, token).fetch()
            self.assertEqual(caught.exception.code, "UNAUTHENTICATED")
            with self.assertRaises(xds.grpc.RpcError):
                list(xds.ClientStatus(channel, token).stream(iter(())))
        wait.until(
            lambda: ("SYNCED", "ACKED") == self.statuses("west-1").get(
                (xds.SECRET, "truststores/west")), "accepted", 10)
        answer = xds.ClientStatus(channel, "token-v").fetch()
        self.assertEqual(
            [(c.node.id, c.node.cluster) for c in answer.config],
            [("east-1", "east"), ("west-1", "west")],
        )
        # Names and versions; no key, and no content at all, also when asked for.
        self.assertFalse(any(
            c.HasField("xds_config") for config in answer.config
            for c in config.generic_xds_configs
        ))
        self.assertNotIn(b"PRIVATE", answer.SerializeToString())
        self.assertEqual(
            self.statuses("west-1")[(xds.SECRET, "nothing")], ("NOT_SENT", "DOES_NOT_EXIST"))
        for matcher, count in (
            ({"prefix": "EAST", "ignore_case": True}, 1), ({"suffix": "-1"}, 2),
            ({"contains": "es"}, 1), ({"exact": "east"}, 0), ({"prefix": "EAST"}, 0),
        ):
            found = self.status("token-v", node_matchers=[{"node_id": matcher}])
            self.assertEqual(len(found.config), count, matcher)
        for bad in (
            {}, {"node_id": {}}, {"node_id": {"safe_regex": {"regex": ".*"}}},
            {"node_id": {"exact": "x"}, "node_metadatas": [{}]},
        ):
            with self.assertRaises(xds.Ended) as caught:
                self.status("token-v", node_matchers=[bad])
            self.assertEqual(caught.exception.code, "INVALID_ARGUMENT", bad)

    def test_a_stream_of_questions_is_answered_one_by_one(self):
        channel = xds.channel(self.daemon.admin)
        self.addCleanup(channel.close)
        request = xds.message("envoy.service.status.v3.ClientStatusRequest")
        asker = xds.ClientStatus(channel, "token-v")
        self.assertEqual(len(list(asker.stream(iter([request, request])))), 2)
        # More streams than one caller may have (--principal-streams).
        held = xds.queue.Queue()
        streams = [asker.stream(iter(held.get, None)) for _ in range(17)]
        self.addCleanup(lambda: [held.put(None) for _ in streams])
        codes = []

        def look():
            codes[:] = [s.code().name for s in streams if s.done()]
            return codes

        wait.until(look, "one is refused", 10)
        self.assertEqual(codes, ["RESOURCE_EXHAUSTED"])


if __name__ == "__main__":
    unittest.main()
