"""One record against the table of keys, the label map and its own picture."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from transforms.annotations.fields import MAX_INT64
from transforms.examples import feature_keys as keys
from transforms.examples.class_ids import ClassIds
from transforms.examples.example_message import NotAnExample, parse_example
from transforms.examples.wire_format import Value
from transforms.images.check_image import ImagePolicy, check_image
from transforms.images.image_store import ImageRefused
from transforms.splits.split_fractions import key_hash
from transforms.verification.check_image_level import check_image_level, missing_labels
from transforms.verification.check_keypoints import check_keypoints, keypoint_sum, missing_keypoints
from transforms.verification.check_maps import check_maps, missing_maps
from transforms.verification.check_masks import check_masks
from transforms.verification.findings import Code, Problem

DecodeMode = Literal["none", "sample", "full"]
NO_ID = -1
_SAMPLED_SHARE = 0.05
_MAGIC = {b"jpeg": b"\xff\xd8\xff", b"png": b"\x89PNG\r\n\x1a\n"}
# The builder has applied the user's limit; what is left is Pillow's own against decompression bombs.
_MAX_PIXELS = 2**62
_EDGES = (keys.YMIN, keys.XMIN, keys.YMAX, keys.XMAX)
# Distinct weights, so that edges that change places change the sum.
EDGE_WEIGHTS = (2.0, 3.0, 5.0, 7.0)


@dataclass(frozen=True, slots=True)
class RecordFacts:
    """What is needed of a record when it is compared with others.

    Attributes:
      source_id: or NO_ID if it is none.
      file_name: UTF-8 text, "" if it is none.
      source: the source's name, "" where the dataset has one source alone.
      name_hash: 64-bit hash of source and file name, which are unique together.
      class_names: of the objects, in order.
      optional_keys: those of the table that it has.
      format: "jpeg" or "png", as stated.
      picture_hash: see there.
      edge_sum: normalised edges of all boxes times EDGE_WEIGHTS, and keypoints times KEYPOINT_WEIGHTS, summed; see
        ``check_ground_truth``.
    """

    source_id: int
    file_name: str
    source: str
    name_hash: int
    class_names: Sequence[str]
    optional_keys: frozenset[str]
    format: str
    picture_hash: int
    edge_sum: float


def picture_hash(source_id: int, file_name: str, width: int, height: int) -> int:
    """A 64-bit hash of what a record and the COCO file of its split both say of a picture."""
    return key_hash(f"{source_id} {width} {height} {file_name}", "picture")


class _NoShape(Exception):
    """The record lacks the keys or values that all other checks need."""


def check_record(
    payload: bytes, class_ids: ClassIds, mode: DecodeMode, is_first: bool = False
) -> tuple[RecordFacts | None, list[Problem]]:
    """Checks all that must hold within one record.

    Args:
      payload: a serialised Example.
      class_ids: of the dataset.
      mode: which pictures are decoded in full; the header of each is read anyway.
      is_first: of its shard; a sample has the first record of each shard.

    Returns:
      The facts, None where the record has not the keys and numbers of values to take them from, and all problems.
    """
    problems: list[Problem] = []
    try:
        features = parse_example(payload)
        values = _values(features, class_ids, problems)
    except NotAnExample as error:
        return None, [(Code.RECORD_UNPARSABLE, str(error))]
    except _NoShape:
        return None, problems
    problems += _check_names(values)
    problems += _check_boxes(values)
    problems += _check_classes(values, class_ids)
    problems += _check_flags(values)
    problems += _check_mirrors(values, class_ids)
    problems += check_keypoints(values, class_ids)
    problems += check_image_level(values, class_ids)
    problems += check_maps(values, class_ids) if mode != "none" else ()
    problems += _check_picture(values, mode, is_first)
    problems += check_masks(values) if mode != "none" else ()
    return _facts(values, class_ids), problems


def _values(
    features: Mapping[str, Value | None], class_ids: ClassIds, problems: list[Problem]
) -> dict[str, Sequence[object]]:
    """The values by key, after their presence, kinds and numbers were checked.

    Raises:
      _NoShape: with what is wrong added to ``problems``.
    """
    for key, feature in keys.FEATURE_KEYS.items():
        if key not in features and not feature.optional:
            problems.append((Code.KEY_MISSING, f"it has no {key}"))
    values: dict[str, Sequence[object]] = {}
    for key, value in sorted(features.items()):
        if key not in keys.FEATURE_KEYS:
            problems.append((Code.KEY_UNKNOWN, f"it has a key {key!r:.80} that the format does not know"))
        elif value is None or value[0] != keys.FEATURE_KEYS[key].kind:
            kind = "no" if value is None else f"a {value[0]}"
            problems.append((Code.KEY_KIND, f"{key} has {kind} list, not a {keys.FEATURE_KEYS[key].kind} list"))
        else:
            values[key] = value[1]
    problems += missing_keypoints(values, class_ids)
    problems += missing_labels(values)
    problems += missing_maps(values)
    objects = len(values.get(keys.LABEL, ()))
    expected = {
        "one": 1,
        "at most one": 1,
        "per object": objects,
        "four per object": 4 * objects,
        "K per object": len(class_ids.keypoints.names) * objects,
        "per image label": len(values.get(keys.IMAGE_LABEL, ())),
    }
    for key, found in values.items():
        count = keys.FEATURE_KEYS[key].count
        if count != "any" and len(found) != expected[count]:
            problems.append(
                (
                    Code.VALUE_COUNT,
                    f"{key} has {len(found)} values, it must have {expected[count]} ({count}; {objects} objects)",
                )
            )
    if any(code is not Code.KEY_UNKNOWN for code, _ in problems):
        raise _NoShape
    return values


def _check_names(values: Mapping[str, Sequence[object]]) -> Iterator[Problem]:
    source_id = values[keys.SOURCE_ID][0]
    if _source_id(values) == NO_ID:
        yield (
            Code.VALUE_INVALID,
            f"{keys.SOURCE_ID} is {source_id!r:.80}, not decimal digits of a whole number below 2**63",
        )
    name = _file_name(values)
    if not name or name.startswith("/") or ".." in name.split("/"):
        yield (
            Code.VALUE_INVALID,
            f"{keys.FILE_NAME} is {values[keys.FILE_NAME][0]!r:.80}, not a relative name in UTF-8",
        )


def _check_boxes(values: Mapping[str, Sequence[object]]) -> Iterator[Problem]:
    edges = _edges(values)
    lower, upper = edges[:, :2], edges[:, 2:]
    # Comparisons with NaN are false.
    is_valid = (lower >= 0) & (lower <= upper) & (upper <= 1)
    for index in np.flatnonzero(~is_valid.all(axis=1))[:1]:
        yield (
            Code.BOX_INVALID,
            f"object {index} has ymin, xmin, ymax, xmax {edges[index].tolist()}, not 0 <= min <= max <= 1",
        )
    for key in (keys.AREA, keys.WEIGHT, keys.MASK_WEIGHT):
        numbers: Sequence[float] = values.get(key, ())  # type: ignore[assignment]
        if unfit := [number for number in numbers if not math.isfinite(number)]:
            yield Code.VALUE_INVALID, f"{key} holds {unfit[0]}"


def _check_classes(values: Mapping[str, Sequence[object]], class_ids: ClassIds) -> Iterator[Problem]:
    for index, (text, label) in enumerate(zip(values[keys.TEXT], values[keys.LABEL], strict=True)):
        expected = class_ids.labels.get(_decoded(text))
        if expected is None or expected != label:
            must = "no class of the label map" if expected is None else f"the id {expected}"
            yield (
                Code.LABEL_UNKNOWN,
                f"object {index} has {keys.TEXT} {text!r:.80} and {keys.LABEL} {label}; the text is {must}",
            )
            return


def _check_flags(values: Mapping[str, Sequence[object]]) -> Iterator[Problem]:
    for key in (keys.IS_CROWD, *keys.OPTIONAL_FLAGS):
        if unfit := [flag for flag in values.get(key, ()) if flag not in (0, 1)]:
            yield Code.VALUE_INVALID, f"{key} holds {unfit[0]}, not 0 or 1"
    for pose in values.get(keys.VIEW, ()):
        if _decoded(pose) == "" != pose.decode("latin-1"):  # type: ignore[attr-defined]
            yield Code.VALUE_INVALID, f"{keys.VIEW} holds {pose!r:.80}, which is not UTF-8"
            return


def _check_mirrors(values: Mapping[str, Sequence[object]], class_ids: ClassIds) -> Iterator[Problem]:
    # As bytes: -0.0 equals 0.0, yet it is another value in the file.
    mirror = np.array(values[keys.TFDS_BBOX], np.float32).tobytes()
    if mirror != _edges(values).tobytes():
        yield Code.MIRROR_DIFFERS, f"{keys.TFDS_BBOX} is not the edges of the boxes as ymin, xmin, ymax, xmax"
    indices = [class_ids.indices.get(_decoded(text)) for text in values[keys.TEXT]]
    if None not in indices and indices != list(values[keys.TFDS_LABEL]):
        yield (
            Code.MIRROR_DIFFERS,
            f"{keys.TFDS_LABEL} is {list(values[keys.TFDS_LABEL])!r:.80}, the classes are {indices!r:.80} "
            "in the order of the label map, from 0",
        )
    if list(values[keys.TFDS_IS_CROWD]) != list(values[keys.IS_CROWD]):
        yield Code.MIRROR_DIFFERS, f"{keys.TFDS_IS_CROWD} is not {keys.IS_CROWD}"


def _check_picture(values: Mapping[str, Sequence[object]], mode: DecodeMode, is_first: bool) -> Iterator[Problem]:
    data, stated_format, stated_digest = (
        value for key in (keys.ENCODED, keys.FORMAT, keys.SHA256) for value in values[key] if isinstance(value, bytes)
    )
    digest = hashlib.sha256(data).hexdigest()
    if stated_digest != digest.encode():
        yield Code.IMAGE_DIGEST, f"{keys.SHA256} is {stated_digest!r:.80}, that of the picture is {digest}"
    magic = _MAGIC.get(stated_format)
    if magic is None or not data.startswith(magic):
        yield (
            Code.IMAGE_FORMAT,
            f"{keys.FORMAT} is {stated_format!r:.80}, the picture begins with {data[:8]!r}",
        )
    is_decoded = mode == "full" or (mode == "sample" and (is_first or _is_sampled(digest)))
    try:
        picture = check_image(data, ImagePolicy("full" if is_decoded else "header", "ignore", _MAX_PIXELS))
    except ImageRefused as refused:
        yield Code.IMAGE_UNDECODABLE, f"the picture: {refused}"
        return
    if picture.repairs:
        yield Code.IMAGE_UNDECODABLE, "the readers do not decode the picture as it is: " + ", ".join(picture.repairs)
    stated = (values[keys.WIDTH][0], values[keys.HEIGHT][0])
    if stated != (picture.width, picture.height):
        yield (
            Code.IMAGE_SIZE,
            f"width and height are {stated[0]} and {stated[1]}, the picture has {picture.width}x{picture.height}",
        )


def _is_sampled(digest: str) -> bool:
    """Whether a picture is in the sample: by its own digest, so that it is the same pictures on every machine."""
    return int(digest[:8], 16) < _SAMPLED_SHARE * 2**32


def _facts(values: Mapping[str, Sequence[object]], class_ids: ClassIds) -> RecordFacts:
    name = _file_name(values)
    source = _decoded(values[keys.SOURCE][0]) if keys.SOURCE in values else ""
    height, width = values[keys.HEIGHT][0], values[keys.WIDTH][0]
    assert isinstance(height, int)
    assert isinstance(width, int)
    return RecordFacts(
        _source_id(values),
        name,
        source,
        key_hash(f"{source}\0{name}" if source else name, "verify"),
        [_decoded(text) for text in values[keys.TEXT]],
        keys.OPTIONAL_KEYS.intersection(values),
        _decoded(values[keys.FORMAT][0]),
        picture_hash(_source_id(values), name, width, height),
        float((_edges(values).astype(np.float64) @ EDGE_WEIGHTS).sum()) + keypoint_sum(values, class_ids),
    )


def _edges(values: Mapping[str, Sequence[object]]) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Normalised ymin, xmin, ymax, xmax of each object, float32 [N, 4]."""
    return np.stack([np.array(values[key], np.float32) for key in _EDGES], axis=1)


def _source_id(values: Mapping[str, Sequence[object]]) -> int:
    text = _decoded(values[keys.SOURCE_ID][0])
    is_id = text.isascii() and text.isdecimal() and len(text) <= 19 and int(text) <= MAX_INT64
    return int(text) if is_id else NO_ID


def _file_name(values: Mapping[str, Sequence[object]]) -> str:
    return _decoded(values[keys.FILE_NAME][0])


def _decoded(value: object) -> str:
    """UTF-8 bytes as text; "" where they are none."""
    assert isinstance(value, bytes)
    try:
        return value.decode()
    except UnicodeDecodeError:
        return ""
