"""What a TFLite file takes and gives, from its tables alone.

Field numbers: tensorflow/compiler/mlir/lite/schema/schema.fbs, and metadata_schema.fbs of TFLite Support for
the pixel normalisation and the label file that an SSD model may carry.
"""

from __future__ import annotations

import struct
import zipfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from transforms.detectors.allowed_ops import ALLOWED_OPS
from transforms.detectors.flatbuffer import Table
from transforms.detectors.model_files import ModelFiles, fingerprint
from transforms.detectors.model_info import (
    BOXES,
    CLASSES,
    COUNT,
    NEEDED_OUTPUTS,
    SCORES,
    ModelInfo,
    PixelEncoding,
    TensorInfo,
    signature_text,
)
from transforms.detectors.refusal import ModelRefused

POSTPROCESSING_OP = "TFLite_Detection_PostProcess"
# The order of the op's outputs: tensorflow/lite/kernels/detection_postprocess.cc.
_POSTPROCESSING_OUTPUTS = (BOXES, CLASSES, SCORES, COUNT)

_FLEX_PREFIX = "Flex"
_CUSTOM_CODE = 32  # BuiltinOperator.CUSTOM
_METADATA_NAME = "TFLITE_METADATA"
_NORMALISATION = 1  # ProcessUnitOptions.NormalizationOptions

# TensorType of the schema.
_DATA_TYPES = {0: "float32", 1: "float16", 2: "int32", 3: "uint8", 4: "int64", 5: "string", 6: "bool"}
_DATA_TYPES |= {7: "int16", 9: "int8", 10: "float64"}

# What exporters call the outputs, in signatures, metadata and tensors; parts of names, in lower case.
_OUTPUT_WORDS = {
    BOXES: ("boxes", "location"),
    SCORES: ("score",),
    CLASSES: ("class", "categor"),
    COUNT: ("num_detection", "number of detections", "count"),
}


@dataclass(frozen=True, slots=True)
class _Output:
    index: int
    tensor: TensorInfo
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Metadata:
    """Of the TFLite metadata: names of the outputs in their order, and the input's normalisation."""

    output_names: tuple[str, ...] = ()
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()


def inspect_tflite(files: ModelFiles) -> ModelInfo:
    """Inspects a .tflite file.

    ``outputs`` of the result lacks detection_scores and detection_classes if only their values can tell them
    apart; both are then among ``other_outputs``.

    Raises:
      ModelRefused: broken, or no detection model.
    """
    data = files.file.read_bytes()
    try:
        return _inspect(files, Table.root(data))
    except (struct.error, ValueError, IndexError, OverflowError, MemoryError) as error:
        if isinstance(error, ModelRefused):
            raise
        raise ModelRefused(
            f"Model {files.file}: a broken or cut TFLite file of {len(data):,} bytes ({error}). Download or"
            " convert it again."
        ) from error


def _inspect(files: ModelFiles, model: Table) -> ModelInfo:
    graphs = model.tables(2)
    if not graphs:
        raise ValueError("it holds no graph")
    graph = graphs[0]
    tensors = graph.tables(0)
    inputs = {index: _tensor(tensors[index]) for index in graph.integers(1)}
    metadata = _read_metadata(model)
    outputs = _outputs(model, graph, tensors, metadata)
    op_names = [_op_name(code) for code in model.tables(1)]
    ops = Counter(op_names[op.number(0, "I")] for one in graphs for op in one.tables(3))
    named_inputs = {tensor.name: tensor for tensor in inputs.values()}
    found = signature_text(named_inputs, {output.tensor.name: output.tensor for output in outputs})
    if len({output.tensor.name for output in outputs}) < len(outputs):
        raise ValueError("two of its outputs have one name")
    bound = _bind_by_name(outputs, _postprocessing_outputs(graph, op_names))
    bound = _bind_by_shape(outputs, bound)
    if BOXES not in bound or COUNT not in bound or len(outputs) < len(NEEDED_OUTPUTS):
        raise ModelRefused(
            f"Model {files.file}: not a detection model: boxes [1,rows,4], classes, scores and a count of"
            f" them are needed. Found: {found}. SSD models exported for TFLite with their post-processing"
            " have all four."
        )
    [(input_index, tensor)] = inputs.items() if len(inputs) == 1 else _refuse_inputs(files, found)
    _check_input(files, tensor, found)
    shape = tensor.shape or ()
    encoding = _pixel_encoding(tensor, tensors[input_index], metadata)
    used = {name: output.tensor for name, output in bound.items()}
    return ModelInfo(
        path=str(files.file),
        kind="tflite",
        size_bytes=files.size_bytes,
        fingerprint=fingerprint(files),
        feed="image",
        input_key=tensor.name,
        input=tensor,
        outputs=used,
        static_batch=shape[0],
        input_size=(int(shape[1] or 0), int(shape[2] or 0)),
        other_outputs=tuple(output.tensor.name for output in outputs if output not in bound.values()),
        ops=dict(ops),
        distrusted_ops=tuple(f"{op} in the graph" for op in sorted(ops) if not _is_trusted(op)),
        first_class=0,
        pixels=encoding,
        embedded_labels=_embedded_labels(files),
        made_with=model.text(3).rstrip("."),
    )


