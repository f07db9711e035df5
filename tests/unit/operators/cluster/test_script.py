"""The job script: golden, and run by a real shell with the ugliest names."""

import ast
import socket
import subprocess
import sys
from pathlib import Path, PurePosixPath

import pytest

from operators.cluster.errors import SubmissionRefused
from operators.cluster.launchers import LAUNCHERS, Launch
from operators.cluster.script import JobScript, login_command

GOLDEN = """\
#!/bin/bash
# Array job solve-0123456789: line (array index + 1) of the elements file is worked on.
index="${BATCHQ_ARRAY_INDEX:-0}"
TASK_INDEX="$(sed -n "$((index + 1))p" /ws/run/jobs/t/elements-0.txt)"
if [ -z "$TASK_INDEX" ]; then
  echo "no element for array index $index" >&2
  exit 64
fi
export TASK_INDEX
export HPC_TOKEN=solve-0123456789
export HPC_JOB_ID="${BATCHQ_JOB_ID}_${index}"
type module >/dev/null 2>&1 || . /etc/profile
module load python/3.11 || { echo 'module python/3.11 cannot be loaded' >&2; exit 65; }
export OMP_NUM_THREADS=2
export OPENBLAS_NUM_THREADS=2
export MKL_NUM_THREADS=2
export NUMBA_NUM_THREADS=2
export PYTHONUNBUFFERED=1
export PYTHONPATH=/ws/code/abc
export NUMBA_CACHE_DIR=/ws/code/kernels
export YIELDLOOP_NATIVE=/ws/code/native
export LICENSE='27000@host; rm -rf /'
cd /ws/run/jobs/t || exit 66
exec python3 -m hpc_jobs.jobs.solve_shard /ws/run --round 0
"""


def test_golden() -> None:
    script = JobScript(
        token="solve-0123456789",
        argv=("python3", "-m", "hpc_jobs.jobs.solve_shard", "/ws/run", "--round", "0"),
        folder=PurePosixPath("/ws/run/jobs/t"),
        code=PurePosixPath("/ws/code/abc"),
        modules=("python/3.11",),
        environment={"LICENSE": "27000@host; rm -rf /"},
        cpus=2,
    )
    text = script.render(
        PurePosixPath("/ws/run/jobs/t/elements-0.txt"),
        "${BATCHQ_JOB_ID}",
        "${BATCHQ_ARRAY_INDEX:-0}",
    )
    assert text == GOLDEN


EXPORTED = (
    "-x TASK_INDEX -x HPC_TOKEN -x HPC_JOB_ID -x OMP_NUM_THREADS -x OPENBLAS_NUM_THREADS "
    "-x MKL_NUM_THREADS -x NUMBA_NUM_THREADS -x PYTHONUNBUFFERED -x PYTHONPATH "
    "-x NUMBA_CACHE_DIR -x YIELDLOOP_NATIVE -x LICENSE -x MASTER_ADDR -x MASTER_PORT "
    "-x HPC_MEETING -x PATH -x LD_LIBRARY_PATH"
)
NAMED = (
    'export MASTER_PORT="$((20000 + $(od -An -N2 -tu2 /dev/urandom) % 12000))"\n'
    """export HPC_MEETING="$(od -An -N16 -tx1 /dev/urandom | tr -d ' \\n')"\n"""
)
MEETING = f'export MASTER_ADDR="$(hostname)"\n{NAMED}'
LAUNCHED = {
    "srun": (
        f"{NAMED}exec srun --nodes=3 --ntasks=12 --ntasks-per-node=4 --cpus-per-task=2 "
        "--kill-on-bad-exit=1 --wait=0 --export=ALL '--own option' "
    ),
    "openmpi": (
        f"{MEETING}exec mpiexec -n 12 --map-by ppr:4:node --bind-to none {EXPORTED} '--own option' "
    ),
    "mpich": f"{MEETING}exec mpiexec -n 12 -ppn 4 '--own option' ",
}


@pytest.mark.parametrize("kind", LAUNCHERS)
def test_a_launcher_stands_before_the_command(kind: str) -> None:
    script = JobScript(
        token="train-0123456789",
        argv=("python3", "-m", "hpc_jobs.jobs.train", "/ws/it's"),
        folder=PurePosixPath("/ws/t"),
        code=PurePosixPath("/ws/code/abc"),
        environment={"LICENSE": "27000@host"},
        cpus=2,
        launch=Launch(kind=kind, nodes=3, tasks_per_node=4, cpus=2, options=("--own option",)),
    )
    text = script.render(PurePosixPath("/ws/elements"), "${J}", "${I}")
    assert text.partition("cd /ws/t || exit 66\n")[2] == (
        LAUNCHED[kind] + "python3 -m hpc_jobs.jobs.train '/ws/it'\"'\"'s'\n"
    )


UGLY = [
    "two words",
    "it's",
    'a "quoted" name',
    "semi;touch canary;colon",
    "$(touch canary)",
    "`touch canary`",
    "new\nline",
    "-n",
    "*",
    "back\\slash",
    "&& touch canary",
    "ünïcode",
]


