"""`yieldloop plan` as a person uses it."""

from pathlib import Path

import pytest
import yaml

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.execution import ResourceRequest
from hpc_jobs.contract.loading import load
from hpc_jobs.contract.rates import Rates
from hpc_jobs.tools import plan
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


def test_a_box_in_which_no_sheet_lies_is_refused_before_anything_is_counted(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Valid in every number, but no sheet has such r-values beside such stress ratios."""
    document = yaml.safe_load(Path(HLRS).read_text())
    document["design"]["box"] = {
        "stress_ratio_45": [2.8, 3.0],
        "stress_ratio_90": [0.3, 0.32],
        "stress_ratio_biaxial": [0.3, 0.32],
        "r_value_0": [9.0, 10.0],
        "r_value_45": [0.05, 0.06],
    }
    empty = tmp_path / "hlrs.yaml"
    empty.write_text(yaml.safe_dump(document))
    with pytest.raises(SystemExit, match=r"'hlrs': design\.box: 0 of 256 points are materials"):
        main([str(empty)])
    assert capsys.readouterr().out == ""


def test_where_points_cannot_be_drawn_it_is_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "DRAWING", ("numpy", "no_such_package"))
    main([HLRS])
    shown = capsys.readouterr()
    assert "solve_shard" in shown.out
    assert "not looked at: whether sheets lie in design.box, without no_such" in shown.err


def test_this_machine_is_measured() -> None:
    coarse = {"specimens": {"mesh": {"along": 8, "across": 4}, "output_times": 2}}
    campaign = load(Campaign, DAGS / "campaigns" / "demo.yaml", coarse)
    rates = measured_here(campaign, Rates(), records=3)
    assert rates.increment_s.measured and rates.point_s.measured
    assert "solved on this machine" in rates.source
