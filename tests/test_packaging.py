"""What is shipped, what may import what, and whether the examples in the documents work."""

import importlib
import importlib.util
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from pages import blocks, documents, run

from docs.ext import layers
from docs.ext.layers import imports

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NUMERICS = [p for p in (ROOT / "lift_theory").rglob("*.py") if "theorems" not in p.parts]
THEOREMS = list((ROOT / "lift_theory" / "theorems").glob("*.py"))
HOWTOS = {ROOT / "docs" / "tutorial.md", *(ROOT / "docs" / "howto").glob("*.md")}  # see test_howtos.py
EXAMPLES = [file for file in documents(ROOT) if blocks(file, "python") and file not in HOWTOS]


def below(names: set[str], *modules: str) -> set[str]:
    """The names that are one of the modules, or inside one."""
    return {name for name in names for module in modules if f"{name}.".startswith(f"{module}.")}


def test_imports_are_understood(tmp_path):
    """The reader of imports must see every form, or the tests below pass for the wrong reason."""
    file = tmp_path / "a" / "b.py"
    file.parent.mkdir()
    file.write_text("import x.y\nfrom . import c\nfrom .d import e\ndef f():\n    from torch import nn\n")
    assert imports(file, tmp_path) == {"x.y", "a", "a.c", "a.d", "a.d.e", "torch", "torch.nn"}
    assert below({"torch.nn", "torchvision"}, "torch") == {"torch.nn"}


def test_layers_hold():
    assert layers.unplaced() == []
    imported = layers.graph()
    assert layers.violations(imported) == []
    assert imported["lift_theory.optimize"] >= {"lift_theory.gaussian", "lift_theory.paths"}
    assert imported["lift_theory.mixtures"] >= {"lift_theory.optimize"}  # inside a function
    assert imported["lift_theory.theorems"] == set()
    assert imported["experiments"] >= {"lift_train", "lift_theory"}


@pytest.mark.parametrize(
    ("file", "code", "told"),
    [
        ("lift_theory/gaussian.py", "from lift_theory.paths import Path", "later layer Paths"),
        ("lift_theory/laws.py", "def f():\n    import lift_train", "later layer Networks"),
        ("lift_theory/bounds.py", "import lift_theory.controls", "a circle"),
        ("lift_theory/new.py", "", "lift_theory.new"),
    ],
)
def test_layers_notice(tmp_path, file, code, told):
    for name in ("lift_theory/__init__", "lift_theory/paths", "lift_train/__init__", "lift_theory/controls"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.py").write_text("")
    (tmp_path / "lift_theory" / "controls.py").write_text("from lift_theory import bounds")
    (tmp_path / file).write_text(code)
    [found] = layers.unplaced(tmp_path) + layers.violations(layers.graph(tmp_path))
    assert told in found


@pytest.mark.parametrize("file", NUMERICS + THEOREMS, ids=lambda file: file.stem)
def test_theory_stands_alone(file):
    assert not below(imports(file), "lift_train", "experiments", "torch")


@pytest.mark.parametrize("file", NUMERICS, ids=lambda file: file.stem)
def test_numerics_do_not_know_the_theorems(file):
    assert not below(imports(file), "lift_theory.theorems", "sympy", "mpmath")


@pytest.mark.parametrize("file", THEOREMS, ids=lambda file: file.stem)
def test_theorems_do_not_know_the_numerics(file):
    own = below(imports(file), "lift_theory") - {"lift_theory"}
    assert own == below(own, "lift_theory.theorems")


def test_one_module_uses_the_convex_solver():
    assert len([file for file in NUMERICS if below(imports(file), "cvxpy")]) <= 1


@pytest.mark.parametrize(
    ("package", "unwanted"),
    [
        (
            "lift_theory",
            "sympy cvxpy matplotlib xarray numba torch PIL skimage sklearn lift_train experiments",
        ),
        ("lift_train", "torch sympy cvxpy matplotlib skimage sklearn experiments"),
    ],
)
def test_import_is_light(package, unwanted):
    code = f"import sys, {package}; print(*sorted(set({unwanted.split()}) & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert run.stdout.split() == []


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built from the sdist, and that from a copy so that nothing is left in the tree."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("lift_theory", "lift_train", "experiments", "tests"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "*.nb[ci]"))
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", built, source],
        check=True,
        capture_output=True,
    )
    [file] = built.glob("*.whl")
    return zipfile.ZipFile(file)


def test_wheel_holds_both_packages_and_nothing_else(wheel):
    shipped = {name for name in wheel.namelist() if ".dist-info/" not in name}
    wanted = {
        file.relative_to(ROOT).as_posix()
        for package in ("lift_theory", "lift_train")
        for file in [*(ROOT / package).rglob("*.py"), ROOT / package / "py.typed"]
    }
    assert shipped == wanted


