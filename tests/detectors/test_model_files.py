from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from transforms.detectors.model_files import find_model, fingerprint


def test_a_saved_model_is_found_from_each_of_its_paths(saved_model: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(saved_model, tmp_path / "export" / "saved_model"))
    # As the exporters leave it: a checkpoint and a frozen graph beside it.
    (tmp_path / "export" / "checkpoint").write_text("")
    (tmp_path / "export" / "frozen_inference_graph.pb").write_bytes(b"\x0a\x00")
    for path in (tmp_path / "export", folder, folder / "saved_model.pb", str(folder)):
        assert find_model(path).file == folder / "saved_model.pb"
        assert find_model(path).form == "protobuf"


def test_files_and_their_folders_are_found(frozen: Path, tflite: Path, tmp_path: Path) -> None:
    for source, form in ((frozen, "protobuf"), (tflite, "tflite")):
        folder = tmp_path / form
        folder.mkdir()
        copy = Path(shutil.copy(source, folder))
        (folder / "pipeline.config").write_text("model {}")
        assert find_model(folder) == find_model(copy)
        assert find_model(copy).form == form
        assert find_model(copy).size_bytes == source.stat().st_size


def _flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


CHANGES = {
    "a byte of the graph": lambda folder: _flip(folder / "saved_model.pb"),
    "a byte of the variables": lambda folder: _flip(folder / "variables" / "variables.data-00000-of-00001"),
    "an asset": lambda folder: (folder / "assets" / "vocabulary.txt").write_text("a"),
    "a name": lambda folder: (folder / "variables" / "variables.index").rename(folder / "variables" / "other"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_fingerprint_changes_with(change, saved_model: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(saved_model, tmp_path / "model"))
    (folder / "assets").mkdir(exist_ok=True)
    before = fingerprint(find_model(folder))
    change(folder)
    after = fingerprint(find_model(folder))
    assert before != after
    assert len(after) == 64


def test_fingerprint_is_of_contents_not_of_place(saved_model: Path, frozen: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(saved_model, tmp_path / "elsewhere"))
    (folder / "label_map.pbtxt").write_text("item { id: 1 name: 'a' }")
    assert fingerprint(find_model(folder)) == fingerprint(find_model(saved_model))
    renamed = Path(shutil.copy(frozen, tmp_path / "renamed.pb"))
    assert fingerprint(find_model(renamed)) == fingerprint(find_model(frozen))
