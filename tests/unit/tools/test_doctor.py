"""The doctor: run as on a login node, by interpreters that have much, little or the wrong."""

import ast
import json
import os
import subprocess
import sys
import time
import tomllib
import venv
from pathlib import Path

import pytest

from hpc_jobs.contract.records import ElementResult, read_model
from hpc_jobs.doctor import machine, packages
from hpc_jobs.doctor.filesystem import workspace
from hpc_jobs.doctor.finding import MISSING, NOTE, OK
from hpc_jobs.job_folder.folder import JobFolder

CHECKOUT = Path(__file__).parents[3]
CODE = CHECKOUT / "hpc_jobs"
SOURCES = [
    *(
        CODE / name
        for name in ("__init__.py", "tools/__init__.py", "tools/__main__.py", "tools/doctor.py")
    ),
    *(CODE / "job_folder" / name for name in ("__init__.py", "names.py")),
    *sorted((CODE / "doctor").glob("*.py")),
]


def doctor(
    *arguments: str, python: str = sys.executable, path: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    folders = [str(folder) for folder in (path, CHECKOUT) if folder]
    return subprocess.run(
        [python, "-m", "hpc_jobs.tools", "doctor", *arguments],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(folders)} | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An interpreter without any package."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, symlinks=True)
    return str(folder / "bin" / "python")


def test_a_machine_that_has_everything_is_usable(tmp_path: Path) -> None:
    done = doctor("--workspace", str(tmp_path), "--role", "both", "--now", str(time.time()))
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1] == "usable"
    for what in ("Python", "package torch", "native kernel", "atomic rename", "clock", "scratch"):
        assert f" {what}" in done.stdout
    assert list(tmp_path.iterdir()) == [], "nothing is left in the workspace"


def test_a_bare_interpreter_is_told_what_to_install(tmp_path: Path, bare: str) -> None:
    done = doctor("--json", "--workspace", str(tmp_path), python=bare)
    assert (done.returncode, done.stderr) == (1, "")
    document = json.loads(done.stdout)
    lacking = {f["what"]: f for f in document["findings"] if f["level"] == MISSING}
    assert set(lacking) == {
        *("package pydantic", "package PyYAML", "package numpy", "package scipy"),
        *("package h5py", "package matplotlib", "package numba", "package Jinja2"),
    }
    assert not document["usable"]
    assert "pip install 'numpy==" in lacking["package numpy"]["remedy"]


def test_broken_and_old_packages_are_named(tmp_path: Path) -> None:
    (tmp_path / "numba.py").write_text("print('noise'); raise OSError('libLLVM.so: not found')")
    (tmp_path / "h5py.py").write_text("__version__ = '2.10.0'")
    (tmp_path / "scipy.py").write_text("import os; os._exit(0)")
    done = doctor(path=tmp_path)
    assert done.returncode == 1
    assert "MISSING  package numba: OSError: libLLVM.so: not found" in done.stdout
    assert "MISSING  package scipy: its import crashed or hung" in done.stdout
    assert "MISSING  package h5py: 2.10.0, older than 3" in done.stdout
    assert "ok       package matplotlib" in done.stdout, "tried after the crash"


def test_an_old_interpreter_understands_it() -> None:
    """Python 3.6, that of many login nodes: grammar, and nothing imported that it lacks."""
    for file in SOURCES:
        tree = ast.parse(file.read_text(), feature_version=(3, 6))
        modules = {
            name.split(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in (
                [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else [alias.name for alias in node.names]
            )
        }
        new = {"dataclasses", "tomllib", "zoneinfo", "graphlib", "contextvars", "__future__"}
        assert modules <= (set(sys.stdlib_module_names) | {"hpc_jobs"}) - new, file
        quoted = [
            note
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef)
            for note in (node.returns, *(a.annotation for a in node.args.args))
            if isinstance(note, ast.Subscript | ast.BinOp)
        ]
        assert quoted == [], f"{file}: annotations newer than 3.6 must be strings"


def test_its_versions_are_those_that_the_project_names() -> None:
    pinned = dict(
        line.lower().split("==")
        for line in (CHECKOUT / "constraints.txt").read_text().split()
        if "==" in line and not line.startswith("#")
    )
    tested = {package.name.lower(): package.tested for package in packages.PACKAGES}
    assert tested == {name: pinned[name] for name in tested}
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    low, high = packages.OLDEST, packages.BEYOND
    assert project["requires-python"] == f">={low[0]}.{low[1]},<{high[0]}.{high[1]}"


def test_it_says_what_to_install(bare: str) -> None:
    done = doctor("--requirements", "--role", "gpu", python=bare)
    assert done.returncode == 0
    assert {word.partition("==")[0] for word in done.stdout.split()} >= {"numpy", "torch"}
    assert "numba" not in done.stdout, "which only simulations need"


def test_it_leaves_a_result_that_the_contract_reads(tmp_path: Path, bare: str) -> None:
    job = JobFolder(tmp_path / "job")
    done = doctor(*("--publish-in", str(job.root)), python=bare, TASK_INDEX="3", HPC_JOB_ID="12_3")
    assert done.returncode == 1
    result = read_model(ElementResult, job.result(3))
    assert (result.element, result.job_id, result.outcome) == (3, "12_3", "done")
    assert result.facts["usable"] is False and "package numpy" in result.message


@pytest.mark.parametrize("path", ["nosuch", "/proc", __file__])
def test_a_workspace_that_cannot_be_used(path: str) -> None:
    [finding] = workspace(path)
    assert finding.level == MISSING and path in finding.found
    assert "dags/clusters" in finding.remedy or "owner, mode, quota" in finding.remedy


def test_a_clock_that_is_wrong_is_no_obstacle() -> None:
    assert machine.clock(time.time()).level == OK
    finding = machine.clock(time.time() - 600)
    assert finding.level == NOTE and "+600 s" in finding.found


def test_a_control_group_counts_as_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(machine, "CGROUPS", (str(limit),))
    limit.write_text("max\n")
    assert machine.memory().level == OK
    limit.write_text(f"{500 * 2**20}\n")
    finding = machine.memory()
    assert finding.level == MISSING and finding.found.startswith("500 MiB of ")


def test_without_a_compiler_the_reference_serves() -> None:
    from hpc_jobs.fem.native.build import library_path

    if library_path().is_file():
        assert machine.compiler({"CXX": "nosuch-c++"}).found.startswith("built: ")
    else:
        finding = machine.compiler({"CXX": "nosuch-c++"})
        assert finding.level == NOTE and "nosuch-c++" in finding.found
        assert "modules: [gcc]" in finding.remedy
