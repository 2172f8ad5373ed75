from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from transforms.videos.frame_ledger import (
    FrameCounts,
    FrameHealth,
    FrameRecord,
    FrameStatus,
    LedgerNotClosed,
    close_ledger,
    count_frames,
    video_status,
)
from transforms.videos.probe import VideoProbe
from transforms.videos.reasons import VideoReason

PTS = [0, 10, 25]
PROBE = VideoProbe("avi", "h264", 0, Fraction(1, 10), tuple(PTS), (), 64, 48)


def _record(index: int, status: FrameStatus = "processed", health: FrameHealth = "ok") -> FrameRecord:
    return FrameRecord(index, PTS[index], PTS[index] / 10, False, status, health)


def test_a_closed_ledger_comes_in_order() -> None:
    assert [r.pts for r in close_ledger(PTS, [_record(2), _record(0), _record(1)])] == PTS


@pytest.mark.parametrize(
    ("records", "words"),
    [
        ([_record(0), _record(2)], "pts missing: 10"),
        ([_record(0), _record(1), _record(1), _record(2)], "recorded twice: 10"),
        ([_record(0), _record(1), _record(2), replace(_record(2), pts=99)], "never expected: 99"),
        ([_record(0), replace(_record(1), frame_index=7), _record(2)], "wrong index: 10"),
        ([], "pts missing: 0, 10, 25"),
    ],
)
def test_an_open_ledger_is_an_error(records: list[FrameRecord], words: str) -> None:
    with pytest.raises(LedgerNotClosed, match=words):
        close_ledger(PTS, records)


def test_counts() -> None:
    records = [_record(0, health="suspect"), _record(1, "skipped"), _record(2, "lost", "suspect")]
    assert count_frames(records) == FrameCounts(expected=3, processed=1, skipped=1, suspect=1, lost=1)


@pytest.mark.parametrize(
    ("probe", "counts", "timed_out", "status", "reason"),
    [
        ({}, (3, 3, 0, 0, 0), False, "ok", None),
        ({}, (3, 1, 2, 0, 0), False, "ok", None),
        ({}, (3, 2, 0, 0, 1), False, "partial", VideoReason.FRAMES_LOST),
        ({}, (3, 3, 0, 1, 0), False, "partial", VideoReason.FRAMES_SUSPECT),
        ({"truncated": "9 bytes"}, (3, 3, 0, 0, 0), False, "partial", VideoReason.FILE_TRUNCATED),
        ({"unread": "9 bytes"}, (3, 3, 0, 0, 0), False, "partial", VideoReason.FILE_DAMAGED),
        ({}, (3, 1, 0, 0, 2), True, "partial", VideoReason.DECODE_TIMEOUT),
        ({}, (3, 0, 0, 0, 3), True, "rejected", VideoReason.DECODE_TIMEOUT),
        ({}, (3, 0, 0, 0, 3), False, "rejected", VideoReason.NO_FRAME_DECODED),
    ],
)
def test_status(
    probe: dict[str, Any],
    counts: tuple[int, int, int, int, int],
    timed_out: bool,
    status: str,
    reason: VideoReason | None,
) -> None:
    found = video_status(replace(PROBE, **probe), FrameCounts(*counts), timed_out=timed_out)
    assert found[:2] == (status, reason)
    assert bool(found[2]) == (status != "ok")
