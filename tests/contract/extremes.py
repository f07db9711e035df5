"""Records of parameters more extreme than a campaign may hold, and what each must keep to.

    python -m tests.contract.extremes SOLVER EXAMPLES

A process of its own, for a crash of compiled code ends the process; the case that was running is
the last line of its output.
"""

import re
import sys
import time
from typing import TypeVar

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from hpc_jobs.contract.geometry import Geometry, Mesh, Patches
from hpc_jobs.contract.material import (
    QUADRATIC,
    YIELD_PARAMETERS,
    Hardening,
    HockettSherby,
    Material,
    Mixed,
    Swift,
    Tabulated,
    Voce,
    YieldFunctionName,
)
from hpc_jobs.contract.records import RecordStatus
from hpc_jobs.contract.specimen import Specimens
from hpc_jobs.fem.backends import Backend, load
from hpc_jobs.fem.record import Record

TIME_LIMIT_S = 2.0
SLACK_S = 1.0  # set-up, and the iteration that is running when time is up
NOT_FINITE = "a strain, force or output is not a finite number, though every step converged"
STOPPED = re.compile(
    r"specimen \S.* deg stopped in step \d+ after \S+ of \S+ mm, force -?[\d.e+-]+ N, "
    r"largest plastic strain [\d.e+-]+(; the limit is \S+ s)?"
)

WITHOUT_A_STEP = ("rejected_material", "rejected_specimen", "elastic", "no_output_times")
"""Statuses whose reason is not a step that failed."""

Model = TypeVar("Model", bound=BaseModel)

magnitudes = st.floats(-6, 8).map(lambda power: 10.0**power)
shares = st.sampled_from([1e-12, 1e-3, 0.2, 0.999, 1 - 1e-12])
numbers = st.sampled_from([0.0, 1.0, -1.0, 1e-300, 1e-8, 1e8, 1e308, np.nan, np.inf])


def beyond(model: type[Model], **values: object) -> Model:
    """Make what no campaign may ask for, and an engine may yet be: limits are not checked."""
    return model.model_construct(**values)


@st.composite
def hardening_laws(draw: st.DrawFn) -> Hardening:
    law = draw(st.sampled_from(["swift", "voce", "hockett_sherby", "mixed", "tabulated"]))
    swift = beyond(
        Swift,
        strength_mpa=draw(magnitudes),
        prestrain=10.0 ** draw(st.floats(-14, 2)),
        exponent=draw(shares),
    )
    voce = beyond(
        Voce,
        yield_stress_mpa=draw(magnitudes),
        saturation_mpa=draw(magnitudes),
        rate=draw(magnitudes),
    )
    first = draw(magnitudes)
    match law:
        case "swift":
            return swift
        case "voce":
            return voce
        case "mixed":
            return beyond(Mixed, swift_share=draw(shares), swift=swift, voce=voce)
        case "tabulated":
            strains = (0.0, 1e-9, 1.0, draw(st.sampled_from([1.1, 1e6])))
            rises = np.cumsum([first, draw(magnitudes), 0.0, draw(magnitudes)])
            return beyond(Tabulated, plastic_strains=strains, stresses_mpa=tuple(rises.tolist()))
    return beyond(
        HockettSherby,
        saturation_stress_mpa=first + draw(magnitudes),
        yield_stress_mpa=first,
        rate=draw(magnitudes),
        exponent=draw(shares),
    )


@st.composite
def parameter_points(draw: st.DrawFn, name: YieldFunctionName) -> np.ndarray:
    """Near the isotropic sheet, of any common scale, scattered, or numbers of ill repute."""
    count = len(YIELD_PARAMETERS[name])
    near = 1 + 0.3 * np.array(draw(st.lists(st.floats(-1, 1), min_size=count, max_size=count)))
    kind = draw(st.sampled_from(["near", "near", "near", "scaled", "scattered", "odd"]))
    if kind == "scaled":
        return near * 10.0 ** draw(st.floats(-150, 150))
    if kind == "scattered":
        return np.sign(near - 1) * 10.0 ** (10 * (near - 1))
    if kind == "odd":
        near[draw(st.integers(0, 7)) % max(count, 1) :][:1] = draw(numbers)
    return near


