"""Records per CPU second of every variant, in turns, so that a busy machine slows all alike."""

import os
import resource
import time
from collections.abc import Callable

import numpy as np

from benchmarks.speed.sheets import material, one_specimen, points, specimens, steel
from hpc_jobs.fem.backends import load
from hpc_jobs.fem.backends.deck import DeckSolver, virtual_test
from hpc_jobs.fem.backends.scratch import run, scratch
from hpc_jobs.fem.native.simulation import Control, NativeSimulation
from hpc_jobs.fem.record import Record
from hpc_jobs.fem.reference import simulation

TURN_S = 0.3  # CPU time of one turn, at least one record
CCX = {"ccx CPS4R": "calculix_cps4r", "ccx CPS8R": "calculix"}

Simulate = Callable[[np.ndarray], Record]
Mesh = tuple[int, int]


def variants(mesh: Mesh) -> dict[str, Simulate]:
    """Name everything that solves whole records on a mesh."""
    tests = specimens(mesh)
    return {
        "native": NativeSimulation(material(), tests).simulate,
        "native, cold start": NativeSimulation(
            material(), tests, Control(warm_start=False)
        ).simulate,
        "native, all of the mesh": NativeSimulation(
            material(), tests, Control(use_symmetry=False)
        ).simulate,
        "native, portable path": NativeSimulation(
            material(), tests, Control(path="portable")
        ).simulate,
        "reference": lambda alpha: simulation.simulate(alpha, material(), tests),
    }


def turn(simulate: Simulate, table: np.ndarray) -> tuple[float, float]:
    """Simulate rows in turn for a while; return CPU seconds and evaluations per record."""
    start, done, evaluations = time.process_time(), 0, 0
    while True:
        record = simulate(table[done % len(table)])
        if record.status != "ok":
            raise RuntimeError(f"a record ended as {record.status}: {record.reason}")
        done, evaluations = done + 1, evaluations + record.iterations
        spent = time.process_time() - start
        if spent > TURN_S:
            return spent / done, evaluations / done


def compare(mesh: Mesh, rounds: int) -> dict[str, dict[str, float]]:
    """Measure records per CPU second and evaluations per specimen; the fastest turn of each."""
    runs, table = variants(mesh), points()
    for simulate in runs.values():
        simulate(table[0])  # caches, page faults
    turns: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, simulate in runs.items():
            turns[name].append(turn(simulate, table))
    return {
        name: {
            "records_per_s": 1 / min(seconds for seconds, _ in of),
            "evaluations_per_specimen": of[0][1] / 3,
        }
        for name, of in turns.items()
    }


def ccx_run(name: str, mesh: Mesh) -> tuple[float, int]:
    """Solve one specimen; return the program's CPU seconds and its increments."""
    solver = load(CCX[name])
    assert isinstance(solver, DeckSolver)
    tests = one_specimen(mesh)
    test = virtual_test(dict.fromkeys(steel().parameters, 1.0), steel(), tests, tests.tests[0])
    with scratch("speed") as place:
        (place.folder / solver.deck).write_text(solver.render(test))
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run(solver.command, place.folder, tests.time_limit_s, solver.environment)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        increments = len((place.folder / "strip.sta").read_text().splitlines()) - 2
        motion = solver.read(place.folder, test)
    if motion.times[-1] < 1:
        raise RuntimeError(f"{name} stopped at {motion.times[-1]:g} of the end displacement")
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return spent, increments


def against_ccx(mesh: Mesh, rounds: int) -> dict[str, float]:
    """Measure CPU seconds of the same specimen, von Mises at 0 degrees, of the same load steps."""
    tests = one_specimen(mesh)
    native, alpha = NativeSimulation(steel(), tests), np.ones((1, 8))
    found = {"native": float("inf"), **dict.fromkeys(CCX, float("inf"))}
    steps = native.simulate(alpha[0]).steps
    for number in range(rounds):
        found["native"] = min(found["native"], turn(native.simulate, alpha)[0])
        for name in CCX:
            if number == 0 or name == "ccx CPS4R":  # CPS8R takes its time
                seconds, increments = ccx_run(name, mesh)
                found[name] = min(found[name], seconds)
                found[f"{name} increments"] = increments
    return found | {"native increments": steps}


def _work(seconds: float) -> float:
    simulation_, table = NativeSimulation(material(), specimens((24, 12))), points()
    simulation_.simulate(table[0])
    done, start, end = 0, time.process_time(), time.monotonic() + seconds
    while time.monotonic() < end:
        simulation_.simulate(table[done % len(table)])
        done += 1
    return done / (time.process_time() - start)


def two_processes(seconds: float = 3.0) -> float:
    """Rate of two processes side by side over that of one, each per its own CPU second.

    So it shows what they take from each other, caches and memory, not who else uses the cores.
    """
    from multiprocessing import get_context

    with get_context("spawn").Pool(2) as pool:
        pool.map(_work, [0.1, 0.1], chunksize=1)
        one = pool.apply(_work, (seconds,))
        two = sum(pool.map(_work, [seconds, seconds], chunksize=1))
    return two / one


def load_average() -> float:
    """How busy the machine is; above its number of cores, wall times mean little."""
    return os.getloadavg()[0]
