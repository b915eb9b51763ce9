"""Tests that start the config service."""

load("//tests/lib:defs.bzl", "envoy_test", "python_test")

def daemon_test(name, with_envoy = False, data = [], env = {}, size = "medium"):
    """A test, in NAME.py, of sallyportd as sallyportctl or other clients meet it.

    Args:
      name: the target's name.
      with_envoy: whether it starts Envoys too.
      data: what else it reads.
      env: more environment variables; $(rootpath) is expanded.
      size: as for sh_test.
    """
    test = envoy_test if with_envoy else python_test
    test(
        name = name,
        size = size,
        src = name + ".py",
        data = data + [
            ":sallyportd",
            "//cli:sallyportctl",
            "//cli/online:sallyportctl-online",
            "//config_service/server:sallyportd",
        ],
        env = dict(
            env,
            SALLYPORTCTL = "$(rootpath //cli:sallyportctl)",
            SALLYPORTD = "$(rootpath //config_service/server:sallyportd)",
        ),
    )
