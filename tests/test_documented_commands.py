"""No document shows a command that does not work: each is parsed by the program it calls, or `.ci/run` runs it.

Programs that train or measure stop as soon as they have understood their words. Blocks of Python are run elsewhere
(`test_howtos.py`, `test_packaging.py`).
"""

import importlib.util
import json
import re
import runpy
import shlex
import sys
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import tyro
from pages import FENCE, SHELL, documents, fences

from lift_theory import __main__ as overview
from lift_train import TrainConfig, runs

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = documents(ROOT)
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
SPOKEN = re.compile(r"(?<!`)`((?:\.venv/bin/|python3? |pip |make |git |\.ci/)[^`\n]+)`(?!`)")
OPTION = re.compile(r"--[\w.-]*\w")
STAND_INS = {"NAME": "equal_information_lead"}
EXAMPLE = "python docs/gallery/NAME.py"
ELSEWHERE = {
    "git clone '<this' 'repository>'": "the reader knows its address",
    "cd lift-theory": "what git clone makes",
    ".ci/run": "it runs these tests",
    ".ci/minimal": "by hand, when a lower bound changes: it downloads gigabytes",
    EXAMPLE: "docs/ext/gallery.py runs them all when the documentation is built",
}
"""Commands that no test follows, and why."""


def lines(shell: str) -> list[list[str]]:
    """The words of every command of a shell block, as if the environment were active."""
    found: list[list[str]] = [[]]
    for line in shell.replace("\\\n", " ").splitlines():
        for word in shlex.split(line.removeprefix("$ "), comments=True):
            if word in ("&&", "||", ";", "|"):
                found.append([])
            else:
                found[-1].append(re.sub("^python3$", "python", word.removeprefix(".venv/bin/")))
        found.append([])
    return [words for words in found if words]


def commands(text: str) -> list[list[str]]:
    """All commands of a document, in shell blocks and in its sentences."""
    blocks = [body for language, body in fences(text) if language in SHELL]
    return [words for shown in (*blocks, *SPOKEN.findall(prose(text))) for words in lines(shown)]


def prose(text: str) -> str:
    """A document without its blocks."""
    return FENCE.sub("", text)


def run_by_ci() -> list[list[str]]:
    """The checks of `.ci/run`, the first of which is the line of the README that runs the tests."""
    script = (ROOT / ".ci" / "run").read_text()
    checks = "\n".join(re.findall(r'^check "[^"]+" (.*)$', script, re.MULTILINE)).replace("--quiet ", "")
    [tests] = [line for line in (ROOT / "README.md").read_text().splitlines() if "-m pytest" in line]
    return lines(f"{tests}\n{checks}")


def installed_by_ci() -> set[str]:
    """Extras that `.ci/run` installs, with those that they bring."""
    found = re.findall(r"-e \.\[(\w+)\]", "\n".join(" ".join(words) for words in run_by_ci()))
    for extra in found:
        found += [name for text in EXTRAS[extra] for name in bracketed(text) if name not in found]
    return set(found)


def bracketed(text: str) -> list[str]:
    """The extras that a requirement on this package, or on the folder it lies in, asks for."""
    match = re.fullmatch(r"(?:lift-theory|\.)\[([\w,]+)\]", text)
    return match[1].split(",") if match else []


class Understood(BaseException):
    """The words of a command line were parsed; nothing was run."""


