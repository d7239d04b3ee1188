"""A bench of networks that have hardly learned anything, for tests of what is done with them."""

from __future__ import annotations

import pytest
from rich.console import Console
from tiny_bench import TINY

from experiments.overcomplete_vs_orthogonal.trained.bench import Bench
from experiments.overcomplete_vs_orthogonal.trained.networks import trained
from experiments.workspace import Workspace
from lift_train import data


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Two networks for every representation, trained for a dozen steps on 8x8 digits."""
    work = Workspace(folder=tmp_path_factory.mktemp("bench"), console=Console(quiet=True))
    return trained(Bench(work=work, images=data.load("digits", size=8, channels=1), sizes=TINY))
