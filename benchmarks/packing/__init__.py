"""Parts of benchmarks.scale: made-up shards, steps in processes of their own, what they cost."""
