"""A solver of one's own: a real program that stretches the strip as the deck tells it."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hpc_jobs.contract.campaign import Campaign
from hpc_jobs.contract.geometry import Mesh
from hpc_jobs.contract.loading import load as load_yaml
from hpc_jobs.contract.material import Material
from hpc_jobs.contract.specimen import Specimens
from hpc_jobs.fem.backends import backend_of, load, prepare
from hpc_jobs.fem.backends.deck import DeckSolver, Motion, VirtualTest
from hpc_jobs.fem.backends.scratch import KEEP, LOG
from hpc_jobs.fem.errors import SolverFailed, SolverMissing

CAMPAIGNS = Path(__file__).parents[3] / "dags" / "campaigns"
Sheet = tuple[np.ndarray, Material]
SPECIMENS = Specimens(
    angles_deg=(0.0, 45.0), mesh=Mesh(along=8, across=4), output_times=2, steps_per_output=1
)
PROGRAM = """
import json, sys, time
deck = json.load(open("deck.json"))
print("stretcher, version 1")
if deck["mood"] == "slow":
    time.sleep(60)
times = deck["times"] if deck["mood"] != "tired" else deck["times"][:-1]
motion = [[[x * t * deck["stretch"], 0.0] for x, y in deck["nodes"]] for t in times]
force = [1000.0 * t for t in times]
if deck["mood"] == "necking":
    force[-1] = 1.0
if deck["mood"] == "folding":
    motion[-1] = [[-2 * x, 0.0] for x, y in deck["nodes"]]
if deck["mood"] == "lost":
    motion[-1][0] = [float("nan"), 0.0]
if deck["mood"] != "absent":
    json.dump({"times": times, "motion": motion, "force": force}, open("result.json", "w"))
if deck["mood"] in ("tired", "absent"):
    print("ERROR: " + deck["words"])
    sys.exit(3)
"""
TEMPLATE = """{"mood": "{{ mood }}", "words": "{{ words }}", "stretch": {{ stretch }},
 "times": {{ test.steps.tolist() }}, "nodes": {{ test.mesh.nodes.tolist() }}}
