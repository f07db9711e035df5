"""One training: experiment, loop, schedule, checkpoints, publication; committees."""
