"""PBS Professional and OpenPBS, written for 23.06: qsub, qstat, qselect, qdel.

`qstat -x` knows ended jobs too, as long as the server keeps a history. An array is "0[].server",
its elements "0[3].server"; an array of one cannot be asked for and is a plain job, "0.server".
The array's own Exit_status is 0 whatever its elements did, so only elements are read.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from operators.cluster.errors import AmbiguousReply, TransportError
from operators.cluster.job import ArrayRequest, ElementState, Queue, Resources
from operators.cluster.reply import Reply
from operators.cluster.schedulers.scheduler import Argv, Scheduler
from operators.cluster.usage import Consumed, seconds

S = ElementState
UNKNOWN_JOB = 153
CONSTRAINT = r"\w+=[\w.-]+(:\w+=[\w.-]+)*"
OPTION_LETTERS = ("l", "W", "P", "p", "r", "v")
OWN_RESOURCES = (
    *("select", "nodes", "ncpus", "mem", "walltime", "place"),
    *("depend", "max_run_subjobs", "block", "interactive"),
)
ENDED = "F"
DELETED_SUBSTATE = 91
EXIT_CAUSES = {
    0: S.COMPLETED,
    271: S.CANCELLED,  # 256 + SIGTERM: deleted
    265: S.CANCELLED,  # 256 + SIGKILL: deleted, and deaf to SIGTERM
    -26: S.OUT_OF_MEMORY,  # virtual memory
    -27: S.OUT_OF_MEMORY,
    -28: S.TIMEOUT,  # cpu time
    -29: S.TIMEOUT,
}
NAMES = (
    'ids=$(qselect -u "$(id -un)") || exit; '
    'if [ -z "$ids" ]; then echo \'{"Jobs": {}}\'; else qstat -f -F json $ids; fi'
)


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
    outage = ("cannot connect to server", "connection refused", "pbs_iff", "server shutting down")
    ambiguous = ("timed out", "timeout", "end of file", "protocol")
    cannot = {
        "qos": "PBS has no quality of service: name a queue as partition",
        "signal_before_end_s": "PBS sends SIGTERM at the end, kill_delay before SIGKILL, which the "
        "site sets: leave it out, and give walltime_s a reserve",
    }

    def submit_command(self, request: ArrayRequest) -> Argv:
        """Write qsub; an output path that is a folder gets files named by job id."""
        self.require_expressible(request)
        wanted = request.resources
        options = ["-N", request.name, "-j", "oe", "-o", f"{request.log_folder}/"]
        options += ["-l", _select(wanted), "-l", f"walltime={_clock(wanted.walltime_s)}"]
        if request.elements > 1:
            options += ["-J", f"0-{request.elements - 1}"]
            if wanted.running_at_most:
                options += ["-W", f"max_run_subjobs={wanted.running_at_most}"]
        for option in wanted.options:
            options += option.split(" ", 1)
        return ("qsub", *options, *_wishes(wanted), str(request.script))

    def refusals(self, wanted: Resources) -> list[str]:
        """Add to what PBS does not have a constraint that is none of its resources."""
        found = super().refusals(wanted)
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

    def parse_job_id(self, reply: Reply) -> str:
        """Read "0[].server" or "2.server"."""
        job_id = reply.stdout.strip()
        if not re.fullmatch(r"\d+(\[\])?(\.\S+)?", job_id):
            raise AmbiguousReply(f"qsub answered {job_id[:200]!r}, not a job id")
        return job_id

    def status_command(self, job_ids: Sequence[str]) -> Argv:
        """Ask for jobs and their elements, live and ended."""
        return ("qstat", "-x", "-t", "-f", "-F", "json", *job_ids)

    def parse_status(self, reply: Reply) -> Queue:
        """Read the elements of arrays, and plain jobs as arrays of one."""
        queue: dict[str, dict[int, ElementState]] = {}
        for identity, job in self._jobs(reply).items():
            match = re.fullmatch(r"(\d+)\[(\d*)\](.*)", identity)
            if match and not match[2]:
                continue
            job_id = f"{match[1]}[]{match[3]}" if match else identity
            queue.setdefault(job_id, {})[int(match[2]) if match else 0] = self._element(job)
        return queue

    def usage_command(self, job_ids: Sequence[str]) -> Argv | None:
        """Ask as for states: the history holds what was used."""
        return self.status_command(job_ids)

    def parse_usage(self, reply: Reply) -> list[Consumed]:
        """Read what elements and plain jobs have used; an array itself uses nothing."""
        return [
            _consumed(job)
            for identity, job in self._jobs(reply).items()
            if "stime" in job and "resources_used" in job and "[]" not in identity
        ]

    def find_command(self, name: str) -> Argv:
        """Select by name, live and ended."""
        return ("qselect", "-x", "-N", name)

    def parse_find(self, reply: Reply, name: str) -> list[str]:
        """Read one job id a line; the names were compared by PBS."""
        self.require_answer(reply)
        return sorted(set(reply.stdout.split()), key=_number)

    def names_command(self) -> Argv:
        """Select our live jobs, then ask for them."""
        return ("sh", "-c", NAMES)

    def parse_names(self, reply: Reply) -> dict[str, str]:
        """Read names by job id."""
        return {identity: str(job["Job_Name"]) for identity, job in self._jobs(reply).items()}

    def cancel_command(self, job_ids: Sequence[str]) -> Argv:
        """Delete jobs; PBS goes on after one that has ended."""
        return ("qdel", *job_ids)

    def log_path(self, folder: PurePosixPath, job_id: str, array_index: int) -> PurePosixPath:
        """Find "0[3].server.OU" in the folder that -o named."""
        return folder / f"{job_id.replace('[]', f'[{array_index}]')}.OU"

    def _jobs(self, reply: Reply) -> Mapping[str, Mapping[str, Any]]:
        # Of several jobs, PBS describes those it knows, and exits with the code of the others.
        if reply.exit_code == UNKNOWN_JOB and not reply.stdout.strip():
            return {}
        if reply.exit_code not in (0, UNKNOWN_JOB):
            self.require_answer(reply)
        try:
            jobs: Mapping[str, Mapping[str, Any]] = json.loads(reply.stdout).get("Jobs", {})
        except (ValueError, AttributeError) as error:
            raise TransportError(f"qstat was cut short: {error}") from error
        return jobs

    def _element(self, job: Mapping[str, Any]) -> ElementState:
        state = str(job["job_state"])
        if state not in (ENDED, "X"):
            return self.state(state)
        if "Exit_status" in job:
            return EXIT_CAUSES.get(int(job["Exit_status"]), S.FAILED)
        return S.CANCELLED if job.get("substate") == DELETED_SUBSTATE else S.UNKNOWN


def _select(wanted: Resources) -> str:
    """One chunk a node; its memory and GPUs are the node's."""
    chunk = f"select={wanted.nodes}:ncpus={wanted.tasks_per_node * wanted.cpus}"
    if wanted.tasks > 1:
        chunk += f":mpiprocs={wanted.tasks_per_node}:ompthreads={wanted.cpus}"
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


def _consumed(job: Mapping[str, Any]) -> Consumed:
    used, granted = job["resources_used"], job["Resource_List"]
    return Consumed(
        queue_wait_s=max(0.0, _time(job["stime"]) - _time(job["qtime"])),
        run_s=seconds(used["walltime"]),
        cores=int(used["ncpus"]),
        gpus=int(granted.get("ngpus", 0)),
        cpu_s=seconds(used["cput"]),
    )


def _time(text: str) -> float:
    """Seconds on the server's clock, as "Fri Nov 20 16:40:34 2026"; only differences count."""
    return datetime.strptime(text, "%a %b %d %H:%M:%S %Y").replace(tzinfo=UTC).timestamp()


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def _number(job_id: str) -> int:
    match = re.match(r"\d+", job_id)
    return int(match[0]) if match else -1
