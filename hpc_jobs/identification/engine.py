"""The FEM itself as a function of a family's natural coordinates.

    engine = Engine(campaign, specimens, noise)
    seen = engine.observe(u)          # what a measurement of that sheet would show, noise-free

It is what the surrogate stands for: Gauss-Newton outside the box and the design report ask it.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.family import Family
from hpc_jobs.contract.specimen import Piece, Specimens
from hpc_jobs.contract.training import Noise
from hpc_jobs.fem.backends import backend_of
from hpc_jobs.fem.materials.yield_locus import alpha_from_tests
from hpc_jobs.fem.record import Record
from hpc_jobs.fem.scout import with_output_times
from hpc_jobs.forward.natural import QUANTITIES, Natural

STEP = 0.02
"""Of u, for one-sided differences: half a hundredth of the box."""
RATIOS = len(QUANTITIES) - 4  # stress ratios come before the four r-values

FloatArray = NDArray[np.float64]


class NoSheet(Exception):
    """Coordinates that no sheet has, or whose simulation failed; the message says why."""


@dataclass(frozen=True, slots=True, eq=False)
class Simulated:
    """A simulation that was asked for, as a shard would hold it."""

    parameters: FloatArray  # (targets,), in the order of Campaign.targets
    sheet: FloatArray  # (coordinates,) of the family
    record: Record


@dataclass(eq=False)
class Engine:
    """One kind of measurement of a family's sheets; counts and keeps what it simulates."""

    campaign: Campaign
    specimens: Specimens
    noise: Noise
    done: list[Simulated] = field(default_factory=list)
    keep: bool = True
    natural: Natural = field(init=False)
    family: Family = field(init=False)
    simulations: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.natural, self.family = Natural.of(self.campaign), self.campaign.family
        self._simulate = backend_of(self.campaign.solver)[1].simulate

    def physical(self, u: FloatArray) -> FloatArray:
        """Physical values (coordinates,) of u."""
        x = self.natural.centre + self.natural.spread * u
        return np.asarray(self.natural.physical(x[None])[0])

    def sheet(self, u: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Yield parameters, in the order of the material's, and the family's coordinates at u.

        Raises NoSheet.
        """
        values = self.physical(u)
        tests, sheet = values[: len(QUANTITIES)], values[len(QUANTITIES) :]
        reason = self.family.defect(sheet.tolist())
        if reason:
            raise NoSheet(reason)
        exponent = self.family.material_of(sheet.tolist()).exponent
        parameters, solved = alpha_from_tests(
            np.append(1.0, tests[:RATIOS])[None], tests[RATIOS:][None], exponent
        )
        if not solved[0]:
            raise NoSheet("no yld2000_2d sheet has these mechanical values")
        return parameters[0], sheet

    def timed(self, u: FloatArray) -> Specimens:
        """Return the specimens at the output times of the sheet at u; raises NoSheet."""
        parameters, sheet = self.sheet(u)
        values, family = sheet.tolist(), self.family
        own = family.specimens_of(values, self.specimens)
        found, reason = with_output_times(parameters, family.material_of(values), own)
        if reason:
            raise NoSheet(reason)
        pieces = tuple(Piece(displacements_mm=piece.displacements_mm) for piece in found.pieces)
        return self.specimens.model_copy(update={"pieces": pieces})

    def simulate(self, u: FloatArray) -> Record:
        """Simulate the sheet at u; raises NoSheet."""
        parameters, sheet = self.sheet(u)
        values = sheet.tolist()
        specimens = self.family.specimens_of(values, self.specimens)
        record = self._simulate(parameters, self.family.material_of(values), specimens)
        self.simulations += 1
        if record.status != "ok":
            raise NoSheet(f"the simulation ended with '{record.status}': {record.reason}")
        if self.keep:
            row = np.empty(len(parameters))
            row[list(self.campaign.columns)] = parameters
            self.done.append(Simulated(row, sheet, record))
        return record

    def observe(self, u: FloatArray) -> FloatArray:
        """Strains and logarithms of forces (values,) of the sheet at u, over their noise."""
        record = self.simulate(u)
        return self.observed(record.strains, record.forces)

    def observed(self, strains: FloatArray, forces: FloatArray) -> FloatArray:
        """Raw strains and forces in units of their noise: (values,)."""
        logs = np.log(forces) / self.noise.force_relative
        return np.concatenate([strains / self.noise.strain, logs])

    @property
    def free(self) -> list[int]:
        """Coordinates whose slopes have to be simulated; the others scale forces alone."""
        return [
            column
            for column, name in enumerate(self.natural.names)
            if name != "youngs_modulus_mpa" and not name.startswith("force_scale")
        ]

    def slopes(self, u: FloatArray, seen: FloatArray) -> FloatArray:
        """Return derivatives (values, coordinates) at u, where `seen` was; raises NoSheet."""
        slopes = self._level_slopes(u)
        for columns in self._moved_together():
            step = np.zeros(len(u))
            step[columns] = STEP
            try:
                found = (self.observe(u + step) - seen) / STEP
            except NoSheet:  # beyond the edge of what is admissible: look back
                found = (seen - self.observe(u - step)) / STEP
            for column in columns:
                slopes[:, column] = np.where(self._rows_of(column), found, 0.0)
        return slopes

    def _moved_together(self) -> list[list[int]]:
        """Return the free coordinates; those of one kind and a specimen each are moved at once.

        Specimens do not see each other's nuisances.
        """
        kinds: dict[str, list[int]] = {}
        for column in self.free:
            name = self.natural.names[column]
            kind = name if self._specimen_of(column) is None else name.partition("@")[0]
            kinds.setdefault(kind, []).append(column)
        return list(kinds.values())

    def _specimen_of(self, column: int) -> int | None:
        """Return the one specimen that a coordinate is about; None where it is the sheet."""
        place = column - len(QUANTITIES)
        return self.family.coordinates[place].specimen if place >= 0 else None

    def _rows_of(self, column: int) -> NDArray[np.bool_]:
        """Which values (values,) can depend on a coordinate: its specimen's, or all."""
        specimen, specimens = self._specimen_of(column), self.specimens
        if specimen is None:
            return np.ones(specimens.strain_values + specimens.force_values, dtype=np.bool_)
        strains = np.zeros(specimens.strain_shape, dtype=np.bool_)
        forces = np.zeros(specimens.force_shape, dtype=np.bool_)
        strains[:, specimen], forces[specimen] = True, True
        return np.concatenate([strains.ravel(), forces.ravel()])

    def _level_slopes(self, u: FloatArray) -> FloatArray:
        """Return derivatives by E with k/E held, and by each load cell's gain."""
        slopes = np.zeros((self.specimens.strain_values + self.specimens.force_values, len(u)))
        values, unit = self.specimens.strain_values, 1 / self.noise.force_relative
        times = self.specimens.output_times
        labels = [test.label.replace(" ", "-") for test in self.specimens.tests]
        for column, name in enumerate(self.natural.names):
            spread = self.natural.spread[column]
            if name == "youngs_modulus_mpa":
                slopes[values:, column] = spread * unit
            elif name.startswith("force_scale"):
                first = values + times * labels.index(name.partition("@")[2])
                slopes[first : first + times, column] = spread * unit / (1 + spread * u[column])
        return slopes
