"""Tracking spools into MLflow, and trained networks as MLflow models."""
