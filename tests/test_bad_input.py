"""Every argument of every public name refuses what it cannot use, in words, before anything is computed.

An answer to bad input has to come from this package itself (the innermost frame is ours), be a `TypeError` or a
`ValueError`, name the argument, and say what came.
"""

import inspect
import traceback
from pathlib import Path as FilePath

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

import lift_theory as lt

HOME = FilePath(lt.__file__).parent
few = settings(max_examples=12, deadline=None)

SPECTRUM = lt.Spectrum.power_law((4, 4))
PYRAMID = lt.GaussianModel(SPECTRUM, lt.AveragePyramid())
SINGLE = lt.GaussianModel(SPECTRUM, lt.SingleScale())
PATH = lt.Path([[-2.0, -2.0], [2.0, 2.0]])

no_numbers = st.sampled_from(
    ["1", None, 1j, True, b"1", object(), {}, {1.0}, ["a", "b"], [[None, None]], np.array([1j, 1j])]
)
holes = st.sampled_from([np.nan, np.inf, -np.inf])
no_counts = st.one_of(
    st.integers(max_value=0),
    st.floats(),
    st.booleans(),
    st.sampled_from(["3", None, [3], 1j, np.float64(3.0)]),
)
no_names = st.text(max_size=8).filter(
    lambda text: text not in {"optimal", "logsnr", "karras", "arctan", "information", "x0", "eps", "v"}
)


def refusal(call):
    """The text with which a call is refused; anything else is a failure."""
    with pytest.raises((TypeError, ValueError)) as caught:
        call()
    innermost = traceback.extract_tb(caught.value.__traceback__)[-1].filename
    assert HOME in FilePath(innermost).parents, f"{innermost} complains, not the package: {caught.value}"
    return str(caught.value)


def expect(call, *words):
    text = refusal(call)
    missing = [word for word in words if word not in text]
    assert not missing, f"{missing} not in: {text}"


def punctured(shape):
    """Arrays of this shape with at least one entry that is no finite number."""

    def puncture(parts):
        values, place, hole = parts
        values.flat[place % values.size] = hole
        return values

    return st.tuples(arrays(float, shape, elements=st.floats(0.5, 2.0)), st.integers(0, 99), holes).map(
        puncture
    )


# --- laws --------------------------------------------------------------------------------------------------------


@few
@given(arrays(float, array_shapes(min_dims=1, max_dims=5, max_side=3), elements=st.floats(0.5, 2)))
def test_spectrum_shape(values):
    if values.ndim in (2, 3):
        assert lt.Spectrum(values).shape == values.shape
    else:
        expect(
            lambda: lt.Spectrum(values), "variances must have shape (H, W) or (C, H, W)", str(values.shape)
        )


@few
@given(punctured((2, 3)))
def test_spectrum_holes(values):
    expect(lambda: lt.Spectrum(values), "variances must", "NaN" if np.isnan(values).any() else "infinite")


@few
@given(st.floats(-1e9, -1e-300))
def test_spectrum_negative(value):
    expect(lambda: lt.Spectrum([[1.0, value]]), "variances must not be negative", f"{value:g}")


@few
@given(no_numbers)
def test_numbers_are_asked_for(value):
    expect(lambda: lt.Spectrum(value), "variances must")
    expect(lambda: lt.Covariance(value), "matrix must")
    expect(lambda: lt.Path(value), "logsnr must")
    expect(lambda: lt.LinearScales({"a": value}), "operators['a'] must")
    expect(lambda: lt.Spectrum.from_images(value), "images must")
    expect(lambda: lt.Spectrum.power_law((4, 4), exponent=value), "exponent must")
    expect(lambda: lt.Spectrum.power_law((4, 4), variance=value), "variance must")
    expect(lambda: PATH.timesteps(value), "alphas_cumprod must")
    expect(lambda: PATH.lead(ratio=value), "ratio must")
    expect(lambda: lt.diagonal_path(PYRAMID, 2, value, 1.0), "start must")
    expect(lambda: lt.lower_bound(PYRAMID, 2, 0.0, value), "stop must")
    expect(lambda: lt.constant_lead_path(PYRAMID, 2, 0.0, 1.0, lead=value), "lead must")
    expect(lambda: lt.equal_information_path(PYRAMID, 2, 0.0, 1.0, ratio=value), "ratio must")
    if not (isinstance(value, list | str)):
        expect(lambda: lt.Spectrum.power_law(value), "shape must be (H, W) or (C, H, W)")


