"""Shards: many records in one file, solved, written, read, summed up, drawn."""
