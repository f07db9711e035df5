"""The stages of the experiment; each DAG is a sequence of them.

A stage takes and returns what travels between tasks: the run's handle, names of models and
validations, reports (hpc_jobs.contract.report). Nothing here knows a host, a path or a scheduler.

A DAG run is red when work of it failed, and green otherwise: what only tells others or tidies up
never decides, and nothing is skipped because all is well.
"""

from datetime import timedelta
from typing import Any

from airflow.sdk import Asset, AssetAlias, PokeReturnValue, task, task_group

from hpc_jobs.contract.drift import DriftReport
from hpc_jobs.contract.facts import PackedFacts, ScoreFacts
from hpc_jobs.contract.gate import PersonsWord
from hpc_jobs.contract.report import (
    ArrayReport,
    CampaignReport,
    Challenger,
    Champion,
    GateReport,
    Proposal,
    Rival,
    RoundPlan,
    RunOrigin,
)
from hpc_jobs.contract.run import RunHandle
from operators.array.operator import HpcArrayJobOperator
from operators.links import REPORT
from operators.promotion.approval import AskPerson
from operators.runs.closing import tell_cause
from operators.sensors.visible_files import WorkspaceSensor
from operators.tracking.replay_sensor import ReplaySensor
from yieldloop_dags.handles import unwired
from yieldloop_dags.models import takes_models

DATASET = Asset(name="grown-dataset", uri="yieldloop://dataset/grown")
CHAMPION = Asset(name="champion", uri="yieldloop://model/champion")
DRIFT = Asset(name="drift", uri="yieldloop://production/drift")
FAILED_VALIDATION = Asset(name="failed-validation", uri="yieldloop://validation/failed")
# A task with an alias for outlet decides itself whether there is anything to tell.
CHAMPION_NEWS = AssetAlias("champion-news")
VALIDATION_NEWS = AssetAlias("validation-news")
GROWTH_NEWS = AssetAlias("growth-news")
DRIFT_NEWS = AssetAlias("drift-news")

DEFAULTS: dict[str, Any] = {
    "retries": 3,
    "retry_delay": timedelta(seconds=10),
    "on_failure_callback": tell_cause,
}
STAMP = "{{ dag_run.run_after.strftime('%Y%m%d-%H%M%S') }}"
TRAINING, VALIDATION = f"t{STAMP}", f"v{STAMP}"
"""Names of what a DAG run adds to its campaign's run; a retry finds the same."""
REPLAY_S = 15.0
TURN_POLL_S, TURN_PATIENCE_S = 30.0, 7 * 86400.0


@task(multiple_outputs=True)
@takes_models
def open_run(params: dict[str, Any], ti: Any = None) -> RunHandle:
    """Validate the campaign; then workspace, code, measurements, MLflow run, the first turn."""
    from operators.promotion.origin import take_first_turn
    from operators.runs.run import open_run_task
    from yieldloop_dags.forms import overrides

    return take_first_turn(open_run_task(params["campaign"], overrides(params)), ti)


@task.sensor(poke_interval=TURN_POLL_S, timeout=TURN_PATIENCE_S, mode="reschedule")
def await_turn(
    origin: str | None = None, params: dict[str, Any] | None = None, ti: Any = None
) -> PokeReturnValue:
    """Wait until no other DAG run works on that run, or on the champion's; returns its id and why.

    Skips where none is named and the campaign has no champion yet.
    """
    from airflow.sdk import get_current_context

    from operators.promotion.origin import announced_run, take_turn_task

    campaign = params["campaign"]
    told = announced_run(campaign, get_current_context().get("triggering_asset_events"))
    found = take_turn_task(campaign, origin or params.get("run") or told, ti)
    return PokeReturnValue(is_done=found is not None, xcom_value=found and found.model_dump())


@task(multiple_outputs=True)
@takes_models
def reopen_run(origin: RunOrigin, params: dict[str, Any], own: str = "") -> RunHandle:
    """Go on with the run of that id, with the code as it is now.

    own: name of a run in MLflow for what is added to it.
    """
    from operators.runs.run import continue_run_task

    return continue_run_task(params["campaign"], origin.run_id, own)


def continue_run(origin: Any = None, own: str = "") -> Any:
    """Go on with the run of that id, or the champion's, once it is this DAG run's turn.

    own: name of a run in MLflow for what is added, so that nothing there is written over.
    """
    return unwired(reopen_run(await_turn(origin), own=own))