@pytest.mark.parametrize("ugly", UGLY)
def test_ugly_values_arrive_whole(tmp_path: Path, ugly: str) -> None:
    folder = tmp_path / ugly
    folder.mkdir()
    (folder / "elements").write_text("5\n17\n")
    tell = (
        "import os, sys, json;"
        "names = ('TASK_INDEX', 'HPC_TOKEN', 'HPC_JOB_ID', 'PYTHONPATH', 'UGLY');"
        "print(json.dumps([sys.argv[1], os.getcwd(), *(os.environ[n] for n in names)]))"
    )
    script = JobScript(
        token=ugly,
        argv=(sys.executable, "-c", tell, ugly),
        folder=PurePosixPath(str(folder)),
        code=PurePosixPath(str(folder)),
        environment={"UGLY": ugly},
    ).render(PurePosixPath(str(folder / "elements")), "${J}", "${I:-0}")
    if "\n" in ugly:  # the comment holds the token, which never has a line's end: see job_token
        script = script.replace(f"# Array job {ugly}", "# Array job")
    path = tmp_path / "script.sh"
    path.write_text(script)
    done = subprocess.run(
        ["bash", str(path)],
        env={"J": "33", "I": "1", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    import json

    expected = [ugly, str(folder), "17", ugly, "33_1", str(folder), ugly]
    assert json.loads(done.stdout) == expected
    assert not list(tmp_path.rglob("canary"))


def test_every_process_of_mpiexec_is_told_who_it_is_and_where_they_meet(tmp_path: Path) -> None:
    """Open MPI's way: a process has the variables that were named, and no other."""
    (tmp_path / "elements").write_text("5\n")
    mpiexec = tmp_path / "bin/mpiexec"
    mpiexec.parent.mkdir()
    mpiexec.write_text(
        "#!/bin/bash\nshift 6\nkept=()\n"
        'while [ "$1" = -x ]; do kept+=("$2=${!2}"); shift 2; done\n'
        'for rank in 0 1; do env -i "${kept[@]}" RANK=$rank "$@"; done\n'
    )
    mpiexec.chmod(0o755)
    names = ("TASK_INDEX", "HPC_TOKEN", "HPC_JOB_ID", "UGLY")
    names += ("MASTER_ADDR", "MASTER_PORT", "HPC_MEETING")
    tell = f"import os; print([os.environ[name] for name in ('RANK', *{names})])"
    ugly = "it's $(touch canary)"
    script = JobScript(
        token="t",
        argv=(sys.executable, "-c", tell),
        folder=PurePosixPath(str(tmp_path)),
        code=PurePosixPath(str(tmp_path)),
        environment={"UGLY": ugly},
        launch=Launch(kind="openmpi", nodes=1, tasks_per_node=2, cpus=1),
    ).render(PurePosixPath(str(tmp_path / "elements")), "${J}", "${I:-0}")
    path = f"{mpiexec.parent}:/usr/bin:/bin"
    done = subprocess.run(
        ["bash", "-c", script], env={"J": "33", "PATH": path}, capture_output=True, text=True
    )
    ranks = [ast.literal_eval(line) for line in done.stdout.splitlines()]
    assert [rank[:5] for rank in ranks] == [[str(n), "5", "t", "33_0", ugly] for n in range(2)]
    assert ranks[0][5:] == ranks[1][5:] and ranks[0][5] == socket.gethostname()
    assert 20000 <= int(ranks[0][6]) < 32000
    assert len(ranks[0][7]) == 32 and int(ranks[0][7], 16) > 2**64, "drawn, not counted"
    assert not list(tmp_path.rglob("canary"))


def test_an_index_without_an_element_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "elements").write_text("5\n")
    script = JobScript(
        token="t",
        argv=("true",),
        folder=PurePosixPath(str(tmp_path)),
        code=PurePosixPath(str(tmp_path)),
    ).render(PurePosixPath(str(tmp_path / "elements")), "${J}", "${I}")
    done = subprocess.run(
        ["bash", "-c", script], env={"I": "1", "PATH": "/usr/bin:/bin"}, capture_output=True
    )
    assert done.returncode == 64
    assert b"no element for array index 1" in done.stderr


def profiled(modules: tuple[str, ...], home: Path) -> "subprocess.CompletedProcess[str]":
    tell = "import os; print(os.environ['LOADED'], os.environ['UGLY'], os.environ['PYTHONPATH'])"
    argv = login_command(
        (sys.executable, "-c", tell),
        code=PurePosixPath("/ws/it's/code"),
        modules=modules,
        environment={"UGLY": "$(touch canary)"},
    )
    # As sites do: `module` is a function that login shells define and their children inherit.
    module = """() { case $1$2 in loadgcc*) export LOADED="$LOADED+$2";; *) return 1;; esac; }"""
    return subprocess.run(
        argv,
        env={"PATH": "/usr/bin:/bin", "LOADED": "", "BASH_FUNC_module%%": module},
        capture_output=True,
        text=True,
        cwd=home,
    )


def test_a_login_node_runs_what_a_job_would_run(tmp_path: Path) -> None:
    done = profiled(("gcc/13", "gcc it's"), tmp_path)
    assert done.stdout == "+gcc/13+gcc it's $(touch canary) /ws/it's/code\n", done.stderr
    assert not list(tmp_path.rglob("canary"))


def test_a_module_that_is_not_there_ends_the_job_and_is_named(tmp_path: Path) -> None:
    done = profiled(("gcc/13", "nosuch; touch canary"), tmp_path)
    assert (done.returncode, done.stdout) == (65, "")
    assert done.stderr == "module nosuch; touch canary cannot be loaded\n"
    assert not list(tmp_path.rglob("canary"))


def test_a_colon_in_the_path_of_the_code_is_refused() -> None:
    """PYTHONPATH would be split there, and another hpc_jobs run silently."""
    code = PurePosixPath("/ws/a:b/code/abc")
    script = JobScript(token="t", argv=("true",), folder=PurePosixPath("/ws/t"), code=code)
    with pytest.raises(SubmissionRefused, match=r"holds a colon.*name another workspace"):
        script.render(PurePosixPath("/ws/elements"), "${J}", "${I}")
    with pytest.raises(SubmissionRefused, match="holds a colon"):
        login_command(("true",), code=code)
