"""Two real Slurm clusters with real sshd, for the tests; `python -m tests.clusters` starts them."""
