"""What a person wants to know of a shard, as text."""

import re
from collections import Counter
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.records import ShardFields
from hpc_jobs.contract.sheet import Ranged
from hpc_jobs.fem.records.shard_file import ShardFile

LABEL_WIDTH = 12
REASONS = 3  # kinds told per status
OUTPUTS = {
    ShardFields.THICKNESS: "thickness, mm",
    ShardFields.PATCH_PLASTIC_STRAIN: "of the patches",
}
_NUMBER = re.compile(r"[-+]?\d+\.?\d*(e[-+]?\d+)?|nan|inf")


def summarise(shard: ShardFile) -> str:
    """Lay out what the shard is, what it holds and whether it is what was published."""
    sections = (_origin, _virtual_tests, _records, _parameters, _measured, _verdict)
    return "\n".join(line for section in sections for line in (*section(shard), "")).rstrip()


def _line(label: str, text: str) -> str:
    return f"{label:{LABEL_WIDTH}}{text}"


def _origin(shard: ShardFile) -> Iterator[str]:
    said = shard.attributes
    yield f"{shard.path.name}: shard {said['shard']} of round {said['round']}"
    yield _line("campaign", f"{said['campaign']}, fingerprint {said['campaign_fingerprint'][:12]}")
    yield _line("run", f"{said['run_id']}")
    yield _line("code", f"{said['code_sha256'][:12]}, solver {said['solver']}")


def _virtual_tests(shard: ShardFile) -> Iterator[str]:
    specimens, material = shard.specimens, shard.material
    levels = np.bincount(shard.columns[ShardFields.MESH_LEVEL], minlength=len(shard.meshes))
    angles = ", ".join(f"{angle:g}" for angle in specimens.angles_deg)
    yield _line("specimens", f"at {angles} degrees to the rolling direction")
    for geometry in specimens.geometries:
        yield _line(
            "geometry",
            f"{geometry.name}: {geometry.length_mm:g} x {geometry.width_mm:g} x "
            f"{geometry.thickness_mm:g} mm, {geometry.shape}, notch "
            f"{geometry.notch_width_mm:g} mm wide and {geometry.notch_length_mm:g} mm long",
        )
    for mesh, records in zip(shard.meshes, levels, strict=True):
        yield _line(
            "mesh",
            f"{mesh.level}: {mesh.along} x {mesh.across} = {mesh.elements} elements, grading "
            f"{mesh.grading:g}; {records} records",
        )
    end = f"{specimens.end_displacement_mm:g} mm{' at most' if specimens.timing else ''}"
    yield _line(
        "measured",
        f"{specimens.patches.count} patches, {specimens.output_times} times up to {end}; "
        f"{shard.attributes['strain_measure']}",
    )
    yield _line(
        "material",
        f"{material.yield_function}, exponent {_scalar(material.exponent)}, E "
        f"{_scalar(material.youngs_modulus_mpa)} MPa, nu {material.poisson_ratio:g}",
    )
    law = material.hardening.model_dump()
    yield _line("hardening", ", ".join(f"{k} {_short(v)}" for k, v in law.items()))


def _scalar(value: float | Ranged) -> str:
    if isinstance(value, Ranged):
        return f"{value.range[0]:g} to {value.range[1]:g} ({value.role})"
    return f"{value:g}"


def _records(shard: ShardFile) -> Iterator[str]:
    status, points = shard.columns[ShardFields.STATUS], shard.columns[ShardFields.POINT]
    tests = int(shard.columns[ShardFields.IS_TEST].sum())
    yield _line(
        "records",
        f"{len(status)}: {len(status) - tests} training, {tests} test; points {points.min()} to "
        f"{points.max()} of the round",
    )
    for name in shard.status_names:
        chosen = shard.ended(name)
        if chosen.any():
            count = int(chosen.sum())
            yield _line("", f"{name:18}{count:8d}  {count / len(status):7.2%}")
            yield from _reasons(shard, chosen)


def _reasons(shard: ShardFile, chosen: NDArray[np.bool_]) -> Iterator[str]:
    """Kinds of reasons, numbers left out, each with its first record's."""
    reasons = [reason.decode() for reason in shard.columns[ShardFields.REASON][chosen] if reason]
    kinds = Counter(_NUMBER.sub("#", reason) for reason in reasons)
    for kind, count in kinds.most_common(REASONS):
        first = next(reason for reason in reasons if _NUMBER.sub("#", reason) == kind)
        yield _line("", f"  {count} x {first}")
    if len(kinds) > REASONS:
        yield _line("", f"  and {len(kinds) - REASONS} other kinds")


def _parameters(shard: ShardFile) -> Iterator[str]:
    yield _line("parameters", f"{'':18}{'smallest':>12}{'median':>12}{'largest':>12}")
    values, names = shard.varied
    for column, name in enumerate(names):
        yield _ranges(name.replace("\n", " "), values[:, column])


def _measured(shard: ShardFile) -> Iterator[str]:
    good = shard.ended("ok")
    plastic = shard.columns[ShardFields.PLASTIC_STRAIN]
    yield _line("measured", f"{'of status ok':18}{'smallest':>12}{'median':>12}{'largest':>12}")
    if good.any():
        yield _ranges("strain along", shard.strains[:, 0])
        yield _ranges("strain across", shard.strains[:, 1])
        yield _ranges("force, N", shard.forces)
        yield _ranges("plastic strain", plastic[good])
        for field, name in OUTPUTS.items():
            if field in shard.columns:
                yield _ranges(name, shard.columns[field][good])
    row = int(plastic.argmax())
    where = f"record {row}, point {shard.columns[ShardFields.POINT][row]}"
    status = shard.status_names[shard.columns[ShardFields.STATUS][row]]
    yield _line("", f"largest plastic strain of all: {plastic[row]:.4g}, {where}, {status}")


def _verdict(shard: ShardFile) -> Iterator[str]:
    size = f"{shard.bytes:,} bytes, sha256 {shard.sha256[:12]}"
    yield _line("manifest", f"NOT VERIFIED: {shard.doubt}" if shard.doubt else f"verified: {size}")


def _ranges(name: str, values: NDArray[np.floating]) -> str:
    numbers = (values.min(), np.median(values), values.max())
    return _line("", f"{name:18}" + "".join(f"{_short(float(number)):>12}" for number in numbers))


def _short(value: object) -> str:
    if isinstance(value, tuple):
        return f"{len(value)} values from {_short(value[0])} to {_short(value[-1])}"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
