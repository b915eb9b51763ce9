#!/bin/sh
# Runs Python test files under bazel test: run_unittest.sh FILE...
set -eu
cd "${TEST_SRCDIR}/${TEST_WORKSPACE}"
exec python3 -B tests/lib/run_unittest.py "$@"
