"""A replayer as a process of its own, which may be told to die at the worst moment."""

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

from operators.hooks.mlflow import MlflowHook, TrackingUnavailable
from operators.tracking.chunk import OFFSET
from operators.tracking.replay import Replayer, is_unavailable


def follow(
    address: str, parent: str, id: str, file: Path, settings: Mapping[str, str], last_save: int = 0
) -> None:
    """Tail the spool until its run has ended, waiting while MLflow is away.

    settings: of MLflow's client, as environment variables. last_save: kill this process with
    everything logged, right before it saves its position that many times; 0: never.
    """
    os.environ.update(settings)
    if last_save:
        _die_at(last_save)

    def read(offset: int, limit: int) -> bytes:
        return file.read_bytes()[offset : offset + limit] if file.exists() else b""

    def fetch(path: str, limit: int) -> bytes:
        return (file.parents[1] / path).read_bytes()[:limit]

    while True:
        try:
            progress = Replayer(MlflowHook(address).require(), parent, fetch).replay(id, read)
            if progress and progress.ended:
                return
        except TrackingUnavailable:
            pass
        except Exception as error:
            if not is_unavailable(error):
                raise
        time.sleep(0.05)


def _die_at(save: int) -> None:
    from mlflow import MlflowClient

    real, saves = MlflowClient.set_tag, iter(range(1, save + 1))

    def set_tag(client: MlflowClient, run_id: str, key: str, value: Any) -> None:
        if key == OFFSET and next(saves) == save:
            os.kill(os.getpid(), signal.SIGKILL)
        real(client, run_id, key, value)

    patch.object(MlflowClient, "set_tag", set_tag).start()
