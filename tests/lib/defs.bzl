"""Tests written in Python, run by the system's python3 (3.11 or newer)."""

def python_test(name, src, data = [], env = {}, size = "medium", **kwargs):
    """A unittest file as a Bazel test.

    Args:
      name: the target's name.
      src: the file; its case names are reported one by one.
      data: what else it reads.
      env: environment variables; $(rootpath) is expanded.
      size: as for sh_test.
      **kwargs: as for sh_test.
    """
    native.sh_test(
        name = name,
        srcs = ["//tests/lib:run_unittest.sh"],
        args = ["$(rootpath %s)" % src],
        data = data + [
            src,
            "//tests/lib:run_unittest.py",
            "//tests/lib:harness",
        ],
        env = env,
        size = size,
        **kwargs
    )

def envoy_test(name, src, data = [], env = {}, size = "large", tags = [], **kwargs):
    """A python_test with the module and a real Envoy: harness.paths finds them.

    Args:
      name: the target's name.
      src: as for python_test.
      data: as for python_test.
      env: as for python_test.
      size: as for sh_test.
      tags: more tags; "envoy" is added.
      **kwargs: as for sh_test.
    """
    python_test(
        name = name,
        src = src,
        size = size,
        tags = tags + ["envoy"],
        data = data + [
            "//filters/module:libsallyport.so",
            "//third_party:envoy",
        ],
        env = dict(
            env,
            SALLYPORT_MODULE = "$(rootpath //filters/module:libsallyport.so)",
            ENVOY = "$(rootpath //third_party:envoy)",
        ),
        target_compatible_with = select({
            "//tools/build:gcc": [],
            "//conditions:default": ["//tests/lib:never"],
        }),
        **kwargs
    )
