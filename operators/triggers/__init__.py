"""What waits on the triggerer's event loop, for tasks that gave their worker back."""
