from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from transforms.detections.detect_settings import DetectSettings, ModelIdentity
from transforms.detections.output_folder import (
    OutputFolder,
    OutputRefused,
    claimed_output,
    commit,
    read_manifest,
    uncommit,
    video_folder_name,
    whole_file,
)
from transforms.videos.cut_settings import CutSettings
from transforms.videos.sampling import Sampling

SETTINGS = DetectSettings("/out", ModelIdentity("model", "tflite", "ab" * 32), "/model", labels={1: "dog"})
MANIFEST = {"kind": "detections", "format_version": 1}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("street.mp4", "street-01234567"),
        ("거리.1.mov", "거리.1-01234567"),
        (".mp4", "mp4-01234567"),
        ("..", "video-01234567"),
        ("한" * 100 + ".mp4", "한" * 60 + "-01234567"),
    ],
)
def test_folder_names(name: str, expected: str) -> None:
    assert video_folder_name(name, "0123456789abcdef") == expected


CHANGES = {
    "batch size": (replace(SETTINGS, batch_size=4), True, True),
    "model": (replace(SETTINGS, model=ModelIdentity("model", "tflite", "cd" * 32)), True, True),
    "stride": (replace(SETTINGS, cut=CutSettings(sampling=Sampling(2))), True, True),
    "stream": (replace(SETTINGS, cut=CutSettings(stream=1)), True, True),
    "below the floor": (replace(SETTINGS, min_score=0.001), True, True),
    "threshold": (replace(SETTINGS, min_score=0.5), False, True),
    "labels": (replace(SETTINGS, labels={1: "cat"}), False, True),
    "exports": (replace(SETTINGS, exports=("coco",)), False, False),
    "time limit": (replace(SETTINGS, segment_limit_seconds=1.0), False, False),
    "segment length": (replace(SETTINGS, cut=CutSettings(segment_seconds=1.0)), False, False),
    "output": (replace(SETTINGS, output="/other"), False, False),
}


@pytest.mark.parametrize("case", CHANGES)
def test_what_makes_other_detections_and_other_drawings(case: str) -> None:
    changed, infers, draws = CHANGES[case]
    assert (changed.inference_key() != SETTINGS.inference_key()) == infers
    assert (changed.drawing_key() != SETTINGS.drawing_key()) == draws


def test_results_are_made_again_for_all_that_shows_in_them() -> None:
    def key(settings: DetectSettings) -> str:
        return settings.video_key("a.mp4", "01" * 32)

    same = {name for name, (changed, _, _) in CHANGES.items() if key(changed) == key(SETTINGS)}
    assert same == {"time limit", "output"}
    assert SETTINGS.video_key("b.mp4", "01" * 32) != key(SETTINGS) != SETTINGS.video_key("a.mp4", "02" * 32)


def test_one_run_at_a_time(tmp_path: Path) -> None:
    claimed = claimed_output(str(tmp_path / "out"))
    with claimed, pytest.raises(OutputRefused, match="another run"), claimed_output(str(tmp_path / "out")):
        pass
    with claimed_output(str(tmp_path / "out")) as folder:
        assert folder.path == str(tmp_path / "out")


def test_the_manifest_is_written_once(tmp_path: Path) -> None:
    folder = OutputFolder(str(tmp_path))
    assert read_manifest(folder.path) is None
    commit(folder, MANIFEST)
    assert read_manifest(folder.path) == MANIFEST
    commit(folder, MANIFEST)  # a second attempt of the same run
    with pytest.raises(FileExistsError):
        commit(folder, {**MANIFEST, "counts": {}})
    assert read_manifest(folder.path) == MANIFEST
    uncommit(folder)
    assert read_manifest(folder.path) is None
    uncommit(folder)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "[]", '{"kind": "other", "format_version": 1}', '{"kind": "detections"}'])
def test_other_manifests_are_not_ours(text: str, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(text)
    assert read_manifest(str(tmp_path)) is None


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    with suppress(ValueError), whole_file(str(path)) as temporary:
        Path(temporary).write_text("half")
        raise ValueError
    assert list(path.parent.iterdir()) == []
    with whole_file(str(path)) as temporary:
        Path(temporary).write_text("whole")
        assert not path.exists()
    assert [file.name for file in path.parent.iterdir()] == ["file"]
    assert path.read_text() == "whole"
