"""From a test series to a measurement: frames in, strains, forces and what is known of them out."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.errors import BadInput, ConfigurationError
from hpc_jobs.contract.examination import NuisancePriors
from hpc_jobs.contract.loading import parse
from hpc_jobs.contract.measurement import Known, MeasurementHeader
from hpc_jobs.contract.specimen import TensileTest
from hpc_jobs.contract.training import Noise as StatedNoise
from hpc_jobs.measurement.checks import check_copies, check_field
from hpc_jobs.measurement.clocks import Joined, join
from hpc_jobs.measurement.formats.machine import read_machine
from hpc_jobs.measurement.formats.text import layout_of, read_rows
from hpc_jobs.measurement.frames import Watched, watch
from hpc_jobs.measurement.isotropic import Curve, Expected
from hpc_jobs.measurement.measured import Measurement
from hpc_jobs.measurement.noise import Noise, correlation_of, noise_of
from hpc_jobs.measurement.outputs import (
    Forces,
    Moments,
    check_peak,
    find_moments,
    forces_at,
    strains_at,
)
from hpc_jobs.measurement.series import CameraClock, Series, SpecimenFiles

Values = NDArray[np.float64]
Progress = Callable[[str, int, int], None]  # specimen's label, frames read, frames in all

LEAST_CENTRE_MM = 0.03  # of a centre found at edges that are ragged by a point spacing
LEAST_FORCE_NOISE = 1e-3  # relative; the class of a good load cell
CLOCK_COLUMNS = ("time_0_0", "time_0", "time", "zeit", "t")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Imported:
    """One specimen, and everything that its picture shows."""

    label: str
    watched: Watched
    noise: Noise
    moments: Moments
    extensions: Values  # (frames,) mm between the lines, 0 where unloaded
    curve: Curve
    expected: Values  # (2, patches, times) of an isotropic sheet
    displacements: Values  # (times,) mm between the ends
    strains: Values  # (2, patches, times), NaN where missing
    deviation: Values  # (2, patches, times)
    forces: Forces | None
    joined: Joined | None
    travel_sd: float  # relative, of the ends' displacement as the field tells it
    knowledge: dict[str, Known]  # of its nuisances, as differences from the drawing
    notes: tuple[str, ...]


def import_series(
    series: Series,
    name: str,
    source_name: str,
    folder: Path,
    campaign: Campaign,
    progress: Progress = lambda label, done, of: None,
) -> tuple[Measurement, list[Imported]]:
    """Import all specimens of a campaign; frames are found relative to `folder`.

    Raises ConfigurationError for a wrong description, BadInput naming all specimens that cannot be
    imported, each with its reason.
    """
    _check_labels(series, campaign, source_name)
    if campaign.specimens.timing is not None:
        raise ConfigurationError(
            f"campaign '{campaign.name}': specimens.timing is from_yield, and output times are not "
            "yet found in a measured curve; import into a campaign whose times are even"
        )
    imported, mistakes = list[Imported](), list[str]()
    for test in campaign.specimens.tests:
        files = series.files_of(test.label, source_name)
        try:
            imported.append(import_specimen(test, files, folder, campaign, progress))
        except (BadInput, ConfigurationError) as error:
            mistakes.append(f"specimen {test.label}: {error}")
    if mistakes:
        raise BadInput("\n".join(mistakes))
    check_copies(
        [one.label for one in imported],
        [one.strains for one in imported],
        [one.forces.values if one.forces else None for one in imported],
    )
    return _measurement(series, name, campaign, imported), imported


def import_specimen(
    test: TensileTest,
    files: SpecimenFiles,
    folder: Path,
    campaign: Campaign,
    progress: Progress = lambda label, done, of: None,
) -> Imported:
    """Import one specimen; raises BadInput or ConfigurationError naming file and remedy."""
    patches, told = campaign.specimens.patches, f"specimen {test.label}"
    watched = watch(test, files, folder, patches, lambda done, of: progress(test.label, done, of))
    expected = Expected(campaign, test)
    curve = expected.curve(watched.extensometer.half_length_mm)
    noise = noise_of(watched.strains, files.unloaded_frames)
    extensions = watched.extensions - np.nanmean(watched.extensions[: files.unloaded_frames])
    count = campaign.specimens.output_times
    displacements = campaign.specimens.end_displacement_mm * np.arange(1, count + 1) / count
    wanted = curve.extension_at(displacements)
    moments = find_moments(extensions, wanted, displacements, told)
    strains, deviation = strains_at(watched, noise, moments)
    travel_sd = expected.spread(watched.extensometer.half_length_mm)
    knowledge = _knowledge(files, travel_sd, watched, campaign)
    forces, joined = _forces(files, folder, watched, extensions, moments, curve)
    if joined is not None:
        check_peak(extensions, joined.forces, wanted[-1], joined.scatter_n, curve, told)
    notes = _notes(watched, noise, joined, forces)
    notes += check_field(strains, expected.strains, patches, told)
    missing = int(np.isnan(strains[0]).sum())
    if missing:
        notes.append(f"{missing} of {strains[0].size} patch values are missing")
    return Imported(
        label=test.label,
        watched=watched,
        noise=noise,
        moments=moments,
        extensions=extensions,
        curve=curve,
        expected=expected.strains,
        displacements=displacements,
        strains=strains,
        deviation=deviation,
        forces=forces,
        joined=joined,
        travel_sd=travel_sd,
        knowledge=knowledge,
        notes=tuple(f"{told}: {note}" for note in notes),
    )


def _check_labels(series: Series, campaign: Campaign, source: str) -> None:
    labels = [test.label for test in campaign.specimens.tests]
    unknown = [label for label in series.specimens if label not in labels]
    missing = [label for label in labels if label not in series.specimens]
    if unknown or missing:
        parts = [f"specimens.{label} is not one of the campaign's" for label in unknown]
        parts += [f"specimens.{label} is missing" for label in missing]
        raise ConfigurationError(
            f"{source}: {'; '.join(parts)}; campaign '{campaign.name}' has {', '.join(labels)}"
        )


def _forces(
    files: SpecimenFiles,
    folder: Path,
    watched: Watched,
    extensions: Values,
    moments: Moments,
    curve: Curve,
) -> tuple[Forces | None, Joined | None]:
    """Force at the output times, from the machine's file or from the frames themselves."""
    thickness = files.measured.known("thickness_mm")
    share = thickness[0] / watched.test.geometry.thickness_mm if thickness else 1.0
    if files.machine is None:
        if watched.forces is None:
            return None, None
        own = watched.times
        times = own if own is not None else np.arange(len(extensions), dtype=np.float64)
        joined = Joined(watched.forces, 0.0, 0.0, np.nan, ("forces come with the frames",))
        machine_s, force = times, watched.forces
    else:
        times = _frame_times(files, folder, watched)
        machine = read_machine(_file(folder, files.machine.file), files.machine.columns)
        machine_s, force = machine.need("time", "force")
        force = _tension_positive(force)
        joined = join(times, extensions, machine_s, force, files.synchronisation, curve)
    forces = forces_at(
        times + joined.shift_s,
        moments,
        machine_s,
        force,
        files.unloaded_frames,
        scatter_n=joined.scatter_n,
        preload_n=files.preload_n,
        zero=files.zero_force,
        thickness_share=share,
    )
    return forces, joined


