"""Behind benchmarks/fem_verification.py: every reference of the engine, one file a kind."""
