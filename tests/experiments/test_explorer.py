"""The explorer in a real browser: it opens offline, its controls do what they say, and it shows the numbers given."""

import base64
import dataclasses
import io
import shutil

import matplotlib
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import sync_playwright

from experiments.explorer import Quantity, Route, Strip, View, explorer
from experiments.report import Report, Section

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FINE, COARSE = np.linspace(-9.0, 9.0, 13), np.linspace(-8.0, 10.0, 10)
SIZES = {"phone": (360, 740), "desktop": (1280, 900)}


def _grid(function):
    return function(*np.meshgrid(FINE, COARSE, indexing="ij"))


def _plane(x, y):
    return 0.3 + 0.02 * x + 0.011 * y


RNG = np.random.default_rng(5)
DECAY = _grid(lambda x, y: 3.7 / (1 + np.exp(x)) / (2 + np.exp(0.5 * y)))
STAIRS = np.array([[-9.0, -8.0], [-2.5, -8.0], [1.25, 3.125], [9.0, 10.0]])
CLEAN = np.vstack([np.linspace([-9.0, -8.0], [9.0, 10.0], 5), [[np.inf, np.inf]]])
FRAMES = RNG.uniform(-1.2, 1.2, (6, 3, 8, 6, 3))


def _views():
    stairs = Route(
        key="stairs", label="stairs", points=STAIRS, note="0.25 nats, 120 % of the floor", colour="#d1495b"
    )
    clean = Route(
        key="clean",
        label="to clean data",
        points=CLEAN,
        note="",
        colour="#00798c",
        shown=False,
        strip=Strip(frames=FRAMES, caption="denoised predictions"),
    )
    error = {"key": "error", "label": "error", "units": "squared units"}
    return [
        View(
            key="surface",
            label="two scales </script>",
            group="closed form",
            scales=("fine", "coarse"),
            axes=(FINE, COARSE),
            quantities=[
                Quantity(**error, values=DECAY, logarithmic=True),
                Quantity(key="plane", label="plane", units="nats", values=_grid(_plane)),
            ],
            routes=[stairs, clean],
            note="made up",
        ),
        View(
            key="curve",
            label="one scale",
            group="trained",
            scales=("only",),
            axes=(FINE,),
            quantities=[Quantity(**error, values=np.exp(-0.7 * FINE), logarithmic=True)],
            routes=[dataclasses.replace(stairs, points=STAIRS[:, :1])],
        ),
        View(
            key="bare",
            label="no paths",
            group="trained",
            scales=("fine", "coarse"),
            axes=(FINE, COARSE),
            quantities=[Quantity(key="flat", label="constant", units="", values=np.zeros((13, 10)))],
        ),
    ]


@pytest.fixture(scope="module")
def browser():
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip(f"no browser on this machine; looked for {', '.join(BROWSERS)}")
    with sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    path = tmp_path_factory.mktemp("explorer") / "report.html"
    section = Section(title="Explore", items=[explorer(_views())])
    path.write_text(Report(title="Test", lead="", answer=[], sections=[section]).html(), encoding="utf-8")
    return path.as_uri()


@pytest.fixture(params=["desktop"])
def page(browser, address, request):
    """The page at one window size; whatever it complains about or loads fails the test at its end."""
    width, height = SIZES[request.param]
    opened = browser.new_page(viewport={"width": width, "height": height})
    opened.set_default_timeout(10_000)
    complaints, loaded = [], []
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("request", lambda asked: loaded.append(asked.url))
    opened.goto(address)
    yield opened
    opened.close()
    assert complaints == []
    assert [url for url in loaded if not url.startswith("data:")] == [address]


def _number(text):
    """A number as the page writes it."""
    superscripts = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
    mantissa, _, exponent = text.replace("−", "-").partition("·10")
    return float(mantissa) * 10.0 ** int(exponent.translate(superscripts) or "0")


