"""`python -m tests.clusters.record FOLDER`: record what this Slurm says, one command a file.

Every command goes through ssh to a login node. Host names, paths and the user are renamed,
nothing else. Takes about three minutes, most of it waiting for walltimes and forgotten jobs.
"""

import re
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.clusters.hpc_site import Site
from tests.clusters.slurm import SlurmCluster

# The formats of operators.cluster.schedulers.slurm, and what people type.
SQUEUE = "squeue --me --array --states=all --noheader '--format=%F|%K|%T'"
SQUEUE_FOLDED = "squeue --me --states=all --noheader '--format=%F|%K|%T|%r'"
SACCT = "env SLURM_BITSTR_LEN=0 sacct --allocations --noheader --parsable2 --format=JobID,State"
SQUARES = ",".join(str(number**2) for number in range(30))
GREEDY = """python3 -c 'import time; x = b"1" * (400 << 20); time.sleep(30)'"""
SACCT_FULL = (
    "sacct --allocations --parsable2 --format=JobID,JobIDRaw,JobName,State,ExitCode,"
    "DerivedExitCode,Submit,Start,End,ElapsedRaw,CPUTimeRAW,AllocTRES,NodeList,Reason"
)


class Recorder:
    """Runs commands on a login node and keeps what they answer."""

    def __init__(self, site: Site, folder: Path) -> None:
        self.site = site
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def keep(self, name: str, cluster: SlurmCluster, command: str) -> str:
        """Record one command; returns its stdout as it was."""
        done = cluster.login.run(command)
        parts = [f"$ {command}\n", "--- stdout\n", done.stdout, "--- stderr\n", done.stderr]
        text = "".join(part if part.endswith("\n") or not part else part + "\n" for part in parts)
        text = self._renamed(text + f"[exit {done.returncode}]\n")
        (self.folder / f"{name}.txt").write_text(text)
        print(f"{name}: exit {done.returncode}")
        return done.stdout

    def submit(self, name: str, cluster: SlurmCluster, script: str, *options: str) -> str:
        """Record an sbatch of a script; returns the job id, empty when there is none."""
        path = self.site.shared / f"{name}.sh"
        path.write_text(f"#!/bin/bash\n{script}\n")
        output = f"--output={self.site.shared}/%A_%a.out"
        argv = ["sbatch", "--parsable", output, *options, str(path)]
        return self.keep(f"sbatch_{name}", cluster, shlex.join(argv)).strip()

    def wait(
        self, cluster: SlurmCluster, job_id: str, states: Sequence[str], timeout_s: float = 150
    ) -> None:
        """Wait until all elements of a job are in one of the states."""
        deadline = time.monotonic() + timeout_s
        while True:
            found = cluster.admin("squeue", "--array", "--states=all", "-h", "-o%T", f"-j{job_id}")
            if set(found.split()) <= set(states):
                return
            if time.monotonic() > deadline:
                told = cluster.admin("squeue", "--array", f"-j{job_id}")
                raise TimeoutError(f"job {job_id} is not {states}:\n{told}")
            time.sleep(0.2)

    def wait_accounting(self, cluster: SlurmCluster, job_id: str, states: Sequence[str]) -> None:
        """Wait until the accounting, which lags behind, says so too."""
        deadline = time.monotonic() + 60
        argv = ("sacct", "-X", "-n", "-P", "--format=State,End", f"--jobs={job_id}")
        while True:
            lines = [line.split("|") for line in cluster.admin(*argv).splitlines()]
            ended = all(end not in ("", "Unknown") for _, end in lines)
            if lines and ended and {state.split()[0] for state, _ in lines} <= set(states):
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"accounting says {lines} of job {job_id}, not {states}")
            time.sleep(0.2)

    def _renamed(self, text: str) -> str:
        text = text.replace("\\/", "/") if " --json" in text else text
        text = text.replace(str(self.site.shared), "/shared/ws/run")
        text = re.sub(r"/root\b", "/home/hpc", text)
        for cluster in self.site.clusters:
            text = text.replace(str(cluster.folder), f"/etc/slurm-{cluster.name}")
            port = cluster.controller_port
            text = re.sub(rf"\b{port}\b", "6817", text)
        text = re.sub(rf"\b{self.site.accounting_port}\b", "6819", text)
        text = text.replace("root(0)", "hpc(1000)").replace("CANCELLED by 0", "CANCELLED by 1000")
        text = re.sub(r"\broot\b", "hpc", text)
        return re.sub(rf"\b({self.site.hostname}|localhost)\b", "node", text)


