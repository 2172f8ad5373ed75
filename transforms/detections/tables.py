"""The canonical tables of a video: one row a detection, and one row a frame, as Parquet with reproducible
bytes.

Everything else (exports, drawings, another threshold) is made from these, so a model runs once. The same rows
give the same bytes with the same versions of Arrow: the schema, the size of the row groups and the
compression are fixed, and nothing of the run (time, host, worker) is stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from os import PathLike
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from transforms.videos.frame_ledger import FrameRecord

ROWS_PER_GROUP = 65_536

DETECTION_SCHEMA = pa.schema(
    [
        ("video", pa.string()),
        ("frame_index", pa.int64()),
        ("pts", pa.int64()),
        ("time_base", pa.string()),
        ("time_s", pa.float64()),
        ("key_frame", pa.bool_()),
        ("health", pa.string()),
        ("class_id", pa.int32()),
        ("label", pa.string()),
        ("score", pa.float32()),
        ("ymin", pa.float32()),
        ("xmin", pa.float32()),
        ("ymax", pa.float32()),
        ("xmax", pa.float32()),
        ("ymin_px", pa.float32()),
        ("xmin_px", pa.float32()),
        ("ymax_px", pa.float32()),
        ("xmax_px", pa.float32()),
        ("model", pa.string()),
        ("segment", pa.int32()),
    ]
)

FRAME_SCHEMA = pa.schema(
    [
        ("frame_index", pa.int64()),
        ("pts", pa.int64()),
        ("time_s", pa.float64()),
        ("key_frame", pa.bool_()),
        ("status", pa.string()),
        ("health", pa.string()),
        ("detections", pa.int32()),
    ]
)


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """What is the same for all rows of a video.

    Attributes:
      video: its name, as the user knows it.
      time_base: seconds per unit of pts.
      width, height: pixels, upright.
      model: fingerprint of the model.
    """

    video: str
    time_base: Fraction
    width: int
    height: int
    model: str


@dataclass(frozen=True, slots=True)
class DetectionsOfFrame:
    """What a detector found in one frame.

    Attributes:
      frame_index: rank of the frame in its video.
      boxes: float32 [n, 4], ymin, xmin, ymax, xmax as fractions of the upright frame.
      scores: float32 [n], 0 to 1.
      classes: int [n], ids of the label map, from 1.
    """

    frame_index: int
    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    classes: NDArray[np.int32]


def usable_rows(
    boxes: NDArray[np.float32], scores: NDArray[np.float32], classes: NDArray[np.int32], min_score: float = 0.0
) -> tuple[NDArray[np.intp], int]:
    """Which rows of a frame are finite, of at least ``min_score`` and not empty within the frame, in canonical
    order: by descending score, then by class and edges. And how many were dropped because a number is not finite or
    nothing is left within the frame.

    Args:
      boxes: [n, 4], ymin, xmin, ymax, xmax as fractions of the frame.
      scores, classes: [n].

    Raises:
      ValueError: the arrays do not belong together.
    """
    count = len(scores)
    if boxes.shape != (count, 4) or classes.shape != (count,):
        raise ValueError(
            f"boxes {boxes.shape}, scores {scores.shape} and classes {classes.shape} do not belong together; "
            "expected [n, 4], [n] and [n]"
        )
    inside = np.clip(boxes, 0.0, 1.0)
    finite = np.isfinite(boxes).all(axis=1) & np.isfinite(scores)
    sound = finite & (inside[:, 2] > inside[:, 0]) & (inside[:, 3] > inside[:, 1])
    # In float32, as the scores are: a score of 0.05 is not below a limit of 0.05.
    wanted = scores >= np.float32(min_score)
    kept = np.flatnonzero(sound & wanted)
    ymin, xmin, ymax, xmax = inside[kept].T
    order = kept[np.lexsort((xmax, ymax, xmin, ymin, classes[kept], -scores[kept]))]
    return order, int(np.count_nonzero(~finite | (wanted & ~sound)))


def usable_detections(found: DetectionsOfFrame, min_score: float = 0.0) -> tuple[DetectionsOfFrame, int]:
    """A frame's ``usable_rows``, clipped to the frame, and how many were dropped.

    Raises:
      ValueError: the arrays do not belong together.
    """
    boxes, scores = found.boxes.astype(np.float32), found.scores.astype(np.float32)
    try:
        rows, dropped = usable_rows(boxes, scores, found.classes, min_score)
    except ValueError as error:
        raise ValueError(f"frame {found.frame_index}: {error}") from None
    usable = DetectionsOfFrame(
        found.frame_index, np.clip(boxes[rows], 0.0, 1.0), scores[rows], found.classes[rows].astype(np.int32)
    )
    return usable, dropped


def detection_table(
    facts: VideoFacts,
    frames: Iterable[DetectionsOfFrame],
    records: Iterable[FrameRecord],
    *,
    segment: int,
    labels: Mapping[int, str],
) -> pa.Table:
    """The rows of one segment, ordered by frame and, in each, as ``usable_detections`` orders them.

    Args:
      records: of the segment's frames; they give pts, time and health.
      labels: class id → name; an id without one is named ``class_<id>``.

    Raises:
      KeyError: a frame has no record.
    """
    ordered = sorted((f for f in frames if len(f.scores)), key=lambda f: f.frame_index)
    by_index = {record.frame_index: record for record in records}
    counts = [len(f.scores) for f in ordered]
    total = sum(counts)

    def spread(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
        """One value a frame → one a detection."""
        rows = np.repeat(np.arange(len(ordered)), counts)
        return pa.array(values, kind).take(pa.array(rows, pa.int64()))

    own = [by_index[f.frame_index] for f in ordered]
    boxes = _joined([f.boxes for f in ordered], (0, 4), np.float32)
    pixels = boxes * np.array([facts.height, facts.width, facts.height, facts.width], np.float32)
    classes = _joined([f.classes for f in ordered], (0,), np.int32)
    columns: dict[str, Any] = {
        "video": pa.repeat(pa.scalar(facts.video, pa.string()), total),
        "frame_index": spread([r.frame_index for r in own], pa.int64()),
        "pts": spread([r.pts for r in own], pa.int64()),
        "time_base": pa.repeat(pa.scalar(str(facts.time_base), pa.string()), total),
        "time_s": spread([r.time_s for r in own], pa.float64()),
        "key_frame": spread([r.key_frame for r in own], pa.bool_()),
        "health": spread([r.health for r in own], pa.string()),
        "class_id": classes,
        "label": [labels.get(int(c), f"class_{c}") for c in classes],
        "score": _joined([f.scores for f in ordered], (0,), np.float32),
        "model": pa.repeat(pa.scalar(facts.model, pa.string()), total),
        "segment": pa.repeat(pa.scalar(segment, pa.int32()), total),
    }
    for column, name in enumerate(("ymin", "xmin", "ymax", "xmax")):
        columns[name] = boxes[:, column]
        columns[name + "_px"] = pixels[:, column]
    arrays = [pa.array(columns[field.name], field.type) for field in DETECTION_SCHEMA]
    return pa.table(arrays, schema=with_facts(DETECTION_SCHEMA, facts))


def frame_table(facts: VideoFacts, records: Iterable[FrameRecord], detections: Mapping[int, int]) -> pa.Table:
    """One row for every expected frame, in order; ``detections`` counts them by frame index."""
    rows = sorted(records, key=lambda record: record.frame_index)
    columns = {
        "frame_index": [r.frame_index for r in rows],
        "pts": [r.pts for r in rows],
        "time_s": [r.time_s for r in rows],
        "key_frame": [r.key_frame for r in rows],
        "status": [r.status for r in rows],
        "health": [r.health for r in rows],
        "detections": [detections.get(r.frame_index, 0) for r in rows],
    }
    arrays = [pa.array(columns[field.name], field.type) for field in FRAME_SCHEMA]
    return pa.table(arrays, schema=with_facts(FRAME_SCHEMA, facts))


def with_facts(schema: pa.Schema, facts: VideoFacts) -> pa.Schema:
    """The schema with the video's facts in its metadata, which Parquet keeps."""
    return schema.with_metadata(
        {
            "boxmill.video": facts.video,
            "boxmill.time_base": str(facts.time_base),
            "boxmill.width": str(facts.width),
            "boxmill.height": str(facts.height),
            "boxmill.model": facts.model,
        }
    )


