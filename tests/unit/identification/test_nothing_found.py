"""Answers that were withheld before anything was found: they have no novelty, and spoil no job."""

from hpc_jobs.contract.validation import Judgement
from hpc_jobs.jobs.score import _judgement_metrics
from operators.promotion.drift import values_of

WITHHELD = {"verdict": "outside", "quantities": {}, "novelty_limit": 3.0}


def test_where_nothing_was_found_there_is_no_novelty_to_watch() -> None:
    nothing = Judgement(**WITHHELD, novelty=0.0)
    assert "refined/one/novelty" not in _judgement_metrics("refined/one", nothing)
    assert "novelty" not in values_of(nothing)
    strange = Judgement(**WITHHELD, novelty=6.0)
    assert _judgement_metrics("refined/one", strange)["refined/one/novelty"] == 2
    assert values_of(strange)["novelty"] == 2
