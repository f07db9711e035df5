"""The four protocols: which records are learned from, and which are asked.

A  as the paper: factorial grid, random 90/10 split, min-max units, no noise.
B  off-grid Sobol test set with noise on strains and forces; strains alone, and without noise.
C  as B, measured on a mesh twice as fine as the training's, with at most 200 fine records.
D  the published alloys on a far finer mesh, and the time of classical FEM updating beside it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.methods.alloys import identify_alloys
from benchmarks.methods.kept import ResultCache
from benchmarks.methods.records import Records, factorial_records, sobol_records
from benchmarks.methods.rivals import LARGEST, METHODS
from benchmarks.methods.scores import coverage, risk, score
from benchmarks.methods.setting import Setting, forward, measure
from benchmarks.methods.trained import COMMITTEE, FEWEST, NETWORKS, answer
from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.design.sobol import TEST, TRAIN
from hpc_jobs.forward.fidelity import corrected
from hpc_jobs.forward.records import LARGEST_FIT
from hpc_jobs.forward.surrogate import Surrogate
from hpc_jobs.identification.mesh_bias import refined
from hpc_jobs.identification.posterior import Posterior, bound, posterior_mean, refine

SIZES = (200, 1_000, 5_000, 25_000, 100_000)
FINE = (0, 10, 40, 100, 200)
WITHOUT_NOISE = 1e-3  # share of the noise that a noise-free comparison keeps as its unit
NETWORK_WITHOUT_NOISE = 2e-2  # a network learns in single precision
GRID_LEVELS, SMALL_GRID_LEVELS = 4, 3  # of each of the seven axes
LARGE = 25_000  # records from which the larger grid is taken
FORCES, ALONE, WITHOUT = "strains and forces", "strains alone", "no noise"
VIEWS = {FORCES: (1.0, True), ALONE: (1.0, False), WITHOUT: (0.0, True)}
PROBABLE, MEAN = "surrogate, most probable", "surrogate, posterior mean"

Result = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What all protocols share."""

    campaign: Campaign
    cache: Path
    workers: int
    records: int
    test: int
    only: tuple[str, ...] = ()  # methods, by how their names begin; all if empty
    print_only: bool = False  # what was kept, and make nothing

    @property
    def kept(self) -> ResultCache:
        """Results of earlier runs."""
        return ResultCache(self.cache / "results")

    @property
    def noise(self) -> tuple[float, float]:
        """Of strains, and of forces relative."""
        return self.campaign.noise.strain, self.campaign.noise.force_relative

    def sobol(self, stream: int, count: int, campaign: Campaign | None = None) -> Records:
        """Return good records of a stream."""
        return sobol_records(self.cache, campaign or self.campaign, stream, count, self.workers)

    def wants(self, method: str, facts: Result) -> bool:
        """Whether the method's result is to be in the report."""
        if self.print_only:
            return self.kept.find(facts) is not None
        return not self.only or method.startswith(self.only)


def protocol_a(study: Study) -> Result:
    """Compare as in the paper."""
    levels = GRID_LEVELS if study.records >= LARGE else SMALL_GRID_LEVELS
    grid = factorial_records(study.cache, study.campaign, levels, study.workers)
    order = np.random.default_rng(0).permutation(len(grid))
    count = int(0.9 * len(grid))
    train, test = grid.rows(order[:count]), grid.rows(order[count:])
    noise = study.noise[0] * WITHOUT_NOISE, study.noise[1] * WITHOUT_NOISE
    measured = forward(test, forces=False)
    setting = Setting(study.campaign, train, limits_of(train), noise, measured)
    scores = compare(study, setting, {"protocol": "A"})
    return {"levels": levels, "records": len(grid), "sha256": grid.sha256, "scores": scores}


def protocol_b(study: Study) -> Result:
    """Learning curves on the off-grid test set."""
    largest, test = study.sobol(TRAIN, study.records), study.sobol(TEST, study.test)
    limits = limits_of(largest)
    result: Result = {"sha256": {"train": largest.sha256, "test": test.sha256}, "views": {}}
    for name, (share, forces) in VIEWS.items():
        noise = tuple(share * one for one in study.noise)
        measured = measure(test, (noise[0], noise[1]), forces=forces)
        unit = max(share, WITHOUT_NOISE)
        units = unit * study.noise[0], unit * study.noise[1]
        curves, floor = {}, None
        for size in sorted({*(s for s in SIZES if s < len(largest)), len(largest)}, reverse=True):
            setting = Setting(study.campaign, largest.first(size), limits, units, measured)
            curves[str(size)] = compare(study, setting, {"protocol": "B", "view": name})
            facts = _facts(setting, {"view": name, "method": "floor"})
            if size == len(largest) and share and (not study.print_only or study.kept.find(facts)):
                floor = study.kept.get(facts, partial(floors, setting))
        result["views"][name] = {"curves": dict(reversed(curves.items()))} | (floor or {})
    return result


