from __future__ import annotations

import hashlib
import random
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from tests.detectors import tiny_models
from transforms.detectors.inspection import inspect_model, refuse_distrusted
from transforms.detectors.model_info import ModelInfo, TensorInfo
from transforms.detectors.refusal import ModelRefused


def test_saved_model(saved_model: Path) -> None:
    info = inspect_model(saved_model)
    assert (info.kind, info.signature, info.feed) == ("tf2_saved_model", "serving_default", "image")
    assert (info.input_key, info.input.dtype, info.input.shape) == (
        "input_tensor",
        "uint8",
        (None, None, None, 3),
    )
    assert (info.static_batch, info.input_size, info.first_class) == (None, None, 1)
    assert {name: str(tensor) for name, tensor in info.outputs.items()} == {
        "detection_boxes": "float32 [?,4,4]",
        "detection_scores": "float32 [?,4]",
        "detection_classes": "float32 [?,4]",
        "num_detections": "float32 [?]",
    }
    assert info.made_with == f"TensorFlow {tf.__version__}"
    assert info.ops["VarHandleOp"] == 1
    assert (info.distrusted_ops, info.warnings) == ((), ())
    assert info.size_bytes == sum(
        file.stat().st_size for file in saved_model.rglob("*") if file.is_file() and file.name != "fingerprint.pb"
    )


def test_frozen_graph(frozen: Path) -> None:
    info = inspect_model(frozen)
    assert (info.kind, info.signature, info.input_key) == ("tf1_frozen_graph", "", "image_tensor")
    assert info.input == TensorInfo("image_tensor:0", "uint8", (None, None, None, 3))
    assert info.outputs["detection_boxes"].name == "detection_boxes:0"
    assert info.size_bytes == frozen.stat().st_size


def test_tf1_inputs_all_called_inputs_are_told_apart(tmp_path: Path) -> None:
    feeds = {}
    for feed in tiny_models.INPUTS:
        info = inspect_model(tiny_models.write_saved_model_v1(tmp_path / feed, feed))
        assert info.input_key == "inputs"
        feeds[info.feed] = info.input.name
    assert feeds == {
        "image": "image_tensor:0",
        "encoded_image": "encoded_image_string_tensor:0",
        "tf_example": "tf_example:0",
    }


def test_another_signature_is_taken_with_a_warning(tmp_path: Path) -> None:
    info = inspect_model(tiny_models.write_saved_model(tmp_path / "model", signature="detect"))
    assert info.signature == "detect"
    assert info.warnings == ("Signature 'detect' is used: serving_default gives no detection_boxes.",)


def test_float_images_are_taken_with_a_warning(tmp_path: Path) -> None:
    info = inspect_model(tiny_models.write_saved_model(tmp_path / "model", dtype=tf.float32))
    [warning] = info.warnings
    assert "raw pixels, 0 to 255" in warning


def test_one_image_size(tmp_path: Path) -> None:
    info = inspect_model(tiny_models.write_saved_model(tmp_path / "model", shape=(2, 48, 64, 3)))
    assert (info.static_batch, info.input_size) == (2, (48, 64))


def test_distrusted_ops_are_described_and_refused_only_at_running(tmp_path: Path) -> None:
    def function(images: Any) -> dict[str, Any]:
        with tf.control_dependencies([tf.io.write_file("/nonexistent/x", "x")]):
            return tiny_models.detections(images)

    info = inspect_model(tiny_models.write_saved_model(tmp_path / "model", function))
    assert any(op.startswith("WriteFile in function ") for op in info.distrusted_ops)
    with pytest.raises(ModelRefused, match="WriteFile"):
        refuse_distrusted(info)
    refuse_distrusted(info, trust_model=True)


def test_long_lists_of_ops_are_cut(frozen: Path) -> None:
    graph_def = tf.compat.v1.GraphDef.FromString(frozen.read_bytes())
    for number in range(9):
        graph_def.node.add(name=f"n{number}", op=f"Odd{number}")
    path = frozen.with_name("odd.pb")
    path.write_bytes(graph_def.SerializeToString())
    with pytest.raises(ModelRefused, match=r"Odd5 in the graph and 3 more\. "):
        refuse_distrusted(inspect_model(path))


def test_unreadable_files_are_refused(frozen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", deny)
    with pytest.raises(ModelRefused, match=r"cannot be read: Permission denied\. Check"):
        inspect_model(frozen)


@pytest.mark.parametrize("kind", ["saved_model", "frozen", "tflite"])
def test_damaged_files_are_inspected_or_refused_but_never_crash(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    path: Path = request.getfixturevalue(kind)
    source = path / "saved_model.pb" if path.is_dir() else path
    sound = source.read_bytes()
    draw = random.Random(5)
    refused = 0
    damaged = tmp_path / ("damaged.tflite" if kind == "tflite" else "damaged.pb")
    for attempt in range(200):
        content = bytearray(sound)
        if attempt % 2:
            del content[draw.randrange(1, len(content)) :]
        else:
            for _ in range(5):
                content[draw.randrange(len(content))] = draw.randrange(256)
        damaged.write_bytes(content)
        try:
            assert isinstance(inspect_model(damaged), ModelInfo)
        except ModelRefused:
            refused += 1
    assert refused >= 90


def test_fingerprint_of_a_single_file_is_plain_to_recompute(frozen: Path) -> None:
    content = frozen.read_bytes()
    assert inspect_model(frozen).fingerprint == hashlib.sha256(b"0::%d:" % len(content) + content).hexdigest()
