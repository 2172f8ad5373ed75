"""Reads this dataset with tf.data; TensorFlow is all it needs. Copy from it, or run it: python read_dataset.py [SPLIT]

A batch is what Keras takes: pictures, and boxes with their classes, padded to the batch's largest number of boxes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def read_split(folder: Path, split: str, batch_size: int = 8, side: int = 640) -> Any:
    """The batches of a split, as a tf.data.Dataset.

    Args:
      folder: of the dataset, where manifest.json is.
      split: "train", for instance.
      batch_size: images a batch.
      side: pictures are scaled to fit into so many pixels, and padded at the right and at the bottom.

    Returns:
      Batches ``(pictures, targets)``: pictures float32 [batch, side, side, 3], 0..255. Targets: ``boxes`` float32
      [batch, n, 4], ymin, xmin, ymax, xmax in pixels of the scaled picture; ``classes`` int64 [batch, n], ids of
      label_map.pbtxt. What is beyond an image's own boxes is -1.
    """
    import tensorflow as tf

    manifest = json.loads((folder / "manifest.json").read_bytes())
    files = [str(folder / shard["file"]) for shard in manifest["splits"][split]["shards"]]
    edges = [f"image/object/bbox/{edge}" for edge in ("ymin", "xmin", "ymax", "xmax")]
    features = {
        "image/encoded": tf.io.FixedLenFeature([], tf.string),
        "image/object/class/label": tf.io.VarLenFeature(tf.int64),
        **{edge: tf.io.VarLenFeature(tf.float32) for edge in edges},
    }

    def parse(record: Any) -> Any:
        values = tf.io.parse_single_example(record, features)
        picture = tf.io.decode_image(values["image/encoded"], channels=3, expand_animations=False)
        size = tf.cast(tf.shape(picture)[:2], tf.float32)
        scaled = tf.cast(tf.round(size * side / tf.reduce_max(size)), tf.int32)
        picture = tf.image.resize(picture, tf.maximum(scaled, 1))
        picture = tf.image.pad_to_bounding_box(picture, 0, 0, side, side)
        boxes = tf.stack([tf.sparse.to_dense(values[edge]) for edge in edges], axis=-1)
        boxes *= tf.cast(tf.tile(scaled, [2]), tf.float32)
        return picture, {"boxes": boxes, "classes": tf.sparse.to_dense(values["image/object/class/label"])}

    dataset = tf.data.Dataset.from_tensor_slices(tf.constant(files, tf.string))
    if split == "train":
        dataset = dataset.shuffle(max(len(files), 1))
    dataset = dataset.interleave(tf.data.TFRecordDataset, cycle_length=4, num_parallel_calls=tf.data.AUTOTUNE)
    if split == "train":
        dataset = dataset.shuffle(1000)
    shapes = ([side, side, 3], {"boxes": [None, 4], "classes": [None]})
    padding = (0.0, {"boxes": -1.0, "classes": tf.constant(-1, tf.int64)})
    dataset = dataset.map(parse, num_parallel_calls=tf.data.AUTOTUNE)
    return dataset.padded_batch(batch_size, shapes, padding).prefetch(tf.data.AUTOTUNE)


def main() -> None:
    """Reads a split to its end and says what was in it."""
    folder = Path(__file__).resolve().parent.parent
    split = sys.argv[1] if len(sys.argv) > 1 else "train"
    pictures = boxes = 0
    for images, targets in read_split(folder, split, side=128):
        pictures += int(images.shape[0])
        boxes += int((targets["classes"].numpy() > 0).sum())
    print(f"{split}: {pictures} images, {boxes} boxes")


if __name__ == "__main__":
    main()
