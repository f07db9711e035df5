"""One specimen, pulled by the engine with its nuisances: as it is cut, placed and drawn."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.material import Material
from hpc_jobs.contract.specimen import Piece, Specimens
from hpc_jobs.design.mechanical import solve_tests
from hpc_jobs.fem.backends import Backend
from hpc_jobs.identification.nuisances.curves import other_curve
from hpc_jobs.identification.nuisances.kinds import Column
from hpc_jobs.identification.nuisances.travel import NotPulled, Travel

BY_ENGINE = ("notch_width_mm", "angle_deg", "patch_along_mm", "patch_across_mm")
SMALLEST_DRAWN_MM = 1e-6

FloatArray = NDArray[np.float64]


class Unsimulated(Exception):
    """The engine cannot pull a specimen of such a sheet; says why."""


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """One specimen: strains (2, patches, times) and forces (times,), N; or all, in a row each."""

    strains: FloatArray
    forces: FloatArray


@dataclass(frozen=True, eq=False)
class Bench:
    """The specimens of one measurement, and what pulls them."""

    backend: Backend
    material: Material
    specimens: Specimens
    columns: tuple[Column, ...]
    force_shares: (
        FloatArray  # (specimens, times) of the last force: what a machine's springs follow
    )
    travel: Travel

    def value(self, off: FloatArray, name: str, specimen: int) -> float:
        """Return a nuisance as one specimen has it."""
        for column, value in zip(self.columns, off, strict=True):
            if column.kind.name == name and column.specimen in (None, specimen):
                return float(value)
        return 0.0

    def by_engine(self, i: int, off: FloatArray) -> FloatArray:
        """Values of the nuisances with which specimen i is pulled: they tell its answer."""
        names = (
            *BY_ENGINE,
            "scale",
            "compliance",
            "start_mm",
            "hardening_level",
            "hardening_exponent",
            "hardening_bend",
            "youngs_modulus",
        )
        return np.array([self.value(off, name, i) for name in names])

    def pull(self, i: int, sheet: FloatArray, off: FloatArray, more: dict[str, float]) -> Answer:
        """Pull specimen i of a sheet, with `more` beside the nuisances; raises Unsimulated."""
        material = self._material(off, more)
        parameters, solved = solve_tests(material, sheet[None])
        if not solved[0]:
            raise Unsimulated("no sheet has the mechanical values that the fit arrived at")
        one = self._one_test(i, off, more)
        try:
            one = self._drawn(i, one, parameters[0], material, off, more)
        except NotPulled as error:
            raise Unsimulated(str(error)) from None
        record = self.backend.simulate(parameters[0], material, one)
        if record.status != "ok":
            raise Unsimulated(f"the simulation ended with '{record.status}': {record.reason}")
        shape = (2, self.specimens.patches.count, self.specimens.output_times)
        return Answer(record.strains.reshape(shape), record.forces)

    def _one_test(self, i: int, off: FloatArray, more: dict[str, float]) -> Specimens:
        """Specimen i alone, as it would be with its nuisances."""
        before = self.specimens.pieces[i] if self.specimens.pieces else Piece()
        patches = self.specimens.patches
        moved = {name: self.value(off, name, i) + more.get(name, 0.0) for name in BY_ENGINE}
        scale = 1 + self.value(off, "scale", i) + more.get("scale", 0.0)
        piece = before.model_copy(
            update={name: getattr(before, name) + value for name, value in moved.items()}
        )
        angles, geometries = len(self.specimens.angles_deg), self.specimens.geometries
        return self.specimens.model_copy(
            update={
                "angles_deg": (self.specimens.angles_deg[i % angles],),
                "geometries": (geometries[i // angles],),
                "pieces": (piece,),
                "patches": patches.model_copy(
                    update={
                        "region_length_mm": patches.region_length_mm * scale,
                        "region_width_mm": patches.region_width_mm * scale,
                    }
                ),
            }
        )

    def _drawn(
        self,
        i: int,
        one: Specimens,
        parameters: FloatArray,
        material: Material,
        off: FloatArray,
        more: dict[str, float],
    ) -> Specimens:
        """Specimen i with its output times: as its lines tell, less what the machine takes."""
        u = np.array(self.specimens.tests[i].displacements_mm)
        nominal = self._one_test(i, np.zeros(len(self.columns)), {})
        u = self.travel.displacements(i, u, nominal, parameters, material, one)
        u = u * (1 + more.get("displacement", 0.0)) - more.get("force_late_mm", 0.0)
        u = u - self.value(off, "compliance", i) * u[-1] * self.force_shares[i]
        u = np.maximum(
            u - self.value(off, "start_mm", i), SMALLEST_DRAWN_MM * np.arange(1, 1 + len(u))
        )
        drawn = {"displacements_mm": tuple(u.tolist())}
        return one.model_copy(update={"pieces": (one.pieces[0].model_copy(update=drawn),)})

    def _material(self, off: FloatArray, more: dict[str, float]) -> Material:
        level = self.value(off, "hardening_level", 0) + more.get("hardening_level", 0.0)
        exponent = self.value(off, "hardening_exponent", 0) + more.get("hardening_exponent", 0.0)
        bend = self.value(off, "hardening_bend", 0) + more.get("hardening_bend", 0.0)
        modulus = 1 + self.value(off, "youngs_modulus", 0) + more.get("youngs_modulus", 0.0)
        return self.material.model_copy(
            update={
                "youngs_modulus_mpa": self.material.youngs_modulus_mpa * modulus,
                "hardening": other_curve(self.material.hardening, level, exponent, bend),
            }
        )
