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
from hpc_jobs.dataset.dataset import Dataset
from hpc_jobs.design.mechanical import places_of
from hpc_jobs.design.mixture import Known
from hpc_jobs.forward.family import fit_family
from hpc_jobs.forward.natural import QUANTITIES
from hpc_jobs.forward.records import ForwardRecords, family_records, training_records
from hpc_jobs.forward.surrogate import Surrogate, fit_surrogate

FloatArray = NDArray[np.float64]

MOST = 4000  # records: a map of what is missed needs no more
FOLDS = 5
NEIGHBOURS = 12


@dataclass(frozen=True, slots=True, eq=False)
class Foresight:
    """Misses of the surrogate, by place."""

    places: FloatArray  # (n, axes) of records
    missed: FloatArray  # (n,) rms of a record, noise units

    @classmethod
    def of(cls, run: RunFolder[Path], campaign: Campaign, data: Dataset) -> "Foresight":
        """Predict the run's records, each by a surrogate that has not seen it."""
        if campaign.family.is_single_sheet:
            return cls._of_sheet(run, campaign)
        return cls._of_family(run, campaign)

    @classmethod
    def _of_sheet(cls, run: RunFolder[Path], campaign: Campaign) -> "Foresight":
        facts, records = training_records(run, MOST)
        limits = np.array(facts.scaler.low), np.array(facts.scaler.high)
        noise = facts.noise_strain, facts.noise_force_relative
        parameters = records.parameters.astype(np.float64)
        missed = np.empty(len(records))
        for held, rest in _folds(len(records)):
            part = _rows(records, rest)
            surrogate = fit_surrogate(part, limits, noise)
            u = surrogate.coordinates(parameters[held])
            missed[held] = misses(surrogate, u, _rows(records, held))
        return cls(places_of(campaign, parameters[:, : len(campaign.targets)]), missed)

    @classmethod
    def _of_family(cls, run: RunFolder[Path], campaign: Campaign) -> "Foresight":
        records = family_records(run, campaign, MOST)
        noise = campaign.noise.strain, campaign.noise.force_relative
        missed = np.empty(len(records))
        for held, rest in _folds(len(records)):
            surrogate = fit_family(records.rows(rest), noise)
            part = records.rows(held)
            seen = ForwardRecords(part.u, part.strains, part.forces)
            missed[held] = misses(surrogate, part.u, seen)
        low, high = records.natural.ends
        x = records.natural.centre + records.natural.spread * records.u
        assert records.natural.names[: len(QUANTITIES)] == QUANTITIES
        return cls((x - low) / (high - low), missed)

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


def _folds(records: int) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Rows held out and the rest; records of a packed file are permuted already."""
    rows = np.arange(records)
    return [(rows[k::FOLDS], np.delete(rows, rows[k::FOLDS])) for k in range(FOLDS)]


def _rows(records: ForwardRecords, rows: NDArray[np.intp]) -> ForwardRecords:
    forces = None if records.forces is None else records.forces[rows]
    return ForwardRecords(records.parameters[rows], records.strains[rows], forces)
