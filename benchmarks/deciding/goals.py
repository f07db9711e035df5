"""A figure beside its goal."""

from collections.abc import Callable


def say(
    what: str, value: float, met: Callable[[float], bool], goal: str, *, percent: bool = True
) -> None:
    """Print one figure beside its goal."""
    shown = f"{value:.1%}" if percent else f"{value:.3g}"
    print(f"{what}: {shown} (goal {goal}): {'met' if met(value) else 'NOT met'}", flush=True)
