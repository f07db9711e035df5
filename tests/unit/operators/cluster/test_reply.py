"""Replies of probes: an answer without its end is a lost connection, in the shell's words."""

import pytest

from hpc_jobs.job_folder.probes import parse_scan
from operators.cluster.errors import TransportError
from operators.cluster.reply import Reply, parsed


def test_a_cut_answer_is_a_lost_connection() -> None:
    cut = Reply(255, "@\nd results/1.json\n", "client_loop: send disconnect")
    with pytest.raises(TransportError, match="the job folders was cut short: client_loop: send"):
        parsed(parse_scan, cut, 1)
    whole = Reply(0, cut.stdout + ".\n", "")
    assert [scan.done for scan in parsed(parse_scan, whole, 1)] == [{1}]
