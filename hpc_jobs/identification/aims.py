"""Where a later round should look: clouds about what the run's own results point at.

Everything is read from what was published: estimates of the last validation, failed records of
all rounds, the dataset, the last network. What is missing is noted, and its share fills the box.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.errors import ContractError
from hpc_jobs.contract.facts import LearningCurve
from hpc_jobs.contract.layout import RunFolder, manifest_of
from hpc_jobs.contract.records import RecordStatus, ShardFields, read_model
from hpc_jobs.contract.validation import Estimate, Estimates
from hpc_jobs.dataset.dataset import Dataset, calibration_examples, open_dataset
from hpc_jobs.dataset.facts import PackedFields
from hpc_jobs.design.mechanical import mechanical_axes, places_of
from hpc_jobs.design.mixture import Cloud
from hpc_jobs.design.rounds import Targets, read_round
from hpc_jobs.identification.by_fem import answered
from hpc_jobs.identification.known import Foresight, Simulated
from hpc_jobs.identification.learning_curve import missed_near
from hpc_jobs.learning.models.trained_model import TrainedModel, load_model

log = logging.getLogger(__name__)
FloatArray = NDArray[np.float64]

SEED = 53
DRAWS = 200
NARROWEST = 0.01
"""Of the box: no cloud is narrower, or its points would say the same twice."""
UNSURE = 0.1
"""Of the box: width of a family's coordinate whose interval was not told."""
CENTRES = 150
"""Of an aim, at most."""
NEIGHBOURS = 12
SAME = 1e-4
"""Of the box: places of one record, which is stored in single precision."""
OK = RecordStatus.NAMES.index("ok")


class Nothing(Exception):
    """There is nothing to aim at; the message says why."""


def targets_of(run: RunFolder[Path], campaign: Campaign, records: int) -> Targets:
    """Return the clouds of all aims that the campaign names and the run has reasons for.

    records: of the round in question, which may turn out not to be worth it.
    """
    rules = campaign.design.later_rounds
    clouds, notes = [], {}
    held = _Held(run, campaign)
    ways: dict[str, Callable[[], Cloud]] = {
        "posteriors": lambda: _posteriors(held),
        "disagreement": lambda: _disagreement(held),
        "calibration": lambda: _miscalibrated(held),
        "edges": lambda: _edges(held),
    }
    for aim in rules.shares:
        try:
            clouds.append(ways[aim]())
        except (Nothing, ContractError) as reason:
            notes[aim] = str(reason)
            log.info("nothing to aim at for %s: %s", aim, reason)
    known = None
    if rules.skip_within:
        try:
            known = held.foresight().known(rules.skip_within)
        except (Nothing, ContractError) as reason:
            notes["skip"] = str(reason)
    curve, stopped = None, ""
    if rules.least_gain:
        try:
            curve = _curve(held, records)
        except (Nothing, ContractError) as reason:
            notes["curve"] = str(reason)
        else:
            if curve.gain_high < rules.least_gain:
                asked = f"design.later_rounds.least_gain asks for {rules.least_gain:.1%}"
                stopped = f"{curve.sentence}; {asked}: the night keeps its budget"
    return Targets(
        clouds=tuple(clouds),
        known=known,
        notes=notes,
        curve=curve,
        stopped=stopped,
        audit=audit_of(held) if rules.skip_within else None,
    )


def audit_of(held: "_Held") -> float | None:
    """Rms miss, in noise units, at points that were simulated although they seemed known.

    Of records that each a surrogate of others predicted; None where nothing was audited yet.
    """
    from scipy.spatial import KDTree

    audited = []
    for path in sorted(held.run.design(0).parent.glob("round-*.json")):
        chosen = read_round(held.run, int(path.stem.removeprefix("round-")))
        if chosen.audited.any():
            own = chosen.sheet[chosen.audited] if chosen.sheet.shape[1] else None
            audited.append(places_of(held.campaign, chosen.parameters[chosen.audited], own))
    if not audited:
        return None
    foresight = held.foresight()
    away, _ = KDTree(np.vstack(audited)).query(foresight.places)
    rows = away < SAME
    return float(np.sqrt((foresight.missed[rows] ** 2).mean())) if rows.any() else None


def _curve(held: "_Held", records: int) -> LearningCurve:
    return missed_near(held.simulated(), _posteriors(held).centres).curve(records)


