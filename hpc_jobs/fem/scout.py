"""A sheet's own output times: found on a coarse mesh before the record is solved.

Where the specimens have a `timing`, every test is first drawn past its peak force on a mesh of a
few elements, and its times read off that force-displacement curve by the rule that also reads
measured ones (specimen/output_times.py). Then they are displacements like any others: every solver
hits them exactly, and shards store them.
"""

import numpy as np

from hpc_jobs.contract.errors import BadInput
from hpc_jobs.contract.geometry import Mesh
from hpc_jobs.contract.material import Material, initial_yield_stress
from hpc_jobs.contract.specimen import Specimens, TensileTest
from hpc_jobs.fem.materials import MATERIALS
from hpc_jobs.fem.materials.admissible import defect
from hpc_jobs.fem.specimen.mesh import FloatArray
from hpc_jobs.fem.specimen.output_times import output_displacements
from hpc_jobs.fem.specimen.patches import unfit_specimen

SCOUT = Mesh(level="scout", along=16, across=6, grading=0.35)
EARLY, LATE = 8, 18  # points of the curve up to some times first yield, and from there to the end


def with_output_times(
    parameters: FloatArray, material: Material, specimens: Specimens, mesh: Mesh = SCOUT
) -> tuple[Specimens, str]:
    """Return the specimens with their output displacements, and why there are none, or "".

    mesh is the scout's.
    Those without a timing, or whose pieces say their displacements, come back as they are; so do
    those of a sheet or specimen that no solver takes, which is for the solver to say.
    """
    if specimens.timing is None or specimens.is_timed:
        return specimens, ""
    if defect(MATERIALS[material.yield_function].of(parameters, material)):
        return specimens, ""
    if unfit_specimen(specimens):
        return specimens, ""
    scouted = _scouted(material, specimens, mesh)
    curves = _force_curves(parameters, material, scouted)
    pieces = []
    tests = zip(specimens.tests, scouted.tests, curves, strict=True)
    for test, scout, forces in tests:
        known = np.isfinite(forces)
        u, f = np.array(scout.displacements_mm)[known], forces[known]
        try:
            times = output_displacements(
                np.append(0.0, u), np.append(0.0, f), specimens.timing, specimens.output_times
            )
        except BadInput as error:
            return specimens, f"specimen {test.label} deg: {error}"
        pieces.append(test.piece.model_copy(update={"displacements_mm": tuple(times.tolist())}))
    return specimens.model_copy(update={"pieces": tuple(pieces)}), ""


def _scouted(material: Material, specimens: Specimens, mesh: Mesh) -> Specimens:
    """Return the same tests on the scout's mesh, to be drawn to their limit in steps of its own."""
    pieces = tuple(
        test.piece.model_copy(update={"displacements_mm": tuple(_path(material, test, specimens))})
        for test in specimens.tests
    )
    return specimens.model_copy(
        update={
            "mesh": mesh,
            "pieces": pieces,
            "output_times": EARLY + LATE,
            "steps_per_output": 1,
            "warm_start": False,
            "outputs": (),
        }
    )


def _path(material: Material, test: TensileTest, specimens: Specimens) -> FloatArray:
    geometry = test.geometry
    limit = geometry.end_displacement_mm or specimens.end_displacement_mm
    strain = initial_yield_stress(material.hardening) / material.youngs_modulus_mpa
    elastic = min(strain * geometry.notch_length_mm, limit / 8)
    early = np.geomspace(0.1 * elastic, 4 * elastic, EARLY)
    return np.concatenate((early, np.linspace(4 * elastic, limit, LATE + 1)[1:]))


def _force_curves(
    parameters: FloatArray, material: Material, specimens: Specimens
) -> list[FloatArray]:
    """Force of each test at its output times, N; NaN beyond a fall for good or a failure."""
    from hpc_jobs.fem.native.build import NotBuilt
    from hpc_jobs.fem.native.simulation import force_curves

    try:
        return force_curves(parameters, material, specimens)
    except (NotBuilt, OSError):
        from hpc_jobs.fem.reference import simulation

        return simulation.force_curves(parameters, material, specimens)
