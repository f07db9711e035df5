"""Runs in MLflow that are found by a tag of their own, and made where there is none yet."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

PARENT = "mlflow.parentRunId"
"""MLflow's own tag of a run that lies below another."""


def find_run(client: "MlflowClient", experiment_id: str, tag: str, value: str) -> "Run | None":
    """Look up the one run with that tag; of two that were made in a race the later is deleted."""
    found = client.search_runs([experiment_id], f"tags.`{tag}` = '{_literal(value)}'")
    runs = sorted(found, key=lambda run: (run.info.start_time, run.info.run_id))
    for other in runs[1:]:
        client.delete_run(other.info.run_id)
    return runs[0] if runs else None


def find_or_create_run(
    client: "MlflowClient",
    experiment_id: str,
    tag: str,
    value: str,
    *,
    name: str,
    parent: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> "Run":
    """Return the one run with that tag, made if need be; may be repeated, and be raced for.

    name, parent (a run's id) and tags are those of a run that is made here.
    """
    run = find_run(client, experiment_id, tag, value)
    if run is None:
        below = {PARENT: parent} if parent else {}
        client.create_run(experiment_id, run_name=name, tags={**(tags or {}), **below, tag: value})
        run = find_run(client, experiment_id, tag, value)  # another may have been faster
        assert run is not None
    return run


def _literal(text: str) -> str:
    if "'" in text or "\\" in text:
        raise ValueError(f"{text!r} cannot be searched for; leave out quotes and backslashes")
    return text
