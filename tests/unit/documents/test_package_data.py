"""What is installed, and shipped to clusters from there, holds every file that lies beside code."""

import ast
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[3]
PACKAGES = ("hpc_jobs", "operators", "quickstart")
MADE = {"__pycache__", "built"}  # by Python and the compiler


def patterns() -> dict[str, list[str]]:
    """package_data of setup.py, read without running it."""
    [data] = [
        keyword.value
        for node in ast.walk(ast.parse((CHECKOUT / "setup.py").read_text()))
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "package_data"
    ]
    return dict(ast.literal_eval(data))


def data_files() -> list[Path]:
    return [
        path.relative_to(CHECKOUT)
        for package in PACKAGES
        for path in sorted((CHECKOUT / package).rglob("*"))
        if path.is_file() and path.suffix != ".py" and not MADE & set(path.parts)
    ]


@pytest.mark.parametrize("path", data_files(), ids=str)
def test_a_file_that_is_no_python_is_installed_too(path: Path) -> None:
    package = next(one for one in path.parents if (CHECKOUT / one / "__init__.py").exists())
    inside = path.relative_to(package)
    known = patterns()
    asked = [*known.get("", ()), *known.get(".".join(package.parts), ())]
    assert any(
        inside.match(pattern) and len(inside.parts) == len(Path(pattern).parts) for pattern in asked
    ), f"setup.py's package_data does not install {path}"
