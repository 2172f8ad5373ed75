"""The COCO ground truth of a split against its records: the same pictures, boxes and classes."""

from __future__ import annotations

import io
import os
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from transforms import storage
from transforms.annotations.json_stream import JsonError, stream_members
from transforms.examples.class_ids import ClassIds
from transforms.shards.coco_ground_truth import categories
from transforms.verification.check_keypoints import KEYPOINT_WEIGHTS
from transforms.verification.check_record import EDGE_WEIGHTS, picture_hash
from transforms.verification.findings import Code, Finding

_MEMBERS = ("images", "annotations", "categories")
# Rounding of an edge or keypoint in 0..1 to float32, times their weights; and of sums in float64.
_TOLERANCE_PER_BOX = 2**-25 * sum(EDGE_WEIGHTS) + 1e-12
_TOLERANCE_PER_KEYPOINT = 2**-25 * sum(KEYPOINT_WEIGHTS) + 1e-12


@dataclass(frozen=True, slots=True)
class SplitRecords:
    """What the records of a split say, one element a record.

    Attributes:
      source_ids: int64.
      picture_hashes: uint64.
      boxes: int32, number of boxes.
      edge_sums: float64, see RecordFacts.
      classes: boxes of each class, in the whole split.
    """

    source_ids: npt.NDArray[np.int64]
    picture_hashes: npt.NDArray[np.uint64]
    boxes: npt.NDArray[np.int32]
    edge_sums: npt.NDArray[np.float64]
    classes: Mapping[str, int]


@dataclass(slots=True)
class _GroundTruth:
    """The COCO file in columns: 32 bytes an image, 24 bytes a box."""

    image_ids: array[int] = field(default_factory=lambda: array("q"))
    picture_hashes: array[int] = field(default_factory=lambda: array("Q"))
    widths: array[float] = field(default_factory=lambda: array("d"))
    heights: array[float] = field(default_factory=lambda: array("d"))
    box_images: array[int] = field(default_factory=lambda: array("q"))
    sums_x: array[float] = field(default_factory=lambda: array("d"))
    sums_y: array[float] = field(default_factory=lambda: array("d"))
    category_boxes: Counter[int] = field(default_factory=Counter)
    categories: list[Any] = field(default_factory=list)
    members: set[str] = field(default_factory=set)


def check_ground_truth(folder: str, file: str, records: SplitRecords, class_ids: ClassIds) -> list[Finding]:
    """Checks one COCO file, streaming it.

    Args:
      folder: of the dataset.
      file: relative to it.
      records: of the split.
      class_ids: of the dataset.
    """
    try:
        truth = _read(os.path.join(folder, file))
        problems = _compare(truth, records, class_ids)
    except FileNotFoundError:
        return [Finding(Code.FILE_MISSING, file, "", "the ground truth of a split is not there")]
    except (OSError, JsonError, ValueError, TypeError, KeyError, OverflowError) as error:
        detail = f"it is no COCO ground truth: {type(error).__name__}: {error}"
        return [Finding(Code.FILE_UNREADABLE, file, "", detail)]
    return [Finding(Code.GROUND_TRUTH_DIFFERS, file, "", problem) for problem in problems]


def _read(path: str) -> _GroundTruth:
    truth = _GroundTruth()
    with io.TextIOWrapper(storage.open_file(path), encoding="utf-8") as stream:
        for key, element in stream_members(stream):
            truth.members.add(key)
            if key == "images":
                _add_image(truth, element)
            elif key == "annotations":
                _add_annotation(truth, element)
            elif key == "categories":
                truth.categories.append(element)
            else:
                raise ValueError(f"it has a member {key!r:.80}")
    return truth


def _add_image(truth: _GroundTruth, entry: Mapping[str, Any]) -> None:
    width, height = entry["width"], entry["height"]
    truth.image_ids.append(entry["id"])
    truth.picture_hashes.append(picture_hash(entry["id"], entry["file_name"], width, height))
    truth.widths.append(width)
    truth.heights.append(height)


