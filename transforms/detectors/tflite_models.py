"""Running TFLite detection models."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from transforms.detectors.detector import Call
from transforms.detectors.frame_inputs import Frames, encode_pixels, resize_frames
from transforms.detectors.model_info import CLASSES, SCORES, ModelInfo
from transforms.detectors.refusal import ModelRefused

_Outputs = dict[str, npt.NDArray[Any]]


def load_tflite(info: ModelInfo, probe_frames: Frames) -> Call:
    """Loads a TFLite model. Threads that call the result at once take turns: an interpreter holds one run's
    state.

    Args:
      info: of the model.
      probe_frames: run if only values can tell scores from classes.

    Raises:
      ModelRefused: they cannot either.
    """
    run = _interpreter_run(info)
    names = {name: tensor.name for name, tensor in info.outputs.items()}
    if CLASSES not in names:
        names |= _tell_apart(info, info.other_outputs, [run(frame[np.newaxis]) for frame in probe_frames])

    def call(frames: Frames) -> _Outputs:
        outputs = run(frames)
        return {name: outputs[tensor] for name, tensor in names.items()}

    return call


def tell_scores_from_classes(first: Sequence[Any], second: Sequence[Any]) -> tuple[bool, bool]:
    """Whether each of two outputs, of several runs, can be class ids: whole numbers, beyond 1 somewhere if
    both are.

    (False, True) and (True, False) are answers; anything else means that the values do not tell.
    """
    whole = tuple(all(bool(np.all(np.asarray(run) == np.rint(run))) for run in runs) for runs in (first, second))
    if whole != (True, True):
        return whole[0], whole[1]
    # Scores of exactly 0 or 1 are whole numbers too; but a score is never 2.
    beyond = tuple(any(bool(np.any(np.asarray(run) > 1)) for run in runs) for runs in (first, second))
    return beyond[0], beyond[1]


def _tell_apart(info: ModelInfo, tensors: Sequence[str], runs: list[_Outputs]) -> dict[str, str]:
    first, second = tensors
    answer = tell_scores_from_classes([run[first] for run in runs], [run[second] for run in runs])
    if answer == (True, False):
        return {CLASSES: first, SCORES: second}
    if answer == (False, True):
        return {CLASSES: second, SCORES: first}
    raise ModelRefused(
        f"Model {info.path}: neither names nor values tell which of the outputs {first} and {second} holds"
        " scores and which classes. Convert it again with its TFLite_Detection_PostProcess op, or with"
        f" signature names {SCORES} and {CLASSES}."
    )


def _interpreter_run(info: ModelInfo) -> Callable[[Frames], _Outputs]:
    """From frames to all outputs by tensor name, real numbers where they are quantised."""
    interpreter = _interpreter(info.path)
    interpreter.allocate_tensors()
    [image] = interpreter.get_input_details()
    details = interpreter.get_output_details()
    size, encoding = info.input_size, info.pixels
    assert size is not None
    assert encoding is not None
    lock = threading.Lock()

    def run(frames: Frames) -> _Outputs:
        pixels = encode_pixels(resize_frames(frames, size), info.input.dtype, encoding)
        with lock:
            interpreter.set_tensor(image["index"], pixels)
            interpreter.invoke()
            return {detail["name"]: _real(interpreter.get_tensor(detail["index"]), detail) for detail in details}

    return run


def _real(values: npt.NDArray[Any], detail: Any) -> npt.NDArray[Any]:
    scale, zero_point = detail["quantization"]
    if not scale or values.dtype.kind == "f":
        return values
    real: npt.NDArray[Any] = (values.astype(np.float32) - zero_point) * np.float32(scale)
    return real


def _interpreter(path: str) -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        import tensorflow as tf

        with warnings.catch_warnings():
            # It says that LiteRT will replace it; where LiteRT is installed, it already has, above.
            warnings.simplefilter("ignore")
            return tf.lite.Interpreter(model_path=path)
    return Interpreter(model_path=path)
