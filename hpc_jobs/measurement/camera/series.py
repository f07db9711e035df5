"""A whole test series of a sheet that is known: files, and what a test house knows of them.

    series = film_series(folder, sheet, campaign.specimens, layout="vic_3d", seed=3)
    series.told      # what a description file may say
    series.hidden    # what really was so, for a test to compare with

A specimen has a folder of its own, with frames and a machine's file.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.geometry import MESH_LEVELS, Geometry, Mesh, Patches
from hpc_jobs.contract.material import Material
from hpc_jobs.contract.specimen import Specimens, TensileTest
from hpc_jobs.fem.native.full_field import FullField, full_field
from hpc_jobs.measurement.camera.defects import REALISTIC, Defects, Optics
from hpc_jobs.measurement.camera.film import FILM_MESH, Film, film_specimen
from hpc_jobs.measurement.camera.layouts import LAYOUTS, vic
from hpc_jobs.measurement.camera.machine import SPEED_MM_PER_S, MachineLog, log_of, pull_of
from hpc_jobs.measurement.camera.machine_file import MACHINES
from hpc_jobs.measurement.camera.picture import TensileAxis, picture_of

CURVE_POINTS = 40  # of the force curve by which the machine's pull is timed
PULLED_ON = 0.03  # of the end displacement: who pulls sees no line of the field
TINY_MM = 1e-6  # elongations closer than this are the same moment

FloatArray = NDArray[np.float64]


class ImpossibleFilm(Exception):
    """The sheet cannot be pulled far enough for a film."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KnownSheet:
    """What the specimens are made of."""

    parameters: FloatArray  # in the order of material.parameters
    material: Material


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a test house knows of one specimen, and writes into the description file."""

    specimen: str  # label of contract.specimen.TensileTest
    folder: str
    frames: str  # glob of the files
    format: str
    machine: str  # file
    machine_format: str
    tensile_axis: TensileAxis
    pixel_mm: float | None  # scale, where the files are in pixels
    notch_width_mm: float  # by a calliper
    width_mm: float
    thickness_mm: float
    preload_n: float  # held in the unloaded frames
    unloaded_frames: int
    frames_per_s: float
    camera_log: str | None = None  # times and forces of the pictures, where there is one
    newtons_per_volt: float | None = None  # of that log's force channel


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hidden:
    """What nobody is told of one specimen."""

    geometry: Geometry  # as built
    angle_deg: float
    end_displacements_mm: FloatArray  # (frames,) of the specimen alone
    forces_n: FloatArray  # (frames,) true
    strains: FloatArray  # (2, patches, output times), as a record of the specimen as built has them
    output_forces_n: FloatArray  # (output times,)
    lost_share: float  # of all points


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Series:
    """The files of all specimens."""

    folder: Path
    told: tuple[Told, ...]
    hidden: tuple[Hidden, ...]


def film_series(
    folder: Path,
    sheet: KnownSheet,
    specimens: Specimens,
    *,
    layout: str,
    machine: str = "zwick_german",
    tensile_axis: TensileAxis = "y",
    defects: Defects = REALISTIC,
    optics: Optics | None = None,
    mesh: Mesh = FILM_MESH,
    seed: int = 0,
) -> Series:
    """Film all specimens and write their files below `folder`: see shoot_series, write_series."""
    shots = shoot_series(sheet, specimens, defects=defects, optics=optics, mesh=mesh, seed=seed)
    return write_series(folder, shots, layout=layout, machine=machine, tensile_axis=tensile_axis)


def shoot_series(
    sheet: KnownSheet,
    specimens: Specimens,
    *,
    defects: Defects = REALISTIC,
    optics: Optics | None = None,
    mesh: Mesh = FILM_MESH,
    seed: int = 0,
) -> tuple["Shot", ...]:
    """Cut, pull and film all specimens; the same seed, the same shots.

    Raises ImpossibleFilm for a sheet whose force falls before the specimens' end displacement.
    """
    shots = []
    for index, test in enumerate(specimens.tests):
        random = np.random.default_rng([seed, index])
        shots.append(shoot(sheet, specimens, test, defects, optics or Optics(), mesh, random))
    return tuple(shots)


def write_series(
    folder: Path,
    shots: Sequence["Shot"],
    *,
    layout: str,
    machine: str = "zwick_german",
    tensile_axis: TensileAxis = "y",
) -> Series:
    """Write the files of shots below `folder`, and return what goes with them.

    layout is a name of layouts.LAYOUTS, machine one of machine_file.MACHINES. Raises KeyError for
    others.
    """
    told = []
    for shot in shots:
        below = folder / f"specimen_{shot.test.label.replace(' ', '_')}"
        below.mkdir(parents=True, exist_ok=True)
        told.append(_write(below, shot, layout, machine, tensile_axis))
    hidden = tuple(shot.hidden for shot in shots)
    return Series(folder=folder, told=tuple(told), hidden=hidden)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shot:
    """One specimen, pulled and filmed, before any file."""

    film: Film
    log: MachineLog
    hidden: Hidden
    measured: Geometry  # by a calliper
    test: TensileTest  # as the campaign has it
    defects: Defects


def shoot(
    sheet: KnownSheet,
    specimens: Specimens,
    test: TensileTest,
    defects: Defects,
    optics: Optics,
    mesh: Mesh,
    random: np.random.Generator,
) -> Shot:
    """Cut, pull and film one specimen; raises ImpossibleFilm."""
    built, measured = _cut(test.geometry, defects, random)
    angle = test.angle_deg + defects.angle_deg * random.uniform(-1, 1)
    real = replace(test, geometry=built, angle_deg=angle)
    end = test.end_displacement_mm
    beyond = (1 + PULLED_ON) * end + 1.5 * SPEED_MM_PER_S / defects.camera_hz
    pull = pull_of(*_curve(sheet, real, specimens.patches, end, beyond), defects)
    times = np.arange(-optics.unloaded_frames, pull.times_s[-1] * defects.camera_hz)
    times = (times + random.uniform(0, 1)) / defects.camera_hz
    times = times[times <= pull.times_s[-1]]
    elongations, _, _ = pull.at(times)
    outputs = np.array(test.displacements_mm)
    knee = end * np.linspace(0.005, 0.08, 16)  # general yield, where the force turns
    wanted = np.concatenate([elongations[elongations > TINY_MM], outputs, knee])
    moments = _distinct(wanted)
    field = full_field(sheet.parameters, sheet.material, real, mesh, specimens.patches, moments)
    pull = pull.with_forces(field.end_displacements_mm, field.forces)
    _, forces, _ = pull.at(times)
    shown = np.searchsorted(moments, elongations - TINY_MM)
    shown[elongations <= TINY_MM] = -1
    cell = defects.force_noise * defects.force_range_n * random.standard_normal(len(times))
    film = film_specimen(field, built, shown, forces + cell, optics, defects, random)
    at = np.searchsorted(moments, outputs - TINY_MM)
    hidden = Hidden(
        geometry=built,
        angle_deg=angle,
        end_displacements_mm=elongations,
        forces_n=forces,
        strains=field.strains[:, :, at],
        output_forces_n=field.forces[at],
        lost_share=float(film.lost[:, film.inside].mean()),
    )
    return Shot(
        film=film,
        log=log_of(pull, defects, random),
        hidden=hidden,
        measured=measured,
        test=test,
        defects=defects,
    )


def _cut(
    nominal: Geometry, defects: Defects, random: np.random.Generator
) -> tuple[Geometry, Geometry]:
    """As built, and as measured by a calliper."""
    cut, read = random.standard_normal(2), random.standard_normal(2)
    notch = nominal.notch_width_mm + defects.notch_sd_mm * cut[0]
    thickness = nominal.thickness_mm + defects.thickness_sd_mm * cut[1]
    narrowest = {"notch_width_mm": float(min(notch, nominal.width_mm))}
    if nominal.shape == "straight":
        narrowest = {"notch_width_mm": notch, "width_mm": notch}
    built = nominal.model_copy(update={**narrowest, "thickness_mm": float(thickness)})
    told = {
        name: round(float(value) + float(defects.notch_calliper_mm * read[0]), 3)
        for name, value in narrowest.items()
    }
    told["thickness_mm"] = round(float(thickness + defects.thickness_calliper_mm * read[1]), 4)
    return built, built.model_copy(update=told)


def _curve(
    sheet: KnownSheet,
    test: TensileTest,
    patches: Patches,
    end: float,
    beyond: float,
) -> tuple[FloatArray, FloatArray]:
    """Elongations and forces (moments,) of a specimen, as far as it goes, on a common mesh.

    Good enough to time the machine by.
    """
    mesh = MESH_LEVELS["production"]
    grid = beyond * np.linspace(0, 1, CURVE_POINTS + 1)[1:] ** 1.5
    field: FullField = full_field(sheet.parameters, sheet.material, test, mesh, patches, grid)
    reached = field.end_displacements_mm
    if not reached.size or reached[-1] < end:
        raise ImpossibleFilm(
            f"specimen {test.label} ended with '{field.status}' after "
            f"{reached[-1] if reached.size else 0:.3g} of {end:g} mm; choose a smaller end "
            "displacement, or a sheet that hardens more"
        )
    return reached, field.forces


def _distinct(moments: FloatArray) -> FloatArray:
    """Sort, and keep one of those that are the same."""
    ordered = np.sort(moments)
    return ordered[np.diff(ordered, prepend=-1.0) > TINY_MM]


def _write(
    folder: Path,
    shot: Shot,
    layout: str,
    machine: str,
    tensile_axis: TensileAxis,
) -> Told:
    tool, defects = LAYOUTS[layout], shot.defects
    picture = picture_of(
        shot.film,
        tensile_axis=tensile_axis,
        y_down_pixels=tool.pixels,
        y_down=tool.y_down,
        measure=tool.measure,
        scale=defects.scale,
    )
    frames = tool.write(folder, picture)
    machine_format, write_machine = MACHINES[machine]
    snapped = (folder / vic.LOG).is_file()
    return Told(
        specimen=shot.test.label,
        folder=folder.name,
        frames=frames,
        format=tool.format,
        machine=write_machine(folder, shot.log),
        machine_format=machine_format,
        tensile_axis=tensile_axis,
        pixel_mm=shot.film.optics.pixel_mm * (1 + defects.scale) if tool.pixels else None,
        notch_width_mm=shot.measured.notch_width_mm,
        width_mm=shot.measured.width_mm,
        thickness_mm=shot.measured.thickness_mm,
        preload_n=defects.preload_n,
        unloaded_frames=shot.film.optics.unloaded_frames,
        frames_per_s=defects.camera_hz,
        camera_log=vic.LOG if snapped else None,
        newtons_per_volt=1 / vic.VOLTS_PER_N if snapped else None,
    )