def _bind_by_name(outputs: list[_Output], postprocessing: Mapping[int, str]) -> dict[str, _Output]:
    """Outputs by their detection names: by place behind the post-processing op, else by what they are"
    " called."""
    by_op = {postprocessing[output.index]: output for output in outputs if output.index in postprocessing}
    if len(by_op) == len(NEEDED_OUTPUTS):
        return by_op
    bound: dict[str, _Output] = {}
    for detection_name, words in _OUTPUT_WORDS.items():
        named = [output for output in outputs if any(word in name.lower() for name in output.names for word in words)]
        if len(named) == 1 and named[0] not in bound.values():
            bound[detection_name] = named[0]
    # Names that cover a part only may be chance: then shapes decide.
    return bound if len(bound) == len(NEEDED_OUTPUTS) else {}


def _bind_by_shape(outputs: list[_Output], bound: Mapping[str, _Output]) -> dict[str, _Output]:
    """Completes ``bound`` by shapes: a last size of 4 is boxes, a single number the count.

    Scores and classes have the same shape: they stay unbound, for their values to tell.
    """
    if len(bound) == len(NEEDED_OUTPUTS):
        return dict(bound)
    boxes = [output for output in outputs if _rank(output) == 3 and _sizes(output)[-1] == 4]
    counts = [output for output in outputs if _rank(output) <= 1 and all(size == 1 for size in _sizes(output))]
    if len(boxes) != 1 or len(counts) != 1 or len(outputs) != len(NEEDED_OUTPUTS):
        return dict(bound)
    return {BOXES: boxes[0], COUNT: counts[0]}


def _sizes(output: _Output) -> tuple[int | None, ...]:
    return output.tensor.shape or ()


def _rank(output: _Output) -> int:
    return len(_sizes(output))


def _refuse_inputs(files: ModelFiles, found: str) -> list[tuple[int, TensorInfo]]:
    raise ModelRefused(f"Model {files.file}: one input of images is needed. Found: {found}.")


def _check_input(files: ModelFiles, tensor: TensorInfo, found: str) -> None:
    shape = tensor.shape or ()
    if len(shape) != 4 or shape[3] != 3 or not all(shape):
        raise ModelRefused(
            f"Model {files.file}: its input is {tensor}, not [batch,height,width,3] of one size. Found: {found}."
        )
    if tensor.dtype not in ("uint8", "int8", "float32"):
        raise ModelRefused(
            f"Model {files.file}: its input is {tensor}; uint8, int8 or float32 pixels are needed. Found: {found}."
        )


def _outputs(model: Table, graph: Table, tensors: list[Table], metadata: _Metadata) -> list[_Output]:
    signature_names: dict[int, str] = {}
    for signature in model.tables(7):
        for entry in signature.tables(1):
            signature_names[entry.number(1, "I")] = entry.text(0)
    found = []
    for order, index in enumerate(graph.integers(2)):
        tensor = _tensor(tensors[index])
        described = metadata.output_names[order] if order < len(metadata.output_names) else ""
        names = (signature_names.get(index, ""), described, tensor.name)
        found.append(_Output(index, tensor, tuple(name for name in names if name)))
    return found


