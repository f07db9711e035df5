"""The one-machine stack's batch queue: `batchq submit | status | cancel`."""

import json
from collections.abc import Sequence
from typing import Any

from operators.cluster.errors import AmbiguousReply, TransportError
from operators.cluster.job import ArrayRequest, ElementState, Queue
from operators.cluster.reply import Reply
from operators.cluster.schedulers.scheduler import Argv, Scheduler

NATIVE = (
    "PENDING",
    "RUNNING",
    "COMPLETED",
    "FAILED",
    "CANCELLED",
    "TIMEOUT",
    "OUT_OF_MEMORY",
    "NODE_FAIL",
)


ONE_MACHINE = "this queue is one machine: leave it out, or name another cluster"


class Local(Scheduler):
    """batchq speaks JSON and forgets nothing quickly; it has no accounting of its own."""

    name = "batchq"
    job_id_variable = "${BATCHQ_JOB_ID}"
    array_index_variable = "${BATCHQ_ARRAY_INDEX:-0}"
    states = {native: ElementState(native) for native in NATIVE}
    outage = ("not running", "cannot reach", "connection refused", "try again")
    ambiguous = ("timed out",)
    cannot = {
        "gpus": "it grants no GPU: set gpus to 0, or name another cluster",
        **dict.fromkeys(("nodes", "tasks_per_node"), ONE_MACHINE),
        **dict.fromkeys(("partition", "account", "qos", "constraint", "reservation"), ONE_MACHINE),
        **dict.fromkeys(("exclusive", "running_at_most"), ONE_MACHINE),
        "mail": "it sends none: leave it out, and let Airflow send mail",
        "signal_before_end_s": "it ends an element at once: leave it out",
        "after": "it knows no dependencies: let Airflow order the tasks",
        "options": "it has none: leave them out",
    }

    def submit_command(self, request: ArrayRequest) -> Argv:
        """Submit, with batchq."""
        self.require_expressible(request)
        wanted = request.resources
        return (
            *("batchq", "submit", str(request.script), "--name", request.name),
            *("--array", f"0-{request.elements - 1}", "--cpus", str(wanted.cpus)),
            *("--memory-mib", str(wanted.memory_mib), "--walltime-s", str(wanted.walltime_s)),
            *("--log-dir", str(request.log_folder)),
        )

    def parse_job_id(self, reply: Reply) -> str:
        """Read an integer, alone."""
        job_id = reply.stdout.strip()
        if not job_id.isdecimal():
            raise AmbiguousReply(f"{self.name} submit answered {job_id[:200]!r}, not a job id")
        return job_id

    def status_command(self, job_ids: Sequence[str]) -> Argv:
        """Ask batchq, by id."""
        return ("batchq", "status", "--json", *job_ids)

    def parse_status(self, reply: Reply) -> Queue:
        """Elements of each job."""
        return {
            str(job["id"]): {
                int(element["index"]): self.state(str(element["state"]))
                for element in job["elements"]
            }
            for job in self._jobs(reply)
        }

    def find_command(self, name: str) -> Argv:
        """Ask batchq, by name."""
        return ("batchq", "status", "--json", "--name", name)

    def parse_find(self, reply: Reply, name: str) -> list[str]:
        """Ids are handed out in order."""
        found = (str(job["id"]) for job in self._jobs(reply) if job["name"] == name)
        return sorted(found, key=int)

    def names_command(self) -> Argv:
        """Ask batchq for everything."""
        return ("batchq", "status", "--json")

    def parse_names(self, reply: Reply) -> dict[str, str]:
        """Jobs with a live element."""
        return {
            str(job["id"]): str(job["name"])
            for job in self._jobs(reply)
            if any(self.state(str(element["state"])).is_live for element in job["elements"])
        }

    def cancel_command(self, job_ids: Sequence[str]) -> Argv:
        """Cancel, one by one: batchq stops at the first id that it does not know."""
        if len(job_ids) == 1:
            return ("batchq", "cancel", *job_ids)
        script = 'for id; do batchq cancel "$id" || code=$?; done; exit ${code:-0}'
        return ("sh", "-c", script, "cancel", *job_ids)

    def _jobs(self, reply: Reply) -> list[dict[str, Any]]:
        self.require_answer(reply)
        try:
            jobs: list[dict[str, Any]] = json.loads(reply.stdout)["jobs"]
        except (ValueError, KeyError, TypeError) as error:
            raise TransportError(f"{self.name} status was cut short: {error}") from error
        return jobs
