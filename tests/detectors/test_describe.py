from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import tensorflow as tf

from tests.detectors import tiny_models
from transforms.detectors.describe import describe
from transforms.detectors.inspection import inspect_model
from transforms.detectors.label_maps import LabelMap
from transforms.detectors.loading import labels_of
from transforms.detectors.model_info import PixelEncoding


def test_a_saved_model(shapes: Path) -> None:
    info = inspect_model(shapes)
    text = describe(replace(info, path="model"), replace(labels_of(info), source="label_map.pbtxt"))
    assert text.splitlines() == [
        "Model        model",
        f"Kind         TF2 SavedModel, made with TensorFlow {tf.__version__}, signature serving_default",
        f"Size         {info.size_bytes:,} bytes",
        f"Fingerprint  {info.fingerprint}",
        "Input        input_tensor: uint8 [?,?,?,3], fed RGB pixels, 0 to 255",
        "Batch        any number of frames a run",
        "Outputs      detection_boxes: float32 [?,3,4]",
        "             detection_scores: float32 [?,3]",
        "             detection_classes: float32 [?,3]",
        "             num_detections: float32 [?]",
        "Not used     none",
        "Classes      ids from 1 in the model; 3 names for ids 1 to 3 from label_map.pbtxt: 1 red, 2 green, 3",
        "             blue",
        f"Ops          {sum(info.ops.values())} nodes of {len(info.ops)} kinds; all of them only compute",
    ]


def test_a_tflite_model(tflite: Path) -> None:
    info = replace(inspect_model(tflite), pixels=PixelEncoding((127.5,), (127.5,), 0.0, 0, "a guess"))
    lines = describe(info).splitlines()
    assert "Batch        1 frame a run, fixed in the graph" in lines
    assert "Kind         TFLite model, made with MLIR Converted" in lines
    text = " ".join(" ".join(lines).split())
    assert "fed (RGB pixels - 127.5) / 127.5 (a guess), resized to 32x24" in text
    assert "ids from 0 in the model, reported from 1; no label map found" in text


def test_strings_warnings_and_distrusted_ops(tmp_path: Path) -> None:
    info = inspect_model(tiny_models.write_frozen(tmp_path / "model.pb", "tf_example"))
    distrusted = tuple(f"Op{number} in the graph" for number in range(9))
    text = describe(replace(info, distrusted_ops=distrusted, warnings=("First.", "Second.")))
    assert "fed tf.train.Examples that hold frames as PNG" in text
    assert "refused without --trust_model for these:\n             Op0 in the graph\n" in text
    assert "             Op5 in the graph\n             and 3 more\n" in text
    assert text.endswith("Warnings     First.\n             Second.")


def test_fits_a_screen(shapes: Path) -> None:
    info = inspect_model(shapes)
    info = replace(
        info,
        path="model",
        distrusted_ops=tuple(f"Op{number} in function f" for number in range(99)),
        other_outputs=tuple(f"raw_detection_output_{number}" for number in range(12)),
        warnings=("A warning of some length that says what its user should know about the model. " * 2,),
    )
    labels = LabelMap({number: f"class with a long name {number}" for number in range(1, 999)}, "labels.csv")
    lines = describe(info, labels).splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 100
