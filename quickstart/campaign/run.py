"""One DAG run, followed from outside: all that is shown comes from Airflow's API."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from hpc_jobs.contract.layout import RunFolder, Workspace
from hpc_jobs.contract.report import ArrayProgress, CampaignReport
from hpc_jobs.contract.run import RunHandle
from quickstart.stack.airflow_api import AirflowApi

DAG = "hybrid_campaign"
OPENING, REPORTING, PROGRESS = "open_run", "report", "progress"
DAG_TIMEOUT_S = 120.0
LOST_S = 180.0  # longer than a killed API server takes to be back
ENDED = ("success", "failed")
OVER = (*ENDED, "skipped")
BEGUN = ("running", "deferred", "up_for_retry", *OVER)
LOG_LINES = 40


class CampaignFailed(Exception):
    """The run did not begin, or ended badly; the message says where and why."""


@dataclass(frozen=True, slots=True)
class Task:
    """One task of the run."""

    name: str
    state: str
    try_number: int
    seconds: float | None


@dataclass(frozen=True, slots=True)
class RunState:
    """The run at one moment."""

    state: str
    tasks: list[Task]
    progress: dict[str, ArrayProgress]


def form_fields(api: AirflowApi) -> set[str]:
    """Return the fields of the trigger form, once Airflow has read the DAG's file."""
    deadline = time.monotonic() + DAG_TIMEOUT_S
    while True:
        try:
            return set(api.get(f"dags/{DAG}/details")["params"])
        except httpx.HTTPStatusError as error:
            if error.response.status_code != httpx.codes.NOT_FOUND:
                raise
        errors = api.get("importErrors")["import_errors"]
        if errors and time.monotonic() > deadline - DAG_TIMEOUT_S / 2:
            traces = "\n".join(f"{e['filename']}: {e['stack_trace']}" for e in errors)
            raise CampaignFailed(f"Airflow cannot read the DAGs:\n{traces}")
        if time.monotonic() > deadline:
            raise CampaignFailed(f"Airflow does not know the DAG {DAG} after {DAG_TIMEOUT_S:.0f} s")
        time.sleep(1.0)


class CampaignRun:
    """A run of the DAG hybrid_campaign."""

    def __init__(self, api: AirflowApi, run_id: str) -> None:
        self.api, self.run_id = api, run_id
        self._known: dict[str, tuple[str, ArrayProgress | None]] = {}
        self._answered = time.monotonic()
        self._order = _order(api.get(f"dags/{DAG}/tasks")["tasks"])
        self._last = RunState("queued", [], {})

    @classmethod
    def trigger(cls, api: AirflowApi, conf: Mapping[str, Any]) -> "CampaignRun":
        """Start a run; raises CampaignFailed with Airflow's words if it refuses the conf."""
        api.request("PATCH", f"dags/{DAG}", json={"is_paused": False})
        run_id = f"campaign__{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"
        body = {"dag_run_id": run_id, "conf": conf, "logical_date": None}
        try:
            api.create(f"dags/{DAG}/dagRuns", body)
        except httpx.HTTPStatusError as error:
            detail = error.response.json().get("detail", error.response.text)
            raise CampaignFailed(f"Airflow refuses the campaign: {detail}") from None
        return cls(api, run_id)

    def look(self) -> RunState:
        """Return the run as it is; the last known if Airflow does not answer for a while."""
        try:
            state = self.api.get(self._path())["state"]
            tasks = [
                _task(t) for t in self.api.get(f"{self._path()}/taskInstances")["task_instances"]
            ]
            progress = self._progress(tasks)
        except (httpx.TransportError, httpx.HTTPStatusError) as error:
            if time.monotonic() - self._answered > LOST_S:
                raise CampaignFailed(
                    f"Airflow has not answered for {LOST_S:.0f} s: {error}"
                ) from None
            return self._last
        self._answered = time.monotonic()
        tasks.sort(key=lambda task: self._order.get(task.name, 0))
        self._last = RunState(state, tasks, progress)
        return self._last

    def result(self) -> CampaignReport:
        """Return what the last task reports."""
        return CampaignReport.model_validate(self._xcom(REPORTING))

    def folder(self) -> RunFolder[Path] | None:
        """Return the run's folder where this machine sees it: clusters on it have its paths."""
        handle = RunHandle.model_validate(self._xcom(OPENING))
        folder = Workspace(Path(handle.sites["cpu"].workspace)).run(handle.run_id)
        return folder if folder.root.is_dir() else None

    def failures(self, snapshot: RunState) -> str:
        """Return the failed tasks, each with the end of its log."""
        texts = []
        for task in (task for task in snapshot.tasks if task.state == "failed"):
            path = f"{self._path()}/taskInstances/{task.name}/logs/{task.try_number}"
            try:
                lines = _log_lines(self.api.get(path, full_content=True)["content"])
            except httpx.HTTPError as error:
                lines = [f"its log cannot be read: {error}"]
            indented = [f"    {line}" for line in lines[-LOG_LINES:]]
            texts.append("\n".join([f"task {task.name} failed; the end of its log:", *indented]))
        return "\n".join(texts) or f"no task failed, but the run's state is {snapshot.state}"

    def _progress(self, tasks: list[Task]) -> dict[str, ArrayProgress]:
        """Ask array tasks what they say of themselves: while they go on, and once at their end."""
        for task in tasks:
            state, last = self._known.get(task.name, ("", None))
            if task.state not in BEGUN or (task.state == state and task.state in OVER):
                continue
            self._known[task.name] = (task.state, self._array_progress(task.name) or last)
        return {name: progress for name, (_, progress) in self._known.items() if progress}

    def _array_progress(self, task: str) -> ArrayProgress | None:
        try:
            return ArrayProgress.model_validate(self._xcom(task, PROGRESS))
        except httpx.HTTPStatusError as error:
            if error.response.status_code != httpx.codes.NOT_FOUND:
                raise
            return None  # it has said nothing yet, or is no array

    def _xcom(self, task: str, key: str = "return_value") -> Any:
        path = f"{self._path()}/taskInstances/{task}/xcomEntries/{key}"
        return self.api.get(path)["value"]

    def _path(self) -> str:
        return f"dags/{DAG}/dagRuns/{self.run_id}"


def _order(tasks: list[dict[str, Any]]) -> dict[str, int]:
    """Return how many tasks lie at most before each: the order in which a person reads them."""
    following = {task["task_id"]: task["downstream_task_ids"] for task in tasks}
    depth = dict.fromkeys(following, 0)
    for _ in following:  # a path has no more steps than there are tasks
        for name, others in following.items():
            for other in others:
                depth[other] = max(depth[other], depth[name] + 1)
    return depth


def _task(document: Mapping[str, Any]) -> Task:
    return Task(
        name=document["task_id"],
        state=document["state"] or "waiting",
        try_number=document["try_number"],
        seconds=document["duration"],
    )


def _log_lines(content: Any) -> list[str]:
    lines = []
    for entry in content if isinstance(content, list) else [content]:
        if not isinstance(entry, Mapping):
            lines += str(entry).splitlines()
        elif not str(entry.get("event", "")).startswith("::"):
            lines += str(entry.get("event", "")).splitlines()
            for error in entry.get("error_detail") or []:
                lines.append(f"{error.get('exc_type')}: {error.get('exc_value')}")
    return lines
