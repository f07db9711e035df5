"""PBS's dialect against commands that answer: the stand-in's, or a real server's.

The stand-in (tests/standins/pbs) answers as recorded from OpenPBS 23.06, with its faults switched
on one by one. Where PBS_COMMANDS names the folder of a real server's commands, the tests that
switch nothing on run against that server, too.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from hpc_jobs.job_folder.folder import JobFolder
from operators.cluster.client import ArrayJob
from operators.cluster.errors import AmbiguousReply, SubmissionRefused, TransportError
from operators.cluster.job import ElementState as S
from operators.cluster.job import Resources
from operators.cluster.ledger import Snapshot
from operators.cluster.retry import worth_another_try
from operators.cluster.schedulers.pbs import Pbs
from operators.cluster.script import JobScript
from operators.cluster.submission import ArrayPlan
from tests.harness.local_transport import LocalTransport
from tests.standins.pbs.books import Books, is_over
from tests.standins.pbs.commands import install

CHECKOUT = Path(__file__).parents[2]
REAL = os.environ.get("PBS_COMMANDS", "")
GRACE_S = 2.0
# One element: it says that it ran, and leaves a result, unless it is told otherwise.
WORK = """
echo "$TASK_INDEX" >> ran
while [ ! -e "$1" ]; do sleep 0.05; done
case " $2 " in *" $TASK_INDEX "*)
  [ -e "failed-$TASK_INDEX" ] || { touch "failed-$TASK_INDEX"; exit 3; }
esac
mkdir -p results
echo "{}" > "results/.$TASK_INDEX" && mv "results/.$TASK_INDEX" "results/$TASK_INDEX.json"
echo "element $TASK_INDEX is done"
"""


class Server:
    """Commands on the PATH of a login, and the stand-in's switches."""

    def __init__(self, folder: Path, real: str) -> None:
        self.folder, self.real = folder, real
        self.books = Books(folder / "pbs")
        self.transport = LocalTransport(folder)

    def switch(self, **changed: Any) -> None:
        self.books.set(**changed)

    def job(
        self, elements: int = 3, *, fail: str = "", gate: str = "/", **changed: Any
    ) -> ArrayJob:
        number = len(list(self.folder.glob("job-*")))
        root = self.folder / f"job-{number} of it's $(touch canary)"
        root.mkdir()
        script = JobScript(
            token=f"trial-{number}",
            argv=("sh", "-c", WORK, "work", gate, fail),
            folder=PurePosixPath(root),
            code=PurePosixPath("/nowhere"),
        )
        plan = ArrayPlan(
            token=f"trial-{number}",
            elements=elements,
            resources=Resources(walltime_s=60, memory_mib=50),
            script=script,
            grace_s=GRACE_S,
        )
        plan = replace(plan, **changed)
        return ArrayJob(self.transport, Pbs(), JobFolder(PurePosixPath(root)), plan)


@pytest.fixture(params=["stand-in", *(["real"] if REAL else [])])
def server(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Server]:
    commands = Path(REAL) if request.param == "real" else tmp_path / "bin"
    if request.param == "stand-in":
        install(commands, CHECKOUT)
        monkeypatch.setenv("PBS_STANDIN", str(tmp_path / "pbs"))
    monkeypatch.setenv("PATH", f"{commands}:{os.environ['PATH']}")
    made = Server(tmp_path, REAL if request.param == "real" else "")
    yield made
    for left in made.transport.run(("qselect",)).stdout.split():
        made.transport.run(("qdel", left))
    assert not list(tmp_path.rglob("canary"))


@pytest.fixture
def standin(server: Server) -> Server:
    if server.real:
        pytest.skip("a fault that only the stand-in can be told to have")
    return server


def ran(job: ArrayJob) -> list[int]:
    path = Path(job.folder.root) / "ran"
    return sorted(map(int, path.read_text().split())) if path.exists() else []


def follow(job: ArrayJob, until: Callable[[Snapshot], bool] = lambda s: s.settled) -> Snapshot:
    ledger, deadline = job.ledger(), time.monotonic() + 60
    while not until(snapshot := job.look(ledger)):
        assert time.monotonic() < deadline, snapshot.line
        time.sleep(0.1)
    return snapshot


