"""Gauss-Newton on the engine finds a sheet outside the box, and says what it cost."""

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from hpc_jobs.contract.campaign import Campaign, FrozenCampaign
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.loading import load
from hpc_jobs.contract.records import publish_model, read_manifest, read_model
from hpc_jobs.contract.validation import Estimate, OutsideAnswer
from hpc_jobs.design.rounds import adopt_points, choose_round, read_round
from hpc_jobs.fem.record import Record
from hpc_jobs.forward.natural import Natural
from hpc_jobs.identification import by_fem
from hpc_jobs.identification.by_fem import answer_by_fem
from hpc_jobs.identification.engine import Engine, NoSheet
from hpc_jobs.identification.mesh_bias import MeshBias
from hpc_jobs.identification.outside import rising
from hpc_jobs.measurement.file import Measurement
from tests.harness.families import small_family
from tests.unit.bench import DAGS


def test_a_sheet_outside_the_box_is_answered_with_its_price(
    campaign: Campaign, experiments: dict[str, Measurement], no_bias: MeshBias
) -> None:
    aa2090 = experiments["aa2090"]
    answer = answer_by_fem(campaign, aa2090, no_bias)
    estimate = answer.estimate
    assert estimate.outside == () and estimate.method == "fem"
    assert 8 < estimate.simulations <= 60
    assert len(answer.points) <= estimate.simulations
    truth = aa2090.header.truth
    assert truth is not None
    low, high = campaign.design.box.r_value_0
    assert not low <= truth.quantities["r_value_0"] <= high
    for name, true in truth.quantities.items():
        found = estimate.found[name]
        assert found.low < true < found.high, name
        assert found.value == pytest.approx(true, abs=0.5 * (found.high - found.low))


def test_too_few_simulations_are_said_to_be_too_few(
    campaign: Campaign, experiments: dict[str, Measurement], no_bias: MeshBias
) -> None:
    estimate = answer_by_fem(campaign, experiments["aa2090"], no_bias, most=9).estimate
    assert estimate.parameters is None and estimate.simulations <= 20
    assert "did not settle in" in estimate.outside[0] or "misses" in estimate.outside[0]


class NoSheets(Engine):
    """An engine that simulates nothing."""

    def simulate(self, u: np.ndarray) -> Record:
        """Find no sheet, wherever it is asked."""
        raise NoSheet("no sheet has such values")


def test_where_there_is_no_sheet_the_answer_can_be_read_again(
    tmp_path: Path,
    campaign: Campaign,
    experiments: dict[str, Measurement],
    no_bias: MeshBias,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """JSON has no infinity: whoever read such an answer found no number in its place."""
    monkeypatch.setattr(by_fem, "Engine", NoSheets)
    answer = answer_by_fem(campaign, experiments["dp780"], no_bias)
    [reason] = answer.estimate.outside
    assert reason.startswith("the FEM found no sheet: ")
    publish_model(tmp_path / "dp780.json", answer)
    assert read_model(OutsideAnswer, tmp_path / "dp780.json") == answer
    with pytest.raises(ValidationError, match="novelty"):
        Estimate.model_validate(answer.estimate.model_dump() | {"novelty": float("inf")})


def test_points_are_adopted_once_as_the_next_round(tmp_path: Path) -> None:
    sizes = {"design": {"train_records": 8, "test_records": 8}}
    campaign = load(Campaign, DAGS / "campaigns" / "single_sheet.yaml", sizes)
    run = RunFolder(tmp_path)
    publish_model(run.campaign, FrozenCampaign(run_id="r", campaign=campaign, code_sha256="0" * 64))
    choose_round(run, campaign, 0, None)
    width = len(campaign.targets) + len(campaign.family.coordinates)
    points = 1 + 0.01 * np.random.default_rng(1).standard_normal((5, width))
    assert adopt_points(run, campaign, points) == 1
    adopted = read_round(run, 1)
    assert sorted(map(tuple, adopted.parameters)) == sorted(
        map(tuple, points[:, : len(campaign.targets)])
    )
    assert not adopted.is_test.any()
    assert adopted.sobol_stop == read_round(run, 0).sobol_stop
    facts = read_manifest(run.design(1).with_suffix(".json"), "design").facts
    assert facts["adopted"] and facts["records"] == 5
    assert adopt_points(run, campaign, points) is None


def test_a_start_whose_curve_softens_is_made_to_rise() -> None:
    natural = Natural.of(small_family())
    middle = np.zeros(len(natural.names))
    assert rising(natural, middle) is middle  # a curve that rises stays as it is
    columns = {name: k for k, name in enumerate(natural.names)}
    soft = natural.physical(natural.centre[None])[0].copy()
    soft[columns["log_k_over_k05@0.003"]] = -0.43
    soft[columns["log_k_over_k05@0"]] = -0.38  # k falls from 0 to .003,
    soft[columns["log_k_over_k05@0.16"]] = soft[columns["log_k_over_k05@0.08"]] - 0.05  # and to .16
    u = (natural.natural(soft[None])[0] - natural.centre) / natural.spread
    for harder, gained in ((0.0, 0.0), (0.2, 0.2 * np.log(0.08 / 0.05))):
        x = natural.centre + natural.spread * rising(natural, u, harder)
        risen = natural.physical(x[None])[0]
        curve = [risen[columns[f"log_k_over_k05@{p}"]] for p in ("0", "0.003", "0.01", "0.03")]
        beyond = [risen[columns[f"log_k_over_k05@{p}"]] for p in ("0.08", "0.16")]
        assert np.all(np.diff([*curve, 0.0, *beyond]) > 0)
        assert risen[columns["log_k_over_k05@0.003"]] == pytest.approx(-0.43)
        assert beyond[0] == pytest.approx(soft[columns["log_k_over_k05@0.08"]] + gained)
        assert risen[0] == pytest.approx(soft[0])  # a mechanical value stays
