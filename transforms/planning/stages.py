"""Stages of a run, one after the other, and what they take with any number of workers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from transforms.planning.prices import Prices


@dataclass(frozen=True, slots=True)
class Stage:
    """Work that must end before the next stage begins.

    Attributes:
      name: what is done.
      seconds: that one worker would take for all of it.
      parts: into so many pieces it can be divided.
      bound: what the pieces are, to say what limits it.
      longest: seconds of the longest piece; 0: they are alike.
      memory: bytes that a worker needs at most.
    """

    name: str
    seconds: float
    parts: int
    bound: str
    longest: float = 0.0
    memory: float = 0.0

    def elapsed(self, workers: int) -> float:
        """Seconds from its begin to its end, with so many workers: whole pieces are dealt out."""
        parts = max(1, self.parts)
        rounds = math.ceil(parts / workers)
        return max(self.longest, self.seconds / parts * rounds)


@dataclass(frozen=True, slots=True)
class Running:
    """A run with so many workers.

    Attributes:
      workers: how many.
      seconds: from begin to end, the start of the workers among them.
      busy_hours: in which workers work or start.
      kept_hours: that are paid for if all workers are kept from begin to end.
      limit: what more workers would not make faster.
    """

    workers: int
    seconds: float
    busy_hours: float
    kept_hours: float
    limit: str


def run_with(stages: Sequence[Stage], workers: int, start_seconds: float) -> Running:
    """The run of stages with so many workers."""
    seconds = start_seconds + sum(stage.elapsed(workers) for stage in stages)
    busy = workers * start_seconds + sum(stage.seconds for stage in stages)
    return Running(workers, seconds, busy / 3600, workers * seconds / 3600, limit_at(stages, workers, start_seconds))


def limit_at(stages: Sequence[Stage], workers: int, start_seconds: float) -> str:
    """What takes most of the time with so many workers, and whether more of them would help."""
    stage = max(stages, key=lambda stage: stage.elapsed(workers))
    if start_seconds > stage.elapsed(workers):
        return "the start of the workers"
    if stage.parts > workers and stage.longest < stage.elapsed(workers):
        return f"{stage.name}: more workers make it faster"
    return f"{stage.name}: {stage.bound}"


def cost_of(running: Running, prices: Prices, shuffle_bytes: float, reads: float, writes: float) -> tuple[float, float]:
    """What a run costs: if idle workers are given back at once, and if all are kept from begin to end."""
    low, high = (prices.cost(hours, shuffle_bytes, reads, writes) for hours in (running.busy_hours, running.kept_hours))
    return low, max(low, high)
