"""What networks of a family see: forces relative to their level, and what is known of a sheet."""

import numpy as np
import torch

from hpc_jobs.contract.training import Mlp
from hpc_jobs.dataset.facts import GivenValues
from hpc_jobs.dataset.spectrum import Spectra, Spectrum, spectrum_of
from hpc_jobs.learning.networks.committee import network_of
from hpc_jobs.learning.networks.inputs import ForceInputs, Knowledge

SHAPE = (2, 2, 3, 4)  # 48 strains, 8 forces
TARGETS = ("MP1", "r_value_0", "log_k@0.05")
EXPONENT = GivenValues(names=("exponent",), columns=(0,), centre=(7.0,), spread=(1.2,))


def spectra(seed: int = 1) -> tuple[Spectra, np.ndarray]:
    """Return spectra of made-up records whose forces differ mostly in their level."""
    random = np.random.default_rng(seed)
    logs = 9 + random.normal(0, 0.5, (500, 1)) + random.normal(0, 0.02, (500, 8))
    strains = random.normal(0, 0.01, (500, 48))
    return Spectra(
        strains=spectrum_of([strains], 5e-4, 20), forces=spectrum_of([logs], 5e-3, 8)
    ), logs


def network() -> torch.nn.Module:
    torch.manual_seed(0)
    spec = Mlp(kind="mlp", hidden=(16,), components=20, forces=True)
    made = network_of(spec, SHAPE, TARGETS, given=1)
    made.fit(spectra()[0], EXPONENT, (1.0, 2.0, 0.5))
    return made.eval()


def test_all_forces_times_c_move_the_stress_alone_and_by_the_logarithm_of_c() -> None:
    _, logs = spectra()
    made, known = network(), torch.tensor([[6.0, 0.0]] * 5)
    strains = torch.zeros(5, 48)
    forces = torch.from_numpy(np.exp(logs[:5])).float()
    # Without hidden layers' reaction to the level feature: zero its column
    with torch.no_grad():
        made.layers[0].weight[:, 20 + 7] = 0
        before = made(made.observe(strains, forces, known))
        after = made(made.observe(strains, 1.1 * forces, known))
    moved = (after - before).numpy()
    np.testing.assert_allclose(moved[:, :2], 0, atol=1e-4)
    np.testing.assert_allclose(moved[:, 2], np.log(1.1) / 0.5, rtol=1e-3)


def test_ratios_do_not_see_the_level() -> None:
    found, logs = spectra()
    inputs = ForceInputs(8, 4, (False, True))
    inputs.fit(found.forces)
    seen = [inputs(inputs.observe(torch.from_numpy(logs + shift).float())) for shift in (0.0, 0.3)]
    np.testing.assert_allclose(seen[0][:, :7], seen[1][:, :7], atol=2e-2)
    assert (seen[1][:, 7] - seen[0][:, 7]).min() > 0.1
    assert isinstance(found.forces, Spectrum)


def test_what_is_not_known_is_not_seen_and_what_is_counts_in_full() -> None:
    knowledge = Knowledge(1)
    knowledge.fit(EXPONENT)
    nothing = knowledge(torch.tensor([[5.0, torch.inf], [9.0, torch.inf]]))
    assert torch.equal(nothing[0], nothing[1]) and nothing[0].tolist() == [0.0, -1.0]
    exactly = knowledge(torch.tensor([[8.2, 0.0]]))
    np.testing.assert_allclose(exactly, [[1.0, 1.0]], rtol=1e-6)
    half = knowledge(torch.tensor([[8.2, 1.2]]))
    np.testing.assert_allclose(half, [[0.5, 0.0]], rtol=1e-6)


def test_training_draws_every_state_of_knowledge() -> None:
    knowledge = Knowledge(1)
    knowledge.fit(EXPONENT)
    torch.manual_seed(3)
    drawn = knowledge.drawn(torch.full((4000, 1), 8.2), torch.randn(4000, 2))
    share = (drawn[:, 1] + 1) / 2
    assert abs(float((share == 1).float().mean()) - 0.6) < 0.03
    assert abs(float((share == 0).float().mean()) - 0.1) < 0.03
    assert torch.equal(drawn[share == 1, 0], torch.ones_like(drawn[share == 1, 0])) or (
        (drawn[share == 1, 0] - 1).abs().max() < 1e-5
    )
