"""What the explorer is given: the closed form as views, and clear words where parts do not fit together."""

import dataclasses
import json
import re
from types import SimpleNamespace

import numpy as np
import pytest

import lift_theory as lt
from experiments.explorer import Quantity, Route, Strip, View, explorer
from experiments.overcomplete_vs_orthogonal.contenders import contenders, surface_of
from experiments.overcomplete_vs_orthogonal.explorer_views import closed_form_views, kept

FINE, COARSE = np.linspace(-9.0, 9.0, 13), np.linspace(-8.0, 10.0, 10)
POINTS = np.linspace([-9.0, -8.0], [9.0, 10.0], 4)
LEAST = {"key": "q", "label": "q", "units": "", "values": np.ones((13, 10))}
VIEW = View(
    key="view",
    label="view",
    group="",
    scales=("fine", "coarse"),
    axes=(FINE, COARSE),
    quantities=[Quantity(**LEAST)],
    routes=[Route(key="r", label="r", points=POINTS, note="", colour="#000000")],
)


def test_views_of_the_closed_form_hold_the_model():
    spectrum = lt.Spectrum.power_law((8, 8))
    entries = [c for c in contenders(8) if c.name in ("single", "bilinear")]
    models = {c.name: lt.GaussianModel(spectrum, c.representation) for c in entries}
    surfaces = {c.name: surface_of(models[c.name], c, 81 if len(c.units) == 1 else 7) for c in entries}
    rows = []
    for c in entries:
        path = lt.diagonal_path(models[c.name], 4, *c.ends())
        row = {"representation": c.name, "path": "diagonal", "nats": 6.4, "floor_nats": 5.0}
        rows += [{**row, "steps": steps, "logsnr": path.logsnr.tolist()} for steps in (4, 9)]

    views = closed_form_views(surfaces, models, rows, entries, SimpleNamespace(headline=4))
    assert sorted(v.key for v in views) == sorted(f"closed-form-{c.name}" for c in entries)
    assert len(views[0].scales) == 2
    for view in views:
        model = models[view.key.removeprefix("closed-form-")]
        place = tuple(len(axis) // 3 for axis in view.axes)
        point = [axis[i] for axis, i in zip(view.axes, place, strict=True)]
        shown = {q.key: q.values[place] for q in view.quantities}
        for k, error in enumerate(np.asarray(model.mmse(point))):
            np.testing.assert_allclose(shown[f"error-{k}"], error / model.sizes[k], rtol=1e-9)
        np.testing.assert_allclose(shown["information"], model.mutual_information(point) / 64, rtol=1e-9)
        # A small move of all scales by d costs d^2 times this.
        cost = lt.path_kl(model, lt.Path([point, np.add(point, 1e-3)], model.scales))
        np.testing.assert_allclose(shown["step_cost"], cost / 64 / 1e-6, rtol=2e-3)
        (route,) = view.routes
        assert route.note == "0.1000 nats per pixel, 128.0\u00a0% of the floor"
        np.testing.assert_array_equal(
            route.points[[0, -1]], [[a[0] for a in view.axes], [a[-1] for a in view.axes]]
        )
    markup = explorer(views)
    data = json.loads(re.search(r'explorer-data">(.*?)</script>', markup.html).group(1))
    limits = {
        json.dumps(q["limits"]) for v in data["views"] for q in v["quantities"] if q["key"] == "step_cost"
    }
    assert len(limits) == 1, "colours are comparable between representations"
    assert len(kept(97)) == 65
    assert (kept(97)[0], kept(97)[-1]) == (0, 96)
    assert kept(3).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"axes": (FINE,)}, "one or two scales and an axis for each"),
        ({"axes": (FINE[::-1], COARSE)}, "increasing log-SNRs"),
        ({"quantities": []}, "at least one quantity"),
        ({"quantities": [Quantity(**LEAST | {"values": np.ones((10, 13))})]}, r"\(13, 10\); got \(10, 13\)"),
        ({"quantities": [Quantity(**LEAST)] * 2}, "keys of quantities must differ; 'q'"),
        (
            {"routes": [Route(key="r", label="r", points=POINTS[:, :1], note="", colour="#000000")]},
            "one column per scale",
        ),
    ],
)
def test_views_that_do_not_fit_together_are_refused(change, words):
    with pytest.raises(ValueError, match=words):
        dataclasses.replace(VIEW, **change)


def test_bad_parts_are_refused():
    route = {"key": "r", "label": "r", "points": POINTS, "note": "", "colour": "#123456"}
    strip = Strip(frames=np.zeros((2, 1, 4, 4)), caption="")
    for make, words in (
        (lambda: Quantity(**LEAST | {"values": np.full((2, 2), np.nan)}), "4 entries that are not finite"),
        (lambda: Quantity(**LEAST | {"values": np.array([["a"]])}), "finite real numbers"),
        (lambda: Quantity(**LEAST | {"values": -np.ones((2, 2))}, logarithmic=True), "must be positive"),
        (lambda: Quantity(**LEAST, limits=(1.0, 1.0)), "limits of quantity 'q'"),
        (lambda: Strip(frames=np.zeros((2, 3, 8, 8, 4)), caption=""), r"got \(2, 3, 8, 8, 4\)"),
        (lambda: Strip(frames=np.full((1, 1, 2, 2), np.inf), caption=""), "frames of a strip must be finite"),
        (lambda: Route(**route | {"points": POINTS[0]}), r"\(steps \+ 1, scales\)"),
        (lambda: Route(**route | {"points": [[np.inf, 0.0], [1.0, 1.0]]}), "must be finite, except"),
        (lambda: Route(**route | {"colour": "red"}), "#rrggbb"),
        (lambda: Route(**route, strip=strip), "one frame per point, 4; it has 2"),
        (lambda: explorer([]), "at least one view"),
        (lambda: explorer([VIEW] * 2), "keys of views must differ"),
    ):
        with pytest.raises(ValueError, match=words):
            make()
