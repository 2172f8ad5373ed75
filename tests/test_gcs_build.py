"""Builds from and to Google Cloud Storage keep what local ones do: same bytes, resumed, refused, one at a time."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from pipelines import build_tfrecords, verify_tfrecords
from tests.fake_gcs import FakeGcs, Fault, cloud
from tests.sample_data import coco_box, coco_bytes, coco_image, jpeg, voc, voc_object, write_files
from transforms import storage
from transforms.shards.input_stamps import STAMPS_FILE
from transforms.storage import remote_claim

PLACE = "data/mix/1.0.0"
LOCK = "data/mix/.1.0.0.lock"
FLAGS = ("--name=mix", "--num_shards=train=2,val=1", "--max_reject_ratio=1")


@pytest.fixture
def gcs(inputs: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGcs]:
    for gcs in cloud("in", "out", monkeypatch=monkeypatch):
        gcs.put_folder("in", "mix", inputs)
        yield gcs


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sources, VOC and COCO, with names that are completed, missing, unlisted and Korean; here and in a bucket."""
    boxes = [coco_box(number, number, [1, 2, 20, 20]) for number in range(1, 9)]
    images = [coco_image(number, f"사진/{number}.jpg") for number in range(1, 9)]
    folder = write_files(
        tmp_path_factory.mktemp("gcs") / "inputs",
        {f"coco/images/사진/{number}.jpg": jpeg(seed=number) for number in range(1, 8)}
        | {"coco/labels.json": coco_bytes(images, boxes), "coco/images/unlisted.jpg": jpeg(seed=90)}
        | {f"voc/JPEGImages/{number}.jpg": jpeg(seed=20 + number) for number in range(8)}
        | {f"voc/Annotations/{number}.xml": voc(f"{number}", [voc_object()]).encode() for number in range(8)},
    )
    sources = [
        {"name": "coco", "annotations": "coco/*.json", "images": "coco/images"},
        {"name": "voc", "annotations": "voc/Annotations"},
    ]
    (folder / "sources.yaml").write_text(yaml.safe_dump({"sources": sources}))
    (folder / "classes.csv").write_text("1,cat\n2,dog\n")
    return folder


def build(root: str | Path, output: str | Path, *more: str) -> int:
    flags = (f"--sources={root}/sources.yaml", f"--class_map={root}/classes.csv", f"--output={output}", *FLAGS)
    return build_tfrecords.main([*flags, *more])


def remote(*more: str) -> int:
    return build("gs://in/mix", "gs://out/data", *more)


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def dataset(gcs: FakeGcs) -> dict[str, bytes]:
    return {name.removeprefix("data/"): gcs.get("out", name) for name in gcs.names("out")}


@pytest.fixture(scope="module")
def expected(inputs: Path) -> dict[str, bytes]:
    """What the same build writes on a disk."""
    output = inputs.parent / "data"
    assert build(inputs, output) == 2
    return files(output)


def assert_same(found: dict[str, bytes], expected: dict[str, bytes]) -> None:
    assert found.keys() == expected.keys()
    # Stamps of the inputs hold times here and generations there.
    assert [name for name in found if found[name] != expected[name] and not name.endswith(STAMPS_FILE)] == []


def test_same_bytes_as_on_a_disk(gcs: FakeGcs, expected: dict[str, bytes], capsys: pytest.CaptureFixture[str]) -> None:
    assert remote() == 2
    assert_same(dataset(gcs), expected)
    sent = gcs.count("POST")
    assert remote() == 2
    assert "nothing was done" in capsys.readouterr().out
    assert gcs.count("POST") == sent + 1  # the claim
    assert remote("--masks=none") == 1
    assert "masks='auto'" in capsys.readouterr().err
    assert_same(dataset(gcs), expected)


