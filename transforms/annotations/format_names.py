"""The names of the annotation formats, known before anything is imported. A new one is a module and a line here."""

from __future__ import annotations

MODULES = {
    "bdd100k": "bdd100k",
    "coco": "coco",
    "createml": "createml",
    "crowdhuman": "crowdhuman",
    "csv": "csv_boxes",
    "cvat": "cvat",
    "datumaro": "datumaro",
    "dota": "dota",
    "imagefolder": "imagefolder",
    "kitti": "kitti",
    "label_studio": "label_studio",
    "labelbox": "labelbox",
    "labelme": "labelme",
    "mot": "mot",
    "open_images": "open_images",
    "sagemaker": "sagemaker",
    "supervisely": "supervisely",
    "tfrecord": "tfrecord",
    "vertex_ai": "vertex_ai",
    "via": "via",
    "via_csv": "via_csv",
    "visdrone": "visdrone",
    "voc": "voc",
    "vott": "vott",
    "wider_face": "wider_face",
    "yolo": "yolo",
}
"""For each format, as ``--format`` takes it, its module in this folder."""
