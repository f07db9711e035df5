"""The hpc-workspace tools 1.6: ws_allocate, ws_find, ws_extend, ws_release, ws_list."""

import re

from operators.cluster.errors import WorkspaceRefused
from operators.cluster.reply import Reply
from operators.cluster.workspaces.workspace_tool import Argv, Lease, WorkspaceDialect

HOUR_S = 3600
DAY_S = 24 * HOUR_S


class HpcWorkspace(WorkspaceDialect):
    """ws_allocate may be repeated; it caps a long duration, with exit code 0."""

    def __init__(self, filesystem: str | None = None) -> None:
        self.filesystem = ("-F", filesystem) if filesystem else ()

    def allocate_command(self, name: str, days: int) -> Argv:
        """ws_allocate."""
        return ("ws_allocate", *self.filesystem, self.checked(name), str(days))

    def find_command(self, name: str) -> Argv:
        """ws_find."""
        return ("ws_find", *self.filesystem, self.checked(name))

    def extend_command(self, name: str, days: int) -> Argv:
        """ws_extend."""
        return ("ws_extend", *self.filesystem, self.checked(name), str(days))

    def release_command(self, name: str) -> Argv:
        """ws_release."""
        return ("ws_release", *self.filesystem, self.checked(name))

    def list_command(self) -> Argv:
        """ws_list."""
        return ("ws_list", *self.filesystem)

    def parse_list(self, reply: Reply) -> list[Lease]:
        """Blocks that begin with "id: name"; times are of the cluster's clock, so not used."""
        if not reply.ok:
            raise WorkspaceRefused(f"cannot list workspaces: {reply.words}")
        blocks = re.split(r"(?m)^id: *", reply.stdout)[1:]
        return sorted(map(_lease, blocks), key=lambda lease: lease.name)


def _lease(block: str) -> Lease:
    name, *lines = block.splitlines()
    fields = {key.strip(): value.strip() for key, _, value in (x.partition(":") for x in lines)}
    try:
        return Lease(
            name=name.strip(),
            path=fields["workspace directory"],
            remaining_s=_seconds(fields["remaining time"]),
            extensions=int(fields["available extensions"]),
        )
    except (KeyError, ValueError) as error:
        raise WorkspaceRefused(f"ws_list describes '{name}' in other words: {error}") from error


def _seconds(text: str) -> float:
    """Seconds in "9 days 23 hours", "1 day", "expired"."""
    units = {"day": DAY_S, "hour": HOUR_S, "minute": 60, "second": 1}
    parts = re.findall(r"(-?\d+) (day|hour|minute|second)s?", text)
    if not parts:
        return 0.0
    return float(sum(int(number) * units[unit] for number, unit in parts))
