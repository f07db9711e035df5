"""Principal components in units of the noise."""

import numpy as np
import pytest
import torch

from hpc_jobs.contract.errors import ConfigurationError
from hpc_jobs.dataset.spectrum import spectrum_of
from hpc_jobs.learning.networks.inputs import PrincipalInputs

NOISE = 5e-4


@pytest.fixture
def records():
    """(400, 30) strains: three directions of 50, 5 and 0.2 times the noise, on a large mean."""
    rng = np.random.default_rng(0)
    directions, _ = np.linalg.qr(rng.normal(size=(30, 3)))
    weights = rng.normal(size=(400, 3)) * (50, 5, 0.2)
    return (0.3 + NOISE * weights @ directions.T).astype(np.float32)


def test_the_spectrum_is_that_of_a_singular_value_decomposition_in_any_blocks(records):
    whole = spectrum_of([records], NOISE, 3)
    parts = spectrum_of(np.array_split(records, 7), NOISE, 3)
    centred = (records.astype(np.float64) - records.mean(0, dtype=np.float64)) / NOISE
    singular = np.linalg.svd(centred, compute_uv=False)[:3]
    np.testing.assert_allclose(whole.variances, singular**2 / 400, rtol=1e-6)
    np.testing.assert_allclose(parts.variances, whole.variances, rtol=1e-6)
    np.testing.assert_allclose(whole.mean, records.mean(0, dtype=np.float64), rtol=1e-12)
    np.testing.assert_allclose(whole.vectors.T @ whole.vectors, np.eye(3), atol=1e-10)


@pytest.mark.parametrize("whitening", [0.0, 0.3, 1.0])
def test_noisy_inputs_have_unit_mean_square_and_the_drowned_component_fades(records, whitening):
    inputs = PrincipalInputs(30, 3, whitening)
    inputs.fit(spectrum_of([records], NOISE, 3))
    rng = np.random.default_rng(1)
    noisy = torch.from_numpy(records + NOISE * rng.standard_normal(records.shape, np.float32))
    components = inputs.observe(noisy)
    seen = inputs(components)
    assert seen.square().mean() == pytest.approx(1, rel=0.05)
    assert inputs.field(components).square().mean() == pytest.approx(1, rel=0.05)
    strong, weaker, drowned = seen.std(0).tolist()
    assert drowned < 0.3 * weaker
    assert strong / weaker == pytest.approx(10 ** (1 - whitening), rel=0.1)


def test_the_field_keeps_the_signal_in_its_place(records):
    inputs = PrincipalInputs(30, 3, whitening=0.0)
    inputs.fit(spectrum_of([records], NOISE, 3))
    field = inputs.field(inputs.observe(torch.from_numpy(records))).numpy()
    centred = records - records.mean(0)
    assert np.corrcoef(field.ravel(), centred.ravel())[0, 1] > 0.999


def test_noise_along_the_components_is_noise_on_the_strains(records):
    """The same draw, on the strains or on the stored components, is the same input."""
    inputs = PrincipalInputs(30, 3, whitening=0.7)
    spectrum = spectrum_of([records], NOISE, 3)
    inputs.fit(spectrum)
    draw = np.random.default_rng(2).standard_normal((400, 30))
    noisy = torch.from_numpy((records + NOISE * draw).astype(np.float32))
    along = (draw @ spectrum.vectors).astype(np.float32)
    stored = torch.from_numpy(spectrum.components(records) + along)
    measured = inputs.observe(noisy)
    torch.testing.assert_close(stored, measured, atol=2e-3, rtol=1e-5)  # of the noise
    torch.testing.assert_close(inputs(stored), inputs(measured), atol=2e-4, rtol=1e-4)
    torch.testing.assert_close(inputs.field(stored), inputs.field(measured), atol=5e-4, rtol=1e-4)


def test_values_that_never_vary_are_no_input(records):
    inputs = PrincipalInputs(30, 3)
    constant = np.repeat(records[:1], 5, axis=0)
    inputs.fit(spectrum_of([constant], NOISE, 3))
    assert torch.equal(inputs(inputs.observe(torch.from_numpy(records))), torch.zeros(400, 3))


def test_more_components_than_were_found_are_refused(records):
    with pytest.raises(ConfigurationError, match="takes 4 components, the dataset has 3; lower"):
        PrincipalInputs(30, 4).fit(spectrum_of([records], NOISE, 3))
