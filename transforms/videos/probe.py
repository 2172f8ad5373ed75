"""What a video really holds, found by going through its packets without decoding them.

Counts, rates and durations in headers are wrong often enough (variable rates, cut files, careless muxers)
that none is used for a frame's number or time. The list of the packets' presentation time stamps (pts) is the
truth: the number of a frame is the rank of its pts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

import av
from av.container import InputContainer

from transforms.videos.orientation import display_matrix, quarter_turns
from transforms.videos.reasons import PROGRAMMING_ERRORS, VideoReason, VideoRefused
from transforms.videos.sources import DEFAULT_MAX_PIXELS, Source, open_bytes, open_video, size_in_bytes
from transforms.videos.structure import missing_bytes

# A demuxer that raises can often go on with the next packet; one that raises for ever cannot.
MAX_DEMUX_ERRORS = 64
# A sample table that asks for more than this many times the file is a lie, not a cut file.
_MAX_PADDING = 64
# Between two packets' bytes stand a header or two of the container, never more (24 bytes in what FFmpeg
# writes).
_MAX_HEADERS = 64
# A header's duration may be rounded, and hold the silence after the last packet.
_DURATION_TOLERANCE_S = 0.5


@dataclass(frozen=True, slots=True)
class KeyFrame:
    """A frame where decoding can start: its pts, and the byte where its packet stands (None: not known)."""

    pts: int
    position: int | None


@dataclass(frozen=True, slots=True)
class VideoProbe:
    """A video stream as its packets describe it.

    Attributes:
      container, codec: FFmpeg's names.
      stream_index: of the video stream, among all streams of the file.
      time_base: seconds per unit of pts, exact.
      pts: of every frame to expect, ascending, each once; the frame's index is its rank here.
      key_frames: ascending in pts.
      width, height: pixels as displayed, after the turn.
      quarter_turns, mirrored: what it takes to show a frame upright; see ``orientation``.
      pixel_aspect: width : height of a pixel, before the turn.
      frame_duration: pts units that the last frame lasts.
      pts_by_rank: packets do not tell which frame has which pts (AVI with B-frames stores no presentation
        times; a damaged stream repeats them): the n-th frame that comes out of the decoder has the n-th pts.
      splittable: decoding may start at any key frame.
      has_audio: the file has at least one audio stream.
      absent_frames: how many of the frames have their bytes beyond the end of the file.
      truncated: what shows that the end of the file is missing, or "".
      unread: what shows that the demuxer passed over damage within the file, and frames with it, or "".
      damaged_pts: the first frames after such damage.
      repeated_pts: packets that repeat the pts of another one; their frames are moved to the next free unit.
      errors: the demuxer's words about what it could not read, the first few.
    """

    container: str
    codec: str
    stream_index: int
    time_base: Fraction
    pts: tuple[int, ...]
    key_frames: tuple[KeyFrame, ...]
    width: int
    height: int
    quarter_turns: int = 0
    mirrored: bool = False
    pixel_aspect: Fraction = Fraction(1)
    frame_duration: int = 1
    pts_by_rank: bool = False
    splittable: bool = True
    has_audio: bool = False
    absent_frames: int = 0
    truncated: str = ""
    unread: str = ""
    damaged_pts: tuple[int, ...] = ()
    repeated_pts: int = 0
    errors: tuple[str, ...] = ()

    @property
    def rotation(self) -> int:
        """Degrees clockwise by which stored frames are turned to be upright."""
        return 90 * self.quarter_turns

    @property
    def duration_s(self) -> float:
        """From the first frame's time to the end of the last one, by the packets."""
        return float((self.pts[-1] + self.frame_duration - self.pts[0]) * self.time_base)


def probe_video(
    source: Source, *, stream: int | None = None, max_pixels: int = DEFAULT_MAX_PIXELS
) -> VideoProbe | VideoRefused:
    """Goes through a video's packets; about a hundredth of the time that decoding takes.

    Args:
      stream: index of the stream to use, among all streams of the file; None for the one that players would
        choose.
      max_pixels: a video whose frames have more is refused before any of them is decoded.

    Returns:
      The probe, or why the video cannot be used. Never raises for what is in the file.
    """
    try:
        return _probe(source, stream, max_pixels)
    except PROGRAMMING_ERRORS:
        raise
    except Exception as error:  # native demuxers raise nearly every other kind; the detail says which
        return VideoRefused(_reason_of(error), describe(error))


