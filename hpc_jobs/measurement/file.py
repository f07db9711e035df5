"""Measurement files: written atomically, read strictly, checked against the campaign."""

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.errors import ContractError
from hpc_jobs.contract.material import Material, initial_yield_stress
from hpc_jobs.contract.measurement import MeasurementFields, MeasurementHeader
from hpc_jobs.contract.records import publish
from hpc_jobs.contract.specimen import Specimens

LARGEST_STRAIN = 1.0  # a sheet necks long before; percent exceeds it at once
SMALLEST_STRAIN = 1e-3  # a notched specimen that never exceeds it stayed elastic
FORCE_RANGE = (0.05, 20.0)  # of notch area times initial yield stress: finds kN and mN
NUMERICS = {
    "mesh",
    "steps_per_output",
    "time_limit_s",
    "outputs",
    "pieces",
    "warm_start",
}  # of a simulation, or of the specimens as they are


class UnusableMeasurement(ContractError):
    """A measurement that must not be used; the message lists everything that is wrong."""

    def __init__(self, source: str, mistakes: list[str]):
        super().__init__("\n".join(f"{source}: {mistake}" for mistake in mistakes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """Numbers and header of one measurement; laid out like a record (contract.specimen)."""

    header: MeasurementHeader
    strains: NDArray[np.float64]  # (strain_values,), ln U in specimen axes
    forces: NDArray[np.float64] | None  # (force_values,) N

    @property
    def name(self) -> str:
        """The measurement's name."""
        return self.header.name


def write_measurement(path: Path, measurement: Measurement) -> None:
    """Publish a measurement file; raises UnusableMeasurement rather than write rubbish."""
    mistakes = physical_mistakes(measurement)
    if mistakes:
        raise UnusableMeasurement(measurement.name, mistakes)
    with publish(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs[MeasurementFields.HEADER] = measurement.header.model_dump_json()
        file[MeasurementFields.STRAINS] = measurement.strains
        if measurement.forces is not None:
            file[MeasurementFields.FORCES] = measurement.forces


def read_measurement(path: Path) -> Measurement:
    """Read a measurement file and check it on its own; raises UnusableMeasurement."""
    if not path.is_file():
        raise UnusableMeasurement(
            path.name, [f"no such file in {path.parent}; stage it, or take it out of the campaign"]
        )
    try:
        with h5py.File(path) as file:
            header = MeasurementHeader.model_validate_json(file.attrs[MeasurementFields.HEADER])
            strains = np.asarray(file[MeasurementFields.STRAINS], dtype=np.float64)
            forces = file.get(MeasurementFields.FORCES)
            forces = None if forces is None else np.asarray(forces, dtype=np.float64)
    except (OSError, KeyError, ValidationError) as error:
        first = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        raise UnusableMeasurement(
            path.name, [f"not a measurement file ({first}); write it with import_measurement"]
        ) from None
    measurement = Measurement(header=header, strains=strains, forces=forces)
    mistakes = physical_mistakes(measurement)
    if mistakes:
        raise UnusableMeasurement(path.name, mistakes)
    return measurement


def read_for(campaign: Campaign, path: Path) -> Measurement:
    """Read a measurement that this campaign's networks may be asked about.

    Raises UnusableMeasurement naming every field that differs from the campaign.
    """
    measurement = read_measurement(path)
    mistakes = foreign_fields(measurement.header, campaign)
    if measurement.name != path.stem:
        mistakes.append(f"holds the measurement '{measurement.name}'; rename the file")
    if mistakes:
        raise UnusableMeasurement(path.name, mistakes)
    return measurement


def foreign_fields(header: MeasurementHeader, campaign: Campaign) -> list[str]:
    """Name each way in which a measurement is not of the kind that a campaign simulates.

    Mesh and steps may differ: a virtual experiment should have finer ones.
    """
    pairs = _leaves(
        "specimens",
        header.specimens.model_dump(exclude=NUMERICS),
        campaign.specimens.model_dump(exclude=NUMERICS),
    )
    fixed = campaign.sheet.fixed
    if fixed is not None:
        found = header.material.model_dump() if header.material else None
        pairs += _leaves("material", found, fixed.model_dump())
    unknown = sorted(set(header.knowledge) - set(campaign.family.names))
    return [
        f"knowledge.{name} is no coordinate of campaign '{campaign.name}', which has "
        f"{', '.join(campaign.family.names) or 'none: all is fixed'}; leave it out, or use a "
        "campaign whose family has it"
        for name in unknown
    ] + [
        f"{key} is {found}, campaign '{campaign.name}' simulates {expected}; "
        "use a campaign made for it, or measure again"
        for key, found, expected in pairs
        if found != expected
    ]


def physical_mistakes(measurement: Measurement) -> list[str]:
    """Name what cannot be a tensile test: wrong sizes, gaps, units, signs."""
    specimens = measurement.header.specimens
    strains, forces = measurement.strains, measurement.forces
    mistakes = _size_mistakes("strains", strains, specimens.strain_values)
    if forces is not None:
        mistakes += _size_mistakes("forces", forces, specimens.force_values)
    if mistakes:
        return mistakes
    mistakes = _strain_mistakes(strains.reshape(specimens.strain_shape), specimens)
    material = measurement.header.material
    if forces is not None and material is not None:
        mistakes += _force_mistakes(forces, specimens, material)
    return mistakes


def _size_mistakes(name: str, values: NDArray[np.float64], expected: int) -> list[str]:
    if values.shape != (expected,):
        return [f"{name} has shape {values.shape}, its specimens need ({expected},); write it anew"]
    gaps = int(np.count_nonzero(~np.isfinite(values)))
    if gaps:
        return [f"{name} has {gaps} values that are not finite; fill or measure them again"]
    return []


def _strain_mistakes(strains: NDArray[np.float64], specimens: Specimens) -> list[str]:
    """Strains [component, specimen, patch, time]."""
    largest = float(np.abs(strains).max())
    if largest > LARGEST_STRAIN:
        return [
            f"the largest strain is {largest:.4g}, above {LARGEST_STRAIN:g}: this looks like "
            "percent or microstrain; give natural logarithmic strains (0.05, not 5)"
        ]
    if largest < SMALLEST_STRAIN:
        return [
            f"the largest strain is {largest:.4g}, below {SMALLEST_STRAIN:g}: the specimens stayed "
            "elastic, or the unit is wrong; give natural logarithmic strains (0.05, not 0.0005)"
        ]
    mistakes = []
    for i, test in enumerate(specimens.tests):
        axial, lateral = (float(np.median(strains[component, i, :, -1])) for component in (0, 1))
        if axial <= 0:
            mistakes.append(
                f"specimen {test.label}: the median exx at the last time is {axial:.4g}; x is the "
                "tensile axis and must stretch: are exx and eyy swapped, or the sign turned?"
            )
        elif lateral >= 0:
            mistakes.append(
                f"specimen {test.label}: the median eyy at the last time is {lateral:.4g}; the "
                "width must shrink: is it shear, or the sign turned?"
            )
    return mistakes


def _force_mistakes(
    forces: NDArray[np.float64], specimens: Specimens, material: Material
) -> list[str]:
    mistakes, stress = [], initial_yield_stress(material.hardening)
    for test, curve in zip(specimens.tests, forces.reshape(specimens.force_shape), strict=True):
        scale = test.geometry.notch_width_mm * test.geometry.thickness_mm * stress
        lowest, highest = (factor * scale for factor in FORCE_RANGE)
        if not lowest <= curve.max() <= highest:
            mistakes.append(
                f"specimen {test.label}: the largest force is {curve.max():.4g} N, expected "
                f"{lowest:.0f} to {highest:.0f} N for this notch and yield stress; give newtons, "
                "tension positive"
            )
    return mistakes


def _leaves(key: str, found: object, expected: object) -> list[tuple[str, object, object]]:
    """Pairs of values below a key of two nested mappings of the same model."""
    if isinstance(found, dict) and isinstance(expected, dict) and found.keys() == expected.keys():
        return [
            pair for name in found for pair in _leaves(f"{key}.{name}", found[name], expected[name])
        ]
    if isinstance(found, tuple) and isinstance(expected, tuple) and len(found) == len(expected):
        pairs = zip(found, expected, strict=True)
        if all(isinstance(value, dict) for value in (*found, *expected)):
            return [pair for i, (a, b) in enumerate(pairs) for pair in _leaves(f"{key}.{i}", a, b)]
    return [(key, found, expected)]
