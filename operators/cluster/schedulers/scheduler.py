"""A scheduler's dialect: commands as argv, replies parsed; it never acts.

Commands run in a login shell whose home folder is of no matter: all paths are absolute.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from operators.cluster.errors import AmbiguousReply, SubmissionRefused, TransportError
from operators.cluster.job import ArrayRequest, ElementState, Queue, Resources
from operators.cluster.reply import Reply
from operators.cluster.usage import Consumed

log = logging.getLogger(__name__)

Argv = tuple[str, ...]


class Scheduler(ABC):
    """Pairs of "command" and "parse".

    Parsers raise TransportError where the scheduler itself could not be reached (ask again), so
    that an outage is never taken for an answer.
    """

    name: str
    job_id_variable: str
    """Shell expression of the array's job id, inside an element."""
    array_index_variable: str
    """Shell expression of the element's array index."""
    states: Mapping[str, ElementState]
    """Native state -> state; anything else is UNKNOWN, with a warning."""
    outage: Sequence[str]
    """Words by which the commands say that they did not reach the scheduler."""
    ambiguous: Sequence[str]
    """Words by which the submit command says that it does not know what happened."""
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
    def parse_job_id(self, reply: Reply) -> str:
        """Job id of a successful submit; raises AmbiguousReply when there is none to find."""

    @abstractmethod
    def status_command(self, job_ids: Sequence[str]) -> Argv:
        """Ask for the states of all elements of these jobs, in one command."""

    @abstractmethod
    def parse_status(self, reply: Reply) -> Queue:
        """States by job id; jobs that the scheduler does not know are absent."""

    def parse_reasons(self, reply: Reply) -> dict[str, str]:
        """Job id -> why it waits, in plain words, read from the answer to the status command.

        Only what a person should know: a job that merely waits for its turn is absent.
        """
        return {}

    def history_command(self, job_ids: Sequence[str]) -> Argv | None:
        """Ask the accounting for jobs that left the queue; None where status knows them too."""
        return None

    def parse_history(self, reply: Reply) -> Queue:
        """As parse_status; an unavailable accounting answers with nothing."""
        return {}

    def usage_command(self, job_ids: Sequence[str]) -> Argv | None:
        """Ask the accounting what jobs took; None where there is none to ask."""
        return None

    def parse_usage(self, reply: Reply) -> list[Consumed]:
        """Read tries that have begun; an unavailable accounting answers with nothing."""
        return []

    @abstractmethod
    def find_command(self, name: str) -> Argv:
        """Look for jobs of that name, live or recently finished."""

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

    def parse_submit(self, reply: Reply) -> str:
        """Job id, or the right error: refused, ambiguous, or not reached."""
        if reply.ok:
            return self.parse_job_id(reply)
        if self._says(reply, self.ambiguous):
            raise AmbiguousReply(f"{self.name}: {reply.words}")
        if self._says(reply, self.outage):
            raise TransportError(f"{self.name}: {reply.words}")
        raise SubmissionRefused(f"{self.name} refused the job: {reply.words}")

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

    def require_answer(self, reply: Reply) -> None:
        """Raise TransportError unless the command succeeded."""
        if not reply.ok:
            raise TransportError(f"{self.name} did not answer: {reply.words}")

    @staticmethod
    def _says(reply: Reply, words: Sequence[str]) -> bool:
        text = f"{reply.stderr}\n{reply.stdout}".lower()
        return any(word in text for word in words)
