"""The clusters themselves: what the tests build on behaves as Slurm does."""

import re
import shlex
import time
from pathlib import Path

from tests.clusters.hpc_site import Site
from tests.clusters.slurm import SlurmCluster
from tests.harness.waiting import PATIENCE_S, wait_until


def sbatch(cluster: SlurmCluster, folder: Path, script: str, *options: str) -> str:
    path = folder / "script.sh"
    path.write_text(f"#!/bin/bash\n{script}\n")
    output = f"--output={str(folder).replace('%', '%%')}/%a.out"
    argv = ["sbatch", "--parsable", output, *options, str(path)]
    done = cluster.login.run(shlex.join(argv))
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def states(cluster: SlurmCluster, job_id: str) -> dict[int, str]:
    command = f"squeue --array --states=all --noheader --format='%K|%T' --jobs={job_id}"
    lines = cluster.login.run(command).stdout.split()
    return {int(index): state for index, state in (line.split("|") for line in lines)}


def expect_state(cluster: SlurmCluster, job_id: str, *wanted: str, timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while set(states(cluster, job_id).values()) - set(wanted):
        assert time.monotonic() < deadline, f"{states(cluster, job_id)}, wanted {wanted}"
        time.sleep(0.2)


def sacct(cluster: SlurmCluster, job_id: str) -> dict[str, str]:
    command = f"sacct -X -n -P --format=JobID,State --jobs={job_id}"
    lines = cluster.login.run(command).stdout.splitlines()
    return dict(line.split("|") for line in lines)


def test_an_array_of_ten_runs_and_its_files_are_seen_by_both_clusters(
    cluster: SlurmCluster, site: Site, folder: Path
) -> None:
    job_id = sbatch(cluster, folder, 'echo "$SLURM_ARRAY_TASK_ID"', "--array=0-9")
    expect_state(cluster, job_id, "COMPLETED")
    for reader in site.clusters:
        seen = reader.login.run(f"cat {shlex.quote(str(folder))}/*.out").stdout.split()
        assert sorted(map(int, seen)) == list(range(10))


def test_alpha_keeps_accounts_and_beta_keeps_none(
    alpha: SlurmCluster, beta: SlurmCluster, folder: Path
) -> None:
    job_id = sbatch(alpha, folder, 'exit "$SLURM_ARRAY_TASK_ID"', "--array=0-1")
    expect_state(alpha, job_id, "COMPLETED", "FAILED")
    deadline = time.monotonic() + 10
    while sacct(alpha, job_id) != {f"{job_id}_0": "COMPLETED", f"{job_id}_1": "FAILED"}:
        assert time.monotonic() < deadline, sacct(alpha, job_id)
        time.sleep(0.2)
    refused = beta.login.run("sacct")
    assert refused.returncode == 1
    assert "disabled" in refused.stderr


def test_beta_refuses_arrays_above_its_limit(beta: SlurmCluster, folder: Path) -> None:
    (folder / "script.sh").write_text("#!/bin/sh\n")
    script = shlex.quote(str(folder / "script.sh"))
    refused = beta.login.run(f"sbatch --array=0-11 {script}")
    assert refused.returncode == 1
    assert "Invalid job array specification" in refused.stderr


def test_beta_grants_gpus_one_by_one(beta: SlurmCluster, folder: Path) -> None:
    script = 'echo "$CUDA_VISIBLE_DEVICES"; sleep 2'
    job_id = sbatch(beta, folder, script, "--array=0-3", "--gres=gpu:1")
    expect_state(beta, job_id, "COMPLETED")
    granted = sorted((folder / f"{index}.out").read_text().strip() for index in range(4))
    assert granted == ["0", "0", "1", "1"]


def test_an_unknown_partition_is_refused(cluster: SlurmCluster) -> None:
    refused = cluster.login.run("sbatch --partition=nowhere --wrap=true")
    assert refused.returncode == 1
    assert "invalid partition specified: nowhere" in refused.stderr


def test_scancel_ends_what_runs_and_what_waits(cluster: SlurmCluster, folder: Path) -> None:
    job_id = sbatch(cluster, folder, "sleep 60", "--array=0-3%1")
    expect_state(cluster, job_id, "PENDING", "RUNNING")
    assert cluster.login.run(f"scancel {job_id}").returncode == 0
    expect_state(cluster, job_id, "CANCELLED")


def test_a_job_over_its_walltime_ends_as_timeout(alpha: SlurmCluster, folder: Path) -> None:
    job_id = sbatch(alpha, folder, "sleep 600", "--array=0", "--time=30")
    expect_state(alpha, job_id, "RUNNING")
    alpha.expire(job_id)
    expect_state(alpha, job_id, "TIMEOUT")


def test_a_greedy_job_is_killed(site: Site, alpha: SlurmCluster, folder: Path) -> None:
    script = "exec python3 -c 'import time; x = b\"1\" * (400 << 20); time.sleep(60)'"
    job_id = sbatch(alpha, folder, script, "--array=0", "--mem=100M")
    expect_state(alpha, job_id, "OUT_OF_MEMORY" if site.out_of_memory_is_told else "FAILED")


def test_a_dead_node_fails_its_jobs_and_comes_back(alpha: SlurmCluster, folder: Path) -> None:
    job_id = sbatch(alpha, folder, "sleep 600", "--array=0", "--nodelist=a2", "--no-requeue")
    expect_state(alpha, job_id, "RUNNING")
    alpha.power_off("a2")
    alpha.declare_down("a2")
    expect_state(alpha, job_id, "NODE_FAIL")
    alpha.resume("a2")
    job_id = sbatch(alpha, folder, "true", "--array=0", "--nodelist=a2")
    expect_state(alpha, job_id, "COMPLETED")


def test_an_urgent_job_preempts(alpha: SlurmCluster, folder: Path) -> None:
    idle = sbatch(alpha, folder, "sleep 600", "--array=0-2", "--partition=idle", "--exclusive")
    expect_state(alpha, idle, "RUNNING")
    urgent = sbatch(alpha, folder, "true", "--array=0", "--partition=urgent", "--exclusive")
    expect_state(alpha, urgent, "COMPLETED")
    assert sorted(states(alpha, idle).values()) == ["PREEMPTED", "RUNNING", "RUNNING"]


def test_a_request_that_timed_out_is_carried_out_all_the_same(
    alpha: SlurmCluster, folder: Path
) -> None:
    """The reason why an ambiguous reply is never followed by another submit at once."""
    with alpha.controller.paused():
        said = alpha.login.run("sbatch --array=0 --job-name=ambiguous --wrap='sleep 60'")
    assert said.returncode == 1
    assert "Socket timed out" in said.stderr

    def names() -> list[str]:
        return alpha.login.run("squeue --noheader --format=%j").stdout.split()

    wait_until(lambda: names() == ["ambiguous"], what="the job is queued, once")


def test_jobs_outlive_their_controller(cluster: SlurmCluster, folder: Path) -> None:
    job_id = sbatch(cluster, folder, "sleep 3; echo done", "--array=0")
    expect_state(cluster, job_id, "RUNNING")
    cluster.controller.stop()  # not a crash: that forgets the last seconds
    silent = cluster.login.run("squeue")
    assert silent.returncode == 1
    assert "Unable to contact slurm controller" in silent.stderr
    output = folder / "0.out"  # the job ends while nobody can be told
    wait_until(lambda: output.read_text() == "done\n", what="the job has ended")
    cluster.controller.start()
    expect_state(cluster, job_id, "COMPLETED")


def test_a_cut_connection_leaves_what_it_started(alpha: SlurmCluster, folder: Path) -> None:
    witness = folder / "witness"
    began = folder / "began"
    paths = [shlex.quote(str(path)) for path in (began, witness)]
    script = f"trap '' HUP; touch {paths[0]}; sleep 1; touch {paths[1]}"
    with alpha.login.popen(script) as process:
        wait_until(began.exists)
        alpha.login.cut()
        assert process.wait(PATIENCE_S) == 255
    wait_until(witness.exists, what="what was started goes on")
    assert alpha.login.run("echo back").stdout == "back\n"


def test_a_login_node_may_show_another_key_or_refuse_ours(beta: SlurmCluster) -> None:
    with beta.login.key_refused():
        refused = beta.login.run("true")
        assert refused.returncode == 255
        assert "Permission denied" in refused.stderr
    with beta.login.another_host_key():
        refused = beta.login.run("true")
        assert refused.returncode == 255
        assert "Host key verification failed" in refused.stderr
    assert beta.login.run("true").returncode == 0


def test_a_command_can_be_answered_by_a_script(alpha: SlurmCluster) -> None:
    with alpha.login.command("squeue", '"$REAL" --version; exit 3'):
        done = alpha.login.run("squeue")
    assert done.returncode == 3
    assert re.match(r"slurm-wlm \d+", done.stdout)
    assert alpha.login.run("squeue").returncode == 0
