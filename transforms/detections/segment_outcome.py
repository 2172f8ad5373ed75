"""What a finished segment hands on: where its findings are, never the findings themselves."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SegmentOutcome:
    """Where a segment's findings are, and how they came about.

    Attributes:
      index: of the segment in its video.
      findings: path of the file.
      first_frame: index of the segment's first frame.
      reused: an earlier run had them.
      frames: processed in this run.
      seconds: that this took.
      cut_short: why a picture or record of some frames is missing beside the findings; "" if none is.
    """

    index: int
    findings: str
    first_frame: int
    reused: bool = False
    frames: int = 0
    seconds: float = 0.0
    cut_short: str = ""
