"""A batch queue for one machine, on files alone: command, daemon, runner, store."""
