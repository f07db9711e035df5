"""A job for the tests: it notes that it ran, and ends as its options say."""

import argparse
import os
import sys
import time

from hpc_jobs.contract.errors import ConfigurationError, HandedOver
from hpc_jobs.contract.facts import ShardFacts
from hpc_jobs.runtime import element


class TinyFacts(ShardFacts):
    ugly: str
    module: str
    argv: list[str]


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sleep", type=float, default=0.0)
    parser.add_argument("--fail", default="", help="elements that raise")
    parser.add_argument("--mistake", default="", help="elements that were configured wrongly")
    parser.add_argument("--fail-once", default="", help="elements that raise the first time")
    parser.add_argument("--hand-over", type=int, default=0, help="so often, by every element")
    parser.add_argument("--vanish-once", default="", help="elements that leave without a result")
    parser.add_argument("--note", default="")


def work(one: element.Element) -> TinyFacts:
    notes = one.run.root / "ran"
    notes.mkdir(exist_ok=True)
    first = not list(notes.glob(f"{one.index}-*"))
    (notes / f"{one.index}-{one.job_id}").write_text(one.arguments.note)
    print(f"element {one.index} speaks")
    one.progress(3, 10, "records")
    time.sleep(one.arguments.sleep)
    options = vars(one.arguments)
    named = {
        key: str(options[key]).split(",") for key in ("fail", "mistake", "fail_once", "vanish_once")
    }
    if str(one.index) in named["mistake"]:
        raise ConfigurationError("training.networks: no such network")
    if str(one.index) in named["fail"] or (first and str(one.index) in named["fail_once"]):
        raise ValueError(f"element {one.index} was told to fail")
    if len(list(notes.glob(f"{one.index}-*"))) <= one.arguments.hand_over:
        raise HandedOver("my walltime is nearly over")
    if first and str(one.index) in named["vanish_once"]:
        os._exit(9)
    return TinyFacts(
        records=10,
        by_status={"ok": 9, "newton": 1},
        ugly=os.environ["UGLY"],
        module=element.__file__,
        argv=sys.argv[2:],
    )


if __name__ == "__main__":
    element.main(work, arguments)