def test_spectrum_more():
    expect(lambda: lt.Spectrum(np.zeros((2, 2))), "variances must be positive somewhere")
    expect(lambda: lt.Spectrum([[1.0], [1.0, 2.0]]), "variances must be a rectangular array")
    expect(lambda: lt.Spectrum(np.ones((2, 2)), np.eye(1)), "channel_basis must be left out")
    expect(
        lambda: lt.Spectrum(np.ones((2, 2, 2)), np.ones((2, 2))), "channel_basis must be an orthogonal (2, 2)"
    )
    expect(
        lambda: lt.Spectrum(np.ones((3, 2, 2)), np.eye(2)),
        "channel_basis must be an orthogonal (3, 3)",
        "(2, 2)",
    )
    expect(lambda: lt.Spectrum(np.ones((0, 2))), "variances must have shape", "(0, 2)")
    for shape in [(4,), (1, 2, 3, 4), "44", 4, (4, 0), (4, -2), (4.0, 4), (True, 4), None]:
        expect(lambda shape=shape: lt.Spectrum.power_law(shape), "shape")
    expect(lambda: lt.Spectrum.power_law((4, 4), variance=0.0), "variance must be positive; got 0")
    expect(lambda: lt.Spectrum.power_law((4, 4), exponent=np.inf), "exponent must be finite")
    expect(lambda: lt.Spectrum.power_law((4, 4), exponent=[1.0]), "exponent must be one number", "(1,)")


def test_images():
    expect(
        lambda: lt.Spectrum.from_images(np.zeros((2, 4, 4), np.uint8)),
        "images must be floating-point",
        "uint8",
    )
    expect(
        lambda: lt.Spectrum.from_images(np.full((2, 4, 4), 255.0)), "images must be scaled to [-1, 1]", "255"
    )
    expect(lambda: lt.Spectrum.from_images(np.zeros((4, 4))), "images must have shape", "(4, 4)")
    expect(lambda: lt.Spectrum.from_images(np.zeros((2, 3, 8, 8))), "channels last", "(2, 3, 8, 8)")
    expect(lambda: lt.Spectrum.from_images(np.zeros((0, 4, 4))), "images must have shape", "(0, 4, 4)")
    expect(lambda: lt.Spectrum.from_images(np.ones((2, 4, 4))), "positive somewhere")
    expect(lambda: lt.Spectrum.from_images(np.full((2, 4, 4), np.nan)), "images must not contain NaN")


@few
@given(no_counts)
def test_counts(value):
    expect(lambda: SPECTRUM.sample(value), "n must be")
    if value not in (0, False):
        expect(lambda: SPECTRUM.sample(1, seed=value), "seed must be") if value != 0 else None
    for make in (lt.AveragePyramid, lt.HaarBands, lt.ResidualPyramid):
        expect(lambda make=make: make(value), "levels must be")
    expect(lambda: lt.DctBands((value,)), "cutoffs[0] must be")
    expect(lambda: lt.diagonal_path(PYRAMID, value, 0.0, 1.0), "steps must be")
    expect(lambda: lt.equal_information_path(PYRAMID, value, 0.0, 1.0), "steps must be")
    expect(lambda: lt.constant_lead_path(PYRAMID, value, 0.0, 1.0, 1.0), "steps must be")
    expect(lambda: lt.staged_path(PYRAMID, value, 0.0, 1.0), "steps must be")
    expect(lambda: lt.lower_bound(PYRAMID, value, 0.0, 1.0), "steps must be")


