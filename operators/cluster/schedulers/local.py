"""The one-machine stack's batch queue: `batchq submit | status | cancel`."""

import json
from collections.abc import Sequence
from typing import NamedTuple

from operators.cluster.answers import Argv
from operators.cluster.errors import TransportError
from operators.cluster.job import ArrayRequest, ElementState, Status
from operators.cluster.reply import Reply
from operators.cluster.schedulers.scheduler import Scheduler

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


class BatchqJob(NamedTuple):
    """One of batchq's."""

    id: str
    name: str
    elements: list[tuple[int, str]]
    """index, native state"""


class Local(Scheduler):
    """batchq speaks JSON and forgets nothing quickly; it has no accounting of its own."""

    name = "batchq"
    job_id_variable = "${BATCHQ_JOB_ID}"
    array_index_variable = "${BATCHQ_ARRAY_INDEX:-0}"
    states = {native: ElementState(native) for native in NATIVE}
    job_id = r"[0-9]{1,18}"
    outage = ("not running", "cannot reach", "connection refused", "try again")
    ambiguous = ("timed out",)
    gone = ("no job",)
    refusal = ("refused", "usage:", "error:", "batchq_state is not set")
    cannot = {
        "memory": "it grants memory by the element: say per_node in the cluster's file",
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
        return self.ask(
            *("batchq", "submit", str(request.script), "--name", request.name),
            *("--array", f"0-{request.elements - 1}", "--cpus", str(wanted.cpus)),
            *("--memory-mib", str(wanted.memory_mib), "--walltime-s", str(wanted.walltime_s)),
            *("--log-dir", str(request.log_folder)),
        )

    def status_command(self, job_ids: Sequence[str]) -> Argv:
        """Ask batchq, by id."""
        return self.ask("batchq", "status", "--json", *job_ids)

    def parse_status(self, reply: Reply, job_ids: Sequence[str]) -> Status:
        """Elements of each job; batchq leaves out what it does not know."""
        told = self._jobs(reply)
        return Status(
            {
                job.id: {index: self.state(state) for index, state in job.elements}
                for job in told
                if job.id in job_ids
            }
        )

    def find_command(self, name: str, age_s: float) -> Argv:
        """Ask batchq, by name."""
        return self.ask("batchq", "status", "--json", "--name", name)

    def parse_find(self, reply: Reply, name: str) -> list[str]:
        """Ids are handed out in order."""
        return sorted((job.id for job in self._jobs(reply) if job.name == name), key=int)

    def names_command(self) -> Argv:
        """Ask batchq for everything."""
        return self.ask("batchq", "status", "--json")

    def parse_names(self, reply: Reply) -> dict[str, str]:
        """Jobs with a live element."""
        return {
            job.id: job.name
            for job in self._jobs(reply)
            if any(self.state(state).is_live for _, state in job.elements)
        }

    def cancel_command(self, job_ids: Sequence[str]) -> Argv:
        """Cancel, one by one: batchq stops at the first id that it does not know."""
        script = 'for id; do batchq cancel "$id" || code=$?; done; exit ${code:-0}'
        return self.ask_by(script, *job_ids)

    def cancel_elements_command(self, job_id: str, indices: Sequence[int]) -> Argv:
        """Cancel the job: batchq knows no smaller thing, and its other elements are tried again."""
        return self.cancel_command([job_id])

    def _jobs(self, reply: Reply) -> list[BatchqJob]:
        text = self.answer(reply)
        try:
            return [
                BatchqJob(
                    self.require_id(str(job["id"]), text),
                    str(job["name"]),
                    [(int(each["index"]), str(each["state"])) for each in job["elements"]],
                )
                for job in json.loads(text)["jobs"]
            ]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise TransportError(f"{self.name} status is no answer: {error}") from error
