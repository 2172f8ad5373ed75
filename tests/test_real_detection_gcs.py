"""Published models on published videos, all of it in a cloud that is slow and fails: the bytes of a local run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fake_gcs import FakeGcs, Fault
from tests.test_real_detection import MODELS, REAL, TWO_PROCESSES, VIDEOS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not REAL.is_dir(), reason=f"third-party test material is not at {REAL}"),
]
CLIPS = ("torchcodec/nasa_13013.mp4", "decord/video_90.mov", "decord/corrupted.mp4", "opencv/tree.avi")
FLAGS = ("--exports=coco,mot,jsonl,yolo,tfrecord", "--annotated_video", "--segment_seconds=4", *TWO_PROCESSES)
FAULTS: tuple[int | str, ...] = (503, 429, "reset", "lost", "cut")


def run(videos: str, model: str, labels: str, output: str, environment: dict[str, str]) -> int:
    places = [f"--videos={videos}", f"--model={model}", f"--label_map={labels}", f"--output={output}"]
    command = [sys.executable, "-m", "pipelines.detect_video", *places, *FLAGS]
    return subprocess.run(command, env={**os.environ, **environment}, check=False).returncode


@pytest.mark.parametrize("kind", MODELS)
def test_the_same_bytes_as_locally(kind: str, tmp_path: Path) -> None:
    model, labels = MODELS[kind][0], REAL / "models/labels/mscoco_label_map.pbtxt"
    (tmp_path / "in").mkdir()
    for name in CLIPS:
        (tmp_path / "in" / Path(name).name).symlink_to(VIDEOS / name)
    code = run(str(tmp_path / "in"), str(model), str(labels), str(tmp_path / "out"), {})
    assert code == 2  # two of the videos are damaged
    with FakeGcs("bucket", latency=0.03) as gcs:
        gcs.put_folder("bucket", "in", tmp_path / "in")
        gcs.put_folder("bucket", f"models/{model.name}", model)
        gcs.put("bucket", "models/map.pbtxt", labels.read_bytes())
        gcs.faults += [Fault(fault, after=after) for fault, after in zip(FAULTS * 6, range(5, 600, 17), strict=False)]
        places = ("gs://bucket/in", f"gs://bucket/models/{model.name}", "gs://bucket/models/map.pbtxt")
        assert run(*places, "gs://bucket/out", gcs.environment) == code
        gcs.get_folder("bucket", "out", tmp_path / "copy")
    assert contents(tmp_path / "copy") == contents(tmp_path / "out")


def contents(folder: Path) -> dict[str, bytes]:
    """All files, but for those that tell of the machine."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    own = (".boxmill/lock", ".boxmill/inputs.json")
    return {name: path.read_bytes() for name, path in files.items() if name not in own}
