"""`yieldloop plan` as a person uses it."""

from pathlib import Path

import pytest
import yaml

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.execution import ResourceRequest
from hpc_jobs.contract.loading import load
from hpc_jobs.contract.rates import Rates
from hpc_jobs.tools.plan import main, measured_here

DAGS = Path(__file__).parents[3] / "dags"
HLRS = str(DAGS / "campaigns" / "hlrs.yaml")


def test_the_table_fits_a_terminal_and_the_block_a_campaign(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    saved = tmp_path / "rates.json"
    hawk = str(DAGS / "clusters" / "hawk.yaml")
    main([HLRS, "--cluster", hawk, "--save", str(saved)])
    shown, _, block = capsys.readouterr().out.partition("for the section execution:\n")
    assert max(map(len, shown.splitlines())) <= 80
    assert "solve_shard" in shown and "assumed" in shown and "nodes" in shown
    campaign = load(Campaign, Path(HLRS))
    asked = yaml.safe_load(block)["resources"]
    assert ResourceRequest.model_validate(asked["solve_shard"]).walltime_s >= 600
    merged = load(Campaign, Path(HLRS), {"execution": {"resources": asked}})
    assert merged.execution.resources_for("train").gpus == (
        campaign.execution.resources_for("train").gpus
    )
    main([HLRS, "--rates", str(saved)])
    assert "solve_shard" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--rates", "/nowhere/at/all"], "cannot be read"),
        (["--rates", HLRS], "no rates"),
        (["--cluster", str(DAGS / "clusters" / "cpu.yaml")], "runs on hawk and vulcan"),
    ],
)
def test_what_is_wrong_is_said(options: list[str], said: str) -> None:
    with pytest.raises(SystemExit, match=said):
        main([HLRS, *options])


def test_this_machine_is_measured() -> None:
    coarse = {"specimens": {"mesh": {"along": 8, "across": 4}, "output_times": 2}}
    campaign = load(Campaign, DAGS / "campaigns" / "demo.yaml", coarse)
    rates = measured_here(campaign, Rates(), records=3)
    assert rates.increment_s.measured and rates.point_s.measured
    assert "solved on this machine" in rates.source
