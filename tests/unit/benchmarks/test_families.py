"""Curves outside a family's law are curves all the same, and goals say whether they are met."""

import numpy as np
import pytest

from benchmarks.families.curves import DENSE, FORMS, WAVE
from benchmarks.families.goals import judged
from hpc_jobs.fem.materials.flow_stress import flow_stress
from hpc_jobs.fem.materials.hardening import hardening_array

FIRST, LEVEL = 320.0, 640.0


@pytest.mark.parametrize("form", FORMS)
def test_every_form_passes_near_its_level_and_never_softens(form: str) -> None:
    law = hardening_array(FORMS[form](FIRST, LEVEL))
    stresses = [flow_stress(law, strain)[0] for strain in DENSE]
    assert np.all(np.diff(stresses) >= 0)
    assert flow_stress(law, 0.05)[0] == pytest.approx(LEVEL, rel=2 * WAVE)
    if form in ("Swift", "Voce", "mixed"):
        assert stresses[0] == pytest.approx(FIRST)


def test_a_goal_is_printed_met_or_not(capsys: pytest.CaptureFixture[str]) -> None:
    assert judged("r", 0.02, 0.03) and not judged("r", 0.04, 0.03)
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith("goal 0.03 met") and second.endswith("goal 0.03 NOT met")
