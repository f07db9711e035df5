"""What the Campaign tab of a DAG run shows, from what Airflow keeps of it: no cluster is asked.

Everything is put together from the XComs and states of the DAG run's tasks, so it costs the same
for three array elements as for a hundred thousand.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from hpc_jobs.contract.answers import given_in_words, reported
from hpc_jobs.contract.ordering import by_status
from hpc_jobs.contract.report import (
    ArrayProgress,
    ArrayReport,
    CampaignReport,
    Challenger,
    GateReport,
    RoundPlan,
    RunOrigin,
    SearchPlan,
    SearchReport,
    UsageReport,
)
from hpc_jobs.contract.run import RunHandle
from hpc_jobs.contract.validation import INTERVAL_LEVEL, Judgement, Verdict
from operators.hooks.mlflow import (
    MlflowHook,
    TrackingUnavailable,
    artifact_page,
    run_page,
    version_page,
)
from operators.pages.failures import failures_of
from operators.pages.networks import networks_of
from operators.pages.tasks import Task, first_of

STAGES = {
    "choose_points": "points chosen",
    "solve_shards": "shards simulated",
    "deal_records": "records dealt",
    "pack_records": "records packed",
    "publish_dataset": "dataset published",
    "train_networks": "networks trained",
    "assemble_committees": "committees assembled",
    "identify": "measurements identified",
    "resimulate": "measurements simulated again",
    "score": "answers scored",
    "compare": "challenger and champion asked the same",
    "try_networks": "search workers",
    "train_finalists": "finalists trained",
    "choose_network": "network chosen",
}
"""Last part of an array task's id -> what its elements are."""
BAD = ("failed", "upstream_failed")


def campaign_document(
    tasks: Sequence[Task], dag_state: str, mlflow_url: str = ""
) -> dict[str, Any]:
    """Put the page together; {"campaign": False} where no task has opened a campaign's run.

    mlflow_url: MLflow's address in a browser; without it there are no links.
    """
    returned = [task.returned for task in tasks]
    handle = first_of(RunHandle, returned)
    if handle is None:
        return {"campaign": False, "failed": _failed(tasks)}
    report, gate = first_of(CampaignReport, returned), first_of(GateReport, returned)
    usage = report.usage if report else None
    return {
        "campaign": True,
        "name": handle.campaign,
        "run_id": handle.run_id,
        "verdict": _verdict(dag_state, gate, report, first_of(SearchReport, returned)),
        "failed": _failed(tasks),
        "origin": _origin(first_of(RunOrigin, returned)),
        "stages": _stages(tasks, _planned(handle, returned)),
        "records": by_status(report.records_by_status) if report else {},
        "failures": failures_of(returned),
        "networks": networks_of(tasks, report, first_of(Challenger, returned), mlflow_url),
        "materials": _materials(report.verdict) if report else [],
        "level": f"{INTERVAL_LEVEL:.0%}",
        "usage": _usage(usage or _added_up(returned), handle.budget_core_hours),
        "links": _links(handle, report, mlflow_url),
    }


def mlflow_address() -> str:
    """MLflow's address in a browser; empty where there is none."""
    try:
        return MlflowHook().address
    except TrackingUnavailable:
        return ""


def _origin(origin: RunOrigin | None) -> str:
    """Say which run is gone on with, and why it is that one; empty for a new run."""
    if origin is None:
        return ""
    whose = {"champion": "the champion's run", "chosen": "the run that was chosen in the form"}
    return f"Goes on with {origin.run_id}, {whose.get(origin.why, origin.why)}."


def _failed(tasks: Sequence[Task]) -> list[dict[str, str]]:
    """Tasks that failed themselves, each with its cause."""
    return [
        {"task_id": task.task_id, "cause": task.cause} for task in tasks if task.state == "failed"
    ]


def _verdict(
    dag_state: str,
    gate: GateReport | None,
    report: CampaignReport | None,
    search: SearchReport | None,
) -> dict[str, str]:
    """In words, with a tone: good, bad, or open."""
    if dag_state == "failed":
        return {"tone": "bad", "words": "This run failed. What it did before stands below."}
    if gate is not None:
        before = f"version {gate.champion_before}" if gate.champion_before else "none"
        words = f"Version {gate.version} of {gate.registered_model} ({gate.model}): {gate.reason}."
        words += f" Champion before: {before}."
        return {"tone": "good" if gate.promoted else "bad", "words": words}
    if search is not None:
        return {"tone": "good", "words": search.sentence}
    done = dag_state == "success"
    return {"tone": "good" if done else "open", "words": "Finished." if done else "At work."}


def _planned(handle: RunHandle, returned: Sequence[Any]) -> dict[str, int]:
    """Elements that each array will have, known before it is submitted."""
    planned = dict.fromkeys(STAGES, 1)
    planned["train_networks"] = handle.networks
    planned["assemble_committees"] = handle.committees
    planned["resimulate"] = handle.measurements
    if (rounds := first_of(RoundPlan, returned)) is not None:
        planned["solve_shards"] = rounds.shards
        planned["deal_records"] = planned["pack_records"] = rounds.packing_elements
    if (search := first_of(SearchPlan, returned)) is not None:
        planned["try_networks"], planned["train_finalists"] = search.workers, search.trainings
    return planned


