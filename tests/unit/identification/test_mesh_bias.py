"""The mesh bias is simulated once, published, and read by whoever needs it."""

from pathlib import Path

import numpy as np
import pytest

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.errors import CorruptFile
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.identification import mesh_bias as module
from hpc_jobs.identification.mesh_bias import publish_mesh_bias, read_mesh_bias


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