def test_covariance():
    expect(lambda: lt.Covariance(np.ones((2, 3))), "matrix must be square", "(2, 3)")
    expect(lambda: lt.Covariance(np.ones(4)), "matrix must be square", "(4,)")
    expect(lambda: lt.Covariance(np.zeros((0, 0))), "matrix must be square", "(0, 0)")
    expect(lambda: lt.Covariance(np.zeros((2, 2))), "positive variance somewhere")
    expect(lambda: lt.Covariance([[1.0, 0.5], [0.4, 1.0]]), "matrix must be symmetric", "0.1")
    expect(lambda: lt.Covariance([[1.0, 2.0], [2.0, 1.0]]), "no negative eigenvalue", "-1")
    expect(lambda: lt.Covariance([[1.0, np.nan], [np.nan, 1.0]]), "matrix must not contain NaN")
    expect(lambda: lt.Covariance(np.eye(4), shape=(2, 3)), "shape (2, 3) has 6 values", "(4, 4)")
    expect(lambda: lt.Covariance(np.eye(4), shape=(4,)), "shape must be (H, W)")


# --- representations ---------------------------------------------------------------------------------------------

IMAGE_REPRESENTATIONS = [
    lt.AveragePyramid(3),
    lt.HaarBands(3),
    lt.ResidualPyramid(3, "bilinear"),
    lt.DctBands((2,)),
    lt.SingleScale(),
]


@few
@given(
    st.sampled_from(IMAGE_REPRESENTATIONS[:3]),
    st.tuples(st.integers(1, 40), st.integers(1, 40)).filter(lambda s: s[0] % 4 or s[1] % 4),
)
def test_sizes_that_do_not_halve(representation, shape):
    words = (type(representation).__name__, "divisible by 4", f"{shape[0]} x {shape[1]}")
    for method in ("matrices", "sizes", "frame_bounds", "redundancy", "is_orthogonal"):
        expect(lambda method=method: getattr(representation, method)(shape), *words)
    expect(lambda: lt.GaussianModel(lt.Spectrum(np.ones(shape)), representation), *words)


@pytest.mark.parametrize("representation", IMAGE_REPRESENTATIONS, ids=repr)
@pytest.mark.parametrize(
    "shape", [(), (4, 4, 4, 4), "44", 4, (0, 4), (-4, 4), (4.0, 4.0), (True, 4), None, (np.nan, 4)]
)
def test_shapes(representation, shape):
    for method in ("matrices", "sizes", "frame_bounds", "redundancy", "is_orthogonal"):
        expect(lambda method=method: getattr(representation, method)(shape), "shape", "must")


def test_representations_more():
    expect(lambda: lt.DctBands(()), "cutoffs must be a non-empty tuple", "()")
    expect(lambda: lt.DctBands(4), "cutoffs must be a non-empty tuple", "4")
    expect(lambda: lt.DctBands((2, 4)), "cutoffs must decrease", "(2, 4)")
    expect(lambda: lt.DctBands((2, 2)), "cutoffs must decrease")
    expect(lambda: lt.DctBands((8,)).sizes((8, 4)), "cutoffs must lie below the image size", "8 x 4")
    expect(lambda: lt.ResidualPyramid(2, "linear"), "upsampling must be one of 'nearest'", "'linear'")
    expect(lambda: lt.ResidualPyramid("nearest"), "levels must be an integer", "'nearest'")
    expect(lambda: lt.AveragePyramid().matrices((128, 128)), "up to 4096", "16384")
    expect(lambda: lt.LinearScales({}), "operators must be a non-empty dict")
    expect(lambda: lt.LinearScales([np.eye(2)]), "operators must be a non-empty dict", "list")
    expect(lambda: lt.LinearScales({1: np.eye(2)}), "scale names must be non-empty strings", "1")
    expect(lambda: lt.LinearScales({"a": np.ones(3)}), "operators['a'] must be a (d_k, d) matrix", "(3,)")
    expect(lambda: lt.LinearScales({"a": np.zeros((2, 2))}), "operators['a'] must not be zero")
    expect(lambda: lt.LinearScales({"a": np.eye(2), "b": np.eye(3)}), "same number of pixel values", "3")
    expect(lambda: lt.LinearScales({"a": [[np.inf]]}), "operators['a'] must be finite")
    scales = lt.LinearScales({"a": np.eye(3)})
    for method in ("matrices", "frame_bounds", "redundancy", "is_orthogonal"):
        expect(lambda method=method: getattr(scales, method)((2, 2)), "act on 3 pixel values", "(2, 2)")
    expect(lambda: lt.GaussianModel(SPECTRUM, scales), "act on 3 pixel values", "(4, 4)")
    expect(lambda: lt.GaussianModel(lt.Covariance(np.eye(4)), lt.AveragePyramid()), "shape")


