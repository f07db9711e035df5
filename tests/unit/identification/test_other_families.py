"""The inverse validation of campaigns that identify r-values instead of alpha."""

import numpy as np
import pytest

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.identification.by_network import identify
from hpc_jobs.identification.mesh_bias import mesh_bias
from hpc_jobs.identification.resimulated import resimulate
from hpc_jobs.identification.verdict import score
from tests.unit.identification.conftest import Nearest, experiment

R_VALUES = {"r0": 0.9, "r45": 1.2, "r90": 1.1}


@pytest.mark.parametrize(("family", "exponent"), [("hill48", 2.0), ("barlat89", 7.5)])
def test_a_known_sheet_is_identified_and_explains_its_measurement(
    campaign: Campaign, family: str, exponent: float
) -> None:
    document = campaign.model_dump()
    document["material"] |= {"yield_function": family, "exponent": exponent}
    other = Campaign.model_validate(
        {**document, "targets": {"MP1": "r90", "MP2": "r0", "MP3": "r45"}}
    )
    measured = experiment(other, "sheet", R_VALUES)
    answer = np.array([[R_VALUES[name] for name in other.targets.values()]])
    network = Nearest(answer, measured.strains[None], other.noise.strain)
    bias = mesh_bias(other.material, other.specimens, refinement=1)
    (estimate,) = identify(other, network, [measured], bias)
    assert estimate.outside == ()
    case = score(other, measured, resimulate(other, estimate, bias))
    assert case.judgement.verdict == "pass"
    assert case.judgement.errors["strain_rms"] == pytest.approx(0.0, abs=1e-6)
    assert case.judgement.quantities["r_value_45"] == pytest.approx((1.2, 1.2))
