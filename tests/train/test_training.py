"""The loop: exact on a family that holds the truth, the same however it is interrupted or divided."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from rich.console import Console

import lift_theory as lt
from lift_train import LinearDenoiser, NoiseLevels, Run, TrainConfig, checkpoints, load_denoiser, train
from lift_train import training as training_module
from lift_train.batches import Batches
from lift_train.denoisers import coefficients
from lift_train.processes import Process
from lift_train.scales import Scales

TINY = TrainConfig(
    data="fields:2",
    size=8,
    channels=1,
    limit=256,
    network="tiny",
    steps=12,
    batch=8,
    warmup=2,
    ema=(0.5, 0.9),
    save_every=5,
    evaluate_every=6,
    log_every=3,
)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """Twelve updates in one go."""
    folder = tmp_path_factory.mktemp("run") / "whole"
    with one_thread():
        return train(TINY, folder)


class one_thread:  # noqa: N801 - reads like a verb
    """Sums in one order, so that runs can be compared bit by bit."""

    def __enter__(self):
        self.before = torch.get_num_threads()
        torch.set_num_threads(1)

    def __exit__(self, *_):
        torch.set_num_threads(self.before)


def tensors(folder):
    return checkpoints.read(folder / "checkpoints").tensors


def assert_identical(one, other):
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name


def test_the_right_family_finds_the_closed_form(tmp_path):
    """A Wiener filter with free variances, trained as networks are, has the mmse of the true spectrum."""
    law = lt.Spectrum.power_law((8, 8))
    config = TrainConfig(
        data="fields:2",
        size=8,
        channels=1,
        limit=8192,
        flips=False,
        network="linear",
        noise=NoiseLevels(low=-5.0, high=5.0),
        steps=150,
        batch=64,
        learning_rate=0.1,
        warmup=5,
        clip=1e9,
        ema=(0.9,),
    )
    run = train(config, tmp_path / "linear")
    found = load_denoiser(run.folder)
    scales = found.scales
    # in closed form: errors of the filter for the found variances on fields of the true ones
    variances = np.exp(found.log_variances.detach().numpy())
    operator = found.operator.numpy()
    sizes = [int(np.prod(grid)) for grid in scales.grids]
    parts = np.split(operator, np.cumsum(sizes)[:-1])
    model = lt.GaussianModel(law, scales.representation)
    true = law.variances.ravel()
    for logsnr in ((-5.0, -5.0), (-2.0, 1.0), (0.0, 0.0), (1.0, -2.0), (3.0, 3.0), (5.0, 5.0)):
        g = np.exp(logsnr)
        precision = np.diag(1 / variances) + sum(gk * a.T @ a for gk, a in zip(g, parts, strict=True))
        gain = np.linalg.solve(
            precision, np.concatenate([gk * a.T for gk, a in zip(g, parts, strict=True)], axis=1)
        )
        bias = gain @ operator - np.eye(len(true))
        noise = gain / np.sqrt(np.repeat(g, sizes))
        covariance = bias * true @ bias.T + noise @ noise.T
        errors = [np.trace(a @ covariance @ a.T) for a in parts]
        excess = np.array(errors) / np.asarray(model.mmse(np.array(logsnr))) - 1
        # 8192 fields leave each variance uncertain by 1.6 %, which costs its square; so do 150 noisy updates
        assert (excess >= -1e-9).all()
        assert (excess < 4e-3).all()
    assert np.abs(np.log(variances / true)).max() < 0.25


def test_resuming_after_a_kill_gives_identical_weights(tmp_path, uninterrupted):
    folder = tmp_path / "killed"
    code = (
        "import sys, torch; torch.set_num_threads(1)\n"
        "from lift_train import TrainConfig, train, training, checkpoints\n"
        "import json; config = TrainConfig.from_json(json.loads(sys.argv[2]))\n"
        "update = training._Training._update\n"
        "def slow(self, step):\n"
        "    import time; time.sleep(0.2); print(step, flush=True); return update(self, step)\n"
        "training._Training._update = slow\n"
        "train(config, sys.argv[1])\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, folder, json.dumps(TINY.to_json())], stdout=subprocess.DEVNULL
    )
    deadline = time.time() + 120
    while checkpoints.steps(folder / "checkpoints") != [5] and time.time() < deadline:
        time.sleep(0.02)
    time.sleep(0.5)  # in the middle of the updates behind it
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert checkpoints.steps(folder / "checkpoints")[-1] < TINY.steps
    with one_thread():
        resumed = train(TINY, folder)
    assert_identical(tensors(folder), tensors(uninterrupted.folder))

    def without_speed(run):
        return [{k: v for k, v in line.items() if k != "images_per_second"} for line in run.metrics]

    assert [line["step"] for line in resumed.metrics] == [3, 6, 9, 12]
    assert without_speed(resumed) == without_speed(uninterrupted)


@pytest.mark.skipif(not torch.distributed.is_available(), reason="needs torch.distributed")
def test_two_processes_train_as_one(tmp_path):
    """Adam hides the scale of gradients, and clipping too; so there is none, and Adam's moments are compared."""
    config = replace(TINY, clip=1e9)
    with one_thread():
        whole = train(config, tmp_path / "one")
    folder, script = tmp_path / "two", tmp_path / "script.py"
    script.write_text(
        "import json, sys, torch\n"
        "torch.set_num_threads(1)\n"
        "from lift_train import TrainConfig, train\n"
        "train(TrainConfig.from_json(json.loads(sys.argv[2])), sys.argv[1], device='cpu')\n"
    )
    subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"),
            *(script, folder, json.dumps(config.to_json())),
        ],
        check=True,
        capture_output=True,
    )
    two = Run(folder=folder, config=config, step=config.steps).metrics
    for a, b in zip(whole.metrics, two, strict=True):
        assert a.keys() == b.keys()
        for name in a.keys() - {"images_per_second"}:
            assert a[name] == pytest.approx(b[name], rel=2e-5), name
    one, other = tensors(whole.folder), tensors(folder)
    assert one.keys() == other.keys()
    for name in one:
        size = float(one[name].abs().max())
        # squared gradients that are rounding alone may differ by themselves
        torch.testing.assert_close(other[name], one[name], rtol=0, atol=2e-3 * size + 1e-7, msg=name)


