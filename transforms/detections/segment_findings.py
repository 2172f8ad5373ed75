"""What came of one segment, and its bytes: raw detections above a low score, and the account of its frames.

Stored as a NumPy archive without pickles. Equal findings give equal bytes.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from transforms.detections.tables import DetectionsOfFrame
from transforms.videos.frame_ledger import FrameHealth, FrameRecord, FrameStatus

_STATUSES = get_args(FrameStatus)
_HEALTHS = get_args(FrameHealth)
# Zip archives hold a date; this is the earliest one.
_NO_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True, eq=False)
class FrameRows:
    """The detections of one frame in canonical order; see ``tables.usable_rows``.

    Attributes:
      frame_index: rank of the frame in its video.
      boxes: float32 [n, 4], ymin, xmin, ymax, xmax, fractions of the frame.
      scores: float32 [n].
      classes: int32 [n].
      masks: float32 [n, h, w], 0 to 1, within each box, or None.
      keypoints: float32 [n, k, 2], y, x, fractions of the frame, or None.
    """

    frame_index: int
    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    classes: NDArray[np.int32]
    masks: NDArray[np.float32] | None = None
    keypoints: NDArray[np.float32] | None = None

    @classmethod
    def none(cls, frame_index: int) -> FrameRows:
        """Of a frame without detections."""
        floats = np.zeros(0, np.float32)
        return cls(frame_index, floats.reshape(0, 4), floats, np.zeros(0, np.int32))

    def above(self, min_score: float) -> FrameRows:
        """The rows of at least that score; they are the first ones."""
        count = int(np.count_nonzero(self.scores >= np.float32(min_score)))
        return FrameRows(
            self.frame_index,
            self.boxes[:count],
            self.scores[:count],
            self.classes[:count],
            None if self.masks is None else self.masks[:count],
            None if self.keypoints is None else self.keypoints[:count],
        )

    def detections(self) -> DetectionsOfFrame:
        return DetectionsOfFrame(self.frame_index, self.boxes, self.scores, self.classes)


@dataclass(frozen=True, slots=True, eq=False)
class SegmentFindings:
    """What came of one segment.

    Attributes:
      time_base: seconds per unit of pts.
      records: of every frame that the segment owns, in order.
      frames: of every processed frame that has detections, in order.
      failures: frame index and error of each frame that the model failed on.
      errors: the decoder's words, the first few.
      warnings: the detector's.
      timed_out: the decoder was given up.
      dropped_rows: detections left out because a number is not finite or nothing is within the frame.
      clipped_boxes: detections that reached out of the frame.
    """

    time_base: Fraction
    records: Sequence[FrameRecord]
    frames: Sequence[FrameRows]
    failures: Sequence[tuple[int, str]] = ()
    errors: Sequence[str] = ()
    warnings: Sequence[str] = ()
    timed_out: bool = False
    dropped_rows: int = 0
    clipped_boxes: int = 0


class FindingsUnreadable(ValueError):
    """The bytes are no findings."""


def findings_bytes(findings: SegmentFindings) -> bytes:
    """The findings as an archive."""
    records, frames = findings.records, findings.frames
    facts = {
        "time_base": str(findings.time_base),
        "failures": list(findings.failures),
        "errors": list(findings.errors),
        "warnings": list(findings.warnings),
        "timed_out": findings.timed_out,
        "dropped_rows": findings.dropped_rows,
        "clipped_boxes": findings.clipped_boxes,
        "first_frame": records[0].frame_index if records else 0,
    }
    arrays: dict[str, NDArray[Any]] = {
        "facts": np.frombuffer(json.dumps(facts).encode(), np.uint8),
        "pts": np.array([record.pts for record in records], np.int64),
        "key_frame": np.array([record.key_frame for record in records], np.bool_),
        "status": np.array([_STATUSES.index(record.status) for record in records], np.uint8),
        "health": np.array([_HEALTHS.index(record.health) for record in records], np.uint8),
        "frame_index": np.array([frame.frame_index for frame in frames], np.int64),
        "rows": np.array([len(frame.scores) for frame in frames], np.int64),
        "boxes": _joined([frame.boxes for frame in frames], (0, 4), np.float32),
        "scores": _joined([frame.scores for frame in frames], (0,), np.float32),
        "classes": _joined([frame.classes for frame in frames], (0,), np.int32),
    }
    masks = [frame.masks for frame in frames if frame.masks is not None]
    if frames and len(masks) == len(frames):
        # A quarter of the size; drawing asks only whether a value is above a half.
        arrays["masks"] = np.rint(np.concatenate(masks).clip(0, 1) * 255).astype(np.uint8)
    keypoints = [frame.keypoints for frame in frames if frame.keypoints is not None]
    if frames and len(keypoints) == len(frames):
        arrays["keypoints"] = np.concatenate(keypoints)
    return _archive(arrays)


def parse_findings(data: bytes) -> SegmentFindings:
    """The findings of an archive.

    Raises:
      FindingsUnreadable: it is damaged or something else.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        facts = json.loads(arrays["facts"].tobytes())
        time_base = Fraction(facts["time_base"])
        return SegmentFindings(
            time_base=time_base,
            records=tuple(_records(arrays, facts["first_frame"], time_base)),
            frames=tuple(_frames(arrays)),
            failures=tuple((index, error) for index, error in facts["failures"]),
            errors=tuple(facts["errors"]),
            warnings=tuple(facts["warnings"]),
            timed_out=facts["timed_out"],
            dropped_rows=facts["dropped_rows"],
            clipped_boxes=facts["clipped_boxes"],
        )
    except (zipfile.BadZipFile, ValueError, KeyError, IndexError, EOFError, OSError) as error:
        raise FindingsUnreadable(f"{type(error).__name__}: {error}") from error


def _records(arrays: Mapping[str, NDArray[Any]], first: int, time_base: Fraction) -> Iterator[FrameRecord]:
    columns = (arrays[name].tolist() for name in ("pts", "key_frame", "status", "health"))
    for rank, (pts, key_frame, status, health) in enumerate(zip(*columns, strict=True)):
        time_s = float(pts * time_base)
        yield FrameRecord(first + rank, pts, time_s, key_frame, _STATUSES[status], _HEALTHS[health])


def _frames(arrays: Mapping[str, NDArray[Any]]) -> Iterator[FrameRows]:
    end = 0
    masks, keypoints = arrays.get("masks"), arrays.get("keypoints")
    for index, count in zip(arrays["frame_index"].tolist(), arrays["rows"].tolist(), strict=True):
        start, end = end, end + count
        yield FrameRows(
            index,
            arrays["boxes"][start:end],
            arrays["scores"][start:end],
            arrays["classes"][start:end],
            None if masks is None else masks[start:end].astype(np.float32) / np.float32(255),
            None if keypoints is None else keypoints[start:end],
        )


def _archive(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """As ``np.savez_compressed``, without the time of day."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy", _NO_DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)
    return stream.getvalue()


def _joined(parts: list[NDArray[Any]], empty: tuple[int, ...], kind: Any) -> NDArray[Any]:
    return np.concatenate(parts).astype(kind) if parts else np.zeros(empty, kind)
