"""Identify, re-simulate and score with the real FEM on a coarse mesh."""

import json
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hpc_jobs.contract.campaign import Campaign, FrozenCampaign
from hpc_jobs.contract.errors import CorruptFile
from hpc_jobs.contract.layout import RunFolder, manifest_of
from hpc_jobs.contract.records import publish_model, read_manifest, read_model
from hpc_jobs.contract.validation import Estimate, Estimates, Verdict
from hpc_jobs.identification.by_network import Network, identify
from hpc_jobs.identification.mesh_bias import MeshBias, publish_mesh_bias
from hpc_jobs.identification.resimulated import read_field, resimulate
from hpc_jobs.identification.verdict import score
from hpc_jobs.jobs import resimulate as resimulate_job
from hpc_jobs.jobs import score as score_job
from hpc_jobs.measurement.file import Measurement, write_measurement
from hpc_jobs.runtime.element import Element
from tests.harness.metric_units import unit_of

Experiments = dict[str, Measurement]


@pytest.fixture(scope="session")
def estimates(
    campaign: Campaign, network: Network, experiments: Experiments, no_bias: MeshBias
) -> tuple[Estimate, ...]:
    return identify(campaign, network, list(experiments.values()), no_bias)


def test_known_sheets_are_answered_and_a_foreign_one_is_not(
    estimates: Sequence[Estimate], truths: dict[str, dict[str, float]]
) -> None:
    by_name = {estimate.measurement: estimate for estimate in estimates}
    for name in ("dp780", "tr1180"):
        assert list(by_name[name].parameters.values()) == list(truths[name].values())
        assert by_name[name].outside == ()
        np.testing.assert_array_equal(by_name[name].covariance, 1e-4 * np.eye(8))
    foreign = by_name["aa2090"]
    assert foreign.parameters is None and foreign.covariance is None
    assert "is above the limit 2: the measurement is unlike" in foreign.outside[0]


class Weighing:
    """A network that takes forces; answers with a known sheet and remembers what it was given."""

    novelty_limit, forces = 2.0, True
    largest = 40_000.0  # N, of those it was trained on

    def __init__(self, answer: list[float]) -> None:
        self.answer, self.given = answer, []

    def predict(self, strains: np.ndarray, forces: np.ndarray | None = None) -> np.ndarray:
        self.given.append((strains, forces))
        return np.array([self.answer] * len(strains))

    def covariances(self, strains: np.ndarray, forces: np.ndarray | None = None) -> np.ndarray:
        self.given.append((strains, forces))
        return 1e-4 * np.eye(len(self.answer))[None]

    def novelty(self, strains: np.ndarray, forces: np.ndarray | None = None) -> np.ndarray:
        strange = forces is not None and forces.max() > self.largest
        return np.full(len(strains), 3.0 if strange else 0.0)


@pytest.fixture
def whole(experiments: Experiments) -> Measurement:
    """DP780, with its forces."""
    return experiments["dp780"]


@pytest.fixture
def weighing(truths: dict[str, dict[str, float]]) -> Weighing:
    """Return a network that answers DP780."""
    return Weighing(list(truths["dp780"].values()))


def test_a_network_that_takes_forces_gets_them_corrected_or_is_not_asked(
    campaign: Campaign, whole: Measurement, weighing: Weighing, no_bias: MeshBias
) -> None:
    without = Measurement(header=whole.header, strains=whole.strains, forces=None)
    bias = MeshBias(strains=no_bias.strains + 1e-4, forces=no_bias.forces + 0.01)
    answered, withheld = identify(campaign, weighing, [whole, without], bias)
    assert list(answered.parameters.values()) == weighing.answer
    assert withheld.parameters is None
    assert "trained with forces, and none were measured" in withheld.outside[0]
    assert len(weighing.given) == 2  # answer and covariance of the first, nothing of the second
    for strains, forces in weighing.given:
        np.testing.assert_allclose(strains, whole.strains[None] + 1e-4)
        np.testing.assert_allclose(forces, 1.01 * whole.forces[None])


def test_forces_unlike_all_that_a_network_was_trained_on_are_not_answered(
    campaign: Campaign, whole: Measurement, weighing: Weighing, no_bias: MeshBias
) -> None:
    tenfold = Measurement(header=whole.header, strains=whole.strains, forces=10 * whole.forces)
    answered, withheld = identify(campaign, weighing, [whole, tenfold], no_bias)
    assert answered.outside == () and answered.novelty == 0
    assert withheld.parameters is None and withheld.novelty == 3
    assert "novelty 3 is above the limit 2: the measurement is unlike all" in withheld.outside[0]


def test_an_answer_outside_the_trained_range_is_withheld(
    campaign: Campaign,
    network: Network,
    experiments: Experiments,
    truths: dict[str, dict[str, float]],
    no_bias: MeshBias,
) -> None:
    parameters = np.array([list(truths["aa2090"].values())] * 2)
    deluded = type(network)(parameters, network.strains, network.noise, novelty_limit=1e9)
    [estimate] = identify(campaign, deluded, [experiments["aa2090"]], no_bias)
    assert estimate.parameters is None
    assert "answer r_value_0 0.211 lies outside the trained 0.4 to 2.5" in " ".join(
        estimate.outside
    )