def _stages(tasks: Sequence[Task], planned: Mapping[str, int]) -> list[dict[str, Any]]:
    """Array tasks in the order of the experiment; of one under way the whole is what is planned."""
    by_name = {task.task_id.rpartition(".")[2]: task for task in tasks}
    rows = []
    for name, label in STAGES.items():
        task = by_name.get(name)
        if task is None or not planned[name]:
            continue
        rows.append({"label": label, **_stage(task, planned[name])})
    return rows


def _stage(task: Task, planned: int) -> dict[str, Any]:
    """Count a stage's elements; what it has reported at its end counts more than its progress."""
    report = first_of(ArrayReport, [task.returned])
    seen = None if report else first_of(ArrayProgress, [task.progress])
    row: dict[str, Any] = {
        "task_id": task.task_id,
        "state": task.state or "none",
        "planned": planned,
        "done": 0,
        "running": 0,
        "lost": 0,
        "seconds": task.seconds,
    }
    if report:
        row |= {"planned": report.elements, "done": report.done, "lost": report.failed}
    if seen:
        row |= {"planned": seen.elements, "done": seen.done, "lost": seen.failed}
        row |= {"running": seen.running}
        row["live"] = seen.model_dump(
            mode="json",
            include={
                *("work_done", "work_planned", "unit", "rate_per_s", "left_s"),
                *("named", "waits", "trouble", "as_of", "held"),
            },
        )
    return row


def _materials(verdict: Verdict) -> list[dict[str, Any]]:
    """List the network's answer of each measurement, and the refinement's."""
    answers = [(name, "network", one) for name, one in verdict.measurements.items()]
    answers += [(name, "refined", one) for name, one in verdict.refined.items()]
    return [
        {
            "name": name,
            "by": by,
            "verdict": one.verdict,
            # A measurement's note tells of the network's answer alone
            "reasons": _reasons(one, verdict.notes.get(name, "") if by == "network" else ""),
            "quantities": _quantities(one),
            "given": given_in_words(one),
        }
        for name, by, one in sorted(answers, key=lambda answer: (answer[0], _given(answer[2])))
    ]


def _given(one: Judgement) -> bool:
    """Whether nothing was answered: what was stands first."""
    return all(found is None for found, _ in one.quantities.values())


def _reasons(one: Judgement, note: str) -> list[str]:
    """List the reasons of a verdict, each once: a note repeats what stands there already."""
    told = [*one.reasons]
    rest = [part for part in note.split("; ") if part and part not in told]
    return told + rest


def _quantities(one: Judgement) -> list[dict[str, str]]:
    rows = []
    for line in reported(one):
        interval = f"{_number(line.low)} to {_number(line.high)}" if line.low is not None else "–"
        rows.append(
            {
                "label": f"{line.label}, {line.unit}" if line.unit else line.label,
                "found": _number(line.value),
                "interval": interval,
                "true": _number(line.true),
            }
        )
    return rows


def _added_up(returned: Sequence[Any]) -> UsageReport:
    """Sum what the arrays took that have ended, while there is no account of the whole run."""
    reports = [report for value in returned if (report := first_of(ArrayReport, [value]))]
    tries = sum(report.usage.tries for report in reports)
    wait_s = sum(report.usage.queue_wait_s for report in reports)
    core_hours = sum(report.usage.core_hours for report in reports)
    used = sum(report.usage.cpu_hours_used for report in reports)
    return UsageReport(
        tries=tries,
        queue_wait_s=wait_s,
        core_hours=core_hours,
        gpu_hours=sum(report.usage.gpu_hours for report in reports),
        cpu_hours_used=used,
        efficiency=used / core_hours if core_hours else 0.0,
        mean_queue_wait_s=wait_s / tries if tries else 0.0,
    )


def _usage(usage: UsageReport, budget: float | None) -> list[dict[str, str]]:
    rows = {
        "core-hours": f"{usage.core_hours:.4g}",
        "budget, core-hours": "none set" if budget is None else f"{budget:g}",
        "GPU-hours": f"{usage.gpu_hours:.4g}",
        "mean wait in the queue": f"{usage.mean_queue_wait_s:.0f} s",
        "efficiency": f"{usage.efficiency:.0%}",
    }
    return [{"label": label, "value": value} for label, value in rows.items()]


def _links(
    handle: RunHandle, report: CampaignReport | None, mlflow_url: str
) -> list[dict[str, str]]:
    if not mlflow_url:
        return []
    run = handle.mlflow_run_id
    experiment = report.mlflow_experiment_id if report else ""
    links = [{"label": "MLflow run", "href": run_page(mlflow_url, run, experiment)}]
    if report is not None and report.mlflow_experiment_id:
        page = artifact_page(mlflow_url, report.mlflow_experiment_id, run, report.page)
        links.insert(0, {"label": "Report", "href": page})
    if report is not None:
        model = version_page(mlflow_url, report.gate.registered_model, report.gate.version)
        links.append({"label": "Model", "href": model})
    return links


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3f}"