@dataclass
class _Held:
    """What the run has, read when it is asked for."""

    run: RunFolder[Path]
    campaign: Campaign
    _dataset: Dataset | None = None
    _foresight: Foresight | None = None
    _simulated: Simulated | None = None

    def dataset(self) -> Dataset:
        if self._dataset is None:
            fraction = self.campaign.training.validation_fraction
            self._dataset = open_dataset(self.run, fraction)
        return self._dataset

    def foresight(self) -> Foresight:
        if self._foresight is None:
            self._foresight = Foresight.of(self.simulated())
        return self._foresight

    def simulated(self) -> Simulated:
        if self._simulated is None:
            self._simulated = Simulated.of(self.run, self.campaign)
        return self._simulated

    def estimates(self) -> Estimates:
        """Of the validation that was made last."""
        found = self.run.root.glob("validation/*/estimates.json")
        newest = max(found, key=lambda path: path.stat().st_mtime, default=None)
        if newest is None:
            raise Nothing("no measurement was identified yet")
        return read_model(Estimates, newest)

    def network(self) -> TrainedModel:
        """Return that of the last validation."""
        return load_model(self.run.model(self.estimates().model))

    def places(self, rows: NDArray[np.int64]) -> FloatArray:
        """Places (n, axes) of training records."""
        train, names = self.dataset().train, [PackedFields.PARAMETERS]
        if self.campaign.family.coordinates:
            names.append(PackedFields.SHEET)
        parameters, *sheet = train.gather(tuple(names), rows)
        own = parameters[:, : len(self.campaign.targets)].astype(np.float64)
        return places_of(self.campaign, own, sheet[0].astype(np.float64) if sheet else None)


def _posteriors(held: _Held) -> Cloud:
    """One normal law a measured sheet, a little wider than its posterior."""
    estimates, campaign = held.estimates(), held.campaign
    refined = answered(held.run, estimates) or (None,) * len(estimates.estimates)
    centres, covariances = [], []
    for own, better in zip(estimates.estimates, refined, strict=True):
        one = better if better is not None and better.parameters is not None else own
        if one.parameters is not None and one.covariance is not None:
            centre, covariance = _in_places(campaign, one)
            centres.append(centre)
            covariances.append(covariance)
    if not centres:
        raise Nothing("no measured sheet was answered with a covariance")
    return _cloud("posteriors", np.array(centres), np.array(covariances), beyond=True)


def _in_places(campaign: Campaign, estimate: Estimate) -> tuple[FloatArray, FloatArray]:
    """Mean (axes,) and widened covariance (axes, axes) of an estimate's sheet in the box."""
    assert estimate.parameters is not None
    random, family = np.random.default_rng(SEED), campaign.family
    mean = np.array([estimate.parameters[target] for target in campaign.targets])
    drawn = random.multivariate_normal(mean, np.array(estimate.covariance), DRAWS)
    told = [estimate.coordinates[name] for name in family.names]
    sheet = np.tile(told, (DRAWS + 1, 1)) if told else None
    places = places_of(campaign, np.vstack([mean, drawn]), sheet)
    centre, cloud = places[0], places[1:]
    good = np.isfinite(cloud).all(1)
    if not np.isfinite(centre).all() or good.sum() < DRAWS // 2:
        raise Nothing(f"the sheet found behind {estimate.measurement} has no place in the box")
    covariance = np.cov(cloud[good].T).reshape(len(centre), len(centre))
    covariance += NARROWEST**2 * np.eye(len(centre))
    for column, name in enumerate(family.names, start=len(mechanical_axes(campaign))):
        covariance[column, column] = _width(campaign, estimate, name) ** 2
    return centre, campaign.design.later_rounds.widening**2 * covariance


def _width(campaign: Campaign, estimate: Estimate, name: str) -> float:
    """Say how wide a family's coordinate is known, as a share of the box."""
    one = next(each for each in campaign.family.coordinates if each.name == name)
    found = estimate.found.get(name)
    if found is None or one.high <= one.low:
        return UNSURE
    low, high = (found.low, found.high) if not one.logarithmic else np.log([found.low, found.high])
    ends = (one.low, one.high) if not one.logarithmic else np.log([one.low, one.high])
    return float(np.clip((high - low) / 3.29 / (ends[1] - ends[0]), NARROWEST, 1.0))