def test_two_runs_are_the_same_and_a_seed_changes_them(tmp_path, uninterrupted):
    short = replace(TINY, steps=3, decay="constant")
    with one_thread():
        runs = [train(c, tmp_path / str(i)) for i, c in enumerate((short, short, replace(short, seed=1)))]
    found = [tensors(run.folder) for run in runs]
    assert_identical(found[0], found[1])
    changed = [name for name in found[0] if not torch.equal(found[0][name], found[2][name])]
    assert any(name.startswith("model.") for name in changed)


def test_more_steps_go_on_and_other_settings_are_refused(tmp_path):
    config = replace(TINY, steps=2, decay="constant")
    with one_thread():
        train(config, tmp_path)
        longer = train(replace(config, steps=4), tmp_path)
        whole = train(replace(config, steps=4), tmp_path / "whole")
    assert longer.step == 4
    assert_identical(tensors(tmp_path), tensors(whole.folder))
    with pytest.raises(ValueError, match=r"learning_rate: 0.001 before, 0.1 now"):
        train(replace(config, learning_rate=0.1), tmp_path)
    with pytest.raises(ValueError, match="another data"):
        train(config, tmp_path, images=np.zeros((4, 8, 8)))


def test_averages_and_raw_weights_can_be_loaded(uninterrupted):
    raw, short, long = (load_denoiser(uninterrupted.folder, ema=ema) for ema in (False, 0.5, True))
    values = [next(iter(d.state_dict().values())) for d in (raw, short, long)]
    assert not torch.equal(values[0], values[1])
    assert not torch.equal(values[1], values[2])
    with pytest.raises(ValueError, match=r"averages of decays \(0.5, 0.9\)"):
        load_denoiser(uninterrupted.folder, ema=0.99)
    with pytest.raises(ValueError, match="does not exist"):
        load_denoiser(uninterrupted.folder / "nowhere")