@st.composite
def materials(draw: st.DrawFn) -> Material:
    name = draw(st.sampled_from(["yld2000_2d", "yld2000_2d", "barlat89", "hill48", "von_mises"]))
    exponent = 2.0 if name in QUADRATIC else draw(st.sampled_from([2.0, 4.0, 6.0, 7.3, 8.0, 20.0]))
    return beyond(
        Material,
        yield_function=name,
        exponent=exponent,
        youngs_modulus_mpa=draw(st.sampled_from([2e5, 2e5, 7e4, 1e9, 1e-3, 1.0, 1e300])),
        poisson_ratio=draw(st.sampled_from([1e-9, 0.3, 0.499999999])),
        hardening=draw(hardening_laws()),
    )


@st.composite
def virtual_tests(draw: st.DrawFn) -> Specimens:
    geometry, patches = Geometry(), Patches()
    if draw(st.booleans()):
        width, length = draw(magnitudes), draw(magnitudes)
        notch = width * draw(st.sampled_from([1e-9, 0.5, 1.0]))
        geometry = beyond(
            Geometry,
            width_mm=width,
            length_mm=length,
            notch_width_mm=notch,
            notch_length_mm=length * draw(st.sampled_from([1e-6, 0.3, 1.0])),
            thickness_mm=draw(magnitudes),
        )
        patches = beyond(Patches, along=2, across=2, region_length_mm=length, region_width_mm=notch)
    return beyond(
        Specimens,
        geometries=(geometry,),
        patches=patches,
        angles_deg=tuple(draw(st.sampled_from([(0.0,), (22.5,), (45.0, 90.0), (89.999,)]))),
        mesh=beyond(
            Mesh,
            along=draw(st.sampled_from([4, 6, 40])),
            across=draw(st.sampled_from([2, 6])),
            grading=draw(st.sampled_from([1e-6, 0.01, 0.3, 1.0])),
        ),
        output_times=draw(st.sampled_from([1, 3])),
        steps_per_output=draw(st.sampled_from([1, 2])),
        end_displacement_mm=draw(st.sampled_from([1e-9, 0.5, 1.0, 3.0, 59.0, 1e4, 1e12])),
        time_limit_s=TIME_LIMIT_S,
    )


def check(record: Record, specimens: Specimens) -> None:
    """A status, a reason for all but ok, and numbers that are whole or absent."""
    assert record.status in RecordStatus.NAMES
    assert record.strains.shape == (specimens.strain_values,)
    assert record.forces.shape == (specimens.force_values,)
    assert np.isfinite(record.largest_plastic_strain)
    assert record.largest_plastic_strain >= 0
    values = np.concatenate([record.strains, record.forces])
    if record.status == "ok":
        assert record.reason == ""
        assert np.isfinite(values).all()
        return
    assert np.isnan(values).all()
    assert record.reason
    if record.status not in WITHOUT_A_STEP:
        assert record.reason == NOT_FINITE or STOPPED.fullmatch(record.reason), record.reason


def main(solver: str, examples: int) -> None:
    """Simulate that many cases; the first that breaks a promise ends it with its description."""
    backend: Backend = load(solver)

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data(), materials(), virtual_tests())
    def every_record_keeps_to_it(
        data: st.DataObject, material: Material, specimens: Specimens
    ) -> None:
        parameters = data.draw(parameter_points(material.yield_function))
        case = f"{parameters.tolist()} {material!r} {specimens!r}"
        print(case, flush=True)
        start = time.process_time()
        record = backend.simulate(parameters, material, specimens)
        assert time.process_time() - start < TIME_LIMIT_S + SLACK_S
        check(record, specimens)
        print(record.status, flush=True)

    every_record_keeps_to_it()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
