"""Where the specimen lies in the picture: its plane, its axis and the centre of its notch.

The correlation's points end some way inside the sheet, equally far along both edges. So the edges
of the valid points, bin by bin along the axis, are the geometry's half-width less a margin; centre,
angle and margin are fitted, robustly, since points are lost at the edges first. A stretched copy of
the geometry tells whether those edges are the notch's at all, and whether the scale is right.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.spatial import cKDTree

from hpc_jobs.contract.errors import BadInput
from hpc_jobs.contract.geometry import Geometry
from hpc_jobs.fem.specimen.mesh import half_width
from hpc_jobs.measurement.formats.frame import Frame

Values = NDArray[np.float64]

BIN = 2.5  # point spacings; each holds a few points of either edge
FEWEST_BINS = 10
FEWEST_IN_BIN = 4
LARGEST_ANGLE = np.deg2rad(8)
ROUGHEST = 1.5  # point spacings rms; edges that fit worse are not the notch's
SCALE_DOUBT = 0.1  # edges are ragged: a fitted size may differ so far from the drawn one
BLIND = 0.5  # mm; a centre known no better than that is not found


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Placement:
    """From the axes of the camera to those of the specimen, mm: x along it, y across."""

    origin: Values  # (2 or 3,) of the notch in the camera's axes, mm
    axes: Values  # (2 or 3, 2 or 3), rows: the specimen's x, y and, in space, its normal
    scale: float = 1.0  # mm per unit of the export
    spacing: float = 0.0  # mm between neighbouring points
    angle_deg: float = 0.0  # of the specimen's axis to the camera's
    angle_sd_deg: float = 0.0
    centre_sd_mm: float = 0.0  # along the axis
    across_sd_mm: float | None = None  # across it, where the field told its centre
    margin_mm: float | None = None  # from the sheet's edge to the last points
    fitted_scale: float | None = None  # by the shape of the edge; 1 as stated
    fitted_scale_sd: float | None = None
    notes: tuple[str, ...] = field(default=())

    def points(self, frame: Frame) -> Values:
        """Return reference positions in the specimen's axes, mm, (n, 2)."""
        placed = (self.scale * frame.points - self.origin) @ self.axes.T
        return np.asarray(placed[:, :2])

    def displacements(self, frame: Frame) -> Values:
        """Displacements in the specimen's axes, mm, (n, 2 or 3)."""
        return np.asarray(self.scale * frame.displacements @ self.axes.T)

    def strains(self, exported: Values) -> Values:
        """Turn exported tensors (n, 3) xx, yy, xy from the camera's axes into the specimen's."""
        x, y = self.axes[0, :2], self.axes[1, :2]
        xx, yy, xy = exported.T
        along = x[0] ** 2 * xx + x[1] ** 2 * yy + 2 * x[0] * x[1] * xy
        across = y[0] ** 2 * xx + y[1] ** 2 * yy + 2 * y[0] * y[1] * xy
        shear = x[0] * y[0] * xx + x[1] * y[1] * yy + (x[0] * y[1] + x[1] * y[0]) * xy
        return np.column_stack((along, across, shear))


