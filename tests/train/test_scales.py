"""Scales as images against the dense operators of lift_theory, which share no code with them."""

import numpy as np
import pytest
import torch

import lift_theory as lt
from lift_train.scales import NAMES, Scales, representation

SHAPE = (2, 8, 8)
EVERY = [*NAMES, "pyramid:3", "haar:3", "dct:3", "dct:5,2"]


def white(scales, count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(count, *grid, generator=generator, dtype=torch.float64) for grid in scales.grids]


@pytest.mark.parametrize("name", EVERY)
def test_every_scale_is_an_isometric_picture_of_its_coefficients(name):
    scales = Scales(representation(name, 8), SHAPE)
    x = torch.randn(6, *SHAPE, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    values = scales.analyse(x)
    matrices = scales.representation.matrices(SHAPE)
    for value, matrix in zip(values, matrices.values(), strict=True):
        coefficients = x.flatten(1).numpy() @ matrix.T
        grams = [v @ v.T for v in (value.flatten(1).numpy(), coefficients)]
        np.testing.assert_allclose(*grams, atol=1e-12)


@pytest.mark.parametrize("name", EVERY)
def test_synthesis_inverts_analysis_and_projection_keeps_coefficients(name):
    scales = Scales(representation(name, 8), SHAPE)
    x = torch.randn(3, *SHAPE, dtype=torch.float64)
    values = scales.analyse(x)
    torch.testing.assert_close(scales.synthesise(values), x)
    for kept, value in zip(scales.project(values), values, strict=True):
        torch.testing.assert_close(kept, value)
    once = scales.project(white(scales, 2))
    for a, b in zip(scales.project(once), once, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("name", EVERY)
def test_projected_noise_has_one_unit_of_variance_per_coefficient(name):
    scales = Scales(representation(name, 8), SHAPE)
    identity = [
        torch.eye(int(np.prod(grid)), dtype=torch.float64).reshape(-1, *grid) for grid in scales.grids
    ]
    for k, (unit, size) in enumerate(zip(identity, scales.sizes, strict=True)):
        zeros = [torch.zeros(len(unit), *grid, dtype=torch.float64) for grid in scales.grids]
        zeros[k] = unit
        projector = scales.project(zeros)[k].flatten(1)
        torch.testing.assert_close(projector, projector.T)  # with idempotence: orthogonal
        assert float(projector.trace()) == pytest.approx(size)


def test_any_operators_become_vectors():
    operators = {"fine": np.eye(16), "mean": np.full((1, 16), 1 / 16)}
    scales = Scales(lt.LinearScales(operators), (1, 4, 4))
    assert scales.grids == ((16, 1, 1), (1, 1, 1))
    x = torch.randn(2, 1, 4, 4, dtype=torch.float64)
    values = scales.analyse(x)
    torch.testing.assert_close(values[1].flatten(), x.mean((1, 2, 3)))
    torch.testing.assert_close(scales.synthesise(values), x)


def test_arrays_come_back_as_they_went():
    grey, colour = Scales(lt.SingleScale(), (1, 4, 6)), Scales(lt.SingleScale(), (3, 4, 6))
    for scales, shape in ((grey, (5, 4, 6)), (colour, (5, 4, 6, 3))):
        images = np.random.default_rng(0).normal(size=shape).astype(np.float32)
        np.testing.assert_array_equal(scales.array(scales.tensor(images)), images)


def test_bad_input_is_told():
    scales = Scales(lt.AveragePyramid(), (1, 8, 8))
    with pytest.raises(ValueError, match=r"coarse \(batch, 1, 4, 4\)"):
        scales.synthesise([torch.zeros(2, 1, 8, 8)])
    with pytest.raises(ValueError, match="must have shape"):
        scales.analyse(torch.zeros(2, 1, 8, 6))
    with pytest.raises(ValueError, match="unknown representation 'wavelets'"):
        representation("wavelets", 8)
    with pytest.raises(ValueError, match="divisible"):
        Scales(lt.HaarBands(3), (1, 6, 6))
    with pytest.raises(ValueError, match="not understood"):
        representation("haar:many", 8)