# --- models ------------------------------------------------------------------------------------------------------

METHODS = {
    "mutual_information": PYRAMID.mutual_information,
    "mmse": PYRAMID.mmse,
    "metric": PYRAMID.metric,
    "coupling": PYRAMID.coupling,
    "jacobian_norms": PYRAMID.jacobian_norms,
    "decoupled": lt.decoupled(PYRAMID).mmse,
}


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
@few
@given(data=st.data())
def test_logsnr(method, data):
    expect(lambda: method(data.draw(punctured((3, 2)))), "logsnr must")
    shape = data.draw(array_shapes(min_dims=0, max_dims=3, max_side=4).filter(lambda s: not s or s[-1] != 2))
    expect(lambda: method(np.zeros(shape)), "logsnr must end in one value per scale", "(..., 2)", str(shape))
    expect(lambda: method(data.draw(no_numbers)), "logsnr must")
    far = data.draw(st.floats(200.001, 1e300)) * data.draw(st.sampled_from([-1, 1]))
    expect(lambda: method([0.0, far]), "logsnr must lie within +-200 nats", f"{far:g}")


@few
@given(data=st.data())
def test_steps_of_a_model(data):
    bad = data.draw(st.one_of(punctured((2,)), no_numbers, st.just(np.zeros(3)), st.just(0.0)))
    expect(lambda: PYRAMID.step_kl(bad, [0.0, 0.0]), "start must")
    expect(lambda: PYRAMID.step_kl([0.0, 0.0], bad), "stop must")


def test_models_more():
    expect(
        lambda: lt.GaussianModel(lt.AveragePyramid(), SPECTRUM),
        "must be a Spectrum or a Covariance",
        "AveragePyramid",
    )
    expect(lambda: lt.GaussianModel(np.ones((4, 4)), lt.AveragePyramid()), "Spectrum", "ndarray")
    expect(
        lambda: lt.GaussianModel(SPECTRUM, lt.AveragePyramid),
        "must be a representation such as AveragePyramid()",
    )
    expect(lambda: lt.GaussianModel(SPECTRUM, "pyramid"), "must be a representation", "'pyramid'")
    expect(
        lambda: PYRAMID.step_kl(np.zeros((2, 2)), np.zeros((3, 2))), "start and stop must", "(2, 2)", "(3, 2)"
    )
    expect(lambda: lt.decoupled(SPECTRUM), "decoupled needs a GaussianModel", "Spectrum")
    expect(lambda: lt.decoupled(lt.decoupled(PYRAMID)), "decoupled needs a GaussianModel", "DecoupledModel")
    expect(lambda: lt.DecoupledModel(joint=SPECTRUM), "joint must be a GaussianModel", "Spectrum")
    expect(lambda: PYRAMID.log_precision_ratios([1.0, 1.0], [0.0, 2.0]), "start <= stop")
    expect(lambda: PYRAMID.log_precision_ratios(np.zeros((2, 2)), np.zeros((2, 2))), "single points")


