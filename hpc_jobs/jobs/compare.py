"""Ask challenger and champion the same sealed records: the evidence that the gate weighs."""

import argparse
from pathlib import Path

from hpc_jobs.contract.errors import ContractError
from hpc_jobs.contract.facts import CompareFacts
from hpc_jobs.contract.gate import Comparison
from hpc_jobs.contract.layout import Workspace
from hpc_jobs.contract.records import publish_model, read_model
from hpc_jobs.contract.validation import Estimates
from hpc_jobs.dataset.dataset import open_dataset
from hpc_jobs.dataset.sealed import Sealed, current_seal, require_unseen
from hpc_jobs.identification.contest import NOISE_SEED, ask, speeds, twins_of, why_not
from hpc_jobs.identification.mesh_bias import read_mesh_bias
from hpc_jobs.learning.models.trained_model import TrainedModel, load_model
from hpc_jobs.runtime import element

NOBODY = "-"


def work(job: element.Element) -> CompareFacts:
    """Write validation/<name>/comparison.json."""
    campaign, name, options = job.campaign, job.arguments.validation, job.arguments
    workspace: Workspace[Path] = Workspace(job.run.root.parent)
    own = open_dataset(job.run, campaign.training.validation_fraction)
    sealed = current_seal(workspace, campaign, job.frozen.run_id, own)
    require_unseen(sealed, job.run)
    challenger = load_model(job.run.model(options.model))
    if reason := why_not(campaign, sealed, challenger):
        raise ContractError(f"{reason}; train a network of this campaign")
    estimates = read_model(Estimates, job.run.estimates(name))
    twins, without = twins_of(job.run, campaign, estimates, read_mesh_bias(job.run, campaign))
    champion, reason, expired = _champion(job, workspace, sealed)
    contestants = [challenger] + ([champion] if champion else [])
    runs = [job.frozen.run_id, options.champion_run]
    rates = speeds(contestants, sealed)
    asked = [
        ask(run_id, campaign, network, sealed, twins, rate)
        for run_id, network, rate in zip(runs, contestants, rates, strict=False)
    ]
    comparison = Comparison(
        validation=name,
        sealed=sealed.facts,
        challenger=asked[0],
        champion=asked[1] if champion else None,
        not_comparable=reason,
        champion_expired=expired,
        without_twin=without,
        noise_seed=NOISE_SEED,
        provenance=campaign.provenance,
    )
    publish_model(job.run.comparison(name), comparison)
    job.progress(len(asked), len(asked), "networks")
    return CompareFacts(
        comparable=not reason,
        reason=reason,
        test_set=sealed.facts.sha256,
        records=sealed.facts.records,
    )


def _champion(
    job: element.Element, workspace: Workspace[Path], sealed: Sealed
) -> tuple[TrainedModel | None, str, bool]:
    """Return the champion, if there is one, or why it cannot be asked; and whether its run is gone.

    Of a champion whose run is not here any more nobody can say what it trained on. It is asked all
    the same: had it seen the sealed records, it would only be the harder to beat.
    """
    run_id, model = job.arguments.champion_run, job.arguments.champion
    if run_id == NOBODY:
        return None, "", False
    folder, kept = workspace.run(run_id), workspace.champion(job.arguments.champion_sha256) / model
    expired = False
    try:
        champion, expired = _loaded(folder.model(model), kept)
        if not expired:
            require_unseen(sealed, folder)
    except (ContractError, OSError) as error:
        return None, f"the champion cannot be asked: {error}", expired
    reason = why_not(job.campaign, sealed, champion)
    return (None, reason, expired) if reason else (champion, "", expired)


def _loaded(own: Path, kept: Path) -> tuple[TrainedModel, bool]:
    """Load a champion from its run, or MLflow's copy where it is not whole there; say which."""
    try:
        return load_model(own), False
    except (ContractError, OSError):
        if not (kept / "manifest.json").exists():
            raise
        return load_model(kept), True


def arguments(parser: argparse.ArgumentParser) -> None:
    """Which two networks, after which validation."""
    parser.add_argument("--model", required=True, help="the challenger's folder below models/")
    parser.add_argument("--validation", required=True, help="name of its validation")
    parser.add_argument("--champion-run", default=NOBODY, help="run of the champion; -: none yet")
    parser.add_argument("--champion", default=NOBODY, help="its folder below that run's models/")
    parser.add_argument("--champion-sha256", default=NOBODY, help="of its manifest")


if __name__ == "__main__":
    element.main(work, arguments)
