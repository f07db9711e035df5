"""Compile the C++ kernel: once per version of its sources and type of machine.

    python -m hpc_jobs.fem.native.build

Any C++17 compiler serves (CXX, else c++, g++, clang++); no Python headers are needed. The library
is published whole, by a rename, into a folder named by what it was built from, so that clusters of
different machines share one code folder and a stale library is never found. Only the standard
library is imported here: `pip install` runs this file before anything else is there.
"""

import argparse
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SOURCES = Path(__file__).parent
BUILT = Path(os.environ.get("YIELDLOOP_NATIVE") or SOURCES / "built")
"""Where libraries lie: jobs keep theirs beside the code, so that a new version compiles nothing."""
NAME = "libyieldloop.so"
COMPILERS = ("c++", "g++", "clang++")
FLAGS = (
    "-std=c++17",
    "-O3",
    "-fPIC",
    "-fvisibility=hidden",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fno-strict-aliasing",  # a vector is also read as the doubles that it holds
    "-Wno-psabi",
    "-Wno-ignored-attributes",
)
X86_PATHS: dict[str, tuple[str, ...]] = {
    "portable": (),
    "avx2": ("-mavx2", "-mfma"),
    "avx512": ("-mavx512f", "-mavx512dq", "-mavx512vl", "-mfma", "-mprefer-vector-width=512"),
}
COMPILE_TIMEOUT_S = 600


class NotBuilt(Exception):
    """There is no library for this machine, or no compiler to make one; says what to do."""


def machine() -> str:
    """Type of this machine, as far as a compiled library depends on it."""
    libc = "-".join(part for part in platform.libc_ver()[:1] if part)
    return "-".join(filter(None, (platform.system(), platform.machine(), libc))).lower()


def source_hash() -> str:
    """SHA-256 of the sources and how they are compiled, shortened."""
    digest = hashlib.sha256(repr((FLAGS, X86_PATHS)).encode())
    for path in sorted(SOURCES.glob("*.[ch]*")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def library_path(root: Path = BUILT) -> Path:
    """Where the library for these sources and this machine belongs."""
    return root / f"{source_hash()}-{machine()}" / NAME


def find_compiler(environment: dict[str, str] | None = None) -> str:
    """Path of a C++ compiler; raises NotBuilt."""
    wanted = (environment or {}).get("CXX")
    for name in (wanted,) if wanted else COMPILERS:
        found = shutil.which(name)
        if found:
            return found
    raise NotBuilt(
        f"no C++ compiler ({wanted or ', '.join(COMPILERS)}) is on the PATH; install one, or load "
        "its module, and run python -m hpc_jobs.fem.native.build"
    )


def build(
    root: Path = BUILT, environment: dict[str, str] | None = None, flags: Sequence[str] = ()
) -> Path:
    """Return the library's path, compiling it unless it is there. Raises NotBuilt.

    flags come on top of FLAGS; a root holds libraries of the same flags only.
    """
    target = library_path(root)
    if target.is_file():
        return target
    compiler = find_compiler(environment)
    root.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".building-", dir=root))
    try:
        _compile(compiler, draft, (*FLAGS, *flags))
        draft.chmod(0o755)
        try:
            draft.rename(target.parent)
        except OSError:  # another process was first
            if not target.is_file():
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return target


def _compile(compiler: str, folder: Path, flags: Sequence[str]) -> None:
    """Compile one object per instruction set, side by side, and link them."""
    x86 = platform.machine().lower() in ("x86_64", "amd64")
    paths = X86_PATHS if x86 else {"portable": ()}
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        jobs = {"dispatch": [*flags, *(["-DYL_X86"] if x86 else []), str(SOURCES / "dispatch.cpp")]}
        for name, options in paths.items():
            jobs[name] = [*flags, *options, f"-DYL_ARCH={name}", str(SOURCES / "kernel.cpp")]
        commands = [
            [compiler, *arguments, "-c", "-o", f"{scratch}/{name}.o"]
            for name, arguments in jobs.items()
        ]
        with ThreadPoolExecutor(max_workers=min(len(commands), os.cpu_count() or 1)) as pool:
            list(pool.map(_run, commands))
        objects = [f"{scratch}/{name}.o" for name in jobs]
        _run([compiler, "-shared", "-s", *objects, "-o", str(folder / NAME)])


def _run(command: Sequence[str]) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=COMPILE_TIMEOUT_S)
    except subprocess.CalledProcessError as error:
        words = error.stderr.decode(errors="replace").strip()[-2000:]
        raise NotBuilt(f"{' '.join(command)} failed:\n{words}") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotBuilt(f"{' '.join(command)} failed: {error}") from None


def main() -> None:
    """Build into the package, or another folder, and say where the library is."""
    parser = argparse.ArgumentParser(description="Compile the native FEM kernel.")
    parser.add_argument("--into", type=Path, default=BUILT, help="folder of the libraries")
    into: Path = parser.parse_args().into
    try:
        sys.stdout.write(f"{build(into, dict(os.environ))}\n")
    except NotBuilt as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