def spacing_of(points: Values) -> float:
    """Median distance to the nearest neighbour, in the unit of the points (n, 2 or 3)."""
    some = points[:: max(1, len(points) // 2000)]
    distances, _ = cKDTree(points).query(some, k=2)
    return float(np.median(distances[:, 1]))


def plane_axes(points: Values) -> Values:
    """Axes of the plane through points (n, 3): rows near the camera's x and y, and the normal.

    Flat exports (n, 2) keep their axes.
    """
    if points.shape[1] == 2:
        return np.eye(2)
    centred = points - np.median(points, axis=0)
    for _ in range(2):  # once more without what stands out
        normal = np.linalg.svd(centred - centred.mean(axis=0), full_matrices=False)[2][2]
        height = np.abs((centred - centred.mean(axis=0)) @ normal)
        centred = centred[height <= 4 * np.median(height) + 1e-12]
    normal = normal if normal[2] > 0 else -normal
    first = np.array([1.0, 0.0, 0.0]) - normal[0] * normal
    first /= np.linalg.norm(first)
    return np.stack((first, np.cross(normal, first), normal))


def stretched_axis(frame: Frame, axes: Values) -> str:
    """Which axis of the plane stretches most from the reference to this frame: x or y.

    Raises BadInput where neither does.
    """
    points = (frame.points - frame.points.mean(axis=0)) @ axes.T
    moved = (frame.displacements - np.median(frame.displacements, axis=0)) @ axes.T
    good = np.linalg.norm(moved, axis=1) <= 10 * np.median(np.linalg.norm(moved, axis=1)) + 1e-12
    gradient = np.linalg.lstsq(points[good, :2], moved[good], rcond=None)[0].T[: axes.shape[0]]
    deformation = gradient + np.eye(len(axes))[:, :2]
    stretch = deformation.T @ deformation - np.eye(2)
    if max(stretch[0, 0], stretch[1, 1]) < 1e-4:
        raise BadInput(
            f"{frame.name}: nothing stretches along x or y up to this frame; give the frames of "
            "the loaded specimen, or say tensile_axis: x or y"
        )
    return "x" if stretch[0, 0] >= stretch[1, 1] else "y"


def place(
    reference: Frame,
    geometry: Geometry,
    *,
    tensile_axis: str,
    plane: Values,
    scale: float = 1.0,
    mirrored: bool = False,
    origin: tuple[float, float] | None = None,
    angle_deg: float | None = None,
) -> Placement:
    """Find the notch in the reference frame, or put it where it is said to be.

    Raises BadInput where the edges of the valid points are not those of the geometry.
    """
    rough = _rough(reference, plane, tensile_axis, mirrored, scale)
    points = rough.points(reference)
    spacing = spacing_of(points)
    if origin is not None:
        given = np.zeros(len(plane))
        given[:2] = origin
        centre = ((given - rough.origin) @ rough.axes.T)[:2]
        angle = np.deg2rad(angle_deg or 0.0)
        return _turned(rough, centre, angle, spacing=spacing, angle_deg=angle_deg or 0.0)
    if geometry.shape == "straight":
        raise BadInput(
            f"geometry '{geometry.name}' has no notch whose centre could be found; give origin: "
            "[x, y] in mm, and axis_angle_deg"
        )
    return _fitted(rough, points, geometry, spacing, angle_deg)


def _rough(
    reference: Frame, plane: Values, tensile_axis: str, mirrored: bool, scale: float
) -> Placement:
    """Plane and tensile axis right, centre and angle still to be found."""
    quarter = np.eye(len(plane))
    if tensile_axis == "y":  # x of the specimen is y of the camera; a turn, not a mirror
        quarter[:2, :2] = [[0, 1], [-1, 0]]
    if mirrored:
        quarter[1] *= -1
    origin = scale * np.median(reference.points, axis=0)
    return Placement(origin=origin, axes=quarter @ plane, scale=scale)


def _turned(rough: Placement, centre: Values, angle: float, **facts: object) -> Placement:
    """Shift by a centre (2,) in rough axes, then turn by an angle."""
    turn = np.eye(len(rough.axes))
    turn[:2, :2] = [[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]
    shift = np.zeros(len(rough.axes))
    shift[:2] = centre
    return Placement(
        origin=rough.origin + shift @ rough.axes,
        axes=turn @ rough.axes,
        scale=rough.scale,
        **facts,  # type: ignore[arg-type]
    )


def edges(points: Values, spacing: float, geometry: Geometry, middle: Values) -> list[Values]:
    """Outermost points of each bin along x, above and below, each (bins, 2).

    Outermost by the geometry about `middle` (x, y, angle): on a slope the highest point of a bin
    is the one at its end, not the one nearest to the edge.
    """
    x, y, angle = middle
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    placed = (points - [x, y]) @ turn
    number = np.floor(placed[:, 0] / (BIN * spacing)).astype(int)
    order = np.argsort(number, kind="stable")
    starts = np.flatnonzero(np.diff(number[order], prepend=number.min() - 1))
    inside = half_width(geometry, placed[:, 0])
    found: list[list[Values]] = [[], []]
    for start, stop in zip(starts, [*starts[1:], len(points)], strict=True):
        here = order[start:stop]
        if len(here) >= FEWEST_IN_BIN:
            for side, sign in enumerate((1, -1)):
                outermost = here[np.argmin(inside[here] - sign * placed[here, 1])]
                found[side].append(points[outermost])
    return [np.array(side).reshape(-1, 2) for side in found]


def _fitted(
    rough: Placement,
    points: Values,
    geometry: Geometry,
    spacing: float,
    angle_deg: float | None,
) -> Placement:
    """Fit centre, angle, margin and size to the edges, which are found anew with each fit."""
    middle = 0.0 if angle_deg is None else np.deg2rad(angle_deg)
    start = np.array([*_narrowest(points, spacing), middle, spacing, 1.0])
    turn = LARGEST_ANGLE if angle_deg is None else 1e-6
    low = np.array([-np.inf, -np.inf, middle - turn, -spacing, 0.5])
    high = np.array([np.inf, np.inf, middle + turn, np.inf, 2.0])
    for _ in range(3):
        outline = edges(points, spacing, geometry, start[:3])
        if len(outline[0]) < FEWEST_BINS:
            raise BadInput(
                f"{len(points)} valid points, {spacing:.3g} mm apart, show no edge of the notch; "
                "export a finer grid, or give origin: [x, y] in mm, and axis_angle_deg"
            )
        fit = least_squares(
            _misfit,
            start,
            bounds=(low, high),
            loss="soft_l1",
            f_scale=0.7,
            args=(outline, geometry, spacing),
        )
        start = fit.x
    return _judged(rough, fit, spacing, geometry, len(outline[0]))


def _misfit(unknown: Values, outline: list[Values], geometry: Geometry, spacing: float) -> Values:
    """Gaps between the edges and those of the geometry less a margin, in point spacings."""
    x, y, angle, margin, size = unknown
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    gaps = []
    for sign, edge in zip((1, -1), outline, strict=True):
        placed = (edge - [x, y]) @ turn
        along = placed[:, 0] / size
        slope = (half_width(geometry, along + 1e-4) - half_width(geometry, along - 1e-4)) / 2e-4
        normal = margin * np.sqrt(1 + slope**2)  # the margin is across the edge, not across x
        gaps.append(sign * placed[:, 1] - size * half_width(geometry, along) + normal)
    return np.concatenate((np.concatenate(gaps) / spacing, [(size - 1) / SCALE_PRIOR]))


SCALE_PRIOR = 0.3  # loosely 1, for notches whose curvature the field hardly shows


def _narrowest(points: Values, spacing: float) -> tuple[float, float]:
    """Return x of the least width, from a parabola through the widths, and the mean y there."""
    number = np.floor((points[:, 0] - points[:, 0].min()) / (BIN * spacing)).astype(int)
    size = number.max() + 1
    upper, lower = np.full(size, -np.inf), np.full(size, np.inf)
    np.maximum.at(upper, number, points[:, 1])
    np.minimum.at(lower, number, points[:, 1])
    x = points[:, 0].min() + (np.arange(size) + 0.5) * BIN * spacing
    full = np.bincount(number, minlength=size) >= FEWEST_IN_BIN
    x, upper, lower = x[full], upper[full], lower[full]
    if len(x) < FEWEST_BINS:
        return float(np.median(points[:, 0])), float(np.median(points[:, 1]))
    curvature, slope, _ = np.polyfit(x, upper - lower, 2)
    inside = -slope / (2 * curvature) if curvature > 0 else float(np.mean(x))
    return float(np.clip(inside, x.min(), x.max())), float(np.mean(upper + lower) / 2)


ALIKE = 2.0
"""Points are lost in clusters, most at the edges, so that neighbouring bins miss alike: axes of 90
filmed specimens were off by so many of the deviations that independent bins would have."""


def _judged(
    rough: Placement, fit: object, spacing: float, geometry: Geometry, bins: int
) -> Placement:
    unknown: Values = fit.x  # type: ignore[attr-defined]
    jacobian: Values = fit.jac  # type: ignore[attr-defined]
    gaps = fit.fun[:-1]  # type: ignore[attr-defined]
    roughness = float(1.4826 * np.median(np.abs(gaps - np.median(gaps))))
    size = float(np.sqrt(np.mean(np.clip(gaps, -3, 3) ** 2)))
    covariance = np.linalg.pinv(jacobian.T @ jacobian) * max(roughness, 0.1) ** 2
    x_sd, _, angle_sd, _, scale_sd = np.sqrt(np.diag(covariance))
    angle_sd *= ALIKE
    x, y, angle, margin, scale = unknown
    rectangle = scale > 1.5 or scale < 0.65
    if size > ROUGHEST or rectangle or x_sd > BLIND:
        raise BadInput(
            f"the valid points do not end along the notch of geometry '{geometry.name}' (misfit "
            f"{size:.2g} point spacings, size {scale:.2g} of the drawn one, centre +- "
            f"{x_sd:.2g} mm): is the correlated region a rectangle, is there background in it, is "
            "the scale right? Correlate up to the edges, or give origin: [x, y] in mm, and "
            "axis_angle_deg"
        )
    notes = [
        f"edges of the valid points: {bins} bins, {margin:.3g} mm inside a notch of "
        f"{geometry.notch_width_mm:g} mm"
    ]
    if abs(scale - 1) > max(SCALE_DOUBT, 3 * scale_sd):
        notes.append(
            f"the edge looks like a geometry {scale:.3f} +- {scale_sd:.3f} times the drawn one: is "
            "the scale right?"
        )
    return _turned(
        rough,
        np.array([x, y]),
        float(angle),
        spacing=spacing,
        angle_deg=float(np.rad2deg(angle)),
        angle_sd_deg=float(np.rad2deg(angle_sd)),
        centre_sd_mm=float(x_sd),
        margin_mm=float(margin),
        fitted_scale=float(scale),
        fitted_scale_sd=float(scale_sd),
        notes=tuple(notes),
    )
