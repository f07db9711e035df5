"""How this engine compiles: numba kernels whose disk cache never outlives their sources."""

import hashlib
import os
import threading
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numba
from numba import float64, types
from numba.core import config as _config
from numba.core import event
from numba.core.caching import UserWideCacheLocator

from hpc_jobs.contract.phases import COMPILE, WATCH

CONFIG: Any = _config  # its attributes are made at run time
if not os.environ.get("NUMBA_CPU_NAME"):
    # Else a node with another processor would find none of these kernels, and compile them all. The
    # plainest instruction set costs 6 % of speed, and gives the same digits on every node.
    CONFIG.CPU_NAME, CONFIG.CPU_FEATURES = "generic", ""
KERNELS: list[Any] = []
"""Every kernel that was imported."""
ENGINE = Path(__file__).parent
VECTOR = float64[::1]
EVALUATION = types.UniTuple(float64, 10)


class _Compilations(event.Listener):
    """Counts what compiling takes, for whoever asks where a job's time went."""

    def on_start(self, event: Any) -> None:
        if threading.current_thread() is threading.main_thread():
            WATCH.enter(COMPILE)

    def on_end(self, event: Any) -> None:
        if threading.current_thread() is threading.main_thread():
            WATCH.leave()


event.register("numba:compile", _Compilations())


@lru_cache(maxsize=1)
def engine_hash() -> str:
    """SHA-256 of all sources that hold kernels or what they compile, hexadecimal."""
    digest = hashlib.sha256()
    # Kernels compile constants and plain functions of modules that hold none, too.
    rooms = (ENGINE / "specimen", ENGINE / "materials", ENGINE / "reference")
    for path in sorted(
        (ENGINE / "kernel.py", *(path for room in rooms for path in room.glob("*.py")))
    ):
        digest.update(path.relative_to(ENGINE).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


class EngineCacheLocator(UserWideCacheLocator):
    """Keeps compiled kernels in NUMBA_CACHE_DIR (or __pycache__), stamped by engine_hash.

    numba's own stamp covers one file, so that a kernel would survive a change of a kernel which
    it calls from another file; and its folders depend on where the code is mounted. Versions of
    the engine may share NUMBA_CACHE_DIR.
    """

    def __init__(self, py_func: Any, py_file: str) -> None:
        super().__init__(py_func, py_file)
        file = Path(py_file)
        root = CONFIG.CACHE_DIR
        inside = file.is_relative_to(ENGINE)
        parts = file.relative_to(ENGINE).with_suffix("").parts if inside else (file.stem,)
        shared = Path(root) / "hpc_jobs.fem" / engine_hash()[:16] if root else None
        folder = shared or ENGINE / "__pycache__"
        self._cache_path = os.fspath(folder / ".".join(parts))

    def get_source_stamp(self) -> str:
        """Any change in the engine makes all its kernels stale."""
        return engine_hash()


def kernel(*signatures: Any, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile to machine code at first use or, given signatures, at once; cached on disk.

    Division by zero yields inf or nan as in C, instead of raising.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        before = CONFIG.CACHE_LOCATOR_CLASSES
        CONFIG.CACHE_LOCATOR_CLASSES = f"{__name__}.EngineCacheLocator,UserWideCacheLocator"
        try:
            settings = {"cache": True, "error_model": "numpy", **options}
            compiled = numba.njit(*signatures, **settings)(function)
        finally:
            CONFIG.CACHE_LOCATOR_CLASSES = before
        KERNELS.append(compiled)
        return compiled

    return decorate
