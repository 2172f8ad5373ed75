"""Joining annotated segments into one MP4 by their packets, with the source's time stamps and its sound."""

from __future__ import annotations

import heapq
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from os import PathLike
from typing import Any, BinaryIO

import av

from transforms.videos.probe import demux, describe
from transforms.videos.sources import Source, open_video

_MUXER = {"fflags": "+bitexact"}


@dataclass(frozen=True, slots=True)
class JoinedVideo:
    """What an annotated video holds.

    Attributes:
      frames, sound_packets: how many.
      sound: "copied", "none" where the source has none, or why it could not be copied.
    """

    frames: int
    sound_packets: int
    sound: str


def join_segments(
    file: str | PathLike[str] | BinaryIO,
    segments: Iterable[str | PathLike[str] | BinaryIO],
    source: Source,
    *,
    stream: int,
    time_base: Fraction,
    frame_duration: int,
) -> JoinedVideo:
    """Writes one MP4 of segments that ``SegmentEncoder`` wrote, in order, without encoding anything again.

    Every frame has the time that it has in the source, and the source's sound is copied once. Equal input
    gives equal bytes. Segments without a frame are passed over.

    Args:
      file: path, or a seekable binary file.
      stream: index of the source's video stream; the sound is the one that belongs to it.
      time_base: seconds per unit of the source's pts.
      frame_duration: of the last frame, in that unit.

    Raises:
      ValueError: no segment has a frame, two were encoded with other settings, or they are not in order.
    """
    video = _VideoPackets(segments, time_base, frame_duration)
    template = video.open_first()
    target = file if hasattr(file, "write") else str(file)
    # No time is rounded where the time scales are the source's: that of the track, and that of the edit list,
    # which says when it starts.
    scale = str(time_base.denominator)
    options = {**_MUXER, "video_track_timescale": scale, "movie_timescale": scale}
    with open_video(source) as original, av.open(target, "w", format="mp4", options=options) as out:
        own_sound, sound = _sound_of(original, stream)
        out_video = out.add_stream_from_template(template)
        out_video.time_base = Fraction(1, time_base.denominator)
        streams = [_timed(video.packets(), out_video)]
        if own_sound is not None:
            out_sound = out.add_stream_from_template(own_sound)
            streams.append(_timed(_sound_packets(original, own_sound), out_sound))
        counts = {out_video.index: 0}
        for _, _, packet, to in heapq.merge(*streams, key=lambda entry: entry[:2]):
            packet.stream = to
            out.mux_one(packet)
            counts[to.index] = counts.get(to.index, 0) + 1
    video.close()
    total = sum(counts.values())
    return JoinedVideo(counts[0], total - counts[0], sound)


class _VideoPackets:
    """The packets of all segments, one after another, each with its duration."""

    def __init__(
        self, segments: Iterable[str | PathLike[str] | BinaryIO], time_base: Fraction, last_duration: int
    ) -> None:
        self._segments = iter(segments)
        self._unit = Fraction(1, time_base.denominator)
        self._time_base = time_base
        self._last_duration = last_duration * time_base.numerator
        self._container: Any = None
        self._settings: bytes | None = None

    def open_first(self) -> Any:
        """The stream of the first segment that has frames."""
        stream = self._open_next()
        if stream is None:
            raise ValueError("no segment has a frame; there is nothing to join")
        return stream

    def packets(self) -> Iterator[Any]:
        waiting = None
        while self._container is not None:
            for packet in self._container.demux(self._container.streams.video[0]):
                if not packet.size:
                    continue
                self._rescale(packet)
                if waiting is not None:
                    if packet.pts <= waiting.pts:
                        raise ValueError(f"segments are not in order: {packet.pts} follows {waiting.pts}")
                    waiting.duration = packet.pts - waiting.pts
                    yield waiting
                waiting = packet
            self._open_next()
        if waiting is not None:
            waiting.duration = self._last_duration
            yield waiting

    def close(self) -> None:
        if self._container is not None:
            self._container.close()
            self._container = None

    def _open_next(self) -> Any:
        self.close()
        for segment in self._segments:
            file = segment if hasattr(segment, "read") else str(segment)
            try:
                container = av.open(file)
            except av.error.InvalidDataError:  # an encoder that was given no frame writes no header
                continue
            if not container.streams.video:
                container.close()
                continue
            self._container = container
            stream = container.streams.video[0]
            settings = bytes(stream.codec_context.extradata or b"")
            if self._settings not in (None, settings):
                raise ValueError(f"{segment!r} was encoded with other settings than the segments before it")
            self._settings = settings
            return stream
        return None

    def _rescale(self, packet: Any) -> None:
        """From the segment's time base, which NUT may have refined, to the track's; exact."""
        pts = packet.pts * packet.time_base / self._unit
        if pts.denominator != 1:
            raise ValueError(f"time stamp {packet.pts} x {packet.time_base} s is none of the source's")
        packet.pts = packet.dts = int(pts)
        packet.time_base = self._unit


def _timed(packets: Iterable[Any], to: Any) -> Iterator[tuple[Fraction, int, Any, Any]]:
    for packet in packets:
        yield packet.dts * packet.time_base, to.index, packet, to


def _sound_packets(container: Any, stream: Any) -> Iterator[Any]:
    last = None
    for packet in demux(container, stream, errors=[]):
        # A muxer takes no packet that goes back in time; a damaged source has such.
        if packet.size and packet.dts is not None and (last is None or packet.dts > last):
            last = packet.dts
            yield packet


def _sound_of(container: Any, video_stream: int) -> tuple[Any, str]:
    """The audio stream that belongs to the video, or None and why there is none."""
    if not container.streams.audio:
        return None, "none"
    stream = container.streams.best("audio", related=container.streams[video_stream])
    if stream is None:
        stream = container.streams.audio[0]
    try:
        with av.open(io.BytesIO(), "w", format="mp4") as trial:
            trial.add_stream_from_template(stream)
            trial.start_encoding()
    except Exception as error:  # whatever MP4 cannot hold is left out, and said
        return None, f"not copied: MP4 does not take this sound ({describe(error)})"
    return stream, "copied"
