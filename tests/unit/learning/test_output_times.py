"""A record's own output times: packed beside it, told to networks, and asked of measurements."""

import csv
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from hpc_jobs.contract.campaign import Campaign, FrozenCampaign
from hpc_jobs.contract.errors import BadInput
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.measurement import MeasurementHeader
from hpc_jobs.contract.records import ShardFields
from hpc_jobs.contract.training import Noise
from hpc_jobs.dataset.dataset import (
    Dataset,
    open_dataset,
    validation_examples,
    with_nothing_known,
)
from hpc_jobs.dataset.facts import PackedFields
from hpc_jobs.dataset.pack import given_values, publish_dataset
from hpc_jobs.design.rounds import choose_round, read_round
from hpc_jobs.fem.records.shard_file import read_shard
from hpc_jobs.fem.records.shards import Assignment, solve_shard
from hpc_jobs.identification.family_answer import network_knowledge
from hpc_jobs.identification.quantities import derived_of
from hpc_jobs.learning.feed.order import Order
from hpc_jobs.learning.feed.ram import RamSource
from hpc_jobs.learning.feed.source import Records
from hpc_jobs.learning.models.runtimes import RUNTIMES, Subject, check_agreement
from hpc_jobs.learning.models.trained_model import TrainedModel, load_model
from hpc_jobs.learning.training.experiment import train_network
from hpc_jobs.tools import predict
from hpc_jobs.tracking.spool import Spool
from operators.tracking.packaging import layout_of
from tests.harness.families import small_family

SPEC = {
    "kind": "mlp", "hidden": [8], "components": 6, "ratios": True, "forces": True, "gaussian": True,
}  # fmt: skip
GIVEN, TOLD = 2, 6  # exponent and E; first and last displacement of three tests


@dataclass(frozen=True)
class Made:
    """A small family, simulated, packed and learned."""

    run: RunFolder[Path]
    campaign: Campaign
    dataset: Dataset
    model: TrainedModel


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    campaign = small_family(
        training={"networks": [SPEC], "epochs": 1, "batch_size": 8, "validation_fraction": 0.5},
        design={"train_records": 40, "test_records": 8, "records_per_shard": 30},
    )
    run = RunFolder(tmp_path_factory.mktemp("timed"))
    choose_round(run, campaign, 0, None)
    points, size = read_round(run, 0), campaign.design.records_per_shard
    frozen = FrozenCampaign(run_id="timed", campaign=campaign, code_sha256="ab" * 32)
    for index in range(campaign.design.shards(len(points.point))):
        rows = slice(index * size, (index + 1) * size)
        names = ("parameters", "sheet", "is_test", "point", "level")
        columns = {name: getattr(points, name)[rows] for name in names}
        solve_shard(run, frozen, Assignment(round=0, index=index, **columns), lambda *_: None)
    publish_dataset(run, campaign, derived_of(campaign))
    with Spool(run.root / "spool.jsonl", name="m") as spool:
        train_network(
            run, campaign, campaign.training.networks[0], "m",
            spool=spool, progress=lambda *_: None, stop=lambda: False,
        )  # fmt: skip
    dataset = open_dataset(run, campaign.training.validation_fraction)
    return Made(run, campaign, dataset, load_model(run.model("m")))


def test_first_and_last_displacements_are_packed_with_their_record(made: Made) -> None:
    shards = [read_shard(made.run.shard(0, index)) for index in range(2)]
    forces = np.vstack([one.forces.reshape(-1, 12) for one in shards])
    ends = np.vstack([one.displacements[:, :, [0, -1]].reshape(-1, TOLD) for one in shards])
    train, rows = made.dataset.train, np.arange(len(made.dataset.train))
    assert len(rows) > 30
    pulled, told = train.gather((PackedFields.FORCES, PackedFields.DISPLACEMENTS), rows)
    for pull, one in zip(pulled, told, strict=True):
        [same] = np.flatnonzero((forces == pull).all(axis=1))
        np.testing.assert_allclose(one, ends[same], rtol=1e-6)
    assert made.dataset.facts.given.displacements == (
        "first_displacement_mm@0", "last_displacement_mm@0", "first_displacement_mm@45",
        "last_displacement_mm@45", "first_displacement_mm@90", "last_displacement_mm@90",
    )  # fmt: skip


