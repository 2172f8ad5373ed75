"""What a finished segment hands on: where its findings are, never the findings themselves."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SegmentOutcome:
    """Where a segment's findings are, and how they came about.

    Attributes:
      index: of the segment in its video.
      findings: path of the file.
      reused: an earlier run had them.
      first_frame: index of the segment's first frame.
      frames: processed in this run.
      seconds: that this took.
    """

    index: int
    findings: str
    reused: bool
    first_frame: int
    frames: int = 0
    seconds: float = 0.0
