"""Sealed test sets: the same records for every network that asks to be champion.

A set holds the test records of one run, its targets' ranges included, and is asked with several
draws of noise on each: what two networks make of one draw says little of which is better. It
belongs to all campaigns that ask the same question, lies outside the runs, and is known by its
content. A run whose own test records are more than the sealed ones seals the next version; nothing
is ever rewritten, and nobody trains on it: `require_unseen` looks.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.errors import UNREADABLE_ARRAYS, ContractError, CorruptFile
from hpc_jobs.contract.gate import SealedSet
from hpc_jobs.contract.layout import RunFolder, Workspace
from hpc_jobs.contract.records import (
    publish,
    publish_manifest,
    read_facts,
    read_manifest,
    sha256_of,
)
from hpc_jobs.dataset.dataset import (
    TEST_EXAMPLES,
    Dataset,
    Examples,
    clean_test_examples,
    with_test_noise,
)
from hpc_jobs.dataset.facts import PackedFields, dataset_facts
from hpc_jobs.dataset.split import Split

KIND = "sealed"
DRAWS, ASKED = 64, 20_000
"""Draws of noise on a record, and noisy records, at most."""
NO_NOISE = np.zeros(2)


@dataclass(frozen=True, slots=True, eq=False)
class Sealed:
    """A sealed test set, read."""

    facts: SealedSet
    examples: Examples  # as they were simulated
    noise: tuple[float, float]  # of strains, and relative of forces
    noise_seed: int
    sheet: NDArray[np.float64]  # (n, coordinates) of the family
    low: NDArray[np.float64]  # (targets,) of the target ranges
    span: NDArray[np.float64]  # (targets,)

    def noisy(self, draw: int) -> Examples:
        """Return the records with one of `facts.draws` draws of noise, the same for everybody."""
        return with_test_noise(self.examples, self.noise, self.noise_seed, draw)

    def losses(self, answers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum over the targets of squared errors (n,) of physical answers (n, targets)."""
        return loss_of(answers, self.examples.physical, self.span)


def loss_of(
    answers: NDArray[np.float64], truth: NDArray[np.float64], span: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Sum over the targets of squared errors (n,), in target ranges span (targets,)."""
    return np.asarray((((answers - truth) / span) ** 2).sum(-1))


def draws_of(records: int) -> int:
    """Draws of noise with which a set of so many records is asked: the fewer records, the more."""
    return min(DRAWS, max(1, ASKED // records))


class Seen(ContractError):
    """A network trained on records of the test set; the message names the run."""


def current_seal(workspace: Workspace[Path], campaign: Campaign, run: str, own: Dataset) -> Sealed:
    """Return the question's newest sealed set; seal the run's own where it is larger, or none is.

    run: the run's id. May be called by several runs at once: of equal version numbers the first
    one published counts. Raises CorruptFile.
    """
    folder = workspace.sealed(campaign.question)
    while True:
        newest = _newest(folder)
        sealed = read_seal(folder, newest) if newest else None
        if sealed is not None and sealed.facts.records >= min(len(own.test), TEST_EXAMPLES):
            return sealed
        _seal(folder, newest + 1, campaign, run, own)


def read_seal(folder: Path, version: int) -> Sealed:
    """Read and verify a version; raises CorruptFile."""
    path = folder / f"v{version:04d}.json"
    manifest = read_manifest(path, KIND)
    facts = read_facts(SealedSet, manifest)
    data = folder / manifest.files[0].path
    try:
        with data.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            values = {name: stored[name] for name in stored.files}
        known = values["known"] if values["known"].shape[1] else None
        span = values["high"] - values["low"]
        physical = values["physical"]
        examples = Examples(
            strains=values["strains"],
            forces=values["forces"],
            scaled=((physical - values["low"]) / span).astype(np.float32),
            physical=physical,
            known=known,
            told=int(values.get("told", 0)),
        )
        strain, force = values.get("noise", NO_NOISE).tolist()  # without: it is on them already
        seed = int(values.get("noise_seed", 0))
        return Sealed(facts, examples, (strain, force), seed, values["sheet"], values["low"], span)
    except UNREADABLE_ARRAYS as error:
        raise CorruptFile(f"{data}: not a sealed test set ({error})") from None


def require_unseen(sealed: Sealed, run: RunFolder[Path]) -> None:
    """Raise Seen if a run's training records have one of the sealed sheets."""
    facts = dataset_facts(read_manifest(run.dataset_manifest, "dataset", verify=False))
    train = Split([run.dataset / name for name in facts.train_files])
    [parameters] = train.gather((PackedFields.PARAMETERS,), np.arange(len(train)))
    held = {row.tobytes() for row in sealed.examples.physical.astype(np.float32)}
    common = sum(row.tobytes() in held for row in parameters)
    if common:
        raise Seen(
            f"run {run.root.name} trains on {common} of the {len(held)} sealed test records; "
            "give its campaign another design.seed"
        )


def _newest(folder: Path) -> int:
    return max((int(path.stem[1:]) for path in folder.glob("v[0-9]*.json")), default=0)


def _seal(folder: Path, version: int, campaign: Campaign, run: str, own: Dataset) -> None:
    """Publish one version, unless another run was faster: a hard link never replaces anything."""
    test, told = clean_test_examples(own), own.facts
    scaler = told.scaler
    low, high = np.array(scaler.low), np.array(scaler.high)
    sheet = np.empty((len(test.physical), 0), np.float32)
    if told.coordinates:
        [sheet] = own.test.gather((PackedFields.SHEET,), np.arange(len(test.physical)))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"v{version:04d}-{run}.npz"
    with publish(path) as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            strains=test.strains,
            forces=test.forces,
            physical=test.physical,
            known=test.known if test.known is not None else np.empty((len(sheet), 0), np.float32),
            told=test.told,
            sheet=np.asarray(sheet, dtype=np.float64),
            low=low,
            high=high,
            noise=np.array([told.noise_strain, told.noise_force_relative]),
            noise_seed=told.noise_seed,
        )
    mean = np.broadcast_to(test.physical.mean(0), test.physical.shape)
    facts = SealedSet(
        question=campaign.question,
        version=version,
        sha256=sha256_of(path),
        records=len(test.physical),
        draws=draws_of(len(test.physical)),
        source=run,
        targets=scaler.targets,
        mean_loss=float(loss_of(mean, test.physical, high - low).mean()),
    )
    draft = folder / f".v{version:04d}-{run}.json"
    publish_manifest(draft, KIND, [path], **facts.model_dump(mode="json"))
    try:
        os.link(draft, folder / f"v{version:04d}.json")
    except FileExistsError:
        path.unlink(missing_ok=True)
    finally:
        draft.unlink(missing_ok=True)
