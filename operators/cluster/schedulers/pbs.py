"""PBS Professional and OpenPBS, written for 23.06: qsub, qstat, qselect, qdel.

`qstat -x` knows ended jobs too, where the server keeps a history. An array is "0[].server", its
elements "0[3].server"; an array of one cannot be asked for and is a plain job, "0.server". The
array's own Exit_status is 0 whatever its elements did, so only elements are read.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

import operators.cluster.schedulers.pbs_replies as replies
import operators.cluster.schedulers.pbs_scripts as scripts
from operators.cluster.answers import Argv, heard
from operators.cluster.errors import TransportError
from operators.cluster.job import ArrayRequest, ElementState, Resources, Status
from operators.cluster.reply import Reply, polluted
from operators.cluster.schedulers.scheduler import Notice, Scheduler
from operators.cluster.usage import Consumed

S = ElementState
UNKNOWN_JOB = 153
FINISHED_JOB = 35
CONSTRAINT = r"\w+=[\w.-]+(:\w+=[\w.-]+)*"
OPTION_LETTERS = ("l", "W", "P", "p", "r", "v")
OWN_RESOURCES = (
    *("select", "nodes", "ncpus", "mem", "walltime", "place"),
    *("depend", "max_run_subjobs", "block", "interactive"),
)
OVER = ("F", "X")
ELEMENT = r"[0-9]{1,18}(\[[0-9]{0,9}\])?(\.[A-Za-z0-9._-]+)?"


class Pbs(Scheduler):
    """The element's place in the array is PBS_ARRAY_INDEX, absent in a plain job."""

    name = "PBS"
    # Inside an element PBS_JOBID is "0[3].server"; the array that was submitted is "0[].server".
    job_id_variable = r"""$(printf %s "$PBS_JOBID" | sed 's/\[[0-9]*\]/[]/')"""
    array_index_variable = "${PBS_ARRAY_INDEX:-0}"
    states = {
        **dict.fromkeys(("Q", "W", "H", "T", "M"), S.PENDING),
        **dict.fromkeys(("R", "E", "B", "S", "U"), S.RUNNING),
    }
    job_id = r"[0-9]{1,18}(\[\])?(\.[A-Za-z0-9._-]+)?"
    variables = "PBS_DPREFIX|PBS_Q"
    limits = (*("would exceed", "maximum number of jobs", "maximum amount of resource"),)
    too_large = ("array job exceeds server or queue size limit",)
    gone = ("unknown job id", "job has finished", "request invalid for state of job")
    outage = (
        *("cannot connect to server", "connection refused", "pbs_iff", "server shutting down"),
        *("no route to host", "queue is not enabled", "queue is not started"),
    )
    ambiguous = (
        *("timed out", "timeout", "end of file", "protocol", "connection reset", "broken pipe"),
        "transport endpoint is not connected",
    )
    refusal = (
        *("unknown", "illegal", "invalid", "violates", "unauthorized", "not allowed", "denied"),
        *("too long", "rejected", "usage:", "cannot send environment", "not found", "undefined"),
    )
    cannot = {
        "qos": "PBS has no quality of service: name a queue as partition",
        "signal_before_end_s": "PBS sends SIGTERM at the end, kill_delay before SIGKILL, which the "
        "site sets: leave it out, and give walltime_s a reserve",
    }

    def submit_command(self, request: ArrayRequest) -> Argv:
        """Write qsub; an output path that is a folder gets files named by job id."""
        self.require_expressible(request)
        wanted = request.resources
        # Of the login's own shell, csh would warn into every output.
        options = ["-S", "/bin/bash", "-N", request.name]
        options += ["-j", "oe", "-o", f"{request.log_folder}/"]
        options += ["-l", _select(wanted), "-l", f"walltime={_clock(wanted.walltime_s)}"]
        if request.elements > 1:
            options += ["-J", f"0-{request.elements - 1}"]
            if wanted.running_at_most:
                options += ["-W", f"max_run_subjobs={wanted.running_at_most}"]
        for option in wanted.options:
            options += option.split(" ", 1)
        argv = (*options, *_wishes(wanted), str(request.script))
        return self.ask_by(scripts.SUBMIT, *argv)

    def refusals(self, wanted: Resources) -> list[str]:
        """Add to what PBS does not have a constraint that is none of its resources."""
        found = super().refusals(wanted)
        if wanted.memory.startswith("per_") and wanted.memory != "per_node":
            found.append(
                f"memory is {wanted.memory}, which PBS cannot express; say per_node or none in the "
                "cluster's file"
            )
        if wanted.constraint and not re.fullmatch(CONSTRAINT, wanted.constraint):
            found.append(
                f"constraint is '{wanted.constraint}', which PBS cannot express; name resources "
                "of a node as in node_type=rome:mem_type=hbm"
            )
        return found

    def option_refusal(self, option: str) -> str:
        """Such as "-l place=scatter"; only letters that change nothing of what is set here."""
        match = re.fullmatch(r"-([A-Za-z]) (\S.*)", option)
        if not match:
            return "write it as in '-l software=abaqus'"
        letter, value = match[1], match[2]
        if letter not in OPTION_LETTERS:
            letters = ", ".join(f"-{each}" for each in OPTION_LETTERS)
            return f"-{letter} is set by other means; choose from {letters}"
        key = re.match(r"\w*", value)
        if (key and key[0] in OWN_RESOURCES) or "," in value:
            return f"one resource at a time, and none of {', '.join(OWN_RESOURCES)}"
        return ""

    def status_command(self, job_ids: Sequence[str]) -> Argv:
        """Ask for jobs and their elements, live and, where there is a history, ended."""
        return self.ask_by(scripts.STATUS, *job_ids)

    def parse_status(self, reply: Reply, job_ids: Sequence[str]) -> Status:
        """Read the elements of arrays, and plain jobs as arrays of one."""
        told, words = self._described(reply)
        asked = {replies.number_of(job_id): job_id for job_id in job_ids}
        queue: dict[str, dict[int, ElementState]] = {}
        reasons: dict[str, str] = {}
        for identity, job in told.items():
            index, job_id = replies.index_of(identity), asked.get(replies.number_of(identity))
            if job_id is None:
                continue
            if index is not None:
                queue.setdefault(job_id, {})[index] = self._element(job)
            if job["job_state"] not in OVER and (why := replies.reason(job)):
                reasons.setdefault(job_id, why)
        gone = {asked[number] for number in replies.not_there(words) if number in asked}
        return Status(queue, reasons, frozenset(set(job_ids) - set(queue) - gone))

    def usage_command(self, job_ids: Sequence[str], age_s: float) -> Argv | None:
        """Ask as for states: the history holds what was used."""
        return self.status_command(job_ids)

    def parse_usage(self, reply: Reply) -> list[Consumed]:
        """Read what elements and plain jobs have used; an array itself uses nothing."""
        told, _ = self._described(reply)
        elements = (job for identity, job in told.items() if replies.index_of(identity) is not None)
        return [used for job in elements if (used := replies.consumed(job))]

    def find_command(self, name: str, age_s: float) -> Argv:
        """Select by name, live and ended."""
        return self.ask_by(scripts.FIND, name)

    def parse_find(self, reply: Reply, name: str) -> list[str]:
        """Read one job id a line; the names were compared by PBS."""
        lines = self.answer(reply).split()
        return sorted({self.require_id(line, line) for line in lines}, key=_order)

    def names_command(self) -> Argv:
        """Select our live jobs, then ask for them."""
        return self.ask_by(scripts.NAMES)

    def parse_names(self, reply: Reply) -> dict[str, str]:
        """Read a line of ids, then their descriptions; one may have ended in between."""
        first, _, rest = heard(reply, self.name).stdout.partition("\n")
        told, words = self._described(reply, rest)
        asked = {replies.number_of(self.require_id(word, first)): word for word in first.split()}
        names = {
            asked[number]: job["Job_Name"]
            for identity, job in told.items()
            if (number := replies.number_of(identity)) in asked and "Job_Name" in job
        }
        missing = set(asked) - {replies.number_of(i) for i in names} - replies.not_there(words)
        if missing:
            raise TransportError(f"qstat told nothing of {len(missing)} of {len(asked)} jobs")
        return names

    def cancel_command(self, job_ids: Sequence[str]) -> Argv:
        """Delete jobs; PBS goes on after one that has ended."""
        return self.ask("qdel", *job_ids)

    def cancel_elements_command(self, job_id: str, indices: Sequence[int]) -> Argv:
        """Delete elements; of a plain job, itself."""
        if "[]" not in job_id:
            return self.cancel_command([job_id])
        return self.ask("qdel", *(job_id.replace("[]", f"[{index}]") for index in indices))

    def survey_command(self) -> Argv | None:
        """Ask whether the server keeps a history."""
        return ("sh", "-c", scripts.SURVEY, "survey", self.variables)

    def parse_survey(self, reply: Reply) -> list[Notice]:
        """Read "kind words"."""
        return replies.notices(self.answer(reply))

    def log_path(self, folder: PurePosixPath, job_id: str, array_index: int) -> PurePosixPath:
        """Find "0[3].server.OU" in the folder that -o named."""
        return folder / f"{job_id.replace('[]', f'[{array_index}]')}.OU"

    def _described(
        self, reply: Reply, text: str | None = None
    ) -> tuple[Mapping[str, replies.Attributes], str]:
        """Descriptions by id, and words of those that are not there; it exits for the latter."""
        said = heard(reply, self.name)
        if said.exit_code in (UNKNOWN_JOB, FINISHED_JOB) and not replies.not_there(said.stderr):
            raise TransportError(f"PBS did not answer: {said.words}")
        if said.exit_code not in (0, UNKNOWN_JOB, FINISHED_JOB):
            raise TransportError(f"PBS did not answer: {said.words}")
        told = replies.described(said.stdout if text is None else text)
        for identity, job in told.items():
            if "job_state" not in job or not re.fullmatch(ELEMENT, identity):
                raise polluted("qstat", identity)
        return told, said.stderr

    def _element(self, job: replies.Attributes) -> ElementState:
        state = job["job_state"]
        return replies.ended(job) if state in OVER else self.state(state)


