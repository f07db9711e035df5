"""Every network by its kind in the campaign; the contract suite runs over all of them."""

from hpc_jobs.learning.networks.mlp import Mlp
from hpc_jobs.learning.networks.multitask_cnn import MultitaskCnn
from hpc_jobs.learning.networks.network import NetworkType

NETWORKS: dict[str, NetworkType] = {"multitask_cnn": MultitaskCnn, "mlp": Mlp}
