"""What every network of the registry must do."""

from functools import cache

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter

from hpc_jobs.contract.errors import BadInput
from hpc_jobs.contract.search import Space
from hpc_jobs.contract.training import Network as NetworkSpec
from hpc_jobs.dataset.spectrum import Spectra, spectrum_of
from hpc_jobs.learning.networks import NETWORKS
from hpc_jobs.learning.networks.multitask_cnn import BatchedLinear, Heads, MultitaskCnn
from hpc_jobs.learning.training.trainer import Objective

SHAPES = [(2, 3, 18, 10), (2, 1, 2, 3), (2, 3, 1, 1)]
TARGETS = [f"MP{i}" for i in range(1, 9)]
NOISE, FORCE_NOISE = 5e-4, 5e-3
VARIANTS = {
    "mlp": {},
    "mlp, gaussian": {"gaussian": True},
    "mlp, ratios": {"ratios": True},
    "multitask_cnn": {},
    "multitask_cnn, gaussian": {"gaussian": True},
    "multitask_cnn, series": {"encoding": "series"},
    "multitask_cnn, patches": {"encoding": "patches"},
    "mlp, forces": {"forces": True},
    "mlp, gaussian forces": {"forces": True, "gaussian": True},
    "multitask_cnn, forces": {"forces": True},
    "multitask_cnn, gaussian forces": {"forces": True, "gaussian": True},
}
WITH_FORCES = [name for name in VARIANTS if "forces" in name]

torch.set_num_threads(1)  # what is trained here is so small that threads only wait


def build(kind, shape, *, seed=0, targets=TARGETS, **settings):
    torch.manual_seed(seed)
    settings = {"kind": kind.partition(",")[0], "components": 6} | VARIANTS[kind] | settings
    spec = TypeAdapter(NetworkSpec).validate_python(settings)
    return NETWORKS[spec.kind](spec, shape, targets)


def records(shape, count, seed=1):
    """(count, values) strains whose signal is far above the noise, and (count, 8) targets."""
    rng = np.random.default_rng(seed)
    targets = rng.uniform(0, 1, (count, 8))
    values = int(np.prod(shape))
    strains = 0.05 + np.tanh(targets @ rng.normal(size=(8, values))) * 0.02
    return strains.astype(np.float32), targets.astype(np.float32)


def forces_of(shape, count, seed=2):
    """(count, force_values) N: signal far above the noise."""
    rng = np.random.default_rng(seed)
    values = shape[1] * shape[3]
    return (8000 * np.exp(0.1 * rng.normal(size=(count, values)))).astype(np.float32)


@cache
def spectra(shape, content):
    strains = np.frombuffer(content, np.float32).reshape(-1, int(np.prod(shape)))
    logs = np.log(forces_of(shape, len(strains)))
    return Spectra(
        strains=spectrum_of([strains], NOISE, 6),
        forces=spectrum_of([logs], FORCE_NOISE, logs.shape[1]),
    )


def fitted(kind, shape, strains, **settings):
    network = build(kind, shape, **settings)
    network.fit(spectra(shape, strains.tobytes()), strains=strains)
    return network


def observed(network, shape, strains):
    """Components, as a measurement gives them; forces are there whether they are wanted or not."""
    forces = torch.from_numpy(forces_of(shape, len(strains)))
    return network.observe(torch.from_numpy(strains), forces)


def test_every_kind_of_the_contract_is_registered():
    kinds = TypeAdapter(NetworkSpec).json_schema()["discriminator"]["mapping"]
    assert set(kinds) == set(NETWORKS) == {name.partition(",")[0] for name in VARIANTS}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", VARIANTS)
