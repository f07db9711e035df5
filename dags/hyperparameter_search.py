"""# Hyper-parameter search: which networks a campaign should train.

Tries networks on the records of the champion's run, or of the one named: error on held-out
off-grid records against samples/s on the AI cluster. The best of the Pareto front are trained over
several seeds and compared with the present network; the page says which to put into the campaign's
file.

Trigger it by hand. What is searched stands in the section `search` of the campaign's file.
"""

from airflow.sdk import dag

from yieldloop_dags.forms import search_form
from yieldloop_dags.handles import unwired
from yieldloop_dags.search_stages import SEARCH, compare, open_search, report_search, search
from yieldloop_dags.stages.closing import close_after_all
from yieldloop_dags.stages.opening import continue_run
from yieldloop_dags.stages.settings import DEFAULTS


@dag(
    dag_display_name="Hyper-parameter search",
    description="Which networks a campaign should train.",
    schedule=None,
    params=search_form(),
    default_args=DEFAULTS,
    max_active_runs=4,
    doc_md=__doc__,
    tags=["yieldloop"],
)
def hyperparameter_search():
    """Search on the champion's run of a campaign, or another."""
    run = continue_run()
    planned = open_search(run, SEARCH)
    run >> planned
    tried = search(planned)
    chosen = compare(planned, tried)
    report_search(unwired(planned), chosen)
    close_after_all(unwired(planned)["study"])


hyperparameter_search()
