from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from tests.detections.rows import RECORDS
from transforms.detections.segment_findings import (
    FindingsUnreadable,
    FrameRows,
    SegmentFindings,
    findings_bytes,
    parse_findings,
)


def rows(index: int, count: int, *, extras: bool = False) -> FrameRows:
    random = np.random.default_rng(index)
    return FrameRows(
        index,
        random.random((count, 4), np.float32),
        np.sort(random.random(count, np.float32))[::-1],
        random.integers(1, 90, count, dtype=np.int32),
        random.random((count, 5, 6), np.float32) if extras else None,
        random.random((count, 3, 2), np.float32) if extras else None,
    )


def findings(*frames: FrameRows) -> SegmentFindings:
    return SegmentFindings(
        time_base=Fraction(1, 30000),
        records=RECORDS,
        frames=frames,
        failures=((3, "ValueError: 나쁜"),),
        errors=("one",),
        warnings=("two",),
        timed_out=True,
        dropped_rows=4,
        clipped_boxes=5,
    )


@pytest.mark.parametrize("extras", [False, True])
def test_what_is_stored_comes_back(extras: bool) -> None:
    stored = findings(rows(0, 3, extras=extras), rows(4, 1, extras=extras))
    found = parse_findings(findings_bytes(stored))
    assert found.records == RECORDS
    assert (found.time_base, found.failures, found.errors) == (stored.time_base, stored.failures, stored.errors)
    assert (found.warnings, found.timed_out, found.dropped_rows, found.clipped_boxes) == (("two",), True, 4, 5)
    assert [frame.frame_index for frame in found.frames] == [0, 4]
    for one, other in zip(stored.frames, found.frames, strict=True):
        for name in ("boxes", "scores", "classes", "keypoints"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        if extras:
            assert one.masks is not None
            assert other.masks is not None
            np.testing.assert_allclose(one.masks, other.masks, atol=1 / 500)


def test_a_segment_without_detections_or_frames() -> None:
    assert parse_findings(findings_bytes(findings())).frames == ()
    empty = parse_findings(findings_bytes(SegmentFindings(Fraction(1, 25), (), ())))
    assert (empty.records, empty.frames) == ((), ())


def test_equal_findings_give_equal_bytes() -> None:
    assert findings_bytes(findings(rows(0, 3))) == findings_bytes(findings(rows(0, 3)))


def test_damage_is_noticed() -> None:
    data = findings_bytes(findings(rows(0, 50)))
    for cut in (0, 10, len(data) // 2, len(data) - 1):
        with pytest.raises(FindingsUnreadable):
            parse_findings(data[:cut])
    flipped = bytearray(data)
    flipped[data.index(b"boxes.npy") + 200] ^= 0xFF
    with pytest.raises(FindingsUnreadable):
        parse_findings(bytes(flipped))


def test_rows_above_a_score_are_the_first_ones() -> None:
    boxes = np.zeros((3, 4), np.float32)
    scores = np.array([0.9, 0.05, 0.04], np.float32)
    found = FrameRows(7, boxes, scores, np.array([1, 2, 3], np.int32)).above(0.05)
    assert found.classes.tolist() == [1, 2]
    assert len(found.detections().boxes) == 2
