"""What became of each frame of a video; the account must close."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from transforms.videos.probe import VideoProbe
from transforms.videos.reasons import VideoReason

FrameStatus = Literal["processed", "skipped", "lost"]
FrameHealth = Literal["ok", "suspect"]
VideoStatus = Literal["ok", "partial", "rejected"]


@dataclass(frozen=True, slots=True)
class FrameRecord:
    """One expected frame.

    Attributes:
      frame_index: rank of the pts in the whole video, from 0.
      pts, time_s: when it is shown; in units of the video's time base, and in seconds.
      key_frame: whether its packet is marked as one.
      status: processed; skipped by the sampling; or lost: expected, but never came out of the decoder.
      health: suspect if the decoder met an error at or before it since the last key frame, so that the
        picture may be damaged. A lost frame is always suspect.
    """

    frame_index: int
    pts: int
    time_s: float
    key_frame: bool
    status: FrameStatus
    health: FrameHealth


@dataclass(frozen=True, slots=True)
class FrameCounts:
    """``expected = processed + skipped + lost``; ``suspect`` ones are among the processed and the skipped."""

    expected: int
    processed: int
    skipped: int
    suspect: int
    lost: int


class LedgerNotClosed(Exception):
    """A video's frames are not accounted for exactly once each: a fault of this program, not of the video."""


def close_ledger(expected_pts: Sequence[int], records: Iterable[FrameRecord]) -> tuple[FrameRecord, ...]:
    """A whole video's records in the order of their pts.

    Raises:
      LedgerNotClosed: an expected pts is missing, is there twice, or was never expected, or a frame index is
        wrong.
    """
    ordered = sorted(records, key=lambda record: record.pts)
    seen = Counter(record.pts for record in ordered)
    twice = [pts for pts, times in seen.items() if times > 1]
    missing = [pts for pts in expected_pts if pts not in seen]
    unknown = sorted(seen.keys() - set(expected_pts))
    misplaced = [r.pts for rank, r in enumerate(ordered) if r.frame_index != rank]
    if twice or missing or unknown or misplaced:
        raise LedgerNotClosed(
            f"{len(expected_pts)} frames are expected and {len(ordered)} recorded; "
            f"pts missing: {_some(missing)}; recorded twice: {_some(twice)}; "
            f"never expected: {_some(unknown)}; wrong index: {_some(misplaced)}"
        )
    return tuple(ordered)


def count_frames(records: Iterable[FrameRecord]) -> FrameCounts:
    """Counts by status and health."""
    by_status: Counter[str] = Counter()
    suspect = 0
    for record in records:
        by_status[record.status] += 1
        suspect += record.status != "lost" and record.health == "suspect"
    return FrameCounts(
        expected=by_status.total(),
        processed=by_status["processed"],
        skipped=by_status["skipped"],
        suspect=suspect,
        lost=by_status["lost"],
    )


def video_status(
    probe: VideoProbe, counts: FrameCounts, *, timed_out: bool = False, failed: int = 0
) -> tuple[VideoStatus, VideoReason | None, str]:
    """A video's status, its main reason unless it is ok, and what shows it.

    Args:
      timed_out: a segment was given up because its decoder took too long.
      failed: how many of the lost frames were decoded, but the model failed on them.
    """
    if counts.processed == 0:
        if failed:
            return (
                "rejected",
                VideoReason.INFERENCE_FAILED,
                f"the model failed on all {failed} frames that were decoded",
            )
        reason = VideoReason.DECODE_TIMEOUT if timed_out else VideoReason.NO_FRAME_DECODED
        return "rejected", reason, f"none of {counts.expected} frames could be decoded"
    lost = f"{counts.lost} of {counts.expected} frames are lost, {counts.suspect} are suspect"
    if timed_out:
        return "partial", VideoReason.DECODE_TIMEOUT, lost
    if probe.truncated:
        return "partial", VideoReason.FILE_TRUNCATED, f"{probe.truncated}; {lost}"
    if probe.unread:
        return "partial", VideoReason.FILE_DAMAGED, f"{probe.unread}; {lost}"
    if failed:
        return "partial", VideoReason.INFERENCE_FAILED, f"the model failed on {failed} frames; {lost}"
    if counts.lost:
        return "partial", VideoReason.FRAMES_LOST, lost
    if counts.suspect:
        return "partial", VideoReason.FRAMES_SUSPECT, lost
    return "ok", None, ""


def _some(pts: list[int]) -> str:
    return ", ".join(str(p) for p in pts[:5]) + (" …" if len(pts) > 5 else "") if pts else "none"
