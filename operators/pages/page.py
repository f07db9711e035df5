"""What every page is made with: templates that escape, and figures that lie inside the page.

No file lies beside a page, so that it can be mailed or archived.
"""

import base64
import logging
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from hpc_jobs import page_style
from operators.hooks.hpc import Session

if TYPE_CHECKING:
    from jinja2 import Template

log = logging.getLogger(__name__)

TEMPLATES = Path(__file__).parent / "templates"
ARTIFACT = "report.html"
LARGEST_FIGURE_BYTES = 4 << 20

Figure = dict[str, str]


def template(name: str) -> "Template":
    """Load a page of templates/; it escapes what it is given, and misses nothing silently."""
    return page_style.template(TEMPLATES, name)


def embedded(session: Session, path: PurePosixPath, caption: str) -> Iterable[Figure]:
    """Read a figure to lie inside a page; nothing where it is missing or too large."""
    content = fetched(session, path)
    if content is None:
        return
    yield {"data": base64.b64encode(content).decode(), "caption": caption}


def fetched(session: Session, path: PurePosixPath) -> bytes | None:
    """Read a file for a page; None, with a word in the log, where it is missing or too large."""
    try:
        content = session.read(str(path), 0, LARGEST_FIGURE_BYTES + 1)
    except FileNotFoundError:
        log.info("%s: missing, left out of the report", path)
        return None
    if len(content) > LARGEST_FIGURE_BYTES:
        log.warning("%s: over %d bytes, left out of the report", path, LARGEST_FIGURE_BYTES)
        return None
    return content
