"""The hardening curve of a page: with its band up to the strain reached, beyond it by the law."""

import numpy as np
from matplotlib.figure import Figure

from hpc_jobs.cards.curve import equivalent_curve
from hpc_jobs.contract.identified import IdentifiedSheet
from hpc_jobs.contract.material import Hardening
from hpc_jobs.fem.materials.flow_stress import flow_stress
from hpc_jobs.fem.materials.hardening import hardening_array
from hpc_jobs.figure_style import ACCENT, BAND, DPI, EDGE, FAINT, TRUE, in_style, title
from hpc_jobs.measurement_page.figures import WIDTH_IN, as_png

BEYOND = 2.0  # times the strain reached that are shown


def hardening(sheet: IdentifiedSheet, true: Hardening | None) -> str:
    """Draw k(p) in MPa over the plastic strain; the whole curve, and its beginning."""
    with in_style():
        figure = Figure(figsize=(WIDTH_IN, 3.6), dpi=DPI, layout="constrained")
        whole, begin = figure.subplots(1, 2, width_ratios=(1.6, 1))
        for axes, end in ((whole, BEYOND * sheet.strain_reached), (begin, 0.02)):
            strains = np.concatenate([[0.0], np.geomspace(1e-5, end, 160), [sheet.strain_reached]])
            strains = np.sort(strains[strains <= end])
            reached = strains <= sheet.strain_reached
            law = np.array(_stresses(sheet.material.hardening, strains))
            given = sheet.hardening == "given"
            name = "given by the campaign" if given else "identified"
            axes.plot(strains[reached], law[reached], color=ACCENT, lw=2.2, label=name)
            if not reached.all():
                beyond = strains >= sheet.strain_reached
                axes.plot(
                    strains[beyond], law[beyond], color=ACCENT, lw=1.4, ls=(0, (2, 2)),
                    label="beyond the strain reached: by the law",
                )  # fmt: skip
            if true is not None and not given:
                axes.plot(strains, _stresses(true, strains), color=TRUE, lw=1.4, label="true")
            _band(axes, sheet)
            axes.axvline(sheet.strain_reached, color=EDGE, lw=0.8, ls=":")
            axes.set(xlim=(0, end), xlabel="equivalent plastic strain", ylim=(None, None))
        whole.set_ylabel("flow stress k, MPa")
        whole.text(
            sheet.strain_reached, whole.get_ylim()[1], "strain reached ", color=FAINT, size=8,
            va="top", ha="right",
        )  # fmt: skip
        begin.locator_params(axis="x", nbins=5)
        whole.legend(loc="lower right")
        title(whole, "Hardening curve")
        title(begin, "Its beginning")
        return as_png(figure)


def _stresses(law: Hardening, strains: np.ndarray) -> list[float]:
    array = hardening_array(law)
    return [float(flow_stress(array, strain)[0]) for strain in strains]


def _band(axes: object, sheet: IdentifiedSheet) -> None:
    """Shade the interval between nodes, where there are any, up to the strain reached."""
    nodes = [
        (strain, one.low, one.high)
        for strain, one in sheet.stresses
        if one.low is not None and one.high is not None
    ]
    if len(nodes) < 2:
        return
    strains, low, high = np.array(nodes, dtype=float).T
    curve = equivalent_curve(sheet)
    fine = curve.strains[: curve.reached]
    fine = fine[fine <= strains[-1]]
    law = np.array(_stresses(sheet.material.hardening, fine))
    at = np.array(_stresses(sheet.material.hardening, strains))
    ends = [law * np.exp(np.interp(fine, strains, np.log(end / at))) for end in (low, high)]
    axes.fill_between(  # type: ignore[attr-defined]
        fine, *ends, color=BAND, alpha=0.7, lw=0, zorder=0,
        label=f"{sheet.interval_level:.0%} interval",
    )  # fmt: skip
