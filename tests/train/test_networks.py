"""Networks keep grids, use every scale and every weight, and are of equal size across representations."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import tolerances as tol
import torch
from torch import nn

import lift_theory as lt
from lift_train.denoisers import NetworkDenoiser, coefficients
from lift_train.networks import (
    PRESETS,
    LiftConfig,
    LiftUNet,
    MultiScaleUNet,
    UNetConfig,
    configuration,
    matched,
    network,
    parameter_count,
)
from lift_train.networks.layers import Attention
from lift_train.scales import Scales, representation

NAMES = [
    "single",
    "pyramid",
    "pyramid:3",
    "haar",
    "haar:3",
    "dct",
    "dct:12",
    "dct:12,10,4",
    "residual",
    "residual:3",
    "residual-bilinear",
    "residual-bicubic",
]
"""Two bands of "dct:12" share a grid, three of "dct:12,10,4"."""

ATTENTIVE = UNetConfig(
    channels=(8, 16, 24), blocks=2, embedding=16, attention=(1,), middle_attention=True, head=8
)
SMALL_LIFT = LiftConfig(channels=(8, 16, 16), embedding=16, features=8, attention_from=16)
CONFIGS = [PRESETS["tiny"], ATTENTIVE, SMALL_LIFT]


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def scales_of(name: str, size: int = 16, channels: int = 1) -> Scales:
    return Scales(representation(name, size), (channels, size, size))


def example(scales: Scales, batch: int = 3, seed: int = 0) -> tuple[list[torch.Tensor], torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    inputs = [torch.randn(batch, *grid, generator=generator) for grid in scales.grids]
    return inputs, 4 * torch.randn(batch, len(inputs), generator=generator)


def awake(config, scales: Scales, seed: int = 0) -> nn.Module:
    """A network none of whose weights is zero, as after some training."""
    net = network(config, scales, seed=seed).eval()
    generator = torch.Generator().manual_seed(seed + 1)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter += 0.2 * torch.randn(parameter.shape, generator=generator)
    return net


@pytest.mark.parametrize("config", CONFIGS, ids=["tiny", "attentive", "lift"])
@pytest.mark.parametrize("name", NAMES)
def test_outputs_lie_on_the_grids_of_the_inputs(name, config):
    scales = scales_of(name, channels=2)
    inputs, logsnr = example(scales)
    outputs = network(config, scales)(inputs, logsnr)
    assert [output.shape for output in outputs] == [value.shape for value in inputs]


@pytest.mark.parametrize("config", CONFIGS, ids=["tiny", "attentive", "lift"])
@pytest.mark.parametrize("name", ["single", "pyramid:3", "haar", "dct:12"])
def test_every_output_depends_on_every_input_log_snr_and_weight(name, config):
    scales = scales_of(name)
    net, (inputs, logsnr) = awake(config, scales), example(scales)
    sources = [*inputs, logsnr]
    for source in sources:
        source.requires_grad_()
    outputs = net(inputs, logsnr)
    for output in outputs:
        gradients = torch.autograd.grad(output.square().sum(), sources, retain_graph=True)
        assert all(bool((gradient != 0).any()) for gradient in gradients)
        assert bool((gradients[-1] != 0).all())
    sum(output.square().sum() for output in outputs).backward()
    assert [key for key, weight in net.named_parameters() if not bool((weight.grad != 0).any())] == []


@pytest.mark.parametrize("config", CONFIGS[:2], ids=["tiny", "attentive"])
def test_a_few_steps_of_descent_wake_every_weight(config):
    """Parts that start at zero must not keep each other there."""
    scales = scales_of("pyramid")
    net = network(config, scales, seed=0)
    before = [parameter.detach().clone() for parameter in net.parameters()]
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    for step in range(5):
        inputs, logsnr = example(scales, seed=step)
        outputs = net(inputs, logsnr)
        loss = sum((y - x).square().mean() for x, y in zip(inputs, outputs, strict=True))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    moved = [not torch.equal(old, new) for old, new in zip(before, net.parameters(), strict=True)]
    assert all(moved)


@pytest.mark.parametrize("config", CONFIGS[:2], ids=["tiny", "attentive"])
@pytest.mark.parametrize("parametrisation", ["v", "eps", "x0"])
def test_a_fresh_network_predicts_the_skip(config, parametrisation):
    scales = scales_of("pyramid")
    (zs, logsnr), std = example(scales), torch.tensor([0.5, 0.3])
    predictions = NetworkDenoiser(network(config, scales), scales, std, parametrisation)(zs, logsnr)
    skip, _, _ = coefficients(logsnr, std, parametrisation)
    for k, (z, prediction) in enumerate(zip(zs, predictions, strict=True)):
        torch.testing.assert_close(prediction, skip[:, k, None, None, None] * z)


@pytest.mark.parametrize("config", CONFIGS, ids=["tiny", "attentive", "lift"])
def test_an_image_is_denoised_the_same_in_any_company(config):
    scales = scales_of("pyramid")
    net = awake(config, scales).double()
    (inputs, logsnr), order = example(scales, batch=5), torch.tensor([3, 0, 4, 1, 2])
    inputs, logsnr = [value.double() for value in inputs], logsnr.double()
    together = net(inputs, logsnr)
    alone = [net([value[i : i + 1] for value in inputs], logsnr[i : i + 1]) for i in order]
    for k, output in enumerate(together):
        single = torch.cat([outputs[k] for outputs in alone])
        torch.testing.assert_close(single, output[order], rtol=tol.DENSE, atol=tol.DENSE)


@pytest.mark.parametrize("config", CONFIGS, ids=["tiny", "attentive", "lift"])
@pytest.mark.parametrize("value", [torch.inf, -torch.inf])
def test_infinite_log_snrs_are_limits_of_large_ones(config, value):
    scales = scales_of("pyramid")
    net, (inputs, logsnr) = awake(config, scales), example(scales)
    extreme, large, other = logsnr.clone(), logsnr.clone(), logsnr.clone()
    extreme[:, 1], large[:, 1], other[:, 1] = value, 200.0 if value > 0 else -200.0, 0.0
    outputs = net(inputs, extreme.requires_grad_())
    gradients = torch.autograd.grad(sum(output.sum() for output in outputs), extreme)[0]
    assert bool(torch.isfinite(gradients).all())
    for found, limit, elsewhere in zip(outputs, net(inputs, large), net(inputs, other), strict=True):
        torch.testing.assert_close(found, limit)
        assert not torch.allclose(found, elsewhere)


def test_a_clean_scale_passes_a_denoiser_unchanged():
    scales = scales_of("pyramid")
    zs, logsnr = example(scales)
    logsnr[:, 1] = torch.inf
    denoiser = NetworkDenoiser(awake("tiny", scales), scales, [0.5, 0.5])
    fine, coarse = denoiser(zs, logsnr)
    assert bool(torch.isfinite(fine).all())
    torch.testing.assert_close(coarse, zs[1])


@pytest.mark.parametrize("low", [-20.0, 10.0])
def test_neighbouring_log_snrs_are_told_apart_over_their_whole_range(low):
    scales = scales_of("single")
    embedding = network("small", scales, seed=0).embedding
    values = torch.arange(low, low + 10.0, 0.5)[:, None]
    vectors = embedding.features(values).flatten(1)
    steps = (vectors[1:] - vectors[:-1]).norm(dim=1) / vectors[0].norm()
    assert float(steps.min()) > 0.05
    assert float(steps.max()) < 0.5


@pytest.mark.parametrize("config", CONFIGS, ids=["tiny", "attentive", "lift"])
def test_a_seed_decides_the_weights_and_nothing_else(config):
    scales = scales_of("pyramid")
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    first, second, other = (network(config, scales, seed=seed) for seed in (1, 1, 2))
    torch.testing.assert_close(torch.rand(3), expected)
    same = [torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True)]
    assert all(same)
    assert not torch.equal(next(first.parameters()), next(other.parameters()))


@pytest.mark.parametrize("config", CONFIGS, ids=["tiny", "attentive", "lift"])
def test_jacobian_vector_products_agree_with_differences(config):
    scales = scales_of("pyramid")
    net = awake(config, scales).double()
    inputs, logsnr = example(scales)
    points = (*(value.double() for value in inputs), logsnr.double())
    tangents = tuple(torch.randn_like(point) for point in points)

    def outputs(*values):
        return net(list(values[:-1]), values[-1])

    def shifted(step):
        moved = (point + step * tangent for point, tangent in zip(points, tangents, strict=True))
        return outputs(*moved)

    with torch.no_grad():
        _, products = torch.func.jvp(outputs, points, tangents)
        difference = [(a - b) / 2e-5 for a, b in zip(shifted(1e-5), shifted(-1e-5), strict=True)]
    for product, quotient in zip(products, difference, strict=True):
        torch.testing.assert_close(product, quotient, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("config", CONFIGS, ids=["tiny", "attentive", "lift"])
def test_half_precision_arithmetic_comes_close(config):
    scales = scales_of("pyramid")
    net, (inputs, logsnr) = awake(config, scales), example(scales)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = net(inputs, logsnr)
    for found, expected in zip(rounded, net(inputs, logsnr), strict=True):
        assert float((found.float() - expected).norm().detach()) < 0.05 * float(expected.norm().detach())


def test_attention_gathers_values_by_the_likeness_of_queries_and_keys():
    channels, heads, height, width = 6, 2, 2, 3
    layer = Attention(channels, heads).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_(generator=torch.Generator().manual_seed(parameter.numel()))
    x = torch.randn(2, channels, height, width, dtype=torch.float64)
    mixed = layer.inputs(layer.norm(x)).detach().flatten(2).numpy()
    gathered = np.zeros((2, channels, height * width))
    size = channels // heads
    for image in range(2):
        for head in range(heads):
            query, key, value = (
                mixed[image, part * channels + head * size : part * channels + (head + 1) * size]
                for part in range(3)
            )
            for i in range(height * width):
                likeness = np.exp([query[:, i] @ key[:, j] / np.sqrt(size) for j in range(height * width)])
                gathered[image, head * size : (head + 1) * size, i] = value @ likeness / likeness.sum()
    expected = x + layer.outputs(torch.from_numpy(gathered).reshape(x.shape))
    torch.testing.assert_close(layer(x), expected, rtol=tol.DENSE, atol=tol.DENSE)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", NAMES)
def test_other_representations_get_networks_of_equal_size(preset, name):
    channels, size = (3, 64) if preset.endswith("64") else (1, 16)
    name = {"dct:12": f"dct:{3 * size // 4}", "dct:12,10,4": f"dct:{size - 4},{size - 6},{size // 4}"}.get(
        name, name
    )
    pyramid, scales = scales_of("pyramid", size, channels), scales_of(name, size, channels)
    with torch.device("meta"):
        wanted = parameter_count(network(preset, pyramid))
        found = parameter_count(network(matched(preset, scales, pyramid), scales))
    assert abs(found - wanted) <= 0.01 * wanted


def test_matching_finds_the_nearest_width_and_changes_nothing_else():
    pyramid, single = scales_of("pyramid"), scales_of("single")
    config = replace(PRESETS["tiny"], embedding=40)
    assert matched(config, pyramid, pyramid) == config
    found = matched(config, single, pyramid)
    assert replace(found, embedding=config.embedding) == config

    def gap(width):
        sizes = [
            parameter_count(network(replace(config, embedding=w), s))
            for w, s in [(width, single), (config.embedding, pyramid)]
        ]
        return abs(sizes[0] - sizes[1])

    assert min(range(30, 60), key=gap) == found.embedding


def test_matching_refuses_what_no_width_can_reach():
    narrow = UNetConfig(channels=(16, 24, 32), embedding=1)
    with pytest.raises(ValueError, match="no width of the embedding"):
        matched(narrow, scales_of("pyramid:3", channels=3), scales_of("single"))


@pytest.mark.parametrize(("name", "published"), [("pyramid", 58.5), ("single", 58.3)])
def test_the_published_network_has_the_published_size(name, published):
    with torch.device("meta"):
        millions = parameter_count(network("lift64", scales_of(name, 64, 3))) / 1e6
    assert millions == pytest.approx(published, abs=tol.PRINTED * 0.1)


@pytest.mark.parametrize(
    ("preset", "channels", "size", "low", "high"),
    [("tiny", 1, 8, 50e3, 100e3), ("small", 1, 16, 0.55e6, 0.7e6), ("base64", 3, 64, 57e6, 60e6)],
)
def test_presets_have_the_sizes_they_stand_for(preset, channels, size, low, high):
    with torch.device("meta"):
        assert low < parameter_count(network(preset, scales_of("pyramid", size, channels))) < high


@pytest.mark.parametrize("config", [*PRESETS.values(), *CONFIGS])
def test_configurations_survive_json(config):
    saved = json.loads(json.dumps(asdict(config)))
    assert configuration(saved) == config
    assert hash(configuration(saved)) == hash(config)


def test_a_scale_enters_and_leaves_at_its_own_resolution():
    scales = scales_of("pyramid")
    net = network("tiny", scales)
    seen = {}
    for name in ("enter", "leave"):
        for k, module in enumerate(getattr(net, name)):
            module.register_forward_hook(
                lambda _, inputs, output, key=(name, k): seen.update({key: (inputs[0].shape, output.shape)})
            )
    net(*example(scales))
    planes = {key: {tuple(shape[-2:]) for shape in shapes} for key, shapes in seen.items()}
    assert planes == {(way, k): {scales.grids[k][1:]} for way in ("enter", "leave") for k in (0, 1)}


def test_dropout_acts_in_training_alone():
    scales = scales_of("single")
    net = awake(replace(PRESETS["tiny"], dropout=0.5), scales)
    inputs, logsnr = example(scales)
    torch.testing.assert_close(net(inputs, logsnr), net(inputs, logsnr), rtol=0, atol=0)
    net.train()
    assert not torch.equal(net(inputs, logsnr)[0], net(inputs, logsnr)[0])


@pytest.mark.parametrize("config", CONFIGS, ids=["tiny", "attentive", "lift"])
def test_images_need_not_be_square(config):
    scales = Scales(lt.AveragePyramid(), (1, 8, 16))
    inputs, logsnr = example(scales)
    outputs = network(config, scales)(inputs, logsnr)
    assert [output.shape for output in outputs] == [value.shape for value in inputs]


@pytest.mark.parametrize("config", CONFIGS, ids=["tiny", "attentive", "lift"])
def test_representations_without_images_are_refused(config):
    matrices = {"all": torch.eye(16).double().numpy()}
    scales = Scales(lt.LinearScales(matrices), (1, 4, 4))
    with pytest.raises(ValueError, match="scales that are images"):
        network(config, scales)


@pytest.mark.parametrize(
    ("config", "name", "size", "message"),
    [
        (UNetConfig(channels=(8, 16)), "pyramid:3", 16, "2 halvings below the finest"),
        (UNetConfig(channels=(8, 8, 8)), "single", 6, "cannot be halved 2 times"),
        (LiftConfig(), "single", 8, "cannot be halved 4 times"),
    ],
)
def test_levels_must_suit_the_image(config, name, size, message):
    with pytest.raises(ValueError, match=message):
        network(config, scales_of(name, size))


@pytest.mark.parametrize(
    ("kind", "wrong", "message"),
    [
        (UNetConfig, {"channels": ()}, "channels must be of positive whole numbers"),
        (UNetConfig, {"channels": (8, 0)}, "channels must be"),
        (UNetConfig, {"channels": (8,), "blocks": 1.5}, "blocks must be"),
        (UNetConfig, {"channels": (8,), "embedding": True}, "embedding must be"),
        (UNetConfig, {"channels": (8,), "attention": (1,)}, "attention must name levels 0 to 0"),
        (UNetConfig, {"channels": (10,), "attention": (0,), "head": 3}, "choose multiples"),
        (UNetConfig, {"channels": (8,), "dropout": 1.0}, "dropout must be"),
        (UNetConfig, {"channels": (8,), "kind": "lift"}, "'multi-scale'"),
        (LiftConfig, {"channels": (8, 12)}, "multiples of 8"),
        (LiftConfig, {"features": 7}, "features must be even"),
        (LiftConfig, {"kind": "multi-scale"}, "'lift'"),
    ],
)
def test_wrong_sizes_are_named(kind, wrong, message):
    with pytest.raises(ValueError, match=message):
        kind(**wrong)


def test_unknown_presets_and_kinds_are_named():
    with pytest.raises(ValueError, match="unknown preset 'huge'; choose one of tiny, small"):
        configuration("huge")
    with pytest.raises(ValueError, match="unknown kind of network 'other'"):
        configuration({"kind": "other"})


@pytest.mark.parametrize("config", CONFIGS, ids=["tiny", "attentive", "lift"])
def test_missing_scales_and_log_snrs_are_refused(config):
    scales = scales_of("pyramid")
    net, (inputs, logsnr) = network(config, scales), example(scales)
    with pytest.raises(ValueError, match="expected 2 scales"):
        net(inputs[:1], logsnr)
    with pytest.raises(ValueError, match="expected 2 scales"):
        net(inputs, logsnr[:, :1])


def test_presets_are_of_the_classes_they_promise():
    assert isinstance(network("small", scales_of("single")), MultiScaleUNet)
    with torch.device("meta"):
        assert isinstance(network("lift64", scales_of("single", 64)), LiftUNet)
