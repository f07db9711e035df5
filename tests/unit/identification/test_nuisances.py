"""An examination finds what is wrong with a measurement, and how sure the answer is beside it."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.examination import NuisancePriors
from hpc_jobs.contract.measurement import MeasurementHeader
from hpc_jobs.contract.specimen import Piece
from hpc_jobs.contract.training import Noise
from hpc_jobs.contract.validation import Estimate
from hpc_jobs.fem.backends import backend_of
from hpc_jobs.fem.materials.sheet import Sheet
from hpc_jobs.identification.nuisances.answer import with_examination
from hpc_jobs.identification.nuisances.examine import Examined, examine
from hpc_jobs.identification.nuisances.examiner import Examiner
from hpc_jobs.identification.nuisances.kinds import KIND, Column, columns_of, in_words
from hpc_jobs.identification.nuisances.models import Problem, mixture, search
from hpc_jobs.identification.nuisances.noise import whitening
from hpc_jobs.identification.resimulated import Field
from hpc_jobs.identification.verdict import score
from hpc_jobs.measurement.file import Measurement

DP780 = np.array([0.972408, 0.96969, 0.984209, 0.985587, 1.00994, 0.964962, 1.01517, 1.01556])
NOISE = Noise(strain=5e-4, force_relative=0.005)
QUIET = Noise(strain=1e-4, force_relative=0.005)
Floats = NDArray[np.float64]


@cache
def campaign() -> Campaign:
    """Return a campaign on a coarse mesh, which is fast; the truth is on the same one."""
    return Campaign.model_validate(
        {
            "name": "examined",
            "description": "A sheet to examine.",
            "material": {
                "exponent": 6,
                "youngs_modulus_mpa": 200_000,
                "poisson_ratio": 0.33,
                "hardening": {
                    "law": "swift",
                    "strength_mpa": 1100,
                    "prestrain": 0.003,
                    "exponent": 0.16,
                },
            },
            "targets": {f"MP{i}": f"alpha{i}" for i in range(1, 9)},
            "specimens": {"mesh": "coarse", "end_displacement_mm": 0.8, "steps_per_output": 1},
            "solver": "native",
            "design": {"train_records": 8, "test_records": 8, "records_per_shard": 8},
            "training": {
                "networks": [{"kind": "mlp"}],
                "epochs": 1,
                "schedule": {"kind": "cosine"},
            },
            "validation": {"measurements": ["sheet"]},
            "execution": {"cpu_cluster": "cpu", "gpu_cluster": "gpu", "workspace": "w"},
        }
    )


@cache
def pulled(**off: float) -> tuple[Floats, Floats]:
    """Strains and forces of DP780, its specimens all off alike."""
    specimens = campaign().specimens
    pieces = (Piece(**off),) * 3  # type: ignore[arg-type]
    tests = specimens.model_copy(update={"pieces": pieces})
    record = backend_of("native")[1].simulate(DP780, campaign().material, tests)
    assert record.status == "ok"
    return record.strains, record.forces


def measured(strains: Floats, forces: Floats, seed: int = 3) -> Measurement:
    """Add noise, and say nothing of a truth."""
    random = np.random.default_rng(seed)
    header = MeasurementHeader(
        name="sheet",
        source="a test",
        material=campaign().material,
        specimens=campaign().specimens,
        noise=NOISE,
    )
    return Measurement(
        header=header,
        strains=strains + NOISE.strain * random.standard_normal(strains.shape),
        forces=forces * (1 + NOISE.force_relative * random.standard_normal(forces.shape)),
    )


def misses(found: Examined) -> dict[str, float]:
    """Errors of r-values in standard deviations."""
    named = dict(zip(campaign().sheet.parameters, DP780, strict=True))
    true = Sheet.of(named, campaign().material).quantities()
    return {
        name: abs(value - true[name]) / deviation
        for name, (value, deviation) in found.examination.quantities.items()
    }


def test_a_clean_measurement_has_no_suspects() -> None:
    """The answer fits, without reservations, and lies within three deviations."""
    found = examine(campaign(), measured(*pulled()), DP780)
    assert found.examination.finding == "fits"
    assert found.examination.reservations == ()
    assert max(misses(found).values()) < 3
    np.testing.assert_allclose(found.parameters, DP780, atol=0.06)


@pytest.mark.parametrize(
    ("made", "suspect", "words"),
    [
        ("green_lagrange", "strain_measure", "Green-Lagrange strains, not ln U"),
        ("notch", "notch_width_mm", "notch were 10.2"),
        ("force", "force_offset_n", "load cell's zero"),
    ],
)
def test_a_mistake_is_named_first_and_undone(made: str, suspect: str, words: str) -> None:
    """Where it would else move an r-value by several of its deviations."""
    strains, forces = pulled(notch_width_mm=0.2) if made == "notch" else pulled()
    if made == "green_lagrange":
        strains = np.expm1(2 * strains) / 2
    if made == "force":
        forces = forces + 600
    found = examine(campaign(), measured(strains, forces), DP780)
    first = found.examination.suspects[0]
    assert first.name.startswith(suspect)
    assert words in first.words
    assert first.probability > 0.5
    assert first.sigmas > 4
    assert max(misses(found).values()) < 3.3


def test_missing_patches_are_left_out() -> None:
    """As many rows fewer, an answer all the same, and holes in the map."""
    whole = measured(*pulled())
    strains = whole.strains.reshape(campaign().specimens.strain_shape).copy()
    strains[:, 1, [0, 17], -3:] = np.nan
    found = examine(campaign(), replace(whole, strains=strains.ravel()), DP780, mistakes=False)
    assert found.examination.values == whole.strains.size + whole.forces.size - 12
    assert max(misses(found).values()) < 3
    assert found.examination.residuals.count(None) == 6


def test_a_residual_far_below_the_noise_is_suspect() -> None:
    """Strains without noise are not measured ones."""
    strains, forces = pulled()
    without = replace(measured(strains, forces), strains=strains, forces=forces)
    found = examine(campaign(), without, DP780, mistakes=False)
    assert found.examination.finding == "too_good"
    assert "overstated" in found.examination.reservations[0]


def test_what_nothing_explains_widens_the_answer_or_withholds_it() -> None:
    """White noise three times as large as said."""
    strains, forces = pulled()
    more = strains + 1e-3 * np.random.default_rng(5).standard_normal(strains.shape)
    usual = examine(campaign(), measured(strains, forces), DP780, mistakes=False)
    found = examine(campaign(), measured(more, forces), DP780, mistakes=False)
    assert found.examination.finding == "misfit"
    assert found.examination.widened > 1.8
    deviations = [one.examination.quantities["r_value_45"][1] for one in (usual, found)]
    assert deviations[1] > 1.5 * deviations[0]


def test_an_answer_withheld_for_its_residual_is_given_once_that_is_explained() -> None:
    """Patches half a millimetre off."""
    measurement = measured(*pulled(patch_along_mm=0.5))
    withheld = Estimate(
        measurement="sheet",
        parameters=None,
        outside=("the nearest sheet misses the measurement",),
        novelty=4.0,
        novelty_limit=3.0,
    )
    answer = with_examination(campaign(), measurement, withheld)
    assert answer.parameters is not None
    assert answer.examination is not None
    assert answer.examination.suspects[0].name.startswith("patch_along_mm")


def test_an_answer_that_could_not_be_examined_says_so() -> None:
    """Its specimens are said to be pulled so far that every sheet near it has necked."""
    given = measured(*pulled())
    drawn = tuple(0.8 * (n + 1) for n in range(campaign().specimens.output_times))
    specimens = campaign().specimens.model_copy(
        update={"pieces": (Piece(displacements_mm=drawn),) * 3}
    )
    far = replace(given, header=given.header.model_copy(update={"specimens": specimens}))
    answer = Estimate(
        measurement="sheet",
        parameters={f"MP{i}": value for i, value in enumerate(DP780.tolist(), 1)},
        novelty=1.0,
        novelty_limit=3.0,
        method="surrogate",
    )
    found = with_examination(campaign(), far, answer)
    assert found.parameters == answer.parameters and found.examination is None
    assert "necked" in found.unexamined
    field = Field(estimate=found, status="ok", reason="", strains=far.strains, forces=far.forces)
    judgement = score(campaign(), far, field, refined=True).judgement
    assert judgement.verdict == "reservations"
    assert "was not examined" in judgement.reasons[0] and "necked" in judgement.reasons[0]


@pytest.mark.parametrize(("missed", "least", "most"), [(0.0, 0.0, 0.4), (1e-4, 0.6, 1.0)])
def test_as_much_model_error_is_believed_as_the_residual_asks_for(
    missed: float, least: float, most: float
) -> None:
    """The noise of a good camera is no larger than what mesh and model may miss."""
    strains, forces = pulled()
    specimens, random = campaign().specimens, np.random.default_rng(11)
    shape = (*specimens.strain_shape[:-1], specimens.output_times)
    ramp = np.arange(1, shape[-1] + 1) / shape[-1]
    off = random.standard_normal(shape[:-1])[..., None] * ramp + random.standard_normal(shape)
    quiet = measured(strains, forces).header.model_copy(update={"noise": QUIET})
    noise = QUIET.strain * random.standard_normal(strains.shape)
    noisy = strains + noise + missed / np.sqrt(2) * off.ravel()
    count = 2 * specimens.patches.count
    examiner = Examiner.of(
        campaign(),
        Measurement(header=quiet, strains=noisy, forces=forces, noise_correlation=np.eye(count)),
    )
    named = dict(zip(campaign().sheet.parameters, DP780, strict=True))
    true = Sheet.of(named, campaign().material).quantities()
    x = examiner.prior_mean.copy()
    x[: examiner.sheets] = [true[axis] for axis in examiner.response.axes]
    found = examiner.weighed(x, examiner.line(x))
    assert least <= found.model_share <= most


def test_whitened_noise_is_white() -> None:
    """With correlation between patches, and a missing one."""
    whole = measured(*pulled())
    count = 2 * campaign().specimens.patches.count
    random = np.random.default_rng(7)
    mixing = np.eye(count) + 0.3 * random.standard_normal((count, count)) / np.sqrt(count)
    covariance = mixing @ mixing.T
    scale = np.sqrt(np.diagonal(covariance))
    correlation = covariance / np.outer(scale, scale)
    strains = whole.strains.copy()
    strains[4] = np.nan
    one = replace(whole, strains=strains, noise_correlation=correlation)
    found = whitening(one, NuisancePriors(model_strain=0, model_force=0))
    assert found.shape == (strains.size - 1 + whole.forces.size,) * 2
    rows = np.arange(2 * 18) * 0 + np.arange(36) // 18 * 540 + np.arange(36) % 18 * 10 + 1
    block = found[np.ix_(rows - (rows > 4), rows - (rows > 4))] * NOISE.strain
    np.testing.assert_allclose(block @ correlation @ block.T, np.eye(36), atol=2e-3)


def test_a_mistake_is_the_mixture_s_only_where_the_residual_asks_for_it() -> None:
    """Two unknowns, of which the second is wrong by fifty of its deviations or by none."""
    jacobian = np.random.default_rng(1).standard_normal((200, 2))
    column = Column(KIND["force_gain"], None, 0.0, 0.001)
    for wrong in (0.0, 0.05):
        problem = Problem(
            residual=jacobian @ [0.3, wrong] * 100 + np.random.default_rng(2).standard_normal(200),
            jacobian=100 * jacobian,
            at=np.zeros(2),
            prior_mean=np.zeros(2),
            prior_covariance=np.diag([1.0, 1e-6]),
            columns=(column,),
            unknowns_of_sheet=1,
        )
        explanations = search(problem)
        assert bool(explanations[0].mistakes) == bool(wrong)
        mean, covariance = mixture(explanations)
        assert mean == pytest.approx([0.3, wrong], abs=4e-3)
        assert np.sqrt(covariance[0, 0]) < 2e-3


def test_knowledge_goes_before_the_campaign_and_the_campaign_before_the_defaults() -> None:
    """Of the notch's width; a straight strip has none."""
    tests = campaign().specimens.tests
    known = {"notch_width_mm@45": (0.11, 0.004)}
    columns = columns_of(NuisancePriors(), {"notch_width_mm": 0.07}, known, tests, forces=False)
    found = {one.label(tests): (one.mean, one.deviation) for one in columns}
    assert found["notch_width_mm@0"] == (0.0, 0.07)
    assert found["notch_width_mm@45"] == (0.11, 0.004)
    assert found["scale"] == (0.0, NuisancePriors().scale)
    assert not any(name.startswith("force") for name in found)


def test_words_tell_sizes_where_there_are_sizes() -> None:
    """And which specimen it is."""
    test = campaign().specimens.tests[1]
    notch = KIND["notch_width_mm"]
    assert in_words(notch, 0.1, test, "in specimen 45") == (
        "as if the notch were 10.10 mm wide, in specimen 45"
    )
    assert in_words(notch, 0.1, test, "in all specimens") == (
        "as if the notch were 10.10 mm wide, in all specimens"
    )
    assert "engineering strains" in in_words(KIND["strain_measure"], 0.46, None)
