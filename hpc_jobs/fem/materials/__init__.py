"""Yield functions by their name in a campaign; numba is not needed to name one."""

from hpc_jobs.contract.material import YieldFunctionName
from hpc_jobs.fem.materials.barlat89 import Barlat89
from hpc_jobs.fem.materials.hill48 import Hill48
from hpc_jobs.fem.materials.von_mises import VonMises
from hpc_jobs.fem.materials.yield_function import YieldFunction
from hpc_jobs.fem.materials.yld2000_2d import Yld2000

MATERIALS: dict[YieldFunctionName, type[YieldFunction]] = {
    "von_mises": VonMises,
    "hill48": Hill48,
    "barlat89": Barlat89,
    "yld2000_2d": Yld2000,
}
