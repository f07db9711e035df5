"""Plain folders below a root; nothing expires, and nothing is ever deleted by us."""

from operators.cluster.errors import WorkspaceRefused
from operators.cluster.reply import Reply
from operators.cluster.workspaces.workspace_tool import Argv, Lease, WorkspaceDialect

ALLOCATE = 'mkdir -p -- "$1/$2" && cd -- "$1/$2" && pwd -P'
FIND = 'cd -- "$1/$2" 2>/dev/null && pwd -P'
# A released workspace is moved aside, unless empty: its owner may still want what is in it.
RELEASE = (
    'rmdir -- "$1/$2" 2>/dev/null || '
    '{ mkdir -p -- "$1/.released" && mv -- "$1/$2" "$1/.released/$2-$(date +%s)"; }'
)
LIST = (
    'cd -- "$1" 2>/dev/null || exit 0; for name in *; do '
    '[ -d "$name" ] && printf "%s\\n%s\\n" "$name" "$(cd -- "$name" && pwd -P)"; done; exit 0'
)


class Directory(WorkspaceDialect):
    """mkdir and mv."""

    def __init__(self, root: str) -> None:
        self.root = root

    def allocate_command(self, name: str, days: int) -> Argv:
        """Make the folder; days are of no matter."""
        return ("sh", "-c", ALLOCATE, "allocate", self.root, self.checked(name))

    def find_command(self, name: str) -> Argv:
        """Look for the folder."""
        return ("sh", "-c", FIND, "find", self.root, self.checked(name))

    def extend_command(self, name: str, days: int) -> Argv:
        """Nothing expires; only that it is there is checked."""
        return self.find_command(name)

    def release_command(self, name: str) -> Argv:
        """Move the folder aside."""
        return ("sh", "-c", RELEASE, "release", self.root, self.checked(name))

    def list_command(self) -> Argv:
        """All folders, a name and a path in turn."""
        return ("sh", "-c", LIST, "list", self.root)

    def parse_list(self, reply: Reply) -> list[Lease]:
        """Pairs of lines."""
        lines = reply.stdout.splitlines()
        if not reply.ok or len(lines) % 2:
            raise WorkspaceRefused(f"cannot list workspaces: {reply.words}")
        pairs = zip(lines[::2], lines[1::2], strict=True)
        return sorted((Lease(name=n, path=p) for n, p in pairs), key=lambda lease: lease.name)
