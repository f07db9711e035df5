"""The result of a hyper-parameter search: one page for people, and what an XCom holds of it."""

from pydantic import ValidationError

from hpc_jobs.contract.errors import CorruptFile
from hpc_jobs.contract.report import SearchReport
from hpc_jobs.contract.run import RunHandle
from hpc_jobs.contract.study import Choice
from operators.hooks.hpc import Connect, Session, open_session
from operators.hooks.mlflow import MlflowHook
from operators.pages.page import ARTIFACT, embedded, template
from operators.runs.run import finish_run, folder_of

FIGURES = {
    "front": "error against speed of every trial; the finalists over their seeds",
    "seeds": "the finalists' errors, seed by seed",
}


def log_search_report(
    study: RunHandle,
    name: str,
    mlflow: MlflowHook | None = None,
    connect: Connect = open_session,
) -> SearchReport:
    """Log choice and page with the study's run, and close it; may be repeated.

    study: a handle whose run in MLflow is the study's. Raises CorruptFile.
    """
    mlflow = mlflow or MlflowHook()
    site = study.sites["gpu"]
    folder = folder_of(study.run_id, site).search(name)
    with connect(site.cluster) as session:
        choice = _read(session, str(folder.choice))
        figures = [
            figure
            for key, caption in FIGURES.items()
            for figure in embedded(session, folder.figure(key), caption)
        ]
    client = mlflow.require()
    client.log_text(study.mlflow_run_id, choice.model_dump_json(indent=1), "choice.json")
    client.log_text(study.mlflow_run_id, choice.networks_yaml, "networks.yaml")
    client.log_text(study.mlflow_run_id, render(study, choice, figures), ARTIFACT)
    client.set_tag(study.mlflow_run_id, "recommended", choice.recommended or "none")
    finish_run(study, mlflow=mlflow)
    return search_report(choice)


def render(study: RunHandle, choice: Choice, figures: list[dict[str, str]]) -> str:
    """Return the page; everything that the choice says is escaped."""
    return template("search.html.j2").render(
        campaign=study.campaign,
        run_id=study.run_id,
        choice=choice,
        figures=figures,
        sentence=sentence(choice),
    )


def sentence(choice: Choice) -> str:
    """Say in one sentence what came of it."""
    present = choice.contenders[choice.present]
    if choice.recommended is None:
        return (
            f"No finalist is better than {choice.present} (error {present.mean:.4g}) at the "
            f"level {choice.level:g}; it stays.{_as_good_but_faster(choice)}"
        )
    best = choice.contenders[choice.recommended]
    return (
        f"{choice.recommended} is better than {choice.present}: error {best.mean:.4g} against "
        f"{present.mean:.4g} over {len(best.errors)} seeds, p = {best.p:.2g} after Holm; "
        f"{best.samples_per_s / present.samples_per_s:.2g} times its samples/s."
    )


def _as_good_but_faster(choice: Choice) -> str:
    """Name the fastest finalist whose mean is not higher, if it is faster; the choice is theirs."""
    present = choice.contenders[choice.present]
    rivals = {
        name: one
        for name, one in choice.contenders.items()
        if one.mean <= present.mean and one.samples_per_s > present.samples_per_s
    }
    if not rivals:
        return ""
    name, best = max(rivals.items(), key=lambda item: item[1].samples_per_s)
    times = best.samples_per_s / present.samples_per_s
    return f" But {name} has {times:.2g} times its samples/s, and error {best.mean:.4g}."


def search_report(choice: Choice) -> SearchReport:
    """Return what the next task and a person need of it."""
    return SearchReport(
        sentence=sentence(choice),
        recommended=choice.recommended,
        trials=choice.trials,
        failed=choice.failed,
        networks_yaml=choice.networks_yaml,
    )


def _read(session: Session, path: str) -> Choice:
    try:
        return Choice.model_validate_json(session.read(path))
    except FileNotFoundError:
        raise CorruptFile(f"{session.cluster}:{path}: missing; clear choose_network") from None
    except ValidationError as error:
        raise CorruptFile(
            f"{session.cluster}:{path}: not a choice of this version: {error.errors()[0]['msg']}"
        ) from None
