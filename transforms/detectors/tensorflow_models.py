"""Running TF1 frozen graphs and SavedModels of both generations under TensorFlow 2.

TensorFlow is imported when the first model is loaded, not with this module.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy.typing as npt

from transforms.detectors.detector import BatchTooLarge, Call
from transforms.detectors.frame_inputs import Frames, encode_png, resize_frames
from transforms.detectors.model_info import ModelInfo
from transforms.detectors.score_floor import raise_score_thresholds


def prepare_devices() -> tuple[str, ...]:
    """Lets GPU memory grow with need instead of being taken whole; warnings where it is too late for that.

    Must come before the first op of the process. Without a GPU it does nothing.
    """
    import tensorflow as tf

    warnings = []
    for device in tf.config.list_physical_devices("GPU"):
        try:
            tf.config.experimental.set_memory_growth(device, True)
        except (RuntimeError, ValueError) as error:
            warnings.append(f"GPU memory of {device.name} is taken whole: {error}")
    return tuple(warnings)


def load_graph(info: ModelInfo, floor: float = 0.0) -> Call:
    """Loads a frozen graph or a SavedModel. The result may be called from several threads at once.

    Args:
      floor: detections of a lower score need not be given.
    """
    function = _load_frozen_graph(info, floor) if info.kind == "tf1_frozen_graph" else _load_saved_model(info)
    encode = _input_encoder(info)

    def call(frames: Frames) -> dict[str, npt.NDArray[Any]]:
        outputs = run_in_memory(lambda: function(encode(frames)))
        return {name: tensor.numpy() for name, tensor in outputs.items()}

    return call


def run_in_memory(run: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
    """The result of ``run``; raises BatchTooLarge where TensorFlow has no memory for it."""
    import tensorflow as tf

    try:
        return run()
    except tf.errors.ResourceExhaustedError as error:
        raise BatchTooLarge(error.message.partition("\n")[0]) from error


def _load_frozen_graph(info: ModelInfo, floor: float) -> Callable[[Any], Mapping[str, Any]]:
    import tensorflow as tf

    graph_def = tf.compat.v1.GraphDef()
    with open(info.path, "rb") as stream:
        graph_def.ParseFromString(stream.read())
    # Devices are those of the machine that exported it.
    for node in graph_def.node:
        node.device = ""
    nodes = [tensor.name.partition(":")[0] for tensor in info.outputs.values()]
    # Cut by names, here: a function's own prune copies what is left op by op in Python, which takes seconds.
    graph_def = tf.compat.v1.graph_util.extract_sub_graph(graph_def, nodes)
    raise_score_thresholds(graph_def, floor)

    def detections(images: Any) -> dict[str, Any]:
        tensors = tf.graph_util.import_graph_def(
            graph_def,
            input_map={info.input.name: images},
            return_elements=[tensor.name for tensor in info.outputs.values()],
            name="",
        )
        return dict(zip(info.outputs, tensors, strict=True))

    function: Callable[[Any], Mapping[str, Any]] = tf.compat.v1.wrap_function(detections, [_input_spec(info)])
    return function


def _input_spec(info: ModelInfo) -> Any:
    import tensorflow as tf

    return tf.TensorSpec(info.input.shape, tf.dtypes.as_dtype(info.input.dtype))


def _load_saved_model(info: ModelInfo) -> Callable[[Any], Mapping[str, Any]]:
    import tensorflow as tf

    loaded = tf.saved_model.load(info.path, tags=["serve"])
    signature = loaded.signatures[info.signature]

    # Not the signature itself: it also computes and copies the raw outputs, which are large.
    @tf.function(input_signature=[_input_spec(info)], autograph=False)
    def detections(images: Any) -> dict[str, Any]:
        outputs = signature(**{info.input_key: images})
        return {name: outputs[name] for name in info.outputs}

    concrete = detections.get_concrete_function()

    def function(images: Any) -> Mapping[str, Any]:
        # The variables die with the loaded object, which nothing else here holds.
        assert loaded is not None
        outputs: Mapping[str, Any] = concrete(images)
        return outputs

    return function


def _input_encoder(info: ModelInfo) -> Callable[[Frames], Any]:
    """From frames to the input tensor."""
    import tensorflow as tf

    def images(frames: Frames) -> Any:
        sized = resize_frames(frames, info.input_size) if info.input_size else frames
        return tf.constant(sized.astype(info.input.dtype, copy=False))

    def encoded_images(frames: Frames) -> Any:
        return tf.constant([encode_png(frame) for frame in frames])

    def examples(frames: Frames) -> Any:
        return tf.constant([_example(frame) for frame in frames])

    return {"image": images, "encoded_image": encoded_images, "tf_example": examples}[info.feed]


def _example(frame: Frames) -> bytes:
    """A serialised tf.train.Example with a frame as PNG, under the Object Detection API's keys."""
    import tensorflow as tf

    def of_bytes(value: bytes) -> Any:
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))

    def of_integer(value: int) -> Any:
        return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))

    feature = {
        "image/encoded": of_bytes(encode_png(frame)),
        "image/format": of_bytes(b"png"),
        "image/height": of_integer(frame.shape[0]),
        "image/width": of_integer(frame.shape[1]),
    }
    serialised: bytes = tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()
    return serialised
