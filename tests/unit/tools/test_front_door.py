"""`yieldloop TOOL ...`: all tools are behind one door, which a bare interpreter can open."""

import ast
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import pytest

from hpc_jobs.tools import __main__ as front_door

CHECKOUT = Path(__file__).parents[3]
FOLDER = CHECKOUT / "hpc_jobs" / "tools"


def yieldloop(*arguments: str, python: str = sys.executable) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, "-m", "hpc_jobs.tools", *arguments],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
    )


def test_help_lists_every_tool_that_there_is() -> None:
    modules = {file.stem for file in FOLDER.glob("*.py") if not file.stem.startswith("__")}
    assert {module for module, _ in front_door.TOOLS.values()} == modules
    done = yieldloop("--help")
    assert done.returncode == 0
    lines = [line.split(maxsplit=1) for line in done.stdout.splitlines() if line.startswith("  ")]
    assert dict(lines) == {name: what for name, (_, what) in front_door.TOOLS.items()}


@pytest.mark.parametrize("name", front_door.TOOLS)
def test_every_tool_takes_its_arguments_from_the_door(name: str) -> None:
    tree = ast.parse((FOLDER / f"{front_door.TOOLS[name][0]}.py").read_text())
    [main] = [
        node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "main"
    ]
    assert [argument.arg for argument in main.args.args] == ["argv"]


@pytest.mark.parametrize("name", sorted(set(front_door.TOOLS) - {"doctor"}))
def test_every_tool_refuses_an_option_that_is_given_twice(name: str) -> None:
    """But doctor, which is of the standard library alone."""
    source = (FOLDER / f"{front_door.TOOLS[name][0]}.py").read_text()
    assert "CommandLine(" in source and "ArgumentParser(" not in source


def test_a_tool_is_run_with_the_rest_of_the_line(tmp_path: Path) -> None:
    nothing = tmp_path / "nothing.h5"
    done = yieldloop("inspect-shard", str(nothing))
    assert done.returncode == 1 and str(nothing) in done.stderr
    asked = yieldloop("inspect-shard", "--help")
    assert asked.returncode == 0 and asked.stdout.startswith("usage: yieldloop inspect-shard")


def test_an_unknown_tool_is_answered_with_those_there_are() -> None:
    done = yieldloop("predcit")
    assert done.returncode == 1
    assert "no tool 'predcit'" in done.stderr and "predict, export" in done.stderr
    assert yieldloop().returncode == 2


def test_a_bare_interpreter_opens_it_and_is_told_what_a_tool_lacks(tmp_path: Path) -> None:
    venv.create(tmp_path, symlinks=True)
    python = str(tmp_path / "bin" / "python")
    assert yieldloop("--help", python=python).returncode == 0
    done = yieldloop("predict", "--help", python=python)
    assert done.returncode == 1
    assert "predict needs the package" in done.stderr and "yieldloop doctor" in done.stderr
    named = yieldloop("doctor", "--requirements", python=python)
    assert named.returncode == 0 and "numpy==" in named.stdout


def test_the_command_of_an_installation_is_this_door() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    assert project["scripts"]["yieldloop"] == f"{front_door.__spec__.name}:main"  # type: ignore[union-attr]
