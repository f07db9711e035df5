"""The accuracy report: a page of Markdown, and the learning curves."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.methods.goals import PAPER, Goal, goals_of
from benchmarks.methods.protocols import FORCES, MEAN, PROBABLE, WITHOUT
from benchmarks.methods.trained import PACES
from hpc_jobs.figure_style import in_style

Found = Mapping[str, Any]

INTRODUCTION = """\
# How near to the physical floor the parameters are identified

Written by `python -m benchmarks.accuracy --records {records} --test {test} --docs docs`.

An *error* is the sum over the eight parameters of the mean square error in min-max units (0 at the
lowest, 1 at the highest parameter of the training records), times 10^3: the case study's figure,
.0386, is 38.6 here, from another FEM model, other data and another number of records. Measured
strains carry noise of {strain:g}, forces of {force:.1%}. Errors are heavy-tailed, hence the
medians.

The *Bayes floor* is the least error that any method can reach: the variance of the exact posterior
of a sheet drawn from the campaign's box, by importance sampling on the surrogate of all records. It
is stricter than the Cramer-Rao bound with a normal prior, {bound:.3g} against {floor:.3g}, which
does not know that the box ends. No test set was tuned on.
"""


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay rows out as Markdown, all but the first column to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def page(found: Found) -> str:
    """Everything that was found, met or not; what was not run is left out."""
    parts = [_introduction(found)]
    if goals := list(goals_of(found)):
        met = sum(goal.met for goal in goals)
        parts += [f"**{met} of {len(goals)} goals are met.**", _goals(goals)]
    if "B" in found:
        parts += _protocol_b(found["B"])
    if "A" in found:
        parts += _protocol_a(found["A"])
    if "C" in found:
        parts += _protocol_c(found["C"])
    if "D" in found:
        parts += _protocol_d(found["D"])
    parts += ["## Data", _data(found)]
    return "\n\n".join(part.rstrip() for part in parts) + "\n"


def _introduction(found: Found) -> str:
    strain, force = found["noise"]
    view = found.get("B", {}).get("views", {}).get(FORCES, {})
    values = {name: view.get(name, {}).get("error", float("nan")) for name in FLOORS}
    return INTRODUCTION.format(
        records=found["records"],
        test=found["test"],
        strain=strain,
        force=force,
        bound=values["cramer_rao"],
        floor=values["floor"],
    )


FLOORS = ("floor", "cramer_rao")


def _goals(goals: Sequence[Goal]) -> str:
    rows = [
        [
            goal.claim,
            f"{goal.found:.3g}",
            f"{goal.sign} {goal.limit:g}",
            "yes" if goal.met else "NO",
        ]
        for goal in goals
    ]
    return table(["claim", "found", "goal", "met"], rows)


def _protocol_b(b: Found) -> list[str]:
    parts = [
        "## B: off-grid test set, by number of training records",
        "![error by number of training records](accuracy.png)",
    ]
    for view, one in b["views"].items():
        if not any(one["curves"].values()):
            continue
        parts += [f"### {view[0].upper()}{view[1:]}", _curves(one)]
    parts += ["### What single parameters reach: R2", _r2(b["views"][FORCES])]
    parts += ["### Tails, and coverage of the 90 % intervals", _tails(b["views"])]
    return [*parts, _how_trained()]


def _curves(view: Found) -> str:
    curves = view["curves"]
    methods = {name: None for scores in curves.values() for name in scores}
    rows = [[name, *(_error(scores.get(name)) for scores in curves.values())] for name in methods]
    for name, label in zip(FLOORS, ("**Bayes floor**", "Cramer-Rao, normal prior"), strict=True):
        if name in view:
            rows.append([label, *[""] * (len(curves) - 1), f"{view[name]['error']:.3g}"])
    return table(["records", *(f"{int(size):,}" for size in curves)], rows)


def _error(score: Found | None) -> str:
    return f"{score['error']:.3g}" if score else "–"


def _r2(view: Found) -> str:
    sizes = list(view["curves"])
    rows = []
    for size in (sizes[0], sizes[-1]):
        for name in view["curves"][size]:
            if name != "mean":
                score = view["curves"][size][name]
                rows.append([f"{name}, {int(size):,}", *(f"{r2:.4f}" for r2 in score["r2"])])
    if "floor" in view:
        rows.append(["**Bayes floor**", *(f"{r2:.4f}" for r2 in view["floor"]["r2"])])
    count = len(rows[0]) - 1
    return table(["method, records", *(f"MP{k + 1}" for k in range(count))], rows)


def _tails(views: Found) -> str:
    rows = []
    for view in views:
        size, scores = list(views[view]["curves"].items())[-1]
        for name, score in scores.items():
            covered = ", ".join(f"{100 * share:.0f}" for share in score.get("coverage", []))
            mean = f"{score['error']:.3g} ± {score['standard_error']:.2g}"
            quantiles = f"{score['median']:.3g}", f"{score['p95']:.3g}"
            rows.append([f"{name}; {view}, {int(size):,}", mean, *quantiles, covered or "–"])
    return table(["method", "mean", "median", "95 % quantile", "coverage by parameter, %"], rows)


def _how_trained() -> str:
    rows = [
        [kind, *(f"{pace.epochs:,} of {pace.batch_size}" for pace in reversed(paces))]
        for kind, paces in PACES.items()
    ]
    sizes = [f"from {pace.records:,}" for pace in reversed(PACES["mlp"])]
    return (
        "Networks see the same records through the project's own training, a tenth of them held "
        "out to choose the epoch, one-cycle schedule, epochs and batch size by number of records "
        "as below, as two cores can bear. Boosted trees stop at 25,000 records and the Gaussian "
        "process, which takes 3,000, at 5,000. `–` was not run.\n\n"
    ) + table(["network", *sizes], rows)


def _protocol_a(a: Found) -> list[str]:
    rows = [[name, _error(score)] for name, score in a["scores"].items()]
    rows.append(["the paper, on its own data", f"{PAPER:.3g}"])
    return [
        "## A: as the paper",
        f"{a['records']:,} records of a grid of {a['levels']} levels on each of seven axes, as far "
        "as it holds materials; a random tenth is asked, without noise, strains alone.",
        table(["method", "error"], rows),
    ]


def _protocol_c(c: Found) -> list[str]:
    rows = [
        [count, *(f"{scores[name]['error']:.3g}" for name in (PROBABLE, MEAN))]
        for count, scores in c["scores"].items()
    ]
    rows.append(["**Bayes floor**", "", f"{c['floor']['error']:.3g}"])
    return [
        "## C: measured on a mesh twice as fine",
        "Strains and forces with noise; the surrogate of the production mesh is corrected by so "
        "many records of the fine one.",
        table(["fine records", PROBABLE, MEAN], rows),
    ]


def _protocol_d(d: Found) -> list[str]:
    rows = [
        [
            f"{alloy}, {way}",
            *(f"{one[key]:.4f}" for key in ("r_value", "stress_ratio", "r_biaxial")),
        ]
        for alloy, both in d["alloys"].items()
        for way, one in both["ways"].items()
    ]
    times = [[name, f"{value:.4g}"] for name, value in d["times"].items()]
    return [
        "## D: published alloys",
        "Virtual tests on a far finer mesh with noise; largest errors of r at 0, 45 and 90 "
        "degrees and of the stress ratios, and the error of r_b. FEM updating is Gauss-Newton on "
        "the production mesh itself, its times are of the processor: for what it misses by, noise "
        "and mesh are to blame, no surrogate.",
        table(["alloy, method", "r-value", "stress ratio", "r_b"], rows),
        table(["time", ""], times),
    ]


def _data(found: Found) -> str:
    hashes = {
        "training records, B": found.get("B", {}).get("sha256", {}).get("train"),
        "test records, B": found.get("B", {}).get("sha256", {}).get("test"),
        "grid, A": found.get("A", {}).get("sha256"),
        "fine records, C": found.get("C", {}).get("sha256", {}).get("fine"),
        "campaign": found["campaign"],
    }
    return table(
        ["what", "sha256 of parameters, strains and forces"],
        [[name, f"`{value}`"] for name, value in hashes.items() if value],
    )


def draw_curves(path: Path, found: Found) -> None:
    """Draw error by number of records for every method, beside the floor."""
    import matplotlib.pyplot as plt

    views = {name: one for name, one in found["B"]["views"].items() if name != WITHOUT}
    scores = [one for view in views.values() for one in view["curves"].values()]
    names = list(dict.fromkeys(name for one in scores for name in one if name != "mean"))
    with in_style():
        figure, panels = plt.subplots(1, len(views), figsize=(11, 4.6), sharey=True)
        for panel, (name, view) in zip(panels, views.items(), strict=True):
            curves = view["curves"]
            for number, method in enumerate(names):
                points = [(int(n), s[method]["error"]) for n, s in curves.items() if method in s]
                weight = 2.2 if method == MEAN else 1.2
                places, errors = [n for n, _ in points], [error for _, error in points]
                style = {"color": f"C{number}", "marker": "o", "ms": 3, "lw": weight}
                panel.plot(places, errors, label=method, **style)
            if "floor" in view:
                level = view["floor"]["error"]
                panel.axhline(level, color="black", ls=":", label="Bayes floor")
            panel.set(xscale="log", yscale="log", xlabel="training records", title=name)
        panels[0].set_ylabel("sum of mean square errors x 1000")
        panels[-1].legend(fontsize=8, loc="center left", bbox_to_anchor=(1.02, 0.5))
        figure.savefig(path, dpi=130, bbox_inches="tight")
        plt.close(figure)
