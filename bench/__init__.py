"""Benchmarks as ratios: each row is measured beside its peer in one run. No test asserts a time."""
