"""Tiny detection models of every generation, made in code.

All of them compute the same: from each frame's mean brightness m (0..1), two detections and two padding rows.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

CORE = ("detection_boxes", "detection_scores", "detection_classes", "num_detections")


def expected(frame: np.ndarray, *, first_class: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes [2,4], scores [2] and 1-based classes [2] that every tiny model finds in a frame."""
    mean = frame.mean() / 255
    boxes = np.array([[0.1, 0.2, 0.3 + 0.5 * mean, 0.9], [0.0, 0.0, mean, 1.0]], np.float32)
    return boxes, np.array([0.5 + 0.4 * mean, 0.3], np.float32), np.array([3, 17]) + 1 - first_class


def frames(count: int, size: tuple[int, int] = (24, 32)) -> np.ndarray:
    """Frames of noise, each brighter than the one before."""
    noise = np.random.default_rng(7).integers(0, 40, (count, *size, 3))
    return (noise + np.linspace(0, 200, count)[:, None, None, None]).astype(np.uint8)


def detections(images: Any, *, first_class: int = 1) -> dict[str, Any]:
    """The outputs for images [batch,height,width,3] of 0..255."""
    mean = tf.reduce_mean(tf.cast(images, tf.float32), axis=[1, 2, 3]) / 255.0
    zero = tf.zeros_like(mean)
    one = zero + 1.0
    rows = [
        [zero + 0.1, zero + 0.2, 0.3 + 0.5 * mean, zero + 0.9],
        [zero, zero, mean, one],
        [zero] * 4,
        [zero] * 4,
    ]
    boxes = tf.stack([tf.stack(row, axis=-1) for row in rows], axis=1)
    scores = tf.stack([0.5 + 0.4 * mean, zero + 0.3, zero, zero], axis=1)
    # As real exports do, padding rows say class 1.
    classes = tf.stack([zero + 3.0, zero + 17.0, one, one], axis=1) - (1.0 - first_class)
    return dict(zip(CORE, (boxes, scores, classes, zero + 2.0), strict=True))


def decode_images(strings: Any) -> Any:
    def decode(string: Any) -> Any:
        image = tf.io.decode_image(string, channels=3, expand_animations=False)
        image.set_shape([None, None, 3])
        return image

    return tf.map_fn(decode, strings, fn_output_signature=tf.uint8)


def decode_examples(strings: Any) -> Any:
    features = {"image/encoded": tf.io.FixedLenFeature([], tf.string)}
    return decode_images(tf.io.parse_example(strings, features)["image/encoded"])


INPUTS: dict[str, tuple[str, Any, list[int | None], Callable[[Any], Any]]] = {
    "image": ("image_tensor", tf.uint8, [None, None, None, 3], lambda images: images),
    "encoded_image": ("encoded_image_string_tensor", tf.string, [None], decode_images),
    "tf_example": ("tf_example", tf.string, [None], decode_examples),
}


def graph_v1(feed: str = "image", *, batch: int | None = None, variables: bool = False) -> tuple[tf.Graph, Any, dict]:
    """A TF1 graph with the Object Detection API's tensor names, its input and its outputs."""
    name, dtype, shape, to_images = INPUTS[feed]
    with tf.Graph().as_default() as graph:
        placeholder = tf.compat.v1.placeholder(dtype, [batch, *shape[1:]], name=name)
        found = detections(to_images(placeholder))
        if variables:
            scale = tf.compat.v1.get_variable("scale", initializer=1.0, use_resource=False)
            found["detection_scores"] *= scale
        outputs = {key: tf.identity(tensor, name=key) for key, tensor in found.items()}
    return graph, placeholder, outputs


def write_frozen(path: Path, feed: str = "image", *, batch: int | None = None) -> Path:
    graph, _, _ = graph_v1(feed, batch=batch)
    graph_def = graph.as_graph_def()
    # Real ones remember the machine that trained them.
    graph_def.node[-1].device = "/job:trainer/replica:0/task:0/device:GPU:0"
    path.write_bytes(graph_def.SerializeToString())
    return path


def write_saved_model_v1(folder: Path, feed: str = "image", *, variables: bool = False) -> Path:
    graph, placeholder, outputs = graph_v1(feed, variables=variables)
    with tf.compat.v1.Session(graph=graph) as session:
        session.run([node for node in graph.get_operations() if node.name == "scale/Assign"])
        builder = tf.compat.v1.saved_model.Builder(str(folder))
        signature = tf.compat.v1.saved_model.predict_signature_def({"inputs": placeholder}, outputs)
        builder.add_meta_graph_and_variables(session, ["serve"], {"serving_default": signature})
        builder.save()
    return folder


def write_saved_model(
    folder: Path,
    function: Callable[[Any], dict[str, Any]] = detections,
    *,
    shape: tuple[int | None, ...] = (None, None, None, 3),
    dtype: Any = tf.uint8,
    key: str = "input_tensor",
    signature: str = "serving_default",
) -> Path:
    """A TF2 SavedModel of a function from one tensor to outputs, with a variable."""
    module = tf.Module()
    module.weight = tf.Variable(0.0)

    def call(**inputs: Any) -> dict[str, Any]:
        zero = module.weight * 0.0
        outputs = function(inputs[key])
        return {name: value + zero if value.dtype == tf.float32 else value for name, value in outputs.items()}

    concrete = tf.function(call).get_concrete_function(**{key: tf.TensorSpec(shape, dtype, name=key)})
    module.call = concrete
    tf.saved_model.save(module, str(folder), signatures={signature: concrete})
    return folder


def write_tflite(
    path: Path,
    function: Callable[[Any], dict[str, Any]],
    *,
    dtype: Any = tf.uint8,
    names: dict[str, str] | None = None,
    size: tuple[int, int] = (24, 32),
) -> Path:
    """A TFLite model of a function; ``names`` renames its outputs, which are given in the order of their"
    " names."""

    def call(images: Any) -> dict[str, Any]:
        outputs = function(images)
        return {(names or {}).get(name, name): value for name, value in outputs.items()}

    concrete = tf.function(call).get_concrete_function(tf.TensorSpec([1, *size, 3], dtype, name="images"))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
    path.write_bytes(converter.convert())
    return path
