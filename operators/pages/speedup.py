"""What a campaign's learning was worth: effective speedups from what its jobs measured.

Simulations count the core-seconds that the scheduler granted, those of test and failed records
included; trainings the seconds that their elements ran, all networks together; both with every try
and every start of Python.
"""

import math
from collections.abc import Mapping
from typing import Any

from hpc_jobs.contract.run import RunHandle
from hpc_jobs.contract.speedup import Costs, Lookups, Updating
from operators.hooks.mlflow import MlflowHook
from operators.pages.speedup_figure import LABELS, draw_speedups

HOUR_S = 3600.0
LOOKUPS = (1_000, 1_000_000)
FIGURE = "figures/speedup.svg"

Report = Mapping[str, Any]


def speedups(
    scored: Report, records: int, measurements: int, solved: Report, trained: Report
) -> dict[str, Any] | None:
    """Say what each learned answer replaces, and what that is worth; None where nobody measured.

    scored: facts of the job `score`. records: of the training. solved, trained: what the array
    jobs of `solve_shard` and `train` returned.
    """
    if not (scored.get("lookups") and scored.get("updating")) or not records:
        return None
    updating = Updating.model_validate(scored["updating"])
    train_s = float(solved["usage"]["core_hours"]) * HOUR_S / records
    learned_s = float(trained["usage"]["run_s"])
    classical = _classical(Lookups.model_validate(scored["lookups"]), updating, learned_s)
    answers = {
        name: _worth(
            Costs(
                sequential_s=sequential_s,
                lookup_s=lookup_s,
                train_s=train_s,
                learn_s=learn_s / records,
                train_records=records,
            ),
            measurements,
        )
        for name, (sequential_s, lookup_s, learn_s) in classical.items()
    }
    return {
        "measured": {
            "simulation_s": updating.seconds / updating.simulations,
            "updating_s": updating.seconds,
            "updating_simulations": updating.simulations,
            "record_s": train_s,
            "records": records,
        },
        "answers": answers,
        "table": _table(answers),
    }


def _classical(
    lookups: Lookups, updating: Updating, learned_s: float
) -> dict[str, tuple[float, float, float]]:
    """Name -> the classical answer, the learned one, all that was learned for it; s."""
    found = {"network": (updating.seconds, lookups.network_s, learned_s)}
    if lookups.refinement_s and lookups.surrogate_s and lookups.fit_s:
        found["refinement"] = (updating.seconds, lookups.refinement_s, lookups.fit_s)
        simulation_s = updating.seconds / updating.simulations
        found["surrogate"] = (simulation_s, lookups.surrogate_s, lookups.fit_s)
    return found


def _worth(costs: Costs, measurements: int) -> dict[str, Any]:
    break_even = costs.break_even
    return {
        "sequential_s": costs.sequential_s,
        "lookup_s": costs.lookup_s,
        "train_s": costs.train_s,
        "learn_s": costs.learn_s,
        "train_records": costs.train_records,
        "at": {str(n): costs.effective_speedup(n) for n in (measurements, *LOOKUPS)},
        "limit": costs.limit,
        "break_even": None if math.isinf(break_even) else int(break_even),
    }


def _table(answers: Report) -> dict[str, Any]:
    """Cells as a person reads them, in the terminal and on the page."""
    at = next(iter(answers.values()))["at"]
    heads = ["learned for classical", "classical", "learned"]
    heads += [*(f"S at {int(lookups):,}" for lookups in at), "limit", "break-even"]
    return {"heads": heads, "rows": [_row(name, answer) for name, answer in answers.items()]}


def _row(name: str, answer: Report) -> list[str]:
    return [
        LABELS[name],
        f"{answer['sequential_s']:.3g} s",
        f"{answer['lookup_s']:.3g} s",
        *(f"{value:.3g}" for value in answer["at"].values()),
        f"{answer['limit']:.3g}",
        "never" if answer["break_even"] is None else f"{answer['break_even']:,}",
    ]


def speedup_metrics(found: Report) -> dict[str, float]:
    """Keys speedup/<answer>/<value>; a break-even that never comes is absent."""
    metrics = {}
    for name, answer in found["answers"].items():
        for lookups in LOOKUPS:
            metrics[f"speedup/{name}/at_{lookups}"] = float(answer["at"][str(lookups)])
        for key in ("sequential_s", "lookup_s", "train_s", "learn_s", "limit", "break_even"):
            if answer[key] is not None:
                metrics[f"speedup/{name}/{key}"] = float(answer[key])
    return metrics


def log_speedups(run: RunHandle, found: Report, mlflow: MlflowHook | None = None) -> None:
    """Write the metrics and the figure into the campaign's run; may be repeated."""
    from mlflow.entities import Metric

    client = (mlflow or MlflowHook()).require()
    metrics = [Metric(key, value, 0, 0) for key, value in speedup_metrics(found).items()]
    client.log_batch(run.mlflow_run_id, metrics=metrics)
    client.log_text(run.mlflow_run_id, draw_speedups(found), FIGURE)
