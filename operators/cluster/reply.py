"""What a command answered, and how its words are written for a remote shell."""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Concatenate, ParamSpec, TypeVar

from hpc_jobs.job_folder.probes import CutShort
from operators.cluster.errors import TransportError

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reply:
    """What a command answered."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def ok(self) -> bool:
        """Whether the command succeeded by its own account."""
        return self.exit_code == 0

    @property
    def words(self) -> str:
        """What to show a person: stderr, or stdout where there is none, shortened."""
        text = self.stderr.strip() or self.stdout.strip() or "(no output)"
        return text if len(text) <= 2000 else "..." + text[-2000:]


def command_line(argv: Sequence[str]) -> str:
    """One shell word per argument, whatever it contains."""
    return shlex.join(argv)


def parsed(
    parse: Callable[Concatenate[str, P], T], reply: Reply, *more: P.args, **named: P.kwargs
) -> T:
    """Parse what a probe of job folders printed; raises TransportError where it has no end."""
    try:
        return parse(reply.stdout, *more, **named)
    except CutShort as error:
        raise TransportError(f"{error}: {reply.words[-200:]}") from None
