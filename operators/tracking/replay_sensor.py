"""Tracking spools into MLflow while the jobs run: the sensor beside a job, and housekeeping."""

import logging
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

from airflow.sdk.bases.sensor import BaseSensorOperator, PokeReturnValue

from hpc_jobs.contract.report import ReplayReport
from hpc_jobs.contract.run import RunHandle, Site
from hpc_jobs.job_folder.folder import JobFolder
from hpc_jobs.job_folder.names import SPOOL_FILE
from operators.array.operator import HpcArrayJobOperator
from operators.array.task_memory import ENDED, current_token, job_token
from operators.cluster.errors import NeedsLogin, TransportError
from operators.hooks.hpc import Connect, Session, open_session
from operators.hooks.mlflow import MlflowHook, TrackingUnavailable
from operators.links import MlflowRunLink
from operators.runs.run import folder_of
from operators.tracking.replay import Replayed, Replayer, is_unavailable
from operators.triggers.progress import LOSSES

log = logging.getLogger(__name__)

POLL_S = 20.0
LONGEST_S = 7 * 86400.0


class Spools:
    """The tracking spools of one run, between its cluster and MLflow."""

    def __init__(self, run: RunHandle, session: Session, site: Site, mlflow: MlflowHook) -> None:
        self.session, self.folder = session, folder_of(run.run_id, run.sites[site])
        self._run, self._mlflow = run, mlflow

    @cached_property
    def replayer(self) -> Replayer:
        """Made when there is something to replay; raises TrackingUnavailable."""

        def fetch(path: str, limit: int) -> bytes:
            return self.session.read(str(self.folder.root / path), 0, limit)

        return Replayer(self._mlflow.require(), self._run.mlflow_run_id, fetch)

    def replay(self, job: JobFolder[PurePosixPath], *, over: bool) -> dict[str, Replayed]:
        """Replay what one job has spooled since the last time; by name of the spool.

        over: nothing more will come, so that a spool without an end is closed as killed.
        """
        done: dict[str, Replayed] = {}
        for name in self._names(job.spool, SPOOL_FILE):
            spool = job.spool / name
            id = f"{self.folder.root.name}/{spool.relative_to(self.folder.root)}"

            def read(offset: int, limit: int, spool: PurePosixPath = spool) -> bytes:
                return self.session.read(str(spool), offset, limit)

            progress = self.replayer.replay(id, read)
            if progress is None:
                continue
            if over and not progress.ended:
                log.warning("%s: its job is over, but it has no end", spool)
                self.replayer.abandon(id)
            done[spool.stem] = progress
        return done

    def jobs(self) -> Iterator[tuple[JobFolder[PurePosixPath], bool]]:
        """All jobs of the run, and whether they are history."""
        for token in self._names(self.folder.jobs):
            job = self.folder.job(token)
            yield job, self.session.exists(str(job.finished))

    def _names(self, folder: PurePosixPath, suffix: str = "") -> list[str]:
        try:
            return [name for name in self.session.list(str(folder)) if name.endswith(suffix)]
        except FileNotFoundError:
            return []


class ReplaySensor(BaseSensorOperator):
    """Follow an array job's spools beside the job; done when it is over and all is replayed.

    Parameters
    ----------
    run
        RunHandle (as JSON), or the task that returns it.
    of
        The task to follow; the sensor is its sibling, not its successor.
    connect
        Opens a session of the cluster.

    MLflow or the cluster being away is waited for: the spools stay where they are.
    Returns a ReplayReport (as JSON).
    """

    template_fields: Sequence[str] = ("run",)
    operator_extra_links = (MlflowRunLink(),)
    ui_color = "#e4f0e2"

    def __init__(
        self, *, run: Any, of: HpcArrayJobOperator, connect: Connect = open_session, **kwargs: Any
    ) -> None:
        kwargs.setdefault("poke_interval", POLL_S)
        kwargs.setdefault("timeout", LONGEST_S)
        # Not "reschedule": that starts a process, and imports MLflow, for every look.
        kwargs.setdefault("mode", "poke")
        super().__init__(**kwargs)
        self.run = run
        self.connect = connect
        self.watched = of.task_id
        self.site: Site = of.site

    def poke(self, context: Any) -> PokeReturnValue:
        """Replay what is new; asks for the job's state first, so that nothing comes after."""
        over = self._is_over(context["ti"])
        ti, run = context["ti"], RunHandle.model_validate(self.run)
        token = job_token(ti.dag_id, ti.run_id, self.watched)

        def look(session: Session) -> dict[str, Replayed]:
            spools = Spools(run, session, self.site, MlflowHook())
            job = spools.folder.job(current_token(session, spools.folder, token))
            return spools.replay(job, over=over)

        found = _patiently(run.sites[self.site].cluster, look, self.connect)
        if found is None:
            return PokeReturnValue(False)
        for name, progress in found.items():
            if progress.metrics:
                loss = "" if progress.loss is None else f"; loss on validation {progress.loss:.4g}"
                said = progress.step, progress.metrics, loss
                log.info("%s: step %s, %d metrics more%s", name, *said)
        runs = {name: progress.mlflow_run_id for name, progress in found.items()}
        metrics = sum(progress.metrics for progress in found.values())
        losses = {name: one.loss for name, one in found.items() if one.loss is not None}
        report = ReplayReport(runs=runs, metrics=metrics, losses=losses)
        document = report.model_dump(mode="json")
        if metrics and not over:
            ti.xcom_push(LOSSES, document)  # replaces the one before
        return PokeReturnValue(over, document)

    def _is_over(self, ti: Any) -> bool:
        states = ti.get_task_states(
            dag_id=ti.dag_id, task_ids=[self.watched], run_ids=[ti.run_id]
        ).get(ti.run_id, {})
        return states.get(self.watched) in ENDED


def replay_everything(
    run: RunHandle, *, connect: Connect = open_session, mlflow: MlflowHook | None = None
) -> dict[str, int]:
    """Replay whatever a run's jobs have spooled and nobody has replayed.

    Raises TrackingUnavailable, ClusterError. Returns counts: spools, metrics logged now, open.
    """
    counts = {"spools": 0, "metrics": 0, "open": 0}
    with connect(run.sites["cpu"].cluster) as session:
        spools = Spools(run, session, "cpu", mlflow or MlflowHook())
        for job, over in spools.jobs():
            for progress in spools.replay(job, over=over).values():
                counts["spools"] += 1
                counts["metrics"] += progress.metrics
                counts["open"] += not (progress.ended or over)
    return counts


def _patiently(
    cluster: str, look: Callable[[Session], dict[str, Replayed]], connect: Connect
) -> dict[str, Replayed] | None:
    """Look once; None where somebody is away and a later look may find more."""
    try:
        with connect(cluster) as session:
            return look(session)
    except NeedsLogin as error:
        log.warning("%s needs login: %s", cluster, error)
    except (TransportError, TrackingUnavailable) as error:
        log.warning("waiting: %s", error)
    except Exception as error:
        if not is_unavailable(error):
            raise
        log.warning("waiting for MLflow: %s", error)
    return None
