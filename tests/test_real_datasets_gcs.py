"""A public dataset, built from and to a cloud that fails now and then: the bytes of a local build."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines import build_tfrecords, verify_tfrecords
from tests.fake_gcs import Fault, cloud
from tests.test_real_datasets import BCCD
from transforms.shards.input_stamps import STAMPS_FILE

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not BCCD.is_dir(), reason=f"{BCCD} is not there: the datasets are no part of the project"),
]
FLAGS = ("--name=cells", "--num_shards=train=4,val=2", "--coco_splits=val")


def build(place: str | Path, output: str | Path) -> int:
    flags = [f"--annotations={place}/Annotations", f"--images={place}/JPEGImages", f"--output={output}"]
    return build_tfrecords.main([*flags, *FLAGS])


def test_the_same_bytes_as_locally(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert build(BCCD, tmp_path / "data") == 0
    expected = {path.relative_to(tmp_path).as_posix(): path for path in tmp_path.rglob("*") if path.is_file()}
    kinds: list[int | str] = [503, 429, "reset", "lost", "cut"]
    for gcs in cloud("bucket", monkeypatch=monkeypatch):
        gcs.put_folder("bucket", "in", BCCD)
        gcs.faults += [Fault(kind, after=after) for kind, after in zip(kinds * 4, range(5, 700, 30), strict=False)]
        assert build("gs://bucket/in", "gs://bucket/data") == 0
        assert sum(fault.times for fault in gcs.faults) == 0
        assert gcs.names("bucket", "data/") == sorted(expected)
        differing = [name for name, path in expected.items() if gcs.get("bucket", name) != path.read_bytes()]
        assert [Path(name).name for name in differing] == [STAMPS_FILE]  # times here, generations there
        assert verify_tfrecords.main(["gs://bucket/data/cells/1.0.0"]) == 0
