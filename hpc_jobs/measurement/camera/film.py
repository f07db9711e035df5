"""A film of one specimen: points on the camera's grid and how they move, frame by frame.

Three systems of axes: the specimen's (x along it, y across, from the notch's centre), the
picture's in mm (rotated by the tilt), and, in `layouts`, that of a tool's file.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, uniform_filter

from hpc_jobs.contract.geometry import Geometry, Mesh
from hpc_jobs.fem.native.full_field import FullField
from hpc_jobs.fem.specimen.mesh import half_width, shape_functions
from hpc_jobs.fem.specimen.patches import locate
from hpc_jobs.measurement.camera.defects import Defects, Optics

EDGE_LOSS_MM = 1.0  # points are lost within this of an edge rather than elsewhere
CLUSTER_POINTS = 2.0  # size of the clusters in which points are lost

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Film:
    """What the camera found: a lattice of points, some of them on the specimen.

    positions and displacements in mm, in the picture's axes, x to the right, y up.
    """

    positions: FloatArray  # (rows, columns, 2)
    displacements: FloatArray  # (frames, rows, columns, 2); garbage where lost
    inside: BoolArray  # (rows, columns) on the specimen, a subset's half from its edge
    lost: BoolArray  # (frames, rows, columns); true beyond the specimen, too
    times_s: FloatArray  # (frames,) from the first picture, on the camera's clock
    forces_n: FloatArray  # (frames,) what the camera's analogue channel recorded
    optics: Optics

    @property
    def frames(self) -> int:
        """Number of frames, unloaded ones included."""
        return len(self.displacements)


def lattice(geometry: Geometry, optics: Optics, tilt: float) -> tuple[FloatArray, BoolArray]:
    """Positions (rows, columns, 2) in the picture, and which of them lie on the specimen."""
    spacing = optics.pixel_mm * optics.step_px
    counts = [int(size / spacing) // 2 for size in optics.view_mm]
    x, y = (spacing * np.arange(-count, count + 1) for count in counts)
    positions = np.stack(np.meshgrid(x, y), axis=-1)
    own = positions @ rotation(tilt)  # the inverse rotation, on rows
    margin = optics.pixel_mm * optics.subset_px / 2
    return positions, np.abs(own[..., 1]) <= half_width(geometry, own[..., 0]) - margin


def rotation(angle: float) -> FloatArray:
    """Turn columns (2,) by an angle, radians."""
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def film_specimen(
    field: FullField,
    geometry: Geometry,
    moments: NDArray[np.int64],
    forces_n: FloatArray,
    optics: Optics,
    defects: Defects,
    random: np.random.Generator,
) -> Film:
    """Film a specimen: frame i shows the field's moment `moments[i]`, -1 the unloaded one.

    The first frame is the reference; forces (frames,) are what the camera's analogue channel saw.
    """
    tilt = np.deg2rad(defects.tilt_deg) * random.uniform(-1, 1)
    positions, inside = lattice(geometry, optics, tilt)
    moved = _on_points(field, positions @ rotation(tilt)) @ rotation(tilt).T
    turns, shifts = _rigid_motion(len(moments), defects, random)
    lens = _Lens.of(optics, defects, random)
    still = moved[0] * 0
    pictures = []
    for moment, turn, shift in zip(moments, turns, shifts, strict=True):
        deformed = positions + (moved[moment] if moment >= 0 else still)
        pictures.append(lens(deformed @ rotation(turn).T + shift))
    seen = np.stack(pictures)
    found = seen - seen[0] + _noise(seen.shape, optics, defects, random)
    found[0] = 0.0
    lost = _lost(positions @ rotation(tilt), geometry, inside, len(moments), defects, random)
    times = np.arange(len(moments)) / defects.camera_hz
    return Film(
        positions=positions,
        displacements=found,
        inside=inside,
        lost=lost | ~inside,
        times_s=times,
        forces_n=forces_n,
        optics=optics,
    )


def _on_points(field: FullField, own: FloatArray) -> FloatArray:
    """Displacements (moments, rows, columns, 2) at positions in the specimen's axes.

    Beyond the specimen those of the nearest edge: nobody asks for them.
    """
    flat = own.reshape(-1, 2)
    elements, parent = locate(field.mesh, flat[:, 0], flat[:, 1])
    weights, _ = shape_functions(np.clip(parent, -1, 1))
    nodes = field.mesh.elements[elements]
    moved = np.einsum("pa,tpac->tpc", weights, field.displacements[:, nodes])
    return np.asarray(moved).reshape(len(moved), *own.shape)


def _rigid_motion(
    frames: int, defects: Defects, random: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Rotations (frames,), radians, and shifts (frames, 2), mm: smooth, from zero on."""
    share = np.linspace(0, 1, frames)
    ends = random.uniform(-1, 1, 3) * (
        np.deg2rad(defects.rotation_deg),
        defects.translation_mm,
        defects.translation_mm,
    )
    way = share + 0.15 * np.sin(2 * np.pi * share * random.uniform(0.5, 1.5))
    motion = way[:, None] / max(way.max(), 1.0) * ends
    return motion[:, 0], motion[:, 1:]


