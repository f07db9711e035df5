"""What Airflow's database keeps of one DAG run."""

import contextlib
import sqlite3
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class RowsKept:
    """Rows and bytes of one DAG run; XComs among them apart."""

    rows: int
    bytes: int
    xcoms: int
    xcom_bytes: int


def kept_of(database: Path, run_id: str) -> RowsKept:
    """Add up all rows of all tables that name the DAG run, each value by its length as text."""
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        found = {
            table: _table(connection, table, run_id)
            for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")
        }
    xcoms, xcom_bytes = found.get("xcom", (0, 0))
    rows, size = map(sum, zip(*found.values(), strict=True))
    return RowsKept(rows, size, xcoms, xcom_bytes)


def _table(connection: sqlite3.Connection, table: str, run_id: str) -> tuple[int, int]:
    columns = [row[1] for row in connection.execute(f'PRAGMA table_info("{table}")')]
    if "run_id" not in columns:
        return 0, 0
    length = " + ".join(f'coalesce(length(CAST("{name}" AS BLOB)), 0)' for name in columns)
    query = f'SELECT count(*), coalesce(sum({length}), 0) FROM "{table}" WHERE run_id = ?'
    rows, size = connection.execute(query, (run_id,)).fetchone()
    return int(rows), int(size)
