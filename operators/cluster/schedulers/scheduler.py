"""A scheduler's dialect: commands as argv, replies parsed; it never acts.

Commands run in a login shell whose home folder is of no matter: all paths are absolute.
"""

import logging
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from operators.cluster.answers import Argv, asked, asked_by_script, heard
from operators.cluster.errors import (
    AmbiguousReply,
    ArrayTooLarge,
    LimitReached,
    SubmissionRefused,
    TransportError,
)
from operators.cluster.job import ArrayRequest, ElementState, Queue, Resources, Status
from operators.cluster.reply import SILENCE, Reply, polluted
from operators.cluster.usage import Consumed

log = logging.getLogger(__name__)

NOT_FOUND = 127


@dataclass(frozen=True, slots=True)
class Notice:
    """What a person should know of a site's scheduler, and what can be done about it."""

    found: str
    remedy: str


class Scheduler(ABC):
    """Pairs of "command" and "parse".

    Parsers raise TransportError where the scheduler itself could not be reached (ask again), so
    that an outage is never taken for an answer, and PollutedReply for what is no answer of its.
    """

    name: str
    job_id_variable: str
    """Shell expression of the array's job id, inside an element."""
    array_index_variable: str
    """Shell expression of the element's array index."""
    states: Mapping[str, ElementState]
    """Native state -> state; anything else is UNKNOWN, with a warning."""
    job_id: str
    """Regular expression of a job id, whole."""
    beside_job_id: str = ""
    """What the submit command may print behind it."""
    variables: str = "-"
    """Beginnings of the names of variables, "A_|B_", that must not change what is asked."""
    limits: Sequence[str] = ()
    """Words by which the submit command says that there is no room for so many jobs now."""
    too_large: Sequence[str] = ()
    """Words by which it says that an array may never have so many elements."""
    outage: Sequence[str]
    """Words by which the commands say that they did not reach the scheduler."""
    ambiguous: Sequence[str]
    """Words by which the submit command says that it does not know what happened."""
    gone: Sequence[str]
    """Words by which the cancel command says that a job is not there any more."""
    refusal: Sequence[str]
    """Words by which it says no, for good. What none of these words fits may have happened."""
    cannot: Mapping[str, str] = {}
    """Resource that this scheduler does not have -> what to do instead."""

    def refusals(self, wanted: Resources) -> list[str]:
        """Say what of these resources cannot be expressed, each with a remedy; empty: nothing."""
        usual = Resources()
        return [
            f"{key} is {getattr(wanted, key)!r}, which {self.name} cannot express; {remedy}"
            for key, remedy in self.cannot.items()
            if getattr(wanted, key) != getattr(usual, key)
        ] + [
            f"options names '{option}': {reason}"
            for option in wanted.options
            if (reason := self.option_refusal(option))
        ]

    def option_refusal(self, option: str) -> str:
        """Say why an extra option of the submit command is not taken; "" if it is."""
        return ""

    def require_expressible(self, request: ArrayRequest) -> None:
        """Raise SubmissionRefused for resources that this scheduler does not have."""
        refusals = self.refusals(request.resources)
        if refusals:
            raise SubmissionRefused(f"{request.name}: {'; '.join(refusals)}")

    @abstractmethod
    def submit_command(self, request: ArrayRequest) -> Argv:
        """Submit a dense array; raises SubmissionRefused for what cannot be expressed."""

    @abstractmethod
    def status_command(self, job_ids: Sequence[str]) -> Argv:
        """Ask for the states of all elements of these jobs, in one command."""

    @abstractmethod
    def parse_status(self, reply: Reply, job_ids: Sequence[str]) -> Status:
        """Read what is said of the jobs that were asked for; one that is unknown is absent.

        A job neither told nor called unknown is silent. Of the reasons to wait, only what a person
        should know: a job that merely waits for its turn has none.
        """

    def history_command(self, job_ids: Sequence[str], age_s: float) -> Argv | None:
        """Ask the accounting for jobs that left the queue; None where status knows them too.

        age_s: the oldest of them was submitted no longer ago.
        """
        return None

    def parse_history(self, reply: Reply) -> Queue:
        """As parse_status; an unavailable accounting answers with nothing."""
        return {}

    def usage_command(self, job_ids: Sequence[str], age_s: float) -> Argv | None:
        """Ask the accounting what jobs took; None where there is none to ask."""
        return None

    def parse_usage(self, reply: Reply) -> list[Consumed]:
        """Read tries that have begun; an unavailable accounting answers with nothing."""
        return []

    @abstractmethod
    def find_command(self, name: str, age_s: float) -> Argv:
        """Look for jobs of that name, live or finished, submitted no longer ago than age_s."""

    @abstractmethod
    def parse_find(self, reply: Reply, name: str) -> list[str]:
        """Job ids of that name, oldest first."""

    @abstractmethod
    def names_command(self) -> Argv:
        """Ask for the names of all our live jobs."""

    @abstractmethod
    def parse_names(self, reply: Reply) -> dict[str, str]:
        """Job id -> name, of live jobs."""

    @abstractmethod
    def cancel_command(self, job_ids: Sequence[str]) -> Argv:
        """Cancel whole jobs; those that have ended do no harm."""

    @abstractmethod
    def cancel_elements_command(self, job_id: str, indices: Sequence[int]) -> Argv:
        """Cancel elements of an array; its other elements go on."""

    def parse_cancel(self, reply: Reply) -> None:
        """Raise TransportError unless the scheduler has heard it; jobs that are gone do no harm."""
        said = heard(reply, self.name)
        if not said.ok and not self._says(said, self.gone):
            raise TransportError(f"{self.name} did not cancel: {said.words}")

    def survey_command(self) -> Argv | None:
        """Ask what of this site a person should know; None where there is nothing to ask."""
        return None

    def parse_survey(self, reply: Reply) -> list[Notice]:
        """Read it."""
        return []

    def parse_submit(self, reply: Reply) -> str:
        """Job id, or the right error: refused, no room, ambiguous, or not reached."""
        if not reply.ok:
            raise self._no_job(reply)
        try:
            job_id = heard(reply, f"{self.name}'s submit command").stdout.strip()
        except TransportError as error:  # it said that it was done
            raise AmbiguousReply(str(error)) from error
        match = re.fullmatch(f"({self.job_id})(?:{self.beside_job_id})?", job_id)
        if not match:
            raise AmbiguousReply(
                f"{self.name} answered {job_id[:200]!r}, not a job id; if these are not its own "
                f"words, {SILENCE}"
            )
        return match[1]

    def _no_job(self, reply: Reply) -> Exception:
        reply = heard(reply, self.name)
        words = f"{self.name}: {reply.words}"
        if self._says(reply, self.too_large):
            return ArrayTooLarge(f"{self.name} takes no array of so many: {reply.words}")
        if self._says(reply, self.limits):
            return LimitReached(f"{self.name} has no room for the job now: {reply.words}")
        if self._says(reply, self.ambiguous):
            return AmbiguousReply(words)
        if self._says(reply, self.outage):
            return TransportError(words)
        if reply.exit_code == NOT_FOUND or self._says(reply, self.refusal):
            return SubmissionRefused(f"{self.name} refused the job: {reply.words}")
        return AmbiguousReply(f"{words} (exit {reply.exit_code})")

    def log_path(self, folder: PurePosixPath, job_id: str, array_index: int) -> PurePosixPath:
        """Where an element's output goes."""
        return folder / f"{job_id}_{array_index}.out"

    def state(self, native: str) -> ElementState:
        """Translate a native state."""
        known = self.states.get(native)
        if known is None:
            log.warning("%s says '%s', a state unknown here; taken as UNKNOWN", self.name, native)
            return ElementState.UNKNOWN
        return known

    def answer(self, reply: Reply) -> str:
        """Return what the command printed; raises TransportError unless it succeeded."""
        reply = heard(reply, self.name)
        if not reply.ok:
            raise TransportError(f"{self.name} did not answer: {reply.words}")
        return reply.stdout

    def ask(self, *argv: str) -> Argv:
        """Put what an answer needs around a command: no foreign variables, marks."""
        return asked(self.variables, argv)

    def ask_by(self, script: str, *arguments: str) -> Argv:
        """Do the same for a script."""
        return asked_by_script(self.variables, script, *arguments)

    def require_id(self, job_id: str, line: str) -> str:
        """Raise PollutedReply for what can be no job id."""
        if not re.fullmatch(self.job_id, job_id):
            raise polluted(self.name, line)
        return job_id

    @staticmethod
    def _says(reply: Reply, words: Sequence[str]) -> bool:
        text = f"{reply.stderr}\n{reply.stdout}".lower()
        return any(word in text for word in words)
