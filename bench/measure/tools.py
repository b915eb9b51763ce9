"""Where the programs are that a benchmark needs; builds those that are ours."""

import dataclasses
import os
import pathlib
import re
import shutil
import subprocess
import sys
import typing

from measure import config

REPOSITORY = pathlib.Path(__file__).absolute().parent.parent.parent

_BUILT = {
    "SALLYPORT_MODULE": ("//filters/module:libsallyport.so", "filters/module/libsallyport.so"),
    "SALLYPORT_BENCH_FLOOR": ("//bench:libfloor.so", "bench/libfloor.so"),
    "SALLYPORT_BENCH_LOAD": ("//bench:load", "bench/load"),
    "SALLYPORT_BENCH_UPSTREAM": ("//bench:upstream", "bench/upstream"),
    "SALLYPORT_BENCH_FIXTURES": ("//bench:make_fixtures", "bench/make_fixtures"),
}


@dataclasses.dataclass
class Tools:
    """Paths. programs: by the server names of config.py; None is not there."""

    programs: typing.Dict[str, typing.Optional[pathlib.Path]]
    module: pathlib.Path
    floor: pathlib.Path  # floor_module.cc
    load: pathlib.Path
    upstream: pathlib.Path
    make_fixtures: pathlib.Path
    certificates: pathlib.Path


def _find_peer(variable, name):
    """nginx or HAProxy: the one named, the one of tools/setup, or the machine's."""
    candidates = [
        os.environ.get(variable),
        REPOSITORY / "third_party" / ".deps" / "peers" / "usr" / "sbin" / name,
        shutil.which(name, path=os.environ.get("PATH", os.defpath) + ":/usr/sbin"),
    ]
    for candidate in candidates:
        if candidate and os.access(candidate, os.X_OK):
            return pathlib.Path(candidate).absolute()
    return None


def find(certificates):
    """Tools, with `certificates` for the folder of fixtures. Exits when one of
    those that are always needed is missing."""
    missing = [name for name in _BUILT if not os.environ.get(name)]
    paths = {name: os.environ.get(name) for name in ("ENVOY", *_BUILT)}
    if missing:
        labels = [_BUILT[name][0] for name in missing]
        print("Building " + ", ".join(labels), file=sys.stderr, flush=True)
        subprocess.run(
            ["bazel", "build", *labels], cwd=REPOSITORY, check=True, stdout=sys.stderr
        )
        built = subprocess.run(
            ["bazel", "info", "bazel-bin"],
            cwd=REPOSITORY, check=True, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        ).stdout.strip()
        for name in missing:
            paths[name] = built + "/" + _BUILT[name][1]
    if not paths["ENVOY"]:
        pins = (REPOSITORY / "third_party" / "pins.bzl").read_text(encoding="utf-8")
        folder = re.search(r'^ENVOY_DIR="(.*)"$', pins, re.M).group(1)
        paths["ENVOY"] = REPOSITORY / "third_party" / ".deps" / folder / "envoy"
    for name, path in paths.items():
        if not os.path.exists(path):
            sys.exit("%s: %s is missing: run tools/setup bench first" % (name, path))
    found = {name: pathlib.Path(path).absolute() for name, path in paths.items()}
    return Tools(
        {
            config.ENVOY: found["ENVOY"],
            config.NGINX: _find_peer("NGINX", "nginx"),
            config.HAPROXY: _find_peer("HAPROXY", "haproxy"),
        },
        found["SALLYPORT_MODULE"], found["SALLYPORT_BENCH_FLOOR"], found["SALLYPORT_BENCH_LOAD"],
        found["SALLYPORT_BENCH_UPSTREAM"], found["SALLYPORT_BENCH_FIXTURES"], certificates,
    )


def version_of(name, program):
    """None if it is not there."""
    if program is None:
        return None
    option, pattern = {
        config.ENVOY: ("--version", r"version:\s*[0-9a-f]*/([0-9.]+)"),
        config.NGINX: ("-v", r"nginx/([0-9.]+)"),
        config.HAPROXY: ("-v", r"version ([^ ]+)"),
    }[name]
    done = subprocess.run(
        [str(program), option], check=False, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )
    found = re.search(pattern, done.stdout)
    if done.returncode != 0 or not found:
        sys.exit("bench/run: %s does not run: %s" % (program, done.stdout.strip()[:300]))
    return found.group(1)


def keep(programs, folder):
    """Takes copies of our own programs, so that a build in the meantime changes
    nothing."""
    for name in ("module", "floor", "load", "upstream"):
        path = getattr(programs, name)
        copy = folder / name / path.name
        copy.parent.mkdir()
        shutil.copy2(path, copy)
        setattr(programs, name, copy)


def make_fixtures(programs, cases, scale):
    """Writes the certificates and truststores that the cases need."""
    # nginx needs one CA whose name it may send.
    sizes = sorted({1}.union(*(c.truststore_sizes() for c in cases)))
    chains = sorted(set().union(*(c.chains() for c in cases)))
    subprocess.run(
        [str(programs.make_fixtures), str(programs.certificates), str(scale.leaves()),
         ",".join(chains), *map(str, sizes)],
        check=True,
    )