@dataclass(frozen=True, slots=True)
class _Lens:
    """Cubic radial distortion, and a tangential one half as large; corner_mm at the corner."""

    corner: float  # mm
    radial: float  # mm at the corner
    tangential: FloatArray  # (2,) mm at the corner

    @classmethod
    def of(cls, optics: Optics, defects: Defects, random: np.random.Generator) -> "_Lens":
        size = defects.distortion_px * optics.pixel_mm
        direction = random.uniform(0, 2 * np.pi)
        return cls(
            corner=float(np.hypot(*optics.view_mm)) / 2,
            radial=size * random.choice([-1.0, 1.0]) * 0.8,
            tangential=0.4 * size * np.array([np.cos(direction), np.sin(direction)]),
        )

    def __call__(self, positions: FloatArray) -> FloatArray:
        away = positions / self.corner
        square = (away**2).sum(-1, keepdims=True)
        return np.asarray(positions + self.radial * away * square + self.tangential * square)


def _noise(
    shape: tuple[int, ...], optics: Optics, defects: Defects, random: np.random.Generator
) -> FloatArray:
    """Noise of displacements, mm: subsets that overlap share it, the reference picture's is in all.

    A point's noise is the mean of white noise over its subset, so that its correlation falls with
    the share by which two subsets overlap.
    """
    if not defects.noise_px:
        return np.zeros(shape)
    size = max(1, round(optics.subset_px / optics.step_px))
    white = random.standard_normal(shape)
    smooth = size * uniform_filter(white, size=(1, size, size, 1), mode="wrap")
    return np.asarray(
        defects.noise_px * optics.pixel_mm * (smooth - smooth[0]) / np.sqrt(2), dtype=np.float64
    )


def _lost(
    own: FloatArray,
    geometry: Geometry,
    inside: BoolArray,
    frames: int,
    defects: Defects,
    random: np.random.Generator,
) -> BoolArray:
    """Which points are lost, (frames, rows, columns): most at the edges and in the last frames."""
    away = half_width(geometry, own[..., 0]) - np.abs(own[..., 1])
    edge = 4 * np.exp(-np.maximum(away, 0) / EDGE_LOSS_MM)
    lasting, passing = (
        gaussian_filter(
            random.standard_normal((count, *inside.shape)), (0, CLUSTER_POINTS, CLUSTER_POINTS)
        )
        for count in (1, frames)
    )
    score = edge + lasting / lasting.std() + 0.3 * passing / passing.std()
    shares = np.linspace(defects.lost_first, defects.lost_last, frames)
    lost = np.zeros((frames, *inside.shape), dtype=np.bool_)
    for frame, share in enumerate(shares):
        if share:
            lost[frame] = score[frame] > np.quantile(score[frame][inside], 1 - share)
    return lost


FILM_MESH = Mesh(along=96, across=48, grading=0.4)
"""Of which films are made: twice as fine as the production mesh."""
