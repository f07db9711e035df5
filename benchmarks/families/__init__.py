"""What benchmarks/family.py is made of."""
