"""The interpreter and its packages; each is really imported, for a broken one is installed, too."""

import json
import subprocess
import sys
from typing import NamedTuple

from hpc_jobs.doctor.finding import Finding, missing, note, ok

OLDEST, BEYOND = (3, 11), (3, 14)
IMPORT_TIMEOUT_S = 180

Package = NamedTuple(
    "Package",
    [("name", str), ("module", str), ("oldest", str), ("tested", str), ("roles", str)],
)

PACKAGES = (
    Package("pydantic", "pydantic", "2.12", "2.14.3", "cpu gpu"),
    Package("PyYAML", "yaml", "6", "6.0.3", "cpu gpu"),
    Package("numpy", "numpy", "2", "2.4.6", "cpu gpu"),
    Package("scipy", "scipy", "1", "1.17.1", "cpu gpu"),
    Package("h5py", "h5py", "3", "3.16.0", "cpu gpu"),
    Package("matplotlib", "matplotlib", "3", "3.11.2", "cpu gpu"),
    Package("numba", "numba", "0.60", "0.68.1", "cpu"),
    Package("Jinja2", "jinja2", "3", "3.1.6", "cpu"),
    Package("torch", "torch", "2", "2.13.0", "gpu"),
    Package("optuna", "optuna", "5", "5.0.0", "gpu"),
)

# In another process, which is all that an import that crashes or hangs takes with it.
PROBE = """
import importlib, json, sys
for name in sys.argv[1:]:
    try:
        module = importlib.import_module(name)
        said = [str(getattr(module, "__version__", "?")), ""]
    except BaseException as error:
        said = ["", "%s: %s" % (type(error).__name__, error)]
    print(json.dumps([name] + said), flush=True)
if "torch" in sys.argv and "torch" in sys.modules:
    import torch
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    print(json.dumps(["cuda", ", ".join(names), str(torch.version.cuda)]), flush=True)
"""


def python() -> Finding:
    """Say whether this interpreter is one that the code is written for."""
    found = "{}.{}.{}, {}".format(*sys.version_info[:3], sys.executable)
    if OLDEST <= sys.version_info[:2] < BEYOND:
        return ok("Python", found)
    return missing(
        "Python",
        found,
        "make an environment with Python 3.11, 3.12 or 3.13 (module avail python, or conda), and "
        "name its interpreter as 'python' in dags/clusters/<name>.yaml",
    )


def requirements(role: str) -> "list[str]":
    """For pip: what jobs of that role import, in the versions that are tested."""
    return ["{}=={}".format(package.name, package.tested) for package in _wanted(role)]


def packages(role: str) -> "list[Finding]":
    """Import what jobs of that role (cpu, gpu or both) import; the last finding is CUDA's."""
    wanted = _wanted(role)
    said = _probe([package.module for package in wanted])
    findings = [_judge(package, *said[package.module]) for package in wanted]
    if "cuda" in said:
        findings.append(_cuda(*said["cuda"]))
    return findings


def _wanted(role: str) -> "list[Package]":
    return [p for p in PACKAGES if role == "both" or role in p.roles.split()]


def _probe(modules: "list[str]") -> "dict[str, list[str]]":
    """Import all in one other process; one that kills it is named, and the rest tried again."""
    said, rest = {}, list(modules)
    while rest:
        said.update(_imported(rest))
        rest = [name for name in rest if name not in said]
        if rest:
            said[rest.pop(0)] = ["", "its import crashed or hung"]
    return said


def _imported(modules: "list[str]") -> "dict[str, list[str]]":
    argv = [sys.executable, "-c", PROBE, *modules]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        out = process.communicate(timeout=IMPORT_TIMEOUT_S)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        out = process.communicate()[0]
    said = {}
    for line in out.decode(errors="replace").splitlines():
        try:
            name, version, words = json.loads(line)
        except ValueError:  # a package that prints when it is imported
            continue
        said[name] = [version, words]
    return said


def _judge(package: Package, version: str, words: str) -> Finding:
    what = "package " + package.name
    install = "install the `jobs` extra into this environment: {} -m pip install '{}=={}'".format(
        sys.executable, package.name, package.tested
    )
    if words:
        return missing(what, words[:300], install)
    if _numbers(version) < _numbers(package.oldest):
        return missing(what, "{}, older than {}".format(version, package.oldest), install)
    if _numbers(version)[:2] != _numbers(package.tested)[:2]:
        found = "{}; tested with {}".format(version, package.tested)
        return note(what, found, "nothing, unless jobs fail in it: then " + install)
    return ok(what, version)


def _cuda(devices: str, version: str) -> Finding:
    if devices:
        return ok("GPU", "{} (CUDA {})".format(devices, version))
    return note(
        "GPU",
        "PyTorch sees none" + (" and was built without CUDA" if version == "None" else ""),
        "fine on a login node; on a compute node of the AI cluster, ask for one "
        "(execution.resources.train.gpus) and load the CUDA module (modules of the cluster's file)",
    )


def _numbers(version: str) -> "tuple[int, ...]":
    numbers = []
    for part in version.split("+")[0].split("."):
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)
