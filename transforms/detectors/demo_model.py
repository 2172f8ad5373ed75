"""A tiny detector made in code: it finds solid red, green and blue shapes on a grey or light background.

A real TF2 SavedModel with the signature of the TensorFlow Object Detection API, so that a demonstration or a
test needs no download.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

SHAPE_CLASSES = {1: "red", 2: "green", 3: "blue"}

# How far a shape's channel is above both others, of 255. Video coding changes solid colours by far less.
_MARGIN = 60.0


def write_shapes_detector(folder: str | os.PathLike[str], *, static_batch: int | None = None) -> Path:
    """Writes ``folder``/saved_model and ``folder``/label_map.pbtxt, and returns ``folder``.

    The model gives at most one box for each colour: around all pixels of that colour which have their eight
    neighbours of it too. The score is the share of the box that has the colour: 1 for an upright rectangle,
    about 0.785 for a disc, 0.5 for a triangle. Takes uint8 RGB frames of any size, ``static_batch`` at a
    time or, if that is None, any number.
    """
    import tensorflow as tf

    class ShapesDetector(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.margin = tf.Variable(_MARGIN, trainable=False, name="margin")

        @tf.function(input_signature=[tf.TensorSpec([static_batch, None, None, 3], tf.uint8, name="input_tensor")])
        def __call__(self, input_tensor: Any) -> dict[str, Any]:
            return _find_shapes(input_tensor, self.margin)

    target = Path(folder)
    detector = ShapesDetector()
    tf.saved_model.save(detector, str(target / "saved_model"), signatures={"serving_default": detector.__call__})
    items = (f'item {{\n  id: {class_id}\n  name: "{name}"\n}}\n' for class_id, name in SHAPE_CLASSES.items())
    (target / "label_map.pbtxt").write_text("".join(items), encoding="utf-8")
    return target


def _find_shapes(images: Any, margin: Any) -> dict[str, Any]:
    """Detections [batch,3,…] of uint8 images [batch,height,width,3], best first, padding rows last."""
    import tensorflow as tf

    pixels = tf.cast(images, tf.float32)
    red, green, blue = tf.unstack(pixels, axis=-1)
    above_others = [
        red - tf.maximum(green, blue),
        green - tf.maximum(red, blue),
        blue - tf.maximum(red, green),
    ]
    coloured = tf.cast(tf.stack(above_others, axis=-1) >= margin, tf.float32)
    # Erosion: coding leaves coloured fringes and specks, which would move the edges of the box.
    inner = -tf.nn.max_pool2d(-coloured, 3, 1, "SAME") > 0.5
    top, bottom, height = _extent(tf.reduce_any(inner, axis=2))
    left, right, width = _extent(tf.reduce_any(inner, axis=1))
    found = tf.reduce_any(inner, axis=[1, 2])
    area = tf.maximum((bottom - top) * (right - left), 1.0)
    scores = tf.where(found, tf.minimum(tf.reduce_sum(coloured, axis=[1, 2]) / area, 1.0), 0.0)
    boxes = tf.stack([top / height, left / width, bottom / height, right / width], axis=-1)
    order = tf.argsort(scores, axis=1, direction="DESCENDING", stable=True)
    classes = tf.ones_like(scores) * tf.constant(list(SHAPE_CLASSES), tf.float32)
    boxes, classes, found = (tf.gather(rows, order, batch_dims=1) for rows in (boxes, classes, found))
    return {
        "detection_boxes": tf.where(found[..., tf.newaxis], boxes, 0.0),
        "detection_scores": tf.gather(scores, order, batch_dims=1),
        # As real exports do, padding rows say class 1.
        "detection_classes": tf.where(found, classes, 1.0),
        "num_detections": tf.reduce_sum(tf.cast(found, tf.float32), axis=1),
    }


def _extent(occupied: Any) -> tuple[Any, Any, Any]:
    """First and last edge, in pixels, of the True part of [batch,size,3], grown by erosion's pixel; and"
    " the size."""
    import tensorflow as tf

    size = tf.cast(tf.shape(occupied)[1], tf.float32)
    marks = tf.cast(occupied, tf.int32)
    first = tf.cast(tf.argmax(marks, axis=1), tf.float32)
    last = size - tf.cast(tf.argmax(tf.reverse(marks, [1]), axis=1), tf.float32)
    return tf.maximum(first - 1.0, 0.0), tf.minimum(last + 1.0, size), size
