"""A triggerer that may be killed: `python -m tests.integration.slurm.triggerer TRIGGERS EVENTS`.

Runs all triggers of a JSON file on one event loop, as Airflow's does; appends a line of JSON to
EVENTS for each one that fires: its number, its event, and when.
"""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from airflow.sdk.module_loading import import_string


async def serve(requests: list[list[Any]], events: Path) -> None:
    async def one(number: int, path: str, values: dict[str, Any]) -> None:
        async for event in import_string(path)(**values).run():
            line = json.dumps({"number": number, "event": event.payload, "when": time.time()})
            with events.open("a") as file:
                file.write(line + "\n")
            return

    await asyncio.gather(*(one(n, path, values) for n, (path, values) in enumerate(requests)))


if __name__ == "__main__":
    asyncio.run(serve(json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2])))
