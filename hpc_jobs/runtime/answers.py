"""The answers that lie in a run's folder, for tools of people: sheets, estimates, fields, cases."""

from pathlib import Path

from hpc_jobs.contract.campaign import FrozenCampaign
from hpc_jobs.contract.errors import BadInput
from hpc_jobs.contract.identified import IdentifiedSheet
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.records import read_model
from hpc_jobs.contract.validation import Estimate, Estimates, Verdict
from hpc_jobs.identification.by_fem import answered
from hpc_jobs.identification.identified_sheet import better_of, identified_sheet, judged
from hpc_jobs.identification.resimulated import read_field
from hpc_jobs.identification.verdict import Case, score
from hpc_jobs.measurement.file import read_for
from hpc_jobs.measurement_page.page import Asked

Run = RunFolder[Path]


def find_validation(folder: Path, name: str | None) -> tuple[Run, str]:
    """Return a run and one of its scored validations: the named one, else the latest.

    Raises BadInput where there is none.
    """
    run = RunFolder(folder)
    if not run.campaign.is_file():
        raise BadInput(
            f"{folder}: is not the folder of a campaign's run (it has no campaign.json); runs lie "
            "in the campaign's workspace"
        )
    found = {path.parent.name: path for path in (folder / "validation").glob("*/verdict.json")}
    if not found:
        raise BadInput(f"{folder}: nothing has been identified and scored in this run yet")
    if name is None:
        name = max(found, key=lambda one: found[one].stat().st_mtime)
    if name not in found:
        raise BadInput(f"{folder}: has no validation '{name}'; there are {', '.join(found)}")
    return run, name


def read_sheet(run: Run, validation: str, measurement: str) -> IdentifiedSheet:
    """Read what was identified of one measurement; raises BadInput where it was not answered."""
    _check(run, validation, measurement)
    path = run.sheet(validation, measurement)
    if not path.is_file():
        raise BadInput(
            f"{measurement}: validation '{validation}' did not answer it; "
            f"{run.page(validation, measurement)} says why"
        )
    return read_model(IdentifiedSheet, path)


def read_asked(run: Run, validation: str, measurement: str) -> Asked:
    """Compare anew what a validation has said of one measurement with what was measured.

    Nothing is simulated: the fields are those that the validation has published.
    """
    _check(run, validation, measurement)
    estimates = read_model(Estimates, run.estimates(validation))
    verdict = read_model(Verdict, run.verdict(validation))
    frozen = read_model(FrozenCampaign, run.campaign)
    [network] = [one for one in estimates.estimates if one.measurement == measurement]
    second = [one for one in answered(run, estimates) if one.measurement == measurement]
    cases = [_case(run, frozen, validation, network, verdict, refined=False)]
    cases += [_case(run, frozen, validation, one, verdict, refined=True) for one in second]
    asked, path = asked_of(run, frozen, verdict, *cases), run.sheet(validation, measurement)
    if asked.sheet is None or not path.is_file():
        return asked
    return asked.with_sheet(read_model(IdentifiedSheet, path))  # as it was dated


def asked_of(
    run: Run, frozen: FrozenCampaign, verdict: Verdict, network: Case, refined: Case | None = None
) -> Asked:
    """Put together what a page shows of one measurement's cases, as the verdict judges them."""
    name = network.measurement.name
    network = judged(network, verdict.measurements[name])
    if refined is not None:
        refined = judged(refined, verdict.refined[name])
    better, sheet = better_of(network, refined), None
    if better is not None:
        sheet = identified_sheet(
            frozen.campaign, better, run_id=frozen.run_id, validation=verdict.validation,
            model=verdict.model,
        )  # fmt: skip
    return Asked(network=network, refined=refined, sheet=sheet, picture=run.picture(name))


def _case(
    run: Run,
    frozen: FrozenCampaign,
    validation: str,
    estimate: Estimate,
    verdict: Verdict,
    *,
    refined: bool,
) -> Case:
    name = estimate.measurement
    measurement = read_for(frozen.campaign, run.measurement(name))
    path = run.refined_field(validation, name) if refined else run.field(validation, name)
    return score(frozen.campaign, measurement, read_field(path, estimate), refined=refined)


def _check(run: Run, validation: str, measurement: str) -> None:
    known = read_model(Verdict, run.verdict(validation)).measurements
    if measurement not in known:
        raise BadInput(
            f"validation '{validation}' has no measurement '{measurement}'; there are "
            f"{', '.join(known)}"
        )
