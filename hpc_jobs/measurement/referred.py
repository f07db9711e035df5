"""Coordinates of the reference picture, where a tool exported those of each picture.

Strains are taken by the coordinates of the undeformed sheet. An export may as well hold where each
point has moved to; then its points, less their displacements, lie where the first picture's are.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from hpc_jobs.measurement.formats.frame import Facts, Frame, Source

MOVED = 0.05  # of a point's displacement, by which coordinates that moved along must differ
NEARER = 0.2  # times as near must the points come when their displacements are taken off
SAMPLE = 2000  # points that are compared


def referred(source: Source) -> Source:
    """Return frames with coordinates of the reference picture; a note says if they had others."""
    if len(source) < 2:
        return source
    first, last = source.read(0), source.read(len(source) - 1)
    return _Referred(source) if _moved_along(first, last) else source


def _moved_along(first: Frame, last: Frame) -> bool:
    """Whether the last frame's points lie where its displacements have taken the first's."""
    if not len(first.points) or not len(last.points):
        return False
    some = np.linspace(0, len(last.points) - 1, min(SAMPLE, len(last.points))).astype(int)
    points, moved = last.points[some], last.displacements[some]
    tree = cKDTree(first.points)
    as_they_are = float(np.median(tree.query(points)[0]))
    taken_back = float(np.median(tree.query(points - moved)[0]))
    size = float(np.median(np.linalg.norm(moved, axis=1)))
    return as_they_are > MOVED * size and taken_back < NEARER * as_they_are


@dataclass(frozen=True, slots=True)
class _Referred:
    """Frames whose points are taken back by their displacements."""

    source: Source

    @property
    def facts(self) -> Facts:
        """Of the source, with a note."""
        facts = self.source.facts
        said = "coordinates are of each picture, so displacements were taken off them"
        return replace(facts, notes=(*facts.notes, said))

    def __len__(self) -> int:
        return len(self.source)

    def name(self, number: int) -> str:
        """Name of a frame."""
        return self.source.name(number)

    def read(self, number: int) -> Frame:
        """Read a frame; raises BadInput."""
        frame = self.source.read(number)
        return replace(frame, points=frame.points - frame.displacements)
