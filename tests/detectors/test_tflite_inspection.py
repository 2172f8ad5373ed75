from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.lite.python import schema_py_generated as schema

from tests.detectors import tiny_models
from transforms.detectors.detector import Detector
from transforms.detectors.inspection import inspect_model
from transforms.detectors.loading import load_detector
from transforms.detectors.model_info import BOXES, CLASSES, COUNT, SCORES
from transforms.detectors.refusal import ModelRefused
from transforms.detectors.tflite_models import tell_scores_from_classes


def zero_based(images: Any) -> dict[str, Any]:
    return tiny_models.detections(images, first_class=0)


def edited(source: Path, target: Path, edit: Callable[[Any], None]) -> Path:
    """A TFLite file with its tables changed."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(source.read_bytes(), 0))
    edit(model)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    target.write_bytes(builder.Output())
    return target


def metadata(mean: list[float], std: list[float], outputs: list[str]) -> bytes:
    """TFLite metadata that holds an input's normalisation and the outputs' names."""
    builder = flatbuffers.Builder(256)

    def floats(values: list[float]) -> int:
        builder.StartVector(4, len(values), 4)
        for value in reversed(values):
            builder.PrependFloat32(value)
        return builder.EndVector()

    def table(fields: dict[int, int], kinds: dict[int, int] | None = None) -> int:
        builder.StartObject(8)
        for slot, offset in fields.items():
            builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
        for slot, value in (kinds or {}).items():
            builder.PrependUint8Slot(slot, value, 0)
        return builder.EndObject()

    def tables(offsets: list[int]) -> int:
        builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            builder.PrependUOffsetTRelative(offset)
        return builder.EndVector()

    options = table({0: floats(mean), 1: floats(std)})
    unit = table({1: options}, {0: 1})
    images = table({4: tables([unit])})
    named = [table({0: builder.CreateString(name)}) for name in outputs]
    graph = table({2: tables([images]), 3: tables(named)})
    root = table({0: builder.CreateString("model"), 3: tables([graph])})
    builder.Finish(root)
    return bytes(builder.Output())


def with_metadata(content: bytes) -> Callable[[Any], None]:
    def edit(model: Any) -> None:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(content, np.uint8)
        model.buffers.append(buffer)
        entry = schema.MetadataT()
        entry.name, entry.buffer = b"TFLITE_METADATA", len(model.buffers) - 1
        model.metadata = [*(model.metadata or []), entry]

    return edit


def check(detector: Detector) -> None:
    """Its detections are those of all tiny models."""
    frames = tiny_models.frames(2)
    for frame, found in zip(frames, detector.detect(frames), strict=True):
        boxes, scores, classes = tiny_models.expected(frame)
        np.testing.assert_allclose(found.boxes, boxes, atol=2e-3)
        np.testing.assert_allclose(found.scores, scores, atol=2e-3)
        np.testing.assert_array_equal(found.classes, classes)


@pytest.fixture(scope="module")
def opaque(models: Path) -> Path:
    """A uint8 model whose outputs have names that say nothing."""
    names = dict(zip(tiny_models.CORE, "bdac", strict=True))
    return tiny_models.write_tflite(models / "opaque.tflite", zero_based, names=names)


def test_tables_read_as_the_interpreter_reads_them(tflite: Path) -> None:
    info = inspect_model(tflite)
    interpreter = tf.lite.Interpreter(str(tflite))
    [image] = interpreter.get_input_details()
    assert (info.input.name, info.input.dtype) == (image["name"], np.dtype(image["dtype"]).name)
    assert info.input.shape == tuple(image["shape"])
    outputs = {detail["name"]: tuple(detail["shape"]) for detail in interpreter.get_output_details()}
    found = {tensor.name: tensor.shape for tensor in info.outputs.values()}
    assert found.items() <= outputs.items()
    assert {*found, *info.other_outputs} == set(outputs)
    assert (info.static_batch, info.input_size, info.first_class) == (1, (24, 32), 0)


def test_outputs_are_bound_by_signature_name(saved_model: Path, tmp_path: Path) -> None:
    def named(images: Any) -> dict[str, Any]:
        return {
            # In the alphabet's order, not the usual one, and with nothing else to tell by.
            f"{letter}_{word}": zero_based(images)[name]
            for letter, word, name in zip(
                "dacb", ("location", "score", "category", "count"), tiny_models.CORE, strict=True
            )
        }

    folder = tiny_models.write_saved_model(tmp_path / "model", named, shape=(1, 24, 32, 3))
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder))
    path = tmp_path / "model.tflite"
    path.write_bytes(converter.convert())
    assert set(inspect_model(path).outputs) == {BOXES, SCORES, CLASSES, COUNT}
    check(load_detector(path))


def test_outputs_are_bound_by_metadata_name(opaque: Path, tmp_path: Path) -> None:
    # The interpreter's order of a, b, c, d: classes, boxes, count, scores.
    content = metadata([0.0], [1.0], ["category", "location", "number of detections", "score"])
    path = edited(opaque, tmp_path / "model.tflite", with_metadata(content))
    assert set(inspect_model(opaque).outputs) == {BOXES, COUNT}
    assert set(inspect_model(path).outputs) == {BOXES, SCORES, CLASSES, COUNT}
    check(load_detector(path))


def test_outputs_are_bound_by_the_post_processing_op(opaque: Path, tmp_path: Path) -> None:
    order: list[str] = []

    def append_op(model: Any) -> None:
        code = schema.OperatorCodeT()
        code.customCode, code.builtinCode, code.deprecatedBuiltinCode = (
            b"TFLite_Detection_PostProcess",
            32,
            32,
        )
        model.operatorCodes.append(code)
        graph = model.subgraphs[0]
        op = schema.OperatorT()
        op.opcodeIndex, op.inputs, op.outputs = len(model.operatorCodes) - 1, graph.inputs, graph.outputs
        graph.operators.append(op)
        order.extend(graph.tensors[index].name.decode() for index in graph.outputs)

    info = inspect_model(edited(opaque, tmp_path / "model.tflite", append_op))
    assert {name: tensor.name for name, tensor in info.outputs.items()} == dict(
        zip((BOXES, CLASSES, SCORES, COUNT), order, strict=True)
    )
    assert info.distrusted_ops == ()


def test_normalisation_comes_from_metadata(tmp_path: Path) -> None:
    plain = tiny_models.write_tflite(
        tmp_path / "plain.tflite", lambda images: zero_based(images * 50.0 + 100.0), dtype=tf.float32
    )
    path = edited(plain, tmp_path / "model.tflite", with_metadata(metadata([100.0], [50.0], [])))
    info = inspect_model(path)
    assert info.pixels is not None
    assert (info.pixels.mean, info.pixels.std, info.pixels.origin) == (
        (100.0,),
        (50.0,),
        "the file's metadata",
    )
    check(load_detector(path))


def _int8_input(model: Any) -> None:
    quantisation = schema.QuantizationParametersT()
    quantisation.scale, quantisation.zeroPoint = [1 / 127.5], [-1]
    tensor = model.subgraphs[0].tensors[model.subgraphs[0].inputs[0]]
    tensor.type, tensor.quantization = schema.TensorType.INT8, quantisation


def test_int8_input_without_metadata_is_shifted(opaque: Path, tmp_path: Path) -> None:
    info = inspect_model(edited(opaque, tmp_path / "model.tflite", _int8_input))
    assert info.pixels is not None
    assert (info.pixels.mean, info.pixels.scale, info.pixels.zero_point) == ((0.0,), 1.0, -128)


def test_int8_input_with_metadata_is_quantised(opaque: Path, tmp_path: Path) -> None:
    def edit(model: Any) -> None:
        _int8_input(model)
        with_metadata(metadata([127.5], [127.5], []))(model)

    info = inspect_model(edited(opaque, tmp_path / "model.tflite", edit))
    assert info.pixels is not None
    assert info.pixels.mean == (127.5,)
    assert info.pixels.scale == pytest.approx(1 / 127.5)
    assert info.pixels.zero_point == -1


def test_labels_inside_the_file_are_found(tflite: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(tflite.read_bytes())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("labelmap.txt", "???\nperson\nbicycle\ncar\n")
    detector = load_detector(path)
    assert detector.labels.names == {1: "person", 2: "bicycle", 3: "car"}
    assert detector.labels.source == f"inside {path}"
    assert [found.unknown_classes for found in detector.detect(tiny_models.frames(1))] == [1]


@pytest.mark.parametrize("name", [b"MyOp", b"FlexWriteFile", b"FlexPyFunc"])
def test_custom_ops_are_distrusted(name: bytes, opaque: Path, tmp_path: Path) -> None:
    def append_op(model: Any) -> None:
        code = schema.OperatorCodeT()
        code.customCode, code.builtinCode, code.deprecatedBuiltinCode = name, 32, 32
        model.operatorCodes.append(code)
        op = schema.OperatorT()
        op.opcodeIndex, op.inputs, op.outputs = len(model.operatorCodes) - 1, [0], []
        model.subgraphs[0].operators.append(op)

    path = edited(opaque, tmp_path / "model.tflite", append_op)
    assert inspect_model(path).distrusted_ops == (f"{name.decode()} in the graph",)
    with pytest.raises(ModelRefused, match=name.decode()):
        load_detector(path)


VALUES: dict[str, tuple[Any, Any, tuple[bool, bool]]] = {
    "scores first": ([[0.5, 0.25]], [[3.0, 1.0]], (False, True)),
    "classes first": ([[3.0, 1.0]], [[0.5, 0.25]], (True, False)),
    "whole scores": ([[1.0, 0.0]], [[3.0, 1.0]], (False, True)),
    "in another run": ([[0.0], [0.5]], [[0.0], [1.0]], (False, True)),
    "neither tells": ([[1.0, 0.0]], [[0.0, 0.0]], (False, False)),
    "neither is whole": ([[0.1]], [[0.2]], (False, False)),
}


@pytest.mark.parametrize(("first", "second", "answer"), VALUES.values(), ids=VALUES)
def test_scores_are_told_from_classes_by_values(first: Any, second: Any, answer: tuple[bool, bool]) -> None:
    assert tell_scores_from_classes(first, second) == answer
