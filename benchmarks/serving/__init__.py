"""Behind benchmarks/inference.py: rates of answering, alone and on a busy machine."""
