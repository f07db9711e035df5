"""OpenPBS's commands, with the faults of real servers to switch on."""
