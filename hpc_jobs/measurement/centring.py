"""The centre of the notch, told by the field itself beside the edges of the valid points.

A specimen is its own image after half a turn about the centre of its notch, and so is its field.
Edges are ragged by a point spacing; the strains of a loaded specimen, steep as they are, tell the
centre to a hundredth of a millimetre.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.measurement.checks import symmetry
from hpc_jobs.measurement.formats.frame import Frame
from hpc_jobs.measurement.placement import Placement
from hpc_jobs.measurement.strain import PatchFit

Values = NDArray[np.float64]

ROUNDS = 3
FARTHEST_MM = 0.3
"""From the edges' centre: what lies further off is another thing, and is said, not corrected."""
LEAST_SD_MM = 0.01
EDGE_SD_MM = 0.03  # across the strip, and at least along it


def centred(placement: Placement, frames: list[Frame], fit: PatchFit) -> Placement:
    """Move a placement found at the edges to where these loaded frames have their centre.

    As far as each of both is sure; unmoved where patches are too few, or centres too far apart.
    """
    edge_sd = np.array([max(placement.centre_sd_mm, EDGE_SD_MM), EDGE_SD_MM])
    moved, total, sd = placement, np.zeros(2), edge_sd
    for _ in range(ROUNDS):
        found = [symmetry(fit(frame, moved).average()[0], fit.patches) for frame in frames]
        known = [one for one in found if one is not None]
        if not known:
            return placement
        offsets = np.array([[one.along_mm, one.across_mm] for one in known])
        own_sd = np.array([[one.along_sd_mm, one.across_sd_mm] for one in known])
        weights = 1 / np.maximum(own_sd, 1e-6) ** 2
        # The reference's noise is in all frames alike: they are no surer together than the surest
        field_sd = np.hypot(own_sd.min(axis=0), LEAST_SD_MM)
        field_sd = np.hypot(field_sd, offsets.std(axis=0))
        centre = total + (weights * offsets).sum(axis=0) / weights.sum(axis=0)
        trust = edge_sd**2 / (edge_sd**2 + field_sd**2)
        if (np.abs(centre) > FARTHEST_MM).any():
            return placement
        total, sd = trust * centre, edge_sd * field_sd / np.hypot(edge_sd, field_sd)
        moved = _shifted(placement, total)
    note = (
        f"centred by the field's symmetry, {total[0]:+.3f} mm along and {total[1]:+.3f} mm across "
        f"from the edges' centre (now +- {sd[0]:.3f} and {sd[1]:.3f} mm)"
    )
    return replace(
        moved,
        centre_sd_mm=float(sd[0]),
        across_sd_mm=float(sd[1]),
        notes=(*placement.notes, note),
    )


def _shifted(placement: Placement, offset: Values) -> Placement:
    """Shift the origin by an offset (2,) in the specimen's axes."""
    shift = np.zeros(len(placement.axes))
    shift[:2] = offset
    return replace(placement, origin=placement.origin + shift @ placement.axes)