"""


class Stretcher(DeckSolver):
    """x grows by the same factor everywhere; the force grows with time."""

    name, deck, remedy = "stretcher", "deck.json", "write one"
    command = (sys.executable, "-c", PROGRAM)

    def __init__(self, folder: Path, mood: str = "", words: str = "no licence") -> None:
        self.mood, self.words = mood, words
        type(self).template = folder / "deck.json.j2"
        self.template.write_text(TEMPLATE)

    def variables(self, test: VirtualTest) -> dict[str, Any]:
        return {"mood": self.mood, "words": self.words, "stretch": 0.05}

    def read(self, folder: Path, test: VirtualTest) -> Motion:
        found = json.loads((folder / "result.json").read_text())
        times = np.array(found["times"])
        return Motion(
            times=times,
            displacements=np.array(found["motion"]),
            forces=np.array(found["force"]),
            plastic_strains=0.05 * times,
        )

    def status_of(self, words: str) -> str:
        return "newton" if "did not converge" in words else ""


def test_strains_are_computed_from_the_motion(dp780: Sheet, tmp_path: Path) -> None:
    record = Stretcher(tmp_path).simulate(*dp780, SPECIMENS)
    assert (record.status, record.reason) == ("ok", "")
    along, across = record.strains.reshape(SPECIMENS.strain_shape)
    assert along == pytest.approx(np.broadcast_to(np.log([1.025, 1.05]), along.shape))
    assert across == pytest.approx(0, abs=1e-14)
    assert record.forces == pytest.approx([500, 1000, 500, 1000])
    assert record.largest_plastic_strain == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("mood", "words", "status", "said"),
    [
        ("necking", "", "necked", "after 1 of 1 mm, force 1 N"),
        ("folding", "", "inverted", "stopped in step"),
        ("lost", "", "nonfinite", "stopped in step"),
        ("tired", "did not converge", "newton", "ERROR: did not converge"),
        ("absent", "did not converge", "newton", "stopped in step 1 after 0 of 1 mm"),
    ],
)
def test_a_failure_is_a_status(
    dp780: Sheet, tmp_path: Path, mood: str, words: str, status: str, said: str
) -> None:
    record = Stretcher(tmp_path, mood, words).simulate(*dp780, SPECIMENS)
    assert record.status == status
    assert said in record.reason
    assert np.isnan(record.strains).all() and np.isnan(record.forces).all()


@pytest.mark.parametrize("mood", ["tired", "absent"])
def test_what_is_not_the_material_s_fault_is_no_record(
    dp780: Sheet, tmp_path: Path, mood: str
) -> None:
    with pytest.raises(SolverFailed, match="no licence"):
        Stretcher(tmp_path, mood).simulate(*dp780, SPECIMENS)


def test_the_time_limit_ends_the_program(dp780: Sheet, tmp_path: Path) -> None:
    specimens = SPECIMENS.model_copy(update={"time_limit_s": 0.5})
    record = Stretcher(tmp_path, "slow").simulate(*dp780, specimens)
    assert record.status == "time_limit"
    assert "the limit is 0.5 s" in record.reason


@pytest.mark.parametrize("keep", [True, False])
def test_scratch_folders_stay_only_if_asked(
    dp780: Sheet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep: bool
) -> None:
    scratch, kept = tmp_path / "scratch", tmp_path / "it's kept"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    if keep:
        monkeypatch.setenv(KEEP, str(kept))
    Stretcher(tmp_path).simulate(*dp780, SPECIMENS)
    assert not kept.exists()
    Stretcher(tmp_path, "necking").simulate(*dp780, SPECIMENS)
    with pytest.raises(SolverFailed):
        Stretcher(tmp_path, "tired").simulate(*dp780, SPECIMENS)
    assert list(scratch.iterdir()) == []
    assert kept.exists() == keep
    if keep:
        logs = [(folder / LOG).read_text() for folder in kept.iterdir()]
        assert len(logs) == 2
        assert all("stretcher, version 1" in text for text in logs)


def test_an_unphysical_material_is_not_even_tried(dp780: Sheet, tmp_path: Path) -> None:
    record = Stretcher(tmp_path, "tired").simulate(np.zeros(8), dp780[1], SPECIMENS)
    assert record.status == "rejected_material"


def test_outputs_that_are_not_read_are_refused(dp780: Sheet, tmp_path: Path) -> None:
    specimens = SPECIMENS.model_copy(update={"outputs": ("thickness",)})
    with pytest.raises(SolverFailed, match="asks for thickness, but stretcher"):
        Stretcher(tmp_path).simulate(*dp780, specimens)


def test_a_template_that_asks_for_what_is_not_there_is_an_error(
    dp780: Sheet, tmp_path: Path
) -> None:
    solver = Stretcher(tmp_path)
    solver.template.write_text("{{ test.temperature }}")
    with pytest.raises(Exception, match="temperature"):
        solver.simulate(*dp780, SPECIMENS)


def test_solvers_elsewhere_are_found_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_lab").mkdir()
    (tmp_path / "my_lab" / "codes.py").write_text(
        "from hpc_jobs.fem.backends.calculix import CalculiX\n"
        "class Mine(CalculiX):\n"
        "    command, remedy = ('no-such-program',), 'ask me'\n"
        "SOLVER = Mine('CPS4R')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert load("my_lab.codes:SOLVER").missing() == "no-such-program is not on the PATH; ask me"
    with pytest.raises(SolverMissing, match="ask me"):
        backend_of("my_lab.codes:SOLVER")
    own = {"solver": "my_lab.codes:SOLVER"}
    with pytest.raises(SolverMissing, match="ask me"):
        prepare(load_yaml(Campaign, CAMPAIGNS / "single_sheet.yaml", own))
    for name in ("my_lab.other", "my_lab.codes:OTHER", "nothing"):
        with pytest.raises(SolverMissing, match="cannot be imported"):
            backend_of(name)