@few
@given(st.one_of(no_names, st.none(), st.integers(), st.just(["x0"])))
def test_unknown_names(value):
    expect(
        lambda: PYRAMID.jacobian_norms([0.0, 0.0], value),
        "prediction must be one of 'x0', 'eps', 'v'",
        repr(value),
    )
    expect(lambda: lt.diagonal_path(PYRAMID, 2, 0.0, 1.0, value), "spacing must be one of", repr(value))
    expect(
        lambda: lt.constant_lead_path(PYRAMID, 2, 0.0, 1.0, 1.0, value), "spacing must be one of", repr(value)
    )
    expect(
        lambda: lt.equal_information_path(PYRAMID, 2, 0.0, 1.0, value), "spacing must be one of", repr(value)
    )
    expect(lambda: lt.staged_path(PYRAMID, 2, 0.0, 1.0, None, value), "spacing must be one of", repr(value))
    expect(lambda: lt.ResidualPyramid(2, value), "upsampling must be one of", repr(value))
    expect(lambda: PATH.timesteps([0.9, 0.1], value), "rounding must be one of", repr(value))


# --- paths -------------------------------------------------------------------------------------------------------


@few
@given(data=st.data())
def test_path_holes_and_order(data):
    values = data.draw(punctured((4, 2)))
    if not np.isinf(values[-1]).all():
        expect(lambda: lt.Path(values), "logsnr must")
    rising = np.cumsum(data.draw(arrays(float, (5, 2), elements=st.floats(0.1, 2))), axis=0)
    i, j = data.draw(st.integers(1, 4)), data.draw(st.integers(0, 1))
    rising[i, j] = rising[i - 1, j] - data.draw(st.floats(1e-6, 1))
    expect(lambda: lt.Path(rising), "logsnr must not decrease", ("fine", "coarse")[j], "noise")


def test_paths_more():
    for shape in [(), (3,), (1, 2), (0, 2), (3, 0), (2, 2, 2)]:
        expect(lambda shape=shape: lt.Path(np.zeros(shape)), "logsnr must have shape (n + 1, K)", str(shape))
    expect(lambda: lt.Path([[0.0, 0.0], [1.0, np.inf]]), "only the last point may be +inf")
    expect(lambda: lt.Path([[0.0], [500.0]]), "within +-200")
    for scales in [("a",), ("a", "b", "c"), ("a", 1), "ab", ("a", "a"), 3, (None, None)]:
        expect(
            lambda scales=scales: lt.Path([[0.0, 0.0], [1.0, 1.0]], scales), "scales must name", repr(scales)
        )
    expect(lambda: lt.Path([[0.0], [1.0]]).lead(), "one scale")
    for ratio in (0.0, -1.0, np.nan, np.inf, [1.0]):
        expect(lambda ratio=ratio: PATH.lead(ratio), "ratio must")
    for table in ([0.9], [0.1, 0.9], [0.5, 0.5], [1.0, 0.5], [0.5, 0.0], [[0.9, 0.1]], [0.9, np.nan], []):
        expect(lambda table=table: PATH.timesteps(table), "alphas_cumprod must")
    expect(lambda: lt.Path([[-50.0], [0.0]]).timesteps([0.9, 0.1]), "the table only reaches", "-50")
    expect(lambda: lt.path_kl(PYRAMID, PATH.logsnr), "path must be a lift_theory.Path", "ndarray")
    expect(lambda: lt.path_kl(PATH, PYRAMID), "path must be a lift_theory.Path", "GaussianModel")
    expect(lambda: lt.path_kl(SINGLE, PATH), "the path has 2 scales", "('fine',)")
    expect(lambda: lt.path_kl(SPECTRUM, PATH), "model must", "Spectrum")
    for function in (lt.to_orthogonal, lt.to_pyramid):
        expect(lambda function=function: function(PATH.logsnr), "path must be a lift_theory.Path", "ndarray")
        expect(lambda function=function: function(lt.Path([[0.0], [1.0]])), "two scales or more")
        clean = lt.Path([[0.0, 1.0], [np.inf, np.inf]])
        expect(lambda function=function, clean=clean: function(clean), "finite end")