@task(multiple_outputs=True)
@takes_models
def find_champion(params: dict[str, Any]) -> Champion:
    """Look up the campaign's champion, and the run that it came from; skips where none is."""
    from operators.promotion.registry import find_champion_task

    return find_champion_task(params["campaign"])


@task(multiple_outputs=True)
@takes_models
def first_round(run: RunHandle) -> RoundPlan:
    """Plan the campaign's own points."""
    from operators.runs.rounds import first_round

    return first_round(run)


@task(multiple_outputs=True)
@takes_models
def next_round(run: RunHandle) -> RoundPlan:
    """Plan what tonight's core-hours buy; after an alarm of drift, around the measured sheets."""
    from airflow.sdk import get_current_context

    from operators.promotion.origin import announced_run
    from operators.runs.rounds import next_round

    events = get_current_context().get("triggering_asset_events")
    alarmed = announced_run(run.campaign, events) is not None
    return next_round(run, aims="drift" if alarmed else "campaign")


@task_group
def simulate(run: Any, planned: Any) -> Any:
    """Choose points, solve them on the CPU cluster, pack what was solved.

    Records of a large round are dealt and packed by arrays; those of a small one, for which these
    have no elements, by `publish_dataset` itself.

    Returns what `publish_dataset`, `solve_shard` and `choose_points` returned.
    """
    plan = unwired(planned)
    number = ["--round", plan["round"]]
    warm = HpcArrayJobOperator(task_id="warm_kernels", job="warm_kernels", run=run)
    points = HpcArrayJobOperator(
        task_id="choose_points",
        job="choose_points",
        run=run,
        arguments=[
            *(*number, "--records", plan["train_records"]),
            *("--aims", plan["aims"]),
        ],
    )
    solved = HpcArrayJobOperator(
        task_id="solve_shards",
        job="solve_shard",
        run=run,
        elements=size_round(plan, points.output),
        arguments=number,
        work=plan["records"],
    )
    elements = plan["packing_elements"]
    among = ["--elements", elements]
    dealt = HpcArrayJobOperator(
        task_id="deal_records", job="deal_records", run=run, elements=elements, arguments=among
    )
    packed = HpcArrayJobOperator(
        task_id="pack_records", job="pack_records", run=run, elements=elements, arguments=among
    )
    dataset = HpcArrayJobOperator(task_id="publish_dataset", job="publish_dataset", run=run)
    plan >> [warm, points]
    [warm, points] >> solved >> dealt >> packed >> dataset
    log_round(run, plan, solved.output)
    return dataset.output, solved.output, points.output


@task
@takes_models
def size_round(planned: RoundPlan, points: ArrayReport) -> int:
    """Say how many shards the round has: none where it was found not to be worth its price."""
    from operators.runs.rounds import shards_of

    return shards_of(planned, points)


@task
@takes_models
def log_round(run: RunHandle, planned: RoundPlan, solved: ArrayReport) -> str:
    """Describe the round in MLflow: records by status, core-hours, rate."""
    from operators.runs.rounds import log_round

    return log_round(run, planned, solved)


@task_group
def train(run: Any, dataset: Any = None) -> Any:
    """Train every network on the AI cluster, once it sees the dataset; metrics go to MLflow.

    Returns the challenger, and what `train` returned.
    """
    visible = WorkspaceSensor(
        task_id="dataset_visible", site="gpu", run=run, manifests=["dataset/manifest.json"]
    )
    trained = HpcArrayJobOperator(
        task_id="train_networks",
        job="train",
        site="gpu",
        run=run,
        elements=run["networks"],
        arguments=["--name", TRAINING],
        work=run["epochs"],
    )
    followed = ReplaySensor(task_id="follow_training", run=run, of=trained, poke_interval=REPLAY_S)
    (run if dataset is None else dataset) >> visible
    visible >> [trained, followed]
    return assemble(run, trained), trained.output


def assemble(run: Any, trained: Any) -> Any:
    """Make committees of members, where the campaign has any, and choose the challenger."""
    assembled = HpcArrayJobOperator(
        task_id="assemble_committees",
        job="assemble",
        site="gpu",
        run=run,
        elements=run["committees"],
        arguments=["--name", TRAINING],
    )
    followed = ReplaySensor(
        task_id="follow_assembly", run=run, of=assembled, poke_interval=REPLAY_S
    )
    challenger = choose_challenger(run, TRAINING)
    trained >> [assembled, followed]
    assembled >> challenger
    return challenger


