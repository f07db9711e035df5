"""Workspaces: folders that a site lends for a while; dialects, as for schedulers."""

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass

from operators.cluster.errors import WorkspaceRefused
from operators.cluster.reply import Reply

Argv = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """One workspace that is ours."""

    name: str
    path: str
    remaining_s: float | None = None
    """None: it does not expire"""
    extensions: int | None = None


class WorkspaceDialect(ABC):
    """Pairs of "command" and "parse"."""

    @abstractmethod
    def allocate_command(self, name: str, days: int) -> Argv:
        """Make a workspace, or find the one of that name."""

    @abstractmethod
    def find_command(self, name: str) -> Argv:
        """Look for a workspace."""

    @abstractmethod
    def extend_command(self, name: str, days: int) -> Argv:
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
        """Absolute path on stdout; raises WorkspaceRefused with the tool's words."""
        path = reply.stdout.strip()
        if not reply.ok or not path.startswith("/"):
            raise WorkspaceRefused(f"no workspace: {reply.words}")
        return path

    def parse_find(self, reply: Reply) -> str | None:
        """Absolute path, or None where there is none."""
        return reply.stdout.strip() or None if reply.ok else None

    def parse_done(self, reply: Reply) -> None:
        """Raise WorkspaceRefused unless the tool succeeded."""
        if not reply.ok:
            raise WorkspaceRefused(f"the workspace tools refused: {reply.words}")

    @staticmethod
    def checked(name: str) -> str:
        """Names that every tool takes; "..", "/" and leading dots would leave the root."""
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
            raise WorkspaceRefused(
                f"'{name}' is no workspace name; use letters, digits, '.', '_' and '-'"
            )
        return name
