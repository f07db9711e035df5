"""Make the Connections of the demo's clusters, each with the host key of its login node pinned."""

import json
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

KEYS = Path("/keys")
CLUSTERS = ("cpu", "ai")


def main() -> None:
    """Create each Connection, or make it what it should be; may be repeated."""
    from airflow.models.connection import Connection
    from airflow.utils.session import create_session

    with create_session() as session:
        for name in CLUSTERS:
            _publish(session, Connection, name)
            print(f"Connection '{name}' is there")


def _publish(session: Session, connection_type: type, name: str) -> None:
    host_key = " ".join((KEYS / f"host-{name}.pub").read_text().split()[:2])
    extra = json.dumps({"host_key": host_key, "key_file": str(KEYS / "client")})
    found = session.scalar(select(connection_type).where(connection_type.conn_id == name))
    connection = found or connection_type(conn_id=name)
    connection.conn_type = "hpc"
    connection.description = f"The login node of the demo's cluster '{name}'."
    connection.host, connection.port, connection.login = name, 2222, "hpc"
    connection.set_extra(extra)
    session.add(connection)


if __name__ == "__main__":
    main()
