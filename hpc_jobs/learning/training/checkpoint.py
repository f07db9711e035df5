"""Checkpoints: whole or not there, the two newest kept, of this very training or not used."""

import logging
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from hpc_jobs.contract.records import publish
from hpc_jobs.learning.tensor_file import UnreadableTensors, safe_load

log = logging.getLogger(__name__)

KEPT = 2


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """The checkpoints of one training.

    identity names what is trained on what: a checkpoint of another network, setting or dataset
    is never resumed.
    """

    folder: Path
    identity: str

    def path(self, epoch: int, step: int) -> Path:
        """Where the checkpoint after `epoch` whole epochs and `step` steps of the next lies."""
        return self.folder / f"epoch-{epoch:06d}-step-{step:08d}.pt"

    def save(self, state: dict[str, Any], epoch: int, step: int) -> Path:
        """Publish a checkpoint and forget the oldest."""
        path = self.path(epoch, step)
        with publish(path) as temporary:
            torch.save({"identity": self.identity} | state, temporary)
        for old in self._newest_first()[KEPT:]:
            old.unlink()
        return path

    def latest(self) -> dict[str, Any] | None:
        """Load the newest checkpoint that can be read and is of this training."""
        for path in self._newest_first():
            try:
                state = safe_load(path)
            except (UnreadableTensors, OSError) as error:
                log.warning("%s cannot be read (%s); trying an older one", path.name, error)
                continue
            if isinstance(state, dict) and state.get("identity") == self.identity:
                return state
            log.warning("%s is of another training; left alone", path.name)
        return None

    def remove(self) -> None:
        """Forget them all, once the model itself is published."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _newest_first(self) -> list[Path]:
        return sorted(self.folder.glob("epoch-*.pt"), reverse=True)