def outcomes(record: Recorder) -> None:
    """Ways in which elements end, seen by queue and accounting."""
    alpha = record.site.alpha
    timeout = record.submit("timeout", alpha, "sleep 600", "--array=0-1", "--time=1", "-wa1")
    record.wait(alpha, timeout, ["RUNNING"])
    array = record.submit(
        "array", alpha, 'sleep 1; [ "$SLURM_ARRAY_TASK_ID" != 3 ] || exit 7', "--array=0-9"
    )
    single = record.submit("single", alpha, "hostname", "--job-name=single")
    memory = record.submit("out_of_memory", alpha, GREEDY, "--array=0", "--mem=100M")
    record.wait(alpha, array, ["COMPLETED", "FAILED"])
    record.keep("squeue_finished", alpha, SQUEUE)
    record.wait_accounting(alpha, array, ["COMPLETED", "FAILED"])
    record.keep("sacct_array_one_failed", alpha, f"{SACCT} --jobs={array}")
    record.keep("scontrol_show_job_array_finished", alpha, f"scontrol -o show job {array}")
    record.keep("scontrol_show_job_single_finished", alpha, f"scontrol -o show job {single}")
    record.wait(alpha, memory, ["OUT_OF_MEMORY"])
    record.wait_accounting(alpha, memory, ["OUT_OF_MEMORY"])
    record.keep("sacct_out_of_memory", alpha, f"{SACCT_FULL} --jobs={memory}")
    record.keep("squeue_out_of_memory", alpha, f"{SQUEUE} --jobs={memory}")

    stays = record.submit(
        "node_fail", alpha, "sleep 600", "--array=0-1", "--no-requeue", "-w", "a3"
    )
    again = record.submit("requeued", alpha, "sleep 600", "--array=0-1", "--requeue", "-w", "a3")
    record.wait(alpha, stays, ["RUNNING"])
    record.wait(alpha, again, ["RUNNING"])
    alpha.declare_down("a3")
    record.wait(alpha, stays, ["NODE_FAIL"])
    record.wait_accounting(alpha, stays, ["NODE_FAIL"])
    record.keep("sacct_node_fail", alpha, f"{SACCT} --jobs={stays}")
    record.keep("sacct_requeued", alpha, f"{SACCT} --jobs={again}")
    record.keep("sacct_requeued_duplicates", alpha, f"{SACCT} --duplicates --jobs={again}")
    record.keep("squeue_node_fail", alpha, SQUEUE_FOLDED)
    record.keep("sinfo_node_down", alpha, "sinfo --Node --long")
    record.keep("scancel_quiet", alpha, f"scancel --quiet {again} {array}")
    alpha.resume("a3")

    idle = record.submit("preempted", alpha, "sleep 600", "--array=0-3", "-pidle", "-wa2")
    record.wait(alpha, idle, ["RUNNING"])
    urgent = record.submit("urgent", alpha, "sleep 2", "--array=0-1", "-purgent", "-wa2")
    record.wait(alpha, urgent, ["COMPLETED"])
    record.keep("squeue_preempted", alpha, SQUEUE_FOLDED)
    record.keep("sacct_preempted", alpha, f"{SACCT} --jobs={idle}")
    alpha.admin("scancel", idle)

    stubborn = record.submit("stubborn", alpha, "trap '' TERM CONT; while :; do sleep 1; done")
    record.wait(alpha, stubborn, ["RUNNING"])
    time.sleep(1)
    record.keep("scancel_running", alpha, f"scancel {stubborn}")
    record.keep("squeue_completing", alpha, f"{SQUEUE} --jobs={stubborn}")
    record.keep("squeue_completing_compact", alpha, f"squeue --jobs={stubborn}")
    record.wait(alpha, stubborn, ["CANCELLED"])
    record.wait_accounting(alpha, stubborn, ["CANCELLED"])
    record.keep("sacct_cancelled", alpha, f"{SACCT} --jobs={stubborn}")
    record.keep("scancel_ended", alpha, f"scancel {stubborn}")
    record.keep("scancel_unknown", alpha, "scancel 99999")

    record.wait(alpha, timeout, ["TIMEOUT"])
    record.wait_accounting(alpha, timeout, ["TIMEOUT"])
    record.keep("sacct_timeout", alpha, f"{SACCT_FULL} --jobs={timeout}")
    record.keep("squeue_timeout", alpha, f"{SQUEUE} --jobs={timeout}")
    record.keep("scontrol_show_job_timeout", alpha, f"scontrol -o show job {timeout}")
    record.keep("sacct_all", alpha, f"{SACCT_FULL} --starttime=now-1hour")
    record.keep("sacct_with_steps", alpha, f"sacct --parsable2 --format=JobID,State --jobs={array}")
    record.keep("sacct_json", alpha, f"sacct --json --jobs={single}")