def follow_to_the_end(job: ArrayJob, tries: int = 3) -> Snapshot:
    """What the operator does: fill up as there is room, try again what failed."""
    while True:
        if job.held_back:
            follow(job, lambda s: s.settled or not (s.running or s.pending))
            job.attach()
            continue
        snapshot = follow(job)
        again = worth_another_try(snapshot.failed, job.records, tries)
        if not again:
            return snapshot
        job.try_again(again)


def queued(server: Server) -> list[str]:
    return server.transport.run(("qselect",)).stdout.split()


def test_an_array_and_a_single_run_to_their_end(server: Server) -> None:
    for elements in (3, 1):
        job = server.job(elements)
        job.attach()
        snapshot = follow(job)
        assert snapshot.done == elements and not snapshot.failed, snapshot.line
        assert ran(job) == list(range(elements))
        assert f"element {elements - 1} is done" in job.log_tail(elements - 1)


def test_names_find_and_cancel(server: Server) -> None:
    job = server.job(3, gate="/no such file")
    job.attach()
    [submitted] = job.job_ids
    follow(job, lambda snapshot: snapshot.running > 0)
    dialect, run = job.scheduler, server.transport.run
    [record] = job.records
    assert dialect.parse_names(run(dialect.names_command())) == {submitted: record.name}
    assert dialect.parse_find(run(dialect.find_command(record.name, 0.0)), record.name) == [
        submitted
    ]
    job.cancel()
    job.cancel()  # one that has ended does no harm
    assert set(follow(job).failed.values()) <= {S.CANCELLED, S.LOST}
    assert dialect.parse_names(run(dialect.names_command())) == {}


def test_several_arrays_and_one_that_nobody_knows(server: Server) -> None:
    jobs = [server.job(2, gate="/no such file"), server.job(1, gate="/no such file")]
    for job in jobs:
        job.attach()
    ids = [*jobs[0].job_ids, *jobs[1].job_ids, "99999.pbs1"]
    dialect = jobs[0].scheduler
    status = dialect.parse_status(server.transport.run(dialect.status_command(ids)), ids)
    assert set(status.queue) == set(ids[:2]) and status.silent == set()
    assert len(status.queue[ids[0]]) == 2


def test_a_refused_job_leaves_nothing(server: Server) -> None:
    job = server.job(2, resources=Resources(partition="nosuch"))
    with pytest.raises(SubmissionRefused, match="Unknown queue"):
        job.attach()
    assert queued(server) == [] and not list(Path(job.folder.root).glob("submission-*"))


def test_an_unmet_dependency_ends_as_cancelled_in_words(server: Server) -> None:
    job = server.job(1, resources=Resources(after=("99999.pbs1",)))
    job.attach()
    assert set(follow(job).failed.values()) == {S.CANCELLED}


def test_a_job_that_can_never_run_says_why(server: Server) -> None:
    job = server.job(2, resources=Resources(cpus=1000, memory_mib=50))
    job.attach()
    snapshot = follow(job, lambda snapshot: bool(snapshot.waits))
    assert "no node can ever give" in snapshot.waits and "Can Never Run" in snapshot.line


def test_an_element_that_is_deleted_while_it_waits(server: Server) -> None:
    if not server.real:
        server.switch(slots=1)
    job = server.job(3, gate="/no such file", resources=Resources(running_at_most=1))
    job.attach()
    follow(job, lambda snapshot: snapshot.running > 0)
    command = job.scheduler.cancel_elements_command(job.job_ids[0], [2])
    job.scheduler.parse_cancel(server.transport.run(command))
    snapshot = follow(job, lambda snapshot: bool(snapshot.failed))
    assert snapshot.failed == {2: S.CANCELLED} and snapshot.running >= 1


@pytest.mark.parametrize("history", [True, False])
def test_a_job_that_waits_longer_than_the_grace_period_is_not_lost(
    standin: Server, history: bool
) -> None:
    """Without a history, `qstat -x` answers for a live job, too: exit 0, and no job."""
    standin.switch(history=history, slots=0)
    job = standin.job(2)
    job.attach()
    ledger, until = job.ledger(), time.monotonic() + GRACE_S + 1
    while time.monotonic() < until:
        snapshot = job.look(ledger)
        assert snapshot.pending == 2 and not snapshot.failed, snapshot.line
        time.sleep(0.2)
    standin.switch(slots=4)
    assert follow(job).done == 2 and ran(job) == [0, 1]