def test_the_average_is_the_recursion_written_out(tmp_path):
    seen = []

    class Watched(LinearDenoiser):
        def forward(self, zs, logsnr):
            if self.training and torch.is_grad_enabled():
                seen.append(self.log_variances.detach().clone())
            return super().forward(zs, logsnr)

    scales = Scales(lt.SingleScale(), (1, 4, 4))
    model = Watched(scales, np.ones((4, 4)))
    config = replace(
        TINY, size=4, representation="single", steps=6, learning_rate=0.3, ema=(0.7,), evaluate_every=100
    )
    run = train(config, tmp_path, denoiser=model)
    weights = [*seen[1:], tensors(run.folder)["model.log_variances"]]
    average = seen[0]
    for step, now in enumerate(weights, start=1):
        keep = min(0.7, step / (step + 9))
        average = keep * average + (1 - keep) * now
    torch.testing.assert_close(tensors(run.folder)["ema.0.7.log_variances"], average)
    again = load_denoiser(tmp_path, denoiser=LinearDenoiser(scales, np.ones((4, 4))))
    torch.testing.assert_close(again.log_variances, average)
    with pytest.raises(ValueError, match="module of its own"):
        load_denoiser(tmp_path)


def test_every_image_is_seen_once_an_epoch():
    images = torch.arange(10.0)[:, None, None, None].expand(10, 1, 2, 2)
    config = replace(TINY, batch=5, flips=False)
    batches = Batches(images, Scales(lt.SingleScale(), (1, 2, 2)), config)
    for epoch in (0, 1, 7):
        seen = torch.cat([batches.draw(2 * epoch + half)[0][:, 0, 0, 0] for half in (0, 1)])
        assert sorted(seen.tolist()) == list(range(10))


def test_log_snrs_fill_the_square_or_the_path(tmp_path):
    generator = torch.Generator().manual_seed(0)
    levels = NoiseLevels(low=-4.0, high=8.0).draw(4000, 2, generator).numpy()
    for column in levels.T:
        counts, _ = np.histogram(column, bins=40, range=(-4.0, 8.0))
        assert (counts == 100).all()  # stratified
    assert abs(np.corrcoef(levels.T)[0, 1]) < 4 / np.sqrt(4000)
    lt.Path([[-4.0, -3.0], [0.0, 2.0], [8.0, 9.0]]).save(tmp_path / "path.json")
    path = tmp_path / "path.json"
    on = NoiseLevels(path=path, along=1.0).draw(1000, 2, generator).numpy()
    fine = np.sort(on[:, 0])
    np.testing.assert_allclose(np.interp(fine, [-4, 0, 8], [-3, 2, 9]), np.sort(on[:, 1]), atol=1e-5)
    assert abs((on[:, 0] < 0).mean() - 0.5) < 0.01  # half of the images on each step
    both = NoiseLevels(low=-20.0, high=-19.0, path=path, along=0.25).draw(4000, 2, generator).numpy()
    assert abs((both[:, 0] > -10).mean() - 0.25) < 4 * np.sqrt(0.25 * 0.75 / 4000)
    with pytest.raises(ValueError, match="2 scales; the model has 3"):
        NoiseLevels(path=path, along=1.0).draw(4, 3, generator)
    for wrong in ({"low": 2.0, "high": 1.0}, {"along": 0.5}, {"along": 2.0, "path": path}, {"spread": -1.0}):
        with pytest.raises(ValueError, match=r"must|needs"):
            NoiseLevels(**wrong)


def loss_of(tmp_path, weighting, levels, representation):
    """The loss that training sees, of an exact denoiser at given log-SNRs, and the closed form's errors."""
    law = lt.Spectrum.power_law((4, 4))
    scales = Scales(representation, (1, 4, 4))
    config = replace(TINY, size=4, weighting=weighting, batch=len(levels), flips=False)
    exact = LinearDenoiser(scales, law.variances)
    training = training_module._Training(
        config,
        tmp_path,
        law.sample(2000, seed=3),
        exact,
        Process(device=torch.device("cpu")),
        Console(quiet=True),
    )
    images, _, noise = training.batches.draw(0)
    loss = float(training._loss(exact, images, torch.tensor(levels, dtype=torch.float32), noise).detach())
    errors = np.asarray(lt.GaussianModel(law, representation).mmse(levels))
    return loss, errors, scales, training.std.numpy()


