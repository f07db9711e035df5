"""Tasks that wait for files to become visible on another cluster."""