def _tension_positive(force: Values) -> Values:
    """Turn the sign of a machine that counts tension negative: its largest force pulls."""
    return -force if abs(force.min()) > 2 * abs(force.max()) else force


def _file(folder: Path, name: str) -> Path:
    return folder / name


def _frame_times(files: SpecimenFiles, folder: Path, watched: Watched) -> Values:
    """Camera times of the frames, s; raises BadInput where nothing says them."""
    frames = len(watched.names)
    if files.camera is not None and files.camera.rate_hz is not None:
        return np.arange(frames) / files.camera.rate_hz
    if files.camera is not None:
        return _logged(files.camera, folder, frames)
    if watched.times is not None:
        return watched.times
    raise BadInput(
        f"nothing says when the frames were taken, so forces cannot be joined: {files.frames} "
        "carries no time; give camera: {rate_hz: ...} or camera: {log: FILE}"
    )


def _logged(clock: CameraClock, folder: Path, frames: int) -> Values:
    path = _file(folder, clock.log or "")
    layout = layout_of(path)
    names = [column.name.lower() for column in layout.columns]
    wanted = [clock.column.lower()] if clock.column else list(CLOCK_COLUMNS)
    place = next((names.index(name) for name in wanted if name in names), None)
    if place is None:
        raise BadInput(
            f"{path}: no column of times ({', '.join(wanted)}); it has {', '.join(names)}; name it "
            "in camera.column"
        )
    rows, _ = read_rows(path, layout)
    if len(rows) != frames:
        raise BadInput(f"{path}: {len(rows)} rows for {frames} frames; give a row per frame")
    return np.asarray(rows[:, place])