def _readout(page, name):
    """Log-SNR and sigma per scale, and the value."""
    cells = page.locator(f".explorer-at-{name} td").all_inner_texts()
    numbers = [np.inf if cell == "∞" else _number(cell) for cell in cells]
    value = page.locator(f".explorer-at-{name} strong").inner_text()
    return numbers[::2], numbers[1::2], value


def _canvas(page):
    return page.evaluate("document.querySelector('.explorer-plot canvas').toDataURL()")


def _pixels(url):
    picture = Image.open(io.BytesIO(base64.b64decode(url.split(",")[1])))
    return np.asarray(picture.convert("RGB"), dtype=float)


def _press(page, key, times):
    for _ in range(times):
        page.keyboard.press(key)


both_sizes = pytest.mark.parametrize("page", list(SIZES), indirect=True)


@both_sizes
def test_page_fits_its_window_and_draws_the_surface(page):
    for view in ("surface", "curve", "bare"):
        page.get_by_role("combobox", name="representation").select_option(view)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    box = page.locator(".explorer-plot").bounding_box()
    assert box["width"] > 250
    assert box["height"] > 250


def test_window_may_be_resized(page):
    page.set_viewport_size({"width": 360, "height": 740})
    page.wait_for_function("document.querySelector('.explorer-plot canvas').width < 360")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_choices_change_picture_and_labels_and_are_kept(page):
    seen = {_canvas(page)}
    title, axes = page.locator(".explorer-title"), page.locator(".explorer-name")
    assert title.inner_text() == "error (squared units)"
    assert axes.all_text_contents() == ["log-SNR of fine (nats)", "log-SNR of coarse (nats)"]
    page.get_by_role("combobox", name="quantity").select_option("plane")
    assert title.inner_text() == "plane (nats)"
    assert "plane, two scales </script>" in page.locator(".explorer-plot").get_attribute("aria-label")
    seen.add(_canvas(page))
    page.get_by_role("combobox", name="quantity").select_option("error")
    assert _canvas(page) in seen
    page.get_by_role("combobox", name="representation").select_option("curve")
    assert page.get_by_role("combobox", name="quantity").input_value() == "error"
    assert axes.all_text_contents() == ["log-SNR of only (nats)"]
    assert page.locator(".explorer-curve").count() == 1
    seen.add(_canvas(page))
    assert len(seen) == 3
    groups = page.locator(".explorer-view optgroup")
    assert groups.evaluate_all("all => all.map((group) => group.label)") == ["closed form", "trained"]


def test_arrow_keys_read_the_array_off_at_grid_points(page):
    page.locator(".explorer-plot").focus()
    for shift, keys, (i, j) in (
        ("", {"ArrowLeft": 40, "ArrowDown": 40}, (0, 0)),
        ("", {"ArrowRight": 4, "ArrowUp": 3}, (4, 3)),
        ("Shift+", {"ArrowRight": 1, "ArrowUp": 1}, (9, 8)),
        ("Shift+", {"ArrowRight": 1, "ArrowDown": 1}, (12, 3)),
    ):
        for key, times in keys.items():
            _press(page, shift + key, times)
        place, sigmas, value = _readout(page, "cross")
        np.testing.assert_allclose(place, [FINE[i], COARSE[j]], atol=6e-4)
        np.testing.assert_allclose(sigmas, np.exp(-0.5 * np.array([FINE[i], COARSE[j]])), rtol=1e-3)
        np.testing.assert_allclose(_number(value), DECAY[i, j], rtol=1e-3)


