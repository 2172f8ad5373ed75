"""Which frames are looked at: every n-th one, or so many a second, by the whole video's time stamps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Sampling:
    """Either ``stride`` (every stride-th frame, counted from the first) or ``fps`` (the first frame of each
    period of 1/fps seconds, counted from the first frame's time). With neither, every frame.

    Raises:
      ValueError: a stride below 1, an fps that is not positive, or both.
    """

    stride: int = 1
    fps: Fraction | None = None

    def __post_init__(self) -> None:
        if self.stride < 1:
            raise ValueError(f"stride is {self.stride}; give 1 (every frame) or more")
        if self.fps is not None and self.fps <= 0:
            raise ValueError(f"fps is {self.fps}; give a number above 0")
        if self.fps is not None and self.stride != 1:
            raise ValueError(f"both stride {self.stride} and fps {self.fps} are given; give one of them")


def skipped_pts(pts: Sequence[int], time_base: Fraction, sampling: Sampling) -> tuple[int, ...]:
    """Those of a whole video's sorted pts that the policy leaves out.

    A function of the whole video: cutting it into other segments cannot change the answer.
    """
    if sampling.fps is None:
        return tuple(p for rank, p in enumerate(pts) if rank % sampling.stride)
    skipped = []
    last_period = -1
    for p in pts:
        period = (p - pts[0]) * time_base * sampling.fps // 1
        if period == last_period:
            skipped.append(p)
        last_period = int(period)
    return tuple(skipped)
