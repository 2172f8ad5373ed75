"""A set of bad and odd videos, made in code: each with the status that it must end with."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from PIL import Image

from tests.videos.clips import write_clip, write_sound
from transforms.videos.reasons import VideoReason

R = VideoReason

# 7680 x 4320 is allowed, one row more is not.
MAX_PIXELS = 7680 * 4320


@dataclass(frozen=True, slots=True)
class BadVideo:
    """A file to make, and what must come of it.

    Attributes:
      expected: frames that the ledger must hold; None: not refused, but the number is the damage's own.
      processed: the least that must be processed.
    """

    name: str
    make: Callable[[Path], None]
    status: str
    reason: VideoReason | None = None
    expected: int | None = 0
    processed: int = 0


def _clip(**how: object) -> Callable[[Path], None]:
    return lambda path: void(write_clip(path, **how))  # type: ignore[arg-type]


def void(_: object) -> None:
    return None


def _bytes(content: bytes) -> Callable[[Path], None]:
    return lambda path: void(path.write_bytes(content))


def _changed(change: Callable[[bytes], bytes], **how: object) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        whole = path.with_name("whole" + path.suffix)
        write_clip(whole, **how)  # type: ignore[arg-type]
        path.write_bytes(change(whole.read_bytes()))
        whole.unlink()

    return make


def _cut(share: float, **how: object) -> Callable[[Path], None]:
    return _changed(lambda data: data[: int(len(data) * share)], **how)


def noise(start: float, length: int) -> Callable[[bytes], bytes]:
    """Overwrites ``length`` bytes from a share of the file on, the same ones every time."""

    def change(data: bytes) -> bytes:
        begin = int(len(data) * start)
        return data[:begin] + random.Random(7).randbytes(length) + data[begin + length :]

    return change


def _in_mdat(fill: Callable[[int], bytes]) -> Callable[[bytes], bytes]:
    """Replaces the samples of a plain MP4 and leaves its index whole."""

    def change(data: bytes) -> bytes:
        at = data.index(b"mdat") - 4
        size = int.from_bytes(data[at : at + 4], "big")
        return data[: at + 8] + fill(size - 8) + data[at + size :]

    return change


def _lying_stts(data: bytes) -> bytes:
    """The first run of sample durations claims 5,000 samples more than there are."""
    at = data.index(b"stts") + 12
    (count,) = struct.unpack_from(">I", data, at)
    return data[:at] + struct.pack(">I", count + 5000) + data[at + 4 :]


def _lying_mvhd(data: bytes) -> bytes:
    at = data.index(b"mvhd") + 4 + 16
    return data[:at] + struct.pack(">I", 10_000_000) + data[at + 4 :]


def _picture(kind: str) -> Callable[[Path], None]:
    return lambda path: Image.new("RGB", (64, 48), "red").save(path, kind)


def _no_frames(path: Path) -> None:
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        out.start_encoding()


def _one_frame(width: int, height: int) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        with av.open(str(path), "w") as out:
            stream = out.add_stream("libx264", rate=30, options={"preset": "ultrafast"})
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.codec_context.thread_count = 1
            planes = np.full((height * 3 // 2, width), 128, np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p")))
            out.mux(stream.encode(None))

    return make


def _without_start(path: Path) -> None:
    """A transport stream that was switched on in the middle of a group of pictures."""
    whole = path.with_name("whole.ts")
    write_clip(whole)
    data = whole.read_bytes()
    with av.open(str(whole)) as container:
        third = [p.pos for p in container.demux(video=0) if p.size][3]
    path.write_bytes(data[: 188 * 3] + data[third:])
    whole.unlink()


HEVC = "pools=none:frame-threads=1:log-level=none"
FRAGMENTED = {"movflags": "frag_keyframe+empty_moov"}
FASTSTART = {"movflags": "faststart"}
HLS = b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n/etc/passwd\n#EXT-X-ENDLIST\n"
DASH = b'<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period/></MPD>'
VARIED = [n + (n * n) // 7 for n in range(60)]

BAD_VIDEOS = [
    # No video at all.
    BadVideo("empty.mp4", _bytes(b""), "rejected", R.VIDEO_UNREADABLE),
    BadVideo("one_byte.mp4", _bytes(b"x"), "rejected", R.VIDEO_UNREADABLE),
    BadVideo("zeros.mp4", _bytes(bytes(50_000)), "rejected", R.VIDEO_UNREADABLE),
    BadVideo("noise.mp4", _bytes(random.Random(1).randbytes(50_000)), "rejected", R.VIDEO_UNREADABLE),
    BadVideo("html.mp4", _bytes(b"<html><body>404</body></html>" * 99), "rejected", R.VIDEO_UNREADABLE),
    BadVideo("hls.mp4", _bytes(HLS), "rejected", R.VIDEO_UNREADABLE),
    BadVideo("hls.m3u8", _bytes(HLS + b"#\n"), "rejected", R.CONTAINER_NOT_ALLOWED),
    BadVideo("concat.mp4", _bytes(b"ffconcat version 1.0\nfile /etc/passwd\n"), "rejected", R.CONTAINER_NOT_ALLOWED),
    BadVideo("dash.mpd", _bytes(DASH), "rejected", R.VIDEO_UNREADABLE),
    BadVideo("png.mp4", _picture("png"), "rejected", R.CONTAINER_NOT_ALLOWED),
    BadVideo("jpeg.mp4", _picture("jpeg"), "rejected", R.CONTAINER_NOT_ALLOWED),
    BadVideo("gif.mp4", _picture("gif"), "rejected", R.CONTAINER_NOT_ALLOWED),
    BadVideo("missing.mp4", lambda path: None, "rejected", R.VIDEO_UNREADABLE),
    BadVideo("folder.mp4", lambda path: path.mkdir(), "rejected", R.VIDEO_UNREADABLE),
    BadVideo("sound.m4a", lambda path: void(write_sound(path)), "rejected", R.NO_VIDEO_STREAM),
    BadVideo("sound.mkv", lambda path: void(write_sound(path)), "rejected", R.NO_VIDEO_STREAM),
    BadVideo("no_frames.mp4", _no_frames, "rejected", R.NO_VIDEO_STREAM),
    BadVideo("no_frames.mkv", _no_frames, "rejected", R.VIDEO_UNREADABLE),
    BadVideo("no_frames.avi", _no_frames, "rejected", R.NO_FRAMES),
    BadVideo("8k_and_more.mp4", _one_frame(7680, 4322), "rejected", R.TOO_MANY_PIXELS),
    # Cut off.
    BadVideo("no_moov.mp4", _cut(0.6), "rejected", R.VIDEO_UNREADABLE),
    BadVideo("cut_by_a_byte.mp4", _cut(0.9999), "partial", R.FILE_TRUNCATED, 60, 60),
    BadVideo("cut_index_first.mp4", _cut(0.6, container_options=FASTSTART), "partial", R.FILE_TRUNCATED, 60, 28),
    BadVideo("cut_fragments.mp4", _cut(0.6, container_options=FRAGMENTED), "partial", R.FILE_TRUNCATED, None, 25),
    BadVideo(
        "cut_first_fragment.mp4",
        _cut(0.1, container_options=FRAGMENTED),
        "rejected",
        R.NO_FRAME_DECODED,
        None,
    ),
    BadVideo("cut.mkv", _cut(0.6), "partial", R.FILE_TRUNCATED, None, 28),
    BadVideo("cut_early.mkv", _cut(0.2), "partial", R.FILE_TRUNCATED, None, 1),
    BadVideo("cut.avi", _cut(0.6, codec="mjpeg", pix_fmt="yuvj420p"), "partial", R.FILE_TRUNCATED, None, 28),
    BadVideo("cut_header.avi", _cut(0.1, codec="mjpeg", pix_fmt="yuvj420p"), "rejected", R.VIDEO_UNREADABLE),
    BadVideo("cut.ts", _cut(0.6), "partial", None, None, 28),
    BadVideo("cut.flv", _cut(0.6), "partial", R.FILE_TRUNCATED, None, 28),
    BadVideo(
        "cut.webm",
        _cut(0.6, codec="libvpx-vp9", options={"cpu-used": "8", "deadline": "realtime"}),
        "partial",
        R.FILE_TRUNCATED,
        None,
        28,
    ),
    # Damaged inside.
    BadVideo("damaged_middle.mp4", _changed(noise(0.4, 600)), "partial", None, 60, 40),
    BadVideo("damaged_only_group.mp4", _changed(noise(0.3, 300), gop=250), "partial", R.FRAMES_LOST, 60, 9),
    BadVideo("damaged_middle.mkv", _changed(noise(0.4, 600)), "partial", R.FILE_DAMAGED, None, 12),
    BadVideo("damaged_middle.ts", _changed(noise(0.4, 600)), "partial", None, None, 40),
    BadVideo("samples_zeroed.mp4", _changed(_in_mdat(bytes)), "rejected", R.NO_FRAME_DECODED, 60),
    BadVideo(
        "samples_noise.mp4",
        _changed(_in_mdat(random.Random(3).randbytes)),
        "rejected",
        R.NO_FRAME_DECODED,
        60,
    ),
    BadVideo("starts_inside_a_group.ts", _without_start, "partial", None, None, 40),
    # Odd, yet whole.
    BadVideo("lying_stts.mp4", _changed(_lying_stts), "ok", None, 60, 60),
    BadVideo("lying_mvhd.mp4", _changed(_lying_mvhd), "ok", None, 60, 60),
    BadVideo("av1.mp4", _clip(codec="libsvtav1", options={"preset": "12", "crf": "20"}), "ok", None, 60, 60),
    BadVideo(
        "vp9.webm",
        _clip(codec="libvpx-vp9", options={"cpu-used": "8", "deadline": "realtime"}),
        "ok",
        None,
        60,
        60,
    ),
    BadVideo("h264_10_bit.mp4", _clip(pix_fmt="yuv420p10le"), "ok", None, 60, 60),
    BadVideo("h264_444.mp4", _clip(pix_fmt="yuv444p"), "ok", None, 60, 60),
    BadVideo(
        "hevc_10_bit.mp4",
        _clip(codec="libx265", pix_fmt="yuv420p10le", options={"preset": "ultrafast", "x265-params": HEVC}),
        "ok",
        None,
        60,
        60,
    ),
    BadVideo("odd_size.mp4", _clip(size=(161, 97), pix_fmt="yuv444p"), "ok", None, 60, 60),
    BadVideo("mjpeg.avi", _clip(codec="mjpeg", pix_fmt="yuvj420p"), "ok", None, 60, 60),
    BadVideo("b_frames.avi", _clip(), "ok", None, 60, 60),
    BadVideo("mpeg2.mpg", _clip(codec="mpeg2video", options={"bf": "2"}), "ok", None, 60, 60),
    BadVideo("varied_rate.mp4", _clip(pts=VARIED), "ok", None, 60, 60),
    BadVideo("one_frame.mp4", _clip(frames=1), "ok", None, 1, 1),
    BadVideo("8k.mp4", _one_frame(7680, 4320), "ok", None, 1, 1),
    BadVideo("한글 [1] %03d a:b.mp4", _clip(frames=6), "ok", None, 6, 6),
    BadVideo("mp4_named.txt", _changed(bytes, frames=6, container_format="mp4"), "ok", None, 6, 6),
]