def test_verified_in_the_cloud(gcs: FakeGcs, capsys: pytest.CaptureFixture[str]) -> None:
    assert remote() == 2
    report = "gs://out/reports/findings.jsonl"
    assert verify_tfrecords.main([f"gs://out/{PLACE}", f"--report={report}", "--image_decode=full"]) == 0
    assert "every byte is accounted for" in capsys.readouterr().out
    assert gcs.names("out", "reports") == ["reports/findings.jsonl"]
    shard = next(name for name in gcs.names("out", PLACE) if "tfrecord-" in name)
    gcs.put("out", shard, gcs.get("out", shard)[:-1])
    gcs.put("out", f"{PLACE}/ledger/extra.parquet", b"")
    (name,) = gcs.names("out", f"{PLACE}/labels.csv")
    del gcs._buckets["out"][name]
    assert verify_tfrecords.main([f"gs://out/{PLACE}", f"--report={report}"]) == 1
    codes = {json.loads(line)["code"] for line in gcs.get("out", "reports/findings.jsonl").decode().splitlines()}
    assert {"shard_framing", "file_extra", "file_missing"} <= codes
    assert verify_tfrecords.main(["gs://out/data"]) == 1
    assert f"did you mean gs://out/{PLACE}?" in capsys.readouterr().err
    assert verify_tfrecords.main(["gs://none/data"]) == 1
    assert "there is no bucket none" in capsys.readouterr().err


def generations(gcs: FakeGcs, pattern: str) -> dict[str, str]:
    found = storage.walk(f"gs://out/{PLACE}")
    return {file.path: file.tag for file in found if pattern in file.path}


# The claim, the mark, shards with their ledgers, descriptions, the manifest.
@pytest.mark.parametrize(
    "writes", [0, 4, pytest.param(8, marks=pytest.mark.slow), 12, pytest.param(17, marks=pytest.mark.slow), 22]
)
def test_interrupted_builds_are_resumed(
    gcs: FakeGcs, expected: dict[str, bytes], writes: int, capsys: pytest.CaptureFixture[str]
) -> None:
    gcs.faults.append(Fault(403, frozenset({"POST"}), "/upload/", after=writes, times=99))
    assert remote() == 1
    assert "role Storage Object User" in capsys.readouterr().err
    gcs.faults.clear()
    assert f"{PLACE}/manifest.json" not in gcs.names("out")
    assert LOCK not in gcs.names("out")
    assert writes > 2 or not gcs.names("out")
    ledgers = generations(gcs, "/ledger/images-")
    shards = generations(gcs, "tfrecord-")
    assert remote() == 2
    assert_same(dataset(gcs), expected)
    again = generations(gcs, "tfrecord-")
    for ledger in ledgers:  # they are written when their shards are whole
        number, _, split = ledger.partition("/images-")[2][: -len("-of-00000.parquet")][::-1].partition("-")
        shard = next((name for name in shards if f"{split[::-1]}.tfrecord-{number[::-1]}" in name), None)
        assert shard is None or shards[shard] == again[shard]


@pytest.mark.slow
@pytest.mark.parametrize("objects", [2, 6, 10])
def test_killed_builds_are_resumed(gcs: FakeGcs, expected: dict[str, bytes], objects: int) -> None:
    gcs.latency = 0.05
    paths = ("--sources=gs://in/mix/sources.yaml", "--class_map=gs://in/mix/classes.csv", "--output=gs://out/data")
    run = subprocess.Popen([sys.executable, "-m", "pipelines.cli", "build", *paths, *FLAGS])
    while len(gcs.names("out")) < objects:
        assert run.poll() is None
        time.sleep(0.005)
    run.kill()
    run.wait()
    gcs.latency = 0.0
    assert f"{PLACE}/manifest.json" not in gcs.names("out")
    assert remote() == 2
    assert_same(dataset(gcs), expected)


def test_outages_are_survived(gcs: FakeGcs, expected: dict[str, bytes]) -> None:
    kinds: list[int | str] = [503, 429, 500, "reset", "lost", "cut"]
    gcs.faults += [Fault(kind, after=5 * number) for number, kind in enumerate(kinds * 3)]
    assert remote() == 2
    assert sum(fault.times for fault in gcs.faults) == 0
    assert_same(dataset(gcs), expected)


