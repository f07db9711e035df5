"""Programs run in scratch folders, which are removed afterwards, or kept where one failed."""

import logging
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

KEEP = "YIELDLOOP_KEEP_SCRATCH"
"""Environment variable: a folder to which the scratch folders of failed runs are moved."""
LOG = "solver.log"
LAST_WORDS = 2000  # characters


@dataclass(slots=True)
class Scratch:
    """A scratch folder; set `failed` to have it kept, if that was asked for."""

    folder: Path
    failed: bool = False


@contextmanager
def scratch(name: str) -> Iterator[Scratch]:
    """Yield an empty folder below TMPDIR; failed, or by an exception, it goes to KEEP, if set."""
    made = Scratch(Path(tempfile.mkdtemp(prefix=f"{name}-")))
    try:
        yield made
    except BaseException:
        made.failed = True
        raise
    finally:
        place = os.environ.get(KEEP)
        if made.failed and place:
            kept = Path(place) / made.folder.name
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(made.folder, kept)
            log.warning("the failed run's files are in %s", kept)
        else:
            shutil.rmtree(made.folder, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended."""

    code: int | None  # None: it ran into the time limit
    words: str  # the end of what it printed

    @property
    def timed_out(self) -> bool:
        """Whether it was killed for taking too long."""
        return self.code is None


def run(argv: Sequence[str], folder: Path, limit_s: float, environment: Mapping[str, str]) -> Ended:
    """Run a program in `folder`, its output in solver.log; no shell; killed at the time limit.

    Its own process group: what it started dies with it, and the batch system still sees a part of
    the job's session.
    """
    with (folder / LOG).open("wb") as output:
        process = subprocess.Popen(
            argv,
            cwd=folder,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
        code: int | None = None
        try:
            code = process.wait(max(limit_s, 0.0))
        except subprocess.TimeoutExpired:
            log.warning("%s took more than %.3g s and is killed", argv[0], limit_s)
        finally:
            if code is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    return Ended(code, _last_words(folder / LOG))


def _last_words(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - LAST_WORDS))
        return file.read().decode(errors="replace").strip()
