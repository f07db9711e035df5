"""The loop's decisions, measured: the gate, production's charts, where to simulate."""
