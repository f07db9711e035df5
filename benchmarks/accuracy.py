"""How near to the physical floor the parameters are identified, by method and number of records.

    python -m benchmarks.accuracy [--records N] [--protocol ABCD] [--cache FOLDER] [--docs FOLDER]

A  as the paper: factorial grid, random 90/10 split, min-max units, no noise.
B  off-grid Sobol test set, strain noise 5e-4 and force noise .5 %; strains alone; without noise.
C  as B, measured on a mesh twice as fine as the training's, with at most 200 fine records.
D  the published alloys on a far finer mesh: r-values and stress ratios, and the time of classical
   FEM updating beside it.

Test sets are fixed by the campaign's seed and nothing is tuned on them. Records are solved once,
and every result is kept in the cache folder, so that an interrupted run continues where it was.
--docs writes the page accuracy.md with its figure, as docs/accuracy.md was, from
--records 100000 --test 1000.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.methods.accuracy_page import draw_curves, page
from benchmarks.methods.protocols import PROTOCOLS, Study
from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.loading import load
from hpc_jobs.contract.records import publish


def main() -> None:
    """Solve what is missing, compare, print, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--campaign", type=Path, default=Path("dags/campaigns/single_sheet.yaml"))
    parser.add_argument("--records", type=int, default=1_000, help="training records at most")
    parser.add_argument("--test", type=int, default=250, help="test records")
    parser.add_argument("--protocol", default="ABCD", help="which ones, e.g. B or BD")
    parser.add_argument("--method", nargs="*", default=[], help="methods by how they begin")
    parser.add_argument("--kept", action="store_true", help="print what is kept, make nothing")
    parser.add_argument("--workers", type=int, default=2, help="processes that simulate")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache/yieldloop/records")
    parser.add_argument("--json", type=Path, default=Path("build/benchmarks/accuracy.json"))
    parser.add_argument("--docs", type=Path, help="folder for the page and its figure")
    options = parser.parse_args()
    campaign = load(Campaign, options.campaign)
    study = Study(
        campaign=campaign,
        cache=options.cache,
        workers=options.workers,
        records=options.records,
        test=options.test,
        only=tuple(options.method),
        print_only=options.kept,
    )
    found: dict[str, Any] = {
        "records": options.records,
        "test": options.test,
        "campaign": campaign.fingerprint,
        "noise": study.noise,
    }
    for name in options.protocol.upper():
        start = time.monotonic()
        found[name] = PROTOCOLS[name](study)
        sys.stderr.write(f"protocol {name}: {time.monotonic() - start:.0f} s\n")
    text = page(found)
    sys.stdout.write(text)
    with publish(options.json) as temporary:
        temporary.write_text(json.dumps(found, indent=1) + "\n")
    if options.docs:
        draw_curves(options.docs / "accuracy.png", found)
        with publish(options.docs / "accuracy.md") as temporary:
            temporary.write_text(text)


if __name__ == "__main__":
    main()
