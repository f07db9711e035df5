"""Where in the box simulations fail: counted by thirds of each axis, so its size is the box's."""

from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.facts import MOST_FAILED, THIRDS, FailedIn
from hpc_jobs.contract.layout import RunFolder, manifest_of
from hpc_jobs.contract.records import RecordStatus, ShardFields, read_manifest
from hpc_jobs.design.mechanical import axes, places_of

OK = RecordStatus.NAMES.index("ok")


def failures_by_third(run: RunFolder[Path], campaign: Campaign) -> FailedIn:
    """Count a run's failed records in the lowest, middle and highest third of each axis.

    Axes are the mechanical values and the family's coordinates that points are drawn over. Empty
    where nothing failed. Raises CorruptFile naming a shard's manifest that cannot be read.
    """
    parameters, sheets = list[NDArray[np.float64]](), list[NDArray[np.float64]]()
    for shard in sorted(run.root.glob("rounds/*/shards/*.h5")):
        if sum(map(len, parameters)) < MOST_FAILED and _has_failures(shard):
            found = _failed(shard)
            parameters.append(found[0])
            sheets.append(found[1])
    if not parameters:
        return {}
    chosen, sheet = np.vstack(parameters)[:MOST_FAILED], np.vstack(sheets)[:MOST_FAILED]
    places = places_of(campaign, chosen, sheet if sheet.shape[1] else None)
    thirds = np.clip((3 * places).astype(int), 0, 2)
    return {
        axis: {name: int((thirds[:, k] == third).sum()) for third, name in enumerate(THIRDS)}
        for k, axis in enumerate(axes(campaign))
    }


def _has_failures(shard: Path) -> bool:
    manifest = manifest_of(shard)
    if not manifest.exists():
        return False
    counts = read_manifest(manifest, "shard", verify=False).facts.get("by_status", {})
    return any(count for status, count in counts.items() if status != RecordStatus.NAMES[OK])


def _failed(shard: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Parameters (n, targets) and sheet (n, coordinates) of a shard's failed records."""
    with h5py.File(shard) as file:
        rows = np.flatnonzero(file[ShardFields.STATUS][...] != OK)
        parameters = np.asarray(file[ShardFields.PARAMETERS][rows], float)
        if ShardFields.SHEET not in file:
            return parameters, np.empty((len(rows), 0))
        return parameters, np.asarray(file[ShardFields.SHEET][rows], float)
