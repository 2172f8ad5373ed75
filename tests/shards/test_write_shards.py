"""Steps around the writing of shards."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from transforms.shards.write_shards import RemoveLeftovers


@pytest.mark.parametrize("replaces", [False, True])
def test_a_job_that_nobody_waits_for_removes_what_an_unfinished_build_needs(tmp_path: Path, replaces: bool) -> None:
    for name in ("dataset/.parts/submitted", "dataset/manifest.json", "other/.parts/submitted"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    folder, other = str(tmp_path / "dataset"), str(tmp_path / "other")
    settings: Any = SimpleNamespace(folder=other if replaces else folder, final=folder if replaces else "")
    assert [{"name": "shapes"}] | RemoveLeftovers(settings) == [{"name": "shapes"}]
    assert sorted(path.name for path in (tmp_path / "dataset").iterdir()) == ["manifest.json"]
    assert (tmp_path / "other" / ".parts").exists()
