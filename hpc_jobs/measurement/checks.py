"""Whether a field is that of this notch, seen straight: symmetry and likeness to an isotropic one.

Every specimen's field is the same when it is turned by half a turn about the centre of its notch.
What is not, looks like a field that lies a little off; how far, the field's own gradients tell.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.errors import BadInput
from hpc_jobs.contract.geometry import Patches

Values = NDArray[np.float64]

LIKENESS = 0.5  # correlation of exx with an isotropic sheet's; a field of another place has less
OFF_MM = 1.0  # a field that lies further off is refused
WORTH_A_WORD_MM = 0.1
SIZES = (0.4, 2.5)  # of the mean axial strain, over an isotropic sheet's
FEWEST = 6  # pairs of patches


@dataclass(frozen=True, slots=True)
class Symmetry:
    """How a field fails to be its own image after half a turn."""

    along_mm: float  # offset of the patches from the field's centre
    across_mm: float
    left_rms: float  # what no offset explains, strain
    along_sd_mm: float = 0.0
    across_sd_mm: float = 0.0

    def __str__(self) -> str:
        return (
            f"the field's own centre lies {self.along_mm:+.2f} mm along and {self.across_mm:+.2f} "
            f"mm across from the patches' (asymmetry left: {self.left_rms:.1e})"
        )


def symmetry(exx: Values, patches: Patches) -> Symmetry | None:
    """Offset that half a turn asks for, from exx (patches,); None with too few patches."""
    field = exx.reshape(patches.along, patches.across)
    odd = (field - field[::-1, ::-1]) / 2
    even = (field + field[::-1, ::-1]) / 2
    slopes = []
    for axis, (count, extent) in enumerate(
        (
            (patches.along, patches.region_length_mm),
            (patches.across, patches.region_width_mm),
        )
    ):
        slopes.append(np.gradient(even, extent / count, axis=axis) if count > 1 else 0 * even)
    good = np.isfinite(odd) & np.isfinite(slopes[0]) & np.isfinite(slopes[1])
    if good.sum() < FEWEST:
        return None
    basis = np.column_stack([slope[good] for slope in slopes])
    offsets, *_ = np.linalg.lstsq(basis, odd[good], rcond=1e-6)
    left = odd[good] - basis @ offsets
    freedom = max(len(left) // 2 - 2, 1)  # each pair is there twice
    size = np.sqrt((left @ left) / 2 / freedom)
    along_sd, across_sd = size * np.sqrt(np.diag(np.linalg.pinv(basis.T @ basis / 2)))
    # Patches to the right of the field's centre see its value further right: f(x + offset)
    rms = float(np.sqrt(np.mean(left**2)))
    sds = float(along_sd), float(across_sd)
    return Symmetry(-float(offsets[0]), -float(offsets[1]), rms, *sds)


def check_field(strains: Values, expected: Values, patches: Patches, told: str) -> list[str]:
    """Return notes on a field (2, patches, times) beside an isotropic one; raises BadInput.

    The last time decides: there strains are largest.
    """
    last, like = strains[:, :, -1], expected[:, :, -1]
    good = np.isfinite(last).all(axis=0)
    ratio = float(np.mean(last[0, good]) / np.mean(like[0, good]))
    if not SIZES[0] <= ratio <= SIZES[1]:
        raise BadInput(
            f"{told}: the mean axial strain at the last time is {np.mean(last[0, good]):.4g}, "
            f"{ratio:.2g} times that of an isotropic sheet of this campaign; is the scale or the "
            "geometry another, or is it not the first test of this specimen?"
        )
    if good.sum() >= FEWEST and np.ptp(like[0, good]) > 0.1 * np.mean(like[0, good]):
        likeness = float(np.corrcoef(last[0, good], like[0, good])[0, 1])
        if likeness < LIKENESS:
            raise BadInput(
                f"{told}: axial strains are not spread as in this notch (correlation with an "
                f"isotropic sheet {likeness:.2f}); is the origin at the notch, and the tensile "
                "axis the specimen's?"
            )
    found = symmetry(last[0], patches)
    if found is None:
        return []
    if max(abs(found.along_mm), abs(found.across_mm)) > OFF_MM:
        raise BadInput(f"{told}: {found}; correct the origin, or let the notch be found")
    if max(abs(found.along_mm), abs(found.across_mm)) > WORTH_A_WORD_MM:
        return [str(found)]
    return []


def check_copies(labels: list[str], strains: list[Values], forces: list[Values | None]) -> None:
    """Raise BadInput where two specimens are one: (2, patches, times) each."""
    for i, one in enumerate(strains):
        for j in range(i):
            both = np.isfinite(one) & np.isfinite(strains[j])
            if both.any() and np.abs((one - strains[j])[both]).max() < COPY:
                raise BadInput(
                    f"specimens {labels[j]} and {labels[i]} have the same strains; one is a copy "
                    "of the other: give each its own frames"
                )
            a, b = forces[j], forces[i]
            if a is not None and b is not None and np.array_equal(a, b):
                raise BadInput(
                    f"specimens {labels[j]} and {labels[i]} have the same forces; give each its "
                    "own machine file"
                )


COPY = 1e-7
