"""The forward surrogate: strains and forces from parameters; no torch, knows no network."""