def memory_polled(record: Recorder) -> None:
    """Too much memory on a cluster without cgroups."""
    alpha = record.site.alpha
    job = record.submit("memory_polled", alpha, GREEDY, "--array=0", "--mem=100M")
    record.wait(alpha, job, ["FAILED"])
    time.sleep(2)
    record.keep("sacct_memory_polled", alpha, f"{SACCT_FULL} --jobs={job}")
    record.keep("squeue_memory_polled", alpha, f"{SQUEUE} --jobs={job}")
    record.keep("output_memory_polled", alpha, f"cat {record.site.shared}/{job}_0.out")


def waiting(record: Recorder) -> None:
    """A throttled array, and jobs that cannot start, each with its reason."""
    alpha = record.site.alpha
    many = record.submit("throttled", alpha, "sleep 600", "--array=0-9%2", "--job-name=fem.0")
    after = record.submit("dependent", alpha, "true", "--array=0-2", f"--dependency=afterok:{many}")
    record.submit("held", alpha, "true", "--hold")
    record.submit("later", alpha, "true", "--begin=now+1hour")
    record.submit("partition_down", alpha, "true", "-pclosed")
    record.submit("too_long_for_partition", alpha, "true", "--time=02:00:00")
    alpha.drain("a1")
    record.submit("drained_node", alpha, "true", "-wa1")
    wide = record.submit("resources", alpha, "true", "--array=0-29", "--cpus-per-task=4")
    time.sleep(3)
    record.keep("squeue", alpha, "squeue")
    record.keep("squeue_array", alpha, SQUEUE)
    record.keep("squeue_folded", alpha, SQUEUE_FOLDED)
    record.keep("squeue_throttled_array", alpha, f"{SQUEUE} --jobs={many}")
    record.keep("squeue_throttled_folded", alpha, f"{SQUEUE_FOLDED} --jobs={many}")
    record.keep("squeue_names", alpha, "squeue --me --noheader '--format=%F|%j'")
    record.keep("squeue_by_name", alpha, "squeue --me --noheader '--format=%F|%j' --name=fem.0")
    record.keep("sacct_throttled", alpha, f"{SACCT} --jobs={many}")
    record.keep("sacct_by_name", alpha, f"{SACCT},JobName --name=fem.0 --starttime=now-7days")
    record.keep("scontrol_show_job_throttled", alpha, f"scontrol -o show job {many}")
    record.keep("sinfo_drained", alpha, "sinfo --Node --long")
    record.keep("scancel_elements", alpha, f"scancel {many}_0 {many}_[4-6]")
    time.sleep(3)
    record.keep("squeue_elements_cancelled", alpha, f"{SQUEUE_FOLDED} --jobs={many}")
    record.keep("sacct_elements_cancelled", alpha, f"{SACCT} --jobs={many}")
    record.keep("scancel_arrays", alpha, f"scancel --quiet {many} {after} {wide}")
    time.sleep(3)
    record.keep("sacct_arrays_cancelled", alpha, f"{SACCT} --jobs={many},{after},{wide}")
    gaps = record.submit("gaps", alpha, "true", f"--array={SQUARES}", "--hold")
    steps = record.submit("steps", alpha, "true", "--array=0-18:2%2", "--hold")
    record.keep("squeue_steps", alpha, f"{SQUEUE_FOLDED} --jobs={steps}")
    record.keep("sacct_steps_of_two", alpha, f"{SACCT} --jobs={steps}")
    record.keep("squeue_gaps_cut", alpha, f"{SQUEUE_FOLDED} --jobs={gaps}")
    record.keep("squeue_gaps", alpha, f"env SLURM_BITSTR_LEN=0 {SQUEUE_FOLDED} --jobs={gaps}")
    record.keep("sacct_gaps_cut", alpha, SACCT.partition("LEN=0 ")[2] + f" --jobs={gaps}")
    record.keep("sacct_gaps", alpha, f"{SACCT} --jobs={gaps}")
    alpha.admin("scancel", "-u", "root")
    alpha.resume("a1")


