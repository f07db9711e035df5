"""Records on a finer mesh: told apart from the others, and what they correct in an answer."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hpc_jobs.contract.campaign import Campaign, FrozenCampaign
from hpc_jobs.contract.errors import CorruptFile
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.loading import load
from hpc_jobs.contract.records import publish_model
from hpc_jobs.dataset.pack import publish_dataset
from hpc_jobs.design.rounds import choose_round, read_round
from hpc_jobs.fem.backends import backend_of
from hpc_jobs.fem.records.shards import Assignment, solve_shard
from hpc_jobs.forward.meshes import other_meshes
from hpc_jobs.identification.by_family import FamilyIdentifier
from hpc_jobs.identification.by_surrogate import Identifier
from hpc_jobs.identification.engine import Engine
from hpc_jobs.identification.mesh_bias import MeshBias
from hpc_jobs.identification.quantities import derived_of
from tests.harness.families import small_family

SMALL = {
    "specimens": {
        "mesh": {"along": 8, "across": 4}, "output_times": 4, "end_displacement_mm": 0.5,
    },
    "design": {
        "train_records": 150, "test_records": 8, "records_per_shard": 200,
        "mesh_shares": {"coarse": 0.2},  # finer than the campaign's own
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def small(demo: Path) -> Campaign:
    return load(Campaign, demo, SMALL)


@pytest.fixture(scope="module")
def run(small: Campaign, tmp_path_factory: pytest.TempPathFactory) -> RunFolder[Path]:
    return solved(small, RunFolder(tmp_path_factory.mktemp("meshes") / "small-1"))


def solved(campaign: Campaign, run: RunFolder[Path]) -> RunFolder[Path]:
    """Solve and pack a round of two meshes."""
    frozen = FrozenCampaign(run_id=run.root.name, campaign=campaign, code_sha256="0" * 64)
    publish_model(run.campaign, frozen)
    choose_round(run, campaign, 0, None)
    chosen = read_round(run, 0)
    work = Assignment(
        round=0,
        index=0,
        parameters=chosen.parameters,
        sheet=chosen.sheet,
        is_test=chosen.is_test,
        point=chosen.point,
        level=chosen.level,
        weight=chosen.weight,
    )
    solve_shard(run, frozen, work, lambda done, total: None)
    publish_dataset(run, campaign, derived_of(campaign))
    return run


def no_bias(small: Campaign) -> MeshBias:
    specimens = small.specimens
    return MeshBias(
        strains=np.zeros(specimens.strain_values), forces=np.zeros(specimens.force_values)
    )


def test_what_lies_on_another_mesh_is_read_apart(small, run):
    level = read_round(run, 0).level
    other = other_meshes(run, small)
    assert other.fine is not None and len(other.fine) == len(other.seen) == (level > 0).sum() == 30
    identifier = Identifier.of(run, no_bias(small))
    assert len(identifier.records) == 150 - 30
    assert not other.among(identifier.records.parameters).any()


def test_a_mesh_that_is_coarser_than_the_campaigns_corrects_nothing(small, run):
    mesh = small.specimens.mesh.model_copy(update={"along": 200, "across": 100})
    specimens = small.specimens.model_copy(update={"mesh": mesh})
    other = other_meshes(run, small.model_copy(update={"specimens": specimens}))
    assert other.fine is None and len(other.seen) == 30


def test_answers_are_freed_of_what_the_campaigns_mesh_does(small, run, truths):
    """Of a sheet that was measured without that mesh's errors: a finer mesh's, in its units."""
    names = truths["dp780"]
    own = np.array([names[parameter] for parameter in small.material.parameters])
    record = backend_of(small.solver)[1].simulate(own, small.material, small.levels[1])
    with_fine = Identifier.of(run, no_bias(small))
    without = replace(with_fine, fine=None, _fitted={}, _laws={})
    true = np.array([names[small.targets[target]] for target in small.targets])

    def off(identifier: Identifier) -> float:
        found = identifier.identify(record.strains, record.forces)
        assert found.parameters is not None, found.outside
        return float(np.abs(np.array(list(found.parameters.values())) - true).max())

    assert off(with_fine) < 0.5 * off(without)


def test_a_fine_record_that_was_altered_is_not_believed(small, run):
    shard = run.shard(0, 0)
    content = shard.read_bytes()
    try:
        shard.write_bytes(content + b"\0")
        with pytest.raises(CorruptFile, match="bytes"):
            other_meshes(run, small)
    finally:
        shard.write_bytes(content)


FAMILY = {
    "specimens": {"mesh": {"along": 8, "across": 4}, "output_times": 3},
    "nuisance": {"angle_deg": 0, "notch_width_mm": 0},
    "design": {
        "train_records": 200, "test_records": 8, "records_per_shard": 300,
        "mesh_shares": {"coarse": 0.2},
    },
}  # fmt: skip


def test_a_familys_sheet_is_freed_of_what_the_campaigns_mesh_does_to_it(tmp_path):
    campaign = small_family(**FAMILY)
    run = solved(campaign, RunFolder(tmp_path / "family-1"))
    with_fine = FamilyIdentifier.of(run)
    assert with_fine.fine is not None and with_fine.held_out is not None
    assert len(with_fine.records) + len(with_fine.held_out) + len(with_fine.fine) > 0.95 * 200
    natural = with_fine.natural
    # Near the middle of the box, simulated on the finer mesh
    engine = Engine(campaign, campaign.levels[1], campaign.noise)
    record = engine.simulate(np.zeros(len(natural.names)))
    known = [one.name for one in campaign.family.coordinates if one.role == "given"]
    middle = natural.physical(natural.centre[None])[0]
    told = {name: (float(middle[natural.names.index(name)]), 0.0) for name in known}

    def off(identifier: FamilyIdentifier) -> float:
        found = identifier.identify(record.strains, record.forces, knowledge=told)
        spread = natural.spread * natural.slopes(natural.centre[None])[0]
        away = (found.mean() - middle) / spread
        return float(np.abs(away[natural.columns(("r_value_0", "r_value_90"))]).max())

    assert off(with_fine) < 0.7 * off(replace(with_fine, fine=None))
