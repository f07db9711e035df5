"""A measured sheet's posterior becomes a place in the box, as wide as it is known."""

import numpy as np
import pytest

from hpc_jobs.contract.validation import Estimate
from hpc_jobs.identification.aims import NARROWEST, Nothing, _in_places
from hpc_jobs.measurement.alloys import ALLOYS
from hpc_jobs.measurement.virtual_experiment import yield_parameters


def estimate(campaign, width: float) -> Estimate:
    parameters = yield_parameters(ALLOYS["dp780"], campaign.material.exponent)[0]
    covariance = np.diag(np.full(len(campaign.targets), width**2))
    return Estimate(
        measurement="dp780",
        parameters={target: parameters[name] for target, name in campaign.targets.items()},
        novelty=1.0,
        novelty_limit=3.0,
        covariance=tuple(tuple(row) for row in covariance.tolist()),
    )


def test_a_sheets_posterior_lies_in_the_box_and_widens_with_its_doubt(campaign):
    centre, narrow = _in_places(campaign, estimate(campaign, 1e-3))
    again, wide = _in_places(campaign, estimate(campaign, 4e-3))
    assert ((centre > 0) & (centre < 1)).all()
    np.testing.assert_allclose(centre, again)
    box = campaign.design.box
    low, high = box.r_value_0
    assert low + centre[3] * (high - low) == pytest.approx(0.776, abs=0.05)
    assert np.linalg.eigvalsh(narrow).min() >= NARROWEST**2
    assert np.trace(wide) > 4 * np.trace(narrow) - 28 * 3 * NARROWEST**2
    assert np.trace(wide) > 2 * np.trace(narrow)


def test_a_sheet_that_has_no_place_says_so(campaign):
    nowhere = estimate(campaign, 1e-3)
    zero = dict.fromkeys(campaign.targets, 0.0)
    with pytest.raises((Nothing, FloatingPointError)), np.errstate(all="ignore"):
        _in_places(campaign, nowhere.model_copy(update={"parameters": zero}))
