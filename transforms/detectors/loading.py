"""Load a model of any kind as a Detector, or refuse it before the first frame."""

from __future__ import annotations

import os

from transforms.detectors.batch_probe import difference, probe_frames
from transforms.detectors.detector import Call, Detector
from transforms.detectors.frame_detections import FrameDetections
from transforms.detectors.frame_inputs import Frames
from transforms.detectors.inspection import inspect_model, refuse_distrusted
from transforms.detectors.label_maps import LabelMap, find_label_map, parse_label_map, read_label_map
from transforms.detectors.model_info import KIND_NAMES, ModelInfo
from transforms.detectors.refusal import ModelRefused
from transforms.detectors.tensorflow_models import load_graph, prepare_devices
from transforms.detectors.tflite_models import load_tflite

_ERROR_LENGTH = 300


def load_detector(
    model: str | os.PathLike[str],
    *,
    label_map: str | os.PathLike[str] | None = None,
    batch_size: int = 8,
    floor: float = 0.0,
    trust_model: bool = False,
) -> Detector:
    """Inspects, loads and probes a model. Takes seconds: do it once for each process.

    Args:
      model: a SavedModel's folder or the parent of one, a frozen graph, or a .tflite file; local.
      label_map: a label file; otherwise the one inside, beside or above the model, if there is one.
      batch_size: frames for one run of the model, at most; less if its graph, the probe or memory says so.
      floor: detections of a lower score need not be given; some models then take less time.
      trust_model: run it even if it holds ops that can do more than compute.

    Raises:
      ModelRefused: it cannot, or must not, be run.
      LabelMapRefused: the label file cannot be read.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}; it must be 1 or more.")
    info = inspect_model(model)
    refuse_distrusted(info, trust_model=trust_model)
    labels = labels_of(info, label_map)
    warnings = info.warnings + prepare_devices()
    detector = Detector(info, _load(info, floor), batch_size=batch_size, labels=labels, warnings=warnings)
    if not prove_batches(detector) and floor and info.kind == "tf1_frozen_graph":
        # All that it sees in the test frames is below the floor: without one there is something to compare.
        whole = Detector(info, _load(info, 0.0), batch_size=batch_size)
        prove_batches(whole)
        if whole.batch_size < detector.batch_size:
            detector.lower_batch_size(whole.batch_size, whole.warnings[-1])
    return detector


def labels_of(info: ModelInfo, label_map: str | os.PathLike[str] | None = None) -> LabelMap:
    """The label map that is given, or inside, beside or above the model; an empty one if there is none.

    Raises:
      LabelMapRefused: it cannot be read, or several lie beside the model.
    """
    if label_map is not None:
        return read_label_map(label_map)
    if info.embedded_labels:
        return parse_label_map(info.embedded_labels, ".txt", source=f"inside {info.path}")
    found = find_label_map(info.path)
    return read_label_map(found) if found else LabelMap()


def prove_batches(detector: Detector) -> bool:
    """Runs two frames one by one, then together; lowers the batch size to 1, with a warning, if that differs.

    Returns:
      Whether there was anything to compare.

    Raises:
      ModelRefused: not even one frame can be run.
    """
    frames = probe_frames()
    alone = [_detect_alone(detector, frame[None]) for frame in frames]
    if detector.batch_size == 1:
        return True
    try:
        together = detector.detect(frames)
        differences = [text for pair in zip(alone, together, strict=True) if (text := difference(*pair))]
        problem = differences[0] if differences else ""
    except Exception as error:  # Whatever a foreign graph raises for two frames, it takes one.
        problem = _first_line(error)
    if problem:
        detector.lower_batch_size(
            1, f"Frames are run one by one: two at once do not give what each gives alone ({problem})."
        )
    return any(map(len, alone))


def _detect_alone(detector: Detector, frame: Frames) -> FrameDetections:
    try:
        return detector.detect(frame)[0]
    except Exception as error:  # A graph can fail in as many ways as it can be written.
        raise ModelRefused(
            f"Model {detector.info.path}: it is a {KIND_NAMES[detector.info.kind]} that loads but cannot"
            f" detect: a test frame of {frame.shape[2]}x{frame.shape[1]} failed with {_first_line(error)}."
            f" Its input is {detector.info.input_key}: {detector.info.input}. Export it again."
        ) from error


def _load(info: ModelInfo, floor: float) -> Call:
    try:
        return load_tflite(info, probe_frames()) if info.kind == "tflite" else load_graph(info, floor)
    except ModelRefused:
        raise
    except Exception as error:  # TensorFlow raises a dozen types for a broken model.
        raise ModelRefused(
            f"Model {info.path}: TensorFlow cannot load this {KIND_NAMES[info.kind]}: {_first_line(error)}."
            " Copy or export it again; ops of a library of its own cannot be loaded."
        ) from error


def _first_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    short = text if len(text) <= _ERROR_LENGTH else text[:_ERROR_LENGTH] + " …"
    return f"{type(error).__name__}: {short}"
