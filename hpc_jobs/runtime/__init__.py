"""What every job stands on: the array element, its ranks, its spool."""
