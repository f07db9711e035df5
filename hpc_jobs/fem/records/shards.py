"""Shards: the records of a stretch of a round's points, as one self-describing HDF5 file."""

import json
import logging
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.campaign import FrozenCampaign
from hpc_jobs.contract.errors import CorruptFile
from hpc_jobs.contract.layout import RunFolder, manifest_of
from hpc_jobs.contract.material import Material
from hpc_jobs.contract.records import (
    Manifest,
    RecordStatus,
    ShardFields,
    publish,
    publish_manifest,
    read_manifest,
)
from hpc_jobs.contract.specimen import Specimens
from hpc_jobs.fem.backends import Backend, backend_of, finds_output_times
from hpc_jobs.fem.record import Record, failed
from hpc_jobs.fem.records.parts import Parts
from hpc_jobs.fem.scout import with_output_times

log = logging.getLogger(__name__)
KIND = "shard"
FORMAT = ("v110", "v110")  # its metadata have checksums: damage is an error, not an endless loop
UNITS = {
    ShardFields.STRAINS: ("1", "[component x y, specimen, patch, output time], time fastest"),
    ShardFields.FORCES: ("N", "[specimen, output time], axial force"),
    ShardFields.PARAMETERS: ("1", "in the order of the file's attribute `targets`"),
    ShardFields.SHEET: ("see coordinates", "in the order of the file's attribute `coordinates`"),
    ShardFields.DISPLACEMENTS: (
        "mm",
        "[specimen, output time], end displacement as the machine counts it",
    ),
    ShardFields.STATUS: ("1", "index into the file's attribute `status_names`"),
    ShardFields.POINT: ("1", "row of the round's design"),
    ShardFields.MESH_LEVEL: ("1", "index into the file's attribute `meshes`"),
    ShardFields.WEIGHT: ("1", "density of the campaign's own law over that which drew the record"),
    ShardFields.IS_TEST: ("1", "whether the record is kept for tests"),
    ShardFields.REASON: ("1", "UTF-8, empty where the status is ok"),
    ShardFields.PLASTIC_STRAIN: ("1", "largest equivalent plastic strain reached anywhere"),
    ShardFields.THICKNESS: ("mm", "[specimen, patch, output time]"),
    ShardFields.PATCH_PLASTIC_STRAIN: (
        "1",
        "[specimen, patch, output time], equivalent plastic strain",
    ),
    ShardFields.ITERATIONS: ("1", "Newton iterations of all specimens"),
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Assignment:
    """Which points a shard holds."""

    round: int
    index: int
    parameters: NDArray[np.float64]  # (n, targets), in the order of Campaign.targets
    sheet: NDArray[np.float64]  # (n, coordinates), in the order of Campaign.family
    is_test: NDArray[np.bool_]
    point: NDArray[np.int64]
    level: NDArray[np.uint8]  # index into Campaign.levels: the mesh
    weight: NDArray[np.float64] | None = None  # importance weights; none: all are one


def solve_shard(
    run: RunFolder[Path],
    frozen: FrozenCampaign,
    work: Assignment,
    progress: Callable[[int, int], None],
) -> Manifest:
    """Solve and publish a shard, taking over what an interrupted attempt left behind.

    A verified shard is not solved again. The file's bytes depend on the campaign, the code and the
    points only, however often the work was interrupted.
    """
    path = run.shard(work.round, work.index)
    published = _published(path)
    if published:
        _tidy(path)
        return published
    campaign = frozen.campaign
    solver, backend = backend_of(campaign.solver)
    points = (work.parameters.tobytes() + work.sheet.tobytes() + work.level.tobytes()).hex()
    identity = f"{campaign.fingerprint} {frozen.code_sha256} {solver} {points}"
    total = len(work.point)
    parts = Parts(run.parts(work.round, work.index), identity, total, campaign.specimens)
    parts.load()
    progress(int(parts.solved.sum()), total)
    family, levels = campaign.family, campaign.levels
    for row in np.flatnonzero(~parts.solved):
        parameters = work.parameters[row, list(campaign.columns)]
        values = work.sheet[row].tolist()
        material = family.material_of(values)
        specimens = family.specimens_of(values, levels[work.level[row]])
        parts.add(int(row), _solved(backend, parameters, material, specimens))
        progress(int(parts.solved.sum()), total)
    with publish(path) as temporary:
        _write(temporary, _attributes(frozen, work, solver), work, parts)
    statuses = Counter(RecordStatus.NAMES[code] for code in parts.columns[ShardFields.STATUS])
    manifest = publish_manifest(
        manifest_of(path), KIND, [path], records=total, by_status=dict(sorted(statuses.items()))
    )
    _tidy(path)
    return manifest


def _solved(
    backend: Backend, parameters: NDArray[np.float64], material: Material, specimens: Specimens
) -> Record:
    """Solve one record at output times of its own, where the specimens ask for them."""
    if finds_output_times(backend):
        return backend.simulate(parameters, material, specimens)
    timed, reason = with_output_times(parameters, material, specimens)
    if reason:
        return failed("no_output_times", reason, specimens)
    return backend.simulate(parameters, material, timed)


def _tidy(path: Path) -> None:
    """Remove what this and interrupted attempts left: the parts, and drafts never published."""
    for left in path.parent.glob(f".{path.stem}.*"):
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def _published(path: Path) -> Manifest | None:
    if not manifest_of(path).exists():
        return None
    try:
        return read_manifest(manifest_of(path), KIND)
    except CorruptFile as error:
        log.warning("%s; it is solved again", error)
        return None


def _write(path: Path, attributes: dict[str, Any], work: Assignment, parts: Parts) -> None:
    with h5py.File(path, "w", libver=FORMAT, track_order=False) as file:
        file.attrs.update(attributes)
        columns: dict[str, NDArray[Any]] = {
            ShardFields.PARAMETERS: work.parameters,
            ShardFields.IS_TEST: work.is_test,
            ShardFields.POINT: work.point,
            ShardFields.MESH_LEVEL: work.level,
            **parts.columns,
        }
        if work.sheet.shape[1]:
            columns[ShardFields.SHEET] = work.sheet
        if work.weight is not None and (work.weight != 1).any():
            columns[ShardFields.WEIGHT] = work.weight
        for name, column in columns.items():
            dataset = file.create_dataset(name, data=column, track_times=False)
            dataset.attrs["unit"], dataset.attrs["layout"] = UNITS[name]


def _attributes(frozen: FrozenCampaign, work: Assignment, solver: str) -> dict[str, Any]:
    campaign, specimens = frozen.campaign, frozen.campaign.specimens
    return {
        "schema_version": 1,
        "kind": KIND,
        "round": work.round,
        "shard": work.index,
        "run_id": frozen.run_id,
        "campaign": campaign.name,
        "campaign_fingerprint": campaign.fingerprint,
        "code_sha256": frozen.code_sha256,
        "solver": solver,
        "provenance": campaign.provenance,
        "strain_measure": "ln U (Hencky strain), area average over the patch, undeformed area",
        "strain_axes": "specimen axes: x along the specimen, y across",
        "strain_shape": specimens.strain_shape,
        "angles_deg": [test.angle_deg for test in specimens.tests],
        "geometries": [test.geometry.name for test in specimens.tests],
        "output_displacements_mm": specimens.displacements_mm if specimens.is_timed else [],
        "meshes": json.dumps([level.mesh.model_dump() for level in campaign.levels]),
        "specimens": specimens.model_dump_json(),
        "material": campaign.sheet.model_dump_json(),
        "coordinates": json.dumps([asdict(one) for one in campaign.family.coordinates]),
        "targets": json.dumps(campaign.targets),
        "status_names": json.dumps(RecordStatus.NAMES),
    }
