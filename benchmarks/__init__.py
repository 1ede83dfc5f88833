"""Benchmarks: ``python -m benchmarks`` prints each figure beside a fixed yardstick."""