@pytest.mark.parametrize("history", [True, False])
def test_after_a_lost_reply_the_queued_job_is_found(standin: Server, history: bool) -> None:
    standin.switch(history=history, slots=0, lost_replies=1)
    job = standin.job(2)
    with pytest.raises(AmbiguousReply, match="End of File"):
        job.attach()
    job.attach()
    assert len(queued(standin)) == 1 and job.job_ids == queued(standin)
    standin.switch(slots=4)
    assert follow(job).done == 2 and ran(job) == [0, 1], "submitted once"


def test_without_a_history_what_failed_is_found_by_its_missing_result(standin: Server) -> None:
    standin.switch(history=False)
    job = standin.job(3, fail="1")
    job.attach()
    snapshot = follow_to_the_end(job)
    assert snapshot.done == 3 and ran(job) == [0, 1, 1, 2]


def test_a_qstat_that_tells_only_the_first_concludes_nothing_of_the_others(
    standin: Server,
) -> None:
    jobs = [standin.job(2, gate="/no such file") for _ in range(2)]
    for job in jobs:
        job.attach()
    ids = [job_id for job in jobs for job_id in job.job_ids]
    dialect = jobs[0].scheduler
    for formats, silent in ((["json"], set()), (["text"], {ids[1]})):
        standin.switch(first_only=formats)
        status = dialect.parse_status(standin.transport.run(dialect.status_command(ids)), ids)
        assert status.silent == silent and set(status.queue) == set(ids) - silent
    with pytest.raises(TransportError, match="told nothing of 1 of 2"):
        dialect.parse_names(standin.transport.run(dialect.names_command()))


def test_values_that_make_json_none_do_no_harm(standin: Server) -> None:
    for odd in (".5", "+5", "00", "nan", 'a"b\\c'):
        standin.switch(odd_value=odd)
        job = standin.job(1, gate="/no such file")
        job.attach()
        told = standin.transport.run(("qstat", "-f", "-F", "json", *job.job_ids)).stdout
        if odd != "nan":  # which Python takes
            with pytest.raises(ValueError):
                json.loads(told)
        names = job.scheduler.parse_names(standin.transport.run(job.scheduler.names_command()))
        assert names[job.job_ids[0]] == job.records[0].name
        follow(job, lambda snapshot: snapshot.running == 1)


def test_a_job_that_ends_between_two_commands_loses_no_names(standin: Server) -> None:
    jobs = [standin.job(1, gate="/no such file") for _ in range(2)]
    for job in jobs:
        job.attach()
    standin.switch(ends_after_qselect=jobs[0].job_ids)
    names = jobs[0].scheduler.parse_names(standin.transport.run(jobs[0].scheduler.names_command()))
    assert list(names) == jobs[1].job_ids


def test_a_campaign_under_a_limit_of_four_ends_well(standin: Server) -> None:
    standin.switch(limit=4, slots=0)
    job = standin.job(13, fail="2 7", max_array_size=11)
    job.attach()
    assert job.held_back and "per-user limit" in next(r.waits for r in job.records if r.waits)
    standin.switch(slots=4)
    snapshot = follow_to_the_end(job)
    assert snapshot.done == 13 and not snapshot.failed
    assert ran(job) == sorted([*range(13), 2, 7]), "what failed ran twice, all else once"
    assert not job.held_back


def test_what_was_lost_sight_of_is_cancelled_before_it_is_tried_again(standin: Server) -> None:
    job = standin.job(2, gate=str(standin.folder / "gate"))
    job.attach()
    follow(job, lambda snapshot: snapshot.running == 2)
    [first] = job.job_ids
    standin.switch(hides=[first])
    snapshot = follow(job)
    assert snapshot.failed == {0: S.LOST, 1: S.LOST}
    job.try_again(snapshot.failed)
    assert is_over(standin.books.jobs()[0]), "its old job is gone"
    (standin.folder / "gate").touch()
    assert follow(job).done == 2 and len(job.job_ids) == 2


