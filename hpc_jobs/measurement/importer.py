"""From a test series to a measurement: frames in, strains, forces and what is known of them out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.errors import BadInput, ConfigurationError
from hpc_jobs.contract.geometry import Patches
from hpc_jobs.contract.loading import parse
from hpc_jobs.contract.measurement import Known, MeasurementHeader
from hpc_jobs.contract.specimen import Piece, TensileTest
from hpc_jobs.contract.training import Noise as StatedNoise
from hpc_jobs.measurement.checks import check_copies, check_field
from hpc_jobs.measurement.clocks import Joined
from hpc_jobs.measurement.frames import Watched, watch
from hpc_jobs.measurement.isotropic import Curve, Expected
from hpc_jobs.measurement.knowledge import known_of_sheet, known_of_specimen, not_told
from hpc_jobs.measurement.machine_record import MachineRecord, machine_record
from hpc_jobs.measurement.measured import Measurement
from hpc_jobs.measurement.noise import Noise, correlation_of, noise_of
from hpc_jobs.measurement.outputs import (
    Forces,
    Moments,
    check_peak,
    find_moments,
    forces_at,
    shared_in_time,
    strains_at,
)
from hpc_jobs.measurement.scene import compared, output_times
from hpc_jobs.measurement.series import Series, SpecimenFiles
from hpc_jobs.measurement.strain import FEWEST_POINTS, PatchFit

Values = NDArray[np.float64]
Progress = Callable[[str, int, int], None]  # specimen's label, frames read, frames in all

MOST_MISSING = 0.6  # of a specimen's patch values; what is left would be the middle of the notch
TRIGGERED_MM = 5e-4  # by which forces are late at most where clocks are one
KNEE_MM = 3e-3  # by which a sheet yields sooner or later than the isotropic one that sets clocks
LINES_SD = 1.5e-3  # relative, of an end displacement told by the lines of the right sheet
LEAST_FORCE_NOISE = 1e-3  # relative; the class of a good load cell


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
    sheet = known_of_sheet(series.known, campaign, source_name)
    imported, mistakes = list[Imported](), dict[str, list[str]]()
    for test in campaign.specimens.tests:
        files = series.files_of(test.label, source_name)
        try:
            imported.append(import_specimen(test, files, folder, campaign, progress, sheet))
        except (BadInput, ConfigurationError) as error:
            reason = str(error).removeprefix(f"specimen {test.label}: ")
            mistakes.setdefault(reason, []).append(test.label)
    if mistakes:
        raise BadInput("\n".join(_of_specimens(*mistake) for mistake in mistakes.items()))
    check_copies(
        [one.label for one in imported],
        [one.strains for one in imported],
        [one.forces.values if one.forces else None for one in imported],
    )
    return _measurement(series, name, campaign, imported, sheet), imported


def _of_specimens(reason: str, labels: list[str]) -> str:
    """Say a reason once, however many specimens have it."""
    whose = "specimen" if len(labels) == 1 else "specimens"
    return f"{whose} {', '.join(labels)}: {reason}"


def import_specimen(
    test: TensileTest,
    files: SpecimenFiles,
    folder: Path,
    campaign: Campaign,
    progress: Progress = lambda label, done, of: None,
    sheet: Mapping[str, Known] | None = None,
) -> Imported:
    """Import one specimen; raises BadInput or ConfigurationError naming file and remedy.

    sheet is what is known of a family's sheet, by coordinate.
    """
    patches, told = campaign.specimens.patches, f"specimen {test.label}"
    watched = watch(test, files, folder, patches, lambda done, of: progress(test.label, done, of))
    noise = noise_of(watched.strains, files.unloaded_frames)
    extensions = watched.extensions - np.nanmean(watched.extensions[: files.unloaded_frames])
    record = machine_record(files, folder, watched)
    scene = compared(Expected(campaign, test, sheet or {}), files, watched, extensions, record)
    expected, curve, joined = scene.expected, scene.curve, scene.joined
    displacements, found = output_times(scene, files, extensions, record)
    wanted = curve.extension_at(displacements)
    moments = find_moments(extensions, wanted, displacements, told)
    strains, deviation = strains_at(watched, noise, moments)
    travel_sd = float(np.hypot(expected.spread(scene.half_length_mm), scene.travel_sd))
    knowledge = known_of_specimen(files, travel_sd, watched, campaign)
    if record is not None and joined is not None:
        knowledge |= _known_of_clocks(test, joined, moments.at(record.frame_s), displacements)
    forces = _forces(files, watched, moments, record, joined)
    if joined is not None:
        check_peak(extensions, joined.forces, wanted[-1], joined.scatter_n, curve, told)
    like = expected.strains(displacements)
    notes = [*_notes(watched, noise, joined, forces), *scene.notes, *found]
    notes += check_field(strains, like, patches, told)
    notes += _missing(strains, watched, patches)
    return Imported(
        label=test.label,
        watched=watched,
        noise=noise,
        moments=moments,
        extensions=extensions,
        curve=curve,
        expected=like,
        displacements=displacements,
        strains=strains,
        deviation=deviation,
        forces=forces,
        joined=joined,
        travel_sd=travel_sd,
        knowledge=knowledge,
        notes=tuple(f"{told}: {note}" for note in notes),
    )


def _known_of_clocks(
    test: TensileTest, joined: Joined, times_s: Values, displacements: Values
) -> dict[str, Known]:
    """Say how late forces may be read; times_s and displacements are of the output times."""
    label = test.label.replace(" ", "-")
    return {f"force_late_mm@{label}": (0.0, _late_sd(joined, times_s, displacements))}


def _missing(strains: Values, watched: Watched, patches: Patches) -> list[str]:
    """Note how many patch values are missing, if any; raises BadInput for too many."""
    missing, of = int(np.isnan(strains[0]).sum()), strains[0].size
    if missing > MOST_MISSING * of:
        size = " x ".join(f"{edge:g}" for edge in PatchFit(patches).size)
        raise BadInput(
            f"{missing} of {of} patch values are missing: points lie "
            f"{watched.placement.spacing:.3g} mm apart, and a patch of {size} mm needs "
            f"{FEWEST_POINTS} of them, in each of its quarters some; correlate with a smaller step "
            "and up to the edges, or use a campaign with larger patches"
        )
    return [f"{missing} of {of} patch values are missing"] if missing else []


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
    watched: Watched,
    moments: Moments,
    record: MachineRecord | None,
    joined: Joined | None,
) -> Forces | None:
    """Force at the output times, from the machine's file or from the frames themselves."""
    if record is None or joined is None:
        return None
    thickness = files.measured.known("thickness_mm")
    share = thickness[0] / watched.test.geometry.thickness_mm if thickness else 1.0
    return forces_at(
        joined.machine_time(record.frame_s),
        moments,
        record.machine_s,
        record.force_n,
        files.unloaded_frames,
        scatter_n=joined.scatter_n,
        preload_n=files.preload_n,
        zero=files.zero_force,
        thickness_share=share,
    )


