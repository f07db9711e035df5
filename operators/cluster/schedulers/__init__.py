"""Dialects of schedulers; to add one, write its module and one line here."""

from operators.cluster.schedulers.local import Local
from operators.cluster.schedulers.pbs import Pbs
from operators.cluster.schedulers.scheduler import Scheduler
from operators.cluster.schedulers.slurm import Slurm

SCHEDULERS: dict[str, type[Scheduler]] = {"local": Local, "slurm": Slurm, "pbs": Pbs}
