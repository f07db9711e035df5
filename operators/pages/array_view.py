"""An array job as it lies in its folder on the cluster: the state of each element, and one whole.

Everything that a page needs of all elements comes from listing the folder and from the records of
the submissions; no element's document is read but those that are asked for, or that failed.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from pydantic import ValidationError

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.execution import ON_GPU_CLUSTER
from hpc_jobs.contract.records import ElementResult
from hpc_jobs.contract.run import RunHandle, Site
from hpc_jobs.job_folder import names
from hpc_jobs.job_folder.folder import JobFolder
from hpc_jobs.job_folder.probes import (
    Scan,
    parse_results,
    parse_scan,
    results_of_command,
    scan_command,
)
from operators.array.task_memory import current_token
from operators.cluster.client import causes_of
from operators.cluster.errors import ClusterError
from operators.cluster.job import ElementState
from operators.cluster.reply import parsed
from operators.cluster.submission import SubmissionRecord
from operators.hooks.hpc import Connect, Session, open_session
from operators.runs.run import folder_of, read_frozen

DONE, FAILED, RUNNING, PENDING, HELD = b"d", b"f", b"r", b"p", b"h"
STATES = (DONE + FAILED + RUNNING + PENDING + HELD).decode()
"""done, failed, running, waits in the queue or for another try, not submitted yet"""
TAIL_BYTES = 16_000
WORDS_READ = 500
"""Results of so many failed elements are read for what they say; others count by their cause."""


@dataclass(frozen=True, slots=True)
class ArrayView:
    """One array job at one moment."""

    job: str
    folder: JobFolder[PurePosixPath]
    site: Site
    records: Sequence[SubmissionRecord]
    states: bytes
    """one letter of STATES for each element"""
    causes: Mapping[int, str]
    """failed element -> why, in its own words or the scheduler's"""
    waits: Mapping[str, str] = field(default_factory=dict)
    """job id -> why it waits"""
    names: Sequence[str] = ()
    """of elements that stand for something which has a name"""
    trouble: str = ""
    """why the queue could not be asked"""

    def name(self, element: int) -> str:
        """Return what an element works on."""
        if element < len(self.names):
            return self.names[element]
        return f"{'shard' if self.job == 'solve_shard' else 'element'} {element}"


def read_array(
    handle: RunHandle, token: str, elements: int, connect: Connect = open_session
) -> ArrayView:
    """Look at an array's folder over SSH.

    elements: how many the array has, as far as Airflow knows. Raises FileNotFoundError where
    nothing was submitted yet; ClusterError.
    """
    with connect(handle.sites["cpu"].cluster) as session:  # the workspace is shared
        run = folder_of(handle.run_id, handle.sites["cpu"])
        folder = run.job(current_token(session, run, token))
        job = str(json.loads(session.read(str(folder.intent)))["job"])
        records = _records(session, folder)
        scan = parsed(parse_scan, session.run(scan_command([folder.root])), 1)[0]
        over = _finished(session, folder)
        campaign = read_frozen(session, run).campaign
        site: Site = "gpu" if job in ON_GPU_CLUSTER else "cpu"
        given_up = {e: c.value for e, c in causes_of(over.get("given_up", {})).items()}
        states = states_of(elements, scan, records, given_up)
        causes = _causes(session, folder, scan, records, given_up)
    waits, trouble = ({}, "") if over else _waits(handle, site, records, connect)
    named = names_of(job, campaign)
    return ArrayView(job, folder, site, records, states, causes, waits, named, trouble)


def states_of(
    elements: int,
    scan: Scan,
    records: Iterable[SubmissionRecord],
    given_up: Iterable[int] = (),
) -> bytes:
    """Tell every element's state by what lies in the folder."""
    submitted = {e for record in records if record.job_ids for e in record.elements}
    states = bytearray(HELD * max(elements, max(submitted, default=-1) + 1))
    for letter, members in (
        (PENDING, submitted),
        (RUNNING, scan.locked),
        (PENDING, scan.handed_over),
        (FAILED, scan.failed),
        (FAILED, given_up),
        (DONE, scan.done),
    ):
        for element in members:
            if element < len(states):
                states[element] = letter[0]
    return bytes(states)