def _knowledge(
    files: SpecimenFiles, travel_sd: float, watched: Watched, campaign: Campaign
) -> dict[str, Known]:
    """Collect what was measured on the specimen and in its pictures, by nuisance@specimen.

    Differences from the drawing. Forces are scaled to the nominal thickness, so its difference is
    0; what the field's lines tell of the ends' displacement is as sure as isotropic sheets agree.
    """
    test, place = watched.test, watched.placement
    drawn = {"notch_width_mm": test.geometry.notch_width_mm, "angle_deg": test.angle_deg}
    known = dict[str, Known]()
    for name, nominal in drawn.items():
        size = files.measured.known(name)
        if size is not None:
            known[name] = (size[0] - nominal, size[1])
    thickness = files.measured.known("thickness_mm")
    if thickness is not None:
        known["thickness_mm"] = (0.0, thickness[1])
    if place.margin_mm is not None:
        centre = max(place.centre_sd_mm, LEAST_CENTRE_MM)
        known |= {"patch_along_mm": (0.0, centre), "patch_across_mm": (0.0, LEAST_CENTRE_MM)}
    known["displacement_share"] = (0.0, travel_sd)
    label = test.label.replace(" ", "-")
    named = {f"{name}@{label}": value for name, value in known.items()}
    usable = {*campaign.family.names, *(f"{name}@{label}" for name in NuisancePriors.model_fields)}
    return {name: value for name, value in named.items() if name in usable}


def _notes(
    watched: Watched, noise: Noise, joined: Joined | None, forces: Forces | None
) -> list[str]:
    place, facts = watched.placement, watched.facts
    found = int(np.median(watched.kept)), int(np.median(watched.lost))
    notes = [
        f"{facts.tool}, {len(watched.names)} frames, {found[0]} points ({found[1]} lost), "
        f"{place.spacing:.3g} mm apart",
        f"axis turned by {place.angle_deg:+.2f} +- {place.angle_sd_deg:.2f} degrees, centre +- "
        f"{place.centre_sd_mm:.2f} mm; rigid motion up to the last frame "
        f"{watched.rotation_deg:+.2f} degrees, {watched.translation_mm:.2f} mm",
        f"lines of the field {2 * watched.extensometer.half_length_mm:g} mm apart",
    ]
    size = float(np.nanmedian(noise.deviation))
    notes.append(
        f"noise of a patch {size:.1e}, from {noise.frames} unloaded frames"
        if noise.measured
        else f"noise of a patch {size:.1e}, from its roughness in time: fewer than 4 unloaded "
        "frames were given"
    )
    if facts.unknown:
        notes.append(f"not read: {', '.join(facts.unknown)}")
    if watched.recognised:
        notes.append(str(watched.recognised))
    notes += watched.notes
    notes += joined.notes if joined else ("no force was measured",)
    return notes + list(forces.notes if forces else ())


def _measurement(
    series: Series, name: str, campaign: Campaign, imported: list[Imported]
) -> Measurement:
    specimens = campaign.specimens
    strains = np.stack([one.strains for one in imported], axis=1)
    deviation = np.stack([one.deviation for one in imported], axis=1)
    forces = [one.forces.values for one in imported if one.forces]
    if forces and len(forces) < len(imported):
        without = [one.label for one in imported if not one.forces]
        raise BadInput(
            f"specimens {', '.join(without)} have no force and others have; give forces of all "
            "specimens, or of none"
        )
    header = parse(
        MeasurementHeader,
        {
            "name": name,
            "source": series.source,
            "material": campaign.sheet.fixed and campaign.sheet.fixed.model_dump(),
            "specimens": specimens.model_dump(),
            "noise": _stated(campaign.noise, deviation, imported).model_dump(),
            "knowledge": _together(imported, campaign),
            "notes": [note for one in imported for note in one.notes],
        },
        source=name,
    )
    return Measurement(
        header=header,
        strains=strains.ravel(),
        forces=np.concatenate(forces) if forces else None,
        strain_deviation=np.where(np.isfinite(deviation), deviation, campaign.noise.strain).ravel(),
        noise_correlation=correlation_of([one.noise for one in imported], specimens.patches),
    )


def _together(imported: list[Imported], campaign: Campaign) -> dict[str, Known]:
    """Knowledge of all specimens; of what they share, the least certain one's."""
    known = {name: value for one in imported for name, value in one.knowledge.items()}
    known["compliance"] = (0.0, max(one.travel_sd for one in imported))
    return known


def _stated(usual: StatedNoise, deviation: Values, imported: list[Imported]) -> StatedNoise:
    """One number each for strains and forces, for who does not use the noise of each value."""
    strain = float(np.sqrt(np.nanmean(deviation**2)))
    known = [one.forces for one in imported if one.forces and np.isfinite(one.forces.noise_n)]
    relative = [force.noise_n / float(np.median(force.values)) for force in known]
    force = max(max(relative), LEAST_FORCE_NOISE) if relative else usual.force_relative
    return StatedNoise(strain=strain if np.isfinite(strain) else usual.strain, force_relative=force)
