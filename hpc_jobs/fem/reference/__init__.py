"""The solver in Python with numba: the law, readable; the native one is tested against it."""
