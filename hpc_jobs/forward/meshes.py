"""Records on other meshes than the campaign's own: they correct its surrogate, they do not mix in.

What a mesh does to strains and forces would else count as a property of the sheets that happened
to be simulated on it. The finest of design.mesh_shares, where it is finer than specimens.mesh, says
what the own mesh gets wrong.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.layout import RunFolder, manifest_of
from hpc_jobs.contract.records import RecordStatus, ShardFields, read_manifest
from hpc_jobs.forward.records import ForwardRecords

FEWEST = 12
"""Fine records from which a correction can be told."""
MOST = 2000
"""Fine records that are read: a correction is smooth."""
OK = RecordStatus.NAMES.index("ok")


@dataclass(frozen=True, slots=True, eq=False)
class OtherMeshes:
    """What a run has on other meshes."""

    seen: frozenset[bytes]  # of their targets, as a packed dataset holds them
    targets: int
    fine: ForwardRecords | None  # on a finer mesh; none where there are fewer than FEWEST
    sheets: NDArray[np.float64]  # (fine, coordinates) of a family, in the order of Campaign.family

    def among(self, parameters: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Which rows (n,) of packed parameters, the targets first, are on another mesh."""
        rows = (row.tobytes() in self.seen for row in parameters[:, : self.targets])
        return np.fromiter(rows, np.bool_, len(parameters))


def other_meshes(run: RunFolder[Path], campaign: Campaign) -> OtherMeshes:
    """Read a run's shards for records on other meshes than its own; raises CorruptFile."""
    if not campaign.design.mesh_shares:
        return OtherMeshes(frozenset(), len(campaign.targets), None, np.empty((0, 0)))
    finest, seen, parts = _finest(campaign), set[bytes](), list[ForwardRecords]()
    sheets = [np.empty((0, len(campaign.family.names)))]
    for path, level in _levels(run):
        with h5py.File(path) as file:
            parameters = file[ShardFields.PARAMETERS][...]
            seen |= {row.tobytes() for row in parameters[level > 0].astype(np.float32)}
            rows = np.flatnonzero((level == finest) & (file[ShardFields.STATUS][...] == OK))
            if finest and len(rows) and sum(map(len, parts)) < MOST:
                read_manifest(manifest_of(path), "shard")  # verified before it is believed
                strains, forces = (file[name][...][rows] for name in _OBSERVED)
                parts.append(ForwardRecords(parameters[rows], strains, forces))
                if ShardFields.SHEET in file:
                    sheets.append(file[ShardFields.SHEET][...][rows])
    fine = _joined(parts)
    return OtherMeshes(frozenset(seen), len(campaign.targets), fine, np.vstack(sheets))


_OBSERVED = (ShardFields.STRAINS, ShardFields.FORCES)


def _finest(campaign: Campaign) -> int:
    """Return the level of the finest mesh; 0 where that is the campaign's own."""
    elements = [one.mesh.along * one.mesh.across for one in campaign.levels]
    return int(np.argmax(elements))


def _levels(run: RunFolder[Path]) -> Iterator[tuple[Path, NDArray[np.uint8]]]:
    """Yield each whole shard that has other meshes' records, and its records' levels (n,)."""
    for path in sorted(run.root.glob("rounds/*/shards/*.h5")):
        if manifest_of(path).exists():
            with h5py.File(path) as file:
                if ShardFields.MESH_LEVEL not in file:  # an earlier version's
                    continue
                level = file[ShardFields.MESH_LEVEL][...]
            if level.any():
                yield path, level


def _joined(parts: list[ForwardRecords]) -> ForwardRecords | None:
    if sum(map(len, parts)) < FEWEST:
        return None
    columns = zip(*((one.parameters, one.strains, one.forces) for one in parts), strict=True)
    parameters, strains, forces = (np.concatenate(column) for column in columns)
    return ForwardRecords(parameters, strains, forces)
