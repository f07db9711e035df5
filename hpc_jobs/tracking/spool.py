"""What a job wants to be remembered, written as lines; the control host replays them into MLflow.

One append-only JSONL file per MLflow run. Compute nodes often reach no network, and training must
not depend on a server being up. A line counts once it ends in a newline: the tail of a killed
writer is cut off when the next one continues the file, which no reader has counted yet.
"""

import json
import os
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from hpc_jobs.contract.answers import key_of
from hpc_jobs.contract.errors import HandedOver

EndStatus = Literal["FINISHED", "FAILED"]


class Spool:
    """Writer of one spool; a (key, step) counts once, so a resumed job may repeat itself.

    Parameters
    ----------
    path : the file, made with its folder if need be, continued if it exists
    name, tags : of the MLflow run; said once, when the file is new
    """

    def __init__(self, path: Path, *, name: str, tags: Mapping[str, str] | None = None) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        _cut_torn_tail(self._handle)
        if os.fstat(self._handle).st_size == 0:
            self._write({"kind": "run", "name": name, "tags": dict(tags or {})})

    def params(self, values: Mapping[str, Any]) -> None:
        """Note the settings of the run."""
        self._write({"kind": "params", "values": dict(values)})

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        """Note values at one step, with one time stamp; raises ValueError if one is not finite.

        Keys are names of a campaign's answers, as MLflow takes them.
        """
        now_ms = int(time.time() * 1000)
        self._write(
            *(
                {
                    "kind": "metric",
                    "key": key_of(key),
                    "value": value,
                    "step": step,
                    "time_ms": now_ms,
                }
                for key, value in values.items()
            )
        )

    def artifact(self, path: str, to: str) -> None:
        """Name a finished file, its path relative to the run folder, and its artifact folder."""
        self._write({"kind": "artifact", "path": path, "to": to})

    def tags(self, values: Mapping[str, str]) -> None:
        """Add or replace tags of the run."""
        self._write({"kind": "tags", "values": {key_of(key): values[key] for key in values}})

    def end(self, status: EndStatus) -> None:
        """Say how the run ended; a later line, of a job that tried again, reopens it."""
        self._write({"kind": "end", "status": status})
        if stat.S_ISREG(os.fstat(self._handle).st_mode):  # os.devnull refuses it
            os.fsync(self._handle)

    @contextmanager
    def ended(self) -> Iterator[None]:
        """End as the block does: FINISHED, or FAILED; what is handed over goes on in another job.

        A process that is killed says nothing; the control plane sees that its job is over.
        """
        try:
            yield
        except HandedOver:
            raise
        except Exception:
            self.end("FAILED")
            raise
        self.end("FINISHED")

    def close(self) -> None:
        """Close the file; what was written stays."""
        os.close(self._handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _write(self, *lines: Mapping[str, Any]) -> None:
        text = "".join(json.dumps(line, allow_nan=False) + "\n" for line in lines)
        os.write(self._handle, text.encode())  # one call: a reader sees whole batches


def _cut_torn_tail(handle: int) -> None:
    size = os.fstat(handle).st_size
    end, block = size, b""
    while end > 0 and b"\n" not in block:
        start = max(0, end - 65536)
        block = os.pread(handle, end - start, start)
        if b"\n" in block:
            end = start + block.rindex(b"\n") + 1
            break
        end = start
    if end < size:
        os.ftruncate(handle, end)
