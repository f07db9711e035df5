"""What a command answered, how its words are written for a remote shell, and what frames them.

Login shells print: banners, quota tables, "module loaded". A frame keeps their lines apart from the
command's own, byte for byte, on both streams.
"""

import re
import secrets
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Concatenate, ParamSpec, TypeVar

from hpc_jobs.job_folder.probe_replies import CutShort, NoAnswer
from operators.cluster.errors import PollutedReply, TransportError

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


@dataclass(frozen=True, slots=True)
class Frame:
    """Marks around one command's output: what stands outside of them came from elsewhere.

    The script never spells a mark whole, so that a shell that echoes its commands forges none.
    """

    begin: str
    end: str

    @classmethod
    def new(cls) -> "Frame":
        """Make marks that no output has seen before."""
        return cls(f"begin {secrets.token_hex(8)}", f"end {secrets.token_hex(8)}")

    def script(self, argv: Sequence[str]) -> str:
        """Write sh text that runs argv between the marks, on the stdin that the shell has.

        One line, unless an argument holds a newline; it exits as the command does.
        """
        begin, end = (" ".join(map(shlex.quote, mark.split(" ", 1))) for mark in self)
        printed = f"printf '%s %s\\n' {begin}"
        closed = f"""printf '%s %s %d\\n' {end} "$code\""""
        return (
            f"{printed}; {printed} >&2; {command_line(argv)}; code=$?; "
            f'{closed}; {closed} >&2; exit "$code"'
        )

    def content(self, exit_code: int, out: bytes, err: bytes) -> tuple[int, bytes, bytes]:
        """Cut away what is not the command's own; the exit code is the one that the frame tells.

        Raises PollutedReply where the login shell did not come as far as the command, or kept its
        output; TransportError where the answer breaks off. Of stderr, a frame that is damaged
        leaves all: its words are for people.
        """
        inside = self._inside(out)
        if inside is None and self._mark(self.begin) in out:
            raise TransportError("the answer was cut short")
        if inside is None:
            words = (err.strip() or out.strip()).decode(errors="replace")[-300:] or "(no output)"
            raise PollutedReply(f"{UNHEARD} (exit {exit_code}): {words}")
        code, stdout = inside
        words_inside = self._inside(err)
        return code, stdout, err if words_inside is None else words_inside[1]

    def outside(self, out: bytes) -> bytes:
        """Return what a login shell printed around the answer."""
        begin, end = self._mark(self.begin), self.end.encode()
        before, _, rest = out.partition(begin)
        return before + rest.rpartition(end)[2].partition(b"\n")[2]

    def ended(self, out: bytes) -> bool:
        """Whether the command has ended, although something may still hold its stdout open."""
        return self._inside(out) is not None

    def _inside(self, stream: bytes) -> tuple[int, bytes] | None:
        _, begin, rest = stream.partition(self._mark(self.begin))
        match = re.search(re.escape(self.end.encode()) + rb" (\d+)\n", rest) if begin else None
        return (int(match[1]), rest[: match.start()]) if match else None

    def _mark(self, words: str) -> bytes:
        return f"{words}\n".encode()

    def __iter__(self) -> Iterator[str]:
        return iter((self.begin, self.end))


SILENCE = "the login shell prints to stdout; make it silent for non-interactive logins"
UNHEARD = "the login shell ended, or kept the output to itself, before the command was run"


def polluted(command: str, line: str) -> PollutedReply:
    """Say that a line is none of a command's own."""
    return PollutedReply(f"{command} answered {line[:200]!r}; {SILENCE}")


def parsed(
    parse: Callable[Concatenate[str, P], T], reply: Reply, *more: P.args, **named: P.kwargs
) -> T:
    """Parse what a probe of job folders printed.

    Raises TransportError where it has no end, PollutedReply where it is none of the probe's.
    """
    try:
        return parse(reply.stdout, *more, **named)
    except NoAnswer as error:
        raise polluted("a look at job folders", str(error)) from None
    except CutShort as error:
        raise TransportError(f"{error}: {reply.words[-200:]}") from None