def test_a_training_is_told_them_without_noise(made: Made) -> None:
    dataset, network = made.dataset, made.model.module.network
    given = dataset.facts.given
    order = Order(records=len(dataset.fit_rows), batch_size=8, seed=1, parts=dataset.fit_parts)
    fed = Records(
        dataset.train, order, dataset.facts.scaler, torch.device("cpu"), SPEC["components"],
        forces=True, given=given.columns, told=True,
    )  # fmt: skip
    with RamSource(fed) as source:
        [batch, *_] = source.batches(0)
    assert batch.components.shape[1] == network.measured + GIVEN + TOLD
    displacements = batch.components[:, -TOLD:]
    assert (displacements[:, 1::2] > displacements[:, ::2]).all()  # the last after the first
    noise = torch.randn(2, len(batch), network.noise_values)
    first, second = (network.noisy(batch.components, one) for one in noise)
    assert torch.equal(first[:, -TOLD:], second[:, -TOLD:])
    assert not torch.equal(first[:, :TOLD], second[:, :TOLD])
    seen = network.observe(torch.zeros(2, 3 * 2 * 18 * 4), torch.ones(2, 12), torch.ones(2, 10))
    assert seen.shape[1] == first.shape[1]


def test_who_knows_nothing_of_the_sheet_still_knows_when_it_was_photographed(made: Made) -> None:
    examples = validation_examples(made.dataset)
    blind = with_nothing_known(examples)
    assert examples.known is not None and blind.known is not None
    assert np.isinf(blind.known[:, GIVEN : 2 * GIVEN]).all()
    np.testing.assert_array_equal(blind.known[:, 2 * GIVEN :], examples.known[:, 2 * GIVEN :])


def test_an_answer_depends_on_them(made: Made) -> None:
    examples = validation_examples(made.dataset)
    assert examples.known is not None
    later = examples.known.copy()
    later[:, -1] *= 1.2
    moved = made.model.predict(examples.strains, examples.forces, later)
    assert (
        np.abs(moved - made.model.predict(examples.strains, examples.forces, examples.known)).max()
        > 1e-4
    )


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda known: None, r"must know where the output times lie: .*exponent, youngs_modulus"),
        (
            lambda known: known[:, :-1],
            r"takes \(\d+, 10\): exponent, .* then first_displacement_mm",
        ),
        (lambda known: np.where(np.arange(10) == 9, 0, known), "must be positive and finite"),
        (lambda known: np.where(np.arange(10) == 4, np.inf, known), "must be positive and finite"),
    ],
)
def test_a_network_is_not_asked_without_them(made: Made, spoil, words: str) -> None:
    examples = validation_examples(made.dataset)
    with pytest.raises(BadInput, match=words):
        made.model.predict(examples.strains, examples.forces, spoil(examples.known))


def test_a_measurement_tells_them_from_its_own_specimens(made: Made) -> None:
    campaign, times = (
        made.campaign,
        ((0.1, 0.2, 0.3, 0.4), (0.2, 0.3, 0.4, 0.6), (0.1, 0.3, 0.5, 0.7)),
    )
    pieces = [{"displacements_mm": list(one)} for one in times]
    document = campaign.specimens.model_dump(mode="json") | {"pieces": pieces}
    header = MeasurementHeader(
        name="coil", source="bench", specimens=document, knowledge={"exponent": (6, 0.1)},
        noise=Noise(strain=5e-4, force_relative=5e-3),
    )  # fmt: skip
    told = network_knowledge(given_values(campaign), header)
    assert told.shape == (1, 2 * GIVEN + TOLD)
    assert told[0, 0] == 6 and told[0, GIVEN : 2 * GIVEN].tolist() == [0.1, np.inf]
    assert told[0, 2 * GIVEN :].tolist() == [0.1, 0.4, 0.2, 0.6, 0.1, 0.7]
    untimed = header.model_copy(update={"specimens": campaign.specimens})
    with pytest.raises(BadInput, match="coil does not say at which displacements"):
        network_knowledge(given_values(campaign), untimed)