def test_a_lost_element_s_lock_is_honoured_as_long_as_its_job_could_live(standin: Server) -> None:
    """Cancelled by its id, it has the grace period to end in; one locked long ago has ended."""
    now_s, slept = [time.time()], list[float]()
    job = standin.job(2, gate="/no such file")
    job.sleep = lambda pause_s: (slept.append(pause_s), now_s.append(now_s[-1] + pause_s))[0]  # type: ignore[func-returns-value]
    job.clock = lambda: now_s[-1]
    job.attach()
    follow(job, lambda snapshot: snapshot.running == 2)
    standin.switch(hides=job.job_ids)
    lost = follow(job).failed
    owners = [Path(job.folder.root) / "locks" / str(element) / "owner.json" for element in (0, 1)]
    for owner in owners:
        owner.parent.mkdir(parents=True)
        owner.write_text("{}")
        os.utime(owner, (now_s[0] - 3600, now_s[0] - 3600))  # its walltime is a minute
    assert job._end(list(lost)) == frozenset() and slept == []
    os.utime(owners[1])
    result = Path(job.folder.root) / "results"
    assert job._end(list(lost)) == frozenset() and sum(slept) == pytest.approx(GRACE_S)
    result.mkdir(exist_ok=True)
    (result / "1.json").write_text("{}")  # it ended well in the last moment
    slept.clear()
    assert job._end(list(lost)) == {1} and slept == []


def test_nothing_is_tried_again_while_the_scheduler_does_not_hear(standin: Server) -> None:
    job = standin.job(1, gate="/no such file")
    job.attach()
    standin.switch(down=True)
    with pytest.raises(TransportError):
        job.try_again({0: S.LOST})
    standin.switch(down=False)
    assert len(queued(standin)) == 1, "the old one lives, and no other was submitted"


def test_a_server_that_is_down_is_an_outage(standin: Server) -> None:
    job = standin.job(2)
    standin.switch(down=True)
    with pytest.raises(TransportError, match="cannot connect"):
        job.attach()
    dialect = job.scheduler
    for command, parse in (
        (dialect.status_command(["1.pbs1"]), lambda r: dialect.parse_status(r, ["1.pbs1"])),
        (dialect.find_command("x", 0.0), lambda r: dialect.parse_find(r, "x")),
        (dialect.names_command(), dialect.parse_names),
        (dialect.cancel_command(["1.pbs1"]), dialect.parse_cancel),
    ):
        with pytest.raises(TransportError):
            parse(standin.transport.run(command))
    standin.switch(down=False)
    job.attach()
    assert follow(job).done == 2 and ran(job) == [0, 1]


def test_a_failed_element_s_output_is_waited_for(standin: Server) -> None:
    """PBS brings it when the job has ended, and a shared filesystem shows it later still."""
    standin.switch(output_delay_s=3.0)
    job = standin.job(1)
    job.attach()
    follow(job)
    assert "element 0 is done" in job.log_tail(0)


def test_results_are_as_readable_as_the_login_writes_them(server: Server) -> None:
    """PBS gives jobs the umask 077, which would keep a project's group out."""
    before = os.umask(0o027)
    try:
        job = server.job(1)
        job.attach()
    finally:
        os.umask(before)
    follow(job)
    path = Path(job.folder.root) / "results" / "0.json"
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("history", [True, False])
def test_the_check_says_what_follows_without_a_history(standin: Server, history: bool) -> None:
    standin.switch(history=history)
    dialect = Pbs()
    command = dialect.survey_command()
    assert command is not None
    notices = dialect.parse_survey(standin.transport.run(command))
    assert [notice.found[:29] for notice in notices] == (
        [] if history else ["PBS keeps no history of jobs "]
    )


def test_a_login_s_own_settings_change_nothing(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PBS_DPREFIX", "#")  # every comment of a script would be an option
    job = server.job(2)
    job.attach()
    assert follow(job).done == 2


def test_the_stand_in_describes_jobs_as_the_recorded_server_does(standin: Server) -> None:
    """Its text is read like the text in the transcripts, attribute by attribute."""
    job = standin.job(1, resources=Resources(cpus=1000))
    job.attach()
    text = standin.transport.run(("qstat", "-f", *job.job_ids)).stdout
    assert text.startswith(f"Job Id: {job.job_ids[0]}\n    Job_Name = trial-0")
    assert "(R: 64 A: 1\n\t2 T: 12)\n" in text, "folded where the recorded one is"
