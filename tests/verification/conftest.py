"""A dataset built once for all tests of a session, and copies of it to damage."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.verification import tiny_dataset


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a whole dataset; not to be changed."""
    return tiny_dataset.build(tmp_path_factory.mktemp("verification"))


@pytest.fixture
def dataset(whole: Path, tmp_path: Path) -> Path:
    """A copy of the dataset, to be damaged."""
    return Path(shutil.copytree(whole, tmp_path / "dataset"))
