"""Which room uses which: read from BUILD files and #include lines.

design in one table (ROOMS); everything that is not allowed there is an error
that names file and line.
"""

import collections
import dataclasses
import os
import pathlib
import re

# Room: what its code may use, its tests may use too. A room is the longest
# folder named here that a file lies in. Its own folders are always allowed.
ROOMS = {
    "base": (),
    "proto/sallyport/filter": (),
    "pki/crypto": ("base",),
    "pki/x509": ("base",),
    "pki/truststore": ("base", "pki/x509"),
    "pki/chain": ("base", "pki/x509", "pki/truststore"),
    "pki/keys": ("base", "pki/x509"),
    "settings": ("base", "pki/x509"),
    "sigv4": ("base", "pki/crypto"),
    "proto/sallyport/config": ("proto/sallyport/filter",),
    "proto/sallyport/store": ("proto/sallyport/filter",),
    "filters/abi": (),
    "filters/shim": ("base", "filters/abi", "proto/sallyport/filter"),
    "filters/forwarding": ("base", "pki", "settings", "proto/sallyport/filter"),
    "filters/cert_validator": (
        "base", "pki", "settings", "proto/sallyport/filter", "filters/abi",
        "filters/shim",
    ),
    "filters/mtls_http": (
        "base", "pki", "settings", "proto/sallyport/filter", "filters/abi",
        "filters/shim",
        "filters/forwarding", "filters/cert_validator",
    ),
    "filters/lambda": (
        "base", "pki", "settings", "sigv4", "proto/sallyport/filter", "filters/abi",
        "filters/shim", "filters/forwarding", "filters/cert_validator",
    ),
    "filters/mtls_tcp": (
        "base", "pki", "proto/sallyport/filter", "filters/abi", "filters/shim",
        "filters/cert_validator",
    ),
    "filters/module": (
        "base", "pki", "settings", "proto/sallyport/filter", "filters",
    ),
    "cli": ("base", "pki"),
    # A program of its own, which talks to the config service.
    "cli/online": ("base", "pki", "cli", "proto"),
    "config_service": ("base", "pki", "settings", "proto"),
    # No protos, no I/O, no store.
    "config_service/domain": ("base", "pki", "settings"),
    "config_service/filter_messages": (
        "base", "pki", "proto/sallyport/filter", "config_service/domain",
    ),
    "config_service/store": (
        "base", "pki", "proto/sallyport/filter", "proto/sallyport/store",
        "config_service/domain", "config_service/filter_messages",
    ),
    # The engines do not know what the records mean.
    "config_service/store/sqlite": ("base", "pki/crypto"),
    "config_service/objects": ("base", "config_service/domain", "sigv4"),
    # No protos of the public API.
    "config_service/service": (
        "base", "pki", "config_service/domain", "config_service/store",
        "config_service/objects",
    ),
    "config_service/api": (
        "base", "pki", "proto/sallyport/config", "proto/sallyport/filter",
        "config_service/domain", "config_service/filter_messages", "config_service/store",
        "config_service/service",
    ),
    # As api, but for the protos. Its tests make use cases in memory.
    "config_service/aws": (
        "base", "pki", "config_service/domain", "config_service/store",
        "config_service/objects", "config_service/service", "sigv4",
    ),
    "config_service/console": ("base", "pki/crypto", "proto/sallyport/config"),
    "config_service/reconcile": (
        "base", "pki", "config_service/domain", "config_service/store",
        "config_service/service", "config_service/xds",
    ),
    "config_service/test_invoke": (
        "base", "pki", "config_service/domain", "config_service/service",
        "config_service/reconcile", "config_service/xds",
    ),
    # Knows all implementations.
    "config_service/server": ("base", "pki", "proto", "config_service"),
    # Resources as bytes; and how they travel. No store, no domain.
    "config_service/xds/cache": ("base", "pki/x509"),
    "config_service/xds/translate": (
        "base", "pki", "proto/sallyport/filter", "config_service/domain",
        "config_service/filter_messages", "config_service/xds/cache",
    ),
    "config_service/xds/server": ("base", "config_service/xds/cache"),
    # The build's own rules and the driver of fuzz targets.
    "tools": (),
    "third_party": (),
    # What proves and shows; may use anything, and nothing else may use it.
    "pki/testing": ("base", "pki"),
    "tests": None,
    "bench": None,
    "examples": None,
    "deploy": None,
}
# What a BUILD file may load or link of these besides its room's list.
EVERYWHERE = ("tools/build", "tools/fuzz")
# For test code only.
TEST_ONLY = ("pki/testing",)

