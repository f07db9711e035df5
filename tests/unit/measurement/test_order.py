"""Frames of another moment are left out, frames that are not there are counted."""

import numpy as np
import pytest

from hpc_jobs.contract.errors import BadInput
from hpc_jobs.measurement.formats.frame import Facts, Frame
from hpc_jobs.measurement.order import counted, in_order
from hpc_jobs.measurement.outputs import find_moments
from hpc_jobs.measurement.referred import referred

NAMES = [f"image-{number:04d}.csv" for number in range(30)]
PULLED = np.concatenate((1e-4 * np.array([0, 1, -1, 1, 0]), np.linspace(0, 0.5, 25)))


def _pulled(changes: dict[int, float]) -> np.ndarray:
    found = PULLED.copy()
    for at, value in changes.items():
        found[at] = value
    return found


@pytest.mark.parametrize(
    ("changes", "left_out"),
    [
        ({}, set()),
        ({20: 0.0}, {20}),  # a copy of the reference
        ({15: 0.5}, {15}),  # a copy of the last
        ({10: PULLED[22], 22: PULLED[10]}, {10, 22}),  # changed places
        ({29: 0.1}, set()),  # the specimen has torn
        ({17: PULLED[16]}, set()),  # the same picture twice does no harm
    ],
)
def test_a_frame_of_another_moment_is_left_out(changes, left_out) -> None:
    found, notes = in_order(_pulled(changes), NAMES, 5)
    assert set(np.flatnonzero(np.isnan(found))) == left_out
    assert len(notes) == len(left_out)
    assert all(NAMES[at] in " ".join(notes) for at in left_out)


def test_an_unloading_loop_is_left_out_as_one() -> None:
    loop = np.concatenate((PULLED[:20], PULLED[19] - 0.01 * np.array([1, 2, 3, 2, 1]), PULLED[20:]))
    names = [f"image-{number:04d}.csv" for number in range(len(loop))]
    found, [note] = in_order(loop, names, 5)
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(found)), np.arange(20, 25))
    assert "image-0020.csv to image-0024.csv left out" in note and "unloaded" in note
    wanted = (PULLED[19] + PULLED[20]) / 2
    moments = find_moments(found, np.array([wanted]), np.array([wanted]), "specimen 45")
    assert (moments.before, moments.after) == (19, 25)


def test_a_moment_in_frames_that_nobody_sees_is_refused() -> None:
    found = _pulled(dict.fromkeys(range(14, 18), np.nan))
    with pytest.raises(BadInput, match="output time 1 lies between frames 14 and 19"):
        find_moments(found, PULLED[15:16], PULLED[15:16], "specimen 45")
    bridged = _pulled({14: np.nan})
    moments = find_moments(bridged, PULLED[14:15], PULLED[14:15], "specimen 45")
    assert moments.at(PULLED) == pytest.approx(PULLED[14:15])


def test_a_broken_frame_stays_broken_and_spoils_no_other() -> None:
    found, notes = in_order(_pulled({12: np.nan, 20: 0.0}), NAMES, 5)
    assert set(np.flatnonzero(np.isnan(found))) == {12, 20} and len(notes) == 1


def test_a_series_in_no_order_is_refused() -> None:
    mixed = np.concatenate((PULLED[:5], np.random.default_rng(1).permutation(PULLED[5:])))
    with pytest.raises(BadInput, match=r"of \d+ frames show the specimen stretched .* image-"):
        in_order(mixed, NAMES, 5)


@pytest.mark.parametrize(
    ("numbers", "places"),
    [
        ([0, 1, 2, 3], [0, 1, 2, 3]),
        ([0, 5, 10, 25, 30], [0, 1, 2, 5, 6]),
        ([7, 8, 12, 13, 14], [0, 1, 5, 6, 7]),
        ([0, 2, 5, 7, 9], [0, 1, 2, 3, 4]),  # no even count
    ],
)
def test_pictures_that_are_not_there_are_counted(numbers, places) -> None:
    found, notes = counted([f"s45_{number:03d}_0.csv" for number in numbers])
    np.testing.assert_array_equal(found, places)
    assert bool(notes) is (places[-1] >= len(numbers))


def test_one_file_of_all_frames_counts_by_its_frames() -> None:
    found, notes = counted(["matchid.h5, frame 1", "matchid.h5, frame 2", "matchid.h5, frame 3"])
    np.testing.assert_array_equal(found, [0, 1, 2])
    assert not notes


class _Frames:
    """A stretched lattice, in coordinates of the reference or of each picture."""

    facts = Facts(tool="columns", unit="mm")

    def __init__(self, own: bool, lost: int = 0) -> None:
        self.own, self.lost = own, lost

    def __len__(self) -> int:
        return 2

    def name(self, number: int) -> str:
        return "f"

    def read(self, number: int) -> Frame:
        points = np.stack(np.meshgrid(np.arange(20.0), np.arange(10.0)), axis=-1).reshape(-1, 2)
        moved = number * (points @ np.diag([0.1, -0.04]) + [0.3, 0.2])
        shown = (points + moved if self.own else points)[number * self.lost :]
        moved = moved[number * self.lost :]
        return Frame(
            name=self.name(number),
            points=shown,
            displacements=moved,
            weights=np.ones(len(shown)),
            lost=0,
        )


@pytest.mark.parametrize("lost", [0, 31])
def test_coordinates_of_each_picture_are_taken_back(lost) -> None:
    plain, own = _Frames(own=False, lost=lost), _Frames(own=True, lost=lost)
    assert referred(plain) is plain
    found = referred(own)
    np.testing.assert_allclose(found.read(1).points, plain.read(1).points)
    assert "of each picture" in " ".join(found.facts.notes)
