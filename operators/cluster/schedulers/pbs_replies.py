"""What PBS's commands print: full descriptions of jobs, and words about those that are not there.

`qstat -f` is read as text: its JSON tells only the first of several jobs in some releases, and is
none for harmless values (".5", "nan", a backslash), anybody's.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from operators.cluster.job import ElementState
from operators.cluster.reply import polluted
from operators.cluster.schedulers.scheduler import Notice
from operators.cluster.usage import Consumed, seconds

S = ElementState
Attributes = Mapping[str, str]

HEAD = "Job Id: "
ATTRIBUTE = re.compile(r"    ([A-Za-z_][\w.]*) = (.*)", re.DOTALL)
UNKNOWN = re.compile(r"Unknown Job Id (\S+)|(\S+) Job has finished|Job has finished (\S+)")
NO_HISTORY = "not configured to maintain job history"

DELETED_SUBSTATE = "91"
EXIT_CAUSES = {
    0: S.COMPLETED,
    271: S.CANCELLED,  # 256 + SIGTERM: deleted
    265: S.CANCELLED,  # 256 + SIGKILL: deleted, and deaf to SIGTERM
    -26: S.OUT_OF_MEMORY,  # virtual memory
    -27: S.OUT_OF_MEMORY,
    -28: S.TIMEOUT,  # cpu time
    -29: S.TIMEOUT,
}


def described(text: str) -> Mapping[str, Attributes]:
    """Read "Job Id: 0[3].server", then "    name = value" lines, folded by a tab.

    Of a name that comes twice the first counts: a value's own lines come later than what matters.
    """
    jobs: dict[str, dict[str, str]] = {}
    for head, lines in _blocks(text):
        attributes = jobs.setdefault(head, {})
        for line in lines:
            if match := ATTRIBUTE.fullmatch(line):
                attributes.setdefault(match[1], match[2])
        if not attributes:
            raise polluted("qstat", head)
    return jobs


def _blocks(text: str) -> Iterator[tuple[str, list[str]]]:
    head, lines = "", list[str]()
    for line in text.replace("\n\t", "").split("\n"):
        if line.startswith(HEAD):
            if head:
                yield head, lines
            head, lines = line.removeprefix(HEAD).strip(), []
        elif head:
            lines.append(line)
        elif line.strip():
            raise polluted("qstat", line)
    if head:
        yield head, lines


def number_of(job_id: str) -> str:
    """Return "12[]" or "12": what is a job's own in "12[].server", "12[3].server", "12.server"."""
    match = re.match(r"(\d+)(\[\d*\])?", job_id)
    return f"{match[1]}[]" if match and match[2] else match[1] if match else ""


def index_of(job_id: str) -> int | None:
    """Return an element's index; 0 of a plain job, None of an array as a whole."""
    match = re.match(r"\d+\[(\d*)\]", job_id)
    if not match:
        return 0
    return int(match[1]) if match[1] else None


def not_there(words: str) -> set[str]:
    """Numbers of the jobs that stderr calls unknown, or ended where only live ones were asked."""
    return {number_of(next(filter(None, match))) for match in UNKNOWN.findall(words)}


def ended(job: Attributes) -> ElementState:
    """How a job or an element ended that is not live any more.

    One that never started was deleted while it waited, or what it depends on failed: it may show an
    Exit_status of 0 all the same.
    """
    if "stime" not in job:
        return S.CANCELLED
    status = job.get("Exit_status", "")
    if re.fullmatch(r"-?\d{1,9}", status):
        return EXIT_CAUSES.get(int(status), S.FAILED)
    # It is over, and how is not told: its result decides.
    return S.CANCELLED if job.get("substate") == DELETED_SUBSTATE else S.COMPLETED


def reason(job: Attributes) -> str:
    """Why a job waits, where a person should know; empty where it is only a matter of time."""
    comment, state = job.get("comment", ""), job["job_state"]
    if "Can Never Run" in comment:
        return f"no node can ever give what is asked for; ask for less ({comment})"
    if state == "H" and "depend" not in job:
        return "the job is held; `qrls` lets it go, where it is your own hold" + (
            f" ({comment})" if comment else ""
        )
    if state in ("Q", "H") and "limit" in comment.lower():
        return f"a limit of the site is reached ({comment})"
    return ""


def consumed(job: Attributes) -> Consumed | None:
    """Read what a job or an element has used; None before it has begun."""
    try:
        return Consumed(
            queue_wait_s=max(0.0, _time(job["stime"]) - _time(job["qtime"])),
            run_s=seconds(job["resources_used.walltime"]),
            cores=int(job.get("resources_used.ncpus") or job["Resource_List.ncpus"]),
            gpus=int(job.get("Resource_List.ngpus", "0")),
            cpu_s=seconds(job["resources_used.cput"]),
        )
    except (KeyError, ValueError):
        return None


def notices(text: str) -> list[Notice]:
    """Read the survey's lines "kind words"."""
    found = []
    variables = [line.removeprefix("variable ") for line in text.splitlines() if line[:9] == _V]
    if variables:
        found.append(
            Notice(
                f"the login's environment sets {', '.join(variables)}; not used here",
                "what a job needs of them belongs into the cluster's file, as partition or options",
            )
        )
    if NO_HISTORY in text:
        found.append(
            Notice(
                "PBS keeps no history of jobs (job_history_enable): how an element ended is only "
                "known from its result, and one that left none counts as lost after grace_s",
                "nothing needs to be done; ask the site to enable the history if causes of "
                "failures, and what jobs took, matter",
            )
        )
    return found


_V = "variable "


def _time(text: str) -> float:
    """Seconds on the server's clock, as "Fri Nov 20 16:40:34 2026"; only differences count."""
    return datetime.strptime(text, "%a %b %d %H:%M:%S %Y").replace(tzinfo=UTC).timestamp()
