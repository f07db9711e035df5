"""The machine: processors, memory, the compiler of the native kernel, the clock."""

import os
import platform
import shutil
import time
from pathlib import Path

from hpc_jobs.doctor.finding import Finding, missing, note, ok

LEAST_MEMORY_MIB = 1000
MOST_CLOCK_S = 60.0
COMPILERS = ("c++", "g++", "clang++")  # as hpc_jobs.fem.native.build tries them
CGROUPS = (
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
)


def processors() -> Finding:
    """Count the cores that this process may use, and name the widest instruction set."""
    count = len(os.sched_getaffinity(0))
    flags = set(_field("/proc/cpuinfo", "flags").split())
    wide = {"avx512f", "avx512dq", "avx512vl"} <= flags
    path = "AVX-512" if wide else "AVX2" if {"avx2", "fma"} <= flags else "portable"
    found = "{} of {} cores, {}, {}".format(
        count, os.cpu_count(), platform.machine(), path + " path of the native kernel"
    )
    if path == "portable" and platform.machine() in ("x86_64", "AMD64"):
        return note("processors", found, "simulations run slower than on an AVX2 machine")
    return ok("processors", found)


def memory() -> Finding:
    """Find how much memory this process may use, by the machine and by its control group."""
    total = _number(_field("/proc/meminfo", "MemTotal")) // 1024
    limits = [_number(_text(path)) // 2**20 for path in CGROUPS]
    mine = min([total] + [limit for limit in limits if limit > 0])
    found = "{} MiB".format(mine) + (" of {} MiB".format(total) if mine < total else "")
    if mine < LEAST_MEMORY_MIB:
        remedy = "ask for at least {} MiB (execution.resources.*.memory_mib)".format(
            LEAST_MEMORY_MIB
        )
        return missing("memory", found, remedy)
    return ok("memory", found)


def compiler(environment: "dict[str, str]") -> Finding:
    """Look for the native kernel, or the compiler that would build it."""
    try:
        from hpc_jobs.fem.native.build import library_path

        if library_path().is_file():
            return ok("native kernel", "built: {}".format(library_path()))
    except Exception:  # an interpreter too old for it: said elsewhere
        pass
    wanted = [environment["CXX"]] if environment.get("CXX") else list(COMPILERS)
    for name in wanted:
        path = shutil.which(name)
        if path:
            return ok("native kernel", "{} will build it at the first campaign".format(path))
    return note(
        "native kernel",
        "no C++ compiler ({})".format(", ".join(wanted)),
        "load one (modules: [gcc] in dags/clusters/<name>.yaml); without, the reference solver "
        "serves, some 30 times slower",
    )


def clock(control_time_s: float) -> Finding:
    """Compare this machine's clock with the control host's, taken just before."""
    ahead = time.time() - control_time_s
    found = "{:+.0f} s against the control host".format(ahead)
    if abs(ahead) > MOST_CLOCK_S:
        remedy = "nothing breaks, but times in logs and MLflow differ; tell the site (NTP)"
        return note("clock", found, remedy)
    return ok("clock", found)


def _field(path: str, name: str) -> str:
    for line in _text(path).splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return ""


def _text(path: str) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""


def _number(text: str) -> int:
    words = text.split()
    return int(words[0]) if words and words[0].isdigit() else 0