def protocol_c(study: Study) -> Result:
    """Measure on a finer mesh, and correct the surrogate with few records of it."""
    finer = study.campaign.model_copy(update={"specimens": refined(study.campaign.specimens, 2)})
    coarse = study.sobol(TRAIN, min(study.records, LARGEST_FIT))
    fine = study.sobol(TRAIN, max(FINE), finer)
    tested = study.sobol(TEST, min(study.test, 250), finer)
    measured = measure(tested, study.noise, forces=True)
    setting = Setting(study.campaign, coarse, limits_of(coarse), study.noise, measured)

    def make() -> Result:
        scores = {}
        for count in FINE:
            used = setting.surrogate
            if count:
                used = corrected(used, forward(fine.first(count), forces=True))
            found = _posteriors(setting, used)
            scores[str(count)] = {name: one() for name, one in found.items()}
        return {"scores": scores, **floors(setting, used)}

    facts = {"protocol": "C", "fine": fine.sha256, "counts": FINE}
    return {"sha256": {"fine": fine.sha256}, **study.kept.get(_facts(setting, facts), make)}


def protocol_d(study: Study) -> Result:
    """Identify the published alloys."""
    records = study.sobol(TRAIN, min(study.records, LARGEST_FIT))
    finer = study.campaign.model_copy(update={"specimens": refined(study.campaign.specimens, 2)})
    fine = forward(study.sobol(TRAIN, max(FINE), finer), forces=True)
    learned = forward(records, forces=True)
    facts = {"protocol": "D", "train": records.sha256, "fine": len(fine)}
    return study.kept.get(
        facts, lambda: identify_alloys(study.campaign, learned, fine, limits_of(records))
    )


PROTOCOLS: dict[str, Callable[[Study], Result]] = {
    "A": protocol_a,
    "B": protocol_b,
    "C": protocol_c,
    "D": protocol_d,
}


def limits_of(records: Records) -> tuple[Any, Any]:
    """Lowest and highest parameters: the frozen min-max units."""
    return records.parameters.min(0), records.parameters.max(0)


def compare(study: Study, setting: Setting, said: Result) -> dict[str, Result]:
    """Score of every method that is wanted and runs on so many records."""
    truth = setting.scaled(setting.test.parameters)
    methods: dict[str, Callable[[], Result]] = {
        name: partial(_regress, setting, name)
        for name in METHODS
        if len(setting.records) <= LARGEST.get(name, len(setting.records))
    }
    if said.get("view") != WITHOUT:  # networks are trained to see through noise
        for name in (*NETWORKS, COMMITTEE):
            if len(setting.records) >= FEWEST.get(name, 0):
                methods[name] = partial(_network, setting, name)
    methods |= _posteriors(setting, None)
    facts = _facts(setting, said)
    assert len(truth) == len(setting.test)
    return {
        name: study.kept.get(facts | {"method": name}, make)
        for name, make in methods.items()
        if study.wants(name, facts | {"method": name})
    }


def floors(setting: Setting, surrogate: Surrogate | None = None) -> Result:
    """Bayes risk of the box's law and Cramer-Rao bound of the normal law, of an exact surrogate."""
    exact = surrogate or setting.surrogate
    exact = replace(exact, error=0 * exact.error)
    test, span = setting.test, setting.limits[1] - setting.limits[0]
    sampled = posterior_mean(exact, setting.law.log_density, test.strains, test.forces)
    normal = bound(exact, test.parameters, with_forces=test.forces is not None)
    truth = setting.scaled(test.parameters)
    return {
        "floor": risk((sampled.deviation / span) ** 2, truth),
        "cramer_rao": risk(normal / span**2, truth),
    }


def _facts(setting: Setting, said: Result) -> Result:
    """Everything that a result depends on, but for the method."""
    test = Records(
        np.asarray(setting.test.parameters, np.float64),
        np.asarray(setting.test.strains, np.float32),
        np.asarray(() if setting.test.forces is None else setting.test.forces),
        setting.records.by_status,
    )
    return {
        "records": len(setting.records),
        "train": setting.records.sha256,
        "test": test.sha256,
        "noise": setting.noise,
        "limits": [limit.tolist() for limit in setting.limits],
        **said,
    }


def _regress(setting: Setting, name: str) -> Result:
    return score(METHODS[name](setting, setting.seen), setting.scaled(setting.test.parameters))


def _network(setting: Setting, name: str) -> Result:
    noise_free = setting.noise[0] < setting.campaign.noise.strain
    share = NETWORK_WITHOUT_NOISE if noise_free else 1.0
    campaign = setting.campaign
    noise = share * campaign.noise.strain, share * campaign.noise.force_relative
    found = answer(campaign, setting.records, setting.limits, noise, name, setting.test)
    return score(found, setting.scaled(setting.test.parameters))


def _posteriors(setting: Setting, surrogate: Surrogate | None) -> dict[str, Callable[[], Result]]:
    """Both estimates by the forward surrogate, another one's if given."""
    test = setting.test

    def scored(found: Posterior) -> Result:
        truth = setting.scaled(test.parameters)
        errors = score(setting.scaled(found.parameters), truth)
        return errors | {"coverage": coverage(found, test.parameters)}

    def probable() -> Result:
        return scored(refine(surrogate or setting.surrogate, test.strains, test.forces))

    def mean() -> Result:
        law = setting.law.log_density
        used = surrogate or setting.surrogate
        return scored(posterior_mean(used, law, test.strains, test.forces))

    return {PROBABLE: probable, MEAN: mean}