def _late_sd(joined: Joined, times_s: Values, displacements: Values) -> float:
    """Displacement, mm, by which forces may be late: as far as the clocks' shift is not known."""
    if not joined.shift_sd_s or len(times_s) < 2:
        return TRIGGERED_MM
    speed = (displacements[-1] - displacements[0]) / max(times_s[-1] - times_s[0], 1e-9)
    return float(np.hypot(joined.shift_sd_s * speed, KNEE_MM))


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
    series: Series,
    name: str,
    campaign: Campaign,
    imported: list[Imported],
    sheet: Mapping[str, Known],
) -> Measurement:
    specimens = campaign.specimens
    if specimens.timing is not None:
        pieces = tuple(
            Piece(displacements_mm=tuple(one.displacements.tolist())) for one in imported
        )
        specimens = specimens.model_copy(update={"pieces": pieces})
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
            "knowledge": {**_together(imported, campaign), **sheet},
            "noise_shared": max(shared_in_time(one.noise, one.moments) for one in imported),
            "extensometer_mm": _lines(imported, campaign),
            "notes": [*not_told(sheet, campaign), *(n for one in imported for n in one.notes)],
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


def _lines(imported: list[Imported], campaign: Campaign) -> dict[str, float]:
    """Half the distance of each specimen's lines, where the sheet to compare with is known."""
    if campaign.sheet.fixed is None:
        return {}
    return {one.label: one.watched.extensometer.half_length_mm for one in imported}


def _together(imported: list[Imported], campaign: Campaign) -> dict[str, Known]:
    """Knowledge of all specimens; of what they share, the least certain one's."""
    known = {name: value for one in imported for name, value in one.knowledge.items()}
    travel_sd = max(one.travel_sd for one in imported)
    if campaign.sheet.fixed is not None:  # an examination draws each sheet by its own lines
        travel_sd = min(travel_sd, LINES_SD)
    known["compliance"] = (0.0, travel_sd)
    return known


def _stated(usual: StatedNoise, deviation: Values, imported: list[Imported]) -> StatedNoise:
    """One number each for strains and forces, for who does not use the noise of each value."""
    strain = float(np.sqrt(np.nanmean(deviation**2)))
    known = [one.forces for one in imported if one.forces and np.isfinite(one.forces.noise_n)]
    relative = [force.noise_n / float(np.median(force.values)) for force in known]
    force = max(max(relative), LEAST_FORCE_NOISE) if relative else usual.force_relative
    return StatedNoise(strain=strain if np.isfinite(strain) else usual.strain, force_relative=force)
