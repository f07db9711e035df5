"""ARCHITECTURE.md tells the truth: every file and function that it sends a reader to is there."""

import ast
import re
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[3]
TEXT = (CHECKOUT / "ARCHITECTURE.md").read_text()


def section(title: str) -> str:
    return TEXT.split(f"\n## {title}\n")[1].split("\n## ")[0]


def way(title: str) -> list[tuple[str, list[str]]]:
    rows = re.findall(r"^\|[^|]*\| `([\w/]+\.py)` \|([^|]*)\|$", section(title), re.M)
    return [(file, re.findall(r"`(\w+)(?:\(\))?`", names)) for file, names in rows]


@pytest.mark.parametrize("title", ["The way of one campaign", "The way of one measurement"])
def test_the_ways_lead_to_functions_that_are_there(title: str) -> None:
    steps = way(title)
    assert len(steps) > 10 and all(names for _, names in steps)
    files = [file for file, _ in steps]
    assert len(set(files)) == len(files), "nobody is sent to a file twice"
    for file, names in steps:
        tree = ast.parse((CHECKOUT / file).read_text())
        defined = {
            node.name
            for node in tree.body
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef)
        }
        assert set(names) <= defined, f"{file} has no {set(names) - defined}"


def test_every_package_is_in_the_table_of_folders_or_below_one() -> None:
    cells = re.findall(r"^\| (`[^|]+) \|", section("Folders"), re.M)
    named = [name for cell in cells for name in re.findall(r"`([\w/]+/)`", cell)]
    packages = {
        path.parent.relative_to(CHECKOUT).as_posix() + "/"
        for top in ("dags", "operators", "hpc_jobs", "plugins", "quickstart", "benchmarks", "tests")
        for path in (CHECKOUT / top).rglob("__init__.py")
    }
    roots = {"operators/", "hpc_jobs/"}
    lost = [p for p in packages - roots if not any(p.startswith(name) for name in named)]
    assert lost == []
    assert all((CHECKOUT / name).is_dir() for name in named)


def test_every_package_says_in_its_first_line_what_belongs_there() -> None:
    silent = [
        str(path.relative_to(CHECKOUT))
        for top in ("dags", "operators", "hpc_jobs", "quickstart", "benchmarks", "tests")
        for path in (CHECKOUT / top).rglob("__init__.py")
        if not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []


def test_paths_that_the_documents_name_exist() -> None:
    for document in [
        CHECKOUT / "README.md",
        CHECKOUT / "CONTRIBUTING.md",
        *CHECKOUT.glob("docs/*.md"),
    ]:
        text = re.sub(r"```.*?```", "", document.read_text(), flags=re.S)
        for target in re.findall(r"\]\((?!https?:)([\w./-]+)", text):
            assert (document.parent / target).exists(), f"{document.name} links to {target}"
    for path in re.findall(
        r"`((?:dags|operators|hpc_jobs|quickstart|tests|plugins|docs)/[\w./-]*\w)`", TEXT
    ):
        if "lsf" not in path:
            assert (CHECKOUT / path).exists(), f"ARCHITECTURE.md names {path}"


def test_the_glossary_names_a_word_once_and_in_order() -> None:
    words = re.findall(r"^\| ([^|]+?) \|", section("Glossary"), re.M)[2:]
    assert words == sorted(words, key=str.lower)
    single = [word for entry in words for word in entry.split(", ")]
    assert len(set(single)) == len(single) > 40
