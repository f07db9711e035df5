"""The mesh bias is simulated once, published, and read by whoever needs it."""

from pathlib import Path

import numpy as np
import pytest

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.errors import CorruptFile
from hpc_jobs.contract.geometry import MESH_LEVELS
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.fem.backends import backend_of
from hpc_jobs.identification import mesh_bias as module
from hpc_jobs.identification.mesh_bias import publish_mesh_bias, read_mesh_bias, refined


@pytest.fixture
def refining(campaign: Campaign) -> Campaign:
    """Ask for the bias of a coarse mesh."""
    validation = campaign.validation.model_copy(update={"mesh_refinement": 2})
    return campaign.model_copy(update={"validation": validation})


def test_the_bias_is_simulated_once_and_read_thereafter(
    tmp_path: Path, refining: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunFolder(tmp_path)
    first = publish_mesh_bias(run, refining)
    assert np.abs(first.strains).max() > 1e-4
    monkeypatch.delattr(module, "mesh_bias_of")  # a second simulation would need it
    for again in (publish_mesh_bias(run, refining), read_mesh_bias(run, refining)):
        np.testing.assert_array_equal(again.strains, first.strains)
        np.testing.assert_array_equal(again.forces, first.forces)


def test_nobody_reads_a_bias_that_is_missing_or_of_another_campaign(
    tmp_path: Path, refining: Campaign, campaign: Campaign
) -> None:
    run = RunFolder(tmp_path)
    with pytest.raises(CorruptFile, match="missing"):
        read_mesh_bias(run, campaign)
    publish_mesh_bias(run, campaign)
    with pytest.raises(CorruptFile, match="of another campaign"):
        read_mesh_bias(run, campaign.model_copy(update={"name": "other"}))


def test_what_mesh_and_steps_do_together_is_told_to_a_third(campaign: Campaign) -> None:
    """A refinement of 2 foresees what a mesh five times finer, in 16 times the steps, shows."""
    specimens = campaign.specimens.model_copy(
        update={"mesh": MESH_LEVELS["coarse"], "steps_per_output": 1}
    )
    finest = refined(specimens, 5).model_copy(update={"steps_per_output": 16})
    sheet, solve = np.ones(8), backend_of("native")[1].simulate
    coarse, fine = (solve(sheet, campaign.material, one) for one in (specimens, finest))
    told = module.mesh_bias(campaign.material, specimens, 2, "native")
    missed = coarse.strains - fine.strains
    assert rms(missed) > 1e-4
    assert rms(missed - told.strains) < rms(missed) / 3
    assert rms(missed - told.strains) < rms(missed - 3 / 4 * told.strains), "the plain difference"
    forces = coarse.forces / fine.forces - 1
    assert rms(forces - told.forces) < rms(forces) / 3


def rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2)))
