"""A run that is killed goes on where it was, and its results are those of a run that was not."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.videos.shape_clips import write_shapes_clip
from transforms.detectors.demo_model import write_shapes_detector

KILLS = 10
ROOT = Path(__file__).resolve().parents[2]


def command(clips: Path, model: Path, output: Path, *flags: str) -> list[str]:
    flags = ("--segment_seconds=0.4", "--exports=jsonl", "--annotated_video", *flags)
    return [
        sys.executable,
        "-m",
        "pipelines.detect_video",
        f"--videos={clips}",
        f"--model={model}",
        f"--output={output}",
        *flags,
    ]


def run(argv: list[str]) -> str:
    finished = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def results(output: Path) -> dict[str, bytes]:
    """Everything that a user reads."""
    return {
        str(path.relative_to(output)): path.read_bytes()
        for path in sorted(output.rglob("*"))
        if path.is_file() and ".boxmill" not in path.parts
    }


def stored_segments(output: Path) -> int:
    return len(list(output.glob(".boxmill/segments/*/*.npz")))


def wait_for_segments(process: subprocess.Popen[bytes], output: Path, number: int) -> None:
    """Until so many are stored: a moment by the run's own progress, however busy the machine is."""
    while process.poll() is None and stored_segments(output) < number:
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize(
    "workers",
    [(), ("--direct_num_workers=2", "--direct_running_mode=multi_processing")],
    ids=["one worker", "two processes"],
)
def test_kill_9_at_random_moments(workers: tuple[str, ...], tmp_path: Path) -> None:
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    choose = random.Random(seed)
    (tmp_path / "clips").mkdir()
    for name, frames in (("first.mp4", 360), ("second.mp4", 240)):
        write_shapes_clip(tmp_path / "clips" / name, frames, audio=True)
    model = write_shapes_detector(tmp_path / "model")
    text = run(command(tmp_path / "clips", model, tmp_path / "whole", *workers))
    expected = results(tmp_path / "whole")
    total = int(re.search(r"segments: (\d+) inferred", text)[1])  # type: ignore[index]
    assert total >= 20
    resumed_inside = 0
    for number in range(KILLS):
        output = tmp_path / f"killed-{number}"
        process = subprocess.Popen(
            command(tmp_path / "clips", model, output, *workers),
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_for_segments(process, output, choose.randrange(total + 1))
        time.sleep(choose.uniform(0, 0.3))
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        was_complete = (output / "manifest.json").exists()
        stored = stored_segments(output)
        text = run(command(tmp_path / "clips", model, output, *workers))
        if was_complete:
            assert "nothing was done" in text
        else:
            inferred, kept = map(int, re.search(r"segments: (\d+) inferred, (\d+) kept", text).groups())  # type: ignore[union-attr]
            # Of a video whose folder was complete already, not even the stored segments are looked at.
            assert inferred == total - stored, (number, stored, text)
            assert kept <= stored
            resumed_inside += 0 < stored < total
        assert results(output) == expected
        assert not [path for path in output.rglob("*") if path.name.endswith(".boxmill-tmp")]
    assert resumed_inside >= 3
