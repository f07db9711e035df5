"""From the workspace to an array job's results: the steps of a cluster check that change things.

Everything happens in a workspace named WORKSPACE and below a folder of this check's own; `tidy`
cancels and removes what the others made, whatever happened to them.
"""

import json
import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Literal

from hpc_jobs.contract.layout import RunFolder, Workspace
from operators.cluster.client import ArrayJob
from operators.cluster.errors import AmbiguousReply, ClusterError, RemoteFileError
from operators.cluster.ledger import Snapshot
from operators.cluster.script import JobScript
from operators.cluster.submission import ArrayPlan
from operators.hooks.hpc import Session
from operators.hooks.steps import FULL, NO_ROOM, Trouble
from operators.runs.code import current_code, ship_code
from operators.runs.resources import resources_on

log = logging.getLogger(__name__)

WORKSPACE = "cluster-check"
ELEMENTS = 3
LOOK_S = 2.0
Role = Literal["cpu", "gpu", "both"]


@dataclass
class Trial:
    """One cluster, tried with real jobs."""

    session: Session
    role: Role = "cpu"
    wait_s: float = 600.0
    mark: str = field(default_factory=lambda: secrets.token_hex(4))
    path: str = ""
    is_ours: bool = False
    """the workspace was made by this check"""
    jobs: list[ArrayJob] = field(default_factory=list)

    @property
    def root(self) -> PurePosixPath:
        """Folder of this check."""
        return PurePosixPath(self.path) / f"check-{self.mark}"

    def allocate(self) -> str:
        """Make the workspace, or find the one of an earlier check."""
        tools = self.session.workspaces
        before = tools.find(WORKSPACE)
        self.path = tools.allocate(WORKSPACE, 1)
        self.is_ours = before is None
        return self.path

    def files(self) -> str:
        """Write and read a file, over commands, as everything travels."""
        path, content = str(self.root / "it's a file"), secrets.token_bytes(1000)
        try:
            self.session.write(path, content)
        except RemoteFileError as error:
            raise self._no_room(error) from error
        if self.session.read(path) != content or self.session.list(str(self.root)) != [
            "it's a file"
        ]:
            raise Trouble(
                "what was read is not what was written", "ask the site: its filesystem alters files"
            )
        return "written and read"

    def _no_room(self, error: RemoteFileError) -> Exception:
        """Name a full disk or quota, with its remedy."""
        if any(word in str(error).lower() for word in FULL):
            return Trouble(f"nothing can be written in {self.path}: {error}", NO_ROOM)
        return error

    def ship(self) -> str:
        """Put hpc_jobs there."""
        try:
            return str(ship_code(self.session, self.path))
        except ClusterError as error:
            raise Trouble(
                str(error),
                "correct `python`, `modules` or `container` in the cluster's file; on the cluster: "
                "python3 -m venv ~/yieldloop && ~/yieldloop/bin/pip install 'yieldloop[jobs]'",
            ) from error

    def doctor(self) -> str:
        """Ask the doctor on the login node."""
        options = ("--json", "--workspace", self.path, "--role", self.role)
        argv = (*self.session.site.interpreter, "-m", "hpc_jobs.tools.doctor", *options)
        reply = self.session.run(
            self.session.profiled((*argv, "--now", str(time.time())), self._code), timeout_s=300
        )
        try:
            document = json.loads(reply.stdout.splitlines()[-1])
        except (ValueError, IndexError):
            raise Trouble(
                f"the doctor does not run: {reply.words[-500:]}",
                "correct `python`, `modules` or `container` in the cluster's file",
            ) from None
        return _diagnosis([document])

    def submit(self) -> str:
        """Submit a small array: the doctor again, on compute nodes."""
        job = self._array("array", ELEMENTS, ("hpc_jobs.tools.doctor", "--role", self.role))
        self._attach(job)
        return f"job {', '.join(job.job_ids)}, {ELEMENTS} elements"

    def poll(self) -> str:
        """Wait until all elements have ended."""
        job = self.jobs[-1]
        snapshot = self._until(job, lambda snapshot: snapshot.settled)
        if not snapshot.settled:
            raise Trouble(
                f"after {self.wait_s:g} s: {snapshot.line}",
                "the queue may be long: check again with a longer --wait, or name a partition for "
                "short jobs; the scheduler's reason is in its own list of jobs",
            )
        if snapshot.failed:
            element, cause = sorted(snapshot.failed.items())[0]
            raise Trouble(
                f"element {element} ended as {cause}: {job.log_tail(element).strip()[-500:]}",
                "the lines above are the end of its output: `python` or `modules` may not be right "
                "on compute nodes, or the workspace is not mounted there",
            )
        return snapshot.line

    def results(self) -> str:
        """Read what the elements left, and what the doctor found on compute nodes."""
        found = self.jobs[-1].results()
        if sorted(int(result["element"]) for result in found) != list(range(ELEMENTS)):
            raise Trouble(f"{len(found)} of {ELEMENTS} results", "the filesystem loses files")
        return _diagnosis([result["facts"] for result in found])

    def cancel(self) -> str:
        """Submit a job that would take long, cancel it, and see it end."""
        job = self._array("cancelled", 1, ("hpc_jobs.tools.doctor", "--linger", "3600"))
        self._attach(job)
        self._until(job, lambda snapshot: bool(snapshot.running or snapshot.pending), 30)
        job.cancel()
        until = time.monotonic() + min(self.wait_s, 120)
        while self._live(job):
            if time.monotonic() > until:
                remedy = "cancel it by hand, and ask the site why jobs do not end"
                raise Trouble(f"job {', '.join(job.job_ids)} does not end", remedy)
            time.sleep(LOOK_S)
        return f"job {', '.join(job.job_ids)} has ended"

    def seen_by(self, partner: Session) -> str:
        """Read a result from the other cluster, which must see the same workspace."""
        path = partner.workspaces.find(WORKSPACE)
        if path is None:
            raise Trouble(
                f"{partner.cluster} has no workspace '{WORKSPACE}' where this cluster has "
                f"{self.path}",
                "both clusters must mount one filesystem: give `workspaces` of both files the same "
                "folder, as each cluster names it",
            )
        name = self.jobs[0].folder.result(0).relative_to(self.path)
        here = self.session.read(str(PurePosixPath(self.path) / name))
        try:
            there = partner.read(str(PurePosixPath(path) / name))
        except FileNotFoundError:
            raise Trouble(f"{partner.cluster} does not see {path}/{name}", _NOT_SHARED) from None
        if here != there:
            raise Trouble(f"{path}/{name} is another file on {partner.cluster}", _NOT_SHARED)
        return f"{path} shows the same"

    def tidy(self) -> str:
        """Cancel jobs, remove files, give the workspace back if this check made it."""
        self._cancel_by_name()
        if not self.path:
            return "there was nothing"
        code = [str(self._code.parent)] if self.is_ours else []
        reply = self.session.run(("rm", "-rf", "--", str(self.root), *code), timeout_s=300)
        if not reply.ok:
            raise Trouble(reply.words, f"remove {self.root} by hand")
        if self.is_ours:
            self.session.workspaces.release(WORKSPACE)
        return "jobs and files are gone" + (", the workspace released" if self.is_ours else "")

    def tidy_up_after(self) -> str:
        """Do the same for a check that was killed: by its mark alone."""
        self.path = self.session.workspaces.find(WORKSPACE) or ""
        left = self._cancel_by_name()
        if not self.path or not self.session.exists(str(self.root)):
            return f"{len(left)} jobs cancelled, no files"
        reply = self.session.run(("rm", "-rf", "--", str(self.root)), timeout_s=300)
        if not reply.ok:
            raise Trouble(reply.words, f"remove {self.root} by hand")
        return f"{len(left)} jobs cancelled, files removed"

    def _attach(self, job: ArrayJob) -> None:
        """Submit; where the answer was no clear one, find what was submitted, as a task does."""
        try:
            job.attach()
        except AmbiguousReply as error:
            log.warning("%s; looking whether it was submitted", error)
            job.attach()

    def _cancel_by_name(self) -> list[str]:
        """Cancel this check's jobs, also those whose id was never told."""
        names = self.session.queue()
        left = [job_id for job_id, name in names.items() if name.startswith(f"check-{self.mark}-")]
        self.session.cancel(left)
        return left

    @property
    def _code(self) -> PurePosixPath:
        return Workspace(PurePosixPath(self.path)).code(current_code().sha256)

    def _array(self, name: str, elements: int, module: tuple[str, ...]) -> ArrayJob:
        site, token = self.session.site, f"check-{self.mark}-{name}"
        folder = RunFolder(self.root).job(token)
        options = ("--workspace", self.path, "--publish-in", str(folder.root))
        resources = resources_on(site, None, {"walltime_s": 600, "memory_mib": 1500})
        script = JobScript(
            token=token,
            argv=(*site.interpreter, "-m", *module, *options),
            folder=folder.root,
            code=self._code,
            modules=site.modules,
            environment=site.environment,
        )
        plan = ArrayPlan(token=token, elements=elements, resources=resources, script=script)
        job = ArrayJob(self.session.transport, self.session.scheduler, folder, plan)
        self.jobs.append(job)
        return job

    def _until(
        self, job: ArrayJob, there: Callable[[Snapshot], bool], wait_s: float | None = None
    ) -> Snapshot:
        ledger, until = job.ledger(), time.monotonic() + (wait_s or self.wait_s)
        while True:
            snapshot = job.look(ledger)
            if snapshot.settled or there(snapshot) or time.monotonic() > until:
                return snapshot
            time.sleep(LOOK_S)

    def _live(self, job: ArrayJob) -> bool:
        return bool(set(job.job_ids) & set(self.session.queue()))


_NOT_SHARED = "the two clusters do not share this filesystem: name one that they do"


def _diagnosis(documents: list[dict[str, Any]]) -> str:
    """Hosts that are usable; raises Trouble with the first remedy where one is not."""
    for document in documents:
        for found in document["findings"]:
            if found["level"] == "missing":
                words = f"on {document['host']}: {found['what']}: {found['found']}"
                raise Trouble(words, found["remedy"])
    hosts = sorted({str(document["host"]) for document in documents})
    notes = sorted(
        {
            f["what"] + ": " + f["found"]
            for d in documents
            for f in d["findings"]
            if f["level"] == "note"
        }
    )
    return f"{', '.join(hosts)} can run jobs" + (f" ({'; '.join(notes)})" if notes else "")
