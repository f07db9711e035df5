"""No parameters that a campaign may hold crash or hang a solver, or make it answer with nothing."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hpc_jobs.contract.geometry import Geometry, Mesh
from hpc_jobs.contract.material import HockettSherby, Material, Voce
from hpc_jobs.contract.records import RecordStatus
from hpc_jobs.contract.specimen import Specimens
from hpc_jobs.fem.backends import load
from hpc_jobs.fem.native.build import build
from hpc_jobs.fem.native.simulation import Control, NativeSimulation
from hpc_jobs.fem.record import finished
from tests.contract.extremes import STOPPED, check

ROOT = Path(__file__).parents[2]
SOLVERS = ("native", "reference")
DP780 = np.array([0.972408, 0.96969, 0.984209, 0.985587, 1.00994, 0.964962, 1.01517, 1.01556])


@pytest.fixture(scope="module", autouse=True)
def library() -> None:
    build(environment=dict(os.environ))


@pytest.mark.parametrize(("solver", "examples"), [("native", 400), ("reference", 60)])
def test_extreme_parameters_in_a_process_of_its_own(solver: str, examples: int) -> None:
    """Hypothesis throws them at the solver; a segmentation fault would end that process alone."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-X", "faulthandler", "-m", "tests.contract.extremes",
         solver, str(examples)],
        cwd=ROOT, capture_output=True, text=True, timeout=500,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout[-2500:]}\n{done.stderr[-5000:]}"
    ended = re.findall("^[a-z_]+$", done.stdout, re.MULTILINE)
    assert len(ended) >= examples
    assert {"ok", "necked", "inverted", "min_step", "elastic", "rejected_material"} <= {*ended}
    # what overflows ends the native return mapping first: PROVOKED shows its other way
    assert ("nonfinite" if solver == "reference" else "return_map") in ended
    assert {*ended} <= {*RecordStatus.NAMES}


def sheet(young_mpa: float = 2e5, exponent: float = 6, poisson: float = 0.33) -> Material:
    law = HockettSherby(
        saturation_stress_mpa=1125.76, yield_stress_mpa=317.907, rate=4.9711, exponent=0.45262
    )
    likely = Material(exponent=6, youngs_modulus_mpa=2e5, poisson_ratio=0.33, hardening=law)
    extremes = {"exponent": exponent, "youngs_modulus_mpa": young_mpa, "poisson_ratio": poisson}
    return likely.model_copy(update=extremes)  # what no campaign may ask for, an engine may be


def drawn(end_mm: float, *, angle: float = 0.0, time_limit_s: float = 10.0) -> Specimens:
    likely = Specimens(
        angles_deg=(angle,), mesh=Mesh(along=8, across=4), output_times=3, steps_per_output=1
    )
    return likely.model_copy(update={"end_displacement_mm": end_mm, "time_limit_s": time_limit_s})


STEEP = Voce(yield_stress_mpa=1, saturation_mpa=1e4, rate=10).model_copy(update={"rate": 1e6})
PROVOKED: dict[str, tuple[np.ndarray, Material, Specimens]] = {
    "ok": (DP780, sheet(), drawn(0.9)),
    "rejected_material": (np.array([2.0, 0.5, 1.5, 1, 1, 0.5, 1, 1]), sheet(), drawn(0.9)),
    "necked": (DP780, sheet(), drawn(6.0)),
    "inverted": (DP780, sheet(), drawn(1e12)),
    "min_step": (
        DP780,
        sheet(poisson=0.4999999).model_copy(update={"hardening": STEEP}),
        drawn(1e4, angle=45.0).model_copy(
            update={"mesh": Mesh(along=8, across=4).model_copy(update={"grading": 1e-6})}
        ),
    ),
    "return_map": (DP780, sheet(young_mpa=1e12, exponent=20, poisson=1e-9), drawn(1e4, angle=45.0)),
    "nonfinite": (
        DP780,
        sheet(),
        drawn(0.9).model_copy(
            update={"geometries": (Geometry().model_copy(update={"thickness_mm": 1e305}),)}
        ),
    ),
    "time_limit": (DP780, sheet(), drawn(0.9, time_limit_s=1e-6)),
}


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("status", PROVOKED)
def test_each_status_has_an_input_that_leads_to_it(solver: str, status: str) -> None:
    parameters, material, specimens = PROVOKED[status]
    record = load(solver).simulate(parameters, material, specimens)
    assert record.status == status, record.reason
    check(record, specimens)


def test_newton_is_left_to_records_that_may_not_cut_back() -> None:
    """With halving, what does not converge ends as min_step; the budget of iterations, which says
    newton as well, is larger than anything that a thousand random extreme records spent."""
    specimens = drawn(2.0, angle=45.0).model_copy(update={"mesh": Mesh(along=24, across=12)})
    hasty = NativeSimulation(sheet(exponent=2), specimens, Control(cut_back=False))
    record = hasty.simulate(DP780)
    assert record.status == "newton"
    check(record, specimens)


def test_a_failure_says_where_it_stopped() -> None:
    parameters, material, specimens = PROVOKED["necked"]
    for solver in SOLVERS:
        record = load(solver).simulate(parameters, material, specimens)
        assert STOPPED.fullmatch(record.reason)
        step, reached, force, largest = map(
            float,
            re.findall(r"step (\d+) after (\S+) .* force (\S+) N, .* (\S+)$", record.reason)[0],
        )
        assert step == record.steps + 1
        assert 1.0 < reached < 6.0
        assert 9000 < force < 10000
        assert largest == pytest.approx(record.largest_plastic_strain, rel=0.01)


def test_what_is_not_finite_is_never_ok() -> None:
    specimens = drawn(1.0)
    values, forces = np.zeros((2, *specimens.strain_shape[1:])), np.zeros(specimens.force_shape)
    values[0, 0, 3, 1] = np.nan
    record = finished(specimens, values, forces, largest=0.1, steps=3, iterations=9)
    assert record.status == "nonfinite"
    assert record.reason
    assert np.isnan(record.strains).all()
