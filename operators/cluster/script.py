"""The shell script of one submission, as a pure function of frozen values.

Every value that a person can set is quoted here, exactly once, with shlex; the only unquoted
expressions are the scheduler's own variables.
"""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from operators.cluster.errors import SubmissionRefused
from operators.cluster.launchers import Launch

IDENTITY = ("TASK_INDEX", "HPC_TOKEN", "HPC_JOB_ID")
MEETING = ("MASTER_ADDR", "MASTER_PORT", "HPC_MEETING")
SEARCH_PATHS = ("PATH", "LD_LIBRARY_PATH")  # as the modules have left them


@dataclass(frozen=True, slots=True, kw_only=True)
class JobScript:
    """What does not change from one submission of an array job to the next."""

    token: str
    argv: tuple[str, ...]
    """the element's command, without the index, which it reads from TASK_INDEX"""
    folder: PurePosixPath
    code: PurePosixPath
    modules: tuple[str, ...] = ()
    environment: Mapping[str, str] | None = None
    cpus: int = 1
    umask: str | None = None
    """what the element's files are made with; None leaves it to the site"""
    launch: Launch | None = None
    """what starts the element's processes; None: it is one process"""

    def render(self, elements: PurePosixPath, job_id: str, array_index: str) -> str:
        """Script text; job_id and array_index are shell expressions of the scheduler's."""
        lines = [
            "#!/bin/bash",
            f"# Array job {self.token}: line (array index + 1) of the elements file is worked on.",
            *([f"umask {self.umask}"] if self.umask else []),
            f'index="{array_index}"',
            f'TASK_INDEX="$(sed -n "$((index + 1))p" {_quote(elements)})"',
            'if [ -z "$TASK_INDEX" ]; then',
            '  echo "no element for array index $index" >&2',
            "  exit 64",
            "fi",
            "export TASK_INDEX",
            f"export HPC_TOKEN={_quote(self.token)}",
            f'export HPC_JOB_ID="{job_id}_${{index}}"',
            *_loads(self.modules),
            *_assignments(_exports(self.code, self.environment or {}, self.cpus)),
            # `python -m` looks in the current folder first: it must hold no module.
            f"cd {_quote(self.folder)} || exit 66",
            *self._meeting(),
            f"exec {shlex.join((*self._launcher(), *self.argv))}",
        ]
        return "\n".join(lines) + "\n"

    def _meeting(self) -> Iterator[str]:
        """Say where and under which name the processes meet; nobody else can know the name.

        Here is the first node, where rank 0 is started; srun says so itself.
        """
        if self.launch is None:
            return
        if self.launch.meets:
            yield f'export {MEETING[0]}="$(hostname)"'
        yield f'export {MEETING[1]}="$((20000 + $(od -An -N2 -tu2 /dev/urandom) % 12000))"'
        yield f"""export {MEETING[2]}="$(od -An -N16 -tx1 /dev/urandom | tr -d ' \\n')\""""

    def _launcher(self) -> tuple[str, ...]:
        if self.launch is None:
            return ()
        exports = _exports(self.code, self.environment or {}, self.cpus)
        return self.launch.words((*IDENTITY, *exports, *MEETING, *SEARCH_PATHS))


def login_command(
    argv: Sequence[str],
    *,
    code: PurePosixPath,
    modules: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> tuple[str, ...]:
    """Run a command on a login node as a job would run it, but for its cores: one serves."""
    exports = _assignments(_exports(code, environment or {}, 1))
    lines = (*_loads(modules), *exports, 'exec "$@"')
    return ("bash", "-c", "\n".join(lines), "profile", *argv)


def _loads(modules: Sequence[str]) -> Iterator[str]:
    """Load modules, or end; shells that are no login shells may not know the command yet."""
    if modules:
        yield "type module >/dev/null 2>&1 || . /etc/profile"
    for module in modules:
        words = _quote(f"module {module} cannot be loaded")
        yield f"module load {_quote(module)} || {{ echo {words} >&2; exit 65; }}"


def _exports(
    code: PurePosixPath, environment: Mapping[str, str], cpus: int
) -> Mapping[str, object]:
    if ":" in str(code):
        raise SubmissionRefused(
            f"'{code}' holds a colon, at which PYTHONPATH would be split: another hpc_jobs might "
            "run; name another workspace"
        )
    # One element, its cpus: numerical libraries would otherwise take the whole node.
    names = ("OMP", "OPENBLAS", "MKL", "NUMBA")
    values: dict[str, object] = dict.fromkeys((f"{name}_NUM_THREADS" for name in names), cpus)
    values |= {"PYTHONUNBUFFERED": 1, "PYTHONPATH": code}
    # Beside the code, not inside: a new version with the same kernels compiles nothing.
    values |= {"NUMBA_CACHE_DIR": code.parent / "kernels"}
    values |= {"YIELDLOOP_NATIVE": code.parent / "native"}
    return {**values, **environment}


def _assignments(values: Mapping[str, object]) -> Iterator[str]:
    return (f"export {name}={_quote(value)}" for name, value in values.items())


def _quote(value: object) -> str:
    return shlex.quote(str(value))
