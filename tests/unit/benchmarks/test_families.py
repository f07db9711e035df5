"""What a family is judged by: curves outside its law, alloys, answers kept, goals met or not."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.families.alloys import answers, material_of
from benchmarks.families.coils import Coil, measured, remembered
from benchmarks.families.curves import DENSE, FORMS, WAVE
from benchmarks.families.goals import judged
from benchmarks.family import CAMPAIGN
from benchmarks.kept import Kept
from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.loading import load
from hpc_jobs.contract.validation import Found
from hpc_jobs.fem.materials.flow_stress import flow_stress
from hpc_jobs.fem.materials.hardening import hardening_array
from hpc_jobs.forward.natural import QUANTITIES
from hpc_jobs.identification.quantities import log_stresses
from hpc_jobs.measurement.alloys import ALLOYS
from hpc_jobs.measurement.file import Measurement

FIRST, LEVEL = 320.0, 640.0
FAMILY = load(Campaign, CAMPAIGN)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_passes_near_its_level_and_never_softens(form: str) -> None:
    law = hardening_array(FORMS[form](FIRST, LEVEL))
    stresses = [flow_stress(law, strain)[0] for strain in DENSE]
    assert np.all(np.diff(stresses) >= 0)
    assert flow_stress(law, 0.05)[0] == pytest.approx(LEVEL, rel=2 * WAVE)
    if form in ("Swift", "Voce", "mixed"):
        assert stresses[0] == pytest.approx(FIRST)


def test_a_goal_is_printed_met_or_not(capsys: pytest.CaptureFixture[str]) -> None:
    assert judged("r", 0.02, 0.03) and not judged("r", 0.04, 0.03)
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith("goal 0.03 met") and second.endswith("goal 0.03 NOT met")


@pytest.fixture(scope="module")
def coil() -> Coil:
    """DP780's sheet, and what no solver was asked for: its strains and forces are constant."""
    material = material_of(FAMILY, "dp780")
    specimens = FAMILY.specimens
    strains, forces = np.full(specimens.strain_values, 0.01), np.full(specimens.force_values, 9e3)
    return Coil(np.array(ALLOYS["dp780"].alpha), material, specimens, strains, forces)


def test_an_answer_is_asked_for_once_even_by_the_next_run(coil: Coil, tmp_path: Path) -> None:
    asked: list[Measurement] = []

    def ask(measurement: Measurement) -> dict[str, Found]:
        asked.append(measurement)
        return {"r_value_0": Found(value=len(asked), low=0, high=9)}

    first, second = (measured(FAMILY, coil.noisy(FAMILY, seed), {}) for seed in (0, 1))
    path = tmp_path / "answers.json"
    for _ in range(2):
        answerer = remembered(Kept(path), "engine", ask)
        assert [answerer(one)["r_value_0"].value for one in (first, second)] == [1, 2]
    known = measured(FAMILY, coil.noisy(FAMILY, 0), {"exponent": (6.0, 0.0)})
    assert remembered(Kept(path), "engine", ask)(known)["r_value_0"].value == 3
    assert remembered(Kept(path), "network", ask)(first)["r_value_0"].value == 4


def test_an_alloy_s_errors_are_those_of_its_truth(coil: Coil) -> None:
    [true_k] = np.exp(log_stresses(coil.material.hardening, [0.03]))
    truths = dict(zip(QUANTITIES, coil.truth.tolist(), strict=True)) | {"k@0.03": true_k}

    def ask(measurement: Measurement) -> dict[str, Found]:
        said = {
            name: Found(value=1.02 * true, low=true - 1, high=true + 1)
            for name, true in truths.items()
        }
        return said | {"r_value_90": Found(value=0.5, low=0.4, high=0.6)}

    found = answers(FAMILY, coil, ask, draws=2)
    assert found is not None
    assert found.off["k@0.03"] == pytest.approx([0.02, 0.02])
    assert found.off["r_value_0"] == pytest.approx(2 * [0.02 * truths["r_value_0"]])
    assert found.worst(("r_value_0", "r_value_90")) == pytest.approx(truths["r_value_90"] - 0.5)
    assert found.held["k@0.03"].all() and not found.held["r_value_90"].any()
