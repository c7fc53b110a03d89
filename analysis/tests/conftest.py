"""Runs that tests share: made once, written to a folder, loaded as the commands load them."""
from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
import make_runs  # noqa: E402
from daxlab.load import load  # noqa: E402


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """The quick matrix, with a torn last line."""
    return make_runs.standard().write(tmp_path_factory.mktemp("runs") / "quick", torn=True)


@pytest.fixture(scope="session")
def runs(folder):
    return load([folder])


@pytest.fixture
def loaded(tmp_path):
    """Writes what a Maker holds and loads it."""
    count = iter(range(100))
    return lambda maker: load([maker.write(tmp_path / f"run{next(count)}")])
