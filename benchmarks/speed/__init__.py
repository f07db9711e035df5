"""Behind benchmarks/fem_speed.py: sheets, rates, start-up, report."""
