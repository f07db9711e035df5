"""One step of a campaign's packing, in a process of its own that others measure; without torch."""

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hpc_jobs.contract.campaign import FrozenCampaign
from hpc_jobs.contract.layout import RunFolder
from hpc_jobs.contract.records import read_manifest, read_model
from hpc_jobs.dataset.pack import deal_records, pack_records, publish_dataset

Step = Callable[[RunFolder[Path], argparse.Namespace], dict[str, Any]]


def deal(run: RunFolder[Path], told: argparse.Namespace) -> dict[str, Any]:
    """Deal one element's records."""
    units, records = deal_records(
        run, campaign_in(run), None, told.element, told.elements, memory_mib=told.memory
    )
    return {"units": units, "records": records}


def pack(run: RunFolder[Path], told: argparse.Namespace) -> dict[str, Any]:
    """Write one element's files."""
    files, records = pack_records(
        run, campaign_in(run), None, told.element, told.elements, memory_mib=told.memory
    )
    return {"files": files, "records": records}


def publish(run: RunFolder[Path], told: argparse.Namespace) -> dict[str, Any]:
    """Publish the dataset, and do all that is left to do for it."""
    facts = publish_dataset(run, campaign_in(run), memory_mib=told.memory)
    return {"train": facts.train, "test": facts.test, "generation": facts.generation}


def verify(run: RunFolder[Path], told: argparse.Namespace) -> dict[str, Any]:
    """Hash every file of the dataset."""
    return {"files": len(read_manifest(run.dataset_manifest, "dataset").files)}


def campaign_in(run: RunFolder[Path]) -> Any:
    """Return the run's frozen campaign."""
    return read_model(FrozenCampaign, run.campaign).campaign


STEPS: dict[str, Step] = {step.__name__: step for step in (deal, pack, publish, verify)}


def main(steps: dict[str, Step]) -> None:
    """Do one step; say in one line of JSON what was done."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("step", choices=steps)
    parser.add_argument("run", type=Path)
    parser.add_argument("--element", type=int, default=0)
    parser.add_argument("--elements", type=int, default=1)
    parser.add_argument("--memory", type=int, default=None, help="MiB; else the campaign's")
    told = parser.parse_args()
    before = _used()
    answer = steps[told.step](RunFolder(told.run.resolve()), told)
    used = {name: value - before[name] for name, value in _used().items()}
    sys.stdout.write(json.dumps(answer | used) + "\n")


def _used() -> dict[str, float]:
    """Seconds, and megabytes asked for (from disk or page cache) and written by this process."""
    lines = Path("/proc/self/io").read_text().splitlines()
    moved = dict(line.split(": ") for line in lines)
    return {
        "wall_s": time.perf_counter(),
        "cpu_s": time.process_time(),
        "read_mb": int(moved["rchar"]) / 1e6,
        "written_mb": int(moved["wchar"]) / 1e6,
    }


if __name__ == "__main__":
    main(STEPS)
