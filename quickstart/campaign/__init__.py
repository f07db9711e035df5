"""`python -m quickstart campaign`: trigger a run, follow it, print its result."""
