"""A film in which pictures are missing and others cannot be read."""

from pathlib import Path

import numpy as np
import pytest

from hpc_jobs.contract.errors import BadInput
from hpc_jobs.contract.geometry import Geometry, Patches
from hpc_jobs.contract.specimen import Piece, TensileTest
from hpc_jobs.fem.specimen.mesh import half_width
from hpc_jobs.measurement.formats.columns import FieldColumns
from hpc_jobs.measurement.frames import Watched, watch
from hpc_jobs.measurement.series import SpecimenFiles

TEST = TensileTest(Geometry(), 0.0, "0", (0.5,), Piece())
FILES = SpecimenFiles(
    frames="image-*.csv",
    format="columns",
    columns=FieldColumns(x="x", y="y", u="u", v="v"),
    tensile_axis="x",
    unloaded_frames=2,
)


def _film(folder: Path, numbers: list[int], broken: set[int]) -> Watched:
    """Write a strip that is pulled further in every picture, some unreadable, and watch it."""
    x, y = np.meshgrid(np.arange(-14, 14, 0.5), np.arange(-10, 10, 0.5), indexing="ij")
    points = np.column_stack((x.ravel(), y.ravel()))
    points = points[np.abs(points[:, 1]) < half_width(Geometry(), points[:, 0]) - 0.3]
    for number in numbers:
        moved = max(number - 1, 0) * 2e-3 * points * [1, -0.5]
        rows = "\n".join(",".join(f"{v:.6f}" for v in row) for row in np.hstack((points, moved)))
        text = "no picture\n" if number in broken else f"x,y,u,v\n{rows}\n"
        (folder / f"image-{number:04d}.csv").write_text(text)
    return watch(TEST, FILES, folder, Patches())


def test_pictures_that_are_not_there_are_counted_beside_one_that_is_broken(tmp_path: Path) -> None:
    numbers = [0, 1, 2, 3, 5, 6, 7, 10, 11, 12, 13, 14]
    seen = _film(tmp_path, numbers, broken={6})
    np.testing.assert_array_equal(seen.places, numbers)
    assert seen.names[5] == "image-0006.csv" and np.isnan(seen.extensions[5])
    assert np.isfinite(np.delete(seen.extensions, 5)).all()
    notes = " ".join(seen.notes)
    assert "frame 6 left out" in notes
    assert "3 of the numbered frames are not there, the first after image-0003.csv" in notes


@pytest.mark.parametrize("share", [0.6, 0.8])
def test_a_broken_picture_among_those_that_centre_is_left_out(tmp_path: Path, share: float) -> None:
    count = 12
    at = FILES.unloaded_frames + int(share * (count - 1 - FILES.unloaded_frames))
    seen = _film(tmp_path, list(range(count)), broken={at})
    assert np.flatnonzero(np.isnan(seen.extensions)).tolist() == [at]


def test_a_last_picture_that_is_broken_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"image-0011\.csv"):
        _film(tmp_path, list(range(12)), broken={11})
