"""Shows how far a job is: a live bar on a terminal, a line per 10 % elsewhere."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TextIO

# Workers tell what they have done twice a second, each for itself: within less time, the rate is that of their telling.
_FEWEST_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a job.

    Attributes:
      title: what is done ("writing").
      unit: what is counted ("images").
      done: how many are done, from the counters.
      total: how many there will be; None while that is not known.
    """

    title: str
    unit: str
    done: Callable[[Counter[str]], int]
    total: Callable[[Counter[str]], int | None]


@contextmanager
def showing(steps: Sequence[Step], stream: TextIO | None = None) -> Iterator[Callable[[Counter[str]], None]]:
    """Within the block, the yielded function shows the counters that it is given."""
    stream = stream or sys.stderr
    if stream.isatty():
        with _bars(steps, stream) as update:
            yield update
    else:
        yield PlainLines(steps, stream).update


@contextmanager
def _bars(steps: Sequence[Step], stream: TextIO) -> Iterator[Callable[[Counter[str]], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description:<10}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.completed:,.0f} of {task.fields[shown_total]} {task.fields[unit]}"),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    with Progress(*columns, console=Console(file=stream), refresh_per_second=8) as progress:
        tasks = [
            progress.add_task(step.title, total=None, start=False, unit=step.unit, shown_total="?", rate="")
            for step in steps
        ]

        def update(counters: Counter[str]) -> None:
            for step, task_id in zip(steps, tasks, strict=True):
                done, total = step.done(counters), step.total(counters)
                task = progress.tasks[task_id]
                if done and not task.started:
                    progress.start_task(task_id)
                rate = f"{task.finished_speed or task.speed or 0:,.0f} {step.unit}/s" if task.started else ""
                shown = "?" if total is None else f"{total:,}"
                progress.update(task_id, completed=done, total=total, shown_total=shown, rate=rate)

        yield update


class PlainLines:
    """A line each time that a step has come another tenth of its way."""

    def __init__(self, steps: Sequence[Step], stream: TextIO, clock: Callable[[], float] = time.monotonic):
        self._steps = steps
        self._stream = stream
        self._clock = clock
        self._started: dict[str, tuple[float, int]] = {}  # when a step was first seen at work, and what it had done
        self._shown: dict[str, int] = {}

    def update(self, counters: Counter[str]) -> None:
        """Shows what is new in the counters."""
        for step in self._steps:
            done, total = step.done(counters), step.total(counters)
            if not done:
                continue
            now = self._clock()
            start, before = self._started.setdefault(step.title, (now, done))
            tenth = 10 * done // total if total else 0
            if total and tenth > self._shown.get(step.title, 0):
                self._shown[step.title] = tenth
                self._stream.write(_line(step, done, total, done - before, now - start))
                self._stream.flush()


def _line(step: Step, done: int, total: int, watched: int, seconds: float) -> str:
    """The state of a step; the rate is that of the ``watched`` units which these seconds were seen to take."""
    line = f"{step.title} {100 * done // total} %: {done:,} of {total:,} {step.unit}"
    if watched and seconds >= _FEWEST_SECONDS:
        line += f", {watched / seconds:,.0f}/s, {(total - done) * seconds / watched:,.0f} s left"
    return line + "\n"
