"""The one-machine mode: login nodes, a batch queue, the stack, `campaign`."""
