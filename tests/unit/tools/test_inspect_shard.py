"""inspect_shard: a shard explains itself; whatever is none, or none any more, is told apart."""

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from hpc_jobs.contract.campaign import Campaign, FrozenCampaign
from hpc_jobs.contract.errors import CorruptFile
from hpc_jobs.contract.layout import RunFolder, manifest_of
from hpc_jobs.contract.loading import load
from hpc_jobs.contract.records import ShardFields, publish_manifest
from hpc_jobs.fem.native.build import build
from hpc_jobs.fem.records import shard_file
from hpc_jobs.fem.records.shard_file import read_shard
from hpc_jobs.fem.records.shard_summary import summarise
from hpc_jobs.fem.records.shards import Assignment, solve_shard
from hpc_jobs.tools.inspect_shard import main

ROOT = Path(__file__).parents[3]
OVERRIDES = {
    "solver": "native",
    "specimens": {
        "mesh": {"along": 8, "across": 4},
        "output_times": 4,
        "steps_per_output": 1,
        "outputs": ["thickness"],
    },
}
ROWS = 12


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shard of which one sheet is unphysical."""
    build(environment=dict(os.environ))
    run = RunFolder(tmp_path_factory.mktemp("run"))
    campaign = load(Campaign, ROOT / "dags" / "campaigns" / "single_sheet.yaml", OVERRIDES)
    parameters = 1 + 0.05 * np.random.default_rng(3).uniform(-1, 1, (ROWS, 8))
    parameters[2] = (2.0, 0.5, 1.5, 1.0, 1.0, 0.5, 1.0, 1.0)
    work = Assignment(
        round=0,
        index=7,
        parameters=parameters,
        sheet=np.empty((ROWS, 0)),
        is_test=np.arange(ROWS) >= ROWS - 2,
        point=np.arange(84, 84 + ROWS),
        level=np.zeros(ROWS, np.uint8),
    )
    frozen = FrozenCampaign(run_id="small", campaign=campaign, code_sha256="ab" * 32)
    solve_shard(run, frozen, work, lambda done, total: None)
    return run.shard(0, 7)


@pytest.fixture
def shard(published: Path, tmp_path: Path) -> Path:
    """A copy with its manifest, to be spoiled."""
    for path in (published, manifest_of(published)):
        shutil.copy(path, tmp_path)
    return tmp_path / published.name


def test_the_job_tells_and_draws(published: Path, tmp_path: Path) -> None:
    figure = tmp_path / "shard.png"
    done = subprocess.run(
        [sys.executable, "-m", "hpc_jobs.tools.inspect_shard", published, "--figure", figure],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    campaign = load(Campaign, ROOT / "dags" / "campaigns" / "single_sheet.yaml", OVERRIDES)
    for said in (
        "shard 7 of round 0",
        f"single_sheet, fingerprint {campaign.fingerprint[:12]}",
        "code        abababababab, solver native",
        "at 0, 45, 90 degrees",
        "explicit: 8 x 4 = 32 elements, grading 0.3; 12 records",
        "exponent 6, E 200000 MPa, nu 0.33",
        "saturation_stress_mpa 1125.76",
        "12: 10 training, 2 test; points 84 to 95",
        "MP8 alpha8",
        "force, N",
        "thickness, mm",
        f"verified: {published.stat().st_size:,} bytes",
    ):
        assert said in done.stdout
    with Image.open(figure) as image:
        assert min(image.size) > 600
        assert len(image.convert("RGB").getcolors(1 << 20) or []) > 50  # not an empty page


def test_failures_are_counted_with_their_reasons(published: Path) -> None:
    lines = summarise(read_shard(published)).splitlines()
    at = next(i for i, line in enumerate(lines) if "rejected_material" in line)
    assert lines[at].split() == ["rejected_material", "1", "8.33%"]
    assert lines[at + 1].strip().startswith("1 x r is -")


def test_ranges_are_those_of_the_file(published: Path) -> None:
    shard = read_shard(published)
    lines = summarise(shard).splitlines()
    told = next(line for line in lines if "force, N" in line).split()
    with h5py.File(published) as file:
        forces = file[ShardFields.FORCES][:]
    assert float(told[2]) == pytest.approx(np.nanmin(forces), rel=1e-5)
    assert float(told[4]) == pytest.approx(np.nanmax(forces), rel=1e-5)


def test_a_shard_names_units_and_layout_of_all_it_holds(published: Path) -> None:
    with h5py.File(published) as file:
        for dataset in file.values():
            assert dataset.attrs["unit"]
            assert dataset.attrs["layout"]


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def truncate_without_manifest(path: Path) -> None:
    truncate(path)
    manifest_of(path).unlink()


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:4])


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)


def replace_by_text(path: Path) -> None:
    path.write_text("specimen,patch,time,exx,eyy\n")


def replace_by_a_measurement(path: Path) -> None:
    shutil.copy(ROOT / "dags" / "measurements" / "single-dp780.h5", path)
    publish_manifest(manifest_of(path), "shard", [path])


def take_a_column(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file[ShardFields.ITERATIONS]
    publish_manifest(manifest_of(path), "shard", [path])


def pad_a_failure(path: Path) -> None:
    """As if a failed record had been given the last converged values."""
    with h5py.File(path, "a") as file:
        file[ShardFields.STRAINS][2] = 0.01
    publish_manifest(manifest_of(path), "shard", [path])


def of_another_version(path: Path) -> None:
    with h5py.File(path, "a") as file:
        file.attrs["specimens"] = '{"angles_deg": [0], "gauge_mm": 80}'
    publish_manifest(manifest_of(path), "shard", [path])


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (Path.unlink, "no such file"),
        (truncate, r"truncated, \d+ of \d+ bytes"),
        (truncate_without_manifest, "truncated, HDF5 misses its end"),
        (cut_short, "truncated to 4 bytes"),
        (flip_a_bit, r"altered after it was published, sha256 .* its manifest says"),
        (replace_by_text, "not an HDF5 file, it begins with b'specimen'"),
        (replace_by_a_measurement, "an HDF5 file, but no shard: kind is None.*it holds .*strains"),
        (take_a_column, f"no dataset '{ShardFields.ITERATIONS}'"),
        (pad_a_failure, "'strains' must be finite where the status is ok and NaN elsewhere"),
        (of_another_version, "attribute 'specimens.gauge_mm': .* with the code that wrote it"),
    ],
)
def test_what_is_no_whole_shard_is_refused(shard: Path, spoil, said: str) -> None:
    spoil(shard)
    with pytest.raises(CorruptFile, match=said) as refusal:
        read_shard(shard)
    assert str(refusal.value).startswith(f"{shard}: ")
    with pytest.raises(SystemExit, match="error: ") as exit_:
        main([str(shard)])
    assert exit_.value.code not in (0, None)


def lose(manifest: Path) -> None:
    manifest.unlink()


def take_another_file_s(manifest: Path) -> None:
    manifest.write_text(manifest.read_text().replace("shard-00007", "shard-00008"))


def take_a_design_s(manifest: Path) -> None:
    manifest.write_text(manifest.read_text().replace('"kind": "shard"', '"kind": "design"'))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lose, "missing, so nothing vouches for shard-00007.h5"),
        (take_another_file_s, "another file, it vouches for shard-00008.h5, not for shard-00007"),
        (take_a_design_s, "a manifest of kind 'design', expected 'shard'"),
        (lambda manifest: manifest.write_text("{"), "not a Manifest"),
    ],
)
def test_a_shard_for_which_nothing_vouches_is_told_but_not_trusted(
    shard: Path, spoil, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(manifest_of(shard))
    with pytest.raises(SystemExit, match=said):
        main([str(shard), "--figure", str(shard.with_suffix(".png"))])
    printed = capsys.readouterr().out
    assert "MP8 alpha8" in printed
    assert "NOT VERIFIED" in printed
    assert shard.with_suffix(".png").is_file()


def test_damage_that_no_manifest_betrays_never_ends_in_a_traceback(
    shard: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bits of HDF5's own structures, too: what can still be read is read, the rest refused."""
    monkeypatch.setattr(shard_file, "PROBE_S", 5.0)
    manifest_of(shard).unlink()
    whole, chance = shard.read_bytes(), random.Random(5)
    refused = 0
    for _ in range(15):
        content = bytearray(whole)
        content[chance.randrange(min(len(whole), 6000))] ^= 1 << chance.randrange(8)
        shard.write_bytes(content)
        try:
            summarise(read_shard(shard))
        except CorruptFile:
            refused += 1
    assert refused > 2
