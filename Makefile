# Thin on purpose: each target is one or two scripts that also run alone.

.PHONY: help setup demo test bench fuzz soak format format-check tidy clean

help:
	@echo "make demo          run the examples; installs only what they need"
	@echo "make test          everything that can fail a change; ends in a count"
	@echo "make bench         measure"
	@echo "make fuzz          each fuzz target for FUZZ_SECONDS (default 60)"
	@echo "make soak          everything changes at once, for SOAK_SECONDS (default 1800)"
	@echo "make format        rewrite the C++ sources in the house style"
	@echo "make format-check  fail if that would change anything"
	@echo "make tidy          clang-tidy over our own sources"
	@echo "make setup         install what test needs"
	@echo "make clean         remove build outputs (the cache outside stays)"

setup:
	@tools/setup test

demo:
	@tools/setup demo
	@examples/run-demo
	@examples/fleet/run

test:
	@tools/setup test
	@tools/test

bench:
	@tools/setup bench
	@bench/run

fuzz:
	@tools/setup test
	@tools/fuzz/run

SOAK_SECONDS ?= 1800
soak:
	@tools/setup test
	@bazel test //tests/soak:soak_test --nocache_test_results --test_output=streamed \
	  --test_env=SOAK_SECONDS=$(SOAK_SECONDS) --test_timeout=$$(( $(SOAK_SECONDS) + 300 ))
	@bazel test //tests/integration:xds_crowd_test --nocache_test_results --test_output=errors \
	  --test_env=XDS_CROWD=5000 --test_timeout=900

format:
	@tools/format

format-check:
	@tools/format --check

tidy:
	@tools/setup test
	@tools/tidy

clean:
	@bazel clean
