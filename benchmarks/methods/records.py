"""Records for the benchmarks: solved once, kept in a folder of their own, named by their contents.

    <cache>/<key>/<points>-<block>.npz      250 points of a Sobol stream or a factorial grid

The key is a hash of material, specimens and design, on which the strains depend. Blocks are solved
in parallel, published whole, and reused by whoever asks for fewer or more records.
"""

import hashlib
import json
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.records import publish
from hpc_jobs.design.mechanical import axes as axes_of
from hpc_jobs.design.mechanical import draw, in_box, parameters_of
from hpc_jobs.fem.backends import backend_of

BLOCK = 250
SPARE = 5  # points more than records, or one in a hundred: some sheets neck before the end


@dataclass(frozen=True, slots=True, eq=False)
class Records:
    """Solved records, in the order of their points; failed ones are left out."""

    parameters: NDArray[np.float64]  # (n, targets), in the order of Campaign.targets
    strains: NDArray[np.float32]  # (n, strain_values)
    forces: NDArray[np.float32]  # (n, force_values), N
    by_status: Counter[str]

    def __len__(self) -> int:
        return len(self.parameters)

    def first(self, count: int) -> "Records":
        """Return the first so many."""
        return Records(
            self.parameters[:count], self.strains[:count], self.forces[:count], self.by_status
        )

    def repeated(self, count: int) -> "Records":
        """Return so many, the same ones again and again."""
        rows = np.resize(np.arange(len(self)), count)
        columns = self.parameters[rows], self.strains[rows], self.forces[rows]
        return Records(*columns, self.by_status)

    def rows(self, chosen: NDArray[np.int64]) -> "Records":
        """Return the chosen ones, in that order."""
        return Records(
            self.parameters[chosen], self.strains[chosen], self.forces[chosen], self.by_status
        )

    @property
    def sha256(self) -> str:
        """Of parameters, strains and forces."""
        digest = hashlib.sha256()
        for values in (self.parameters, self.strains, self.forces):
            digest.update(np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()


def sobol_records(
    cache: Path, campaign: Campaign, stream: int, count: int, workers: int = 2
) -> Records:
    """Return the first `count` good records of a stream, solving what is new."""
    points = _points(cache / _key(campaign), campaign, stream, count + max(count // 100, SPARE))
    return records_of(cache, campaign, f"sobol{stream}", points, workers).first(count)


def factorial_records(cache: Path, campaign: Campaign, levels: int, workers: int = 2) -> Records:
    """Return the records of all materials of a factorial grid over the mechanical box."""
    axes = np.meshgrid(*[np.linspace(0, 1, levels)] * len(axes_of(campaign)), indexing="ij")
    unit = np.stack([axis.ravel() for axis in axes], axis=1)
    parameters, reasons = parameters_of(campaign, in_box(campaign, unit))
    points = parameters[[not reason for reason in reasons]]
    return records_of(cache, campaign, f"grid{levels}", points, workers)


def records_of(
    cache: Path, campaign: Campaign, name: str, points: NDArray[np.float64], workers: int
) -> Records:
    """Solve points (n, targets), in parallel, as far as they are not in the cache."""
    folder = cache / _key(campaign)
    jobs = [
        (folder / f"{name}-{start // BLOCK:05d}.npz", points[start : start + BLOCK], campaign)
        for start in range(0, len(points), BLOCK)
    ]
    missing = [job for job in jobs if _stored(*job[:2]) is None]
    if missing:
        with get_context("spawn").Pool(min(workers, len(missing))) as pool:
            for _ in pool.imap_unordered(_solve, missing, chunksize=1):
                pass
    return _join(block for job in jobs if (block := _stored(*job[:2])) is not None)


def _key(campaign: Campaign) -> str:
    said = [
        campaign.material.model_dump_json(),
        campaign.specimens.model_dump_json(),
        campaign.design.box.model_dump_json(),
        json.dumps([campaign.design.seed, list(campaign.targets.items())]),
    ]
    return f"{campaign.name}-{hashlib.sha256(json.dumps(said).encode()).hexdigest()[:12]}"


def _points(folder: Path, campaign: Campaign, stream: int, count: int) -> NDArray[np.float64]:
    """First accepted points (count, targets) of a stream; drawing many takes a minute."""
    path = folder / f"sobol{stream}.npy"
    points = np.load(path) if path.exists() else np.empty((0, len(campaign.targets)))
    if len(points) < count:
        points = draw(campaign, stream, 0, count).parameters
        with publish(path) as temporary, temporary.open("wb") as file:
            np.save(file, points)
    return np.asarray(points[:count])


def _stored(path: Path, points: NDArray[np.float64]) -> Records | None:
    """Return the block's records of these points; None if it lacks some of them."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            if not np.array_equal(stored["points"][: len(points)], points):
                return None
            good = stored["status"][: len(points)] == "ok"
            return Records(
                points[good],
                stored["strains"][: len(points)][good],
                stored["forces"][: len(points)][good],
                Counter(stored["status"][: len(points)].tolist()),
            )
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        return None


def _solve(job: tuple[Path, NDArray[np.float64], Campaign]) -> None:
    path, points, campaign = job
    _, backend = backend_of(campaign.solver)
    records = [
        backend.simulate(row[list(campaign.columns)], campaign.material, campaign.specimens)
        for row in points
    ]
    with publish(path) as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            points=points,
            strains=np.array([record.strains for record in records], np.float32),
            forces=np.array([record.forces for record in records], np.float32),
            status=np.array([record.status for record in records]),
        )


def _join(blocks: Iterator[Records]) -> Records:
    found = list(blocks)
    return Records(
        np.concatenate([block.parameters for block in found]),
        np.concatenate([block.strains for block in found]),
        np.concatenate([block.forces for block in found]),
        sum((block.by_status for block in found), Counter[str]()),
    )
