"""The methods, settings and records that benchmarks/accuracy.py compares."""
