"""Patience with a cluster: what can be waited for is waited for, what cannot fails at once."""

import logging
import time
from collections.abc import Callable
from typing import Any, TypeVar

from airflow.sdk.exceptions import AirflowFailException

from operators.cluster.errors import AmbiguousReply, ClusterError, NeedsLogin, TransportError
from operators.hooks.hpc import Session, open_session

T = TypeVar("T")

PATIENCE_S = 1800.0
FIRST_PAUSE_S = 2.0
LONGEST_PAUSE_S = 30.0


def patiently(
    cluster: str,
    step: Callable[[Session], T],
    patience_s: float = PATIENCE_S,
    log: Any = None,
) -> T:
    """Repeat a step, which may be repeated, while the cluster cannot be reached.

    A dead login node and refused credentials are waited out, said in the log; after patience_s
    without success they are raised, and Airflow's retries take over. Any other ClusterError
    fails the task for good: another try would meet the same answer.
    """
    log = log or logging.getLogger(__name__)
    until, pause_s = time.monotonic() + patience_s, FIRST_PAUSE_S
    with open_session(cluster) as session:
        while True:
            try:
                return step(session)
            except (TransportError, NeedsLogin, AmbiguousReply) as error:
                session.close()
                if time.monotonic() + pause_s > until:
                    raise
                state = "needs login" if isinstance(error, NeedsLogin) else "waiting"
                log.warning("%s %s: %s", cluster, state, error)
                time.sleep(pause_s)
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
            except ClusterError as error:
                raise AirflowFailException(str(error)) from error
