"""Whether an element that the scheduler does not know any more may still be worked on: its lock."""

from collections.abc import Iterable
from pathlib import PurePosixPath

from operators.cluster.errors import TransportError
from operators.cluster.reply import Reply, polluted

# By the cluster's own clock. An element that has published its result works no more.
AGES = r"""
cd "$1" || exit; shift
echo '<'; now=$(date +%s)
for element; do
  [ ! -e "results/$element.json" ] || continue
  made=$(stat -c %Y "locks/$element/owner.json" 2>/dev/null) || continue
  echo "$element $((now - made))"
done
echo '>'
"""


def ages_command(folder: PurePosixPath, elements: Iterable[int]) -> tuple[str, ...]:
    """Ask for how long elements without a result have been locked."""
    return ("sh", "-c", AGES, "ages", str(folder), *map(str, elements))


def parse_ages(reply: Reply) -> dict[int, float]:
    """Element -> age of its lock, s; raises TransportError when the answer is not whole."""
    lines = reply.stdout.splitlines()
    if not reply.ok or lines[:1] != ["<"] or lines[-1:] != [">"]:
        raise TransportError(f"looking at the locks was cut short: {reply.words[-200:]}")
    ages = {}
    for line in lines[1:-1]:
        element, _, age = line.partition(" ")
        try:
            ages[int(element)] = float(int(age))
        except ValueError:
            raise polluted("looking at the locks", line) from None
    return ages
