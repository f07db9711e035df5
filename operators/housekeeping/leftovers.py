"""What killed processes leave in a run's folder: drafts that were never published, stale locks.

Only what is older than any job may live is touched, by the file server's clock. Results, manifests
and what a shard has solved so far are never touched.
"""

from collections.abc import Iterable
from functools import partial
from pathlib import PurePosixPath

from hpc_jobs.contract.layout import Workspace
from hpc_jobs.contract.run import RunHandle, SiteHandle
from hpc_jobs.job_folder.lock_probes import parse_stale_locks, stale_locks_command
from operators.cluster.errors import TransportError
from operators.cluster.reply import parsed
from operators.hooks.hpc import Session
from operators.housekeeping.sweeps import NONE, Row, log_rows, on_cluster
from operators.runs.run import folder_of

KINDS = ("drafts", "locks", "parts")
OLDER_THAN_S = 8 * 86400.0  # an array job's deadline is 7 days

# Lines "drafts 3", "parts 1", and "." at the end.
#  drafts: hidden files and folders that `publish`, transports and unpacking rename when complete
#  parts:  of shards that are published
SWEEP = r"""
run=$1 code=$2 minutes=$3
old() { find "$@" -mmin "+$minutes" -print 2>/dev/null; }
drafts=$(
  {
    find "$run" -type d -name '.*' ! -name '*.parts' -prune -mmin "+$minutes" \
      -print -exec rm -rf {} +
    find "$run" -type f -name '.*' -mmin "+$minutes" -print -delete
    find "$code" -maxdepth 1 -name '.*' -mmin "+$minutes" -print -exec rm -rf {} +
  } 2>/dev/null | grep -c .
)
parts=0
for folder in "$run"/rounds/*/shards/.shard-*.parts/; do
  name=$(basename "$folder" .parts)
  [ -e "${folder%/*/}/${name#.}.json" ] || continue
  [ -n "$(old "$folder" -maxdepth 0)" ] && rm -rf "$folder" && parts=$((parts + 1))
done
echo "drafts $drafts"; echo "parts $parts"; echo .
"""


def remove_leftovers(runs: Iterable[RunHandle], older_than_s: float = OLDER_THAN_S) -> list[Row]:
    """Sweep every run's folder, from the cluster that simulates; a row each."""
    rows = []
    for run in runs:
        site = run.sites["cpu"]
        sweep = partial(_sweep, run_id=run.run_id, site=site, older_than_s=older_than_s)
        rows += [{"run": run.run_id} | row for row in on_cluster(site.cluster, sweep)]
    return log_rows("leftovers", rows)


def _sweep(session: Session, run_id: str, site: SiteHandle, older_than_s: float) -> list[Row]:
    code = Workspace(PurePosixPath(site.workspace)).code("x").parent
    run = folder_of(run_id, site)
    paths = (str(run.root), str(code), str(int(older_than_s // 60)))
    reply = session.run(("sh", "-c", SWEEP, "sweep", *paths), timeout_s=600)
    lines = reply.stdout.splitlines()
    if lines[-1:] != ["."]:
        raise TransportError(f"the sweep of {paths[0]} was cut short: {reply.words[-200:]}")
    removed = {kind: int(count) for kind, _, count in (x.partition(" ") for x in lines[:-1])}
    stale = session.run(stale_locks_command(run.jobs, older_than_s), timeout_s=600)
    removed["locks"] = parsed(parse_stale_locks, stale)
    found = [f"{removed[kind]} {kind}" for kind in KINDS if removed[kind]]
    action = f"removed {', '.join(found)}" if found else NONE
    return [{"cluster": session.cluster, "action": action}]
