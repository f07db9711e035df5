"""What the surrogate knows already: how much of a record it misses, place by place.

Each fifth of the training records is predicted by a surrogate of the others. What is missed, in
noise units, is smoothed over neighbours: places whose neighbours are all foreseen within noise
need no simulation of their own, and an audit looks whether that was true.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.design.family import places_of_sheets
from hpc_jobs.design.mechanical import mechanical_axes, places_of
from hpc_jobs.design.mixture import Known
from hpc_jobs.forward.family import fit_family
from hpc_jobs.forward.meshes import other_meshes
from hpc_jobs.forward.records import FamilyRecords, ForwardRecords, family_records, training_records
from hpc_jobs.forward.surrogate import Surrogate, fit_surrogate

FloatArray = NDArray[np.float64]
Rows = NDArray[np.intp]

MOST = 4000  # records: a map of what is missed needs no more
FOLDS = 5
NEIGHBOURS = 12


@dataclass(frozen=True, slots=True, eq=False)
class Simulated:
    """Noise-free records of a run, of one sheet or of a family, with their places in the box."""

    places: FloatArray  # (n, axes)
    noise: tuple[float, float]
    limits: tuple[FloatArray, FloatArray] | None = None
    sheet: ForwardRecords | None = None
    family: FamilyRecords | None = None

    @classmethod
    def of(cls, run: RunFolder[Path], campaign: Campaign, most: int = MOST) -> "Simulated":
        """Read the first training records: they are a sample, for the files are permuted."""
        noise = campaign.noise.strain, campaign.noise.force_relative
        other = other_meshes(run, campaign).among
        if campaign.family.is_single_sheet:
            facts, records = training_records(run, most, other)
            limits = np.array(facts.scaler.low), np.array(facts.scaler.high)
            places = places_of(campaign, records.parameters.astype(np.float64))
            return cls(places, noise, limits=limits, sheet=records)
        family = family_records(run, campaign, most, other)
        natural = family.natural
        values = natural.physical(natural.centre + natural.spread * family.u)
        names = mechanical_axes(campaign)
        low, high = np.array([getattr(campaign.design.box, name) for name in names]).T
        tests = values[:, natural.columns(names)]
        own = values[:, natural.columns(campaign.family.names)]
        places = np.hstack([(tests - low) / (high - low), places_of_sheets(campaign.family, own)])
        return cls(places, noise, family=family)

    def __len__(self) -> int:
        return len(self.places)

    def missed(self, fitted: Rows, asked: Rows) -> FloatArray:
        """Rms misses (asked,) of a surrogate of some records behind others, noise units."""
        if self.family is not None:
            part = self.family.rows(asked)
            surrogate = fit_family(self.family.rows(fitted), self.noise)
            return misses(surrogate, part.u, ForwardRecords(part.u, part.strains, part.forces))
        assert self.sheet is not None and self.limits is not None
        surrogate = fit_surrogate(_rows(self.sheet, fitted), self.limits, self.noise)
        test = _rows(self.sheet, asked)
        return misses(surrogate, surrogate.coordinates(test.parameters.astype(np.float64)), test)


@dataclass(frozen=True, slots=True, eq=False)
class Foresight:
    """Misses of the surrogate, by place."""

    places: FloatArray  # (n, axes) of records
    missed: FloatArray  # (n,) rms of a record, noise units

    @classmethod
    def of(cls, simulated: Simulated) -> "Foresight":
        """Predict each record by a surrogate that has not seen it."""
        rows, missed = np.arange(len(simulated)), np.empty(len(simulated))
        for fold in range(FOLDS):
            held = rows[fold::FOLDS]
            missed[held] = simulated.missed(np.delete(rows, held), held)
        return cls(simulated.places, missed)

    def missed_at(self, places: FloatArray) -> FloatArray:
        """Root mean square (m,), over neighbours, of what is missed at places (m, axes)."""
        count = min(NEIGHBOURS, len(self.places))
        rows = KDTree(self.places).query(places, count)[1].reshape(len(places), -1)
        return np.asarray(np.sqrt((self.missed[rows] ** 2).mean(1)))

    def known(self, within: float) -> Known:
        """Tell places whose record is foreseen within so many noise units from others."""
        return lambda places: np.asarray(self.missed_at(places) < within)


def misses(surrogate: Surrogate, u: FloatArray, records: ForwardRecords) -> FloatArray:
    """Rms (n,) over a record's values, in noise units, of what a surrogate misses at u."""
    seen = surrogate.observables
    foreseen = seen.mean + surrogate.components_at(u) @ seen.vectors.T
    away = seen.of(records.strains, records.forces) - foreseen
    return np.asarray(np.sqrt((away**2).mean(1)))


def _rows(records: ForwardRecords, rows: Rows) -> ForwardRecords:
    forces = None if records.forces is None else records.forces[rows]
    return ForwardRecords(records.parameters[rows], records.strains[rows], forces)
