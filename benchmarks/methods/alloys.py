"""The published alloys, identified three ways, with the time that each takes."""

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.speedup import Costs
from hpc_jobs.fem.backends import backend_of
from hpc_jobs.inverse.anisotropy import Sheet, by_parameter
from hpc_jobs.inverse.fem_updating import update
from hpc_jobs.inverse.measurement import Measurement, read_for
from hpc_jobs.inverse.mesh_bias import mesh_bias
from hpc_jobs.inverse.refine import Identifier
from hpc_jobs.learning.forward.records import ForwardRecords

MEASUREMENTS = Path("dags/measurements")
ALLOYS = ("dp780", "tr1180")

Float = NDArray[np.float64]


def identify_alloys(
    campaign: Campaign, records: ForwardRecords, limits: tuple[Float, Float]
) -> dict[str, Any]:
    """Errors of the refinement, and measured times beside those of FEM updating."""
    material, specimens = campaign.material, campaign.specimens
    bias = mesh_bias(material, specimens, campaign.validation.mesh_refinement, campaign.solver)
    identifier = Identifier(campaign, records, limits, bias)
    start = time.perf_counter()
    identifier.surrogate(campaign.noise)
    learning_s = time.perf_counter() - start
    alloys, lookups, updating = {}, [], []
    for name in ALLOYS:
        measured = read_for(campaign, MEASUREMENTS / f"{name}.h5")
        start = time.perf_counter()
        estimate = identifier.refine(measured)
        lookups.append(time.perf_counter() - start)
        if estimate.parameters is None:
            raise RuntimeError(f"{name}: {'; '.join(estimate.outside)}")
        alloys[name] = _errors(campaign, measured, estimate.parameters)
        classical = update(identifier, measured)
        updating.append(classical.seconds)
        alloys[name]["fem_updating_simulations"] = classical.simulations
    simulation_s = _simulation_s(campaign, records)
    costs = Costs(
        sequential_s=float(np.mean(updating)),
        lookup_s=float(np.mean(lookups)),
        train_s=simulation_s,
        learn_s=learning_s / len(records),
        train_records=len(records),
    )
    return {
        "alloys": alloys,
        "times": {
            "FEM updating, s per measurement": costs.sequential_s,
            "refinement, s per measurement": costs.lookup_s,
            "simulation, s per record": costs.train_s,
            "learning, s per record": costs.learn_s,
            "break-even, measurements": costs.break_even,
            "effective speedup at 1,000 measurements": costs.effective_speedup(1_000),
            "effective speedup in the limit": costs.limit,
        },
    }


def _errors(campaign: Campaign, measured: Measurement, found: dict[str, float]) -> dict[str, Any]:
    """Largest errors of r at 0, 45, 90 degrees, of the stress ratios, and of r_b."""
    quantities = Sheet.of(by_parameter(campaign, found), campaign.material).quantities()
    truth = measured.header.truth
    assert truth is not None  # virtual experiments know theirs
    off = {name: abs(quantities[name] - value) for name, value in truth.quantities.items()}
    return {
        "r_value": max(off[f"r_value_{angle}"] for angle in (0, 45, 90)),
        "stress_ratio": max(value for name, value in off.items() if name.startswith("stress")),
        "r_biaxial": off["r_value_biaxial"],
    }


def _simulation_s(campaign: Campaign, records: ForwardRecords, repeats: int = 20) -> float:
    _, backend = backend_of(campaign.solver)
    start = time.perf_counter()
    for row in records.parameters[:repeats]:
        backend.simulate(row[list(campaign.columns)], campaign.material, campaign.specimens)
    return (time.perf_counter() - start) / repeats