def test_wheel_metadata(wheel):
    [name] = [name for name in wheel.namelist() if name.endswith("METADATA")]
    metadata = wheel.read(name).decode()
    assert "License-Expression: MIT" in metadata
    for extra in PROJECT["optional-dependencies"]:
        assert f"Provides-Extra: {extra}\n" in metadata


def test_the_installed_package_says_what_it_holds(wheel, tmp_path):
    """Without the source tree: no experiments, all theorems, and neither PyTorch nor symbolic algebra."""
    wheel.extractall(tmp_path)
    code = (
        "import runpy, sys; sys.argv = ['lift_theory']; runpy.run_module('lift_theory', run_name='__main__');"
        "import lift_theory; print(lift_theory.__file__, *{'torch', 'sympy', 'matplotlib'} & set(sys.modules))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    *lines, last = run.stdout.splitlines()
    assert last == str(tmp_path / "lift_theory" / "__init__.py")
    words = set(" ".join(lines).split())
    assert words >= {"GaussianModel", "optimal_path", "i_mmse_gradient", "lift_train"}
    assert not any(word.startswith("experiments") for word in words)


def test_core_dependencies_are_light():
    names = {re.split(r"[<>=\[ ]", requirement)[0] for requirement in PROJECT["dependencies"]}
    assert not names & {"torch", "sympy", "cvxpy", "matplotlib", "scikit-image", "scikit-learn"}


def test_every_requirement_has_a_lower_bound():
    """Of the form from which `.ci/minimal` takes the oldest versions."""
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    for requirement in (text for group in groups for text in group if not text.startswith("lift-theory[")):
        assert re.fullmatch(r"[\w-]+>=\d+(\.\d+)*(,<[\d.]+)?", requirement), requirement


def test_every_extra_is_explained():
    install, _, _ = (ROOT / "docs" / "quickstart.md").read_text().partition("## One command")
    for extra in PROJECT["optional-dependencies"]:
        assert f"`{extra}`" in install, extra


def test_version_is_written_once_more_where_it_must_be():
    version = PROJECT["version"]
    assert re.search(rf"^version: {re.escape(version)}$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text()


def save_network(folder):
    """What a page takes for the reader's own model of diffusers: a small network with random weights."""
    importlib.import_module("safetensors.torch")  # old versions of diffusers use it unasked
    diffusers = importlib.import_module("diffusers")
    network = diffusers.UNet2DModel(
        sample_size=8,
        in_channels=1,
        out_channels=1,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("DownBlock2D",) * 2,
        up_block_types=("UpBlock2D",) * 2,
        norm_num_groups=4,
    )
    network.save_pretrained(folder / "unet")
    diffusers.DDPMScheduler().save_pretrained(folder / "scheduler")


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.stem)
def test_examples_in_documents_run(file, tmp_path, monkeypatch):
    """What they print is not compared: networks trained on another processor end elsewhere."""
    monkeypatch.chdir(tmp_path)
    if file.stem == "training" and importlib.util.find_spec("diffusers"):
        save_network(tmp_path / "my-model")
    run(file, compare=False)


def test_nothing_names_a_place_on_one_machine():
    local = re.compile(r"/(?:home|root|Users|work|scratch)/\w|[A-Z]:\\\\?Users")
    skipped = {"_build", "generated", "__pycache__"}
    folders = ("lift_theory", "lift_train", "experiments", "tests", "docs", ".ci")
    files = [file for folder in folders for file in (ROOT / folder).rglob("*") if file.is_file()]
    files += [file for file in ROOT.iterdir() if file.suffix in {".md", ".toml", ".cff"}]
    for file in files:
        if skipped & set(file.parts) or file.suffix in {".png", ".npz", ".nc", ".nbi", ".nbc"}:
            continue
        found = local.search(file.read_text(errors="ignore"))
        assert not found, f"{file.relative_to(ROOT)} holds {found and found.group()!r}"


def test_documentation_notices_a_missing_name(monkeypatch):
    pytest.importorskip("sphinx")
    monkeypatch.syspath_prepend(ROOT / "docs" / "ext")
    coverage = importlib.import_module("api_coverage")
    everything = {f"lift_theory.{name}" for name in importlib.import_module("lift_theory").__all__}
    assert coverage.undocumented("lift_theory", everything) == []
    assert coverage.undocumented("lift_theory", everything - {"lift_theory.Spectrum"}) == [
        "lift_theory.Spectrum is public but on no API page"
    ]
    monkeypatch.setattr(importlib.import_module("lift_theory").HaarBands, "__doc__", "")
    assert coverage.undocumented("lift_theory", everything) == ["lift_theory.HaarBands has no docstring"]
