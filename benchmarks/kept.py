"""What was measured so far, in a file: a run that was cut goes on where it was."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Kept:
    """Measurements by name; each is made once, and written down as soon as it is there."""

    def __init__(self, path: Path, minutes: float | None = None) -> None:
        """Read what is there; with minutes, begin no measurement after so many."""
        self.path = path
        self.found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        self._until = time.monotonic() + 60 * minutes if minutes else float("inf")

    def once(self, name: str, measure: Callable[[], Any]) -> Any:
        """Return what was measured under this name, now or before; exits when the time is over."""
        if name not in self.found:
            if time.monotonic() > self._until:
                sys.exit(f"the time is over before '{name}'; begin again to go on there")
            self.found[name] = measure()
            self.path.parent.mkdir(parents=True, exist_ok=True)
            draft = self.path.with_suffix(".draft")
            draft.write_text(json.dumps(self.found, indent=1) + "\n")
            draft.replace(self.path)
        return self.found[name]
