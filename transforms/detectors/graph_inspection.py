"""What a SavedModel or a frozen graph takes and gives, from its messages alone."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transforms.detectors import graph_messages, op_scan
from transforms.detectors.model_files import SAVED_MODEL_FILE, ModelFiles, fingerprint
from transforms.detectors.model_info import (
    BOXES,
    NEEDED_OUTPUTS,
    OPTIONAL_OUTPUTS,
    Feed,
    ModelInfo,
    TensorInfo,
    signature_text,
)
from transforms.detectors.refusal import ModelRefused

_DEFAULT_SIGNATURE = "serving_default"
_SERVING_TAG = "serve"
_VARIABLE_OPS = frozenset({"Variable", "VariableV2", "VarHandleOp"})
_EXAMPLE_OPS = frozenset(
    {"ParseExample", "ParseExampleV2", "ParseSingleExample", "ParseSequenceExample", "ParseSequenceExampleV2"}
)
_DECODING_OPS = frozenset({"DecodeImage", "DecodeJpeg", "DecodePng", "DecodeAndCropJpeg"})
_FROZEN_INPUTS = ("image_tensor", "encoded_image_string_tensor", "tf_example")
_TFLITE_DUMMIES = {"output_0", "output_1", "output_2", "output_3"}
_FLOAT_INPUT_KEY = "input_tensor"
_SHARD = re.compile(r"variables\.data-(\d{5})-of-(\d{5})")


@dataclass(frozen=True, slots=True)
class _Input:
    feed: Feed
    key: str
    tensor: TensorInfo
    warnings: tuple[str, ...] = ()


def inspect_protobuf(files: ModelFiles) -> ModelInfo:
    """Inspects a .pb file, which holds a SavedModel or a GraphDef.

    Raises:
      ModelRefused: it is neither, parts are missing, or it is no detection model.
    """
    data = files.file.read_bytes()
    try:
        saved_model = graph_messages.read_saved_model(data)
    except ValueError as error:
        not_saved_model = error
    else:
        return _inspect_saved_model(files, saved_model)
    try:
        graph = graph_messages.read_graph(data)
    except ValueError as not_graph:
        raise ModelRefused(
            f"Model {files.file}: neither a SavedModel ({not_saved_model}) nor a GraphDef ({not_graph}). The"
            f" file has {len(data):,} bytes; if that is less than it should be, download or export it again."
        ) from not_graph
    return _inspect_frozen_graph(files, graph)


def _inspect_saved_model(files: ModelFiles, saved_model: Any) -> ModelInfo:
    folder = files.file.parent
    if files.file.name != SAVED_MODEL_FILE:
        raise ModelRefused(
            f"Model {files.file}: the graph of a SavedModel under another name. Call it {SAVED_MODEL_FILE},"
            " in a folder with its variables/, and give that folder."
        )
    meta_graph = _serving_graph(folder, saved_model)
    ops = op_scan.count_ops(meta_graph.graph_def)
    name, warnings = _choose_signature(folder, meta_graph.signature_def)
    signature = meta_graph.signature_def[name]
    inputs, outputs = _tensors(signature.inputs), _tensors(signature.outputs)
    used = _detection_outputs(folder, inputs, outputs)
    model_input = _choose_input(folder, inputs, outputs, ops)
    _check_variables(folder, ops)
    return ModelInfo(
        path=str(folder),
        kind="tf2_saved_model" if meta_graph.HasField("object_graph_def") else "tf1_saved_model",
        size_bytes=files.size_bytes,
        fingerprint=fingerprint(files),
        feed=model_input.feed,
        input_key=model_input.key,
        input=model_input.tensor,
        outputs=used,
        static_batch=_static_batch(model_input),
        input_size=_input_size(model_input),
        signature=name,
        other_outputs=tuple(sorted(outputs.keys() - used.keys())),
        ops=ops,
        distrusted_ops=op_scan.distrusted_ops_of_saved_model(meta_graph),
        made_with=f"TensorFlow {meta_graph.meta_info_def.tensorflow_version}".strip(),
        warnings=warnings + model_input.warnings,
    )


def _inspect_frozen_graph(files: ModelFiles, graph: Any) -> ModelInfo:
    ops = op_scan.count_ops(graph)
    nodes = {node.name: node for node in graph.node}
    inputs = {node.name: _placeholder(node) for node in graph.node if node.op == "Placeholder"}
    known = {name: inputs[name] for name in _FROZEN_INPUTS if name in inputs}
    found = {name: TensorInfo(f"{name}:0", "float32", None) for name in nodes if name.startswith("detection_")}
    if "num_detections" in nodes:
        found["num_detections"] = TensorInfo("num_detections:0", "float32", None)
    used = _detection_outputs(files.file, inputs, found)
    if variables := _VARIABLE_OPS & ops.keys():
        raise ModelRefused(
            f"Model {files.file}: a graph with {sum(ops[op] for op in variables)} variables, whose values"
            " are not in a GraphDef. Freeze it (export_inference_graph.py does), or give the SavedModel."
        )
    model_input = _choose_input(files.file, dict([*known.items()][:1]) or inputs, found, ops)
    return ModelInfo(
        path=str(files.file),
        kind="tf1_frozen_graph",
        size_bytes=files.size_bytes,
        fingerprint=fingerprint(files),
        feed=model_input.feed,
        input_key=model_input.key,
        input=model_input.tensor,
        outputs=used,
        static_batch=_static_batch(model_input),
        input_size=_input_size(model_input),
        ops=ops,
        distrusted_ops=op_scan.distrusted_ops(graph),
        warnings=model_input.warnings,
    )


def _serving_graph(folder: Path, saved_model: Any) -> Any:
    for meta_graph in saved_model.meta_graphs:
        # One graph may exist for each device; the one tagged "serve" and nothing else is for any.
        if list(meta_graph.meta_info_def.tags) == [_SERVING_TAG]:
            return meta_graph
    tags = [" + ".join(graph.meta_info_def.tags) or "no tag" for graph in saved_model.meta_graphs]
    raise ModelRefused(
        f"Model {folder}: no graph tagged {_SERVING_TAG!r} alone; there is {', '.join(tags)}. Export it for serving."
    )


def _choose_signature(folder: Path, signatures: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """The signature to call, and a warning where it is not ``serving_default``."""
    detecting = sorted(name for name, signature in signatures.items() if BOXES in signature.outputs)
    if _DEFAULT_SIGNATURE in detecting:
        return _DEFAULT_SIGNATURE, ()
    if len(detecting) == 1:
        return detecting[0], (f"Signature {detecting[0]!r} is used: {_DEFAULT_SIGNATURE} gives no {BOXES}.",)
    default = signatures.get(_DEFAULT_SIGNATURE) if _DEFAULT_SIGNATURE in signatures else None
    if default is not None and set(default.outputs) >= _TFLITE_DUMMIES:
        raise ModelRefused(
            f"Model {folder}: a SavedModel exported for conversion to TFLite: its outputs output_0 …"
            " output_3 are zeros without the converter's post-processing. Convert it and give the .tflite"
            " file, or export again with exporter_main_v2.py instead of export_tflite_graph_tf2.py."
        )
    texts = [
        f"{name!r} ({signature_text(_tensors(signature.inputs), _tensors(signature.outputs))})"
        for name, signature in sorted(signatures.items())
        if not name.startswith("__")
    ]
    if detecting:
        raise ModelRefused(
            f"Model {folder}: no {_DEFAULT_SIGNATURE}, and more than one signature gives {BOXES}:"
            f" {', '.join(map(repr, detecting))}. Export it again with the one to use as"
            f" {_DEFAULT_SIGNATURE}."
        )
    raise ModelRefused(
        f"Model {folder}: not a detection model: no signature gives {BOXES}. Signatures in it:"
        f" {'; '.join(texts) or 'none'}. {_WANTED}"
    )


_WANTED = f"Needed are one input of images and the outputs {', '.join(NEEDED_OUTPUTS)}."


def _detection_outputs(
    place: Path, inputs: Mapping[str, TensorInfo], outputs: Mapping[str, TensorInfo]
) -> dict[str, TensorInfo]:
    missing = [name for name in NEEDED_OUTPUTS if name not in outputs]
    if missing:
        raise ModelRefused(
            f"Model {place}: not a detection model: {', '.join(missing)} missing. Found:"
            f" {signature_text(inputs, outputs)}. {_WANTED}"
        )
    boxes = outputs[BOXES]
    if boxes.shape is not None and (len(boxes.shape) != 3 or boxes.shape[2] not in (4, None)):
        raise ModelRefused(
            f"Model {place}: {BOXES} is {boxes}, not [batch,rows,4]. Found: {signature_text(inputs, outputs)}."
        )
    return {name: outputs[name] for name in (*NEEDED_OUTPUTS, *OPTIONAL_OUTPUTS) if name in outputs}


def _choose_input(
    place: Path, inputs: Mapping[str, TensorInfo], outputs: Mapping[str, TensorInfo], ops: Collection[str]
) -> _Input:
    found = f"Found: {signature_text(inputs, outputs)}."
    if len(inputs) != 1:
        raise ModelRefused(
            f"Model {place}: {len(inputs)} inputs, where one of images is needed. {found} Export it again"
            " with input type image_tensor."
        )
    [(key, tensor)] = inputs.items()
    if tensor.dtype == "string":
        return _Input(_string_feed(place, tensor, ops, found), key, tensor)
    channels_first = tensor.shape is not None and len(tensor.shape) == 4 and tensor.shape[1] == 3
    if tensor.shape is not None and (
        len(tensor.shape) != 4 or tensor.shape[3] not in (3, None) or (channels_first and tensor.shape[3] is None)
    ):
        hint = " It is channels-first (NCHW)." if channels_first else ""
        raise ModelRefused(
            f"Model {place}: input {key} is {tensor}, not [batch,height,width,3].{hint} {found} Export it"
            " again with an RGB image tensor, channels last."
        )
    if tensor.dtype == "uint8":
        return _Input("image", key, tensor)
    if tensor.dtype == "float32" and key == _FLOAT_INPUT_KEY:
        # The exporter's input type float_image_tensor: raw pixels as floats, normalised inside the graph.
        warning = f"Input {key} is float32: it is fed raw pixels, 0 to 255, as float_image_tensor exports want."
        return _Input("image", key, tensor, (warning,))
    raise ModelRefused(
        f"Model {place}: input {key} is {tensor}; which range of pixels it wants cannot be told. {found}"
        " Export it again with a uint8 image tensor, 0 to 255, and the normalisation inside the graph."
    )


def _string_feed(place: Path, tensor: TensorInfo, ops: Collection[str], found: str) -> Feed:
    node = tensor.name.partition(":")[0]
    if node == "tf_example":
        return "tf_example"
    if node == "encoded_image_string_tensor":
        return "encoded_image"
    if _EXAMPLE_OPS & set(ops):
        return "tf_example"
    if _DECODING_OPS & set(ops):
        return "encoded_image"
    raise ModelRefused(
        f"Model {place}: its input takes strings, but nothing in its graph decodes images or"
        f" tf.train.Examples. {found} Export it again with input type image_tensor."
    )


def _static_batch(model_input: _Input) -> int | None:
    return model_input.tensor.shape[0] if model_input.tensor.shape else None


def _input_size(model_input: _Input) -> tuple[int, int] | None:
    shape = model_input.tensor.shape
    if model_input.feed != "image" or shape is None or shape[1] is None or shape[2] is None:
        return None
    return shape[1], shape[2]


def _check_variables(folder: Path, ops: Mapping[str, int]) -> None:
    """Refuses a SavedModel whose graph has variables, but whose folder lacks a file of their values."""
    count = sum(ops.get(op, 0) for op in _VARIABLE_OPS)
    if not count:
        return
    advice = "Copy the whole folder, variables/ included, or export it again."
    variables = folder / "variables"
    if not (variables / "variables.index").is_file():
        raise ModelRefused(
            f"Model {folder}: the graph has {count} variables, but variables/variables.index is missing. {advice}"
        )
    shards = [match for file in variables.iterdir() if (match := _SHARD.fullmatch(file.name))]
    total = max((int(match[2]) for match in shards), default=1)
    there = {int(match[1]) for match in shards if int(match[2]) == total}
    missing = [f"variables.data-{n:05}-of-{total:05}" for n in range(total) if n not in there]
    if missing:
        raise ModelRefused(f"Model {folder}: variables/ lacks {', '.join(missing)}. {advice}")


def _tensors(infos: Mapping[str, Any]) -> dict[str, TensorInfo]:
    return {
        key: TensorInfo(info.name, graph_messages.data_type(info.dtype), graph_messages.dimensions(info.tensor_shape))
        for key, info in infos.items()
    }


def _placeholder(node: Any) -> TensorInfo:
    attributes = node.attr
    dtype = graph_messages.data_type(attributes["dtype"].type) if "dtype" in attributes else "unknown"
    shape = graph_messages.dimensions(attributes["shape"].shape) if "shape" in attributes else None
    # Graphs older than 2017 leave the shape out, or write an empty one for "any".
    return TensorInfo(f"{node.name}:0", dtype, shape or None)
