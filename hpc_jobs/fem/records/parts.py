"""Records of an unfinished shard, in small files that survive the process that solved them."""

import logging
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.records import RecordStatus, ShardFields, publish
from hpc_jobs.contract.specimen import Specimens
from hpc_jobs.fem.record import Record

log = logging.getLogger(__name__)

FIRST_INTERVAL_S = 1.0
LONGEST_INTERVAL_S = 10.0
REASON_BYTES = 200


class Parts:
    """All results of one shard, row by row; what was not yet solved is missing from `solved`.

    `identity` says what was to be solved: parts of anything else are ignored.
    """

    def __init__(self, folder: Path, identity: str, rows: int, specimens: Specimens) -> None:
        self.folder, self.identity = folder, identity
        self.solved = np.zeros(rows, dtype=np.bool_)
        self.columns: dict[str, NDArray[Any]] = {
            ShardFields.STRAINS: np.full((rows, specimens.strain_values), np.nan, np.float32),
            ShardFields.FORCES: np.full((rows, specimens.force_values), np.nan, np.float32),
            **(
                {ShardFields.DISPLACEMENTS: np.full((rows, specimens.force_values), np.nan)}
                if specimens.timing
                else {}
            ),
            ShardFields.STATUS: np.zeros(rows, np.uint8),
            ShardFields.REASON: np.zeros(rows, f"S{REASON_BYTES}"),
            ShardFields.PLASTIC_STRAIN: np.zeros(rows, np.float32),
            ShardFields.ITERATIONS: np.zeros(rows, np.int32),
            **{
                name: np.full((rows, specimens.output_values), np.nan, np.float32)
                for name in specimens.outputs
            },
        }
        self._unsaved: list[int] = []
        self._interval = FIRST_INTERVAL_S
        self._saved = time.monotonic()

    def load(self) -> None:
        """Take over what earlier processes published."""
        for path in sorted(self.folder.glob("part-*.npz")):
            try:
                with np.load(path, allow_pickle=False) as part:
                    if str(part["identity"]) != self.identity:
                        log.warning("%s belongs to another shard; ignored", path)
                        continue
                    rows = part["rows"]
                    for name, column in self.columns.items():
                        column[rows] = part[name]
                    self.solved[rows] = True
            except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
                log.warning("%s cannot be read (%s); its records are solved again", path, error)

    def add(self, row: int, record: Record) -> None:
        """Keep one record; published with others about every ten seconds, sooner at first."""
        values = {
            ShardFields.STRAINS: record.strains,
            ShardFields.FORCES: record.forces,
            ShardFields.STATUS: RecordStatus.NAMES.index(record.status),
            ShardFields.REASON: record.reason.encode()[:REASON_BYTES],
            ShardFields.PLASTIC_STRAIN: record.largest_plastic_strain,
            ShardFields.ITERATIONS: record.iterations,
            ShardFields.DISPLACEMENTS: record.displacements,
            **record.outputs,
        }
        for name, column in self.columns.items():
            column[row] = values[name]
        self.solved[row] = True
        self._unsaved.append(row)
        if time.monotonic() - self._saved > self._interval:
            self._save()

    def _save(self) -> None:
        rows = np.array(self._unsaved)
        path = self.folder / f"part-{rows[0]:07d}-{rows[-1]:07d}.npz"
        with publish(path) as temporary, temporary.open("wb") as file:
            columns = {name: column[rows] for name, column in self.columns.items()}
            np.savez(file, identity=self.identity, rows=rows, **columns)
        self._unsaved = []
        self._interval = min(2 * self._interval, LONGEST_INTERVAL_S)
        self._saved = time.monotonic()
