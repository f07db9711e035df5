"""The forward surrogate inverted, as a rival that networks are judged beside.

What a rival answers depends on the dataset alone, and its fit takes longer than many a training:
the first of a campaign's networks to ask for it keeps the answers, the others read them.
"""

import hashlib
import logging
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.errors import UNREADABLE_ARRAYS
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.records import publish
from hpc_jobs.dataset.dataset import Dataset, Examples
from hpc_jobs.dataset.facts import PackedFields
from hpc_jobs.dataset.spectrum import blocks
from hpc_jobs.forward.records import LARGEST_FIT, ForwardRecords
from hpc_jobs.forward.surrogate import fit_surrogate
from hpc_jobs.identification.posterior import refine
from hpc_jobs.learning.evaluation.baselines import Answering, Rival

log = logging.getLogger(__name__)
PACKAGE = Path(__file__).parents[1]
ROOMS = ("dataset", "forward", "identification")

FloatArray = NDArray[np.float64]


def surrogate_rival(dataset: Dataset, forces: bool) -> Answering:
    """Fit; it answers the most probable targets behind noisy examples."""
    facts = dataset.facts
    names = (PackedFields.PARAMETERS, PackedFields.STRAINS, PackedFields.FORCES)
    parameters, strains, pulls = dataset.train.gather(names, dataset.fit_sample(LARGEST_FIT))
    low, high = np.array(facts.scaler.low), np.array(facts.scaler.high)
    records = ForwardRecords(parameters, strains, pulls if forces else None)
    noise = facts.noise_strain, facts.noise_force_relative
    surrogate = fit_surrogate(records, (low, high), noise)

    def answer(examples: Examples) -> FloatArray:
        found = [
            refine(surrogate, examples.strains[rows], examples.forces[rows] if forces else None)
            for rows in blocks(len(examples.strains))
        ]
        parameters = np.concatenate([one.parameters for one in found])
        return np.asarray((parameters - low) / (high - low))

    return answer


RIVALS: dict[str, Rival] = {"surrogate": surrogate_rival}
"""Names of the methods that every test report shows beside a network and the regressions."""


def kept_rivals(run: RunFolder[Path], rivals: Mapping[str, Rival] = RIVALS) -> Mapping[str, Rival]:
    """Return the rivals as they are, but that each answers a run's dataset only once.

    Answers lie in the folder of the dataset; other data or other code have answers of their own.
    """
    folder = run.dataset / "rivals"
    return {name: partial(_kept, folder, name, rival) for name, rival in rivals.items()}


def _kept(folder: Path, name: str, rival: Rival, dataset: Dataset, forces: bool) -> Answering:
    """Fit only where nothing is kept yet of such a fit; it may still have to be done later."""
    told = hashlib.sha256(f"{_code()} {dataset.sha256} {forces}".encode()).hexdigest()
    stem = f"{name}-{told[:24]}"
    again = cache(partial(rival, dataset, forces))
    if not any(folder.glob(f"{stem}-*.npy")):
        again()
    return partial(_answered, folder / stem, again)


def _answered(stem: Path, fitted: Callable[[], Answering], examples: Examples) -> FloatArray:
    """Read the answers to these very examples, or work them out and keep them."""
    asked = hashlib.sha256()
    for values in (examples.strains, examples.forces):
        asked.update(np.ascontiguousarray(values).data)
    path = stem.with_name(f"{stem.name}-{asked.hexdigest()[:24]}.npy")
    if path.exists():
        try:
            found = np.load(path, allow_pickle=False)
            if found.shape[0] == len(examples.strains) and np.isfinite(found).all():
                return np.asarray(found, dtype=np.float64)
        except UNREADABLE_ARRAYS as error:
            log.warning("%s cannot be read (%s); its answers are worked out again", path, error)
    answers = fitted()(examples)
    with publish(path) as temporary, temporary.open("wb") as file:
        np.save(file, answers, allow_pickle=False)
    return answers


@cache
def _code() -> str:
    """SHA-256 of what answers are made with."""
    digest = hashlib.sha256()
    for path in sorted(path for room in ROOMS for path in (PACKAGE / room).rglob("*.py")):
        digest.update(path.relative_to(PACKAGE).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()
