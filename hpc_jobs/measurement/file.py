"""Measurement files: written atomically, read strictly, checked against the campaign."""

from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.errors import CorruptFile
from hpc_jobs.contract.examination import KNOWABLE, misnamed
from hpc_jobs.contract.measurement import MeasurementFields, MeasurementHeader
from hpc_jobs.contract.records import first_mistake, publish
from hpc_jobs.dataset import hdf5
from hpc_jobs.measurement.measured import Measurement, UnusableMeasurement
from hpc_jobs.measurement.plausible import physical_mistakes

__all__ = [
    "Measurement",
    "UnusableMeasurement",
    "foreign_fields",
    "physical_mistakes",
    "read_for",
    "read_measurement",
    "refuse_to_overwrite",
    "write_measurement",
]

NUMERICS = {
    "mesh",
    "steps_per_output",
    "time_limit_s",
    "outputs",
    "pieces",
    "warm_start",
}  # of a simulation, or of the specimens as they are
REMEDY = "write it with import-dic or import_measurement"

Values = NDArray[np.float64]


def write_measurement(path: Path, measurement: Measurement) -> None:
    """Publish a measurement file; raises UnusableMeasurement rather than write rubbish."""
    mistakes = physical_mistakes(measurement)
    if mistakes:
        raise UnusableMeasurement(measurement.name, mistakes)
    beside = {
        MeasurementFields.FORCES: measurement.forces,
        MeasurementFields.STRAIN_DEVIATION: measurement.strain_deviation,
        MeasurementFields.NOISE_CORRELATION: measurement.noise_correlation,
    }
    with publish(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs[MeasurementFields.HEADER] = measurement.header.model_dump_json()
        file[MeasurementFields.STRAINS] = measurement.strains
        for name, values in beside.items():
            if values is not None:
                file[name] = values
        if not measurement.complete:
            shape = measurement.header.specimens.strain_shape
            file[MeasurementFields.MASK] = measurement.mask.reshape(shape)[0].astype(np.uint8)


def refuse_to_overwrite(path: Path, *sources: Path, force: bool = False) -> None:
    """Raise UnusableMeasurement where a file would be lost that nobody asked to replace.

    A source is never replaced, a file that is there only with force.
    """
    for source in sources:
        if path.exists() and source.exists() and path.samefile(source):
            raise UnusableMeasurement(
                path.name, ["is the file to read as well as the one to write; name another .h5"]
            )
    if path.suffix not in (".h5", ".hdf5"):
        raise UnusableMeasurement(path.name, ["a measurement is an HDF5 file; name it NAME.h5"])
    if path.is_dir():
        raise UnusableMeasurement(path.name, ["is a folder; name a file in it, NAME.h5"])
    if path.exists() and not force:
        raise UnusableMeasurement(
            path.name, [f"is in {path.parent} already; choose another name, or say --force"]
        )


def read_measurement(path: Path) -> Measurement:
    """Read a measurement file and check it on its own; raises UnusableMeasurement."""
    try:
        with hdf5.opened(path, REMEDY) as file:
            measurement = _read(path, file)
    except CorruptFile as error:
        raise UnusableMeasurement(path.name, [_cause(path, str(error))]) from None
    mistakes = physical_mistakes(measurement)
    if mistakes:
        raise UnusableMeasurement(path.name, mistakes)
    return measurement


def _read(path: Path, file: h5py.File) -> Measurement:
    if MeasurementFields.HEADER not in file.attrs:
        raise UnusableMeasurement(
            path.name, [f"not a measurement file (it has no header); {REMEDY}"]
        )
    try:
        header = MeasurementHeader.model_validate_json(file.attrs[MeasurementFields.HEADER])
    except ValidationError as error:
        raise UnusableMeasurement(
            path.name, [f"not a measurement file ({first_mistake(error)}); {REMEDY}"]
        ) from None

    def column(name: str) -> Values | None:
        if name not in file:
            return None
        return np.asarray(hdf5.column(file, name, "fiu", REMEDY), dtype=np.float64)

    strains = column(MeasurementFields.STRAINS)
    if strains is None:
        raise UnusableMeasurement(
            path.name, [f"not a measurement file (it has no strains); {REMEDY}"]
        )
    return Measurement(
        header=header,
        strains=_masked(path, strains, column(MeasurementFields.MASK), header),
        forces=column(MeasurementFields.FORCES),
        strain_deviation=column(MeasurementFields.STRAIN_DEVIATION),
        noise_correlation=column(MeasurementFields.NOISE_CORRELATION),
    )


def _masked(path: Path, strains: Values, mask: Values | None, header: MeasurementHeader) -> Values:
    """NaN where the mask says that nothing was measured, whatever stands there."""
    shape = header.specimens.strain_shape
    if mask is None:
        gaps = int(np.isnan(strains).sum())
        if gaps:
            raise UnusableMeasurement(
                path.name, [f"{gaps} strains are not finite, and no mask says why; {REMEDY}"]
            )
        return strains
    if mask.size != np.prod(shape[1:]) or strains.size != np.prod(shape):
        raise UnusableMeasurement(
            path.name, [f"mask has shape {mask.shape}, expected {shape[1:]}; {REMEDY}"]
        )
    seen = np.broadcast_to(mask.reshape(shape[1:]) != 0, shape).ravel()
    return np.asarray(np.where(seen, strains, np.nan))


def _cause(path: Path, message: str) -> str:
    if not path.exists():
        return f"no such file in {path.parent}; stage it, or take it out of the campaign"
    return f"not a measurement file: {message.removeprefix(f'{path}: ')}"


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
    return _strange_names(header, campaign) + [
        f"{key} is {found}, campaign '{campaign.name}' simulates {expected}; "
        "use a campaign made for it, or measure again"
        for key, found, expected in pairs
        if found != expected
    ]


def _strange_names(header: MeasurementHeader, campaign: Campaign) -> list[str]:
    """Name what the header knows of things that a campaign's sheets and tests do not have."""
    labels = [test.label for test in campaign.specimens.tests]
    found = []
    for name in sorted(set(header.knowledge) - set(campaign.family.names)):
        if name.split("@")[0] not in KNOWABLE:
            found.append(
                f"knowledge.{name} is no coordinate of campaign '{campaign.name}', which has "
                f"{', '.join(campaign.family.names) or 'none: all is fixed'}; leave it out, or use "
                "a campaign whose family has it"
            )
        elif wrong := misnamed(name, labels):
            found.append(f"knowledge.{name}: {wrong}")
    found += [
        f"extensometer_mm.{label}: there is no specimen {label}; they are {', '.join(labels)}"
        for label in sorted(set(header.extensometer_mm) - set(labels))
    ]
    return found


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