def facts_of(schema: pa.Schema) -> VideoFacts:
    """The facts that ``with_facts`` stored.

    Raises:
      ValueError: there are none.
    """
    found = {key.decode(): value.decode() for key, value in (schema.metadata or {}).items()}
    try:
        return VideoFacts(
            video=found["boxmill.video"],
            time_base=Fraction(found["boxmill.time_base"]),
            width=int(found["boxmill.width"]),
            height=int(found["boxmill.height"]),
            model=found["boxmill.model"],
        )
    except KeyError as missing:
        raise ValueError(f"no {missing} in the table's metadata; it was not written by detect") from None


def write_canonical(file: str | PathLike[str] | BinaryIO, schema: pa.Schema, tables: Iterable[pa.Table]) -> int:
    """Writes tables, one after another, as one Parquet file; returns the number of rows.

    The bytes depend on the rows alone, not on how they are spread over the tables. At most one row group and
    one table are in memory.
    """
    rows = 0
    with pq.ParquetWriter(
        file,
        schema,
        version="2.6",
        data_page_version="1.0",
        compression="zstd",
        compression_level=3,
        use_dictionary=[field.name for field in schema if pa.types.is_string(field.type)],
        write_statistics=True,
    ) as writer:
        for group in _in_groups(schema, tables):
            writer.write_table(group, row_group_size=ROWS_PER_GROUP)
            rows += len(group)
    return rows


def _in_groups(schema: pa.Schema, tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    waiting = schema.empty_table()
    for table in tables:
        waiting = pa.concat_tables([waiting, table.cast(schema)])
        while len(waiting) >= ROWS_PER_GROUP:
            yield waiting.slice(0, ROWS_PER_GROUP).combine_chunks()
            waiting = waiting.slice(ROWS_PER_GROUP)
    if len(waiting):
        yield waiting.combine_chunks()


def _joined(parts: list[NDArray[Any]], empty: tuple[int, ...], kind: Any) -> NDArray[Any]:
    return np.concatenate(parts).astype(kind) if parts else np.zeros(empty, kind)
