"""The C++ rules of this repository: the built-in ones with our warnings.

Everything that holds for third-party code too (optimisation, hidden
visibility, hardening, the language level) is in .bazelrc.
"""

_COPTS = [
    "-Wall",
    "-Wextra",
    "-Wnon-virtual-dtor",
    "-Woverloaded-virtual",
    "-Wimplicit-fallthrough",
    "-Wshadow",
    "-Wvla",
] + select({
    # gcc's warnings are the ones we answer for; clang has others in each version.
    "//tools/build:gcc": ["-Werror"],
    "//conditions:default": [],
})

# target_compatible_with of what makes no sense in a sanitizer's build.
RELEASE_BUILD_ONLY = select({
    "//tools/build:gcc": [],
    "//conditions:default": ["@platforms//:incompatible"],
})

def _runtime(runtime):
    """The target that brings Abseil and Protocol Buffers into a program.

    Args:
      runtime: "bundled", compiled here and linked statically; or "system",
        Debian's shared libraries, for whatever links gRPC.

    Returns:
      A list of one label, for the end of deps.
    """
    if runtime not in ("bundled", "system"):
        fail('runtime is "bundled" or "system", not "%s"' % runtime)
    return ["//third_party:runtime_" + runtime]

def sallyport_cc_library(name, copts = [], **kwargs):
    native.cc_library(
        name = name,
        copts = _COPTS + copts,
        linkstatic = True,
        **kwargs
    )

def sallyport_cc_binary(name, deps = [], copts = [], runtime = "bundled", **kwargs):
    """A program, or with linkshared a shared object.

    Args:
      name: the target's name.
      deps: what it is made of; the runtime is added.
      copts: more compiler options.
      runtime: where its Abseil and Protocol Buffers come from; see _runtime.
      **kwargs: as for cc_binary.
    """
    native.cc_binary(
        name = name,
        copts = _COPTS + copts,
        linkstatic = True,
        deps = deps + _runtime(runtime),
        **kwargs
    )

# What the thread sanitizer is told about libraries.
_TSAN = select({
    "//tools/build:tsan": ["//tools/build:tsan_suppressions"],
    "//conditions:default": [],
})

def sallyport_cc_test(name, deps = [], copts = [], size = "small", main = True, runtime = "bundled", **kwargs):
    """A GoogleTest test.

    Args:
      name: the target's name.
      deps: what it tests; GoogleTest is added.
      copts: more compiler options.
      size: as for cc_test.
      main: whether to link GoogleTest's main().
      runtime: where its Abseil and Protocol Buffers come from; see _runtime.
      **kwargs: as for cc_test.
    """
    native.cc_test(
        name = name,
        copts = _COPTS + copts,
        linkstatic = True,
        size = size,
        deps = deps + ["//third_party:googletest"] + (["//third_party:googletest_main"] if main else []) + _TSAN + _runtime(runtime),
        **kwargs
    )

def sallyport_cc_fuzz_test(name, deps = [], copts = [], corpus = [], runs = 2000, size = "small", tags = [], runtime = "bundled", **kwargs):
    """A fuzz target: srcs define LLVMFuzzerTestOneInput.

    With --config=fuzz it is a libFuzzer program (make fuzz runs it). Otherwise
    it is a test that runs the corpus and then a fixed series of mutations of it.

    Args:
      name: the target's name; ends in _fuzz by convention.
      deps: what it tests.
      copts: more compiler options.
      corpus: the files to start from, as glob() gives them.
      runs: how many mutations the test runs.
      size: as for cc_test.
      tags: more tags; "fuzz" is added.
      runtime: where its Abseil and Protocol Buffers come from; see _runtime.
      **kwargs: as for cc_test.
    """
    native.cc_test(
        name = name,
        copts = _COPTS + copts,
        linkstatic = True,
        size = size,
        args = select({
            "//tools/build:fuzzing": ["-runs=%d" % runs],
            "//conditions:default": ["--runs=%d" % runs],
        }) + ["$(locations %s)" % f for f in corpus],
        data = corpus,
        deps = deps + select({
            "//tools/build:fuzzing": [],
            "//conditions:default": ["//tools/fuzz:driver"],
        }) + _TSAN + _runtime(runtime),
        linkopts = select({
            "//tools/build:fuzzing": ["-fsanitize=fuzzer"],
            "//conditions:default": [],
        }),
        tags = tags + ["fuzz"],
        **kwargs
    )
