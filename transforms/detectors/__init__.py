"""Infer: every generation of detection model behind one Detector. Nothing here knows of Beam."""

from transforms.detectors.describe import describe
from transforms.detectors.detector import BatchTooLarge, Detector
from transforms.detectors.frame_detections import FrameDetections
from transforms.detectors.inspection import inspect_model
from transforms.detectors.label_maps import LabelMap, LabelMapRefused, find_label_map, read_label_map
from transforms.detectors.loading import labels_of, load_detector
from transforms.detectors.model_info import ModelInfo
from transforms.detectors.refusal import ModelRefused

__all__ = [
    "BatchTooLarge",
    "Detector",
    "FrameDetections",
    "LabelMap",
    "LabelMapRefused",
    "ModelInfo",
    "ModelRefused",
    "describe",
    "find_label_map",
    "inspect_model",
    "labels_of",
    "load_detector",
    "read_label_map",
]