@task(multiple_outputs=True)
@takes_models
def choose_challenger(run: RunHandle, training: str) -> Challenger:
    """Read every network's errors; the lowest on the validation split is the challenger."""
    from operators.promotion.candidates import choose_challenger

    return choose_challenger(run, training)


@task_group
def validate(run: Any, model: Any, after: Any = None) -> Any:
    """Identify the measured alloys, simulate them again with the answer, compare.

    after: what must have ended first, where that is not what names the model.
    """
    identified = HpcArrayJobOperator(
        task_id="identify",
        job="identify",
        site="gpu",
        run=run,
        arguments=["--model", model, "--validation", VALIDATION],
    )
    outside = HpcArrayJobOperator(
        task_id="identify_outside",
        job="identify_outside",
        run=run,
        elements=run["outside"],
        arguments=["--validation", VALIDATION],
    )
    simulated = HpcArrayJobOperator(
        task_id="resimulate",
        job="resimulate",
        run=run,
        elements=run["measurements"],
        arguments=["--validation", VALIDATION],
    )
    scored = HpcArrayJobOperator(
        task_id="score", job="score", run=run, arguments=["--validation", VALIDATION]
    )
    followed = ReplaySensor(task_id="follow_score", run=run, of=scored, poke_interval=REPLAY_S)
    if after is not None:
        after >> identified
    identified >> outside >> simulated >> [scored, followed]
    return scored.output


def gate(run: Any, challenger: Any, scored: Any) -> Any:
    """Ask challenger and champion the same sealed records, weigh, ask a person where one is wanted.

    Moves the alias `champion`, or says why not.
    """
    rival = find_rival(run)
    compared = HpcArrayJobOperator(
        task_id="compare",
        job="compare",
        site="gpu",
        run=run,
        arguments=[
            *("--model", unwired(challenger["model"]), "--validation", VALIDATION),
            *("--champion-run", rival["run_id"], "--champion", rival["model"]),
        ],
    )
    proposal = weigh(run, unwired(challenger["model"]), VALIDATION)
    word = AskPerson(task_id="ask_person", proposal=proposal)
    scored >> rival >> compared >> proposal
    return pass_gate(run, unwired(challenger["model"]), VALIDATION, word.output)


@task(multiple_outputs=True)
@takes_models
def find_rival(run: RunHandle) -> Rival:
    """Look up the champion that the challenger stands against."""
    from operators.promotion.registry import find_rival

    return find_rival(run.campaign)


@task
@takes_models
def weigh(run: RunHandle, model: str, validation: str) -> Proposal:
    """Say what the gate's rules decide, and whether a person is to be asked."""
    from operators.promotion.registry import propose

    return propose(run, model, validation)


@task(multiple_outputs=True, task_id="gate")
@takes_models
def pass_gate(run: RunHandle, model: str, validation: str, word: PersonsWord | None) -> GateReport:
    """Decide by the evidence and, where one was asked for, a person's word; write it all down."""
    from operators.promotion.registry import promote

    return promote(run, model, validation, word)


@task(outlets=[CHAMPION_NEWS])
@takes_models
def announce_champion(run: RunHandle, decision: GateReport, outlet_events: Any = None) -> str:
    """Tell whoever waits for a new champion, if there is one; returns what was decided."""
    if decision.promoted:
        extra = {"run_id": run.run_id, "model": decision.model}
        outlet_events[CHAMPION_NEWS].add(CHAMPION, extra=extra)
    return decision.reason


@task(outlets=[GROWTH_NEWS])
@takes_models
def announce_growth(
    run: RunHandle, dataset: ArrayReport, solved: ArrayReport, outlet_events: Any = None
) -> str:
    """Tell whoever waits for more records, if there are any; returns what was told."""
    if not solved.elements:
        return "no simulation tonight"
    generation = dataset.read(PackedFacts).generation
    told = {"campaign": run.campaign, "run_id": run.run_id, "generation": generation}
    outlet_events[GROWTH_NEWS].add(DATASET, extra=told)
    return f"generation {generation}"


