"""Label maps: ``label_map.pbtxt`` (TF Object Detection API) and ``labels.csv`` (Model Garden), and reading them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping

from transforms.annotations.fields import clean_class_name
from transforms.annotations.text_encoding import decode_text
from transforms.examples.keypoints import ClassKeypoints

NO_KEYPOINTS = ClassKeypoints()
_STRING = r"""\"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'"""
# Strings and messages within an item may hold braces of their own.
_ITEM = re.compile(rf"""item\s*\{{((?:{_STRING}|\{{(?:{_STRING}|[^{{}}"'])*\}}|[^{{}}"'])*)\}}""", re.DOTALL)
_NESTED = re.compile(rf"""\w+\s*:?\s*\{{(?:{_STRING}|[^{{}}"'])*\}}""", re.DOTALL)
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def label_map_text(labels: Mapping[str, int], keypoints: ClassKeypoints = NO_KEYPOINTS) -> str:
    """A StringIntLabelMap in protobuf text format (object_detection/protos/string_int_label_map.proto).

    Both names are written: some readers index an empty display_name otherwise. Ids of keypoints count from 0,
    unlike those of classes: TFOD takes them as indices into the K keypoints of a record's objects
    (``keypoint_proto_to_params`` of object_detection/builders/model_builder.py; label_map_util_test.py has them so).
    """
    return "".join(
        f"item {{\n  name: {_quoted(name)}\n  id: {class_id}\n  display_name: {_quoted(name)}\n"
        + "".join(
            f"  keypoints {{\n    id: {place}\n    label: {_quoted(keypoints.names[place])}\n  }}\n"
            for place in keypoints.places.get(name, ())
        )
        + "}\n"
        for name, class_id in labels.items()
    )


def labels_csv(labels: Mapping[str, int]) -> str:
    """``id,name`` lines without a header."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerows((class_id, name) for name, class_id in labels.items())
    return buffer.getvalue()


def _quoted(text: str) -> str:
    return '"' + "".join(_ESCAPES.get(char, char) for char in text) + '"'


def parse_class_map(data: bytes) -> dict[str, int]:
    """Reads class ids from a label map or from ``id,name`` lines.

    Raises:
      ValueError: neither, an id below 1, an id or a name twice, or nothing at all.
    """
    try:
        text, _ = decode_text(data)
    except UnicodeDecodeError:
        raise ValueError("it is no text") from None
    pairs = _label_map_pairs(text) if re.search(r"^\s*item\s*\{", text, re.MULTILINE) else _csv_pairs(text)
    labels: dict[str, int] = {}
    for name, class_id in pairs:
        if class_id < 1:
            raise ValueError(f"class {name!r} has the id {class_id}; ids begin at 1, 0 is the background")
        if name in labels or class_id in labels.values():
            raise ValueError(f"the id {class_id} or the name {name!r} stands twice")
        labels[name] = class_id
    if not labels:
        raise ValueError("it names no class")
    return labels


def _label_map_pairs(text: str) -> list[tuple[str, int]]:
    pairs = []
    for body in _ITEM.findall(text):
        body = _NESTED.sub("", body)
        values = dict(re.findall(r"""(\w+)\s*:\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|-?\d+)""", body))
        name = values.get("display_name") or values.get("name")
        if name is None or "id" not in values:
            raise ValueError(f"an item needs a name and an id: {body.strip()!r:.80}")
        pairs.append((clean_class_name(re.sub(r"\\(.)", _unescape, name[1:-1])), int(values["id"])))
    return pairs


def _unescape(match: re.Match[str]) -> str:
    return {"n": "\n", "t": "\t", "r": "\r"}.get(match[1], match[1])


def _csv_pairs(text: str) -> list[tuple[str, int]]:
    pairs = []
    for number, row in enumerate(csv.reader(io.StringIO(text)), start=1):
        if not row or not "".join(row).strip():
            continue
        if len(row) != 2 or not row[0].strip().lstrip("-").isdecimal() or not clean_class_name(row[1]):
            raise ValueError(f"line {number} is {','.join(row)!r:.80}, not ID,NAME")
        pairs.append((clean_class_name(row[1]), int(row[0])))
    return pairs
