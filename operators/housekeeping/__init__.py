"""Sweeps that nobody waits for: leases, orphaned jobs, unreplayed spools, leftovers."""
