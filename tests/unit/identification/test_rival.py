"""A rival is asked once for a dataset, and again where anything else is asked."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.dataset.dataset import Dataset, Examples
from hpc_jobs.identification.rival import kept_rivals
from hpc_jobs.learning.evaluation.baselines import Rival


class Counting:
    def __init__(self) -> None:
        self.asked: list[bool] = []

    def __call__(self, dataset: Dataset, forces: bool) -> Any:
        self.asked.append(forces)
        fit = float(len(self.asked))
        return lambda examples: np.full((len(examples.strains), 2), fit)


def data(sha256: str = "a", shift: float = 0.0) -> tuple[Dataset, Examples]:
    strains = np.arange(12, dtype=np.float32).reshape(4, 3) + np.float32(shift)
    examples = SimpleNamespace(strains=strains, forces=strains)
    return cast(Dataset, SimpleNamespace(sha256=sha256)), cast(Examples, examples)


def asked(rival: Rival, sha256: str = "a", shift: float = 0.0, forces: bool = True) -> Any:
    dataset, examples = data(sha256, shift)
    return rival(dataset, forces)(examples)


@pytest.fixture
def run(tmp_path: Path) -> RunFolder[Path]:
    return RunFolder(tmp_path)


def test_the_second_network_reads_what_the_first_one_asked(run: RunFolder[Path]) -> None:
    rival = Counting()
    one: Rival = kept_rivals(run, {"counting": rival})["counting"]
    other: Rival = kept_rivals(run, {"counting": rival})["counting"]
    assert np.array_equal(asked(one), asked(other))
    assert rival.asked == [True]


def test_it_is_fitted_before_it_is_asked_unless_answers_are_kept(run: RunFolder[Path]) -> None:
    rival, (dataset, examples) = Counting(), data()
    answer = kept_rivals(run, {"counting": rival})["counting"](dataset, True)
    assert rival.asked == [True]
    answer(examples)
    kept_rivals(run, {"counting": rival})["counting"](dataset, True)
    assert rival.asked == [True]


@pytest.mark.parametrize(
    ("sha256", "shift", "forces"), [("b", 0, True), ("a", 1, True), ("a", 0, False)]
)
def test_another_question_has_another_answer(
    run: RunFolder[Path], sha256: str, shift: float, forces: bool
) -> None:
    rival = Counting()
    kept = kept_rivals(run, {"counting": rival})["counting"]
    first = asked(kept)
    again = asked(kept, sha256, shift, forces)
    assert not np.array_equal(again, first)
    assert len(rival.asked) == 2


def test_a_damaged_answer_is_worked_out_again(run: RunFolder[Path]) -> None:
    rival = Counting()
    kept = kept_rivals(run, {"counting": rival})["counting"]
    asked(kept)
    [file] = (run.dataset / "rivals").iterdir()
    file.write_bytes(file.read_bytes()[:40])
    assert asked(kept)[0, 0] == 2
    assert asked(kept)[0, 0] == 2
