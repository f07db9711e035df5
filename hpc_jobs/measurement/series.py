"""One test series as its test house describes it: a strict YAML file, an entry per specimen.

docs/measurement-format.md has an example per tool. `defaults` holds what all specimens share; an
entry of a specimen replaces it.
"""

import glob
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from hpc_jobs.contract.errors import ConfigurationError
from hpc_jobs.contract.frozen import Fraction, Plausible, Positive, Setting
from hpc_jobs.contract.loading import load, merge, parse
from hpc_jobs.measurement.formats.columns import FieldColumns
from hpc_jobs.measurement.formats.fields import natural
from hpc_jobs.measurement.formats.machine import MachineColumns

FieldFormat = Literal[
    "auto", "vic_3d", "vic_2d", "matchid", "dice", "aramis", "ncorr", "duodic", "matlab", "columns"
]
MachineFormat = Literal["auto", "zwick", "instron", "mts", "columns"]

CALLIPER = {"notch_width_mm": 0.02, "width_mm": 0.02, "thickness_mm": 0.005, "angle_deg": 1.0}
"""Standard deviations of what is given as a bare number: a calliper, a micrometer, a shear."""


def _with_deviation(given: Any) -> Any:
    """Read `10.02 +- .02`; a bare number keeps its place for the default of its kind."""
    if isinstance(given, str):
        match = re.fullmatch(r"\s*([-+.\de]+)\s*(?:\+-|\+/-|±)\s*([.\d]+(?:e[-+]?\d+)?)\s*", given)
        if not match:
            raise ValueError(f"'{given}' is no value with its deviation; write 10.02 +- 0.02")
        return {"value": match.group(1), "sd": match.group(2)}
    if isinstance(given, (int, float)) and not isinstance(given, bool):
        return {"value": given, "sd": -1}
    return given


class _Given(Setting):
    value: float
    sd: float


Given = Annotated[_Given, BeforeValidator(_with_deviation)]


class Sizes(Setting):
    """What was measured on this specimen: `10.02 +- 0.02`, or a bare number."""

    notch_width_mm: Given | None = None
    width_mm: Given | None = None
    thickness_mm: Given | None = None
    angle_deg: Given | None = None

    def known(self, name: str) -> tuple[float, float] | None:
        """Value and standard deviation of a size, None where nobody measured it."""
        given: _Given | None = getattr(self, name)
        if given is None:
            return None
        return given.value, CALLIPER[name] if given.sd < 0 else given.sd


class CameraClock(Setting):
    """When the frames were taken, if the export does not say: at a rate, or by a log."""

    rate_hz: Annotated[Positive, Plausible(1e-3, 1e6, "give pictures a second")] | None = None
    log: Annotated[
        str | None, Field(description="text file with a row per frame, such as VIC-Snap's")
    ] = None
    column: Annotated[
        str | None, Field(description="of the log; found by its name if left out")
    ] = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.rate_hz is None) == (self.log is None):
            raise ValueError("give either rate_hz or log: one of them says when frames were taken")
        return self


class Machine(Setting):
    """The testing machine's file."""

    file: str
    format: MachineFormat = "auto"
    columns: MachineColumns | None = None

    @model_validator(mode="after")
    def _columns_belong_together(self) -> Self:
        if (self.format == "columns") != (self.columns is not None):
            raise ValueError(
                "machine.format: columns and machine.columns belong together; give both"
            )
        return self


class Synchronisation(Setting):
    """How camera and machine came together."""

    method: Annotated[
        Literal["trigger", "common_clock", "force_against_strain"],
        Field(
            description="trigger: both begin at 0; common_clock: the same times; "
            "force_against_strain: the shift is found"
        ),
    ] = "force_against_strain"
    offset_s: Annotated[
        float,
        Plausible(-1e5, 1e5, "give seconds"),
        Field(description="machine time minus camera time, on top of what is found"),
    ] = 0.0
    largest_shift_s: Annotated[
        Positive,
        Plausible(0, 3600, "give seconds"),
        Field(description="searched this far around the rise of the force"),
    ] = 3.0


