"""One specimen's frames, read once and in order: what each says, and nothing kept of its points."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.errors import BadInput
from hpc_jobs.contract.geometry import Patches
from hpc_jobs.contract.specimen import TensileTest
from hpc_jobs.measurement.centring import centred
from hpc_jobs.measurement.exported import Recognised, recognise, to_log
from hpc_jobs.measurement.extensometer import Extensometer, widest
from hpc_jobs.measurement.formats.fields import open_frames
from hpc_jobs.measurement.formats.frame import Facts, Frame, Source
from hpc_jobs.measurement.order import MOST_LEFT_OUT, counted, in_order
from hpc_jobs.measurement.placement import Placement, place, plane_axes, stretched_axis
from hpc_jobs.measurement.referred import referred
from hpc_jobs.measurement.series import SpecimenFiles, frames_of
from hpc_jobs.measurement.strain import PatchFit

Values = NDArray[np.float64]
Progress = Callable[[int, int], None]  # frames read, frames in all

CENTRED_BY = (0.6, 0.8)  # of the loaded frames, beside the last
TORN = 1.0  # strain between the lines that no sheet metal reaches, over half their distance
STILL = 0.03  # of the largest extension; an unloaded frame that is stretched more is loaded


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Watched:
    """What the frames of one specimen say, in its own axes."""

    test: TensileTest
    names: tuple[str, ...]  # of the frames
    places: Values  # (frames,) in the camera's count
    facts: Facts
    placement: Placement
    extensometer: Extensometer
    strains: Values  # (frames, 2, patches), NaN where missing; as against the reference picture
    extensions: Values  # (frames,) mm; NaN where a frame is broken, or of another moment
    shares: Values  # (frames, patches) of the points that belong there
    scatter: Values  # (frames,) mm, of displacements about the fits, median of the patches
    spread: Values  # (frames, 2, patches) of strains over that of a point's displacement, 1/mm
    kept: NDArray[np.int64]  # (frames,)
    lost: NDArray[np.int64]  # (frames,)
    times: Values | None  # (frames,) s, as the frames carry them
    forces: Values | None  # (frames,) N, as the frames carry them
    recognised: Recognised | None
    last_points: Values  # (n, 2) mm, valid in the last frame
    first_points: Values  # (n, 2) mm, valid in the reference frame
    rotation_deg: float  # rigid, of the last frame
    translation_mm: float
    notes: tuple[str, ...] = field(default=())


def watch(
    test: TensileTest,
    files: SpecimenFiles,
    folder: Path,
    patches: Patches,
    progress: Progress = lambda done, of: None,
) -> Watched:
    """Read the frames of a specimen; raises BadInput naming file and remedy."""
    source = _opened(files, folder)
    reference, last = source.read(0), source.read(len(source) - 1)
    fit = PatchFit(patches, files.smallest_share)
    placement = _placed(test, files, source, reference, last)
    if placement.margin_mm is not None:  # found at the edges
        placement = centred(placement, _loaded(source, files.unloaded_frames, last), fit)
    extensometer = widest([reference, last], placement, test.geometry)
    seen = _seen(source, files, placement, extensometer, fit)
    rows, notes = _rows(seen, progress)
    extensions = np.array([row.extension for row in rows])
    _check_still(rows, extensions, files.unloaded_frames, extensometer)
    names = tuple(row.name for row in rows)
    extensions, mixed = in_order(extensions, names, files.unloaded_frames)
    places, gaps = counted(names)
    rotation, translation = _rigid(last, placement)
    return Watched(
        test=test,
        names=names,
        places=places,
        facts=source.facts,
        placement=placement,
        extensometer=extensometer,
        strains=np.array([row.strains for row in rows]),
        extensions=extensions,
        shares=np.array([row.shares for row in rows]),
        scatter=np.array([row.scatter for row in rows]),
        spread=np.array([row.spread for row in rows]),
        kept=np.array([row.kept for row in rows]),
        lost=np.array([row.lost for row in rows]),
        times=_carried(rows, [row.time_s for row in rows]),
        forces=_carried(rows, [row.force_n for row in rows]),
        recognised=_recognised(source, last, plane_axes(reference.points)),
        last_points=placement.points(last),
        first_points=placement.points(reference),
        rotation_deg=rotation,
        translation_mm=translation,
        notes=(*source.facts.notes, *placement.notes, *notes, *mixed, *gaps),
    )


def _opened(files: SpecimenFiles, folder: Path) -> Source:
    """Open the frames; raises BadInput where they are too few for a test."""
    source = referred(open_frames(frames_of(folder, files.frames), files.format, files.columns))
    if len(source) < 3:
        raise BadInput(
            f"{files.frames}: {_counted(len(source))}; a test has a reference picture and two or "
            "more of the loaded specimen: name them all, as s0/*.csv"
        )
    if files.unloaded_frames >= len(source):
        raise BadInput(
            f"unloaded_frames is {files.unloaded_frames}, of {len(source)} frames; the loaded ones "
            "follow them"
        )
    return source


def _placed(
    test: TensileTest, files: SpecimenFiles, source: Source, reference: Frame, last: Frame
) -> Placement:
    """Find the specimen's axes in the reference picture."""
    scale = _scale(source.facts, files)
    plane, axis = plane_axes(reference.points), files.tensile_axis
    return place(
        reference,
        test.geometry,
        tensile_axis=stretched_axis(last, plane) if axis == "auto" else axis,
        plane=plane,
        scale=scale,
        mirrored=files.mirrored,
        origin=None if files.origin == "notch" else files.origin,
        angle_deg=files.axis_angle_deg,
    )


