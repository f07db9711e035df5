"""Steps of a check: what was tried, what came back, and what to do if that was not well."""

import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from airflow.sdk.exceptions import AirflowNotFoundException

from hpc_jobs.contract.errors import ConfigurationError
from operators.cluster.errors import (
    AmbiguousReply,
    HostKeyRefused,
    NeedsLogin,
    PollutedReply,
    RemoteFileError,
    SubmissionRefused,
    TransportError,
    WorkspaceRefused,
)

log = logging.getLogger(__name__)


class Outcome(StrEnum):
    """How a step ended; one that is skipped needs an earlier one that failed."""

    OK = "ok"
    NOTE = "note"
    FAILED = "FAILED"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Step:
    """A line of the report."""

    name: str
    outcome: Outcome
    tried: str
    found: str = ""
    remedy: str = ""

    def __str__(self) -> str:
        line = f"{self.outcome:<8} {self.name}: {self.tried}"
        line += f": {self.found}" if self.found else ""
        return line + (f"\n         -> {self.remedy}" if self.remedy else "")


class Trouble(Exception):
    """A step that came back with something wrong, and the remedy."""

    def __init__(self, found: str, remedy: str) -> None:
        super().__init__(found)
        self.remedy = remedy


@dataclass
class Steps:
    """The report as it grows; each step is told as soon as it is over."""

    steps: list[Step] = field(default_factory=list)
    tell: Callable[[Step], None] = lambda step: log.info("%s", step)

    @property
    def good(self) -> bool:
        """Whether nothing failed and nothing had to be skipped."""
        return all(step.outcome in (Outcome.OK, Outcome.NOTE) for step in self.steps)

    def attempt(self, name: str, tried: str, action: Callable[[], str]) -> bool:
        """Do one thing that says what it found; after a failure, what comes later is skipped."""
        if not self.good:
            self.add(Step(name, Outcome.SKIPPED, tried))
        else:
            self.add(_result(name, tried, action))
        return self.good

    def always(self, name: str, tried: str, action: Callable[[], str]) -> None:
        """Do one thing whatever came before: tidying up."""
        self.add(_result(name, tried, action))

    def add(self, step: Step) -> None:
        """Tell a step."""
        self.steps.append(step)
        self.tell(step)

    def rows(self) -> list[dict[str, str]]:
        """Return the report as an XCom holds it."""
        keys = ("name", "outcome", "tried", "found", "remedy")
        return [{key: str(getattr(step, key)) for key in keys} for step in self.steps]

    def in_words(self) -> str:
        """Return the report as a person reads it."""
        return "\n".join(map(str, self.steps))


def _result(name: str, tried: str, action: Callable[[], str]) -> Step:
    try:
        return Step(name, Outcome.OK, tried, action())
    except Trouble as trouble:
        return Step(name, Outcome.FAILED, tried, str(trouble), trouble.remedy)
    except Exception as error:
        found = str(error) or type(error).__name__
        return Step(name, Outcome.FAILED, tried, found, remedy_for(error))


REMEDIES: tuple[tuple[type[BaseException], str], ...] = (
    (
        AirflowNotFoundException,
        "make a Connection of that id, of type 'HPC cluster' (Admin > Connections), or set the "
        "environment variable AIRFLOW_CONN_<ID>",
    ),
    (ConfigurationError, "correct the cluster's file in dags/clusters"),
    (
        HostKeyRefused,
        "compare the key that `ssh-keyscan` shows with the one that the site publishes; only if "
        "they agree, put it into the Connection's field 'Host key'",
    ),
    (
        NeedsLogin,
        "try the same user and key by hand (ssh -i KEY -p PORT USER@HOST); put the public key into "
        "the account's authorized_keys, renew the certificate, or open the master connection",
    ),
    (socket.gaierror, "correct the host name in the Connection, or join the site's network (VPN)"),
    (
        ConnectionRefusedError,
        "nothing listens there: correct the port in the Connection, or ask whether the login node "
        "is down",
    ),
    (
        TimeoutError,
        "a firewall may be in between: join the site's network (VPN), or name a jump host in the "
        "Connection's field 'Jump host'",
    ),
    (
        SubmissionRefused,
        "the scheduler's own words say what it does not accept: correct partition, account, qos or "
        "options in dags/clusters/<name>.yaml (`sinfo` and `qstat -Q` list what there is)",
    ),
    (
        AmbiguousReply,
        "the scheduler did not say whether it took the job: look into its queue, then check again",
    ),
    (
        WorkspaceRefused,
        "correct `workspaces` in dags/clusters/<name>.yaml, or make room for one more workspace",
    ),
    (RemoteFileError, "check that the account may write there, and its quota"),
    (
        PollutedReply,
        "let ~/.bashrc and the like print only when interactive: case $- in *i*) ...; esac",
    ),
    (TransportError, "check again; if it stays so, look at the network and the login node's load"),
)


FULL = ("quota", "no space left")
NO_ROOM = (
    "the quota is used up, or the filesystem is full: remove what is not needed there, ask for "
    "more, or name another place in `workspaces` of the cluster's file"
)
SPOKEN: tuple[tuple[type[BaseException], tuple[str, ...], str], ...] = (
    (WorkspaceRefused, FULL, NO_ROOM),
    (RemoteFileError, FULL, NO_ROOM),
    (
        SubmissionRefused,
        ("--mem", "memory"),
        "where the site wants memory by the cpu or by the GPU, or none at all, say so in the "
        "cluster's file: memory: per_cpu, per_gpu or none; else ask for less",
    ),
)
"""Errors whose own words tell more than their kind."""


def remedy_for(error: BaseException) -> str:
    """Find the remedy of the first kind that fits."""
    said = str(error).lower()
    for kind, words, remedy in SPOKEN:
        if isinstance(error, kind) and any(word in said for word in words):
            return remedy
    for kind, remedy in REMEDIES:
        if isinstance(error, kind):
            return remedy
    return "this is unexpected: the message above is all that is known"
