"""A proxy's end of xDS by gRPC for Python, which is not ours: grpcio, and Envoy's
API as Envoy itself has it.

PYTHON_GRPC is the file grpc/__init__.py of the set-up's folder, XDS_DESCRIPTORS
the descriptor sets of Envoy's API, separated by spaces.
"""

import os
import pathlib
import queue
import sys
import threading

# Else it writes to the standard error of processes that are being started.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"
sys.path.insert(0, str(pathlib.Path(os.environ["PYTHON_GRPC"]).resolve().parent.parent))

# pylint: disable=wrong-import-position
import grpc  # noqa: E402
from google.protobuf import (  # noqa: E402
    any_pb2, descriptor_pb2, descriptor_pool, duration_pb2, empty_pb2, message_factory,
    struct_pb2, timestamp_pb2, wrappers_pb2,
)

# Named so that they are in the pool.
_WELL_KNOWN = (any_pb2, duration_pb2, empty_pb2, struct_pb2, timestamp_pb2, wrappers_pb2)

TYPE = "type.googleapis.com/envoy."
CLUSTER = TYPE + "config.cluster.v3.Cluster"
LISTENER = TYPE + "config.listener.v3.Listener"
CHAIN = TYPE + "config.listener.v3.FilterChain"
ROUTES = TYPE + "config.route.v3.RouteConfiguration"
SECRET = TYPE + "extensions.transport_sockets.tls.v3.Secret"

_ADS = "/envoy.service.discovery.v3.AggregatedDiscoveryService/"
DELTA = _ADS + "DeltaAggregatedResources"
STATE_OF_THE_WORLD = _ADS + "StreamAggregatedResources"
_CSDS = "/envoy.service.status.v3.ClientStatusDiscoveryService/"


def _load():
    pool = descriptor_pool.Default()
    files = {}
    for path in os.environ["XDS_DESCRIPTORS"].split():
        descriptors = descriptor_pb2.FileDescriptorSet()
        descriptors.ParseFromString(pathlib.Path(path).read_bytes())
        files.update({file.name: file for file in descriptors.file})

    def add(name):
        file = files.pop(name, None)
        if file is None:
            return
        for dependency in file.dependency:
            add(dependency)
        pool.AddSerializedFile(file.SerializeToString())

    while files:
        add(next(iter(files)))
    return pool


_POOL = _load()


def message(name, **fields):
    """A new message: message("envoy.config.core.v3.Node", id="x")."""
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(name))(**fields)


def class_of(name):
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(name))


_DISCOVERY = "envoy.service.discovery.v3."
DeltaRequest = class_of(_DISCOVERY + "DeltaDiscoveryRequest")
Request = class_of(_DISCOVERY + "DiscoveryRequest")


class Ended(Exception):
    """The server ended the stream."""

    def __init__(self, error):
        super().__init__("%s: %s" % (error.code(), error.details()))
        self.code = error.code().name
        self.details = error.details()


def channel(address, roots=None, key=None, chain=None):
    """A connection of its own; with TLS when there are roots (PEM)."""
    # Two channels to one address would share a connection.
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]
    if roots is None:
        return grpc.insecure_channel(address, options)
    credentials = grpc.ssl_channel_credentials(roots, key, chain)
    return grpc.secure_channel(address, credentials, options)


class Stream:
    """One stream of discovery. Requests are messages, or bytes as they are."""

    def __init__(self, connection, method=DELTA, node="node-1", fleet="default"):
        self.delta = method == DELTA
        self.make = DeltaRequest if self.delta else Request
        self.node = {"id": node, "cluster": fleet} if node is not None else None
        self.sent = []
        self._requests = queue.Queue()
        self._responses = queue.Queue()
        response = class_of(
            _DISCOVERY + ("DeltaDiscoveryResponse" if self.delta else "DiscoveryResponse")
        )
        self._call = connection.stream_stream(
            method,
            request_serializer=lambda r: r if isinstance(r, bytes) else r.SerializeToString(),
            response_deserializer=response.FromString,
        )(iter(self._requests.get, None))
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            for response in self._call:
                self._responses.put(response)
            self._responses.put(None)
        except grpc.RpcError as error:
            self._responses.put(Ended(error))

    def send(self, type_url=None, raw=None, **fields):
        """The first request has the node."""
        if raw is None:
            if self.node is not None:
                fields["node"], self.node = self.node, None
            raw = self.make(type_url=type_url or "", **fields)
        self.sent.append(raw)
        self._requests.put(raw)

    def ask(self, type_url, *names, drop=(), versions=None):
        """What a delta client sends."""
        self.send(
            type_url, resource_names_subscribe=names, resource_names_unsubscribe=drop,
            initial_resource_versions=versions or {},
        )

    def take(self, timeout=20):
        """The next response; raises Ended, or queue.Empty when there is none."""
        response = self._responses.get(timeout=timeout)
        if response is None:
            raise EOFError("the server closed the stream")
        if isinstance(response, Ended):
            raise response
        return response

    def nothing(self, timeout=0.4):
        """Whether nothing comes within that time."""
        try:
            return not self.take(timeout)
        except queue.Empty:
            return True

    def accept(self, response):
        fields = {} if self.delta else {"version_info": response.version_info}
        self.send(response.type_url, response_nonce=response.nonce, **fields)

    def refuse(self, response, text, nonce=None):
        self.send(
            response.type_url, response_nonce=nonce or response.nonce,
            error_detail={"code": 13, "message": text},
        )

    def collect(self, type_url, count):
        """{name: resource} of a delta client that accepts until it has so many."""
        have = {}
        while len(have) < count:
            response = self.take()
            if response.type_url != type_url:
                raise AssertionError("not asked for: " + response.type_url)
            have.update({r.name: r for r in response.resources})
            self.accept(response)
        return have

    def close(self):
        self._requests.put(None)
        self._call.cancel()


class ClientStatus:
    """Asks who has what."""

    def __init__(self, connection, token=None):
        self.metadata = (("authorization", "Bearer " + token),) if token else ()
        self.connection = connection

    def fetch(self, **fields):
        request = message("envoy.service.status.v3.ClientStatusRequest", **fields)
        try:
            return self.connection.unary_unary(
                _CSDS + "FetchClientStatus",
                request_serializer=lambda r: r.SerializeToString(),
                response_deserializer=class_of(
                    "envoy.service.status.v3.ClientStatusResponse").FromString,
            )(request, metadata=self.metadata, timeout=20)
        except grpc.RpcError as error:
            raise Ended(error) from error

    def stream(self, requests):
        """The answers, as an iterator; raises grpc.RpcError."""
        return self.connection.stream_stream(
            _CSDS + "StreamClientStatus",
            request_serializer=lambda r: r.SerializeToString(),
            response_deserializer=class_of(
                "envoy.service.status.v3.ClientStatusResponse").FromString,
        )(requests, metadata=self.metadata, timeout=20)
