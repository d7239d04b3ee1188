"""Published runs: files that belong together, verdicts that follow from their numbers, closed forms recomputed."""

import json
from pathlib import Path

import numpy as np
import pytest
from tolerances import ROUND_OFF

import lift_theory as lt
from experiments import publish
from experiments.overcomplete_vs_orthogonal.contenders import contenders
from experiments.overcomplete_vs_orthogonal.trained.routes import predicted
from experiments.report import LINK
from lift_train import data

RUNS = sorted(file.parent for file in publish.PUBLISHED.glob("*/results.json"))
VERDICTS = [run for run in RUNS if run.name.startswith("overcomplete_vs_orthogonal-")]


def _read(run, name="results"):
    return json.loads((run / f"{name}.json").read_text(encoding="utf-8"))


def _images(facts):
    found = data.load(facts["name"], size=facts["size"], channels=facts["channels"])
    if found.provenance["sha256"] != facts["sha256"]:
        pytest.skip("the installed photographs are not those of the published run")
    return found


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_a_published_run_is_complete(run):
    report, facts = _read(run, "report"), _read(run, "provenance")
    assert run.name == f"{facts['experiment']}-{facts['preset']}"
    assert _read(run)["preset"] == facts["preset"]
    items = [item for section in report["sections"] for item in section["items"]]
    shown = {item["name"] for item in items if item["kind"] == "figure"}
    assert shown == {file.stem for file in (run / "figures").iterdir()}
    anchors = {part["anchor"] for part in [*report["sections"], *items] if part.get("anchor")}
    links = {anchor for text in [*report["answer"], json.dumps(items)] for _, anchor in LINK.findall(text)}
    assert links <= anchors
    pages = [file.read_text(encoding="utf-8") for file in run.glob("*.html")]
    assert [text[:15] for text in pages] == ["<!doctype html>"] * report["interactive"]
    assert sum(file.stat().st_size for file in run.rglob("*") if file.is_file()) < 20e6


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_verdicts_follow_from_numbers(run):
    results = _read(run)
    trained = results.get("trained", {"predictions": [], "ledger": []})
    ledger = [v for finding in trained["ledger"] for v in finding["predictions"]]
    for verdict in [*results["predictions"], *trained["predictions"], *ledger]:
        if verdict["measured"] is None:
            assert verdict["verdict"] == "not asked"
            continue
        low, high = (
            end if given is None else given
            for given, end in zip(verdict["interval"], (-np.inf, np.inf), strict=True)
        )
        estimate = verdict.get("estimate", {"half_width": 0.0})
        width = np.inf if estimate["half_width"] is None else estimate["half_width"]
        least, most = verdict["measured"] - width, verdict["measured"] + width
        inside, outside = low <= least and most <= high, most < low or high < least
        assert verdict["verdict"] == ("confirmed" if inside else "failed" if outside else "undecided")
        if estimate.get("values"):  # of seeds; a standard error has none
            np.testing.assert_allclose(np.mean(estimate["values"]), verdict["measured"], rtol=ROUND_OFF)


@pytest.mark.parametrize("run", VERDICTS, ids=lambda run: run.name)
def test_costs_of_the_verdict_are_recomputed(run):
    """Path KL and floor of every path of the theory half, from the photographs."""
    results = _read(run)
    images = _images(results["data"])
    spectra = {"train": images.train, "held_out": images.held_out}
    spectra = {part: lt.Spectrum.from_images(array) for part, array in spectra.items()}
    for contender in contenders(images.size):
        own = [row for row in results["paths"] if row["representation"] == contender.name]
        best = {row["steps"]: row["logsnr"] for row in own if row["path"] == "best"}
        elsewhere = [
            {**row, "logsnr": best[row["steps"]]}
            for row in results["held_out"]
            if row["representation"] == contender.name
        ]
        for part, rows in (("train", own), ("held_out", elsewhere)):
            model, ends = lt.GaussianModel(spectra[part], contender.representation), contender.ends()
            for row in rows:
                path = lt.Path(np.array(row["logsnr"]), model.scales)
                np.testing.assert_allclose(lt.path_kl(model, path), row["nats"], rtol=ROUND_OFF)
                floor = lt.lower_bound(model, row["steps"], *ends)
                np.testing.assert_allclose(floor, row["floor_nats"], rtol=ROUND_OFF)


@pytest.mark.parametrize("run", VERDICTS, ids=lambda run: run.name)
def test_what_was_predicted_of_networks_is_recomputed(run):
    """Path KL and W2 of every path that networks were sampled along."""
    trained = _read(run)["trained"]
    spectrum = lt.Spectrum.from_images(_images(trained["data"]).train)
    size = trained["data"]["size"]
    for contender in contenders(size):
        model = lt.GaussianModel(spectrum, contender.representation)
        seen = set()
        for row in trained["samples"]:
            points = json.dumps(row["logsnr"])
            if row["representation"] != contender.name or (points, row["sampler"]) in seen:
                continue
            seen.add((points, row["sampler"]))
            found = predicted(model, lt.Path(np.array(row["logsnr"]), model.scales))
            np.testing.assert_allclose(found["nats"], row["nats"], rtol=ROUND_OFF)
            np.testing.assert_allclose(
                found["w2"][row["sampler"]] ** 2, row["predicted_w2_squared"], rtol=1e-9
            )


def test_only_finished_runs_are_published(tmp_path):
    with pytest.raises(ValueError, match="finished experiment"):
        publish.main(publish.Options(run=tmp_path, to=tmp_path / "docs"))


@pytest.mark.parametrize("interactive", [False, True])
def test_a_run_published_again_leaves_nothing_behind(tmp_path, interactive):
    run = tmp_path / "run"
    (run / "figures").mkdir(parents=True)
    figure = {"kind": "figure", "name": "shown", "caption": "c"}
    report = {
        "interactive": interactive,
        "answer": [],
        "sections": [{"anchor": "", "title": "t", "items": [figure]}],
    }
    for name, content in (
        ("results", {}),
        ("report", report),
        ("provenance", {"experiment": "e", "preset": "quick"}),
    ):
        (run / f"{name}.json").write_text(json.dumps(content))
    for name in ("report.html", "figures/shown.svg", "figures/hidden.svg"):
        (run / name).write_text("<svg/>")
    options = publish.Options(run=run, to=tmp_path / "docs")
    target = publish.main(options)
    (target / "stale").touch()
    assert publish.main(options) == target == tmp_path / "docs" / "e-quick"
    names = {str(file.relative_to(target)) for file in target.rglob("*") if file.is_file()}
    assert names - {publish.PAGE} == {*publish.FILES, str(Path("figures") / "shown.svg")}
    assert (publish.PAGE in names) == interactive
