"""One measurement without a campaign's run: identified by the engine, ready for page and cards.

asked = identify_by_engine(campaign, read_for(campaign, path))
publish_measurement_page(Path("me.html"), campaign, asked)
publish_cards(Path("cards"), asked.sheet)
"""

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.validation import Estimate
from hpc_jobs.identification.identified_sheet import identified_sheet
from hpc_jobs.identification.mesh_bias import mesh_bias
from hpc_jobs.identification.nuisances.answer import with_examination
from hpc_jobs.identification.resimulated import resimulate
from hpc_jobs.identification.verdict import score
from hpc_jobs.measurement.file import Measurement
from hpc_jobs.measurement_page.page import Asked

BY_HAND = "by-hand"
"""Stands for run, validation and model of such an answer."""


def identify_by_engine(campaign: Campaign, measurement: Measurement) -> Asked:
    """Fit the sheet, and beside it all that was not measured exactly, by some 200 simulations.

    Twice or three times as many where validation.mesh_refinement asks for the sheet's own mesh
    bias. No record is simulated and no network trained: right for one measurement, slow for many.
    For a campaign of one sheet; of a family's measurement nothing is answered.
    """
    factor = campaign.validation.mesh_refinement
    bias = mesh_bias(campaign.material, campaign.specimens, factor, campaign.solver)
    blank = Estimate(
        measurement=measurement.name,
        parameters=None,
        outside=("no sheet was found that explains the measurement",),
        novelty=0.0,
        novelty_limit=campaign.validation.strain_rms_tolerance,
        method="surrogate",
    )
    examined = with_examination(campaign, measurement, blank, bias)
    estimate = examined.model_copy(update={"method": "fem"})
    case = score(campaign, measurement, resimulate(campaign, estimate, bias), refined=True)
    if case.identified is None:
        return Asked(refined=case)
    sheet = identified_sheet(campaign, case, run_id=BY_HAND, validation=BY_HAND, model=BY_HAND)
    return Asked(refined=case, sheet=sheet)
