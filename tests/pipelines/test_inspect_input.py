from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines import cli, inspect_input
from tests.fake_gcs import cloud
from tests.pipelines.detect_runs import run_detect
from tests.videos.clips import write_clip
from tests.videos.shape_clips import write_shapes_clip
from transforms.detectors.demo_model import write_shapes_detector

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shapes_detector(tmp_path_factory.mktemp("model"))


def inspect(capsys: Capture, *argv: object) -> tuple[int, str, str]:
    capsys.readouterr()
    code = inspect_input.main([str(argument) for argument in argv])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_a_model(capsys: Capture, model: Path) -> None:
    code, out, _ = inspect(capsys, model)
    assert code == 0
    for part in ("TF2 SavedModel", "uint8 [?,?,?,3]", "detection_boxes", "1 red, 2 green, 3 blue", "only compute"):
        assert part in " ".join(out.split())
    assert len(out.splitlines()) <= 24


def test_a_video(capsys: Capture, tmp_path: Path) -> None:
    code, out, _ = inspect(capsys, write_clip(tmp_path / "clip.mp4", 45, audio=True))
    assert code == 0
    for part in ("h264", "160x96", "45 by their packets", "30.000 frames/s, constant", "Sound        yes"):
        assert part in out


def test_results_of_a_run_and_of_a_video(capsys: Capture, model: Path, tmp_path: Path) -> None:
    run = run_detect(capsys, write_shapes_clip(tmp_path / "clip.mp4", 30), model, tmp_path / "out", "--exports=mot")
    code, out, _ = inspect(capsys, run.folder)
    assert code == 0
    assert "30 expected = 30 processed + 0 skipped + 0 lost" in out
    code, out, _ = inspect(capsys, run.results("clip.mp4"))
    assert code == 0
    assert "70: " in out
    assert "green 30" in out
    assert "Exports      mot" in out


DATASET = {
    "format_version": 1,
    "name": "shop",
    "version": "1.0.0",
    "boxmill_version": "0.1.0",
    "fingerprint": "ab" * 32,
    "counts": {
        "images": {"read": 9, "written": 8, "repaired": 0, "rejected": 1},
        "boxes": {"read": 30, "written": 28, "repaired": 1, "dropped": 2},
    },
    "classes": [{"id": 1, "name": "dog", "boxes": 28}],
    "reasons": {"box_empty": 2},
    "splits": {"train": {"records": 8, "boxes": 28, "bytes": 123456, "shards": [{}]}},
}


def test_a_dataset(capsys: Capture, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps(DATASET))
    code, out, err = inspect(capsys, tmp_path)
    assert code == 0, err
    for part in ("shop 1.0.0", "train: 8 images, 28 boxes, 1 shards", "9 read = 8 written + 1 rejected", "1 dog"):
        assert part in out


def test_the_same_in_the_cloud(capsys: Capture, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset/manifest.json").write_text(json.dumps(DATASET))
    (tmp_path / "labels.txt").write_text("dog\n")
    clip = write_clip(tmp_path / "clip.mp4", 45)
    inputs = [[clip], [tmp_path / "dataset"], [model], [model, "--label_map", tmp_path / "labels.txt"]]
    known = [inspect(capsys, *argv) for argv in inputs]
    for gcs in cloud("bucket", monkeypatch=monkeypatch):
        gcs.put_folder("bucket", "files", tmp_path)
        gcs.put_folder("bucket", "files/model", model)
        for argv, (_, text, _) in zip(inputs, known, strict=True):
            urls = [str(arg).replace(str(model), "gs://bucket/files/model") for arg in argv]
            urls = [url.replace(str(tmp_path), "gs://bucket/files") for url in urls]
            code, out, err = inspect(capsys, *urls)
            assert (code, err) == (0, "")
            same = text.replace(str(model), "gs://bucket/files/model").replace(str(tmp_path), "gs://bucket/files")
            assert out.split() == same.split()  # lines break elsewhere
        for url in ("gs://bucket/none", "gs://none/a"):
            code, out, err = inspect(capsys, url)
            assert (code, out) == (1, "")
            assert "there is no" in err


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("nothing", None, "there is no such file or folder"),
        ("page.mp4", b"<html>404</html>" * 20, "no model, dataset or video"),
        ("graph.pb", b"hello", "graph.pb"),
        ("manifest.json/", b"{}", "no manifest"),
    ],
)
def test_what_it_is_not_is_told_in_one_line(
    name: str, content: bytes | None, expected: str, capsys: Capture, tmp_path: Path
) -> None:
    path = tmp_path / name.rstrip("/")
    if content is not None:
        path.write_bytes(content)
    code, out, err = inspect(capsys, tmp_path if name.endswith("/") else path)
    assert (code, out) == (1, "")
    assert expected in err
    assert err.startswith("boxmill inspect: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize("argv", [[], ["a", "b"], ["--labelmap=x", "a"]])
def test_mistakes_on_the_command_line(argv: list[str], capsys: Capture) -> None:
    code, _, err = inspect(capsys, *argv)
    assert code == 1
    assert err.startswith("boxmill inspect: ")


@pytest.mark.parametrize("name", ["detect", "inspect"])
def test_help_is_quick_and_imports_nothing_heavy(name: str) -> None:
    module = cli.COMMANDS[name][0]
    code = (
        f"import sys, {module} as m; m.main(['--help']); "
        "print(sorted({'apache_beam', 'tensorflow', 'av', 'numpy'} & set(sys.modules)))"
    )
    begun = time.monotonic()
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert time.monotonic() - begun < 1.5
    assert finished.stdout.endswith("[]\n")
    assert f"boxmill {name} " in finished.stdout
