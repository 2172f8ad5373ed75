"""The keypoints of a record's objects against the keypoints that the dataset declares; and the objects' tracks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from transforms.examples import feature_keys as keys
from transforms.examples.class_ids import ClassIds
from transforms.examples.image_level import MAX_TRACK, NO_TRACK
from transforms.verification.findings import Code, Problem

# For y and x; with those of boxes, distinct.
KEYPOINT_WEIGHTS = (11.0, 13.0)
Values = Mapping[str, Sequence[object]]


def missing_keypoints(found: Mapping[str, object], class_ids: ClassIds) -> Iterator[Problem]:
    """Each record has all keys of keypoints if a class of the dataset has any, and none else."""
    for key in keys.KEYPOINTS:
        if class_ids.keypoints.names and key not in found:
            yield Code.KEY_MISSING, f"it has no {key}, though classes of the dataset have keypoints"
        if not class_ids.keypoints.names and key in found:
            yield Code.KEY_UNKNOWN, f"it has {key}, though no class of the dataset has keypoints"


def check_keypoints(values: Values, class_ids: ClassIds) -> Iterator[Problem]:
    """Checks keypoints and tracks whose numbers of values are right."""
    if unfit := [track for track in values.get(keys.TRACK, ()) if not NO_TRACK <= track <= MAX_TRACK]:  # type: ignore[operator]
        yield Code.VALUE_INVALID, f"{keys.TRACK} holds {unfit[0]}, not {NO_TRACK} to {MAX_TRACK}"
    names = class_ids.keypoints.names
    if not names or keys.KEYPOINT_X not in values:
        return
    points, visibility = _points(values, len(names))
    if not np.isin(visibility, (0, 1, 2)).all():
        yield Code.VALUE_INVALID, f"{keys.KEYPOINT_VISIBILITY} holds another value than 0, 1 and 2"
    is_labelled = visibility > 0
    is_inside = ((points >= 0) & (points <= 1)).all(axis=2)
    if (is_labelled & ~is_inside).any():
        yield Code.VALUE_INVALID, f"{keys.KEYPOINT_X} or {keys.KEYPOINT_Y} of a labelled keypoint is not in 0..1"
    if (~is_labelled & ~np.isnan(points).all(axis=2)).any():
        yield Code.VALUE_INVALID, f"{keys.KEYPOINT_X} or {keys.KEYPOINT_Y} of an unlabelled keypoint is not NaN"
    if is_labelled.sum(axis=1).tolist() != list(values[keys.KEYPOINT_NUMBER]):
        yield Code.VALUE_INVALID, f"{keys.KEYPOINT_NUMBER} is not how many keypoints of each object are labelled"
    if list(values[keys.KEYPOINT_TEXT]) != [name.encode() for name in names] * len(points):
        yield Code.VALUE_INVALID, f"{keys.KEYPOINT_TEXT} is not the names {', '.join(names)!r:.200} for each object"
    for index, label in enumerate(values[keys.TEXT]):
        own = class_ids.keypoints.places.get(label.decode("utf-8", "replace"), ())  # type: ignore[attr-defined]
        if set(np.flatnonzero(is_labelled[index]).tolist()) - set(own):
            yield Code.VALUE_INVALID, f"object {index} has a labelled keypoint that its class has not"
            return


def keypoint_sum(values: Values, class_ids: ClassIds) -> float:
    """Labelled keypoints times KEYPOINT_WEIGHTS, summed; see ``check_ground_truth``."""
    if not class_ids.keypoints.names or keys.KEYPOINT_X not in values:
        return 0.0
    points, visibility = _points(values, len(class_ids.keypoints.names))
    return float((points[visibility > 0].astype(np.float64) @ KEYPOINT_WEIGHTS).sum())


def _points(values: Values, count: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """y, x [objects, K, 2] and visibility [objects, K]."""
    y, x = (np.array(values[key], np.float32) for key in (keys.KEYPOINT_Y, keys.KEYPOINT_X))
    visibility = np.array(values[keys.KEYPOINT_VISIBILITY], np.int64)
    return np.stack([y, x], axis=1).reshape(-1, count, 2), visibility.reshape(-1, count)
