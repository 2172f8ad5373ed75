"""Which file or folder a path means as a model, and the fingerprint of its contents."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from transforms.detectors.refusal import ModelRefused

SAVED_MODEL_FILE = "saved_model.pb"
FROZEN_GRAPH_FILE = "frozen_inference_graph.pb"

# Of a SavedModel's files besides its graph.
PART_FOLDERS = ("variables", "assets")

_TFLITE_IDENTIFIER = b"TFL3"  # At byte 4 of the file: https://www.tensorflow.org/lite schema, file_identifier.
_TFLITE_SUFFIXES = (".tflite", ".lite")
GRAPH_SUFFIXES = (".pb", *_TFLITE_SUFFIXES)
_KERAS_ADVICE = (
    "Keras files hold code to be run as well as weights, and no detection signature: export the model as a"
    " SavedModel with outputs detection_boxes, detection_scores, detection_classes and num_detections"
)


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model's place on disk.

    Attributes:
      form: "protobuf" is a SavedModel or a GraphDef, which only its contents tell.
      file: the file that holds the graph.
      parts: all files that decide what the model computes, the graph's first.
    """

    form: Literal["protobuf", "tflite"]
    file: Path
    parts: tuple[Path, ...]

    @property
    def size_bytes(self) -> int:
        return sum(part.stat().st_size for part in self.parts)


def find_model(path: str | os.PathLike[str]) -> ModelFiles:
    """The model that ``path`` means: a .pb or .tflite file, a SavedModel's folder, or the parent of one.

    Raises:
      ModelRefused: nothing there, or something that is no TensorFlow detection model.
    """
    place = Path(path)
    if place.is_dir():
        return _in_folder(place)
    if not place.is_file():
        raise ModelRefused(
            f"Model {place}: no such file or folder. Give a SavedModel folder, a frozen_inference_graph.pb"
            " or a .tflite file."
        )
    return _in_file(place)


def fingerprint(files: ModelFiles) -> str:
    """Sha256, in hex, over each part's relative name, size and contents.

    The name of a model of one file does not count: renamed, it still gives the same detections.
    """
    digest = hashlib.sha256()
    for part in sorted(files.parts):
        name = "" if len(files.parts) == 1 else part.relative_to(files.file.parent).as_posix()
        digest.update(f"{len(name.encode())}:{name}:{part.stat().st_size}:".encode())
        with part.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _in_folder(folder: Path) -> ModelFiles:
    for candidate in (folder / SAVED_MODEL_FILE, folder / "saved_model" / SAVED_MODEL_FILE):
        if candidate.is_file():
            return _in_file(candidate)
    if (folder / FROZEN_GRAPH_FILE).is_file():
        return _in_file(folder / FROZEN_GRAPH_FILE)
    graphs = sorted(file for file in folder.iterdir() if file.suffix.lower() in GRAPH_SUFFIXES and file.is_file())
    if len(graphs) == 1:
        return _in_file(graphs[0])
    names = sorted(file.name for file in folder.iterdir())
    listed = ", ".join(names[:8]) + (", …" if len(names) > 8 else "") if names else "nothing"
    if graphs:
        remedy = "Name the file of the model to use."
    elif any(name.endswith(".index") or name == "checkpoint" for name in names):
        remedy = (
            "A training checkpoint is not a model that can be run: export it first, with"
            " exporter_main_v2.py or export_inference_graph.py of the TensorFlow Object Detection API."
        )
    else:
        remedy = f"A model's folder holds {SAVED_MODEL_FILE}, {FROZEN_GRAPH_FILE} or one .tflite file."
    raise ModelRefused(f"Model folder {folder}: no single model in it; it holds {listed}. {remedy}")


def _in_file(file: Path) -> ModelFiles:
    with file.open("rb") as stream:
        start = stream.read(512)
    _refuse_foreign(file, start)
    if start[4:8] == _TFLITE_IDENTIFIER:
        if file.suffix.lower() not in _TFLITE_SUFFIXES:
            raise ModelRefused(
                f"Model {file}: its contents are a TFLite model, its name says something else. Rename it to"
                f" {file.stem}.tflite, outside a SavedModel's folder, and give that file."
            )
        return ModelFiles("tflite", file, (file,))
    if file.suffix.lower() in _TFLITE_SUFFIXES:
        raise ModelRefused(
            f"Model {file}: not a TFLite model: the mark TFL3 is not at byte 4. Download or convert it again."
        )
    if file.name != SAVED_MODEL_FILE:
        return ModelFiles("protobuf", file, (file,))
    # Only what decides the computation: a label map put beside it must not make it another model.
    inside = (file.parent / folder for folder in PART_FOLDERS)
    return ModelFiles("protobuf", file, (file, *_files_below(inside)))


def _files_below(folders: Iterable[Path]) -> list[Path]:
    return sorted(file for folder in folders for file in folder.rglob("*") if file.is_file())


def _refuse_foreign(file: Path, start: bytes) -> None:
    """Refuses the files that users most often give instead of a model."""
    suffix = file.suffix.lower()
    if not start:
        problem = "the file is empty. Download or export it again"
    elif start.startswith(b"version https://git-lfs"):
        problem = "a Git LFS pointer, not the model itself. Fetch it with: git lfs pull"
    elif suffix in (".h5", ".hdf5") or start.startswith(b"\x89HDF"):
        problem = f"a Keras HDF5 file. {_KERAS_ADVICE}"
    elif suffix == ".keras" or (start.startswith(b"PK") and zipfile.is_zipfile(file)):
        problem = f"a Keras or zip archive. Unpack it if it holds a SavedModel. {_KERAS_ADVICE}"
    elif suffix == ".pbtxt":
        problem = "a text file. Give the binary .pb file or the SavedModel's folder"
    elif suffix in (".onnx", ".pt", ".pth", ".ckpt", ".index") or ".data-" in file.name:
        problem = "not a TensorFlow model that can be run. Export a SavedModel, a frozen graph or a TFLite"
        " model from it"
    elif start.lstrip()[:1] == b"<":
        problem = "HTML or XML text, perhaps an error page saved by a download. Download it again"
    else:
        return
    raise ModelRefused(f"Model {file}: {problem}.")
