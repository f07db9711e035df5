"""The site's own rules: pages that lie beside the documentation's folder belong to it, too.

README and its like are read where the code is and on the site; their links are right for the first,
so they are told anew for the second. Everything else is checked by MkDocs itself, `--strict`.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

OUTSIDE = {
    "README.md": "readme.md",
    "ARCHITECTURE.md": "architecture.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "docker/README.md": "containers.md",
    "docker/site/README.md": "containers-network.md",
}
"""Path in the repository -> page of the site."""

LINK = re.compile(r"(\]\()(?!\w+:|#|/)([^)#\s]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie elsewhere."""
    root = Path(config.config_file_path).parent
    for path, page in OUTSIDE.items():
        files.append(File.generated(config, page, abs_src_path=str(root / path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Rewrite links between files of the repository into links between pages."""
    source = next((path for path, name in OUTSIDE.items() if name == page.file.src_uri), "")
    folder = posixpath.dirname(source) if source else "docs"

    def rewritten(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(folder, link[2]))
        name = OUTSIDE.get(target, target.removeprefix("docs/"))
        if name == target and not source:
            return link[0]
        return link[1] + posixpath.relpath(name, posixpath.dirname(page.file.src_uri) or ".")

    return LINK.sub(rewritten, markdown)
