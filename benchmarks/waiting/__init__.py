"""Behind benchmarks/cluster_load.py: the control host that many jobs wait in."""