def test_pointer_reads_off_what_is_coloured_there(page):
    page.get_by_role("combobox", name="quantity").select_option("plane")
    plot = page.locator(".explorer-plot")
    box, values = plot.bounding_box(), _grid(_plane)
    table = matplotlib.colormaps["viridis"]
    for across, down in ((0.3, 0.35), (0.62, 0.5), (0.8, 0.72)):
        x, y = round(across * box["width"]), round(down * box["height"])
        page.mouse.move(box["x"] + x, box["y"] + y)
        place, _, value = _readout(page, "cross")
        # Bilinear interpolation is exact for a plane, up to the digits of the place.
        np.testing.assert_allclose(_number(value), _plane(*place), rtol=1e-3)
        expected = table((_plane(*place) - values.min()) / np.ptp(values), bytes=True)[:3]
        around = _pixels(_canvas(page))[y - 2 : y + 3, x - 2 : x + 3]
        colours = around.reshape(-1, 3)  # some of them on a light line
        assert np.abs(colours - np.array(expected, dtype=float)).max(axis=1).min() <= 3


def test_curve_carries_its_paths_and_is_read_off(page):
    page.get_by_role("combobox", name="representation").select_option("curve")
    page.locator(".explorer-plot").focus()
    _press(page, "ArrowLeft", 20)
    _press(page, "ArrowUp", 2)
    _press(page, "ArrowRight", 3)
    place, _, value = _readout(page, "cross")
    np.testing.assert_allclose(place, [FINE[3]], atol=6e-4)
    np.testing.assert_allclose(_number(value), np.exp(-0.7 * FINE[3]), rtol=1e-3)
    dots = page.locator("[data-route=stairs] circle").evaluate_all(
        "all => all.map((dot) => [Number(dot.getAttribute('cx')), Number(dot.getAttribute('cy'))])"
    )
    across, down = np.array(dots).T
    # A logarithmic axis makes this curve a straight line from corner to corner.
    share = (STAIRS[:, 0] + 9) / 18
    np.testing.assert_allclose(across, across[0] + share * (across[-1] - across[0]), atol=0.01)
    np.testing.assert_allclose(down, down[0] + share * (down[-1] - down[0]), atol=0.01)


def test_checkboxes_show_and_hide_paths(page):
    stairs, clean = page.locator("[data-route=stairs]"), page.locator("[data-route=clean]")
    assert (stairs.count(), clean.count()) == (1, 0)
    assert stairs.locator("circle").count() == len(STAIRS)
    page.get_by_role("checkbox", name="stairs").uncheck()
    page.get_by_role("checkbox", name="to clean data").check()
    assert (stairs.count(), clean.count()) == (0, 1)
    assert clean.locator("circle").count() == len(CLEAN) - 1, "clean data has no place on the surface"
    page.get_by_role("combobox", name="representation").select_option("curve")
    assert not page.get_by_role("checkbox", name="stairs").is_checked(), "the choice outlives the view"
    page.get_by_role("combobox", name="representation").select_option("bare")
    assert not page.get_by_role("group", name="Paths shown").is_visible()


def test_steps_show_the_noise_levels_of_the_path(page):
    forward, back = page.get_by_role("button", name="next"), page.get_by_role("button", name="previous")
    slider = page.get_by_role("slider")
    assert back.is_disabled()
    assert "0.25 nats, 120 % of the floor" in page.locator(".explorer-at-step").inner_text()
    for step, point in enumerate(STAIRS):
        place, sigmas, _ = _readout(page, "step")
        np.testing.assert_allclose(place, point, atol=6e-4)
        np.testing.assert_allclose(sigmas, np.exp(-point / 2), rtol=1e-3)
        assert f"Step {step} of 3" in page.locator(".explorer-at-step").inner_text()
        assert (slider.input_value(), slider.get_attribute("aria-valuetext")) == (
            str(step),
            f"Step {step} of 3",
        )
        if step < 3:
            forward.click()
    assert forward.is_disabled()
    np.testing.assert_allclose(_number(_readout(page, "step")[2]), DECAY[-1, -1], rtol=1e-3)
    back.click()
    slider.fill("1")
    np.testing.assert_allclose(_readout(page, "step")[0], STAIRS[1], atol=6e-4)
    page.get_by_role("combobox", name="path").select_option("clean")
    assert page.get_by_role("checkbox", name="to clean data").is_checked()
    slider.fill("5")
    assert _readout(page, "step") == ([np.inf, np.inf], [0, 0], "not on the surface")
    assert "clean data" in page.locator(".explorer-at-step").inner_text()
    assert page.locator(".explorer-marker").count() == 0


