"""Rounds that aim: points drawn from a mixture of laws over the box, each with its weight.

Places q of the box are 0 to 1 along each axis, and a campaign's own law is even over those that
are sheets, a share V of the cube. A round draws a share s_0 of its points evenly and shares s_k
from clouds f_k: mixtures of normal laws about given centres, cut to what is a sheet. A point's
importance weight is the even law's density over the round's,

    w(q) = 1 / (s_0 keep(q)/K + sum_k s_k V N_k(q)/Z_k),

where Z_k is the share of the cloud's draws that are sheets and keep(q) the chance that an even
point is not skipped, K its mean: weighted, a round is as if drawn evenly. Owen & Zhou, JASA 95
(2000): the mixture's density under each weight keeps weights below 1/s_0.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.design.mechanical import draw, in_box, mechanical_axes, parameters_of, places_of
from hpc_jobs.design.sobol import TRAIN

EVEN = "space_filling"
LOOKS = 4
"""Even points that are looked at for each that is simulated, where known ones are skipped."""
SMALLEST = 1e-12
TRIALS = 40
"""Draws for each point that is wanted, before a cloud is given up as not of this world."""
APART = 1.0
"""Smallest distance of two points of a cloud, in its own width."""
BLOCK = 512

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Cloud:
    """Where one aim wants points: normal laws of one width about centres, in places of the box.

    beyond: whether its points may lie outside the box, as a measured sheet may; they weigh nothing
    there, for the campaign's own law has none.
    """

    aim: str
    centres: FloatArray  # (k, axes)
    chances: FloatArray  # (k,), of sum one
    covariances: FloatArray  # (k, axes, axes)
    beyond: bool = False

    def drawn(self, random: np.random.Generator, count: int) -> tuple[FloatArray, NDArray[np.intp]]:
        """Points (count, axes) and the centres that they belong to."""
        which = random.choice(len(self.centres), count, p=self.chances)
        normal = random.standard_normal((count, self.centres.shape[1]))
        roots = np.linalg.cholesky(self.covariances)
        return self.centres[which] + np.einsum("nij,nj->ni", roots[which], normal), which

    def density(self, places: FloatArray) -> FloatArray:
        """Density (n,) at places (n, axes), before anything is cut off."""
        found = np.zeros(len(places))
        width = self.centres.shape[1]
        for centre, chance, covariance in zip(
            self.centres, self.chances, self.covariances, strict=True
        ):
            away = np.linalg.solve(np.linalg.cholesky(covariance), (places - centre).T)
            scale = -0.5 * (width * np.log(2 * np.pi) + np.linalg.slogdet(covariance)[1])
            found += chance * np.exp(scale - 0.5 * (away**2).sum(0))
        return found


@dataclass(frozen=True, slots=True, eq=False)
class Aimed:
    """Points of a round's mixture, those that fill the box first."""

    parameters: FloatArray  # (n, targets)
    sheet: FloatArray  # (n, coordinates)
    aim: NDArray[np.uint8]  # (n,) index into aims
    weight: FloatArray  # (n,)
    aims: tuple[str, ...]  # EVEN first
    start: int  # of the training stream
    stop: int
    rejected: Counter[str]
    skipped: int
    audited: NDArray[np.bool_]  # (n,) simulated although the surrogate knows its neighbours


Known = Callable[[FloatArray], NDArray[np.bool_]]
"""Whether the surrogate predicts what is at places (n, axes) within noise."""


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """What one law gave."""

    places: FloatArray
    parameters: FloatArray
    sheet: FloatArray
    accepted: float  # share of its draws that are sheets


