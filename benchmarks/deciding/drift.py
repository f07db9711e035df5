"""Production's charts: how soon they alarm, and how often for nothing."""

import numpy as np

from benchmarks.deciding.goals import say
from operators.promotion.control_chart import LEARNED_FROM, chart


def drift(count: int) -> None:
    """Print how soon charts alarm, and how often for nothing."""
    quiet = [_first_alarm(seed, 0.0) for seed in range(count)]
    false = float(np.mean([day <= 30 for day in quiet]))
    say("production: false alarm of a chart within 30 coils", false, lambda x: x < 0.05, "< 5 %")
    for shift, most in ((1.5, 15), (2.5, 6)):
        days = float(np.median([_first_alarm(seed, shift) for seed in range(count)]))
        say(f"production: coils until a shift of {shift} sd alarms", days, lambda x, m=most: x <= m,
            f"<= {most}", percent=False)  # fmt: skip


def _first_alarm(seed: int, shift: float, days: int = 60) -> int:
    drawn = 1 + 0.1 * np.random.default_rng(seed).standard_normal(LEARNED_FROM + days)
    drawn[LEARNED_FROM:] += 0.1 * shift
    at = [str(day) for day in range(len(drawn))]
    for day in range(1, days + 1):
        seen = LEARNED_FROM + day
        if chart("coil", "residual", at[:seen], drawn[:seen].tolist()).alarm:
            return day
    return days + 1
