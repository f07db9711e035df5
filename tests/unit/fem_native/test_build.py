"""The library is found by what it was built from, and its absence is explained."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hpc_jobs.fem.native import build as builder
from hpc_jobs.fem.native.library import Library, load

PROJECT = Path(__file__).parents[3]


def test_a_missing_library_is_explained(tmp_path: Path) -> None:
    with pytest.raises(builder.NotBuilt, match=r"python -m hpc_jobs\.fem\.native\.build"):
        load(tmp_path)


def test_a_missing_compiler_is_explained(tmp_path: Path) -> None:
    with pytest.raises(builder.NotBuilt, match=r"no C\+\+ compiler .nowhere-c"):
        builder.build(tmp_path, {"CXX": "nowhere-c++"})
    assert list(tmp_path.iterdir()) == []


def test_a_failing_compiler_leaves_nothing(tmp_path: Path) -> None:
    compiler = tmp_path / "c++"
    compiler.write_text("#!/bin/sh\necho 'no such flag' >&2\nexit 1\n")
    compiler.chmod(0o755)
    with pytest.raises(builder.NotBuilt, match="no such flag"):
        builder.build(tmp_path / "built", {"CXX": str(compiler)})
    assert list((tmp_path / "built").iterdir()) == []


def test_any_change_of_the_sources_asks_for_another_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in builder.SOURCES.glob("*.[ch]*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(builder, "SOURCES", tmp_path)
    before = builder.source_hash()
    with (tmp_path / "linear_forms.hpp").open("a") as file:
        file.write("// changed\n")
    assert builder.source_hash() != before


def test_what_is_built_is_not_built_again(library: Library) -> None:
    assert builder.build(environment={"CXX": "nowhere-c++"}).is_file()


def test_a_foreign_library_is_refused(tmp_path: Path) -> None:
    foreign = tmp_path / builder.NAME
    foreign.write_bytes(b"not a library")
    with pytest.raises(OSError, match="libyieldloop"):
        Library(foreign)


def test_a_record_needs_no_numba(library: Library) -> None:
    """It would cost a second at the start of every array task."""
    code = (
        "import sys, numpy as np\n"
        "from hpc_jobs.fem.native import simulation\n"
        "assert 'numba' not in sys.modules and 'scipy' not in sys.modules\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, timeout=60)
