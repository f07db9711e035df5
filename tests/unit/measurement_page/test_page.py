"""The page says what a person must know, needs no other file, and never runs out of the window."""

import base64
import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hpc_jobs.contract.examination import Examination, Suspect
from hpc_jobs.contract.identified import Value
from hpc_jobs.contract.material import Nodes
from hpc_jobs.identification.verdict import Case
from hpc_jobs.measurement_page.hardening import hardening
from hpc_jobs.measurement_page.page import Asked, render_page
from hpc_jobs.measurement_page.sentence import answer, refusal
from tests.browser.chromium import browser
from tests.unit.measurement_page.conftest import Bench

EXAMINATION = Examination(
    finding="misfit",
    rms=1.4,
    rms_limits=(0.9, 1.1),
    values=1000,
    widened=1.3,
    suspects=(
        Suspect(
            name="notch_width_mm@45", words="specimen 45: as if the notch were 10.10 mm wide",
            sigmas=4.2, probability=0.93, value=0.1, deviation=0.02, unit="mm",
        ),
    ),
)  # fmt: skip


def text_of(page: str) -> str:
    without = re.sub(r"<style>.*?</style>", " ", page, flags=re.S)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", without))


def examined(case: Case) -> Case:
    estimate = case.field.estimate.model_copy(update={"examination": EXAMINATION})
    return replace(case, field=replace(case.field, estimate=estimate))


def page_of(bench: Bench, **changes: object) -> str:
    asked = Asked(network=bench.refused, refined=bench.answered, sheet=bench.sheet)
    return render_page(bench.campaign, replace(asked, **changes), bench.drawn)  # type: ignore[arg-type]


def test_answer_is_one_sentence_with_values_intervals_and_fit(answered: Bench) -> None:
    said = answer(answered.sheet, answered.answered.judgement)
    r45 = answered.sheet.quantities["r_value_45"]
    assert f"r45 = {r45.value:.3f} ± {r45.half_width:.3f}" in said
    assert "with 90 % confidence" in said and "hardening curve that the campaign gives" in said
    assert re.search(r"strains to (0\.9|1\.0)\d × noise and forces to 0\.0 %\.$", said)


def test_what_was_taken_out_of_the_answer_is_in_the_sentence(answered: Bench) -> None:
    undone = EXAMINATION.model_copy(update={"undone": ("as if the notch were 10.10 mm wide",)})
    said = answer(answered.sheet, answered.answered.judgement, undone)
    assert "; the test was taken as if the notch were 10.10 mm wide; simulated again" in said


def test_refusal_names_who_was_asked_and_why(answered: Bench) -> None:
    asked = Asked(network=answered.refused)
    assert refusal("bench", asked.judgements).startswith("bench is not answered: novelty 3.1")
    page = render_page(answered.campaign, asked)
    assert "Material cards" not in page and "more than &lt;2&gt;" in page


def test_page_holds_everything_and_needs_nothing_else(answered: Bench, tmp_path: Path) -> None:
    picture = tmp_path / "bench.png"
    picture.write_bytes(b"\x89PNG of an import")
    page = page_of(answered, picture=picture)
    text = text_of(page)
    assert answer(answered.sheet, answered.answered.judgement) in text
    assert "pulled by R&amp;D &lt;Tuesday&gt;" in page
    assert "Of the network: novelty 3.1" in text
    assert "α1 MP1 0.9724 ± 0.0164" in text
    assert re.search(r"5 of \d+ patches and times are missing", text)
    assert base64.b64encode(picture.read_bytes()).decode() in page
    assert "*MAT_BARLAT_YLD2000" in page and page.count("<pre") == 4
    assert not re.search(r'(src|href)="(?!data:)', page)
    for data in re.findall(r'src="data:image/png;base64,([^"]+)"', page)[:-1]:
        image = Image.open(io.BytesIO(base64.b64decode(data))).convert("L")
        assert np.asarray(image).std() > 5, "a figure is empty"


def test_suspects_and_misfit_are_said_in_words(answered: Bench) -> None:
    page = page_of(answered, refined=examined(answered.answered))
    text = text_of(page)
    assert "Specimen 45: as if the notch were 10.10 mm wide (4.2 σ, probability 93 %)" in text
    assert "1.40 times the noise is left" in text and "by a factor of 1.3" in text
    assert "Nothing that was not measured exactly is suspected" not in text


def test_failed_answer_has_no_card(answered: Bench) -> None:
    failed = answered.sheet.model_copy(update={"verdict": "fail", "reasons": ("r45 is off",)})
    page = page_of(answered, sheet=failed)
    assert "there is no card to use" in page and "<pre" not in page


def test_identified_curve_has_a_table_and_a_band(answered: Bench) -> None:
    curve = Nodes(plastic_strains=(0, 0.003, 0.01, 0.05), stresses_mpa=(450, 560, 640, 790))
    told = tuple(
        (p, Value(value=k, low=k - 40, high=k + 40, true=k + 5))
        for p, k in zip(curve.plastic_strains, curve.stresses_mpa, strict=True)
    )
    material = answered.sheet.material.model_copy(update={"hardening": curve})
    sheet = answered.sheet.model_copy(
        update={"hardening": "identified", "stresses": told, "material": material}
    )
    page = page_of(answered, sheet=sheet)
    assert "hardens to 790 ± 40 MPa at a plastic strain of 0.05" in text_of(page)
    assert "450 ± 40 560 ± 40" in text_of(page)
    bare = sheet.model_copy(update={"stresses": ()})
    band = np.array((246, 195, 179))  # figure_style.BAND, before it is made transparent

    def pinkish(png: str) -> int:
        image = np.asarray(Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB"), float)
        return int((np.abs(image - (0.7 * band + 0.3 * 255)).max(axis=-1) < 12).sum())

    assert pinkish(hardening(sheet, None)) > pinkish(hardening(bare, None)) + 2000


@pytest.mark.browser
def test_nothing_runs_out_of_a_window_of_1280_pixels(answered: Bench, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text(page_of(answered, refined=examined(answered.answered)))
    with browser() as window:
        window.open(file.as_uri())
        assert window.run("return document.documentElement.scrollWidth") <= 1280
        images = window.run("return [...document.images].map((one) => one.naturalWidth)")
        assert len(images) == 5 and min(images) > 1000
