"""HpcArrayJobOperator: submit or re-attach, wait, try again, report.

All decisions are read from the job folder on the cluster (operators.cluster.client), so that a
worker, the triggerer or the whole control host may die at any moment: whoever comes next calls
`execute` or `execute_complete`, finds what was submitted, and goes on.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, get_args

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from hpc_jobs.contract.execution import Job
from hpc_jobs.contract.records import ElementResult
from hpc_jobs.contract.report import ArrayProgress, ArrayReport, UsageReport
from hpc_jobs.contract.run import RunHandle, Site
from operators.array.job_request import JobRequest
from operators.array.lease import require_lease
from operators.array.patience import PATIENCE_S, patiently
from operators.array.report import array_report, by_cause, few, is_mistake
from operators.array.task_memory import Context, TaskMemory, first_unfinished, generation
from operators.cluster.client import ArrayJob
from operators.cluster.errors import ArrayFailed
from operators.cluster.job import ElementState
from operators.cluster.ledger import Snapshot, by_results
from operators.cluster.retry import worth_another_try
from operators.hooks.hpc import Session
from operators.links import MlflowRunLink
from operators.runs.accounting import require_budget
from operators.triggers.array_job import ArrayJobTrigger, causes_of
from operators.triggers.progress import PROGRESS, Meter, Throttle, line_of, pace_of

INLINE_POLL_S = 1.0
DEADLINE_S = 7 * 86400.0
FIRST_POLL_S = 10.0
TAILS = 3


class HpcArrayJobOperator(BaseOperator):
    """Run `python -m hpc_jobs.jobs.<job> <run folder> <arguments>` as an array on a cluster.

    Parameters
    ----------
    job
        Module of hpc_jobs.jobs.
    site
        Which of the run's clusters.
    run
        RunHandle (as JSON), or the task that returns it.
    elements
        Number of array elements, or the task that returns it; none at all is no error.
    arguments
        Options of the job; templated.
    work
        What all elements together have to do, where that is known beforehand; or the task that
        returns it.
    unit
        In which work is counted, by the elements' reports too: records, epochs.
    overrides
        Resources that replace what the campaign gives this job, such as {"walltime_s": 60}.
    deadline_s
        The task fails, and its job is cancelled, this long after the first submission.
    patience_s
        A cluster that cannot be reached is waited for in the worker this long; then Airflow's
        retries take over. While the task is deferred there is no such limit but the deadline.

    Returns an ArrayReport (as JSON). More failed elements than the
    campaign may lose fail the task for good, as does a submission that the scheduler refuses.
    """

    template_fields: Sequence[str] = ("run", "elements", "arguments", "work")
    operator_extra_links = (MlflowRunLink(),)
    ui_color = "#dbe9f6"

    def __init__(
        self,
        *,
        job: Job,
        run: Any,
        site: Site = "cpu",
        elements: Any = 1,
        arguments: Sequence[Any] = (),
        work: Any = 0,
        unit: str = "",
        overrides: Mapping[str, int] | None = None,
        deferrable: bool = True,
        deadline_s: float = DEADLINE_S,
        patience_s: float = PATIENCE_S,
        first_poll_s: float = FIRST_POLL_S,
        **kwargs: Any,
    ) -> None:
        if "retries" not in kwargs.get("default_args", {}):
            kwargs.setdefault("retries", 3)  # a retry re-attaches: it costs nothing
        super().__init__(**kwargs)
        if job not in get_args(Job):
            raise ValueError(f"job '{job}' is unknown; choose from {', '.join(get_args(Job))}")
        if work and not unit:
            raise ValueError(f"job '{job}': give the unit of its work, such as unit='records'")
        self.job = job
        self.run = run
        self.site = site
        self.elements = elements
        self.arguments = list(arguments)
        self.work, self.unit = work, unit
        self.overrides = dict(overrides or {})
        self.deferrable = deferrable
        self.deadline_s = deadline_s
        self.patience_s = patience_s
        self.first_poll_s = first_poll_s

    def execute(self, context: Context) -> dict[str, Any]:
        """Submit or re-attach; then wait here for a moment, and elsewhere for longer."""
        return self._proceed(context, None).model_dump(mode="json")

    def execute_complete(self, context: Context, event: Mapping[str, Any]) -> dict[str, Any]:
        """Go on when the trigger has seen every element end."""
        return self._proceed(context, event).model_dump(mode="json")

    def on_kill(self) -> None:
        """Leave the job alone: the worker may only be restarting, and a retry re-attaches.

        A task that is failed or cleared while deferred cancels its job in the trigger; one that
        is failed while it runs here leaves a job whose token housekeeping finds orphaned.
        """
        self.log.info("The array job runs on; a retry of this task will re-attach to it")

    # ---- steps -----------------------------------------------------------------------------

    def _proceed(self, context: Context, event: Mapping[str, Any] | None) -> ArrayReport:
        late = event is not None and event["status"] == "deadline"
        return patiently(
            self._request.cluster,
            lambda session: (
                self._give_up(context, session) if late else self._go(context, session, event)
            ),
            self.patience_s,
            self.log,
        )

    def _go(
        self, context: Context, session: Session, event: Mapping[str, Any] | None
    ) -> ArrayReport:
        """Attach, wait, try again, conclude; may be repeated from the start at any time."""
        memory, cluster = TaskMemory(context), self._request.cluster
        self._teller = _Teller(context["ti"], self._meter(cluster))
        job = self._open(memory, session)
        if job.plan.elements == 0:
            return self._report(job, {}, [])
        memory.remember(job, cluster)
        job.attach()
        memory.remember(job, cluster)
        causes = causes_of(event, len(job.submissions)) if event else {}
        given_up: dict[int, ElementState] = {}
        while True:
            snapshot = self._wait(job, session, {**causes, **given_up})
            if not snapshot.settled:
                self._defer(job, session)
            again = self._worth_another_try(job, snapshot, given_up)
            if not again:
                return self._conclude(memory, job, snapshot)
            self._show(job, again, "trying again")
            given_up |= job.try_again(again)
            memory.remember(job, cluster)
            causes = {}

    def _wait(
        self, job: ArrayJob, session: Session, causes: Mapping[int, ElementState]
    ) -> Snapshot:
        """Look for results every second for a while; without a triggerer, until the end."""
        if not self.deferrable:
            return self._wait_here(job, session.site.poll_interval_s)
        until = time.monotonic() + (0 if causes else session.site.inline_wait_s)
        while True:
            snapshot = by_results(job.plan.elements, job.scan(), causes)
            self._say(snapshot)
            if snapshot.settled or time.monotonic() >= until:
                return snapshot
            time.sleep(INLINE_POLL_S)

    def _wait_here(self, job: ArrayJob, interval_s: float) -> Snapshot:
        ledger = job.ledger()
        while True:
            snapshot = job.look(ledger)
            self._say(snapshot)
            if snapshot.settled:
                return snapshot
            if job.held_back and len(job.job_ids) != self._refill(job):
                ledger = job.ledger()
            if time.time() > job.submitted + self.deadline_s:
                job.cancel()
                job.finish("deadline")
                raise AirflowFailException(self._too_late(job))
            time.sleep(interval_s)

    def _refill(self, job: ArrayJob) -> int:
        """Submit what waits for room; returns how many jobs there were before."""
        before = len(job.job_ids)
        job.attach()
        return before

    def _meter(self, cluster: str) -> Meter:
        return Meter(int(self.work or 0), self.unit, cluster)

    def _defer(self, job: ArrayJob, session: Session) -> None:
        self.defer(
            trigger=ArrayJobTrigger(
                site=session.site.model_dump(mode="json"),
                folder=str(job.folder.root),
                elements=job.plan.elements,
                job_ids=[submission.job_ids for submission in job.submissions],
                deadline=job.submitted + self.deadline_s,
                submitted=job.submitted,
                held_back=job.held_back,
                work=int(self.work or 0),
                unit=self.unit,
                first_poll_s=self.first_poll_s,
            ),
            method_name="execute_complete",
        )

    def _worth_another_try(
        self, job: ArrayJob, snapshot: Snapshot, given_up: Mapping[int, ElementState]
    ) -> Mapping[int, ElementState]:
        failed = {e: cause for e, cause in snapshot.failed.items() if e not in given_up}
        most = self._request.handle.tries_per_element
        again = worth_another_try(failed, job.records, most)
        if ElementState.FAILED in again.values():
            mistaken = {e for e, words in _words(job.results()).items() if is_mistake(words)}
            again = {e: cause for e, cause in again.items() if e not in mistaken}
        return again

    def _conclude(self, memory: TaskMemory, job: ArrayJob, snapshot: Snapshot) -> ArrayReport:
        documents = job.results()
        results, usage = [*map(ElementResult.model_validate, documents)], job.usage(documents)
        failed = dict(snapshot.failed)
        report = self._report(job, failed, results, UsageReport(**usage.document()))
        if failed:
            self._show(job, failed, "given up")
        allowed = int(self._request.handle.allowed_loss * job.plan.elements)
        if len(failed) > allowed:
            job.finish("failed", failed, usage)
            memory.forget()
            error = ArrayFailed(
                f"{by_cause(failed, _words(documents))}\n"
                f"{len(failed)} of {job.plan.elements} elements of {self.job} failed for good, "
                f"{allowed} may be lost (execution.allowed_loss)",
                failed,
            )
            raise AirflowFailException(str(error)) from error
        job.finish("done", failed, usage)
        memory.succeeded()
        return report

    def _give_up(self, context: Context, session: Session) -> ArrayReport:
        memory = TaskMemory(context)
        job = self._open(memory, session)
        job.attach()
        job.cancel()
        job.finish("deadline")
        memory.forget()
        raise AirflowFailException(self._too_late(job))

    # ---- what is read and remembered -------------------------------------------------------

    @property
    def _request(self) -> JobRequest:
        return JobRequest(
            job=self.job,
            handle=RunHandle.model_validate(self.run),
            site=self.site,
            elements=int(self.elements),
            arguments=self.arguments,
            overrides=self.overrides,
        )

    def _open(self, memory: TaskMemory, session: Session) -> ArrayJob:
        """Find the job of this task: the first generation that is ours and not history."""
        run, token = self._request.run, memory.token
        number = first_unfinished(session, run, token)
        if number and memory.unheard_success:
            number -= 1  # it has ended: report it once more
        job = self._job(session, generation(token, number))
        intent = str(run.job(job.plan.token).intent)
        owned = memory.owns(session, intent)
        if owned is False:
            self.log.warning("%s was left by a DAG run that is gone; cancelling it", job.plan.token)
            job.abandon()
            return self._open(memory, session)
        if owned is None and job.plan.elements:
            site, wait_s = self._request.handle.sites[self.site], session.site.queue_wait_s
            require_lease(session, site.workspace, wait_s + job.plan.resources.walltime_s)
            memory.take(session, intent, self.job)
        return job

    def _job(self, session: Session, token: str) -> ArrayJob:
        given, run = self._request, self._request.handle
        plan, folder = given.plan(session.site, token), given.run.job(token)
        budget = partial(require_budget, session, run, run.sites[self.site])
        return ArrayJob(
            session.transport, session.scheduler, folder, plan, log=self.log, permit=budget
        )

    # ---- words -----------------------------------------------------------------------------

    def _report(
        self,
        job: ArrayJob,
        failed: Mapping[int, ElementState],
        results: Sequence[ElementResult],
        usage: UsageReport | None = None,
    ) -> ArrayReport:
        return array_report(
            job=self.job,
            token=job.plan.token,
            job_ids=job.job_ids,
            cpus=job.plan.resources.cores,
            gpus=job.plan.resources.nodes * job.plan.resources.gpus,
            elements=job.plan.elements,
            results=results,
            failed={element: cause.value for element, cause in failed.items()},
            usage=usage,
        )

    def _say(self, snapshot: Snapshot) -> None:
        progress = self._teller.tell(snapshot)
        line = f"{self.job}: {line_of(snapshot, progress)}"
        if line != getattr(self, "_said", ""):
            self._said = line
            self.log.info("%s%s", line, pace_of(progress))

    def _show(self, job: ArrayJob, failed: Mapping[int, ElementState], fate: str) -> None:
        """Name failed elements, and let a few speak for themselves."""
        self.log.warning(
            "%d elements of %s failed, %s: %s", len(failed), self.job, fate, few(failed)
        )
        for element in sorted(failed)[:TAILS]:
            self.log.warning("End of the output of element %d:\n%s", element, job.log_tail(element))

    def _too_late(self, job: ArrayJob) -> str:
        return f"{self.job}: not done {self.deadline_s:g} s after its submission; cancelled"


class _Teller:
    """Publishes progress while the worker looks at the job itself."""

    def __init__(self, ti: Any, meter: Meter) -> None:
        self._ti, self._meter, self._throttle = ti, meter, Throttle()

    def tell(self, snapshot: Snapshot) -> ArrayProgress:
        progress = self._meter.read(snapshot, time.time())
        if self._throttle.lets_through(progress, last=snapshot.settled):
            self._ti.xcom_push(PROGRESS, progress.model_dump(mode="json"))
        return progress


def _words(documents: Iterable[Mapping[str, Any]]) -> dict[int, str]:
    """Element -> what it said of its failure."""
    return {each["element"]: each["message"] for each in documents if each["outcome"] == "failed"}
