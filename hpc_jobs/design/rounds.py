"""The points of a round, as a file: chosen once, continued by the next round."""

import json
import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.errors import UNREADABLE_ARRAYS, CorruptFile
from hpc_jobs.contract.facts import LearningCurve
from hpc_jobs.contract.layout import RunFolder, manifest_of
from hpc_jobs.contract.records import Manifest, publish, publish_manifest, read_manifest
from hpc_jobs.design.errors import MissingRecords
from hpc_jobs.design.levels import mesh_levels
from hpc_jobs.design.mechanical import draw
from hpc_jobs.design.mixture import EVEN, Cloud, Known, draw_mixture
from hpc_jobs.design.sobol import TEST, TRAIN

log = logging.getLogger(__name__)
KIND = "design"


@dataclass(frozen=True, kw_only=True, eq=False)
class Round:
    """Parameter points of a round: training points first, then (in round 0) test points."""

    parameters: NDArray[np.float64]  # (n, targets), in the order of Campaign.targets
    sheet: NDArray[np.float64]  # (n, coordinates), in the order of Campaign.family
    is_test: NDArray[np.bool_]
    point: NDArray[np.int64]  # row number
    level: NDArray[np.uint8]  # index into Campaign.levels: the mesh
    aim: NDArray[np.uint8]  # index into aims: why it was chosen
    weight: NDArray[np.float64]  # importance weight: as if drawn from the campaign's own law
    audited: NDArray[np.bool_]  # simulated although the surrogate knows its neighbours
    aims: tuple[str, ...]
    seed: int
    sobol_start: int  # of the training stream
    sobol_stop: int
    test_stop: int  # of the test stream, which starts at 0
    rejected: Counter[str]
    skipped: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Targets:
    """What a round may aim at, and what is known already."""

    clouds: tuple[Cloud, ...] = ()
    known: Known | None = None
    notes: dict[str, str] = field(default_factory=dict)  # aim -> why it has no cloud
    curve: LearningCurve | None = None
    stopped: str = ""  # why a further round is not worth its price; empty: it is
    audit: float | None = None  # of earlier rounds; see contract.facts.DesignFacts


Aims = Callable[[], Targets]


def choose_round(
    run: RunFolder[Path],
    campaign: Campaign,
    number: int,
    records: int | None,
    aims: Aims | None = None,
) -> Manifest:
    """Choose and publish a round's points, or return the manifest if that was done before.

    Round 0 has the design's training and test records; a later one `records` training records,
    from where the previous round stopped, aimed as design.later_rounds says. aims: what there is
    to aim at, asked for only where a round is chosen. Raises MissingRecords, EmptyBox, CorruptFile.
    """
    path = run.design(number)
    if manifest_of(path).exists():
        return read_manifest(manifest_of(path), KIND)
    found = Targets()
    if number == 0:
        chosen = _round(campaign, 0, campaign.design.train_records, campaign.design.test_records)
    else:
        if records is None:
            raise MissingRecords(f"round {number}: say how many records with --records N")
        start = read_round(run, number - 1).sobol_stop
        found = aims() if aims else Targets()
        wanted = 0 if found.stopped else records
        chosen = _later_round(campaign, number, start, wanted, found)
    _save(path, chosen)
    facts = {
        "round": number,
        "records": len(chosen.point),
        "shards": campaign.design.shards(len(chosen.point)),
        "rejected": sum(chosen.rejected.values()),
        "by_aim": {
            name: int((chosen.aim[~chosen.is_test] == i).sum())
            for i, name in enumerate(chosen.aims)
        },
        "skipped": chosen.skipped,
        "audited": int(chosen.audited.sum()),
        "notes": found.notes,
        "curve": found.curve.model_dump() if found.curve else None,
        "stopped": found.stopped,
        "audit": found.audit,
    }
    log.info("round %d: %d points, rejected %s", number, len(chosen.point), dict(chosen.rejected))
    return publish_manifest(manifest_of(path), KIND, [path], **facts)


def adopt_points(
    run: RunFolder[Path], campaign: Campaign, points: NDArray[np.float64]
) -> int | None:
    """Publish points that something else chose as the next round; returns its number.

    points (n, targets + coordinates), as Campaign.targets and the family have them. Those that a
    round has already are left out; None if nothing is left. The Sobol sequence is not moved on.
    """
    numbers = [int(path.stem[-3:]) for path in run.design(0).parent.glob("round-*.json")]
    rounds = [read_round(run, number) for number in sorted(numbers)]
    held = {row.tobytes() for one in rounds for row in np.hstack([one.parameters, one.sheet])}
    fresh = [row for row in np.unique(points, axis=0) if row.tobytes() not in held]
    if not fresh:
        return None
    table, last, number = np.array(fresh), rounds[-1], max(numbers) + 1
    targets, nobody = len(campaign.targets), np.zeros(len(fresh), dtype=np.bool_)
    chosen = Round(
        parameters=table[:, :targets],
        sheet=table[:, targets:],
        is_test=nobody,
        point=np.arange(len(fresh), dtype=np.int64),
        level=np.zeros(len(fresh), np.uint8),
        aim=np.zeros(len(fresh), np.uint8),
        weight=np.zeros(len(fresh)),  # nobody's law drew them
        audited=nobody,
        aims=("outside",),
        seed=last.seed,
        sobol_start=last.sobol_stop,
        sobol_stop=last.sobol_stop,
        test_stop=last.test_stop,
        rejected=Counter(),
    )
    _save(run.design(number), chosen)
    facts = {"records": len(fresh), "shards": campaign.design.shards(len(fresh)), "rejected": 0}
    path = run.design(number)
    publish_manifest(manifest_of(path), KIND, [path], round=number, adopted=True, **facts)
    log.info("round %d: %d points adopted", number, len(fresh))
    return number


