"""One array job's folder: the names in it, what elements write, how others look; stdlib alone."""