def _postprocessing_outputs(graph: Table, op_names: list[str]) -> dict[int, str]:
    """The detection name of each tensor that the post-processing op gives; empty without such an op."""
    for op in graph.tables(3):
        if op_names[op.number(0, "I")] == POSTPROCESSING_OP:
            return dict(zip(op.integers(2), _POSTPROCESSING_OUTPUTS, strict=False))
    return {}


def _tensor(table: Table) -> TensorInfo:
    # The second shape, where there is one, has -1 for sizes that are open. The outputs of the post-processing
    # op have neither: their sizes are known when it has run.
    shape = table.integers(7) or table.integers(0)
    dtype = table.number(1, "b")
    sizes = tuple(None if size < 0 else size for size in shape)
    return TensorInfo(table.text(3), _DATA_TYPES.get(dtype, f"type {dtype}"), sizes or None)


def _op_name(code: Table) -> str:
    custom = code.text(1)
    # Files older than 2020 have the number in a byte, newer ones in both: the greater is the right one.
    number = max(code.number(0, "b"), code.number(3, "i"))
    return custom if custom and number == _CUSTOM_CODE else f"builtin {number}"


def _is_trusted(op: str) -> bool:
    if op.startswith("builtin ") or op == POSTPROCESSING_OP:
        return True
    return op.startswith(_FLEX_PREFIX) and op.removeprefix(_FLEX_PREFIX) in ALLOWED_OPS


def _pixel_encoding(tensor: TensorInfo, table: Table, metadata: _Metadata) -> PixelEncoding:
    quantisation = table.table(4)
    scales = quantisation.numbers(2, "f") if quantisation else ()
    zero_points = quantisation.integers(3, "q") if quantisation else ()
    scale, zero_point = (scales[0], zero_points[0]) if scales and zero_points else (0.0, 0)
    if tensor.dtype == "uint8":
        # What all exporters mean by a uint8 image, whatever the scale says.
        return PixelEncoding(None, None, 0.0, 0, "pixels as they are")
    if tensor.dtype == "float32" and metadata.mean and metadata.std:
        return PixelEncoding(metadata.mean, metadata.std, 0.0, 0, "the file's metadata")
    if tensor.dtype == "float32":
        return PixelEncoding((127.5,), (127.5,), 0.0, 0, "SSD's usual range, -1 to 1: the file says nothing")
    if not scale or not metadata.mean or not metadata.std:
        return PixelEncoding((0.0,), (1.0,), 1.0, -128, "int8 pixels, shifted by 128")
    return PixelEncoding(metadata.mean, metadata.std, scale, zero_point, "the file's metadata and quantisation")


def _read_metadata(model: Table) -> _Metadata:
    buffers = model.tables(4)
    for entry in model.tables(6):
        if entry.text(0) == _METADATA_NAME:
            return _parse_metadata(Table.root(buffers[entry.number(1, "I")].content(0)))
    return _Metadata()


def _parse_metadata(metadata: Table) -> _Metadata:
    graphs = metadata.tables(3)
    if not graphs:
        return _Metadata()
    names = tuple(output.text(0) for output in graphs[0].tables(3))
    for tensor in graphs[0].tables(2):
        for unit in tensor.tables(4):
            options = unit.table(1)
            if unit.number(0, "B") == _NORMALISATION and options is not None:
                return _Metadata(names, options.numbers(0, "f"), options.numbers(1, "f"))
    return _Metadata(names)


def _embedded_labels(files: ModelFiles) -> str:
    """The label file that the metadata tool appends to the model as a zip archive; "" if there is none."""
    if not zipfile.is_zipfile(files.file):
        return ""
    with zipfile.ZipFile(files.file) as archive:
        for name in archive.namelist():
            if "label" in name.lower() and name.lower().endswith(".txt"):
                return archive.read(name).decode("utf-8-sig", "replace")
    return ""
