"""One line for a goal: what it is, what was reached, whether that is enough."""


def judged(what: str, reached: float, goal: float) -> bool:
    """Print a goal that is met from `goal` downwards; return whether it is."""
    met = reached <= goal
    print(f"{what}: {reached:.4g}; goal {goal:g} {'met' if met else 'NOT met'}", flush=True)
    return met
