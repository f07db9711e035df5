"""The hpc-workspace tools 1.6: ws_allocate, ws_find, ws_extend, ws_release, ws_list."""

import re
from collections.abc import Iterator

from operators.cluster.answers import Argv
from operators.cluster.errors import WorkspaceRefused
from operators.cluster.reply import Reply, polluted
from operators.cluster.workspaces.workspace_tool import Lease, WorkspaceDialect

HOUR_S = 3600
DAY_S = 24 * HOUR_S
USER = "user: "
LIST = 'printf "user: %s\\n" "$(id -un)"; ws_list "$@"'


class HpcWorkspace(WorkspaceDialect):
    """ws_allocate may be repeated; it caps a long duration, with exit code 0."""

    absent = "no such workspace"

    def __init__(self, filesystem: str | None = None) -> None:
        self.filesystem = filesystem

    def allocate_command(self, name: str, days: int) -> Argv:
        """ws_allocate."""
        return self._tool("ws_allocate", self.filesystem, self.checked(name), str(days))

    def find_command(self, name: str) -> Argv:
        """ws_find."""
        return self._tool("ws_find", self.filesystem, self.checked(name))

    def extend_command(self, lease: Lease, days: int) -> Argv:
        """ws_extend, on the lease's own filesystem: others may have one of that name."""
        filesystem = lease.filesystem or self.filesystem
        return self._tool("ws_extend", filesystem, self.checked(lease.name), str(days))

    def release_command(self, name: str) -> Argv:
        """ws_release."""
        return self._tool("ws_release", self.filesystem, self.checked(name))

    def list_command(self) -> Argv:
        """ws_list, and who we are: its names are not always those that ws_allocate took."""
        return self._tool("sh", None, "-c", LIST, "list", *_on(self.filesystem))

    def parse_list(self, reply: Reply) -> list[Lease]:
        """Blocks that begin with "id: name"; times are of the cluster's clock, so not used."""
        said = self._heard(reply)
        if not said.ok:
            raise WorkspaceRefused(f"cannot list workspaces: {said.words}")
        first, *blocks = re.split(r"(?m)^id: *", said.stdout)
        user, _, rest = first.partition("\n")
        if not user.startswith(USER) or rest.strip():
            raise polluted("ws_list", first)
        leases = (_lease(block, user.removeprefix(USER).strip()) for block in blocks)
        return sorted(leases, key=lambda lease: (lease.name, lease.path))

    def _tool(self, tool: str, filesystem: str | None, *words: str) -> Argv:
        return self.ask(tool, *_on(filesystem), *words)


def _on(filesystem: str | None) -> Iterator[str]:
    if filesystem:
        yield from ("-F", filesystem)


def _lease(block: str, user: str) -> Lease:
    """Read a block; the name is the path's, which holds the account's before a dash.

    ws_list cuts an account off at its first dash: of "hpc-me" it shows "me-name".
    """
    shown, *lines = block.splitlines()
    fields: dict[str, str] = {}
    for line in filter(str.strip, lines):
        key, colon, value = line.partition(":")
        if not colon or not line.startswith(" "):
            raise polluted("ws_list", line)
        fields[key.strip()] = value.strip()
    try:
        path = fields["workspace directory"]
        name = path.rpartition("/")[2].removeprefix(f"{user}-")
        return Lease(
            name=name if shown.strip().endswith(name) else shown.strip(),
            path=path,
            remaining_s=_seconds(fields["remaining time"]),
            extensions=int(fields["available extensions"]),
            filesystem=fields.get("filesystem name"),
        )
    except (KeyError, ValueError, IndexError) as error:
        raise WorkspaceRefused(f"ws_list describes '{shown}' in other words: {error}") from error


def _seconds(text: str) -> float:
    """Seconds in "9 days 23 hours", "1 day", "expired"."""
    units = {"day": DAY_S, "hour": HOUR_S, "minute": 60, "second": 1}
    parts = re.findall(r"(-?[0-9]{1,9}) (day|hour|minute|second)s?", text)
    if not parts:
        return 0.0
    return float(sum(int(number) * units[unit] for number, unit in parts))
