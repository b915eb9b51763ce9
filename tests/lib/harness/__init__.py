"""What tests, examples and benchmarks share to run a real Envoy."""