def _counted(frames: int) -> str:
    return "one frame" if frames == 1 else f"{frames} frames"


def _loaded(source: Source, unloaded: int, last: Frame) -> list[Frame]:
    """Return some frames of the loaded specimen, the last among them; the next for a broken one."""
    end, found = len(source) - 1, dict[int, Frame]()
    for share in CENTRED_BY:
        for number in range(unloaded + int(share * (end - unloaded)), end):
            if number in found:
                break
            with suppress(BadInput):
                found[number] = source.read(number)
                break
    return [*(found[number] for number in sorted(found)), last]


def _scale(facts: Facts, files: SpecimenFiles) -> float:
    """Millimetres per unit of the export; raises BadInput where nobody says."""
    given = files.scale_mm_per_pixel
    if facts.unit == "mm" and given is not None:
        raise BadInput(
            f"scale_mm_per_pixel is {given:g}, but {facts.tool} exported millimetres; leave it out"
        )
    if facts.unit != "mm" and given is None:
        what = "pixels" if facts.unit == "pixel" else "a unit that it does not name"
        raise BadInput(
            f"{files.frames}: {facts.tool} exported coordinates in {what}; give "
            "scale_mm_per_pixel (1 if they are millimetres)"
        )
    return given or 1.0


@dataclass(frozen=True, slots=True)
class _Row:
    name: str
    strains: Values
    extension: float
    shares: Values
    scatter: float
    spread: Values
    kept: int
    lost: int
    time_s: float | None
    force_n: float | None


@dataclass(frozen=True, slots=True)
class _Seen:
    source: Source
    files: SpecimenFiles
    placement: Placement
    extensometer: Extensometer
    fit: PatchFit


_seen = _Seen


def _rows(seen: _Seen, progress: Progress) -> tuple[list[_Row], list[str]]:
    """Read all frames; a broken one amid the loaded ones is left out, and noted.

    Raises BadInput where the reference, the last or many frames are broken.
    """
    count, rows, broken = len(seen.source), list[_Row](), list[str]()
    for number in range(count):
        try:
            rows.append(_row(seen, number, count, progress))
        except BadInput as error:
            broken.append(f"frame {number + 1} left out: {error}")
            amid = seen.files.unloaded_frames <= number < count - 1
            if not amid or len(broken) > max(1, MOST_LEFT_OUT * count):
                raise
            rows.append(_broken(rows[0], seen.source.name(number)))
    return rows, broken


def _broken(like: _Row, name: str) -> _Row:
    """Return a frame of which nothing is known, shaped like another."""
    return _Row(
        name=name,
        strains=np.full_like(like.strains, np.nan),
        extension=np.nan,
        shares=np.zeros_like(like.shares),
        scatter=np.nan,
        spread=np.full_like(like.spread, np.nan),
        kept=0,
        lost=0,
        time_s=None,
        force_n=None,
    )