def describe(error: BaseException) -> str:
    """An error's kind and words, on one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]


def demux(container: InputContainer, *streams: Any, errors: list[str]) -> Iterator[Any]:
    """Packets, going on after errors as long as that is of use; what was wrong is added to ``errors``."""
    for _ in range(MAX_DEMUX_ERRORS):
        try:
            yield from container.demux(*streams)
            return
        except Exception as error:
            errors.append(describe(error))


def is_frame(packet: Any, codec: str) -> bool:
    """Whether a packet gives a picture to show.

    Empty packets repeat a picture, discarded ones are cut away by an edit list, and VP8 has hidden reference
    pictures of their own (RFC 6386, 9.1: bit 4 of the first byte is ``show_frame``).
    """
    if packet.size == 0 or packet.is_discard:
        return False
    return codec != "vp8" or bool(bytes(packet)[0] & 0x10)


def _reason_of(error: Exception) -> VideoReason:
    # FFmpeg answers EINVAL where the container is outside of the white list, EPERM where a playlist opens
    # files.
    if isinstance(error, av.error.ArgumentError | av.error.PermissionError):
        return VideoReason.CONTAINER_NOT_ALLOWED
    return VideoReason.VIDEO_UNREADABLE


def _probe(source: Source, wanted: int | None, max_pixels: int) -> VideoProbe | VideoRefused:
    with open_bytes(source) as file:
        missing = missing_bytes(file)
    truncated = f"{missing} bytes are missing at the end of the file" if missing else ""
    with open_video(source, max_pixels=max_pixels) as container:
        stream = _choose_stream(container, wanted)
        if isinstance(stream, VideoRefused):
            return stream
        context = stream.codec_context
        if context.width * context.height > max_pixels:
            return VideoRefused(
                VideoReason.TOO_MANY_PIXELS,
                f"frames of {context.width}x{context.height} pixels are above the limit of {max_pixels}",
            )
        padded_to = _indexed_size(stream)
        index = stream.index
    size = size_in_bytes(source)
    if not size < padded_to <= size * _MAX_PADDING:
        padded_to = 0
    with open_video(source, max_pixels=max_pixels, padded_to=padded_to) as container:
        return _scan(container, container.streams[index], size, truncated)


def _choose_stream(container: Any, wanted: int | None) -> Any | VideoRefused:
    videos = [s for s in container.streams.video if not s.disposition & s.disposition.attached_pic]
    if not videos:
        kinds = ", ".join(str(s.type) for s in container.streams) or "none"
        return VideoRefused(VideoReason.NO_VIDEO_STREAM, f"streams in the file: {kinds}")
    if wanted is not None:
        stream = next((s for s in videos if s.index == wanted), None)
        if stream is None:
            there = ", ".join(str(s.index) for s in videos)
            return VideoRefused(VideoReason.NO_SUCH_STREAM, f"no video stream {wanted}; there is {there}")
    else:
        best = container.streams.best("video")
        stream = best if best in videos else videos[0]
    if stream.codec_context is None:
        return VideoRefused(VideoReason.CODEC_NOT_SUPPORTED, f"no decoder for stream {stream.index}")
    return stream


def _indexed_size(stream: Any) -> int:
    """Where the last sample of a stream's header index ends, in bytes from the start of the file."""
    return max((entry.pos + entry.size for entry in stream.index_entries), default=0)


