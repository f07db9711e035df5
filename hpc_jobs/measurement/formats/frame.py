"""What every tool's export becomes: frames of points with their displacements."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Unit = Literal["mm", "pixel", ""]
Measure = Literal["", "ln", "engineering", "green_lagrange", "almansi"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Frame:
    """One picture: the points that the correlation found, in the axes of the camera, y up.

    Flat exports have two coordinates, stereo ones three. Points are those of the reference
    picture, where the sheet is undeformed.
    """

    name: str  # as a person finds it: a file, or a number in one
    points: Values  # (n, 2 or 3) mm or pixels
    displacements: Values  # (n, 2 or 3), as the points
    weights: Values  # (n,) above 0; the tool's confidence, 1 if it says none
    lost: int  # points of the export that are not among these
    strains: Values | None = None  # (n, 3) xx, yy, xy as exported, in units of 1 if it says so
    time_s: float | None = None
    force_n: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a series of frames says of itself."""

    tool: str
    unit: Unit  # of coordinates and displacements; "" where nothing says it
    measure: Measure = ""  # of the exported strains, where the file says it
    strain_unit: str = ""  # "%", "1" or nothing said
    unknown: tuple[str, ...] = ()  # columns that nothing was read from
    notes: tuple[str, ...] = field(default=())


class Source(Protocol):
    """The frames of one specimen, read one at a time."""

    @property
    def facts(self) -> Facts:
        """Unit, strain measure and unread columns, from the first frame."""

    def __len__(self) -> int: ...

    def name(self, number: int) -> str:
        """Name of frame `number`, as `Frame.name`, whether the frame can be read or not."""

    def read(self, number: int) -> Frame:
        """Read frame `number`, from 0; raises BadInput naming file and remedy."""


def every(source: Source) -> Iterator[Frame]:
    """Yield the frames, one in memory at a time."""
    for number in range(len(source)):
        yield source.read(number)


def measure_named(text: str) -> Measure:
    """Strain measure that a header names, "" if it names none."""
    words = text.lower()
    names: tuple[tuple[str, Measure], ...] = (
        ("hencky", "ln"),
        ("log", "ln"),
        ("true", "ln"),
        ("almansi", "almansi"),
        ("green", "green_lagrange"),
        ("lagrange", "green_lagrange"),
        ("biot", "engineering"),
        ("engineering", "engineering"),
        ("techn", "engineering"),
        ("cauchy", "engineering"),
    )
    return next((measure for word, measure in names if word in words), "")


def sound(points: Values, displacements: Values) -> NDArray[np.bool_]:
    """Which points (n,) can be measured at all: finite, and none piled up on another.

    Lost points that a tool leaves in its file are often all at one place.
    """
    finite = np.asarray(np.isfinite(points).all(axis=1) & np.isfinite(displacements).all(axis=1))
    if not finite.any():
        return finite
    # One number per place: sorting rows would take longer than all the rest of a frame
    place = points[finite] @ _MIXED[: points.shape[1]]
    _, which, count = np.unique(place, return_inverse=True, return_counts=True)
    finite[finite] = count[which] < PILED_UP
    return finite


PILED_UP = 4  # points at the very same coordinates
_MIXED = np.array([1.0, np.e / 7, np.pi / 11])