# Third-party labels that a room's own (not test) code may use.
THIRD_PARTY = {
    "base": {"absl"},
    "proto": {"protobuf", "well_known_protos", "google_api_proto", "google_rpc_proto", "grpc"},
    "pki": {"absl", "boringssl_crypto", "boringssl_pki"},
    "settings": {"absl"},
    "sigv4": {"absl"},
    # JSON is for filters/lambda alone: HEADERS says so.
    "filters": {"absl", "protobuf", "nlohmann_json"},
    # gRPC and YAML are for cli/online alone: HEADERS says so.
    "cli": {
        "absl", "nlohmann_json", "cli11", "protobuf", "google_api_cc_proto",
        "google_rpc_cc_proto", "grpc", "yaml_cpp",
    },
    "config_service": {
        "absl", "protobuf", "well_known_protos", "google_api_cc_proto", "google_rpc_cc_proto", "grpc",
        "grpc_reflection", "nlohmann_json", "cli11", "sqlite", "curl", "yaml_cpp", "httplib",
        # Packages of their own below third_party/.
        "envoy_api", "grpc_health",
    },
}

# Headers that only these folders, or files, may include outside of tests.
HEADERS = (
    # BoringSSL and the OpenSSL beside gRPC never meet.
    (r"openssl/", ("pki",)),
    # One file touches the path builder.
    (
        r"third_party_boringssl/pki/"
        r"(path_builder|simple_path_builder_delegate|trust_store\w*)\.h",
        ("pki/chain/verify.cc",),
    ),
    (r"third_party_boringssl/", ("pki",)),
    (r"google/protobuf/", ("filters", "config_service", "proto", "tools", "cli/online")),
    (r"grpc", ("config_service", "cli/online")),
    (r"google/(api|rpc)/", ("config_service", "proto", "cli/online")),
    # Envoy's types stop at xds/.
    (r"(envoy|xds|udpa)/.*\.pb\.h$", ("config_service/xds",)),
    # cpp-httplib is included through our own header, which knows its traps.
    (r"httplib\.h$", ()),
    (r"third_party/", ("config_service",)),
    (r"sqlite3\.h", ("config_service/store/sqlite",)),
    (r"curl/", ("config_service",)),
    (r"yaml-cpp/", ("config_service", "cli/online")),
    (r"nlohmann/", ("cli", "config_service", "filters/lambda")),
    (r"CLI/", ("cli", "config_service")),
    # pki/ has no I/O and no clock of its own.
    (r"(fstream|iostream|ctime|chrono|filesystem|sys/stat\.h|fcntl\.h|unistd\.h)$",
     ("base", "filters", "cli", "config_service", "tools")),
)

_SKIPPED = re.compile(r"^(\.|bazel-|node_modules$)")
_SOURCES = (".h", ".cc", ".c", ".proto")


@dataclasses.dataclass(frozen=True)
class Edge:
    """One use: `file:line` in room `user` names `used`."""

    file: str
    line: int
    user: str
    used: str  # a folder, a header, or "third_party:name"
    is_test: bool

    def __str__(self):
        return "%s:%d: %s uses %s" % (self.file, self.line, self.user, self.used)


def room_of(path):
    """The room of a file or folder; None when it has none."""
    parts = str(path).split("/")
    for length in range(len(parts), 0, -1):
        name = "/".join(parts[:length])
        if name in ROOMS:
            return name
    return None


def is_inside(path, folders):
    return any(path == f or path.startswith(f + "/") for f in folders)


def is_test_file(path):
    name = pathlib.PurePath(path)
    return bool(
        re.search(r"(_test|_fuzz|_benchmark)$", name.stem)
        or name.name.startswith(("test_", "fake_"))
        or "testing" in name.parts
        or "testdata" in name.parts
        or name.parts[0] in ("tests", "bench", "examples")
    )


