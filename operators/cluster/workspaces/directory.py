"""Plain folders below a root; nothing expires, and nothing is ever deleted by us."""

from operators.cluster.answers import Argv
from operators.cluster.errors import WorkspaceRefused
from operators.cluster.reply import Reply, polluted
from operators.cluster.workspaces.workspace_tool import Lease, WorkspaceDialect

# The name that the user gave is kept: what a symbolic link resolves to here, another login node may
# not have. That a relative root is one of the home folder, sh would say by its resolved name.
ROOT = r"""
case $1 in
  /*) root=$1 ;;
  *) here=$(pwd -P)
     if [ "$(cd -- "$HOME" 2>/dev/null && pwd -P)" = "$here" ]; then here=$HOME; fi
     root=$here/$1 ;;
esac
"""
ALLOCATE = ROOT + 'mkdir -p -- "$root/$2" && cd -- "$root/$2" && pwd'
FIND = ROOT + '[ -d "$root/$2" ] || { echo "no such folder" >&2; exit 1; }; cd -- "$root/$2" && pwd'
# A released workspace is moved aside, unless empty: its owner may still want what is in it.
RELEASE = (
    'rmdir -- "$1/$2" 2>/dev/null || '
    '{ mkdir -p -- "$1/.released" && mv -- "$1/$2" "$1/.released/$2-$(date +%s)"; }'
)
# NUL ends each: a path may hold anything else, newlines included.
LIST = (
    ROOT + '[ -d "$root" ] || exit 0; cd -- "$root" || exit; for name in *; do '
    '[ -d "$name" ] && printf "%s\\0%s\\0" "$name" "${root%/}/$name"; done; exit 0'
)


class Directory(WorkspaceDialect):
    """mkdir and mv."""

    absent = "no such folder"

    def __init__(self, root: str) -> None:
        self.root = root

    def allocate_command(self, name: str, days: int) -> Argv:
        """Make the folder; days are of no matter."""
        return self.ask("sh", "-c", ALLOCATE, "allocate", self.root, self.checked(name))

    def find_command(self, name: str) -> Argv:
        """Look for the folder."""
        return self.ask("sh", "-c", FIND, "find", self.root, self.checked(name))

    def extend_command(self, lease: Lease, days: int) -> Argv:
        """Nothing expires; only that it is there is checked."""
        return self.find_command(lease.name)

    def release_command(self, name: str) -> Argv:
        """Move the folder aside."""
        return self.ask("sh", "-c", RELEASE, "release", self.root, self.checked(name))

    def list_command(self) -> Argv:
        """All folders, a name and a path in turn."""
        return self.ask("sh", "-c", LIST, "list", self.root)

    def parse_list(self, reply: Reply) -> list[Lease]:
        """Names and paths in turn."""
        said = self._heard(reply)
        if not said.ok:
            raise WorkspaceRefused(f"cannot list workspaces: {said.words}")
        *lines, rest = said.stdout.split("\0")
        if rest:
            raise polluted("listing workspaces", rest)
        pairs = list(zip(lines[::2], lines[1::2], strict=False))
        for name, path in pairs:
            if not path.startswith("/") or not path.endswith(f"/{name}"):
                raise polluted("listing workspaces", name)
        if len(lines) % 2:
            raise polluted("listing workspaces", lines[-1])
        return sorted((Lease(name=n, path=p) for n, p in pairs), key=lambda lease: lease.name)
