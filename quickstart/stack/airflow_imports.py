"""What airflow.cfg names and Airflow imports; nothing heavy here."""

CONNECT_ARGS = {"timeout": 30}
"""A writer waits this long for another, s; SQLite's own 5 s are short on a busy machine."""

API_CONNECT_ARGS = {"timeout": 3}
"""The same for the API server, which must not be patient.

It writes its audit log on the event loop, and so may wait there for the lock of a request that
cannot commit before the loop goes on. Such a pair is ended by this time-out: the one request
fails (500) and may be repeated, the other goes on.
"""


def hostname() -> str:
    """Return the name by which Airflow's parts know each other, whatever the machine's is."""
    return "localhost"
