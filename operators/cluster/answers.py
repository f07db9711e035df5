"""How schedulers and workspace tools are asked, so that its answer shows its own beginning and end.

A command's output stands between a line "<" and a line ">". What is cut off, or glued to the first
or the last line, is noticed here, whatever the way it came.
"""

from collections.abc import Sequence

from operators.cluster.errors import TransportError
from operators.cluster.reply import Reply, polluted

Argv = tuple[str, ...]

BEGIN, LAST = "<", "\n>\n"

# Variables of the login's environment would narrow or redirect what is asked. A name that a value's
# second line makes up is unset in vain.
WITHOUT = r"""
pattern=$1; shift
for name in $(env | sed -nE "s/^(($pattern)[A-Za-z0-9_]*)=.*/\1/p"); do unset "$name"; done
"""
ASK = (
    WITHOUT
    + r"""echo '<'; "$@"; code=$?; printf '\n>\n'; exit $code
"""
)


def asked(variables: str, argv: Sequence[str]) -> Argv:
    """Ask without the variables whose names begin so ("A_|B_"), between marks."""
    return ("sh", "-c", ASK, "ask", variables, *argv)


def asked_by_script(variables: str, script: str, *arguments: str) -> Argv:
    """Ask by a script of several commands; its "exit" tells how the whole went."""
    return asked(variables, ("sh", "-c", script, "script", *arguments))


def heard(reply: Reply, who: str) -> Reply:
    """Return what stands between the marks.

    Raises PollutedReply where something stands before them, TransportError where the answer breaks
    off. What failed may have failed before the marks: its words are left as they are.
    """
    first, _, rest = reply.stdout.partition("\n")
    if first == BEGIN and rest.endswith(LAST):
        return Reply(reply.exit_code, rest.removesuffix(LAST), reply.stderr)
    if not reply.ok:
        return Reply(reply.exit_code, "", reply.stderr or reply.stdout)
    if first == BEGIN or not reply.stdout.strip():
        raise TransportError(f"{who} was cut short: {reply.words[-200:]}")
    raise polluted(who, first)
