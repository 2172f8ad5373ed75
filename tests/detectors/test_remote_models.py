from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fake_gcs import FakeGcs, Fault, cloud
from transforms.detectors.inspection import inspect_model
from transforms.detectors.label_maps import LabelMapRefused
from transforms.detectors.loading import labels_of
from transforms.detectors.refusal import ModelRefused
from transforms.detectors.remote_models import local_model
from transforms.storage import gcs_requests


@pytest.fixture
def gcs(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGcs]:
    yield from cloud("bucket", monkeypatch=monkeypatch)


SAVED = [f"a/m/{name}" for name in ("saved_model.pb", "variables/v.index", "variables/v.data-0", "assets/vocab.txt")]


@pytest.mark.parametrize(
    ("url", "copied", "left"),
    [
        ("a/m", SAVED, []),
        ("a/m/saved_model.pb", SAVED, []),
        ("a/m", ["a/m/saved_model/saved_model.pb"], ["a/m/checkpoint/big", "a/m/frozen_inference_graph.pb"]),
        ("a/m", ["a/m/frozen_inference_graph.pb"], ["a/m/model.ckpt.data"]),
        ("a/m.tflite", ["a/m.tflite", "a/labelmap.txt"], ["a/other.tflite"]),
        ("a/m", ["a/m/saved_model.pb", "a/label_map.pbtxt"], ["a/notes.txt", "labels.txt"]),
        ("a/m", ["a/m/saved_model.pb", "a/m/labels.txt"], ["a/labels.txt"]),
        ("a/m", [], ["a/m/checkpoint", "a/m/model.index"]),
        ("m.tflite", ["m.tflite", "labels.csv"], []),
    ],
)
def test_what_makes_up_the_model_is_copied(url: str, copied: list[str], left: list[str], gcs: FakeGcs) -> None:
    for name in copied + left:
        gcs.put("bucket", name, b"content")
    with local_model(f"gs://bucket/{url}") as (model, _):
        bucket = Path(model.removesuffix(f"/{url}"))
        found = [path for path in bucket.rglob("*") if path.is_file() and path.read_bytes() == b"content"]
        assert sorted(path.relative_to(bucket).as_posix() for path in found) == sorted(copied)


def test_a_copy_ends_with_its_block_and_one_that_breaks_leaves_nothing(
    gcs: FakeGcs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(gcs_requests, "RETRY_SECONDS", 0.2)
    gcs.put("bucket", "m/saved_model.pb", b"x")
    gcs.put("bucket", "m/variables/v", b"y")
    with local_model("gs://bucket/m") as (model, _):
        assert Path(model, "variables/v").read_bytes() == b"y"
    gcs.faults.append(Fault("cut", path="variables/v\\?", times=1000))
    with pytest.raises(ModelRefused, match="gs://bucket/m: it cannot be read"), local_model("gs://bucket/m"):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "label_map", "expected"),
    [
        ("gs://bucket/none", None, "Model gs://bucket/none: no such file or folder"),
        ("gs://missing/m", None, "Model gs://missing/m: it cannot be read: there is no bucket missing"),
        (
            "gs://bucket/checkpoint",
            None,
            "gs://bucket/checkpoint: no single model in it; it holds checkpoint, model.index",
        ),
        ("gs://bucket/broken.pb", None, "Model gs://bucket/broken.pb: "),
        (
            "gs://bucket/broken.pb",
            "gs://bucket/none.txt",
            "Label map gs://bucket/none.txt: cannot be read: there is no such",
        ),
    ],
)
def test_refusals_name_the_url(url: str, label_map: str | None, expected: str, gcs: FakeGcs) -> None:
    gcs.put("bucket", "checkpoint/checkpoint", b"x")
    gcs.put("bucket", "checkpoint/model.index", b"x")
    gcs.put("bucket", "broken.pb", b"hello " * 20)
    with pytest.raises((ModelRefused, LabelMapRefused)) as refused, local_model(url, label_map) as (model, labels):
        labels_of(inspect_model(model), labels)
    assert expected in str(refused.value)
    assert "/tmp" not in str(refused.value)


def test_local_paths_stay_as_they_are(tmp_path: Path) -> None:
    with local_model(str(tmp_path), "labels.txt") as paths:
        assert paths == (str(tmp_path), "labels.txt")
