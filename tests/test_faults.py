"""Builds that are killed, run twice at once, or find their storage failing: old or new, never half, never mixed."""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines import build_tfrecords

IMAGES, SHARDS = 400, 8
SEED = 20


def write_dataset(folder: Path, images: int, side: int = 64) -> None:
    """Noisy JPEGs, all of one picture if they are large, and one box each, in COCO."""
    (folder / "images").mkdir(parents=True)
    generator = np.random.default_rng(0)
    buffer = io.BytesIO()
    for index in range(images):
        if side <= 64 or not index:
            buffer = io.BytesIO()
            Image.fromarray(generator.integers(0, 255, (side, side, 3), dtype=np.uint8)).save(buffer, "JPEG")
        (folder / "images" / f"{index:04d}.jpg").write_bytes(buffer.getvalue())
    data = {
        "images": [{"id": i + 1, "file_name": f"{i:04d}.jpg", "width": side, "height": side} for i in range(images)],
        "annotations": [
            {"id": i + 1, "image_id": i + 1, "category_id": 1, "bbox": [1, 1, 30, 40]} for i in range(images)
        ],
        "categories": [{"id": 1, "name": "thing"}],
    }
    (folder / "instances.json").write_text(json.dumps(data))


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs") / "data"
    write_dataset(folder, IMAGES)
    return folder


def arguments(inputs: Path, output: Path, *more: str) -> list[str]:
    return [
        f"--annotations={inputs}/instances.json",
        f"--images={inputs}/images",
        f"--output={output}",
        "--name=things",
        f"--num_shards={SHARDS}",
        *more,
    ]


TWO_PROCESSES = ("--direct_num_workers=2", "--direct_running_mode=multi_processing")


def start(inputs: Path, output: Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "pipelines.cli", "build", *arguments(inputs, output, *more)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def digests(folder: Path) -> dict[str, str]:
    """Of every file below a folder, hidden ones too."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def heavy_inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures that take long to check, so that most of a build is writing."""
    folder = tmp_path_factory.mktemp("heavy") / "data"
    write_dataset(folder, IMAGES, side=640)
    return folder


def build_alone(inputs: Path, output: Path) -> tuple[dict[str, str], float]:
    """Digests of a build that nobody disturbs, and how long it takes."""
    began = time.perf_counter()
    process = start(inputs, output, *TWO_PROCESSES)
    text, _ = process.communicate()
    assert process.returncode == 0, text
    return digests(output), time.perf_counter() - began


@pytest.fixture(scope="module")
def uninterrupted_heavy(heavy_inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], float]:
    return build_alone(heavy_inputs, tmp_path_factory.mktemp("uninterrupted-heavy"))


@pytest.fixture(scope="module")
def uninterrupted(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], float]:
    return build_alone(inputs, tmp_path_factory.mktemp("uninterrupted"))


