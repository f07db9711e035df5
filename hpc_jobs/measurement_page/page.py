"""The page itself: one HTML file that can be mailed, for whoever signs or refuses an answer."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from hpc_jobs.cards import CARDS, cards_of
from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.errors import BadInput
from hpc_jobs.contract.identified import IdentifiedSheet
from hpc_jobs.contract.measurement import QUANTITY_LABELS
from hpc_jobs.contract.records import publish
from hpc_jobs.contract.validation import Judgement
from hpc_jobs.identification.verdict import Case
from hpc_jobs.measurement_page import figures, sentence
from hpc_jobs.measurement_page.hardening import hardening
from hpc_jobs.page_style import template

TEMPLATES = Path(__file__).parent / "templates"
LARGEST_PICTURE_BYTES = 4 << 20
WHO = {"network": "the network", "surrogate": "the refinement", "fem": "the engine itself"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One measurement, and what each who was asked said of it: one of both at least."""

    network: Case | None = None
    refined: Case | None = None
    sheet: IdentifiedSheet | None = None  # of the better answer; none if nobody answered
    picture: Path | None = None  # of the import

    def with_picture(self, picture: Path) -> "Asked":
        """Return it with another picture of the import."""
        return replace(self, picture=picture)

    def with_sheet(self, sheet: IdentifiedSheet) -> "Asked":
        """Return it with the sheet as it was published."""
        return replace(self, sheet=sheet)

    @property
    def case(self) -> Case:
        """The answer that the page shows; the refinement's refusal where nobody answered."""
        cases = [case for case in (self.refined, self.network) if case is not None]
        return next((case for case in cases if case.identified is not None), cases[0])

    @property
    def judgements(self) -> Mapping[str, Judgement]:
        """By who said it, the better one first."""
        found = {}
        if self.refined is not None:
            found[WHO["fem" if self.refined.judgement.method == "fem" else "surrogate"]] = (
                self.refined.judgement
            )
        if self.network is not None:
            found[WHO["network"]] = self.network.judgement
        return found


def render_page(campaign: Campaign, asked: Asked, drawn: Mapping[str, str] | None = None) -> str:
    """Return the page; everything that people wrote is escaped.

    drawn: what `draw_figures` returned, if they are drawn already.
    """
    case, sheet = asked.case, asked.sheet
    header, judgement = case.measurement.header, case.judgement
    examination = case.field.estimate.examination
    cards, no_cards = _cards(sheet)
    return template(TEMPLATES, "measurement.html.j2").render(
        name=case.measurement.name,
        campaign=campaign.name,
        header=header,
        judgement=judgement,
        judgements=asked.judgements,
        sheet=sheet,
        answer=sentence.answer(sheet, judgement, examination)
        if sheet
        else sentence.refusal(case.measurement.name, asked.judgements),
        verdict=sentence.verdict_in_words(judgement),
        fit=sentence.fit_in_words(examination, case.field.estimate.unexamined) if sheet else "",
        suspects=sentence.suspects_in_words(examination),
        examined=examination is not None,
        undone=examination.undone if examination else (),
        errors=sentence.ERRORS,
        labels=QUANTITY_LABELS,
        number=sentence.number,
        with_interval=sentence.with_interval,
        figures=draw_figures(campaign, asked) if drawn is None else drawn,
        picture=_picture(asked.picture),
        cards=cards,
        no_cards=no_cards,
        shape=header.specimens.strain_shape,
        missing=int((~case.measurement.mask).sum()) // 2,
        forces=case.measurement.forces is not None,
        level=f"{100 * sheet.interval_level:.0f} %" if sheet else "",
    )


def publish_measurement_page(path: Path, campaign: Campaign, asked: Asked) -> None:
    """Write the page as a whole or not at all."""
    with publish(path) as temporary:
        temporary.write_text(render_page(campaign, asked))


def draw_figures(campaign: Campaign, asked: Asked) -> dict[str, str]:
    """Draw PNGs, in base64 by name; what there is nothing to draw of is left out."""
    case, sheet = asked.case, asked.sheet
    drawn = {"forces": figures.forces_and_strains(case)}
    if case.field.status == "ok":
        drawn |= {"fields": figures.fields(case), "residuals": figures.residual_map(case)}
    if sheet is not None:
        truth = case.measurement.header.truth
        true = truth.material.hardening if truth and truth.material else None
        drawn |= {
            "anisotropy": figures.anisotropy(campaign, case),
            "hardening": hardening(sheet, true),
        }
    return drawn


def _picture(path: Path | None) -> str:
    if path is None or not path.is_file() or path.stat().st_size > LARGEST_PICTURE_BYTES:
        return ""
    return base64.b64encode(path.read_bytes()).decode()


def _cards(sheet: IdentifiedSheet | None) -> tuple[list[dict[str, str]], str]:
    """Return the cards, each with its title, or why there are none."""
    if sheet is None:
        return [], ""
    if sheet.verdict == "fail":
        return [], "The answer failed: there is no card to use."
    try:
        texts = cards_of(sheet)
    except BadInput as error:
        return [], f"{error}."
    told = {card.suffix: card for card in CARDS.values()}
    return [
        {
            "file": name,
            "title": told[name.removeprefix(sheet.measurement)].title,
            "expresses": told[name.removeprefix(sheet.measurement)].expresses,
            "text": text,
            "data": base64.b64encode(text.encode()).decode(),
        }
        for name, text in texts.items()
    ], ""
