import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path, PurePosixPath

import pytest

from operators.cluster.errors import ClusterError
from operators.runs.code import Code, current_code, pack_code, ship_code


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "it's a package" / "library"
    (folder / "native").mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "main.py").write_text("print('ran', __file__)\n")
    (folder / "native" / "kernel.cpp").write_text("// c++\n")
    return folder


def test_same_files_same_archive(package: Path):
    first = pack_code(package)
    for file in package.rglob("*.py"):
        file.touch()
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "main.pyc").write_bytes(b"x")
    (package / "main.nbi").write_bytes(b"x")
    assert pack_code(package) == first
    (package / "main.py").write_text("print('other')\n")
    assert pack_code(package).sha256 != first.sha256


def test_the_package_is_whole():
    names = zipfile.ZipFile(BytesIO(current_code().archive)).namelist()
    assert names == sorted(names)
    assert "hpc_jobs/runtime/element.py" in names and "hpc_jobs/__init__.py" in names
    assert "hpc_jobs/fem/backends/calculix.inp.j2" in names


def test_shipped_code_runs_and_has_fixed_times(bench, package: Path):
    code, workspace = pack_code(package), bench.home / "a 'workspace'"
    target = ship_code(bench.connect("cpu"), str(workspace), code)
    assert target == PurePosixPath(workspace) / "code" / code.sha256
    ran = subprocess.run(
        [sys.executable, "-m", "library.main"], cwd=target, capture_output=True, text=True
    )
    assert ran.stdout.startswith(f"ran {target}/library/main.py")
    times = {file.stat().st_mtime for file in Path(target).rglob("*.cpp")}
    assert times == {946684800.0}
    assert {path.name for path in Path(target).parent.iterdir()} == {code.sha256}


def test_shipping_again_leaves_what_is_there(bench, package: Path):
    code = pack_code(package)
    target = Path(ship_code(bench.connect("cpu"), str(bench.home), code))
    (target / "made-since").touch()
    ship_code(bench.connect("cpu"), str(bench.home), code)
    assert (target / "made-since").exists()


def test_a_race_has_one_winner_and_no_loser(bench, package: Path):
    code = pack_code(package)
    with ThreadPoolExecutor(4) as pool:
        hooks = [bench.connect("cpu") for _ in range(4)]
        targets = set(pool.map(lambda hook: ship_code(hook, str(bench.home), code), hooks))
    assert len(targets) == 1
    assert {path.name for path in (bench.home / "code").iterdir()} == {code.sha256}


def test_an_archive_that_arrived_damaged_is_refused(bench, package: Path):
    code = pack_code(package)
    with pytest.raises(ClusterError, match="arrived as"):
        ship_code(bench.connect("cpu"), str(bench.home), Code(code.archive[:-1], code.sha256))
    assert list((bench.home / "code").iterdir()) == []


def test_a_python_that_is_not_there_is_named(bench, package: Path):
    bench.edit("clusters/cpu.yaml", lambda file: file.update(python="python2.0"))
    with pytest.raises(ClusterError, match=r"python2\.0"):
        ship_code(bench.connect("cpu"), str(bench.home), pack_code(package))