def close_night(run: Any, planned: Any, points: Any, solved: Any, dataset: Any) -> None:
    """Report the night once everything is over, however it ended; a teardown as close_run is."""
    told = map(unwired, (planned, points, solved, dataset))
    closing = report_night(run, *told).as_teardown()
    tasks = closing.operator.dag.tasks
    last = [each for each in tasks if not each.downstream_task_ids and each != closing.operator]
    last >> closing


@task
@takes_models
def report_night(
    run: RunHandle | None,
    planned: RoundPlan | None,
    points: ArrayReport | None,
    solved: ArrayReport | None,
    dataset: ArrayReport | None,
    ti: Any = None,
) -> str:
    """Say what was planned, done, spent and left out, and what to do where it failed."""
    from operators.runs.closing import failed_tasks
    from operators.runs.night import log_night, night_report

    if run is None or planned is None:
        return "nothing was planned"
    report = night_report(run, planned, points, solved, dataset, failed_tasks(ti))
    log_night(report, run)
    return report.sentence


@task(outlets=[VALIDATION_NEWS])
@takes_models
def announce_failure(run: RunHandle, scored: ArrayReport, outlet_events: Any = None) -> str:
    """Tell whoever retrains that the champion no longer stands, if so; returns the verdict."""
    verdict = scored.read(ScoreFacts).verdict
    if verdict.passed:
        return "the champion passes its validation"
    extra = {"campaign": run.campaign, "run_id": run.run_id, "notes": verdict.notes}
    outlet_events[VALIDATION_NEWS].add(FAILED_VALIDATION, extra=extra)
    return "the champion fails its validation"


@task(outlets=[DRIFT_NEWS])
@takes_models
def watch_production(run: RunHandle, scored: ArrayReport, outlet_events: Any = None) -> DriftReport:
    """Add the measurements to production's control charts; an alarm asks for a targeted night."""
    from operators.promotion.drift import watch

    found = watch(run.campaign, scored.read(ScoreFacts).verdict)
    if found.alarms:
        extra = {"campaign": run.campaign, "run_id": run.run_id, "alarms": list(found.alarms[:20])}
        outlet_events[DRIFT_NEWS].add(DRIFT, extra=extra)
    return found


@task
@takes_models
def report(
    run: RunHandle,
    dataset: ArrayReport,
    challenger: Challenger,
    scored: ArrayReport,
    decision: GateReport,
    solved: ArrayReport,
    trained: ArrayReport,
    ti: Any = None,
) -> CampaignReport:
    """Put the result together, as a page too."""
    from operators.pages.campaign_report import campaign_report, publish_report
    from operators.pages.money import costs_of, log_costs
    from operators.runs.accounting import try_to_log_usage

    usage = try_to_log_usage(run)
    result = campaign_report(run, dataset, challenger, scored, decision, solved, trained)
    result = result.model_copy(update={"usage": usage})
    result = result.model_copy(update={"costs": costs_of(result)})
    log_costs(run, result.costs)
    result, address = publish_report(run, result)
    ti.xcom_push(REPORT, address)
    return result


@task(task_id="report")
@takes_models
def report_retraining(
    run: RunHandle,
    challenger: Challenger,
    scored: ArrayReport,
    decision: GateReport,
    ti: Any = None,
) -> CampaignReport:
    """Put the result of a retraining together, as a page of its own run in MLflow."""
    from operators.pages.campaign_report import publish_report, retraining_report

    result, address = publish_report(run, retraining_report(run, challenger, scored, decision))
    ti.xcom_push(REPORT, address)
    return result


def close_after_all(run: Any) -> None:
    """Close the run in MLflow once everything that the DAG has so far is over, however it ended.

    A teardown: Airflow leaves it out when it decides the colour of the DAG run.
    """
    closing = close_run(run).as_teardown()
    tasks = closing.operator.dag.tasks
    last = [each for each in tasks if not each.downstream_task_ids and each != closing.operator]
    last >> closing


@task
@takes_models
def close_run(run: RunHandle | None, ti: Any = None) -> str:
    """Say in MLflow how it ended; clearing what failed, and what comes after it, says it anew."""
    from operators.runs.accounting import try_to_log_usage
    from operators.runs.closing import failed_tasks
    from operators.runs.run import finish_run

    if run is None:
        return "the run was never opened"
    failed = failed_tasks(ti)
    if failed:
        try_to_log_usage(run)
    finish_run(run, ok=not failed)
    return f"failed: {', '.join(failed)}" if failed else "finished"
