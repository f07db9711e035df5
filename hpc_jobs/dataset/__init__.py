"""From shards to a packed dataset: split, scaler, components; read by training and surrogate."""