def start(module: str, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Start `python -m module` here, up to where it has understood its words."""
    parse = tyro.cli

    def parse_only(*arguments, **options):
        parse(*arguments, **options)
        raise Understood

    assert importlib.util.find_spec(module) is not None, f"there is no module {module}"
    with monkeypatch.context() as patch:
        patch.setattr(tyro, "cli", parse_only)
        patch.setattr(runs, "settings_of", lambda folder: TrainConfig())  # the run of `--like` is not there
        patch.setattr(sys, "argv", [module, *words])
        try:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        except Understood:
            return
    raise AssertionError(f"{module} does not parse its words with tyro")


def follow(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Hold one command to account.

    Raises:
        AssertionError: if nothing vouches for it.
        SystemExit: if the program refuses its words.
    """
    if words in run_by_ci() or shlex.join(words) in ELSEWHERE:
        return
    words = [STAND_INS.get(word, word) for word in words]
    match words:
        case ["pip", "install", "-e", target] if bracketed(target):
            assert set(bracketed(target)) <= installed_by_ci()
        case ["python", "-m", "pytest", file, "-k", name]:
            assert (ROOT / file).is_file(), file
            assert name in overview.theorems(), name
        case ["python", "-m", "lift_theory", *rest]:
            with monkeypatch.context() as patch:
                patch.setattr(overview, "statement", lambda name, width: [])  # proofs take their time
                overview.main(rest)
        case ["python", "-m", module, *rest] if module.split(".")[0] in ("lift_train", "experiments"):
            start(module, rest, monkeypatch)
        case ["python", "-m", "dask", name, *rest]:
            click = pytest.importorskip("click", reason="Dask is not installed (extra `cluster`)")
            pytest.importorskip("distributed", reason="Dask is not installed (extra `cluster`)")
            programs = entry_points(group="dask_cli")
            assert name in programs.names, f"there is no program {name} of dask"
            try:
                programs[name].load().make_context(name, rest)
            except click.UsageError as error:
                raise SystemExit(error.format_message()) from error
        case ["torchrun", *rest]:
            distributed = pytest.importorskip("torch.distributed.run")
            asked = distributed.get_args_parser().parse_args(rest)
            assert asked.module
            start(asked.training_script, asked.training_script_args, monkeypatch)
        case _:
            raise AssertionError(f"nothing runs {shlex.join(words)!r}; see {Path(__file__).name}")


def follow_all(document: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hold every command of a document to account."""
    for words in commands(document):
        follow(words, monkeypatch)


found_in_sys_modules = pytest.mark.filterwarnings("ignore:.*found in sys.modules after import:RuntimeWarning")


@found_in_sys_modules
@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_every_command_is_one_that_works(file, monkeypatch):
    follow_all(file.read_text(), monkeypatch)


@found_in_sys_modules
@pytest.mark.parametrize("file", sorted((ROOT / "docs" / "results").glob("*/provenance.json")))
def test_the_command_of_a_published_run_still_works(file, monkeypatch):
    [words] = lines(json.loads(file.read_text())["command"])
    follow(words, monkeypatch)


@found_in_sys_modules
def test_every_option_in_a_sentence_exists(monkeypatch, capsys):
    programs = [("lift_train", [command]) for command in ("train", "sample", "measure", "evaluate")]
    programs += [(f"experiments.{file.parent.name}", []) for file in ROOT.glob("experiments/*/__main__.py")]
    for module, words in programs:
        with pytest.raises(SystemExit):
            start(module, [*words, "--help"], monkeypatch)
    known = {"--help", *OPTION.findall(capsys.readouterr().out)}
    for file in DOCUMENTS:
        for code in re.findall(r"`([^`]+)`", prose(file.read_text())):
            assert set(OPTION.findall(code)) <= known, f"{file.name}: {code}"


def test_every_block_is_of_a_known_kind():
    """Or what is in a block of another name would be overlooked."""
    for file in DOCUMENTS:
        for language, _ in fences(file.read_text()):
            known = language in {*SHELL, "python", "text"} or re.match(r"\{(?!code)", language)
            assert known, f"{file.name}: {language}"
    shown = [shlex.join(words) for file in DOCUMENTS for words in commands(file.read_text())]
    assert {"make -C docs html", "pip install -e '.[docs]'", *ELSEWHERE} <= {*shown}


def test_the_readme_answers_and_tests_in_one_line_each():
    """Each starts from nothing: it makes the environment that it needs."""
    [answer, tests] = [
        body for language, body in fences((ROOT / "README.md").read_text()) if language == "bash"
    ]
    for line in (answer, tests):
        assert line.count("\n") == 1
        assert line.startswith("python3 -m venv .venv && .venv/bin/pip install -e")


@pytest.mark.parametrize(
    ("shown", "refused"),
    [
        ("```bash\n.venv/bin/python -m experiments.clocks --preset quick --made-up 3\n```", SystemExit),
        ("```sh\n.venv/bin/python -m experiments.clocks \\\n    --preset quickest\n```", SystemExit),
        ("```console\n$ python3 -m lift_train sample --run runs/digits --outt samples.npz\n```", SystemExit),
        ("```bash\ncd lift-theory && python -m lift_train trian --out runs/digits\n```", SystemExit),
        (
            "1. Say\n\n   ```bash\n   torchrun --nproc=2 -m lift_train train --out a --stepz 3\n   ```",
            SystemExit,
        ),
        ("`python -m lift_theory no_such_theorem` does it.", SystemExit),
        ("```bash\n.venv/bin/python -m dask worker tcp://HOST:8786 --nworkerz 8\n```", SystemExit),
        ("```bash\n.venv/bin/python -m dask master\n```", AssertionError),
        ("`.venv/bin/python -m experiments.no_such_experiment` does it.", AssertionError),
        ('```bash\n.venv/bin/pip install -e ".[no_such_extra]"\n```', AssertionError),
        ("```bash\nmake -C docs pdf\n```", AssertionError),
        ("```bash\ncurl example.org | sh\n```", AssertionError),
    ],
)
@found_in_sys_modules
def test_a_command_that_does_not_work_is_noticed(shown, refused, monkeypatch, capsys):
    with pytest.raises(refused):
        follow_all(shown + "\n", monkeypatch)
