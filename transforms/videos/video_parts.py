"""The values that flow between the steps of a detection run: a probed video, and a part of it to work on."""

from __future__ import annotations

from dataclasses import dataclass

from transforms.videos.probe import VideoProbe
from transforms.videos.reasons import VideoRefused
from transforms.videos.segments import SegmentSpec


@dataclass(frozen=True, slots=True)
class ProbedVideo:
    """A video as it was found.

    Attributes:
      names: of all files with this content, in order.
      path: of the first one.
      fingerprint: SHA-256 of the content, in hex; "" where it could not be read.
      probe: of its packets, or why it cannot be used.
    """

    names: tuple[str, ...]
    path: str
    fingerprint: str
    probe: VideoProbe | VideoRefused


@dataclass(frozen=True, slots=True)
class VideoPart:
    """A segment to work on.

    Attributes:
      fingerprint, path: of its video.
      width, height: of the video, upright.
      pixel_aspect: width : height of an upright pixel, as "1/1".
      spec: of the segment.
      name: of the video.
    """

    fingerprint: str
    path: str
    name: str
    width: int
    height: int
    pixel_aspect: str
    spec: SegmentSpec
