"""Workspaces: folders that a site lends for a while; dialects, as for schedulers."""

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass

from operators.cluster.answers import Argv, asked, heard
from operators.cluster.errors import WorkspaceRefused
from operators.cluster.reply import Reply, polluted

NOTHING = "-"  # no variable's name begins so


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """One workspace that is ours."""

    name: str
    path: str
    remaining_s: float | None = None
    """None: it does not expire"""
    extensions: int | None = None
    filesystem: str | None = None
    """where one name may stand for several workspaces"""


class WorkspaceDialect(ABC):
    """Pairs of "command" and "parse".

    Parsers raise WorkspaceRefused with the tool's words, TransportError where the answer is cut
    short, PollutedReply for what is no answer. That there is no workspace is only concluded where
    the tool says so.
    """

    absent: str
    """Words by which the tool says that there is no workspace of that name."""

    @abstractmethod
    def allocate_command(self, name: str, days: int) -> Argv:
        """Make a workspace, or find the one of that name."""

    @abstractmethod
    def find_command(self, name: str) -> Argv:
        """Look for a workspace."""

    @abstractmethod
    def extend_command(self, lease: Lease, days: int) -> Argv:
        """Let it live for that many days from now."""

    @abstractmethod
    def release_command(self, name: str) -> Argv:
        """Give it back."""

    @abstractmethod
    def list_command(self) -> Argv:
        """Ask for all of ours."""

    @abstractmethod
    def parse_list(self, reply: Reply) -> list[Lease]:
        """Leases, sorted by name."""

    def parse_path(self, reply: Reply) -> str:
        """Read an absolute path, alone."""
        said = self._heard(reply)
        if not said.ok:
            raise WorkspaceRefused(f"no workspace: {said.words}")
        paths = [line for line in said.stdout.split("\n") if line]
        if not paths:
            raise WorkspaceRefused(f"no workspace: {said.words}")
        for path in paths:
            if not path.startswith("/"):
                raise polluted("the workspace tool", path)
        if len(paths) > 1:
            raise WorkspaceRefused(
                f"the name stands for {len(paths)} workspaces, {', '.join(paths)}; name one "
                "filesystem in the cluster's file (workspaces.filesystem)"
            )
        return paths[0]

    def parse_find(self, reply: Reply) -> str | None:
        """Absolute path, or None where the tool says that there is none."""
        said = self._heard(reply)
        if not said.ok and self.absent in said.stderr:
            return None
        return self.parse_path(reply)

    def parse_done(self, reply: Reply) -> None:
        """Raise WorkspaceRefused unless the tool succeeded."""
        said = self._heard(reply)
        if not said.ok:
            raise WorkspaceRefused(f"the workspace tools refused: {said.words}")

    def _heard(self, reply: Reply) -> Reply:
        return heard(reply, "the workspace tool")

    @staticmethod
    def ask(*argv: str) -> Argv:
        """Put marks around a command's answer."""
        return asked(NOTHING, argv)

    @staticmethod
    def checked(name: str) -> str:
        """Names that every tool takes; "..", "/" and leading dots would leave the root."""
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
            raise WorkspaceRefused(
                f"'{name}' is no workspace name; use letters, digits, '.', '_' and '-'"
            )
        return name
