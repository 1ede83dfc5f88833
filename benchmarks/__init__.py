"""Benchmarks: ``python -m benchmarks`` prints costs as ratios to floors in the same run."""
