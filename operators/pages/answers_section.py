"""The answers of a validation as a report shows them: per measurement, the better one in full."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from pydantic import ValidationError

from hpc_jobs.contract.identified import CARD_FILES, IdentifiedSheet
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.validation import Judgement, Verdict
from operators.hooks.hpc import Session
from operators.pages.page import fetched

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One measurement: who said what, and what comes of it for a person."""

    name: str
    network: Judgement
    refined: Judgement | None = None
    sheet: IdentifiedSheet | None = None
    html: str = ""  # its page
    cards: list[dict[str, str]] = field(default_factory=list)  # file and text

    @property
    def verdict(self) -> str:
        """Of the answer that people get."""
        if self.sheet is not None:
            return self.sheet.verdict
        return (self.refined or self.network).verdict

    @property
    def page(self) -> str:
        """Artifact of its page in the campaign's run."""
        return f"measurements/{self.name}.html"


def read_answers(
    session: Session, folder: RunFolder[PurePosixPath], verdict: Verdict
) -> Iterator[Answer]:
    """Read sheets, pages and cards of a validation; what an older version did not write is left."""
    for name, judgement in sorted(verdict.measurements.items()):
        sheet = _sheet(session, folder.sheet(verdict.validation, name))
        page = fetched(session, folder.page(verdict.validation, name))
        yield Answer(
            name=name,
            network=judgement,
            refined=verdict.refined.get(name),
            sheet=sheet,
            html="" if page is None else page.decode(),
            cards=list(_cards(session, folder.cards(verdict.validation, name), sheet)),
        )


def without_files(verdict: Verdict) -> list[Answer]:
    """Return the answers by their verdict alone."""
    return [
        Answer(name=name, network=judgement, refined=verdict.refined.get(name))
        for name, judgement in sorted(verdict.measurements.items())
    ]


def _sheet(session: Session, path: PurePosixPath) -> IdentifiedSheet | None:
    content = fetched(session, path)
    if content is None:
        return None
    try:
        return IdentifiedSheet.model_validate_json(content)
    except ValidationError as error:
        log.warning("%s: not a sheet of this version: %s", path, error.errors()[0]["msg"])
        return None


def _cards(
    session: Session, folder: PurePosixPath, sheet: IdentifiedSheet | None
) -> Iterator[dict[str, str]]:
    if sheet is None or not session.exists(str(folder)):
        return
    known = {f"{sheet.measurement}{ending}": place for place, ending in enumerate(CARD_FILES)}
    found = [name for name in session.list(str(folder)) if name in known]
    for name in sorted(found, key=known.__getitem__):
        content = fetched(session, folder / name)
        if content is not None:
            yield {"file": name, "text": content.decode()}