def draw_mixture(
    campaign: Campaign,
    start: int,
    records: int,
    clouds: Sequence[Cloud],
    seed: Sequence[int],
    known: Known | None = None,
) -> Aimed:
    """Draw a round's training points; deterministic. Raises EmptyBox.

    Shares are those of design.later_rounds. Aims without a cloud, and what a cloud cannot give,
    fill the box, from index `start` of the training stream. Of each cloud no two points are closer
    than its own width. known: what it says to be known is skipped, but for an audit.
    """
    random, rules = np.random.default_rng(list(seed)), campaign.design.later_rounds
    parts = [
        _of_cloud(campaign, one, round(rules.shares.get(one.aim, 0.0) * records), random)
        for one in clouds
    ]
    count = records - sum(len(one.places) for one in parts)
    looked = draw(campaign, TRAIN, start, count * (LOOKS if known else 1))
    even = _Part(
        places_of(campaign, looked.parameters, looked.sheet),
        looked.parameters,
        looked.sheet,
        len(looked.parameters) / max(looked.stop - looked.start, 1),
    )
    audit, taken, seen = 1.0, np.arange(count), count
    is_known = known or (lambda places: np.zeros(len(places), np.bool_))
    flags = is_known(even.places)
    if flags.any():
        audit, taken, seen = _thinned(flags, count, rules.audit_share, random)
    even = _Part(even.places[taken], even.parameters[taken], even.sheet[taken], even.accepted)
    parts.insert(0, even)
    places = np.vstack([one.places for one in parts])
    counts = [len(one.places) for one in parts]
    chance = np.where(is_known(places), audit, 1.0)
    kept = float(np.where(flags[:seen], audit, 1.0).mean())
    density = counts[0] / records * chance / kept
    for one, cloud in zip(parts[1:], clouds, strict=True):
        if len(one.places):
            share = len(one.places) / records
            density += share * even.accepted * cloud.density(places) / one.accepted
    inside = ((places >= 0) & (places <= 1)).all(1)
    return Aimed(
        parameters=np.vstack([one.parameters for one in parts]),
        sheet=np.vstack([one.sheet for one in parts]),
        aim=np.repeat(np.arange(len(counts), dtype=np.uint8), counts),
        weight=np.where(inside, 1 / np.maximum(density, SMALLEST), 0.0),
        aims=(EVEN, *(one.aim for one in clouds)),
        start=looked.start,
        stop=looked.stop,
        rejected=looked.rejected,
        skipped=seen - count,
        audited=np.concatenate([flags[taken], np.zeros(records - count, np.bool_)]),
    )


def _thinned(
    known: NDArray[np.bool_], count: int, audit: float, random: np.random.Generator
) -> tuple[float, NDArray[np.intp], int]:
    """Choose `count` of the points that were looked at, leaving out known ones but for an audit.

    Where nearly all is known the audit takes the rest: a round has the records it was planned
    with. Returns the share audited, the rows chosen, and how many points were looked at for them.
    """
    unknown = int((~known).sum())
    share = max(audit, (count - unknown) / max(int(known.sum()), 1))
    kept = ~known | (random.random(len(known)) < share)
    rows = np.flatnonzero(kept)
    if len(rows) < count:  # by the luck of the draw
        rows = np.sort(np.concatenate([rows, np.flatnonzero(~kept)[: count - len(rows)]]))
        return share, rows, len(known)
    return share, rows[:count], int(rows[count - 1]) + 1


def _of_cloud(campaign: Campaign, cloud: Cloud, count: int, random: np.random.Generator) -> _Part:
    """Draw until so many sheets are found, apart from each other, or the cloud gives no more."""
    width, mechanical = cloud.centres.shape[1], len(mechanical_axes(campaign))
    places = np.empty((0, width))
    parameters = np.empty((0, len(campaign.targets)))
    inverse = np.linalg.inv(cloud.covariances)
    tried = accepted = 0
    while len(places) < count and tried < TRIALS * count:
        block, of = cloud.drawn(random, BLOCK)
        tried += BLOCK
        values = in_box(campaign, block)
        found, reasons = parameters_of(campaign, values)
        inside = ((block >= 0) & (block <= 1)).all(1)
        good = np.array([not reason for reason in reasons]) & (inside | cloud.beyond)
        good &= np.isfinite(values).all(1)
        accepted += int(good.sum())
        for row in np.flatnonzero(good):
            if len(places) == count:
                break
            away = places - block[row]
            metric = inverse[of[row]]
            if len(away) and np.einsum("ni,ij,nj->n", away, metric, away).min() < APART**2:
                continue
            places = np.vstack([places, block[row]])
            parameters = np.vstack([parameters, found[row]])
    sheet = in_box(campaign, places)[:, mechanical:] if len(places) else places[:, mechanical:]
    return _Part(places, parameters, sheet, accepted / max(tried, 1))
