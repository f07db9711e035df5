"""Which job folder a task has, whose it is, and what Airflow remembers of it.

Task state belongs to one DAG run and is deleted with it. A run that is deleted and created again
under the same id therefore has another claim than the folder that its predecessor left, although
both have the same token.
"""

import hashlib
import json
import re
import secrets
from pathlib import PurePosixPath
from typing import Any

from hpc_jobs.contract.layout import RunFolder
from operators.cluster.client import ArrayJob
from operators.hooks.hpc import Session

Context = Any  # airflow.sdk.Context is a TypedDict that tests would have to fill whole

STATE_KEY = "array_job"
ENDED = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})
"""States of a task instance that no longer change by themselves."""


def job_token(dag_id: str, run_id: str, task_id: str, map_index: int = -1) -> str:
    """Name a task's array job: the same for every try; readable, short, safe anywhere."""
    identity = json.dumps([dag_id, run_id, task_id, map_index])
    readable = re.sub(r"[^a-z0-9]+", "-", task_id.lower()).strip("-")[-24:].strip("-") or "job"
    return f"{readable}-{hashlib.sha256(identity.encode()).hexdigest()[:10]}"


def generation(token: str, number: int) -> str:
    """Name the job of a task that was cleared `number` times after it had ended."""
    return token if number == 0 else f"{token}.{number + 1}"


def first_unfinished(session: Session, run: RunFolder[PurePosixPath], token: str) -> int:
    """Find the first generation that is not history."""
    number = 0
    while session.exists(str(run.job(generation(token, number)).finished)):
        number += 1
    return number


def current_token(session: Session, run: RunFolder[PurePosixPath], token: str) -> str:
    """Find the latest generation that has a folder, for those who read along (log, spool)."""
    number = 0
    while session.exists(str(run.job(generation(token, number + 1)).root)):
        number += 1
    return generation(token, number)


class TaskMemory:
    """One task instance's entry in Airflow's task state; survives retries and clears."""

    def __init__(self, context: Context) -> None:
        self._ti = context["ti"]
        self._store = context["task_state_store"]

    @property
    def token(self) -> str:
        """Token of the task's first job."""
        ti = self._ti
        return job_token(ti.dag_id, ti.run_id, ti.task_id, self.map_index)

    @property
    def map_index(self) -> int:
        """-1 where the task is not mapped."""
        return -1 if self._ti.map_index is None else int(self._ti.map_index)

    @property
    def unheard_success(self) -> bool:
        """Whether this is a retry of a finished task, of which Airflow did not hear.

        A clear, which means "run again", would have moved max_tries.
        """
        return bool(self._recall().get("finished") == self._ti.max_tries)

    @property
    def claim(self) -> str:
        """A random word that this DAG run's folders bear; stored before it is used."""
        state = self._recall()
        if "claim" not in state:
            state["claim"] = secrets.token_hex(8)
            self._store.set(STATE_KEY, state)
        return str(state["claim"])

    def remember(self, job: ArrayJob, cluster: str) -> None:
        """Keep what will be or was submitted, unless it is history."""
        if not self.unheard_success:
            state: dict[str, Any] = {"token": job.plan.token, "cluster": cluster}
            state |= {"folder": str(job.folder.root), "claim": self.claim, "job_ids": job.job_ids}
            self._store.set(STATE_KEY, state)

    def succeeded(self) -> None:
        """From now on, a retry reports once more, and a clear begins anew."""
        self._store.set(STATE_KEY, {"claim": self.claim, "finished": self._ti.max_tries})

    def forget(self) -> None:
        """Whatever runs this task from now on begins anew."""
        self._store.delete(STATE_KEY)

    def owns(self, session: Session, intent: str) -> bool | None:
        """Whether a job folder is this run's; None while it is nobody's."""
        try:
            document = json.loads(session.read(intent))
        except FileNotFoundError:
            return None
        return bool(document.get("claim") == self.claim)

    def take(self, session: Session, intent: str, job: str) -> None:
        """Write into a job folder whose it is; housekeeping asks Airflow about that task."""
        whose = {name: getattr(self._ti, name) for name in ("dag_id", "run_id", "task_id")}
        document = whose | {"map_index": self.map_index, "job": job, "claim": self.claim}
        session.write(intent, json.dumps(document, indent=1).encode())

    def _recall(self) -> dict[str, Any]:
        return dict(self._store.get(STATE_KEY) or {})
