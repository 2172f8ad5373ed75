"""Cutting a video into parts that can be decoded apart from each other and still give every frame once.

A segment owns the frames of a half-open range of pts from one key frame to another. Its decoding starts at
the first key frame and goes on **past** the second one until the pts of what comes out reach the end: frames
shown before a key frame may be stored after it (open groups of pictures) and would be nobody's if packets
were dealt out instead.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from fractions import Fraction

from transforms.videos.probe import KeyFrame, VideoProbe
from transforms.videos.sampling import Sampling, skipped_pts
from transforms.videos.sources import DEFAULT_MAX_PIXELS


@dataclass(frozen=True, slots=True)
class SegmentSpec:
    """All that a worker needs to decode one part of a video; a few bytes a frame.

    Attributes:
      index: rank among the video's segments.
      stream_index: of the video stream, among all streams of the file.
      time_base: seconds per unit of pts.
      start: key frame to start at; None: the start of the file.
      start_pts, end_pts: the range owned, ``start_pts <= pts < end_pts``; an end of None is the video's end.
      first_frame_index: of ``pts[0]`` in the whole video.
      pts: of every frame owned, ascending.
      key_pts: those that are key frames.
      skipped_pts: those that the sampling leaves out.
      damaged_pts: those that follow bytes which the demuxer could not read.
      quarter_turns, mirrored: what it takes to show a frame upright.
      pts_by_rank: see ``VideoProbe``; such a video has one segment.
      by_byte: start at the key frame's byte, since the container cannot find a time (MPEG-TS).
      max_pixels: no larger frame is decoded.
    """

    index: int
    stream_index: int
    time_base: Fraction
    start: KeyFrame | None
    start_pts: int
    end_pts: int | None
    first_frame_index: int
    pts: tuple[int, ...]
    key_pts: tuple[int, ...]
    skipped_pts: tuple[int, ...] = ()
    damaged_pts: tuple[int, ...] = ()
    quarter_turns: int = 0
    mirrored: bool = False
    pts_by_rank: bool = False
    by_byte: bool = False
    max_pixels: int = DEFAULT_MAX_PIXELS

    @property
    def name(self) -> str:
        """A name that is the same for the same range: ``<start pts>-<end pts>``, or ``-end`` for the last
        one."""
        return f"{self.start_pts}-{'end' if self.end_pts is None else self.end_pts}"


def plan_segments(
    probe: VideoProbe,
    segment_seconds: float,
    *,
    sampling: Sampling | None = None,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> tuple[SegmentSpec, ...]:
    """Cuts a video at key frames into segments of ``segment_seconds`` or a little more.

    Together the segments own every pts of the probe exactly once. A video that cannot be split has one
    segment.

    Raises:
      ValueError: ``segment_seconds`` is not positive.
    """
    if segment_seconds <= 0:
        raise ValueError(f"segment_seconds is {segment_seconds}; give a number above 0")
    skipped = skipped_pts(probe.pts, probe.time_base, sampling or Sampling())
    starts = _segment_starts(probe, Fraction(segment_seconds))
    key_pts = tuple(key.pts for key in probe.key_frames)
    specs = []
    for index, start in enumerate(starts):
        end = starts[index + 1] if index + 1 < len(starts) else None
        start_pts = probe.pts[0] if start is None else start.pts
        end_pts = None if end is None else end.pts
        specs.append(
            SegmentSpec(
                index=index,
                stream_index=probe.stream_index,
                time_base=probe.time_base,
                start=start,
                start_pts=start_pts,
                end_pts=end_pts,
                first_frame_index=bisect_left(probe.pts, start_pts),
                pts=_within(probe.pts, start_pts, end_pts),
                key_pts=_within(key_pts, start_pts, end_pts),
                skipped_pts=_within(skipped, start_pts, end_pts),
                damaged_pts=_within(probe.damaged_pts, start_pts, end_pts),
                quarter_turns=probe.quarter_turns,
                mirrored=probe.mirrored,
                pts_by_rank=probe.pts_by_rank,
                by_byte=probe.container == "mpegts",
                max_pixels=max_pixels,
            )
        )
    return tuple(specs)


def _segment_starts(probe: VideoProbe, segment_seconds: Fraction) -> list[KeyFrame | None]:
    starts: list[KeyFrame | None] = [None]
    if not probe.splittable:
        return starts
    begun = probe.pts[0]
    for key in probe.key_frames:
        if (key.pts - begun) * probe.time_base >= segment_seconds:
            starts.append(key)
            begun = key.pts
    return starts


def _within(ordered: tuple[int, ...], start: int, end: int | None) -> tuple[int, ...]:
    return ordered[bisect_left(ordered, start) : None if end is None else bisect_left(ordered, end)]