def _row(seen: _Seen, number: int, frames: int, progress: Progress) -> _Row:
    frame = seen.source.read(number)
    found = seen.fit(frame, seen.placement)
    strains = found.average()[:2]
    if seen.files.strain != "displacements":
        strains = _as_exported(seen, frame, np.isfinite(strains))
    progress(number + 1, frames)
    scatter = found.scatter[np.isfinite(found.scatter)]
    return _Row(
        name=frame.name,
        strains=strains,
        extension=seen.extensometer.extension(frame, seen.placement),
        shares=found.share,
        scatter=float(np.median(scatter)) if len(scatter) else np.nan,
        spread=found.spread,
        kept=len(frame.points),
        lost=frame.lost,
        time_s=frame.time_s,
        force_n=frame.force_n,
    )


def _as_exported(seen: _Seen, frame: Frame, there: NDArray[np.bool_]) -> Values:
    """Averages of the exported strains over the patches, as ln U, (2, patches)."""
    if frame.strains is None:
        raise BadInput(
            f"{frame.name}: strain is '{seen.files.strain}', but no strains were exported; take "
            "them from displacements"
        )
    points = seen.placement.points(frame)
    log = seen.placement.strains(to_log(frame.strains, seen.files.strain))
    averages = np.full(there.shape, np.nan)
    for patch, centre in enumerate(seen.fit.centres):
        inside = (np.abs(points - centre) <= seen.fit.size / 2).all(axis=1)
        if there[0, patch]:
            averages[:, patch] = np.nanmean(log[inside, :2], axis=0)
    return averages


def _check_still(
    rows: list[_Row], extensions: Values, unloaded: int, extensometer: Extensometer
) -> None:
    """Unloaded frames do not stretch, and frames come in the order of the test."""
    largest = float(np.nanmax(extensions))
    if largest > TORN * extensometer.half_length_mm:
        raise BadInput(
            f"lines of the field {2 * extensometer.half_length_mm:g} mm apart move apart by "
            f"{largest:.4g} mm; are displacements in another unit than coordinates?"
        )
    if largest <= 0:
        raise BadInput(
            f"the specimen does not stretch along its axis (by {largest:.3g} mm at most); correct "
            "tensile_axis, or the order of the frames"
        )
    for number in range(unloaded):
        if abs(extensions[number] - extensions[0]) > STILL * largest:
            raise BadInput(
                f"{rows[number].name}: said to be unloaded, but stretched by "
                f"{extensions[number]:.3g} mm of {largest:.3g} mm; correct unloaded_frames"
            )
    if np.nanargmax(extensions) < 0.5 * len(extensions) and extensions[-1] < 0.5 * largest:
        raise BadInput(
            f"the specimen is stretched most in {rows[int(np.nanargmax(extensions))].name} and "
            "less to the end; are frames in reverse order, or is the unloading among them?"
        )


def _carried(rows: list[_Row], values: list[float | None]) -> Values | None:
    """Values (frames,) that each frame carries, interpolated at broken ones; None if any lacks."""
    whole = np.flatnonzero([row.kept > 0 for row in rows])
    known = [values[i] for i in whole]
    if not known or any(value is None for value in known):
        return None
    return np.interp(np.arange(len(rows)), whole, np.array(known, dtype=np.float64))


def _recognised(source: Source, last: Frame, plane: Values) -> Recognised | None:
    if last.strains is None:
        return None
    from hpc_jobs.measurement.placement import spacing_of

    return recognise(last, plane, spacing_of(last.points), source.facts.measure)


def _rigid(frame: Frame, placement: Placement) -> tuple[float, float]:
    """Rigid rotation in degrees, by polar decomposition, and translation in mm."""
    points, moved = placement.points(frame), placement.displacements(frame)
    basis = np.column_stack((np.ones(len(points)), points))
    fit = np.linalg.lstsq(basis, moved, rcond=None)[0]
    gradient = fit[1:].T[:2] + np.eye(2)
    left, _, right = np.linalg.svd(gradient)
    turn = left @ right
    angle = float(np.rad2deg(np.arctan2(turn[1, 0], turn[0, 0])))
    return angle, float(np.linalg.norm(fit[0]))
