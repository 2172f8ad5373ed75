"""Why a video, or a part of it, was not used: stable codes that manifests hold and tests count."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

# What no file can cause: such an error is never taken for damage.
PROGRAMMING_ERRORS = (NameError, AttributeError, AssertionError, ImportError, TypeError)


class VideoReason(StrEnum):
    """Codes of a refusal (the video is rejected) and of damage (it is partial)."""

    VIDEO_UNREADABLE = "video_unreadable"
    CONTAINER_NOT_ALLOWED = "container_not_allowed"
    NO_VIDEO_STREAM = "no_video_stream"
    NO_SUCH_STREAM = "no_such_stream"
    CODEC_NOT_SUPPORTED = "codec_not_supported"
    TOO_MANY_PIXELS = "too_many_pixels"
    NO_FRAMES = "no_frames"
    NO_FRAME_DECODED = "no_frame_decoded"
    PROBE_TIMEOUT = "probe_timeout"
    DECODE_TIMEOUT = "decode_timeout"
    FRAMES_LOST = "frames_lost"
    FRAMES_SUSPECT = "frames_suspect"
    INFERENCE_FAILED = "inference_failed"
    FILE_TRUNCATED = "file_truncated"
    FILE_DAMAGED = "file_damaged"
    LEDGER_NOT_CLOSED = "ledger_not_closed"


# What another run may do better: this one's machine was too slow.
TRIED_AGAIN = frozenset({VideoReason.PROBE_TIMEOUT, VideoReason.DECODE_TIMEOUT})


@dataclass(frozen=True, slots=True)
class VideoRefused:
    """A video that cannot be used. A value, not an exception: the other videos go on.

    Attributes:
      reason: what kind of refusal.
      detail: what was found, with the offending value or the decoder's own words.
    """

    reason: VideoReason
    detail: str
