"""The published alloys, identified three ways, with the time that each takes."""

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.speedup import LookupCosts
from hpc_jobs.fem.backends import backend_of
from hpc_jobs.fem.materials.sheet import Sheet
from hpc_jobs.forward.records import ForwardRecords
from hpc_jobs.identification.anisotropy import by_parameter
from hpc_jobs.identification.by_surrogate import Identifier
from hpc_jobs.identification.fem_updating import update
from hpc_jobs.identification.mesh_bias import mesh_bias
from hpc_jobs.measurement.file import Measurement, read_for

MEASUREMENTS = Path("dags/measurements")
ALLOYS = ("dp780", "tr1180")
PLANAR = ("r_value_0", "r_value_45", "r_value_90")

Float = NDArray[np.float64]


def identify_alloys(
    campaign: Campaign,
    records: ForwardRecords,
    fine: ForwardRecords,
    limits: tuple[Float, Float],
) -> dict[str, Any]:
    """Errors of three ways to identify, and measured times of the first beside FEM updating.

    The refinement as a campaign does it, the same corrected by records of a finer mesh, and FEM
    updating on the campaign's mesh. Times are of the processor.
    """
    material, specimens = campaign.material, campaign.specimens
    bias = mesh_bias(material, specimens, campaign.validation.mesh_refinement, campaign.solver)
    identifier = Identifier(campaign, records, limits, bias)
    corrected = Identifier(campaign, records, limits, bias, fine)
    start = time.process_time()
    identifier.surrogate(campaign.noise)
    learning_s = time.process_time() - start
    alloys, lookups, updating = {}, [], []
    for name in ALLOYS:
        measured = read_for(campaign, MEASUREMENTS / f"{name}.h5")
        found = {}
        for way, one in {"refinement": identifier, "corrected by fine records": corrected}.items():
            one.refine(measured)  # the surrogate is fitted at the first call
            start = time.process_time()
            estimate = one.refine(measured)
            if way == "refinement":
                lookups.append(time.process_time() - start)
            if estimate.parameters is None:
                raise RuntimeError(f"{name}: {'; '.join(estimate.outside)}")
            found[way] = _errors(campaign, measured, estimate.parameters)
        start = time.process_time()
        classical = update(identifier, measured)
        updating.append(time.process_time() - start)
        found["FEM updating"] = _errors(campaign, measured, classical.parameters)
        alloys[name] = {"ways": found, "fem_updating_simulations": classical.simulations}
    costs = LookupCosts(
        sequential_s=float(np.mean(updating)),
        lookup_s=float(np.mean(lookups)),
        train_s=_simulation_s(campaign, records),
        learn_s=learning_s / len(records),
        train_records=len(records),
    )
    return {"alloys": alloys, "times": _times(costs)}


def _times(costs: LookupCosts) -> dict[str, float]:
    return {
        "FEM updating, s per measurement": costs.sequential_s,
        "refinement, s per measurement": costs.lookup_s,
        "FEM updating over refinement": costs.limit,
        "simulation, s per record": costs.train_s,
        "learning, s per record": costs.learn_s,
        "break-even, measurements": costs.break_even,
        "effective speedup at 1,000 measurements": costs.effective_speedup(1_000),
    }


def _errors(campaign: Campaign, measured: Measurement, found: dict[str, float]) -> dict[str, Any]:
    """Largest errors of r at 0, 45, 90 degrees, of the stress ratios, and of r_b."""
    quantities = Sheet.of(by_parameter(campaign, found), campaign.material).quantities()
    truth = measured.header.truth
    assert truth is not None  # virtual experiments know theirs
    off = {name: abs(quantities[name] - value) for name, value in truth.quantities.items()}
    return {
        "r_value": max(value for name, value in off.items() if name in PLANAR),
        "stress_ratio": max(value for name, value in off.items() if name.startswith("stress")),
        "r_biaxial": off["r_value_biaxial"],
    }


def _simulation_s(campaign: Campaign, records: ForwardRecords, repeats: int = 20) -> float:
    _, backend = backend_of(campaign.solver)
    start = time.process_time()
    for row in records.parameters[:repeats]:
        backend.simulate(row[list(campaign.columns)], campaign.material, campaign.specimens)
    return (time.process_time() - start) / repeats