class SpecimenFiles(Setting):
    """Files of one specimen, and what a person knows of them."""

    frames: Annotated[str, Field(description="pattern such as s0/frame_*.csv, or one file")]
    format: FieldFormat = "auto"
    columns: FieldColumns | None = None
    tensile_axis: Annotated[
        Literal["auto", "x", "y"], Field(description="of the camera's axes; auto: what stretches")
    ] = "auto"
    mirrored: Annotated[
        bool, Field(description="seen from the side whose angles count the other way")
    ] = False
    scale_mm_per_pixel: (
        Annotated[Positive, Plausible(1e-4, 10, "give mm, of one pixel: .01 to .1")] | None
    ) = None
    origin: Annotated[
        Literal["notch"] | tuple[float, float],
        Field(description="centre of the notch: found, or a point in the camera's axes, mm, y up"),
    ] = "notch"
    axis_angle_deg: Annotated[
        float | None,
        Field(ge=-45, le=45, description="specimen to camera axis; found at the edges if left out"),
    ] = None
    unloaded_frames: Annotated[
        int,
        Field(ge=1, le=10_000, description="how many at the start, the reference picture included"),
    ] = 1
    strain: Annotated[
        Literal["displacements", "ln", "engineering", "green_lagrange", "almansi"],
        Field(description="from displacements, or the exported strains, which are of this measure"),
    ] = "displacements"
    camera: CameraClock | None = None
    machine: Machine | None = None
    synchronisation: Synchronisation = Synchronisation()
    preload_n: Annotated[float, Field(ge=0, le=1e6, description="borne in the unloaded frames")] = (
        0.0
    )
    zero_force: Annotated[
        bool, Field(description="take the force of the unloaded frames off: the cell's zero")
    ] = True
    measured: Sizes = Sizes()
    smallest_share: Annotated[
        Fraction, Field(gt=0, description="of a patch's points; with fewer it is missing")
    ] = 0.5

    @model_validator(mode="after")
    def _columns_belong_together(self) -> Self:
        if (self.format == "columns") != (self.columns is not None):
            raise ValueError("format: columns and the entry columns belong together; give both")
        return self


class Series(Setting):
    """A test series: where it comes from, and the files of each specimen by its label."""

    schema_version: Literal[1] = 1
    source: Annotated[str, Field(min_length=1, max_length=1500, description="who, what, when")]
    knowledge: Annotated[
        dict[str, Given],
        Field(
            description="coordinate of a family's sheet, such as youngs_modulus_mpa -> 206000 +- "
            "3000, or a bare number: exactly"
        ),
    ] = {}
    defaults: Annotated[dict[str, Any], Field(description="what all specimens share")] = {}
    specimens: Annotated[
        dict[str, dict[str, Any]],
        Field(min_length=1, description="label, such as its angle, -> its own entries"),
        BeforeValidator(lambda given: _labelled(given)),
    ]

    @property
    def known(self) -> dict[str, tuple[float, float]]:
        """Value and standard deviation of each coordinate that was told."""
        return {name: (one.value, max(one.sd, 0.0)) for name, one in self.knowledge.items()}

    def files_of(self, label: str, name: str) -> SpecimenFiles:
        """Entries of one specimen over the defaults; raises ConfigurationError."""
        document = merge(self.defaults, self.specimens[label])
        return parse(SpecimenFiles, document, source=f"{name}, specimen {label}")


def _labelled(given: Any) -> Any:
    """Labels as text: YAML reads 45 as a number."""
    if not isinstance(given, Mapping):
        return given
    named: dict[str, Any] = {}
    for key, value in given.items():
        label = f"{key:g}" if isinstance(key, (int, float)) else str(key)
        if label in named:
            raise ValueError(f"{key} is specimen {label}, which is there already; keep one of both")
        named[label] = value or {}
    return named


def load_series(path: Path) -> Series:
    """Read a series and check each specimen's entries; raises ConfigurationError."""
    series = load(Series, path)
    for label in series.specimens:
        series.files_of(label, path.name)
    return series


def frames_of(folder: Path, pattern: str) -> list[Path]:
    """Files of a pattern in their natural order; raises ConfigurationError if there are none."""
    found = [Path(name) for name in glob.glob(str(folder / pattern), recursive=True)]
    if not found:
        where = (folder / pattern).parent
        reason = "is no folder" if not where.is_dir() else f"holds {_listed(where)}"
        raise ConfigurationError(
            f"frames '{pattern}': no such file; {where} {reason}; correct the pattern"
        )
    files = [path for path in found if path.is_file()]
    if not files:
        raise ConfigurationError(
            f"frames '{pattern}' names a folder; name the files in it: {pattern.rstrip('/')}/*"
        )
    return sorted(files, key=natural)


def _listed(folder: Path) -> str:
    names = sorted((path for path in folder.iterdir()), key=natural)
    shown = ", ".join(path.name for path in names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown or "nothing"
