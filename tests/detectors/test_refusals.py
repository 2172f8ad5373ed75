"""Every model here is refused before its first frame, with what was found and what to do."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from pipelines import detect_video
from tests.detectors import tiny_models
from tests.videos.clips import write_clip
from transforms.detectors.detector import Detector
from transforms.detectors.loading import load_detector
from transforms.detectors.refusal import ModelRefused


@dataclass(frozen=True)
class Workplace:
    """Where a test makes its model, and sound ones to start from."""

    folder: Path
    saved_model: Path
    frozen: Path
    tflite: Path

    def copy(self) -> Path:
        return Path(shutil.copytree(self.saved_model, self.folder / "model"))

    def file(self, name: str, content: bytes) -> Path:
        (self.folder / name).write_bytes(content)
        return self.folder / name

    def edited(self, edit: Callable[[Any], object]) -> Path:
        """The sound SavedModel with its one meta graph changed."""
        folder = self.copy()
        message = saved_model_pb2.SavedModel()
        message.ParseFromString((folder / "saved_model.pb").read_bytes())
        edit(message.meta_graphs[0])
        (folder / "saved_model.pb").write_bytes(message.SerializeToString())
        return folder

    def model(self, function: Callable[[Any], dict[str, Any]], **options: Any) -> Path:
        return tiny_models.write_saved_model(self.folder / "model", function, **options)


def half(path: Path) -> bytes:
    content = path.read_bytes()
    return content[: len(content) // 2]


def without(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).unlink()
    return folder


def cut(path: Path, folder: Path) -> Path:
    path.write_bytes(half(path))
    return folder


def classifier(images: Any) -> dict[str, Any]:
    return {"probabilities": tf.reduce_mean(tf.cast(images, tf.float32), axis=[1, 2])}


def frozen_classifier(place: Workplace) -> Path:
    with tf.Graph().as_default() as graph:
        images = tf.compat.v1.placeholder(tf.float32, [None, 224, 224, 3], name="input")
        tf.nn.softmax(tf.reduce_mean(images, axis=[1, 2]), name="MobilenetV1/Predictions")
    return place.file("classifier.pb", graph.as_graph_def().SerializeToString())


def unfrozen(place: Workplace) -> Path:
    graph, _, _ = tiny_models.graph_v1(variables=True)
    return place.file("graph.pb", graph.as_graph_def().SerializeToString())


def custom_op(place: Workplace) -> Path:
    graph_def = tf.compat.v1.GraphDef.FromString(place.frozen.read_bytes())
    [boxes] = [node for node in graph_def.node if node.name == "detection_boxes"]
    boxes.op = "MyFancyNms"
    return place.file("custom.pb", graph_def.SerializeToString())


def two_signatures(place: Workplace) -> Path:
    def rename(meta_graph: Any) -> None:
        signatures = meta_graph.signature_def
        for name in ("small", "large"):
            signatures[name].CopyFrom(signatures["serving_default"])
        del signatures["serving_default"]

    return place.edited(rename)


def other_tag(place: Workplace) -> Path:
    return place.edited(lambda meta_graph: meta_graph.meta_info_def.tags.__setitem__(0, "train"))


def other_output(place: Workplace, name: str) -> Path:
    def drop(meta_graph: Any) -> None:
        del meta_graph.signature_def["serving_default"].outputs[name]

    return place.edited(drop)


def writing_file(images: Any) -> dict[str, Any]:
    write = tf.io.write_file("/nonexistent/stolen", "secret")
    with tf.control_dependencies([write]):
        return tiny_models.detections(images)


def reading_file_deep_inside(images: Any) -> dict[str, Any]:
    @tf.function
    def read() -> Any:
        return tf.strings.length(tf.io.read_file("/etc/hostname"))

    found = tiny_models.detections(images)
    extra = tf.cond(tf.shape(images)[0] > 99, lambda: tf.cast(read(), tf.float32), lambda: 0.0)
    return {**found, "detection_scores": found["detection_scores"] + extra * 0.0}


def calling_python(images: Any) -> dict[str, Any]:
    found = tiny_models.detections(images)
    scores = tf.py_function(lambda scores: scores, [found["detection_scores"]], tf.float32)
    return {**found, "detection_scores": scores}


def saving_in_its_signature(images: Any) -> dict[str, Any]:
    save = tf.raw_ops.SaveV2(prefix="/tmp/x", tensor_names=["a"], shape_and_slices=[""], tensors=[1.0])
    with tf.control_dependencies([save]):
        return tiny_models.detections(images)


def channels_first(images: Any) -> dict[str, Any]:
    return tiny_models.detections(tf.transpose(images, [0, 2, 3, 1]))


def without_batch(images: Any) -> dict[str, Any]:
    found = tiny_models.detections(images)
    return {**found, "detection_boxes": found["detection_boxes"][0]}


def failing(images: Any) -> dict[str, Any]:
    tf.debugging.assert_less(tf.shape(images)[1], 10, message="frames must be tiny")
    return tiny_models.detections(images)


def dummies(images: Any) -> dict[str, Any]:
    zeros = tf.zeros([1, 10]) + 0.0 * tf.reduce_sum(tf.cast(images, tf.float32))
    return {f"output_{number}": zeros for number in range(4)}


def lite(place: Workplace, function: Callable[[Any], dict[str, Any]], **options: Any) -> Path:
    return tiny_models.write_tflite(place.folder / "model.tflite", function, **options)


def untellable(images: Any) -> dict[str, Any]:
    zeros = 0.0 * tiny_models.detections(images)["detection_scores"]
    boxes = tiny_models.detections(images)["detection_boxes"]
    return {"a": boxes, "b": zeros + 1.0, "c": zeros, "d": zeros[:, 0] + 2.0}


# What the model is: how it is made, what its refusal must say.
REFUSED: dict[str, tuple[Callable[[Workplace], Path], list[str]]] = {
    "nothing there": (lambda place: place.folder / "absent", ["no such file", "SavedModel folder"]),
    "an empty folder": (lambda place: place.folder, ["it holds nothing", "saved_model.pb"]),
    "a training checkpoint": (
        lambda place: place.file("ckpt-0.index", b"x").parent,
        ["ckpt-0.index", "checkpoint is not a model", "exporter_main_v2.py"],
    ),
    "one file of a checkpoint": (
        lambda place: place.file("ckpt-0.data-00000-of-00001", b"x"),
        ["not a TensorFlow model that can be run"],
    ),
    "several graphs in a folder": (
        lambda place: (place.file("a.pb", b"x"), place.file("b.tflite", b"x"))[0].parent,
        ["a.pb, b.tflite", "Name the file"],
    ),
    "an empty file": (lambda place: place.file("model.pb", b""), ["empty", "Download or export"]),
    "a Git LFS pointer": (
        lambda place: place.file("model.pb", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n"),
        ["Git LFS pointer", "git lfs pull"],
    ),
    "an error page": (
        lambda place: place.file("model.pb", b"\n<!DOCTYPE html><html>"),
        ["HTML", "Download it again"],
    ),
    "noise": (
        lambda place: place.file("model.pb", bytes(range(256)) * 9),
        ["neither a SavedModel", "nor a GraphDef"],
    ),
    "truncated saved_model.pb": (
        lambda place: cut((folder := place.copy()) / "saved_model.pb", folder),
        ["neither a SavedModel", "nor a GraphDef", "cut short", "bytes"],
    ),
    "truncated frozen graph": (
        lambda place: place.file("frozen.pb", half(place.frozen)),
        ["neither a SavedModel", "nor a GraphDef", "export it again"],
    ),
    "SavedModel graph under another name": (
        lambda place: place.file("model.pb", (place.saved_model / "saved_model.pb").read_bytes()),
        ["under another name", "saved_model.pb"],
    ),
    "missing variables index": (
        lambda place: without(place.copy(), "variables/variables.index"),
        ["1 variables", "variables/variables.index is missing", "Copy the whole folder"],
    ),
    "missing variables shard": (
        lambda place: without(place.copy(), "variables/variables.data-00000-of-00001"),
        ["lacks variables.data-00000-of-00001", "Copy the whole folder"],
    ),
    "one of two variables shards": (
        lambda place: (
            ((folder := place.copy()) / "variables/variables.data-00000-of-00001")
            .rename(folder / "variables/variables.data-00000-of-00002")
            .parents[1]
        ),
        ["lacks variables.data-00001-of-00002"],
    ),
    "truncated variables": (
        lambda place: cut((folder := place.copy()) / "variables/variables.index", folder),
        ["TensorFlow cannot load this TF2 SavedModel", "export it again"],
    ),
    "SavedModel of a classifier": (
        lambda place: place.model(classifier),
        ["not a detection model", "input_tensor: uint8 [?,?,?,3]", "probabilities: float32 [?,3]"],
    ),
    "frozen classifier": (
        frozen_classifier,
        ["not a detection model", "detection_boxes", "input: float32 [?,224,224,3]"],
    ),
    "outputs are not all there": (
        lambda place: other_output(place, "num_detections"),
        ["not a detection model: num_detections missing", "detection_scores: float32 [?,4]"],
    ),
    "GraphDef with variables": (unfrozen, ["1 variables", "Freeze it"]),
    "SavedModel for conversion to TFLite": (
        lambda place: place.model(dummies),
        ["for conversion to TFLite", "output_0", ".tflite"],
    ),
    "TFLite named .pb": (
        lambda place: place.file("detect.pb", place.tflite.read_bytes()),
        ["contents are a TFLite model", "Rename it to detect.tflite"],
    ),
    "TFLite as saved_model.pb": (
        lambda place: place.file("saved_model.pb", place.tflite.read_bytes()).parent,
        ["contents are a TFLite model", "outside a SavedModel's folder"],
    ),
    "frozen graph named .tflite": (
        lambda place: place.file("detect.tflite", place.frozen.read_bytes()),
        ["not a TFLite model", "TFL3"],
    ),
    "Keras HDF5": (lambda place: place.file("model.h5", b"\x89HDF\r\n\x1a\n"), ["Keras HDF5", "SavedModel"]),
    "Keras archive": (
        lambda place: place.file("model.keras", b"PK\x03\x04"),
        ["Keras or zip archive", "SavedModel"],
    ),
    "text graph": (lambda place: place.file("graph.pbtxt", b"node {}"), ["text file", "binary .pb"]),
    "ONNX": (lambda place: place.file("yolo.onnx", b"\x08\x07"), ["not a TensorFlow model"]),
    "no serving_default, two detectors": (
        two_signatures,
        ["no serving_default", "'large', 'small'", "Export it again"],
    ),
    "not exported for serving": (other_tag, ["tagged 'serve'", "train"]),
    "channels first": (
        lambda place: place.model(channels_first, shape=(None, 3, None, None)),
        ["uint8 [?,3,?,?]", "channels-first", "channels last"],
    ),
    "floats of unknown range": (
        lambda place: place.model(tiny_models.detections, dtype=tf.float32, key="images"),
        ["float32 [?,?,?,3]", "range of pixels", "uint8"],
    ),
    "strings that nothing decodes": (
        lambda place: place.model(
            lambda strings: tiny_models.detections(
                tf.cast(tf.strings.length(strings), tf.float32)[:, None, None, None]
            ),
            dtype=tf.string,
            shape=(None,),
        ),
        ["nothing in its graph decodes images"],
    ),
    "boxes without a batch": (
        lambda place: place.model(without_batch),
        ["detection_boxes is float32 [4,4]", "[batch,rows,4]"],
    ),
    "writes a file": (lambda place: place.model(writing_file), ["WriteFile in function", "--trust_model"]),
    "reads a file three calls down": (
        lambda place: place.model(reading_file_deep_inside),
        ["ReadFile in function", "--trust_model"],
    ),
    "calls Python": (lambda place: place.model(calling_python), ["EagerPyFunc in function", "--trust_model"]),
    "uses the saver's op itself": (
        lambda place: place.model(saving_in_its_signature),
        ["SaveV2 in function", "--trust_model"],
    ),
    "an op of its own library": (custom_op, ["MyFancyNms in the graph", "--trust_model"]),
    "fails on every frame": (
        lambda place: place.model(failing),
        ["loads but cannot detect", "frames must be tiny", "320x240"],
    ),
    "truncated TFLite": (
        lambda place: place.file("detect.tflite", half(place.tflite)),
        ["broken or cut TFLite", "convert it again"],
    ),
    "TFLite of a classifier": (
        lambda place: lite(place, classifier),
        ["not a detection model", "images: uint8 [1,24,32,3]", "float32 [1,3]"],
    ),
    "TFLite whose outputs look alike": (
        lambda place: lite(place, untellable),
        ["neither names nor values tell", "TFLite_Detection_PostProcess"],
    ),
    "TFLite of doubles": (
        lambda place: lite(place, tiny_models.detections, dtype=tf.int32),
        ["int32 [1,24,32,3]", "uint8, int8 or float32"],
    ),
}

# These can only be found out by loading, or by running a frame of the program's own.
FOUND_BY_RUNNING = {"fails on every frame"}


@pytest.fixture
def place(tmp_path: Path, saved_model: Path, frozen: Path, tflite: Path) -> Workplace:
    return Workplace(tmp_path, saved_model, frozen, tflite)


@pytest.mark.parametrize("name", REFUSED)
def test_refused_before_the_first_frame(name: str, place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    make, words = REFUSED[name]
    path = make(place)
    if name not in FOUND_BY_RUNNING:
        monkeypatch.setattr(Detector, "detect", lambda *_: pytest.fail("a frame was run"))
    with pytest.raises(ModelRefused) as refusal:
        load_detector(path)
    text = str(refusal.value)
    assert str(place.folder) in text
    for word in words:
        assert word in text
    assert "\n" not in text
    assert len(text) < 1200
    assert re.search(r"[.!]$", text), "ends a sentence"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4", 12)


@pytest.mark.parametrize("name", REFUSED)
def test_the_command_says_so_in_one_sentence(
    name: str, place: Workplace, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "found"
    model = REFUSED[name][0](place)
    code = detect_video.main([f"--videos={clip}", f"--model={model}", f"--output={output}"])
    told = [line for line in capsys.readouterr().err.splitlines() if not line.startswith(("probing", "WARNING"))]
    assert code == 1
    assert len(told) == 1
    assert told[0].startswith("boxmill detect: Model ")
    assert not list(output.rglob("*.parquet"))
    assert not (output / "manifest.json").exists()


def test_the_sound_models_are_not_refused(place: Workplace) -> None:
    for path in (place.copy(), place.frozen, place.tflite):
        assert len(load_detector(path).detect(tiny_models.frames(1))[0]) == 2


def test_refused_model_has_run_nothing_and_a_trusted_one_may(tmp_path: Path) -> None:
    target = tmp_path / "written"

    def write(images: Any) -> dict[str, Any]:
        with tf.control_dependencies([tf.io.write_file(str(target), "by the model")]):
            return tiny_models.detections(images)

    model = tiny_models.write_saved_model(tmp_path / "model", write)
    with pytest.raises(ModelRefused, match="WriteFile"):
        load_detector(model)
    assert not target.exists()
    assert len(load_detector(model, trust_model=True).detect(tiny_models.frames(2))) == 2
    assert target.read_text() == "by the model"


def test_trust_does_not_make_a_missing_op_loadable(place: Workplace) -> None:
    with pytest.raises(ModelRefused, match=r"TensorFlow cannot load this TF1 frozen graph.*MyFancyNms"):
        load_detector(custom_op(place), trust_model=True)
