"""A specimen beside the isotropic sheet that it is compared with, and its output times."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.errors import BadInput
from hpc_jobs.measurement.clocks import Joined
from hpc_jobs.measurement.frames import Watched
from hpc_jobs.measurement.isotropic import Curve, Expected
from hpc_jobs.measurement.machine_record import MachineRecord, times_in_curve
from hpc_jobs.measurement.resembling import resembling
from hpc_jobs.measurement.series import SpecimenFiles

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Scene:
    """A specimen beside the isotropic sheet that it is compared with."""

    expected: Expected
    curve: Curve
    joined: Joined | None
    half_length_mm: float
    travel_sd: float = 0.0  # because the sheet was chosen by its force
    notes: tuple[str, ...] = ()


def compared(
    expected: Expected,
    files: SpecimenFiles,
    watched: Watched,
    extensions: Values,
    record: MachineRecord | None,
) -> Scene:
    """Join the clocks by the campaign's sheet, or by the one of a family that is most alike."""
    half = watched.extensometer.half_length_mm
    if record is None or expected.campaign.sheet.fixed is not None:
        curve = expected.curve(half)
        joined = record.joined(files, extensions, curve) if record else None
        return Scene(expected=expected, curve=curve, joined=joined, half_length_mm=half)

    def forces(curve: Curve) -> Values:
        return record.zeroed(record.joined(files, extensions, curve, drifting=False), files)

    largest = float(np.ptp(record.force_n))
    like = resembling(expected, half, extensions, forces, largest)
    joined = record.joined(files, extensions, like.curve)
    return Scene(
        expected=like.expected,
        curve=like.curve,
        joined=joined,
        half_length_mm=half,
        travel_sd=like.travel_sd,
        notes=(str(like),),
    )


def output_times(
    scene: Scene, files: SpecimenFiles, extensions: Values, record: MachineRecord | None
) -> tuple[Values, list[str]]:
    """Displacements of the ends at the output times, (times,) mm, and what to say of them."""
    expected, specimens = scene.expected, scene.expected.campaign.specimens
    if specimens.timing is None:
        return np.array(expected.test.displacements_mm), []
    if record is None or scene.joined is None:
        raise BadInput(
            f"no force was measured, but campaign '{expected.campaign.name}' has specimens.timing: "
            "its output times are found in the force-displacement curve; give machine: {file: ...}"
        )
    return times_in_curve(
        record,
        scene.joined,
        files,
        scene.curve.displacement_at(extensions),
        expected.limit_mm,
        specimens.timing,
        specimens.output_times,
    )
