"""How good a network is: errors, baselines, coverage, worst cases, figures, choice."""
