"""What the engine says of a sheet and of everything that may be wrong with its test.

The unknowns are the sheet's mechanical values, then the nuisances. What is predicted is what a
measurement holds: strains, then logarithms of forces.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.material import Material
from hpc_jobs.contract.measurement import Quantity
from hpc_jobs.contract.specimen import Specimens
from hpc_jobs.identification.nuisances.bench import Answer, Bench, Unsimulated
from hpc_jobs.identification.nuisances.kinds import Column
from hpc_jobs.identification.nuisances.turn import turned

STEPS = {
    "notch_width_mm": 0.05,
    "angle_deg": 1.0,
    "patch_along_mm": 0.2,
    "patch_across_mm": 0.2,
    "scale": 0.02,
    "displacement": 0.01,
    "force_late_mm": 0.005,
    "hardening_level": 0.02,
    "hardening_exponent": 0.01,
    "hardening_bend": 0.004,
    "youngs_modulus": 0.03,
}
"""Of the finite differences."""
STEP_R, STEP_STRESS = 0.03, 0.004

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Response:
    """Predictions for one measurement."""

    bench: Bench
    axes: tuple[Quantity, ...]
    forces_seen: bool
    _kept: dict[tuple[object, ...], Answer] = field(default_factory=dict)

    @property
    def material(self) -> Material:
        """Of the sheet, as the measurement has it."""
        return self.bench.material

    @property
    def specimens(self) -> Specimens:
        """As they are without nuisances."""
        return self.bench.specimens

    @property
    def columns(self) -> tuple[Column, ...]:
        """Return the nuisances, in the order of their arrays."""
        return self.bench.columns

    @property
    def simulations(self) -> int:
        """How many of one specimen were made so far."""
        return len(self._kept)

    def predict(self, sheet: FloatArray, off: FloatArray) -> FloatArray:
        """Strains and logarithms of forces (values,) at mechanical values and nuisances."""
        answers = [self._answer(i, sheet, off) for i in range(len(self.specimens.tests))]
        late = [self.value(off, "force_late_mm", i) for i in range(len(answers))]
        read = [one.forces for one in answers]
        for i in np.flatnonzero(late):
            read[i] = self._answer(int(i), sheet, off, {"force_late_mm": late[i]}).forces
        return self._flat(
            [self._as_measured(i, one, off, read[i]) for i, one in enumerate(answers)]
        )

    def as_drawn(self, sheet: FloatArray) -> Answer:
        """Strains (strain_values,) and forces (force_values,) N of a sheet, without nuisances."""
        off = np.zeros(len(self.columns))
        answers = [self._answer(i, sheet, off) for i in range(len(self.specimens.tests))]
        return Answer(
            strains=np.stack([one.strains for one in answers], axis=1).ravel(),
            forces=np.concatenate([one.forces for one in answers]),
        )

    def jacobian(self, sheet: FloatArray, off: FloatArray) -> FloatArray:
        """Return derivatives (values, unknowns) of `predict`, by finite differences."""
        base = [self._answer(i, sheet, off) for i in range(len(self.specimens.tests))]
        slopes = [self._by_sheet(axis, sheet, off, base) for axis in range(len(self.axes))]
        slopes += [self._by_nuisance(number, sheet, off, base) for number in range(len(off))]
        return np.stack(slopes, axis=1)

    def value(self, off: FloatArray, name: str, specimen: int) -> float:
        """Return a nuisance as one specimen has it."""
        return self.bench.value(off, name, specimen)

    def _by_sheet(
        self, axis: int, sheet: FloatArray, off: FloatArray, base: list[Answer]
    ) -> FloatArray:
        step = STEP_STRESS if self.axes[axis].startswith("stress") else STEP_R
        moved = sheet.copy()
        moved[axis] += step
        try:
            beside = [self._answer(i, moved, off) for i in range(len(base))]
        except Unsimulated:  # at an edge of what can be: on its other side
            step = -step
            moved[axis] = sheet[axis] + step
            beside = [self._answer(i, moved, off) for i in range(len(base))]
        rows = [self._difference(i, beside[i], one, off) / step for i, one in enumerate(base)]
        return np.concatenate([row.ravel() for row in self._split(rows)])

    def _by_nuisance(
        self, number: int, sheet: FloatArray, off: FloatArray, base: list[Answer]
    ) -> FloatArray:
        column = self.columns[number]
        if not column.deviation:  # known exactly
            return np.zeros(
                self._flat([self._as_measured(i, a, off) for i, a in enumerate(base)]).size
            )
        rows = []
        for i, one in enumerate(base):
            if column.specimen in (None, i):
                rows.append(self._slope(i, column.kind.name, sheet, off, one))
            else:
                rows.append(np.zeros(one.strains.size + one.forces.size))
        return np.concatenate([row.ravel() for row in self._split(rows)])

    def _slope(
        self, i: int, name: str, sheet: FloatArray, off: FloatArray, base: Answer
    ) -> FloatArray:
        """Return how one specimen's values (values,) change with one nuisance."""
        strains, forces = np.zeros_like(base.strains), np.zeros_like(base.forces)
        test = self.specimens.tests[i]
        if name == "axis_deg":
            strains = self._turned(i, sheet, off, base)
        elif name == "force_late_mm":
            step = STEPS[name]
            late = self._answer(i, sheet, off, {name: step}).forces
            forces = (np.log(late) - np.log(base.forces)) / step
        elif name in ("compliance", "start_mm"):
            u = np.array(test.displacements_mm)
            by_u = self._difference(
                i, self._answer(i, sheet, off, {"displacement": STEPS["displacement"]}), base, off
            ).reshape(-1, len(u)) / (STEPS["displacement"] * u)
            lost = u[-1] * base.forces / base.forces[-1] if name == "compliance" else 0 * u + 1
            return np.asarray(-(by_u * lost).ravel())
        elif name == "window_mm2":
            bent = sum(
                self._answer(i, sheet, off, {where: sign * STEPS[where]}).strains
                for where in ("patch_along_mm", "patch_across_mm")
                for sign in (-1, 1)
            )
            strains = (bent - 4 * base.strains) / STEPS["patch_along_mm"] ** 2 / 24
        elif name == "strain_measure":
            strains = base.strains**2
        elif name == "force_gain":
            forces += 1.0
        elif name == "thickness_mm":
            forces += 1 / test.geometry.thickness_mm
        elif name == "force_offset_n":
            forces = 1 / (base.forces + self.value(off, name, i))
        else:
            sides = (-1, 1) if name.startswith("patch") else (0, 1)
            both = [
                self._answer(i, sheet, off, {name: side * STEPS[name]}) if side else base
                for side in sides
            ]
            return np.asarray(
                self._difference(i, both[1], both[0], off) / ((sides[1] - sides[0]) * STEPS[name])
            )
        return np.concatenate([strains.ravel(), forces])

    def _turned(self, i: int, sheet: FloatArray, off: FloatArray, base: Answer) -> FloatArray:
        """Return how strains change with a turn of the patches' axes, per degree."""
        by_x, by_y = (
            (
                self._answer(i, sheet, off, {where: STEPS[where]}).strains
                - self._answer(i, sheet, off, {where: -STEPS[where]}).strains
            )
            / (2 * STEPS[where])
            for where in ("patch_along_mm", "patch_across_mm")
        )
        return turned(by_x, by_y, self.specimens.patches)

    def _difference(self, i: int, one: Answer, other: Answer, off: FloatArray) -> FloatArray:
        return self._as_measured(i, one, off) - self._as_measured(i, other, off)

    def _as_measured(
        self, i: int, answer: Answer, off: FloatArray, forces: FloatArray | None = None
    ) -> FloatArray:
        """Strains in their measure, then logarithms of what a load cell reads.

        forces (times,) N: where they are not read at the moments of the strains.
        """
        forces = answer.forces if forces is None else forces
        exponent = self.value(off, "strain_measure", i)
        strains = answer.strains
        if exponent:
            strains = np.expm1(2 * exponent * strains) / (2 * exponent)
        thickness = self.specimens.tests[i].geometry.thickness_mm
        read = forces * (1 + self.value(off, "thickness_mm", i) / thickness)
        read = read + self.value(off, "force_offset_n", i)
        logarithms = np.log(np.maximum(read, 1.0)) + self.value(off, "force_gain", i)
        return np.concatenate([strains.ravel(), logarithms])

    def _flat(self, rows: list[FloatArray]) -> FloatArray:
        return np.concatenate([row.ravel() for row in self._split(rows)])

    def _split(self, rows: list[FloatArray]) -> list[FloatArray]:
        """Rows by specimen to strains [component, specimen, patch, time], forces if measured."""
        shape = (2, self.specimens.patches.count, self.specimens.output_times)
        size = int(np.prod(shape))
        strains = np.stack([row[:size].reshape(shape) for row in rows], axis=1)
        forces = np.stack([row[size:] for row in rows])
        return [strains, forces] if self.forces_seen else [strains]

    def _answer(
        self,
        i: int,
        sheet: FloatArray,
        off: FloatArray,
        more: Mapping[str, float] | None = None,
    ) -> Answer:
        """Pull specimen i, with `more` beside the nuisances; raises Unsimulated."""
        extra = dict(more or {})
        key = (i, sheet.tobytes(), self.bench.by_engine(i, off).tobytes(), *sorted(extra.items()))
        if key not in self._kept:
            self._kept[key] = self.bench.pull(i, sheet, off, extra)
        return self._kept[key]
