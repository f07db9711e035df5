"""A shard of a campaign that mixes meshes: each record on its own, and the file says which."""

import json
from pathlib import Path

import h5py
import numpy as np

from hpc_jobs.contract.campaign import Campaign, FrozenCampaign
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.loading import load
from hpc_jobs.contract.records import ShardFields
from hpc_jobs.design.rounds import choose_round, read_round
from hpc_jobs.fem.native.library import Library
from hpc_jobs.fem.native.simulation import NativeSimulation
from hpc_jobs.fem.records.shards import Assignment, solve_shard

DEMO = Path(__file__).parents[3] / "dags" / "campaigns" / "single_sheet.yaml"
MIXED = {
    "solver": "native",
    "specimens": {
        "angles_deg": [0],
        "mesh": {"level": "sketch", "along": 8, "across": 4},
        "output_times": 2,
        "outputs": ["thickness"],
    },
    "design": {"train_records": 14, "test_records": 8, "mesh_shares": {"coarse": 0.3}},
}


def test_each_record_is_solved_on_its_own_mesh(tmp_path: Path, library: Library) -> None:
    campaign, run = load(Campaign, DEMO, MIXED), RunFolder(tmp_path)
    choose_round(run, campaign, 0, None)
    points = read_round(run, 0)
    assert np.bincount(points.level[~points.is_test]).tolist() == [10, 4]
    frozen = FrozenCampaign(run_id="mixed", campaign=campaign, code_sha256="ab" * 32)
    work = Assignment(
        round=0,
        index=0,
        parameters=points.parameters,
        sheet=points.sheet,
        is_test=points.is_test,
        point=points.point,
        level=points.level,
    )
    solve_shard(run, frozen, work, lambda done, total: None)
    with h5py.File(run.shard(0, 0)) as file:
        meshes = json.loads(file.attrs["meshes"])
        assert [mesh["level"] for mesh in meshes] == ["sketch", "coarse"]
        assert [mesh["along"] for mesh in meshes] == [8, 24]
        assert np.array_equal(file[ShardFields.MESH_LEVEL], points.level)
        strains, thickness = file[ShardFields.STRAINS][:], file[ShardFields.THICKNESS][:]
        assert file[ShardFields.THICKNESS].attrs["unit"] == "mm"
        assert ShardFields.PATCH_PLASTIC_STRAIN not in file
    alone = [
        NativeSimulation(campaign.material, specimens, library=library)
        for specimens in campaign.levels
    ]
    for row, level in enumerate(points.level):
        expected = alone[level].simulate(points.parameters[row])
        for found, values in (
            (strains, expected.strains),
            (thickness, expected.outputs["thickness"]),
        ):
            assert np.array_equal(found[row], values.astype(np.float32), equal_nan=True)