def test_shape_and_independence_of_the_batch(kind, shape):
    strains, _ = records(shape, 20)
    network = fitted(kind, shape, strains).eval()
    x = observed(network, shape, strains)
    assert x.shape == (20, network.measured)
    answers = network(x)
    assert answers.shape == (20, 8) and torch.isfinite(answers).all()
    torch.testing.assert_close(network(x[3:4]), answers[3:4], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", VARIANTS)
def test_overfits_eight_samples(kind):
    strains, targets = records(SHAPES[0], 8)
    network = fitted(kind, SHAPES[0], strains, dropout=0.0)
    x, y = observed(network, SHAPES[0], strains), torch.from_numpy(targets)
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(150):
        loss = (network(x) - y).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss < 1e-3 * y.var()


@pytest.mark.parametrize("kind", VARIANTS)
def test_the_same_seed_gives_the_same_weights_another_seed_others(kind):
    one, two, other = (build(kind, SHAPES[0], seed=seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("kind", VARIANTS)
def test_inputs_travel_with_the_weights(kind):
    strains, _ = records(SHAPES[0], 20)
    network = fitted(kind, SHAPES[0], strains).eval()
    copy = build(kind, SHAPES[0], seed=5).eval()
    copy.load_state_dict(network.state_dict())
    x, y = (observed(one, SHAPES[0], strains) for one in (network, copy))
    assert torch.equal(x, y) and torch.equal(copy(y), network(x))


@pytest.mark.parametrize("kind", VARIANTS)
def test_inputs_are_in_units_of_the_noise(kind):
    """A feature that carries only noise must not matter, however small its spread."""
    strains, _ = records(SHAPES[0], 40)
    strains[:, 100] = 0.05 + 1e-6 * np.random.default_rng(0).normal(size=40)
    network = fitted(kind, SHAPES[0], strains).eval()

    def answer(values):
        return network(observed(network, SHAPES[0], values.astype(np.float32)))

    shaken = strains.copy()
    shaken[:, 100] += 3 * NOISE
    moved = (answer(shaken) - answer(strains)).abs().max()
    assert moved < 0.02 * (answer(strains + 3 * NOISE) - answer(strains)).abs().max()


@pytest.mark.parametrize("kind", WITH_FORCES)
def test_forces_count_by_their_ratio_and_must_be_there(kind):
    """Noise is relative: the same percentage moves a small force's component as a large one's."""
    shape = SHAPES[0]
    strains, _ = records(shape, 20)
    network = fitted(kind, shape, strains).eval()
    x, forces = torch.from_numpy(strains), torch.from_numpy(forces_of(shape, 20))
    seen = network.observe(x, forces)
    moved = network.observe(x, 1.05 * forces) - seen
    assert torch.equal(moved[:, :6], torch.zeros(20, 6))
    expected = np.sqrt(forces.shape[1]) * np.log(1.05) / FORCE_NOISE
    np.testing.assert_allclose(moved.norm(dim=1), expected, rtol=1e-3)
    other = network(network.observe(x, forces.flip(0)))
    assert (other - network(seen)).abs().min(0).values.max() > 0
    with pytest.raises(BadInput, match="takes forces was given none"):
        network.observe(x)


@pytest.mark.parametrize("kind", [kind for kind in WITH_FORCES if "gaussian" not in kind])
def test_what_only_forces_tell_is_learnt_from_them(kind):
    shape = SHAPES[1]
    rng = np.random.default_rng(4)
    targets = rng.uniform(0, 1, (200, 8)).astype(np.float32)
    strains = (0.05 + NOISE * rng.normal(size=(200, 12))).astype(np.float32)  # say nothing
    logs = 9 + 0.2 * targets[:, :3]  # the first three are what the forces say
    network = build(kind, shape, channels=8) if "cnn" in kind else build(kind, shape)
    network.fit(
        Spectra(spectrum_of([strains], NOISE, 6), spectrum_of([logs], FORCE_NOISE, logs.shape[1]))
    )
    x = network.observe(torch.from_numpy(strains), torch.from_numpy(np.exp(logs)))
    y = torch.from_numpy(targets)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(100):
        errors = (network(x + torch.randn_like(x)) - y).square().mean(0)
        optimiser.zero_grad()
        errors.sum().backward()
        optimiser.step()
    assert (errors[:3] < 0.2 * y.var(0)[:3]).all() and (errors[3:] > 0.5 * y.var(0)[3:]).all()


def test_cnn_answers_come_in_the_order_of_the_targets():
    """A deep head answers for its target: silencing the deep group changes its columns only."""
    strains, _ = records(SHAPES[0], 8)
    network = fitted("multitask_cnn", SHAPES[0], strains, deep_heads=["MP2", "MP7"]).eval()
    assert isinstance(network, MultitaskCnn)
    x = observed(network, SHAPES[0], strains)
    before = network(x)
    torch.nn.init.zeros_(network.heads[1].output.weight)
    changed = (network(x) != before).any(0).nonzero().ravel().tolist()
    assert changed == [1, 6]


@pytest.mark.parametrize("depth", [1, 3])
def test_grouped_heads_equal_separate_heads(depth):
    torch.manual_seed(0)
    grouped = Heads(3, depth, 8, 24, 0.0, torch.nn.SiLU).eval()
    shared = torch.randn(5, 8, 24)
    together = grouped(shared)
    inner = grouped.convolutions[0].out_channels // 3
    for head in range(3):
        single = Heads(1, depth, 8, 24, 0.0, torch.nn.SiLU).eval()
        state = single.state_dict()
        for name, value in grouped.state_dict().items():
            if name.startswith("convolutions"):
                per_head = value.ndim > 0
                value = value[head * inner : (head + 1) * inner] if per_head else value
            else:
                value = value[head : head + 1]
            state[name] = value
        single.load_state_dict(state)
        torch.testing.assert_close(single(shared)[:, 0], together[:, head])


def test_batched_linear_is_one_linear_layer_per_group():
    layer = BatchedLinear(3, 5, 2)
    x = torch.randn(4, 3, 5)
    want = torch.stack([x[:, g] @ layer.weight[g] + layer.bias[g, 0] for g in range(3)], dim=1)
    torch.testing.assert_close(layer(x), want)


def test_the_cnn_of_the_paper_has_its_size():
    network = build("multitask_cnn", SHAPES[0], channels=64, components=48)
    assert 2e5 < sum(weight.numel() for weight in network.parameters()) < 5e5


@pytest.mark.parametrize("kind", [kind for kind in VARIANTS if "gaussian" in kind])
def test_a_gaussian_network_has_moments_of_its_targets(kind):
    """Silencing one target's variance leaves every mean and every other variance alone."""
    strains, _ = records(SHAPES[0], 8)
    network = fitted(kind, SHAPES[0], strains).eval()
    x = observed(network, SHAPES[0], strains)
    mean, log_variance = network.moments(x)
    assert mean.shape == log_variance.shape == (8, 8)
    assert torch.equal(mean, network(x)) and not torch.equal(mean, log_variance)
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    assert not torch.equal(network.moments(x + noise)[1], log_variance)


def test_a_gaussian_network_learns_how_sure_it_can_be():
    """Targets that strains say nothing of: what comes out is how widely they scatter."""
    strains, _ = records(SHAPES[0], 400)
    deviations = np.geomspace(0.02, 0.3, 8)
    scatter = deviations * np.random.default_rng(3).normal(size=(400, 8))
    noisy = torch.from_numpy((0.5 + scatter).astype("f4"))
    network = fitted("mlp, gaussian", SHAPES[0], strains, hidden=[8])
    objective = Objective(network)
    x = observed(network, SHAPES[0], strains)
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(200):
        loss, squared = objective(x, noisy)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    said = torch.exp(0.5 * network.moments(x)[1]).mean(0).detach().numpy()
    np.testing.assert_allclose(said, deviations, rtol=0.25)
    assert squared.item() == pytest.approx((deviations**2).sum(), rel=0.3)


def test_the_patches_encoding_takes_in_a_patch_at_a_time():
    """Before the trunk's second block, a place knows the times of its own patch and no others."""
    network = build("multitask_cnn, patches", SHAPES[0]).eval()
    first = network.trunk[0]
    x = torch.zeros(1, 6, 180)
    x[:, :, 40:50] = 1.0  # patch 4
    changed = (first(x) != first(torch.zeros_like(x))).any(1).squeeze().nonzero().ravel()
    assert changed.tolist() == [4] and first(x).shape == (1, 32, 18)


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_search_knows_the_network(kind):
    space = Space.model_fields[kind].annotation.__args__[0]
    assert space.model_fields["fixed"].default.kind == kind