def _scan(container: InputContainer, stream: Any, size: int, truncated: str) -> VideoProbe | VideoRefused:
    codec = stream.codec_context.name
    errors: list[str] = []
    pts: list[int] = []
    keys: dict[int, int | None] = {}
    last = (0, 0)  # the highest pts, and its duration
    absent = unread = 0
    end_of_last: int | None = None
    after_hole = False
    damaged: list[int] = []
    end_s = Fraction(0)
    for packet in demux(container, errors=errors):
        stamp = packet.pts if packet.pts is not None else packet.dts
        if stamp is None or packet.time_base is None:
            continue
        end_s = max(end_s, (stamp + (packet.duration or 0)) * packet.time_base)
        if packet.pos is not None:
            if end_of_last is not None and packet.pos - end_of_last > _MAX_HEADERS:
                unread += packet.pos - end_of_last
                after_hole = True
            end_of_last = packet.pos + packet.size
        if packet.stream_index != stream.index or not is_frame(packet, codec):
            continue
        last = max(last, (stamp, packet.duration or 0)) if pts else (stamp, packet.duration or 0)
        pts.append(stamp)
        if after_hole:
            damaged.append(stamp)
            after_hole = False
        absent += packet.pos is not None and packet.pos + packet.size > size
        if packet.is_keyframe:
            keys.setdefault(stamp, packet.pos)
    if not pts:
        detail = "no packet of the video stream could be read" + (f"; {errors[0]}" if errors else "")
        return VideoRefused(VideoReason.NO_FRAMES, detail)
    name = container.format.name
    if not truncated and absent:
        truncated = f"the bytes of {absent} frames are beyond the end of the file"
    streamed = name in ("matroska,webm", "flv")  # packets follow each other, and no index lists them all
    if streamed and not truncated:
        truncated = _early_end(container, end_s)
    ordered, repeated = _each_once(pts)
    by_rank = repeated > 0 or (name == "avi" and bool(stream.codec_context.has_b_frames))
    hole = _hole(unread, ordered) if streamed else ""
    width, height, turns, mirrored = _first_look(container, stream)
    return VideoProbe(
        container=name,
        codec=stream.codec_context.codec.canonical_name,
        stream_index=stream.index,
        time_base=stream.time_base,
        pts=tuple(ordered),
        key_frames=tuple(KeyFrame(key, keys[key]) for key in sorted(keys)),
        width=height if turns % 2 else width,
        height=width if turns % 2 else height,
        quarter_turns=turns,
        mirrored=mirrored,
        pixel_aspect=stream.sample_aspect_ratio or Fraction(1),
        frame_duration=last[1] or _usual_step(ordered),
        pts_by_rank=by_rank,
        # MPEG-PS and ASF seek to near the place that was asked for, so they are read from the start.
        splittable=not by_rank and name not in ("mpeg", "asf") and list(keys) == sorted(keys),
        has_audio=bool(container.streams.audio),
        absent_frames=absent,
        truncated=truncated,
        unread=hole,
        damaged_pts=tuple(sorted(damaged)) if hole else (),
        repeated_pts=repeated,
        errors=tuple(errors[:8]),
    )


def _hole(unread: int, ordered: list[int]) -> str:
    """A demuxer passes over damage without a word; what shows is bytes that belong to no packet, and a hole
    in time.

    Neither alone is a sign: rates vary, and containers hold other things than packets.
    """
    longest = 1.5 * _usual_step(ordered)
    if not unread or all(b - a <= longest for a, b in pairwise(ordered)):
        return ""
    return f"{unread} bytes between packets could not be read, and the time stamps have a hole"


def _early_end(container: InputContainer, end_s: Fraction) -> str:
    """A demuxer stops at damage without a word, too; that it stopped early shows in the header's duration."""
    claimed_s = Fraction(container.duration or 0, av.time_base)
    if claimed_s - end_s <= _DURATION_TOLERANCE_S:
        return ""
    return f"packets end at {float(end_s):.3f} s, the header says {float(claimed_s):.3f} s"


def _each_once(pts: list[int]) -> tuple[list[int], int]:
    """Ascending, with repeated values moved up to the next free one, and how many were repeated."""
    ordered: list[int] = []
    for stamp in sorted(pts):
        ordered.append(stamp if not ordered else max(stamp, ordered[-1] + 1))
    return ordered, len(pts) - len(set(pts))


def _usual_step(ordered: list[int]) -> int:
    steps = sorted(b - a for a, b in pairwise(ordered))
    return steps[len(steps) // 2] if steps else 1


def _first_look(container: InputContainer, stream: Any) -> tuple[int, int, int, bool]:
    """Stored width and height, quarter turns and mirroring, from the first frame that decodes.

    The display matrix is not given away without a frame. Where none decodes, the stream's own size, unturned.
    """
    context = stream.codec_context
    try:
        container.seek(0)
        for packet in container.demux(stream):
            for frame in packet.decode():
                return (frame.width, frame.height, *quarter_turns(display_matrix(frame)))
    except Exception:  # what is wrong will be found, and told, where the frames are decoded
        pass
    return context.width, context.height, 0, False
