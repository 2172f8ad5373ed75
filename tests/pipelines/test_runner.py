"""Running pipelines on this machine."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.runner import is_awaited, run_pipeline


def test_a_run_that_is_killed_leaves_no_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    seen: list[list[str]] = []

    def build(root: beam.Pipeline) -> None:
        seen.append(os.listdir(tmp_path))
        root | beam.Create([1], reshuffle=False)

    run_pipeline(build, PipelineOptions([]))
    assert seen == [[]]


@pytest.mark.parametrize(
    ("flags", "awaited"),
    [
        ([], True),
        (["--no_wait_until_finish"], True),  # a local pipeline ends with its process
        (["--runner=FlinkRunner", "--no_wait_until_finish"], True),
        (["--runner=DataflowRunner"], True),
        (["--runner=DataflowRunner", "--no_wait_until_finish"], False),
        (["--runner=DataflowRunner", "--template_location=gs://bucket/job"], False),
    ],
)
def test_which_runs_are_awaited(flags: list[str], awaited: bool) -> None:
    assert is_awaited(PipelineOptions(flags)) == awaited
