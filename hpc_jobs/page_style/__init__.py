"""What pages for people are made with: templates that escape what they are given, and one style."""

import base64
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Template

HERE = Path(__file__).parent


def template(folder: Path, name: str) -> "Template":
    """Load a page of a folder; it escapes what it is given, and misses nothing silently.

    It may include style.css.j2 of this package, which wants `good`: the tone of the decision.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader([folder, HERE]), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template(name)


def data_uri(svg: str) -> str:
    """Return an SVG as the source of an image, so that no file lies beside its page."""
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"