def finished_shards(dataset: Path) -> dict[str, tuple[int, int]]:
    """Inode and time of shards that have their ledger: those that a re-run must keep."""
    done = {path.name[len("images-") : -len(".parquet")] for path in dataset.glob("ledger/images-*.parquet")}
    return {
        path.name: (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in dataset.glob("things-*.tfrecord-*")
        if path.name.removeprefix("things-").replace(".tfrecord", "") in done
    }


def kill_and_rerun(
    inputs: Path,
    output: Path,
    expected: dict[str, str],
    delay: float,
    more: tuple[str, ...] = TWO_PROCESSES,
    after_shards: int = 0,
) -> int:
    """Kills a build ``delay`` seconds after so many shards are finished, and runs it again.

    Returns:
      How many shards were kept.
    """
    dataset = output / "things" / "1.0.0"
    process = start(inputs, output, *more)
    while process.poll() is None and len(finished_shards(dataset)) < after_shards:
        time.sleep(0.01)
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    before = finished_shards(dataset)
    again = start(inputs, output, *more)
    text, _ = again.communicate()
    assert again.returncode == 0, f"killed after {delay:.3f} s:\n{text}"
    assert digests(output) == expected, f"killed after {delay:.3f} s"
    after = finished_shards(dataset)
    assert before == {name: after[name] for name in before}, "a finished shard was written again"
    return len(before)


def test_killed_build_resumes_to_the_same_bytes(
    heavy_inputs: Path, tmp_path: Path, uninterrupted_heavy: tuple[dict[str, str], float]
) -> None:
    expected, seconds = uninterrupted_heavy
    kept = [
        kill_and_rerun(heavy_inputs, tmp_path / f"out{share}", expected, share * seconds) for share in (0.5, 0.75, 0.9)
    ]
    assert any(kept), "no kill fell into the writing"


@pytest.mark.slow
def test_twenty_random_kills(
    heavy_inputs: Path, tmp_path: Path, uninterrupted_heavy: tuple[dict[str, str], float]
) -> None:
    expected, seconds = uninterrupted_heavy
    generator = random.Random(SEED)
    kept = []
    for number in range(20):
        # Half of them at any time, half while shards are written, however fast the machine is just then.
        after_shards, share = (0, (0.1, 1.05)) if number % 2 else (generator.randrange(2 * SHARDS), (0, 0.05))
        delay = generator.uniform(*share) * seconds
        output = tmp_path / f"out{number}"
        kept.append(kill_and_rerun(heavy_inputs, output, expected, delay, after_shards=after_shards))
    print(f"seed {SEED}: 20 of 20 re-runs equal; shards kept: {kept}")
    assert sum(0 < number < 2 * SHARDS for number in kept) >= 5, f"too few kills fell into the writing: {kept}"


def test_committed_build_is_left_alone(inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert build_tfrecords.main(arguments(inputs, tmp_path)) == 0
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    capsys.readouterr()
    assert build_tfrecords.main(arguments(inputs, tmp_path)) == 0
    assert "already built" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == times


def test_other_settings_are_refused_by_name(inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert build_tfrecords.main(arguments(inputs, tmp_path)) == 0
    before = digests(tmp_path)
    capsys.readouterr()
    assert build_tfrecords.main(arguments(inputs, tmp_path, "--splits=train=0.5,val=0.5")) == 1
    error = capsys.readouterr().err
    assert "splits='train=0.8,val=0.2'" in error
    assert "--overwrite" in error
    assert digests(tmp_path) == before


def test_other_inputs_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_dataset(tmp_path / "data", 6)
    output = tmp_path / "out"
    assert build_tfrecords.main(arguments(tmp_path / "data", output)) == 0
    text = (tmp_path / "data" / "instances.json").read_text()
    (tmp_path / "data" / "instances.json").write_text(text.replace("[1, 1, 30, 40]", "[1, 1, 30, 41]"))
    assert build_tfrecords.main(arguments(tmp_path / "data", output)) == 1
    assert "its annotations or images differ" in capsys.readouterr().err


def test_image_edited_to_the_same_size_is_noticed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_dataset(tmp_path / "data", 6)
    output = tmp_path / "out"
    assert build_tfrecords.main(arguments(tmp_path / "data", output)) == 0
    later = time.time() + 10
    os.utime(tmp_path / "data" / "images" / "0003.jpg", (later, later))
    assert build_tfrecords.main(arguments(tmp_path / "data", output)) == 1
    assert "changed after the dataset was built" in capsys.readouterr().err


def test_overwrite_replaces_the_dataset_whole(inputs: Path, tmp_path: Path) -> None:
    assert build_tfrecords.main(arguments(inputs, tmp_path / "a")) == 0
    assert build_tfrecords.main(arguments(inputs, tmp_path / "a", "--splits=train=1", "--overwrite")) == 0
    assert build_tfrecords.main(arguments(inputs, tmp_path / "b", "--splits=train=1")) == 0
    assert digests(tmp_path / "a") == digests(tmp_path / "b")


def test_killed_overwrite_leaves_the_old_dataset(
    inputs: Path, tmp_path: Path, uninterrupted: tuple[dict[str, str], float]
) -> None:
    expected, seconds = uninterrupted
    output = tmp_path / "out"
    assert build_tfrecords.main(arguments(inputs, output)) == 0
    assert digests(output) == expected
    process = start(inputs, output, "--splits=train=1", "--overwrite", *TWO_PROCESSES)
    time.sleep(0.7 * seconds)
    process.kill()
    process.communicate()
    readable = {name: digest for name, digest in digests(output).items() if name.startswith("things/1.0.0/")}
    assert readable in (expected, {name: digest for name, digest in readable.items() if "val" not in name})
    assert build_tfrecords.main(arguments(inputs, output, "--splits=train=1", "--overwrite")) == 0
    assert build_tfrecords.main(arguments(inputs, tmp_path / "fresh", "--splits=train=1")) == 0
    assert digests(output) == digests(tmp_path / "fresh")


def two_at_once(inputs: Path, output: Path, expected: dict[str, str]) -> None:
    processes = [start(inputs, output, *TWO_PROCESSES) for _ in range(2)]
    texts = [process.communicate()[0] for process in processes]
    codes = sorted(process.returncode for process in processes)
    assert codes == [0, 1], texts
    assert sum("another run is building" in text for text in texts) == 1, texts
    assert not any("Traceback" in text for text in texts)
    assert digests(output) == expected


def test_two_runs_at_once(inputs: Path, tmp_path: Path, uninterrupted: tuple[dict[str, str], float]) -> None:
    two_at_once(inputs, tmp_path / "out", uninterrupted[0])


@pytest.mark.slow
def test_twenty_times_two_runs_at_once(
    inputs: Path, tmp_path: Path, uninterrupted: tuple[dict[str, str], float]
) -> None:
    for number in range(20):
        two_at_once(inputs, tmp_path / f"out{number}", uninterrupted[0])


def workers_of(launcher: int) -> Iterator[int]:
    """Process ids below the launcher, the fork server's children last."""
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            try:
                fields = (path / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[1]) == launcher:
                yield int(path.name)
                yield from workers_of(int(path.name))


def kill_one_of(family: list[int]) -> None:
    """Kills the last of some processes that has not ended yet."""
    for process in reversed(family):
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            continue
        return


@pytest.mark.parametrize("share", [0.4, 0.6, 0.75, 0.9])
def test_killed_worker_ends_the_run_and_a_rerun_resumes(
    inputs: Path, tmp_path: Path, uninterrupted: tuple[dict[str, str], float], share: float
) -> None:
    expected, seconds = uninterrupted
    output = tmp_path / "out"
    process = start(inputs, output, *TWO_PROCESSES)
    time.sleep(share * seconds)
    family = list(workers_of(process.pid))
    began = time.perf_counter()
    kill_one_of(family)
    text, _ = process.communicate(timeout=60)
    assert time.perf_counter() - began < 30
    if process.returncode:  # else the process had done its part already
        assert text.splitlines()[-1].startswith("boxmill build: a worker process died"), text
    assert "Traceback" not in text
    again = start(inputs, output, *TWO_PROCESSES)
    again.communicate()
    assert again.returncode == 0
    assert digests(output) == expected


@pytest.mark.slow
def test_any_process_of_a_build_killed_at_any_moment(
    inputs: Path, tmp_path: Path, uninterrupted: tuple[dict[str, str], float]
) -> None:
    expected, seconds = uninterrupted
    generator = random.Random(SEED)
    for number in range(100):
        output = tmp_path / f"out{number}"
        process = start(inputs, output, *TWO_PROCESSES)
        time.sleep(generator.uniform(0.1, 1.1) * seconds)
        family = list(workers_of(process.pid))
        kill_one_of(family[: generator.randint(1, 4)])
        text, _ = process.communicate(timeout=60)
        assert "Traceback" not in text
        assert "ERROR" not in text
        told = text.splitlines()[-1].startswith("boxmill build: a worker process died")
        assert told == (process.returncode != 0), text
        if not process.returncode:
            assert digests(output) == expected


@pytest.mark.parametrize("operation", ["fsync", "replace", "write", "link"])
def test_failing_storage_fails_the_build_and_leaves_no_dataset(
    inputs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    operation: str,
    uninterrupted: tuple[dict[str, str], float],
) -> None:
    """Every time the N-th call fails there is an error and no manifest; afterwards a re-run gives the same bytes."""
    genuine = getattr(os, operation)
    calls = 0

    def failing(*args: object, **kwargs: object) -> object:
        nonlocal calls
        calls += 1
        if calls == fail_at:
            raise OSError(28, "No space left on device")
        return genuine(*args, **kwargs)

    fail_at = 0
    monkeypatch.setattr(os, operation, failing)
    output = tmp_path / "count"
    assert build_tfrecords.main(arguments(inputs, output)) == 0
    assert digests(output) == uninterrupted[0]
    total = calls
    assert total
    for fail_at in sorted({1, total // 2, total} - {0}):
        output, calls = tmp_path / f"fail{fail_at}", 0
        capsys.readouterr()
        assert build_tfrecords.main(arguments(inputs, output)) == 1
        error = capsys.readouterr().err
        assert "No space left on device" in error
        assert "Traceback" not in error
        is_last_sync = operation == "fsync" and fail_at == total  # of the folder, after the manifest got its name
        assert (output / "things" / "1.0.0" / "manifest.json").exists() == is_last_sync
        calls = total + 1
        assert build_tfrecords.main(arguments(inputs, output)) == 0
        assert digests(output) == uninterrupted[0]


@pytest.mark.parametrize("begun", [False, True])
def test_interrupted_build_says_so_in_a_sentence_and_goes_on(
    heavy_inputs: Path, uninterrupted_heavy: tuple[dict[str, str], float], tmp_path: Path, begun: bool
) -> None:
    output = tmp_path / "out"
    command = [sys.executable, "-m", "pipelines.cli", "build", *arguments(heavy_inputs, output, *TWO_PROCESSES)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    assert process.stdout is not None
    if begun:
        assert any(line.startswith("writing") for line in process.stdout)
    else:
        while not any(workers_of(process.pid)):  # which import, as does the command
            time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all processes of the command
    text, _ = process.communicate()
    assert process.returncode == 130, text
    assert "boxmill: interrupted; the same command goes on with what is finished" in text.splitlines()
    assert "Traceback" not in text
    again = start(heavy_inputs, output, *TWO_PROCESSES)
    text, _ = again.communicate()
    assert again.returncode == 0, text
    assert digests(output) == uninterrupted_heavy[0]
