"""Refused logins are not repeated blindly: sites lock out whoever knocks too often.

After a refusal the same credentials are kept back, longer each time, by every process of this
account on this host; with new ones, or when a person asks, the next try is made at once.
"""

import contextlib
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from operators.cluster.errors import NeedsLogin
from operators.cluster.transports.login import Login

FIRST_PAUSE_S = 60.0
LONGEST_PAUSE_S = 900.0
FORGOTTEN_S = 86400.0


def _own_folder() -> Path:
    return Path(tempfile.gettempdir()) / f"yieldloop-logins-{os.getuid()}"


@dataclass
class Refusals:
    """What is known of refused logins: a small file each, in a folder of this account's own."""

    folder: Path = field(default_factory=_own_folder)
    clock: Callable[[], float] = time.time

    def require_worth_trying(self, login: Login) -> None:
        """Raise NeedsLogin while the same credentials are kept back."""
        count, last, words = self._known(login)
        wait_s = last + _pause_s(count) - self.clock()
        if count and wait_s > 0:
            again = time.strftime("%H:%M:%S", time.localtime(last + _pause_s(count)))
            raise NeedsLogin(
                f"{login} was refused {count} times, lastly: {words}; not tried again before "
                f"{again}, lest the site lock the account out. New credentials are tried at once; "
                "so is everything once `python -m operators.cluster_check` succeeds"
            )

    def refused(self, login: Login, words: str) -> None:
        """Note a refusal."""
        count, _, _ = self._known(login)
        content = json.dumps({"count": count + 1, "last": self.clock(), "words": words[:300]})
        with contextlib.suppress(OSError):  # without a file, every process counts for itself
            self._require_folder()
            draft = self._file(login).with_suffix(f".{os.getpid()}")
            draft.write_text(content)
            draft.replace(self._file(login))

    def accepted(self, login: Login) -> None:
        """Forget what was noted."""
        with contextlib.suppress(OSError):
            self._file(login).unlink(missing_ok=True)

    def _known(self, login: Login) -> tuple[int, float, str]:
        """How often and when lastly, and the words; nothing after a day, or if the clock leapt."""
        try:
            self._require_folder()
            known = json.loads(self._file(login).read_text())
            count, last, words = int(known["count"]), float(known["last"]), str(known["words"])
        except (OSError, ValueError, KeyError, TypeError):
            return 0, 0.0, ""
        if not 0 <= self.clock() - last <= FORGOTTEN_S:
            return 0, 0.0, ""
        return count, last, words

    def _require_folder(self) -> None:
        """Make the folder; raise PermissionError for one that somebody else has laid out."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        status = self.folder.lstat()
        if status.st_uid != os.getuid() or status.st_mode & 0o077:
            raise PermissionError(self.folder)

    def _file(self, login: Login) -> Path:
        return self.folder / f"{hashlib.sha256(_identity(login).encode()).hexdigest()[:32]}.json"


def _pause_s(count: int) -> float:
    return float(min(FIRST_PAUSE_S * 2.0 ** (count - 1), LONGEST_PAUSE_S))


def _identity(login: Login) -> str:
    """Account, way and credentials; of a password only that there is one: it might be guessed."""
    parts = [str(login), login.host_key, login.private_key or "", str(bool(login.password))]
    for name in (login.key_file, login.certificate):
        parts.append(name or "")
        with contextlib.suppress(OSError, ValueError):
            parts.append(str(Path(name or "").expanduser().stat().st_mtime_ns))
    return "\n".join(parts + ([_identity(login.jump)] if login.jump else []))
