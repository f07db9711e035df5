"""What a campaign's measurements see of a sheet: derivatives of strains and forces, by the engine.

Finite differences of whole records, at the output times of the unchanged sheet. The unknowns are
the mechanical values that determine the yield function, held while the exponent changes, and the
family's coordinates. All are in units of the campaign's noise, so that J^T J is the information.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.errors import BadInput
from hpc_jobs.contract.family import Family
from hpc_jobs.contract.geometry import MESH_LEVELS, Mesh
from hpc_jobs.contract.material import Material
from hpc_jobs.contract.specimen import Piece, Specimens
from hpc_jobs.design.mechanical import mechanical_axes, solve_tests
from hpc_jobs.fem.backends import Backend, backend_of
from hpc_jobs.fem.materials import MATERIALS
from hpc_jobs.fem.materials.yield_locus import mechanical_values
from hpc_jobs.fem.scout import with_output_times

FloatArray = NDArray[np.float64]
SHARE = 0.02  # of a range, by which a coordinate is moved to either side
DEVIATIONS = 0.5  # by which a nuisance is moved


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SheetSensitivities:
    """Of one sheet: rows are what is measured, strains [component, specimen, patch, time] first.

    matrix (values, names) in noise standard deviations per unit of each name; the prior deviation
    of a name (names,) is its range over sqrt(12), or a nuisance's standard deviation.
    """

    names: tuple[str, ...]
    matrix: FloatArray
    prior: FloatArray
    strain_values: int  # the rows before the forces, which are logarithms
    displacements: FloatArray  # (specimens, times) mm

    def covariance(self, known: Mapping[str, float], *, forces: bool = True) -> FloatArray:
        """Covariance (names, names) of an ideal estimate, with the box as prior (Cramer-Rao).

        known: name -> standard deviation of what is known by other means; 0 is exactly.
        """
        unknown = [name for name in known if name not in self.names]
        if unknown:
            raise BadInput(f"{', '.join(unknown)} is none of {', '.join(self.names)}")
        seen = self.matrix if forces else self.matrix[: self.strain_values]
        sd = self.prior.copy()
        for name, deviation in known.items():
            i = self.names.index(name)
            sd[i] = deviation * sd[i] / np.hypot(deviation, sd[i])
        free = sd > 0
        scaled = seen[:, free] * sd[free]
        information = scaled.T @ scaled + np.eye(int(free.sum()))
        whole = np.zeros((len(sd), len(sd)))
        whole[np.ix_(free, free)] = np.linalg.inv(information) * np.outer(sd[free], sd[free])
        return whole


@dataclass(frozen=True, slots=True, eq=False)
class _Sheet:
    """A point of the campaign's box, and how to simulate it."""

    family: Family
    backend: Backend
    specimens: Specimens  # at fixed output times
    tests: FloatArray  # mechanical values
    values: FloatArray  # coordinates

    def material(self) -> Material:
        return self.family.material_of(self.values.tolist())

    def parameters(self) -> FloatArray:
        """Return the yield function's, in the material's order."""
        found, solved = solve_tests(self.material(), self.tests[None])
        if not solved[0]:
            raise BadInput(f"no yield function has the mechanical values {self.tests.tolist()}")
        return np.asarray(found[0])

    def observed(self) -> FloatArray:
        """Strains, then logarithms of forces."""
        tests = self.family.specimens_of(self.values.tolist(), self.specimens)
        record = self.backend.simulate(self.parameters(), self.material(), tests)
        if record.status != "ok":
            raise BadInput(f"a sheet nearby cannot be simulated: {record.status}, {record.reason}")
        return np.concatenate((record.strains, np.log(record.forces)))


