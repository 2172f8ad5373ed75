"""A whole video gone through as a pipeline would: probe, segments, decoding, ledger, status."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from tests.videos.clips import read_number
from transforms.videos.decoding import SegmentDecoder
from transforms.videos.frame_ledger import (
    FrameCounts,
    FrameRecord,
    VideoStatus,
    close_ledger,
    count_frames,
    video_status,
)
from transforms.videos.probe import VideoProbe, probe_video
from transforms.videos.reasons import VideoReason, VideoRefused
from transforms.videos.sampling import Sampling
from transforms.videos.segments import plan_segments
from transforms.videos.sources import DEFAULT_MAX_PIXELS, Source

NO_FRAMES = FrameCounts(0, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Account:
    """What came of a video.

    Attributes:
      frames: (frame index, pts, digest of the pixels) of each decoded frame.
      numbers: what was burnt into them.
    """

    status: VideoStatus
    reason: VideoReason | None
    detail: str
    probe: VideoProbe | None = None
    counts: FrameCounts = NO_FRAMES
    records: tuple[FrameRecord, ...] = ()
    frames: tuple[tuple[int, int, str], ...] = ()
    numbers: tuple[int, ...] = ()
    errors: tuple[str, ...] = ()


def account(
    source: Source,
    *,
    segment_seconds: float = 30,
    stream: int | None = None,
    sampling: Sampling | None = None,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    keep_unproven: bool = False,
) -> Account:
    probe = probe_video(source, stream=stream, max_pixels=max_pixels)
    if isinstance(probe, VideoRefused):
        return Account("rejected", probe.reason, probe.detail)
    records: list[FrameRecord] = []
    frames, numbers, errors = [], [], []
    for spec in plan_segments(probe, segment_seconds, sampling=sampling, max_pixels=max_pixels):
        decoder = SegmentDecoder(source, spec, keep_unproven=keep_unproven)
        for frame in decoder:
            frames.append((frame.frame_index, frame.pts, hashlib.md5(frame.pixels).hexdigest()))
            if frame.pixels.shape[1] >= 100:
                numbers.append(read_number(frame.pixels))
        records += decoder.records()
        errors += decoder.errors
    closed = close_ledger(probe.pts, records)
    counts = count_frames(closed)
    return Account(
        *video_status(probe, counts),
        probe=probe,
        counts=counts,
        records=closed,
        frames=tuple(frames),
        numbers=tuple(numbers),
        errors=tuple(errors),
    )
