"""``boxmill detect`` wholly in Google Cloud Storage: the bytes of a local run, through faults and killed runs."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from pipelines import detect_video
from tests.fake_gcs import FakeGcs, Fault, cloud
from tests.pipelines.detect_runs import TWO_PROCESSES, DetectRun, run_detect
from tests.videos.shape_clips import write_shapes_clip
from transforms.detections import output_folder
from transforms.detectors import detect_segments
from transforms.detectors.demo_model import write_shapes_detector
from transforms.storage import gcs_requests, remote_claim

Capture = pytest.CaptureFixture[str]
EVERYTHING = ("--exports=coco,mot,jsonl,yolo,tfrecord", "--as_annotations", "--annotated_video", "--segment_seconds=1")
IN_BUCKET = ("gs://bucket/in", "gs://bucket/models/shapes", "gs://bucket/out")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model, its label map beside it, and two clips of two and three segments."""
    folder = tmp_path_factory.mktemp("files")
    write_shapes_detector(folder / "models/shapes")
    (folder / "models/labels.txt").write_text("red\ngreen\nblue\n")
    (folder / "in").mkdir()
    write_shapes_clip(folder / "in/first.mp4", 90, audio=True)
    write_shapes_clip(folder / "in/second.mkv", 60, pts=[2 * n + n % 2 for n in range(60)])
    return folder