def read_round(run: RunFolder[Path], number: int) -> Round:
    """Read a published round; raises CorruptFile."""
    path = run.design(number)
    read_manifest(manifest_of(path), KIND)
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return _read(stored)
    except UNREADABLE_ARRAYS as error:
        raise CorruptFile(
            f"{path}: not the design of a round ({error}); run choose_points again"
        ) from None


def _read(stored: Mapping[str, Any]) -> Round:
    parameters = stored["parameters"]
    return Round(
        parameters=parameters,
        sheet=stored.get("sheet", np.empty((len(parameters), 0))),  # earlier rounds had none
        is_test=stored["is_test"],
        point=stored["point"],
        level=stored["level"],
        # Earlier versions' rounds all fill the box
        aim=stored.get("aim", np.zeros(len(parameters), np.uint8)),
        weight=stored.get("weight", np.ones(len(parameters))),
        audited=stored.get("audited", np.zeros(len(parameters), np.bool_)),
        aims=tuple(json.loads(str(stored.get("aims", f'["{EVEN}"]')))),
        skipped=int(stored.get("skipped", 0)),
        seed=int(stored["seed"]),
        sobol_start=int(stored["sobol_start"]),
        sobol_stop=int(stored["sobol_stop"]),
        test_stop=int(stored["test_stop"]),
        rejected=Counter(json.loads(str(stored["rejected"]))),
    )


def _round(campaign: Campaign, start: int, train_records: int, test_records: int) -> Round:
    train = draw(campaign, TRAIN, start, train_records)
    test = draw(campaign, TEST, 0, test_records)
    is_test = np.repeat([False, True], [train_records, test_records])
    return Round(
        parameters=np.vstack((train.parameters, test.parameters)),
        sheet=np.vstack((train.sheet, test.sheet)),
        is_test=is_test,
        point=np.arange(len(is_test), dtype=np.int64),
        level=mesh_levels(tuple(campaign.design.mesh_shares.values()), is_test),
        aim=np.zeros(len(is_test), np.uint8),
        weight=np.ones(len(is_test)),
        audited=np.zeros(len(is_test), np.bool_),
        aims=(EVEN,),
        seed=campaign.design.seed,
        sobol_start=train.start,
        sobol_stop=train.stop,
        test_stop=test.stop,
        rejected=train.rejected + test.rejected,
    )


def _later_round(
    campaign: Campaign, number: int, start: int, records: int, targets: Targets
) -> Round:
    """Aim a round's points; where there is nothing to aim at, continue the sequence."""
    seed = campaign.design.seed
    if targets.stopped or (not targets.clouds and targets.known is None):
        return _round(campaign, start, records, 0)
    mixed = draw_mixture(campaign, start, records, targets.clouds, [seed, number], targets.known)
    nobody = np.zeros(records, np.bool_)
    level = mesh_levels(tuple(campaign.design.mesh_shares.values()), nobody)
    fine = campaign.design.later_rounds.fine_share
    if fine and "posteriors" in mixed.aims:
        near = np.flatnonzero(mixed.aim == mixed.aims.index("posteriors"))
        level[near] = 0
        level[near[: round(fine * len(near))]] = len(campaign.design.mesh_shares)
    return Round(
        parameters=mixed.parameters,
        sheet=mixed.sheet,
        is_test=nobody,
        point=np.arange(records, dtype=np.int64),
        level=level,
        aim=mixed.aim,
        weight=mixed.weight,
        audited=mixed.audited,
        aims=mixed.aims,
        skipped=mixed.skipped,
        seed=seed,
        sobol_start=mixed.start,
        sobol_stop=mixed.stop,
        test_stop=0,
        rejected=mixed.rejected,
    )


def _save(path: Path, chosen: Round) -> None:
    with publish(path) as temporary, temporary.open("wb") as file:
        np.savez(
            file,
            parameters=chosen.parameters,
            sheet=chosen.sheet,
            is_test=chosen.is_test,
            point=chosen.point,
            level=chosen.level,
            aim=chosen.aim,
            weight=chosen.weight,
            audited=chosen.audited,
            aims=json.dumps(chosen.aims),
            skipped=chosen.skipped,
            seed=chosen.seed,
            sobol_start=chosen.sobol_start,
            sobol_stop=chosen.sobol_stop,
            test_stop=chosen.test_stop,
            rejected=json.dumps(dict(sorted(chosen.rejected.items()))),
        )
