"""Inspect a model: what it is, before anything of it runs."""

from __future__ import annotations

import os

from transforms.detectors.graph_inspection import inspect_protobuf
from transforms.detectors.model_files import find_model
from transforms.detectors.model_info import ModelInfo
from transforms.detectors.refusal import ModelRefused
from transforms.detectors.tflite_inspection import inspect_tflite

_LISTED = 6


def inspect_model(path: str | os.PathLike[str]) -> ModelInfo:
    """Reads a model's files, imports no TensorFlow and runs nothing.

    Args:
      path: a SavedModel's folder or the parent of one, a frozen graph, or a .tflite file; local.

    Raises:
      ModelRefused: no model, a broken one, or no detector.
    """
    try:
        files = find_model(path)
        return inspect_tflite(files) if files.form == "tflite" else inspect_protobuf(files)
    except OSError as error:
        raise ModelRefused(f"Model {path}: it cannot be read: {error.strerror}. Check its permissions.") from error


def refuse_distrusted(info: ModelInfo, *, trust_model: bool = False) -> None:
    """Refuses a model with ops that are not known to only compute, unless its user trusts it."""
    if trust_model or not info.distrusted_ops:
        return
    listed = ", ".join(info.distrusted_ops[:_LISTED])
    more = f" and {len(info.distrusted_ops) - _LISTED} more" if len(info.distrusted_ops) > _LISTED else ""
    raise ModelRefused(
        f"Model {info.path}: it holds ops that are not known to only compute: {listed}{more}. Such a model"
        " can read or write files, call Python or need a library of its own. Use --trust_model only if you"
        " know who made it."
    )
