"""A run folder whose round 0 is solved, and a network that was trained on one."""

import shutil
from pathlib import Path

import pytest
import torch

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.dataset.pack import publish_dataset
from hpc_jobs.learning.training.experiment import train_network
from hpc_jobs.tracking.spool import Spool
from tests.unit.learning.records import campaign_of, fill_round, freeze

torch.set_num_threads(1)  # what is trained here is so small that threads only wait for each other


@pytest.fixture
def campaign() -> Campaign:
    return campaign_of()


@pytest.fixture
def run(tmp_path, campaign) -> RunFolder[Path]:
    """A run folder, in an ugly place, whose round 0 is solved."""
    run = RunFolder(tmp_path / 'it\'s a "run"')
    freeze(run, campaign)
    fill_round(run, campaign)
    return run


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> tuple[Path, Campaign]:
    """A published MLP and its campaign; not to be changed."""
    campaign = campaign_of()
    run = RunFolder(tmp_path_factory.mktemp("trained"))
    fill_round(run, campaign)
    publish_dataset(run, campaign)
    spec = campaign.training.networks[1]
    with Spool(run.root / "spool.jsonl", name="m") as spool:
        train_network(
            run, campaign, spec, "m", spool=spool, progress=lambda *_: None, stop=lambda: False
        )
    return run.model("m"), campaign


@pytest.fixture
def trained_copy(trained, tmp_path) -> Path:
    """A copy of the model's folder, to be spoiled."""
    return Path(shutil.copytree(trained[0], tmp_path / "model"))
