"""Trained networks as files: calibrated, loaded, exported, run by several runtimes."""