def source_files(root):
    """BUILD and source files under `root`, as paths relative to it."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(f for f in folders if not _SKIPPED.match(f) and f != "testdata")
        relative = pathlib.PurePath(folder).relative_to(root).as_posix()
        if relative in ("third_party", "third_party/.deps"):
            folders[:] = []
            continue
        for name in sorted(names):
            if name in ("BUILD", "BUILD.bazel") or name.endswith(_SOURCES):
                yield name if relative == "." else relative + "/" + name


def _rules(text):
    """(first line, text) of each top-level call in a BUILD file."""
    lines = text.splitlines()
    start = None
    for number, line in enumerate(lines):
        if start is None and re.match(r"[A-Za-z_\[]", line):
            start = number
        if start is not None and (line[:1] in (")", "]") or re.match(r".*\)$", line) and number == start):
            yield start + 1, lines[start:number + 1]
            start = None


def build_edges(file, text):
    user = room_of(file)
    package = pathlib.PurePath(file).parent.as_posix()
    for first, lines in _rules(text):
        head = lines[0]
        whole = "\n".join(lines)
        is_test = bool(
            re.search(r"\w*(_test|_fuzz_test|test_suite)\b\s*\(", whole.split("(")[0] + "(")
            or re.search(r"testonly\s*=\s*(True|1)", whole)
            or is_test_file(file)
        )
        if head.startswith(("package(", "exports_files(", "licenses(")):
            continue
        in_visibility = False
        for offset, line in enumerate(lines):
            code = line.split("#")[0]
            if re.search(r"\bvisibility\s*=", code):
                in_visibility = True
            if not in_visibility:
                for label in re.findall(r'"((?://|@)[^"]*)"', code):
                    label = label.removeprefix("@sallyport")
                    if label.startswith("@"):
                        yield Edge(file, first + offset, user, label, is_test)
                        continue
                    folder, _, name = label[2:].partition(":")
                    if folder == "third_party":
                        used = "third_party:" + name
                    elif folder.startswith("third_party/"):
                        used = "third_party:" + folder.split("/")[1]
                    else:
                        used = folder
                    if used and used != package:
                        yield Edge(file, first + offset, user, used, is_test)
            if in_visibility and "]" in code:
                in_visibility = False


def include_edges(file, text):
    user = room_of(file)
    test = is_test_file(file)
    pattern = r'^\s*import\s+"([^"]+)"' if file.endswith(".proto") else r'^\s*#\s*include\s*[<"]([^>"]+)[>"]'
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(pattern, line)
        if match:
            yield Edge(file, number, user, match.group(1), test)


def edges(root):
    """All uses in the tree under `root`: (BUILD edges, include edges)."""
    built, included = [], []
    for file in source_files(root):
        text = (pathlib.Path(root) / file).read_text(encoding="utf-8", errors="replace")
        if pathlib.PurePath(file).name.startswith("BUILD"):
            built += build_edges(file, text)
        else:
            included += include_edges(file, text)
    return built, included


def _room_error(edge, used_room):
    if edge.user is None:
        # The top folder's own BUILD file.
        return None
    allowed = ROOMS[edge.user]
    if allowed is None or used_room == edge.user:
        return None
    if used_room in ("tests", "bench", "examples", "deploy"):
        return None if edge.is_test and used_room == "tests" else "nothing may use " + used_room
    if is_inside(edge.used, EVERYWHERE) or is_inside(used_room, EVERYWHERE):
        return None
    if used_room in TEST_ONLY:
        return None if edge.is_test else "only tests may use " + used_room
    # A folder above several rooms (//pki:all_testdata) counts as inside.
    if is_inside(used_room, allowed) or is_inside(edge.user, (used_room,)):
        return None
    return "%s may use %s" % (edge.user, ", ".join(allowed) or "no other room")


def errors(root):
    """Sentences, one for each edge that is not allowed."""
    found = []
    built, included = edges(root)
    tree = {f.split("/")[0] for f in source_files(root) if "/" in f}
    for edge in built:
        top = edge.user.split("/")[0] if edge.user else None
        if edge.used.startswith("third_party:"):
            name = edge.used.partition(":")[2]
            if top in THIRD_PARTY and not edge.is_test and name not in THIRD_PARTY[top]:
                found.append("%s; %s may use %s" % (edge, top, ", ".join(sorted(THIRD_PARTY[top]))))
        elif edge.used.startswith("@"):
            if top not in (None, "third_party") and not edge.used.startswith("@bazel_tools"):
                found.append("%s; third-party code is named through //third_party" % edge)
        else:
            used_room = room_of(edge.used) or edge.used
            error = _room_error(edge, used_room)
            if error:
                found.append("%s; %s" % (edge, error))
    for edge in included:
        if edge.used.split("/")[0] in tree and not edge.used.startswith(("third_party_", "third_party/")):
            error = _room_error(edge, room_of(edge.used) or edge.used.split("/")[0])
            if error:
                found.append("%s; %s" % (edge, error))
            continue
        if edge.is_test:
            continue
        for pattern, allowed in HEADERS:
            if re.match(pattern, edge.used):
                if not is_inside(edge.file, allowed) and ROOMS.get(edge.user, ()) is not None:
                    found.append("%s; only %s may" % (edge, ", ".join(allowed)))
                break
    for file in sorted({e.file for e in built + included if e.user is None and "/" in e.file}):
        found.append("%s:1: this folder is no room: add it to ROOMS" % file)
    return found


def counts(root):
    """{(user, used): number of BUILD labels and includes} between rooms."""
    total = collections.Counter()
    built, included = edges(root)
    for edge in built + included:
        used = room_of(edge.used)
        if used and edge.user and used != edge.user:
            total[edge.user, used] += 1
    return total
