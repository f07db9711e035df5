"""Stand-ins for parts that no test machine has, answering as recorded from the real ones."""
