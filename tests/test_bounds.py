"""The anisotropic floor: below every path, reached by one clock per eigenmode."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import Dense
from scipy.linalg import eigh
from tolerances import CANCELLATION, DENSE, ROUND_OFF

import lift_theory as lt


def rough_spectrum(seed=0, size=4):
    return lt.Spectrum(10.0 ** np.random.default_rng(seed).uniform(-3, 2, (size, size)))


MODELS = {
    name: lt.GaussianModel(rough_spectrum(), representation)
    for name, representation in {
        "single": lt.SingleScale(),
        "pyramid": lt.AveragePyramid(),
        "haar": lt.HaarBands(),
        "cosines": lt.DctBands((2,)),
        "bilinear": lt.ResidualPyramid(2, "bilinear"),
        "bilinear of three": lt.ResidualPyramid(3, "bilinear"),
    }.items()
}


def dense_floor(model, steps, start, stop):
    """The definition: generalised eigenvalues of the posterior precisions at the ends, by LAPACK."""
    inverse = np.linalg.inv(model.law.covariance_matrix())
    grams = [a.T @ a for a in model.representation.matrices(model.law.shape).values()]
    first, last = (
        inverse + sum(g * gram for g, gram in zip(np.exp(end), grams, strict=True)) for end in (start, stop)
    )
    rates = np.log(eigh(last, first, eigvals_only=True)) / steps
    return steps / 2 * np.sum(np.exp(rates) - 1 - rates)


@pytest.mark.parametrize("name", MODELS)
def test_floor_is_its_definition(name):
    model = MODELS[name]
    start = np.linspace(-3.0, -2.0, len(model.scales))
    stop = np.linspace(2.5, 4.0, len(model.scales))
    for steps in (1, 7):
        found = lt.lower_bound(model, steps, start, stop)
        assert np.isclose(found, dense_floor(model, steps, start, stop), rtol=DENSE * 100)


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_no_path_costs_less(name, data):
    model = MODELS[name]
    value = st.floats(-8.0, 8.0, allow_subnormal=False)
    scales = len(model.scales)
    points = np.sort(
        np.array(data.draw(st.lists(value, min_size=4 * scales, max_size=4 * scales))).reshape(4, scales), 0
    )
    floor = lt.lower_bound(model, 3, points[0], points[-1])
    cost = lt.path_kl(model, lt.Path(points))
    assert floor <= cost * (1 + CANCELLATION) + 1e-12


@pytest.mark.parametrize("steps", [1, 4])
def test_one_clock_per_eigenmode_reaches_it(steps):
    """Uniform in log(1 + g c) along each eigenvector: a fifth of the ratio each time."""
    generator = np.random.default_rng(1)
    axes, _ = np.linalg.qr(generator.normal(size=(5, 5)))
    variances = np.array([1e-3, 0.1, 1.0, 7.0, 400.0])
    law = lt.Covariance(axes @ np.diag(variances) @ axes.T)
    model = lt.GaussianModel(law, lt.LinearScales({f"mode {i}": axes[:, i : i + 1].T for i in range(5)}))
    start, stop = np.linspace(-4, -2, 5), np.linspace(3, 6, 5)
    share = np.linspace(0, 1, steps + 1)[:, None]
    clocks = (1 - share) * np.log1p(variances * np.exp(start)) + share * np.log1p(variances * np.exp(stop))
    logsnr = np.log(np.expm1(clocks) / variances)
    logsnr[[0, -1]] = start, stop
    floor = lt.lower_bound(model, steps, start, stop)
    assert np.isclose(lt.path_kl(model, lt.Path(logsnr, model.scales)), floor, rtol=CANCELLATION)
    one_clock = lt.GaussianModel(law, lt.SingleScale())
    assert lt.path_kl(one_clock, lt.Path(np.linspace(-4, 6, steps + 1)[:, None])) > floor


def test_many_steps_approach_the_squared_length():
    model = MODELS["pyramid"]
    start, stop = np.full(2, -3.0), np.full(2, 3.0)
    dense = Dense.of(model.law, model.representation)
    inverse = np.linalg.inv(dense.covariance)
    grams = [a.T @ a for a in dense.operators]
    first, last = (inverse + np.exp(end) * sum(grams) for end in (-3.0, 3.0))
    length = np.sum(np.log(eigh(last, first, eigvals_only=True)) ** 2)
    values = [n * lt.lower_bound(model, n, start, stop) for n in (10, 100, 10000)]
    assert values[0] > values[1] > values[2] > length / 4  # from above
    assert np.isclose(values[2], length / 4, rtol=1e-3)


def test_the_floor_does_not_depend_on_the_route_to_the_end():
    """Pyramid and Haar split between the same posteriors have the same floor; standing still costs nothing."""
    path = lt.Path([[-2.0, -1.0], [3.0, 4.0]])
    image = lt.to_orthogonal(path)
    floors = [
        lt.lower_bound(MODELS["pyramid"], 5, *path.logsnr),
        lt.lower_bound(MODELS["haar"], 5, *image.logsnr),
    ]
    assert np.isclose(*floors, rtol=ROUND_OFF * 100)
    assert lt.lower_bound(MODELS["pyramid"], 5, 1.0, 1.0) == 0


def test_only_gaussian_models_have_a_floor():
    with pytest.raises(TypeError, match="GaussianModel; got DecoupledModel"):
        lt.lower_bound(lt.decoupled(MODELS["pyramid"]), 5, -1.0, 1.0)