def _add_annotation(truth: _GroundTruth, entry: Mapping[str, Any]) -> None:
    if entry["id"] != len(truth.box_images) + 1:
        raise ValueError(f"annotation {len(truth.box_images) + 1} has the id {entry['id']!r:.80}")
    x, y, width, height = entry["bbox"]
    ymin_weight, xmin_weight, ymax_weight, xmax_weight = EDGE_WEIGHTS
    truth.box_images.append(entry["image_id"])
    truth.sums_x.append(xmin_weight * x + xmax_weight * (x + width))
    truth.sums_y.append(ymin_weight * y + ymax_weight * (y + height))
    truth.category_boxes[entry["category_id"]] += 1
    if "keypoints" in entry:
        _add_keypoints(truth, entry["keypoints"], entry["num_keypoints"])


def _add_keypoints(truth: _GroundTruth, keypoints: Sequence[float], number: int) -> None:
    """Adds an annotation's keypoints to the sums of its box."""
    labelled = [
        (x, y) for x, y, visibility in zip(keypoints[::3], keypoints[1::3], keypoints[2::3], strict=True) if visibility
    ]
    if len(labelled) != number:
        raise ValueError(f"annotation {len(truth.box_images)} has {len(labelled)} keypoints, it says {number!r:.80}")
    y_weight, x_weight = KEYPOINT_WEIGHTS
    truth.sums_x[-1] += x_weight * sum(x for x, _ in labelled)
    truth.sums_y[-1] += y_weight * sum(y for _, y in labelled)


def _compare(truth: _GroundTruth, records: SplitRecords, class_ids: ClassIds) -> list[str]:
    if truth.categories != categories(class_ids):
        return [f"its categories are {truth.categories!r:.200}, the manifest's classes are {class_ids.labels!r:.200}"]
    problems = []
    classes = {name: truth.category_boxes[class_id] for name, class_id in class_ids.labels.items()}
    stated = {name: records.classes.get(name, 0) for name in class_ids.labels}
    if classes != stated or truth.category_boxes.total() != sum(stated.values()):
        problems.append(f"it has boxes of classes {classes!r:.200}, the records {stated!r:.200}")
    ids = np.array(truth.image_ids, np.int64)
    if not np.array_equal(np.sort(ids), np.sort(records.source_ids)):
        return [*problems, _id_difference(ids, records.source_ids)]
    if len(ids) == 0:
        return problems
    order, record_order = np.argsort(ids, kind="stable"), np.argsort(records.source_ids, kind="stable")
    ids = ids[order]
    differs = (np.array(truth.picture_hashes, np.uint64)[order] != records.picture_hashes[record_order]).tolist()
    problems += _first(differs, ids, "another file name, width or height than its record")
    boxes, sums = _boxes_by_image(truth, ids, order)
    expected = records.boxes[record_order]
    problems += _first((boxes != expected).tolist(), ids, "another number of boxes than its record")
    tolerance_per_box = _TOLERANCE_PER_BOX + _TOLERANCE_PER_KEYPOINT * len(class_ids.keypoints.names)
    tolerance = tolerance_per_box * np.maximum(expected, 1)
    moved = ~(np.abs(sums - records.edge_sums[record_order]) <= tolerance) & (boxes == expected)
    return problems + _first(moved.tolist(), ids, "boxes or keypoints at other places than its record")


def _boxes_by_image(
    truth: _GroundTruth, ids: npt.NDArray[np.int64], order: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Number of boxes and sum of weighted normalised edges for each of the ascending image ids."""
    box_images = np.array(truth.box_images, np.int64)
    positions = np.minimum(np.searchsorted(ids, box_images), len(ids) - 1)
    is_known = ids[positions] == box_images
    positions = positions[is_known]
    widths, heights = np.array(truth.widths)[order], np.array(truth.heights)[order]
    sums = np.array(truth.sums_x)[is_known] / widths[positions]
    sums += np.array(truth.sums_y)[is_known] / heights[positions]
    counts = np.bincount(positions, minlength=len(ids)).astype(np.int64)
    return counts, np.bincount(positions, weights=sums, minlength=len(ids)).astype(np.float64)


def _id_difference(found: npt.NDArray[np.int64], expected: npt.NDArray[np.int64]) -> str:
    missing = np.setdiff1d(expected, found)[:3].tolist()
    extra = np.setdiff1d(found, expected)[:3].tolist()
    return f"it has {len(found)} images, the split {len(expected)} records; missing ids {missing}, other ids {extra}"


def _first(differs: Sequence[bool], ids: npt.NDArray[np.int64], what: str) -> list[str]:
    number = sum(differs)
    if not number:
        return []
    return [f"image {ids[differs.index(True)]} has {what} ({number} such images)"]