def test_of_two_runs_one_wins(
    gcs: FakeGcs, expected: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(remote_claim, "BEAT_SECONDS", 0.1)
    gcs.latency = 0.02
    codes: list[int] = []
    runs = [threading.Thread(target=lambda: codes.append(remote())) for _ in range(2)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert sorted(codes) == [1, 2]
    assert "another run (process" in capsys.readouterr().err
    assert_same(dataset(gcs), expected)


@pytest.mark.parametrize("is_of_this_machine", [True, False])
def test_dead_runs_do_not_hold_the_place(
    gcs: FakeGcs, expected: dict[str, bytes], is_of_this_machine: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = remote_claim._machine() if is_of_this_machine else "other"
    holder = {"owner": "x", "host": "other", "process": 2**22 + 1, "machine": machine}
    gcs.put("out", LOCK, json.dumps(holder).encode())
    gcs.put("out", f"{PLACE}/.parts/started", b"")
    monkeypatch.setattr(remote_claim, "SILENCE_SECONDS", 1e9 if is_of_this_machine else 0.1)
    assert remote() == 2
    assert_same(dataset(gcs), expected)


def test_run_that_was_taken_for_dead_stops(
    gcs: FakeGcs, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = remote_claim.Claim.check

    def check(claim: remote_claim.Claim) -> None:
        gcs.put("out", LOCK, json.dumps({"owner": "other", "host": "other", "process": 1}).encode())
        real(claim)

    monkeypatch.setattr(remote_claim.Claim, "check", check)
    assert remote() == 1
    assert "process 1 on other) has taken over" in capsys.readouterr().err
    assert not [name for name in gcs.names("out") if "tfrecord" in name or "manifest" in name]
    assert LOCK in gcs.names("out")


@pytest.mark.parametrize("copies", [None, pytest.param(0, marks=pytest.mark.slow), 5])
def test_replacement(
    gcs: FakeGcs, expected: dict[str, bytes], copies: int | None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert remote("--num_shards=5", "--masks=none") == 2
    old = dataset(gcs)
    gcs.put("out", f"{PLACE}/ledger/left.parquet", b"")
    assert remote() == 1
    assert {name: dataset(gcs)[name] for name in old} == old
    if copies is not None:
        gcs.faults.append(Fault(403, frozenset({"POST"}), "rewriteTo", after=copies, times=99))
        assert remote("--overwrite") == 1
        assert f"{PLACE}/manifest.json" not in gcs.names("out")
        gcs.faults.clear()
    assert remote("--overwrite") == 2
    assert_same(dataset(gcs), expected)


def test_foreign_files_are_left_alone(gcs: FakeGcs, capsys: pytest.CaptureFixture[str]) -> None:
    gcs.put("out", f"{PLACE}/notes.txt", b"mine")
    assert remote() == 1
    assert "is not empty and holds no dataset" in capsys.readouterr().err
    assert gcs.names("out") == [f"{PLACE}/notes.txt"]


@pytest.mark.parametrize(
    ("status", "bucket", "words"),
    [
        (403, "in", "role Storage Object User"),
        (403, "out", "role Storage Object User"),
        (401, "in", "gcloud auth application-default login"),
        (401, "out", "gcloud auth application-default login"),
        (404, "in", "there is no bucket"),
        (404, "out", "there is no bucket"),
    ],
)
def test_refusals_of_the_storage(
    gcs: FakeGcs, status: int, bucket: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if status == 404:
        del gcs._buckets[bucket]
    else:
        gcs.denied[bucket, "*"] = status
    assert remote() == 1
    shown = capsys.readouterr().err
    assert words in shown
    assert f"gs://{bucket}" in shown
    assert len(shown.splitlines()) == 1
    assert status == 404 or not gcs._buckets["out"]


@pytest.mark.parametrize(
    ("annotations", "images", "words"),
    [
        ("gs://in/mix/coco/none.json", None, "does not exist"),
        ("gs://in/mix/coco/*.txt", None, "matches no file"),
        ("gs://in/mix/coco/labels.json", "gs://in/mix/none", "holds no image"),
        ("s4://in/mix", None, "no file system"),
    ],
)
def test_places_without_anything(
    gcs: FakeGcs, annotations: str, images: str | None, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    more = [f"--images={images}"] if images else []
    assert build_tfrecords.main([f"--annotations={annotations}", *more, "--output=gs://out", "--name=a"]) == 1
    assert words in capsys.readouterr().err


def test_goes_on_with_a_dataset_in_the_cloud(gcs: FakeGcs, expected: dict[str, bytes]) -> None:
    """No shard is written again: the storage copies them."""
    assert remote() == 2
    assert remote("--version=1.1.0", "--previous=gs://out/data/mix/1.0.0") == 2
    manifest = json.loads(gcs.get("out", "data/mix/1.1.0/manifest.json"))
    assert manifest["previous"]["bytes"]["written"] == 0
    old = {name.removeprefix("mix/1.0.0/"): data for name, data in expected.items() if ".tfrecord-" in name}
    found = {name.removeprefix("data/mix/1.1.0/"): gcs.get("out", name) for name in gcs.names("out")}
    assert {name: data for name, data in found.items() if name in old} == old
