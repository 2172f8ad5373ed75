from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.detections.rows import FACTS, FOUND, LABELS, RECORDS, found, tables
from transforms.detections import tables as tables_module
from transforms.detections.tables import (
    DETECTION_SCHEMA,
    FRAME_SCHEMA,
    DetectionsOfFrame,
    detection_table,
    facts_of,
    usable_detections,
    with_facts,
    write_canonical,
)


def _written(parts: list[pa.Table]) -> bytes:
    file = io.BytesIO()
    rows = write_canonical(file, with_facts(DETECTION_SCHEMA, FACTS), parts)
    assert rows == sum(len(part) for part in parts)
    return file.getvalue()


def test_rows_of_a_segment() -> None:
    detections, _ = tables()
    assert detections.schema.equals(DETECTION_SCHEMA)
    first, second, third = detections.to_pylist()
    assert first["video"] == "거리/street 1.mp4"
    assert (first["frame_index"], first["pts"], first["time_base"], first["time_s"]) == (0, 0, "1/30000", 0.0)
    assert (first["key_frame"], first["health"], first["segment"], first["model"]) == (
        True,
        "ok",
        0,
        "model-1",
    )
    assert (first["class_id"], first["label"]) == (1, "person")
    assert first["score"] == pytest.approx(0.9)
    edges = [first[name] for name in ("ymin", "xmin", "ymax", "xmax")]
    assert edges == pytest.approx([0.1, 0.2, 0.5, 0.6])
    pixels = [first[name + "_px"] for name in ("ymin", "xmin", "ymax", "xmax")]
    assert pixels == pytest.approx([10, 40, 50, 120])
    assert second["label"] == "개"
    assert (third["frame_index"], third["pts"]) == (4, 4004)


def test_every_frame_has_its_row() -> None:
    _, frames = tables()
    assert frames.schema.equals(FRAME_SCHEMA)
    assert frames["status"].to_pylist() == ["processed", "skipped", "processed", "lost", "processed"]
    assert frames["health"].to_pylist() == ["ok", "ok", "suspect", "suspect", "ok"]
    assert frames["detections"].to_pylist() == [2, 0, 0, 0, 1]


def test_a_class_without_a_name_is_called_by_its_number() -> None:
    table = detection_table(FACTS, FOUND, RECORDS, segment=0, labels={})
    assert table["label"].to_pylist() == ["class_1", "class_18", "class_3"]


def test_no_detections_is_an_empty_table_with_all_columns() -> None:
    table = detection_table(FACTS, [found(0)], RECORDS, segment=0, labels=LABELS)
    assert len(table) == 0
    assert table.schema.equals(DETECTION_SCHEMA)
    assert len(pq.read_table(io.BytesIO(_written([table])))) == 0
    assert len(pq.read_table(io.BytesIO(_written([])))) == 0


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    detections, _ = tables()
    path = tmp_path / "detections.parquet"
    write_canonical(path, detections.schema, [detections])
    back = pq.read_table(path)
    assert back.equals(detections)
    assert facts_of(back.schema) == FACTS


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, 12), max_size=8), st.integers(1, 9))
def test_bytes_do_not_depend_on_how_rows_are_spread(sizes: list[int], group: int) -> None:
    total = sum(sizes)
    records = [RECORDS[0]]
    many = found(0, *(((0, 0, 0.5, (i + 1) / 100), 0.5, 1) for i in range(total)))
    whole = detection_table(FACTS, [many], records, segment=0, labels=LABELS)
    cuts = np.cumsum([0, *sizes])
    parts = [whole.slice(start, size) for start, size in zip(cuts, sizes, strict=False)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables_module, "ROWS_PER_GROUP", group)
        written = _written(parts)
        assert written == _written([whole])
    metadata = pq.read_metadata(io.BytesIO(written))
    assert metadata.num_row_groups == -(-total // group)
    assert pq.read_table(io.BytesIO(written)).equals(whole)


def test_usable_detections_are_finite_inside_and_ordered() -> None:
    raw = found(
        7,
        ((0.1, 0.1, 0.2, 0.2), 0.3, 2),
        ((-0.5, 0.5, 1.5, 0.9), 0.8, 1),  # clipped
        ((0.1, 0.1, float("nan"), 0.2), 0.9, 1),  # dropped: not finite
        ((0.1, 0.1, 0.2, 0.2), float("nan"), 1),  # dropped: not finite
        ((1.2, 0.1, 1.4, 0.2), 0.9, 1),  # dropped: outside
        ((0.1, 0.1, 0.2, 0.2), 0.01, 1),  # below the score that is asked for
        ((0.1, 0.1, 0.2, 0.2), 0.3, 1),
    )
    usable, dropped = usable_detections(raw, min_score=0.05)
    assert dropped == 3
    assert usable.frame_index == 7
    assert usable.scores.tolist() == pytest.approx([0.8, 0.3, 0.3])
    assert usable.classes.tolist() == [1, 1, 2]
    assert usable.boxes[0].tolist() == pytest.approx([0.0, 0.5, 1.0, 0.9])
    assert raw.boxes[1, 0] == -0.5, "the caller's arrays are left alone"


def test_canonical_order_is_that_of_no_input_order() -> None:
    rng = np.random.default_rng(3)
    low, size = rng.random((40, 2)) / 2, rng.random((40, 2)) / 2 + 0.01
    boxes = np.concatenate([low, low + size], axis=1).astype(np.float32)
    scores, classes = rng.integers(1, 5, 40) / np.float32(8), rng.integers(1, 4, 40)
    first, _ = usable_detections(DetectionsOfFrame(0, boxes, scores.astype(np.float32), classes))
    mixed = rng.permutation(40)
    second, _ = usable_detections(DetectionsOfFrame(0, boxes[mixed], scores[mixed].astype(np.float32), classes[mixed]))
    assert np.array_equal(first.boxes, second.boxes)
    assert np.array_equal(first.classes, second.classes)


def test_arrays_that_do_not_belong_together_are_refused() -> None:
    wrong = DetectionsOfFrame(3, np.zeros((2, 4), np.float32), np.zeros(3, np.float32), np.zeros(3, np.int32))
    with pytest.raises(ValueError, match="frame 3"):
        usable_detections(wrong)


def test_a_foreign_table_is_named() -> None:
    with pytest.raises(ValueError, match="not written by detect"):
        facts_of(DETECTION_SCHEMA)