def _disagreement(held: _Held) -> Cloud:
    """Sheets whose simulated record the network answers worst, of those it was not fitted to."""
    network, data = held.network(), held.dataset()
    examples = calibration_examples(data)
    asked = examples.strains, examples.forces, examples.known
    span = np.array(data.facts.scaler.high) - np.array(data.facts.scaler.low)
    by_network = network.predict(*asked)
    missed = (((by_network - examples.physical) / span) ** 2).sum(1)
    foreseen = held.foresight().missed_at(held.places(data.calibration_rows))
    # Both are off: the network by its error, the surrogate by what it misses of the record
    score = missed / missed.mean() + foreseen / foreseen.mean()
    return _about("disagreement", held.places(data.calibration_rows), score**2)


def _miscalibrated(held: _Held) -> Cloud:
    """Neighbourhoods whose truths lie outside the network's intervals too often."""
    network, data = held.network(), held.dataset()
    examples = calibration_examples(data)
    asked = examples.strains, examples.forces, examples.known
    low, high = network.intervals(*asked)
    outside = ((examples.physical < low) | (examples.physical > high)).mean(1)
    places = held.places(data.calibration_rows)
    level = network.calibration(examples.known).level
    excess = outside[_nearest(places, places)].mean(1) - (1 - level)
    if not (excess > 0).any():
        raise Nothing("the network's intervals hold what they promise everywhere")
    return _about("calibration", places, np.maximum(excess, 0))


def _edges(held: _Held) -> Cloud:
    """Failed records among good ones, and good ones among failed."""
    places, failed = solved_places(held.run, held.campaign)
    if not failed.any():
        raise Nothing("no record has failed")
    share = failed[_nearest(places, places)].mean(1)
    score = share * (1 - share)
    if not (score > 0).any():
        raise Nothing("failed records have none but failed neighbours")
    return _about("edges", places, score)


def solved_places(run: RunFolder[Path], campaign: Campaign) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Places (n, axes) of all training points that were solved, and which of them failed."""
    places, failed = [], []
    for path in sorted(run.design(0).parent.glob("round-*.json")):
        number = int(path.stem.removeprefix("round-"))
        chosen = read_round(run, number)
        for index in range(campaign.design.shards(len(chosen.point))):
            shard = run.shard(number, index)
            if not manifest_of(shard).exists():
                continue
            with h5py.File(shard) as file:
                rows = file[ShardFields.POINT][...][~file[ShardFields.IS_TEST][...].astype(bool)]
                status = file[ShardFields.STATUS][...]
                bad = status[~file[ShardFields.IS_TEST][...].astype(bool)] != OK
            own = chosen.sheet[rows] if chosen.sheet.shape[1] else None
            places.append(places_of(campaign, chosen.parameters[rows], own))
            failed.append(bad)
    if not places:
        raise Nothing("nothing was simulated yet")
    return np.vstack(places), np.concatenate(failed)


def _about(aim: str, places: FloatArray, score: FloatArray) -> Cloud:
    """Put normal laws about the places (n, axes) of highest score, as wide as the gaps there."""
    best = np.argsort(score)[::-1][:CENTRES]
    best = best[score[best] > 0]
    centres, axes = places[best], places.shape[1]
    # As wide as the gaps between so many points of the box
    width = 0.5 * len(places) ** (-1 / axes)
    covariances = np.tile(width**2 * np.eye(axes), (len(best), 1, 1))
    return _cloud(aim, centres, covariances, score[best])


def _cloud(
    aim: str,
    centres: FloatArray,
    covariances: FloatArray,
    score: FloatArray | None = None,
    *,
    beyond: bool = False,
) -> Cloud:
    chances = np.ones(len(centres)) if score is None else score
    return Cloud(aim, centres, chances / chances.sum(), covariances, beyond)


def _nearest(places: FloatArray, of: FloatArray) -> NDArray[np.intp]:
    """Return the rows (m, NEIGHBOURS) of `of` nearest to places (m, axes)."""
    from scipy.spatial import KDTree

    rows = KDTree(of).query(places, min(NEIGHBOURS, len(of)))[1]
    return np.asarray(rows, dtype=np.intp).reshape(len(places), -1)
