"""Behind benchmarks/fem_robustness.py: regions of the box, and their figure."""
