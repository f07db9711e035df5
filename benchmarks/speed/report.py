"""The tables, and which goals are met."""

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.speed.sheets import PRODUCTION

MFLOP_PER_RECORD = 115.0  # at 288 elements by symmetry, as the prototype counted
GFLOP_ASSUMED = 30.0


def goals(found: Mapping[str, Any]) -> Iterator[tuple[str, float, float, bool]]:
    """Yield what is promised, the figure, the limit, and whether more is better."""
    rates = {name: row["records_per_s"] for name, row in found["meshes"][PRODUCTION].items()}
    ccx, start = found["ccx"].get(PRODUCTION, {}), found["start_up"]
    yield "records/s/core, 288 elements, symmetry", rates["native"], 100, True
    yield "  stretch", rates["native"], 200, True
    yield "records/s/core, all of the mesh", rates["native, all of the mesh"], 40, True
    yield "times the reference", rates["native"] / rates["reference"], 30, True
    if ccx:
        yield "times ccx CPS4R, one specimen", ccx["ccx CPS4R"] / ccx["native"], 100, True
    yield "two processes over one", found["two_processes"], 1.8, True
    yield "start to first record, native, CPU s", start["native"]["cpu_s"], 0.5, False
    yield "start to first record, reference, CPU s", start["reference"]["cpu_s"], 2.0, False
    compiled = sum(case["compiled"] for case in start.values())
    yield "kernels compiled there, also on an unknown processor", compiled, 0, False


def report(found: Mapping[str, Any]) -> str:
    """Lay everything out."""
    lines = [
        f"native kernel on {found['path']}; per CPU second and core; load average "
        f"{found['load_average']:.1f}",
        "",
        *_records(found),
        "",
        *_ccx(found),
        "",
        *_phases(found),
        "",
        *_roofline(found),
        "",
        "start to first record           wall s    CPU s  kernels compiled",
    ]
    for name, case in found["start_up"].items():
        lines.append(f"{name:28}{case['wall_s']:10.2f}{case['cpu_s']:9.2f}{case['compiled']:10.0f}")
    lines += ["", f"{'goal':54}{'found':>9}{'limit':>8}"]
    for what, value, limit, more in goals(found):
        met = value >= limit if more else value <= limit
        bound = f"{'>=' if more else '<='}{limit:g}"
        lines.append(f"{what:54}{value:9.4g}{bound:>8}  {'met' if met else 'MISSED'}")
    return "\n".join(lines)


def _row(name: str, values: Iterator[float] | list[float], form: str = "9.1f") -> str:
    return f"{name:28}" + "".join(f"{value:{form}}" for value in values)


def _records(found: Mapping[str, Any]) -> Iterator[str]:
    meshes = found["meshes"]
    yield f"{'records/s; elements':28}" + "".join(f"{mesh:>9}" for mesh in meshes)
    for name in next(iter(meshes.values())):
        yield _row(name, [rows[name]["records_per_s"] for rows in meshes.values()])
    rates = [(rows["native"], rows["reference"]) for rows in meshes.values()]
    ratio = [native["records_per_s"] / other["records_per_s"] for native, other in rates]
    yield _row("native over reference", ratio)
    yield "evaluations per specimen"
    for name in ("native", "native, cold start", "reference"):
        yield _row(name, [rows[name]["evaluations_per_specimen"] for rows in meshes.values()])


def _ccx(found: Mapping[str, Any]) -> Iterator[str]:
    rows = found["ccx"]
    if not rows:
        yield "no ccx here: the comparison with CalculiX is left out"
        return
    yield f"{'ms, one von Mises specimen':28}" + "".join(f"{mesh:>9}" for mesh in rows)
    for name in ("native", "ccx CPS4R", "ccx CPS8R"):
        yield _row(name, [1e3 * row[name] for row in rows.values()], "9.2f")
        yield _row("  increments", [row[f"{name} increments"] for row in rows.values()], "9.0f")
    for name in ("ccx CPS4R", "ccx CPS8R"):
        ratio = [row[name] / row["native"] for row in rows.values()]
        yield _row(f"native over {name}", ratio, "9.0f")


def _phases(found: Mapping[str, Any]) -> Iterator[str]:
    yield f"{'% of the time; elements':28}" + "".join(f"{mesh:>9}" for mesh in found["phases"])
    for phase in next(iter(found["phases"].values())):
        yield _row(phase, [100 * shares[phase] for shares in found["phases"].values()])


def _roofline(found: Mapping[str, Any]) -> Iterator[str]:
    core, achieved = found["core"], found["meshes"][PRODUCTION]["native"]["records_per_s"]
    bound = 1e6 * core["mpoints_per_s"] / found["points_per_record"]
    yield (
        f"this core: {core['gflop_per_s']:.1f} Gflop/s in multiply-adds, "
        f"{core['mpoints_per_s']:.1f} million points/s in a point's mix of operations"
    )
    yield (
        f"a record evaluates {found['points_per_record']:,.0f} points, so at most {bound:.0f} "
        f"records/s if nothing but points were computed: {achieved / bound:.0%} of it is reached"
    )
    estimate = 1e3 * GFLOP_ASSUMED / MFLOP_PER_RECORD
    peak = 1e3 * core["gflop_per_s"] / MFLOP_PER_RECORD
    yield (
        f"of the estimate by {MFLOP_PER_RECORD:.0f} Mflop a record: {achieved / estimate:.0%} at "
        f"{GFLOP_ASSUMED:.0f} Gflop/s, {achieved / peak:.0%} at this core's multiply-adds"
    )