def refused(record: Recorder) -> None:
    """Submissions that never become a job."""
    alpha, beta = record.site.clusters
    record.keep("squeue_empty", beta, SQUEUE)
    record.submit("refused_partition", alpha, "true", "--partition=nowhere")
    record.submit("refused_account", alpha, "true", "--account=nobody")
    record.submit("refused_qos", alpha, "true", "--qos=express")
    record.submit("refused_memory", alpha, "true", "--mem=1T", "--array=0-2")
    # Some refusals leave a job behind, under the name and with an id that sbatch never told.
    record.keep("squeue_after_refused", alpha, "squeue --me --states=all -h '--format=%F|%K|%T|%j'")
    # Accepted all the same, and never started: PartitionConfig.
    record.submit("never_starts", alpha, "true", "--cpus-per-task=400", "--nodes=1")
    record.submit("refused_gpus", alpha, "true", "--gres=gpu:1")
    record.submit("refused_gpus_too_many", beta, "true", "--gres=gpu:9")
    record.submit("refused_array_size", beta, "true", "--array=0-11")
    record.submit("refused_reservation", alpha, "true", "--reservation=workshop")
    record.submit("refused_time", alpha, "true", "--time=soon")
    record.submit("refused_option", alpha, "true", "--walltime=10")
    record.keep("sbatch_refused_no_script", alpha, "sbatch --parsable /shared/nothing.sh")
    (record.site.shared / "text").write_text("not a script\n")
    record.keep("sbatch_refused_no_shebang", alpha, f"sbatch {record.site.shared}/text")


def unknown(record: Recorder) -> None:
    """Jobs that nobody knows (any more)."""
    alpha, beta = record.site.clusters
    record.keep("version", alpha, "sbatch --version")
    record.keep("squeue_unknown", alpha, "squeue --noheader --jobs=99999")
    record.keep("squeue_unknown_and_known", alpha, "squeue --noheader --jobs=99998,99999")
    record.keep("sacct_unknown", alpha, f"{SACCT} --jobs=99999")
    record.keep("scontrol_show_job_unknown", alpha, "scontrol -o show job 99999")
    record.keep("sacct_disabled", beta, f"{SACCT} --jobs=1")
    record.keep("sacct_disabled_json", beta, "sacct --json --jobs=1")
    gpu = record.submit("gpu", beta, "echo $CUDA_VISIBLE_DEVICES", "--array=0-1", "--gres=gpu:1")
    record.wait(beta, gpu, ["COMPLETED"])
    record.keep("squeue_no_accounting_finished", beta, SQUEUE)
    record.keep("squeue_json", beta, "squeue --json")
    deadline = time.monotonic() + 150
    while beta.admin("squeue", "--states=all", "--noheader").strip():
        if time.monotonic() > deadline:
            raise TimeoutError("beta does not forget its jobs")
        time.sleep(1)
    record.keep("squeue_forgotten", beta, f"squeue --noheader --states=all --jobs={gpu}")
    record.keep("scontrol_show_job_forgotten", beta, f"scontrol -o show job {gpu}")


def outages(record: Recorder) -> None:
    """Daemons that are down or do not answer."""
    alpha = record.site.alpha
    job = record.submit("before_outage", alpha, "sleep 600", "--array=0-1", "--job-name=before")
    record.wait(alpha, job, ["RUNNING"])
    alpha.controller.pause()
    record.submit("timed_out", alpha, "sleep 30", "--array=0-1", "--job-name=ambiguous")
    record.keep("squeue_timed_out", alpha, SQUEUE)
    record.keep("scancel_timed_out", alpha, "scancel --quiet --name=nobody")
    alpha.controller.resume()
    time.sleep(3)
    # The scheduler had read the request: the job exists although sbatch said otherwise.
    record.keep("squeue_after_timed_out", alpha, "squeue --me --noheader '--format=%F|%j|%T'")
    alpha.controller.kill()
    record.submit("controller_down", alpha, "true", "--array=0-1")
    record.keep("squeue_controller_down", alpha, SQUEUE)
    record.keep("sacct_controller_down", alpha, f"{SACCT} --jobs={job}")
    record.keep("scancel_controller_down", alpha, f"scancel --quiet {job}")
    record.keep("scontrol_show_job_controller_down", alpha, f"scontrol -o show job {job}")
    alpha.controller.start()
    record.keep("squeue_controller_back", alpha, f"{SQUEUE} --jobs={job}")
    record.site.accounting.kill()
    record.keep("sacct_accounting_down", alpha, f"{SACCT} --jobs={job}")
    record.submit("accounting_down", alpha, "true", "--array=0-1")
    record.site.accounting.start()
    alpha.admin("scancel", "-u", "root")


def main() -> None:
    """Record everything into the folder named on the command line."""
    with Site() as site:
        record = Recorder(site, Path(sys.argv[1]))
        for scene in (outcomes, refused, unknown, waiting, outages):
            scene(record)
    with Site(memory_cgroups=False) as site:
        memory_polled(Recorder(site, Path(sys.argv[1])))


if __name__ == "__main__":
    main()
