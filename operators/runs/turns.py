"""Whose turn it is: DAG runs that write one campaign run come one after the other.

Several DAGs go on with one run of a campaign: a nightly round grows the dataset that a search is
reading, a retraining replaces what a validation judges. Each takes a turn first. The turns of a run
are numbered files in its folder, never rewritten; the one with the highest number is at it until
its DAG run has ended, which Airflow knows. So nothing has to be given back, and a control host that
died holds nothing up.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import PurePosixPath

from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.run import RunHandle
from operators.cluster.errors import TransportError
from operators.hooks.hpc import Connect, Session, open_session
from operators.runs.run import folder_of, read_frozen

LIVE = ("queued", "running")


@dataclass(frozen=True, slots=True)
class DagRun:
    """Who takes a turn."""

    dag_id: str
    run_id: str

    def __str__(self) -> str:
        return f"{self.dag_id}, run {self.run_id}"


IsLive = Callable[[DagRun], bool]


def take_turn(
    run: RunHandle, who: DagRun, is_live: IsLive, connect: Connect = open_session
) -> DagRun | None:
    """Take the next turn on a run; returns None if it was taken, else the DAG run that is at it.

    Who has the turn already keeps it. Raises ClusterError, and CorruptFile where the run's folder
    is gone: nothing is written there then.
    """
    site = run.sites["cpu"]
    folder = folder_of(run.run_id, site)
    with connect(site.cluster) as session:
        read_frozen(session, folder)
        while True:
            number, holder = _latest(session, folder)
            if holder == who:
                return None
            if holder is not None and is_live(holder):
                return holder
            if _claim(session, folder, number + 1, who):
                return None


def live_by_airflow(count: Callable[..., int]) -> IsLive:
    """Ask Airflow, by a task instance's `get_dr_count`; a DAG run that was deleted is not live."""
    return lambda who: count(dag_id=who.dag_id, run_ids=[who.run_id], states=[*LIVE]) > 0


def _latest(session: Session, folder: RunFolder[PurePosixPath]) -> tuple[int, DagRun | None]:
    try:
        names = session.list(str(folder.turn(0).parent))
    except FileNotFoundError:  # nobody has gone on with this run yet
        return 0, None
    numbers = [int(name.removesuffix(".json")) for name in names if name[:-5].isdecimal()]
    if not numbers:
        return 0, None
    number = max(numbers)
    document: Mapping[str, str] = json.loads(session.read(str(folder.turn(number))))
    return number, DagRun(document["dag_id"], document["run_id"])


def _claim(session: Session, folder: RunFolder[PurePosixPath], number: int, who: DagRun) -> bool:
    """Publish a turn's file whole, unless it exists: a hard link never replaces anything."""
    target, mark = folder.turn(number), sha256(str(who).encode()).hexdigest()[:12]
    draft = target.with_name(f".{number}-{mark}")
    session.write(str(draft), json.dumps(asdict(who), indent=1).encode())
    linked = session.run(["ln", str(draft), str(target)])
    session.run(["rm", "-f", str(draft)])
    if linked.ok:
        return True
    if session.exists(str(target)):
        return False
    raise TransportError(f"{session.cluster}: cannot make {target}: {linked.words}")
