"""What an inspection finds out about a model before anything of it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["tf1_frozen_graph", "tf1_saved_model", "tf2_saved_model", "tflite"]
Feed = Literal["image", "encoded_image", "tf_example"]

KIND_NAMES: Mapping[Kind, str] = {
    "tf1_frozen_graph": "TF1 frozen graph",
    "tf1_saved_model": "TF1 SavedModel",
    "tf2_saved_model": "TF2 SavedModel",
    "tflite": "TFLite model",
}

BOXES = "detection_boxes"
SCORES = "detection_scores"
CLASSES = "detection_classes"
COUNT = "num_detections"
MASKS = "detection_masks"
KEYPOINTS = "detection_keypoints"

NEEDED_OUTPUTS = (BOXES, SCORES, CLASSES, COUNT)
OPTIONAL_OUTPUTS = (MASKS, KEYPOINTS)


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """A tensor at the border of a model.

    Attributes:
      name: in the graph, as "image_tensor:0".
      dtype: NumPy's name of the data type; "string" for bytes.
      shape: None for each size that is open; None for a shape of unknown rank.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None

    def __str__(self) -> str:
        if self.shape is None:
            return f"{self.dtype} of any shape"
        return f"{self.dtype} [{','.join('?' if size is None else str(size) for size in self.shape)}]"


@dataclass(frozen=True, slots=True)
class PixelEncoding:
    """How a TFLite model wants its pixels: ``(pixel - mean) / std``, then ``value / scale + zero_point`` if
    integer.

    Attributes:
      mean, std: one value for all channels, or one for each of R, G, B; None to hand pixels over as they are.
      scale, zero_point: of the integer input tensor; 0 scale where there is none.
      origin: where the numbers come from, in words, for the inspection's text.
    """

    mean: tuple[float, ...] | None
    std: tuple[float, ...] | None
    scale: float
    zero_point: int
    origin: str


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A detection model as its files describe it; nothing of it has run.

    Attributes:
      path: the file, or the folder of a SavedModel, that is loaded.
      fingerprint: sha256 over the contents and relative names of the files that make up the model.
      signature: name of the SavedModel signature in use, or "".
      feed: what the input takes: pixels, PNG bytes, or serialised tf.train.Examples that hold an image.
      input_key: the signature's key of the input; the tensor's name where there is no signature.
      static_batch: the only number of frames that a call takes, or None where any number will do.
      input_size: (height, width) in pixels if the graph takes one size only, else None: it resizes by itself.
      outputs: the outputs in use, by their TensorFlow Object Detection names (``detection_boxes``, …). For a
        TFLite model whose outputs cannot be told apart by name, those that were found.
      other_outputs: names of outputs that are not fetched.
      ops: how often each op stands in the graph and its functions.
      distrusted_ops: ops that are not known to only compute, each with its place. Such a model is refused
        unless its user says that it can be trusted.
      first_class: the id of the model's first class: 1, or 0 for TFLite.
      embedded_labels: text of the label file inside a TFLite file, or "".
      warnings: one sentence each.
    """

    path: str
    kind: Kind
    size_bytes: int
    fingerprint: str
    feed: Feed
    input_key: str
    input: TensorInfo
    outputs: Mapping[str, TensorInfo]
    static_batch: int | None = None
    input_size: tuple[int, int] | None = None
    signature: str = ""
    other_outputs: tuple[str, ...] = ()
    ops: Mapping[str, int] = field(default_factory=dict)
    distrusted_ops: tuple[str, ...] = ()
    first_class: int = 1
    pixels: PixelEncoding | None = None
    embedded_labels: str = ""
    made_with: str = ""
    warnings: tuple[str, ...] = ()


def signature_text(inputs: Mapping[str, TensorInfo], outputs: Mapping[str, TensorInfo]) -> str:
    """A signature in one line, for an error."""
    return f"inputs {_tensors_text(inputs)}; outputs {_tensors_text(outputs)}"


def _tensors_text(tensors: Mapping[str, TensorInfo], limit: int = 12) -> str:
    if not tensors:
        return "none"
    texts = [f"{key}: {tensor}" for key, tensor in sorted(tensors.items())]
    more = f" and {len(texts) - limit} more" if len(texts) > limit else ""
    return ", ".join(texts[:limit]) + more
