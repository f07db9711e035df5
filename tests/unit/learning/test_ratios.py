"""Strain fields over their own elongation: what a network of a family sees of them."""

import numpy as np
import torch
from numpy.typing import NDArray

from hpc_jobs.dataset.spectrum import Spectrum, spectrum_of
from hpc_jobs.learning.networks.ratios import LEAST, FieldRatios

SHAPE = (3, 2, 4, 5)  # strains, specimens, patches, times
NOISE, KEPT = 5e-4, 12


def sheets(count: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fields (n, strain_values) of sheets drawn unlike far, and what each makes of its drawing.

    The share of the width strain in the elongation is all that the sheets differ in.
    """
    random = np.random.default_rng(seed)
    drawn = np.exp(random.uniform(np.log(0.02), np.log(0.15), count))
    share = random.uniform(0.3, 0.7, count)
    grown = np.linspace(0.2, 1, SHAPE[3])
    fields = np.zeros((count, *SHAPE))
    fields[:, 0] = drawn[:, None, None, None] * grown
    fields[:, 1] = -(share * drawn)[:, None, None, None] * grown
    return fields.reshape(count, -1), share


def fitted() -> tuple[FieldRatios, Spectrum]:
    strains, _ = sheets(2000, 0)
    spectrum = spectrum_of([strains], NOISE, KEPT)
    inputs = FieldRatios(SHAPE, KEPT)
    inputs.fit(spectrum, strains)
    return inputs, spectrum


def seen(inputs: FieldRatios, spectrum: Spectrum, strains: NDArray[np.float64]) -> torch.Tensor:
    return inputs(torch.from_numpy(spectrum.components(strains)))


def test_a_sheet_drawn_further_moves_the_elongation_and_no_ratio() -> None:
    inputs, spectrum = fitted()
    strains, _ = sheets(50, 1)
    strains *= 0.06 / strains.max(1, keepdims=True)  # within the records whatever follows
    near, far = (seen(inputs, spectrum, strains * factor) for factor in (1, 1.5))
    np.testing.assert_allclose(far[:, :KEPT], near[:, :KEPT], atol=0.01)
    moved = (far - near)[:, KEPT:].norm(dim=1)
    assert moved.min() > 0.5  # of the spread of the records' own


def test_what_a_sheet_makes_of_its_elongation_is_linear_in_the_ratios() -> None:
    inputs, spectrum = fitted()
    strains, share = sheets(400, 2)
    for of_what, close in (
        (seen(inputs, spectrum, strains)[:, :KEPT].numpy(), True),
        (spectrum.components(strains), False),
    ):
        table = np.column_stack([of_what, np.ones(len(share))])
        rest = share - table @ np.linalg.lstsq(table, share, rcond=None)[0]
        assert (rest.std() < 0.02 * share.std()) == close


def test_inputs_have_the_spread_of_one_where_there_is_signal_and_little_where_there_is_none() -> (
    None
):
    inputs, spectrum = fitted()
    strains, _ = sheets(4000, 3)
    random = np.random.default_rng(4)
    noisy = strains + NOISE * random.normal(size=strains.shape)
    spread = seen(inputs, spectrum, noisy).std(0)
    assert 0.8 < spread[0] < 1.2
    assert spread[1:KEPT].max() < 0.1  # one share is all there is: the rest is noise
    assert 0.8 < spread[KEPT:].max() < 1.2


def test_what_is_hardly_drawn_or_pushed_together_stays_finite() -> None:
    inputs, spectrum = fitted()
    strains, _ = sheets(3, 5)
    answers = seen(inputs, spectrum, np.concatenate([0 * strains, -strains]))
    assert torch.isfinite(answers).all()
    assert float(inputs.elongation_mean.mean()) > LEAST


def test_half_precision_around_it_changes_nothing() -> None:
    inputs, spectrum = fitted()
    components = torch.from_numpy(spectrum.components(sheets(20, 6)[0]))
    with torch.autocast("cpu", torch.bfloat16):
        half = inputs(components)
    torch.testing.assert_close(half, inputs(components), rtol=0, atol=0)