def test_path_weights_make_the_loss_the_cost_of_fine_steps(tmp_path):
    """In lock-step, n times the range times the loss is the path cost and the information, whatever the scale sizes."""
    end, count = 5.0, 1600
    levels = np.repeat(-end + 2 * end * (np.arange(count)[:, None] + 0.5) / count, 2, axis=1)
    loss, _, scales, _ = loss_of(tmp_path, "path_kl", levels, lt.AveragePyramid())
    model = lt.GaussianModel(lt.Spectrum.power_law((4, 4)), lt.AveragePyramid())
    fine = lt.Path(np.linspace([-end, -end], [end, end], 4001))
    gain = np.diff(np.asarray(model.mutual_information(fine.logsnr[[0, -1]])))
    wanted = lt.path_kl(model, fine) + float(gain[0])
    assert loss * sum(scales.sizes) * 2 * end == pytest.approx(wanted, rel=0.04)  # 1600 images


def test_unit_weights_count_the_raw_output(tmp_path):
    """The loss is the mean square of F, where the prediction is `skip z + out F`, summed over scales."""
    levels = np.tile([[1.0, -2.0]], (1000, 1))
    loss, errors, scales, std = loss_of(tmp_path, "unit", levels, lt.HaarBands())
    _, out, _ = coefficients(torch.tensor(levels[:1]), torch.tensor(std), "v")
    wanted = (errors[0] / out[0].numpy() ** 2 / scales.sizes).sum()
    assert loss == pytest.approx(wanted, rel=0.05)


def test_dropout_is_the_same_after_a_stop(tmp_path):
    class Dropping(LinearDenoiser):
        def forward(self, zs, logsnr):
            return [torch.nn.functional.dropout(d, 0.3, self.training) for d in super().forward(zs, logsnr)]

    scales = Scales(lt.SingleScale(), (1, 4, 4))
    config = replace(TINY, size=4, representation="single", steps=4, decay="constant", learning_rate=0.1)
    found = {}
    for name, stops in (("whole", (4,)), ("stopped", (1, 3, 4))):
        for stop in stops:
            model = Dropping(scales, np.ones((4, 4))).eval()
            train(replace(config, steps=stop), tmp_path / name, denoiser=model)
        found[name] = tensors(tmp_path / name)
    assert_identical(found["whole"], found["stopped"])


def test_what_cannot_be_stored_is_refused_at_once(tmp_path):
    scales = Scales(lt.SingleScale(), (1, 4, 4))
    config = replace(TINY, size=4, representation="single")
    frozen = LinearDenoiser(scales, np.ones((4, 4))).requires_grad_(False)
    with pytest.raises(ValueError, match="requires_grad"):
        train(config, tmp_path, denoiser=frozen)
    tied = LinearDenoiser(scales, np.ones((4, 4)))
    tied.again = tied.log_variances
    with pytest.raises(ValueError, match="share memory"):
        train(config, tmp_path, denoiser=tied)


def test_weights_that_are_not_finite_are_never_stored(tmp_path):
    config = replace(
        TINY, learning_rate=1e30, clip=1e30, warmup=0, save_every=1, log_every=100, evaluate_every=100
    )
    with pytest.raises(ValueError, match="not finite"):
        train(config, tmp_path)
    for step in checkpoints.steps(tmp_path / "checkpoints"):
        stored = checkpoints.read(tmp_path / "checkpoints", step).tensors
        assert all(bool(t.isfinite().all()) for n, t in stored.items() if n.startswith("model"))


def test_another_path_to_train_along_is_another_run(tmp_path):
    file = tmp_path / "path.json"
    lt.Path([[-4.0], [4.0]]).save(file)
    config = replace(
        TINY, representation="single", steps=1, decay="constant", noise=NoiseLevels(path=file, along=1.0)
    )
    train(config, tmp_path / "run")
    lt.Path([[-5.0], [4.0]]).save(file)
    with pytest.raises(ValueError, match="another path"):
        train(replace(config, steps=2), tmp_path / "run")


def test_bad_settings_are_told(tmp_path):
    for wrong in (
        *(
            {"steps": 0},
            {"batch": 1.5},
            {"learning_rate": 0.0},
            {"ema": (1.0,)},
            {"warmup": -1},
            {"seed": -1},
        ),
        *({"precision": "bf16"}, {"decay": "linear"}, {"weighting": "foo"}, {"channels": 2}),
    ):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            replace(TINY, **wrong)
    with pytest.raises(ValueError, match="unknown settings"):
        TrainConfig.from_json({**TINY.to_json(), "colour": 1})
    assert TrainConfig.from_json(TINY.to_json()) == TINY
    with pytest.raises(ValueError, match="preset"):
        train(replace(TINY, network="enormous"), tmp_path)
