"""What single files of a camera or a machine hold, before anybody describes a test series."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from hpc_jobs.contract.errors import BadInput, ContractError
from hpc_jobs.measurement.exported import recognise
from hpc_jobs.measurement.formats.fields import open_frames
from hpc_jobs.measurement.formats.frame import Source
from hpc_jobs.measurement.formats.machine import read_machine
from hpc_jobs.measurement.formats.text import layout_of
from hpc_jobs.measurement.placement import plane_axes, spacing_of

HEADINGS = ("file", "points kept", "lost", "strain measure", "scatter")
SAMPLE = 100  # points about which the scatter is taken
REACH = 3.2  # in point spacings; a square of 7 x 7 points
FEWEST = 20  # neighbours for the 6 coefficients of a quadric

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Held:
    """What one file holds: a row of the table, or the sentence that says why it holds nothing."""

    file: str
    kept: str = ""  # points in its last frame, or the channels of a machine
    lost: str = ""
    measure: str = ""
    scatter: str = ""  # of displacements about smooth pieces, with its unit
    refused: str = ""

    @property
    def cells(self) -> tuple[str, ...]:
        """Of the table."""
        if self.refused:
            return (self.file, "-", "-", "-", f"refused: {self.refused}")
        return (self.file, self.kept, self.lost, self.measure, self.scatter)


def held_by(path: Path) -> Held:
    """Read one file's last frame; a file that cannot be read is a row that says why."""
    try:
        source = open_frames([path])
    except ContractError as error:
        return _machine(path) or Held(path.name, refused=_unknown(path, error))
    try:
        return _field(path, source)
    except ContractError as error:
        return Held(path.name, refused=_reason(path, error))


def _unknown(path: Path, error: ContractError) -> str:
    """Say why a file is no field; of a plain tensile test, which tool reads it."""
    try:
        names = " ".join(column.name.lower() for column in layout_of(path).columns)
    except ContractError:
        names = ""
    if "stress" in names and "strain" in names:
        return (
            "stress and strain of a plain tensile test, no field; yieldloop tensile makes a "
            "hardening curve of it"
        )
    return _reason(path, error)


def as_table(rows: Iterable[Held]) -> str:
    """Return lines of cells separated by ` | `, under their headings."""
    cells = [HEADINGS, *(row.cells for row in rows)]
    return "\n".join(" | ".join(line) for line in cells)


def _field(path: Path, source: Source) -> Held:
    frame = source.read(len(source) - 1)
    if not len(frame.points):
        raise BadInput(f"no valid point in {frame.name}; all {frame.lost} are lost")
    axes, spacing = plane_axes(frame.points), spacing_of(frame.points)
    measure = "no strain exported"
    if frame.strains is not None:
        found = recognise(frame, axes, spacing, source.facts.measure)
        measure = str(found).removeprefix("exported strain: ")
    scatter = _scatter((frame.points @ axes.T)[:, :2], frame.displacements @ axes.T, spacing)
    unit = source.facts.unit or "units that it does not name"
    frames = f" in the last of {len(source)} frames" if len(source) > 1 else ""
    return Held(
        path.name,
        kept=f"{len(frame.points)} ({source.facts.tool}){frames}",
        lost=str(frame.lost),
        measure=measure,
        scatter=f"{scatter:.1e} {unit}" if np.isfinite(scatter) else f"too few points, {unit}",
    )


def _machine(path: Path) -> Held | None:
    """Return the channels of a machine's file, None where it is none."""
    try:
        machine = read_machine(path)
    except ContractError:
        return None
    if "force" not in machine.channels:
        return None
    channels = ", ".join(
        f"{name} {values.min():.4g} to {values.max():.4g}"
        for name, values in machine.channels.items()
    )
    rows = len(machine.channels["force"])
    return Held(path.name, f"{rows} rows of a machine", "-", f"{channels} (s, N, mm)", "-")


def _scatter(points: Values, moved: Values, spacing: float) -> float:
    """Deviation of displacements (n, 2 or 3) about quadrics of 7 x 7 points, in their unit."""
    tree, found = cKDTree(points), list[float]()
    for centre in points[:: max(1, len(points) // SAMPLE)]:
        near = tree.query_ball_point(centre, REACH * spacing, p=np.inf)
        if len(near) < FEWEST:
            continue
        a, b = ((points[near] - centre) / spacing).T
        basis = np.column_stack((np.ones(len(near)), a, b, a * a, a * b, b * b))
        left = moved[near, :2] - basis @ np.linalg.lstsq(basis, moved[near, :2], rcond=None)[0]
        found.append(float(np.sqrt((left**2).sum(axis=0) / (len(near) - basis.shape[1])).mean()))
    return float(np.median(found)) if found else float("nan")


def _reason(path: Path, error: ContractError) -> str:
    return " ".join(str(error).removeprefix(f"{path}: ").split())
