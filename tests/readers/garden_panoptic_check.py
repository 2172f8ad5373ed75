"""Decodes a dataset with Model Garden's decoder for Panoptic Mask R-CNN and prints what it saw, as JSON.

The package on PyPI lacks that decoder's module, so its decoding is done here by the same TensorFlow calls
(official/projects/panoptic/dataloaders/panoptic_maskrcnn_input.py) beside the package's own ``TfExampleDecoder``.
Run by an interpreter that has ``tf-models-official``: ``python garden_panoptic_check.py FOLDER``.
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

MAPS = {
    "segmentation_mask": "image/segmentation/class/encoded",
    "category_mask": "image/panoptic/category_mask",
    "instance_mask": "image/panoptic/instance_mask",
}


def main(folder: str) -> None:
    decoder = TfExampleDecoder(include_mask=True)
    spec = {key: tf.io.FixedLenFeature((), tf.string, default_value="") for key in MAPS.values()}
    images = []
    for path in sorted(glob.glob(os.path.join(folder, "*.tfrecord-*"))):
        for record in tf.data.TFRecordDataset(path):
            decoded = decoder.decode(record)
            parsed = tf.io.parse_single_example(record, spec)
            maps = {name: tf.io.decode_image(parsed[key], channels=1) for name, key in MAPS.items()}
            images.append(
                {
                    "masks": decoded["groundtruth_instance_masks"].numpy().tolist(),
                    "classes": decoded["groundtruth_classes"].numpy().tolist(),
                    "crowds": decoded["groundtruth_is_crowd"].numpy().tolist(),
                    **{name: pixels.numpy()[:, :, 0].tolist() for name, pixels in maps.items()},
                }
            )
    json.dump(images, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