def names_of(job: str, campaign: Campaign) -> list[str]:
    """Name what the elements of a job work on, where each has a name of its own."""
    training, validation = campaign.training, campaign.validation
    named: dict[str, list[str]] = {
        "train": [network.name for network in training.trainings],
        "assemble": [network.name for network in training.committees],
        "resimulate": list(validation.measurements),
        "identify_outside": list(validation.measurements),
    }
    return named.get(job, [])


def read_element(
    handle: RunHandle, view: ArrayView, element: int, connect: Connect = open_session
) -> dict[str, Any]:
    """Read one element: which try, job, node, how long, what it said, the end of its output."""
    own = [record for record in view.records if element in record.elements]
    site = handle.sites[view.site]
    folder = folder_of(handle.run_id, site).job(view.folder.root.name)
    with connect(site.cluster) as session:
        result = _result(session, folder, element)
        job_id, log = "", ""
        for record in reversed(own):
            for one in reversed(record.job_ids):
                index = record.elements.index(element)
                job_id = job_id or f"{one}_{index}"
                log = log or _tail(session, folder, one, index)
        node = result.host if result else _owner(session, folder, element)
    waits = [view.waits[one] for record in own for one in record.job_ids if one in view.waits]
    return {
        "element": element,
        "name": view.name(element),
        "state": chr(view.states[element]),
        "tries": len(own),
        "job_id": result.job_id if result else job_id,
        "node": node,
        "wall_s": result.wall_s if result else None,
        "waits": "; ".join(waits),
        "cause": view.causes.get(element, ""),
        "log": log,
    }


def _records(session: Session, folder: JobFolder[PurePosixPath]) -> list[SubmissionRecord]:
    numbers = sorted(
        int(number)
        for name in session.list(str(folder.root))
        if name.startswith(names.SUBMISSION)
        and (number := name[len(names.SUBMISSION) :].removesuffix(names.DOCUMENT)).isdecimal()
    )
    return [SubmissionRecord.decode(session.read(str(folder.submission(n)))) for n in numbers]


def _finished(session: Session, folder: JobFolder[PurePosixPath]) -> dict[str, Any]:
    try:
        return dict(json.loads(session.read(str(folder.finished))))
    except FileNotFoundError:
        return {}


def _causes(
    session: Session,
    folder: JobFolder[PurePosixPath],
    scan: Scan,
    records: Iterable[SubmissionRecord],
    given_up: Mapping[int, str],
) -> dict[int, str]:
    failed = sorted({*scan.failed, *given_up} - scan.done)
    causes = {element: given_up.get(element, ElementState.FAILED.value) for element in failed}
    saying = [element for element in failed if element in scan.failed][:WORDS_READ]
    if saying:
        reply = session.run(results_of_command(folder.root, saying))
        for document in parsed(parse_results, reply):
            if document["outcome"] == "failed" and document["element"] in causes:
                causes[document["element"]] = str(document["message"])
    return causes


def _waits(
    handle: RunHandle, site: Site, records: Iterable[SubmissionRecord], connect: Connect
) -> tuple[dict[str, str], str]:
    """Ask the queue why jobs wait; that it does not answer is said, and hides nothing else."""
    ids = [job_id for record in records for job_id in record.job_ids]
    if not ids:
        return {}, ""
    try:
        with connect(handle.sites[site].cluster) as session:
            reply = session.run(session.scheduler.status_command(ids))
            return dict(session.scheduler.parse_status(reply, ids).reasons), ""
    except ClusterError as error:
        return {}, f"the queue does not answer: {error}"


def _result(
    session: Session, folder: JobFolder[PurePosixPath], element: int
) -> ElementResult | None:
    try:
        return ElementResult.model_validate_json(session.read(str(folder.result(element))))
    except (FileNotFoundError, ValidationError):
        return None


def _owner(session: Session, folder: JobFolder[PurePosixPath], element: int) -> str:
    try:
        return str(json.loads(session.read(str(folder.owner(element))))["host"])
    except (FileNotFoundError, ValueError, KeyError):
        return ""


def _tail(session: Session, folder: JobFolder[PurePosixPath], job_id: str, index: int) -> str:
    path = session.scheduler.log_path(folder.logs, job_id, index)
    reply = session.run(["tail", "-c", str(TAIL_BYTES), "--", str(path)])
    return reply.stdout if reply.ok else ""
