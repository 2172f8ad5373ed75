"""Runs ``boxmill detect`` as a user would, and reads its results with other readers than those that wrote them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipelines import detect_video

TWO_THREADS = ("--direct_num_workers=2", "--direct_running_mode=multi_threading")
TWO_PROCESSES = ("--direct_num_workers=2", "--direct_running_mode=multi_processing")


@dataclass(frozen=True, slots=True)
class DetectRun:
    """A finished run.

    Attributes:
      out: what it printed for people to read.
      error: what it printed besides.
    """

    code: int
    out: str
    error: str
    folder: Path

    @property
    def manifest(self) -> dict[str, Any]:
        return json.loads((self.folder / "manifest.json").read_text(encoding="utf-8"))

    def video(self, name: str) -> dict[str, Any]:
        """The entry of a video in the manifest of the run; its name must occur once."""
        [video] = [video for video in self.manifest["videos"] if video["video"]["name"] == name]
        return video

    def results(self, name: str) -> Path:
        return self.folder / self.video(name)["folder"]

    def of_video(self, name: str) -> dict[str, Any]:
        """The manifest of one video."""
        return json.loads((self.results(name) / "manifest.json").read_text(encoding="utf-8"))

    def rows(self, name: str, table: str = "detections") -> list[dict[str, Any]]:
        return pq.read_table(self.results(name) / f"{table}.parquet").to_pylist()

    @property
    def parquet(self) -> dict[str, bytes]:
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in self.folder.glob("*/*.parquet")}

    @property
    def model_loads(self) -> int:
        found = re.search(r"model: +loaded (once|\d+ times) \(once a process\)", self.out)
        return int(found[1].replace("once", "1").split()[0]) if found else 0

    @property
    def segments(self) -> tuple[int, int]:
        """Inferred, and kept from an earlier run."""
        found = re.search(r"segments: ([\d,]+) inferred, ([\d,]+) kept", self.out)
        assert found, self.out
        inferred, kept = (int(number.replace(",", "")) for number in found.groups())
        return inferred, kept


def run_detect(
    capsys: pytest.CaptureFixture[str],
    videos: Sequence[Path] | Path | str,
    model: Path | str,
    output: Path | str,
    *flags: str,
) -> DetectRun:
    """Runs the command in this process."""
    listed = [videos] if isinstance(videos, Path | str) else videos
    argv = [*(f"--videos={video}" for video in listed), f"--model={model}", f"--output={output}", *flags]
    capsys.readouterr()
    code = detect_video.main(argv)
    captured = capsys.readouterr()
    return DetectRun(code, captured.out, captured.err, Path(output))
