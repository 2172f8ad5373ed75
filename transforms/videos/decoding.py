"""Decoding one segment: every frame that it owns, upright, and an honest account of those that did not come.

Decoders hide damage: by default FFmpeg paints over it and says nothing. So it is told to raise at the first
error (``err_detect=explode``), is fed packet by packet so that it can go on after one, and every frame stored
from an error to the next key frame is suspect. Decoding is with one thread, so that an error belongs to the
packet that was sent and re-runs give the same frames; segments are what runs in parallel.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any

from av.container import InputContainer

from transforms.videos.frame_ledger import FrameRecord, FrameStatus
from transforms.videos.orientation import Pixels, upright
from transforms.videos.probe import demux, describe, is_frame
from transforms.videos.reasons import PROGRAMMING_ERRORS
from transforms.videos.segments import SegmentSpec
from transforms.videos.sources import Source, open_video

_KEPT_ERRORS = 8


@dataclass(frozen=True, slots=True)
class DecodedFrame:
    """One frame to look at.

    Attributes:
      frame_index: rank of the pts in the whole video, from 0.
      pts, time_s: in units of the video's time base, and in seconds.
      key_frame: whether its packet is marked as one.
      pixels: RGB uint8 [height, width, 3], upright; the consumer's own.
    """

    frame_index: int
    pts: int
    time_s: float
    key_frame: bool
    pixels: Pixels


@dataclass(slots=True)
class _Trail:
    """What was seen on the way: packets in stored order, and the pts that errors were met at."""

    stored: list[tuple[int, bool]]  # (pts, key frame)
    bad: set[int]

    def suspects(self) -> set[int]:
        """Everything stored from an error to the next key frame, and what is stored after that one but shown
        before it, since it refers to both sides."""
        suspects: set[int] = set()
        tainted = tainted_before_key = False
        key_pts: int | None = None
        for pts, key in self.stored:
            if key:
                tainted_before_key, tainted, key_pts = tainted, False, pts
            tainted = tainted or pts in self.bad
            if tainted or (tainted_before_key and key_pts is not None and pts < key_pts):
                suspects.add(pts)
        return suspects


class SegmentDecoder:
    """The frames of one segment, in the order of their pts, holding one at a time; then the account of them.

    An error after which no key frame follows anywhere in the video ends the decoding: nothing would ever show
    that the decoder is sound again, so what it still holds and all that follows is lost. ``keep_unproven``
    goes on instead and has those frames as suspect.

    Attributes:
      errors: the first few errors, in the decoder's words.
    """

    def __init__(self, source: Source, spec: SegmentSpec, *, keep_unproven: bool = False) -> None:
        self._source = source
        self._spec = spec
        self._keep_unproven = keep_unproven
        self._expected = {pts: rank for rank, pts in enumerate(spec.pts)}
        self._keys = frozenset(spec.key_pts)
        self._skipped = frozenset(spec.skipped_pts)
        self._trail = _Trail([], set(spec.damaged_pts))
        self._seen: dict[int, int] = {}  # pts → pts of its packet; they differ only by rank
        self.errors: list[str] = []

    def __iter__(self) -> Iterator[DecodedFrame]:
        """Decodes from the start.

        Never raises for what is in the file: what does not decode is missing here, and lost in ``records``.
        """
        self._trail = _Trail([], set(self._spec.damaged_pts))
        self._seen = {}
        self.errors = []
        try:
            frames = self._frames()
            for frame in frames:
                decoded = self._take(frame)
                if decoded is not None:
                    yield decoded
        except PROGRAMMING_ERRORS:
            raise
        except Exception as error:  # the container itself: opening, seeking
            self._note(error)

    def records(self, processed: Collection[int] | None = None) -> tuple[FrameRecord, ...]:
        """Each pts that the segment owns, once; to be asked for when the frames have been gone through.

        Args:
          processed: indexes of the frames that the consumer is done with; a decoded frame that is not among
            them is lost. None: all that were decoded.
        """
        spec = self._spec
        suspects = self._trail.suspects()
        records = []
        for rank, pts in enumerate(spec.pts):
            index = spec.first_frame_index + rank
            came = pts in self._seen
            status: FrameStatus = "processed"
            if pts in self._skipped:
                status = "skipped"
            elif not came or (processed is not None and index not in processed):
                status = "lost"
            sound = status != "lost" and came and self._seen[pts] not in suspects
            records.append(
                FrameRecord(
                    frame_index=index,
                    pts=pts,
                    time_s=float(pts * spec.time_base),
                    key_frame=pts in self._keys,
                    status=status,
                    health="ok" if sound else "suspect",
                )
            )
        return tuple(records)

    def _take(self, frame: Any) -> DecodedFrame | None:
        """The frame to hand out, or None for one that is skipped or not this segment's."""
        spec = self._spec
        packet_pts = frame.pts if frame.pts is not None else frame.dts
        if spec.pts_by_rank:
            pts = spec.pts[len(self._seen)] if len(self._seen) < len(spec.pts) else None
        else:
            pts = packet_pts
        if pts not in self._expected or pts in self._seen:
            return None
        if frame.is_corrupt:
            self._trail.bad.add(packet_pts)
        if pts in self._skipped:
            self._seen[pts] = packet_pts
            return None
        pixels = upright(frame.to_ndarray(format="rgb24"), spec.quarter_turns, spec.mirrored)
        self._seen[pts] = packet_pts
        return DecodedFrame(
            frame_index=spec.first_frame_index + self._expected[pts],
            pts=pts,
            time_s=float(pts * spec.time_base),
            key_frame=pts in self._keys,
            pixels=pixels,
        )

    def _frames(self) -> Iterator[Any]:
        """PyAV's frames from the segment's start until its end has come out."""
        for seek in (True, False):  # where the seek goes wrong, reading from the start does not
            with open_video(self._source, max_pixels=self._spec.max_pixels) as container:
                stream = container.streams[self._spec.stream_index]
                context = stream.codec_context
                context.thread_count = 1
                context.options = {"err_detect": "explode", "max_pixels": str(self._spec.max_pixels)}
                packets = self._packets(container, stream, seek=seek)
                if packets is not None:
                    yield from self._decode(context, packets)
                    return
        self.errors.append(f"key frame {self._spec.start_pts} is not where the packet scan found it")

    def _packets(self, container: InputContainer, stream: Any, *, seek: bool) -> Iterator[Any] | None:
        """Packets from the segment's first key frame on; None where it cannot be found."""
        start = self._spec.start
        if start is None:
            return demux(container, stream, errors=self.errors)
        _prime(container, stream)
        try:
            if seek and self._spec.by_byte and start.position is not None:
                container.seek(start.position, stream=stream, any_frame=True, unsupported_byte_offset=True)
            elif seek:
                container.seek(start.pts, stream=stream)
        except Exception as error:
            self._note(error)
            return None
        packets = _from_key(demux(container, stream, errors=self.errors), start.pts)
        first = next(packets, None)
        return None if first is None else chain([first], packets)

    def _decode(self, context: Any, packets: Iterator[Any]) -> Iterator[Any]:
        spec = self._spec
        for packet in packets:
            if packet.size == 0:  # the demuxer's end: the decoder is emptied below
                continue
            pts = packet.pts if packet.pts is not None else packet.dts
            if self._is_past(packet, pts):
                break
            if is_frame(packet, context.name) and pts is not None:
                self._trail.stored.append((pts, packet.is_keyframe))
                if packet.is_corrupt:
                    self._trail.bad.add(pts)
            try:
                frames = context.decode(packet)
            except Exception as error:
                # Frames shown before the segment's first key frame may refer to what was not decoded here.
                if pts is None or pts < spec.start_pts:
                    continue
                self._note(error)
                self._trail.bad.add(pts)
                if not self._keep_unproven and not self._key_follows(pts):
                    return
                continue
            for frame in frames:
                yield frame
                if spec.end_pts is not None and frame.pts is not None and frame.pts >= spec.end_pts:
                    return
        try:
            yield from context.decode(None)
        except Exception as error:
            self._note(error)

    def _is_past(self, packet: Any, pts: int | None) -> bool:
        """Whether nothing that the segment owns can follow: a second key frame beyond its end.

        Only of use where damage keeps the frame at the end from coming out.
        """
        end = self._spec.end_pts
        return end is not None and pts is not None and packet.is_keyframe and pts > end

    def _key_follows(self, pts: int) -> bool:
        return self._spec.end_pts is not None or (bool(self._keys) and max(self._keys) > pts)

    def _note(self, error: Exception) -> None:
        if len(self.errors) < _KEPT_ERRORS:
            self.errors.append(describe(error))


def _prime(container: InputContainer, stream: Any) -> None:
    """Shows the decoder the video's first packet, then empties it.

    Encoders sign their first packet alone, and FFmpeg's decoders need that signature to decode what some
    versions wrote wrongly (x264 before build 151 at 4:4:4, early MPEG-4 encoders): without it all that
    follows is damaged.
    """
    context = stream.codec_context
    try:
        for packet in container.demux(stream):
            if packet.size:
                context.decode(packet)
                break
    except Exception:  # a damaged first packet is the first segment's loss
        pass
    context.flush_buffers()


def _from_key(packets: Iterator[Any], key_pts: int) -> Iterator[Any]:
    """Drops packets until the key frame with that pts; gives none where they start behind it."""
    for packet in packets:
        if packet.is_keyframe and packet.pts == key_pts:
            yield packet
            yield from packets
            return
        if packet.is_keyframe and packet.pts is not None and packet.pts > key_pts:
            return