def sensitivities(
    campaign: Campaign,
    parameters: FloatArray,
    sheet: FloatArray | None = None,
    *,
    mesh: Mesh = MESH_LEVELS["coarse"],
) -> SheetSensitivities:
    """Differentiate a sheet's record by everything that may differ.

    parameters (targets,) in the order of Campaign.targets, sheet (coordinates,) in that of
    Campaign.family. A coarse mesh serves: derivatives depend little on it. Raises BadInput where
    the sheet or one close by cannot be simulated.
    """
    base, displacements = _base(campaign, parameters, sheet, mesh)
    noise = np.concatenate(
        (
            np.full(base.specimens.strain_values, campaign.noise.strain),
            np.full(base.specimens.force_values, campaign.noise.force_relative),
        )
    )
    axes = mechanical_axes(campaign)
    columns, prior = [], []
    for i, axis in enumerate(axes):
        low, high = getattr(campaign.design.box, axis)
        columns.append(_difference(base, "tests", [i], SHARE * (high - low)))
        prior.append((high - low) / 12**0.5)
    for column, deviation in _by_coordinates(base):
        columns.append(column)
        prior.append(deviation)
    return SheetSensitivities(
        names=(*axes, *base.family.names),
        matrix=np.stack(columns, axis=1) / noise[:, None],
        prior=np.array(prior),
        strain_values=base.specimens.strain_values,
        displacements=displacements,
    )


def _base(
    campaign: Campaign, parameters: FloatArray, sheet: FloatArray | None, mesh: Mesh
) -> tuple[_Sheet, FloatArray]:
    family = campaign.family
    if sheet is None and not family.is_single_sheet:
        raise BadInput(f"give the sheet's values of {', '.join(family.names)}")
    values = np.array(() if sheet is None else sheet, dtype=np.float64)
    material = family.material_of(values.tolist())
    row = np.asarray(parameters, dtype=np.float64)[list(campaign.columns)]
    function = MATERIALS[material.yield_function].of(row, material)
    found = mechanical_values(function)
    tests = np.array([found[axis] for axis in function.tests])
    specimens = family.specimens_of(
        values.tolist(), campaign.specimens.model_copy(update={"mesh": mesh})
    )
    timed, reason = with_output_times(row, material, specimens)
    if reason:
        raise BadInput(reason)
    _, backend = backend_of(campaign.solver)
    # The pieces' own deviations are coordinates, so that only their times stay
    pieces = tuple(Piece(displacements_mm=test.displacements_mm) for test in timed.tests)
    at_times = timed.model_copy(update={"pieces": pieces, "warm_start": False})
    displacements = np.array([test.displacements_mm for test in timed.tests])
    return _Sheet(family, backend, at_times, tests, values), displacements


def _difference(base: _Sheet, field: str, places: list[int], step: float) -> FloatArray:
    """Central difference of a record by values moved together, per unit of each."""
    observed = []
    for sign in (1, -1):
        moved = getattr(base, field).copy()
        moved[places] += sign * step
        observed.append(replace(base, **{field: moved}).observed())
    return np.asarray((observed[0] - observed[1]) / (2 * step))


def _by_coordinates(base: _Sheet) -> list[tuple[FloatArray, float]]:
    """Differentiate by each coordinate; the derivatives, and prior deviations, in order.

    Specimens do not see each other's nuisances: those of one kind are moved all at once.
    """
    kinds: dict[str, list[int]] = {}
    for i, one in enumerate(base.family.coordinates):
        kind = one.name.split("@")[0] if one.specimen is not None else one.name
        kinds.setdefault(kind, []).append(i)
    found: dict[int, tuple[FloatArray, float]] = {}
    for places in kinds.values():
        one = base.family.coordinates[places[0]]
        step = DEVIATIONS * one.sd if one.sd else SHARE * (one.high - one.low)
        together = _difference(base, "values", places, step)
        for i in places:
            specimen = base.family.coordinates[i].specimen
            deviation = one.sd or (one.high - one.low) / 12**0.5
            found[i] = (_of_specimen(base, together, specimen), deviation)
    return [found[i] for i in sorted(found)]


def _of_specimen(base: _Sheet, column: FloatArray, specimen: int | None) -> FloatArray:
    """Return a column (values,) with zeros where another specimen is measured."""
    if specimen is None:
        return column
    strains, forces = np.split(column, [base.specimens.strain_values])
    mine = np.zeros(base.specimens.force_shape[0])
    mine[specimen] = 1.0
    by_specimen = strains.reshape(base.specimens.strain_shape) * mine[:, None, None]
    return np.concatenate(
        (by_specimen.ravel(), (forces.reshape(len(mine), -1) * mine[:, None]).ravel())
    )
