"""How videos are probed and cut."""

from __future__ import annotations

from dataclasses import dataclass, field

from transforms.videos.probe import VideoProbe
from transforms.videos.sampling import Sampling
from transforms.videos.segments import SegmentSpec, plan_segments
from transforms.videos.sources import DEFAULT_MAX_PIXELS


@dataclass(frozen=True, slots=True)
class CutSettings:
    """How videos are probed and cut.

    Attributes:
      stream: index of the video stream among all streams of a file; None for the one that players choose.
      sampling: which frames are looked at.
      segment_seconds: length of a segment, at least.
      limit_seconds: for the probe of one video.
      max_pixels: of a frame; videos with larger ones are refused.
    """

    stream: int | None = None
    sampling: Sampling = field(default_factory=Sampling)
    segment_seconds: float = 30.0
    limit_seconds: float = 600.0
    max_pixels: int = DEFAULT_MAX_PIXELS

    def segments(self, probe: VideoProbe) -> tuple[SegmentSpec, ...]:
        """How a probed video is cut."""
        return plan_segments(probe, self.segment_seconds, sampling=self.sampling, max_pixels=self.max_pixels)
