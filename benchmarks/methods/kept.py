"""Results that took long, kept in a folder under the name of all that they depend on."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpc_jobs.contract.records import publish

VERSION = 1
"""Of the methods: raised when one of them answers otherwise than before."""


@dataclass(frozen=True, slots=True)
class ResultCache:
    """A folder of results, so that a benchmark can be interrupted and continued."""

    folder: Path

    def find(self, facts: dict[str, Any]) -> dict[str, Any] | None:
        """Return what was made of the same facts before, if anything was."""
        path, _ = self._place(facts)
        if not path.exists():
            return None
        stored: dict[str, Any] = json.loads(path.read_text())["result"]
        return stored

    def get(self, facts: dict[str, Any], make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return what was made of the same facts before, or make it."""
        if (stored := self.find(facts)) is not None:
            return stored
        path, said = self._place(facts)
        result = make()
        with publish(path) as temporary:
            temporary.write_text(json.dumps({"facts": json.loads(said), "result": result}))
        return result

    def _place(self, facts: dict[str, Any]) -> tuple[Path, str]:
        said = json.dumps({"version": VERSION, **facts}, sort_keys=True)
        return self.folder / f"{hashlib.sha256(said.encode()).hexdigest()[:24]}.json", said
