"""A model on one screen, for ``boxmill inspect``."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from transforms.detectors.label_maps import LabelMap
from transforms.detectors.model_info import KIND_NAMES, ModelInfo

_WIDTH = 100
_TITLE_WIDTH = 13
_LABELS_SHOWN = 8
_OPS_SHOWN = 6


def describe(info: ModelInfo, labels: LabelMap | None = None) -> str:
    """What ``info`` says, in at most some 25 lines of 100 characters; long paths and names are not broken."""
    return "\n".join(
        [
            *_entry("Model", info.path),
            *_entry("Kind", _kind(info)),
            *_entry("Size", f"{info.size_bytes:,} bytes"),
            *_entry("Fingerprint", info.fingerprint),
            *_entry("Input", f"{info.input_key}: {info.input}, {_feed(info)}"),
            *_entry("Batch", _batch(info)),
            *_entry("Outputs", *(f"{name}: {tensor}" for name, tensor in info.outputs.items())),
            *_entry("Not used", ", ".join(info.other_outputs) or "none"),
            *_entry("Classes", _classes(info, labels or LabelMap())),
            *_entry("Ops", *_ops(info)),
            *_entry("Warnings", *info.warnings),
        ]
    )


def _entry(title: str, *values: str) -> Iterable[str]:
    """Lines of an entry: the title before the first value, each value wrapped."""
    indent = " " * _TITLE_WIDTH
    for number, value in enumerate(values):
        yield textwrap.fill(
            value,
            _WIDTH,
            initial_indent=indent if number else title.ljust(_TITLE_WIDTH),
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )


def _kind(info: ModelInfo) -> str:
    parts = [KIND_NAMES[info.kind]]
    if info.made_with:
        parts.append(f"made with {info.made_with}")
    if info.signature:
        parts.append(f"signature {info.signature}")
    return ", ".join(parts)


def _feed(info: ModelInfo) -> str:
    if info.feed == "encoded_image":
        return "fed frames as PNG"
    if info.feed == "tf_example":
        return "fed tf.train.Examples that hold frames as PNG"
    resized = f", resized to {info.input_size[1]}x{info.input_size[0]}" if info.input_size else ""
    if info.pixels is None or info.pixels.mean is None or info.pixels.std is None:
        return f"fed RGB pixels, 0 to 255{resized}"
    mean, std = (",".join(f"{value:g}" for value in values) for values in (info.pixels.mean, info.pixels.std))
    return f"fed (RGB pixels - {mean}) / {std} ({info.pixels.origin}){resized}"


def _batch(info: ModelInfo) -> str:
    if info.static_batch is None:
        return "any number of frames a run"
    return f"{info.static_batch} frame{'s' if info.static_batch > 1 else ''} a run, fixed in the graph"


def _classes(info: ModelInfo, labels: LabelMap) -> str:
    base = f"ids from {info.first_class} in the model" + (", reported from 1" if info.first_class == 0 else "")
    if not labels.names:
        return f"{base}; no label map found: they will be called class_1, class_2, …"
    ids = sorted(labels.names)
    shown = ", ".join(f"{class_id} {labels.names[class_id]}" for class_id in ids[:_LABELS_SHOWN])
    more = ", …" if len(ids) > _LABELS_SHOWN else ""
    return f"{base}; {len(ids)} names for ids {ids[0]} to {ids[-1]} from {labels.source}: {shown}{more}"


def _ops(info: ModelInfo) -> list[str]:
    total = f"{sum(info.ops.values()):,} nodes of {len(info.ops)} kinds"
    if not info.distrusted_ops:
        return [f"{total}; all of them only compute"]
    shown = info.distrusted_ops[:_OPS_SHOWN]
    more = [f"and {len(info.distrusted_ops) - len(shown)} more"] if len(info.distrusted_ops) > len(shown) else []
    return [f"{total}; refused without --trust_model for these:", *shown, *more]
