"""The containers: what their files promise, and the whole workflow in them."""