def test_images_are_those_of_the_step(page):
    strip = page.locator(".explorer-strip")
    assert not strip.is_visible()
    page.get_by_role("combobox", name="path").select_option("clean")
    for step in (0, 3, 5):
        page.get_by_role("slider").fill(str(step))
        page.get_by_role("img", name=f"denoised predictions, step {step} of 5").wait_for()
        shown = strip.locator("canvas").evaluate_all("all => all.map((image) => image.toDataURL())")
        expected = np.round((np.clip(FRAMES[step], -1, 1) + 1) / 2 * 255)
        np.testing.assert_array_equal(np.stack([_pixels(url) for url in shown]), expected)
    page.get_by_role("combobox", name="path").select_option("stairs")
    assert not strip.is_visible()


def test_play_walks_to_the_end_and_stops(page):
    play = page.get_by_role("button", name="play")
    page.get_by_role("slider").fill("2")
    play.click()
    assert page.get_by_role("button", name="pause").get_attribute("aria-pressed") == "true"
    page.get_by_text("Step 3 of 3").wait_for()
    assert play.get_attribute("aria-pressed") == "false"


@pytest.mark.parametrize("page", ["phone"], indirect=True)
def test_on_a_phone_the_picture_stays_in_sight_beside_the_controls(page):
    for control in (page.get_by_role("slider"), page.get_by_role("checkbox", name="to clean data")):
        control.focus()
        plot, box = page.locator(".explorer-plot").bounding_box(), control.bounding_box()
        assert plot["y"] >= 0
        assert plot["y"] + plot["height"] <= box["y"]
        assert box["y"] + box["height"] <= SIZES["phone"][1]


@both_sizes
def test_everything_can_be_done_by_keyboard(page):
    order = []
    for _ in range(30):
        page.keyboard.press("Tab")
        name = page.evaluate("document.activeElement.className || document.activeElement.value || ''")
        if name in order or not name:
            break
        order.append(name)
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", f"focus shows on {name}"
    walk = ["explorer-route", "explorer-step", "explorer-next", "explorer-play"]
    assert order == [
        "explorer-view",
        "explorer-quantity",
        "explorer-plot",
        *walk,
        "stairs",
        "clean",
    ], "the first step has none before it, so that button is passed over"
    page.locator(".explorer-quantity").focus()
    page.keyboard.press("ArrowDown")
    assert page.locator(".explorer-title").inner_text() == "plane (nats)"
    page.locator(".explorer-step").focus()
    page.keyboard.press("ArrowRight")
    np.testing.assert_allclose(_readout(page, "step")[0], STAIRS[1], atol=6e-4)
    page.locator(".explorer-next").focus()
    page.keyboard.press("Enter")
    np.testing.assert_allclose(_readout(page, "step")[0], STAIRS[2], atol=6e-4)
    page.locator("input[value=stairs]").focus()
    page.keyboard.press("Space")
    assert page.locator("[data-route=stairs]").count() == 0


def test_every_control_has_a_name(page):
    tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    roles = ("combobox", "slider", "checkbox", "button", "application", "group", "image")
    named = [
        (node["role"]["value"], node["name"]["value"])
        for node in tree
        if not node["ignored"] and node["role"]["value"] in roles
    ]
    assert all(name for _, name in named)
    counts = {role: sum(found == role for found, _ in named) for role in roles}
    assert counts["combobox"] == 3
    assert counts["checkbox"] == 2
    assert counts["slider"] == 1
    assert counts["button"] == 3
    assert counts["application"] == 1
