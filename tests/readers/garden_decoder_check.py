"""Decodes a dataset with Model Garden's TfExampleDecoder and prints what it saw, as JSON.

Run by an interpreter that has ``tf-models-official``: ``python garden_decoder_check.py FOLDER [masks]``.
"""

from __future__ import annotations

import glob
import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import tensorflow as tf
from official.vision.dataloaders.tf_example_decoder import TfExampleDecoder


def main(folder: str, include_mask: bool) -> None:
    decoder = TfExampleDecoder(include_mask=include_mask)
    images = {}
    for path in sorted(glob.glob(os.path.join(folder, "*.tfrecord-*"))):
        for record in tf.data.TFRecordDataset(path):
            decoded = decoder.decode(record)
            images[decoded["source_id"].numpy().decode()] = {
                "shape": decoded["image"].shape.as_list(),
                "size": [int(decoded["height"]), int(decoded["width"])],
                "boxes": decoded["groundtruth_boxes"].numpy().tolist(),
                "classes": decoded["groundtruth_classes"].numpy().tolist(),
                "areas": decoded["groundtruth_area"].numpy().tolist(),
                "crowds": decoded["groundtruth_is_crowd"].numpy().tolist(),
                "masks": decoded["groundtruth_instance_masks"].numpy().tolist() if include_mask else [],
            }
    json.dump(images, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], "masks" in sys.argv[2:])
