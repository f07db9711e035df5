"""The stack's processes: what they are, where they lie, how they start and stop."""
