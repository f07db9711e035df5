"""From points of the unit cube to a family's coordinates and back.

Given and identified scalars fill their range evenly, or evenly in the logarithm. A curve's nodes
are drawn as rises of ln k from node to node, so that no curve softens. Nuisances are normal, cut at
NUISANCE_LIMIT standard deviations.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from hpc_jobs.contract.errors import BadInput
from hpc_jobs.contract.family import NUISANCE_LIMIT, Coordinate, Family
from hpc_jobs.contract.material import Material
from hpc_jobs.contract.sheet import LEVEL_STRAIN, HardeningNodes
from hpc_jobs.contract.specimen import Piece, Specimens
from hpc_jobs.fem.materials.hardening import hardening_array

FloatArray = NDArray[np.float64]
TAIL = float(ndtr(-NUISANCE_LIMIT))


def sheets_in_box(family: Family, unit: FloatArray) -> FloatArray:
    """Map unit points (n, coordinates) to values (n, coordinates)."""
    values = np.empty_like(unit)
    for i, one in enumerate(family.coordinates):
        values[:, i] = _drawn(one, unit[:, i])
    nodes, form = _nodes(family), family.sheet.hardening
    if isinstance(form, HardeningNodes):
        low, high = np.array(form.rises).T
        rises = low + unit[:, nodes] * (high - low)
        curve = np.hstack((np.zeros((len(unit), 1)), np.cumsum(rises, axis=1)))
        level = form.nodes.index(LEVEL_STRAIN)
        values[:, nodes] = np.delete(curve - curve[:, [level]], level, axis=1)
    return values


def places_of_sheets(family: Family, values: FloatArray) -> FloatArray:
    """Return the unit points (n, coordinates) of values: 0 to 1 inside the box."""
    unit = np.empty(values.shape)
    for i, one in enumerate(family.coordinates):
        unit[:, i] = _placed(one, values[:, i])
    nodes, form = _nodes(family), family.sheet.hardening
    if isinstance(form, HardeningNodes):
        low, high = np.array(form.rises).T
        unit[:, nodes] = (_rises(form, values[:, nodes]) - low) / (high - low)
    return unit


def coordinates_of(family: Family, material: Material, specimens: Specimens) -> FloatArray:
    """Return the values (coordinates,) of a sheet that is known: its curve is read at the nodes.

    Of specimens that have pieces, the nuisances are theirs; otherwise 0. Raises BadInput for a
    family of a law that the sheet does not follow.
    """
    from hpc_jobs.fem.materials.flow_stress import flow_stress  # compiles, and few need it

    law, form = hardening_array(material.hardening), family.sheet.hardening
    level = flow_stress(law, LEVEL_STRAIN)[0]
    values = []
    for one in family.coordinates:
        if one.specimen is not None:
            piece = specimens.pieces[one.specimen] if specimens.pieces else Piece()
            values.append(getattr(piece, one.name.split("@")[0]))
        elif one.plastic_strain is not None:
            values.append(np.log(flow_stress(law, one.plastic_strain)[0] / level))
        elif one.name == "k05_over_e":
            values.append(level / material.youngs_modulus_mpa)
        elif one.name.startswith("hardening."):
            if material.hardening.law != form.law:
                raise BadInput(
                    f"a {material.hardening.law} curve has no place in a family of {form.law} "
                    "curves; use a campaign whose hardening is {law: nodes}"
                )
            values.append(getattr(material.hardening, one.name.removeprefix("hardening.")))
        else:
            values.append(getattr(material, one.name))
    return np.array(values, dtype=np.float64)


def defects(family: Family, values: FloatArray) -> list[str]:
    """Say of each record (n, coordinates) why no sheet has these values; "" if one can."""
    jumps = _jumps(family, values)
    return [
        "jumping_curve" if jump else "impossible_sheet" if family.defect(row.tolist()) else ""
        for row, jump in zip(values, jumps, strict=True)
    ]


def _jumps(family: Family, values: FloatArray) -> NDArray[np.bool_]:
    """Whether a curve's local exponent changes more from piece to piece than its form allows."""
    form = family.sheet.hardening
    if not isinstance(form, HardeningNodes):
        return np.zeros(len(values), dtype=np.bool_)
    exponents = _rises(form, values[:, _nodes(family)]) / np.array(form.lengths)
    largest = np.abs(np.diff(exponents[:, 1:], axis=1)).max(axis=1, initial=0.0)
    return np.asarray(largest > form.largest_jump)


def _nodes(family: Family) -> list[int]:
    return [i for i, one in enumerate(family.coordinates) if one.plastic_strain is not None]


def _rises(form: HardeningNodes, ratios: FloatArray) -> FloatArray:
    """Rises (n, pieces) of ln k of curves by ln k(p)/k(.05) at the other nodes."""
    curve = np.insert(ratios, form.nodes.index(LEVEL_STRAIN), 0.0, axis=1)
    return np.diff(curve, axis=1)


def _drawn(one: Coordinate, unit: FloatArray) -> FloatArray:
    if one.sd:
        return np.asarray(one.sd * ndtri(TAIL + (1 - 2 * TAIL) * unit))
    if one.logarithmic:
        return np.asarray(one.low * (one.high / one.low) ** unit)
    return one.low + unit * (one.high - one.low)


def _placed(one: Coordinate, values: FloatArray) -> FloatArray:
    if one.sd:
        return np.asarray((ndtr(values / one.sd) - TAIL) / (1 - 2 * TAIL))
    if one.logarithmic:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.log(values / one.low) / np.log(one.high / one.low))
    return (values - one.low) / (one.high - one.low)
