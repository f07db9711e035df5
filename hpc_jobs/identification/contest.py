"""Challenger and champion, asked the same: sealed records, and the twins of measured sheets.

A twin is the sheet that a validation found behind a measurement, as it was simulated again: its
truth is known, and many draws of noise on it average out the luck of the one measurement.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.gate import Contestant, SheetAnswers
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.validation import Estimate, Estimates
from hpc_jobs.dataset.pack import given_values
from hpc_jobs.dataset.sealed import Sealed, loss_of
from hpc_jobs.fem.materials.sheet import Sheet
from hpc_jobs.identification.anisotropy import by_parameter
from hpc_jobs.identification.by_fem import answered
from hpc_jobs.identification.family_answer import network_knowledge
from hpc_jobs.identification.mesh_bias import MeshBias
from hpc_jobs.identification.quantities import derived_of
from hpc_jobs.identification.resimulated import read_field
from hpc_jobs.learning.models.trained_model import TrainedModel
from hpc_jobs.measurement.file import read_for

FloatArray = NDArray[np.float64]

NOISE_SEED = 41
DRAWS = 200
BATCH, TIMINGS = 1024, 5
EXAMINED = 500
"""Answers whose material is looked at: enough for a share, and it takes a millisecond each."""


@dataclass(frozen=True, slots=True, eq=False)
class Twin:
    """A measured sheet, simulated, with draws of noise."""

    strains: FloatArray  # (draws, strain_values)
    forces: FloatArray  # (draws, force_values) N
    known: FloatArray | None  # (draws, 2 g + d)
    truth: FloatArray  # (targets,) what is derived included


def twins_of(
    run: RunFolder[Path], campaign: Campaign, estimates: Estimates, bias: MeshBias
) -> tuple[dict[str, Twin], dict[str, str]]:
    """Return the twins by measurement, and of the others why they have none.

    The refinement's sheet is taken where there is one: it leans to neither network.
    """
    found: dict[str, Twin] = {}
    without: dict[str, str] = {}
    refined = answered(run, estimates)
    for index, estimate in enumerate(estimates.estimates):
        name, paths = estimate.measurement, [(estimate, run.field)]
        if index < len(refined):
            paths.insert(0, (refined[index], run.refined_field))
        for sheet, path in paths:
            if sheet.parameters is None:
                continue
            field = read_field(path(estimates.validation, name), sheet)
            if field.status == "ok":
                taken = field.own_bias or bias
                clean = field.strains + taken.strains, field.forces * (1 + taken.forces)
                found[name] = _twin(run, campaign, sheet, *clean)
                break
        else:
            without[name] = "no sheet was found behind it, or none that could be simulated"
    return found, without


def _twin(
    run: RunFolder[Path],
    campaign: Campaign,
    sheet: Estimate,
    strains: FloatArray,
    forces: FloatArray,
) -> Twin:
    name, noise = sheet.measurement, campaign.noise
    random = np.random.default_rng([NOISE_SEED, crc32(name.encode())])
    assert sheet.parameters is not None
    truth = np.array([sheet.parameters[target] for target in campaign.targets])
    derived, known = derived_of(campaign), None
    if derived.of is not None:
        values = np.array([[sheet.coordinates[one] for one in campaign.family.names]])
        truth = np.concatenate([truth, derived.of(truth[None], values)[0]])
    if (given := given_values(campaign)).names or given.displacements:
        header = read_for(campaign, run.measurement(name)).header
        known = np.tile(network_knowledge(given, header), (DRAWS, 1))
    return Twin(
        strains=strains + noise.strain * random.standard_normal((DRAWS, len(strains))),
        forces=forces * (1 + noise.force_relative * random.standard_normal((DRAWS, len(forces)))),
        known=known,
        truth=truth,
    )


def why_not(campaign: Campaign, sealed: Sealed, network: TrainedModel) -> str:
    """Say why a network cannot be asked the sealed records; empty if it can."""
    if network.targets != sealed.facts.targets:
        return (
            f"{network.name} answers {', '.join(network.targets)}, the sealed test set asks for "
            f"{', '.join(sealed.facts.targets)}"
        )
    if network.strain_values != sealed.examples.strains.shape[1]:
        return (
            f"{network.name} takes {network.strain_values} strains, the sealed test records have "
            f"{sealed.examples.strains.shape[1]}"
        )
    known = 0 if sealed.examples.known is None else sealed.examples.known.shape[1]
    if network.known_values != known:
        return (
            f"{network.name} takes {network.known_values} known values, the sealed test records "
            f"have {known}"
        )
    return ""


def ask(
    run_id: str,
    campaign: Campaign,
    network: TrainedModel,
    sealed: Sealed,
    twins: Mapping[str, Twin],
    answers_per_s: float,
) -> Contestant:
    """Ask a network everything; answers_per_s as `speeds` measures it."""
    test, draws = sealed.examples, sealed.facts.draws
    calibration = network.calibration(test.known)
    losses, inside = np.zeros(len(test.physical)), np.zeros(test.physical.shape[1])
    first = None
    for draw in range(draws):
        noisy = sealed.noisy(draw)
        asked = noisy.strains, noisy.forces, noisy.known
        answers = network.predict(*asked)
        low, high = calibration.intervals(answers, network.deviations(*asked))
        losses += sealed.losses(answers) / draws
        inside += ((low <= test.physical) & (test.physical <= high)).sum(0) / draws
        first = answers if first is None else first
    assert first is not None
    examined = list(zip(first[:EXAMINED], sealed.sheet[:EXAMINED], strict=True))
    return Contestant(
        run_id=run_id,
        model=network.name,
        sha256=network.sha256,
        losses=tuple(losses.tolist()),
        covered=dict(zip(network.targets, np.rint(inside).astype(int).tolist(), strict=True)),
        level=calibration.level,
        asked_admissible=len(examined),
        admissible=sum(_is_material(campaign, *one) for one in examined),
        answers_per_s=answers_per_s,
        sheets={name: _at_sheet(network, twin, sealed.span) for name, twin in twins.items()},
    )


def speeds(networks: Sequence[TrainedModel], sealed: Sealed) -> list[float]:
    """Answers per second of each network in large batches, measured in turn: the machine is one."""
    test = sealed.noisy(0)
    rows = np.resize(np.arange(len(test.strains)), BATCH)
    known = None if test.known is None else test.known[rows]
    seconds: list[list[float]] = [[] for _ in networks]
    for _ in range(TIMINGS):
        for network, taken in zip(networks, seconds, strict=True):
            start = time.perf_counter()
            network.predict(test.strains[rows], test.forces[rows], known)
            taken.append(time.perf_counter() - start)
    return [BATCH / median(taken) for taken in seconds]


def _at_sheet(network: TrainedModel, twin: Twin, span: FloatArray) -> SheetAnswers:
    answers = network.predict(twin.strains, twin.forces, twin.known)
    novel = network.novelty(twin.strains, twin.forces) > network.novelty_limit
    return SheetAnswers(
        losses=tuple(loss_of(answers, twin.truth[None], span).tolist()),
        withheld=float(novel.mean()),
    )


def _is_material(campaign: Campaign, answer: FloatArray, sheet: FloatArray) -> bool:
    targets = dict(zip(campaign.targets, answer.tolist(), strict=False))
    if not np.isfinite(answer).all():
        return False
    material = campaign.family.material_of(sheet.tolist())
    return not Sheet.of(by_parameter(campaign, targets), material).defect
