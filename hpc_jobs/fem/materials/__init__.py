"""Yield functions by their name in a campaign."""

from hpc_jobs.fem.materials.base import YieldFunction
from hpc_jobs.fem.materials.yld2000_2d import Yld2000

MATERIALS: dict[str, type[YieldFunction]] = {
    "yld2000_2d": Yld2000,
}
