"""The page of a measurement: what was identified, how surely, and why to believe it or not."""
