"""Where in the box simulations failed, as the Campaign tab shows it."""

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from hpc_jobs.contract.answers import label_of
from hpc_jobs.contract.errors import CorruptFile
from hpc_jobs.contract.facts import MOST_FAILED, THIRDS, FailedIn, PackedFacts
from hpc_jobs.contract.report import ArrayReport

SHOWN = 5
"""Axes: those along which failures differ most."""


def failures_of(returned: Sequence[Any]) -> dict[str, Any]:
    """Count failed records by thirds of the axes that matter most; empty where none failed.

    returned: what the tasks of a DAG run handed over.
    """
    failed_in = _failed_in(returned)
    if not failed_in:
        return {}
    uneven = sorted(failed_in, key=lambda axis: -_unevenness(failed_in[axis]))
    rows = [
        {"label": label_of(axis), **{third: failed_in[axis].get(third, 0) for third in THIRDS}}
        for axis in uneven[:SHOWN]
    ]
    records = sum(next(iter(failed_in.values())).values())
    return {"records": records, "cut": records >= MOST_FAILED, "axes": rows}


def _failed_in(returned: Sequence[Any]) -> FailedIn:
    for value in returned:
        try:
            report = ArrayReport.model_validate(value)
            if report.job == "publish_dataset":
                return report.read(PackedFacts).failed_in
        except (ValidationError, CorruptFile):
            continue
    return {}


def _unevenness(thirds: dict[str, int]) -> int:
    counts = [thirds.get(third, 0) for third in THIRDS]
    return max(counts) - min(counts)