def _select(wanted: Resources) -> str:
    """One chunk a node; its memory and GPUs are the node's."""
    chunk = f"select={wanted.nodes}:ncpus={wanted.tasks_per_node * wanted.cpus}"
    if wanted.tasks > 1:
        chunk += f":mpiprocs={wanted.tasks_per_node}:ompthreads={wanted.cpus}"
    if wanted.memory != "none":
        chunk += f":mem={wanted.memory_mib}mb"
    if wanted.gpus:
        chunk += f":ngpus={wanted.gpus}"
    return f"{chunk}:{wanted.constraint}" if wanted.constraint else chunk


def _wishes(wanted: Resources) -> Iterator[str]:
    """Options for what is asked for, and none for what is not."""
    place = ["scatter"] if wanted.nodes > 1 else []  # else two chunks may share a node
    place += ["exclhost"] if wanted.exclusive else []
    if place:
        yield from ("-l", f"place={':'.join(place)}")
    queue = wanted.reservation or wanted.partition  # a reservation is a queue of its own
    if queue:
        yield from ("-q", queue)
    if wanted.account:
        yield from ("-A", wanted.account)
    if wanted.mail:
        yield from ("-m", "ae", "-M", wanted.mail)
    if wanted.after:
        yield from ("-W", f"depend=afterok:{':'.join(wanted.after)}")


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def _order(job_id: str) -> int:
    match = re.match(r"\d+", job_id)
    return int(match[0]) if match else -1
