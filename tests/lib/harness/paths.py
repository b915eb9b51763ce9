"""Where the module and Envoy are.

Tests get them from Bazel in SALLYPORT_MODULE and ENVOY. Outside of Bazel the
same variables can name other copies.
"""

import os
import pathlib


def _from_environment(name):
    value = os.environ.get(name)
    if not value:
        raise RuntimeError(name + " is not set: run this with bazel test")
    return pathlib.Path(value).absolute()


def module():
    """libsallyport.so."""
    return _from_environment("SALLYPORT_MODULE")


def envoy():
    """The Envoy program."""
    return _from_environment("ENVOY")


def repository():
    """The top of the source tree, or of its copy in a test's runfiles."""
    return pathlib.Path(__file__).absolute().parents[3]
