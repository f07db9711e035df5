"""Commands and files through a login shell, whichever it is: all that a site must offer is sshd.

The login shell sees one short line that bash, dash, zsh, fish, csh and tcsh read alike. It starts
/bin/sh, which reads what is to be done from its input: no word is too long, no character special.
Files travel the same way, so that a site without SFTP serves, and so that nothing holds a session
open beside the commands.
"""

import os
import posixpath
import re
import secrets
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from operators.cluster.errors import NeedsLogin, RemoteFileError, TransportError
from operators.cluster.reply import Frame, Reply
from operators.cluster.transports.transport import COMMAND_TIMEOUT_S, Transport

# No newline, no "!", no backslash, no quote inside the quotes: csh and fish would read them
# differently. dd reads no byte too many where the command's own input follows.
LOGIN_LINE = (
    '/bin/sh -c \'s=$({read}); case $s in ": {fence}"*": {fence}") eval "$s";; '
    "*) echo start-up files of the login shell read what is not theirs from standard input >&2; "
    "exit 97;; esac'"
)

MISSING = 44
CUT_SHORT = 45
# A draft is named only once all bytes are known to have arrived; one that failed is removed.
WRITE = f"""
export LC_ALL=C
if [ -d "$1" ]; then echo "$1 is a folder" >&2; exit 1; fi
mkdir -p -- "$2" || exit 1
trap 'rm -f -- "$3"' EXIT
trap 'exit 1' HUP INT TERM
cat > "$3" || exit 1
came=$(wc -c < "$3") || exit 1
if [ "$came" -ne "$4" ]; then echo "$((came)) of $4 bytes arrived" >&2; exit {CUT_SHORT}; fi
mv -f -- "$3" "$1"
"""
READ = f"""
export LC_ALL=C
[ -e "$1" ] || exit {MISSING}
[ -f "$1" ] || {{ echo "$1 is no file" >&2; exit 1; }}
if [ -n "$3" ]; then tail -c "+$2" -- "$1" | head -c "$3"; else exec tail -c "+$2" -- "$1"; fi
"""
LIST = f"""
[ -d "$1" ] || exit {MISSING}
exec find "$1/." -mindepth 1 -maxdepth 1 -printf "%f\\\\0"
"""
PASSING = re.compile(
    r"(?i)input/output error|stale (nfs )?file handle|not connected|connection (reset|timed out)"
    r"|transport endpoint|temporarily unavailable|interrupted system call"
)
"""What a filesystem says that is away for a moment."""
PASSWORD_WANTED = re.compile(r"(?i)password (has )?expired|password change required")


@dataclass(frozen=True, slots=True)
class Conversation:
    """One command on its way: what the login shell is told, what it is sent, what comes back."""

    name: str
    frame: Frame
    line: str
    stdin: bytes

    @classmethod
    def begin(
        cls, argv: Sequence[str], stdin: bytes = b"", umask: str | None = None
    ) -> "Conversation":
        """Frame a command; `umask`, such as "027", is what its files are made with."""
        frame, fence = Frame.new(), secrets.token_hex(8)
        settings = f"umask {umask}\n" if umask else ""
        text = f": {fence}\n{settings}{frame.script(argv)}\n: {fence}"
        sent = text.encode(errors="surrogateescape")
        read = f"dd bs=1 count={len(sent)} 2>/dev/null" if stdin else "cat"
        line = LOGIN_LINE.format(read=read, fence=fence)
        return cls(argv[0], frame, line, sent + stdin)

    def ended(self, out: bytearray, err: bytearray) -> bool:
        """Whether all was said on both streams, although something may still hold them open."""
        end = self.frame.end.encode()
        tails = (bytes(stream[-(len(end) + 200) :]) for stream in (out, err))
        return all(end in tail for tail in tails) and all(
            self.frame.ended(bytes(stream)) for stream in (out, err)
        )

    def answer(self, exit_code: int | None, out: bytes, err: bytes) -> "RawReply":
        """Take the frame away; exit_code is None where the connection was lost.

        Raises TransportError where there is no whole answer, NeedsLogin where the account must
        change its password first.
        """
        if exit_code is None and not self.frame.ended(out):
            raise TransportError(f"running '{self.name}': the connection was lost")
        try:
            content = self.frame.content(-1 if exit_code is None else exit_code, out, err)
            return RawReply(*content, noise=out.partition(self.frame.begin.encode())[0])
        except TransportError as error:
            if PASSWORD_WANTED.search((out + err).decode(errors="replace")):
                raise NeedsLogin(
                    f"the account wants a new password; log in by hand: {error}"
                ) from error
            raise type(error)(f"running '{self.name}': {error}") from None

    def late(self, waited_s: float) -> TransportError:
        """Say that there was no answer in time."""
        return TransportError(f"'{self.name}' did not answer within {waited_s:g} s")


@dataclass(frozen=True, slots=True)
class RawReply:
    """What a command answered, byte by byte."""

    exit_code: int
    stdout: bytes
    stderr: bytes
    noise: bytes = b""
    """What the login shell printed on stdout before the command's own output."""

    @property
    def text(self) -> Reply:
        """The same as text; what is no UTF-8 becomes a replacement character."""
        out, err = (stream.decode(errors="replace") for stream in (self.stdout, self.stderr))
        return Reply(self.exit_code, out, err)


class ShellTransport(Transport):
    """A transport that can run commands, and so can move files."""

    umask: str | None = None
    """What files are made with, such as "027"; None leaves it to the login."""

    @abstractmethod
    def exchange(self, conversation: Conversation, timeout_s: float) -> RawReply:
        """Say the line to the login shell, send the input, and bring the answer."""

    def run(
        self, argv: Sequence[str], timeout_s: float = COMMAND_TIMEOUT_S, stdin: bytes = b""
    ) -> Reply:
        """Run a command."""
        return self._exchange(argv, timeout_s, stdin).text

    def write(self, path: str, content: bytes) -> None:
        """Write atomically, and only what arrived whole."""
        folder, name = posixpath.split(path)
        draft = posixpath.join(folder, f".{name[:200]}.{secrets.token_hex(4)}")
        words = (path, folder or ".", draft, str(len(content)))
        self._files("writing", WRITE, words, content)

    def read(self, path: str, offset: int = 0, limit: int | None = None) -> bytes:
        """Read a file or a part of it."""
        most = "" if limit is None else str(limit)
        return self._files("reading", READ, (path, str(offset + 1), most))

    def exists(self, path: str) -> bool:
        """Whether it is there."""
        return self.run(("test", "-e", path)).ok

    def list(self, path: str) -> list[str]:
        """Names in a folder."""
        names = self._files("listing", LIST, (path,)).split(b"\0")
        return sorted(os.fsdecode(name) for name in names if name)

    def _files(self, doing: str, script: str, words: Sequence[str], stdin: bytes = b"") -> bytes:
        argv = ("sh", "-c", script, "files", *words)
        raw, path = self._exchange(argv, COMMAND_TIMEOUT_S, stdin), words[0]
        if raw.exit_code == MISSING:
            raise FileNotFoundError(path)
        if raw.exit_code:
            said = f"{doing} {path}: {raw.text.words}"
            passing = raw.exit_code == CUT_SHORT or PASSING.search(said)
            raise (TransportError if passing else RemoteFileError)(said)
        return raw.stdout

    def _exchange(self, argv: Sequence[str], timeout_s: float, stdin: bytes) -> RawReply:
        raw = self.exchange(Conversation.begin(argv, stdin, self.umask), timeout_s)
        self.noise = raw.noise.decode(errors="replace").strip()
        return raw
