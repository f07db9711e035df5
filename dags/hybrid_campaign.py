"""# Hybrid campaign: from a campaign file to a champion.

Choose parameter points, simulate them on the CPU cluster, train networks on the AI cluster,
identify measured alloys, simulate those again and compare; then the gate decides whether the new
network replaces the old.

Trigger it by hand. Every field left empty keeps what the campaign's file says. Nothing is submitted
before the campaign is valid as a whole.
"""

from airflow.sdk import dag

from yieldloop_dags.forms import campaign_form
from yieldloop_dags.handles import unwired
from yieldloop_dags.stages.closing import close_after_all, report
from yieldloop_dags.stages.judging import gate
from yieldloop_dags.stages.opening import open_run
from yieldloop_dags.stages.settings import DEFAULTS
from yieldloop_dags.stages.simulating import first_round, simulate
from yieldloop_dags.stages.telling import announce_champion
from yieldloop_dags.stages.training import train
from yieldloop_dags.stages.validating import validate


@dag(
    dag_display_name="Hybrid campaign",
    description="From a campaign file to a champion: simulate, train, identify, compare.",
    schedule=None,
    params=campaign_form(),
    default_args=DEFAULTS,
    max_active_runs=4,
    doc_md=__doc__,
    tags=["yieldloop"],
)
def hybrid_campaign():
    """Run the whole loop once, from nothing."""
    opened = open_run()
    run, planned = unwired(opened), first_round(opened)
    dataset, solved, _ = simulate(run, planned)
    challenger, trained = train(run, dataset)
    verdict = validate(run, challenger["model"])
    decision = gate(run, challenger, verdict)
    announce_champion(run, decision)
    report(
        run,
        *map(unwired, (dataset, challenger, verdict)),
        decision,
        *map(unwired, (solved, trained)),
    )
    close_after_all(run)


hybrid_campaign()