@pytest.fixture(scope="module")
def local(files: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a local run, by name; those of its work folder too, but for what tells of the machine."""
    output = tmp_path_factory.mktemp("local") / "out"
    argv = [f"--videos={files / 'in'}", f"--model={files / 'models/shapes'}", f"--output={output}", *EVERYTHING]
    assert detect_video.main(argv) == 0
    found = {path.relative_to(output).as_posix(): path.read_bytes() for path in output.rglob("*") if path.is_file()}
    return {name: data for name, data in found.items() if name not in (".boxmill/lock", ".boxmill/inputs.json")}


@pytest.fixture
def gcs(files: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGcs]:
    for gcs in cloud("bucket", monkeypatch=monkeypatch):
        gcs.put_folder("bucket", "", files)
        yield gcs


def detect(capsys: Capture, *flags: str) -> DetectRun:
    videos, model, output = IN_BUCKET
    return run_detect(capsys, videos, model, output, *EVERYTHING, *flags)


def results(gcs: FakeGcs) -> dict[str, bytes]:
    names = gcs.names("bucket", "out/")
    return {name[4:]: gcs.get("bucket", name) for name in names if name != "out/.boxmill/inputs.json"}


def test_the_same_bytes_as_locally(capsys: Capture, gcs: FakeGcs, local: dict[str, bytes]) -> None:
    run = detect(capsys, "--logdir=gs://bucket/log")
    assert run.code == 0, run.error
    assert results(gcs) == local
    assert len([name for name in gcs.names("bucket", "log/detect-0001/") if "tfevents" in name]) == 2
    again = detect(capsys)
    assert "nothing was done" in again.out
    assert results(gcs) == local


FAULTS: tuple[int | str, ...] = (503, 429, 500, "reset", "lost", "cut")


def test_faults_cost_retries_not_data(capsys: Capture, gcs: FakeGcs, local: dict[str, bytes]) -> None:
    """About every seventh request fails, whatever it is for."""
    gcs.faults += [Fault(kind, after=after) for kind, after in zip(FAULTS * 5, range(3, 300, 7), strict=False)]
    run = detect(capsys)
    assert run.code == 0, run.error
    assert results(gcs) == local
    assert sum(fault.times == 0 for fault in gcs.faults) > 20


@pytest.mark.slow
def test_a_run_that_broke_goes_on_inside_the_video(
    capsys: Capture, gcs: FakeGcs, local: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[str] = []

    def save_two(path: str, findings: Any) -> None:
        if len(saved) == 2:
            raise RuntimeError("the machine went away")
        saved.append(path)
        output_folder.save_findings(path, findings)

    with monkeypatch.context() as patch:
        patch.setattr(detect_segments, "save_findings", save_two)
        with pytest.raises(Exception, match="the machine went away"):
            detect(capsys)
    assert "manifest.json" not in results(gcs)
    gcs.put("bucket", "out/.boxmill/lock", b"of a run that had no time to give it back")
    monkeypatch.setattr(remote_claim, "SILENCE_SECONDS", 1.0)
    again = detect(capsys)
    assert again.segments == (4, 2)
    assert results(gcs) == local


def test_other_results_of_the_same_frames_need_no_inference(
    capsys: Capture, gcs: FakeGcs, local: dict[str, bytes]
) -> None:
    videos, model, output = IN_BUCKET
    first = run_detect(capsys, videos, model, output, "--segment_seconds=1", "--exports=yolo", "--min_score=0.5")
    assert first.segments == (6, 0)
    again = detect(capsys)
    assert again.segments == (0, 6)
    assert results(gcs) == local


def test_an_outage_ends_the_run_and_the_next_one_goes_on(
    capsys: Capture, gcs: FakeGcs, local: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(gcs_requests, "RETRY_SECONDS", 0.5)
        gcs.faults.append(Fault(503, frozenset({"GET"}), "second.mkv", times=1000, after=3))
        run = detect(capsys)
    assert run.code == 1
    assert run.error.splitlines()[-1].startswith("boxmill detect: gs://bucket/in/second.mkv: the storage answers 503")
    assert run.error.endswith("run again to resume: finished work is kept\n")
    assert "manifest.json" not in results(gcs)
    gcs.faults.clear()
    assert detect(capsys).code == 0
    assert results(gcs) == local


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_kill_9_at_any_moment(
    seed: int, gcs: FakeGcs, local: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    places = [f"--{name}={place}" for name, place in zip(("videos", "model", "output"), IN_BUCKET, strict=True)]
    command = [sys.executable, "-m", "pipelines.detect_video", *places, *EVERYTHING]
    gcs.latency = 0.03
    moment = random.Random(seed).randint(10, 500)  # the number of requests until then
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    while process.poll() is None and len(gcs.requests) < moment:
        time.sleep(0.005)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    stored = len([name for name in gcs.names("bucket", "out/.boxmill/segments/") if name.endswith(".npz")])
    was_complete = "out/manifest.json" in gcs.names("bucket")
    gcs.latency = 0.0
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr
    found = re.search(r"segments: (\d+) inferred", again.stdout)
    assert was_complete or (found and int(found[1]) == 6 - stored), again.stdout
    assert {name: data for name, data in results(gcs).items() if name != ".boxmill/lock"} == local


@pytest.mark.slow
@pytest.mark.parametrize("workers", [(), TWO_PROCESSES], ids=["threads", "processes"])
def test_a_run_whose_folder_was_taken_over_stops(workers: tuple[str, ...], gcs: FakeGcs) -> None:
    places = [f"--{name}={place}" for name, place in zip(("videos", "model", "output"), IN_BUCKET, strict=True)]
    gcs.latency = 0.2
    command = [sys.executable, "-m", "pipelines.detect_video", *places, *EVERYTHING, *workers]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and "out/.boxmill/lock" not in gcs.names("bucket"):
        time.sleep(0.01)
    gcs.put("bucket", "out/.boxmill/lock", b"of another run")
    gcs.faults.append(Fault("hang", path="in/second.mkv\\?", times=1000, seconds=15))  # it has not ended by then
    _, error = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "has taken over, since this one did not answer" in error
    assert gcs.get("bucket", "out/.boxmill/lock") == b"of another run"
    assert "out/manifest.json" not in gcs.names("bucket")


REFUSALS = {
    "no such bucket of videos": ({"videos": "gs://none/in"}, "gs://none/in: there is no bucket none"),
    "no video": ({"videos": "gs://bucket/in/*.webm"}, "--videos=gs://bucket/in/*.webm matches no file"),
    "no rights to videos": ({"videos": "gs://closed/in"}, "Storage Object User"),
    "no such bucket of models": ({"model": "gs://none/m"}, "Model gs://none/m: it cannot be read: there is no bucket"),
    "no model": ({"model": "gs://bucket/none"}, "Model gs://bucket/none: no such file or folder"),
    "no detector": ({"model": "gs://bucket/in"}, "Model folder gs://bucket/in: no single model in it; it holds first"),
    "no label map": ({"label_map": "gs://bucket/none.txt"}, "Label map gs://bucket/none.txt: cannot be read: there is"),
    "no such bucket of results": (
        {"output": "gs://none/out"},
        "cannot write to gs://none/out: there is no bucket none",
    ),
    "no rights to results": ({"output": "gs://closed/out"}, "Storage Object User on bucket closed"),
    "results may not be written": ({"output": "gs://read-only/out"}, "cannot write to gs://read-only/out: no access"),
    "foreign folder": ({"output": "gs://bucket/in"}, "gs://bucket/in is not empty and holds no detections"),
    "another run": ({"output": "gs://bucket/busy"}, ") is writing to gs://bucket/busy"),
    "no such bucket of logs": ({"logdir": "gs://none/log"}, "--logdir=gs://none/log cannot be written: there is no"),
    "other storage of results": ({"output": "s3://bucket/out"}, "must be a local path or a folder in Google Cloud"),
    "remote font": ({"font": "gs://bucket/a.ttf"}, "--font=gs://bucket/a.ttf must be a local path"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_mistakes_are_told_in_one_sentence(
    case: str, capsys: Capture, gcs: FakeGcs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_claim, "BEAT_SECONDS", 0.2)
    changes, expected = REFUSALS[case]
    gcs.put("closed", "in/a.mp4", b"")
    gcs.put("read-only", "other", b"")
    gcs.denied = {("closed", "*"): 403, ("read-only", "POST"): 403}
    videos, model, output = IN_BUCKET
    flags = {"videos": videos, "model": model, "output": output, **changes}
    with remote_claim.claimed("gs://bucket/busy/.boxmill/lock"):
        before = gcs.names("bucket")
        begun = time.monotonic()
        code = detect_video.main([f"--{name}={value}" for name, value in flags.items()])
        assert time.monotonic() - begun < 30
        assert gcs.names("bucket") == before
    error = capsys.readouterr().err
    assert code == 1
    assert error.startswith("boxmill detect: ")
    assert expected in error
    assert error.count("\n") == 1
    assert gcs.names("closed") == ["in/a.mp4"]


def _expired_key(folder: Path, token_uri: str) -> str:
    """The key file of a service account that ``token_uri`` speaks for."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    account = {"type": "service_account", "client_email": "a@b.c", "private_key": pem, "token_uri": token_uri}
    (folder / "key.json").write_text(json.dumps(account))
    return str(folder / "key.json")


@pytest.mark.parametrize(
    ("is_there", "expected"),
    [(False, "there are no Google credentials"), (True, "the Google credentials are expired or revoked")],
)
def test_without_valid_credentials_it_is_said_at_once(
    is_there: bool, expected: str, capsys: Capture, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    with FakeGcs() as revoked:
        revoked.tokens_left = 0
        key = _expired_key(tmp_path, f"{revoked.url}/token") if is_there else str(tmp_path / "none.json")
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", key)
        monkeypatch.setattr(gcs_requests, "_connection", None)
        begun = time.monotonic()
        run = run_detect(capsys, files / "in", files / "models/shapes", "gs://bucket/out")
        assert time.monotonic() - begun < 30
    assert run.code == 1
    assert f"cannot write to gs://bucket/out: {expected}" in run.error
    assert "gcloud auth application-default login" in run.error
    assert run.error.count("\n") == 1
