"""Where to simulate: points of a round in the box of mechanical quantities."""