@pytest.mark.parametrize(
    ("alpha", "reason"),
    [([np.nan] + [1.0] * 7, "not finite"), ([1.0] * 6 + [0.01, 0.01], "is no material")],
)
def test_an_answer_that_is_no_material_is_withheld(
    campaign: Campaign,
    network: Network,
    experiments: Experiments,
    no_bias: MeshBias,
    alpha: list[float],
    reason: str,
) -> None:
    deluded = type(network)(np.array([alpha, alpha]), network.strains, network.noise)
    [estimate] = identify(campaign, deluded, [experiments["dp780"]], no_bias)
    assert estimate.parameters is None
    assert reason in estimate.outside[0]


def test_a_perfect_estimate_leaves_no_error(
    campaign: Campaign, experiments: Experiments, estimates: Sequence[Estimate], no_bias: MeshBias
) -> None:
    case = score(campaign, experiments["dp780"], resimulate(campaign, estimates[0], no_bias))
    assert case.judgement.verdict == "pass"
    assert case.judgement.errors.keys() == {
        "strain_rms", "force", "r_curve", "stress_curve", "yield_locus",
    }  # fmt: skip
    for name, error in case.judgement.errors.items():
        assert error == pytest.approx(0, abs=1e-9), name
    for name, (found, true) in case.judgement.quantities.items():
        assert found == pytest.approx(true, abs=1e-12)
        low, high = case.judgement.intervals[name]
        assert low < true < high


def test_a_wrong_estimate_fails_with_named_reasons(
    campaign: Campaign, experiments: Experiments, estimates: Sequence[Estimate], no_bias: MeshBias
) -> None:
    taken_for = estimates[1].model_copy(update={"measurement": "dp780"})
    wrong = {**taken_for.parameters, "MP1": 0.75}
    taken_for = taken_for.model_copy(update={"parameters": wrong})
    case = score(campaign, experiments["dp780"], resimulate(campaign, taken_for, no_bias))
    reasons = "\n".join(case.judgement.reasons)
    assert case.judgement.verdict == "fail"
    for name in ("r_value_0 is", "r_curve error", "strain_rms error"):
        assert name in reasons


@pytest.fixture
def run(
    tmp_path: Path, campaign: Campaign, experiments: Experiments, estimates: Sequence[Estimate]
) -> RunFolder[Path]:
    """A run folder as identify leaves it."""
    folder = RunFolder(tmp_path / "run")
    frozen = FrozenCampaign(run_id="run", campaign=campaign, code_sha256="0" * 64)
    publish_model(folder.campaign, frozen)
    for name, experiment in experiments.items():
        write_measurement(folder.measurement(name), experiment)
    publish_model(
        folder.estimates("v"),
        Estimates(validation="v", model="m", model_sha256="0" * 64, estimates=tuple(estimates)),
    )
    publish_mesh_bias(folder, campaign)
    return folder


def _element(run: RunFolder[Path], index: int = 0) -> Element:
    frozen = read_model(FrozenCampaign, run.campaign)
    return Element(index=index, run=run, arguments=Namespace(validation="v"), frozen=frozen)


def test_the_jobs_write_verdict_figures_and_spool(
    run: RunFolder[Path],
) -> None:
    facts = [resimulate_job.work(_element(run, index)) for index in range(3)]
    assert [fact.status for fact in facts] == ["ok", "ok", "not_answered"]
    assert [fact.skipped for fact in facts] == [False, False, True]
    result = score_job.work(_element(run))
    judged = {name: each.verdict for name, each in result.verdict.measurements.items()}
    assert judged == {"dp780": "pass", "tr1180": "pass", "aa2090": "outside"}
    assert result.verdict.passed is True
    assert len(result.model_dump_json()) < 6000
    assert json.loads(run.verdict("v").read_text())["passed"] is True
    assert read_model(Verdict, run.verdict("v")).measurements["dp780"].errors["force"] < 1e-9
    for name in facts:
        figure = run.figure("v", name.measurement)
        assert figure.stat().st_size < 300 * 1024
        with Image.open(figure) as page:
            assert page.size == (1890, 1350)
    _check_spool(run)


def _check_spool(run: RunFolder[Path]) -> None:
    text = (run.root / "spool" / "validation-v.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert lines[0] == {
        "kind": "run", "name": "validation-v", "tags": {"model": "m", "passed": "true"},
    }  # fmt: skip
    assert lines[-1] == {"kind": "end", "status": "FINISHED"}
    artifacts = [line["path"] for line in lines if line["kind"] == "artifact"]
    assert all((run.root / path).is_file() for path in artifacts)
    of_figures = [path for path in artifacts if path.endswith((".png", "verdict.json"))]
    assert len(of_figures) == 4, "pages and cards come beside them"
    metrics = {line["key"]: line["value"] for line in lines if line["kind"] == "metric"}
    assert all(unit_of(key) for key in metrics)
    assert metrics["validation/passed"] == 1
    assert metrics["validation/aa2090/outside"] == 1
    assert metrics["validation/dp780/r_value_45_error"] == pytest.approx(0, abs=1e-12)


def test_a_field_of_an_older_estimate_is_not_scored(
    run: RunFolder[Path], estimates: Sequence[Estimate]
) -> None:
    resimulate_job.work(_element(run))
    path = run.field("v", "dp780")
    assert read_manifest(manifest_of(path), "field").facts["status"] == "ok"
    newer = {**estimates[0].parameters, "MP3": 1.0}
    with pytest.raises(CorruptFile, match="another estimate of 'dp780'; run resimulate again"):
        read_field(path, estimates[0].model_copy(update={"parameters": newer}))
