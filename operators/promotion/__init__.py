"""From trained networks to a champion: challenger, gate, registry."""