def test_an_exported_network_takes_them(made: Made) -> None:
    examples, model = validation_examples(made.dataset), made.model.module
    assert examples.known is not None
    asked = examples.strains[:5], examples.forces[:5], examples.known[:5]
    check_agreement(model, RUNTIMES["exported"](Subject(model)), *asked)


def test_a_network_without_forces_takes_them_too(made: Made, tmp_path: Path) -> None:
    blind = made.campaign.training.networks[0].model_copy(update={"forces": False})
    with Spool(tmp_path / "spool.jsonl", name="blind") as spool:
        train_network(
            made.run, made.campaign, blind, "blind",
            spool=spool, progress=lambda *_: None, stop=lambda: False,
        )  # fmt: skip
    examples, model = validation_examples(made.dataset), load_model(made.run.model("blind"))
    assert examples.known is not None
    strains, known = examples.strains[:5], examples.known[:5]
    later = known * np.array([1] * 2 * GIVEN + [1.5] * TOLD, np.float32)
    assert np.abs(model.predict(strains, None, later) - model.predict(strains, None, known)).max()
    check_agreement(model.module, RUNTIMES["exported"](Subject(model.module)), strains, known)
    for name, values in (("strains", strains), ("known", known)):
        np.save(tmp_path / f"{name}.npy", values)
    told = ["--known", str(tmp_path / "known.npy"), "--out", str(tmp_path / "found.csv")]
    predict.main([str(made.run.model("blind")), str(tmp_path / "strains.npy"), *told])
    with (tmp_path / "found.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if not row["reason"]]
    low, _ = model.intervals(strains, None, known)
    target = model.targets[0]
    assert rows
    for row in rows:
        assert np.abs(low[:, 0] / float(row[f"{target}_low"]) - 1).min() < 1e-4


def test_sheets_that_all_stop_at_one_displacement_are_told_nothing(campaign: Campaign) -> None:
    assert campaign.specimens.timing is None
    assert given_values(campaign).displacements == ()


def test_the_tool_takes_them_from_a_shard_or_a_file(made: Made, tmp_path: Path) -> None:
    model, shard, found = made.run.model("m"), tmp_path / "x.h5", read_shard(made.run.shard(0, 0))
    with h5py.File(shard, "w") as file:  # but for the records that failed, which are refused
        for name in (ShardFields.STRAINS, ShardFields.FORCES, ShardFields.DISPLACEMENTS):
            file[name] = found.columns[name][found.ended("ok")]
    predict.main([str(model), str(shard), "--out", str(tmp_path / "shard.csv")])
    ends = found.displacements[:, :, [0, -1]].reshape(-1, TOLD)
    given = made.dataset.facts.given
    known = np.hstack([np.tile([*given.centre, np.inf, np.inf], (len(ends), 1)), ends])
    np.save(tmp_path / "known.npy", known)
    np.save(tmp_path / "strains.npy", found.strains.reshape(len(ends), -1))
    np.save(tmp_path / "forces.npy", found.forces.reshape(len(ends), -1))
    beside = [str(tmp_path / "strains.npy"), "--forces", str(tmp_path / "forces.npy")]
    told = ["--known", str(tmp_path / "known.npy"), "--out", str(tmp_path / "npy.csv")]
    predict.main([str(model), *beside, *told])
    assert (tmp_path / "shard.csv").read_text() == (tmp_path / "npy.csv").read_text()
    with pytest.raises(SystemExit, match=r"must know where the output times lie; give --known"):
        predict.main([str(model), *beside])


def test_the_registry_says_what_is_to_be_known_in_its_order(made: Made) -> None:
    said = layout_of(made.run.model("m"))
    assert "`known`: (n, 10): exponent, youngs_modulus_mpa, their standard deviations" in said
    assert "first_displacement_mm@0, last_displacement_mm@0, first_displacement_mm@45" in said
