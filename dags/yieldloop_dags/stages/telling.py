"""What others wait for: a champion, more records, a failed validation, drift."""

from typing import Any

from airflow.sdk import Asset, AssetAlias, task

from hpc_jobs.contract.drift import DriftReport
from hpc_jobs.contract.facts import PackedFacts, ScoreFacts
from hpc_jobs.contract.report import ArrayReport, GateReport
from hpc_jobs.contract.run import RunHandle
from yieldloop_dags.models import takes_models

DATASET = Asset(name="grown-dataset", uri="yieldloop://dataset/grown")
CHAMPION = Asset(name="champion", uri="yieldloop://model/champion")
DRIFT = Asset(name="drift", uri="yieldloop://production/drift")
FAILED_VALIDATION = Asset(name="failed-validation", uri="yieldloop://validation/failed")
# A task with an alias for outlet decides itself whether there is anything to tell.
CHAMPION_NEWS = AssetAlias("champion-news")
VALIDATION_NEWS = AssetAlias("validation-news")
GROWTH_NEWS = AssetAlias("growth-news")
DRIFT_NEWS = AssetAlias("drift-news")


@task(outlets=[CHAMPION_NEWS])
@takes_models
def announce_champion(run: RunHandle, decision: GateReport, outlet_events: Any = None) -> str:
    """Tell whoever waits for a new champion, if there is one; returns what was decided."""
    if decision.promoted:
        extra = {"run_id": run.run_id, "model": decision.model}
        outlet_events[CHAMPION_NEWS].add(CHAMPION, extra=extra)
    return decision.reason


@task(outlets=[GROWTH_NEWS])
@takes_models
def announce_growth(
    run: RunHandle, dataset: ArrayReport, solved: ArrayReport, outlet_events: Any = None
) -> str:
    """Tell whoever waits for more records, if there are any; returns what was told."""
    if not solved.elements:
        return "no simulation tonight"
    generation = dataset.read(PackedFacts).generation
    told = {"campaign": run.campaign, "run_id": run.run_id, "generation": generation}
    outlet_events[GROWTH_NEWS].add(DATASET, extra=told)
    return f"generation {generation}"


@task(outlets=[VALIDATION_NEWS])
@takes_models
def announce_failure(run: RunHandle, scored: ArrayReport, outlet_events: Any = None) -> str:
    """Tell whoever retrains that the champion no longer stands, if so; returns the verdict."""
    verdict = scored.read(ScoreFacts).verdict
    if verdict.passed:
        return "the champion passes its validation"
    extra = {"campaign": run.campaign, "run_id": run.run_id, "notes": verdict.notes}
    outlet_events[VALIDATION_NEWS].add(FAILED_VALIDATION, extra=extra)
    return "the champion fails its validation"


@task(outlets=[DRIFT_NEWS])
@takes_models
def watch_production(run: RunHandle, scored: ArrayReport, outlet_events: Any = None) -> DriftReport:
    """Add the measurements to production's control charts; an alarm asks for a targeted night."""
    from operators.promotion.drift import watch

    found = watch(run.campaign, scored.read(ScoreFacts).verdict)
    if found.alarms:
        extra = {"campaign": run.campaign, "run_id": run.run_id, "alarms": list(found.alarms[:20])}
        outlet_events[DRIFT_NEWS].add(DRIFT, extra=extra)
    return found