def test_missing_files(tmp_path):
    with pytest.raises(FileNotFoundError):
        lt.Path.load(tmp_path / "nothing.json")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    expect(lambda: lt.Path.load(tmp_path / "binary"), "must hold a path written by Path.save")


# --- controls and bounds -----------------------------------------------------------------------------------------

CONTROLS = {
    "diagonal": lt.diagonal_path,
    "equal information": lt.equal_information_path,
    "constant lead": lambda model, steps, start, stop: lt.constant_lead_path(model, steps, start, stop, 1.0),
    "staged": lt.staged_path,
    "floor": lt.lower_bound,
}


@pytest.mark.parametrize("function", CONTROLS.values(), ids=CONTROLS)
@few
@given(
    bad=st.one_of(
        holes, punctured((2,)), st.just([0.0]), st.just([0.0] * 3), st.just([[0.0, 0.0]]), st.just(201.0)
    )
)
def test_ends(function, bad):
    expect(lambda: function(PYRAMID, 2, bad, 5.0), "start must")
    expect(lambda: function(PYRAMID, 2, -5.0, bad), "stop must")


@pytest.mark.parametrize("function", CONTROLS.values(), ids=CONTROLS)
def test_ends_in_the_wrong_order_and_other_models(function):
    expect(lambda: function(PYRAMID, 2, 1.0, -1.0), "stop must not lie below start", "noise to data")
    expect(lambda: function(PYRAMID, 2, [0.0, 1.0], [1.0, 0.5]), "stop must not lie below start")
    for other in (SPECTRUM, PATH, None, 3, lt.AveragePyramid()):
        expect(lambda other=other: function(other, 2, -1.0, 1.0), "odel", type(other).__name__)


def test_controls_more():
    expect(lambda: lt.staged_path(PYRAMID, 1, -1.0, 1.0), "steps must be at least 2", "got 1")
    for order in (
        ("fine",),
        ("fine", "fine"),
        ("fine", "low"),
        ("coarse", "fine", "fine"),
        "fine",
        3,
        (1, 2),
    ):
        expect(
            lambda order=order: lt.staged_path(PYRAMID, 3, -1.0, 1.0, order),
            "order must name every scale",
            "got",
        )
    expect(lambda: lt.constant_lead_path(PYRAMID, 3, -1.0, 1.0, [1.0, 2.0]), "lead must", "(2,)")
    expect(lambda: lt.constant_lead_path(PYRAMID, 3, -1.0, 1.0, np.nan), "lead must not contain NaN")
    expect(lambda: lt.constant_lead_path(SINGLE, 3, -1.0, 1.0, 1.0), "lead needs two scales", "('fine',)")
    expect(lambda: lt.equal_information_path(SINGLE, 3, -1.0, 1.0), "lead needs two scales")
    for ratio in (0.0, -2.0, np.inf, np.nan, [2.0]):
        expect(
            lambda ratio=ratio: lt.equal_information_path(PYRAMID, 3, -1.0, 1.0, ratio=ratio), "ratio must"
        )


# --- nothing is left out -----------------------------------------------------------------------------------------


def test_every_public_argument_is_tried():
    """Arguments of the core's public names, found by inspection, appear in this file."""
    source = FilePath(__file__).read_text()
    core = ("laws", "representations", "gaussian", "paths", "controls", "bounds")
    for name in lt.__all__:
        member = getattr(lt, name)
        if getattr(member, "__module__", "").rpartition(".")[2] in core and name not in (
            "Model",
            "Representation",
        ):
            assert f"lt.{name}" in source, name
            for parameter in inspect.signature(member).parameters:
                assert parameter in source, f"{name}({parameter})"
