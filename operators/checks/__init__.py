"""Trying a newly described cluster with real jobs, in plain words."""
